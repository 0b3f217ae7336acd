"""Alembic migrations, in order. A test compares their result with `tables`."""
