"""Cron jobs, functions and one-off commands that fail."""

from __future__ import annotations

from tests.broken.case import BUSY, CRON, FUNCTION, PYTHON, WORKER, BrokenApp, dockerfile, script


def cron(name: str, breaks: str, command: str, *says: str, image: str = BUSY, quick: bool = False) -> BrokenApp:
    """Returns a cron job whose run fails."""
    spec = f"{CRON}command: {command!r}\n"
    return BrokenApp(name, breaks, spec, says, {"Dockerfile": dockerfile(image)}, image, ("cron", "run", name), quick)


def command(name: str, breaks: str, line: str, *says: str, image: str = BUSY) -> BrokenApp:
    """Returns an app with a one-off command that fails."""
    spec = f'{CRON}command: ["true"]\n'
    then = ("run", name, "--", "sh", "-c", line)
    return BrokenApp(name, breaks, spec, says, {"Dockerfile": dockerfile(image)}, image, then)


RUNS = (
    cron("b32-no-pg-dump", "pg_dump is not in the image", "pg_dump -d app", "pg_dump", "(exit 127)", quick=True),
    cron(
        "m19-no-module",
        "a module is not installed",
        'python -c "import pandas"',
        "No module named 'pandas'",
        image=PYTHON,
    ),
    cron(
        "m31-read-only",
        "it writes to the read-only root",
        "echo x >/state",
        "Read-only file system",
        "container.writable: true",
        quick=True,
    ),
    BrokenApp(
        "b17-function",
        "a function writes to the read-only root",
        FUNCTION,
        ("root file system is read-only", "container.writable: true"),
        {"Dockerfile": script(PYTHON, "f.py", "python"), "f.py": "open('/app/state', 'w')\n"},
        PYTHON,
        ("invoke", "b17-function"),
    ),
    BrokenApp(
        "b33-slow-function",
        "a function is too slow",
        f"{FUNCTION}function: {{timeout: 1}}\n",
        ("did not end within 1 s", "raise function.timeout"),
        {"Dockerfile": dockerfile(BUSY, 'CMD ["sleep", "20"]')},
        BUSY,
        ("invoke", "b33-slow-function"),
    ),
    command(
        "m21-no-table",
        "its database has no tables",
        "python -c \"import sqlite3; sqlite3.connect(':memory:').execute('SELECT * FROM users')\"",
        "no such table: users",
        "migrate",
        image=PYTHON,
    ),
    command(
        "m20-sqlite",
        "its database is on the read-only root",
        "python -c \"import sqlite3; sqlite3.connect('/srv/app.db').execute('CREATE TABLE x (y)')\"",
        "unable to open database file",
        "container.writable: true",
        image=PYTHON,
    ),
    BrokenApp(
        "m32-worker",
        "its queue refuses",
        WORKER,
        ("Connection refused", "env or secrets"),
        {"Dockerfile": dockerfile(BUSY, 'CMD ["nc", "127.0.0.1", "5672"]')},
    ),
)
