"""Alerts through the API, and their receivers: secrets are shown once, alerts are filtered, receivers are tested and
removed.
"""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select, update

from norn_tasks import sealing
from norn_tasks.domain.access import Scope
from norn_tasks.domain.alerting.alert import AlertKind, AlertRule, NewAlert, key
from norn_tasks.store import tables as t
from norn_tasks.store.alerts import alerts
from norn_tasks.store.apps import secrets
from norn_tasks.store.database.session import Database
from tests import factories as shared
from tests.integration.api import factories
from tests.integration.api.factories import Api

KEY = sealing.fresh_key()
OPS = {"name": "ops", "url": "https://hooks.example/T0/B0/secret"}


def add_alert(api: Api, app: str = "tick", kind: AlertKind = AlertKind.RUNS_FAILING) -> None:
    with api.database.transaction() as tx:
        alerts.raise_alerts(
            tx, AlertRule.CRON, [NewAlert(kind, app, f"run 7 of {app} failed", f"norn cron logs {app} 7")]
        )


def resolve(api: Api, app: str = "tick") -> None:
    with api.database.transaction() as tx:
        alerts.resolve(tx, AlertRule.CRON, {key(kind, app): "run 8 succeeded" for kind in AlertKind})


def listed(api: Api, query: str = "") -> list[tuple[str, str]]:
    return [(one["app"], one["kind"]) for one in api.get(f"/api/alerts{query}").json["items"]]


def test_open_alerts_are_listed_newest_first(api: Api) -> None:
    add_alert(api)
    add_alert(api, "tock", AlertKind.RUNS_MISSED)
    assert listed(api) == [("tock", "runs-missed"), ("tick", "runs-failing")]


def test_resolved_ones_are_listed_when_asked_for(api: Api) -> None:
    add_alert(api)
    resolve(api)
    (alert,) = api.get("/api/alerts?all=1").json["items"]
    assert (listed(api), alert["resolution"]) == ([], "run 8 succeeded")


@pytest.mark.parametrize(("query", "found"), [("?app=tock", 1), ("?kind=runs-missed", 1), ("?app=other", 0)])
def test_alerts_can_be_chosen(api: Api, query: str, found: int) -> None:
    add_alert(api)
    add_alert(api, "tock", AlertKind.RUNS_MISSED)
    assert len(listed(api, query)) == found


def test_a_kind_that_is_none_is_refused(api: Api) -> None:
    assert api.get("/api/alerts?kind=fire").status_code == 422


def test_a_token_sees_the_alerts_of_the_apps_that_it_reaches(api: Api) -> None:
    add_alert(api)
    assert listed(api.asked_as(Scope.READ, apps=("tock",))) == []


def test_an_apps_status_has_its_open_alerts(api: Api) -> None:
    shared.add_live(api.database, "tick", "cron")
    add_alert(api)
    (alert,) = api.get("/api/apps/tick").json["alerts"]
    assert alert["severity"] == "warning"
    assert (alert["kind"], alert["hint"]) == ("runs-failing", "norn cron logs tick 7")


def test_health_says_how_many_are_open_and_of_no_app(api: Api) -> None:
    add_alert(api)
    add_alert(api, "tock")
    answer = api.get("/api/health")
    (check,) = [one for one in answer.json["checks"] if one["name"] == "alerts"]
    assert (check["status"], check["message"], check["hint"]) == ("warn", "2 alerts are open", "norn alerts")
    assert "tick" not in answer.text


def test_health_has_no_word_about_alerts_while_there_is_none(api: Api) -> None:
    assert "alerts" not in [one["name"] for one in api.get("/api/health").json["checks"]]


# Receivers


@pytest.fixture(autouse=True)
def keyed(database: Database) -> None:
    """A server with its key for secrets."""
    with database.transaction() as tx:
        secrets.remember_recipient(tx, sealing.recipient_of(KEY))


def add(api: Api, **more: Any) -> Any:
    return api.post("/api/notifications", json={**OPS, **more})


def test_the_secret_is_shown_once(api: Api) -> None:
    made = add(api)
    (told,) = api.get("/api/notifications").json["items"]
    assert made.status_code == 201
    assert made.json["secret"].startswith("whsec_")
    assert "secret" not in told
    assert made.json["secret"] not in api.get("/api/notifications").text


def test_the_secret_is_kept_sealed_to_the_workers_key(api: Api) -> None:
    made = add(api).json["secret"]
    with api.database.transaction() as tx:
        sealed = bytes(tx.execute(select(t.DestinationRow.sealed)).scalar_one())
    assert (made.encode() in sealed, sealing.unseal(sealed, KEY)) == (False, made)


def test_a_server_without_a_key_says_so(api: Api) -> None:
    with api.database.transaction() as tx:
        tx.execute(update(t.InstanceRow).values(age_recipient=None))
    answer = add(api)
    assert (answer.status_code, "no key" in answer.json["detail"]) == (409, True)


def test_of_the_address_only_the_host_is_shown(api: Api) -> None:
    assert add(api).json["url"] == "https://hooks.example/…"
    assert "B0" not in api.get("/api/notifications").text


def test_a_repeated_key_makes_one_and_shows_no_secret(api: Api) -> None:
    key = {"Idempotency-Key": "one"}
    answers = [api.post("/api/notifications", json=OPS, headers=key) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[1].json["secret"] is None


def test_a_name_is_taken_once(api: Api) -> None:
    add(api)
    answer = add(api)
    assert (answer.status_code, answer.json["hint"]) == (409, "norn notify remove ops")


@pytest.mark.parametrize(
    "body",
    [
        {"url": "http://hooks.example/"}, {"url": "ftp://hooks.example/"}, {"url": "https://"},
        {"url": "hooks.example"},
        {"url": "https://ann:pw@hooks.example/"}, {"url": "https://hooks.example/#x"}, {"url": "https://h.example:0/"},
        {"url": "https://hooks.example/a b"}, {"url": "https://[::1/"}, {"name": "-x"}, {"name": "a/b"},
        {"apps": []}, {"apps": ["A B"]}, {"kinds": []}, {"kinds": ["fire"]}, {"secret": "mine"},
        {"format": "mail"}, {"format": "irc"}, {"severity": "low"}, {"url": "mailto:a@b%0d"},
    ],
)  # fmt: skip
def test_what_cannot_be_meant_is_refused(api: Api, body: dict[str, Any]) -> None:
    answer = add(api, **body)
    assert (answer.status_code, api.get("/api/notifications").json["items"]) == (422, [])


def test_plain_http_is_taken_where_an_operator_allows_private_addresses(database: Any) -> None:
    api = factories.api(database, outgoing_private=True)
    assert add(api, url="http://127.0.0.1:9/").status_code == 201
    api.services.close()


def test_what_it_is_told_of_is_kept(api: Api) -> None:
    add(api, apps=["tick"], kinds=["runs-missed"])
    (told,) = api.get("/api/notifications").json["items"]
    assert (told["apps"], told["kinds"], told["created_by"]) == (["tick"], ["runs-missed"], "admin")


def test_a_destination_that_people_read_has_a_format_and_no_secret(api: Api) -> None:
    made = add(api, url="mailto:ops@example.org", severity="critical").json
    assert (made["format"], made["severity"], made["url"], made["secret"]) == (
        "mail", "critical", "mailto:ops@example.org", None,
    )  # fmt: skip
    assert add(api, name="chat", url="https://ntfy.example/norn", format="ntfy").json["format"] == "ntfy"


def test_one_without_a_secret_needs_no_key(api: Api) -> None:
    with api.database.transaction() as tx:
        tx.execute(update(t.InstanceRow).values(age_recipient=None))
    assert add(api, url="https://hooks.slack.com/services/T0/B0/x").status_code == 201
    with api.database.transaction() as tx:
        assert secrets.any_sealed(tx) == 0


def test_an_alert_waits_to_be_sent_there(api: Api) -> None:
    add(api)
    add_alert(api)
    (delivery,) = api.get("/api/notifications/ops/deliveries").json["items"]
    assert (delivery["event"], delivery["app"], delivery["state"], delivery["attempts"]) == (
        "alert.raised", "tick", "waiting", 0,
    )  # fmt: skip


def test_a_try_is_work_with_a_job(api: Api) -> None:
    add(api)
    answer = api.post("/api/notifications/ops/test", json={})
    job = api.get(answer.json["href"]).json
    assert (answer.status_code, job["kind"], job["class"]) == (202, "notify", "observe")


def test_removed_means_gone(api: Api) -> None:
    add(api)
    assert api.ask("DELETE", "/api/notifications/ops").status_code == 204
    assert api.get("/api/notifications").json["items"] == []


@pytest.mark.parametrize(
    ("method", "under"), [("DELETE", ""), ("POST", "/test"), ("GET", "/deliveries")], ids=lambda x: str(x)
)
def test_who_is_not_there_is_not_found(api: Api, method: str, under: str) -> None:
    more = {"json": {}} if method == "POST" else {}
    assert api.ask(method, f"/api/notifications/nobody{under}", **more).status_code == 404


def test_adding_and_removing_are_told_and_audited(api: Api) -> None:
    add(api)
    api.ask("DELETE", "/api/notifications/ops")
    with api.database.transaction() as tx:
        kinds = list(tx.execute(select(t.EventRow.kind).where(t.EventRow.kind.like("destination.%"))).scalars())
    audited = [row["method"] for row in api.get("/api/audit").json["items"]]
    assert (kinds, audited) == (["destination.added", "destination.removed"], ["DELETE", "POST"])
