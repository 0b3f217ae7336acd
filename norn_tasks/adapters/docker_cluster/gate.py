"""The gate: a new replica passes when it works, and fails as soon as it is clear that it will not, with the reason."""

from __future__ import annotations

import http.client
import socket
import time
from typing import Any

from norn_tasks.adapters import patience
from norn_tasks.adapters.docker_cluster.containers import Found
from norn_tasks.adapters.engine import Engine
from norn_tasks.adapters.lines import Lines
from norn_tasks.domain.errors import NornError, NotFound, RolloutFailed, StepFailed
from norn_tasks.ports import Watch, Workload

_PAUSE = 0.25
_PROBE = 5.0
"""Seconds that one health check may take."""

LAST_LINES = 20


class Gate:
    """The gate of one workload. `timeout` seconds to become healthy; a worker has to stay up `stay_up` seconds."""

    def __init__(self, engine: Engine, workload: Workload, *, timeout: float, stay_up: float) -> None:
        self._engine = engine
        self._workload = workload
        self._timeout = timeout
        self._stay_up = stay_up

    def pass_(self, replica: Found, watch: Watch) -> None:
        """Starts the replica if it is not, and waits until it works; raises RolloutFailed when it does not."""
        self._start(replica)
        begun = time.monotonic()
        missing = "it has not answered yet"
        while time.monotonic() < begun + self._timeout:
            self._must_run(replica)
            if self._workload.port is None:
                if time.monotonic() >= begun + self._stay_up:
                    return
            else:
                missing = patience.wait(patience.begin(lambda: self._missing(replica)), watch.stop)
                if not missing:
                    return
            watch.stop.wait(_PAUSE)
            watch.stop.check()
        raise self._failed(replica, f"was not healthy within {self._timeout:g} s: {missing}", self._way_to_health())

    def _start(self, replica: Found) -> None:
        try:
            self._engine.briefly(lambda client: client.start(replica.id), 60)
        except NotFound as error:
            raise self._failed(replica, "was taken away before it started", "deploy again") from error
        except StepFailed as error:
            said = error.facts["said"]
            raise self._failed(replica, f"could not be started: {said}", _START_HINT) from error

    def _must_run(self, replica: Found) -> None:
        try:
            told = self._engine.briefly(lambda client: client.inspect_container(replica.id))
        except NotFound as error:
            raise self._failed(replica, "was taken away while it started", "deploy again") from error
        state: dict[str, Any] = told["State"]
        if state["Status"] == "running":
            return
        code = int(state["ExitCode"])
        if state["OOMKilled"]:
            memory = f"its {self._workload.memory // 2**20} MiB" if self._workload.memory else "the machine has"
            raise self._failed(replica, f"used more memory than {memory} (exit {code})", "raise resources.memory")
        raise self._failed(replica, f"exited {code} right after its start", _exit_hint(code))

    def _missing(self, replica: Found) -> str:
        """Probes once; answers what is missing, '' when nothing is."""
        port = self._workload.port
        assert port is not None
        if self._workload.healthcheck is None:
            return _accepting(replica.address, port)
        return _answering(replica.address, port, self._workload.healthcheck)

    def _way_to_health(self) -> str:
        port = self._workload.port
        listen = f"it must listen on 0.0.0.0:{port}, not on 127.0.0.1"
        return listen if self._workload.healthcheck is None else f"{listen}, and answer healthcheck with 2xx or 3xx"

    def _failed(self, replica: Found, what: str, hint: str) -> RolloutFailed:
        return RolloutFailed(f"the new replica {replica.name} {what}", hint=hint, last_lines=self._said(replica))

    def _said(self, replica: Found) -> list[str]:
        """Answers the last lines that the replica wrote."""
        try:
            log = self._engine.briefly(lambda client: client.logs(replica.id, tail=LAST_LINES))
        except NornError:
            return []
        lines = Lines()
        return [*lines.feed(log), *lines.end()][-LAST_LINES:]


_START_HINT = "check command in infraspec.yaml and CMD in the Dockerfile"


def _exit_hint(code: int) -> str:
    if code in (126, 127):
        return _START_HINT
    if code == 0:
        return "its command has to stay in the foreground"
    return "its last lines tell why"


def _accepting(address: str, port: int) -> str:
    try:
        socket.create_connection((address, port), _PROBE).close()
    except OSError as error:
        return f"nothing accepts on port {port} ({error})"
    return ""


def _answering(address: str, port: int, path: str) -> str:
    connection = http.client.HTTPConnection(address, port, timeout=_PROBE)
    try:
        connection.request("GET", path, headers={"User-Agent": "norn-healthcheck", "Connection": "close"})
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        return f"GET {path} on port {port} gets no answer ({error or type(error).__name__})"
    finally:
        connection.close()
    return "" if 200 <= status < 400 else f"GET {path} on port {port} answers {status}"
