"""The engine's init as the first process of a container, and the programs that are one already.

A first process gets no signal for which it has no handler, so a program of node, python or a shell ignores SIGTERM
there. Nor does such a program reap the processes that it leaves behind. The engine's init (tini) does both.
"""

from __future__ import annotations

import posixpath
from collections.abc import Sequence

INITS = ("init", "tini", "tini-static", "dumb-init", "catatonit", "docker-init", "systemd")
"""Programs that are meant to be the first process; some of them refuse to be any other."""


def is_an_init(program: Sequence[str]) -> bool:
    """Returns True if a container begins with an init already: that of s6-overlay, for example, must be the first."""
    return bool(program) and posixpath.basename(program[0]) in INITS
