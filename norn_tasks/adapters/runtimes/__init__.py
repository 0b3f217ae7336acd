"""Where cron runs and function calls live: one file per runtime, one line here each."""

from norn_tasks.adapters.engine import Engine
from norn_tasks.adapters.runtimes.docker import DockerRuntime
from norn_tasks.ports import Runtime


def runtimes(engine: Engine, instance: str) -> dict[str, Runtime]:
    """Answers the runtimes by the name that a spec's `runtime` gives them."""
    return {DockerRuntime.name: DockerRuntime(engine, instance)}
