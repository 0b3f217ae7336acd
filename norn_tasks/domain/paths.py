"""Checks the paths in an infraspec: inside the source, inside a container, and in an app's URLs.

Each function returns its argument if it is valid, and raises `InvalidRequest` otherwise. Only the text of a path is
checked here. The code that opens a path resolves links first, and checks again that the path stays inside its root.
"""

from __future__ import annotations

import re

from norn_tasks.domain.errors import InvalidRequest
from norn_tasks.domain.wording import shown

_LONGEST = 255
"""The most characters of a file's path, or of a pattern of such paths."""
_NOT_A_VOLUME = ("/proc", "/sys", "/dev", "/etc", "/run", "/var/run", "/tmp")  # noqa: S108


def beneath_root(text: str) -> str:
    """Returns the text if it is a relative path that stays beneath the source's root."""
    parts = text.split("/")
    if text.startswith("/") or ".." in parts:
        raise InvalidRequest(
            f"{shown(text)} points outside the source", hint="write a path beneath the infraspec's directory"
        )
    if not _plain(text) or "\\" in text or text.startswith("-") or not parts[-1] or parts[-1] == ".":
        raise InvalidRequest(
            f"{shown(text)} is not the path of a file", hint="write it as `ls` prints it, such as docker/Dockerfile"
        )
    return text


def pattern_beneath_root(text: str) -> str:
    """Returns the text if it is a glob over pushed files: relative, without `..`."""
    if text.startswith(("/", "!")) or ".." in text.split("/") or not _plain(text) or "\\" in text:
        raise InvalidRequest(f"{shown(text)} is not a pattern of files", hint="write one such as src/** or *.py")
    return text


def http_path(text: str) -> str:
    """Returns the text if a probe may request this path of an app; it may have a query."""
    if not text.startswith("/"):
        raise InvalidRequest(f"{shown(text)} does not begin with a slash", hint="write one such as /health")
    if text.startswith("//") or not re.fullmatch(r"[\x21-\x7e]{1,1024}", text) or set(text) & set('#"<>\\^`{|}'):
        raise InvalidRequest(f"{shown(text)} is not a path of an address", hint="write one such as /health")
    return text


def mount_path(text: str) -> str:
    """Returns the text if a volume may be mounted at this path of a container."""
    absolute_path(text)
    if any(text == taken or text.startswith(taken + "/") for taken in _NOT_A_VOLUME):
        raise InvalidRequest(
            f"{shown(text)} belongs to the system", hint="choose a directory of your own, such as /data"
        )
    return text


def absolute_path(text: str) -> str:
    """Returns the text if it is an absolute path in its shortest form, but not the root itself."""
    parts = text.split("/")[1:]
    if not text.startswith("/") or not all(parts) or {".", ".."} & set(parts):
        raise InvalidRequest(
            f"{shown(text)} is not an absolute path", hint="write one such as /data, without `..` and `//`"
        )
    if not _plain(text) or set(text) & set(":,\\"):
        raise InvalidRequest(f"{shown(text)} has a character that a mount may not have", hint="write one such as /data")
    return text


def _plain(text: str) -> bool:
    return bool(text) and len(text) <= _LONGEST and text.isprintable()
