"""All requests: one method for each endpoint; refusals become errors of `errors`, streams are iterators.

Each mutation has an idempotency key of its own, so that a request whose response got lost can be sent again.
"""

from norn_cli.answers import Json
from norn_cli.client.alerts import AlertsClient
from norn_cli.client.apps import AppsClient
from norn_cli.client.cron import CronClient
from norn_cli.client.functions import FunctionsClient
from norn_cli.client.jobs import JobsClient
from norn_cli.client.secrets import SecretsClient
from norn_cli.client.server import ServerClient
from norn_cli.client.services import ServicesClient
from norn_cli.client.webhooks import WebhooksClient


class Client(
    AppsClient, JobsClient, FunctionsClient, CronClient, AlertsClient, SecretsClient, ServicesClient, WebhooksClient,
    ServerClient,
):  # fmt: skip
    """The client of one Norn server."""


__all__ = ["Client", "Json"]
