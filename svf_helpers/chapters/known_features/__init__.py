"""The chapter book/known_features.md: its runs, numbers, figures, explorer, exercises and claims."""
