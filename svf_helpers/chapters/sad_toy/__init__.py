"""The chapter book/sad_toy.md: its runs, numbers, figures, explorer, exercises and claims."""
