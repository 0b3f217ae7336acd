"""The limits of builds, and the registries of images."""

from __future__ import annotations

from norn_tasks.adapters.docker.building.builder import BuildLimits
from norn_tasks.adapters.docker.registry import Registries, Registry
from norn_tasks.domain.disk import Least
from norn_tasks.settings import Settings


def build_limits(settings: Settings) -> BuildLimits:
    """Returns the limits of a build."""
    least = Least(settings.disk_build_free, settings.disk_build_percent)
    return BuildLimits(
        settings.build_timeout,
        settings.build_memory,
        settings.build_cpus,
        least,
        settings.build_cache_max,
        largest=settings.image_max,
        classic=settings.builder == "classic",
    )


def registries(settings: Settings) -> Registries:
    """Returns the registry of Norn, and the logins of registries of apps."""
    return Registries(Registry.at(settings.registry_url, settings.registry_config), settings.registry_config)
