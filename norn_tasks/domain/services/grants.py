"""Shared services, from the view of an app: a database, a namespace of keys, topics of events, or a bucket, with
credentials.

A grant names the parts of a server that an app may use. Its credential is the URL of the server with a role and a
password of the app. The credential is stored as a secret of the app. The infraspec may not use the secret's name for
anything else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from norn_tasks.domain.secret import Secret

HOST = "norn-services"
"""The host name under which containers find the servers that Norn runs itself."""


class ServiceKind(StrEnum):
    """A kind of shared service."""

    POSTGRES = "postgres"
    KV = "kv"
    EVENTS = "events"
    STORAGE = "storage"

    @property
    def variable(self) -> str:
        """The environment variable that holds the URL of the server with the credential."""
        return {"postgres": "DATABASE_URL", "kv": "KV_URL", "events": "EVENTS_URL", "storage": "S3_URL"}[self]

    @property
    def thing(self) -> str:
        """The noun for one part of such a service."""
        return {"postgres": "database", "kv": "namespace", "events": "topic", "storage": "bucket"}[self]

    @property
    def field(self) -> str:
        """The field of the spec that names the parts of such a service."""
        return {"postgres": "database", "kv": "namespace", "events": "topics", "storage": "bucket"}[self]

    @property
    def shared(self) -> bool:
        """True when several apps may name the same part."""
        return self is ServiceKind.EVENTS


@dataclass(frozen=True)
class Grant:
    """The parts of one server that an app may use."""

    kind: ServiceKind
    """The kind of service."""
    names: tuple[str, ...]
    """One database, one namespace, the topics, or one bucket."""

    @property
    def described(self) -> str:
        """The parts in words."""
        word = self.kind.thing if len(self.names) == 1 else f"{self.kind.thing}s"
        return f"{word} {', '.join(self.names)}"


@dataclass(frozen=True)
class GrantedPart:
    """A part of a server that an app has been given."""

    app: str
    """The app."""
    kind: ServiceKind
    """The kind of service."""
    name: str
    """The database, namespace, topic or bucket."""
    since: datetime
    """When the app reserved it."""
    made: bool
    """True if the part exists on its server."""
    named: bool
    """True if the app's infraspec still names it."""
    bytes: int | None = None
    """The size of a database, when it was last observed."""
    connections: int | None = None
    """The number of connections to a database, when it was last observed."""
    seen_at: datetime | None = None
    """When it was last observed."""


def role_of(app: str, kind: ServiceKind, instance: str) -> str:
    """Returns the name of the app's role or user on a server; `instance` separates control planes that share the
    server.
    """
    return f"norn-{instance}-{app}" if kind is ServiceKind.POSTGRES else f"norn-{instance}-{app}-{kind}"


def credential(scheme: str, role: str, password: Secret, server: str, path: str = "", query: str = "") -> Secret:
    """Returns the URL of a server with a role and its password; `server` is host:port."""
    rest = f"/{quote(path, safe='')}" if path else ""
    rest += f"?{query}" if query else ""
    return Secret(f"{scheme}://{quote(role, safe='')}:{quote(password.reveal(), safe='')}@{server}{rest}")


def to_database(url: Secret, app: str, database: str) -> Secret:
    """Returns the credential for another database of the app; returns any URL that is not a credential of the app
    unchanged.
    """
    try:
        parts = urlsplit(url.reveal())
    except ValueError:
        return url
    role = unquote(parts.username or "")
    if not (role.startswith("norn-") and role.endswith(f"-{app}")):
        return url
    return Secret(parts._replace(path=f"/{quote(database, safe='')}").geturl())


def bucket_variables(url: Secret, bucket: str) -> dict[str, Secret]:
    """Returns the environment variables for an app's containers, made from its credential for a bucket and the name
    `bucket`.
    """
    parts = urlsplit(url.reveal())
    region = dict(parse_qsl(parts.query)).get("region", "us-east-1")
    values = {
        "S3_URL": parts._replace(path=f"/{bucket}").geturl(),
        "S3_ENDPOINT": f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}",
        "S3_BUCKET": bucket,
        "S3_REGION": region,
        "S3_ACCESS_KEY_ID": unquote(parts.username or ""),
        "S3_SECRET_ACCESS_KEY": unquote(parts.password or ""),
    }
    return {name: Secret(value) for name, value in values.items()}


BUCKET_VARIABLES = ("S3_URL", "S3_ENDPOINT", "S3_BUCKET", "S3_REGION", "S3_ACCESS_KEY_ID", "S3_SECRET_ACCESS_KEY")
"""The names of the variables that `bucket_variables` returns."""


def password_in(url: Secret, role: str) -> Secret | None:
    """Returns the password in a credential; None if the credential belongs to another role."""
    try:
        parts = urlsplit(url.reveal())
    except ValueError:
        return None
    if parts.username is None or not parts.password or unquote(parts.username) != role:
        return None
    return Secret(unquote(parts.password))


def described(grants: Sequence[Grant]) -> str:
    """Returns several grants in words."""
    return ", ".join(grant.described for grant in grants)
