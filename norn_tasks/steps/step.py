"""What every step is, and what it gets: the job, the tools, and the watch that stops it.

A step decides what should be; the ports know how. It returns only what it learned; the runner records that.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from norn_tasks.domain.deployment import DeploymentState
from norn_tasks.domain.errors import SecretsMissing
from norn_tasks.domain.infraspec import Infraspec
from norn_tasks.domain.job import Job
from norn_tasks.domain.redaction import NOTHING_HIDDEN, Redaction
from norn_tasks.domain.secret import Sealed, Secret, current
from norn_tasks.domain.step import Learned, Resume
from norn_tasks.ports import Hooks, Tools, Watch


@dataclass(frozen=True)
class Context:
    """What a step runs with; `hidden` are the app's secrets, for whatever captures output."""

    job: Job
    tools: Tools
    watch: Watch
    hooks: Hooks
    hidden: Redaction = NOTHING_HIDDEN

    @property
    def spec(self) -> Infraspec:
        """The spec that governs the job; every kind of job that has steps about an app carries one."""
        assert self.job.spec is not None, f"job {self.job.id} carries no spec"
        return self.job.spec

    @property
    def workspace(self) -> Path:
        """This job's private directory on this machine."""
        return self.tools.limits.workspace / f"job-{self.job.id}"

    @property
    def named_secrets(self) -> tuple[Sealed, ...]:
        """The secrets that the spec names and that are set."""
        known = current(self.job.sealed)
        return tuple(known[name] for name in self.spec.secrets if name in known)

    @property
    def missing_secrets(self) -> tuple[str, ...]:
        """The names in the spec that are not set."""
        known = current(self.job.sealed)
        return tuple(name for name in self.spec.secrets if name not in known)

    def secrets(self) -> dict[str, Secret]:
        """Opens what the spec names, for an environment; raises SecretsMissing or SecretsLocked."""
        missing = self.missing_secrets
        if missing:
            what = "a secret that is" if len(missing) == 1 else "secrets that are"
            asked = " ".join(missing)
            raise SecretsMissing(
                f"{self.job.app} names {what} not set: {', '.join(missing)}",
                hint=f"norn secrets set {self.job.app} {asked}, then again",
            )
        return {each.name: self.tools.vault.open(each) for each in self.named_secrets}

    def fetch_image(self) -> bool:
        """Pulls the release's image, which this engine does not have; False when it was never published."""
        published = self.job.facts.get("published") or self.job.published
        if published is None:
            return False
        self.tools.images.pull(published, self.watch)
        return True


class Step(ABC):
    """A small idempotent piece of a pipeline: running it on a finished world changes nothing.

    `best_effort`: a failure is noted and the job goes on. `stage`: what the job's deployment is doing meanwhile.
    `always`: it runs even after the job has failed. `returns`: its failure asks for a return to the live release.
    `patient`: it waits for an engine or a cluster that is away. `watched`: its output is read while it runs, stdout
    and stderr apart.
    """

    name: ClassVar[str]
    best_effort: ClassVar[bool] = False
    resume: ClassVar[Resume] = Resume.KEEP
    stage: ClassVar[DeploymentState | None] = None
    always: ClassVar[bool] = False
    returns: ClassVar[bool] = False
    patient: ClassVar[bool] = True
    watched: ClassVar[bool] = False

    def skip_reason(self, spec: Infraspec) -> str | None:
        """Says why this app does not need the step; None when it does."""
        return None

    @abstractmethod
    def run(self, context: Context) -> Learned | None:
        """Does it; raises an error of `domain.errors` when it cannot."""


class NotThereYet(Step):
    """A step of a feature that this server does not have: every app passes over it, and is told why."""

    @abstractmethod
    def skip_reason(self, spec: Infraspec) -> str:
        """Says what there is not."""

    def run(self, context: Context) -> Learned | None:
        """Does nothing, and is never asked to."""
        return None
