"""The room of the chapter book/superposition.md."""
