"""Tokens: created and shown once, kept as hashes, limited, revoked; and the bootstrap token, with which the first user
gets access.
"""

from __future__ import annotations

import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from werkzeug.datastructures import Headers

from norn_api.access.auth import CACHE_SECONDS, AuthenticatorChain, BearerTokens, Credentials
from norn_tasks.domain.access import Scope
from norn_tasks.domain.errors import InvalidRequest, Unauthenticated
from norn_tasks.store.access import tokens
from norn_tasks.store.access.tokens import ensure_bootstrap
from norn_tasks.store.database.session import Database
from tests.integration.api import factories
from tests.integration.api.factories import Api


def make(api: Api, **body: object) -> dict[str, object]:
    """Makes a token through the API."""
    answer = api.post("/api/tokens", json={"name": "ci", "scopes": ["read"], **body})
    assert answer.status_code == 201
    return dict(answer.json)


def test_new_token_lets_in(api: Api) -> None:
    made = make(api)
    assert Api(api.app, api.database, str(made["token"])).get("/api/apps").status_code == 200


def test_list_does_not_show_secrets(api: Api) -> None:
    secret = str(make(api)["token"])
    answer = api.get("/api/tokens")
    assert [token["name"] for token in answer.json["items"]] == ["admin", "ci"]
    assert secret not in answer.text


def test_database_does_not_hold_the_secret(api: Api) -> None:
    secret = str(make(api)["token"])
    with api.database.transaction() as tx:
        kept = tx.exec_driver_sql("SELECT string_agg(tokens::text || events::text, '') FROM tokens, events").scalar()
    assert secret not in str(kept)


def test_name_is_taken_once(api: Api) -> None:
    make(api)
    assert api.post("/api/tokens", json={"name": "ci", "scopes": ["read"]}).status_code == 409


def test_no_token_has_the_name_of_callers_without_one(api: Api) -> None:
    """Such a token could see and cancel the calls of callers without a token."""
    assert api.post("/api/tokens", json={"name": "anonymous", "scopes": ["invoke"]}).status_code == 409


def test_revoked_token_lets_nobody_in(api: Api) -> None:
    made = make(api)
    one = Api(api.app, api.database, str(made["token"]))
    one.get("/api/apps")
    assert api.ask("DELETE", f"/api/tokens/{made['id']}").status_code == 204
    assert one.get("/api/apps").status_code == 401


def test_token_revoked_elsewhere_is_known_here_for_a_few_seconds_at_most(api: Api) -> None:
    now = [0.0]
    chain = AuthenticatorChain([BearerTokens(api.database, clock=lambda: now[0])])
    made = make(api)
    sent = Credentials(Headers({"Authorization": f"Bearer {made['token']}"}), "x", bytes)
    chain.identify(sent)
    with api.database.transaction() as tx:
        tokens.revoke(tx, int(str(made["id"])), actor="test")
    now[0] += CACHE_SECONDS + 0.1
    with pytest.raises(Unauthenticated):
        chain.identify(sent)


def test_token_is_revoked_once(api: Api) -> None:
    made = make(api)
    statuses = [api.ask("DELETE", f"/api/tokens/{made['id']}").status_code for _ in range(2)]
    assert statuses == [204, 404]


def test_repeated_key_makes_one_token_and_does_not_show_it_again(api: Api) -> None:
    key = {"Idempotency-Key": "one"}
    answers = [api.post("/api/tokens", json={"name": "ci", "scopes": ["read"]}, headers=key) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert (answers[0].json["id"], answers[1].json["token"]) == (answers[1].json["id"], None)


@pytest.mark.parametrize(
    "body",
    [
        {"name": "ci", "scopes": []}, {"name": "ci", "scopes": ["root"]}, {"name": "", "scopes": ["read"]},
        {"name": "ci", "scopes": ["read"], "apps": []}, {"name": "ci", "scopes": ["read"], "apps": ["../x"]},
        {"name": "bootstrap!", "scopes": ["read"]}, {"scopes": ["read"]},
    ],
)  # fmt: skip
def test_strange_token_is_not_made(api: Api, body: dict[str, object]) -> None:
    assert api.post("/api/tokens", json=body).status_code == 422


def test_admin_is_not_limited_to_apps(api: Api) -> None:
    answer = api.post("/api/tokens", json={"name": "ci", "scopes": ["read", "admin"], "apps": ["blog"]})
    assert (answer.status_code, answer.json["detail"]) == (
        422, "apps: the scope admin is for the whole server, and cannot be limited to apps",
    )  # fmt: skip


def test_bootstrap_is_no_name_for_others(api: Api) -> None:
    assert api.post("/api/tokens", json={"name": "bootstrap", "scopes": ["read"]}).status_code == 409


def test_deploy_brings_read_and_invoke() -> None:
    assert Scope.DEPLOY.grants == {Scope.DEPLOY, Scope.READ, Scope.INVOKE}


def test_use_of_a_token_is_noted(api: Api) -> None:
    api.get("/api/apps")
    assert api.get("/api/tokens").json["items"][0]["last_used_at"] is not None


# The bootstrap token


def test_bootstrap_token_is_admin_and_for_its_owner_only(database: Database, tmp_path: Path) -> None:
    path = tmp_path / "data" / "token"
    assert ensure_bootstrap(database, path) is True
    with database.transaction() as tx:
        actor = tokens.lookup(tx, tokens.digest(path.read_text().strip()))
    assert actor is not None and actor.may(Scope.ADMIN)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_bootstrap_token_stays_the_same(database: Database, tmp_path: Path) -> None:
    path = tmp_path / "token"
    ensure_bootstrap(database, path)
    before = path.read_text()
    assert (ensure_bootstrap(database, path), path.read_text()) == (False, before)


def test_bootstrap_token_of_another_database_is_made_known_here(database: Database, api: Api, tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text(tokens.fresh() + "\n")
    assert ensure_bootstrap(database, path) is True


def test_revoked_bootstrap_token_stays_revoked(database: Database, tmp_path: Path) -> None:
    path = tmp_path / "token"
    ensure_bootstrap(database, path)
    with database.transaction() as tx:
        tokens.revoke(tx, tokens.listed(tx)[0].id, actor="test")
    ensure_bootstrap(database, path)
    with database.transaction() as tx:
        assert tokens.listed(tx) == ()


def test_processes_that_start_at_once_agree_on_one_token(database: Database, tmp_path: Path) -> None:
    path = tmp_path / "token"
    starters = [threading.Thread(target=ensure_bootstrap, args=(database, path)) for _ in range(8)]
    for starter in starters:
        starter.start()
    for starter in starters:
        starter.join()
    with database.transaction() as tx:
        assert tokens.lookup(tx, tokens.digest(path.read_text().strip())) is not None


def test_file_that_holds_no_token_is_refused(database: Database, tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text("hunter2\n")
    with pytest.raises(InvalidRequest, match="holds no token"):
        ensure_bootstrap(database, path)


# No tokens at all


@pytest.fixture
def open_door(database: Database) -> Iterator[Api]:
    api = factories.api(database, auth="off")
    yield api.anonymous()
    api.services.close()


def test_no_token_is_asked_where_that_was_asked_for_by_name(open_door: Api) -> None:
    assert open_door.get("/api/tokens").status_code == 200


def test_open_door_knows_no_name_that_others_could_make_up(open_door: Api) -> None:
    answer = open_door.get("/api/tokens", headers={"Host": "norn.example:8800"})
    assert (answer.status_code, answer.json["code"], answer.content_type) == (
        403, "foreign_host", "application/problem+json",
    )  # fmt: skip


def test_open_door_is_closed_to_pages_from_elsewhere(open_door: Api) -> None:
    blind = {"Origin": "https://norn.example", "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}
    answer = open_door.post("/api/workers/w1/drain", headers=blind)
    assert (answer.status_code, answer.json["code"]) == (403, "foreign_page")
    assert open_door.post("/api/workers/w1/drain").status_code == 404


def test_open_figures_know_no_name_that_others_could_make_up(database: Database) -> None:
    api = factories.api(database, metrics="open")
    statuses = [
        api.anonymous().get("/metrics", headers={"Host": host}).status_code for host in ("norn.example", "localhost")
    ]
    api.services.close()
    assert statuses == [403, 200]


def test_tokens_are_enough_where_they_are_asked_for(api: Api) -> None:
    elsewhere = {"Host": "norn.example", "Origin": "https://norn.example"}
    assert api.post("/api/workers/w1/drain", headers=elsewhere).status_code == 404


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "::", "example.com"])
def test_open_door_is_refused_where_others_can_connect(database: Database, host: str) -> None:
    with pytest.raises(InvalidRequest, match="would let anyone in"):
        factories.api(database, auth="off", host=host)
