"""Incus: its engine, its runtime, and the checks of its requirements."""

from __future__ import annotations

from collections.abc import Iterator

from norn_tasks.adapters.docker.engine import DockerEngine
from norn_tasks.adapters.incus.api import IncusApi
from norn_tasks.adapters.incus.bridge import Bridge
from norn_tasks.adapters.incus.checks import checks
from norn_tasks.adapters.incus.engine import IncusEngine
from norn_tasks.adapters.incus.images import IncusImages
from norn_tasks.adapters.incus.runtime import IncusRuntime
from norn_tasks.settings import Settings


def incus_engine(settings: Settings, instance: str = "") -> IncusEngine:
    """Returns the Incus in the settings; no request is sent to it yet."""
    return IncusEngine(IncusApi(settings.incus_socket, settings.incus_project), instance)


def incus_runtime(settings: Settings, docker: DockerEngine) -> IncusRuntime:
    """Returns the runtime on the Incus of the settings; its images come from a Docker engine."""
    engine, workspace = incus_engine(settings, docker.instance), settings.data_dir / "work"
    images = IncusImages(
        engine.api, docker.client, settings.incus_init, pool=settings.incus_pool, instance=docker.instance,
        workspace=workspace if workspace.is_dir() else None,
    )  # fmt: skip
    return IncusRuntime(engine, images, Bridge(engine.api, settings.incus_bridge), settings.incus_pool)


def incus_checks(settings: Settings) -> Iterator[tuple[str, str]]:
    """Yields sentences about the Incus that the settings name, each with a hint if something is missing."""
    api = IncusApi(settings.incus_socket, settings.incus_project, timeout=5)
    return checks(api, settings.incus_pool, settings.incus_bridge, settings.incus_init)
