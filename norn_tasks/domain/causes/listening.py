"""Rules for a port that accepts no connection: the app listens on another port, only on 127.0.0.1, or not at all."""

from __future__ import annotations

import re

from norn_tasks.domain.causes.evidence import Cause, Evidence
from norn_tasks.domain.causes.files import locked
from norn_tasks.domain.causes.lines import cleaned, quoted
from norn_tasks.domain.causes.telling import telling_line
from norn_tasks.domain.wording import one_of

_SAYS = re.compile(
    r"(?:https?|tcp)://(?P<host>[\w.*-]+|\[[0-9a-f:]+\]):(?P<port>\d{2,5})|\bport:? (?P<alone>\d{2,5})\b", re.I
)


def wrong_address(evidence: Evidence) -> Cause | None:
    """Returns a cause when the app's port is open only inside its container."""
    if not any(each.port == evidence.port and each.local for each in evidence.sockets or ()):
        return None
    return Cause(
        f"it listens on 127.0.0.1:{evidence.port}, which only the container itself reaches",
        f"let the app listen on 0.0.0.0:{evidence.port}, not on 127.0.0.1",
    )


def wrong_port(evidence: Evidence) -> Cause | None:
    """Returns a cause when the app listens on other ports."""
    others = sorted(
        {each.port for each in evidence.sockets or () if each.port != evidence.port and each.port < 32_768}
    ) or sorted({each.port for each in evidence.sockets or () if each.port != evidence.port})
    if not others:
        return None
    ports = [str(port) for port in others[:5]]
    return Cause(
        f"it listens on {'port' if len(ports) == 1 else 'the ports'} {', '.join(ports)}",
        f"write port: {one_of(ports)} in infraspec.yaml, or let the app listen on 0.0.0.0:{evidence.port} "
        "(the variable PORT has the number)",
    )


def waiting(evidence: Evidence) -> Cause | None:
    """Returns a cause when the app runs and waits for a lock."""
    return locked(evidence)


def says_another(evidence: Evidence) -> Cause | None:
    """Returns a cause when the app's sockets cannot be seen and its output names another port or a loopback address."""
    if evidence.sockets is not None:
        return None
    for line in reversed(cleaned(evidence.lines)):
        found = _SAYS.search(line)
        port = int(found["port"] or found["alone"]) if found else evidence.port
        if found and (port != evidence.port or (found["host"] or "") in ("127.0.0.1", "localhost", "[::1]")):
            return Cause(
                f"its output says: {quoted(line)}",
                f"let the app listen on 0.0.0.0:{evidence.port}, not on 127.0.0.1 (the variable PORT has the number)",
            )
    return None


def busy_or_silent(evidence: Evidence) -> Cause | None:
    """Returns a cause (never None) for an app that runs and does not listen; the last line of its output may
    show why.
    """
    line = telling_line(evidence.lines)
    seen = "it listens on no port" if evidence.sockets is not None else ""
    said = f"its last line: {line}" if line else "it wrote nothing"
    hint = f"the app must listen on 0.0.0.0:{evidence.port}, not on 127.0.0.1 (the variable PORT has the number)"
    return Cause("; ".join(filter(None, (seen, said))), hint)
