"""LISTEN: one connection that waits for NOTIFY."""

from __future__ import annotations

import select
from typing import Any

import psycopg2

from norn_tasks.store.database.trouble import database_down
from norn_tasks.store.database.urls import ALIVE, plain_url


class Listener:
    """One connection that waits for NOTIFY; after DatabaseDown it can no longer be used."""

    def __init__(self, url: str, channels: tuple[str, ...]) -> None:
        try:
            self._connection = psycopg2.connect(plain_url(url), **ALIVE, application_name="norn-listen")
            self._connection.set_session(autocommit=True)
            with self._connection.cursor() as cursor:
                for channel in channels:
                    cursor.execute(f"LISTEN {channel}")
        except psycopg2.Error as error:
            raise database_down(error) from error

    def wait(self, seconds: float, *also: int) -> list[str]:
        """Returns the payloads that arrive within `seconds`, immediately if there are some. `also` are further file
        descriptors that end the wait when they become readable. Raises DatabaseDown if the connection is lost.
        """
        try:
            watched: list[Any] = [self._connection, *also]
            ready, _, _ = select.select(watched, [], [], max(0.0, seconds))
            if self._connection in ready:
                self._connection.poll()
            heard = [note.payload for note in self._connection.notifies]
            self._connection.notifies.clear()
        except (psycopg2.Error, OSError, ValueError) as error:
            raise database_down(error) from error
        return heard

    def close(self) -> None:
        """Closes the connection."""
        self._connection.close()
