"""A new key for the server: all secrets are encrypted with it and none is lost, at whatever point the worker dies."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest
from sqlalchemy import text, update

from norn_tasks import dispatch, sealing
from norn_tasks.adapters.vault import AgeVault
from norn_tasks.dispatch import DestinationToAdd, add_destination, set_secrets
from norn_tasks.domain.errors import AlreadyRunning, Conflict
from norn_tasks.domain.jobs.job import JobClass, JobKind, JobState
from norn_tasks.domain.secret import Sealed, Secret
from norn_tasks.embedded.keys import ensure_key
from norn_tasks.pipelines.runner import Runner
from norn_tasks.ports import Limits, Tools
from norn_tasks.settings import Settings
from norn_tasks.store.apps import secrets
from norn_tasks.store.database.session import Database
from norn_tasks.store.fleet import workers
from norn_tasks.store.ledger.ledger import Ledger
from norn_tasks.store.tables import JobRow
from norn_tasks.store_adapters.secrets.sealed import SealedTables
from norn_tasks.worker.leases import JobStop
from norn_tasks.worker.output import StepOutput
from tests import factories

VALUES = {f"SECRET_{n}": f"value number {n}" for n in range(5)}


class Killed(BaseException):
    """Simulates the death of the worker."""


class Mortal:
    """Passes calls on, and simulates the worker's death before or after the n-th one."""

    def __init__(self, inner: object, countdown: list[int], after: bool) -> None:
        self._inner, self._countdown, self._after = inner, countdown, after

    def __getattr__(self, name: str) -> Callable[..., Any]:
        call = getattr(self._inner, name)

        def called(*args: Any) -> Any:
            self._countdown[0] -= 1
            if self._countdown[0] == 0 and not self._after:
                raise Killed
            result = call(*args)
            if self._countdown[0] == 0:
                raise Killed
            return result

        return called


class Plane:
    """A server with a key file, whose apps and receivers have secrets."""

    def __init__(self, database: Database, home: Path) -> None:
        self.database, self.home, self.file = database, home, home / "age.key"
        self.settings = Settings(data_dir=home)
        ensure_key(database, self.settings)
        factories.add_live(database, "blog", "worker")
        with database.transaction() as tx:
            set_secrets(tx, None, "blog", {name: Secret(value) for name, value in VALUES.items()}, actor="joe")
            add_destination(tx, DestinationToAdd("ops", "https://hooks.example/"), actor="joe")

    @property
    def public(self) -> str:
        """The public key to which secrets are sealed."""
        with self.database.transaction() as tx:
            return secrets.recipient(tx)

    def sealed(self) -> list[bytes]:
        """Returns every encrypted text."""
        with self.database.transaction() as tx:
            tables = ("secrets", "destinations")
            return [
                bytes(row.sealed)
                for name in tables
                for row in tx.execute(text(f"SELECT sealed FROM {name} ORDER BY name"))
            ]

    def accept(self) -> None:
        """Requests a rotation, which is accepted."""
        with self.database.transaction() as tx:
            tx.execute(update(JobRow).values(state="succeeded"))
            factories.add_job(tx, JobKind.ROTATE_KEY, "")

    def work(self, n: int = 0, *, after: bool = False) -> JobState | None:
        """Runs the job with a new worker that dies at its n-th call of a port."""
        vault, limits = AgeVault("", self.file), Limits(1, 1, 1, engine_patience=0.0, workspace=self.home, instance="t")
        countdown = [n]
        has = {
            "limits": limits,
            "vault": vault,
            "keyring": Mortal(vault, countdown, after),
            "sealed_rows": Mortal(SealedTables(self.database), countdown, after),
        }
        job = factories.claim(self.database, job_class=JobClass.OBSERVE)
        runner = Runner(
            Ledger(self.database, patience=1), cast(Tools, type("SomeTools", (), has)), StepOutput(self.database)
        )
        try:
            return runner.run(job, JobStop())
        except Killed:
            Ledger(self.database, patience=1).hand_back(job.fence, adopt=False)
            return None

    def require_rotated(self, before: str) -> None:
        """Fails unless all secrets are encrypted with one new key, the first of the file, and decrypt to their former
        values.
        """
        first = sealing.keys_in(self.file.read_text())[0]
        assert sealing.recipient_of(first) == self.public != before
        opened = [sealing.unseal(each, first) for each in self.sealed()]
        assert opened[: len(VALUES)] == list(VALUES.values())
        assert self.file.stat().st_mode & 0o777 == 0o600


@pytest.fixture
def plane(database: Database, tmp_path: Path) -> Plane:
    """A server with secrets."""
    return Plane(database, tmp_path)


def test_everything_is_sealed_to_a_new_key(plane: Plane) -> None:
    before, old = plane.public, plane.sealed()
    plane.accept()
    assert plane.work() is JobState.SUCCEEDED
    plane.require_rotated(before)
    assert not set(old) & set(plane.sealed())


def test_a_worker_that_dies_anywhere_is_followed_by_one_that_ends_it(plane: Plane) -> None:
    deaths, after, n = 0, False, 1
    while True:
        before = plane.public
        plane.accept()
        if plane.work(n, after=after) is None:
            deaths, n = deaths + 1, n + 1
            ensure_key(plane.database, plane.settings)
            assert AgeVault("", plane.file).open(Sealed("A", 1, plane.sealed()[0])).reveal() == "value number 0"
            assert plane.work() is JobState.SUCCEEDED
        elif after:
            break
        else:
            after, n = True, 1
        plane.require_rotated(before)
    assert deaths >= 20
    assert len(sealing.keys_in(plane.file.read_text())) == len(set(sealing.keys_in(plane.file.read_text())))


def test_a_worker_that_knew_the_earlier_key_opens_what_is_sealed_to_either(plane: Plane) -> None:
    vault, old = AgeVault("", plane.file), plane.sealed()[0]
    assert vault.open(Sealed("A", 1, old)).reveal() == "value number 0"
    plane.accept()
    plane.work()
    for sealed in (plane.sealed()[0], old):
        assert vault.open(Sealed("A", 1, sealed)).reveal() == "value number 0"


def test_a_key_in_the_environment_is_not_rotated(plane: Plane) -> None:
    with pytest.raises(Conflict, match="NORN_AGE_KEY, which a worker cannot change"):
        AgeVault(sealing.fresh_key(), plane.file).add_key(plane.public)


def test_a_rotation_is_refused_while_another_machine_has_a_copy(plane: Plane) -> None:
    intake = factories.intake(plane.database)
    with plane.database.transaction() as tx:
        for n in ("one", "two"):
            workers.say(tx, workers.Presence(n, JobClass.OBSERVE, f"host-{n}", 1, 4, factories.ENGINE, None))
    with pytest.raises(Conflict, match="workers on host-one, host-two have a key file each"):
        dispatch.request_key_rotation(intake, actor="joe", key=None)
    with plane.database.transaction() as tx:
        tx.execute(text("DELETE FROM workers WHERE host = 'host-two'"))
    dispatch.request_key_rotation(intake, actor="joe", key=None)
    with pytest.raises(AlreadyRunning, match="is being rotated already"):
        dispatch.request_key_rotation(intake, actor="joe", key=None)
