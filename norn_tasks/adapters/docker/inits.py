"""Recognises programs that are an init themselves, so that the engine need not add its own init to their container.

The kernel delivers a signal to the first process of a container only if the process handles that signal. So node,
python or a shell would ignore SIGTERM there. Such a program also does not reap orphaned processes. The engine's init
(tini) passes signals on to the program, and reaps orphaned processes.
"""

from __future__ import annotations

import posixpath
from collections.abc import Sequence

INITS = ("init", "tini", "tini-static", "dumb-init", "catatonit", "docker-init", "systemd")
"""Programs that are meant to be the first process; some of them fail if they run as any other process."""


def is_an_init(program: Sequence[str]) -> bool:
    """Returns True if the program is an init itself. Some inits, such as that of s6-overlay, only work as the first
    process.
    """
    return bool(program) and posixpath.basename(program[0]) in INITS
