"""The room of the chapter book/rope.md."""
