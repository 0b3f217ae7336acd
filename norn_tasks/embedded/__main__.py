"""`python -m norn_tasks.embedded COMMAND`: carries out `norn up`, `norn down` and the other commands of a Norn on this
machine.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from norn_tasks.domain.errors import AlreadyRunning, InvalidRequest, NornError, NotFound
from norn_tasks.embedded.doctor import doctor
from norn_tasks.embedded.down import down
from norn_tasks.embedded.errors import NotEmpty
from norn_tasks.embedded.logs import logs
from norn_tasks.embedded.status import show, status
from norn_tasks.settings import Settings, load

EXITS = {AlreadyRunning: 5, NotEmpty: 5, NotFound: 3, InvalidRequest: 2}
"""The errors that have an exit code of their own; for any other error, the exit code is 1."""


def main(argv: Sequence[str]) -> int:
    """Runs the command and returns its exit code."""
    asked = _parser().parse_args(argv)
    try:
        return _do(asked, load())
    except NornError as error:
        print(error.rendered, file=sys.stderr)
        return next((code for kind, code in EXITS.items() if isinstance(error, kind)), 1)
    except KeyboardInterrupt:
        return 130


def _do(asked: argparse.Namespace, settings: Settings) -> int:
    if asked.verb == "up":
        from norn_tasks.embedded.up import up  # imported late, because SQLAlchemy and alembic take a second to import

        up(settings, os.environ, foreground=asked.foreground)
    elif asked.verb in ("backup", "restore"):
        _save(asked, settings)
    elif asked.verb == "down":
        down(settings, everything=asked.all)
    elif asked.verb == "doctor":
        doctor(settings)
    elif asked.verb == "logs":
        logs(settings, asked.process, lines=asked.lines, follow=asked.follow)
    else:
        found = status(settings)
        show(found, as_json=asked.json)
        return 0 if found.running else 1
    return 0


def _save(asked: argparse.Namespace, settings: Settings) -> None:
    from norn_tasks.embedded.backups.backup import backup  # imported late, like `up`
    from norn_tasks.embedded.backups.restore import restore

    if asked.verb == "backup":
        backup(settings, asked.file, bodies=asked.bodies)
    else:
        restore(settings, asked.file, replace=asked.replace)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="norn", description="Norn and its stores on this machine.")
    verbs = parser.add_subparsers(dest="verb", required=True)
    begin = verbs.add_parser("up", help="start PostgreSQL, broker, API, workers, beat and router")
    begin.add_argument("--foreground", action="store_true", help="run until Norn is stopped")
    end = verbs.add_parser("down", help="stop it; the router stays while apps have addresses")
    end.add_argument("--all", action="store_true", help="stop the router too")
    saved = verbs.add_parser("backup", help="write the control plane into a file: its database and keys")
    saved.add_argument("--bodies", action="store_true", help="also requests and answers of calls that have ended")
    saved.add_argument("file", type=Path, help="the file to write")
    back = verbs.add_parser("restore", help="restore a control plane from such a file")
    back.add_argument("file", type=Path, help="the file to read")
    back.add_argument("--replace", action="store_true", help="move the existing data aside")
    shown = verbs.add_parser("status", help="list the running processes")
    shown.add_argument("--json", action="store_true", help="for programs")
    verbs.add_parser("doctor", help="check Norn on this machine, as JSON")
    read = verbs.add_parser("logs", help="print the processes' logs")
    read.add_argument("process", nargs="?", default="", help="one of them, as in status")
    read.add_argument("-f", "--follow", action="store_true", help="continue until Ctrl-C")
    read.add_argument("-n", "--lines", type=int, default=20, help="the number of last lines (20)")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
