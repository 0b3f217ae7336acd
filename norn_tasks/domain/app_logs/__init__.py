"""The lines that apps write: their values, the questions about them, and how people write times and expressions."""
