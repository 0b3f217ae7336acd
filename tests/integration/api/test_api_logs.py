"""What the API's process logs: JSON when asked, gunicorn's lines too; the request's id on each; never a token."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from norn_tasks.store.session import Database
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
    """Answers every line of its log; a line that is not JSON fails."""
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
