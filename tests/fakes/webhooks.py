"""The receivers of webhooks in memory: which webhooks were sent, and the response to each."""

from __future__ import annotations

from dataclasses import dataclass, field

from norn_tasks.domain.alerting.notification import Parcel
from norn_tasks.ports import Receipt


@dataclass
class FakeOutbox:
    """A fake of `ports.Outbox`: `parcels` by the delivery's number."""

    parcels: dict[int, Parcel] = field(default_factory=dict)

    def parcel(self, delivery: int) -> Parcel | None:
        """Returns the parcel that the test has set."""
        return self.parcels.get(delivery)


@dataclass
class FakeMessenger:
    """A fake of `ports.Messenger`. Tests set `outbox` and `status` (None: no response), and read `sent` and `calls`."""

    outbox: FakeOutbox
    status: int | None = 204
    sent: list[Parcel] = field(default_factory=list)
    calls: int = 0

    def deliver(self, delivery: int) -> Receipt | None:
        """Records the delivery, and returns its receipt; returns None if there is no such delivery."""
        parcel = self.outbox.parcel(delivery)
        if parcel is None:
            return None
        self.sent.append(parcel)
        return self._receipt()

    def call_deadman(self) -> Receipt:
        """Counts the call."""
        self.calls += 1
        return self._receipt()

    def _receipt(self) -> Receipt:
        if self.status is None:
            return Receipt(False, "hooks.example could not be reached: connection refused")
        return Receipt(200 <= self.status < 300, f"it answered {self.status}")
