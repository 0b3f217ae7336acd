"""A steady stream of calls while the code and a secret of their function change: which version each answer shows."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import httpx

from tests.e2e.fast_road import client
from tests.e2e.stack import Stack
from tests.servers import allowed, wait_until

APP = "changing"
_SPEC = f"""app: {APP}
role: function
secrets: [WORD]
function: {{timeout: 60, concurrency: 8, memory: 32m}}
"""
_DOCKERFILE = 'FROM busybox:stable\nENV CODE={}\nCMD ["sh", "-c", "echo $CODE $(echo $WORD | tr a-j 0-9)"]\n'
_LETTERS = str.maketrans("0123456789", "abcdefghij")


@dataclass(frozen=True)
class SeenAnswer:
    """When a call was sent, and the code and the secret that its answer shows; `problem` if it shows none."""

    sent: float
    code: int = 0
    secret: int = 0
    problem: str = ""


@dataclass
class Change:
    """A change of the code or of the secret to `number`, which was complete at the time `at`."""

    what: str
    number: int
    at: float


@dataclass
class Stream:
    """The answers of a stream of calls, and the changes that were made while it went on."""

    stack: Stack
    answers: list[SeenAnswer] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)

    def await_answers(self, count: int) -> None:
        """Waits until `count` more answers have come."""
        wanted = len(self.answers) + count
        wait_until(lambda: len(self.answers) >= wanted, allowed(60), f"{count} more answers have come")

    def deploy(self, number: int) -> None:
        """Deploys code with this number, and returns when the deploy has succeeded."""
        self.stack.add_app(APP, _SPEC, {"Dockerfile": _DOCKERFILE.format(number)})
        self.stack.norn("deploy", APP)
        self.changes.append(Change("code", number, time.monotonic()))

    def set_secret(self, number: int) -> None:
        """Sets a secret with this number."""
        self.stack.norn("secrets", "set", APP, f"WORD={_word(number)}")
        self.changes.append(Change("secret", number, time.monotonic()))

    def errors(self) -> Counter[str]:
        """Counts by problem the answers that do not come from the function."""
        return Counter(each.problem for each in self.answers if each.problem)

    def old(self) -> list[tuple[Change, SeenAnswer]]:
        """Returns, with the change, each answer that does not show a change although its call was sent after the change
        was complete.
        """
        return [
            (change, each)
            for change in self.changes
            for each in self.answers
            if not each.problem and each.sent > change.at and getattr(each, change.what) < change.number
        ]


def _word(number: int) -> str:
    """Returns a secret that stands for a number: its digits, written as letters. Norn hides secrets in answers, so the
    function turns the letters into digits before it prints them.
    """
    return f"{number + 10**9}".translate(_LETTERS)


def prepare(stack: Stack) -> Stream:
    """Deploys the function for the first time."""
    stream = Stream(stack)
    stack.add_app(APP, _SPEC, {"Dockerfile": _DOCKERFILE.format(0)})
    stack.norn("forge", APP)
    stream.set_secret(0)
    stream.deploy(0)
    return stream


@contextmanager
def streaming(stream: Stream, callers: int) -> Iterator[None]:
    """Lets callers send one call after the other until the block ends."""
    over = threading.Event()
    with client(stream.stack, 90) as http:

        def call() -> None:
            while not over.is_set():
                stream.answers.append(_called(http))

        threads = [threading.Thread(target=call) for _ in range(callers)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            over.set()
            for thread in threads:
                thread.join()


def _called(http: httpx.Client) -> SeenAnswer:
    sent = time.monotonic()
    try:
        answer = http.post(f"/fn/{APP}", content=b"")
    except httpx.TransportError as error:
        return SeenAnswer(sent, problem=f"{type(error).__name__}: {error}")
    if answer.status_code != 200:
        return SeenAnswer(sent, problem=f"{answer.status_code} {answer.text[:300]}")
    code, _, secret = answer.text.strip().partition(" ")
    if not (code.isdigit() and secret.isdigit()):
        return SeenAnswer(sent, problem=f"it said {answer.text!r}")
    return SeenAnswer(sent, int(code), int(secret) - 10**9)
