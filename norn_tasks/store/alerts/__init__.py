"""Alerts, the rules that raise and resolve them, and their deliveries to destinations."""
