"""Webhooks over the API: who may manage them, which requests are refused before they are parsed, and that one push
makes one job for each app.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from werkzeug.test import TestResponse

from norn_api.app import create_app
from norn_tasks.domain.access import Scope
from norn_tasks.store.database.session import Database
from tests import factories as shared
from tests.integration.api.factories import Api

URL = "https://git.example/ada/blog.git"
PUBLISHED = Path(__file__).parents[2] / "corpus" / "pushes"


def spec(app: str, more: str = "", url: str = URL) -> str:
    return f"app: {app}\nrole: worker\nrepo: {{url: '{url}', autoDeploy: true{more}}}\n"


def create(api: Api, url: str = URL) -> dict[str, Any]:
    made = api.post("/api/webhooks", json={"url": url})
    assert made.status_code == 201, made.text
    return dict(made.json or {})


def pushed(after: str = "1" * 40, branch: str = "main", before: str = "0" * 40) -> bytes:
    return json.dumps({"ref": f"refs/heads/{branch}", "before": before, "after": after}).encode()


def deliver(api: Api, hook: dict[str, Any], body: bytes, **headers: str) -> TestResponse:
    signed = hmac.new(hook["secret"].encode(), body, hashlib.sha256).hexdigest()
    given = {"X-Hub-Signature-256": f"sha256={signed}", "X-GitHub-Event": "push"} | headers
    return api.anonymous().post(
        f"/api/webhooks/push?hook={hook['id']}", data=body, headers=given, content_type="application/json"
    )


def rows(api: Api, query: str) -> list[Any]:
    with api.database.transaction() as tx:
        return [tuple(row) for row in tx.execute(text(query))]


def test_fifty_deliveries_at_once_are_one_job_for_each_app(api: Api) -> None:
    hook = create(api)
    for app in ("blog", "shop"):
        api.put_spec(app, spec(app))
    with ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(lambda _: deliver(api, hook, pushed()), range(50)))
    assert sorted(answer.status_code for answer in answers) == [200] * 49 + [202]
    assert rows(api, "SELECT app FROM jobs WHERE kind = 'push' ORDER BY app") == [("blog",), ("shop",)]
    assert rows(api, "SELECT times FROM push_deliveries") == [(50,)]


def test_the_same_commit_in_another_body_is_no_other_push(api: Api) -> None:
    hook = create(api)
    api.put_spec("blog", spec("blog"))
    assert deliver(api, hook, pushed()).status_code == 202
    again = deliver(api, hook, pushed(before="2" * 40))
    assert (again.status_code, (again.json or {})["outcome"]) == (
        200,
        "111111111111 was pushed before; nothing was done again",
    )


def test_no_token_owns_the_jobs_of_pushes(api: Api) -> None:
    hook = create(api)
    api.put_spec("blog", spec("blog"))
    deliver(api, hook, pushed())
    ((job, actor),) = rows(api, "SELECT id, actor FROM jobs WHERE kind = 'push'")
    made = api.post("/api/tokens", json={"name": "push", "scopes": ["invoke"]})
    named = replace(api, token=made.json["token"])
    assert (named.get(f"/api/jobs/{job}").status_code, named.post(f"/api/jobs/{job}/cancel").status_code) == (403, 403)
    assert api.post("/api/tokens", json={"name": actor, "scopes": ["invoke"]}).status_code == 422


def test_a_branch_that_goes_back_is_news(api: Api) -> None:
    hook = create(api)
    api.put_spec("blog", spec("blog"))
    commits = ["1" * 40, "2" * 40, "1" * 40]
    before = ["0" * 40, *commits]
    statuses = [
        deliver(api, hook, pushed(sha, before=old)).status_code for sha, old in zip(commits, before, strict=False)
    ]
    assert statuses == [202, 202, 202]


def test_a_branch_that_goes_back_and_forth_is_news_though_its_body_came_before(api: Api) -> None:
    hook = create(api)
    api.put_spec("blog", spec("blog"))
    there, back = pushed("2" * 40, before="1" * 40), pushed("1" * 40, before="2" * 40)
    answers = [deliver(api, hook, body, **{"X-GitHub-Delivery": f"id-{n}"}) for n, body in enumerate([there, back] * 2)]
    assert [answer.status_code for answer in answers] == [202] * 4
    again = deliver(api, hook, there, **{"X-GitHub-Delivery": "id-2"})
    assert (again.status_code, again.json["outcome"]) == (
        200,
        "this delivery was received before, and was not processed again",
    )


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Hub-Signature-256": ""},
        {"X-Hub-Signature-256": "sha256=" + "0" * 64},
        {"X-Hub-Signature-256": "sha256=" + "0" * 63},
        {"X-Hub-Signature-256": "sha1=" + "0" * 40},
    ],
)
def test_a_bad_signature_is_refused_before_anything_is_parsed(api: Api, headers: dict[str, str]) -> None:
    hook = create(api)
    refused = deliver(api, hook, b"{ no json", **headers)
    assert (refused.status_code, rows(api, "SELECT 1 FROM push_deliveries")) == (401, [])
    assert "signature" in refused.json["detail"]


def test_an_address_of_no_webhook_says_no_more_than_a_wrong_signature(api: Api) -> None:
    hook = create(api)
    wrong = deliver(api, hook, b"{}", **{"X-Hub-Signature-256": "sha256=" + "0" * 64})
    for id in (999, "1 OR 1=1", ""):
        absent = deliver(api, hook | {"id": id}, b"{}")
        assert (absent.status_code, absent.json["detail"]) == (401, wrong.json["detail"])


def test_a_delivery_over_the_limit_is_not_read_whether_its_webhook_is_there_or_not(api: Api) -> None:
    hook = create(api)
    body = b" " * (api.services.settings.webhook_max + 1)
    answers = [deliver(api, each, body) for each in (hook, hook | {"id": 999})]
    assert [(each.status_code, each.json["detail"]) for each in answers] == [
        (413, "the delivery is over its limit of 26214400 bytes")
    ] * 2


def test_strangers_learn_no_path_of_a_server_whose_key_is_gone(api: Api, database: Database, tmp_path: Path) -> None:
    hook = create(api)
    restored = Api(create_app(shared.intake(database, data_dir=tmp_path)), database)
    refused = deliver(restored, hook, b"{}")
    assert (refused.status_code, refused.json["code"]) == (409, "secrets_locked")
    assert str(tmp_path) not in refused.text
    restored.services.close()


def test_an_earlier_secret_counts_no_longer(api: Api) -> None:
    hook = create(api)
    rotated = api.post(f"/api/webhooks/{hook['id']}/rotate", json={}).json
    assert rotated["secret"] != hook["secret"]
    assert deliver(api, hook, pushed()).status_code == 401
    assert deliver(api, rotated, pushed()).status_code == 200


def test_the_secret_is_shown_once_and_is_in_no_row(api: Api) -> None:
    hook = create(api)
    api.put_spec("blog", spec("blog"))
    deliver(api, hook, pushed())
    assert "secret" not in api.get("/api/webhooks").json["items"][0]
    with api.database.transaction() as tx:
        tables = tx.scalars(text("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")).all()
        for table in tables:
            found = tx.scalar(
                text(f"SELECT count(*) FROM {table} t WHERE t::text LIKE :word"), {"word": f"%{hook['secret']}%"}
            )
            assert found == 0, table


def test_a_removed_webhook_is_closed(api: Api) -> None:
    hook = create(api)
    assert api.ask("DELETE", f"/api/webhooks/{hook['id']}").status_code == 204
    assert deliver(api, hook, pushed()).status_code == 401


def test_only_admins_manage_webhooks(api: Api) -> None:
    create(api)
    deployer = api.asked_as(Scope.DEPLOY)
    assert deployer.get("/api/webhooks").status_code == 403
    assert deployer.post("/api/webhooks", json={"url": URL}).status_code == 403


def test_a_repository_has_one_webhook_whatever_its_address(api: Api) -> None:
    create(api)
    again = api.post("/api/webhooks", json={"url": "git@git.example:Ada/Blog"})
    assert (again.status_code, "norn webhook rotate" in again.json["hint"]) == (409, True)


@pytest.mark.parametrize(
    ("app", "branch"),
    [
        ("app: blog\nrole: worker\nrepo: {url: 'https://git.example/ada/blog.git'}\n", "main"),
        (spec("blog"), "other"),
        (spec("blog", url="https://git.example/ada/other.git"), "main"),
        (spec("blog") + "deploy: false\n", "main"),
    ],
)
def test_a_push_that_no_app_wants_is_recorded_with_the_reason(api: Api, app: str, branch: str) -> None:
    hook = create(api)
    api.put_spec("blog", app)
    assert deliver(api, hook, pushed(branch=branch)).status_code == 200
    (seen,) = api.get(f"/api/webhooks/{hook['id']}/deliveries").json["items"]
    assert (seen["outcome"].startswith("no app"), seen["results"]) == (True, [])


@pytest.mark.parametrize("sample", sorted(PUBLISHED.glob("*.json")), ids=lambda path: path.stem)
def test_the_published_samples_are_taken_or_ignored_as_documented(api: Api, sample: Path) -> None:
    case = json.loads(sample.read_text())
    hook = create(api, case["repository"])
    api.put_spec("blog", spec("blog", f", branch: {case['branch']}", case["repository"]))
    answer = deliver(api, hook, json.dumps(case["body"]).encode(), **case["headers"])
    assert (answer.status_code, answer.json["outcome"]) == (case["status"], case["outcome"])
