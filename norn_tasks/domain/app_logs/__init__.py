"""The log lines that apps write, queries for them, and the times and regular expressions in such queries."""
