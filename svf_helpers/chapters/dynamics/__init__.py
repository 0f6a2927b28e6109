"""The room of the chapter book/dynamics.md."""
