"""Functions on the web: a webhook of GitHub whose signature is checked, and a response that is sent while the function
writes it.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path

import httpx
import pytest

from tests.e2e import apps, github_hook
from tests.e2e.fast_road import ROADS, SETTING, await_nest
from tests.e2e.github_hook import signed
from tests.e2e.stack import Stack

PAYLOAD = Path(__file__).parents[1] / "corpus" / "webhooks" / "github-push.json"
DOCUMENTED = (b"Hello, World!", "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17")
"""The example of GitHub's own page about signatures, with the secret above."""


@pytest.fixture(scope="module", params=ROADS)
def environment(request: pytest.FixtureRequest) -> dict[str, str]:
    """The settings of a Norn whose calls run in the nest (the container in which crun starts runs), and of one whose
    calls run in Docker.
    """
    return {"NORN_NEST": SETTING[request.param]}


def _deliver(stack: Stack, body: bytes, signature: str, path: str = "") -> httpx.Response:
    headers = {"X-GitHub-Event": "push", "X-Hub-Signature-256": signature, "Content-Type": "application/json"}
    return httpx.post(f"{stack.url}/fn/hook{path}", content=body, headers=headers, timeout=60)


def test_github_calls_a_function_without_a_token_and_only_its_signature_counts(stack: Stack) -> None:
    await_nest(stack, ("invoke",))
    github_hook.deploy(stack)
    body = PAYLOAD.read_bytes()
    taken = _deliver(stack, body, signed(body))
    assert (taken.status_code, taken.json(), taken.headers["X-Event"]) == (202, {"ok": True}, "push")
    assert _deliver(stack, *DOCUMENTED).status_code == 202
    forged = _deliver(stack, body + b" ", signed(body))
    assert (forged.status_code, forged.text) == (401, "the signature is wrong\n")
    broken = _deliver(stack, body, signed(body), "/broken")
    assert (broken.status_code, broken.json()["code"]) == (502, "bad_response")
    states = stack.rows("SELECT state, cause FROM func_executions WHERE app = 'hook' ORDER BY id")
    assert [row["state"] for row in states] == ["succeeded", "succeeded", "succeeded", "failed"]


SLOW = """
FROM busybox:stable
CMD ["sh", "-c", "echo one; [ $NORN_REQUEST_PATH = /fail ] && { sleep 1; exit 3; }; read go; sleep 5; echo two"]
"""


def _open(stack: Stack, path: str) -> AbstractContextManager[httpx.Response]:
    token = (stack.home / "token").read_text().strip()
    headers = {"Authorization": f"Bearer {token}", "Accept": "text/event-stream"}
    return httpx.stream("POST", f"{stack.url}/fn/slowly{path}", content=b"go\n", headers=headers, timeout=60)


def test_answer_is_sent_while_it_is_made_and_broken_off_when_the_call_fails(stack: Stack) -> None:
    await_nest(stack, ("invoke",))
    apps.deploy_function(stack, "slowly", SLOW)
    state = "SELECT state FROM func_executions WHERE id = %s"
    with _open(stack, "") as answer:
        pieces = answer.iter_raw()
        first, execution = next(pieces), int(answer.headers["X-Norn-Invocation-Id"])
        assert (first, stack.rows(state, execution)) == (b"one\n", [{"state": "running"}])
        assert b"".join(pieces) == b"two\n"
    assert stack.rows(state, execution) == [{"state": "succeeded"}]
    with _open(stack, "/fail") as answer:
        pieces = answer.iter_raw()
        assert (answer.status_code, next(pieces)) == (200, b"one\n")
        with pytest.raises(httpx.RemoteProtocolError):
            next(pieces)
