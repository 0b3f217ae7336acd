"""Dockerfiles that try to read images or files of others, in all spellings that the builders accept."""

from __future__ import annotations

from norn_tasks.adapters.dockerfile import outside_images, require_public
from norn_tasks.domain.errors import SourceError
from tests.corpus.hostile import dockerfiles

OTHERS = (
    "norn/vic:1a2b3c",
    "d8ca",
    "sha256:" + "ab" * 32,
    "127.0.0.1:5000/norn/vic:1",
    "../containers",
    "norn/vic@sha256:" + "0" * 64,
)


def test_each_image_is_seen_however_it_is_spelled() -> None:
    """A build stage with the name of a foreign image would be allowed, but no example has one."""
    unseen = [text for image, text in dockerfiles.of(dockerfiles.TAKING, OTHERS) if not seen(image, text)]
    assert unseen == []


def seen(image: str, text: str) -> bool:
    try:
        return image in outside_images(text, "Dockerfile", {"BUILDPLATFORM": "linux/amd64"})
    except SourceError:
        return True


def test_each_inward_address_is_refused_however_it_is_spelled() -> None:
    added = [text for _, text in dockerfiles.of(dockerfiles.ADDING, dockerfiles.INWARD) if not refused(text)]
    assert added == []


def refused(text: str) -> bool:
    try:
        require_public(text, "Dockerfile")
    except SourceError:
        return True
    return False
