"""The user's terminal while a program elsewhere has it: every key goes to the program, and it is given back after."""

from __future__ import annotations

import os
import signal
import sys
import termios
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Size = tuple[int, int]


def at_terminal() -> bool:
    """True when the user types and reads at one."""
    return sys.stdin.isatty() and sys.stdout.isatty()


def size() -> Size:
    """Answers its rows and columns."""
    columns, rows = os.get_terminal_size(sys.stdout.fileno())
    return max(1, rows), max(1, columns)


@contextmanager
def handed_over(resized: Callable[[Size], None]) -> Iterator[None]:
    """Gives every key to the program inside the block, Ctrl-C too; `resized` hears of another size of the window."""
    stdin = sys.stdin.fileno()
    kept = termios.tcgetattr(stdin)
    before = signal.signal(signal.SIGWINCH, lambda *_: resized(size()))
    tty.setraw(stdin)
    try:
        yield
    finally:
        termios.tcsetattr(stdin, termios.TCSADRAIN, kept)
        signal.signal(signal.SIGWINCH, before)
