"""`norn resolve`: continues or abandons a job that stopped inside a step which must not be repeated."""

from __future__ import annotations

import click

from norn_cli.errors import Usage
from norn_cli.following import work
from norn_cli.options import WaitOptions, work_options
from norn_cli.options import command as norn_command
from norn_cli.session import Session, pass_session


@norn_command("resolve")
@click.argument("job", type=int)
@click.option("--done", is_flag=True, help="The step did its work: go on after it.")
@click.option("--retry", is_flag=True, help="The step may run again: go on with it.")
@click.option("--abandon", is_flag=True, help="Do not go on; the app accepts work again.")
@work_options
@pass_session
def command(session: Session, job: int, done: bool, retry: bool, abandon: bool, waiting: WaitOptions) -> None:
    """Continues or abandons JOB, which stopped inside a step that must not be repeated.

    Find out first what the step did: norn jobs show JOB names the step.
    """
    given = [name for name, wanted in (("done", done), ("retry", retry), ("abandon", abandon)) if wanted]
    if len(given) != 1:
        raise Usage("give one of --done, --retry and --abandon", hint=f"norn jobs show {job} says what happened")
    accepted = session.client.resolve_job(job, given[0])
    if abandon:
        session.output.data(accepted, lambda: session.output.line(f"job {job} is abandoned"), [str(job)])
    else:
        work.see_through(session, accepted, waiting)
