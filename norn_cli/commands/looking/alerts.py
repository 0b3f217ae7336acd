"""`norn alerts`: lists the alerts about apps."""

from __future__ import annotations

import click

from norn_cli.display.tables import ALERTS
from norn_cli.options import command as norn_command
from norn_cli.options import complete_app, limit_option
from norn_cli.session import Session, pass_session


@norn_command("alerts")
@click.argument("app", required=False, shell_complete=complete_app)
@click.option("-a", "--all", "also_resolved", is_flag=True, help="Also list resolved alerts.")
@click.option(
    "--kind",
    metavar="KIND",
    help="Only alerts of this kind: crash-looping, out-of-memory, unhealthy, down, deploy-failed, drifted, "
    "layer-large, certificate-ends, backup-failed, drill-failed, disk-full, scheduler-away, runs-failing, runs-missed, "
    "paused-long, image-gone, schedule-unreadable.",
)
@limit_option(50)
@pass_session
def command(session: Session, app: str | None, also_resolved: bool, kind: str | None, limit: int) -> None:
    """Lists the open alerts of one app or of all, newest first."""
    named = app or session.app_option
    wanted = {**({"app": named} if named else {}), **({"kind": kind} if kind else {})}
    if also_resolved:
        wanted["all"] = "1"
    session.output.page(session.client.alerts(limit, **wanted), ALERTS, none="no alert is open")
