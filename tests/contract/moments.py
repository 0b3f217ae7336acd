"""Acting at the right moment, while the test itself is held up by what it tries."""

from __future__ import annotations

import threading
from collections.abc import Callable

from norn_tasks.ports import Runtime
from tests.servers import allowed, wait_until


def once(fact: Callable[[], object], act: Callable[[], object]) -> None:
    """Acts as soon as the fact holds, beside the test; never, when it does not come to hold."""

    def wait() -> None:
        wait_until(fact, allowed(20), "the moment to act")
        act()

    threading.Thread(target=wait, daemon=True).start()


def runs(runtime: Runtime, name: str) -> bool:
    """True while the code in the container of this name runs."""
    return any(each.name == name and each.running for each in runtime.seen())
