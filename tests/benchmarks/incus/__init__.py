"""Runs in Incus beside runs in Docker."""
