"""The request of a job: frozen when the job is accepted, and read by its steps. Each kind of job has its own class.

The ledger keeps a request as JSON, whose keys are the fields of the class. Code outside this module never spells such a
key; SQL takes it from the constants at the top. A field that is None by default is written only when it has a value.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, fields
from typing import Annotated, Any, ClassVar, Final, Literal, Self

from pydantic import Field

from norn_tasks.domain.jobs.job import JobKind
from norn_tasks.domain.schedule import RunTrigger
from norn_tasks.domain.stored import dump, load

GENERATION: Final = "generation"
"""The key of the generation that a change of replicas continues."""
IMAGE_ID: Final = "image_id"
"""The key of the image of the release whose replicas a job changes."""
OVERRIDE: Final = "override"
"""The key of the app's scale override."""
MAY_OPEN: Final = "may_open"
"""The key of the permission to let anyone call a function."""
OVERRIDE_REPLICAS: Final = "replicas"
"""Within the override, the key of its number of replicas."""
REVISION: Final = "revision"
"""The key of the uploaded source that a deploy reads."""
OVERRIDE_SPEC: Final = "spec"
"""Within the override, the key of the number of replicas in the spec at the time when the override was set."""
TRIGGER: Final = "trigger"
"""The key of the reason for a cron run."""


@dataclass(frozen=True)
class JobRequest:
    """The arguments of a job; each kind of job has a class of its own."""

    kind: ClassVar[JobKind]
    """The kind of job that carries this request."""

    def to_json(self) -> dict[str, Any]:
        """Returns the JSON that the job's row keeps."""
        written = dump(self)
        optional = {field.name for field in fields(self) if field.default is None}
        return {key: value for key, value in written.items() if value is not None or key not in optional}

    @classmethod
    def from_json(cls, args: Mapping[str, Any]) -> Self:
        """Returns the request in a row's arguments, in which a missing key counts as null; raises JobUnreadable."""
        required = {field.name: None for field in fields(cls) if field.default is MISSING}
        return load(cls, {**required, **args})


@dataclass(frozen=True)
class Override:
    """The scale override of an app as a job freezes it."""

    replicas: int
    """The number of replicas that run while the override applies."""
    spec: int
    """The override applies only as long as the spec asks for this number of replicas."""


@dataclass(frozen=True)
class GitSource:
    """A repository."""

    url: str
    """Its address."""
    ref: str
    """The branch, tag or commit to check out."""
    source: Literal["git"] = "git"
    """Marks this kind of source."""


@dataclass(frozen=True)
class UploadSource:
    """A directory that was uploaded to Norn."""

    revision: str
    """The hash of its files."""
    ref: None = None
    """Uploads have no refs."""
    source: Literal["upload"] = "upload"
    """Marks this kind of source."""


@dataclass(frozen=True)
class DirectorySource:
    """A directory on the machine of the workers."""

    origin: str
    """Its path."""
    ref: None = None
    """Directories have no refs."""
    source: Literal["directory"] = "directory"
    """Marks this kind of source."""


@dataclass(frozen=True)
class ImageSource:
    """An image of a registry."""

    ref: str
    """Its reference, by tag or digest, as the infraspec or the deploy wrote it."""
    source: Literal["image"] = "image"
    """Marks this kind of source."""


Source = Annotated[GitSource | UploadSource | DirectorySource | ImageSource, Field(discriminator="source")]
"""The source from which a deploy gets its code; the fields of the source are keys of the request."""


@dataclass(frozen=True)
class ForgeJobRequest(JobRequest):
    """Makes or renews the infrastructure of an app."""

    kind = JobKind.FORGE

    override: Override | None
    """The app's scale override when the job was accepted."""
    force: bool = False
    """The infrastructure is torn down first."""
    image_id: str | None = None
    """The image of the live release, if the forge makes a new release with it; known once the forge has begun."""


@dataclass(frozen=True)
class DeployJobRequest(JobRequest):
    """Makes a new release of an app and brings it live."""

    kind = JobKind.DEPLOY

    source: Source
    """The source of its code."""
    override: Override | None
    """The app's scale override when the job was accepted."""
    may_open: bool = False
    """The sender may deploy a spec that lets anyone call the function."""

    def to_json(self) -> dict[str, Any]:
        """Returns the JSON that the job's row keeps; the keys of the source are on the same level as the others."""
        override = None if self.override is None else asdict(self.override)
        opens = {MAY_OPEN: True} if self.may_open else {}
        return {**dump(self.source), OVERRIDE: override, **opens}

    @classmethod
    def from_json(cls, args: Mapping[str, Any]) -> Self:
        """Returns the request in a row's arguments; raises JobUnreadable."""
        return load(cls, {"source": dict(args), OVERRIDE: args.get(OVERRIDE), MAY_OPEN: args.get(MAY_OPEN, False)})


@dataclass(frozen=True)
class ReplicasJobRequest(JobRequest):
    """A change of the replicas of a release that exists."""

    image_id: str
    """The image of the release."""
    override: Override | None
    """The app's scale override when the job was accepted, or the one that the job sets."""
    generation: int | None = None
    """The generation whose replicas the job keeps; None when it starts a generation of its own."""


@dataclass(frozen=True)
class RollbackJobRequest(ReplicasJobRequest):
    """Makes an earlier release live again, or restores the live one after a failed rollout."""

    kind = JobKind.ROLLBACK

    return_to: int | None = None
    """For a return after a failed rollout: the deployment that was live when the job was accepted."""


@dataclass(frozen=True)
class RestartJobRequest(ReplicasJobRequest):
    """Replaces the replicas of the live release, one after the other."""

    kind = JobKind.RESTART

    rotate: bool | None = None
    """The app first gets new passwords for its services. If the app has no replicas, the job does nothing else."""


@dataclass(frozen=True)
class ScaleJobRequest(ReplicasJobRequest):
    """Changes the number of replicas of the live release."""

    kind = JobKind.SCALE


@dataclass(frozen=True)
class RepairJobRequest(ReplicasJobRequest):
    """Restores the replicas that an observation found missing."""

    kind = JobKind.REPAIR

    missing: int = 0
    """How many were missing."""


@dataclass(frozen=True)
class CompareJobRequest(ReplicasJobRequest):
    """Compares the running app with its live release, and changes nothing."""

    kind = JobKind.COMPARE


Overridable = ForgeJobRequest | DeployJobRequest | ReplicasJobRequest
"""The requests that carry the app's scale override."""


@dataclass(frozen=True)
class TeardownJobRequest(JobRequest):
    """Removes everything that forge made."""

    kind = JobKind.TEARDOWN

    purge: bool = False
    """The app's volumes are removed too."""


@dataclass(frozen=True)
class PushJobRequest(JobRequest):
    """Deploys a commit that was pushed, if it is the newest of its branch and changes a file that matters."""

    kind = JobKind.PUSH

    url: str
    """The address of the repository."""
    branch: str
    """The branch."""
    before: str | None
    """The commit that the branch named before the push; None for a new branch."""
    after: str
    """The commit that the branch names since the push."""
    paths: tuple[str, ...] = ()
    """The patterns of the files that matter; if there are no patterns, all files matter."""


@dataclass(frozen=True)
class PolledBranch:
    """A branch of a repository, for whose newest commit Norn asks git."""

    repository: str
    """The name under which Norn keeps the answer: host and path."""
    url: str
    """The address of the repository."""
    branch: str
    """The branch."""


@dataclass(frozen=True)
class PollJobRequest(JobRequest):
    """Asks git which commits the branches of apps name now."""

    kind = JobKind.POLL

    branches: tuple[PolledBranch, ...]
    """The branches."""


@dataclass(frozen=True)
class SnapshotJobRequest(JobRequest):
    """Takes a snapshot of the database of an app."""

    kind = JobKind.SNAPSHOT

    backup: bool | None = None
    """The snapshot is a backup, which is kept as `services.postgres.backup` says."""


@dataclass(frozen=True)
class RestoreJobRequest(JobRequest):
    """Replaces the database of an app with a snapshot."""

    kind = JobKind.RESTORE

    snapshot: int
    """The number of the snapshot."""


@dataclass(frozen=True)
class DrillJobRequest(JobRequest):
    """Restores the newest backup of an app's database into a scratch database, and checks the row counts."""

    kind = JobKind.DRILL


@dataclass(frozen=True)
class InvokeJobRequest(JobRequest):
    """Runs a function for one call; the call is in the row of its execution."""

    kind = JobKind.INVOKE

    stream: bool | None = None
    """The client reads standard output while the code runs; None if the client waits for the end."""


@dataclass(frozen=True)
class CronRunJobRequest(JobRequest):
    """Runs a cron app once."""

    kind = JobKind.CRON_RUN

    trigger: RunTrigger | None = None
    """The reason for the run: its schedule, a catch-up or a person."""


@dataclass(frozen=True)
class ClientTerminal:
    """The terminal of a client that is connected to a command; a client without a terminal has pipes."""

    tty: bool
    """The command gets a terminal."""
    term: str
    """The type of the client's terminal."""
    size: tuple[int, int] | None
    """Rows and columns of the client's terminal."""


@dataclass(frozen=True)
class RunJobRequest(JobRequest):
    """Runs a command once in the image of an app."""

    kind = JobKind.RUN

    command: tuple[str, ...]
    """The command and its arguments."""
    timeout: int
    """The seconds after which the command is stopped."""
    client: ClientTerminal | None = None
    """The terminal of the client that is connected to its input and output; None if no client is connected."""


@dataclass(frozen=True)
class ObserveJobRequest(JobRequest):
    """Observes a cluster, the engines of a worker, the tunnel, the databases of apps, or Cloudflare Access's keys."""

    kind = JobKind.OBSERVE

    tunnel: bool | None = None
    """The job observes the tunnel and its DNS."""
    access: bool | None = None
    """The job fetches the keys of Cloudflare Access."""
    databases: bool | None = None
    """The job observes the databases of apps."""


@dataclass(frozen=True)
class ReadLogsJobRequest(JobRequest):
    """Reads the logs of an app's replicas for a client that is connected."""

    kind = JobKind.READ_LOGS

    tail: int
    """The number of past lines to begin with."""
    follow: bool
    """New lines are read until the client leaves."""
    since: int | None = None
    """Only lines of this time or later, in nanoseconds since 1970."""
    until: int | None = None
    """Only lines from before this time, in nanoseconds since 1970."""
    grep: str | None = None
    """Only lines in which this regular expression is found."""
    release: int | None = None
    """Only lines of this release."""
    replica: int | None = None
    """Only lines of the replica with this number."""
    previous: bool | None = None
    """Only lines of the latest replicas that no longer exist."""
    oldest: int | None = None
    """When the app was registered, in nanoseconds since 1970: earlier lines belong to a former app of the same name."""


@dataclass(frozen=True)
class NotifyJobRequest(JobRequest):
    """Tries to deliver a notification once."""

    kind = JobKind.NOTIFY

    delivery: int
    """The id of the delivery."""
    attempt: int
    """The number of this attempt, from 1."""


@dataclass(frozen=True)
class CallDeadManJobRequest(JobRequest):
    """Calls the address of an outside service, which raises an alarm if these calls stop."""

    kind = JobKind.CALL_DEADMAN


@dataclass(frozen=True)
class ExecJobRequest(JobRequest):
    """Runs a program in a live replica for a client that is connected."""

    kind = JobKind.EXEC

    command: tuple[str, ...]
    """The program and its arguments."""
    replica: int | None
    """The number of the replica; None if any replica will do."""
    tty: bool
    """The program gets a terminal."""
    term: str
    """The type of the client's terminal."""
    size: tuple[int, int] | None
    """Rows and columns of the client's terminal."""


@dataclass(frozen=True)
class ImportSecretsJobRequest(JobRequest):
    """Sets the secrets that an encrypted file contains; the file is kept in a row of its own."""

    kind = JobKind.IMPORT_SECRETS


@dataclass(frozen=True)
class ExportSecretsJobRequest(JobRequest):
    """Writes the secrets of an app into a file that only the given keys can decrypt."""

    kind = JobKind.EXPORT_SECRETS

    recipients: tuple[str, ...]
    """The public age keys of the readers."""


@dataclass(frozen=True)
class RotateKeyJobRequest(JobRequest):
    """Seals all secrets of the server to a new key."""

    kind = JobKind.ROTATE_KEY


KINDS: Final[Mapping[JobKind, type[JobRequest]]] = {
    kind.kind: kind
    for kind in (
        ForgeJobRequest, DeployJobRequest, RollbackJobRequest, RestartJobRequest, ScaleJobRequest, RepairJobRequest,
        TeardownJobRequest, PushJobRequest, PollJobRequest, SnapshotJobRequest, RestoreJobRequest, DrillJobRequest,
        InvokeJobRequest, CronRunJobRequest, RunJobRequest, ObserveJobRequest, CompareJobRequest, ReadLogsJobRequest,
        NotifyJobRequest, CallDeadManJobRequest, ExecJobRequest, ImportSecretsJobRequest, ExportSecretsJobRequest,
        RotateKeyJobRequest,
    )
}  # fmt: skip


def read(kind: str, args: Mapping[str, Any]) -> JobRequest:
    """Returns the request of a job of this kind from the arguments in its row; raises JobUnreadable."""
    return KINDS[JobKind(kind)].from_json(args)
