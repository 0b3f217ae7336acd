"""Reads the output of a run from the engine's log, if the run's connection broke or belonged to an earlier owner."""

from __future__ import annotations

from docker import APIClient

from norn_tasks.adapters.docker.client import EngineClient
from norn_tasks.adapters.docker.frames import STDERR, STDOUT
from norn_tasks.adapters.runtimes.streams import Outputs
from norn_tasks.domain.errors import NotFound, StepFailed
from norn_tasks.ports import Run, Stop


def logged(engine: EngineClient, container: str, run: Run, stop: Stop) -> Outputs:
    """Returns the output of a run as far as the engine's log contains it."""
    if not run.logged:
        return Outputs(run)
    try:
        return engine.patiently(lambda client: _read_log(client, container, run), stop)
    except (NotFound, StepFailed):
        return Outputs(run)


def _read_log(client: APIClient, container: str, run: Run) -> Outputs:
    outputs = Outputs(run)
    for stream in (STDOUT, STDERR):
        for piece in client.logs(
            container, stdout=stream == STDOUT, stderr=stream == STDERR, stream=True, follow=False
        ):
            outputs.feed(stream, piece)
    return outputs
