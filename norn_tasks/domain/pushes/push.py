"""A delivery of a webhook: the event that it reports and, for a push, the branch and the commits."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import parse_qs

from norn_tasks.domain.errors import BadRequest
from norn_tasks.domain.names import FULL_SHA
from norn_tasks.domain.pushes.signature import HeaderFields

ACTOR: Final = "a push"
"""The actor that is recorded for the jobs and deploys of pushes; no token may have this name."""
_EVENTS = ("X-GitHub-Event", "X-Gitea-Event", "X-Forgejo-Event", "X-Gogs-Event", "X-Gitlab-Event")
_IDS = (
    "X-GitHub-Delivery", "X-Gitea-Delivery", "X-Forgejo-Delivery", "X-Gogs-Delivery", "X-Gitlab-Event-UUID",
    "Webhook-Id",
)  # fmt: skip
_PUSHES = ("push", "Push Hook")
_NOTHING = "0" * 40
_BRANCH = "refs/heads/"
_SHOWN = re.compile(r"[^\x20-\x7e]")


@dataclass(frozen=True)
class Push:
    """New commits on a branch."""

    branch: str
    before: str | None
    """The commit that the branch pointed to before the push; None for a new branch."""
    after: str


@dataclass(frozen=True)
class ReportedEvent:
    """The content of a delivery: a push to a branch, or the reason why Norn ignores the event."""

    name: str
    ref: str | None = None
    push: Push | None = None
    ignored: str = ""


def event_name(headers: HeaderFields) -> str:
    """Returns the event that the headers name, shortened for display; `unknown` if they name none."""
    return next((_shown(found) for name in _EVENTS if (found := headers.get(name))), "unknown")


def delivery_id(headers: HeaderFields) -> str:
    """Returns the id that the sender gave the delivery, shortened for display; empty if it gave none."""
    return next((_shown(found) for name in _IDS if (found := headers.get(name))), "")


def read_event(name: str, content_type: str, body: bytes) -> ReportedEvent:
    """Parses the event in a body after its signature was checked; raises BadRequest for a push that cannot be read."""
    if name not in _PUSHES:
        return ReportedEvent(name, ignored=f"{name} is no push")
    payload = _payload(content_type, body)
    ref, after = payload.get("ref"), payload.get("after")
    if not isinstance(ref, str) or not isinstance(after, str):
        raise BadRequest("the push names no ref and no commit", hint="choose JSON as the format of the webhook")
    shown = ref[:300]
    if payload.get("deleted") is True or after == _NOTHING:
        return ReportedEvent(name, shown, ignored="the branch was deleted")
    if not ref.startswith(_BRANCH):
        return ReportedEvent(name, shown, ignored="not a branch")
    if not re.fullmatch(FULL_SHA, after, re.ASCII):
        raise BadRequest("the push names no commit as 40 hexadecimal digits", hint="send a push as git made it")
    before = payload.get("before")
    known = isinstance(before, str) and re.fullmatch(FULL_SHA, before, re.ASCII) and before != _NOTHING
    return ReportedEvent(name, shown, Push(ref.removeprefix(_BRANCH), before if known else None, after))


def _payload(content_type: str, body: bytes) -> dict[str, Any]:
    try:
        text = body.decode("utf-8")
        if content_type == "application/x-www-form-urlencoded":
            text = parse_qs(text, strict_parsing=True, max_num_fields=10)["payload"][0]
        found = json.loads(text)
    except (ValueError, KeyError, RecursionError) as error:
        raise BadRequest("the push is not JSON", hint="choose JSON as the format of the webhook") from error
    if not isinstance(found, dict):
        raise BadRequest("the push is JSON, but not an object", hint="send a push in the format of GitHub or GitLab")
    return found


def _shown(text: str) -> str:
    return _SHOWN.sub("?", text)[:100]
