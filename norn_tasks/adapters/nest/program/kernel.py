"""System calls for which Python has no functions."""

from __future__ import annotations

import ctypes
import os

_libc = ctypes.CDLL(None, use_errno=True)
READ_ONLY, NO_SUID, NO_DEVICES, NO_EXEC, REMOUNT, BIND = 1, 2, 4, 8, 32, 4096
NEW_NETWORK = 0x40000000
_DETACH = 2


def mount(source: str, target: str, kind: str, flags: int = 0, data: str = "") -> None:
    """Mounts a file system, or changes the flags of a mount; raises OSError."""
    _try(_libc.mount(_text(source), _text(target), _text(kind), flags, _text(data)), f"mount {target}")


def unmount(target: str) -> None:
    """Detaches a mount; does nothing if it does not exist."""
    _libc.umount2(_text(target), _DETACH)


def unshare(flags: int) -> None:
    """Moves this thread into new namespaces; raises OSError."""
    _try(_libc.unshare(flags), "unshare")


def enter(descriptor: int, flags: int) -> None:
    """Moves this thread into the namespace that a descriptor refers to; raises OSError."""
    _try(_libc.setns(descriptor, flags), "setns")


def _text(value: str) -> bytes | None:
    return value.encode() if value else None


def _try(result: int, what: str) -> None:
    if result:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
