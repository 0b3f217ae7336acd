"""The promises of a store of uploaded sources, tested on the fake and on the real one."""

from __future__ import annotations

import io
import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import pytest
from sqlalchemy import text

from norn_tasks.adapters.sources.uploads import UnpackedUploads
from norn_tasks.dispatch import keep_source, request_deploy
from norn_tasks.domain.errors import SourceError, Stopped
from norn_tasks.domain.sources import archive
from norn_tasks.ports import Sources
from norn_tasks.store.apps import uploads
from norn_tasks.store.database.session import Database
from norn_tasks.store_adapters.uploads import UploadTable
from tests import factories
from tests.archives import packed
from tests.fakes.stop import FakeWatch
from tests.fakes.uploads import FakeSources

MIB = 2**20


class Store(Protocol):
    @property
    def sources(self) -> Sources: ...

    def keep(self, files: Mapping[str, bytes]) -> str: ...


@dataclass
class FakeStore:
    sources: FakeSources = field(default_factory=FakeSources)

    def keep(self, files: Mapping[str, bytes]) -> str:
        revision = archive.read(io.BytesIO(packed(files)), MIB, archive.DiscardingConsumer()).revision
        self.sources.kept["blog", revision] = files
        return revision


class RealStore:
    def __init__(self, database: Database) -> None:
        self._intake = factories.intake(database)
        self.sources = UnpackedUploads(UploadTable(database), most=4 * MIB)
        with database.transaction() as tx:
            factories.add_app(tx, factories.spec("blog", "worker"))

    def keep(self, files: Mapping[str, bytes], links: Mapping[str, str] | None = None) -> str:
        kept = keep_source(self._intake, "blog", lambda: io.BytesIO(packed(files, links)), actor="test")
        return kept.tree.revision


@pytest.fixture(params=["fake", "store"])
def store(request: pytest.FixtureRequest) -> Store:
    return FakeStore() if request.param == "fake" else RealStore(request.getfixturevalue("database"))


@pytest.fixture
def into(tmp_path: Path) -> Path:
    return tmp_path / "work" / "source"


def test_the_tree_is_unpacked_under_its_name(store: Store, into: Path) -> None:
    revision = store.keep({"a": b"1", "b/c": b"2"})
    checkout = store.sources.checkout("blog", revision, into, FakeWatch().watch)
    assert (checkout.revision, checkout.path) == (revision, into)
    assert ((into / "a").read_bytes(), (into / "b" / "c").read_bytes()) == (b"1", b"2")


def test_what_was_there_before_is_gone(store: Store, into: Path) -> None:
    into.mkdir(parents=True)
    (into / "old").touch()
    store.sources.checkout("blog", store.keep({"a": b"1"}), into, FakeWatch().watch)
    assert not (into / "old").exists()


def test_what_is_not_kept_is_named(store: Store, into: Path) -> None:
    with pytest.raises(SourceError, match="src-0123456789ab of blog is not kept"):
        store.sources.checkout("blog", "src-0123456789ab", into, FakeWatch().watch)


def test_an_upload_of_another_app_is_not_there(store: Store, into: Path) -> None:
    revision = store.keep({"a": b"1"})
    with pytest.raises(SourceError, match="is not kept"):
        store.sources.checkout("shop", revision, into, FakeWatch().watch)


def test_a_stopped_job_unpacks_nothing(store: Store, into: Path) -> None:
    watch = FakeWatch()
    watch.stop.set("cancelled")
    with pytest.raises(Stopped):
        store.sources.checkout("blog", store.keep({"a": b"1"}), into, watch.watch)


# Only of the real store


def test_a_source_of_many_pieces_comes_back_whole(database: Database, into: Path) -> None:
    store = RealStore(database)
    noise = random.Random(1).randbytes(3 * MIB + 7)
    store.sources.checkout("blog", store.keep({"a": b"1", "noise": noise}), into, FakeWatch().watch)
    assert ((into / "a").read_bytes(), (into / "noise").read_bytes()) == (b"1", noise)


def test_links_are_unpacked_as_links(database: Database, into: Path) -> None:
    store = RealStore(database)
    store.sources.checkout("blog", store.keep({"a": b"1"}, {"link": "a"}), into, FakeWatch().watch)
    assert (into / "link").readlink() == Path("a")


def test_a_stored_source_that_was_changed_is_refused(database: Database, into: Path) -> None:
    store = RealStore(database)
    revision = store.keep({"a": b"1"})
    with database.transaction() as tx:
        tx.execute(text("UPDATE source_pieces SET data = :data"), {"data": packed({"a": b"2"})})
    with pytest.raises(SourceError, match="another tree"):
        store.sources.checkout("blog", revision, into, FakeWatch().watch)


# How long a source is kept

A_DAY_AGO = text("UPDATE sources SET used_at = clock_timestamp() - interval '25 hours'")


def _forgotten(database: Database) -> int:
    with database.transaction() as tx:
        tx.execute(A_DAY_AGO)
        return uploads.forget_unneeded(tx)


def test_what_nobody_needs_is_kept_for_a_day(database: Database) -> None:
    RealStore(database).keep({"a": b"1"})
    with database.transaction() as tx:
        assert uploads.forget_unneeded(tx) == 0
    assert _forgotten(database) == 1


def test_the_source_of_a_kept_release_stays_until_that_is_pruned(database: Database) -> None:
    revision = RealStore(database).keep({"a": b"1"})
    with database.transaction() as tx:
        factories.add_release(tx, factories.spec("blog", "worker"))
        tx.execute(text("UPDATE releases SET revision = :revision"), {"revision": revision})
    kept = _forgotten(database)
    with database.transaction() as tx:
        tx.execute(text("UPDATE releases SET pruned_at = clock_timestamp()"))
    assert (kept, _forgotten(database)) == (0, 1)


def test_the_source_of_a_waiting_deploy_stays(database: Database) -> None:
    revision = RealStore(database).keep({"a": b"1"})
    request_deploy(factories.intake(database), "blog", revision=revision, actor="test")
    assert _forgotten(database) == 0
