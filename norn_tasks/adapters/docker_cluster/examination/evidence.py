"""Collects facts about a replica that fails: its last lines, its open ports, and the file that could not be executed.

Nothing is executed in the container. If the engine is on this machine, the open ports are read from /proc. Otherwise
Norn tries to connect to likely ports: the ports that the image exposes, the ports that the output mentions, and the
usual ones.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from norn_tasks.adapters.docker_cluster.containers import Containers
from norn_tasks.adapters.docker_cluster.examination import proc
from norn_tasks.adapters.docker_cluster.examination.files import REFUSED, program_file
from norn_tasks.adapters.docker_cluster.examination.ports import accepting, speaks_tls
from norn_tasks.adapters.docker_cluster.policy import NETWORK
from norn_tasks.domain.causes import Evidence
from norn_tasks.ports import Workload


def examined(containers: Containers, workload: Workload, container: str) -> Evidence:
    """Returns the facts about one replica; facts that cannot be found are left out."""
    lines = tuple(containers.last_lines(container))
    evidence = Evidence(
        lines=lines,
        port=workload.port,
        volumes=tuple(mount.target for mount in workload.mounts),
        environment=frozenset({*workload.env, *workload.secrets}),
    )
    try:
        found = containers.at_once(lambda client: client.inspect_container(container))
        evidence = replace(evidence, user=found["Config"].get("User") or "", beside=_beside(containers, workload))
        if not found["State"]["Running"]:
            return replace(
                evidence, exit_code=found["State"]["ExitCode"], program=program_file(containers, found, lines)
            )
        return _running(evidence, found, lines) if workload.port is not None else evidence
    except REFUSED:
        return evidence


def _running(evidence: Evidence, found: dict[str, Any], lines: tuple[str, ...]) -> Evidence:
    network = found["NetworkSettings"]["Networks"].get(NETWORK) or {}
    ip, pid = str(network.get("IPAddress") or ""), int(found["State"]["Pid"] or 0)
    sockets = proc.listening(pid, ip)
    waits = proc.waits_for_lock(pid, ip)
    if sockets is None and ip:
        sockets = accepting(ip, found, lines, evidence.port)
    return replace(evidence, sockets=sockets, waits_for_lock=waits, tls=speaks_tls(ip, evidence.port))


def _beside(containers: Containers, workload: Workload) -> bool:
    """Returns True if a replica of another generation of the app is running."""
    return any(each.running and each.generation != workload.generation for each in containers.first_look(workload.app))
