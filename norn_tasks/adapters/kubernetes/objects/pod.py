"""Builds the template of an app's pods.

A generation keeps the template with which it was first rolled out. So a change of this module does not replace the pods
of an app that did not change.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from norn_tasks.adapters.kubernetes import marks
from norn_tasks.adapters.kubernetes.objects import pause, probes
from norn_tasks.adapters.kubernetes.objects.secret import login_name, secret_name
from norn_tasks.adapters.kubernetes.site import Object, Site
from norn_tasks.domain.errors import InvalidRequest
from norn_tasks.ports import Workload

CONTAINER = "app"
"""The name of the container. It is the same for all apps, so that `kubectl logs` and `exec` work without a container
name.
"""
PORT = "http"
"""The name of the port. By this name the Service finds the port in each pod, even while old pods use another number."""
VOLUME_GROUP = 65532
"""The group that owns the volumes of an app. The app's program is in this group, so that users other than root can
write.
"""
_PRIVILEGED = 1024
_MIB = 1024**2
_REFERENCE = re.compile(r"\$(?=[$(])")


def template(workload: Workload, image: str, site: Site) -> Object:
    """Returns the pod template of the workload's generation."""
    notes = {marks.GENERATION: str(workload.generation), marks.RELEASE: str(workload.release)}
    pod = {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": workload.stop_grace + (pause.LEAVING if workload.port is not None else 0),
        "securityContext": _pod_rights(workload, site),
        "affinity": _apart(workload, site) if not workload.mounts else {},
        "containers": [_container(workload, image, site)],
        "volumes": [
            *({"name": claim, "persistentVolumeClaim": {"claimName": claim}} for claim in _claims(workload)),
            *([pause.volume(pause.program_name(workload.app))] if needs_program(workload, site) else []),
        ],
        "imagePullSecrets": [{"name": login_name(workload.app)}] if site.registry_login else [],
    }
    return {
        "metadata": {"labels": marks.labels(workload.app, site.instance), "annotations": notes},
        "spec": {key: value for key, value in pod.items() if value not in ([], {})},
    }


def _container(workload: Workload, image: str, site: Site) -> Object:
    made: dict[str, Any] = {
        "name": CONTAINER,
        "image": image,
        "imagePullPolicy": "Never" if site.loaded else "IfNotPresent",
        "env": environment(workload.env, workload.secrets, secret_name(workload.app, workload.generation)),
        "securityContext": _rights(workload),
        "resources": resources(workload.memory, workload.cpus),
        "volumeMounts": [
            *(
                {"name": name, "mountPath": each.target}
                for name, each in zip(_claims(workload), workload.mounts, strict=True)
            ),
            *([pause.mount()] if needs_program(workload, site) else []),
        ],
        **probes.probes(workload, site),
    }
    if workload.argv is not None:
        made["command"] = [literal(word) for word in workload.argv]
    if workload.port is not None:
        made["ports"] = [{"name": PORT, "containerPort": workload.port, "protocol": "TCP"}]
        made["lifecycle"] = {"preStop": pause.pause(site)}
    return {key: value for key, value in made.items() if value not in ([], {})}


def needs_program(workload: Workload, site: Site) -> bool:
    """Returns True if the pods mount the program with which Norn pauses them."""
    return workload.port is not None and pause.has_program(site)


def literal(text: str) -> str:
    """Returns the text escaped, so that the kubelet does not replace `$(NAME)` with the value of a variable."""
    return _REFERENCE.sub("$$", text)


def environment(env: Mapping[str, str], secrets: Iterable[str], source: str) -> list[Object]:
    """Returns the environment of a container; the values of the secrets come from the Secret `source`."""
    plain: list[Object] = [{"name": name, "value": literal(value)} for name, value in sorted(env.items())]
    return plain + [
        {"name": name, "valueFrom": {"secretKeyRef": {"name": source, "key": name}}} for name in sorted(secrets)
    ]


def _low(workload: Workload) -> bool:
    return workload.port is not None and workload.port < _PRIVILEGED


def _pod_rights(workload: Workload, site: Site) -> Object:
    """Returns the rights of the pod. Every user may listen on a low port, as in the engine's containers.

    Every user can also write to a volume because of the group VOLUME_GROUP; otherwise only root could, because a new
    volume belongs to root.
    """
    rights: Object = {"seccompProfile": {"type": "RuntimeDefault"}}
    if workload.mounts:
        rights |= {"fsGroup": VOLUME_GROUP, "fsGroupChangePolicy": "OnRootMismatch"}
    if _low(workload) and site.version.low_ports:
        rights["sysctls"] = [{"name": "net.ipv4.ip_unprivileged_port_start", "value": "0"}]
    return rights


def _rights(workload: Workload) -> Object:
    """Returns the rights of the container: no capability, except the one that a low port needs."""
    capabilities: Object = {"drop": ["ALL"]}
    if _low(workload):
        capabilities["add"] = ["NET_BIND_SERVICE"]
    return {"allowPrivilegeEscalation": False, "capabilities": capabilities}


def resources(memory: int | None, cpus: float | None) -> Object:
    """Returns the resources of a container that may use `memory` bytes and `cpus` processors."""
    amounts = {}
    if memory is not None:
        amounts["memory"] = f"{memory // _MIB}Mi" if memory % _MIB == 0 else str(memory)
    if cpus is not None:
        amounts["cpu"] = f"{round(cpus * 1000)}m"
    return {"requests": amounts, "limits": amounts} if amounts else {}


def _claims(workload: Workload) -> list[str]:
    """Returns the names of the workload's claims; raises InvalidRequest if it mounts a directory of the host."""
    for each in workload.mounts:
        if each.host:
            raise InvalidRequest(
                f"{workload.app} mounts {each.source} of the host, and Norn mounts no directories of a node into pods",
                hint="leave hostPath out of the volume: the cluster then keeps it as a claim",
            )
    return [each.source for each in workload.mounts]


def _apart(workload: Workload, site: Site) -> Object:
    """Returns the preference for different nodes. A single replica has this preference too, because scaling must not
    change the pods.

    An app with volumes has no preference, because its pods must run where the volumes are.
    """
    chosen = {"matchLabels": marks.selected(workload.app, site.instance)}
    term = {"labelSelector": chosen, "topologyKey": "kubernetes.io/hostname"}
    preferred = {"weight": 100, "podAffinityTerm": term}
    return {"podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [preferred]}}
