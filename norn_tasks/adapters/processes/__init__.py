"""Starts child processes, reads the lines that they print, and ends their complete process groups."""
