"""`python -m norn_tasks.embedded doctor`: what can be seen of a Norn on its own machine, server or not."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass

from norn_tasks.embedded.errors import NotRunning
from norn_tasks.embedded.lock import held, holder
from norn_tasks.embedded.places import Places, places
from norn_tasks.embedded.progress import duration, say
from norn_tasks.embedded.supervisor import Control
from norn_tasks.settings import Settings

SETTLED = 60
"""Seconds after which a process that was started anew is not suspicious any more."""


@dataclass(frozen=True)
class Finding:
    """One thing of this machine, in the shape of the API's checks."""

    name: str
    status: str
    message: str
    hint: str = ""


def doctor(settings: Settings) -> None:
    """Prints the findings as JSON; nothing where there is no Norn."""
    where = places(settings.data_dir)
    found = list(_findings(where)) if where.lock.exists() else []
    say(json.dumps([asdict(each) for each in found]))


def _findings(where: Places) -> Iterator[Finding]:
    yield from _files(where)
    known = holder(where.lock)
    if known is None or not held(where.lock):
        yield Finding("local:processes", "warn", f"Norn does not run on {where.data}", "norn up")
        return
    try:
        processes = Control(where.control).processes()
    except NotRunning as error:
        yield Finding("local:processes", "fail", error.sentence, "wait until it has started, or norn down and norn up")
        return
    down = [process.name for process in processes if not process.up]
    fresh = [p for p in processes if p.up and p.now - p.began < SETTLED]
    told = f"{len(processes) - len(down)} of {len(processes)} run"
    if down:
        yield Finding("local:processes", "fail", f"{told}; not {', '.join(down)}", f"norn logs --server {down[0]}")
    elif fresh and any(p.now - p.began >= SETTLED for p in processes):
        ages = ", ".join(f"{p.name} {duration(p.now - p.began)} ago" for p in fresh)
        yield Finding("local:processes", "warn", f"{told}; started anew: {ages}", f"norn logs --server {fresh[0].name}")
    else:
        yield Finding("local:processes", "ok", told)


def _files(where: Places) -> Iterator[Finding]:
    """What only its owner may read, and others can."""
    open_ = [path for path in (where.token, where.data / "age.key") if path.exists() and path.stat().st_mode & 0o077]
    if where.data.stat().st_mode & 0o067:
        open_.append(where.data)
    if open_:
        names = " ".join(map(str, open_))
        yield Finding("local:files", "fail", f"others can read or enter {names}", f"chmod go-rwx {names}")
    else:
        yield Finding("local:files", "ok", f"{where.data} is closed to others")
