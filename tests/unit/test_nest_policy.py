"""The complete description of a sandbox in the nest (the container in which crun starts runs): a field that Norn adds,
removes or changes must change here too.
"""

from __future__ import annotations

from pathlib import Path

from norn_tasks.adapters.nest.program import sandbox

IMAGE = {
    "user": {"uid": 1234, "gid": 5678, "groups": [5678, 99], "home": "/home/app"}, "argv": ["serve"],
    "env": ["COLOUR=blue"], "directory": "/srv", "volumes": ["/data"],
}  # fmt: skip
WANTED = {
    "id": "life-1", "hostname": "sandbox", "env": {"TOKEN": "t"}, "argv": None, "memory": 64 * 2**20, "cpus": 0.5,
    "network": "bridge", "hosts": {"shop": "10.0.0.1"},
}  # fmt: skip
IN_MEMORY = ["nosuid", "nodev", "mode=1777", f"size={64 * 2**20}"]
READ_ONLY = ["bind", "ro", "rprivate", "nosuid", "nodev"]
MOUNTS = [
    ("/proc", "proc", ["nosuid", "noexec", "nodev"]),
    ("/dev", "tmpfs", ["nosuid", "strictatime", "mode=755", "size=65536k"]),
    ("/dev/pts", "devpts", ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"]),
    ("/sys", "sysfs", ["nosuid", "noexec", "nodev", "ro"]),
    ("/sys/fs/cgroup", "cgroup", ["ro", "nosuid", "noexec", "nodev"]),
    ("/dev/mqueue", "mqueue", ["nosuid", "noexec", "nodev"]),
    ("/dev/shm", "tmpfs", ["nosuid", "noexec", "nodev", "mode=1777", "size=67108864"]),
    ("/data", "tmpfs", IN_MEMORY),
    ("/tmp", "tmpfs", IN_MEMORY),
    ("/etc/hosts", "/b/hosts", READ_ONLY),
    ("/etc/hostname", "/b/hostname", READ_ONLY),
    ("/etc/resolv.conf", "/b/resolv.conf", READ_ONLY),
    ("/dev/init", "/usr/bin/tini-static", READ_ONLY),
]
POLICY = {
    "ociVersion": "1.0.2",
    "process": {
        "terminal": False,
        "user": {"uid": 1234, "gid": 5678, "additionalGids": [5678, 99]},
        "args": ["/dev/init", "--", "serve"],
        "env": [
            "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOSTNAME=sandbox", "HOME=/home/app",
            "COLOUR=blue", "TOKEN=t",
        ],
        "cwd": "/srv",
        "capabilities": {},
        "noNewPrivileges": True,
        "oomScoreAdj": 0,
    },
    "root": {"path": "/root-of-the-image", "readonly": True},
    "hostname": "sandbox",
    "annotations": {"run.oci.seccomp_bpf_data": "filter"},
    "linux": {
        "namespaces": [
            *({"type": name} for name in ("mount", "uts", "pid", "ipc", "cgroup", "user")),
            {"type": "network", "path": "/run/nest/net/7"},
        ],
        "uidMappings": [{"containerID": 0, "hostID": 200_000_000, "size": 65536}],
        "gidMappings": [{"containerID": 0, "hostID": 200_000_000, "size": 65536}],
        "maskedPaths": [
            "/proc/asound", "/proc/acpi", "/proc/interrupts", "/proc/kcore", "/proc/keys", "/proc/latency_stats",
            "/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug", "/proc/scsi", "/sys/firmware",
            "/sys/devices/virtual/powercap",
        ],
        "readonlyPaths": [
            "/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger", "/sys/fs/cgroup"
        ],
        "cgroupsPath": "/nest/life-1",
        "resources": {
            "memory": {"limit": 64 * 2**20, "swap": 64 * 2**20},
            "cpu": {"quota": 50_000, "period": 100_000},
            "pids": {"limit": 256},
        },
    },
}  # fmt: skip


def test_a_sandbox_has_its_policy_and_nothing_more() -> None:
    network = Path("/run/nest/net/7")
    found = sandbox.described(WANTED, IMAGE, "/root-of-the-image", Path("/b"), network, "filter")
    mounts = [
        (each["destination"], each["source"] if "bind" in each["options"] else each["type"], each["options"])
        for each in found.pop("mounts")
    ]
    found["process"].pop("apparmorProfile", None)  # only where the machine has AppArmor
    assert (found, mounts) == (POLICY, MOUNTS)


def test_a_sandbox_without_network_has_an_empty_namespace_of_its_own() -> None:
    found = sandbox.described(WANTED | {"network": "none"}, IMAGE, "/root", Path("/b"), None, "filter")
    assert found["linux"]["namespaces"][-1] == {"type": "network"}
