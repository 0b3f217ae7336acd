"""The runtimes `docker` and `noop`, which start cron runs and function calls, and code that all runtimes share."""

from collections.abc import Callable

from norn_tasks.adapters.docker.engine import DockerEngine
from norn_tasks.adapters.runtimes.docker import DockerRuntime
from norn_tasks.ports import Runtime


def runtimes(docker: DockerEngine, names: Callable[[], tuple[str, ...]] = tuple) -> dict[str, Runtime]:
    """Returns the runtimes by the names that infraspecs use; `names` returns the host names of webservers that runs can
    reach.
    """
    return {DockerRuntime.name: DockerRuntime(docker, names)}
