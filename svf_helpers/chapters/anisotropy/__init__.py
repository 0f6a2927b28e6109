"""The room of the chapter book/anisotropy.md."""
