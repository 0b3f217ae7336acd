"""Watches the apps of this control plane in a cluster, so that Norn notices a change before its next regular
observation.
"""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable
from typing import Any

from norn_tasks.adapters.kubernetes import marks
from norn_tasks.adapters.kubernetes.api import Api
from norn_tasks.domain.errors import NornError, StepFailed

_KINDS = ("Deployment", "Pod")
_CHANGES = ("ADDED", "MODIFIED", "DELETED")
_LASTS, _SLACK = 300, 30
"""Seconds after which the server ends a watch, and the extra seconds that Norn waits for that end."""
_PAUSE, _AWAY, _REFUSED = 2.0, 5.0, 60.0
"""Seconds before the next watch: after a normal end, while the server is unreachable, and after the server refused the
watch.
"""


class ClusterChanges:
    """Reports changes of Deployments and pods. Each kind is watched on a thread of its own, until this object is
    closed.
    """

    def __init__(self, api: Api, instance: str, changed: Callable[[], None]) -> None:
        self._api, self._selector, self._changed = api, marks.selector(instance), changed
        self._closed = threading.Event()
        for kind in _KINDS:
            threading.Thread(target=self._watch, args=[kind], name=f"norn-watch-{kind}", daemon=True).start()

    def close(self) -> None:
        """Stops watching; no change is reported after that."""
        self._closed.set()

    def _watch(self, kind: str) -> None:
        from urllib3.exceptions import HTTPError

        while not self._closed.is_set():
            pause = _PAUSE
            try:
                self._once(kind)
            except (HTTPError, OSError, ValueError, LookupError, TypeError):
                # The connection ended, or a proxy answered instead of the server. Changes may have been missed.
                self._report()
            except StepFailed:
                pause = _REFUSED
            except NornError:
                pause = _AWAY
            self._closed.wait(pause)

    def _once(self, kind: str) -> None:
        """Reports each change until the server ends the watch; raises an error if the connection breaks."""
        query = {"watch": "true", "labelSelector": self._selector, "timeoutSeconds": str(_LASTS)}
        query["resourceVersion"] = self._api.version_of_all(kind, self._selector)
        self._report()
        with contextlib.closing(self._api.stream(self._api.path(kind), query, _LASTS + _SLACK)) as answer:
            rest = b""
            for piece in answer.stream(amt=None, decode_content=False):
                *whole, rest = (rest + piece).split(b"\n")
                if any(_is_change(json.loads(line)) for line in whole if line.strip()):
                    self._report()
                if self._closed.is_set():
                    return

    def _report(self) -> None:
        if not self._closed.is_set():
            self._changed()


def _is_change(event: dict[str, Any]) -> bool:
    """Returns True if the event is a change; raises ValueError if the server can no longer continue the watch."""
    if event["type"] == "ERROR":
        raise ValueError(str(event.get("object")))
    return event["type"] in _CHANGES
