"""The room of the chapter book/sad_toy.md."""
