"""Messages through Redis besides wake-ups; losing any of them is harmless."""
