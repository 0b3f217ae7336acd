"""One app that is broken on purpose, and the attempt to deploy and use the app as a user does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from tests.e2e.stack import Stack

BUSY, NODE, PYTHON, GO = "busybox:stable", "node:20-alpine", "python:3.11-slim", "golang:1.25-alpine"
WEB = "role: webserver\nport: 8080\n"
HEALTHY = f"{WEB}healthcheck: /\n"
WORKER = "role: worker\n"
CRON = "role: cron\nschedule: '0 0 1 1 *'\n"
FUNCTION = "role: function\n"
_AGAIN = 3
"""How often a deploy is tried again if the error is `database_down`, which a database on a busy machine can cause."""


@dataclass(frozen=True)
class BrokenApp:
    """An app that is broken. `says` are words that the error or its hint must contain; no words if the app works after
    all.
    """

    name: str
    breaks: str
    """The true cause, for a reader of this list."""
    spec: str
    says: tuple[str, ...] = ()
    files: Mapping[str, str | bytes] = field(default_factory=dict)
    image: str = BUSY
    then: tuple[str, ...] = ()
    """The command that fails after the deploy, if the deploy itself succeeds."""
    quick: bool = False
    """True if the app is tried after every change of the code; such an app needs no image but busybox."""

    def __str__(self) -> str:
        return self.name

    @property
    def works(self) -> bool:
        """Returns True if Norn makes it work."""
        return not self.says


def dockerfile(image: str, *lines: str) -> str:
    """Returns a Dockerfile that begins with an image."""
    return "\n".join([f"FROM {image}", *lines, ""])


def script(image: str, name: str, *words: str) -> str:
    """Returns a Dockerfile that copies the source to /app and runs a program on one of its files."""
    listed = ", ".join(f'"{word}"' for word in (*words, name))
    return dockerfile(image, "WORKDIR /app", "COPY . .", f"CMD [{listed}]")


def attempt(stack: Stack, app: BrokenApp) -> tuple[int, str]:
    """Deploys an app and runs the command of `then`; returns the exit status and the printed error with its hint."""
    directory = stack.apps / app.name
    for path, text in {"infraspec.yaml": f"app: {app.name}\n{app.spec}", **app.files}.items():
        (directory / path).parent.mkdir(parents=True, exist_ok=True)
        (directory / path).write_bytes(text.encode() if isinstance(text, str) else text)
    done = stack.norn("deploy", str(directory), check=False)
    for _ in range(_AGAIN):
        if b"[database_down]" not in done.stderr:
            break
        done = stack.norn("deploy", str(directory), check=False)
    if app.then and done.returncode == 0:
        done = stack.norn(*app.then, check=False)
    printed = (done.stdout + done.stderr).decode().splitlines()
    told = [line for line in printed if line.startswith(("error: ", "hint: ")) or "infraspec.yaml:" in line]
    return done.returncode, "\n".join(told)
