"""Rules of the domain as SQL, for statements that read many rows; each names the Python code of the same rule."""
