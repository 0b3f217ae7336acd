"""Alembic migrations, in order; the test of the schema compares their result with `tables`."""
