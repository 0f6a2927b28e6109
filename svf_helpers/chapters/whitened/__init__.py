"""The chapter book/whitened.md: its runs, numbers, figures, explorer, exercises and claims."""
