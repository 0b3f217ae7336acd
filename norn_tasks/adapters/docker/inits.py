"""Recognises programs that are inits themselves, so that a container needs no init of the engine before them.

The first process of a container gets no signal for which it has no handler, so a program in node, python or a shell
ignores SIGTERM there. Nor does such a program reap orphaned processes. The engine's init (tini) passes signals on to
the program, and reaps.
"""

from __future__ import annotations

import posixpath
from collections.abc import Sequence

INITS = ("init", "tini", "tini-static", "dumb-init", "catatonit", "docker-init", "systemd")
"""Programs that are meant to be the first process; some of them refuse to be any other."""


def is_an_init(program: Sequence[str]) -> bool:
    """Returns True if the program is an init itself; the init of s6-overlay, for example, must be the first process."""
    return bool(program) and posixpath.basename(program[0]) in INITS
