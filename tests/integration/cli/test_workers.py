"""`norn worker`: the list, and how a worker is drained."""

from __future__ import annotations

from typing import Any

from tests.integration.cli.server import Answer, Asked, Norn, problem

Json = dict[str, Any]


def worker(**more: Any) -> Json:
    return {
        "name": "deploy@host", "class": "deploy", "host": "host", "pid": 7, "engine": "e1e1e1e1-0000",
        "engine_error": None,
        "slots": 2, "busy": 0, "last_claim_at": None, "started_at": "2026-11-23T10:00:00Z",
        "seen_at": "2026-11-23T10:00:00Z", "draining_at": None, **more,
    }  # fmt: skip


def leaving(norn: Norn, *seen: Json | None) -> None:
    """Sets the responses to a drain and to the later requests for the list of workers. Each `seen` is the worker in one
    of these lists; None: the worker has left.
    """
    looks = iter(seen)
    draining = worker(draining_at="2026-11-23T10:01:00Z")
    norn.on("POST", "/api/workers/deploy%40host/drain", Answer(draining, 202))
    norn.on("POST", "/api/workers/deploy@host/drain", Answer(draining, 202))

    def listed(_: Asked) -> Answer:
        found = next(looks)
        return Answer({"items": [] if found is None else [found], "next": None})

    norn.on("GET", "/api/workers", listed)


DRAINING = "2026-11-23T10:01:00Z"


def test_draining_waits_until_it_has_left(norn: Norn, run) -> None:
    leaving(norn, worker(draining_at=DRAINING, busy=2), worker(draining_at=DRAINING), None)
    result = run("worker", "drain", "deploy@host")
    assert (result.stdout, result.exit_code) == ("deploy@host has left\n", 0)
    assert result.stderr.splitlines() == [
        "… deploy@host drains: 2 jobs to go", "… deploy@host drains: nothing left to do",
    ]  # fmt: skip


def test_another_process_under_its_name_is_another_worker(norn: Norn, run) -> None:
    leaving(norn, worker(pid=8))
    assert run("worker", "drain", "deploy@host").stdout == "deploy@host has left\n"


def test_detached_nobody_waits(norn: Norn, run) -> None:
    leaving(norn)
    assert run("worker", "drain", "deploy@host", "--detach").stdout == "deploy@host drains\n"


def test_waiting_ends_with_the_timeout(norn: Norn, run) -> None:
    leaving(norn, *[worker(draining_at=DRAINING, busy=1)] * 20)
    result = run("worker", "drain", "deploy@host", "--timeout", "0.1")
    assert (result.exit_code, "goes on draining" in result.stderr) == (7, True)


def test_a_worker_that_is_not_there_is_told(norn: Norn, run) -> None:
    norn.on("POST", "/api/workers/nobody/drain", problem(404, "not_found", "there is no worker nobody"))
    assert run("worker", "drain", "nobody").exit_code == 3


def test_the_list_shows_why_one_takes_no_work(norn: Norn, run) -> None:
    refused = worker(engine=None, engine_error="a second engine needs NORN_REGISTRY_URL")
    norn.on("GET", "/api/workers", {"items": [worker(), refused], "next": None})
    told = run("worker", "list").stdout
    assert "e1e1e1e1" in told and "a second engine needs NORN_REGISTRY_URL" in told
