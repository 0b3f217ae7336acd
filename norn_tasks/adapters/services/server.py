"""A server that apps use: its address for workers, which manage it, and its address for apps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol
from urllib.parse import unquote_plus, urlsplit

from norn_tasks.domain.errors import NoService
from norn_tasks.ports import Stop


@dataclass(frozen=True)
class ServerAccess:
    """The access to a server that Norn runs and that answers, or to a server that the operator named."""

    url: str
    """The URL for workers, with the role that may create others."""
    scheme: str
    """The scheme of the URLs for apps."""
    seen: str
    """The address for apps, host:port."""
    query: str = ""
    """The query of the URLs for apps, such as sslmode=require."""


class Server(Protocol):
    """A server that apps use; it may have to be started first."""

    def access(self, stop: Stop, *, apart: bool = False) -> ServerAccess:
        """Returns the access to the server, which is started first if Norn runs it. Raises NoService, ServiceDown."""


_PORTS = {
    "postgresql": 5432, "postgres": 5432, "redis": 6379, "rediss": 6379, "valkey": 6379, "valkeys": 6379,
    "http": 80, "https": 443,
}  # fmt: skip


_OF_WORKERS = frozenset(
    {"user", "username", "password", "passfile", "service", "servicefile", "iam"}
    | {"sslcert", "sslkey", "sslpassword", "ssl_certfile", "ssl_keyfile", "ssl_password"}
)
"""The parameters of a URL that say who its user is, by a name, a password or a file, or where users are managed."""


@dataclass(frozen=True)
class GivenServer:
    """A server of the operator. `seen`: its address for apps; if that is empty, apps use the address of the URL."""

    url: str
    seen: str = ""

    def access(self, stop: Stop, *, apart: bool = False) -> ServerAccess:
        """Returns the access that the settings describe."""
        parts = urlsplit(self.url)
        port = parts.port or _PORTS.get(parts.scheme, 0)
        host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
        return ServerAccess(self.url, parts.scheme, self.seen or f"{host}:{port}", _for_apps(parts.query))


def _for_apps(query: str) -> str:
    """Returns the parameters for apps. Those that name the workers' user are left out: they would override the app's
    user.
    """
    named = ((unquote_plus(each.partition("=")[0]).strip().lower(), each) for each in query.split("&"))
    return "&".join(each for name, each in named if name not in _OF_WORKERS)


def no_server(what: str, setting: str, why: str = "") -> NoService:
    """Returns the error for an app that asks for a kind of server that this Norn does not have."""
    return NoService(
        f"this Norn has no {what} for apps{why}",
        hint=f"name one in {setting}; docs/services.md says what Norn needs there",
    )


@dataclass(frozen=True)
class NoServer:
    """A kind of server that this Norn does not have; `setting` could name one of the operator."""

    what: str
    setting: str

    def access(self, stop: Stop, *, apart: bool = False) -> ServerAccess:
        """Raises NoService."""
        raise no_server(self.what, self.setting)
