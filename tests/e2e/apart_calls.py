"""A function whose calls leave marks everywhere that code can write, and report every mark that they see.

Each call has a mark of its own in its path, query, header and body. It writes the mark into files, gives it to
a process that stays, and listens at a port that all calls use. Then it prints all that it can read of files, processes,
environment and network. An answer with the mark of another call proves that two calls share something.
"""

from __future__ import annotations

import re
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import httpx

from tests.e2e.fast_road import client
from tests.e2e.stack import Stack

APP = "apart"
_MARK = re.compile(rb"mark-[0-9a-f]{12}")
_PROGRAM = """#!/bin/sh
echo "found $(ls -A /tmp /dev/shm /data | grep mark)"
mark=$(cat)
for place in /tmp /dev/shm /data; do echo "$mark" > $place/$mark; echo "$mark" > $place/mark; done
sh -c 'sleep 60; true' "$mark" &
echo "$mark" | nc -l -p 7007 &
sleep 0.3
echo "read back $(cat /tmp/mark /dev/shm/mark /data/mark | tr '\\n' ' ')"
echo "files $(ls -A /tmp /dev/shm /data | tr '\\n' ' ')"
echo "processes $(cat /proc/[0-9]*/cmdline | tr '\\0' ' ')"
echo "environments $(cat /proc/[0-9]*/environ 2>&1 | tr '\\0' ' ')"
echo "heard $(echo | nc -w 2 127.0.0.1 7007)"
env
"""
_DOCKERFILE = """FROM busybox:stable
COPY program /program
RUN mkdir /data && chmod 777 /data
VOLUME /data
CMD ["sh", "/program"]
"""


@dataclass(frozen=True)
class MarkedAnswer:
    """The answer to one call, and the mark of that call."""

    mark: bytes
    status: int
    said: bytes
    execution: int

    @property
    def marks(self) -> set[bytes]:
        """All marks in the answer."""
        return set(_MARK.findall(self.said))

    @property
    def apart(self) -> bool:
        """True if the call found no mark before it wrote its own, read its own back, and saw no other one."""
        found, back = _line(self.said, b"found"), _line(self.said, b"read back")
        heard = _line(self.said, b"heard")
        return (self.status, found, back.split(), heard, self.marks) == (
            200, b"", [self.mark] * 3, self.mark, {self.mark},
        )  # fmt: skip


def _line(said: bytes, begin: bytes) -> bytes:
    lines = (line for line in said.splitlines() if line.startswith(begin + b" "))
    return next(lines, b"").removeprefix(begin).strip()


def deploy(stack: Stack, concurrency: int) -> None:
    """Deploys the function."""
    spec = f"app: {APP}\nrole: function\nfunction: {{timeout: 900, concurrency: {concurrency}, memory: 32m}}\n"
    stack.add_app(APP, spec, {"Dockerfile": _DOCKERFILE, "program": _PROGRAM})
    stack.norn("forge", APP)
    stack.norn("deploy", APP)


def call_at_once(stack: Stack, count: int) -> list[MarkedAnswer]:
    """Sends this number of calls at the same time; returns their answers."""
    with client(stack, 1000) as http, ThreadPoolExecutor(count) as pool:
        return list(pool.map(lambda _: _called(http), range(count)))


def _called(http: httpx.Client) -> MarkedAnswer:
    mark = f"mark-{uuid.uuid4().hex[:12]}"
    answer = http.post(f"/fn/{APP}/{mark}?q={mark}", content=mark.encode(), headers={"X-Mark": mark})
    execution = int(answer.headers.get("X-Norn-Invocation-Id", 0))
    return MarkedAnswer(mark.encode(), answer.status_code, answer.content, execution)


_RECORD = """SELECT x.id, x.path, x.state, j.runs, j.container LIKE 'nest-%%' AS in_nest, io.request, io.response,
 x.headers ->> 'x-mark' AS header FROM func_executions x JOIN jobs j ON j.id = x.job_id
 JOIN execution_io io ON io.execution = x.id WHERE x.app = %s"""


def mixed_records(stack: Stack, answers: list[MarkedAnswer]) -> list[int]:
    """Returns the ids of the executions whose record does not belong to the call whose answer named this id."""
    rows = {row["id"]: row for row in stack.rows(_RECORD, APP)}
    return [each.execution for each in answers if not _is_of(rows.get(each.execution), each)]


def _is_of(row: dict[str, object] | None, answer: MarkedAnswer) -> bool:
    if row is None:
        return False
    mark = answer.mark.decode()
    request, response = bytes(row["request"]), bytes(row["response"])  # type: ignore[call-overload]
    seen = (row["path"], row["header"], request, response, row["state"], row["runs"])
    return seen == (f"/{mark}", mark, answer.mark, answer.said, "succeeded", 1)


def in_nest(stack: Stack) -> int:
    """Returns how many calls of the function have run in the nest (the container in which crun starts runs)."""
    return sum(1 for row in stack.rows(_RECORD, APP) if row["in_nest"])
