"""The promises of the Kubernetes cluster about objects that others wrote or changed, tested on a real one."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from norn_tasks.adapters.kubernetes import marks
from norn_tasks.adapters.kubernetes.api import Api
from norn_tasks.adapters.kubernetes.claims import KubernetesVolumes
from norn_tasks.adapters.kubernetes.fencing import FencedWriter
from norn_tasks.adapters.kubernetes.gate import RolloutGate
from norn_tasks.adapters.kubernetes.looking import AppLook
from norn_tasks.adapters.kubernetes.objects.service import service
from norn_tasks.adapters.kubernetes.site import Object, Site
from norn_tasks.adapters.kubernetes.watching.changes import ClusterChanges
from norn_tasks.domain.errors import ClusterDown, Conflict, LeaseLost, NornError, NotFound, Stopped
from norn_tasks.domain.infraspec import Volume
from norn_tasks.domain.jobs.job import Fence
from norn_tasks.domain.secret import Secret
from norn_tasks.embedded.doctor import kubernetes_rights
from norn_tasks.ports import ExecCommand, Mount, Volumes
from norn_tasks.settings import Settings
from tests.contract import cluster_kit
from tests.contract.cluster_kit import CRASHES, DEAF, INSTANCE, MIB, Rolling, World, next_release, sh
from tests.contract.conftest import IMAGE
from tests.fakes.stop import FakeStop, FakeWatch
from tests.fakes.terminal import FakeTerminal
from tests.kube import KubeKit
from tests.kube_watching import incomplete
from tests.servers import allowed, wait_until

pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def world(app: str, kube_api: Api) -> World:
    return cluster_kit.kubernetes_world(app, kube_api)


def forged(world: World, token: int = 1) -> FakeWatch:
    """Forges the app: its objects exist, but no pod. Returns the watch that was used."""
    watch = FakeWatch(token=token)
    nothing = replace(world.web, release=0, generation=0, replicas=0)
    world.cluster.prepare(nothing, watch.watch)
    world.cluster.expose(nothing, watch.watch)
    return watch


def deployment(world: World, api: Api) -> Object:
    """The app's Deployment."""
    found = api.get("Deployment", world.web.app)
    assert found is not None
    return found


def claims_of(world: World, token: int) -> Volumes:
    """The app's volumes, for the job with this token."""
    volumes = world.cluster.own_volumes(FakeWatch(token=token).watch)
    assert volumes is not None
    return volumes


def lost(_fence: Fence) -> None:
    """Raises as if another worker had taken the lease."""
    raise LeaseLost("another worker has it")


def generation(found: Object) -> int:
    """Returns the generation that a Deployment runs."""
    return marks.number_of(found["spec"]["template"], marks.GENERATION)


def test_a_worker_that_lost_its_job_overwrites_nothing(world: World, kube_api: Api) -> None:
    forged(world, token=9)
    before = deployment(world, kube_api)["metadata"]["annotations"]
    with pytest.raises(LeaseLost):
        world.cluster.apply(next_release(world.web), FakeWatch(token=8).watch)
    found = deployment(world, kube_api)
    assert (found["metadata"]["annotations"], generation(found)) == (before, 0)


def test_a_worker_that_lost_its_job_removes_nothing(world: World, kube_api: Api) -> None:
    forged(world, token=9)
    with pytest.raises(LeaseLost):
        world.cluster.dismantle(world.web.app, FakeWatch(token=8).watch)
    assert deployment(world, kube_api)


def test_what_another_norn_made_is_refused_by_its_name(world: World) -> None:
    forged(world)
    theirs, _ = world.neighbour()
    with pytest.raises(Conflict, match=f"Deployment {world.web.app} .* of another Norn, {INSTANCE}"):
        theirs.prepare(world.web, FakeWatch(token=5).watch)


def test_what_nobody_made_is_refused(world: World, kube_api: Api) -> None:
    foreign = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": world.web.internal_host},
        "spec": {"ports": [{"port": 80, "protocol": "TCP"}]},
    }
    kube_api.create(foreign)
    with pytest.raises(Conflict, match="was not made by Norn"):
        world.cluster.expose(world.web, FakeWatch().watch)


def test_a_field_that_is_no_longer_wanted_goes(world: World, kube_api: Api) -> None:
    forged(world)
    site = Site(kube_api.namespace, INSTANCE, kube_api.version())
    watch = FakeWatch(token=2)
    writer = FencedWriter(kube_api, world.web.app, INSTANCE, lambda _: None, watch.watch)
    writer.put(service(replace(world.web, port=80), site, Fence(1, 2)))
    seen = kube_api.get("Service", world.web.internal_host)
    assert seen is not None and [each["port"] for each in seen["spec"]["ports"]] == [80]


def test_a_job_without_a_lease_makes_nothing(world: World, kube_api: Api) -> None:
    writer = FencedWriter(kube_api, world.web.app, INSTANCE, lost, FakeWatch().watch)
    site = Site(kube_api.namespace, INSTANCE, kube_api.version())
    with pytest.raises(LeaseLost):
        writer.put(service(world.web, site, Fence(1, 1)))
    assert kube_api.get("Service", world.web.internal_host) is None


def test_secrets_of_a_generation_never_change_and_go_with_it(world: World, kube_api: Api) -> None:
    first = replace(world.web, secrets={"TOKEN": Secret("one")})
    world.roll(first)
    world.roll(replace(first, replicas=2, secrets={"TOKEN": Secret("two")}), token=2)
    chosen = marks.selector(INSTANCE, world.web.app)
    (secret,) = kube_api.all_of("Secret", chosen)
    world.roll(next_release(first, secrets={}), token=3)
    assert (secret["data"]["TOKEN"], kube_api.all_of("Secret", chosen)) == ("b25l", ())


def test_a_volume_is_a_claim_that_is_kept_until_it_is_removed(world: World, kube_api: Api) -> None:
    volumes, app = claims_of(world, token=1), world.web.app
    wanted = [Volume(name="data", mount_path="/data", size=MIB)]
    mounts = [volumes.ready(app, wanted) for _ in range(2)]
    claims = [
        each["metadata"]["name"] for each in kube_api.all_of("PersistentVolumeClaim", marks.selector(INSTANCE, app))
    ]
    assert (mounts, claims) == ([(Mount(f"{app}-data", "/data"),)] * 2, [f"{app}-data"])
    assert (volumes.of_app(app), volumes.remove(app), volumes.of_app(app)) == (("data",), ("data",), ())


def test_a_worker_that_lost_its_job_removes_and_makes_no_claim(world: World, kube_api: Api) -> None:
    app, wanted = world.web.app, [Volume(name="data", mount_path="/data", size=MIB)]
    claims_of(world, token=9).ready(app, wanted)
    site = Site(kube_api.namespace, INSTANCE, kube_api.version())
    overtaken = claims_of(world, token=8)
    leaseless = KubernetesVolumes(kube_api, site, lost, FakeWatch(token=9).watch)
    for volumes in (overtaken, leaseless):
        with pytest.raises(LeaseLost):
            volumes.remove(app)
    with pytest.raises(LeaseLost):
        leaseless.ready(app, [Volume(name="more", mount_path="/more")])
    assert leaseless.of_app(app) == ("data",)


def test_a_deployment_that_is_made_again_knows_what_is_live(world: World, kube_api: Api) -> None:
    world.cluster.prepare(replace(world.web, replicas=2), FakeWatch().watch)
    found = deployment(world, kube_api)
    assert [marks.number_of(found, note) for note in (marks.LIVE, marks.LIVE_REPLICAS)] == [1, 2]


def test_an_outage_that_lasts_brings_back_what_was_live(
    world: World, kube_api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(_: RolloutGate) -> AppLook:
        raise ClusterDown("the API server does not answer")

    world.roll(world.web)
    monkeypatch.setattr(RolloutGate, "passed", away)
    with pytest.raises(ClusterDown):
        world.roll(next_release(world.web), token=2)
    assert generation(deployment(world, kube_api)) == 1


def test_a_first_release_that_fails_leaves_no_secret_and_no_budget(world: World, kube_api: Api) -> None:
    world.refused(replace(world.web, argv=CRASHES, replicas=2, secrets={"TOKEN": Secret("one")}))
    chosen = marks.selector(INSTANCE, world.web.app)
    assert [kube_api.all_of(kind, chosen) for kind in ("Secret", "PodDisruptionBudget")] == [(), ()]
    assert deployment(world, kube_api)["spec"]["replicas"] == 0


def test_an_app_is_removed_beside_a_deployment_of_somebody_else(world: World, kube_api: Api) -> None:
    labels = {"theirs": world.web.app}
    pods = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "theirs", "image": IMAGE}]}}
    foreign = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": world.web.app},
        "spec": {"replicas": 0, "selector": {"matchLabels": labels}, "template": pods},
    }
    kube_api.create(foreign)
    world.cluster.expose(world.web, FakeWatch().watch)
    world.cluster.unexpose(world.web.app, FakeWatch().watch)
    world.cluster.dismantle(world.web.app, FakeWatch().watch)
    assert deployment(world, kube_api)["spec"]["selector"]["matchLabels"] == labels


def test_logs_are_those_of_the_app_beside_a_sidecar_and_go_on_after_an_outage(
    world: World, kube_api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = world.web.app
    containers = [
        {"name": name, "image": IMAGE, "command": list(sh(f"while :; do echo {name}; sleep 0.2; done"))}
        for name in ("sidecar", "app")
    ]
    head = {"name": app, "labels": marks.labels(app, INSTANCE)}
    kube_api.create({"apiVersion": "v1", "kind": "Pod", "metadata": head, "spec": {"containers": containers}})
    wait_until(lambda: (kube_api.get("Pod", app) or {})["status"]["phase"] == "Running", 20, "it runs")
    once, get = [ClusterDown("the API server does not answer")], kube_api.get
    monkeypatch.setattr(kube_api, "get", lambda kind, name: _raised(once.pop()) if once else get(kind, name))
    stop, lines = FakeStop(), list[str]()

    def emit(_replica: str, line: str) -> None:
        lines.append(line)
        if len(lines) == 20:
            stop.set("enough")

    late = threading.Timer(allowed(15), stop.set, ["late"])
    late.start()
    world.cluster.logs(app, 1, True, emit, stop)
    late.cancel()
    assert (stop.reason, set(lines), once) == ("enough", {"app"}, [])


def _raised(error: NornError) -> Object:
    raise error


def test_a_gate_that_returns_at_once_is_caught_by_an_independent_look(
    world: World, kube_api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    def look(generation: int) -> str:
        pods = kube_api.all_of("Pod", f"norn.io/app={world.web.app}")
        return incomplete(deployment(world, kube_api), list(pods), generation)

    world.roll(world.web)
    honest = look(1)
    monkeypatch.setattr(RolloutGate, "passed", lambda gate: gate._look())
    world.roll(next_release(world.web, argv=DEAF), token=2)
    assert (honest, look(2) != "") == ("", True)


def test_a_change_of_an_app_is_noticed_and_one_of_another_control_plane_is_not(world: World, kube_api: Api) -> None:
    mine, theirs = list[float](), list[float]()
    watches = [
        ClusterChanges(kube_api, instance, lambda into=into: into.append(time.monotonic()))  # type: ignore[misc]
        for instance, into in ((INSTANCE, mine), ("nobody", theirs))
    ]
    wait_until(lambda: len(mine) > 1 and len(theirs) > 1, 30, "both kinds are watched")
    first, others = len(mine), len(theirs)
    forged(world)
    wait_until(lambda: len(mine) > first, 30, "the change is noticed")
    for each in watches:
        each.close()
    assert len(theirs) == others


def test_a_cancelled_rollout_brings_back_what_was_live(world: World, kube_api: Api) -> None:
    world.roll(world.web)
    rolling = Rolling(world, next_release(world.web, argv=DEAF), token=2)
    wait_until(lambda: generation(deployment(world, kube_api)) == 2, 10, "it rolls")
    rolling.stop("cancelled")
    assert isinstance(rolling.error, Stopped)
    assert (generation(deployment(world, kube_api)), world.live()) == (1, [(1, True)])


def test_a_program_in_a_pod_has_its_own_streams_and_exit_code(world: World) -> None:
    world.roll(world.web)
    terminal = FakeTerminal()
    speaks = ("sh", "-c", "printf out; printf err >&2; exit 3")
    code = world.cluster.execute(ExecCommand(world.web.app, speaks, mark="7-abc"), terminal)
    assert (code, terminal.read) == (3, {"stdout": b"out", "stderr": b"err"})
    with pytest.raises(NotFound):
        world.cluster.execute(ExecCommand(world.web.app, speaks, mark="7-abc", replica=2), terminal)


def test_the_doctor_names_the_right_that_is_missing(kube: KubeKit, kube_api: Api, tmp_path: Path) -> None:
    namespace = kube_api.namespace
    settings = Settings(kube_namespace=namespace, kube_config=kube.of_norn(namespace, tmp_path / "kubeconfig"))
    (before,) = kubernetes_rights(settings)
    fewer = '[{"op": "replace", "path": "/rules/0/verbs", "value": ["get", "list", "watch", "create", "patch"]}]'
    kube.kubectl("-n", namespace, "patch", "role", "norn", "--type=json", "-p", fewer)

    def lacks() -> bool:
        (found,) = kubernetes_rights(settings)
        return found.status == "fail" and "may not delete deployments.apps in" in found.message

    wait_until(lacks, 10, "the right is missed")
    assert before.status == "ok"
