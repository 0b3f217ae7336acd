"""`norn notify`: where alerts are sent, as signed webhooks."""

from __future__ import annotations

import click

from norn_cli import work
from norn_cli.confirm import confirm
from norn_cli.errors import CliError
from norn_cli.options import Waiting, commands, confirm_option, limit_option, work_options
from norn_cli.session import Session, pass_session
from norn_cli.tables import DELIVERIES, DESTINATIONS

_KINDS = ["runs-failing", "runs-missed", "paused-long", "image-gone", "schedule-unreadable"]


@commands("notify")
def command() -> None:
    """Lists, adds, tries and removes receivers of alerts."""


@command.command("list")
@pass_session
def list_destinations(session: Session) -> None:
    """Lists where alerts are sent."""
    session.output.page(session.client.destinations(), DESTINATIONS, "name", none="alerts are sent nowhere yet")


@command.command("add")
@click.argument("name")
@click.argument("address", metavar="URL")
@click.option("--only", "apps", metavar="APP", multiple=True, help="Only of this app; give it again for more.")
@click.option("--kind", "kinds", type=click.Choice(_KINDS), multiple=True,
              help="Only alerts of this kind; give it again for more.")  # fmt: skip
@pass_session
def add(session: Session, name: str, address: str, apps: tuple[str, ...], kinds: tuple[str, ...]) -> None:
    """Sends alerts to an https address, and prints the secret that signs them, this once."""
    asked = {"name": name, "url": address, "apps": list(apps) or None, "kinds": list(kinds) or None}
    made = session.client.add_destination(asked)
    if made["secret"] is None:
        raise CliError(
            f"{name} was added, and the answer with its secret was lost on the way; it is not told again",
            hint=f"norn notify remove {name}, then add it again",
        )
    session.output.data(made, lambda: session.output.line(made["secret"]), [made["name"]])
    session.output.hint(f"it is shown only now, and checks X-Norn-Signature; norn notify test {name} tries the address")


@command.command("test")
@click.argument("name")
@work_options
@pass_session
def test(session: Session, name: str, waiting: Waiting) -> None:
    """Sends a notification that says nothing but that it arrives; exit status 6 when it was not taken."""
    work.see_through(session, session.client.test_destination(name), waiting)


@command.command("deliveries")
@click.argument("name")
@limit_option()
@pass_session
def deliveries(session: Session, name: str, limit: int) -> None:
    """Lists what was sent to a receiver, newest first, and what became of it."""
    session.output.page(session.client.deliveries(name, limit), DELIVERIES)


@command.command("remove")
@click.argument("name")
@confirm_option
@pass_session
def remove(session: Session, name: str, confirm_name: str | None) -> None:
    """Sends nothing to a receiver any more."""
    confirm(session.output, name, confirm_name, f"Nothing is sent to {name} any more, what waits for it included.")
    session.client.remove_destination(name)
    session.output.record({"removed": name}, [("removed", name)], name)
