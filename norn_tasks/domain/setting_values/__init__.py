"""Checks the values of settings that an operator wrote. Each function returns the value, or raises ValueError.

The caller adds the name of the setting to the error.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator

from norn_tasks.domain.alerting.destination import mailbox
from norn_tasks.domain.alerting.mail_server import mail_server
from norn_tasks.domain.errors import InvalidRequest
from norn_tasks.domain.host_paths import require_apart
from norn_tasks.domain.quantities import parse_memory


def memory(value: object) -> object:
    """Parses an amount of memory; raises ValueError."""
    try:
        return parse_memory(value) if isinstance(value, str) else value
    except InvalidRequest as error:
        raise ValueError(f"{error.sentence} ({error.hint})") from None


def listed_paths(value: object) -> object:
    """Returns the paths in a text that is separated like PATH."""
    return [part for part in value.split(os.pathsep) if part] if isinstance(value, str) else value


def paths_apart(roots: tuple[Path, ...]) -> tuple[Path, ...]:
    """Returns the directories, if none of them is inside another."""
    require_apart(roots)
    require_apart([root.resolve() for root in roots])
    return roots


def mail_server_url(text: str) -> str:
    """Returns the URL of a mail server, or an empty text."""
    if text:
        mail_server(text)
    return text


def mail_address(text: str) -> str:
    """Returns a mail address, or an empty text."""
    return mailbox(text) if text else text


def _url_of(text: str, schemes: tuple[str, ...]) -> str:
    """Returns the text if it is empty or the URL of a server; error messages never quote it."""
    if not text:
        return text
    try:
        parts = urlsplit(text)
        good = parts.scheme in schemes and bool(parts.hostname) and parts.port != 0
    except ValueError:
        good = False
    if not good:
        raise ValueError(f"not a URL such as {schemes[0]}://user:password@host")
    return text


def postgres_url(text: str) -> str:
    """Returns the URL of a PostgreSQL."""
    return _url_of(text, ("postgresql", "postgres"))


def redis_url(text: str) -> str:
    """Returns the URL of a Redis."""
    return _url_of(text, ("redis", "rediss"))


def s3_url(text: str) -> str:
    """Returns the URL of an object store with an access key."""
    _url_of(text, ("https", "http"))
    if text and not (urlsplit(text).username and urlsplit(text).password):
        raise ValueError("no access key; write https://KEY:SECRET@host, with % escapes for / and + in the secret")
    return text


def host_and_port(text: str) -> str:
    """Returns a host with its port."""
    if text and not re.fullmatch(r"([\w.-]+|\[[0-9a-fA-F:]+\]):\d{1,5}", text, re.ASCII):
        raise ValueError("not an address such as db.internal:5432")
    return text


def issuer_of_certificates(text: str) -> str:
    """Returns the text if it names an issuer of certificates: `acme`, `internal`, or the address of an ACME
    directory.
    """
    if text not in ("acme", "internal") and not re.fullmatch(r"https://[\w.:\[\]-]+(/[\w./-]*)?", text, re.ASCII):
        raise ValueError("acme, internal, or the https address of an ACME directory")
    return text


_TEAM = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)*|https://[a-z0-9.:-]+|http://127\.0\.0\.1:\d+", re.ASCII)


def team_name(text: str) -> str:
    """Returns a team of Cloudflare Access: its name, its host, or an https address (http on loopback, for tests)."""
    if text and not _TEAM.fullmatch(text):
        raise ValueError("is not the name of a team at Cloudflare, such as acme for acme.cloudflareaccess.com")
    return text


def default_data_dir() -> Path:
    """Returns the default data directory: /var/lib/norn for root, otherwise one in the user's own data directory."""
    if os.geteuid() == 0:
        return Path("/var/lib/norn")
    return Path(os.environ.get("XDG_DATA_HOME", Path.home() / ".local" / "share")) / "norn"


Memory = Annotated[int, BeforeValidator(memory)]
Roots = Annotated[tuple[Path, ...], BeforeValidator(listed_paths), AfterValidator(paths_apart)]
Team = Annotated[str, AfterValidator(team_name)]
ScopeWord = Literal["read", "invoke", "deploy", "admin"]
