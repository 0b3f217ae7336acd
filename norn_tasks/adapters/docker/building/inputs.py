"""Checks that a build uses no input that its app must not use: an image of another app, or an address in the host's
network.

A builder uses any image of the engine that it finds by name, even one of another app. The classic builder leaves an
unnamed image for every step and stage. The engine also finds an image by the first digits of its id. So a few
hexadecimal digits in a Dockerfile could reach an image that contains another app's source.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from norn_tasks.adapters import dockerfile
from norn_tasks.adapters.docker.client import APP, PULLED, EngineClient, sharers
from norn_tasks.adapters.docker.registry import Registry
from norn_tasks.domain.errors import SourceError, StepFailed
from norn_tasks.ports import BuildOrder

_BY_NAME = "build on a public image, or on one from a registry"


_LARGEST_IGNORE = 256 * 1024
_MOST_PATTERNS = 1000
"""The most lines of a .dockerignore. The docker command matches each line against every file, and sets no limit itself.
"""


class BuildInputs:
    """Checks the Dockerfile of a build before the builder gets it."""

    def __init__(self, engine: EngineClient, registry: Registry | None) -> None:
        self._engine = engine
        self._registry = registry

    def require_own(self, order: BuildOrder, text: str) -> None:
        """Raises SourceError if the Dockerfile `text` uses an input that the app must not use."""
        _require_short(order.context / ".dockerignore", order.context)
        dockerfile.require_public(text, order.dockerfile)
        for reference in dockerfile.outside_images(text, order.dockerfile, self._platform()):
            self._require_nobody_elses(reference, order)

    def _require_nobody_elses(self, reference: str, order: BuildOrder) -> None:
        takes = f"{order.dockerfile} takes from {reference}"
        if dockerfile.may_be_an_id(reference):
            raise SourceError(
                f"{takes}, which may be the id of an image of another app",
                hint="write the image's whole name, such as docker.io/library/busybox:stable",
            )
        found = self._found(reference)
        if not self._owners(reference, found, order) <= {order.app}:
            raise SourceError(f"{takes}, an image of another app", hint=_BY_NAME)
        if found is not None and not dockerfile.is_name_of(reference, found):
            raise SourceError(f"{takes}, which is not the name of an image but may find one", hint=_BY_NAME)

    def _found(self, reference: str) -> dict[str, Any] | None:
        """Returns the engine's image of that name; None if it has none, or if the text is not a valid image name.

        (A builder refuses a Dockerfile with an invalid image name.)
        """
        if not dockerfile.is_reference(reference):
            return None
        try:
            return self._engine.image(reference)
        except StepFailed as error:
            if "invalid reference" not in error.sentence:
                raise
            return None

    def _owners(self, reference: str, found: dict[str, Any] | None, order: BuildOrder) -> set[str]:
        """Returns the apps that own an image, according to its name on the engine, its name in the registry, and its
        labels.
        """
        named = re.match(rf"(?:(?:index\.)?docker\.io/)?(?:norn|{PULLED}/[^:@/]+)/([^:@/]+)", reference)
        shared = self._registry.owner(reference, order.instance) if self._registry is not None else None
        labels = ((found or {}).get("Config") or {}).get("Labels") or {}
        owners = (named[1] if named else None, shared, labels.get(APP))
        stage = sharers(labels)
        return {owner for owner in owners if owner is not None} | (set() if order.app in stage else stage)

    def _platform(self) -> dict[str, str]:
        version: dict[str, Any] = self._engine.ask(lambda client: client.version())
        os, arch = version["Os"], version["Arch"]
        values = {"PLATFORM": f"{os}/{arch}", "OS": os, "ARCH": arch, "VARIANT": ""}
        return {side + key: value for side in ("TARGET", "BUILD") for key, value in values.items()}


def _require_short(ignore: Path, context: Path) -> None:
    if not ignore.resolve().is_relative_to(context.resolve()):
        raise SourceError(".dockerignore points outside the source", hint="make it a file of the source")
    if not ignore.is_file():
        return
    if ignore.stat().st_size > _LARGEST_IGNORE or len(ignore.read_bytes().splitlines()) > _MOST_PATTERNS:
        limits = f"{_LARGEST_IGNORE // 1024} KiB or {_MOST_PATTERNS} lines"
        raise SourceError(f".dockerignore has more than {limits}", hint="name directories instead of their files")
