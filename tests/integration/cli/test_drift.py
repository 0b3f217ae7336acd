"""`norn drift` prints the fields that others have changed in an app's objects; with an option its exit status says
whether there are any.
"""

from __future__ import annotations

import pytest

from tests.integration.cli.server import Answer

SAME = {"name": "blog", "seen_at": "2026-11-23T10:00:00Z", "drifted": False, "found": []}
REPLICAS = {"thing": "Deployment blog", "field": "spec.replicas", "wanted": "2", "found": "5"}
PAUSED = {"thing": "Deployment blog", "field": "spec.paused", "wanted": None, "found": "true"}
MISSING = {"thing": "Service blog", "field": "", "wanted": "present", "found": None}
DRIFTED = {**SAME, "drifted": True, "found": [REPLICAS, PAUSED, MISSING]}


def test_each_object_is_followed_by_its_fields_with_both_values(norn, run):
    norn.on("GET", "/api/apps/blog/drift", Answer(DRIFTED))
    result = run("drift", "blog", "--last")
    assert result.stdout.splitlines() == [
        "blog has 3 fields that somebody other than Norn changed:",
        "Deployment blog",
        "  spec.replicas: 2 -> 5",
        "  spec.paused: (nothing) -> true",
        "Service blog",
        "  the object: present -> (nothing)",
    ]
    assert "norn restart blog brings back the changed values" in result.stderr


@pytest.mark.parametrize(("seen", "code"), [(DRIFTED, 8), (SAME, 0)])
def test_the_exit_status_says_whether_anything_was_changed(norn, run, seen, code):
    norn.on("GET", "/api/apps/blog/drift", Answer(seen))
    assert run("drift", "blog", "--last", "--detailed-exitcode").exit_code == code
