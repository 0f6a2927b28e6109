"""The chapter book/theorem1.md: its runs, numbers, figures, explorer, exercises and claims."""
