"""Sixteen broken releases through Norn's own deploy on a real Kubernetes cluster, while observers check each status.

Each deploy fails by its true cause, soon after the cluster shows it; the old release serves throughout, and Norn
records it as live. Observers in processes of their own poll the API server and the rows at least five times a second:
while Norn says that the newest deployment of an app is deployed, all pods of the app are updated and ready. In one test
the worker has a deliberate bug: its gate (the final check of a rollout) returns at once. There the observers must find
a false statement.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from norn_tasks.adapters.kubernetes.access import ClusterAccess
from norn_tasks.adapters.kubernetes.api import Api
from tests.e2e.stack import Stack
from tests.e2e.test_kubernetes import kube, namespace
from tests.kube import KubeKit
from tests.kube_hook import REFUSED, refusing_pods
from tests.kube_norn import norn_over
from tests.kube_observer import Observed, observing
from tests.kube_watching import Sighting, Thief, Visitor, condition
from tests.planted import Bug, copy_tree, plant
from tests.servers import Postgres, allowed, wait_until
from tests.soak.test_kubernetes_broken import CASES, ONCE, QUOTA, SECONDS, WWW

AT_ONCE = 3
ENDS = ("succeeded", "failed", "error", "dead", "superseded", "expired", "cancelled")
DOCKERFILE = "FROM busybox:stable\nRUN echo {word} > /word\n"
SERVES = f"{WWW}; httpd -f -p 8080 -h /www & wait"
MORE = 15
"""How often another app is deployed with success while the broken deploys run."""
PLANTED = Bug(
    "the gate returns at once", "norn_tasks/adapters/kubernetes/gate.py",
    "            if found.verdict is RolloutVerdict.AVAILABLE:\n", "            if True:\n",
    f"{__name__}::test_a_gate_that_returns_at_once_is_caught_by_the_observers",
)  # fmt: skip
__all__ = ["kube", "namespace"]

pytestmark = pytest.mark.timeout(3000)


def shell(text: str) -> list[str]:
    """Returns a command that ends at SIGTERM."""
    return ["sh", "-c", f"trap 'exit 0' TERM; {text}"]


@dataclass(frozen=True)
class Bad:
    """The changes of the spec that make a release broken."""

    changes: dict[str, Any] = field(default_factory=dict)
    says: str = ""
    """Words of the error's sentence; if empty, the words in `CASES` for the same release."""


BAD = {
    "bad-image-name": Bad({"image": "Shop:Latest:7"}, "image"),
    "image-gone": Bad({"image": "{registry}/gone:7"}, "gone"),
    "missing-secret-key": Bad({"secrets": ["PASSWORD"]}),
    "crash-loop": Bad({"command": shell("sleep 3; exit 3")}),
    "failing-readiness": Bad({"command": shell(ONCE.format(www=WWW)), "healthcheck": "/cgi-bin/once"}),
    "oom-at-start": Bad({"command": shell("x=$(head -c 100000000 /dev/zero | tr '\\0' a); echo done")}),
    "unschedulable": Bad({"resources": {"cpu": 200}}, "no node has enough cpu free"),
    "quota": Bad(),
    "admission-refusal": Bad({"env": {REFUSED["name"]: REFUSED["value"]}}),
    "bad-command": Bad({"command": ["nosuchprogram"]}),
    "failing-test": Bad({"build": {"test": "echo no; exit 9"}}, "exit"),
    "failing-startup": Bad({"healthcheck": "/nowhere"}),
    "hanging-start": Bad({"command": shell("httpd -f -p 8080 & sleep 0.2; kill -STOP $!; sleep 1000 & wait")}),
    "wrong-port": Bad({"command": shell("httpd -f -p 9090 & wait")}),
    "exits-zero": Bad({"command": shell("exit 0")}),
    "unbound-claim": Bad({"volumes": [{"name": "data", "mountPath": "/data", "size": "1g"}]}),
}  # fmt: skip


@dataclass(frozen=True)
class End:
    """The result of a broken deploy."""

    state: str
    sentence: str
    seconds: float | None
    """The seconds from the moment at which the cluster showed the cause to the end of the job."""
    live: bool
    """True if the old release is recorded as live and exactly its pods are ready."""
    failures: list[str]
    asked: int


@pytest.fixture(scope="module")
def norn(kube: KubeKit, namespace: str, postgres: Postgres, private_dir: Path, engine_address: str) -> Iterator[Stack]:
    """A complete Norn whose rollouts have a short time limit."""
    more = {
        "NORN_ROLLOUT_TIMEOUT": "6", "NORN_KUBE_STORAGE_CLASS": "none-such", "NORN_WORKERS_DEPLOY": str(2 * AT_ONCE),
    }  # fmt: skip
    with norn_over(kube, namespace, postgres, private_dir / "deploys", **more) as stack:
        yield stack


def write(stack: Stack, app: str, spec: dict[str, Any], word: str) -> None:
    """Writes an app's directory."""
    stack.add_app(app, yaml.safe_dump(spec), {"Dockerfile": DOCKERFILE.format(word=word)})


def good(app: str, *, worker: bool) -> dict[str, Any]:
    """Returns the spec of a release that works."""
    base: dict[str, Any] = {"app": app, "resources": {"memory": "16m"}}
    if worker:
        return {**base, "role": "worker", "command": shell("while :; do sleep 0.1; done")}
    more = {"port": 8080, "healthcheck": "/health", "hosts": {"internal": app}}
    return {**base, "role": "webserver", "command": shell(SERVES), **more}


def end_of(stack: Stack, kube: KubeKit, api: Api, name: str) -> End:
    """Deploys a release that works, and then the broken one."""
    case, bad = CASES.get(name), BAD[name]
    worker = case is not None and case.worker
    write(stack, name, good(name, worker=worker), "good")
    stack.norn("forge", name)
    stack.norn("deploy", name)
    before = live_of(stack, name)
    if bad.changes.get("secrets"):
        stack.norn("secrets", "set", name, "PASSWORD", stdin=b"x")
    registry = kube.environment["NORN_REGISTRY_URL"]
    changes = {key: value.format(registry=registry) if key == "image" else value for key, value in bad.changes.items()}
    write(stack, name, {**good(name, worker=worker), **changes}, f"bad {name}")
    with ExitStack() as around:
        service = api.get("Service", name)
        visitor = Visitor(f"http://{service['spec']['clusterIP']}/", "good") if service is not None else None
        sighting = Sighting(api, name, case.shown) if case is not None else None
        for each in (visitor, sighting):
            if each is not None:
                around.enter_context(each)
        if name == "missing-secret-key":
            around.enter_context(Thief(api, name, "PASSWORD"))
        if name == "quota":
            pods = [each for each in api.all_of("Pod") if "deletionTimestamp" not in each["metadata"]]
            around.callback(kube.kubectl, "-n", api.namespace, "delete", "resourcequota", "small")
            file = stack.home / "quota.json"
            file.write_text(QUOTA.replace('"pods": "1"', f'"pods": "{len(pods)}"'))
            kube.kubectl("-n", api.namespace, "apply", "-f", str(file))
        asked = stack.norn("-o", "json", "deploy", name, "--detach", check=False)
        if asked.returncode:
            state, sentence, at = "refused", asked.stderr.decode(), time.time()
        else:
            (row,) = stack.rows("SELECT max(id) AS id FROM jobs WHERE app = %s AND kind = 'deploy'", name)
            ended = stack.await_state(row["id"], ENDS, 300)
            state, sentence, at = (
                ended["state"],
                (ended["error"] or {}).get("sentence", ""),
                ended["ended_at"].timestamp(),
            )
        seconds = None if sighting is None or sighting.at is None else at - sighting.at
    ready = [
        int(each["metadata"]["annotations"]["norn.io/generation"])
        for each in api.all_of("Pod", f"norn.io/app={name}")
        if condition("Ready", "True")([each]) and "deletionTimestamp" not in each["metadata"]
    ]
    live = live_of(stack, name) == before and ready == [before[1]]
    return End(state, sentence, seconds, live, visitor.failures if visitor else [], visitor.asked if visitor else 0)


def live_of(stack: Stack, app: str) -> tuple[int, int]:
    """Returns the live release and its generation, as Norn records them."""
    (row,) = stack.rows("SELECT n, generation FROM live_releases WHERE app = %s", app)
    return row["n"], row["generation"]


def good_deploys(stack: Stack) -> int:
    """Deploys a working app repeatedly; returns how often."""
    for n in range(MORE):
        write(stack, "steady", {**good("steady", worker=False), "replicas": 2, "env": {"N": str(n)}}, "good")
        if n == 0:
            stack.norn("forge", "steady")
        stack.norn("deploy", "steady")
    return MORE


@dataclass(frozen=True)
class Seen:
    """The results of all broken deploys, and the findings of the observer."""

    ends: dict[str, Future[End]]
    deploys: Future[int]
    observers: list[Observed]


@pytest.fixture(scope="module")
def seen(norn: Stack, kube: KubeKit, namespace: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seen]:
    """All deploys; the one under a quota comes last, since a quota is for the whole namespace."""
    config = Path(kube.environment["KUBECONFIG"])
    api = Api(ClusterAccess(namespace, config))
    with ExitStack() as around:
        around.enter_context(refusing_pods(kube, namespace, tmp_path_factory.mktemp("hook")))
        observers = around.enter_context(observing(namespace, config, norn.database_url))
        with ThreadPoolExecutor(AT_ONCE) as pool, ThreadPoolExecutor(1) as beside:
            deploys = beside.submit(good_deploys, norn)
            ends = {name: pool.submit(end_of, norn, kube, api, name) for name in BAD if name != "quota"}
        with ThreadPoolExecutor(1) as pool:
            ends["quota"] = pool.submit(end_of, norn, kube, api, "quota")
        wait({*ends.values(), deploys})
    yield Seen(ends, deploys, observers)


@pytest.mark.parametrize("name", BAD)
def test_a_broken_deploy_fails_by_its_cause_and_the_old_release_serves(seen: Seen, name: str) -> None:
    end, case = seen.ends[name].result(), CASES.get(name)
    print(f"\n| {name} | {'–' if end.seconds is None else f'{end.seconds:.1f}'} | {end.state}: {end.sentence} |")
    assert end.state in ("failed", "refused")
    assert (BAD[name].says or (case.says if case is not None else "")) in end.sentence
    assert (end.seconds or 0) <= allowed(SECONDS)
    assert end.failures == []
    assert end.live or name == "unbound-claim"


def test_no_status_says_deployed_of_an_app_that_is_not(seen: Seen) -> None:
    deploys = len(BAD) * 2 + seen.deploys.result()
    polls = sum(each.polls for each in seen.observers)
    rate = sum(each.polls / each.seconds for each in seen.observers)
    longest = max(each.longest for each in seen.observers)
    print(f"\n{polls} polls, {rate:.1f} a second, at most {longest:.2f} s apart, {deploys} deploys, {len(BAD)} broken")
    assert [lie for each in seen.observers for lie in each.lies] == []
    assert deploys >= 30
    assert rate >= 5


def test_a_gate_that_returns_at_once_is_caught_by_the_observers(
    norn: Stack, namespace: str, kube: KubeKit, seen: Seen, tmp_path: Path
) -> None:
    place = copy_tree(tmp_path / "tree")
    plant(place, PLANTED)
    write(norn, "planted", good("planted", worker=False), "good")
    norn.norn("forge", "planted")
    norn.norn("deploy", "planted")
    norn.kill_group("deploy")
    worker = norn.spawn("deploy", "planted", PYTHONPATH=str(place))
    wait_until(lambda: norn.rows("SELECT 1 FROM workers WHERE name = 'planted@test'"), allowed(60), "it works")
    with observing(namespace, Path(kube.environment["KUBECONFIG"]), norn.database_url) as observers:
        write(norn, "planted", {**good("planted", worker=False), **BAD["hanging-start"].changes}, "bad")
        job = int(norn.json("deploy", "planted", "--detach")["job"])
        state = norn.await_state(job, ENDS, 120)["state"]
        time.sleep(2)  # some ten looks of each observer, whose results are known only at its end
    worker.kill()
    norn.spawn("deploy")
    lies = [lie for each in observers for lie in each.lies]
    print(f"\nthe planted gate: the deploy {state}, and {len(lies)} looks found that it is not: {lies[:1]}")
    assert state == "succeeded"
    assert lies and all(lie.startswith("planted: ") for lie in lies)
