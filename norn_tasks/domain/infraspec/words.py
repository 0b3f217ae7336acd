"""The enums that an infraspec uses."""

from __future__ import annotations

from enum import StrEnum


class Role(StrEnum):
    """The kind of an app."""

    WEBSERVER = "webserver"
    WORKER = "worker"
    CRON = "cron"
    FUNCTION = "function"

    @property
    def long_running(self) -> bool:
        """True if the app's containers run all the time. Apps of the other roles start a container for each run or
        call.
        """
        return self in (Role.WEBSERVER, Role.WORKER)


LONG_RUNNING = tuple(role for role in Role if role.long_running)


class RolloutStrategy(StrEnum):
    """The order in which new replicas start and old ones end."""

    ROLLING = "rolling"
    RECREATE = "recreate"


class Catchup(StrEnum):
    """The policy for missed occurrences."""

    NONE = "none"
    LAST = "last"
    ALL = "all"


class Concurrency(StrEnum):
    """The policy for an occurrence that is due while the previous one is still running."""

    FORBID = "forbid"
    ALLOW = "allow"
    REPLACE = "replace"
    QUEUE = "queue"


class RuntimeName(StrEnum):
    """The runtime that starts the containers of a cron job or a function."""

    DOCKER = "docker"
    INCUS = "incus"


class Network(StrEnum):
    """The network that a container of a cron job or a function can reach."""

    BRIDGE = "bridge"
    NONE = "none"


class FunctionTrigger(StrEnum):
    """The trigger that calls a function."""

    HTTP = "http"


class Auth(StrEnum):
    """The callers that a function accepts."""

    TOKEN = "token"  # noqa: S105 - a value in the spec, not a secret
    NONE = "none"


class Response(StrEnum):
    """How a function's output becomes an HTTP answer."""

    RAW = "raw"
    CGI = "cgi"


class Record(StrEnum):
    """The parts of a call that are kept after its answer was read."""

    FULL = "full"
    OUTPUT = "output"
    META = "meta"
