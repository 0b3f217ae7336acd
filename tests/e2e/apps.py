"""Small apps that the end-to-end tests deploy: each starts FROM busybox:stable."""

from __future__ import annotations

import uuid
from pathlib import Path

from tests.e2e.stack import Stack

ECHO = """
FROM busybox:stable
CMD ["sh", "-c", "echo begun >&2; cat; echo from $NORN_REQUEST_METHOD $NORN_REQUEST_PATH"]
"""


def slow_function(seconds: float) -> str:
    """Returns a Dockerfile of a function that sleeps for `seconds`."""
    return f'FROM busybox:stable\nCMD ["sh", "-c", "echo begun >&2; sleep {seconds}; cat; echo done"]\n'


def slow_build(seconds: int, role_command: str = "cat") -> str:
    """Returns a Dockerfile whose build takes `seconds` each time, because the engine's cache has no layer of it."""
    steps = f"RUN : {uuid.uuid4()}; i=0; while [ $i -lt {seconds} ]; do i=$((i+1)); echo building $i; sleep 1; done\n"
    return f'FROM busybox:stable\n{steps}CMD ["sh", "-c", "{role_command}"]\n'


def add_function(stack: Stack, name: str, dockerfile: str = ECHO, more: str = "") -> None:
    """Writes the directory of a function."""
    stack.add_app(name, f"app: {name}\nrole: function\n{more}", {"Dockerfile": dockerfile})


def deploy_function(stack: Stack, name: str, dockerfile: str = ECHO, more: str = "") -> None:
    """Writes the directory of a function, forges the function and deploys it."""
    add_function(stack, name, dockerfile, more)
    stack.norn("forge", name)
    stack.norn("deploy", name)


def add_cron(stack: Stack, name: str, command: str, more: str = "", schedule: str = "0 0 1 1 *") -> None:
    """Writes the directory of a cron app."""
    spec = f"app: {name}\nrole: cron\nschedule: '{schedule}'\ncommand: \"{command}\"\n{more}"
    stack.add_app(name, spec, {"Dockerfile": "FROM busybox:stable\n"})


def add_web(stack: Stack, name: str, command: str, more: str = "") -> Path:
    """Writes the directory of a webserver and returns it. The webserver serves the files of its own directory."""
    spec = f'app: {name}\nrole: webserver\nport: 8080\ncommand: "{command}"\n{more}'
    return stack.add_app(name, spec, {"Dockerfile": "FROM busybox:stable\nCOPY www /www\n", "www/index.html": "one\n"})
