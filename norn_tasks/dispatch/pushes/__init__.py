"""Webhooks of repositories: their secrets, and the pushes that they report."""

from norn_tasks.dispatch.pushes.api_key import ApiKey
from norn_tasks.dispatch.pushes.logging_in import remove_login, set_login
from norn_tasks.dispatch.pushes.managing import create_webhook, remove_webhook, rotate_webhook
from norn_tasks.dispatch.pushes.polling import request_due_polls
from norn_tasks.dispatch.pushes.receiving import ReceivedDelivery, Reception, receive

__all__ = [
    "ApiKey",
    "set_login",
    "remove_login",
    "create_webhook",
    "rotate_webhook",
    "remove_webhook",
    "ReceivedDelivery",
    "Reception",
    "receive",
    "request_due_polls",
]
