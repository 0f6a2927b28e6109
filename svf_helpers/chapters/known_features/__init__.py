"""The room of the chapter book/known_features.md."""
