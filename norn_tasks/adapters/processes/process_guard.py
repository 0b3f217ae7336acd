"""The parent of every program that Norn starts: `process` runs this file as a script, with `python -I -S`.

A program and its children run in a process group of their own, under this guard. The guard's stdin is a pipe from the
worker. When the pipe closes, because the worker closed it or died for any reason (even `kill -9`), the guard kills the
complete group. When the program ends, the guard kills the rest of the group too. It then exits with the program's exit
code, or with 128 + n if signal n ended the program. The guard imports little, to start quickly.
"""

import os
import select
import signal
import sys

LIFELINE = 0
"""The file descriptor of the pipe from the worker. End-of-file on it means that the worker no longer exists."""


def main(argv: list[str]) -> int:
    """Runs the program `argv` under guard, and returns its exit code."""
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(wake)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)
    group = os.fork()
    if group == 0:
        _become(argv)
    _own_group(group)
    while not _ended(group):
        ready, _, _ = select.select([LIFELINE, woken], [], [])
        if LIFELINE in ready and not os.read(LIFELINE, 1):
            break
        if woken in ready:
            os.read(woken, 512)
    _kill(group)
    return _exit_code(os.waitpid(group, 0)[1])


def _become(argv: list[str]) -> None:
    """Replaces this (forked) process with the program; never returns."""
    os.setpgid(0, 0)
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD, signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_DFL)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    try:
        os.execvp(argv[0], argv)  # noqa: S606 - the very point: no shell between us and the program
    except OSError as error:
        os.write(2, f"{argv[0]}: {error.strerror}\n".encode())
    os._exit(127)


def _own_group(child: int) -> None:
    # Parent and child both create the group, so that it exists no matter which of them runs first. After the child's
    # exec, the call fails in the parent, but then the child has already created the group.
    try:
        os.setpgid(child, child)
    except OSError:
        return


def _ended(child: int) -> bool:
    # WNOWAIT keeps the child as a zombie, so that no other group can get its id before the group is killed.
    return os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def _kill(group: int) -> None:
    try:
        os.killpg(group, signal.SIGKILL)
    except ProcessLookupError:
        return


def _exit_code(status: int) -> int:
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
