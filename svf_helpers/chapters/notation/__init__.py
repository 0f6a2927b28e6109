"""The chapter book/notation.md: its runs, numbers, figures, explorer, exercises and claims."""
