"""Rules for causes in the network: an address in use, a service that refuses or cannot be found, or a wrong
password.
"""

from __future__ import annotations

import re

from norn_tasks.domain.causes.evidence import Cause, Evidence
from norn_tasks.domain.causes.lines import cleaned, latest

_IN_USE = re.compile(
    r"address (?:is )?already in use|\bEADDRINUSE\b|port \d+ (?:is|was) already in use|Address in use", re.I
)
_REFUSED = re.compile(
    r"connection refused|\bECONNREFUSED\b|could not connect to server|can't connect to|error 111\b", re.I
)
_UNKNOWN = re.compile(
    r"\bENOTFOUND\b|\bEAI_AGAIN\b|name or service not known|could not translate host name|no such host|bad address"
    r"|temporary failure in name resolution|name does not resolve|UnknownHostException|nodename nor servname"
    r"|host not found in upstream|getaddrinfo failed|failed to lookup address",
    re.IGNORECASE,
)
_SLOW = re.compile(
    r"\bETIMEDOUT\b|connection timed out|connect timeout|i/o timeout|no route to host|\bEHOSTUNREACH\b", re.I
)
_PASSWORD = re.compile(
    r"password authentication failed|access denied for user|WRONGPASS|NOAUTH"
    r"|authentication failed|SASL authentication",
    re.I,
)
_NO_DATABASE = re.compile(
    r"database \"?[\w-]+\"? does not exist|unknown database|relation \"[\w.]+\" does not exist|no such table", re.I
)
_CERTIFICATE = re.compile(
    r"certificate verify failed|unable to get local issuer certificate|self.signed certificate|x509: certificate"
    r"|unknown authority",
    re.IGNORECASE,
)
_PEER = re.compile(
    r"""(?P<host>\[[0-9a-f:]+\]|(?<![\w.])\d+\.\d+\.\d+\.\d+|[A-Za-z][\w.-]*\.[\w.-]+|localhost|::1):(?P<port>\d{2,5})
    |(?:host|server\sat|connect\sto|MySQL\sserver\son)\s["']?(?P<name>[\w.:-]+)["']?.*?(?:port\s|:)(?P<at>\d{2,5})""",
    re.VERBOSE | re.IGNORECASE,
)
_NAME = re.compile(
    r"(?:ENOTFOUND|EAI_AGAIN|lookup|host name|upstream|bad address|resolve"
    r"|UnknownHostException:?|host=?)\s['\"]?([\w.-]+)",
    re.IGNORECASE,
)


def in_use(evidence: Evidence) -> Cause | None:
    """Returns a cause if two servers in the container try to listen on the same port."""
    line = latest(evidence.lines, _IN_USE)
    return (
        Cause(line, "the app starts two servers on one port: remove one of them, or give it another port")
        if line
        else None
    )


def refused(evidence: Evidence) -> Cause | None:
    """Returns a cause for a service that does not listen at the address that the app uses."""
    line = latest(evidence.lines, _REFUSED)
    if line is None:
        return None
    peer = _peer(evidence)
    if peer.startswith(("127.", "localhost", "::1", "[::1]")):
        return Cause(
            _with_peer(line, peer),
            f"nothing listens on {peer} inside the container, which is a machine of its own; "
            "give the app the address of the service in env or secrets",
        )
    where = peer or "the service"
    return Cause(
        _with_peer(line, peer),
        f"nothing accepts connections at {where}: start it, or correct its address in env or secrets",
    )


def unknown(evidence: Evidence) -> Cause | None:
    """Returns a cause for a host name that no DNS server knows."""
    line = latest(evidence.lines, _UNKNOWN)
    if line is None:
        return None
    named = _NAME.search(line)
    name = named[1] if named else "the host"
    return Cause(
        line, f"no host has the name {name}: correct it in env or secrets; another app is reached by its app name"
    )


def unreachable(evidence: Evidence) -> Cause | None:
    """Returns a cause for a service that does not answer at all."""
    line = latest(evidence.lines, _SLOW)
    return Cause(line, "nothing answers at that address: check it, the network and firewalls") if line else None


def password(evidence: Evidence) -> Cause | None:
    """Returns a cause for a password that a service refused."""
    line = latest(evidence.lines, _PASSWORD)
    return Cause(line, "correct the user and the password that the app gets in env or secrets") if line else None


def database(evidence: Evidence) -> Cause | None:
    """Returns a cause for a database or a table that does not exist."""
    line = latest(evidence.lines, _NO_DATABASE)
    return Cause(line, "create it, or let the app migrate when it starts") if line else None


def certificate(evidence: Evidence) -> Cause | None:
    """Returns a cause for a certificate that the app does not trust."""
    line = latest(evidence.lines, _CERTIFICATE)
    return Cause(line, "install ca-certificates in the Dockerfile, or the certificate of the service") if line else None


def _peer(evidence: Evidence) -> str:
    """Returns the address that refused the connection, as the output writes it."""
    for line in reversed(cleaned(evidence.lines)):
        if _REFUSED.search(line) and (found := _PEER.search(line)):
            return f"{found['host'] or found['name']}:{found['port'] or found['at']}"
    return ""


def _with_peer(line: str, peer: str) -> str:
    return line if not peer or peer in line else f"{line} ({peer})"
