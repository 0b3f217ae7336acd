"""Objects in the form in which the API returns them; a test gives only the fields that differ."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]


def app(name: str = "blog", **more: Any) -> Json:
    """Returns a running webserver."""
    return {
        "name": name, "role": "webserver", "state": "running", "source": "git", "origin": "https://git.example/blog.git",
        "directory": None, "core": False, "forge": {"state": "forged", "error": None}, "ready": 2, "wanted": 2,
        "replicas_override": None, "release": 4, "revision": "a" * 40,
        "live": {"deployment": 12, "release": 4, "revision": "a" * 40, "at": "2026-11-23T10:00:00Z"},
        "last_deployment": None, "url": "http://127.0.0.1:18800", "external": None, "schedule": None, "notices": [],
        "mistakes": [], "seen_at": "2026-11-23T10:00:00Z", "replicas": [], "running_job": None, **more,
    }  # fmt: skip


def cron_app(name: str = "report", **schedule: Any) -> Json:
    """Returns a cron app with a schedule."""
    about = {
        "text": "0 9 * * *", "timezone": "Europe/Berlin", "next": "2026-11-24T08:00:00Z", "state": "scheduled",
        "override": None, "paused": None, "last": None, **schedule,
    }  # fmt: skip
    return app(name, role="cron", state="scheduled", ready=None, wanted=None, url=None, schedule=about)


def scheduled(name: str, recent: list[Json], **schedule: Any) -> Json:
    """Returns an app in the form in which `GET /api/cron` lists it."""
    return {"app": name, "schedule": cron_app(name, **schedule)["schedule"], "recent": recent}


def schedule(**more: Any) -> Json:
    """Returns the response of `GET …/cron`. `last` is the list of its runs; other arguments are fields of the
    schedule.
    """
    last = more.pop("last", [])
    times = ["2026-11-24T08:00:00Z", "2026-11-25T08:00:00Z"]
    return {"app": "report", "schedule": {**cron_app()["schedule"], **more}, "next": times, "last": last}


def step(n: int, name: str, state: str = "succeeded", **more: Any) -> Json:
    """Returns a step of a job."""
    return {"n": n, "name": name, "state": state, "attempts": 1, "started_at": None, "ended_at": None, "seconds": 1.5,
            "note": "", "error": None, **more}  # fmt: skip


def job(state: str = "succeeded", *steps: Json, **more: Any) -> Json:
    """Returns a job."""
    ended = state not in ("queued", "running")
    return {
        "id": 7, "kind": "deploy", "class": "deploy", "app": "blog", "state": state, "actor": "ann",
        "created_at": "2026-11-23T10:00:00Z", "started_at": "2026-11-23T10:00:01Z",
        "ended_at": "2026-11-23T10:00:43Z" if ended else None, "deadline": None, "claims": 1, "runs": 1,
        "cancel_requested_at": None, "error": None, "deployment": 12, "execution": None, "release": 4, "args": {},
        "steps": list(steps), **more,
    }  # fmt: skip


def accepted(**more: Any) -> Json:
    """Returns the response to accepted work."""
    return {"job": 7, "app": "blog", "kind": "deploy", "state": "queued", "deployment": 12, "execution": None,
            "href": "/api/jobs/7", **more}  # fmt: skip


def run(**more: Any) -> Json:
    """Returns a cron run."""
    return {
        "id": 31, "app": "report", "kind": "cron", "job": 7, "release": 2, "state": "succeeded", "cause": "",
        "sentence": "", "hint": "", "exit_code": 0, "attempt": 1, "trigger": "manual", "scheduled_for": None,
        "created_at": "2026-11-23T10:00:00Z", "begun_at": "2026-11-23T10:00:01Z", "finished_at": "2026-11-23T10:00:02Z",
        "duration_ms": 1000, "stdout": "sold 3\n", "stdout_dropped": 0, "stderr": "", "stderr_dropped": 0, **more,
    }  # fmt: skip


def call(**more: Any) -> Json:
    """Returns a function call."""
    return {
        "id": 41, "app": "thumb", "kind": "function", "job": 8, "release": 1, "state": "succeeded", "cause": "",
        "sentence": "", "hint": "", "exit_code": 0, "sync": True, "method": "POST", "path": "/", "query": "",
        "content_type": "text/plain", "request_size": 2, "response_size": 6, "created_at": "2026-11-23T10:00:00Z",
        "begun_at": "2026-11-23T10:00:00Z", "finished_at": "2026-11-23T10:00:01Z", "duration_ms": 420,
        "stdout": "hello\n", "stderr": "", **more,
    }  # fmt: skip


def reason(**more: Any) -> Json:
    """Returns one failure in the response of `norn why`."""
    return {
        "kind": "deploy", "state": "failed", "at": "2026-11-23T10:00:00Z", "code": "tests_failed",
        "sentence": "its tests exited 1", "hint": "run them at home", "step": "test-image", "last_lines": [], "job": 7,
        "release": 5, "deployment": 12, "execution": None, "exit_code": None, "returned": None, **more,
    }  # fmt: skip


def why(*reasons: Json, **more: Any) -> Json:
    """Returns the response of `norn why`: the state of an app, with its failures."""
    return {
        "name": "blog", "role": "webserver", "state": "running",
        "sentence": "blog is running: release 4 is live, 2 of 2 ready", "live": None, "ready": 2, "wanted": 2,
        "message": "", "replicas": [], "mistakes": [], "running_job": None, "reasons": list(reasons),
        "hint": "", **more,
    }  # fmt: skip


def page(*items: Json, after: Any = None) -> Json:
    """Returns a page of a list; `after` is its field `next`, None on the last page."""
    return {"items": list(items), "next": after}
