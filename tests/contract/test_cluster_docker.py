"""Behaviour of the Docker cluster that only a real engine can show: container options, names, restarts, an engine that
does not respond.
"""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar, cast

import pytest
from docker import APIClient
from docker.errors import APIError

from norn_tasks.adapters.docker.client import EngineClient
from norn_tasks.adapters.docker_cluster import addresses
from norn_tasks.adapters.docker_cluster import policy as replica_policy
from norn_tasks.domain.errors import ClusterDown, Conflict, EngineDown, RolloutFailed, Stopped
from norn_tasks.domain.jobs.app_status import ReplicaUsage
from norn_tasks.domain.jobs.job import Fence
from norn_tasks.domain.jobs.replica import Replica
from norn_tasks.ports import Mount, Workload
from tests.contract import cluster_kit
from tests.contract.cluster_kit import INSTANCE, MIB, World, docker_cluster, sh
from tests.contract.conftest import IMAGE
from tests.contract.cuttable import CuttableEngine
from tests.fakes.replicas import FakeReplicas
from tests.fakes.stop import FakeStop, FakeWatch
from tests.servers import allowed, wait_until

T = TypeVar("T")


@pytest.fixture
def world(app: str, clean_engine: EngineClient) -> World:
    return cluster_kit.docker_world(app, clean_engine)


@pytest.fixture
def cuttable(clean_engine: EngineClient, tmp_path: Path) -> Iterator[CuttableEngine]:
    door = CuttableEngine(tmp_path / "engine.sock", clean_engine.address)
    yield door
    door.thaw()
    door.cut()


def inspected(engine: EngineClient, world: World) -> dict[str, Any]:
    """Returns the engine's description of the only container of the app."""
    [container] = world.containers()
    found: dict[str, Any] = engine.ask(lambda client: client.inspect_container(container))
    return found


# What replicas use


def test_a_look_measures_the_processors_and_the_memory_of_a_replica(world: World) -> None:
    busy = replace(world.worker, argv=sh("while :; do :; done"), cpus=0.5, memory=64 * MIB)
    world.roll(busy)
    first = used(world)
    wait_until(lambda: used(world).at > first.at + 2, allowed(10), "a second measurement")
    second = used(world)
    rate = (second.cpu_seconds - first.cpu_seconds) / (second.at - first.at)
    assert 0.05 < rate < 0.75, rate
    assert 0 < second.memory < 64 * MIB and second.memory_limit == 64 * MIB


def test_a_look_measures_what_a_replica_has_written_outside_of_its_volumes(world: World) -> None:
    world.roll(replace(world.worker, argv=sh("dd if=/dev/zero of=/big bs=1M count=7 && exec sleep 600")))
    assert 7 * MIB <= (used(world).written or 0) < 8 * MIB


def used(world: World) -> ReplicaUsage:
    """Returns what the app's only replica uses, as the cluster observes it."""
    usage = world.status().replicas[0].usage
    assert usage is not None
    return usage


# The policy


def policy(container: dict[str, Any]) -> dict[str, Any]:
    host = container["HostConfig"]
    keys = (
        "Privileged CapAdd CapDrop SecurityOpt PidsLimit Memory MemorySwap NanoCpus NetworkMode ReadonlyRootfs Tmpfs "
        "Binds Mounts Devices DeviceRequests PidMode IpcMode UTSMode UsernsMode PortBindings PublishAllPorts "
        "RestartPolicy AutoRemove LogConfig OomScoreAdj VolumesFrom ExtraHosts Init"
    )
    return {key: host[key] for key in keys.split() if host.get(key)}


HARDENED = {
    "CapDrop": ["NET_RAW", "MKNOD", "AUDIT_WRITE", "SETFCAP", "SYS_CHROOT"],
    "SecurityOpt": ["no-new-privileges:true"],
    "PidsLimit": 1024,
    "Memory": 32 * MIB,
    "MemorySwap": 32 * MIB,
    "NanoCpus": 500_000_000,
    "NetworkMode": "norn",
    "IpcMode": "private",
    "Init": True,
    "RestartPolicy": {"Name": "unless-stopped", "MaximumRetryCount": 0},
    "LogConfig": {"Type": "json-file", "Config": {"max-size": "10m", "max-file": "3"}},
}


def test_a_live_replica_has_the_policy_and_nothing_more(clean_engine: EngineClient, world: World) -> None:
    world.roll(replace(world.web, cpus=0.5))
    assert policy(inspected(clean_engine, world)) == HARDENED


def test_without_limits_it_has_the_rest_of_the_policy(clean_engine: EngineClient, world: World) -> None:
    world.roll(replace(world.web, memory=None))
    expected = {key: value for key, value in HARDENED.items() if key not in ("Memory", "MemorySwap", "NanoCpus")}
    assert policy(inspected(clean_engine, world)) == expected


def test_name_and_labels_say_whose_it_is(clean_engine: EngineClient, world: World) -> None:
    world.roll(replace(world.web, release=3, generation=12))
    found = inspected(clean_engine, world)
    assert found["Name"] == f"/norn-{world.web.app}-r3-g12-1-{INSTANCE}"
    assert found["Config"]["Labels"] == {
        "norn.io/app": world.web.app,
        "norn.io/owner": f"release:{world.web.app}:3",
        "norn.io/release": "3",
        "norn.io/generation": "12",
        "norn.io/replica": "1",
        "norn.io/job": "1",
        "norn.io/fence": "1",
        "norn.io/instance": INSTANCE,
    }


def test_its_environment_is_the_workloads(clean_engine: EngineClient, world: World) -> None:
    world.roll(world.web)
    assert "GREETING=hello" in inspected(clean_engine, world)["Config"]["Env"]


@pytest.fixture
def image(clean_engine: EngineClient, app: str) -> Iterator[str]:
    """An image with a program and a stop signal of its own."""
    tag = f"norn-test/{app}:1"
    lines = [f"FROM {IMAGE}", "STOPSIGNAL SIGUSR1", f'CMD ["sh", "-c", "trap \'exit 0\' USR1; {cluster_kit.FOREVER}"]']

    def build(client: APIClient) -> None:
        context = io.BytesIO("\n".join(lines).encode())
        list(client.build(fileobj=context, tag=tag, rm=True, labels={"norn.io/app": app}))

    clean_engine.ask(build)
    yield tag


def test_an_images_own_program_and_stop_signal_are_used(world: World, image: str) -> None:
    world.roll(replace(world.worker, image=image, argv=None))
    begun = time.monotonic()
    world.cluster.dismantle(world.web.app, FakeWatch().watch)
    assert time.monotonic() - begun < 5


IGNORANT = ("sh", "-c", "while :; do sleep 0.1; done")
"""A program that handles no signals. If it were the first process of its container, SIGTERM would have no
effect on it.
"""


def test_a_program_that_handles_no_signal_ends_at_once(world: World) -> None:
    world.roll(replace(world.worker, argv=IGNORANT))
    begun = time.monotonic()
    world.cluster.dismantle(world.web.app, FakeWatch().watch)
    assert time.monotonic() - begun < 5


@pytest.mark.parametrize("own", [True, False])
def test_an_image_that_begins_with_an_init_keeps_it_as_the_first_process(
    clean_engine: EngineClient, world: World, image: str, own: bool
) -> None:
    """Some inits, such as that of s6-overlay, refuse to run as any other process than the first."""
    argv = ("/sbin/init", "-h") if own else ("sh", "-c", "exit 1")
    made = clean_engine.ask(
        lambda client: replica_policy.container(
            client, replace(world.web, argv=argv, image=image), "10.1.2.3", "10.1.2.1"
        )
    )
    assert made["host_config"]["Init"] is not own


# Other containers


def beside(engine: EngineClient, world: World, **labels: str) -> str:
    """Makes a container with the labels of the app and of the control plane, and with these further labels of Norn;
    returns its id.
    """
    given = {f"norn.io/{name}": value for name, value in labels.items()}
    mine = {"norn.io/app": world.web.app, "norn.io/instance": INSTANCE, **given}
    made: str = engine.ask(lambda client: client.create_container(IMAGE, ["true"], labels=mine)["Id"])
    return made


def test_a_run_whose_image_has_the_label_of_a_replica_is_none(clean_engine: EngineClient, world: World) -> None:
    world.roll(world.web)
    beside(clean_engine, world, owner="execution:1", generation="x")
    assert (world.status().ready, len(world.status().replicas)) == (1, 1)


def test_a_replica_whose_labels_cannot_be_read_hides_no_other(clean_engine: EngineClient, world: World) -> None:
    world.roll(world.web)
    beside(clean_engine, world, owner=f"release:{world.web.app}:1", generation="x")
    assert (world.status().ready, len(world.status().replicas)) == (1, 1)


@dataclass(frozen=True)
class Hiding:
    """A client of an engine that cannot show one container."""

    client: APIClient
    hidden: str

    def inspect_container(self, container: str) -> object:
        if container == self.hidden:
            raise APIError("500 Server Error", explanation="its layer is damaged")
        return self.client.inspect_container(container)

    def __getattr__(self, name: str) -> object:
        return getattr(self.client, name)


class Damaged(EngineClient):
    """An engine that cannot show the container `hidden`."""

    hidden = ""

    def ask(self, call: Callable[[APIClient], T]) -> T:
        return super().ask(lambda client: call(cast(APIClient, Hiding(client, self.hidden))))


def test_an_app_that_the_engine_cannot_show_hides_no_other(clean_engine: EngineClient, world: World) -> None:
    world.roll(world.web)
    other = f"{world.web.app}x"
    engine = Damaged(clean_engine.address)
    engine.hidden = beside(clean_engine, world, app=other, owner=f"release:{other}:1")
    try:
        seen = {each.app: each for each in docker_cluster(engine, world.replicas).status()}
    finally:
        clean_engine.take_away(engine.hidden)
    assert (seen[world.web.app].ready, "its layer is damaged" in seen[other].unseen) == (1, True)


# The network


def asked(engine: EngineClient, app: str, *argv: str) -> str:
    """Returns the output of a program in a container on the network."""

    def ask(client: APIClient) -> str:
        host = client.create_host_config(network_mode="norn")
        made = client.create_container(IMAGE, list(argv), host_config=host, labels={"norn.io/app": app})
        client.start(made["Id"])
        client.wait(made["Id"])
        return bytes(client.logs(made["Id"])).decode()

    return engine.ask(ask)


def test_a_webserver_is_found_under_its_internal_name(clean_engine: EngineClient, world: World) -> None:
    world.roll(replace(world.web, internal_host=f"inside-{world.web.app}"))
    [row] = world.replicas.rows.values()
    told = asked(clean_engine, world.web.app, "nslookup", f"inside-{world.web.app}")
    assert f"Address: {row.address.removesuffix(':8080')}" in told


def test_a_replica_is_reached_from_inside(clean_engine: EngineClient, world: World) -> None:
    world.roll(world.web)
    [row] = world.replicas.rows.values()
    assert asked(clean_engine, world.web.app, "wget", "-qO-", f"http://{row.address}/health") == "ok\n"


def test_a_restarted_replica_keeps_its_address(clean_engine: EngineClient, world: World) -> None:
    falls = sh("mkdir -p /www; echo > /www/health; httpd -f -p 8080 -h /www & sleep 1.5; exit 3")
    world.roll(replace(world.web, argv=falls))
    wait_until(lambda: [each.restarts for each in world.status().replicas] != [0], 10, "it is restarted")
    wait_until(lambda: [each.healthy for each in world.status().replicas] == [True], 10, "it is there again")


@dataclass
class Squatted(FakeReplicas):
    """Makes a container that takes the address of the first recorded replica, before that replica starts."""

    engine: EngineClient | None = None
    squatter: list[str] = field(default_factory=list)

    def starting(self, replica: Replica, fence: Fence) -> None:
        super().starting(replica, fence)
        if self.engine is not None and not self.squatter:
            self.squatter.append(self.engine.ask(lambda client: squat(client, replica)))


def squat(client: APIClient, replica: Replica) -> str:
    found = client.inspect_container(replica.container)["NetworkSettings"]["Networks"]["norn"]
    endpoint = client.create_endpoint_config(ipv4_address=found["IPAMConfig"]["IPv4Address"])
    made: str = client.create_container(
        IMAGE,
        ["sleep", "60"],
        host_config=client.create_host_config(network_mode="norn"),
        networking_config=client.create_networking_config({"norn": endpoint}),  # type: ignore[arg-type]
        labels={"norn.io/app": replica.app},
    )["Id"]
    client.start(made)
    return made


def test_a_replica_whose_address_was_taken_gets_another(clean_engine: EngineClient, world: World) -> None:
    replicas = Squatted(engine=clean_engine)
    status = docker_cluster(clean_engine, replicas).await_rollout(world.web, FakeWatch().watch)
    assert (status.ready, len(replicas.squatter), [verb for verb, _ in replicas.changes].count("starting")) == (1, 1, 2)


def test_several_workers_may_make_the_network_at_once(clean_engine: EngineClient, app: str) -> None:
    name = f"norn-test-{app}"
    subnets: list[object] = []
    makers = [threading.Thread(target=lambda: subnets.append(addresses.ensure(clean_engine, name))) for _ in range(4)]
    try:
        for maker in makers:
            maker.start()
        for maker in makers:
            maker.join(30)
        settled = addresses.ensure(clean_engine, name)
        found = clean_engine.ask(lambda client: client.networks(names=[f"^{name}$"]))
        assert (len(subnets), subnets[-1], len(found)) == (4, settled, 1)
    finally:
        for each in clean_engine.ask(lambda client: client.networks(names=[name])):
            clean_engine.ask(lambda client, network=each["Id"]: client.remove_network(network))  # type: ignore[misc]


# Apps that lock their data


OWNER = (
    "sh",
    "-c",
    "mkdir /data/lock || exit 5; trap 'rmdir /data/lock; exit 0' TERM; mkdir /www; echo > /www/health;"
    " httpd -f -p 8080 -h /www & wait",
)
"""A program that takes a lock in its volume and then serves, as databases do; it ends if another process has
the lock.
"""


@pytest.fixture
def owned(clean_engine: EngineClient, world: World) -> Iterator[Workload]:
    """The app with a volume in which it takes a lock."""
    name = f"norn-test-{world.web.app}"
    yield replace(world.web, argv=OWNER, mounts=(Mount(name, "/data"),))
    world.cluster.dismantle(world.web.app, FakeWatch().watch)
    clean_engine.ask(lambda client: client.remove_volume(name))


def test_an_app_that_locks_its_volume_is_replaced_when_it_recreates(world: World, owned: Workload) -> None:
    world.roll(owned)
    again = cluster_kit.next_release(owned)
    assert "exited 5" in world.refused(again).sentence
    assert world.roll(replace(again, recreate=True)).ready == 1


def test_a_replica_has_the_time_to_end_that_its_own_spec_gave_it(clean_engine: EngineClient, world: World) -> None:
    slow = ("sh", "-c", "trap 'sleep 30; exit 0' TERM; while :; do sleep 0.1; done")
    world.roll(replace(world.worker, argv=slow, stop_grace=1))
    begun = time.monotonic()
    world.roll(cluster_kit.next_release(world.worker, stop_grace=60))
    assert time.monotonic() - begun < 15


# Failures


def test_a_worker_that_ends_soon_after_its_gate_fails_the_rollout(world: World) -> None:
    with pytest.raises(RolloutFailed, match="healthy"):
        world.roll(replace(world.worker, argv=sh("sleep 1.1; exit 4"), replicas=3))


def test_another_ones_container_with_our_name_is_left(clean_engine: EngineClient, world: World) -> None:
    name = f"norn-{world.web.app}-r1-g1-1-{INSTANCE}"
    clean_engine.ask(
        lambda client: client.create_container(IMAGE, ["true"], name=name, labels={"norn.io/app": world.web.app})
    )
    with pytest.raises(Conflict, match="Norn did not make"):
        world.roll(world.web)
    assert len(world.containers()) == 1


def test_an_engine_that_is_away_at_the_beginning_is_told_at_once(cuttable: CuttableEngine, world: World) -> None:
    cluster = docker_cluster(EngineClient(cuttable.address), FakeReplicas())
    cuttable.cut()
    with pytest.raises(EngineDown):
        cluster.await_rollout(world.web, FakeWatch().watch)
    with pytest.raises(ClusterDown):
        cluster.status()


def test_an_engine_that_goes_away_in_the_middle_is_waited_for(cuttable: CuttableEngine, world: World) -> None:
    slow = sh("sleep 1; mkdir /www; echo > /www/health; httpd -f -p 8080 -h /www & wait")
    away = replace(world, cluster=docker_cluster(EngineClient(cuttable.address), world.replicas))
    rolling = away.rolling(replace(world.web, argv=slow), until="starting")
    cuttable.cut()
    time.sleep(0.7)
    cuttable.restore()
    rolling.end()
    assert rolling.error is None and len(world.replicas.lived()) == 1


@pytest.mark.parametrize("reason", ["draining", "lease_lost"])
def test_a_stop_is_noticed_while_the_engine_is_silent(cuttable: CuttableEngine, world: World, reason: str) -> None:
    away = replace(world, cluster=docker_cluster(EngineClient(cuttable.address), world.replicas))
    rolling = away.rolling(replace(world.web, argv=cluster_kit.DEAF), until="starting")
    cuttable.freeze()
    took = rolling.stop(reason)
    assert isinstance(rolling.error, Stopped) and took < 1


# Logs


def read(world: World, workload: Workload, count: int = 10) -> list[str]:
    """Returns the last lines of a workload that writes them and then stays running."""
    world.roll(workload)
    lines: list[str] = []
    world.cluster.logs(world.web.app, count, False, lambda _, line: lines.append(line), FakeStop())
    return lines


def test_a_very_long_line_is_cut(world: World) -> None:
    writes = sh(f"head -c 100000 /dev/zero | tr '\\0' a; echo; echo next; {cluster_kit.FOREVER}")
    lines = read(world, replace(world.worker, argv=writes))
    assert [len(line) for line in lines] == [65_536, 100_000 - 65_536, 4]


def test_what_is_not_text_is_replaced(world: World) -> None:
    writes = sh(f"printf 'a\\377b\\000c\\n'; {cluster_kit.FOREVER}")
    assert read(world, replace(world.worker, argv=writes)) == ["a\ufffdb\ufffdc"]


def test_both_streams_are_read_in_order_and_only_the_last_lines(world: World) -> None:
    writes = sh(f"for n in 1 2 3 4; do echo $n; sleep 0.05; echo $n >&2; sleep 0.05; done; {cluster_kit.FOREVER}")
    assert read(world, replace(world.worker, argv=writes), 3) == ["3", "4", "4"][-3:]


def test_who_follows_hears_a_restarted_replica_once(world: World) -> None:
    world.roll(replace(world.worker, argv=sh("echo begun; sleep 1.2; exit 3")))
    heard: list[str] = []
    stop = FakeStop()
    args = (world.web.app, 10, True, lambda _, line: heard.append(line), stop)
    reader = threading.Thread(target=world.cluster.logs, args=args)
    reader.start()
    wait_until(lambda: heard.count("begun") >= 3, 15, "it is heard again")
    [container] = world.containers()
    stop.set("cancelled")
    reader.join(5)
    restarts = next(each.restarts for each in world.status().replicas)
    assert heard.count("begun") <= restarts + 1 and container in world.containers()


def test_a_reader_goes_while_the_engine_is_silent(cuttable: CuttableEngine, world: World) -> None:
    world.roll(world.worker)
    cluster = docker_cluster(EngineClient(cuttable.address), world.replicas)
    heard, stop = threading.Event(), FakeStop()
    args = (world.web.app, 10, True, lambda *_: heard.set(), stop)
    reader = threading.Thread(target=cluster.logs, args=args, daemon=True)
    reader.start()
    assert heard.wait(5)
    cuttable.freeze()
    time.sleep(0.6)
    begun = time.monotonic()
    stop.set("cancelled")
    reader.join(10)
    assert time.monotonic() - begun < 1
