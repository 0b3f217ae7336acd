"""Ends a program that runs in a container in addition to the app's own processes, by a mark in its environment.

Neither an engine nor Kubernetes has a call that ends such a program, and the program continues after its connection is
closed. Its child processes inherit the mark. A shell in the same container finds the mark under /proc, and ends all
processes that have it.
"""

from __future__ import annotations

MARK = "NORN_EXEC"
"""The variable that carries the mark."""
GENTLY = 3.0
"""Seconds between SIGTERM and SIGKILL for a program after its client has disconnected."""

_END = """for e in /proc/[0-9]*/environ; do
  if grep -q "$1" "$e" 2>/dev/null; then p=${e#/proc/}; kill -"$2" "${p%/environ}" 2>/dev/null; fi
done"""


def ending(mark: str, signal: str) -> list[str]:
    """Returns the command that sends a signal to all programs with the mark."""
    return ["sh", "-c", _END, "sh", f"{MARK}={mark}", signal]
