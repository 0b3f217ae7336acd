"""Schedules: their due occurrences, the verdict of each occurrence, and the gaps that outages leave."""
