"""`norn invoke`: calls a function and prints its output unchanged."""

from __future__ import annotations

import fcntl
import os
import stat
import struct
import sys
import termios
from pathlib import Path

import click

from norn_cli.display.calls import show_call, show_record
from norn_cli.errors import CliError, Usage
from norn_cli.options import app_argument
from norn_cli.options import command as norn_command
from norn_cli.session import Session, pass_session


@norn_command("invoke")
@app_argument
@click.option("-b", "--body", metavar="STR|@file|-", help="Input of the function: text, a file's content, or stdin.")
@click.option("-X", "--method", default="POST", show_default=True, help="The request's method.")
@click.option("--path", default="/", show_default=True, help="The request's path, with ?query if there is one.")
@click.option("-H", "--header", "headers", multiple=True, metavar="NAME: VALUE", help="A header of the request.")
@click.option("--async", "later", is_flag=True, help="Do not wait: print the call's id.")
@click.option("--record", is_flag=True, help="Print what is known of the call instead of its answer.")
@pass_session
def command(
    session: Session, app: str | None, body: str | None, method: str, path: str, headers: tuple[str, ...],
    later: bool, record: bool,
) -> None:  # fmt: skip
    """Calls a function: prints its stdout on stdout and its stderr on stderr, unchanged on a pipe.

    A call that does not succeed ends with exit status 6.
    """
    if not path.startswith("/"):
        raise Usage(f"the path {path} does not begin with a slash", hint=f"--path /{path}")
    sent = {**_headers(headers), **({"Prefer": "respond-async"} if later else {})}
    params = {"method": method.upper(), "path": path}
    if body is None and _waiting_input():
        session.output.hint("standard input was not sent: --body - sends it")
    answer = session.client.invoke(session.app(app), params=params, body=_body(body), headers=sent)
    if "id" not in answer:
        execution = str(answer["execution"])
        session.output.data(answer, lambda: session.output.line(execution), [execution])
        session.output.hint(f"norn fn show {execution}")
    else:
        (show_record if record else show_call)(session.output, answer)


def _waiting_input() -> bool:
    """Returns True if somebody has written to stdin, which is not read without being asked to."""
    try:
        number = sys.stdin.fileno()
        mode = os.fstat(number).st_mode
        if stat.S_ISREG(mode):
            return os.fstat(number).st_size > 0
        there = struct.unpack("i", fcntl.ioctl(number, termios.FIONREAD, b"\0\0\0\0"))[0] if stat.S_ISFIFO(mode) else 0
    except (OSError, ValueError, AttributeError):
        return False
    return bool(there)


def _body(given: str | None) -> bytes:
    if given is None:
        return b""
    if given == "-":
        return sys.stdin.buffer.read()
    if not given.startswith("@"):
        return given.encode("utf-8", "surrogateescape")
    try:
        return Path(given[1:]).read_bytes()
    except OSError as error:
        raise CliError(f"{given[1:]} cannot be read: {error.strerror}") from error


def _headers(given: tuple[str, ...]) -> dict[str, str]:
    headers = {}
    for line in given:
        name, colon, value = line.partition(":")
        if not colon or not name.strip() or not line.isprintable() or not line.isascii():
            raise Usage(f"{line!r} is not a header", hint="-H 'Content-Type: application/json'")
        headers[name.strip()] = value.strip()
    return headers
