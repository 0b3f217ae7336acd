"""The closed words of an infraspec, each list written once."""

from __future__ import annotations

from enum import StrEnum


class Role(StrEnum):
    """What an app is."""

    WEBSERVER = "webserver"
    WORKER = "worker"
    CRON = "cron"
    FUNCTION = "function"


class Catchup(StrEnum):
    """What becomes of occurrences that nobody was there to start."""

    NONE = "none"
    LAST = "last"
    ALL = "all"


class Concurrency(StrEnum):
    """What an occurrence does when the one before it is still running."""

    FORBID = "forbid"
    ALLOW = "allow"
    REPLACE = "replace"
    QUEUE = "queue"


class Runtime(StrEnum):
    """What starts the containers of a cron job or a function."""

    DOCKER = "docker"
    INCUS = "incus"


class Network(StrEnum):
    """What a container of a cron job or a function can reach."""

    BRIDGE = "bridge"
    NONE = "none"


class Trigger(StrEnum):
    """What calls a function."""

    HTTP = "http"


class Auth(StrEnum):
    """Who may call a function."""

    TOKEN = "token"  # noqa: S105 - a word of the spec, not a secret
    NONE = "none"


class Response(StrEnum):
    """How a function's output becomes an HTTP answer."""

    RAW = "raw"
    CGI = "cgi"


class Record(StrEnum):
    """What stays of a call after its answer was taken."""

    FULL = "full"
    OUTPUT = "output"
    META = "meta"
