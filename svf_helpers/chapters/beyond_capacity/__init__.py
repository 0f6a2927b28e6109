"""The chapter book/beyond_capacity.md: its runs, numbers, figures, explorer, exercises and claims."""
