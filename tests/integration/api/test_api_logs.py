"""The log of the API process: JSON if configured, also gunicorn's lines; the request's id on each line; never a
token.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from norn_tasks.store.database.session import Database
from tests import factories
from tests.integration.api.factories import HELLO, Api
from tests.integration.api.process import ApiProcess
from tests.servers import Broker


@pytest.fixture
def process(tmp_path: Path, database: Database, broker: Broker) -> Iterator[ApiProcess]:
    """An API process that logs as JSON."""
    process = ApiProcess(tmp_path, database.url, broker.url, log_format="json")
    yield process
    process.stop()


def lines(process: ApiProcess) -> list[dict[str, Any]]:
    """Returns every line of the process's log; fails at a line that is not JSON."""
    return [json.loads(line) for line in process.log().splitlines()]


def test_every_line_is_json_and_a_change_has_one_with_its_request(process: ApiProcess) -> None:
    with process.client() as client:
        kind = {"Content-Type": "text/yaml", "X-Request-Id": "from-a-proxy.1"}
        answer = client.put("/api/apps/hello?canary=s3cret", content=HELLO, headers=kind)
    assert answer.headers["X-Request-Id"] == "from-a-proxy.1"
    told = [line for line in lines(process) if line["event"] == "request"]
    assert [(line["request"], line["method"], line["path"], line["status"]) for line in told] == [
        ("from-a-proxy.1", "PUT", "/api/apps/hello", 201)
    ]
    assert all({"event", "level", "timestamp"} <= set(line) for line in lines(process))
    assert "s3cret" not in process.log() and process.token_file.read_text().strip() not in process.log()


@pytest.mark.parametrize("given", ["", "x" * 65, "two words", "a/b"])
def test_an_id_that_is_none_is_replaced(api: Api, given: str) -> None:
    made = api.get("/api/version", headers={"X-Request-Id": given}).headers["X-Request-Id"]
    assert (made != given, len(made)) == (True, 16)


def test_a_reader_that_is_too_slow_learns_how_many_lines_it_missed(connected: Api) -> None:
    live = connected.services.live
    for n in range(1, 6001):
        live.emit(7, [("r1", str(n), {})], first=n)
    first = live.read(7, "0", 0.1)[0]
    assert (first.number > 1, first.line) == (True, str(first.number))
    assert (live.last(7) or first).line == "6000" and live.last(8) is None


@pytest.mark.parametrize(
    ("query", "status", "sentence"),
    [
        ("grep=(a", 422, "grep: this is not a regular expression: missing ): (a"),
        ("since=yesterday", 422, 'since: "yesterday" is neither a duration nor a time'),
        ("until=25:00", 422, 'until: "25:00" is neither a duration nor a time'),
        ("since=1h&until=2h", 422, "until: it is not after since"),
        ("follow=1&until=2h", 422, "until: it asks for lines of the past only, and follow for new ones"),
        ("follow=1&previous=1", 422, "previous: it asks for lines of the past only, and follow for new ones"),
        ("release=7", 404, "release: web has no release 7"),
    ],
)
def test_a_question_that_makes_no_sense_is_refused_with_its_field(
    api: Api, query: str, status: int, sentence: str
) -> None:
    factories.add_live(api.database, "web", "webserver")
    answer = api.get(f"/api/apps/web/logs?{query}")
    assert (answer.status_code, answer.json["detail"]) == (status, sentence)
    assert answer.json["hint"]


def test_lines_of_runs_have_no_times_to_choose_by(api: Api) -> None:
    factories.add_live(api.database, "fn")
    answer = api.get("/api/apps/fn/logs?since=1h")
    assert (answer.status_code, answer.json["hint"]) == (422, "norn fn history fn")
    assert answer.json["detail"].startswith("since: only the lines of webservers and workers are kept")
