"""The URL of a database in the form that each library expects, and the options of every connection."""

from __future__ import annotations

from typing import Any

import psycopg2.extensions

ALIVE: dict[str, Any] = {
    "connect_timeout": 2, "keepalives": 1, "keepalives_idle": 5, "keepalives_interval": 2, "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}  # fmt: skip
"""Options with which a connection notices within about ten seconds, not minutes, that its server is unreachable."""


def full_url(url: str) -> str:
    """Returns the URL with psycopg2 named as its driver, because SQLAlchemy 2.1 reads a bare `postgresql://` as psycopg
    3.
    """
    scheme, _, rest = url.partition("://")
    return f"postgresql+psycopg2://{rest}" if scheme in ("postgres", "postgresql") else url


def plain_url(url: str) -> str:
    """Returns the URL in libpq's syntax."""
    return "postgresql://" + url.partition("://")[2]


def connection_parameters(url: str) -> tuple[str, dict[str, str]]:
    """Returns the URL for the command line of a libpq program, and the environment variable with its password."""
    words = psycopg2.extensions.parse_dsn(plain_url(url))
    password = words.pop("password", None)
    return psycopg2.extensions.make_dsn(**words), {"PGPASSWORD": password} if password else {}
