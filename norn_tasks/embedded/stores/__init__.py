"""The embedded PostgreSQL and broker."""
