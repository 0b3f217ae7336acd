"""Norn's own processes, each by the command line that a person would type, and the environment that they share."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

from norn_tasks.embedded.program import Program
from norn_tasks.settings import Settings

POOLS = {"invoke": "threads", "cron": "threads", "deploy": "prefork", "observe": "threads"}
"""The classes of work, each with a worker of its own, and what its jobs run in."""

_KEPT_FROM_CHILDREN = ("NORN_TOKEN", "NORN_URL", "NORN_APP")
"""The CLI's own variables: a user's token is nothing for a worker."""


def processes(settings: Settings, directory: Path) -> tuple[Program, ...]:
    """Answers the API, a worker of each class, beat and the router."""
    return (
        _program("api", directory, *_gunicorn(settings), stop_seconds=15),
        *(_worker(name, pool, settings, directory) for name, pool in POOLS.items()),
        _program("beat", directory, "celery", "-A", "norn_tasks.celery_app", "beat", "-S", _SCHEDULER, "--pidfile="),
        _program("router", directory, "norn_tasks.router", stop_seconds=20),
    )


def environment(settings: Settings, environ: Mapping[str, str]) -> dict[str, str]:
    """Answers the environment of the processes: ours, with what was found out about stores and directories."""
    told = {
        "NORN_DATA_DIR": settings.data_dir.expanduser().resolve(),
        "NORN_APPS_DIR": settings.apps_dir.expanduser().resolve() if settings.apps_dir else "",
        "NORN_DATABASE_URL": settings.database_url,
        "NORN_BROKER_URL": settings.broker_url,
        "PYTHONUNBUFFERED": 1,
    }
    kept = {name: value for name, value in environ.items() if name not in _KEPT_FROM_CHILDREN}
    return kept | {name: str(value) for name, value in told.items()}


_SCHEDULER = "norn_tasks.scheduler.beat:NornScheduler"


def _gunicorn(settings: Settings) -> tuple[str, ...]:
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    command = "gunicorn norn_api.wsgi:application -k gthread --workers 1 --threads 600 --graceful-timeout 5"
    return (
        *command.split(),
        "--logger-class",
        "norn_api.logs.GunicornLog",
        "--no-control-socket",
        "--bind",
        f"{host}:{settings.port}",
    )


def _worker(name: str, pool: str, settings: Settings, directory: Path) -> Program:
    words = f"celery -A norn_tasks.tasks worker -Q {name} -n {name}@%h -P {pool} -c {settings.slots(name)}".split()
    return _program(f"worker-{name}", directory, *words, stop_seconds=45)


def _program(name: str, directory: Path, *module_and_words: str, stop_seconds: int = 10) -> Program:
    argv = (sys.executable, "-m", *module_and_words)
    return Program(name, argv, directory, stop_seconds=stop_seconds)
