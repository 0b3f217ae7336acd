"""Recognises image names by the engine's grammar (distribution/reference), and image ids."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_COMPONENT = r"(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])"
_HOST = rf"(?:{_COMPONENT}(?:\.{_COMPONENT})*|\[[a-fA-F0-9:]+\])(?::[0-9]+)?"
_PART = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_REFERENCE = re.compile(
    rf"(?P<name>(?:{_HOST}/)?{_PART}(?:/{_PART})*)(?::(?P<tag>\w[\w.-]{{0,127}}))?"
    r"(?P<digest>@[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,})?",
    re.ASCII,
)
_ID = re.compile(r"(?:sha256:)?[0-9a-f]{1,64}")
_DEFAULT = re.compile(r"(?:(?:index\.)?docker\.io/)?(?:library/)?")


def is_reference(text: str) -> bool:
    """Returns True if the text is a valid image name. Builders accept nothing else as an image."""
    return _REFERENCE.fullmatch(text) is not None


def may_be_an_id(text: str) -> bool:
    """Returns True for text that the engine also accepts as the beginning of an image's id."""
    return _ID.fullmatch(text) is not None


def is_name_of(reference: str, image: Mapping[str, Any]) -> bool:
    """Returns True if the image, which the engine has described, has this name as one of its tags or digests."""
    names = {_familiar(each) for key in ("RepoTags", "RepoDigests") for each in image.get(key) or ()}
    return _familiar(reference) in names


def _familiar(reference: str) -> str:
    """Returns the name without the default registry; with its digest if it has one, and otherwise with its tag."""
    found = _REFERENCE.fullmatch(reference)
    if found is None:
        return reference
    name = _DEFAULT.sub("", found["name"], count=1)
    return f"{name}{found['digest']}" if found["digest"] else f"{name}:{found['tag'] or 'latest'}"
