"""Uploads of a source. Norn refuses a bad upload as early as possible, names a good one by the hash of its files, and
stores each only once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import IO

from norn_tasks.dispatch.intake import Intake, found_app
from norn_tasks.domain.errors import Conflict
from norn_tasks.domain.sources import archive
from norn_tasks.domain.sources.source_tree import Tree
from norn_tasks.store.apps import registry, uploads

_CHUNK_BYTES = 1024 * 1024


@dataclass(frozen=True)
class KeptSource:
    """An uploaded source; `new` is False if the same tree was uploaded before."""

    tree: Tree
    new: bool


def keep_source(intake: Intake, app: str, body: Callable[[], IO[bytes]], *, actor: str) -> KeptSource:
    """Stores the archive that `body` opens, if the app is deployed from uploads.

    Raises AppNotFound, Conflict if the app has an image or a repository as its source, and the errors of
    `archive.read`.
    """
    with intake.database.transaction() as tx:
        _require_built(registry.find(tx, intake.settings.apps_dir, app))
    with body() as packed:
        tree = archive.read(packed, intake.settings.source_max, archive.DiscardingConsumer())
        packed.seek(0)
        with intake.database.transaction() as tx:
            found, _ = found_app(intake, tx, app)
            _require_built(found)
            return KeptSource(tree, uploads.keep(tx, app, tree, _pieces(packed), actor))


def _require_built(found: registry.FoundApp) -> None:
    if found.source == "image":
        raise Conflict(
            f"{found.name} is deployed from the image {found.spec.image}",
            hint=f"norn deploy {found.name}; or remove image from its infraspec.yaml, and apply the changed infraspec",
        )
    if found.source == "git":
        raise Conflict(
            f"{found.name} is deployed from its repository {found.spec.repo.url}",
            hint=f"norn deploy {found.name}; or remove repo from its infraspec.yaml, and apply the changed infraspec",
        )


def _pieces(packed: IO[bytes]) -> Iterator[bytes]:
    while piece := packed.read(_CHUNK_BYTES):
        yield piece
