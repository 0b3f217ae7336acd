"""The infraspec: the description of one app."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, WithJsonSchema

from norn_tasks.domain import names, paths
from norn_tasks.domain.cron.expression import parse_schedule, zone_name
from norn_tasks.domain.infraspec.amounts import Seconds
from norn_tasks.domain.infraspec.kinds import CommandText, Flag, OneOf, Text, Whole
from norn_tasks.domain.infraspec.sections import (
    DAY,
    Alerts,
    Artifacts,
    Build,
    ContainerOptions,
    FunctionOptions,
    Health,
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
from norn_tasks.domain.infraspec.words import Catchup, Concurrency, Network, Role, RolloutStrategy, RuntimeName
from norn_tasks.domain.sources import image_reference


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
    """One app, as its `infraspec.yaml` describes it."""

    app: Annotated[str, Text(names.app_name, pattern=names.APP_NAME)]
    """Name of the app, of its objects and of its images."""
    role: Annotated[Role, OneOf(Role)]
    """Kind of app: webserver, worker, cron or function."""
    deploy: Annotated[bool, Flag()] = True
    """False hides the app from lists, polling and scheduling."""
    core: Annotated[bool, Flag()] = False
    """Marks the app as part of the platform: lists show a badge and can filter by it."""
    port: Annotated[int | None, Whole(1, 65_535)] = None
    """Port on which a webserver's container listens."""
    healthcheck: Annotated[str | None, Text(paths.http_path)] = None
    """HTTP path that answers when the app is healthy."""
    health: Health = Health()
    """How a webserver is asked whether it is healthy."""
    rollout: Annotated[RolloutStrategy | None, OneOf(RolloutStrategy)] = None
    """Order in which old replicas end and new ones start; the default is `recreate` for one replica with a volume, else
    `rolling`.
    """
    stop_grace: Annotated[int, Seconds(1, 600)] = 10
    """Time between SIGTERM and SIGKILL of a replica or a run that is stopped."""
    stream_grace: Annotated[int | None, Seconds(0, 604800)] = None
    """Time for which a replica that was replaced keeps its open connections, such as WebSockets; the default is
    `NORN_STREAM_TIMEOUT`.
    """
    replicas: Annotated[int, Whole(0, 100)] = 1
    """Number of containers that run at the same time."""
    hosts: Hosts = Hosts()
    """Names under which a webserver is reached."""
    image: Annotated[str | None, Text(image_reference.checked)] = None
    """Image in a registry that is deployed unchanged; no image is built."""
    build: Build = Build()
    """Build and test of the image."""
    repo: Repo = Repo()
    """Git repository of the source."""
    services: Services = Services()
    """Shared services."""
    secrets: tuple[Name, ...] = ()
    """Names of the secrets that the app gets as environment variables; each of them must be set."""
    migrations: Migrations = Migrations()
    """Command that migrates the database before a release takes traffic."""
    artifacts: Artifacts = Artifacts()
    """Rules for keeping old releases."""
    volumes: tuple[Volume, ...] = ()
    """Directories that outlive containers."""
    env: Annotated[dict[Name, EnvValue], WithJsonSchema(_ENV_SCHEMA)] = Field(default_factory=dict)
    """Environment of every container of the app."""
    resources: Resources = Resources()
    """Limits of memory and processor of a container."""
    container: ContainerOptions = ContainerOptions()
    """Restrictions of the containers that Norn starts."""
    alerts: Alerts = Alerts()
    """When the server raises an alert."""
    schedule: Annotated[str | None, Text(_schedule)] = None
    """When a cron job runs: five fields, a macro such as @daily, or @every and a duration."""
    command: Annotated[str | tuple[str, ...] | None, CommandText()] = None
    """Command that replaces the image's own: a text for `sh -c`, or a list."""
    timezone: Annotated[str, Text(zone_name)] = "UTC"
    """IANA name of the schedule's time zone."""
    catchup: Annotated[Catchup, OneOf(Catchup)] = Catchup.LAST
    """Policy for missed occurrences: how many of them run later."""
    start_deadline: Annotated[int | None, Seconds(1, 7 * DAY)] = None
    """How late an occurrence may start; by default until the next one is due, and for at least a day."""
    concurrency: Annotated[Concurrency, OneOf(Concurrency)] = Concurrency.FORBID
    """Policy for an occurrence that is due while the previous one is still running."""
    jitter: Annotated[int, Seconds(0, DAY)] = 0
    """Longest delay that is added to an occurrence, to spread apps that are due at the same moment."""
    retries: Retries = Retries()
    """How often a failed run is tried again."""
    runtime: Annotated[RuntimeName, OneOf(RuntimeName)] = RuntimeName.DOCKER
    """Runtime that starts the containers of a cron job or a function."""
    timeout: Annotated[int, Seconds(1, DAY)] = 300
    """Longest time of one cron run."""
    network: Annotated[Network, OneOf(Network)] = Network.BRIDGE
    """Network that a container of a cron job or a function can reach."""
    function: FunctionOptions = FunctionOptions()
    """How a function is called."""

    @property
    def internal_host(self) -> str:
        """Returns the name under which other apps reach this one."""
        return self.hosts.internal or self.app

    @property
    def checked(self) -> Health:
        """Returns the options of the health check, with the path from `health.path` or its short form `healthcheck`."""
        return self.health.model_copy(update={"path": self.health.path or self.healthcheck})

    def recreates(self, replicas: int) -> bool:
        """Returns True if a rollout to this number of replicas must end the old ones before it starts new ones.

        A single replica with a volume probably expects to be the only program that uses the volume's data. Two such
        programs would lock each other out, or destroy the data.
        """
        alone = replicas == 1 and bool(self.volumes)
        return self.rollout is RolloutStrategy.RECREATE or (self.rollout is None and alone)

    def argv(self) -> list[str] | None:
        """Returns the command that replaces the image's own, or None to use the image's own."""
        if isinstance(self.command, str):
            return ["sh", "-c", self.command]
        return list(self.command) if self.command else None

    def to_json(self) -> dict[str, Any]:
        """Returns the fields that the file sets, normalized (bytes, seconds, camelCase), as input of `from_json`."""
        return self.model_dump(mode="json", by_alias=True, exclude_unset=True)

    def frozen(self) -> dict[str, Any]:
        """Returns every field that has a value, including defaults, for database rows that store an infraspec.

        So code that reads such a row needs no defaults, and a later change of a default does not change a running app.
        `alerts` is left out if the infraspec does not set it, because then each failed run of a cron app raises an
        alert.
        """
        left_out = {"alerts"} - self.model_fields_set
        return self.model_dump(mode="json", by_alias=True, exclude_none=True, exclude=left_out)
