"""The chapter book/robustness.md: its runs, numbers, figures, explorer, exercises and claims."""
