"""`norn deploy`: builds, tests and rolls out a revision."""

from __future__ import annotations

import click

from norn_cli import work
from norn_cli.errors import Usage
from norn_cli.options import Waiting, app_argument, work_options
from norn_cli.options import command as norn_command
from norn_cli.session import Session, pass_session


@norn_command("deploy")
@app_argument
@click.argument("ref", required=False)
@click.option("--ref", "ref_option", metavar="REF", help="The same, when the app is not typed.")
@work_options
@pass_session
def command(session: Session, app: str | None, ref: str | None, ref_option: str | None, waiting: Waiting) -> None:
    """Builds, tests and rolls out a revision: REF is a branch, a tag or a SHA, else the spec's own branch."""
    if ref and ref_option and ref != ref_option:
        raise Usage(f"two refs were given: {ref} and, by --ref, {ref_option}", hint="give one")
    name = session.app(app)
    work.see_through(session, session.client.work(name, "deploy", {"ref": ref or ref_option}), waiting)
