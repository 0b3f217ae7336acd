"""Where a job may run when there is more than one engine: anywhere, or at home."""

from __future__ import annotations

from typing import Final

from norn_tasks.domain.infraspec import Infraspec, Role

HOME: Final = "home"
"""In an engine's place: the engine that holds the containers of webservers and workers, whichever that is."""


def place_of(spec: Infraspec) -> str | None:
    """Answers HOME for an app with something that stays: containers behind the router, volumes; None for the others."""
    return HOME if spec.role in (Role.WEBSERVER, Role.WORKER) or spec.volumes else None
