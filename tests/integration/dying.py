"""Ends threads from outside, as an unforeseen error would."""

from __future__ import annotations

import ctypes
import threading

from tests.servers import wait_until


def kill(thread: threading.Thread) -> None:
    """Ends a thread from outside, at whatever line it is."""
    raised = ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident or 0), ctypes.py_object(SystemExit))
    assert raised == 1
    wait_until(lambda: not thread.is_alive(), 10, f"{thread.name} is dead")


def named(name: str) -> threading.Thread:
    """Returns the living thread of that name."""
    (found,) = [thread for thread in threading.enumerate() if thread.name == name]
    return found
