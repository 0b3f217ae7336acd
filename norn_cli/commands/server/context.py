"""`norn context`: keeps the addresses of servers under names that the user chooses."""

from __future__ import annotations

import sys
from dataclasses import replace

import click

from norn_cli.config import Context, checked_token, checked_url, load_contexts, save_contexts
from norn_cli.display.output import Column
from norn_cli.errors import Usage
from norn_cli.options import commands
from norn_cli.session import Session, pass_session

_COLUMNS = (
    Column("", lambda row: "*" if row["current"] else ""),
    Column("CONTEXT", lambda row: row["name"]),
    Column("URL", lambda row: row["url"]),
    Column("TOKEN", lambda row: "kept" if row["token"] else ""),
)


@commands("context")
def command() -> None:
    """Keeps servers under names of your choice, in ~/.config/norn/config.toml."""


@command.command("list")
@pass_session
def list_contexts(session: Session) -> None:
    """Lists the contexts; the star is on the one in use. Tokens are not shown."""
    contexts = load_contexts()
    items = [
        {"name": name, "url": context.url, "token": bool(context.token), "current": name == contexts.current}
        for name, context in sorted(contexts.by_name.items())
    ]
    session.output.page({"items": items, "next": None}, _COLUMNS, "name")


@command.command("use")
@click.argument("name")
@pass_session
def use(session: Session, name: str) -> None:
    """Makes a context the current one."""
    contexts = load_contexts()
    context = contexts.get(name)
    save_contexts(replace(contexts, current=name))
    session.output.record({"name": name, "url": context.url}, [("context", name), ("url", context.url)], name)


@command.command("set")
@click.argument("name")
@pass_session
def set_context(session: Session, name: str) -> None:
    """Keeps --url, and --token if given, under a name; --token - reads the token from stdin."""
    contexts = load_contexts()
    known = contexts.by_name.get(name)
    url = session.url or (known.url if known else "")
    if not url:
        raise Usage(f"context {name} needs the URL of its server", hint=f"norn context set {name} --url URL")
    from_stdin = session.token == "-"  # noqa: S105 - a dash, not a secret
    token = sys.stdin.readline() if from_stdin else session.token
    address = checked_url(url)
    before = known.token if known and known.url == address else ""  # a token is never sent to another server
    kept = Context(address, checked_token(token) or before)
    path = save_contexts(contexts.with_context(name, kept))
    session.output.record(
        {"name": name, "url": kept.url}, [("context", name), ("url", kept.url), ("kept in", path)], name
    )
