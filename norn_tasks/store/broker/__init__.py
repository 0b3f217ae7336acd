"""The use of Redis besides wake-ups; losing any of it is harmless."""
