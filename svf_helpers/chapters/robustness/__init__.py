"""The room of the chapter book/robustness.md."""
