"""A server that apps use, with two addresses: one for workers, which manage it, and one for apps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol
from urllib.parse import unquote_plus, urlsplit

from norn_tasks.domain.errors import NoService
from norn_tasks.ports import Stop


@dataclass(frozen=True)
class ServerAccess:
    """The access to a server, which either Norn runs or the operator provides."""

    url: str
    """The URL for workers; its role may create other roles."""
    scheme: str
    """The scheme of the URLs for apps."""
    seen: str
    """The address for apps, as host:port."""
    query: str = ""
    """The query of the URLs for apps, such as sslmode=require."""


class Server(Protocol):
    """A server that apps use; it may have to be started first."""

    def access(self, stop: Stop, *, apart: bool = False) -> ServerAccess:
        """Returns the access to the server; if Norn runs the server, starts it first. `apart`: the app does not run on
        Docker, so it cannot use a server that Norn runs. Raises NoService or ServiceDown.
        """


_PORTS = {
    "postgresql": 5432, "postgres": 5432, "redis": 6379, "rediss": 6379, "valkey": 6379, "valkeys": 6379,
    "http": 80, "https": 443,
}  # fmt: skip


_OF_WORKERS = frozenset(
    {"user", "username", "password", "passfile", "service", "servicefile", "iam"}
    | {"sslcert", "sslkey", "sslpassword", "ssl_certfile", "ssl_keyfile", "ssl_password"}
)
"""The URL parameters that apps must not get: the parameters that log the workers' user in, and `iam`, the address for
requests about users.
"""


@dataclass(frozen=True)
class GivenServer:
    """A server that the operator provides. `seen` is its address for apps; if empty, apps use the address in
    the URL.
    """

    url: str
    seen: str = ""

    def access(self, stop: Stop, *, apart: bool = False) -> ServerAccess:
        """Returns the access that the settings describe."""
        parts = urlsplit(self.url)
        port = parts.port or _PORTS.get(parts.scheme, 0)
        host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
        return ServerAccess(self.url, parts.scheme, self.seen or f"{host}:{port}", _for_apps(parts.query))


def _for_apps(query: str) -> str:
    """Returns the parameters for apps. Parameters that identify the workers' user are left out, because they would
    override the app's user.
    """
    named = ((unquote_plus(each.partition("=")[0]).strip().lower(), each) for each in query.split("&"))
    return "&".join(each for name, each in named if name not in _OF_WORKERS)


def no_server(what: str, setting: str, why: str = "") -> NoService:
    """Returns the error for an app that needs a kind of server that this Norn does not have."""
    return NoService(
        f"this Norn has no {what} for apps{why}",
        hint=f"name one in {setting}; docs/services.md says what Norn needs there",
    )


@dataclass(frozen=True)
class NoServer:
    """A kind of server that this Norn does not have; the setting `setting` could name one."""

    what: str
    setting: str

    def access(self, stop: Stop, *, apart: bool = False) -> ServerAccess:
        """Raises NoService."""
        raise no_server(self.what, self.setting)
