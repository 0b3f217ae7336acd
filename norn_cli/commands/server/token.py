"""`norn token`: lists, creates and revokes tokens."""

from __future__ import annotations

import click

from norn_cli.answers import Json
from norn_cli.confirm import confirm
from norn_cli.display.tables import TOKENS
from norn_cli.errors import CliError, Missing
from norn_cli.options import commands, confirm_option
from norn_cli.session import Session, pass_session

_SCOPES = ["read", "invoke", "deploy", "admin"]


@commands("token")
def command() -> None:
    """Lists, creates and revokes tokens."""


@command.command("list")
@pass_session
def list_tokens(session: Session) -> None:
    """Lists the tokens; no token itself is shown again."""
    session.output.page(session.client.tokens(), TOKENS)


@command.command("create")
@click.argument("name")
@click.option("--scope", "scopes", type=click.Choice(_SCOPES), multiple=True, default=["read"], show_default=True,
              help="Permission of the token; repeat for more.")  # fmt: skip
@click.option("--only", "apps", metavar="APP", multiple=True, help="Only for this app; repeatable. Not for admin.")
@pass_session
def create(session: Session, name: str, scopes: tuple[str, ...], apps: tuple[str, ...]) -> None:
    """Creates a token and prints it, only this once."""
    made = session.client.create_token({"name": name, "scopes": list(scopes), "apps": list(apps) or None})
    if made["token"] is None:
        raise CliError(
            f"the token {name} was created, but the response with it was lost; it is not shown again",
            hint=f"norn token revoke {made['id']}, then create it again",
        )
    session.output.data(made, lambda: session.output.line(made["token"]), [str(made["id"])])
    session.output.hint(f"it is shown only now; norn token revoke {made['id']} ends it")


@command.command("revoke")
@click.argument("token_id", metavar="ID", type=click.IntRange(min=1))
@confirm_option
@pass_session
def revoke(session: Session, token_id: int, confirm_name: str | None) -> None:
    """Revokes a token: requests with it are refused from now on."""
    name = _name(session.client.tokens()["items"], token_id)
    confirm(session.output, name, confirm_name, f"This revokes token {token_id}, called {name}.")
    session.client.revoke_token(token_id)
    session.output.record({"revoked": token_id}, [("revoked", f"{token_id} {name}")], token_id)


def _name(tokens: list[Json], token_id: int) -> str:
    for token in tokens:
        if token["id"] == token_id:
            return str(token["name"])
    raise Missing(f"there is no token {token_id}", hint="norn token list")
