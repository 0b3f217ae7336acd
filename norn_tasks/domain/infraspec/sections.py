"""The sections of an infraspec, as frozen values; the words under each field are its description in the JSON Schema."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

from norn_tasks.domain import names, paths
from norn_tasks.domain.errors import InvalidRequest
from norn_tasks.domain.infraspec.amounts import Cores, Memory, Seconds
from norn_tasks.domain.infraspec.kinds import Command, Flag, OneOf, Text, Whole
from norn_tasks.domain.infraspec.words import Auth, Record, Response, Trigger
from norn_tasks.domain.wording import shown

MIB = 2**20
HOUR = 3_600
DAY = 24 * HOUR


class Section(BaseModel):
    """A part of the spec: frozen, closed, camelCase in the file and snake_case here."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True, use_attribute_docstrings=True
    )


def _word(pattern: str, what: str) -> Text:
    def check(text: str) -> str:
        if not re.fullmatch(pattern, text, re.ASCII):
            raise InvalidRequest(
                f"{shown(text)} is not {what}", hint="write letters and digits that begin with a letter"
            )
        return text

    return Text(check, pattern=pattern, loose=True)


Name = Annotated[str, Text(names.env_key, pattern=names.ENV_KEY)]
Glob = Annotated[str, Text(paths.pattern_beneath_root)]
Topic = Annotated[str, _word(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}", "a topic (letters, digits, `.`, `_` and `-`)")]


class Hosts(Section):
    """Names under which a webserver is reached."""

    external: Annotated[str | None, Text(names.hostname)] = None
    """Public host name. Tunnels are not there yet: a reverse proxy routes it."""
    internal: Annotated[str | None, Text(names.dns_label, pattern=names.DNS_LABEL)] = None
    """Name under which other apps reach it; the app's name when left out."""


class Build(Section):
    """How the image is made and tested."""

    dockerfile: Annotated[str, Text(paths.beneath_root)] = "Dockerfile"
    """Path of the Dockerfile, beneath the infraspec's directory."""
    test: Annotated[str | None, Text(loose=True, multiline=True)] = None
    """Shell text that runs in a container of the built image; a deploy goes on only when it exits 0."""
    test_stage: Annotated[str | None, Text(names.stage_name, pattern=names.STAGE)] = None
    """Stage of the Dockerfile whose image runs the test; the image itself when left out."""


class Repo(Section):
    """Where the source is."""

    url: Annotated[str | None, Text(names.repo_url)] = None
    """Git address: https or ssh, without a password."""
    branch: Annotated[str, Text(names.ref, loose=True)] = "main"
    """Branch, tag or commit that a deploy without a ref takes."""
    auto_deploy: Annotated[bool, Flag()] = False
    """Deploy on a push that the repository's webhook tells."""
    repo_web: Annotated[str | None, Text(names.web_url)] = None
    """Address of the repository's page, for links."""
    paths: tuple[Glob, ...] = ()
    """Patterns of files; a push deploys only when it touches one of them."""


class Postgres(Section):
    """A database of the shared PostgreSQL."""

    database: Annotated[str, _word("[a-z_][a-z0-9_-]{0,62}", "a database's name (lower case, 63 at most)")]
    """Name of the database."""


class Kv(Section):
    """A namespace of the shared key-value store."""

    namespace: Annotated[str, _word("[a-z0-9][a-z0-9._-]{0,62}", "a namespace (lower case, 63 at most)")]
    """Prefix of the app's keys."""


class Events(Section):
    """Topics of the shared event bus."""

    topics: tuple[Topic, ...]
    """Topics that the app reads or writes."""


class Storage(Section):
    """A bucket of the shared object store."""

    bucket: Annotated[str, _word("[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", "a bucket's name (lower case, 3 to 63)")]
    """Name of the bucket."""
    provider: Annotated[str | None, _word("[a-z][a-z0-9-]{0,38}", "a provider's name (lower case)")] = None
    """Which of the operator's object stores."""


class Services(Section):
    """Shared services, provisioned by forge and injected as environment."""

    postgres: Postgres | None = None
    """A database."""
    kv: Kv | None = None
    """A key-value namespace."""
    events: Events | None = None
    """Event topics."""
    storage: Storage | None = None
    """An object-store bucket."""


class Migrations(Section):
    """What changes the database before a release takes traffic."""

    command: Annotated[str | tuple[str, ...] | None, Command()] = None
    """Runs in a container of the new image."""
    database: Annotated[str | None, _word("[a-z_][a-z0-9_-]{0,62}", "a database's name (lower case, 63 at most)")] = (
        None
    )
    """Database that is snapshotted first."""
    idempotent: Annotated[bool, Flag()] = False
    """Whether running it twice is safe, so that an interrupted one may be repeated."""


class Artifacts(Section):
    """What is kept of old releases."""

    retain: Annotated[int, Whole(1, 1000)] = 5
    """Number of releases whose image is kept."""


class Volume(Section):
    """A directory that outlives containers."""

    name: Annotated[str, Text(names.dns_label, pattern=names.DNS_LABEL)]
    """Name of the volume, within the app."""
    mount_path: Annotated[str, Text(paths.mount_path)]
    """Where the container sees it."""
    size: Annotated[int | None, Memory(MIB, 2**50)] = None
    """Size of the claim."""
    host_path: Annotated[str | None, Text(paths.absolute_path)] = None
    """Directory of the host, where the operator allows it."""


class Resources(Section):
    """What a container may use; requests and limits are the same."""

    memory: Annotated[int | None, Memory(6 * MIB, 2**40)] = None
    """Memory; cron runs, tests and migrations have 512m when left out."""
    cpu: Annotated[float | None, Cores(0.01, 256.0)] = None
    """Processor cores; cron runs, tests and migrations have 1 when left out."""


class ContainerOptions(Section):
    """How Norn's own containers (cron, function, test, migrate) are closed."""

    writable: Annotated[bool, Flag()] = False
    """Make the root file system writable; what is written is thrown away."""


class Alerts(Section):
    """When the server raises an alert."""

    window: Annotated[int, Seconds(10, DAY)] = 300
    """Span of time in which failures are counted."""
    threshold: Annotated[int, Whole(1, 10_000)] = 3
    """Number of failures that raises the alert."""


class Retries(Section):
    """How often a failed run is tried again."""

    max: Annotated[int, Whole(0, 20)] = 0
    """Further tries after the first."""
    backoff: Annotated[int, Seconds(1, HOUR)] = 10
    """Pause before the first further try."""


MEDIA_TYPE = (
    r"[A-Za-z0-9!#$&^_.+-]{1,63}/[A-Za-z0-9!#$&^_.+-]{1,63}( *; *[A-Za-z0-9_-]{1,31}=[A-Za-z0-9_.-]{1,63}){0,4}"
)


def _media_type(text: str) -> str:
    if not re.fullmatch(MEDIA_TYPE, text, re.ASCII):
        raise InvalidRequest(f"{shown(text)} is not a media type", hint="write one such as application/json")
    return text


class FunctionOptions(Section):
    """How a function is called."""

    timeout: Annotated[int, Seconds(1, HOUR)] = 30
    """Longest time from the request to the answer."""
    trigger: Annotated[Trigger, OneOf(Trigger)] = Trigger.HTTP
    """What calls it."""
    memory: Annotated[int, Memory(6 * MIB, 2**40)] = 256 * MIB
    """Memory of one call's container."""
    auth: Annotated[Auth, OneOf(Auth)] = Auth.TOKEN
    """Who may call `/fn/…`: holders of a token, or anyone."""
    concurrency: Annotated[int, Whole(1, 1000)] = 4
    """Calls that run at once; further ones wait."""
    max_body: Annotated[int, Memory(0, 64 * MIB)] = MIB
    """Largest request body."""
    max_output: Annotated[int, Memory(1, 64 * MIB)] = MIB
    """Largest answer."""
    response: Annotated[Response, OneOf(Response)] = Response.RAW
    """What standard output is: the body, or headers and body."""
    content_type: Annotated[str, Text(_media_type)] = "text/plain"
    """Content type of a raw answer."""
    warm: Annotated[int, Whole(0, 64)] = 1
    """Containers kept started and waiting while calls come."""
    warm_max: Annotated[int, Whole(0, 64)] = 8
    """Most containers kept waiting."""
    idle: Annotated[int, Seconds(1, DAY)] = 300
    """Time without a call after which nothing is left running."""
    record: Annotated[Record, OneOf(Record)] = Record.FULL
    """What stays of a call after its answer was taken."""
