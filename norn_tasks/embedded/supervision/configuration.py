"""The supervisor's configuration file.

There are three groups: `stores` starts with the supervisor, `norn` when the stores are ready, and `services` (the
servers of apps) when an app needs them. The group `norn` is stopped before the other two. When the supervisor itself
dies, the kernel sends each process a signal, so that none is left. (`setpriv --pdeathsig` arranges this; forks arrange
it themselves.) The file contains no secret; processes get secrets in their environment.
"""

from __future__ import annotations

import resource
import shlex
import shutil
from collections.abc import Mapping, Sequence
from configparser import RawConfigParser

from norn_tasks.embedded.paths import DataPaths
from norn_tasks.embedded.supervision.program import SupervisedProgram, runs_module

STORES, NORN, SERVICES = "stores", "norn", "services"
"""The groups of supervised processes."""

EVER = 1_000_000
"""The number of failed starts in a row after which the supervisor gives up, so large that it never does. The pauses
between them are 1 s, 2 s, 3 s …
"""


_CALLS = "supervisor.rpcinterface:make_main_rpcinterface"


def configure(where: DataPaths, groups: Mapping[str, Sequence[SupervisedProgram]]) -> None:
    """Writes the configuration file."""
    file = RawConfigParser()
    file.read_dict(_head(where))
    for group, programs in groups.items():
        if programs:
            members = ",".join(program.name for program in programs)
            file.read_dict({f"group:{group}": {"programs": members, "priority": 10 if group == NORN else 1}})
            file.read_dict({f"program:{program.name}": _program(program, where, group) for program in programs})
    where.configuration.unlink(missing_ok=True)
    where.configuration.touch(mode=0o600)
    with where.configuration.open("w") as text:
        file.write(text)


def _head(where: DataPaths) -> dict[str, dict[str, object]]:
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    return {
        "supervisord": {
            "nodaemon": "true",
            "silent": "true",
            "nocleanup": "true",
            "minfds": 4096 if most == resource.RLIM_INFINITY else min(4096, most),
            "minprocs": 1,
            "pidfile": where.run / "supervisor.pid",
            **_log(where, "supervisor", ""),
        },
        "unix_http_server": {"file": where.control, "chmod": "0700"},
        "rpcinterface:supervisor": {
            "supervisor.rpcinterface_factory": "supervisor.rpcinterface:make_main_rpcinterface"
        },
        "supervisorctl": {"serverurl": f"unix://{where.control}"},
    }


def _program(program: SupervisedProgram, where: DataPaths, group: str) -> dict[str, object]:
    return {
        "command": shlex.join((*_leash(program), *program.argv)).replace("%", "%%"),
        "directory": program.directory,
        "autostart": str(group == STORES or program.at_once).lower(),
        "autorestart": "true",
        "startsecs": 2,
        "startretries": EVER,
        "stopsignal": program.stop_signal,
        "stopwaitsecs": program.stop_seconds,
        "stopasgroup": "false",
        "killasgroup": "true",
        "umask": "022",
        "redirect_stderr": "true",
        **_log(where, program.name, "stdout_"),
        **({"user": program.user} if program.user else {}),
    }


def _log(where: DataPaths, name: str, prefix: str) -> dict[str, object]:
    rotated = {"logfile_maxbytes": "10MB", "logfile_backups": 3}
    options = {"logfile": where.log / f"{name}.log", **rotated}
    return {prefix + option: value for option, value in options.items()}


def _leash(program: SupervisedProgram) -> tuple[str, ...]:
    """Returns the command prefix that makes the kernel stop a program when the supervisor dies."""
    setpriv = None if runs_module(program.argv) else shutil.which("setpriv")
    return (setpriv, "--pdeathsig", program.stop_signal, "--") if setpriv else ()
