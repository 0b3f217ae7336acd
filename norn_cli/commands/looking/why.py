"""`norn why`: shows which release of an app is live, and its last failures, each with its last lines and a hint."""

from __future__ import annotations

from norn_cli.answers import Json
from norn_cli.display.output import Output
from norn_cli.display.styles import Style, Styled
from norn_cli.display.tables import app_state
from norn_cli.display.times import ago
from norn_cli.errors import mistake_line
from norn_cli.options import app_argument
from norn_cli.options import command as norn_command
from norn_cli.session import Session, pass_session


@norn_command("why")
@app_argument
@pass_session
def command(session: Session, app: str | None) -> None:
    """Shows an app's live release, and why the app is not as it should be: its last failures."""
    found = session.client.why(session.app(app))
    session.output.data(found, lambda: _print_why(session.output, found), [found["name"]])


def _print_why(output: Output, found: Json) -> None:
    output.line(Styled(found["name"], Style.STRONG), found["sentence"].removeprefix(found["name"]))
    if found.get("running_job"):
        output.line(f"now: {app_state(found)}")
    for mistake in found["mistakes"]:
        output.line(mistake_line(mistake))
    for replica in found["replicas"]:
        if replica["message"]:
            output.line(f"{replica['name']}: {replica['message']}")
    if found["message"]:
        output.line(found["message"])
    for reason in found["reasons"]:
        _print_reason(output, reason)
    if not found["reasons"]:
        output.hint(found["hint"] or "its last deploy, and its last run or call, succeeded")


def _print_reason(output: Output, reason: Json) -> None:
    output.line()
    place = f" at {reason['step']}" if reason["step"] else ""
    output.line(f"{_what(reason)} {reason['state']} {_when(reason['at'])}{place}{_number(reason)}")
    for line in reason["last_lines"]:
        output.stream(f"    {line}")
    output.line(Styled("error: ", Style.BAD), reason["sentence"])
    if reason["hint"]:
        output.line(Styled("hint: ", Style.FAINT), reason["hint"])
    if back := reason["returned"]:
        output.line(f"returned to release {back['release']}: deployment {back['deployment']} is {back['state']}")


def _when(text: str | None) -> str:
    return "just now" if ago(text) == "now" else ago(text)


def _what(reason: Json) -> str:
    kind = str(reason["kind"])
    if kind in ("occurrence", "run", "call"):
        return f"its last {kind}"
    return f"{kind} of release {reason['release']}" if kind == "deploy" else kind


def _number(reason: Json) -> str:
    if reason["kind"] in ("run", "call"):
        return f" (execution {reason['execution']})"
    return f" (job {reason['job']})" if reason["job"] else ""
