"""Every cause of a verdict has example objects, and a row in docs/kubernetes-verdicts.md with the same verdict, time
limit and sentence.
"""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

import pytest

from norn_tasks.adapters.kubernetes.assess import RolloutCause, assess
from norn_tasks.adapters.kubernetes.assess.patience import HANDLING
from tests.unit.kubernetes.examples import EXAMPLES, PROGRESSING
from tests.unit.kubernetes.made import after

PAGE = Path(__file__).parents[3] / "docs" / "kubernetes-verdicts.md"
ROW = re.compile(r"^\| `(\w+)` \| .+ \| (.+) \| (.+) \|$", re.MULTILINE)
ROWS = {cause: (verdict, sentence) for cause, verdict, sentence in ROW.findall(PAGE.read_text())}
LATE = after(3600)


def handled(cause: str) -> str:
    """Returns the verdict of a failure's cause in the words of the page."""
    patience = HANDLING[RolloutCause(cause)].patience
    return f"failed after {patience // timedelta(seconds=1)} s" if patience else "failed at once"


@pytest.mark.parametrize("cause", EXAMPLES)
def test_a_rollout_fails_for_this_cause_and_the_page_says_so(cause: str) -> None:
    found = assess(EXAMPLES[cause], LATE)
    assert (found.verdict, found.cause) == ("failed", cause)
    assert ROWS[cause] == (handled(cause), found.sentence)


@pytest.mark.parametrize("cause", PROGRESSING)
def test_a_rollout_goes_on_for_this_cause_and_the_page_says_so(cause: str) -> None:
    found = assess(PROGRESSING[cause], LATE)
    assert (found.verdict, found.cause) == ("progressing", cause)
    assert ROWS[cause] == ("progressing", found.sentence)


@pytest.mark.parametrize("cause", [cause for cause, known in HANDLING.items() if known.patience])
def test_a_cause_that_may_pass_does_not_fail_before_its_time(cause: RolloutCause) -> None:
    found = assess(EXAMPLES[cause], after(0))
    assert (found.verdict, found.cause) == ("progressing", cause)


def test_the_page_the_code_and_the_examples_have_the_same_causes() -> None:
    assert set(ROWS) == {each.value for each in RolloutCause}
    assert set(EXAMPLES) == {each.value for each in HANDLING}
    assert {*EXAMPLES, *PROGRESSING, "available"} == set(ROWS)


@pytest.mark.parametrize("cause", HANDLING)
def test_a_failure_has_a_hint_unless_the_output_of_its_job_says_most(cause: RolloutCause) -> None:
    said_by_output = cause in ("init_failed", "crash_loop", "deadline")
    hint = assess(EXAMPLES[cause], LATE).hint
    assert (hint == "") == said_by_output
    assert "norn logs" not in hint and "describe pod" not in hint, "the pod is gone when the hint is read"
