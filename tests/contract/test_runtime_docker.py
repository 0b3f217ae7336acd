"""Behaviour that only a real engine can show: container options, an engine that stops, memory use with much output."""

from __future__ import annotations

import io
import resource
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from docker import APIClient

from norn_tasks.adapters.docker.client import EngineClient
from norn_tasks.adapters.docker.engine import DockerEngine
from norn_tasks.adapters.docker.memory_events import ran_out_of_memory
from norn_tasks.adapters.runtimes.docker import DockerRuntime
from norn_tasks.domain.errors import EngineDown, Stopped
from norn_tasks.domain.jobs.execution import ContainerExit
from norn_tasks.ports import Mount, Run
from tests.contract.conftest import IMAGE
from tests.contract.cuttable import CuttableEngine
from tests.contract.moments import once, runs
from tests.fakes.stop import FakeWatch
from tests.servers import allowed, wait_until


@dataclass
class Owner:
    """Hooks that call `on_created` and `on_begun`."""

    on_created: Callable[[str], object] = lambda _: None
    on_begun: Callable[[], object] = lambda: None
    begun_times: list[float] = field(default_factory=list)

    def created(self, container: str) -> None:
        self.on_created(container)

    def begun(self) -> None:
        self.begun_times.append(time.monotonic())
        self.on_begun()


@pytest.fixture
def base(app: str) -> Run:
    return Run(
        name=f"norn-x-{app}",
        app=app,
        owner=f"execution:{app}",
        image=IMAGE,
        argv=("true",),
        env={},
        timeout=30,
        memory=32 * 2**20,
        cpus=0.5,
        grace=0.3,
    )


@pytest.fixture
def cuttable(clean_engine: EngineClient, tmp_path: Path) -> Iterator[CuttableEngine]:
    door = CuttableEngine(tmp_path / "engine.sock", clean_engine.address)
    yield door
    door.thaw()
    door.cut()


def sh(text: str) -> tuple[str, ...]:
    return ("sh", "-c", text)


def inspected(engine: EngineClient, run: Run, instance: str = "") -> dict[str, Any]:
    """Runs a program, and returns the engine's description of its container before the start."""
    seen: list[dict[str, Any]] = []
    owner = Owner(on_created=lambda it: seen.append(engine.ask(lambda client: client.inspect_container(it))))
    DockerRuntime(DockerEngine(engine, instance)).run(run, owner, FakeWatch().watch)
    return seen[0]


def policy(container: dict[str, Any]) -> dict[str, Any]:
    host = container["HostConfig"]
    keys = (
        "Privileged CapAdd CapDrop SecurityOpt PidsLimit Memory MemorySwap NanoCpus NetworkMode ReadonlyRootfs Tmpfs "
        "Binds Mounts Devices DeviceRequests PidMode IpcMode UTSMode UsernsMode PortBindings RestartPolicy AutoRemove "
        "LogConfig OomScoreAdj VolumesFrom ExtraHosts Init"
    )
    return {key: host[key] for key in keys.split() if host.get(key)}


HARDENED = {
    "CapDrop": ["ALL"],
    "SecurityOpt": ["no-new-privileges:true"],
    "PidsLimit": 256,
    "Memory": 32 * 2**20,
    "MemorySwap": 32 * 2**20,
    "NanoCpus": 500_000_000,
    "NetworkMode": "norn-runs",
    "ReadonlyRootfs": True,
    "Tmpfs": {"/tmp": f"rw,exec,nosuid,nodev,mode=1777,size={32 * 2**20}"},
    "IpcMode": "private",
    "Init": True,
    "RestartPolicy": {"Name": "", "MaximumRetryCount": 0},
    "LogConfig": {"Type": "json-file", "Config": {"max-size": "1m", "max-file": "2"}},
}


def test_a_run_has_the_policy_and_nothing_more(clean_engine: EngineClient, base: Run) -> None:
    assert policy(inspected(clean_engine, base)) == HARDENED


def test_a_writable_run_differs_in_its_file_system_only(clean_engine: EngineClient, base: Run) -> None:
    expected = {key: value for key, value in HARDENED.items() if key not in ("ReadonlyRootfs", "Tmpfs")}
    assert policy(inspected(clean_engine, replace(base, writable=True))) == expected


def test_a_run_that_begins_with_an_init_gets_no_second_one(clean_engine: EngineClient, base: Run) -> None:
    found = policy(inspected(clean_engine, replace(base, argv=("/sbin/init", "--help"))))
    assert found == {key: value for key, value in HARDENED.items() if key != "Init"}


def test_a_run_that_is_not_logged_has_no_log(clean_engine: EngineClient, base: Run) -> None:
    found = policy(inspected(clean_engine, replace(base, logged=False)))
    assert found == HARDENED | {"LogConfig": {"Type": "none", "Config": {}}}


def test_a_run_without_network_has_none(clean_engine: EngineClient, base: Run) -> None:
    found = policy(inspected(clean_engine, replace(base, network="none")))
    assert found == HARDENED | {"NetworkMode": "none"}


def test_a_run_knows_the_names_of_webservers_at_the_address_of_its_bridge(
    clean_engine: EngineClient, base: Run
) -> None:
    seen: list[dict[str, Any]] = []
    owner = Owner(on_created=lambda it: seen.append(clean_engine.ask(lambda client: client.inspect_container(it))))
    runtime = DockerRuntime(DockerEngine(clean_engine), lambda: ("shop",))
    runtime.run(base, owner, FakeWatch().watch)
    runtime.run(replace(base, network="none"), owner, FakeWatch().watch)
    network = clean_engine.ask(lambda client: client.inspect_network("norn-runs"))
    gateway = network["IPAM"]["Config"][0]["Gateway"]
    assert [policy(each).get("ExtraHosts") for each in seen] == [[f"shop:{gateway}"], None]


def test_a_run_carries_our_labels(clean_engine: EngineClient, base: Run) -> None:
    expected = {"app": base.app, "owner": base.owner, "job": "1", "fence": "1", "instance": "one"}
    labels = inspected(clean_engine, base, "one")["Config"]["Labels"]
    assert labels == {f"norn.io/{key}": value for key, value in expected.items()}


def test_runs_do_not_reach_one_another(clean_engine: EngineClient) -> None:
    network = clean_engine.ask(lambda client: client.inspect_network("norn-runs"))
    assert network["Options"]["com.docker.network.bridge.enable_icc"] == "false"


@pytest.fixture
def with_volumes(clean_engine: EngineClient, app: str) -> str:
    """Returns an image with two volumes, one of which the app itself mounts."""
    lines = f"FROM {IMAGE}\nVOLUME /data /etc/mine\n"

    def build(client: APIClient) -> str:
        tag = f"norn-test/{app}:1"
        list(client.build(fileobj=io.BytesIO(lines.encode()), tag=tag, rm=True, labels={"norn.io/app": app}))
        return str(client.inspect_image(tag)["Id"])  # type: ignore[no-untyped-call]

    return clean_engine.ask(build)


def test_a_volume_of_the_image_is_empty_memory(clean_engine: EngineClient, base: Run, with_volumes: str) -> None:
    found = inspected(clean_engine, replace(base, image=with_volumes))
    assert sorted((each["Type"], each["Destination"]) for each in found["Mounts"]) == [
        ("tmpfs", "/data"),
        ("tmpfs", "/etc/mine"),
    ]


def test_a_volume_of_the_image_takes_no_more_than_its_memory(
    clean_engine: EngineClient, base: Run, with_volumes: str
) -> None:
    run = replace(base, image=with_volumes, argv=sh("touch /data/a && head -c 100000000 /dev/zero > /data/b"))
    ended = DockerRuntime(DockerEngine(clean_engine)).run(run, Owner(), FakeWatch().watch)
    assert ended.exit_code != 0


def test_a_volume_of_the_app_goes_before_one_of_the_image(
    clean_engine: EngineClient, base: Run, with_volumes: str, tmp_path: Path
) -> None:
    (tmp_path / "kept").write_text("kept")
    run = replace(
        base, image=with_volumes, argv=("cat", "/data/kept"), mounts=(Mount(str(tmp_path), "/data", host=True),)
    )
    assert DockerRuntime(DockerEngine(clean_engine)).run(run, Owner(), FakeWatch().watch).stdout.head == b"kept"


def test_a_run_cannot_write_outside_tmp(clean_engine: EngineClient, base: Run) -> None:
    run = replace(base, argv=sh("touch /tmp/a && touch /a"))
    ended = DockerRuntime(DockerEngine(clean_engine)).run(run, Owner(), FakeWatch().watch)
    assert b"Read-only file system" in ended.stderr.head


def test_output_is_told_while_it_comes(clean_engine: EngineClient, base: Run) -> None:
    watch = FakeWatch()
    DockerRuntime(DockerEngine(clean_engine)).run(
        replace(base, argv=sh("echo one; echo two >&2")), Owner(), watch.watch
    )
    assert sorted("".join(watch.said).split()) == ["one", "two"]


def test_a_child_out_of_memory_does_not_fail_a_run_that_ends_well(clean_engine: EngineClient, base: Run) -> None:
    greedy = sh("(x=$(head -c 100000000 /dev/zero | tr '\\0' a)) 2>/dev/null; exit 0")
    ended = DockerRuntime(DockerEngine(clean_engine)).run(replace(base, argv=greedy), Owner(), FakeWatch().watch)
    assert (ended.exit_code, ended.oom_killed) == (0, False)


def test_lack_of_memory_is_found_although_the_mark_is_missing(clean_engine: EngineClient, app: str) -> None:
    def ended(command: list[str]) -> str:
        made = clean_engine.ask(
            lambda client: client.create_container(
                IMAGE, command, host_config=client.create_host_config(mem_limit="16m", memswap_limit="16m")
            )
        )
        container = str(made["Id"])
        clean_engine.ask(lambda client: client.start(container))
        clean_engine.ask(lambda client: client.wait(container))
        return container

    started = clean_engine.now()
    greedy = ended(["sh", "-c", "x=$(head -c 100000000 /dev/zero | tr '\\0' a)"])
    killed = ended(["sh", "-c", "kill -9 $$"])
    try:
        found = [ran_out_of_memory(clean_engine, container, started) for container in (greedy, killed)]
        assert found == [True, False]
    finally:
        for container in (greedy, killed):
            clean_engine.take_away(container)


def test_a_flood_is_ended_at_its_limit(clean_engine: EngineClient, base: Run) -> None:
    run = replace(base, argv=sh("cat /dev/zero"), max_output=1000, logged=False, timeout=60)
    ended = DockerRuntime(DockerEngine(clean_engine)).run(run, Owner(), FakeWatch().watch)
    assert (ended.too_large, ended.exit_code, ended.timed_out) == (True, 137, False)


def test_a_flood_is_ended_at_its_timeout(clean_engine: EngineClient, base: Run) -> None:
    run = replace(base, argv=sh("cat /dev/zero >&2"), logged=False, max_output=1000, timeout=1)
    ended = DockerRuntime(DockerEngine(clean_engine)).run(run, Owner(), FakeWatch().watch)
    assert ended.timed_out and ended.exit_code in (137, 143), ended


def test_much_output_does_not_grow_the_worker(clean_engine: EngineClient, base: Run) -> None:
    run = replace(base, argv=sh("head -c 150000000 /dev/zero >&2"), max_output=1000, logged=False, timeout=90)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    ended = DockerRuntime(DockerEngine(clean_engine)).run(run, Owner(), FakeWatch().watch)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert (ended.stderr.size, grown < 20 * 1024) == (150_000_000, True)


def test_an_adopted_run_that_its_timeout_had_ended_has_timed_out(clean_engine: EngineClient, base: Run) -> None:
    """Its worker had sent SIGTERM, and died before the run ended."""
    runtime = DockerRuntime(DockerEngine(clean_engine))
    run = replace(base, argv=sh("trap 'exit 143' TERM; sleep 60 & wait"), timeout=0.5)
    watch = FakeWatch()

    def leave() -> None:
        watch.stop.set("lease_lost")
        time.sleep(0.7)
        clean_engine.ask(lambda client: client.kill(run.name, "SIGTERM"))

    owner = Owner(on_begun=lambda: once(lambda: runs(runtime, run.name), leave))
    with pytest.raises(Stopped):
        runtime.run(replace(run, timeout=30), owner, watch.watch)
    wait_until(lambda: not runs(runtime, run.name), allowed(20), "the signal ends it")
    (left,) = [each.id for each in runtime.on.containers() if each.owner == run.owner]
    ended = runtime.adopt(run, left, FakeWatch(token=2).watch)
    assert ended is not None and (ended.timed_out, ended.exit_code) == (True, 143)


def test_without_an_engine_nothing_is_made(base: Run, tmp_path: Path) -> None:
    runtime = DockerRuntime(DockerEngine(EngineClient(f"unix://{tmp_path}/none.sock")))
    with pytest.raises(EngineDown, match="does not answer"):
        runtime.run(replace(base, network="none"), Owner(), FakeWatch().watch)


def test_a_container_taken_away_under_a_run_has_no_exit_code(clean_engine: EngineClient, base: Run) -> None:
    runtime = DockerRuntime(DockerEngine(clean_engine))
    take_away = partial(runtime.on.remove, base.name)
    owner = Owner(on_begun=lambda: once(lambda: runs(runtime, base.name), take_away))
    ended = runtime.run(replace(base, argv=("sleep", "60")), owner, FakeWatch().watch)
    assert ended.exit_code in (None, 137)


def test_a_late_start_of_a_removed_container_runs_nothing(clean_engine: EngineClient, base: Run) -> None:
    runtime = DockerRuntime(DockerEngine(clean_engine))
    owner = Owner(on_begun=lambda: runtime.on.remove(base.name))
    assert runtime.run(base, owner, FakeWatch().watch).exit_code is None


def test_the_end_of_the_connection_is_not_taken_for_the_end(cuttable: CuttableEngine, base: Run) -> None:
    def away() -> None:
        cuttable.cut()
        time.sleep(1.5)
        cuttable.restore()

    watch = FakeWatch()
    owner = Owner(on_begun=lambda: once(lambda: watch.said, away))
    run = replace(base, argv=sh("echo early; sleep 3; echo late; exit 5"))
    ended = DockerRuntime(DockerEngine(EngineClient(cuttable.address))).run(run, owner, watch.watch)
    assert (ended.exit_code, ended.stdout.head) == (5, b"early\nlate\n")


def away_before_the_start(cuttable: CuttableEngine) -> Owner:
    def away() -> None:
        cuttable.cut()
        threading.Timer(1, cuttable.restore).start()

    return Owner(on_begun=away)


def test_an_engine_that_goes_away_before_the_start_is_waited_for(cuttable: CuttableEngine, base: Run) -> None:
    owner = away_before_the_start(cuttable)
    ended = DockerRuntime(DockerEngine(EngineClient(cuttable.address))).run(
        replace(base, argv=sh("echo hi; exit 6")), owner, FakeWatch().watch
    )
    assert (ended.exit_code, ended.stdout.head, len(owner.begun_times)) == (6, b"hi\n", 1)


def test_a_call_whose_body_may_be_lost_with_the_engine_is_not_run(cuttable: CuttableEngine, base: Run) -> None:
    run = replace(base, argv=("cat",), stdin=b"once", logged=False, max_output=100)
    ended = DockerRuntime(DockerEngine(EngineClient(cuttable.address))).run(
        run, away_before_the_start(cuttable), FakeWatch().watch
    )
    assert (ended.exit_code, ended.stdout.size) == (None, 0)


def test_an_engine_that_is_away_does_not_cost_an_adopted_run(cuttable: CuttableEngine, base: Run) -> None:
    watch = FakeWatch()
    left: list[str] = []
    run = replace(base, argv=sh("echo up; sleep 3; echo done; exit 7"))
    drain = partial(watch.stop.set, "draining")
    owner = Owner(on_created=left.append, on_begun=lambda: once(lambda: watch.said, drain))
    runtime = DockerRuntime(DockerEngine(EngineClient(cuttable.address)))
    with pytest.raises(Stopped):
        runtime.run(run, owner, watch.watch)
    cuttable.cut()
    threading.Timer(0.7, cuttable.restore).start()
    ended = runtime.adopt(run, left[0], FakeWatch(token=2).watch)
    assert ended is not None and (ended.exit_code, ended.stdout.head) == (7, b"up\ndone\n")


def test_a_silent_engine_does_not_hold_a_stopped_job(cuttable: CuttableEngine, base: Run) -> None:
    watch = FakeWatch()
    at: list[float] = []

    def silence() -> None:
        cuttable.freeze()
        watch.stop.set("draining")
        at.append(time.monotonic())

    owner = Owner(on_begun=lambda: once(lambda: watch.said, silence))
    run = replace(base, argv=sh("echo up; sleep 5"))
    with pytest.raises(Stopped):
        DockerRuntime(DockerEngine(EngineClient(cuttable.address))).run(run, owner, watch.watch)
    assert time.monotonic() - at[0] < 1


def test_many_runs_at_once_all_end(clean_engine: EngineClient, base: Run) -> None:
    runtime = DockerRuntime(DockerEngine(clean_engine))
    ends: list[ContainerExit] = []

    def one(n: int) -> None:
        run = replace(base, name=f"{base.name}-{n}", argv=sh(f"cat; exit {n}"), stdin=b"x", logged=False)
        ends.append(runtime.run(run, Owner(), FakeWatch().watch))

    threads = [threading.Thread(target=one, args=[n]) for n in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(end.exit_code for end in ends if end.exit_code is not None) == list(range(12))
