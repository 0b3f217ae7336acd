"""Fakes of the engine, the socket and the connection of a nest (the container in which crun starts runs) that is
missing or misbehaves.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import docker

from norn_tasks.adapters.docker.client import EngineClient
from norn_tasks.adapters.nest.door import SOCKET, Conversation
from norn_tasks.adapters.nest.program.frames import Link
from norn_tasks.domain.errors import EngineDown, NotFound


class NoContainers(EngineClient):
    """An engine that has an image, but no container."""

    def __init__(self) -> None:
        super().__init__("unix:///nowhere")
        self.taken_away: list[str] = []
        self.saved = 0

    def image(self, reference: str) -> dict[str, Any] | None:
        return {"Id": "sha256:1", "RootFS": {"Layers": ["sha256:2"]}}

    def ask(self, call: Callable[[docker.APIClient], Any]) -> Any:
        return call(cast(docker.APIClient, self))

    def briefly(self, call: Callable[[docker.APIClient], Any], seconds: float = 10) -> Any:
        return call(cast(docker.APIClient, self))

    def take_away(self, container: str, within: float = 60) -> None:
        self.taken_away.append(container)

    def info(self) -> dict[str, Any]:
        return {}

    def inspect_container(self, container: str) -> dict[str, Any]:
        raise NotFound(f"there is no container {container}")

    def get_image(self, image: str, chunk_size: int) -> Iterator[bytes]:
        self.saved += 1
        for _ in range(100):
            yield b"\0" * chunk_size


class Silent(Conversation):
    """A connection to a nest that sends nothing and refuses to kill, as after the end of the nest."""

    def __init__(self) -> None:
        super().__init__(socket.socket(socket.AF_UNIX))

    def say(self, **command: Any) -> None:
        if command["do"] == "kill":
            raise EngineDown("the nest ended the connection")

    def frames(self, seconds: float) -> Iterator[tuple[str, bytes]]:
        return iter(())


def served(directory: Path, answer: Callable[[Link], None]) -> None:
    """Responds to each connection to a nest's socket in this directory."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(directory / SOCKET))
    listener.listen()

    def serve() -> None:
        while True:
            link = Link(listener.accept()[0])
            answer(link)
            link.cut()
            link.close()

    threading.Thread(target=serve, daemon=True).start()
