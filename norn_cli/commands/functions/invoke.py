"""`norn invoke`: calls a function and prints its output unchanged.

If standard input is a pipe or a file, the command reads it to its end, like a filter such as `sort`, and sends it. Some
CI systems leave standard input open as a pipe that nobody writes to or closes. The command must neither hang on such a
pipe nor make the call without its input. So if no byte arrives within `SILENT` seconds, the call is not made, and the
error names the two options with which the user can choose.
"""

from __future__ import annotations

import os
import select
import stat
import sys
from pathlib import Path

import click

from norn_cli.display.calls import show_call, show_head, show_record
from norn_cli.errors import CliError, ExitCode, JobFailed, Usage
from norn_cli.options import app_argument
from norn_cli.options import command as norn_command
from norn_cli.session import Session, pass_session

SILENT = 10.0
"""Seconds for which the command waits for the first byte on a pipe."""
_WITHOUT_BODY = ("GET", "HEAD")


@norn_command("invoke")
@app_argument
@click.option(
    "-b",
    "--body",
    metavar="STR|@file|-",
    help="Input of the function: text, a file's content, or stdin (-). Without this option, stdin is sent if it is a "
    "pipe or a file (not with GET or HEAD).",
)
@click.option("-X", "--method", default="POST", show_default=True, help="The request's method.")
@click.option("--path", default="/", show_default=True, help="The request's path, with ?query if there is one.")
@click.option("-H", "--header", "headers", multiple=True, metavar="NAME: VALUE", help="A header of the request.")
@click.option("--async", "later", is_flag=True, help="Do not wait: print the call's id.")
@click.option("--callback", metavar="NAME", help="With --async: a destination that gets a report of the end.")
@click.option("-v", "--verbose", is_flag=True, help="Also print the request, the run and the answer's head to stderr.")
@click.option("--exit-code", "own_code", is_flag=True, help="Exit with the exit status of the function.")
@click.option("--record", is_flag=True, help="Print the record of the call instead of its answer.")
@pass_session
def command(
    session: Session, app: str | None, body: str | None, method: str, path: str, headers: tuple[str, ...],
    later: bool, callback: str | None, verbose: bool, own_code: bool, record: bool,
) -> int:  # fmt: skip
    """Calls a function: prints its stdout on stdout and its stderr on stderr, unchanged on a pipe.

    If the call does not succeed, the exit status is 6, or with --exit-code that of the function.
    """
    if later and own_code:
        raise Usage("--exit-code waits for the end of the call, and --async does not", hint="leave out one of the two")
    if not path.startswith("/"):
        raise Usage(f"the path {path} does not begin with a slash", hint=f"--path /{path}")
    if callback and not later:
        raise Usage("--callback is only for asynchronous calls", hint="add --async")
    sent = {**_headers(headers), **({"Prefer": "respond-async"} if later else {})}
    if callback:
        sent["X-Norn-Callback"] = callback
    params = {"method": method.upper(), "path": path}
    name = session.app(app)
    content = _piped() if body is None and method.upper() not in _WITHOUT_BODY else _body(body)
    answer = session.client.invoke(name, params=params, body=content, headers=sent)
    if "id" not in answer:
        execution = str(answer["execution"])
        session.output.data(answer, lambda: session.output.line(execution), [execution])
        session.output.hint(f"norn fn show {execution}")
        return int(ExitCode.OK)
    if verbose:
        show_head(session.output, answer)
    try:
        (show_record if record else show_call)(session.output, answer)
    except JobFailed:
        if not own_code or not answer.get("exit_code"):
            raise
    return int(answer["exit_code"]) if own_code and answer.get("exit_code") is not None else int(ExitCode.OK)


def _piped() -> bytes:
    """Returns standard input up to its end if it is a pipe or a file; raises Usage if nothing arrives in time."""
    try:
        number = sys.stdin.fileno()
        mode = os.fstat(number).st_mode
    except (OSError, ValueError, AttributeError):
        return b""
    if not (stat.S_ISREG(mode) or stat.S_ISFIFO(mode)):
        return b""
    if stat.S_ISFIFO(mode) and not select.select([number], [], [], SILENT)[0]:
        raise Usage(
            f"no input came on standard input for {SILENT:g} s, and it was not closed: the function was not called",
            hint="--body '' calls without input; --body - waits for it, however long that takes",
        )
    return sys.stdin.buffer.read()


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
