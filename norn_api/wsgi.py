"""The API process: `gunicorn norn_api.wsgi:application` loads this module, and with it the settings and the stores."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable
from types import FrameType

from norn_api import logs
from norn_api.app import NornApp, create_app
from norn_tasks.dispatch import open_intake
from norn_tasks.domain.errors import DatabaseDown, NornError
from norn_tasks.settings import Settings, load
from norn_tasks.store.access.tokens import ensure_bootstrap
from norn_tasks.store.database.bounded import BriefDatabase
from norn_tasks.store.database.opening import open_for_requests

TOKEN_FILE = "token"  # noqa: S105 - a file's name
_LOAD_FAILED = 4
"""The exit status after which gunicorn does not restart the process, because that would not help."""


def make(settings: Settings) -> NornApp:
    """Makes the application of this process with its database and its intake, and registers the bootstrap token."""
    database = open_for_requests(settings)
    if settings.auth == "on" and not _register_bootstrap_token(database, settings):
        threading.Thread(
            target=_register_when_up, args=(database, settings), name="norn-bootstrap", daemon=True
        ).start()
    return create_app(open_intake(database, settings))


def _register_bootstrap_token(database: BriefDatabase, settings: Settings) -> bool:
    """Registers the bootstrap token; returns False if the database does not respond."""
    try:
        ensure_bootstrap(database, settings.data_dir / TOKEN_FILE)
    except DatabaseDown:
        return False
    return True


def _register_when_up(database: BriefDatabase, settings: Settings) -> None:
    """Registers the bootstrap token as soon as the database responds; the API starts before that."""
    pause = threading.Event()
    while not _register_bootstrap_token(database, settings):
        pause.wait(1.0)


def _close_on_term(close_all: Callable[[], None]) -> None:
    """Ends streams and waiting requests at SIGTERM, and then runs gunicorn's own handler."""
    before = signal.getsignal(signal.SIGTERM)

    def close(number: int, frame: FrameType | None) -> None:
        close_all()
        if callable(before):
            before(number, frame)

    signal.signal(signal.SIGTERM, close)


def _application() -> NornApp:
    """Makes the application; prints a sentence and exits if the settings cannot be used."""
    try:
        settings = load()
        logs.configure(settings)
        app = make(settings)
    except NornError as error:
        print(error.rendered, file=sys.stderr)
        sys.exit(_LOAD_FAILED)
    _close_on_term(app.extensions["norn"].close)
    return app


application = _application()
