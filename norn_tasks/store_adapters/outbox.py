"""The deliveries that wait to be sent, for the sender of notifications."""

from __future__ import annotations

from norn_tasks.domain.alerting.notification import Parcel
from norn_tasks.store.alerts import deliveries
from norn_tasks.store.database.session import Database


class DeliveryOutbox:
    """Implements `ports.Outbox`; `instance` is part of the id of a delivery that the receiver sees."""

    def __init__(self, database: Database, instance: str) -> None:
        self._database, self._instance = database, instance

    def parcel(self, delivery: int) -> Parcel | None:
        """Returns a waiting delivery with its encrypted secret; None if nothing is left to send."""
        with self._database.transaction() as tx:
            return deliveries.parcel(tx, delivery, self._instance)
