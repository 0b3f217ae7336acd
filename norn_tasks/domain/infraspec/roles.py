"""The fields that each role can use, and the fields that it requires."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from norn_tasks.domain.infraspec.fields import field_paths
from norn_tasks.domain.infraspec.words import LONG_RUNNING, Role
from norn_tasks.domain.infraspec.yaml.positions import At, Finding
from norn_tasks.domain.wording import one_of

_WEB = (Role.WEBSERVER,)
_CRON = (Role.CRON,)
_RUNS = (Role.CRON, Role.FUNCTION)


@dataclass(frozen=True)
class Use:
    """The roles that can use a field, and why no other role can."""

    roles: tuple[Role, ...]
    reason: str


USES: dict[str, Use] = {
    "port": Use(_WEB, "only a webserver is reached on a port"),
    "healthcheck": Use(_WEB, "only a webserver is probed over HTTP"),
    "health": Use(_WEB, "only a webserver is asked for its health"),
    "rollout": Use(LONG_RUNNING, "only a webserver and a worker are replaced while they run"),
    "stopGrace": Use((*LONG_RUNNING, Role.CRON), "a call of a function always has one second to end"),
    "streamGrace": Use(_WEB, "only a webserver has connections of clients"),
    "replicas": Use(LONG_RUNNING, "only a webserver and a worker run all the time"),
    "hosts": Use(_WEB, "only a webserver is reached by a name"),
    "schedule": Use(_CRON, "only a cron job runs by a schedule"),
    "timezone": Use(_CRON, "only a cron job runs by a schedule"),
    "catchup": Use(_CRON, "only a cron job runs by a schedule"),
    "startDeadline": Use(_CRON, "only a cron job runs by a schedule"),
    "concurrency": Use(_CRON, "only a cron job has runs that may overlap"),
    "jitter": Use(_CRON, "only a cron job runs by a schedule"),
    "retries": Use(_RUNS, "only a cron job and a function have runs that end"),
    "runtime": Use(_RUNS, "only a cron job and a function have a runtime to choose"),
    "timeout": Use(_CRON, "only a cron job's run has this limit"),
    "network": Use(_RUNS, "only a cron job and a function have a network to choose"),
    "function": Use((Role.FUNCTION,), "only a function is called"),
}

REQUIRED: dict[Role, tuple[tuple[str, str, str], ...]] = {
    Role.WEBSERVER: (
        ("port", "a webserver must say the port that its container listens on", "add a line such as port: 8080"),
    ),
    Role.CRON: (("schedule", "a cron job must say when it runs", 'add a line such as schedule: "0 9 * * *"'),),
}


def misplaced(written: tuple[str, ...], role: Role) -> Iterator[Finding]:
    """Yields a mistake for each written field that an app of this role cannot use."""
    for name in written:
        use = USES.get(name)
        if use and role not in use.roles:
            yield Finding((name,), f"a {role} cannot use it: {use.reason}", _hint(name, role, use), At.KEY)


def missing(written: tuple[str, ...], role: Role) -> Iterator[Finding]:
    """Yields a mistake for each missing field that this role requires; the mistake points to the field `role`."""
    for name, sentence, hint in REQUIRED.get(role, ()):
        if name not in written:
            yield Finding((name,), sentence, hint, seen_at=("role",))


def _hint(name: str, role: Role, use: Use) -> str:
    own = f"{role}.{name}"
    if own in field_paths():
        return f"write it as {own}"
    return f"take it out, or make the role {one_of(use.roles)}"
