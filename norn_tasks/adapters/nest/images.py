"""Copies images from a Docker engine into the nest (the container in which crun starts runs), which unpacks each layer
once.
"""

from __future__ import annotations

import time
from collections.abc import Collection
from typing import Any

from norn_tasks.adapters.docker.client import EngineClient
from norn_tasks.adapters.nest.door import Door
from norn_tasks.domain.errors import EngineDown, NotFound, ReleaseGone, StepFailed

_CHUNK = 1 << 20
_SHORT = "sha256:"
_UNFIT_SECONDS = 600.0
"""Seconds until an image that could not be unpacked is tried again."""
_NOT_SAVED_SECONDS = 60.0
"""Seconds until an image is tried again if the engine did not save it in time, or the nest ended before the copy was
complete.
"""


class NestImages:
    """The images of one nest."""

    def __init__(self, client: EngineClient, door: Door) -> None:
        self._client, self._door = client, door
        self._unfit: dict[str, float] = {}

    def name(self, image: str, app: str) -> str:
        """Returns the name of an image in the nest. If `image` is not an id, the engine is asked for the id.

        Raises ReleaseGone or EngineDown.
        """
        found = image if image.startswith(_SHORT) else str(self._inspected(image, app)["Id"])
        return found.removeprefix(_SHORT)

    def bring(self, image: str, app: str) -> None:
        """Copies an image into the nest; raises ReleaseGone, StepFailed or EngineDown.

        After a failure the image is not tried again for one or ten minutes; otherwise the engine would save it for each
        run. Later it is tried again, because the reason, such as a full disk, may have passed.
        """
        inspected = self._inspected(image, app)
        name = str(inspected["Id"])
        if time.monotonic() < self._unfit.get(name, 0.0):
            raise StepFailed(f"the image of {app} could not be brought into the nest a short time ago")
        try:
            self._bring(name, inspected, app)
        except (EngineDown, StepFailed) as error:
            seconds = _UNFIT_SECONDS if isinstance(error, StepFailed) else _NOT_SAVED_SECONDS
            self._unfit[name] = time.monotonic() + seconds
            raise

    def _bring(self, name: str, inspected: dict[str, Any], app: str) -> None:
        request = {"do": "bring", "image": name.removeprefix(_SHORT), "facts": _facts(inspected, app)}
        with self._door.open(request) as conversation:
            conversation.patient()
            if conversation.answer().get("there"):
                return

            def pour(client: Any) -> None:
                for piece in client.get_image(name, chunk_size=_CHUNK):
                    try:
                        conversation.send(piece)
                    except EngineDown:
                        return  # a nest that cannot unpack a layer sends the reason before it closes the connection

            self._client.ask(pour)
            conversation.sent_all()
            conversation.answer()

    def prune(self, app: str, keep: Collection[str]) -> int:
        """Removes the app's images from the nest except those with the ids in `keep`, and returns how many it removed;
        raises EngineDown.
        """
        kept = [each.removeprefix(_SHORT) for each in keep]
        return int(self._door.ask(do="prune", app=app, keep=kept)["removed"])

    def _inspected(self, image: str, app: str) -> dict[str, Any]:
        try:
            found = self._client.image(image)
        except NotFound:
            found = None
        if found is None:
            what = f"the image {image} of {app} is no longer on this engine"
            raise ReleaseGone(what, hint=f"norn deploy {app}")
        return found


def _facts(inspected: dict[str, Any], app: str) -> dict[str, Any]:
    config, layers = inspected.get("Config") or {}, (inspected.get("RootFS") or {}).get("Layers") or []
    if not layers:
        raise StepFailed("the engine does not say which layers the image has", hint="docker image inspect shows it")
    return {
        "app": app,
        "layers": [each.removeprefix(_SHORT) for each in layers],
        "user": config.get("User") or "",
        "argv": [*(config.get("Entrypoint") or ()), *(config.get("Cmd") or ())],
        "env": list(config.get("Env") or ()),
        "directory": config.get("WorkingDir") or "/",
        "volumes": sorted(config.get("Volumes") or ()),
    }
