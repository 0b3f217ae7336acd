"""The command `norn` against a real server: an app that comes from a directory can be removed, whatever happened to the
directory.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import select, update
from werkzeug.serving import make_server

from norn_cli.main import cli
from norn_tasks.pipelines.runner import Runner
from norn_tasks.ports import Limits, Tools
from norn_tasks.store.database.session import Database
from norn_tasks.store.ledger.ledger import Ledger
from norn_tasks.store.ledger.taking import take
from norn_tasks.store.tables import AppRow
from norn_tasks.store_adapters.service_records import ServiceRecordTable
from norn_tasks.worker.leases import JobStop
from norn_tasks.worker.output import StepOutput
from tests import factories
from tests.fakes.volumes import FakeVolumes
from tests.integration.api import factories as api_factories
from tests.servers import Broker


@dataclass(frozen=True)
class Server:
    """The API over real stores, with a worker; the method `norn` runs the command `norn` against it."""

    url: str
    token: str
    database: Database
    apps_dir: Path

    def norn(self, *words: str) -> Result:
        """Runs the command in this process; returns its result."""
        home = str(self.apps_dir.parent)
        environment = {"HOME": home, "XDG_CONFIG_HOME": home, "NORN_URL": self.url, "NORN_TOKEN": self.token}
        return CliRunner().invoke(cli, list(words), env={**environment, "NORN_APP": ""}, catch_exceptions=False)

    def put(self, text: str, directory: str = "blog") -> Path:
        """Writes an infraspec into a directory of NORN_APPS_DIR."""
        place = self.apps_dir / directory
        place.mkdir(parents=True, exist_ok=True)
        (place / "infraspec.yaml").write_text(text)
        return place

    def forge_state(self) -> str | None:
        """Returns the state in the row of `blog`; None if it has no row."""
        with self.database.transaction() as tx:
            return tx.scalar(select(AppRow.forge_state).where(AppRow.name == "blog"))


@pytest.fixture
def server(database: Database, broker: Broker, tmp_path: Path) -> Iterator[Server]:
    """A server with an app `blog` from a directory: a function, forged and live."""
    apps_dir, over = tmp_path / "apps", threading.Event()
    api = api_factories.api(database, broker.url, apps_dir=apps_dir)
    http = make_server("127.0.0.1", 0, api.app, threaded=True)
    server = Server(f"http://127.0.0.1:{http.server_port}", str(api.token), database, apps_dir)
    place = server.put("app: blog\nrole: function\n")
    factories.add_live(database, "blog")
    with database.transaction() as tx:
        tx.execute(update(AppRow).values(source="directory", origin=str(place)))
    threads = (
        threading.Thread(target=http.serve_forever),
        threading.Thread(target=_work, args=(database, tmp_path, over)),
    )
    for thread in threads:
        thread.start()
    yield server
    over.set()
    api.services.close()
    http.shutdown()
    for thread in threads:
        thread.join()
    http.server_close()


def _work(database: Database, workspace: Path, over: threading.Event) -> None:
    """Runs every accepted job until `over` is set, with only the adapters that functions and cron apps need."""
    limits = Limits(1, 1, 1, engine_patience=0.0, workspace=workspace, instance="t")
    tools = cast(
        Tools,
        type("SomeTools", (), {"limits": limits, "volumes": FakeVolumes(), "records": ServiceRecordTable(database)}),
    )
    runner = Runner(Ledger(database, patience=1), tools, StepOutput(database))
    while not over.wait(0.05):
        job = take(database, factories.claimer())
        if job is not None:
            runner.run(job, JobStop())


def _broken(server: Server) -> None:
    server.put("app: blog\nrole: nonsense\n")


def _applied_too(server: Server) -> None:
    with server.database.transaction() as tx:
        tx.execute(update(AppRow).values(source="applied", origin=None))


def _other_role(server: Server) -> None:
    server.put("app: blog\nrole: cron\nschedule: '@daily'\n")


def _as_it_was(_: Server) -> None:
    """Leaves the directory unchanged."""


SPOILT_OR_NOT = pytest.mark.parametrize("spoil", [_as_it_was, _broken, _applied_too, _other_role])
SPOILT = pytest.mark.parametrize("spoil", [_broken, _applied_too, _other_role])


@SPOILT
def test_teardown_needs_no_directory(server: Server, spoil: Callable[[Server], None]) -> None:
    spoil(server)
    assert server.norn("teardown", "blog", "--confirm", "blog").exit_code == 0
    assert server.forge_state() == "unforged"


@SPOILT_OR_NOT
def test_destroy_tears_down_forgets_and_says_that_the_directory_stays(
    server: Server, spoil: Callable[[Server], None]
) -> None:
    spoil(server)
    destroyed = server.norn("destroy", "blog", "--confirm", "blog")
    assert (destroyed.exit_code, server.forge_state()) == (0, None)
    note = f"note: {server.apps_dir / 'blog'} is still there: blog stays listed, as not forged, until you remove it"
    assert destroyed.stderr.splitlines()[-1] == note


def test_destroy_says_beforehand_that_the_directory_stays(server: Server) -> None:
    asked = server.norn("destroy", "blog")
    assert asked.exit_code == 2
    assert f"Its directory {server.apps_dir / 'blog'} is left as it is" in asked.stderr
    assert server.forge_state() == "forged"


def test_destroy_of_a_broken_directory_that_nothing_was_made_of_says_that_it_stays(server: Server) -> None:
    place = server.put("app: new\nrole: nonsense\n", "new")
    destroyed = server.norn("destroy", "new", "--confirm", "new")
    assert destroyed.exit_code == 0
    assert f"note: {place} is still there" in destroyed.stderr


def test_the_way_out_of_a_name_in_both_places_is_one(server: Server) -> None:
    _applied_too(server)
    assert "norn destroy blog" in server.norn("forge", "blog").stderr
    assert server.norn("destroy", "blog", "--confirm", "blog").exit_code == 0
    assert server.forge_state() is None
    assert "unforged" in server.norn("status", "blog").stdout


def test_the_way_out_of_another_role_is_one(server: Server) -> None:
    _other_role(server)
    assert "hint: norn teardown blog, then norn forge blog" in server.norn("forge", "blog").stderr
    server.norn("teardown", "blog", "--confirm", "blog")
    assert server.norn("forge", "blog").exit_code == 0
