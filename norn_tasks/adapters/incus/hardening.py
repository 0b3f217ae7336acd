"""The rights of a run's instance: the same as on Docker (docs/security.md 6), enforced by Incus and by Norn's init.

The init enforces the rules for which Incus has no setting: a read-only root, no capabilities, no new privileges.
"""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from ipaddress import IPv4Interface
from typing import Any

from norn_tasks.adapters.incus.images import ImageFacts
from norn_tasks.domain.jobs.job import Fence
from norn_tasks.ports import Run

PIDS = 256
"""The most processes in the instance of a run."""
KEPT_HEAD, KEPT_TAIL = 16 * 1024, 2 * 2**20
"""The bytes that an instance keeps of the beginning and of the end of each stream."""
NAME, OWNER, INSTANCE, FENCE, APP, JOB = (
    f"user.norn.{word}" for word in ("name", "owner", "instance", "fence", "app", "job")
)
_PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_LXC = "lxc.init.cmd=/.norn/init\nlxc.signal.halt=SIGTERM\nlxc.mount.auto=cgroup:ro:force\n"
_LARGEST = 100_000
"""The most characters of a run's description that are passed in an environment variable; a longer one is written into a
file.
"""
STDIN_HERE = 16 * 1024
"""The most bytes of stdin that are passed in an environment variable; a longer stdin is written into a file."""


def kept_head(run: Run) -> int:
    """Returns how many bytes of the beginning of each stream an instance keeps."""
    return max(KEPT_HEAD, 0 if run.max_output is None else run.max_output + 1)


def config(run: Run, fence: Fence, instance: str, described: str, resolver: str) -> dict[str, str]:
    """Returns the configuration of an instance. `described` is the result of `description`; `resolver` is the DNS
    server, or empty.
    """
    slice_ = max(1, round(run.cpus * 100))
    given = {} if len(described) > _LARGEST else {"environment.NORN_SPEC": described}
    if run.stdin is not None and len(run.stdin) <= STDIN_HERE:
        given["environment.NORN_STDIN"] = run.stdin.hex()
    if resolver:
        given["environment.NORN_RESOLVER"] = resolver
    return {
        **given,
        # Without this, Incus would start a run again if the run ended while Incus was restarting.
        "boot.autostart": "false",
        "security.guestapi": "false",
        "security.idmap.isolated": "true",
        "limits.memory": f"{run.memory}B",
        "limits.memory.swap": "false",
        "limits.processes": str(PIDS),
        "limits.cpu.allowance": f"{slice_}ms/100ms",
        NAME: run.name, OWNER: run.owner, INSTANCE: instance,
        FENCE: str(fence.token), JOB: str(fence.job), APP: run.app,
    }  # fmt: skip


def devices(run: Run, pool: str, bridge: str, address: str) -> dict[str, Any]:
    """Returns the devices of an instance: its root disk, and a network interface that cannot reach other runs."""
    root = {"root": {"type": "disk", "path": "/", "pool": pool}}
    return root if run.network == "none" else root | {"eth0": interface(bridge, address)}


def interface(bridge: str, address: str) -> dict[str, str]:
    """Returns the network interface of a run. The run cannot use any address but this one."""
    apart = {"security.port_isolation": "true", "security.mac_filtering": "true", "security.ipv4_filtering": "true"}
    return {"type": "nic", "network": bridge, "name": "eth0", "ipv4.address": address, **apart}


def lxc(address: str = "", gateway: IPv4Interface | None = None) -> str:
    """Returns the configuration lines for LXC: the first process, and the address, so that images need no DHCP
    client.
    """
    if gateway is None:
        return _LXC
    net = f"lxc.net.0.ipv4.address={address}/{gateway.network.prefixlen}\nlxc.net.0.ipv4.gateway={gateway.ip}\n"
    return _LXC + net


def description(run: Run, image: ImageFacts, name: str, hosts: Mapping[str, str]) -> str:
    """Returns the description of a run that its init reads, encoded in hexadecimal; init/spec.c parses it."""
    env = [f"{key}={value}" for key, value in _environment(run, image, name).items()]
    taken = {posixpath.normpath(path) for path in ("/tmp",)}  # noqa: S108 - a path inside the instance
    memory = [] if run.writable else sorted({posixpath.normpath(path) for path in image.volumes} - taken)
    fields = ["w" if run.writable else "r", str(image.user.uid), str(image.user.gid), image.directory]
    fields += [f"size={run.memory},mode=1777", str(kept_head(run)), str(KEPT_TAIL)]
    known = [f"{address} {host}" for host, address in hosts.items()]
    for listed in (map(str, image.user.groups), env, memory, known, run.argv or image.argv):
        members = list(listed)
        fields += [str(len(members)), *members]
    return b"".join(each.encode("utf-8", "surrogateescape") + b"\0" for each in fields).hex()


def _environment(run: Run, image: ImageFacts, name: str) -> dict[str, str]:
    ours = dict(each.partition("=")[::2] for each in (_PATH, *image.env))
    given = {**run.env, **{key: each.reveal() for key, each in run.secrets.items()}}
    return {"HOSTNAME": name, "HOME": image.user.home, **ours, **given}
