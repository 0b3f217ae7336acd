"""`norn notify`: manages the receivers of alerts. Programs get signed webhooks; people get chat messages or mail."""

from __future__ import annotations

import click

from norn_cli.confirm import confirm
from norn_cli.display.tables import DELIVERIES, DESTINATIONS
from norn_cli.errors import CliError
from norn_cli.following import work
from norn_cli.options import WaitOptions, commands, confirm_option, limit_option, work_options
from norn_cli.session import Session, pass_session

KINDS = [
    "crash-looping", "out-of-memory", "unhealthy", "down", "deploy-failed", "drifted", "layer-large",
    "certificate-ends", "backup-failed", "drill-failed", "disk-full", "scheduler-away", "runs-failing", "runs-missed",
    "paused-long", "image-gone", "schedule-unreadable",
]  # fmt: skip

_FORMATS = ["json", "ntfy", "slack", "discord", "mail"]


@commands("notify")
def command() -> None:
    """Lists, adds, tests and removes receivers of alerts."""


@command.command("list")
@pass_session
def list_destinations(session: Session) -> None:
    """Lists the receivers of alerts."""
    session.output.page(session.client.destinations(), DESTINATIONS, "name", none="there is no receiver of alerts yet")


@command.command("add")
@click.argument("name")
@click.argument("address", metavar="URL")
@click.option("--format", "kind", type=click.Choice(_FORMATS), help="The format; known addresses do not need it.")
@click.option("--severity", type=click.Choice(["warning", "critical"]), help="Only alerts of at least this severity.")
@click.option("--only", "apps", metavar="APP", multiple=True, help="Only alerts of this app; repeat for more.")
@click.option("--kind", "kinds", type=click.Choice(KINDS), multiple=True,
              help="Only alerts of this kind; repeat for more.")  # fmt: skip
@pass_session
def add(
    session: Session, name: str, address: str, kind: str | None, severity: str | None, apps: tuple[str, ...],
    kinds: tuple[str, ...],
) -> None:  # fmt: skip
    """Sends alerts to an https address, or by mail to mailto:ops@example.org.

    Norn recognises addresses of Slack, Discord and ntfy.sh; any other https address gets signed JSON unless --format
    is given. The secret that signs JSON is printed only this once.
    """
    asked = {"name": name, "url": address, "apps": list(apps) or None, "kinds": list(kinds) or None}
    asked |= {key: value for key, value in (("format", kind), ("severity", severity)) if value}
    made = session.client.add_destination(asked)
    if made.get("format", "json") != "json":
        session.output.record(made, [("added", made["name"]), ("format", made["format"])], made["name"])
        session.output.hint(f"norn notify test {name} sends a test")
        return
    if made["secret"] is None:
        raise CliError(
            f"{name} was added, but the response with its secret was lost; it is not shown again",
            hint=f"norn notify remove {name}, then add it again",
        )
    session.output.data(made, lambda: session.output.line(made["secret"]), [made["name"]])
    session.output.hint(
        f"this secret is shown only now; it checks X-Norn-Signature; norn notify test {name} tests the address"
    )


@command.command("test")
@click.argument("name")
@work_options
@pass_session
def test(session: Session, name: str, waiting: WaitOptions) -> None:
    """Sends a test notification; the exit status is 6 if the receiver did not accept it."""
    work.see_through(session, session.client.test_destination(name), waiting)


@command.command("deliveries")
@click.argument("name")
@limit_option()
@pass_session
def deliveries(session: Session, name: str, limit: int) -> None:
    """Lists what was sent to a receiver and how the delivery ended, newest first."""
    session.output.page(session.client.deliveries(name, limit), DELIVERIES)


@command.command("remove")
@click.argument("name")
@confirm_option
@pass_session
def remove(session: Session, name: str, confirm_name: str | None) -> None:
    """Removes a receiver."""
    confirm(session.output, name, confirm_name, f"Nothing more is sent to {name}, and waiting deliveries are dropped.")
    session.client.remove_destination(name)
    session.output.record({"removed": name}, [("removed", name)], name)
