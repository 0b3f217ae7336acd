"""The servers that apps use: PostgreSQL for databases, Valkey or Redis for keys and topics."""

from norn_tasks.adapters.services.dumps import Dumps
from norn_tasks.adapters.services.local import LocalServer
from norn_tasks.adapters.services.server import GivenServer, Server
from norn_tasks.adapters.services.shared import SharedServers

__all__ = ["Dumps", "GivenServer", "LocalServer", "Server", "SharedServers", "postgres", "valkey"]
