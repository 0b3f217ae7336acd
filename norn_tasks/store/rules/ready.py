"""SQL conditions about a job `c`, such as whether it is due, for the claims, the sweeper, health and gauges."""

from __future__ import annotations

from norn_tasks.store.rules.lists import CODE_CLASSES, OPEN_STATES

ITS_TIME = "c.state = 'queued' AND c.run_after <= clock_timestamp()"
"""The job is queued, and the time before which it may not run has passed."""
DUE = f"{ITS_TIME} AND c.cancel_requested_at IS NULL"
"""The job is queued, the time before which it may not run has passed, and nobody asked it to stop."""
DUE_OR_KEPT = f"{ITS_TIME} AND (c.cancel_requested_at IS NULL OR c.adopt)"
"""The job is due; or it was asked to stop while its container may run, so that a worker must remove the container."""

EARLIER = f"o.app = c.app AND o.exclusive AND o.id < c.id AND o.state IN {OPEN_STATES}"
"""The condition for a second job `o`: it is a change of the same app, has not ended, and was accepted earlier."""
IS_BEHIND = f"(c.exclusive AND EXISTS (SELECT 1 FROM jobs o WHERE {EARLIER}))"  # noqa: S608 - built from constants
"""True if an earlier change of its app has not ended."""
HAS_SLOT = """EXISTS (SELECT 1 FROM slots s WHERE s.class = c.class AND s.app = c.app
    HAVING count(s.job_id) < count(*) FILTER (WHERE NOT s.surplus) OR bool_or(s.job_id = c.id))"""
"""The job's app has a free slot, or the job holds a slot already."""
NEEDS_SLOT = f"c.class IN {CODE_CLASSES} AND NOT {HAS_SLOT}"
"""The job runs code, and its app has no slot for it."""

WAITED_SECONDS = "extract(epoch FROM clock_timestamp() - min(greatest(c.created_at, c.run_after)))::float8"
"""The seconds for which the oldest of a group of ready jobs has been ready."""
