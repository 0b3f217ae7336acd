"""The pause before a webserver's pod gets SIGTERM. Requests may still reach the pod for a moment after it was removed
from its Service.

From Kubernetes 1.30 on, the kubelet can pause by itself. Older kubelets can only start a program in the container, and
the image may contain no suitable one. So Norn stores a program of 168 bytes, which only sleeps, in a ConfigMap of the
app, and mounts it into the pods.
"""

from __future__ import annotations

import base64
import struct

from norn_tasks.adapters.kubernetes import marks
from norn_tasks.adapters.kubernetes.site import Object, Site
from norn_tasks.domain.jobs.job import Fence
from norn_tasks.ports import Workload

LEAVING = 5
"""The seconds of the pause."""
_DIRECTORY, _PROGRAM, _VOLUME = "/.norn", "pause", "norn-pause"
_EVERYBODY_RUNS = 0o555
_MACHINE = "x86_64"
_LOAD_AT, _HEADERS = 0x400000, 64 + 56
# mov eax, 35 (nanosleep) · lea rdi, [rip + 20] (the seconds) · xor esi, esi · syscall
# mov eax, 60 (exit) · xor edi, edi · syscall · and nops up to a multiple of eight bytes
_CODE = bytes.fromhex("b823000000 488d3d14000000 31f6 0f05 b83c000000 31ff 0f05 90909090909090")


def pause(site: Site) -> Object:
    """Returns the `preStop` hook: the kubelet's own pause; otherwise Norn's program; otherwise the program `sleep` of
    the image.
    """
    if site.version.sleeps:
        return {"sleep": {"seconds": LEAVING}}
    if has_program(site):
        return {"exec": {"command": [f"{_DIRECTORY}/{_PROGRAM}"]}}
    return {"exec": {"command": ["sleep", str(LEAVING)]}}


def has_program(site: Site) -> bool:
    """Returns True if pods need a program to pause, and Norn's program runs on the processors of the images."""
    return not site.version.sleeps and has_binary(site)


def program_name(app: str) -> str:
    """Returns the name of the ConfigMap with the program."""
    return f"{app}-pause"


def program(workload: Workload, site: Site, fence: Fence) -> Object:
    """Returns the ConfigMap with the program, which never changes."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": program_name(workload.app),
            "namespace": site.namespace,
            "labels": marks.labels(workload.app, site.instance),
            "annotations": marks.notes(workload.app, workload.release, workload.generation, fence),
        },
        "immutable": True,
        "binaryData": binary(LEAVING),
    }


def binary(seconds: int) -> dict[str, str]:
    """Returns the content of a ConfigMap with a program that sleeps for these seconds."""
    return {_PROGRAM: base64.b64encode(_elf(seconds)).decode()}


def command(site: Site, seconds: int) -> list[str]:
    """Returns a command that waits: Norn's program, which must be mounted, or `sleep` of the image."""
    return [f"{_DIRECTORY}/{_PROGRAM}"] if site.machine == _MACHINE else ["sleep", str(seconds)]


def has_binary(site: Site) -> bool:
    """Returns True if Norn's program runs on the processors of the images."""
    return site.machine == _MACHINE


def volume(config_map: str) -> Object:
    """Returns the volume of a pod that holds the program of this ConfigMap."""
    return {"name": _VOLUME, "configMap": {"name": config_map, "defaultMode": _EVERYBODY_RUNS}}


def mount() -> Object:
    """Returns the mount of the program in the container."""
    return {"name": _VOLUME, "mountPath": _DIRECTORY, "readOnly": True}


def _elf(seconds: int) -> bytes:
    """Returns the program as an ELF file for Linux on x86-64: two headers, the code, and the time to sleep."""
    content = _CODE + struct.pack("<qq", seconds, 0)
    size = _HEADERS + len(content)
    magic = b"\x7fELF" + bytes([2, 1, 1]) + bytes(9)
    file = struct.pack("<HHIQQQIHHHHHH", 2, 62, 1, _LOAD_AT + _HEADERS, 64, 0, 0, 64, 56, 1, 0, 0, 0)
    segment = struct.pack("<IIQQQQQQ", 1, 5, 0, _LOAD_AT, _LOAD_AT, size, size, 0x1000)
    return magic + file + segment + content
