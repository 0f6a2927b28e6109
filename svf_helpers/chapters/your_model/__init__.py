"""The room of the chapter book/your_model.md."""
