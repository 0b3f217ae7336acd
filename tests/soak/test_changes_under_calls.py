"""Deploys and changed secrets during a steady stream of calls, by each road (in the nest, which is the container in
which crun starts runs, or by Docker): no error, and no old code or secret.
"""

from __future__ import annotations

import os

import pytest

from tests.e2e import changing_calls
from tests.e2e.fast_road import ROADS, SETTING, await_clean, await_nest, remains
from tests.e2e.stack import Stack

ROUNDS = int(os.environ.get("ROUNDS", "6"))


@pytest.fixture(scope="module", params=ROADS)
def environment(request: pytest.FixtureRequest) -> dict[str, str]:
    """Settings of a Norn for each road."""
    return {"NORN_NEST": SETTING[request.param]}


@pytest.mark.timeout(1700)
def test_no_call_fails_and_none_shows_what_was_replaced(stack: Stack) -> None:
    stack.keep_secrets()
    await_nest(stack)
    before = remains(stack)
    stream = changing_calls.prepare(stack)
    with changing_calls.streaming(stream, 4):
        for number in range(1, ROUNDS + 1):
            stream.await_answers(4)
            stream.deploy(number)
            stream.await_answers(4)
            stream.set_secret(number)
        stream.await_answers(4)
    nest = stack.rows("SELECT count(*) FROM jobs WHERE kind = 'invoke' AND container LIKE 'nest-%%'")[0]["count"]
    print(f"{len(stream.answers)} calls, {nest} in the nest, with {ROUNDS} deploys and {ROUNDS} changed secrets: "
          f"errors {dict(stream.errors())}, old answers {len(stream.old())}")  # fmt: skip
    assert (dict(stream.errors()), stream.old()) == ({}, [])
    await_clean(stack, before, 60)
