"""Adapters of the edge: they admit names to it, and find out from outside which certificates its ports present."""
