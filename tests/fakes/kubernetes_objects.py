"""Objects of an API server in memory, with reads and patches that check the resourceVersion."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from norn_tasks.adapters.kubernetes.refusals import ObjectMoved


@dataclass
class FakeKubeObjects:
    """Fakes get and patch of `adapters.kubernetes.api.Api`. `before` is called before each patch."""

    namespace: str = "cloudflared"
    there: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    before: Callable[[str], None] = lambda kind: None
    patches: list[str] = field(default_factory=list)

    def put(self, kind: str, name: str, **content: Any) -> None:
        """Adds an object."""
        self.there[kind, name] = {"kind": kind, "metadata": {"name": name, "resourceVersion": "1"}, **content}

    def touch(self, kind: str, name: str) -> None:
        """Changes an object as another client would."""
        metadata = self.there[kind, name]["metadata"]
        metadata["resourceVersion"] = str(int(metadata["resourceVersion"]) + 1)

    def get(self, kind: str, name: str) -> dict[str, Any] | None:
        """Returns a copy of the object."""
        return copy.deepcopy(self.there.get((kind, name)))

    def patch(self, seen: dict[str, Any], changes: list[dict[str, Any]]) -> dict[str, Any]:
        """Applies the changes, and returns a copy of the object; raises ObjectMoved if another client has
        changed it.
        """
        kind, name = seen["kind"], seen["metadata"]["name"]
        self.before(kind)
        known = self.there[kind, name]
        for change in changes:
            if (
                change["path"] == "/metadata/resourceVersion"
                and change["value"] != known["metadata"]["resourceVersion"]
            ):
                raise ObjectMoved("the object has been modified")
        for change in changes[1:]:
            *path, last = change["path"].strip("/").split("/")
            place = known
            for part in path:
                place = place[part]
            place[last.replace("~1", "/")] = change["value"]
        self.touch(kind, name)
        self.patches.append(kind)
        return copy.deepcopy(known)
