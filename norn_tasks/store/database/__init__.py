"""The connection to PostgreSQL: transactions, column types, pages of lists, and migrations."""
