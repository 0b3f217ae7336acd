"""Sentences that say which data of apps' services a backup of the control plane contains, and which it does not."""

from __future__ import annotations

from collections import Counter

from norn_tasks.domain.services import ServiceKind
from norn_tasks.store.apps import services, snapshots
from norn_tasks.store.database.session import Database


def saved(database: Database) -> tuple[str, ...]:
    """Returns sentences about a backup that was just made; an empty tuple if no app has a service."""
    parts, files = _counted(database)
    if not parts:
        return ()
    without = "not the data in them" + (f", and not the files of {files}" if files else "")
    return (
        f"It has the credentials and the list of {parts} of apps, {without}.",
        "norn db backup saves the data of a database; docs/services.md says what saves the rest.",
    )


def restored(database: Database) -> tuple[str, ...]:
    """Returns sentences about a control plane that was just restored; an empty tuple if no app has a service."""
    parts, files = _counted(database)
    if not parts:
        return ()
    kept = f" The files of {files} were not in it either." if files else ""
    return (
        f"It has the credentials of {parts} of apps; their data was not in the backup.{kept}",
        "If one of them is gone, norn forge APP makes it again, empty; norn db restore APP SNAPSHOT fills a database.",
    )


def _counted(database: Database) -> tuple[str, str]:
    """Returns the services and the snapshots in words; empty texts if there are none."""
    with database.transaction() as tx:
        found = {(part.kind, part.name) for part in services.listed(tx, None) if part.made}
        whole = sum(1 for each in snapshots.listed(tx, None) if each.bytes is not None)
    count = Counter(kind for kind, _ in found)
    words = [_words(count[kind], kind.thing) for kind in ServiceKind if count[kind]]
    return ", ".join(words), _words(whole, "snapshot") if whole else ""


def _words(count: int, thing: str) -> str:
    return f"{count} {thing}{'' if count == 1 else 's'}"
