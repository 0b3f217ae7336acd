"""How many replicas an app should have, in SQL; `domain.jobs.scale.wanted_replicas` is the same rule in Python."""

from __future__ import annotations

from norn_tasks.domain.jobs.requests import OVERRIDE, OVERRIDE_REPLICAS, OVERRIDE_SPEC


def _wanted(spec: str, override: str, replaces: str) -> str:
    in_spec = f"CAST({spec} ->> 'replicas' AS bigint)"
    return f"CASE WHEN {replaces} = {in_spec} THEN coalesce({override}, {in_spec}) ELSE {in_spec} END"


BY_APP = _wanted("coalesce(l.spec, a.spec)", "a.replicas_override", "a.override_spec")
"""The number of replicas that the app `a` should have; `l` is its live release, with NULL in all columns if there is
none.

The infraspec of the live release counts; one that was registered later applies only after its deploy has gone live.
"""

_NUMBER, _REPLACES = (
    f"CAST(c.args -> '{OVERRIDE}' ->> '{key}' AS bigint)" for key in (OVERRIDE_REPLICAS, OVERRIDE_SPEC)
)
BY_JOB = _wanted("c.spec", _NUMBER, _REPLACES)
"""The number of replicas that the job `c` rolls out."""
