"""Messages through Redis, apart from wake-ups; the loss of any message is harmless."""
