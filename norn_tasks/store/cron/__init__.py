"""Schedules: their due occurrences, the verdict of each, and the gaps that outages leave."""
