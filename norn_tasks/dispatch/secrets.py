"""Secrets of an app. Each value is encrypted here, so that only workers can decrypt it, and stored immediately.

A replica gets a new value at the next deploy or restart; a run or call gets it when it starts.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

from norn_tasks import sealing
from norn_tasks.dispatch.intake import Accepted, Intake, accept, found_app, new_job
from norn_tasks.domain.errors import AlreadyRunning, Conflict, InvalidRequest
from norn_tasks.domain.infraspec import Infraspec
from norn_tasks.domain.jobs.job import JobClass, JobKind
from norn_tasks.domain.jobs.requests import ExportSecretsJobRequest, ImportSecretsJobRequest, RotateKeyJobRequest
from norn_tasks.domain.secret import Secret
from norn_tasks.store.access.idempotency import IdempotencyKey
from norn_tasks.store.apps import secrets
from norn_tasks.store.apps.files import secret_files
from norn_tasks.store.database.session import Tx
from norn_tasks.store.fleet import workers
from norn_tasks.store.queue import jobs
from norn_tasks.store.status import apps


def set_secrets(tx: Tx, apps_dir: Path | None, app: str, values: Mapping[str, Secret], *, actor: str) -> dict[str, int]:
    """Sets some of an app's secrets and returns their new versions.

    Raises AppNotFound; InvalidRequest if the app would exceed its limits; Conflict if the server has no key yet, or if
    a name belongs to a credential that Norn sets.
    """
    _refuse_credentials(_require_app(tx, apps_dir, app), app, values)
    public = secrets.recipient(tx)
    try:
        sealed = {name: sealing.seal(value.reveal(), public) for name, value in values.items()}
    except sealing.NotAKey:
        raise Conflict("the server's public key for secrets is not a valid key", hint=secrets.NEW_START) from None
    return secrets.put(tx, app, sealed, actor=actor)


def unset_secret(tx: Tx, apps_dir: Path | None, app: str, name: str, *, actor: str) -> None:
    """Unsets one of an app's secrets; raises AppNotFound, NotFound if it is not set, Conflict if Norn sets it as a
    credential.
    """
    _refuse_credentials(_require_app(tx, apps_dir, app), app, (name,))
    secrets.unset(tx, app, name, actor=actor)


def request_import(intake: Intake, app: str, text: str, *, actor: str, key: IdempotencyKey | None) -> Accepted:
    """Accepts the import of an encrypted file. The file is stored in a row of its own, and the worker of the job
    decrypts it.
    """

    def write(tx: Tx) -> Accepted:
        found, _ = found_app(intake, tx, app)
        job = jobs.accept(tx, new_job(intake, ImportSecretsJobRequest(), app, actor, spec=found.spec.frozen()))
        secret_files.keep(tx, job, app, text)
        return Accepted(job)

    return accept(intake, JobClass.OBSERVE, key, write)


def request_export(
    intake: Intake, app: str, recipients: tuple[str, ...], *, actor: str, key: IdempotencyKey | None
) -> Accepted:
    """Accepts the export of an app's secrets to these public keys; raises InvalidRequest if one is not a public key."""
    for recipient in recipients:
        try:
            sealing.seal("", recipient)
        except sealing.NotAKey:
            raise InvalidRequest(
                f"recipients: {recipient[:80]} is no public age key",
                hint="age-keygen -y FILE prints the public key of a key file",
            ) from None

    def write(tx: Tx) -> Accepted:
        found, _ = found_app(intake, tx, app)
        request = ExportSecretsJobRequest(recipients)
        return Accepted(jobs.accept(tx, new_job(intake, request, app, actor, spec=found.spec.frozen())))

    return accept(intake, JobClass.OBSERVE, key, write)


def request_key_rotation(intake: Intake, *, actor: str, key: IdempotencyKey | None) -> Accepted:
    """Accepts a rotation of the server's key; raises Conflict if workers on several machines have copies of it.

    Raises AlreadyRunning while another rotation has not ended.
    """

    def write(tx: Tx) -> Accepted:
        secrets.recipient(tx)
        hosts = workers.live_hosts(tx)
        if len(hosts) > 1:
            raise Conflict(
                f"workers on {', '.join(hosts)} have a key file each, and a rotation changes only one of them",
                hint="stop the workers of all machines but one, rotate, copy age.key to the others (docs/secrets.md)",
            )
        jobs.alone(tx, JobKind.ROTATE_KEY)
        if jobs.open_of_kinds(tx, (JobKind.ROTATE_KEY,)):
            raise AlreadyRunning("the key is being rotated already", hint="norn jobs list --kind rotate-key")
        return Accepted(jobs.accept(tx, new_job(intake, RotateKeyJobRequest(), "", actor)))

    return accept(intake, JobClass.OBSERVE, key, write)


def _require_app(tx: Tx, apps_dir: Path | None, app: str) -> Infraspec | None:
    """Returns the app's spec, or None if the spec is broken: such an app keeps its secrets and may get new ones.

    Raises AppNotFound for a name that no app has.
    """
    return apps.record(tx, apps_dir, app).spec


def _refuse_credentials(spec: Infraspec | None, app: str, names: Collection[str]) -> None:
    """Raises Conflict for a name that Norn itself sets, because the app has a service."""
    for grant in spec.services.grants() if spec is not None else ():
        if grant.kind.variable in names:
            raise Conflict(
                f"{grant.kind.variable} of {app} is set by services.{grant.kind}",
                hint=f"norn services rotate {app} gives it a new password; to set it yourself, "
                f"take services.{grant.kind} out of the infraspec",
            )
