"""The client of the API: one method for each endpoint.

If the server refuses a request, the method raises Refused. Streams are returned as iterators. Each mutation carries its
own Idempotency-Key, so that it can be sent again if its response gets lost.
"""

from norn_cli.answers import Json
from norn_cli.client.alerts import AlertsClient
from norn_cli.client.apps import AppsClient
from norn_cli.client.cron import CronClient
from norn_cli.client.databases import DatabasesClient
from norn_cli.client.functions import FunctionsClient
from norn_cli.client.jobs import JobsClient
from norn_cli.client.secrets import SecretsClient
from norn_cli.client.server import ServerClient
from norn_cli.client.services import ServicesClient
from norn_cli.client.webhooks import WebhooksClient


class Client(
    AppsClient, JobsClient, FunctionsClient, CronClient, AlertsClient, SecretsClient, ServicesClient, DatabasesClient,
    WebhooksClient, ServerClient,
):  # fmt: skip
    """The client of one Norn server."""


__all__ = ["Client", "Json"]
