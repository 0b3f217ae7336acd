"""The facts about a cluster on which an app's objects depend: the namespace, the server's version, and the operator's
settings.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Object = dict[str, Any]
"""An object of the API, as it is sent and read."""
Seen = Mapping[str, Any]
"""An object of the API that is read and not changed."""

SLEEPS_FROM = 30
"""The minor version from which a `preStop` hook can sleep without starting a program of the image, and from which the
server passes on the end of an input.
"""
BUDGETS_FROM = 21
"""The minor version from which policy/v1 exists."""
LOW_PORTS_FROM = 22
"""The minor version from which a pod may let every user listen on low ports."""


@dataclass(frozen=True, order=True)
class ServerVersion:
    """The version of an API server."""

    major: int
    minor: int

    @classmethod
    def read(cls, seen: Seen) -> ServerVersion:
        """Reads the answer of `/version`, whose numbers may end with a plus sign."""
        numbers = [re.match(r"\d+", str(seen.get(part, ""))) for part in ("major", "minor")]
        major, minor = (int(number[0]) if number else 0 for number in numbers)
        return cls(major, minor)

    @property
    def sleeps(self) -> bool:
        """True if a `preStop` hook can sleep without a program."""
        return self >= ServerVersion(1, SLEEPS_FROM)

    @property
    def passes_end_of_input(self) -> bool:
        """True if a program that Norn runs in a pod sees the end of its input."""
        return self >= ServerVersion(1, SLEEPS_FROM)

    @property
    def low_ports(self) -> bool:
        """True if a pod can let every user listen on ports below 1024."""
        return self >= ServerVersion(1, LOW_PORTS_FROM)

    @property
    def budget_group(self) -> str:
        """The API group and version of a PodDisruptionBudget."""
        return "policy/v1" if self >= ServerVersion(1, BUDGETS_FROM) else "policy/v1beta1"

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}"


@dataclass(frozen=True)
class Site:
    """Everything on which the objects of an app depend, in addition to the app's workload."""

    namespace: str
    """The namespace of all objects."""
    instance: str
    """The name of this control plane."""
    version: ServerVersion
    """The version of the API server."""
    rollout_timeout: float = 120
    """Seconds that a new replica may take to become healthy."""
    stay_up: float = 10
    """Seconds for which a replica without a healthcheck must run to count as healthy."""
    loaded: bool = False
    """True if the operator loads images onto the nodes, so that none is pulled."""
    registry_login: str = ""
    """The content of a `.dockerconfigjson` for the registry; empty if the registry asks for no login."""
    machine: str = ""
    """The processor architecture of the images that the engine builds, as `uname -m` names it; empty if unknown."""
    storage_class: str = ""
    """The StorageClass of volumes; empty for the cluster's default."""
