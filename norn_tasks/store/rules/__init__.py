"""Rules of the domain in SQL, for statements that read many rows; each names the Python code of the same rule."""
