"""The servers that apps use: PostgreSQL for databases, Valkey or Redis for keys and topics, S3 for buckets."""

from norn_tasks.adapters.services.dumps import Dumps
from norn_tasks.adapters.services.local import LocalServer
from norn_tasks.adapters.services.server import GivenServer, NoServer, Server
from norn_tasks.adapters.services.shared import SharedServers

__all__ = ["Dumps", "GivenServer", "LocalServer", "NoServer", "Server", "SharedServers", "postgres", "valkey"]
