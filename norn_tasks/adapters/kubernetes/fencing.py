"""Writes objects under a job's fence, so that a worker that lost its job never overwrites what a later worker has
written.

Every object carries the fence of its last writer; an object with a higher fence stops the writer. Every change also
carries the `resourceVersion` and the `uid` of the object that was read. If somebody changes the object in between, the
writer reads it again and starts over.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from norn_tasks.adapters.kubernetes import marks
from norn_tasks.adapters.kubernetes.api import MANAGER, Api
from norn_tasks.adapters.kubernetes.refusals import ObjectMoved
from norn_tasks.adapters.kubernetes.site import Object, Seen
from norn_tasks.domain.errors import LeaseLost, StepFailed
from norn_tasks.domain.jobs.job import Fence
from norn_tasks.ports import Watch

T = TypeVar("T")

Lease = Callable[[Fence], None]
"""Raises LeaseLost if the job's token is no longer valid."""
_TRIES = 20
_PAUSE = 0.1


class FencedWriter:
    """Writes the objects of one app for one job."""

    def __init__(self, api: Api, app: str, instance: str, lease: Lease, watch: Watch) -> None:
        self._api = api
        self._app = app
        self._instance = instance
        self._lease = lease
        self._watch = watch

    def put(self, wanted: Object) -> Object:
        """Creates the object, or changes the existing one to match `wanted`."""
        return self._again(lambda: self._put(wanted), f"{wanted['kind']} {wanted['metadata']['name']}")

    def make(self, wanted: Object) -> None:
        """Creates the object if it is missing, and leaves an existing one unchanged."""

        def once() -> None:
            if self._seen(wanted["kind"], wanted["metadata"]["name"]) is None:
                self._create(wanted)

        self._again(once, f"{wanted['kind']} {wanted['metadata']['name']}")

    def remove(self, kind: str, name: str, *, foreground: bool = False) -> None:
        """Deletes the object; does nothing if it is missing."""

        def once() -> None:
            seen = self._seen(kind, name)
            if seen is not None and "deletionTimestamp" not in seen["metadata"]:
                self._lease(self._watch.fence)
                self._api.delete(seen, foreground=foreground)

        self._again(once, f"{kind} {name}")

    def _put(self, wanted: Object) -> Object:
        name = wanted["metadata"]["name"]
        seen = self._seen(wanted["kind"], name)
        if seen is None:
            seen = self._create(wanted)
        if "deletionTimestamp" in seen["metadata"]:
            raise ObjectMoved(f"{wanted['kind']} {name} is being removed")
        seen = _adopted(self._api, seen)
        exactly = {key: seen["metadata"][key] for key in ("resourceVersion", "uid")}
        return self._api.apply({**wanted, "metadata": {**wanted["metadata"], **exactly}})

    def _create(self, wanted: Object) -> Object:
        self._lease(self._watch.fence)
        return self._api.create(wanted)

    def _seen(self, kind: str, name: str) -> Object | None:
        """Returns the present object; None if it is missing. Raises Conflict if it does not belong to the app, and
        LeaseLost if it has a higher fence.
        """
        seen = self._api.get(kind, name)
        if seen is not None:
            marks.require_ours(seen, self._app, self._instance)
            require_fence(seen, self._watch.fence)
        return seen

    def _again(self, work: Callable[[], T], what: str) -> T:
        """Does the work, and starts over each time that somebody has changed the object in between."""
        last = ""
        for _ in range(_TRIES):
            self._watch.stop.check()
            try:
                return work()
            except ObjectMoved as error:
                last = str(error)
                self._watch.stop.wait(_PAUSE)
        raise StepFailed(
            f"{what} was changed by others each time that Norn wrote it: {last}", hint="who else writes it?"
        )


def require_fence(seen: Seen, fence: Fence) -> None:
    """Raises LeaseLost if a later claim has written the object."""
    if marks.number_of(seen, marks.FENCE) > fence.token:
        what = f"{seen['kind']} {seen['metadata']['name']}"
        raise LeaseLost(f"job {fence.job} is no longer held by this worker: another has written {what}", job=fence.job)


def _adopted(api: Api, seen: Object) -> Object:
    """Marks the fields that Norn set when it created the object as fields that it applied, and returns the object.

    An apply removes a field only if an earlier apply has set it. Without the new mark, the fields from the creation
    would stay forever.
    """
    entries = seen["metadata"].get("managedFields") or []
    made = [each for each in entries if each["manager"] == MANAGER and each["operation"] == "Update"]
    if not made or "subresource" in made[0]:
        return seen
    others = [each for each in entries if each is not made[0]]
    applied = [{**made[0], "operation": "Apply"}] if not any(_applies(each) for each in others) else []
    version = seen["metadata"]["resourceVersion"]
    changes = [
        {"op": "replace", "path": "/metadata/resourceVersion", "value": version},
        {"op": "replace", "path": "/metadata/managedFields", "value": [*others, *applied]},
    ]
    return {"kind": seen["kind"], **api.patch(seen, changes)}


def _applies(entry: Seen) -> bool:
    return bool(entry["manager"] == MANAGER and entry["operation"] == "Apply")
