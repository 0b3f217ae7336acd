"""A schedule, its next times and one of its runs, as `norn cron` prints them."""

from __future__ import annotations

from collections.abc import Iterator

from norn_cli.answers import Json
from norn_cli.display.calls import facts_of_run, show_streams
from norn_cli.display.output import Fact, Output
from norn_cli.display.tables import OCCURRENCES
from norn_cli.display.times import ago, local
from norn_cli.project import SPEC_FILE


def show_schedule(output: Output, cron: Json) -> None:
    """Prints a schedule."""
    output.record(cron, _facts(cron), cron["app"])


def show_next(output: Output, answer: Json) -> None:
    """Prints the next times of a schedule, and the next night in which the clocks change."""

    def table() -> None:
        facts = [("schedule", f"{answer['text']} {answer['timezone']}"), ("that is", answer.get("words"))]
        output.facts([*facts, *_not_running(answer)])
        output.line()
        output.table([*answer["items"], *answer.get("next_odd_night", ())], OCCURRENCES)

    output.data(answer, table, [occurrence["at"] for occurrence in answer["items"]])


def _not_running(answer: Json) -> Iterator[Fact]:
    """Yields the reason why the schedule does not run at the times that are listed below; yields nothing if it does."""
    state, paused = answer.get("state", "scheduled"), answer.get("paused")
    if paused:
        yield "paused", f"{_by(paused)}; it would run:"
    elif state != "scheduled":
        yield "state", f"{state}; it would run:"


def _by(paused: Json) -> str:
    return f"by {paused['by']} {ago(paused['at'])}" + (f": {paused['reason']}" if paused["reason"] else "")


def _facts(cron: Json) -> Iterator[Fact]:
    schedule = cron["schedule"]
    zone, override, paused = schedule["timezone"], schedule.get("override"), schedule.get("paused")
    yield "app", cron["app"]
    yield "schedule", f"{schedule['text']} {zone}"
    yield "that is", schedule.get("words")
    yield "state", schedule["state"]
    if override:
        yield "override", f"by {override['by']} {ago(override['at'])}, over {SPEC_FILE}"
    if paused:
        yield "paused", _by(paused)
    for number, due in enumerate(cron["next"]):
        yield (
            "" if number else "next runs" if schedule["state"] == "scheduled" else "would run",
            f"{local(due, zone)} ({ago(due)})",
        )


def _facts_without_hint_to_itself(found: Json) -> Iterator[Fact]:
    """Yields the facts of a run. The hint about how to see its output is left out, because the output follows here."""
    for name, value in facts_of_run(found):
        if name != "hint" or not str(value).startswith(f"norn cron logs {found.get('app')}"):
            yield name, value


def show_run(output: Output, found: Json) -> None:
    """Prints a run with its output."""
    began = local(found.get("begun_at"))
    output.facts(
        [
            *_facts_without_hint_to_itself(found),
            ("verdict", found.get("verdict")),
            ("trigger", f"{found.get('trigger')}, by {found.get('actor')}" if found.get("actor") else found["trigger"]),
            ("due", local(found.get("scheduled_for"))),
            ("planned", local(found.get("planned_at"))),
            ("began at", began),
            ("image", found.get("image_id")),
        ]
    )
    show_streams(output, found)
