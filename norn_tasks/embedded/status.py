"""`python -m norn_tasks.embedded status`: lists the processes of this data directory and their ages."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from norn_tasks.embedded.lock import held, holder
from norn_tasks.embedded.paths import data_paths
from norn_tasks.embedded.progress import duration, say
from norn_tasks.embedded.routing import router
from norn_tasks.embedded.supervision.supervisor import Control, Process
from norn_tasks.settings import Settings


@dataclass(frozen=True)
class Status:
    """The state of Norn on one data directory. If Norn is not running, only the router may be."""

    running: bool
    data_dir: str
    url: str = ""
    pid: int = 0
    since: str = ""
    processes: tuple[Process, ...] = ()


def status(settings: Settings) -> Status:
    """Returns the running processes; raises NotRunning while Norn is starting or stopping."""
    where = data_paths(settings.data_dir)
    known = holder(where.lock)
    found = router.running(settings, where)
    if not known or not held(where.lock):
        return Status(False, str(where.data), processes=(router.as_process(found),) if found else ())
    processes = (*Control(where.control).processes(), router.as_process(found))
    return Status(True, str(where.data), known.url, known.pid, known.since, processes)


def show(found: Status, *, as_json: bool) -> None:
    """Prints the status, for people or for programs."""
    if as_json:
        say(json.dumps(asdict(found), indent=2))
        return
    if not found.running:
        say(f"Norn is not running on {found.data_dir}; start it with norn up.")
        for process in found.processes:
            say(f"The {process.name} (pid {process.pid}) keeps the apps' addresses open; norn down --all stops it.")
        return
    say(f"Norn runs at {found.url} (pid {found.pid}); its data are in {found.data_dir}")
    say(f"{'PROCESS':<16}{'STATE':<10}{'PID':<9}FOR")
    for process in found.processes:
        pid, age = (str(process.pid), duration(process.now - process.began)) if process.pid else ("-", "-")
        say(f"{process.name:<16}{process.state.lower():<10}{pid:<9}{age}")
