"""The chapter book/theorem3.md: its runs, numbers, figures, explorer, exercises and claims."""
