"""The room of the chapter book/intro.md."""
