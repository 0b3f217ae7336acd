"""The only requests: one method per endpoint, every refusal as an error of `errors`, streams as iterators.

Each mutation carries an idempotency key of its own, so a request whose answer got lost can be sent again.
"""

from norn_cli.client.alerts import Alerts
from norn_cli.client.apps import Apps
from norn_cli.client.cron import Cron
from norn_cli.client.functions import Functions
from norn_cli.client.jobs import Jobs
from norn_cli.client.secrets import Secrets
from norn_cli.client.server import Server
from norn_cli.client.transport import Json


class Client(Apps, Jobs, Functions, Cron, Alerts, Secrets, Server):
    """Speaks to one Norn server."""


__all__ = ["Client", "Json"]
