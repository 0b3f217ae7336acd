"""The parts from which the contract tests of clusters are built: small programs for containers, and a "world" of one
app on one cluster.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import pytest

from norn_tasks.adapters.docker.client import EngineClient
from norn_tasks.adapters.docker_cluster import DockerCluster
from norn_tasks.adapters.docker_cluster.gate import Gates
from norn_tasks.adapters.kubernetes import marks
from norn_tasks.adapters.kubernetes.api import Api
from norn_tasks.adapters.kubernetes.cluster import KubernetesCluster
from norn_tasks.adapters.kubernetes.site import Object, ServerVersion, Site
from norn_tasks.adapters.kubernetes.status import serves
from norn_tasks.domain.errors import NornError
from norn_tasks.domain.jobs.app_status import WorkloadStatus
from norn_tasks.ports import Cluster, Replicas, Workload
from tests.contract.conftest import IMAGE
from tests.fakes.docker_cluster import Acts, FakeCluster
from tests.fakes.replicas import FakeReplicas
from tests.fakes.router_ports import FakeRouterPorts
from tests.fakes.stop import FakeWatch
from tests.servers import wait_until

INSTANCE = "abc123"
MIB = 2**20
PATIENCE = 20.0
HASTE = 1.0
STAY_UP = 0.6


def sh(text: str) -> tuple[str, ...]:
    """Returns a program that ends at SIGTERM. The first process of a container ignores signals that it does not handle,
    so the shell handles SIGTERM.
    """
    return ("sh", "-c", f"trap 'exit 0' TERM; {text}")


FOREVER = "while :; do sleep 0.1; done"
SERVES = sh("echo serving; mkdir /www; echo ok > /www/health; httpd -f -p 8080 -h /www & wait")
UNWELL = sh("echo unwell; httpd -f -p 8080 -h /etc & wait")
DEAF = sh(f"echo deaf; {FOREVER}")
CRASHES = sh("echo oops; echo trouble >&2; exit 1")
GREEDY = sh("exec dd if=/dev/zero of=/dev/null bs=100M count=1")
MISSING = ("nosuchprogram",)
WORKS = sh(f"echo working; {FOREVER}")
QUITS = sh("echo early; sleep 0.2; exit 4")
BRIEF = sh("echo brief; httpd -p 8080 -h /etc; sleep 0.4; exit 3")
"""A program that opens its port, and ends soon after, like a server that cannot load its app."""
PROGRAMS = {
    SERVES: Acts(lines=("serving",)),
    UNWELL: Acts(lines=("unwell",), answers=404),
    DEAF: Acts(lines=("deaf",), listens=False),
    CRASHES: Acts(exits=1, lines=("oops", "trouble")),
    GREEDY: Acts(exits=137, out_of_memory=True),
    MISSING: Acts(exits=127),
    WORKS: Acts(lines=("working",)),
    BRIEF: Acts(exits=3, seconds=0.4, lines=("brief",)),
    QUITS: Acts(exits=4, seconds=0.2, lines=("early",)),
}


@dataclass
class World:
    """One app on one cluster, the rows of its replicas, and direct access to the cluster for the test.

    `hasty` is the same cluster with a short limit for the start of a replica; `neighbour` makes a cluster of another
    control plane.
    """

    cluster: Cluster
    hasty: Cluster
    replicas: FakeReplicas
    web: Workload
    remove_by_hand: Callable[[str], None]
    containers: Callable[[], list[str]]
    neighbour: Callable[[], tuple[Cluster, FakeReplicas]]
    watch: FakeWatch = field(default_factory=FakeWatch)
    served: Callable[[], list[tuple[int, bool]]] | None = None
    """The live replicas of a cluster that keeps no rows, as (generation, has an address)."""

    def live(self) -> list[tuple[int, bool]]:
        """The live replicas, as (generation, has an address)."""
        if self.served is not None:
            return self.served()
        return [(row.generation, row.address != "") for row in self.replicas.rows.values() if row.state == "live"]

    @property
    def worker(self) -> Workload:
        """Returns the app as a worker (an app without a port)."""
        return replace(self.web, argv=WORKS, port=None, healthcheck=None)

    def roll(self, workload: Workload, *, token: int = 1) -> WorkloadStatus:
        """Applies a workload and waits for its rollout, as the job with that token."""
        self.watch = FakeWatch(token=token)
        self.cluster.apply(workload, self.watch.watch)
        return self.cluster.await_rollout(workload, self.watch.watch)

    def refused(self, workload: Workload) -> NornError:
        """Rolls out a workload that must fail, with a short limit; returns the error."""
        self.watch = FakeWatch()
        with pytest.raises(NornError) as refusal:
            self.hasty.apply(workload, self.watch.watch)
            self.hasty.await_rollout(workload, self.watch.watch)
        return refusal.value

    def rolling(self, workload: Workload, *, until: str) -> Rolling:
        """Rolls out on a thread; returns as soon as the fake store of replicas has recorded the change `until`."""
        before = len(self.replicas.changes)
        rolling = Rolling(self, workload)
        wait_until(lambda: any(verb == until for verb, _ in self.replicas.changes[before:]), 10, until)
        return rolling

    def status(self) -> WorkloadStatus:
        """Returns the observed status of the app."""
        return next(each for each in self.cluster.status() if each.app == self.web.app)


class Rolling:
    """A rollout that runs on a thread of its own."""

    def __init__(self, world: World, workload: Workload, token: int = 1) -> None:
        self.watch = FakeWatch(token=token)
        self.error: NornError | None = None
        self._thread = threading.Thread(target=self._run, args=[world.cluster, workload])
        self._thread.start()

    def _run(self, cluster: Cluster, workload: Workload) -> None:
        try:
            cluster.await_rollout(workload, self.watch.watch)
        except NornError as error:
            self.error = error

    def end(self, seconds: float = 20) -> float:
        """Waits for the end of the rollout; returns how long that took."""
        begun = time.monotonic()
        self._thread.join(seconds)
        assert not self._thread.is_alive(), f"the rollout did not end in {seconds:g} s"
        return time.monotonic() - begun

    def stop(self, reason: str) -> float:
        """Stops the rollout; returns how long it took to end."""
        self.watch.stop.set(reason)
        return self.end()


def webserver(app: str) -> Workload:
    """Release 1 of a small webserver, one replica."""
    return Workload(
        app=app,
        release=1,
        generation=1,
        image=IMAGE,
        replicas=1,
        env={"GREETING": "hello"},
        argv=SERVES,
        port=8080,
        healthcheck="/health",
        internal_host=app,
        memory=32 * MIB,
    )


def next_release(workload: Workload, **changes: object) -> Workload:
    """Returns the same workload as its next release."""
    later = {"release": workload.release + 1, "generation": workload.generation + 1, **changes}
    return replace(workload, **later)  # type: ignore[arg-type]


def fake_world(app: str) -> World:
    """Returns a world in memory."""
    replicas = FakeReplicas()
    cluster = FakeCluster(replicas, PROGRAMS, images={IMAGE}, gates=Gates(PATIENCE, STAY_UP), instance=INSTANCE)

    def neighbour() -> tuple[Cluster, FakeReplicas]:
        theirs = FakeReplicas()
        return replace(cluster, replicas=theirs, instance="xyz789"), theirs

    def remove(container: str) -> None:
        del cluster.containers[container]

    hasty = replace(cluster, gates=Gates(HASTE, STAY_UP))
    return World(cluster, hasty, replicas, webserver(app), remove, lambda: list(cluster.containers), neighbour)


def docker_world(app: str, engine: EngineClient) -> World:
    """Returns a world on a real engine."""
    replicas = FakeReplicas()

    def containers() -> list[str]:
        found = engine.ask(lambda client: client.containers(all=True, filters={"label": f"norn.io/app={app}"}))
        return [each["Id"] for each in found]

    def neighbour() -> tuple[Cluster, FakeReplicas]:
        theirs = FakeReplicas()
        return docker_cluster(engine, theirs, "xyz789"), theirs

    cluster, hasty = docker_cluster(engine, replicas), docker_cluster(engine, replicas, timeout=HASTE)
    return World(cluster, hasty, replicas, webserver(app), engine.take_away, containers, neighbour)


def kubernetes_world(app: str, api: Api) -> World:
    """Returns a world in a namespace of a real Kubernetes cluster whose nodes have the image."""
    chosen = marks.selector(INSTANCE, app)

    def pods() -> list[Object]:
        return [each for each in api.all_of("Pod", chosen) if "deletionTimestamp" not in each["metadata"]]

    def served() -> list[tuple[int, bool]]:
        has_port = bool(api.all_of("Service", chosen))
        return [(marks.number_of(each, marks.GENERATION), has_port) for each in pods() if serves(each)]

    def remove(pod: str) -> None:
        api.delete(next(each for each in pods() if each["metadata"]["uid"] == pod))

    def neighbour() -> tuple[Cluster, FakeReplicas]:
        return kubernetes_cluster(api, "xyz789"), FakeReplicas()

    return World(
        kubernetes_cluster(api), kubernetes_cluster(api, timeout=HASTE), FakeReplicas(),
        replace(webserver(app), tag=IMAGE), remove, lambda: [each["metadata"]["uid"] for each in pods()], neighbour,
        served=served,
    )  # fmt: skip


def kubernetes_cluster(api: Api, instance: str = INSTANCE, timeout: float = PATIENCE) -> KubernetesCluster:
    """Returns a cluster with the tests' short limits; all its jobs hold their leases."""
    site = Site(api.namespace, instance, ServerVersion(0, 0), rollout_timeout=timeout, stay_up=STAY_UP, loaded=True)
    return KubernetesCluster(api, site, lambda _fence: None)


def docker_cluster(
    engine: EngineClient,
    replicas: Replicas,
    instance: str = INSTANCE,
    timeout: float = PATIENCE,
    keep_lines: Callable[[str], object] = lambda _: None,
) -> DockerCluster:
    """Returns a cluster with the tests' short limits."""
    return DockerCluster(
        engine, replicas, FakeRouterPorts(), router="http://127.0.0.1", instance=instance, rollout_timeout=timeout,
        drain_timeout=1, stay_up=STAY_UP, keep_lines=keep_lines,
    )  # fmt: skip
