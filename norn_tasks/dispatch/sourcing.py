"""Where a deploy's code comes from, frozen into its job: a repository, an upload, or a directory."""

from __future__ import annotations

from typing import Any

from norn_tasks.domain.errors import InvalidRequest
from norn_tasks.store import sources
from norn_tasks.store.apps import FoundApp
from norn_tasks.store.session import Tx


def frozen_source(tx: Tx, found: FoundApp, ref: str | None, revision: str | None) -> dict[str, Any]:
    """Answers the source as a job's arguments.

    Raises InvalidRequest for a ref where there are none, NotFound for a revision that is not kept.
    """
    if found.source == "git":
        if revision is not None:
            raise InvalidRequest(
                f"source: {found.name} is deployed from its repository {found.spec.repo.url}",
                hint=f"norn deploy {found.name} [REF]",
            )
        return {"source": "git", "url": found.spec.repo.url, "ref": ref or found.spec.repo.branch}
    _refuse_ref(found, ref)
    wanted = revision or (found.upload.revision if found.upload is not None else None)
    if wanted is not None:
        sources.touch(tx, found.name, wanted)
        return {"source": "upload", "revision": wanted, "ref": None}
    if found.source == "directory":
        return {"source": "directory", "origin": found.origin, "ref": None}
    raise InvalidRequest(
        f"{found.name} has no source to deploy from",
        hint=f"norn deploy ./{found.name} uploads its directory; or set repo.url in its infraspec.yaml, or put its "
        "directory into NORN_APPS_DIR",
    )


def _refuse_ref(found: FoundApp, ref: str | None) -> None:
    if ref is None or found.source == "none":
        return
    place = f"the directory {found.origin}" if found.source == "directory" else "what was uploaded"
    way = f"norn deploy {found.name}" if found.source == "directory" else "norn deploy ./DIRECTORY"
    raise InvalidRequest(
        f"ref: {found.name} is deployed from {place}, which has no refs", hint=f"{way}, without a ref; or set repo.url"
    )
