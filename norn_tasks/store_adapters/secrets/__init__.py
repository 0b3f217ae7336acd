"""Secrets that steps read from files or write into files."""
