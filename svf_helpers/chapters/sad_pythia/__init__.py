"""The room of the chapter book/sad_pythia.md."""
