"""Secrets as rows, until a worker reads them: versions, replaced and deleted values, and hiding in output."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest
from sqlalchemy import select, text

from norn_tasks import sealing
from norn_tasks.dispatch import set_secrets, unset_secret
from norn_tasks.domain.errors import AppNotFound, Conflict, InvalidRequest, NotFound, StepFailed
from norn_tasks.domain.jobs.claimed import Job
from norn_tasks.domain.jobs.facts import SecretVersions
from norn_tasks.domain.jobs.job import JobClass, JobKind, JobState
from norn_tasks.domain.jobs.step import Learned
from norn_tasks.domain.jobs.writes import ReleaseLive
from norn_tasks.domain.secret import MOST, Sealed, Secret, current
from norn_tasks.pipelines.runner import Runner
from norn_tasks.ports import Limits, Tools
from norn_tasks.steps.secrets import SyncSecrets
from norn_tasks.steps.step import Step, StepContext
from norn_tasks.store.apps import registry, secrets
from norn_tasks.store.database.session import Database
from norn_tasks.store.ledger.ledger import Ledger, hold
from norn_tasks.store.queue import step_logs
from norn_tasks.store.releases import go_live
from norn_tasks.store.tables import EventRow, JobRow, StepRow
from norn_tasks.worker.leases import JobStop
from norn_tasks.worker.output import StepOutput
from tests import factories
from tests.fakes.stop import FakeWatch
from tests.fakes.vault import FakeVault, sealed

KEY = sealing.fresh_key()


@pytest.fixture
def keyed(database: Database) -> Database:
    """A database whose server has a key, with a worker app `blog` whose spec names the secret API_KEY."""
    factories.add_live(database, "blog", "worker", "secrets: [API_KEY]\n")
    with database.transaction() as tx:
        secrets.remember_recipient(tx, sealing.recipient_of(KEY))
    return database


def give(database: Database, **values: str) -> dict[str, int]:
    with database.transaction() as tx:
        return set_secrets(tx, None, "blog", {name: Secret(value) for name, value in values.items()}, actor="joe")


def take_away(database: Database, name: str) -> None:
    with database.transaction() as tx:
        unset_secret(tx, None, "blog", name, actor="joe")


def kept(database: Database) -> tuple[Sealed, ...]:
    with database.transaction() as tx:
        return secrets.sealed_of(tx, "blog")


def opened(these: tuple[Sealed, ...]) -> dict[str, str]:
    return {name: sealing.unseal(each.sealed, KEY) for name, each in current(these).items()}


# Rows


def test_only_the_servers_key_opens_what_is_kept(keyed: Database) -> None:
    give(keyed, API_KEY="hunter2!", OTHER="x")
    assert opened(kept(keyed)) == {"API_KEY": "hunter2!", "OTHER": "x"}


def test_setting_merges_and_counts(keyed: Database) -> None:
    give(keyed, API_KEY="one", OTHER="x")
    assert give(keyed, API_KEY="two") == {"API_KEY": 2}
    assert opened(kept(keyed)) == {"API_KEY": "two", "OTHER": "x"}


def test_an_event_tells_the_names_and_no_value(keyed: Database) -> None:
    give(keyed, API_KEY="hunter2!")
    take_away(keyed, "API_KEY")
    with keyed.transaction() as tx:
        told = [(row.kind, row.data) for row in tx.execute(select(EventRow).where(EventRow.kind.like("secret.%")))]
    assert told == [
        ("secret.set", {"names": ["API_KEY"], "actor": "joe"}),
        ("secret.unset", {"names": ["API_KEY"], "actor": "joe"}),
    ]


def test_what_is_not_set_cannot_be_unset(keyed: Database) -> None:
    with pytest.raises(NotFound, match="blog has no secret API_KEY"):
        take_away(keyed, "API_KEY")


def test_an_app_that_is_not_there_has_none(keyed: Database) -> None:
    with keyed.transaction() as tx, pytest.raises(AppNotFound):
        set_secrets(tx, None, "nosuch", {"A": Secret("x")}, actor="joe")


def test_a_server_without_a_key_says_so(database: Database) -> None:
    factories.add_live(database, "blog", "worker")
    with pytest.raises(Conflict, match="no key for secrets yet"):
        give(database, API_KEY="x")


def test_more_than_an_environment_takes_are_refused(keyed: Database) -> None:
    with pytest.raises(InvalidRequest, match=f"{MOST} is the most"):
        give(keyed, **{f"S{n}": "x" for n in range(MOST + 1)})
    with pytest.raises(InvalidRequest, match="bytes together"):
        give(keyed, **{f"S{n}": "x" * 130_000 for n in range(9)})
    assert kept(keyed) == ()


def test_an_app_that_is_forgotten_leaves_no_secret(keyed: Database) -> None:
    give(keyed, API_KEY="x")
    with keyed.transaction() as tx:
        tx.execute(text("UPDATE apps SET live_deployment = NULL, forge_state = 'unforged'"))
        registry.remove(tx, None, "blog", actor="joe")
    assert kept(keyed) == ()


# Replaced values


def bring_live(database: Database, job: Job) -> None:
    with database.transaction() as tx:
        go_live.release_live(tx, hold(tx, job.fence), ReleaseLive(job.id))


def begin(database: Database, kind: JobKind = JobKind.RESTART, worker: str = "w1") -> Job:
    with database.transaction() as tx:
        factories.add_job(tx, kind, spec=factories.spec("blog", "worker").frozen())
    return factories.claim(database, worker)


def test_a_claimed_job_has_the_secrets_of_its_claim(keyed: Database) -> None:
    give(keyed, API_KEY="one")
    job = begin(keyed)
    give(keyed, API_KEY="two")
    assert opened(job.sealed) == {"API_KEY": "one"}


def test_what_was_replaced_is_kept_as_long_as_replicas_have_it(keyed: Database) -> None:
    give(keyed, API_KEY="one")
    bring_live(keyed, begin(keyed))
    give(keyed, API_KEY="two")
    assert [(each.version, each.current) for each in kept(keyed)] == [(1, False), (2, True)]
    with keyed.transaction() as tx:
        tx.execute(text("UPDATE jobs SET state = 'succeeded'"))
    bring_live(keyed, begin(keyed))
    assert [(each.version, each.current) for each in kept(keyed)] == [(2, True)]


def test_what_was_replaced_during_a_rollout_is_kept_after_it(keyed: Database) -> None:
    give(keyed, API_KEY="one")
    job = begin(keyed)
    give(keyed, API_KEY="two")
    bring_live(keyed, job)
    assert len(kept(keyed)) == 2


def test_what_a_run_was_given_is_kept_until_it_has_ended(keyed: Database) -> None:
    factories.add_live(keyed, "tick", "function")
    with keyed.transaction() as tx:
        factories.add_job(tx, JobKind.INVOKE, "blog", engine=factories.ENGINE)
        tx.execute(text("INSERT INTO slots(class, app, n) VALUES ('invoke', 'blog', 1)"))
        tx.execute(text("INSERT INTO func_executions(id, app, job_id, sync, method, path, actor)"
                        " VALUES (7, 'blog', 1, false, 'GET', '/', 'joe')"))  # fmt: skip
        tx.execute(text("INSERT INTO execution_io(execution) VALUES (7)"))
        tx.execute(text("UPDATE jobs SET execution = 7 WHERE kind = 'invoke'"))
    give(keyed, API_KEY="one")
    factories.claim(keyed, "w2", JobClass.INVOKE)
    give(keyed, API_KEY="two")
    bring_live(keyed, begin(keyed))
    assert len(kept(keyed)) == 2


def test_an_app_without_replicas_keeps_no_more_than_its_runs_may_have(keyed: Database) -> None:
    for value in ("one", "two", "three"):
        give(keyed, API_KEY=value)
    assert [each.version for each in kept(keyed)] == [1, 2, 3]
    with keyed.transaction() as tx:
        tx.execute(text("UPDATE apps SET role = 'function'"))
    give(keyed, API_KEY="four")
    assert [each.version for each in kept(keyed)] == [3, 4]
    take_away(keyed, "API_KEY")
    assert [each.version for each in kept(keyed)] == [4]


# The step


def context_of(*these: Sealed, vault: FakeVault | None = None) -> StepContext:
    spec = factories.spec("blog", "worker", "secrets: [API_KEY, OTHER]\n")
    job = Job(id=1, request=factories.DEPLOY, app="blog", spec=spec, fence=cast(Any, None), sealed=these)
    tools = cast(Tools, type("SomeTools", (), {"vault": vault or FakeVault()}))
    return StepContext(job, tools, FakeWatch().watch, cast(Any, None))


def test_the_step_tells_which_versions_go_live() -> None:
    learned = SyncSecrets().run(context_of(sealed("API_KEY", "x", 3), sealed("OTHER", "y"), sealed("UNNAMED", "z")))
    assert learned == Learned(facts=(SecretVersions({"API_KEY": 3, "OTHER": 1}),), note="API_KEY v3, OTHER v1")


def test_a_missing_one_fails_with_the_command_that_sets_it() -> None:
    with pytest.raises(Conflict) as refused:
        SyncSecrets().run(context_of(sealed("OTHER", "y"), sealed("API_KEY", "old", current=False)))
    assert refused.value.sentence == "blog names a secret that is not set: API_KEY"
    assert refused.value.hint == "norn secrets set blog API_KEY, then again"


def test_forge_only_notes_what_is_missing() -> None:
    assert SyncSecrets(strict=False).run(context_of()) == Learned(note="not set yet: API_KEY, OTHER")


def test_a_lost_key_fails_before_anything_is_touched() -> None:
    with pytest.raises(Conflict, match="cannot be opened"):
        SyncSecrets().run(context_of(sealed("API_KEY", "x"), sealed("OTHER", "y"), vault=FakeVault(locked=True)))


# Hiding in everything that a job leaves behind


class Doing(Step):
    """A step that behaves as the test says."""

    name = "doing"

    def __init__(self, do: Callable[[StepContext], Learned | None]) -> None:
        self._do = do

    def run(self, context: StepContext) -> Learned | None:
        return self._do(context)


@pytest.fixture
def play(database: Database, tmp_path: Path) -> Callable[..., JobState | None]:
    limits = Limits(1, 1, 1, engine_patience=0.0, workspace=tmp_path, instance="t")
    tools = cast(Tools, type("SomeTools", (), {"limits": limits, "vault": FakeVault()}))

    def run(do: Callable[[StepContext], Learned | None]) -> JobState | None:
        with database.transaction() as tx:
            factories.add_job(tx, spec=factories.spec("blog").frozen())
            secrets.put(tx, "blog", {"API_KEY": b"!2retnuh"}, actor="joe")
        pipelines = {JobKind.FORGE: lambda _: (Doing(do),)}
        runner = Runner(Ledger(database, patience=1), tools, StepOutput(database), pipelines=pipelines)
        return runner.run(factories.claim(database), JobStop())

    return run


def everything(database: Database) -> str:
    """Returns everything that is kept of jobs, steps, their logs and events, as text."""
    with database.transaction() as tx:
        tables = ("jobs", "steps", "step_logs", "events")
        return "\n".join(str(row) for name in tables for row in tx.execute(text(f"SELECT * FROM {name}")))


def test_what_a_step_says_is_hidden_also_in_pieces(database: Database, play: Any) -> None:
    def say(context: StepContext) -> None:
        context.watch.say("the key is hun")
        context.watch.say("ter2! and it ends with hunt")

    play(say)
    with database.transaction() as tx:
        job = tx.scalar(select(JobRow.id)) or 0
        assert step_logs.tail(tx, job, "doing", 5) == ["the key is *** and it ends with hunt"]


def test_a_note_is_hidden(database: Database, play: Any) -> None:
    play(lambda _: Learned(note="hunter2!"))
    with database.transaction() as tx:
        assert tx.scalar(select(StepRow.note)) == "***"


def test_a_failure_is_hidden_in_sentence_hint_and_last_lines(database: Database, play: Any) -> None:
    def fail(_: StepContext) -> None:
        raise StepFailed("it said hunter2!", hint="try hunter2!", last_lines=["hunter2!"])

    assert play(fail) is JobState.FAILED
    assert "hunter2!" not in everything(database)
    with database.transaction() as tx:
        assert tx.scalar(select(JobRow.error)) == {"code": "step_failed", "sentence": "it said ***", "hint": "try ***"}


def test_a_defect_is_hidden_in_rows_and_log(database: Database, play: Any, capsys: pytest.CaptureFixture[str]) -> None:
    def broken(_: StepContext) -> None:
        raise ValueError("hunter2!")

    play(broken)
    printed = capsys.readouterr()
    assert "hunter2!" not in everything(database) + printed.out + printed.err
    assert "a defect" in printed.out + printed.err
