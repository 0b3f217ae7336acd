"""Fields of an infraspec that are accepted although they have no effect, with a notice that gives the reason for each.

Some of them belong to features that do not exist yet. Norn has no use for the others.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from norn_tasks.domain.infraspec.model import Infraspec
from norn_tasks.domain.infraspec.words import Role


@dataclass(frozen=True)
class Skipped:
    """A field that an infraspec sets and that is accepted without effect."""

    field: str
    used: Callable[[Infraspec], bool]
    because: str


_ONE_STORE = "has no effect, because Norn has one object store, that of NORN_SERVICES_S3_URL"
_WARM = "has no effect, because each call starts a fresh container of its own, and none is started in advance"
_NOT_PASSED_ON = "a shell drops variables with `.` or `-` in the name: write `command` as a list, which needs no shell"


def _lost_by_a_shell(spec: Infraspec) -> bool:
    return isinstance(spec.command, str) and any({".", "-"} & set(name) for name in (*spec.env, *spec.secrets))


def _names_a_provider(spec: Infraspec) -> bool:
    return spec.services.storage is not None and spec.services.storage.provider is not None


SKIPPED: tuple[Skipped, ...] = (
    Skipped("services.storage.provider", _names_a_provider, _ONE_STORE),
    Skipped("env", _lost_by_a_shell, _NOT_PASSED_ON),
    Skipped(
        "volumes[].size",
        lambda s: any(volume.size is not None for volume in s.volumes),
        "Docker does not limit the size of a volume: the size is stored and shown, but only the disk is the limit",
    ),
    Skipped(
        "alerts",
        lambda s: "alerts" in s.model_fields_set and s.role is Role.FUNCTION,
        "the calls of a function raise no alerts yet; nothing is counted for this role",
    ),
    Skipped("function.warm", lambda s: "warm" in s.function.model_fields_set, _WARM),
    Skipped("function.warmMax", lambda s: "warm_max" in s.function.model_fields_set, _WARM),
    Skipped("function.idle", lambda s: "idle" in s.function.model_fields_set, _WARM),
)


def notices(spec: Infraspec) -> tuple[str, ...]:
    """Returns a sentence for each field of this spec that is accepted, but has no effect."""
    return tuple(f"{row.field}: {row.because}" for row in SKIPPED if row.used(spec))
