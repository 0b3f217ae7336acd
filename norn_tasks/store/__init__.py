"""The only SQL and the only Redis: every table, and every question asked of it."""
