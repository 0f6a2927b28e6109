"""The chapter book/sad_gpt2.md: its runs, numbers, figures, explorer, exercises and claims."""
