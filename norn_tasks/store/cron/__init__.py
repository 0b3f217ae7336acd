"""Schedules: what is due, what becomes of each occurrence, and what an outage left."""
