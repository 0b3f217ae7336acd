"""Notifications to receivers outside: signed webhooks, messages to chat services, and mail."""
