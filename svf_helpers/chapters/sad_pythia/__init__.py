"""The chapter book/sad_pythia.md: its runs, numbers, figures, explorer, exercises and claims."""
