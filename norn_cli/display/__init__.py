"""The command's output: tables, times, progress and live views."""
