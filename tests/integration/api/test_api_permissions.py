"""Default-deny: every route of the application is in the table of permissions, and is tried by five kinds of users.

Browsers try each route too: signed in, without the CSRF token, and from a page of another origin.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import pytest
from sqlalchemy import insert, update
from werkzeug.test import TestResponse

from norn_api.access.auth import HEADER
from norn_api.access.open_door import SAFE
from norn_api.access.permissions import (
    CALL,
    CANCEL_OWN,
    END_SESSION,
    INVOKE,
    READ,
    READ_OWN,
    READ_SERVER,
    SIGNED_IN,
    TABLE,
    permission,
)
from norn_tasks.domain.access import Scope
from norn_tasks.domain.errors import Forbidden
from norn_tasks.domain.jobs.requests import ForgeJobRequest, NotifyJobRequest
from norn_tasks.store import tables as t
from norn_tasks.store.queue.jobs import NewJob, accept
from tests import factories as shared
from tests.integration.api.factories import Api, add_cron_run

Route = tuple[str, str]
ENDLESS = (("GET", "/api/events/stream"), ("GET", "/api/stream"))
ROUTES = [route for route in sorted(TABLE) if route not in ENDLESS and not TABLE[route].signed]
FILLED = {"app": "hello", "file": "start.js", "rest": "x/y", "token": "999", "session": "999"}
SIGN_OUT = ("DELETE", "/api/session")
OF_SESSIONS = [route for route in ROUTES if route[1].startswith("/api/") and route != SIGN_OUT]
"""The routes that accept a session, except the one that ends the session."""


def address(rule: str) -> str:
    """Fills the parameters of a route: the app `hello`, and ids that exist if the test made them."""
    return re.sub(r"<(?:\w+:)?(\w+)>", lambda part: FILLED.get(part[1], "1"), rule)


def tried(asked: Api, method: str, rule: str, **more: str) -> int:
    """Sends a request as `sent` does, and returns the status."""
    return sent(asked, method, rule, **more).status_code


def sent(asked: Api, method: str, rule: str, **more: str) -> TestResponse:
    """Sends a request to a route and returns the response. A POST or PUT has an object as its body, which is empty
    where the route accepts that; `more` are headers.
    """
    filled = {"resolution": "done"} if rule.endswith("/resolve") else {}
    body = {"json": filled} if method in ("POST", "PUT") else {}
    # each route has an address of its own, because failed attempts slow down later requests from the same address
    elsewhere = {"REMOTE_ADDR": f"10.0.0.{ROUTES.index((method, rule))}"}
    return asked.ask(method, address(rule), environ_overrides=elsewhere, headers=more, **body)


def answered(asked: Api, status: int, routes: Iterable[Route] = ROUTES) -> set[Route]:
    """Returns the routes that answer with this status."""
    return {route for route in routes if tried(asked, *route) == status}


@pytest.fixture
def furnished(api: Api) -> Api:
    """An application in which the app `hello` has a job, a deployment, a run and a one-off with the id 1, made by
    another user.
    """
    shared.add_live(api.database, "hello", "webserver")
    with api.database.transaction() as tx:
        accept(tx, NewJob(ForgeJobRequest(None), "hello", "somebody", patience=60))
    add_cron_run(api.database, "hello")
    with api.database.transaction() as tx:
        ran = {"id": 1, "app": "hello", "job_id": 1, "actor": "somebody", "command": ["ls"], "timeout": 60}
        tx.execute(insert(t.OneOffRow).values(ran))
    return api


def test_every_route_is_in_the_table(api: Api) -> None:
    routes = {
        (method, rule.rule)
        for rule in api.app.url_map.iter_rules()
        for method in (rule.methods or set())
        if method != "HEAD" or rule.rule.startswith("/fn/")
    }
    assert routes == set(TABLE)


def test_route_outside_the_table_is_refused_to_admins_too() -> None:
    with pytest.raises(Forbidden):
        permission("POST", "/api/forgotten")


def test_anonymous_is_asked_for_a_token_wherever_one_is_needed(furnished: Api) -> None:
    refused = answered(furnished.anonymous(), 401)
    assert refused == {route for route in ROUTES if not TABLE[route].open}


def test_a_signed_route_takes_no_token_and_no_session(furnished: Api) -> None:
    signed = [route for route in TABLE if TABLE[route].signed]
    for asked in (furnished, furnished.anonymous(), furnished.in_browser()):
        answers = {asked.ask(*route, json={}).status_code for route in signed}
        assert answers == {401}


def test_reader_is_refused_what_is_not_reading(furnished: Api) -> None:
    refused = answered(furnished.asked_as(Scope.READ), 403)
    reading = (READ, READ_OWN, READ_SERVER, SIGNED_IN, END_SESSION)
    assert refused == {route for route in ROUTES if not TABLE[route].open and TABLE[route] not in reading}


def test_deployer_of_another_app_is_refused_this_app(furnished: Api) -> None:
    deployer = furnished.asked_as(Scope.DEPLOY, apps=("other",))
    by_name = {route for route in ROUTES if "<app>" in route[1]}
    by_id = {route for route in ROUTES if re.search("<id:job>|<id:deployment>|<id:run>", route[1])} - by_name
    assert (answered(deployer, 403, by_name), answered(deployer, 404, by_id)) == (by_name, by_id)


def test_invoker_may_call_and_see_its_own_and_nothing_else(furnished: Api) -> None:
    refused = answered(furnished.asked_as(Scope.INVOKE), 403)
    perhaps = {route for route in ROUTES if TABLE[route] in (READ_OWN, CANCEL_OWN)}
    closed = {route for route in ROUTES if not TABLE[route].open and TABLE[route] not in (CALL, INVOKE, SIGNED_IN)}
    assert refused - perhaps == closed - perhaps


def test_invoker_does_not_see_the_job_of_somebody_else(furnished: Api) -> None:
    assert furnished.asked_as(Scope.INVOKE).get("/api/jobs/1").status_code == 403


@pytest.fixture
def limited_admin(furnished: Api) -> Api:
    """An admin that is limited to some apps, as an earlier version of Norn could make."""
    asked = furnished.asked_as(Scope.ADMIN, Scope.DEPLOY)
    with furnished.database.transaction() as tx:
        tx.execute(update(t.TokenRow).where(t.TokenRow.name == "admin-deploy").values(apps=["hello"]))
    return asked


def test_admin_of_some_apps_is_refused_what_is_of_the_whole_server(limited_admin: Api) -> None:
    whole = {route for route in ROUTES if TABLE[route].scope is Scope.ADMIN or TABLE[route].whole}
    assert answered(limited_admin, 403) == whole


def test_admin_of_some_apps_makes_no_token_that_reaches_further(limited_admin: Api) -> None:
    for apps in (None, ["hello"], ["hello", "other"]):
        made = limited_admin.post("/api/tokens", json={"name": "more", "scopes": ["admin"], "apps": apps})
        assert (made.status_code, "limited to apps" in made.json["detail"]) == (403, True)


@pytest.mark.parametrize("scope", [Scope.READ, Scope.DEPLOY])
def test_jobs_of_no_app_are_closed_to_who_is_limited_to_apps(furnished: Api, scope: Scope) -> None:
    with furnished.database.transaction() as tx:
        job = accept(tx, NewJob(NotifyJobRequest(1, 1), "", "norn", patience=60))
    limited, free = furnished.asked_as(scope, apps=("hello",)), furnished.asked_as(scope)
    about = [("GET", ""), ("GET", "/events"), ("GET", "/logs"), ("POST", "/cancel")]
    assert {limited.ask(method, f"/api/jobs/{job}{more}").status_code for method, more in about} <= {403, 404}
    assert (free.get(f"/api/jobs/{job}").status_code, furnished.get(f"/api/jobs/{job}").json["state"]) == (
        200,
        "queued",
    )


def test_admin_is_refused_nothing(furnished: Api) -> None:
    statuses = {route: tried(furnished, *route) for route in ROUTES}
    assert {route: status for route, status in statuses.items() if status in (401, 403, 500)} == {}


@pytest.mark.parametrize("scope", list(Scope))
def test_a_session_is_refused_what_its_token_is_refused(furnished: Api, scope: Scope) -> None:
    token = furnished if scope is Scope.ADMIN else furnished.asked_as(scope)
    browser = token.in_browser()
    statuses = {route: tried(browser, *route) for route in OF_SESSIONS}
    refused = {route for route, status in statuses.items() if status in (401, 403)}
    codes = ("POST", "/api/session/codes")
    assert refused - {codes} == answered(token, 403, OF_SESSIONS)
    assert statuses[codes] == 403


def test_a_session_without_its_csrf_token_reaches_nothing(furnished: Api) -> None:
    cookie_alone = furnished.in_browser().without(HEADER)
    closed = {route for route in ROUTES if not TABLE[route].open}
    codes = {route: sent(cookie_alone, *route).get_json(silent=True) for route in closed}
    elsewhere = {route for route in closed if not route[1].startswith("/api/")}
    assert {route for route, problem in codes.items() if problem and problem["code"] == "csrf"} == closed - elsewhere
    assert answered(cookie_alone, 401, elsewhere) == elsewhere


def test_a_session_changes_nothing_for_a_page_of_another_origin(furnished: Api) -> None:
    browser = furnished.in_browser()
    unsafe = [route for route in OF_SESSIONS if route[0] not in SAFE]
    for origin in ("http://localhost:18800", "https://evil.example", "null"):
        assert {route: status for route in unsafe if (status := tried(browser, *route, Origin=origin)) != 403} == {}


def test_a_function_and_the_metrics_know_no_session(furnished: Api) -> None:
    browser = furnished.in_browser()
    elsewhere = {route for route in ROUTES if not route[1].startswith("/api/") and not TABLE[route].open}
    assert answered(browser, 401, elsewhere) == elsewhere


def test_refused_mutation_leaves_an_audit_row(furnished: Api) -> None:
    furnished.anonymous().post("/api/apps/hello/deploy", json={})
    newest = furnished.get("/api/audit?limit=1").json["items"][0]
    assert (newest["actor"], newest["path"], newest["app"], newest["status"]) == (
        "anonymous", "/api/apps/hello/deploy", "hello", 401,
    )  # fmt: skip


def test_accepted_mutation_leaves_an_audit_row_with_its_actor(furnished: Api) -> None:
    furnished.asked_as(Scope.DEPLOY).post("/api/apps/hello/restart", json={})
    newest = furnished.get("/api/audit?limit=1").json["items"][0]
    assert (newest["actor"], newest["method"], newest["status"]) == ("deploy", "POST", 202)


def test_lists_show_only_the_apps_that_a_token_reaches(api: Api) -> None:
    for name in ("hello", "other"):
        shared.add_live(api.database, name, "webserver")
    seen = api.asked_as(Scope.READ, apps=("other",)).get("/api/apps").json["items"]
    assert [app["name"] for app in seen] == ["other"]
