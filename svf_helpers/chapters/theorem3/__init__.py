"""The room of the chapter book/theorem3.md."""
