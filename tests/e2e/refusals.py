"""Errors as users see them: as a problem document of the API, and as the output and exit status of `norn`."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.e2e.stack import BIN, Stack

PROBLEM = "application/problem+json"


@dataclass(frozen=True)
class Told:
    """An error response of the API: HTTP status, stable code, sentence and hint."""

    status: int
    code: str
    sentence: str
    hint: str


@dataclass(frozen=True)
class Printed:
    """The result of `norn`: its exit status, and everything that it wrote to stderr."""

    exit: int
    stderr: str

    @property
    def end(self) -> tuple[int, str]:
        """The exit status and the last two lines: the error and the hint."""
        return self.exit, "\n".join(self.stderr.splitlines()[-2:])


def error_lines(sentence: str, hint: str, code: str = "") -> str:
    """Returns the lines that `norn` prints for an error; an error that `norn` itself found has no code."""
    return f"error: {sentence}{f' [{code}]' if code else ''}\nhint: {hint}"


def bootstrap(stack: Stack) -> str:
    """Returns the token that the first start of the server wrote."""
    return (stack.home / "token").read_text().strip()


def ask(stack: Stack, method: str, path: str, *, token: str | None = None, **request: Any) -> httpx.Response:
    """Sends a request, with the bootstrap token unless another one (or none: `""`) is given."""
    given = bootstrap(stack) if token is None else token
    headers = {**({"Authorization": f"Bearer {given}"} if given else {}), **request.pop("headers", {})}
    return httpx.request(method, stack.url + path, headers=headers, timeout=60, **request)


def told(answer: httpx.Response) -> Told:
    """Parses a problem document; fails if the response is another one."""
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
    """A request that is refused: the request over HTTP, the equal command of `norn`, and the error that both
    must give.
    """

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
        """The output that `norn` must print."""
        return Printed(self.exit, error_lines(self.told.sentence, self.told.hint, self.told.code) + "\n")

    def asked(self, stack: Stack, token: str | None = None) -> Told:
        """Sends the request to the API, and returns the error."""
        return told(ask(stack, self.method, self.path, token=token, **self.request))

    def run(self, stack: Stack, token: str | None = None) -> Printed:
        """Runs the command of `norn`, and returns its result."""
        return norn(stack, *self.typed.split("|"), token=token)
