"""Sends notifications: signed webhooks, messages to chat services, and mail."""
