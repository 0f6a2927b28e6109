"""The chapter book/intro.md: its runs, numbers, figures, explorer, exercises and claims."""
