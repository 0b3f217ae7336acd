"""The function call: the part of an HTTP request that reaches the code, and its environment (docs/api.md)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

ENV_BODY_MAX = 131_053
"""The most bytes of a body in the environment.

Linux allows 131,071 bytes for a variable with its name (MAX_ARG_STRLEN), of which `NORN_REQUEST_BODY=` needs 18.
"""


@dataclass(frozen=True)
class Call:
    """A request to a function."""

    method: str = "POST"
    """The HTTP method."""
    path: str = "/"
    """The path below the function's address, as the client sent it."""
    query: str = ""
    """The raw query, without the `?`."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """The headers that may reach the code."""
    content_type: str = ""
    """The type of the body."""
    body: bytes = b""
    """The body, which the code reads from stdin."""


def environment(call: Call, *, invocation: int, deadline: datetime | None) -> dict[str, str]:
    """Returns the environment variables that describe the call to the code. The exact body is always on stdin too."""
    variables = {
        "NORN_REQUEST_METHOD": call.method,
        "NORN_REQUEST_PATH": call.path,
        "NORN_REQUEST_QUERY": call.query,
        "NORN_REQUEST_HEADERS": json.dumps(dict(call.headers), separators=(",", ":")),
        "NORN_REQUEST_CONTENT_TYPE": call.content_type,
        "NORN_REQUEST_BODY_SIZE": str(len(call.body)),
        "NORN_INVOCATION_ID": str(invocation),
    }
    if deadline is not None:
        variables["NORN_DEADLINE"] = deadline.isoformat().replace("+00:00", "Z")
    return variables | _body(call.body)


def _body(body: bytes) -> dict[str, str]:
    if len(body) > ENV_BODY_MAX:
        return {"NORN_REQUEST_BODY_OMITTED": "size"}
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        return {"NORN_REQUEST_BODY_OMITTED": "binary"}
    if "\0" in text:
        return {"NORN_REQUEST_BODY_OMITTED": "binary"}
    return {"NORN_REQUEST_BODY": text}
