"""The connection: transactions, column types, pages of lists, migrating."""
