"""A client of the router: its connection, and the exchange that answers each of its requests."""

from norn_tasks.router.client.connection import ClientConnection
from norn_tasks.router.client.exchange import Exchange
from norn_tasks.router.client.requester import Requester

__all__ = ["ClientConnection", "Exchange", "Requester"]
