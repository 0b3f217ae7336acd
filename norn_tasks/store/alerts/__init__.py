"""Alerts, the rules that raise them for cron apps, and their deliveries to destinations."""
