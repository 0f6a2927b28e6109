"""The chapter book/superposition.md: its runs, numbers, figures, explorer, exercises and claims."""
