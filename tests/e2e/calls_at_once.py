"""Many large calls of a function at the same time: compares the response to each caller with the recorded history of
the call.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import httpx

from tests.e2e import apps
from tests.e2e.stack import Stack

CAT = 'FROM busybox:stable\nCMD ["cat"]\n'
_ROW = """SELECT x.id, x.state, x.cause, x.begun_at, j.state AS job_state FROM func_executions x
 JOIN jobs j ON j.id = x.job_id WHERE x.app = %s AND x.path = %s"""


@dataclass(frozen=True)
class Told:
    """The response to one caller. `whole` is true if the body came back unchanged, `retry` if the server said when to
    try again.
    """

    path: str
    status: int
    says: str
    retry: bool
    execution: int | None
    whole: bool


def deploy_cat(stack: Stack, name: str, timeout: int) -> None:
    """Deploys a function that returns the body of its request."""
    apps.deploy_function(stack, name, CAT, f"function:\n  timeout: {timeout}\n  maxBody: 16MiB\n  maxOutput: 16MiB\n")


def call_at_once(stack: Stack, app: str, count: int, size: int, patience: float) -> list[Told]:
    """Sends `count` calls with bodies of `size` bytes at the same time, each with a path of its own."""
    headers = {"Authorization": f"Bearer {(stack.home / 'token').read_text().strip()}"}
    limits = httpx.Limits(max_connections=None)
    with (
        httpx.Client(base_url=stack.url, headers=headers, timeout=patience, limits=limits) as client,
        ThreadPoolExecutor(count) as pool,
    ):
        return list(pool.map(lambda n: _called(client, app, f"/{size}/{n}", size), range(count)))


def _called(client: httpx.Client, app: str, path: str, size: int) -> Told:
    body = os.urandom(size)
    try:
        answer = client.post(f"/fn/{app}{path}", content=body)
    except httpx.TransportError as error:
        return Told(path, 0, f"{type(error).__name__}: {error}", False, None, False)
    if answer.status_code == 200:
        return Told(path, 200, "", False, int(answer.headers["X-Norn-Invocation-Id"]), answer.content == body)
    told = answer.json()
    words = f"{told['code']}: {told['detail']}"
    return Told(path, answer.status_code, words, "retry_after" in told, told.get("execution"), False)


def counted(told: list[Told]) -> str:
    """Returns in one line how many callers got which response."""
    kinds = Counter(f"{each.status} {re.sub('[0-9]+', 'N', each.says)}".strip() for each in told)
    return ", ".join(f"{count} x {kind}" for kind, count in sorted(kinds.items()))


def untrue(stack: Stack, app: str, told: list[Told]) -> list[str]:
    """Describes each caller whose response differs from the recorded history of the call."""
    seen = [(each, stack.rows(_ROW, app, each.path)) for each in told]
    return [f"{each}: {rows}" for each, rows in seen if not _true(each, rows)]


def _true(told: Told, rows: list[dict[str, object]]) -> bool:
    if not rows:
        return told.retry and told.execution is None
    if len(rows) != 1 or told.execution not in (None, rows[0]["id"]):
        return False
    (row,) = rows
    if told.status == 200:
        return told.whole and row["state"] == "succeeded"
    if told.retry:
        return row["begun_at"] is None and row["state"] not in ("pending", "running")
    return told.execution is not None
