"""The OpenAPI document agrees with a server that has everything: all listed operations work, and random requests break
none.

A few examples are tried per operation; `NORN_FUZZ_EXAMPLES=40 make soak T=tests/e2e/test_api_document.py` tries many.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.e2e import furnished
from tests.e2e.furnished import Speaker
from tests.e2e.fuzz import Fuzzer
from tests.e2e.stack import Stack

EXAMPLES = int(os.environ.get("NORN_FUZZ_EXAMPLES", "2"))
pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def speaker(stack: Stack) -> Iterator[Speaker]:
    """A client of a server with everything in it, after every operation that removes nothing was called."""
    stack.keep_secrets()
    stack.serve_apps()
    speaker = Speaker(stack)
    furnished.furnish(speaker)
    furnished.look(speaker)
    furnished.change(speaker)
    yield speaker


@pytest.mark.parametrize("who", ["anonymous", "reader", "admin"])
def test_no_made_up_request_is_answered_other_than_documented(speaker: Speaker, who: str) -> None:
    headers = {"anonymous": {}, "admin": speaker.admin}.get(who)
    if headers is None:
        made = speaker.ask("create_token", json={"name": "reader", "scopes": ["read"]})
        headers = {"Authorization": f"Bearer {made.json()['token']}"}
    fuzzer = Fuzzer(speaker, headers, EXAMPLES)
    complaints = fuzzer.complaints()
    print(f"{who}: {fuzzer.sent} requests, {len(complaints)} complaints")
    furnished.await_quiet(speaker.stack)
    assert complaints == []


def test_every_operation_has_answered_well(speaker: Speaker) -> None:
    furnished.undo(speaker)
    well = {name for name, statuses in speaker.answered.items() if any(200 <= status < 300 for status in statuses)}
    missing = {name: sorted(speaker.answered[name]) for name in speaker.operations - well}
    assert missing == {}
