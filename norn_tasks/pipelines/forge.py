"""Forge brings the app's infrastructure into being; teardown removes what forge made. Each is written, none derived."""

from norn_tasks.domain.job import Job
from norn_tasks.roles import ROLES, RoleSteps
from norn_tasks.steps.step import Step


def role_of(job: Job) -> RoleSteps:
    """Answers the steps of the role that the job's spec says."""
    assert job.spec is not None, f"job {job.id} carries no spec"
    return ROLES[job.spec.role]


def forge(job: Job) -> tuple[Step, ...]:
    """[provision]; a forced one dismantles first."""
    role = role_of(job)
    return (*role.dismantle, *role.provision) if job.args.get("force") else role.provision


def teardown(job: Job) -> tuple[Step, ...]:
    """[dismantle]."""
    return role_of(job).dismantle
