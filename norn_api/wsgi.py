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
from norn_tasks.store.brief import BriefDatabase
from norn_tasks.store.tokens import ensure_bootstrap

TOKEN_FILE = "token"  # noqa: S105 - a file's name
_LOAD_FAILED = 4
"""The status by which gunicorn knows that starting again is of no use."""


def make(settings: Settings) -> NornApp:
    """Makes the process's application: its database, its intake, the bootstrap token."""
    database = BriefDatabase(settings.database_url)
    if settings.auth == "on" and not _let_in(database, settings):
        threading.Thread(target=_keep_trying, args=(database, settings), name="norn-bootstrap", daemon=True).start()
    return create_app(open_intake(database, settings))


def _let_in(database: BriefDatabase, settings: Settings) -> bool:
    """Sees to the bootstrap token; False when the database does not answer."""
    try:
        ensure_bootstrap(database, settings.data_dir / TOKEN_FILE)
    except DatabaseDown:
        return False
    return True


def _keep_trying(database: BriefDatabase, settings: Settings) -> None:
    """The API starts without its database; the token follows as soon as that answers."""
    pause = threading.Event()
    while not _let_in(database, settings):
        pause.wait(1.0)


def _tell_on_term(close_all: Callable[[], None]) -> None:
    """Ends streams and waits at SIGTERM; gunicorn's own handler still runs."""
    before = signal.getsignal(signal.SIGTERM)

    def close(number: int, frame: FrameType | None) -> None:
        close_all()
        if callable(before):
            before(number, frame)

    signal.signal(signal.SIGTERM, close)


def _application() -> NornApp:
    """Makes the application; settings that cannot be served end the process with a sentence."""
    try:
        settings = load()
        logs.configure(settings)
        app = make(settings)
    except NornError as error:
        print(error.told, file=sys.stderr)
        sys.exit(_LOAD_FAILED)
    _tell_on_term(app.extensions["norn"].close)
    return app


application = _application()
