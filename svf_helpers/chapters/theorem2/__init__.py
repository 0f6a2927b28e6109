"""The room of the chapter book/theorem2.md."""
