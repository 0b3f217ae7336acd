"""The function call: what of an HTTP request reaches the code, and in which environment (behaviour.md §5)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

ENV_BODY_MAX = 131_053
"""Largest body in the environment: Linux takes 131,071 bytes a string (MAX_ARG_STRLEN), `NORN_REQUEST_BODY=` is 18."""


@dataclass(frozen=True)
class Call:
    """A request to a function. `headers` hold only what may reach the code; `query` is raw, without the `?`."""

    method: str = "POST"
    path: str = "/"
    query: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    content_type: str = ""
    body: bytes = b""


def environment(call: Call, *, invocation: int, deadline: datetime | None) -> dict[str, str]:
    """Answers the variables that tell the code of its call; the exact body always comes on stdin as well."""
    told = {
        "NORN_REQUEST_METHOD": call.method,
        "NORN_REQUEST_PATH": call.path,
        "NORN_REQUEST_QUERY": call.query,
        "NORN_REQUEST_HEADERS": json.dumps(dict(call.headers), separators=(",", ":")),
        "NORN_REQUEST_CONTENT_TYPE": call.content_type,
        "NORN_REQUEST_BODY_SIZE": str(len(call.body)),
        "NORN_INVOCATION_ID": str(invocation),
    }
    if deadline is not None:
        told["NORN_DEADLINE"] = deadline.isoformat().replace("+00:00", "Z")
    return told | _body(call.body)


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
