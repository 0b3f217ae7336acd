"""What views need of the world: one frozen bundle per application, and the door through which a view takes it."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import cast

from flask import current_app, g

from norn_api.auth import Authenticator
from norn_api.hub import Hub
from norn_api.metrics import Figures
from norn_api.permissions import ANOTHER_APP
from norn_api.places import Places
from norn_api.waiting import Waiting
from norn_tasks.dispatch import Intake
from norn_tasks.domain.access import Actor
from norn_tasks.domain.errors import Forbidden
from norn_tasks.settings import Settings
from norn_tasks.store.live import Ends, Live
from norn_tasks.store.session import Database

_KEY = "norn"
UPLOADS = 4
"""Uploads that one process reads at once: unpacking keeps a core busy."""


@dataclass(frozen=True)
class Services:
    """The settings, the stores, and what the process keeps in memory. `closing` is set when the process is to end."""

    settings: Settings
    intake: Intake
    authenticator: Authenticator
    waiting: Waiting
    hub: Hub
    streams: Places
    uploads: Places
    closing: threading.Event
    ends: Ends
    figures: Figures

    def close(self) -> None:
        """Ends every stream and wait, and the threads behind them, within two seconds."""
        self.closing.set()
        self.ends.close()

    @property
    def database(self) -> Database:
        """The database."""
        return self.intake.database

    @property
    def live(self) -> Live:
        """The live side of the broker."""
        return self.intake.live

    @staticmethod
    def of(intake: Intake) -> Services:
        """Makes the services of a process that accepts work through `intake`."""
        settings, database, closing = intake.settings, intake.database, threading.Event()
        ends = Ends(settings.broker_url)
        return Services(
            settings,
            intake,
            Authenticator(database, off=settings.auth == "off"),
            Waiting(database, ends, closing, Places(settings.max_waiting, "calls that wait for their answer")),
            Hub(database, settings.database_listen_url, closing),
            Places(settings.max_streams, "streams"),
            Places(UPLOADS, "uploads that are being read"),
            closing,
            ends,
            Figures(database),
        )


def norn() -> Services:
    """Answers the services of the application that handles this request."""
    return cast(Services, current_app.extensions[_KEY])


def install(extensions: dict[str, object], services: Services) -> None:
    """Puts the services where `norn()` finds them."""
    extensions[_KEY] = services


def actor() -> Actor:
    """Answers who sent this request."""
    return cast(Actor, g.get("actor"))


def reach(app: str) -> str:
    """Answers the app's name when the sender's token reaches it; raises Forbidden."""
    if not actor().reaches(app):
        raise Forbidden(f"your token does not reach {app}", hint=ANOTHER_APP)
    return app
