"""A client of the router: its connection, and the exchange of each request for an answer."""

from norn_tasks.router.client.connection import ClientConnection
from norn_tasks.router.client.exchange import Exchange
from norn_tasks.router.client.requester import Requester

__all__ = ["ClientConnection", "Exchange", "Requester"]
