"""The room of the chapter book/sad_gpt2.md."""
