"""The chapter book/your_model.md: its runs, numbers, figures, explorer, exercises and claims."""
