"""The room of the chapter book/many_pairs.md."""
