"""Routes of an app: its infraspec, sources, secrets and state."""
