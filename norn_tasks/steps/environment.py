"""The environment of an app's containers: one rule for replicas, runs and the test of an image.

If several sources set the same variable, the last one in this list counts: defaults of Norn (`PORT` of a webserver);
the infraspec's `env`; variables of its services (`KV_PREFIX`, `EVENTS_TOPICS`); variables that Norn sets (`NORN_APP`
and others); the secrets, including credentials of services. The adapter adds the secrets when it creates the container.
"""

from __future__ import annotations

from norn_tasks.domain.infraspec import Role
from norn_tasks.domain.jobs.claimed import Job


def environment_of(job: Job, **norn: str) -> dict[str, str]:
    """Returns the environment of a container of the job, without secrets; `norn` are further variables that
    Norn sets.
    """
    assert job.spec is not None, f"job {job.id} carries no spec"
    spec = job.spec
    defaults = {"PORT": str(spec.port)} if spec.role is Role.WEBSERVER else {}
    services = spec.services.variables()
    return {**defaults, **spec.env, **services, "NORN_APP": job.app, "NORN_RELEASE": str(job.release or 0), **norn}
