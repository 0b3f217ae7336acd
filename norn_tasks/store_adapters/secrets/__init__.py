"""The secrets of apps that steps read from files or write into files."""
