"""100 cron apps due at the same moment, with real sandboxes in the nest (the container in which crun starts runs): how
late their runs begin.

COUNT is the number of apps, MOMENTS the number of minutes that are measured.
"""

from __future__ import annotations

import os

import pytest

from tests.e2e import due_at_once
from tests.e2e.fast_road import await_clean, await_nest, remains
from tests.e2e.stack import Stack

COUNT = int(os.environ.get("COUNT", "100"))
MOMENTS = int(os.environ.get("MOMENTS", "4"))
ENVIRONMENT = {"NORN_NEST": "auto", "NORN_WORKERS_CRON": os.environ.get("NORN_WORKERS_CRON", "16")}


@pytest.mark.timeout(900)
def test_every_run_begins_soon_and_succeeds(stack: Stack) -> None:
    await_nest(stack)
    due_at_once.prepare(stack, COUNT)
    before = remains(stack)
    moments = [due_at_once.moment(stack, COUNT) for _ in range(MOMENTS)]
    for each in moments:
        print(f"{len(each.runs)} runs due at once, {each.in_nest} in the nest, {len(each.wrong)} wrong: begun after "
              f"{each.percentile(0.5):.0f} ms (p50), {each.percentile(0.99):.0f} ms (p99)")  # fmt: skip
    assert [each.wrong for each in moments] == [[]] * MOMENTS
    assert [(len(each.runs), each.in_nest) for each in moments] == [(COUNT, COUNT)] * MOMENTS
    await_clean(stack, before, 60)
