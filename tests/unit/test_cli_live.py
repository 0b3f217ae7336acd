"""The step view where no line can be repainted: on a pipe, as in CI."""

from __future__ import annotations

from typing import Any

import pytest

from norn_cli.display.formats import Format
from norn_cli.display.live import StepLine
from norn_cli.display.output import Output
from tests.servers import wait_until


def running(*steps: str) -> dict[str, Any]:
    """Returns a job that is at the last of these steps."""
    *done, now = steps
    ended = [{"n": n, "name": name, "state": "succeeded", "seconds": 1.0} for n, name in enumerate(done)]
    return {"state": "running", "steps": [*ended, {"n": len(done), "name": now, "state": "running"}]}


def view() -> StepLine:
    """Returns a view that names a step at once, and again after a twentieth of a second."""
    return StepLine(Output(Format.TABLE, colour=False), lambda _: (), verbose=False, every=0.05, moment=0)


def test_a_step_that_takes_a_moment_is_named_before_its_end(capsys: pytest.CaptureFixture[str]) -> None:
    steps = view()
    steps.seen(running("clone-source"))
    steps.tick()
    steps.seen(running("clone-source", "build-image"))
    steps.tick()
    assert capsys.readouterr().err == "… clone-source\n✔ clone-source 1.0 s\n… build-image\n"


def test_a_quick_step_has_one_line_and_a_skipped_one_none(capsys: pytest.CaptureFixture[str]) -> None:
    steps = StepLine(Output(Format.TABLE, colour=False), lambda _: (), verbose=False)
    for name in ("clone-source", "publish-image"):
        steps.seen(running("forge", name))
        steps.tick()
    skipped = {"n": 1, "name": "publish-image", "state": "skipped", "note": "no registry"}
    steps.seen({"state": "running", "steps": [skipped]})
    assert capsys.readouterr().err == "✔ forge 1.0 s\n"


def test_a_skipped_step_that_was_named_has_its_end(capsys: pytest.CaptureFixture[str]) -> None:
    steps = view()
    steps.seen(running("publish-image"))
    steps.tick()
    steps.seen({"state": "running", "steps": [{"n": 0, "name": "publish-image", "state": "skipped", "note": "no"}]})
    assert capsys.readouterr().err == "… publish-image\n– publish-image skipped: no\n"


def test_a_step_that_goes_on_is_named_again(capsys: pytest.CaptureFixture[str]) -> None:
    steps = view()
    steps.seen(running("build-image"))
    steps.tick()
    said: list[str] = []

    def again() -> bool:
        steps.tick()
        said.extend(capsys.readouterr().err.splitlines())
        return len(said) > 1

    wait_until(again, 5, "the step is named again")
    assert (said[0], said[1].startswith("… build-image 0.")) == ("… build-image", True)
