"""Errors of a job that failed or was stopped."""

from __future__ import annotations

from norn_tasks.domain.errors.base import NornError


class StepFailed(NornError):
    """A step failed. This is the base class of the errors that adapters and steps raise for a failed job."""

    code, status = "step_failed", 502


class SourceError(StepFailed):
    """The source cannot be fetched: no such ref, no such directory, or a refused address."""

    code = "source_error"


class BuildFailed(StepFailed):
    """The image build ended with an error; the sentence has its last line."""

    code = "build_failed"


class RegistryFailed(StepFailed):
    """The registry did not accept the image, or does not have it; the sentence has its message."""

    code = "registry_failed"


class TestsFailed(StepFailed):
    """The app's tests ended with an error."""

    code = "tests_failed"
    __test__ = False


class RolloutFailed(StepFailed):
    """The new release did not become healthy; the sentence says why."""

    code = "rollout_failed"


class TunnelFailed(StepFailed):
    """The tunnel or its DNS refused a change, or another owner's rule or record blocks it; the sentence says which."""

    code = "tunnel_failed"


class TimedOut(StepFailed):
    """The work took longer than its limit, which the sentence names."""

    code = "timed_out"


class LeaseLost(NornError):
    """Another worker owns the job now. This worker ends its processes and containers, and writes nothing more."""

    code = "lease_lost"


class Stopped(NornError):
    """The work was stopped; `reason` in the facts is `cancelled`, `draining` or `lease_lost`."""

    code = "stopped"


class Postponed(Stopped):
    """The job needs something that another job holds. It goes back to the queue, and starts again when that thing is
    free.
    """
