"""A role: three tuples of steps, which the pipelines insert."""

from __future__ import annotations

from dataclasses import dataclass

from norn_tasks.steps.step import Step


@dataclass(frozen=True)
class RoleSteps:
    """The steps of a role: forge uses `provision`, deploy and rollback use `release`, teardown uses `dismantle`."""

    provision: tuple[Step, ...]
    release: tuple[Step, ...]
    dismantle: tuple[Step, ...]
