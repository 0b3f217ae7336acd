"""Secrets over the API: set, unset, listed; a value can be written and never read."""

from __future__ import annotations

import hashlib
import json

import pytest
from sqlalchemy import text

from norn_tasks import sealing
from norn_tasks.domain.access import Scope
from norn_tasks.store.apps import secrets
from tests import factories as shared
from tests.integration.api.factories import Api

CANARY = "canary-5f1e7c"


@pytest.fixture
def keyed(api: Api) -> Api:
    """An application with the app `blog`, which names API_KEY and OTHER."""
    shared.add_live(api.database, "blog", "worker", "secrets: [API_KEY, OTHER]\n")
    with api.database.transaction() as tx:
        secrets.remember_recipient(tx, sealing.recipient_of(sealing.fresh_key()))
    return api


def give(api: Api, values: object, **more: object):
    return api.ask("PUT", "/api/apps/blog/secrets", json={"values": values}, **more)


def test_what_is_named_and_not_set_is_missing(keyed: Api) -> None:
    assert keyed.get("/api/apps/blog/secrets").json["items"][0] == {
        "name": "API_KEY", "version": None, "set_by": None, "at": None, "named": True, "missing": True,
    }  # fmt: skip


def test_a_secret_is_told_with_version_and_who_set_it(keyed: Api) -> None:
    give(keyed, {"API_KEY": "one", "EXTRA": "two"})
    answer = give(keyed, {"API_KEY": CANARY})
    told = [(s["name"], s["version"], s["set_by"], s["named"], s["missing"]) for s in answer.json["items"]]
    assert told == [
        ("API_KEY", 2, "admin", True, False),
        ("EXTRA", 1, "admin", False, False),
        ("OTHER", None, None, True, True),
    ]


def test_a_value_is_in_no_answer_and_no_row_but_sealed(keyed: Api) -> None:
    answers = [
        give(keyed, {"API_KEY": CANARY}, headers={"Idempotency-Key": "once"}),
        keyed.get("/api/apps/blog/secrets"),
        keyed.get("/api/apps/blog"),
        keyed.get("/api/events"),
        keyed.get("/api/audit"),
    ]
    assert not [answer for answer in answers if CANARY in answer.text]
    with keyed.database.transaction() as tx:
        names = tx.scalars(text("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")).all()
        rows = [str(row) for name in names for row in tx.execute(text(f"SELECT * FROM {name}"))]
    assert not [row for row in rows if CANARY in row]


def test_the_token_of_a_repository_cannot_be_guessed_quickly_from_its_request(keyed: Api) -> None:
    body = json.dumps({"url": "https://git.example/ada/blog.git", "token": CANARY}).encode()
    sent = {"data": body, "content_type": "application/json", "headers": {"Idempotency-Key": "k"}}
    assert [keyed.ask("PUT", "/api/repositories", **sent).status_code for _ in range(2)] == [200, 200]
    with keyed.database.transaction() as tx:
        (kept,) = tx.scalars(text("SELECT request_sha256 FROM idempotency")).all()
    assert kept != hashlib.sha256(b"\0" + body).hexdigest()


def test_an_unset_one_is_gone(keyed: Api) -> None:
    give(keyed, {"API_KEY": CANARY})
    assert keyed.ask("DELETE", "/api/apps/blog/secrets/API_KEY").status_code == 204
    assert keyed.ask("DELETE", "/api/apps/blog/secrets/API_KEY").status_code == 404


def test_a_repeated_key_sets_nothing_twice(keyed: Api) -> None:
    first, second = (give(keyed, {"API_KEY": CANARY}, headers={"Idempotency-Key": "k"}) for _ in range(2))
    assert (first.json, first.status_code) == (second.json, 200)
    assert give(keyed, {"API_KEY": "other"}, headers={"Idempotency-Key": "k"}).json["code"] == "idempotency_key_reused"


def test_the_audit_tells_the_names(keyed: Api) -> None:
    give(keyed, {"API_KEY": CANARY, "EXTRA": "x"})
    deed = keyed.get("/api/audit").json["items"][0]
    assert (deed["method"], deed["path"], deed["status"], deed["about"]) == (
        "PUT", "/api/apps/blog/secrets", 200, "API_KEY, EXTRA",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({}, "values: it has fewer than 1 entries"),
        ({"1_KEY": CANARY}, "is not an environment name"),
        ({"NORN_TOKEN": CANARY}, "is reserved"),
        ({"API_KEY": ""}, "API_KEY: its value is empty"),
        ({"API_KEY": f"{CANARY}\0"}, "it holds a NUL character"),
        ({"API_KEY": CANARY * 10_100}, "one environment variable holds 131071"),
        ({"API_KEY": None}, "it is not a text"),
        ({"API_KEY": 1234567}, "it is not a text"),
        ([CANARY], "values"),
    ],
)
def test_what_cannot_be_set_is_refused_without_repeating_it(keyed: Api, values: object, sentence: str) -> None:
    answer = give(keyed, values)
    assert (answer.status_code, answer.json["code"]) == (422, "invalid_request")
    assert sentence in answer.json["detail"] and CANARY not in answer.text


def test_one_that_cannot_be_set_leaves_the_others_as_they_were(keyed: Api) -> None:
    give(keyed, {"API_KEY": "one", "1_BAD": "two"})
    assert [s["version"] for s in keyed.get("/api/apps/blog/secrets").json["items"]] == [None, None]


def test_an_app_that_is_not_there_is_told(keyed: Api) -> None:
    for answer in (
        keyed.get("/api/apps/nosuch/secrets"),
        keyed.ask("PUT", "/api/apps/nosuch/secrets", json={"values": {"A": "x"}}),
        keyed.ask("DELETE", "/api/apps/nosuch/secrets/A"),
    ):
        assert (answer.status_code, answer.json["code"]) == (404, "app_not_found")


def test_a_reader_sees_names_and_sets_nothing(keyed: Api) -> None:
    reader = keyed.asked_as(Scope.READ)
    assert reader.get("/api/apps/blog/secrets").status_code == 200
    assert give(reader, {"API_KEY": CANARY}).status_code == 403


def test_a_token_of_another_app_reaches_none(keyed: Api) -> None:
    other = keyed.asked_as(Scope.DEPLOY, apps=("shop",))
    assert (other.get("/api/apps/blog/secrets").status_code, give(other, {"A": "x"}).status_code) == (403, 403)


def test_a_server_without_a_key_says_how_to_get_one(api: Api) -> None:
    shared.add_live(api.database, "blog", "worker")
    answer = give(api, {"A": "x"})
    assert (answer.status_code, answer.json["code"]) == (409, "conflict")
    assert "norn down, then norn up; or docker-compose up -d" in json.loads(answer.text)["hint"]
