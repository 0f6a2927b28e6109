"""The chapter book/anisotropy.md: its runs, numbers, figures, explorer, exercises and claims."""
