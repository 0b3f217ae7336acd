"""`norn secrets import|export|key|rotate-key`: files of secrets that sops encrypts and decrypts with age keys."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from norn_cli.errors import CliError, Usage
from norn_cli.following import work
from norn_cli.options import WaitOptions, command, complete_app, work_options
from norn_cli.session import Session, pass_session

DEFAULT = "secrets.enc.yaml"
"""The file that is imported if none is named."""


@command("import")
@click.argument("words", metavar="[APP] [FILE]", nargs=-1)
@work_options
@pass_session
def import_secrets(session: Session, words: tuple[str, ...], waiting: WaitOptions) -> None:
    """Sets the secrets of a file that sops encrypted to the server's key (norn secrets key); FILE - is stdin.

    The file is sent encrypted, and a worker decrypts it. Either all its secrets are set, or none.
    """
    app, file = _app_and_file(words)
    name, text = session.app(app), _text_of(file)
    work.see_through(session, session.client.import_secrets(name, text), waiting)


@command("export")
@click.argument("app", required=False, shell_complete=complete_app)
@click.option("--to", "recipients", multiple=True, required=True, metavar="KEY",
              help="A public age key, whose owner can decrypt the file; may be repeated.")  # fmt: skip
@click.option("--file", "file", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
              help="Write to this file instead of to stdout.")  # fmt: skip
@work_options
@pass_session
def export_secrets(
    session: Session, app: str | None, recipients: tuple[str, ...], file: Path | None, waiting: WaitOptions
) -> None:
    """Writes the secrets of an app into a file that sops decrypts with the private key of each KEY."""
    if waiting.detach:
        raise Usage("an export waits for its file, and --detach does not", hint="leave out --detach")
    name = session.app(app)
    job = work.wait(session, session.client.export_secrets(name, recipients)["job"], waiting)
    work.raise_if_failed(session.client, job)
    text = session.client.exported_secrets(name, job["id"])
    if file is None:
        session.output.data({"content": text}, lambda: session.output.line(text.removesuffix("\n")), [text])
        return
    _write(file, text)
    session.output.data({"file": str(file)}, lambda: session.output.line(f"{file} is written"), [str(file)])


@command("key")
@pass_session
def server_key(session: Session) -> None:
    """Prints the server's public key. A file from sops --encrypt --age KEY can be read by norn secrets import."""
    answer = session.client.server_key()
    session.output.data(answer, lambda: session.output.line(answer["recipient"]), [answer["recipient"]])


@command("rotate-key")
@work_options
@pass_session
def rotate_key(session: Session, waiting: WaitOptions) -> None:
    """Makes a new key for the server and seals all secrets to it; earlier keys stay in the key file."""
    work.see_through(session, session.client.rotate_key(), waiting)


def _app_and_file(words: tuple[str, ...]) -> tuple[str | None, str]:
    """Returns the app and the file. A single word is the file if such a file exists or no app can have that name."""
    if len(words) > 2:
        raise Usage("too many words", hint=f"norn secrets import [APP] [{DEFAULT}]")
    if len(words) == 2:
        return words[0], words[1]
    if words and (words[0] == "-" or "." in words[0] or "/" in words[0] or Path(words[0]).is_file()):
        return None, words[0]
    return (words[0] if words else None), DEFAULT


def _text_of(file: str) -> str:
    try:
        data = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
        return data.decode("utf-8")
    except OSError as error:
        raise CliError(f"{file} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise CliError(f"{file} is not UTF-8 text", hint="it must be a file that sops wrote") from error


def _write(file: Path, text: str) -> None:
    """Writes a file completely, or leaves an existing one unchanged."""
    part = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        part.write_text(text, "utf-8")
        part.replace(file)
    except OSError as error:
        raise CliError(f"{file} cannot be written: {error.strerror}") from error
