"""Compares runs in Incus with runs in Docker."""
