"""The room of the chapter book/theorem1.md."""
