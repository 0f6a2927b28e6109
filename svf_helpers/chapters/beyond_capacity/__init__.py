"""The room of the chapter book/beyond_capacity.md."""
