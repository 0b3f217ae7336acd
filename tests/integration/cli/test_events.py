"""Following events: each is printed once, and after a disconnect the stream resumes after the last one."""

from __future__ import annotations

import json
import subprocess

from tests.integration.cli.conftest import NORN
from tests.integration.cli.server import Answer, Asked, sse


def event(n: int) -> dict[str, object]:
    return {"id": f"9-{n}", "at": "2026-11-23T10:00:00Z", "kind": "job.accepted", "app": "blog", "job": n, "data": {}}


def test_events_are_resumed_after_the_last_one(norn, process_environ):
    after: list[str] = []

    def two_a_stream(asked: Asked) -> Answer:
        after.append(asked.headers.get("last-event-id", ""))
        begin = 2 * len(after) - 1
        pieces = [b": heartbeat\n\n", *(sse(f"9-{n}", "job.accepted", event(n)) for n in (begin, begin + 1))]
        return Answer(content_type="text/event-stream", pieces=pieces)

    norn.on("GET", "/api/events", {"items": [event(0)], "next": None})
    norn.on("GET", "/api/events/stream", two_a_stream)
    running = subprocess.Popen(
        [*NORN, "events", "-f", "-o", "json", "--app", "blog"], stdout=subprocess.PIPE, env=process_environ
    )
    assert running.stdout is not None
    seen = [json.loads(running.stdout.readline()) for _ in range(4)]
    running.terminate()
    running.communicate(timeout=10)
    assert seen == [event(n) for n in (1, 2, 3, 4)]
    assert after[:2] == ["9-0", "9-2"]
    assert norn.last("GET", "/api/events/stream").query == {"app": "blog"}


def test_events_of_a_job_end_with_it(norn, run):
    pieces = [sse("9-1", "job.accepted", event(1)), sse("9-2", "job.ended", {**event(2), "kind": "job.ended"})]
    norn.on("GET", "/api/jobs/7/events", Answer(content_type="text/event-stream", pieces=pieces))
    assert run("events", "-f", "--job", "7", "-o", "name").stdout == "9-1\n9-2\n"


def test_a_refused_stream_is_told_at_once(norn, run):
    result = run("events", "-f")
    assert result.exit_code == 3
