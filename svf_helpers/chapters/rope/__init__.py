"""The chapter book/rope.md: its runs, numbers, figures, explorer, exercises and claims."""
