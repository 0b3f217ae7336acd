"""How an error is looked at from outside: as a problem of the API, and as what `norn` prints and exits with."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.e2e.stack import Stack

PROBLEM = "application/problem+json"


@dataclass(frozen=True)
class Told:
    """What the API said: HTTP status, stable code, sentence and way out."""

    status: int
    code: str
    sentence: str
    hint: str


@dataclass(frozen=True)
class Printed:
    """What `norn` did: its exit status and everything it wrote to stderr."""

    exit: int
    stderr: str

    @property
    def end(self) -> str:
        """The last two lines: the error and the way out."""
        return "\n".join(self.stderr.splitlines()[-2:])


def error_lines(sentence: str, hint: str) -> str:
    """Answers how `norn` prints an error."""
    return f"error: {sentence}\nhint: {hint}"


def ask(stack: Stack, method: str, path: str, *, token: str | None = None, **request: Any) -> httpx.Response:
    """Sends a request, with the bootstrap token unless another one (or none: `""`) is given."""
    given = bootstrap(stack) if token is None else token
    headers = {**({"Authorization": f"Bearer {given}"} if given else {}), **request.pop("headers", {})}
    return httpx.request(method, stack.url + path, headers=headers, timeout=60, **request)


def told(answer: httpx.Response) -> Told:
    """Reads a problem; fails when the answer is none."""
    assert answer.headers["Content-Type"] == PROBLEM, (answer.status_code, answer.text)
    problem = answer.json()
    assert problem["status"] == answer.status_code
    return Told(answer.status_code, problem["code"], problem["detail"], problem["hint"])


def norn(stack: Stack, *argv: str, token: str | None = None, body: bytes = b"") -> Printed:
    """Runs `norn` as a person does who has that token, the bootstrap token unless said otherwise."""
    environment = {} if token is None else {"NORN_TOKEN": token, "NORN_DATA_DIR": str(stack.home / "elsewhere")}
    done = stack.norn(*argv, check=False, stdin=body, **environment)
    return Printed(done.returncode, done.stderr.decode())


def bootstrap(stack: Stack) -> str:
    """Answers the token that the first start left."""
    return (stack.home / "token").read_text().strip()


@dataclass(frozen=True)
class Refused:
    """A request that is refused: how it is asked over HTTP and typed, and what both are told."""

    method: str
    path: str
    typed: tuple[str, ...]
    expected: Told
    exit: int
    request: dict[str, Any] = field(default_factory=dict)
    token: str | None = None

    @property
    def name(self) -> str:
        """What the test is called after."""
        return f"{self.expected.code}: norn {' '.join(self.typed)}"[:70]

    def asked(self, stack: Stack, token: str | None = None) -> Told:
        """Answers what the API says."""
        return told(ask(stack, self.method, self.path, token=token, **self.request))

    def wanted(self) -> Printed:
        """Answers what `norn` has to do."""
        return Printed(self.exit, error_lines(self.expected.sentence, self.expected.hint) + "\n")
