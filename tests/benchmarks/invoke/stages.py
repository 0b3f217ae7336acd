"""The stages of a run in the nest (the container in which crun starts runs), as the nest notes them, and the stages of
a call, from the times in its record.
"""

from __future__ import annotations

import json
import statistics
import time
import uuid
from collections.abc import Sequence
from itertools import pairwise

import httpx

from norn_tasks.adapters.nest.keeper import NestKeeper
from tests.benchmarks.tables import percentile
from tests.e2e.stack import Stack

IN_THE_NEST = {
    "reserved": "the connection and the reservation",
    "ready": "launcher, files, limits",
    "launched": "crun",
    "output": "the program's first output",
    "exited": "its exit",
    "answered": "the start order, and the answer",
    "gone": "removal of the rest, after the answer",
}
OF_A_CALL = {
    "accept": "sent until accepted: the request and its row",
    "queue": "until a worker claims it",
    "create": "until its code may begin: reservation and commit",
    "run": "the program in its sandbox",
    "record": "start of the sandbox, its end, and the commit of the answer",
    "answer": "from that commit until the client has the answer",
}
Medians = dict[str, dict[str, float]]
_TIMES = """SELECT extract(epoch FROM j.created_at)::float8 AS accepted, extract(epoch FROM j.first_claimed_at)::float8
 AS claimed, extract(epoch FROM j.begun_at)::float8 AS begun, extract(epoch FROM j.ended_at)::float8 AS ended,
 f.duration_ms AS ran FROM jobs j JOIN func_executions f ON f.id = j.execution
 WHERE j.execution = %s AND j.kind = 'invoke'"""


def of_run(keeper: NestKeeper, image: str, argv: Sequence[str], memory: int) -> dict[str, float]:
    """Makes one run in the nest, and returns the milliseconds of its stages."""
    wanted = {
        "do": "run", "name": f"norn-x-stages-{uuid.uuid4().hex[:8]}", "app": "bench", "owner": "execution:bench",
        "fence": 1, "outlives": True, "image": image.removeprefix("sha256:"), "argv": list(argv), "env": {},
        "hostname": "bench", "memory": memory, "cpus": 1, "network": "none", "hosts": {}, "stdin": 0,
    }  # fmt: skip
    began = time.perf_counter()
    with keeper.door.open(wanted) as conversation:
        name = conversation.answer()["id"]
        reserved = time.perf_counter()
        conversation.say(do="start")
        stages: dict[str, float] = {}
        while not stages:
            for kind, data in conversation.frames(1.0):
                if kind == "e":
                    stages = json.loads(data)["stages"]
        answered = time.perf_counter()
    keeper.door.ask(do="remove", id=name)
    gone = time.perf_counter()
    inside = [stages[word] for word in ("start", "ready", "launched", "output", "exited")]
    times = dict(zip(("ready", "launched", "output", "exited"), (b - a for a, b in pairwise(inside)), strict=True))
    outside = (answered - reserved) * 1000 - sum(times.values())
    ends = {"answered": outside, "gone": (gone - answered) * 1000}
    return {"reserved": (reserved - began) * 1000} | times | ends


def of_call(stack: Stack, client: httpx.Client, name: str) -> dict[str, float]:
    """Makes one call, and returns the milliseconds of its stages."""
    sent = time.time()
    answer = client.post(f"/fn/{name}", content=b"")
    received = time.time()
    assert answer.status_code == 200, answer.text
    row = stack.rows(_TIMES, int(answer.headers["X-Norn-Invocation-Id"]))[0]
    times = [sent, row["accepted"], row["claimed"], row["begun"]]
    found = [(later - earlier) * 1000 for earlier, later in pairwise(times)]
    ran = float(row["ran"])
    found += [ran, (row["ended"] - row["begun"]) * 1000 - ran, (received - row["ended"]) * 1000]
    return dict(zip(OF_A_CALL, found, strict=True))


def medians(found: Sequence[dict[str, float]]) -> Medians:
    """Returns p50 and p99 of each stage."""
    each = {word: [stages[word] for stages in found] for word in found[0]}
    return {
        word: {"p50": round(statistics.median(values), 2), "p99": round(percentile(values, 99) or 0.0, 2)}
        for word, values in each.items()
    }
