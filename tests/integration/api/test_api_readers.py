"""Readers of streams: an idle stream sends heartbeats, and a revoked token stops the stream."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests import factories as shared
from tests.integration.api.factories import Api
from tests.integration.api.process import ApiProcess
from tests.servers import Broker


@pytest.fixture(scope="module")
def served(lasting: Api, broker: Broker) -> Iterator[ApiProcess]:
    """An API process."""
    home = Path(tempfile.mkdtemp(prefix="norn-api-"))
    process = ApiProcess(home, lasting.database.url, broker.url)
    yield process
    process.stop()
    shutil.rmtree(home, ignore_errors=True)


def test_quiet_log_sends_an_empty_line_every_ten_seconds(served: ApiProcess, lasting: Api) -> None:
    with lasting.database.transaction() as tx:
        shared.add_app(tx, shared.spec("blog", "webserver"))
        job = shared.add_job(tx)
    lines = {"Accept": "application/x-ndjson"}
    with served.client() as client, client.stream("GET", f"/api/jobs/{job}/logs?follow=1", headers=lines) as stream:
        began = time.monotonic()
        assert next(stream.iter_lines()) == ""
        assert 8 < time.monotonic() - began < 15


def test_stream_of_a_revoked_token_ends(served: ApiProcess) -> None:
    with served.client() as admin:
        made = admin.post("/api/tokens", json={"name": "reader", "scopes": ["read"]}).json()
        headers = {"Authorization": f"Bearer {made['token']}"}
        with httpx.stream("GET", f"{served.url}/api/events/stream", headers=headers, timeout=20) as stream:
            lines = stream.iter_lines()
            assert next(lines) == "retry: 2000"
            began = time.monotonic()
            assert admin.delete(f"/api/tokens/{made['id']}").status_code == 204
            assert [line for line in lines if line.startswith(":")] == []
            assert time.monotonic() - began < 10
