"""Who runs the stores: ourselves, or, for root, an unprivileged user, because PostgreSQL refuses to run as root.

For root, in this order: the owner of the data that are there already; the user `postgres`, then `nobody`, when they can
reach the programs (a virtual environment below /root they cannot); else a user namespace in which root is `nobody`.
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
from norn_tasks.embedded.places import Places

UNSHARED = ("unshare", "--user", "--map-user=65534", "--map-group=65534", "--")
"""Before a command: root, without any of its powers, under the number of nobody."""


@dataclass(frozen=True)
class Account:
    """A user for the stores: `name` is empty when it is the one we are, `prefix` goes before each command."""

    uid: int
    gid: int
    name: str = ""
    prefix: tuple[str, ...] = ()

    @classmethod
    def own(cls) -> Account:
        """Answers the account that we are."""
        return cls(os.geteuid(), os.getegid())

    def run(self, argv: Sequence[str | Path], *, text: str = "") -> subprocess.CompletedProcess[str]:
        """Runs a command to its end, from `/`, giving it `text`; its output and errors come back in `stdout`."""
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
        """Makes a directory that is this account's alone, or gives it an existing one."""
        directory.mkdir(mode=0o700, exist_ok=True)
        os.chown(directory, self.uid, self.gid)

    def own_file(self, file: Path, text: str) -> None:
        """Writes a file anew that only this account can read."""
        file.unlink(missing_ok=True)
        file.touch(mode=0o600, exist_ok=False)
        file.write_text(text)
        os.chown(file, self.uid, self.gid)


def choose(where: Places, programs: Sequence[Path]) -> Account:
    """Answers the account that can run `programs` on these places, and lets it through to what will be its own.

    Raises NotStarted when there is none.
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


def _candidates(where: Places) -> Iterator[Account]:
    unshared = Account(0, 0, prefix=UNSHARED if shutil.which("unshare") else ())
    if where.postgres.exists():
        owner = where.postgres.stat().st_uid
        yield unshared if owner == 0 else _account(pwd.getpwuid(owner))
        return
    known = {user.pw_name: user for user in pwd.getpwall()}
    yield from (_account(known[name]) for name in ("postgres", "nobody") if name in known)
    yield unshared


def _account(user: pwd.struct_passwd) -> Account:
    return Account(user.pw_uid, user.pw_gid, user.pw_name)


def _admit(where: Places, account: Account) -> None:
    """Lets the account's group pass through our directories, nobody else, and gives it its own."""
    for directory in (where.data, where.run):
        os.chown(directory, -1, account.gid)
        directory.chmod(0o710 if account.name else 0o700)
    account.own_directory(where.stores)


def _reaches(account: Account, where: Places, programs: Sequence[Path]) -> bool:
    """Answers whether the account can start the programs, pass to its data, and write where its sockets will be.

    The sockets may be elsewhere than the data: a long path has no room for one.
    """
    try:
        started = all(account.run([program, "--version"]).returncode == 0 for program in programs)
        passes = account.run(["test", "-x", where.data]).returncode == 0
        return started and passes and account.run(["test", "-w", where.stores]).returncode == 0
    except OSError:
        return False
