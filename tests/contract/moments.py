"""Runs an action when a condition holds, while the test itself waits in the call that it tests."""

from __future__ import annotations

import threading
from collections.abc import Callable

from norn_tasks.adapters.incus.runtime import IncusRuntime
from norn_tasks.adapters.kubernetes_jobs.runtime import KubernetesRuntime
from norn_tasks.adapters.nest.runtime import NestRuntime
from norn_tasks.adapters.runtimes.docker import DockerRuntime
from norn_tasks.ports import Engine, Runtime
from tests.fakes.runtime import FakeRuntime
from tests.servers import allowed, wait_until


def once(fact: Callable[[], object], act: Callable[[], object]) -> None:
    """Runs `act` on a thread as soon as `fact` returns true; never if that does not happen in time."""

    def wait() -> None:
        wait_until(fact, allowed(20), "the moment to act")
        act()

    threading.Thread(target=wait, daemon=True).start()


def engine_of(runtime: Runtime) -> Engine:
    """Returns the engine that a tested runtime uses."""
    assert isinstance(runtime, (FakeRuntime, DockerRuntime, IncusRuntime, KubernetesRuntime, NestRuntime))
    return runtime.on


def runs(runtime: Runtime, name: str) -> bool:
    """Returns True if the code in the container of this name runs."""
    return any(each.name == name and each.running for each in engine_of(runtime).containers())
