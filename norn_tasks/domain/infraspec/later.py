"""Features of the spec that are designed but not available yet, one row for each until it is.

`LATER` lists features whose absence must be noticed: using one is a mistake. `SKIPPED` lists features that are
harmless when they have no effect: they are accepted, and a notice says what is skipped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from norn_tasks.domain.infraspec.model import Infraspec
from norn_tasks.domain.infraspec.words import Auth, Response, Role
from norn_tasks.domain.infraspec.yaml.positions import At, Finding, Path


@dataclass(frozen=True)
class Later:
    """A use that is refused until its feature is available: the missing feature, and a hint."""

    path: Path
    used: Callable[[Infraspec], bool]
    missing: str
    hint: str


@dataclass(frozen=True)
class Skipped:
    """A use that is accepted but has no effect yet."""

    field: str
    used: Callable[[Infraspec], bool]
    because: str


LATER: tuple[Later, ...] = (
    Later(
        ("function", "response"),
        lambda s: s.function.response is Response.CGI,
        "cgi answers are",
        "write response: raw; standard output is then the body",
    ),
    Later(
        ("function", "auth"),
        lambda s: s.function.auth is Auth.NONE,
        "calls without a token are",
        "write auth: token, and give callers a token of scope invoke",
    ),
)

_STORES = "object stores are not there yet; forge and deploy refuse it"
_WARM = "nothing needs it: each call starts a fresh container of its own, and none is kept waiting"
_NOT_PASSED_ON = "a shell passes on no name with `.` or `-`: write `command` as a list, which needs no shell"


def _lost_by_a_shell(spec: Infraspec) -> bool:
    return isinstance(spec.command, str) and any({".", "-"} & set(name) for name in (*spec.env, *spec.secrets))


SKIPPED: tuple[Skipped, ...] = (
    Skipped("services.storage", lambda s: s.services.storage is not None, _STORES),
    Skipped("env", _lost_by_a_shell, _NOT_PASSED_ON),
    Skipped(
        "volumes[].size",
        lambda s: any(volume.size is not None for volume in s.volumes),
        "Docker holds no volume to a size; it is kept and shown, and the disk is the limit",
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


def not_yet(spec: Infraspec) -> Iterator[Finding]:
    """Yields a finding for each use of a feature in `LATER`."""
    for row in LATER:
        if row.used(spec):
            yield Finding(row.path, f"{row.missing} not there yet in this version", row.hint, At.KEY)


def notices(spec: Infraspec) -> tuple[str, ...]:
    """Returns a sentence for each field that is accepted but has no effect yet."""
    return tuple(f"{row.field}: {row.because}" for row in SKIPPED if row.used(spec))
