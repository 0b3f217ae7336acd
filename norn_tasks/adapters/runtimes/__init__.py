"""The runtimes that start cron runs and function calls: one file per runtime, one line here each."""

from collections.abc import Callable

from norn_tasks.adapters.docker.engine import DockerEngine
from norn_tasks.adapters.runtimes.docker import DockerRuntime
from norn_tasks.ports import Runtime


def runtimes(docker: DockerEngine, names: Callable[[], tuple[str, ...]] = tuple) -> dict[str, Runtime]:
    """Returns the runtimes by the name that a spec's `runtime` gives them; `names` are those that runs can reach."""
    return {DockerRuntime.name: DockerRuntime(docker, names)}
