"""Accepting calls of functions: those that arrive together, and the bounds of their queues."""
