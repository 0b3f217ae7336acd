"""The infraspec itself: what one app says it is."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, WithJsonSchema

from norn_tasks.domain import names, paths
from norn_tasks.domain.cron import parse_schedule, zone_name
from norn_tasks.domain.infraspec.amounts import Seconds
from norn_tasks.domain.infraspec.kinds import Command, Flag, OneOf, Text, Whole
from norn_tasks.domain.infraspec.sections import (
    DAY,
    Alerts,
    Artifacts,
    Build,
    ContainerOptions,
    FunctionOptions,
    Hosts,
    Migrations,
    Name,
    Repo,
    Resources,
    Retries,
    Section,
    Services,
    Volume,
)
from norn_tasks.domain.infraspec.words import Catchup, Concurrency, Network, Role, Runtime


def _schedule(text: str) -> str:
    parse_schedule(text)
    return text


EnvValue = Annotated[str, Text(loose=True, multiline=True, may_be_empty=True)]
_ENV_SCHEMA: dict[str, Any] = {
    "type": "object",
    "propertyNames": {"pattern": f"^(?!{names.RESERVED_ENV})(?:{names.ENV_KEY})$"},
    "additionalProperties": Text(loose=True).schema(),
}


class Infraspec(Section):
    """One app, as its `infraspec.yaml` says it."""

    app: Annotated[str, Text(names.app_name, pattern=names.APP_NAME)]
    """Name of the app, of its objects and of its images."""
    role: Annotated[Role, OneOf(Role)]
    """What the app is."""
    deploy: Annotated[bool, Flag()] = True
    """False hides the app from lists, polling and scheduling."""
    core: Annotated[bool, Flag()] = False
    """Whether the app is part of the platform: a badge and a filter."""
    port: Annotated[int | None, Whole(1, 65_535)] = None
    """Port on which a webserver's container listens."""
    healthcheck: Annotated[str | None, Text(paths.http_path)] = None
    """HTTP path that answers when the app is well."""
    replicas: Annotated[int, Whole(0, 100)] = 1
    """Containers that run at once."""
    hosts: Hosts = Hosts()
    """Names under which a webserver is reached."""
    build: Build = Build()
    """How the image is made and tested."""
    repo: Repo = Repo()
    """Where the source is."""
    services: Services = Services()
    """Shared services."""
    secrets: tuple[Name, ...] = ()
    """Names of secrets that must exist, injected as environment."""
    migrations: Migrations = Migrations()
    """What changes the database before a release takes traffic."""
    artifacts: Artifacts = Artifacts()
    """What is kept of old releases."""
    volumes: tuple[Volume, ...] = ()
    """Directories that outlive containers."""
    env: Annotated[dict[Name, EnvValue], WithJsonSchema(_ENV_SCHEMA)] = Field(default_factory=dict)
    """Environment of every container of the app."""
    resources: Resources = Resources()
    """What a container may use."""
    container: ContainerOptions = ContainerOptions()
    """How Norn's own containers are closed."""
    alerts: Alerts = Alerts()
    """When the server raises an alert."""
    schedule: Annotated[str | None, Text(_schedule)] = None
    """When a cron job runs: five fields, a macro such as @daily, or @every and a duration."""
    command: Annotated[str | tuple[str, ...] | None, Command()] = None
    """What the container runs in place of the image's own command: a text for `sh -c`, or a list."""
    timezone: Annotated[str, Text(zone_name)] = "UTC"
    """IANA name of the zone in which the schedule is meant."""
    catchup: Annotated[Catchup, OneOf(Catchup)] = Catchup.LAST
    """Which of the occurrences that nobody was there to start run later."""
    start_deadline: Annotated[int | None, Seconds(1, 7 * DAY)] = None
    """How late an occurrence may start; until the next one is due when left out."""
    concurrency: Annotated[Concurrency, OneOf(Concurrency)] = Concurrency.FORBID
    """What an occurrence does when the one before it is still running."""
    jitter: Annotated[int, Seconds(0, DAY)] = 0
    """Longest delay that is added to an occurrence, the same each time."""
    retries: Retries = Retries()
    """How often a failed run is tried again."""
    runtime: Annotated[Runtime, OneOf(Runtime)] = Runtime.DOCKER
    """What starts the containers of a cron job or a function."""
    timeout: Annotated[int, Seconds(1, DAY)] = 300
    """Longest time of one cron run."""
    network: Annotated[Network, OneOf(Network)] = Network.BRIDGE
    """What a container of a cron job or a function can reach."""
    function: FunctionOptions = FunctionOptions()
    """How a function is called."""

    @property
    def internal_host(self) -> str:
        """Return the name under which other apps reach this one."""
        return self.hosts.internal or self.app

    def argv(self) -> list[str] | None:
        """Return what the container executes in place of its image's own command, or None for that one."""
        if isinstance(self.command, str):
            return ["sh", "-c", self.command]
        return list(self.command) if self.command else None

    def to_json(self) -> dict[str, Any]:
        """Return what was written, in one spelling (bytes, seconds, camelCase), for `from_json` to read back."""
        return self.model_dump(mode="json", by_alias=True, exclude_unset=True)
