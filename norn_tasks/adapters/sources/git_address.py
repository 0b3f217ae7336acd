"""The addresses from which git may fetch: public addresses, by https or ssh, and other addresses that an operator
allows (docs/security.md 3).
"""

from __future__ import annotations

import re
import socket
from dataclasses import dataclass
from urllib.parse import urlsplit

from norn_tasks.adapters import timeouts
from norn_tasks.adapters.processes.redaction import without_credentials
from norn_tasks.domain.addresses import Resolve, public
from norn_tasks.domain.errors import SourceError
from norn_tasks.ports import Stop

_SCP_LIKE = re.compile(r"(?P<user>[A-Za-z0-9_][A-Za-z0-9_.-]*)@(?P<host>[A-Za-z0-9][A-Za-z0-9.-]*):(?!/?/)[^-\s].*")
_CLEAN = re.compile(r"[\x21-\x7e]{1,2048}")
_PORTS = {"https": 443, "ssh": 22}
_SSH = "ssh -oBatchMode=yes -oStrictHostKeyChecking=accept-new -oConnectTimeout=10"


@dataclass(frozen=True)
class GitAddress:
    """The git configuration and ssh command with which git can only reach the address that was checked."""

    config: tuple[str, ...]
    ssh: str = _SSH


def resolved_address(url: str, *, allow_private: bool, stop: Stop, resolve: Resolve = socket.getaddrinfo) -> GitAddress:
    """Checks an address and returns how git can reach it; raises SourceError if Norn may not fetch from it.

    The host name is resolved here, and git connects to the IP address that was checked, even if the name changes
    afterwards.
    """
    scheme, host, port = _parts(url)
    allowed = ("https", "ssh", "file") if allow_private else ("https", "ssh")
    if scheme not in allowed:
        raise SourceError(
            f"Norn does not fetch from {without_credentials(url)}: https and ssh only",
            hint="write https://host/path.git or git@host:path.git in repo.url",
        )
    config = (f"protocol.{scheme}.allow=always",)
    if allow_private:
        return GitAddress(config)
    addresses = _public_addresses(host, port, stop, resolve)
    if scheme == "ssh":
        return GitAddress(config, f"{_SSH} -oHostName={addresses[0]} -oHostKeyAlias={host} -oCheckHostIP=no")
    pinned = ",".join(f"[{each}]" if ":" in each else each for each in addresses)
    # A redirect could lead anywhere.
    return GitAddress((*config, f"http.curloptResolve={host}:{port}:{pinned}", "http.followRedirects=false"))


def _parts(url: str) -> tuple[str, str, int]:
    refused = SourceError(
        f"{without_credentials(url)!r} is not an address of a repository",
        hint="write https://host/path.git or git@host:path.git in repo.url",
    )
    if not _CLEAN.fullmatch(url) or url.startswith("-"):
        raise refused
    scp_like = _SCP_LIKE.fullmatch(url)
    if scp_like is not None:
        return "ssh", scp_like["host"], _PORTS["ssh"]
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        raise refused from error
    if "://" not in url or (parts.scheme != "file" and not re.fullmatch(r"[a-z0-9_.:-]+", host)) or host[:1] == "-":
        raise refused
    return parts.scheme, host, port or _PORTS.get(parts.scheme, 0)


def _public_addresses(host: str, port: int, stop: Stop, resolve: Resolve) -> list[str]:
    def resolved() -> list[str]:
        return sorted({str(found[4][0]) for found in resolve(host, port, type=socket.SOCK_STREAM)})

    try:
        addresses = timeouts.wait(timeouts.begin(resolved), stop)
    except (OSError, UnicodeError) as error:
        raise SourceError(f"the host {host} is not known", hint="check repo.url") from error
    if not addresses:
        raise SourceError(f"the host {host} has no address", hint="check repo.url")
    for address in addresses:
        if not public(address):
            raise SourceError(
                f"{host} is at {address}, which is not an address of the public internet",
                hint="an operator may allow it: NORN_GIT_PRIVATE=true",
            )
    return addresses
