"""Prepares what the tests of the API start with: an application over a database, and clients with tokens of
each scope.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flask.testing import FlaskClient
from sqlalchemy import insert
from werkzeug.test import TestResponse

from norn_api.access.auth import HEADER
from norn_api.app import NornApp, create_app
from norn_tasks.domain.access import Scope
from norn_tasks.domain.jobs.job import JobClass
from norn_tasks.store import tables as t
from norn_tasks.store.access import tokens
from norn_tasks.store.database.session import Database
from norn_tasks.store.fleet import workers
from norn_tasks.store.fleet.workers import Presence
from tests import factories

HERE = "http://localhost"
HELLO = "app: hello\nrole: webserver\nport: 8080\n"


@dataclass(frozen=True)
class Api:
    """An application over a fresh database, with the credentials of one client."""

    app: NornApp
    database: Database
    token: str | None = None
    browser: tuple[tuple[str, str], ...] = ()
    """The headers that the page sends in a browser that is signed in."""

    def asked_as(self, *scopes: Scope, apps: tuple[str, ...] | None = None) -> Api:
        """Returns the same application with a new token of these scopes."""
        secret = tokens.fresh()
        name = "-".join(scopes) + ("-of-" + "-".join(apps) if apps else "")
        with self.database.transaction() as tx:
            tokens.create(tx, secret, name=name, scopes=scopes, apps=apps, actor="test")
        return Api(self.app, self.database, secret)

    def in_browser(self) -> Api:
        """Returns the same application, used by the page in a browser that was signed in with the token."""
        made = self.anonymous().post("/api/session", json={"token": self.token})
        cookie = made.headers["Set-Cookie"].partition(";")[0]
        return Api(self.app, self.database, None, (("Cookie", cookie), (HEADER, made.json["csrf"]), ("Origin", HERE)))

    def without(self, header: str) -> Api:
        """Returns the same browser client without one of its headers."""
        return Api(self.app, self.database, None, tuple(each for each in self.browser if each[0] != header))

    def anonymous(self) -> Api:
        """Returns the same application, used without a token."""
        return Api(self.app, self.database)

    def ask(self, method: str, path: str, **more: Any) -> TestResponse:
        """Sends a request."""
        headers = {**dict(self.browser), **more.pop("headers", {})}
        if self.token is not None:
            headers["Authorization"] = f"Bearer {self.token}"
        client: FlaskClient = self.app.test_client(use_cookies=False)
        return client.open(path, method=method, headers=headers, **more)

    def get(self, path: str, **more: Any) -> TestResponse:
        """Sends a GET."""
        return self.ask("GET", path, **more)

    def post(self, path: str, **more: Any) -> TestResponse:
        """Sends a POST."""
        return self.ask("POST", path, **more)

    def put_spec(self, app: str, text: str, **headers: str) -> TestResponse:
        """Applies an infraspec."""
        kind = {"Content-Type": "text/yaml"}
        return self.ask("PUT", f"/api/apps/{app}", data=text, headers=kind | headers)

    @property
    def services(self) -> Any:
        """The objects that the application keeps in memory."""
        return self.app.extensions["norn"]


def api(database: Database, broker_url: str = factories.NOWHERE, **settings: Any) -> Api:
    """Returns an application over this database, used as admin."""
    app = create_app(factories.intake(database, broker_url, **settings))
    return Api(app, database).asked_as(Scope.ADMIN)


def add_worker(database: Database, job_class: JobClass = JobClass.INVOKE, *, slots: int = 4) -> None:
    """Adds a worker of this class, which has just reported."""
    with database.transaction() as tx:
        workers.say(tx, Presence(f"{job_class}@test", job_class, "test", 1, slots, factories.ENGINE, None))


def add_cron_run(database: Database, app: str, id: int = 1, **values: Any) -> None:
    """Adds a cron run that has succeeded."""
    given: dict[str, Any] = {
        "id": id, "app": app, "job_id": 1, "actor": "test", "trigger": "manual", "state": "succeeded", "exit_code": 0,
        "stdout": "hello\n", "duration_ms": 12, **values,
    }  # fmt: skip
    with database.transaction() as tx:
        tx.execute(insert(t.CronExecutionRow).values(given))
