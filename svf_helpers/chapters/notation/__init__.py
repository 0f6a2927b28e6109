"""The room of the chapter book/notation.md."""
