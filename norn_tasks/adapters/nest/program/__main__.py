"""The first process of the nest container: prepares everything that sandboxes need, and serves clients at a Unix
socket.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import threading
from pathlib import Path

from norn_tasks.adapters.nest.program import cgroups, crun, seccomp
from norn_tasks.adapters.nest.program.launchers import Launchers
from norn_tasks.adapters.nest.program.network import names
from norn_tasks.adapters.nest.program.network.networks import Networks
from norn_tasks.adapters.nest.program.requests import Requests
from norn_tasks.adapters.nest.program.roots.images import NestImageStore
from norn_tasks.adapters.nest.program.run import Means
from norn_tasks.adapters.nest.program.runs import EPOCH, Runs, end_all

_DOOR, _STORE, _OWN = Path("/door"), Path("/r"), Path("/run/nest")
_BACKLOG = 512


def main() -> None:
    """Serves clients until the container is stopped."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    signal.signal(signal.SIGTERM, lambda *_: end_all())
    os.umask(0o022)
    _OWN.mkdir(parents=True, exist_ok=True)
    cgroups.prepare()
    crun.prepare()
    networks = Networks(_OWN / "net")
    names.serve()
    images = NestImageStore(_STORE)
    launchers = Launchers(_OWN / "runs", EPOCH)
    requests = Requests(Runs(images, Means(launchers, networks, seccomp.compiled())), images)
    listener = _listening()
    logging.info("ready: life %s, cgroup v%d", EPOCH, 2 if cgroups.is_v2() else 1)
    while True:
        connection, _ = names.accepted(listener)
        threading.Thread(target=requests.serve, args=[connection], daemon=True).start()


def _listening() -> socket.socket:
    """Opens the socket, which only the user account of the workers may use."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    beside, path = _DOOR / "nest.new", _DOOR / "nest.sock"
    beside.unlink(missing_ok=True)
    listener.bind(str(beside))
    os.chown(beside, int(os.environ.get("NEST_OWNER", "0")), -1)
    beside.chmod(0o600)
    listener.listen(_BACKLOG)
    beside.rename(path)
    return listener


main()
