"""Norn's processes: the command line of each, and their shared environment."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

from norn_tasks.embedded.supervision import cloudflared
from norn_tasks.embedded.supervision.program import SupervisedProgram
from norn_tasks.settings import Settings

CLASSES = ("invoke", "cron", "deploy", "observe")
"""The classes of work, each with its own queue and slots."""
TOGETHER = "norn_tasks.tasks.together"
"""The module of the process that runs beat and the workers of all classes."""
WORKER_STOP_SECONDS = 45
"""The seconds that a worker has to hand back its work."""

_KEPT_FROM_CHILDREN = ("NORN_TOKEN", "NORN_URL", "NORN_APP")
"""Variables of the CLI that workers must not get, because they contain a user's token."""


def processes(settings: Settings, directory: Path) -> tuple[SupervisedProgram, ...]:
    """Returns the API, workers, beat, and if wanted cloudflared and the edge, but not the router."""
    return (
        _program("api", directory, *_gunicorn(settings), stop_seconds=15),
        *_workers_and_beat(settings, directory),
        *([_cloudflared(directory)] if cloudflared.wanted(settings) else []),
        *([_program("edge", directory, "norn_tasks.embedded.edge", stop_seconds=15)] if settings.has_edge else []),
    )


def environment(settings: Settings, environ: Mapping[str, str]) -> dict[str, str]:
    """Returns the environment of the processes: this process's own, with the stores and directories of this server
    added.
    """
    own = {
        "NORN_DATA_DIR": settings.data_dir.expanduser().resolve(),
        "NORN_APPS_DIR": settings.apps_dir.expanduser().resolve() if settings.apps_dir else "",
        "NORN_DATABASE_URL": settings.database_url,
        "NORN_BROKER_URL": settings.broker_url,
        "PYTHONUNBUFFERED": 1,
        "MALLOC_ARENA_MAX": environ.get("MALLOC_ARENA_MAX", 2),
    }
    kept = {name: value for name, value in environ.items() if name not in _KEPT_FROM_CHILDREN}
    return kept | {name: str(value) for name, value in own.items()}


_SCHEDULER = "norn_tasks.scheduler.beat:NornScheduler"


def _gunicorn(settings: Settings) -> tuple[str, ...]:
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    command = (
        f"gunicorn norn_api.wsgi:application -k norn_api.heads.HeadsFirst --workers {settings.api_workers} "
        "--threads 600 --graceful-timeout 5"
    )
    return (
        *command.split(),
        "--logger-class",
        "norn_api.logs.GunicornLog",
        "--no-control-socket",
        "--bind",
        f"{host}:{settings.port}",
    )


def _cloudflared(directory: Path) -> SupervisedProgram:
    return _program(cloudflared.NAME, directory, cloudflared.__name__, stop_seconds=15)


def _workers_and_beat(settings: Settings, directory: Path) -> tuple[SupervisedProgram, ...]:
    """Returns one process for all classes and beat, or a process for each of them."""
    if settings.embedded_processes == "shared":
        return (_program("worker", directory, TOGETHER, stop_seconds=WORKER_STOP_SECONDS),)
    return (
        *(_worker(name, directory) for name in CLASSES),
        _program("beat", directory, "celery", "-A", "norn_tasks.celery_app", "beat", "-S", _SCHEDULER, "--pidfile="),
    )


def _worker(name: str, directory: Path) -> SupervisedProgram:
    words = f"celery -A norn_tasks.tasks worker -Q {name} -n {name}@%h -P threads".split()
    return _program(f"worker-{name}", directory, *words, stop_seconds=WORKER_STOP_SECONDS)


def _program(name: str, directory: Path, *module_and_words: str, stop_seconds: int = 10) -> SupervisedProgram:
    argv = (sys.executable, "-m", *module_and_words)
    return SupervisedProgram(name, argv, directory, stop_seconds=stop_seconds)
