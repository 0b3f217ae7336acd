"""Chooses the source of a deploy, which is stored in its job and cannot change later: an image, a repository, an upload
or a directory.
"""

from __future__ import annotations

from norn_tasks.domain.errors import InvalidRequest
from norn_tasks.domain.jobs.requests import DirectorySource, GitSource, ImageSource, Source, UploadSource
from norn_tasks.domain.sources import image_reference
from norn_tasks.store.apps import uploads
from norn_tasks.store.apps.registry import FoundApp
from norn_tasks.store.database.session import Tx


def frozen_source(tx: Tx, found: FoundApp, ref: str | None, revision: str | None) -> Source:
    """Returns the source that a deploy reads.

    Raises InvalidRequest for a ref of a source without refs, NotFound for a revision that is not stored.
    """
    if found.source == "image" and found.spec.image is not None:
        return _image_source(found.name, found.spec.image, ref, revision)
    url = found.spec.repo.url
    if found.source == "git" and url is not None:
        if revision is not None:
            raise InvalidRequest(
                f"source: {found.name} is deployed from its repository {url}",
                hint=f"norn deploy {found.name} [REF]",
            )
        return GitSource(url, ref or found.spec.repo.branch)
    _refuse_ref(found, ref)
    wanted = revision or (found.upload.revision if found.upload is not None else None)
    if wanted is not None:
        uploads.touch(tx, found.name, wanted)
        return UploadSource(wanted)
    if found.source == "directory" and found.origin is not None:
        return DirectorySource(found.origin)
    raise InvalidRequest(
        f"{found.name} has no source to deploy from",
        hint=f"norn deploy ./{found.name} uploads its directory; or set repo.url in its infraspec.yaml, or put its "
        "directory into NORN_APPS_DIR",
    )


def _image_source(app: str, image: str, ref: str | None, revision: str | None) -> ImageSource:
    if revision is not None:
        raise InvalidRequest(f"source: {app} is deployed from the image {image}", hint=f"norn deploy {app} [TAG]")
    named = image_reference.parse(image)
    return ImageSource(str(named.at(ref) if ref is not None else named))


def _refuse_ref(found: FoundApp, ref: str | None) -> None:
    if ref is None or found.source == "none":
        return
    place = f"the directory {found.origin}" if found.source == "directory" else "its upload"
    way = f"norn deploy {found.name}" if found.source == "directory" else "norn deploy ./DIRECTORY"
    raise InvalidRequest(
        f"ref: {found.name} is deployed from {place}, which has no refs", hint=f"{way}, without a ref; or set repo.url"
    )
