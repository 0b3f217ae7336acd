"""The world outside in memory: what was sent, and what is answered."""

from __future__ import annotations

from dataclasses import dataclass, field

from norn_tasks.domain.alerting.notification import Parcel
from norn_tasks.ports import Receipt


@dataclass
class FakeOutbox:
    """Keeps `ports.Outbox`: `parcels` by the delivery's number."""

    parcels: dict[int, Parcel] = field(default_factory=dict)

    def parcel(self, delivery: int) -> Parcel | None:
        """Answers what was arranged."""
        return self.parcels.get(delivery)


@dataclass
class FakeMessenger:
    """Keeps `ports.Messenger`. Arrange `outbox`, `status` (None: nobody answers); look at `sent` and `calls`."""

    outbox: FakeOutbox
    status: int | None = 204
    sent: list[Parcel] = field(default_factory=list)
    calls: int = 0

    def deliver(self, delivery: int) -> Receipt | None:
        """Remembers it."""
        parcel = self.outbox.parcel(delivery)
        if parcel is None:
            return None
        self.sent.append(parcel)
        return self._receipt()

    def call_deadman(self) -> Receipt:
        """Counts it."""
        self.calls += 1
        return self._receipt()

    def _receipt(self) -> Receipt:
        if self.status is None:
            return Receipt(False, "hooks.example could not be reached: connection refused")
        return Receipt(200 <= self.status < 300, f"it answered {self.status}")
