"""The room of the chapter book/one_pair.md."""
