"""The user's terminal while a remote program uses it: every key goes to the program; then the terminal is restored."""

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
    """Returns True if stdin and stdout are a terminal."""
    return sys.stdin.isatty() and sys.stdout.isatty()


def size() -> Size:
    """Returns the terminal's rows and columns."""
    columns, rows = os.get_terminal_size(sys.stdout.fileno())
    return max(1, rows), max(1, columns)


@contextmanager
def handed_over(resized: Callable[[Size], None]) -> Iterator[None]:
    """Keeps the terminal from handling keys inside the block, so that even Ctrl-C reaches the program; calls `resized`
    when the window's size changes.
    """
    stdin = sys.stdin.fileno()
    kept = termios.tcgetattr(stdin)
    before = signal.signal(signal.SIGWINCH, lambda *_: resized(size()))
    tty.setraw(stdin)
    try:
        yield
    finally:
        termios.tcsetattr(stdin, termios.TCSADRAIN, kept)
        signal.signal(signal.SIGWINCH, before)
