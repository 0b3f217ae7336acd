"""Taking in an uploaded source: refused as early as can be, named by its tree, kept once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import IO

from norn_tasks.dispatch.intake import Intake, found_app
from norn_tasks.domain import archive
from norn_tasks.domain.errors import Conflict
from norn_tasks.domain.source_tree import Tree
from norn_tasks.store import apps, sources

_PIECE = 1024 * 1024


@dataclass(frozen=True)
class KeptSource:
    """A source as it is kept; `new` is false when the same tree was there already."""

    tree: Tree
    new: bool


def keep_source(intake: Intake, app: str, body: Callable[[], IO[bytes]], *, actor: str) -> KeptSource:
    """Keeps the archive that `body` reads in, once it is known that the app takes one.

    Raises AppNotFound, Conflict for an app of a repository, and what reading an archive raises.
    """
    with intake.database.transaction() as tx:
        _refuse_git(apps.find(tx, intake.settings.apps_dir, app))
    with body() as packed:
        tree = archive.read(packed, intake.settings.source_max, archive.KeepNothing())
        packed.seek(0)
        with intake.database.transaction() as tx:
            found, _ = found_app(intake, tx, app)
            _refuse_git(found)
            return KeptSource(tree, sources.keep(tx, app, tree, _pieces(packed), actor))


def _refuse_git(found: apps.FoundApp) -> None:
    if found.source == "git":
        raise Conflict(
            f"{found.name} is deployed from its repository {found.spec.repo.url}",
            hint=f"norn deploy {found.name}; or remove repo from its infraspec.yaml and apply it",
        )


def _pieces(packed: IO[bytes]) -> Iterator[bytes]:
    while piece := packed.read(_PIECE):
        yield piece
