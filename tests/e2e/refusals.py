"""How an error is looked at from outside: as a problem of the API, and as what `norn` prints and exits with."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.e2e.stack import BIN, Stack

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
    """What `norn` did: its exit status, and all that it wrote to stderr."""

    exit: int
    stderr: str

    @property
    def end(self) -> tuple[int, str]:
        """The exit status and the last two lines: the error and the way out."""
        return self.exit, "\n".join(self.stderr.splitlines()[-2:])


def error_lines(sentence: str, hint: str, code: str = "") -> str:
    """Returns how `norn` prints an error; one that it found by itself has no code."""
    return f"error: {sentence}{f' [{code}]' if code else ''}\nhint: {hint}"


def bootstrap(stack: Stack) -> str:
    """Returns the token that the first start left."""
    return (stack.home / "token").read_text().strip()


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


def norn(stack: Stack, *argv: str, token: str | None = None) -> Printed:
    """Runs `norn` with the bootstrap token unless another one (or none: `""`) is given."""
    other = {} if token is None else {"NORN_TOKEN": token, "NORN_DATA_DIR": str(stack.home / "elsewhere")}
    done = subprocess.run(
        [str(BIN / "norn"), *argv], env={**stack.environment, **other}, stdin=subprocess.DEVNULL, capture_output=True,
        timeout=120, check=False,
    )  # fmt: skip
    return Printed(done.returncode, done.stderr.decode())


@dataclass(frozen=True)
class Refusal:
    """A request that is refused: how it is sent over HTTP, how it is typed, what both are told."""

    method: str
    path: str
    typed: str
    told: Told
    exit: int
    request: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.told.code}-{self.typed[:40]}"

    @property
    def printed(self) -> Printed:
        """What `norn` has to do."""
        return Printed(self.exit, error_lines(self.told.sentence, self.told.hint, self.told.code) + "\n")

    def asked(self, stack: Stack, token: str | None = None) -> Told:
        """Returns what the API says."""
        return told(ask(stack, self.method, self.path, token=token, **self.request))

    def run(self, stack: Stack, token: str | None = None) -> Printed:
        """Returns what `norn` does."""
        return norn(stack, *self.typed.split("|"), token=token)
