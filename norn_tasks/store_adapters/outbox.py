"""The deliveries that wait to be sent, as the sender of notifications reads them."""

from __future__ import annotations

from norn_tasks.domain.alerting.notification import Parcel
from norn_tasks.store.alerts import deliveries
from norn_tasks.store.database.session import Database


class DeliveryOutbox:
    """Implements `ports.Outbox`; `instance` is a part of the id under which a receiver sees a delivery."""

    def __init__(self, database: Database, instance: str) -> None:
        self._database, self._instance = database, instance

    def parcel(self, delivery: int) -> Parcel | None:
        """Returns a waiting delivery with its sealed secret; None when nothing is left to send."""
        with self._database.transaction() as tx:
            return deliveries.parcel(tx, delivery, self._instance)
