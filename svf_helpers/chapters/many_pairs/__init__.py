"""The chapter book/many_pairs.md: its runs, numbers, figures, explorer, exercises and claims."""
