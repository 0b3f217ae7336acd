"""Routes of the server itself: health, workers, alerts, destinations, tokens, audit, events and documents."""
