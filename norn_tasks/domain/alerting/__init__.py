"""Alerts and the notifications that report them."""
