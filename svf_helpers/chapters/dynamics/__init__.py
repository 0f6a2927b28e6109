"""The chapter book/dynamics.md: its runs, numbers, figures, explorer, exercises and claims."""
