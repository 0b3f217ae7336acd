"""`norn db`: lists the databases of apps; takes, restores and downloads their snapshots and backups."""

from __future__ import annotations

import os
from pathlib import Path

import click

from norn_cli.confirm import confirm
from norn_cli.display.tables import DATABASES, SNAPSHOTS
from norn_cli.errors import Usage
from norn_cli.following import work
from norn_cli.options import WaitOptions, app_argument, commands, confirm_option, work_options
from norn_cli.session import Session, pass_session

_PSQL = """\
case "${DATABASE_URL-}" in *://*:*@*) ;; *) echo "this app has no DATABASE_URL from Norn" >&2; exit 1;; esac
command -v psql >/dev/null || { echo "this image has no psql: install postgresql-client in it" >&2; exit 127; }
rest=${DATABASE_URL#*://}; login=${rest%%@*}
export PGUSER="${login%%:*}" PGPASSWORD="${login#*:}"
exec psql -v ON_ERROR_STOP=1 "postgresql://${rest#*@}"
"""
"""A script that starts psql. It passes the password in the environment, because all users of a machine can read
arguments.
"""
_SNAPSHOT = click.argument("snapshot", required=False)


@commands("db")
def command() -> None:
    """Lists the databases of apps; takes, restores and downloads snapshots of them."""


@command.command("list")
@pass_session
def list_databases(session: Session) -> None:
    """Lists the databases of all apps with size, connections and backups."""
    session.output.page(session.client.databases(), DATABASES, "name", none="no app has a database")


@command.command("snapshots")
@app_argument
@pass_session
def snapshots(session: Session, app: str | None) -> None:
    """Lists the snapshots and backups of an app's database, newest first.

    The files are on the machine of the deploy worker.
    """
    found = session.client.snapshots(session.app(app))
    session.output.page(found, SNAPSHOTS, none="no snapshot was taken yet")


@command.command("snapshot")
@app_argument
@work_options
@pass_session
def snapshot(session: Session, app: str | None, waiting: WaitOptions) -> None:
    """Takes a snapshot of an app's database now; artifacts.retain of the infraspec says how many are kept."""
    work.see_through(session, session.client.take_snapshot(session.app(app), backup=False), waiting)


@command.command("backup")
@app_argument
@work_options
@pass_session
def backup(session: Session, app: str | None, waiting: WaitOptions) -> None:
    """Takes a backup of an app's database now, outside the schedule of services.postgres.backup."""
    work.see_through(session, session.client.take_snapshot(session.app(app), backup=True), waiting)


@command.command("drill")
@app_argument
@work_options
@pass_session
def drill(session: Session, app: str | None, waiting: WaitOptions) -> None:
    """Tests the newest backup: restores it into a scratch database, and checks the number of rows of each table."""
    work.see_through(session, session.client.drill_backup(session.app(app)), waiting)


@command.command("restore")
@app_argument
@_SNAPSHOT
@confirm_option
@work_options
@pass_session
def restore(
    session: Session, app: str | None, snapshot: str | None, confirm_name: str | None, waiting: WaitOptions
) -> None:
    """Puts SNAPSHOT (see norn db snapshots) in place of an app's database.

    A snapshot of the present database is taken first. The app stays connected to the present database until the
    restored one is complete.
    """
    name, number = _named(session, app, snapshot)
    consequence = f"This replaces the database of {name} with snapshot {number}, after taking a snapshot of it."
    confirm(session.output, name, confirm_name, consequence)
    work.see_through(session, session.client.restore_snapshot(name, number), waiting)


@command.command("download")
@app_argument
@_SNAPSHOT
@click.option("--output-file", "target", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
              help="The file to write; APP-SNAPSHOT.dump in this directory by default.")  # fmt: skip
@pass_session
def download(session: Session, app: str | None, snapshot: str | None, target: Path | None) -> None:
    """Writes the file of SNAPSHOT here, in the custom format of pg_dump, which pg_restore reads."""
    name, number = _named(session, app, snapshot)
    file = target or Path(f"{name}-{number}.dump")
    if file.exists():
        raise Usage(f"{file} exists already", hint="name another file with --output-file")
    size = session.client.download_snapshot(name, number, file)
    session.output.record({"file": str(file), "bytes": size}, [("file", file), ("bytes", size)], str(file))


@command.command("shell")
@app_argument
@pass_session
def shell(session: Session, app: str | None) -> int:
    """Opens psql for an app's database, in a container of the live release; SQL can be piped into it.

    psql has the rights of the app, and must be installed in the app's image.
    """
    from norn_cli.display import terminal
    from norn_cli.following.remote import Remote

    tty = terminal.at_terminal()
    window = {"tty": True, "term": os.environ.get("TERM", ""), "size": list(terminal.size())} if tty else {}
    accepted = session.client.run(session.app(app), ["sh", "-c", _PSQL], None, attached=True, **window)
    return Remote(session.client, session.output, accepted["job"], tty=tty, stdin=True).to_its_end()


def _named(session: Session, app: str | None, snapshot: str | None) -> tuple[str, int]:
    """Returns the app and the snapshot's number. A number alone is the snapshot, because no app can have a number as
    its name.
    """
    if app and app.isdigit() and snapshot is None:
        app, snapshot = None, app
    if snapshot is None or not snapshot.isdigit():
        raise Usage("the number of a snapshot is missing", hint="norn db snapshots lists them")
    return session.app(app), int(snapshot)
