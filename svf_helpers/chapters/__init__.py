"""The book's own code, one folder for each chapter, and what chapters share in ``kit``."""
