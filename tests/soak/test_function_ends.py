"""Calls of every kind by Docker and by the nest (the container in which crun starts runs): status, code, body and
record are the same, as docs/api.md says.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.e2e import apps
from tests.e2e.conftest import clean_up, new_stack
from tests.e2e.stack import Stack
from tests.servers import Broker, Postgres, allowed, wait_until

LONGEST_VARIABLE = 131_053
MIB = 2**20
SHELL = 'FROM busybox:stable\nCMD ["sh", "-c", "{}"]\n'
FUNCTIONS = {
    "echo": 'FROM busybox:stable\nCMD ["cat"]\n',
    "scratch": "FROM busybox:stable AS source\nFROM scratch\nCOPY --from=source /bin/busybox /busybox\n"
    'ENTRYPOINT ["/busybox"]\nCMD ["cat"]\n',
    "by-name": "FROM busybox:stable\nRUN echo 'app:x:1234:5678::/home/app:/bin/sh' >> /etc/passwd && mkdir -p /srv/w\n"
    "VOLUME /data\nWORKDIR /srv/w\nUSER app\nHEALTHCHECK CMD true\nONBUILD RUN true\n"
    'ENTRYPOINT ["sh", "-c", "id -u; pwd; touch /data/a && echo $0"]\nCMD ["given"]\n',
    "by-number": 'FROM busybox:stable\nUSER 4321:8765\nCMD ["sh", "-c", "id -u; id -g"]\n',
    "three": SHELL.format("cat >/dev/null; echo lost; exit 3"),
    "not-executable": 'FROM busybox:stable\nCMD ["/etc/passwd"]\n',
    "not-found": 'FROM busybox:stable\nCMD ["nosuch"]\n',
    "signal": SHELL.format("kill -SEGV $$"),
    "forks": SHELL.format("for n in 1 2 3 4 5; do sleep 60 & done; echo forked"),
    "greedy": SHELL.format("x=$(head -c 200000000 /dev/zero | tr '\\\\\\\\0' a); echo done"),
    "slow": SHELL.format("sleep 60"),
    "loud": SHELL.format("head -c 3000000 /dev/zero"),
    "partly": SHELL.format("head -c 3"),
    "unread": SHELL.format("echo unread"),
    "what": SHELL.format(
        "echo $NORN_REQUEST_BODY_SIZE $NORN_REQUEST_BODY_OMITTED; printf %s $NORN_REQUEST_BODY | wc -c"
    ),
}
FIELDS = {"slow": "timeout: 5s", "echo": "maxOutput: 2MiB"}


@dataclass(frozen=True)
class Answer:
    """The response that the caller gets, and the record of the call."""

    status: int
    code: str
    body: bytes | None
    state: str
    exit_code: int | None


def fine(body: bytes) -> Answer:
    return Answer(200, "", body, "succeeded", 0)


CASES: dict[str, tuple[str, bytes, Answer]] = {
    **{
        f"{name} of {size} bytes": (name, body, fine(body))
        for name in ("echo", "scratch")
        for size in (0, 1, LONGEST_VARIABLE - 1, LONGEST_VARIABLE, LONGEST_VARIABLE + 1, MIB)
        for body in [(bytes(range(256)) * (size // 256 + 1))[:size]]
    },
    "a body over the limit": ("echo", b"x" * (MIB + 1), Answer(413, "body_too_large", None, "", None)),
    "text in the variable": ("what", b"x" * LONGEST_VARIABLE, fine(b"131053\n131053\n")),
    "text over the variable": ("what", b"x" * (LONGEST_VARIABLE + 1), fine(b"131054 size\n0\n")),
    "binary is not in the variable": ("what", b"\xff\0", fine(b"2 binary\n0\n")),
    "user by name": ("by-name", b"", fine(b"1234\n/srv/w\ngiven\n")),
    "user by number": ("by-number", b"", fine(b"4321\n8765\n")),
    "exit 3": ("three", b"x", Answer(502, "function_failed", None, "failed", 3)),
    "exit 126": ("not-executable", b"x", Answer(502, "not_runnable", None, "failed", 126)),
    "exit 127": ("not-found", b"x", Answer(502, "not_runnable", None, "failed", 127)),
    "death by signal": ("signal", b"", Answer(502, "function_failed", None, "failed", 139)),
    "a program that forks": ("forks", b"", fine(b"forked\n")),
    "too much memory": ("greedy", b"", Answer(502, "oom_killed", None, "oom_killed", None)),
    "too much time": ("slow", b"", Answer(504, "timed_out", None, "timed_out", None)),
    "too much output": ("loud", b"", Answer(502, "output_too_large", None, "failed", None)),
    "stdin read partly": ("partly", b"x" * MIB, fine(b"xxx")),
    "stdin not read": ("unread", b"x" * MIB, fine(b"unread\n")),
}


@pytest.fixture(scope="module", params=["off", "auto"], ids=["docker", "nest"])
def norn(
    request: pytest.FixtureRequest, postgres: Postgres, private_dir: Path, engine_address: str
) -> Iterator[tuple[Stack, str]]:
    """A Norn with all of the functions, whose calls are run by Docker or in the nest; with words that the note of each
    run's step then contains.
    """
    home = private_dir / f"ends-{request.param}"
    home.mkdir()
    broker = Broker(home / "broker")
    stack = new_stack(postgres, broker.url, home, NORN_NEST=request.param)
    try:
        stack.start()
        if request.param == "auto":
            wait_until(lambda: b"runtime:nest" in stack.norn("worker", "list").stdout, 300, "the nest is ready")
        for name, recipe in FUNCTIONS.items():
            field = f", {FIELDS[name]}" if name in FIELDS else ""
            apps.deploy_function(stack, name, recipe, f"function: {{memory: 32MiB{field}}}\n")
        yield stack, {"auto": "in the nest", "off": ""}[request.param]
    finally:
        stack.stop()
        clean_up(stack)
        broker.stop()


@pytest.mark.timeout(900)
@pytest.mark.parametrize("case", CASES)
def test_a_call_has_the_answer_and_the_record_of_its_end(norn: tuple[Stack, str], case: str) -> None:
    (stack, place), (name, body, wanted) = norn, CASES[case]
    token = (stack.home / "token").read_text().strip()
    answer = httpx.post(
        f"{stack.url}/fn/{name}", content=body, headers={"Authorization": f"Bearer {token}"}, timeout=allowed(60)
    )
    code = "" if answer.status_code == 200 else str(json.loads(answer.content)["code"])
    row = {"state": "", "exit_code": None}
    if "X-Norn-Invocation-Id" in answer.headers:
        query = """SELECT f.state, f.exit_code, s.note FROM func_executions f JOIN jobs j ON j.execution = f.id
            JOIN steps s ON s.job_id = j.id WHERE f.id = %s AND s.name = 'run-container'"""
        row = stack.rows(query, int(answer.headers["X-Norn-Invocation-Id"]))[0]
    exit_code = wanted.exit_code if wanted.exit_code is not None else row["exit_code"]
    found = (answer.status_code, code, row["state"], row["exit_code"])
    assert found == (wanted.status, wanted.code, wanted.state, exit_code)
    if wanted.body is not None:
        assert (answer.content == wanted.body, place in str(row["note"])) == (True, True)
