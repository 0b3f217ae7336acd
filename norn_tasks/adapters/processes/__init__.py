"""Starts child processes, reads their lines, and ends their whole process groups."""
