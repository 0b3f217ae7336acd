"""Functions that anyone may call: who can open them, what a caller without a token may do, and the host name of
functions.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
from flask import g

from norn_api.calling.open_calls import STRANGER, body_in_time
from norn_tasks.domain.access import Scope
from norn_tasks.domain.errors import BadRequest
from norn_tasks.store.database.session import Database
from tests import factories as shared
from tests.integration.api import factories
from tests.integration.api.factories import Api, add_worker
from tests.integration.api.test_api_functions import ASYNC, call, worker
from tests.servers import Broker

OPEN = "function:\n  timeout: 3\n  auth: none\n"


def _api(database: Database, broker: Broker, **settings: Any) -> Api:
    for name, more in (("open", OPEN), ("closed", "function:\n  timeout: 3\n")):
        shared.add_live(database, name, "function", more)
    add_worker(database)
    return factories.api(database, broker.url, **settings)


@pytest.fixture
def fn(database: Database, broker: Broker) -> Iterator[Api]:
    """An application with an open and a closed function."""
    api = _api(database, broker)
    yield api
    api.services.close()


@pytest.fixture
def own_host(database: Database, broker: Broker) -> Iterator[Api]:
    """An application whose functions have a host name of their own."""
    api = _api(database, broker, fn_host="fn.example")
    yield api
    api.services.close()


def test_stranger_calls_an_open_function_and_no_other(fn: Api) -> None:
    with worker(fn) as taken:
        answer = call(fn.anonymous(), "/fn/open/hook?a=1", data=b"{}", headers={"Authorization": "Bearer of-a-shop"})
    assert (answer.status_code, answer.data, len(taken)) == (200, b"hello", 1)
    assert [call(fn.anonymous(), path).status_code for path in ("/fn/closed", "/fn/nothing")] == [401, 401]
    history = fn.get("/api/apps/open/function/history").json["items"]
    assert [item["actor"] for item in history] == ["anonymous"]


def test_token_counts_where_it_may_call_and_is_not_needed_where_not(fn: Api) -> None:
    with worker(fn):
        for asked in (fn.asked_as(Scope.INVOKE), fn.asked_as(Scope.READ), fn.asked_as(Scope.INVOKE, apps=("closed",))):
            assert call(asked, "/fn/open").status_code == 200
    actors = [item["actor"] for item in fn.get("/api/apps/open/function/history").json["items"]]
    assert actors == ["anonymous", "anonymous", "invoke"]


def test_stranger_reaches_nothing_but_the_function(fn: Api) -> None:
    stranger = fn.anonymous()
    execution = call(stranger, "/fn/open", headers=ASYNC).json["execution"]
    paths = (f"/api/invocations/{execution}", "/api/apps/open", "/api/apps/open/function/history")
    assert [stranger.get(path).status_code for path in paths] == [401, 401, 401]
    assert stranger.post("/api/apps/open/invoke").status_code == 401


def test_key_of_a_stranger_is_refused(fn: Api) -> None:
    answer = call(fn.anonymous(), "/fn/open", headers={"Idempotency-Key": "one"})
    assert (answer.status_code, "needs a token" in answer.json["detail"]) == (403, True)


def test_callback_needs_a_token_and_an_asynchronous_call(fn: Api) -> None:
    named = {"X-Norn-Callback": "ops"}
    answers = [call(fn.anonymous(), "/fn/open", headers=ASYNC | named), call(fn, headers=named, path="/fn/open")]
    assert [answer.status_code for answer in answers] == [403, 422]
    assert fn.get("/api/apps/open/function/history").json["items"] == []


def test_body_of_a_stranger_that_takes_too_long_is_refused_as_its_own_mistake(fn: Api) -> None:
    with fn.app.test_request_context("/fn/open", method="POST", data=b"slow"):
        g.actor = STRANGER
        with pytest.raises(BadRequest, match="took over"), body_in_time(0.01):
            time.sleep(0.02)


def test_one_address_calls_only_so_often(database: Database, broker: Broker) -> None:
    api = _api(database, broker, open_calls_per_second=1)
    answers = [call(api.anonymous(), "/fn/open", headers=ASYNC)]
    while answers[-1].status_code != 429 and len(answers) < 40:  # the limit allows one more call each second
        answers.append(call(api.anonymous(), "/fn/open", headers=ASYNC))
    statuses = [answer.status_code for answer in answers]
    assert (statuses[:2], statuses[-1], answers[-1].headers["Retry-After"]) == ([202, 202], 429, "1")
    elsewhere = {"REMOTE_ADDR": "203.0.113.7"}
    assert call(api.anonymous(), "/fn/open", headers=ASYNC, environ_overrides=elsewhere).status_code == 202
    assert call(api, "/fn/open", headers=ASYNC).status_code == 202
    api.services.close()


def test_page_of_another_origin_reads_the_answer_and_sends_no_cookie(fn: Api) -> None:
    asked = {"Origin": "https://shop.example", "Access-Control-Request-Method": "POST"}
    preflight = fn.anonymous().ask("OPTIONS", "/fn/open", headers=asked)
    with worker(fn) as taken:
        answer = call(fn.anonymous(), "/fn/open", headers={"Origin": "https://shop.example"})
    assert (preflight.status_code, answer.status_code, len(taken)) == (204, 200, 1)
    for each in (preflight, answer):
        assert each.headers["Access-Control-Allow-Origin"] == "*"
        assert "Access-Control-Allow-Credentials" not in each.headers


SHOP = "https://shop.example"
CORS = f"function:\n  timeout: 3\n  auth: none\n  cors: ['{SHOP}']\n"


@pytest.fixture
def shop(database: Database, broker: Broker) -> Iterator[Api]:
    """An application with a function that only the pages of one origin may call."""
    shared.add_live(database, "shop", "function", CORS)
    api = _api(database, broker)
    yield api
    api.services.close()


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": SHOP},
        {"Origin": "http://localhost"},
        {"Origin": "http://localhost", "Sec-Fetch-Site": "same-origin"},
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"},
    ],
    ids=["a program", "the origin", "its own page", "its own page with metadata", "a link"],
)
def test_function_with_origins_answers_programs_and_pages_of_these(shop: Api, headers: dict[str, str]) -> None:
    with worker(shop):
        answer = call(shop.anonymous(), "/fn/shop", headers=headers)
    allowed = answer.headers.get("Access-Control-Allow-Origin")
    assert (answer.status_code, allowed) == (200, SHOP if headers.get("Origin") == SHOP else None)
    assert (answer.headers["Vary"], "Access-Control-Allow-Credentials" in answer.headers) == ("Origin", False)


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://elsewhere.example"},
        {"Origin": "null"},
        {"Origin": f"{SHOP}.evil.example"},
        {"Origin": f"{SHOP}:8443"},
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"},
        {"Origin": "null", "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"},
    ],
    ids=["another origin", "a sandbox", "a longer name", "another port", "a picture", "a form"],
)
def test_function_with_origins_runs_nothing_for_other_pages(shop: Api, headers: dict[str, str]) -> None:
    for asked in (shop.anonymous(), shop):
        answer = call(asked, "/fn/shop", headers=headers)
        assert (answer.status_code, answer.json["code"]) == (403, "foreign_origin")
        assert "Access-Control-Allow-Origin" not in answer.headers
    assert shop.get("/api/apps/shop/function/history").json["items"] == []


# Opening a function


def test_only_an_admin_deploys_a_function_that_anyone_may_call(connected: Api) -> None:
    text = "app: hook\nrole: function\nfunction: {auth: none}\nrepo: {url: https://example.org/hook.git}\n"
    deployer = connected.asked_as(Scope.DEPLOY)
    assert deployer.put_spec("hook", text).status_code == 201
    for action in ("forge", "deploy"):
        answer = deployer.post(f"/api/apps/hook/{action}", json={})
        assert (answer.status_code, answer.json["code"]) == (403, "forbidden")
        assert "only an admin" in answer.json["detail"]
    assert connected.post("/api/apps/hook/forge", json={}).status_code == 202


def test_open_function_stays_open_by_the_deploys_of_others(fn: Api) -> None:
    deployer = fn.asked_as(Scope.DEPLOY)
    deployed = deployer.post("/api/apps/open/rollback", json={"release": 1})
    assert deployed.status_code == 202, deployed.json


def test_release_that_was_open_is_brought_back_by_an_admin_alone(fn: Api) -> None:
    with fn.database.transaction() as tx:
        shared.add_release(tx, shared.spec("open", "function", "function:\n  auth: token\n"), 2)
    asked = {"json": {"release": 1}}
    assert fn.asked_as(Scope.DEPLOY).post("/api/apps/open/rollback", **asked).status_code == 403
    assert fn.post("/api/apps/open/rollback", **asked).status_code == 202


def test_status_says_that_anyone_may_call_it(fn: Api) -> None:
    notices = {app["name"]: app["notices"] for app in fn.get("/api/apps").json["items"]}
    assert notices == {"open": ["function.auth is none: anyone may call it without a token"], "closed": []}


# A host name for functions only


def test_host_of_functions_serves_functions_alone(own_host: Api) -> None:
    at_functions, at_norn = {"Host": "FN.example:8800"}, {"Host": "norn.example:8800"}
    assert call(own_host, "/fn/open", headers=ASYNC | at_functions).status_code == 202
    assert call(own_host, "/fn/open", headers=ASYNC | at_norn).status_code == 404
    for path in ("/", "/api/apps", "/api/health", "/metrics"):
        assert own_host.get(path, headers=at_functions).status_code == 404, path
    found = own_host.get("/api/apps/open", headers=at_norn).json
    assert found["url"] == "http://fn.example:8800/fn/open"
