"""The chapter book/one_pair.md: its runs, numbers, figures, explorer, exercises and claims."""
