"""Describes a sandbox for crun, with its rights and limits. docs/nest.md compares them with those of a Docker
container.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from norn_tasks.adapters.docker.inits import is_an_init
from norn_tasks.adapters.nest.program import cgroups
from norn_tasks.adapters.nest.program.network.networks import GATEWAY

FIRST_ID = 200_000_000
"""The machine's id for user 0 of each sandbox. The layers belong to it too, and no user of the machine has it."""
IDS = 65536
PROCESSES = 256
INIT = "/dev/init"
"""The path of a sandbox's init, which passes signals on to the program and reaps orphaned processes."""
_INIT_HERE = "/usr/bin/tini-static"
_PERIOD = 100_000
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_HOSTS = "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n"
_MASKED = (
    "/proc/asound", "/proc/acpi", "/proc/interrupts", "/proc/kcore", "/proc/keys", "/proc/latency_stats",
    "/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug", "/proc/scsi", "/sys/firmware",
    "/sys/devices/virtual/powercap",
)  # fmt: skip
# crun mounts cgroups of version 1 into a directory in memory, and leaves this directory writable.
_READ_ONLY = ("/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger", "/sys/fs/cgroup")
_MOUNTS = (
    ("/proc", "proc", "nosuid,noexec,nodev"),
    ("/dev", "tmpfs", "nosuid,strictatime,mode=755,size=65536k"),
    ("/dev/pts", "devpts", "nosuid,noexec,newinstance,ptmxmode=0666,mode=0620"),
    ("/sys", "sysfs", "nosuid,noexec,nodev,ro"),
    ("/sys/fs/cgroup", "cgroup", "ro,nosuid,noexec,nodev"),
    ("/dev/mqueue", "mqueue", "nosuid,noexec,nodev"),
    ("/dev/shm", "tmpfs", "nosuid,noexec,nodev,mode=1777,size=67108864"),  # noqa: S108 - a path inside the sandbox
)
_SCRATCH = "nosuid,nodev,mode=1777,size={memory}"
_APPARMOR = Path("/sys/module/apparmor/parameters/enabled")


def described(
    wanted: dict[str, Any], image: dict[str, Any], root: str, files: Path, network: Path | None, seccomp: str
) -> dict[str, Any]:
    """Returns the description of a sandbox in the form of the OCI runtime specification."""
    document: dict[str, Any] = {
        "ociVersion": "1.0.2",
        "process": _process(wanted, image),
        "root": {"path": root, "readonly": True},
        "hostname": wanted["hostname"],
        "mounts": _mounts(wanted, image, files),
        "annotations": {"run.oci.seccomp_bpf_data": seccomp},
        "linux": {
            "namespaces": _namespaces(network),
            "uidMappings": [{"containerID": 0, "hostID": FIRST_ID, "size": IDS}],
            "gidMappings": [{"containerID": 0, "hostID": FIRST_ID, "size": IDS}],
            "maskedPaths": list(_MASKED),
            "readonlyPaths": list(_READ_ONLY),
            "cgroupsPath": f"{cgroups.PARENT}/{wanted['id']}",
            "resources": {
                "memory": {"limit": wanted["memory"], "swap": wanted["memory"]},
                "cpu": {"quota": max(1000, int(wanted["cpus"] * _PERIOD)), "period": _PERIOD},
                "pids": {"limit": PROCESSES},
            },
        },
    }
    return document


def _process(wanted: dict[str, Any], image: dict[str, Any]) -> dict[str, Any]:
    user = image["user"]
    env = dict(each.partition("=")[::2] for each in image["env"])
    home = {"HOME": user["home"]} if user["home"] else {}
    given = {"PATH": _PATH, "HOSTNAME": wanted["hostname"], **home, **env, **wanted["env"]}
    process = {
        "terminal": False,
        "user": {"uid": user["uid"], "gid": user["gid"], "additionalGids": user["groups"]},
        "args": argv(wanted, image),
        "env": [f"{name}={value}" for name, value in given.items()],
        "cwd": image["directory"] or "/",
        "capabilities": {},
        "noNewPrivileges": True,
        "oomScoreAdj": 0,
    }
    if has_apparmor():
        process["apparmorProfile"] = "docker-default"
    return process


def has_apparmor() -> bool:
    """Returns True if the engine confines containers with AppArmor; sandboxes then get its profile too."""
    return _APPARMOR.exists() and _APPARMOR.read_text().strip() == "Y"


def argv(wanted: dict[str, Any], image: dict[str, Any]) -> list[str]:
    """Returns the command of a sandbox; it starts with an init."""
    program = wanted["argv"] if wanted["argv"] is not None else image["argv"]
    return list(program) if is_an_init(program) else [INIT, "--", *program]


def _mounts(wanted: dict[str, Any], image: dict[str, Any], files: Path) -> list[dict[str, Any]]:
    mounts = [_mount(target, kind, kind, options.split(",")) for target, kind, options in _MOUNTS]
    scratch = _SCRATCH.format(memory=wanted["memory"]).split(",")
    # Directories that an image declares as VOLUME are empty and in memory, as in a container that Norn runs with
    # Docker.
    mounts += [_mount(path, "tmpfs", "tmpfs", scratch) for path in sorted({"/tmp", *image["volumes"]})]  # noqa: S108
    for name in ("hosts", "hostname", "resolv.conf"):
        mounts.append(_mount(f"/etc/{name}", "bind", str(files / name), ["bind", "ro", "rprivate", "nosuid", "nodev"]))
    mounts.append(_mount(INIT, "bind", _INIT_HERE, ["bind", "ro", "rprivate", "nosuid", "nodev"]))
    return mounts


def _mount(target: str, kind: str, source: str, options: list[str]) -> dict[str, Any]:
    return {"destination": target, "type": kind, "source": source, "options": options}


def _namespaces(network: Path | None) -> list[dict[str, str]]:
    own = [{"type": name} for name in ("mount", "uts", "pid", "ipc", "cgroup", "user")]
    return [*own, {"type": "network", "path": str(network)} if network is not None else {"type": "network"}]


def write_files(wanted: dict[str, Any], directory: Path) -> None:
    """Writes the files for a sandbox's /etc: its host name, and the host names that it can use."""
    name, network = wanted["hostname"], wanted["network"] != "none"
    hosts = "".join(f"{address}\t{each}\n" for each, address in wanted["hosts"].items()) if network else ""
    (directory / "hosts").write_text(f"{_HOSTS}{hosts}127.0.1.1\t{name}\n")
    (directory / "hostname").write_text(f"{name}\n")
    (directory / "resolv.conf").write_text(f"nameserver {GATEWAY}\n" if network else "")
    for file in ("hosts", "hostname", "resolv.conf"):
        (directory / file).chmod(0o644)
