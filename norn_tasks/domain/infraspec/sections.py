"""The sections of an infraspec, as frozen values; the text under each field is its description in the JSON Schema."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

from norn_tasks.domain import names, paths
from norn_tasks.domain.cron.expression import parse_schedule
from norn_tasks.domain.errors import InvalidRequest
from norn_tasks.domain.functions.origins import ANY_ORIGIN, PATTERN, origin
from norn_tasks.domain.infraspec import statuses
from norn_tasks.domain.infraspec.amounts import Cores, Memory, Seconds
from norn_tasks.domain.infraspec.kinds import CommandText, Flag, OneOf, Text, Whole
from norn_tasks.domain.infraspec.words import Auth, FunctionTrigger, Record, Response
from norn_tasks.domain.services import Grant, ServiceKind
from norn_tasks.domain.wording import shown

MIB = 2**20
HOUR = 3_600
"""The bytes of a mebibyte and the seconds of an hour."""
DAY = 24 * HOUR


class Section(BaseModel):
    """A part of an infraspec. It cannot be changed, and refuses unknown fields. Names are camelCase in the file, and
    snake_case here.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True)


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
    """Public host name, whose requests the server's tunnel or edge sends to the app."""
    internal: Annotated[str | None, Text(names.dns_label, pattern=names.DNS_LABEL)] = None
    """Name under which other apps reach the webserver; the default is the app's name."""


class Health(Section):
    """How Norn checks whether a webserver is healthy, before it is live and as long as it runs."""

    path: Annotated[str | None, Text(paths.http_path)] = None
    """HTTP path that answers when the app is healthy; `healthcheck` is its short form."""
    host: Annotated[str, Text(names.host_header)] = "localhost"
    """Host name in the request."""
    interval: Annotated[int, Seconds(15, HOUR)] = 15
    """Pause between two checks of a replica that is live."""
    timeout: Annotated[int, Seconds(1, 15)] = 2
    """Longest time of one check."""
    retries: Annotated[int, Whole(1, 100)] = 3
    """Number of checks that fail in a row before a live replica counts as unhealthy."""
    start_period: Annotated[int | None, Seconds(1, HOUR)] = None
    """How long a new replica may take to become healthy; the default is the server's setting, usually 2 minutes."""
    status: Annotated[str, Text(statuses.written, pattern=statuses.PATTERN, loose=True)] = "200-399"
    """Status of an answer that counts as healthy: a number, a range, or several with commas."""


class Build(Section):
    """How the image is built and tested."""

    dockerfile: Annotated[str, Text(paths.beneath_root)] = "Dockerfile"
    """Path of the Dockerfile, beneath the infraspec's directory."""
    test: Annotated[str | None, Text(loose=True, multiline=True)] = None
    """Shell command that runs in a container of the built image; a deploy continues only if it exits 0."""
    test_stage: Annotated[str | None, Text(names.stage_name, pattern=names.STAGE)] = None
    """Stage of the Dockerfile whose image runs the test; the default is the final image."""


class Repo(Section):
    """Where the source is."""

    url: Annotated[str | None, Text(names.repo_url)] = None
    """Git address: https or ssh, without a password."""
    branch: Annotated[str, Text(names.ref, loose=True)] = "main"
    """Branch, tag or commit that a deploy without a ref uses."""
    auto_deploy: Annotated[bool, Flag()] = False
    """Deploy on each push that the repository's webhook reports."""
    repo_web: Annotated[str | None, Text(names.web_url)] = None
    """Address of the repository's page, for links."""
    paths: tuple[Glob, ...] = ()
    """Patterns of file paths; a push deploys only if it changes a file that matches one of them."""


def _schedule(text: str) -> str:
    parse_schedule(text)
    return text


class DatabaseBackup(Section):
    """The backups of a database."""

    schedule: Annotated[str, Text(_schedule)]
    """Times of the backups, as five fields in UTC, a macro such as @daily, or @every and a duration."""
    keep: Annotated[int, Whole(1, 1000)] = 7
    """Number of backups that are kept."""


class Postgres(Section):
    """A database of the shared PostgreSQL."""

    database: Annotated[str, _word("[a-z_][a-z0-9_-]{0,62}", "a database's name (lower case, 63 at most)")]
    """Name of the database."""
    backup: DatabaseBackup | None = None
    """Its backups; without this section there are none."""


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
    """Name of one of several object stores; Norn has only one."""


class Services(Section):
    """Shared services that forge provisions; their credentials are in the environment of the app's containers."""

    postgres: Postgres | None = None
    """A database."""
    kv: Kv | None = None
    """A key-value namespace."""
    events: Events | None = None
    """Event topics."""
    storage: Storage | None = None
    """An object-store bucket."""

    def grants(self) -> tuple[Grant, ...]:
        """Returns the parts of each shared service that the app may use: its database, namespace, topics and bucket."""
        named = (
            (ServiceKind.POSTGRES, (self.postgres.database,) if self.postgres else ()),
            (ServiceKind.KV, (self.kv.namespace,) if self.kv else ()),
            (ServiceKind.EVENTS, self.events.topics if self.events else ()),
            (ServiceKind.STORAGE, (self.storage.bucket,) if self.storage else ()),
        )
        return tuple(Grant(kind, names) for kind, names in named if names)

    def credentials(self) -> tuple[str, ...]:
        """Returns the names of the variables that hold a credential."""
        return tuple(grant.kind.variable for grant in self.grants())

    def variables(self) -> dict[str, str]:
        """Returns the variables that hold no credential: the prefix of the app's keys, and the names of its topics."""
        prefix = {"KV_PREFIX": f"{self.kv.namespace}:"} if self.kv else {}
        return prefix | ({"EVENTS_TOPICS": ",".join(self.events.topics)} if self.events else {})


class Migrations(Section):
    """The command that migrates the database before a release takes traffic."""

    command: Annotated[str | tuple[str, ...] | None, CommandText()] = None
    """Command that runs in a container of the new image."""
    database: Annotated[str | None, _word("[a-z_][a-z0-9_-]{0,62}", "a database's name (lower case, 63 at most)")] = (
        None
    )
    """Database of which Norn takes a snapshot before the migration."""
    idempotent: Annotated[bool, Flag()] = False
    """Whether the command can safely run twice, so that an interrupted migration may be repeated."""

    def argv(self) -> tuple[str, ...] | None:
        """Returns the command as a list; text runs in a shell of the container."""
        return ("sh", "-c", self.command) if isinstance(self.command, str) else self.command


class Artifacts(Section):
    """Rules for keeping old releases."""

    retain: Annotated[int, Whole(1, 1000)] = 5
    """Number of releases whose image is kept."""


class Volume(Section):
    """A directory that outlives containers."""

    name: Annotated[str, Text(names.dns_label, pattern=names.DNS_LABEL)]
    """Name of the volume, within the app."""
    mount_path: Annotated[str, Text(paths.mount_path)]
    """Path of the volume in the container."""
    size: Annotated[int | None, Memory(MIB, 2**50)] = None
    """Requested size."""
    host_path: Annotated[str | None, Text(paths.absolute_path)] = None
    """Directory of the host that is mounted; the operator must allow it."""


class Resources(Section):
    """Limits of memory and processor of a container; on Kubernetes, the requests equal these limits."""

    memory: Annotated[int | None, Memory(6 * MIB, 2**40)] = None
    """Memory; the default for cron runs, tests and migrations is 512m."""
    cpu: Annotated[float | None, Cores(0.01, 256.0)] = None
    """Processor cores; the default for cron runs, tests and migrations is 1."""


class ContainerOptions(Section):
    """Restrictions of the containers that Norn starts (cron, function, test, migrate)."""

    writable: Annotated[bool, Flag()] = False
    """Make the root file system writable; its changes are discarded with the container."""


class Alerts(Section):
    """When the server raises an alert."""

    window: Annotated[int, Seconds(10, DAY)] = 300
    """Span of time in which failures are counted."""
    threshold: Annotated[int, Whole(1, 10_000)] = 3
    """Number of failures that raises the alert."""


class Retries(Section):
    """How often a failed run is retried."""

    max: Annotated[int, Whole(0, 20)] = 0
    """Number of retries after the first try."""
    backoff: Annotated[int, Seconds(1, HOUR)] = 10
    """Pause before the first retry."""


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
    trigger: Annotated[FunctionTrigger, OneOf(FunctionTrigger)] = FunctionTrigger.HTTP
    """Trigger that calls the function."""
    memory: Annotated[int, Memory(6 * MIB, 2**40)] = 256 * MIB
    """Memory of one call's container."""
    auth: Annotated[Auth, OneOf(Auth)] = Auth.TOKEN
    """Callers of `/fn/…`: holders of a token, or anyone."""
    cors: tuple[Annotated[str, Text(origin, pattern=PATTERN)], ...] = (ANY_ORIGIN,)
    """Origins whose pages may call the function from a browser; `*` means all."""
    concurrency: Annotated[int, Whole(1, 1000)] = 4
    """Number of calls that run at the same time; further calls wait."""
    max_body: Annotated[int, Memory(0, 64 * MIB)] = MIB
    """Largest request body."""
    max_output: Annotated[int, Memory(1, 64 * MIB)] = MIB
    """Largest answer."""
    response: Annotated[Response, OneOf(Response)] = Response.RAW
    """Meaning of standard output: the body, or headers and body."""
    content_type: Annotated[str, Text(_media_type)] = "text/plain"
    """Content type of a raw answer."""
    warm: Annotated[int, Whole(0, 64)] = 1
    """Accepted without effect: each call starts a fresh container, and none is started in advance."""
    warm_max: Annotated[int, Whole(0, 64)] = 8
    """Accepted without effect, because no container waits for calls."""
    idle: Annotated[int, Seconds(1, DAY)] = 300
    """Accepted without effect, because no container waits for calls."""
    record: Annotated[Record, OneOf(Record)] = Record.FULL
    """Parts of a call that are kept after its answer was read."""
