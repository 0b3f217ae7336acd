"""What a role is: three tuples of steps, which the pipelines put into their holes."""

from __future__ import annotations

from dataclasses import dataclass

from norn_tasks.steps.step import Step


@dataclass(frozen=True)
class RoleSteps:
    """`provision` is forge's, `release` is deploy's and rollback's, `dismantle` is teardown's part of the role."""

    provision: tuple[Step, ...]
    release: tuple[Step, ...]
    dismantle: tuple[Step, ...]
