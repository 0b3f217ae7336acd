"""Reads Kubernetes events, which two APIs serve in different forms."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from norn_tasks.adapters.kubernetes.assess.objects import (
    KubeObject,
    created,
    mapping,
    moment,
    name_of,
    number,
    text,
    uid_of,
)

_COMBINED = "(combined from similar events): "


@dataclass(frozen=True)
class SeenEvent:
    """An event about an object."""

    thing: KubeObject
    """The event as Kubernetes serves it."""

    @property
    def about(self) -> KubeObject:
        """Returns the reference to the object that the event is about."""
        return mapping(self.thing, "involvedObject") or mapping(self.thing, "regarding")

    @property
    def reason(self) -> str:
        """Returns the event's reason."""
        return text(self.thing, "reason")

    @property
    def message(self) -> str:
        """Returns the event's message."""
        return (text(self.thing, "message") or text(self.thing, "note")).removeprefix(_COMBINED)

    @property
    def count(self) -> int:
        """Returns how often the event happened."""
        counts = (("count",), ("deprecatedCount",), ("series", "count"))
        return max(1, *(number(self.thing, *path) for path in counts))

    @property
    def first(self) -> datetime | None:
        """Returns when the event happened first."""
        named = ("firstTimestamp", "deprecatedFirstTimestamp", "eventTime")
        return next(filter(None, (moment(self.thing, name) for name in named)), None) or created(self.thing)

    @property
    def last(self) -> datetime | None:
        """Returns when the event happened last."""
        series = moment(self.thing, "series", "lastObservedTime")
        named = ("lastTimestamp", "deprecatedLastTimestamp")
        return series or next(filter(None, (moment(self.thing, name) for name in named)), None) or self.first

    def concerns(self, thing: KubeObject) -> bool:
        """Returns True if the event is about this object: compares the uids or, if one is missing, kind and name."""
        if text(self.about, "uid") and uid_of(thing):
            return text(self.about, "uid") == uid_of(thing)
        kind = text(self.about, "kind")
        return text(self.about, "name") == name_of(thing) and kind in ("", text(thing, "kind"))

    def is_of(self, container: str) -> bool:
        """Returns True if the event is about this container of its pod, or names no container."""
        path = text(self.about, "fieldPath")
        return not path or path.endswith(f"{{{container}}}")

    def not_before(self, moment_: datetime | None) -> bool:
        """Returns True if the event happened at this moment or later, or if one of the two times is unknown."""
        return moment_ is None or self.last is None or self.last >= moment_.replace(microsecond=0)
