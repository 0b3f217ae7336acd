"""Broken releases on a real Kubernetes cluster: each fails by its true cause, soon, while the old release serves.

The adapter rolls them out, four at a time. The seconds in the printed table begin when an independent observer sees the
cause in the cluster's objects. They end with the rollout, after its rollback.
"""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from norn_tasks.adapters.kubernetes.access import ClusterAccess
from norn_tasks.adapters.kubernetes.api import Api
from norn_tasks.adapters.kubernetes.cluster import KubernetesCluster
from norn_tasks.adapters.kubernetes.site import ServerVersion, Site
from norn_tasks.domain.errors import NornError
from norn_tasks.domain.infraspec import Volume
from norn_tasks.domain.secret import Secret
from norn_tasks.ports import Workload
from tests.contract.cluster_kit import INSTANCE, MIB, sh, webserver
from tests.fakes.stop import FakeWatch
from tests.kube import KubeKit, started
from tests.kube_hook import REFUSAL, REFUSED, refusing_pods
from tests.kube_watching import Shown, Sighting, Thief, Visitor, condition, either, ended, ended_again, happened, waits
from tests.servers import allowed

SECONDS = 10
AT_ONCE = 4
QUOTA = '{"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "small"}, "spec": {"hard": {"pods": "1"}}}'
WWW = "mkdir -p /www/cgi-bin; echo ok > /www/health; echo good > /www/index.html"
SERVES = sh(f"{WWW}; httpd -f -p 8080 -h /www & wait")
WORKS = sh("while :; do sleep 0.1; done")
ONCE = r"""{www}
cat > /www/cgi-bin/once <<'X'
#!/bin/sh
mkdir /tmp/seen 2>/dev/null && printf 'Content-Type: text/plain\r\n\r\nok' && exit
printf 'Status: 503\r\nContent-Type: text/plain\r\n\r\nunwell'
X
chmod 755 /www/cgi-bin/once
httpd -f -p 8080 -h /www & wait"""
LOOPS = either(waits("CrashLoopBackOff"), ended_again())
"""The sign of a crash loop: a container waits with the reason CrashLoopBackOff, or its second run has ended before
that.
"""
KILLED = happened("Killing", "failed startup probe")

pytestmark = pytest.mark.timeout(1800)


@dataclass(frozen=True)
class Broken:
    """A release that must not become live."""

    says: str
    """Words of the error that name the cause."""
    shown: Shown
    """The state of the cluster's objects that shows the cause."""
    changes: dict[str, Any] = field(default_factory=dict)
    """The differences between its workload and that of the good release."""
    worker: bool = False
    """True if the app is a worker, which gets no requests."""
    act: str = ""
    """An action besides the rollout: `quota`: a quota forbids another pod; `key`: its secret loses the key; `claim`:
    its volume claim stays unbound.
    """


CASES = {
    "bad-image-name": Broken('the image name "Shop:Latest:7" is not valid', waits("InvalidImageName"),
                             {"published": "Shop:Latest:7"}),
    "image-gone": Broken("is not in its registry", waits("ErrImagePull", "ImagePullBackOff"),
                         {"published": "{registry}/gone:7"}),
    "missing-secret-key": Broken('has no key "PASSWORD"', waits("CreateContainerConfigError"),
                                 {"secrets": {"PASSWORD": Secret("x")}}, act="key"),
    "crash-loop": Broken("exited with code 3", LOOPS, {"argv": sh("sleep 3; exit 3")}),
    "failing-readiness": Broken("the readiness probe of the container (GET /cgi-bin/once on port 8080) gets status 503",
                                happened("Unhealthy", "Readiness probe failed: HTTP probe failed with statuscode: 503"),
                                {"argv": sh(ONCE.format(www=WWW)), "healthcheck": "/cgi-bin/once"}),
    "oom-at-start": Broken("ran out of memory", ended("OOMKilled"),
                           {"argv": sh("x=$(head -c 100000000 /dev/zero | tr '\\0' a); echo done")}),
    "unschedulable": Broken("no node has enough memory free", condition("PodScheduled", "False", "Insufficient"),
                            {"memory": 640 * 1024 * MIB}),
    "quota": Broken('the quota "small" does not allow another pod',
                    condition("ReplicaFailure", "True", "exceeded quota"), act="quota"),
    "admission-refusal": Broken(REFUSAL, condition("ReplicaFailure", "True", "denied the request"),
                                {"env": {REFUSED["name"]: REFUSED["value"]}}),
    "bad-command": Broken('the command "nosuchprogram" of the container cannot be started',
                          either(waits("RunContainerError"), ended("StartError")), {"argv": ("nosuchprogram",)}),
    "failing-startup": Broken("the startup probe of the container (GET /nowhere on port 8080) gets status 404",
                              KILLED, {"healthcheck": "/nowhere"}),
    "hanging-start": Broken("gets no answer in time", KILLED,
                            {"argv": sh("httpd -f -p 8080 & sleep 0.2; kill -STOP $!; sleep 1000 & wait")}),
    "wrong-port": Broken("nothing listens on port 8080", KILLED, {"argv": sh("httpd -f -p 9090 & wait")}),
    "exits-zero": Broken("ends by itself with exit code 0", LOOPS, {"argv": sh("exit 0")},
                         worker=True),
    "unbound-claim": Broken('asks for the storage class "none-such", which does not exist',
                            condition("PodScheduled", "False", "unbound"), worker=True, act="claim"),
}  # fmt: skip


@dataclass(frozen=True)
class End:
    """The result of a broken release."""

    error: NornError
    seconds: float | None
    """The time from the moment at which the cluster showed the cause to the end of the rollout; None if the rollout
    ended first.
    """
    generations: list[int]
    """The generations of the pods that are ready afterwards."""
    failures: list[str]
    """The requests to the old release that failed."""
    asked: int
    """The number of requests to the old release."""


@pytest.fixture(scope="module")
def kube() -> KubeKit:
    """The cluster."""
    return started()


@pytest.fixture(scope="module")
def ends(kube: KubeKit, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Future[End]]]:
    """The results of all broken releases; the one under a quota has a namespace of its own."""
    home = tmp_path_factory.mktemp("hook")
    with ExitStack() as around:
        plain, small = (
            around.enter_context(kube.namespace(f"{name}-{os.getpid()}")) for name in ("broken", "broken-small")
        )
        around.enter_context(refusing_pods(kube, plain, home))
        pool = around.enter_context(ThreadPoolExecutor(AT_ONCE))
        yield {
            name: pool.submit(end_of, kube, small if case.act == "quota" else plain, name, case)
            for name, case in CASES.items()
        }


def end_of(kube: KubeKit, namespace: str, name: str, case: Broken) -> End:
    """Rolls out a good release, then the broken one."""
    api = Api(ClusterAccess(namespace, Path(kube.environment["KUBECONFIG"])))
    site = Site(namespace, INSTANCE, ServerVersion(0, 0), rollout_timeout=6, stay_up=0.6, storage_class="none-such")
    cluster = KubernetesCluster(api, site, lambda _: None)
    good = good_release(f"{name}-{uuid.uuid4().hex[:5]}", worker=case.worker)
    roll(cluster, good, token=1)
    with ExitStack() as around:
        visitor = None if case.worker else around.enter_context(Visitor(address(api, good), "good"))
        sighting = around.enter_context(Sighting(api, good.app, case.shown))
        bad = broken_release(kube, cluster, namespace, good, case)
        if case.act == "key":
            around.enter_context(Thief(api, good.app, "PASSWORD"))
        with pytest.raises(NornError) as refusal:
            roll(cluster, bad, token=2)
        at = time.time()
    seconds = None if sighting.at is None else at - sighting.at
    ready = [
        int(each["metadata"]["annotations"]["norn.io/generation"])
        for each in api.all_of("Pod", f"norn.io/app={good.app}")
        if condition("Ready", "True")([each]) and "deletionTimestamp" not in each["metadata"]
    ]
    return End(refusal.value, seconds, ready, visitor.failures if visitor else [], visitor.asked if visitor else 0)


def good_release(app: str, *, worker: bool) -> Workload:
    """Returns a release that works, of an image that was loaded onto the node."""
    good = replace(webserver(app), published="docker.io/library/busybox:stable", argv=SERVES, memory=16 * MIB)
    return replace(good, argv=WORKS, port=None, healthcheck=None, internal_host="") if worker else good


def broken_release(kube: KubeKit, cluster: KubernetesCluster, namespace: str, good: Workload, case: Broken) -> Workload:
    """Does the act of the case, and returns the broken release."""
    changes = dict(case.changes)
    if "published" in changes:
        changes["published"] = changes["published"].format(registry=kube.environment["NORN_REGISTRY_URL"])
    if case.act == "claim":
        changes["mounts"] = cluster.own_volumes(FakeWatch().watch).ready(
            good.app, [Volume(name="data", mount_path="/data")]
        )
    if case.act == "quota":
        file = Path(os.environ.get("TMPDIR", "/tmp")) / f"{namespace}.json"
        file.write_text(QUOTA)
        kube.kubectl("-n", namespace, "apply", "-f", str(file))
        file.unlink()
    return replace(good, release=2, generation=2, **changes)


def roll(cluster: KubernetesCluster, workload: Workload, token: int) -> None:
    """Rolls a workload out as the job with that token."""
    watch = FakeWatch(token=token)
    cluster.apply(workload, watch.watch)
    cluster.await_rollout(workload, watch.watch)


def address(api: Api, workload: Workload) -> str:
    """Returns the address of the Service."""
    service = api.get("Service", workload.internal_host)
    assert service is not None
    return f"http://{service['spec']['clusterIP']}/"


@pytest.mark.parametrize("name", CASES)
def test_a_broken_release_fails_by_its_cause_and_the_old_one_serves(ends: dict[str, Future[End]], name: str) -> None:
    end, case = ends[name].result(), CASES[name]
    print(f"\n| {name} | {end.seconds or 0:.1f} | {end.error.sentence} |")
    assert case.says in end.error.sentence
    assert (end.seconds or 0) <= allowed(SECONDS)
    assert end.failures == [] and bool(end.asked) != case.worker
    assert end.generations == [1] or case.act == "claim"
