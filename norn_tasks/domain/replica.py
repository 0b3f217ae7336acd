"""The replica: one container of the docker cluster, and the three moves of its life that the router follows."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class ReplicaState(StrEnum):
    """Where a replica is in its life; a gone one has no row any more."""

    STARTING = "starting"
    LIVE = "live"
    LEAVING = "leaving"


@dataclass(frozen=True)
class Replica:
    """A replica of the docker cluster as its row has it. `address` is `ip:port`, '' before it runs or without port.

    `state`: starting (recorded, not gated), live (gated: the router may send to it), leaving (the router must not).
    """

    container: str
    app: str
    release: int
    generation: int
    state: str
    address: str = ""
