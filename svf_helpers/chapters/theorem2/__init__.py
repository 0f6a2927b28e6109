"""The chapter book/theorem2.md: its runs, numbers, figures, explorer, exercises and claims."""
