"""The test of a nest before it is used: a sandbox must start, and must be confined as strictly as a Docker
container.
"""

from __future__ import annotations

from typing import Any

from norn_tasks.adapters.nest.door import Door
from norn_tasks.domain.errors import StepFailed

PROBE = r"""
grep -E '^(CapInh|CapPrm|CapEff|CapBnd|CapAmb|NoNewPrivs|Seccomp):' /proc/self/status
attempt() { "$@" >/dev/null 2>&1 && echo "open: $*"; }
attempt mount -t tmpfs none /tmp
attempt mknod /tmp/device c 1 3
attempt chroot / /bin/sh -c 'exit 0'
attempt unshare -U sh -c 'exit 0'
attempt unshare -m sh -c 'exit 0'
attempt dmesg
attempt touch /outside
attempt mkdir /sys/fs/cgroup/outside
attempt sh -c 'echo 1 >/proc/sys/kernel/panic'
attempt sh -c 'echo h >/proc/sysrq-trigger'
attempt sh -c 'head -c 1 /proc/kcore | grep -q .'
attempt sh -c 'head -c 1 /proc/keys | grep -q .'
attempt sh -c 'ls /sys/firmware | grep -q .'
attempt sh -c 'ls /dev | grep -qE "^(sd|vd|nvme|mem|kmsg|fuse|kvm)"'
attempt sh -c 'ls /proc | grep -E "^[0-9]+$" | grep -qE "[0-9]{3}"'
attempt cat /dev/vda
echo "end"
"""
"""A script that tries, inside a container, actions that must be refused, and prints each action that succeeded. It
needs only busybox.
"""

CLOSED = """CapInh:	0000000000000000
CapPrm:	0000000000000000
CapEff:	0000000000000000
CapBnd:	0000000000000000
CapAmb:	0000000000000000
NoNewPrivs:	1
Seccomp:	2
end
"""
"""The output of the script in a container that refuses all of these actions."""

_OWN = r"""
grep -q ' 200000000 ' /proc/self/uid_map || echo "open: no user namespace"
grep -v ':/$' /proc/self/cgroup
cat /proc/self/attr/current 2>/dev/null | grep -q '^docker-default' && echo "apparmor"
exit 0
"""
_MEMORY, _TIMEOUT = 64 * 2**20, 20.0


def tried(door: Door, nest: dict[str, Any]) -> None:
    """Runs the script in a sandbox of the nest; raises StepFailed if the output is not as expected, or EngineDown."""
    expected = CLOSED + ("apparmor\n" if nest["apparmor"] else "")
    said, end = _ran(door, PROBE + _OWN)
    if (end.get("code"), said) != (0, expected):
        found = " ".join((set(said.splitlines()) - set(expected.splitlines())) or [end.get("said", "")])
        what = f"a sandbox of the nest failed its trial (exit {end.get('code')}): {found}"
        raise StepFailed(what, hint="runs go through Docker; with NORN_NEST=off the nest is not tried again")


def _ran(door: Door, script: str) -> tuple[str, dict[str, Any]]:
    wanted = {
        "do": "run", "name": "trial", "app": "", "owner": "trial", "fence": 1, "outlives": False, "image": "trial",
        "argv": ["/bin/sh", "-c", script], "env": {}, "hostname": "trial", "memory": _MEMORY, "cpus": 1,
        "network": "none", "hosts": {}, "stdin": 0,
    }  # fmt: skip
    with door.open(wanted) as conversation:
        conversation.answer()
        conversation.say(do="start")
        return conversation.whole(_TIMEOUT)
