"""The condition under which a worker may write about a job, in SQL; `domain.jobs.job.Fence` has its two values."""

from __future__ import annotations


def held(job: str = "jobs", job_id: str = ":job", claim: str = ":token") -> str:
    """Returns SQL that is true while the fence is valid: `job` is the row, the other two are the values of the fence.

    It is part of every statement that writes about a running job. If the statement finds no row, another worker owns
    the job, or the job has ended.
    """
    return f"({job}.id = {job_id} AND {job}.lease_token = {claim} AND {job}.state = 'running')"
