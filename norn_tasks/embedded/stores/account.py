"""The account that runs the stores: the account of the user who runs Norn or, if that is root, an unprivileged one,
because PostgreSQL refuses root.

For root, the first that works is chosen: the owner of existing data; the users of `PREFERRED`, if they can reach the
programs (not in a virtual environment below /root); a user namespace in which root is `nobody`.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from norn_tasks.embedded.errors import NotStarted
from norn_tasks.embedded.paths import DataPaths

OWN = "norn-stores"
"""The account that `deploy/prepare` creates for the stores alone."""
PREFERRED = (OWN, "postgres", "nobody")
"""Accounts for the stores, the best first. Other programs may run as the last two: a superuser of another PostgreSQL
cluster, for example, can write files as `postgres`.
"""
UNSHARED = ("unshare", "--user", "--map-user=65534", "--map-group=65534", "--")
"""A command prefix that runs a program as root without its capabilities, under the uid of nobody."""


@dataclass(frozen=True)
class Account:
    """A user for the stores: `name` is empty if it is the account that runs Norn, and `prefix` is put before each
    command.
    """

    uid: int
    gid: int
    name: str = ""
    prefix: tuple[str, ...] = ()

    @classmethod
    def own(cls) -> Account:
        """Returns the account of this process."""
        return cls(os.geteuid(), os.getegid())

    def run(self, argv: Sequence[str | Path], *, text: str = "") -> subprocess.CompletedProcess[str]:
        """Runs a command in `/` to its end, with `text` as its stdin. Its stderr is part of `stdout`."""
        return subprocess.run(
            [*self.prefix, *map(str, argv)],
            cwd="/",
            input=text,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
            check=False,
            user=self.uid if self.name else None,
            group=self.gid if self.name else None,
            extra_groups=() if self.name else None,
        )

    def own_directory(self, directory: Path) -> None:
        """Creates a directory that only this account can enter, or gives an existing directory to the account."""
        directory.mkdir(mode=0o700, exist_ok=True)
        os.chown(directory, self.uid, self.gid)

    def own_file(self, file: Path, text: str) -> None:
        """Replaces a file with one that only this account can read; this is atomic even if the machine loses power."""
        part = file.with_name(f".{file.name}.part")
        part.unlink(missing_ok=True)
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
            out.write(text)
            out.flush()
            os.fchown(out.fileno(), self.uid, self.gid)
            os.fsync(out.fileno())
        part.replace(file)


def choose(where: DataPaths, programs: Sequence[Path]) -> Account:
    """Returns an account that can run `programs` on these paths, and gives it its own subdirectories.

    Raises NotStarted if there is none.
    """
    if os.geteuid() != 0:
        account = Account.own()
        account.own_directory(where.stores)
        return account
    for account in _candidates(where):
        _admit(where, account)
        if _reaches(account, where, programs):
            return account
    raise NotStarted(
        f"PostgreSQL refuses to run as root, and no other user can run {programs[0]} on {where.data}",
        hint="apt-get install postgresql, or run norn up as an ordinary user, or set NORN_DATABASE_URL",
    )


def _candidates(where: DataPaths) -> Iterator[Account]:
    unshared = Account(0, 0, prefix=UNSHARED if shutil.which("unshare") else ())
    if where.postgres.exists():
        owner = where.postgres.stat().st_uid
        yield unshared if owner == 0 else _account(pwd.getpwuid(owner))
        return
    known = {user.pw_name: user for user in pwd.getpwall()}
    yield from (_account(known[name]) for name in PREFERRED if name in known)
    yield unshared


def _account(user: pwd.struct_passwd) -> Account:
    return Account(user.pw_uid, user.pw_gid, user.pw_name)


def _admit(where: DataPaths, account: Account) -> None:
    """Lets only the account's group pass through Norn's directories, and gives the account its own directories."""
    for directory in (where.data, where.run):
        os.chown(directory, -1, account.gid)
        directory.chmod(0o710 if account.name else 0o700)
    account.own_directory(where.stores)


def _reaches(account: Account, where: DataPaths, programs: Sequence[Path]) -> bool:
    """Returns True if the account can run the programs, read its data, and write where its sockets will be.

    The sockets may be outside the data directory, because a socket's path must be short.
    """
    try:
        started = all(account.run([program, "--version"]).returncode == 0 for program in programs)
        passes = account.run(["test", "-x", where.data]).returncode == 0
        return started and passes and account.run(["test", "-w", where.stores]).returncode == 0
    except OSError:
        return False
