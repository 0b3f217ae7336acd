"""Behaviour that only a real Incus can show: what a run sees and may do, where its secrets are, and an Incus that
stops.
"""

from __future__ import annotations

import contextlib
import io
import json
import subprocess
import tarfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import pytest

from norn_tasks.adapters.docker.client import EngineClient
from norn_tasks.adapters.incus.checks import checks
from norn_tasks.adapters.incus.runtime import IncusRuntime
from norn_tasks.domain.errors import EngineDown, Stopped
from norn_tasks.domain.jobs.execution import ContainerExit
from norn_tasks.domain.secret import Secret
from norn_tasks.ports import Run
from norn_tasks.settings import Settings
from tests.contract.conftest import IMAGE
from tests.contract.cuttable import CuttableEngine
from tests.contract.moments import once
from tests.fakes.stop import FakeWatch
from tests.incus import BRIDGE, POOL, IncusKit
from tests.servers import allowed, wait_until

LOOKS = """
id -u; grep -E '^(CapPrm|CapEff|CapBnd|CapAmb|NoNewPrivs|Seccomp):' /proc/self/status | tr -d '\\t'
touch /a 2>&1; touch /etc/a 2>&1; touch /sys/fs/cgroup/a 2>&1; echo 1 2>&1 > /proc/sys/net/ipv4/ip_forward
touch /tmp/a && echo writes /tmp; ls -A /.norn | wc -l
cat /proc/1/environ 2>&1; ls /proc/1/root 2>&1; ls -l /proc/1/fd 2>&1 | grep -c -- '->'
unshare -U true 2>&1; unshare -m true 2>&1; mount -t tmpfs none /tmp 2>&1
ping -c 1 -w 1 127.0.0.1 2>&1 | tail -n 1
ip -o -4 addr | awk '{print $2, $4}'; ls /dev/incus 2>&1
"""
SEEN = """\
0
CapPrm:0000000000000000
CapEff:0000000000000000
CapBnd:0000000000000000
CapAmb:0000000000000000
NoNewPrivs:1
Seccomp:2
touch: /a: Read-only file system
touch: /etc/a: Read-only file system
touch: /sys/fs/cgroup/a: Read-only file system
sh: can't create /proc/sys/net/ipv4/ip_forward: Read-only file system
writes /tmp
0
cat: can't open '/proc/1/environ': Permission denied
ls: /proc/1/root: Permission denied
0
unshare: unshare(0x10000000): Operation not permitted
unshare: unshare(0x20000): Operation not permitted
mount: permission denied (are you root?)
ping: permission denied (are you root?)
lo 127.0.0.1/8
ls: /dev/incus: No such file or directory
"""
FORKS = "i=0; while [ $i -lt 300 ]; do sleep 20 & i=$((i+1)); done"
APART = """
#define _GNU_SOURCE
#include <errno.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
int main(void) {
  long made = syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0);
  if (made) puts(made < 0 ? strerror(errno) : "made a namespace");
}
"""
"""A program that makes a user namespace by `clone`, because the filter of system calls forbids `unshare`."""
REACHES = "nc -w 2 $OTHER 8000 </dev/null && echo reached"


@dataclass
class Owner:
    """Hooks that act at a chosen time, and count their calls."""

    on_created: Callable[[str], object] = lambda _: None
    on_begun: Callable[[], object] = lambda: None
    begun_times: list[float] = field(default_factory=list)

    def created(self, container: str) -> None:
        self.on_created(container)

    def begun(self) -> None:
        self.begun_times.append(time.monotonic())
        self.on_begun()


def command_lines() -> Iterator[bytes]:
    """Yields the command lines of all processes of the machine; processes of other tests may end while they are
    listed.
    """
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            yield path.read_bytes()


def sh(text: str) -> tuple[str, ...]:
    return ("sh", "-c", text)


@pytest.fixture
def base(app: str) -> Run:
    return Run(
        name=f"norn-x-{app}", app=app, owner=f"execution:{app}", image=IMAGE, argv=("true",), env={}, timeout=30,
        memory=32 * 2**20, cpus=0.5, network="none", grace=0.3,
    )  # fmt: skip


@pytest.fixture
def cuttable(incus: IncusKit, tmp_path: Path) -> Iterator[CuttableEngine]:
    door = CuttableEngine(tmp_path / "incus.sock", incus.socket)
    yield door
    door.thaw()
    door.cut()


@pytest.fixture
def through(
    cuttable: CuttableEngine, incus: IncusKit, engine: EngineClient, on_incus: IncusRuntime, base: Run
) -> IncusRuntime:
    """The runtime over a connection that a test can interrupt; the image is already in Incus."""
    on_incus.prepare(IMAGE, base.app, FakeWatch().watch)
    return incus.runtime(engine, path=cuttable.address)


def test_a_run_sees_and_may_do_what_the_policy_says(on_incus: IncusRuntime, base: Run) -> None:
    ended = on_incus.run(replace(base, argv=sh(LOOKS)), Owner(), FakeWatch().watch)
    assert ended.stdout.head.decode() == SEEN


def test_a_run_has_a_limit_of_processes(on_incus: IncusRuntime, base: Run) -> None:
    ended = on_incus.run(replace(base, argv=sh(FORKS), memory=256 * 2**20), Owner(), FakeWatch().watch)
    assert b"can't fork" in ended.stderr.head


def test_a_writable_run_may_write_its_root(on_incus: IncusRuntime, base: Run) -> None:
    run = replace(base, argv=sh("touch /a && ls -A /.norn; echo $?"), writable=True)
    assert on_incus.run(run, Owner(), FakeWatch().watch).stdout.head == b"0\n"


def test_a_volume_of_an_image_opens_no_namespaces(
    on_incus: IncusRuntime, clean_engine: EngineClient, base: Run, tmp_path: Path
) -> None:
    source, program, context = tmp_path / "apart.c", tmp_path / "apart", io.BytesIO()
    source.write_text(APART)
    subprocess.run(["cc", "-static", "-o", program, source], check=True)
    (tmp_path / "Dockerfile").write_text(
        f"FROM {IMAGE}\nCOPY apart /bin/\nRUN ln -s /proc/sys/user /limits\nVOLUME /limits\n"
    )
    with tarfile.open(fileobj=context, mode="w") as tar:
        tar.add(tmp_path, ".")
    tag, labels = f"norn-test/{base.app}:1", {"norn.io/app": base.app}
    built = clean_engine.ask(
        lambda client: list(
            client.build(fileobj=io.BytesIO(context.getvalue()), custom_context=True, tag=tag, rm=True, labels=labels)
        )
    )
    assert b"error" not in built[-1], built
    run = replace(base, image=tag, argv=sh("ls -A /limits | wc -l; apart"))
    assert on_incus.run(run, Owner(), FakeWatch().watch).stdout.head == b"0\nNo space left on device\n"


def test_runs_do_not_reach_one_another(on_incus: IncusRuntime, base: Run) -> None:
    watch = FakeWatch()
    server = replace(
        base, name=f"{base.name}-server", network="bridge",
        argv=sh("ip -o -4 addr show eth0 | awk '{print $4}'; echo hello | nc -l -p 8000"),
    )  # fmt: skip

    def serve() -> None:
        with pytest.raises(Stopped):
            on_incus.run(server, Owner(), watch.watch)

    serving = threading.Thread(target=serve, daemon=True)
    serving.start()
    wait_until(lambda: "/" in "".join(watch.said), allowed(20), "it listens")
    other = "".join(watch.said).partition("/")[0]
    client = replace(base, network="bridge", argv=sh(REACHES), env={"OTHER": other})
    heard = on_incus.run(client, Owner(), FakeWatch().watch).stdout.head
    watch.stop.set("cancelled")
    serving.join(allowed(20))
    assert heard == b""


def test_a_secret_is_in_no_list_of_processes_and_no_key_in_the_clear(on_incus: IncusRuntime, base: Run) -> None:
    watch, seen = FakeWatch(), {}
    run = replace(base, argv=sh("echo up; sleep 60"), secrets={"TOKEN": Secret("hunter2-of-incus")})

    def look() -> None:
        (instance,) = on_incus.on.labelled("user.norn.name", run.name)
        seen["keys"] = json.dumps(instance)
        seen["processes"] = b"\n".join(command_lines()).decode("utf-8", "replace")
        seen["operations"] = json.dumps(on_incus.on.api.get("/1.0/operations", recursion="1"))
        watch.stop.set("cancelled")

    with pytest.raises(Stopped):
        on_incus.run(run, Owner(on_begun=lambda: once(lambda: watch.said, look)), watch.watch)
    spoken = {place: text for place, text in seen.items() if "hunter2-of-incus" in text}
    assert (set(seen), spoken) == ({"keys", "processes", "operations"}, {})
    assert b"hunter2-of-incus".hex() not in seen["processes"]


def test_a_flood_is_ended_at_its_limit(on_incus: IncusRuntime, base: Run) -> None:
    run = replace(base, argv=sh("cat /dev/zero"), max_output=1000, logged=False, timeout=60)
    ended = on_incus.run(run, Owner(), FakeWatch().watch)
    assert (ended.too_large, ended.exit_code, ended.timed_out) == (True, 137, False)


def test_of_a_flood_the_beginning_and_the_end_are_kept(on_incus: IncusRuntime, base: Run) -> None:
    run = replace(base, argv=sh("echo first; head -c 60000000 /dev/zero; echo; echo last"))
    out = on_incus.run(run, Owner(), FakeWatch().watch).stdout
    assert (out.head[:6], out.tail[-6:], out.size) == (b"first\n", b"\nlast\n", 60_000_012)


def test_the_users_and_the_words_of_an_image_are_those_of_docker(
    on_incus: IncusRuntime, clean_engine: EngineClient, base: Run
) -> None:
    files = "echo ann:x:1234:1234::/home/ann:/bin/sh >>/etc/passwd; echo adm:x:4:ann >>/etc/group"
    lines = f'FROM {IMAGE}\nRUN {files}\nUSER ann\nWORKDIR /srv/here\nENV SAID="one two"\n'
    lines += 'ENTRYPOINT ["sh", "-c"]\nCMD ["id; pwd; echo $SAID $HOME; echo $PATH"]\n'
    tag, labels = f"norn-test/{base.app}:1", {"norn.io/app": base.app}
    built = clean_engine.ask(
        lambda client: list(client.build(fileobj=io.BytesIO(lines.encode()), tag=tag, rm=True, labels=labels))
    )
    assert b"error" not in built[-1], built
    told = on_incus.run(replace(base, image=tag, argv=None), Owner(), FakeWatch().watch)
    of_docker = clean_engine.ask(lambda client: client.create_container(tag, network_disabled=True)["Id"])
    clean_engine.ask(lambda client: client.start(of_docker))
    clean_engine.ask(lambda client: client.wait(of_docker))
    expected = clean_engine.ask(lambda client: client.logs(of_docker))
    clean_engine.take_away(of_docker)
    assert told.stdout.head == expected, told.stderr.head


def test_an_incus_that_goes_away_is_waited_for(through: IncusRuntime, cuttable: CuttableEngine, base: Run) -> None:
    def away() -> None:
        cuttable.cut()
        threading.Timer(1.5, cuttable.restore).start()

    watch = FakeWatch()
    owner = Owner(on_begun=lambda: once(lambda: watch.said, away))
    run = replace(base, argv=sh("echo early; sleep 2; echo late; exit 5"))
    ended = through.run(run, owner, watch.watch)
    assert (ended.exit_code, ended.stdout.head) == (5, b"early\nlate\n")


def test_an_incus_that_goes_away_before_the_start_starts_it_once(
    through: IncusRuntime, cuttable: CuttableEngine, base: Run
) -> None:
    def away() -> None:
        cuttable.cut()
        threading.Timer(1, cuttable.restore).start()

    owner = Owner(on_begun=away)
    run = replace(base, argv=sh("cat; exit 6"), stdin=b"once")
    ended = through.run(run, owner, FakeWatch().watch)
    assert (ended.exit_code, ended.stdout.head, len(owner.begun_times)) == (6, b"once", 1)


def test_an_incus_that_is_away_does_not_cost_an_adopted_run(
    through: IncusRuntime, cuttable: CuttableEngine, base: Run
) -> None:
    watch, left = FakeWatch(), []
    run = replace(base, argv=sh("echo up; sleep 2; echo done; exit 7"))
    drain = partial(watch.stop.set, "draining")
    with pytest.raises(Stopped):
        through.run(run, Owner(left.append, lambda: once(lambda: watch.said, drain)), watch.watch)
    cuttable.cut()
    threading.Timer(0.7, cuttable.restore).start()
    ended = through.adopt(run, left[0], FakeWatch(token=2).watch)
    assert ended is not None and (ended.exit_code, ended.stdout.head) == (7, b"up\ndone\n")


def test_a_silent_incus_does_not_hold_a_stopped_job(through: IncusRuntime, cuttable: CuttableEngine, base: Run) -> None:
    watch, at = FakeWatch(), []

    def silence() -> None:
        cuttable.freeze()
        watch.stop.set("draining")
        at.append(time.monotonic())

    owner = Owner(on_begun=lambda: once(lambda: watch.said, silence))
    with pytest.raises(Stopped):
        through.run(replace(base, argv=sh("echo up; sleep 5")), owner, watch.watch)
    assert time.monotonic() - at[0] < allowed(1)


def test_without_an_incus_nothing_is_made(incus: IncusKit, engine: EngineClient, base: Run, tmp_path: Path) -> None:
    with pytest.raises(EngineDown, match="does not answer"):
        incus.runtime(engine, path=f"{tmp_path}/none.sock").run(base, Owner(), FakeWatch().watch)


def test_an_instance_stopped_from_outside_was_interrupted(on_incus: IncusRuntime, base: Run) -> None:
    watch = FakeWatch()

    def stop() -> None:
        (instance,) = on_incus.on.labelled("user.norn.name", base.name)
        order = {"action": "stop", "force": True, "timeout": -1}
        on_incus.on.api.change("PUT", f"/1.0/instances/{instance['name']}/state", order)

    owner = Owner(on_begun=lambda: once(lambda: watch.said, stop))
    ended = on_incus.run(replace(base, argv=sh("echo up; sleep 60")), owner, watch.watch)
    assert (ended.exit_code, ended.interrupted, ended.stdout.head) == (137, True, b"up\n")


def test_images_of_a_release_go_with_it(on_incus: IncusRuntime, engine: EngineClient, base: Run) -> None:
    on_incus.prepare(IMAGE, base.app, FakeWatch().watch)
    found = engine.image(IMAGE)
    assert found is not None
    keep = str(found["Id"])
    images = on_incus.on.api.get("/1.0/images", recursion="1")
    mine = [each for each in images if each["properties"].get("norn.app") == base.app]
    assert on_incus.prune(base.app, {keep}) == 0
    assert on_incus.prune(base.app, ()) == len(mine)


def test_doctor_names_what_answers_and_what_is_missing(on_incus: IncusRuntime, base: Run) -> None:
    api, init = on_incus.on.api, Settings().incus_init
    ((sentence, hint),) = checks(api, POOL, BRIDGE, init)
    assert (sentence.startswith("Incus 6."), f"the pool {POOL} and the bridge {BRIDGE}" in sentence, hint) == (
        True, True, "",
    )  # fmt: skip
    missing = dict(checks(api, "nosuch", BRIDGE, Path("/nosuch")))
    assert set(missing) == {"Incus has no storage pool nosuch", "the first process of instances is not at /nosuch"}


def test_many_runs_at_once_all_end(on_incus: IncusRuntime, base: Run) -> None:
    ends: list[ContainerExit] = []

    def one(n: int) -> None:
        run = replace(base, name=f"{base.name}-{n}", argv=sh(f"cat; exit {n}"), stdin=b"x", logged=False)
        ends.append(on_incus.run(run, Owner(), FakeWatch().watch))

    threads = [threading.Thread(target=one, args=[n]) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(end.exit_code for end in ends if end.exit_code is not None) == list(range(6))
