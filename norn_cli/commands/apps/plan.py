"""`norn plan`: shows what a forge and a deploy of an app would change, and changes nothing."""

from __future__ import annotations

from pathlib import Path

import click

from norn_cli.answers import Json
from norn_cli.display.output import Output
from norn_cli.display.styles import Style, Styled
from norn_cli.errors import ExitCode
from norn_cli.options import command as norn_command
from norn_cli.project import checked_name, is_path, named_app, read_spec, spec_paths
from norn_cli.session import Session, pass_session
from norn_cli.uploads.applying import mistakes_of, name_of

_HEADINGS = {"forge": "norn forge makes a release of the same image with:", "deploy": "the next deploy changes:"}


@norn_command("plan")
@click.argument("target", required=False, metavar="[APP|PATH]")
@click.option("--detailed-exitcode", is_flag=True, help="Exit with 8 if something would change.")
@pass_session
def command(session: Session, target: str | None, detailed_exitcode: bool) -> int:
    """Shows what a forge and a deploy would change: each field with both values. Nothing is changed.

    With a path, or without an app in a directory that has an infraspec, that infraspec is compared as if it were
    applied; if the directory has several, each one is compared. With an app, its registered infraspec is compared.
    """
    plans = _plans(session, target or "")
    answer = plans[0] if len(plans) == 1 else {"items": plans}
    session.output.data(answer, lambda: _print_all(session.output, plans), [plan["name"] for plan in plans])
    changed = any(plan["changed"] for plan in plans)
    return ExitCode.WOULD_CHANGE if detailed_exitcode and changed else ExitCode.OK


def _plans(session: Session, target: str) -> list[Json]:
    app = "" if is_path(target) else target or named_app(session.app_option)
    if app:
        return [session.client.plan(checked_name(app))]
    return [_plan_of(session, file) for file in spec_paths(Path(target), session.app_option)]


def _plan_of(session: Session, file: Path) -> Json:
    spec = read_spec(file)
    with mistakes_of(file):
        return session.client.plan_of(name_of(session, file, spec), spec, str(file))


def _print_all(output: Output, plans: list[Json]) -> None:
    for plan in plans:
        _print(output, plan)


def _print(output: Output, plan: Json) -> None:
    output.line(Styled(plan["name"], Style.STRONG), f" {_sentence(plan)}")
    for made in plan["creates"]:
        output.line(Styled("  + ", Style.GOOD), made["what"])
    for verb, heading in _HEADINGS.items():
        changes = [change for change in plan["changes"] if change["by"] == verb]
        if changes:
            output.line(heading)
        for change in changes:
            _print_change(output, change)
    for blocker in plan["blockers"]:
        output.line(Styled("blocked: ", Style.BAD), blocker["sentence"])
        output.line(Styled("hint: ", Style.FAINT), blocker["hint"])


def _sentence(plan: Json) -> str:
    if plan["creates"]:
        return "is not forged; norn forge makes:"
    if plan["live_release"] is None:
        return "is forged, and nothing of it is live: norn deploy makes its first release"
    return f"has release {plan['live_release']} live" + ("" if plan["changed"] else "; nothing would change")


def _print_change(output: Output, change: Json) -> None:
    before, after = change["before"], change["after"]
    if before is None:
        output.line(Styled("  + ", Style.GOOD), f"{change['field']}: {after}")
    elif after is None:
        output.line(Styled("  - ", Style.BAD), f"{change['field']}: {before}")
    else:
        output.line(Styled("  ~ ", Style.STRONG), f"{change['field']}: {before} -> {after}")
