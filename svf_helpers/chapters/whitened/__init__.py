"""The room of the chapter book/whitened.md."""
