"""`norn repo`: sets, lists and removes the logins of private repositories."""

from __future__ import annotations

import sys

import click

from norn_cli.answers import Json
from norn_cli.confirm import confirm
from norn_cli.display.webhooks import LOGINS
from norn_cli.errors import Missing, Usage
from norn_cli.options import commands, confirm_option
from norn_cli.session import Session, pass_session

_ANY = "x-access-token"


@commands("repo")
def command() -> None:
    """Sets, lists and removes logins of private repositories."""


@command.command("list")
@pass_session
def list_logins(session: Session) -> None:
    """Lists the repositories that have a login; no token is shown."""
    session.output.page(session.client.logins(), LOGINS, none="no repository has a login yet: norn repo login URL")


@command.command("login")
@click.argument("repository")
@click.option("--user", default=_ANY, show_default=True, help="User name; GitLab shows one with each deploy token.")
@pass_session
def login(session: Session, repository: str, user: str) -> None:
    """Sets the token with which a private repository is read over https.

    The command asks for the token without showing it, or reads it from standard input. Use a token that can only read
    this repository.
    """
    made = session.client.set_login({"url": repository, "username": user, "token": _token()})
    session.output.record(made, [("repository", made["repository"]), ("user", made["username"])], made["id"])


@command.command("logout")
@click.argument("login_id", metavar="ID", type=click.IntRange(min=1))
@confirm_option
@pass_session
def logout(session: Session, login_id: int, confirm_name: str | None) -> None:
    """Removes the login of a repository."""
    repository = _repository(session.client.logins()["items"], login_id)
    confirm(session.output, repository, confirm_name, f"{repository} is read without a token from now on.")
    session.client.remove_login(login_id)
    session.output.record({"removed": login_id}, [("removed", f"{login_id} {repository}")], login_id)


def _token() -> str:
    text = click.prompt("token", hide_input=True, err=True) if sys.stdin.isatty() else sys.stdin.read()
    token = str(text).strip()
    if not token:
        raise Usage("there is no token on standard input", hint="norn repo login URL < token-file")
    return token


def _repository(logins: list[Json], login_id: int) -> str:
    for each in logins:
        if each["id"] == login_id:
            return str(each["repository"])
    raise Missing(f"there is no login {login_id}", hint="norn repo list")
