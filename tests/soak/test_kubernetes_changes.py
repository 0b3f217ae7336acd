"""Plans, drift and rollbacks of a complete Norn on a real Kubernetes cluster.

A plan names exactly the fields that a forge then changes, and the objects of the cluster change there and nowhere else.
`norn drift` finds each change that was made with kubectl, and nothing after a plain deploy. A rollback goes to any kept
release within the time that the design allows, without a build.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.e2e.stack import Stack
from tests.e2e.test_kubernetes import kube, namespace, served, write
from tests.kube import KubeKit
from tests.kube_norn import norn_over
from tests.servers import Postgres, allowed

SECONDS = 15
KEPT = 5
SERVES = "trap 'exit 0' TERM; httpd -f -p 8080 -h /www & httpd -f -p 9090 -h /www & wait"
BASE: dict[str, Any] = {
    "role": "webserver", "port": 8080, "command": ["sh", "-c", SERVES], "healthcheck": "/health",
    "hosts": {"internal": "shop"}, "resources": {"memory": "32m"}, "stopGrace": "10s", "secrets": [],
}  # fmt: skip
KINDS = "deployment,service,pdb,secret"

__all__ = ["kube", "namespace"]

pytestmark = pytest.mark.timeout(1500)

_POD = "Deployment shop: template.spec"
_APP = f"{_POD}.containers.app"
TEN: list[tuple[dict[str, Any], set[str], set[str]]] = [
    ({"env": {"COLOUR": "blue"}}, {"env.COLOUR"}, {f"{_APP}.env.COLOUR.value"}),
    ({"replicas": 2}, {"replicas"}, {"Deployment shop: replicas", "PodDisruptionBudget shop"}),
    ({"healthcheck": "/index.html"}, {"healthcheck"},
     {f"{_APP}.{each}Probe.httpGet.path" for each in ("startup", "readiness", "liveness")}),
    ({"hosts": {"internal": "shop-new"}}, {"hosts.internal"}, {"Service shop", "Service shop-new"}),
    ({"resources": {"memory": "48m"}}, {"resources.memory"},
     {f"{_APP}.resources.limits.memory", f"{_APP}.resources.requests.memory"}),
    ({"command": ["sh", "-c", f": other; {SERVES}"]}, {"command"}, {f"{_APP}.command"}),
    ({"stopGrace": "20s"}, {"stopGrace"},
     {f"{_POD}.terminationGracePeriodSeconds", "Deployment shop: progressDeadlineSeconds"}),
    ({"port": 9090}, {"port"},
     {f"{_APP}.ports.http.containerPort", f"{_APP}.env.PORT.value", "Service shop-new"}),
    ({"secrets": ["TOKEN"]}, {"secrets"}, {f"{_APP}.env.TOKEN.valueFrom.secretKeyRef.key", "Secret"}),
    ({"rollout": "recreate"}, {"rollout"},
     {"Deployment shop: strategy.type",
      *(f"Deployment shop: strategy.rollingUpdate.{each}" for each in ("maxSurge", "maxUnavailable"))}),
]  # fmt: skip
"""Changes of an infraspec, made one after the other; each with the fields that the plan names, and the fields of the
cluster's objects that change.
"""


@pytest.fixture(scope="module")
def norn(kube: KubeKit, namespace: str, postgres: Postgres, private_dir: Path, engine_address: str) -> Iterator[Stack]:
    """A complete Norn."""
    with norn_over(kube, namespace, postgres, private_dir / "changes") as stack:
        yield stack


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yields the values of an object with their paths; an entry of a list has its name in the path if all entries have
    names.
    """
    if isinstance(value, list) and all(isinstance(each, dict) and "name" in each for each in value):
        value = {each["name"]: {key: more for key, more in each.items() if key != "name"} for each in value}
    if isinstance(value, dict):
        for key, each in value.items():
            yield from leaves(each, f"{path}.{key}" if path else key)
    else:
        yield path, value


def objects(kube: KubeKit, namespace: str, app: str) -> dict[str, Any]:
    """Returns the fields of an app's objects by path, without fields that every new generation changes and fields that
    the cluster adds.
    """
    found: dict[str, Any] = {}
    for each in kube.objects(namespace, KINDS, f"norn.io/app={app}"):
        kind, name, spec = each["kind"], each["metadata"]["name"], each.get("spec", {})
        if kind == "Deployment":
            spec["template"].pop("metadata")
            for variable in spec["template"]["spec"]["containers"][0].get("env", []):
                variable.get("valueFrom", {}).get("secretKeyRef", {}).pop("name", None)
                if variable["name"] == "NORN_RELEASE":
                    variable.pop("value")
            found |= {f"{kind} {name}: {path}": value for path, value in leaves(spec)}
        elif kind == "Secret":
            found["Secret"] = sorted(each["data"])
        else:
            found[f"{kind} {name}"] = [port["port"] for port in spec.get("ports", ())]
    return found


def test_a_plan_names_exactly_what_a_forge_then_changes(norn: Stack, kube: KubeKit, namespace: str) -> None:
    spec = {"app": "shop", **BASE}
    write(norn, "shop", yaml.safe_dump(spec), "one")
    norn.norn("forge", "shop")
    norn.norn("deploy", "shop")
    norn.norn("secrets", "set", "shop", "TOKEN", stdin=b"value")
    for changed, fields, places in TEN:
        spec |= changed
        write(norn, "shop", yaml.safe_dump(spec), "one")
        before, live = objects(kube, namespace, "shop"), release(norn, "shop")
        planned = norn.json("plan", "shop")
        assert objects(kube, namespace, "shop") == before, "a plan changes nothing"
        norn.norn("forge", "shop")
        after, now = objects(kube, namespace, "shop"), release(norn, "shop")
        moved = {path for path in before.keys() | after.keys() if before.get(path) != after.get(path)}
        print(f"\n| {yaml.safe_dump(changed).strip()} | {planned['changes']} | {sorted(moved)} |")
        differs = {path for path in live.keys() | now.keys() if live.get(path) != now.get(path)}
        assert {each["field"] for each in planned["changes"]} == fields
        assert {each.split(".")[0] for each in fields} == {each.split(".")[0] for each in differs}
        assert moved == places
        assert not norn.json("plan", "shop")["changed"]
        assert norn.json("drift", "shop")["found"] == []


def release(stack: Stack, app: str) -> dict[str, Any]:
    """Returns the spec of the live release, by path."""
    (row,) = stack.rows("SELECT r.spec FROM live_releases l JOIN releases r USING (app, n) WHERE app = %s", app)
    return dict(leaves(row["spec"]))


_D = "deployment/drifty"
_DRIFT = "Deployment drifty: template.spec"
_P = "PodDisruptionBudget drifty"
KUBECTL: list[tuple[tuple[str, ...], str, tuple[str | None, str | None]]] = [
    (("rollout", "pause", _D), "Deployment drifty: spec.paused", (None, "true")),
    (("scale", _D, "--replicas=3"), "Deployment drifty: spec.replicas", ("2", "3")),
    (("set", "image", _D, "app=evil:1"), f"{_DRIFT}.containers.app.image", ("", "evil:1")),
    (("set", "env", _D, "EXTRA=1"), f"{_DRIFT}.containers.app.env.EXTRA.value", (None, "1")),
    (("set", "resources", _D, "--limits=memory=99Mi"), f"{_DRIFT}.containers.app.resources.limits.memory",
     ("32Mi", "99Mi")),
    (("label", _D, "team=red"), "Deployment drifty: labels.team", (None, "red")),
    (("patch", _D, "--type=merge", "-p", '{"spec": {"minReadySeconds": 7}}'), "Deployment drifty: spec.minReadySeconds",
     ("0", "7")),
    (("patch", _D, "--type=merge", "-p", '{"spec": {"template": {"spec": {"terminationGracePeriodSeconds": 99}}}}'),
     f"{_DRIFT}.terminationGracePeriodSeconds", ("15", "99")),
    (("patch", "service", "drifty", "-p", '{"spec": {"type": "NodePort"}}'), "Service drifty: spec.type",
     ("ClusterIP", "NodePort")),
    (("patch", "service", "drifty", "-p", '{"spec": {"selector": {"a": "b"}}}'), "Service drifty: spec.selector.a",
     (None, "b")),
    (("delete", "pdb", "drifty"), f"{_P}: ", ("present", None)),
]  # fmt: skip
"""The commands of kubectl, each with the field that `norn drift` then names, and the wanted and the found value of that
field.
"""


def test_drift_finds_each_change_that_was_made_with_kubectl(norn: Stack, kube: KubeKit, namespace: str) -> None:
    spec = {"app": "drifty", **BASE, "hosts": {"internal": "drifty"}, "replicas": 2, "stopGrace": "10s"}
    write(norn, "drifty", yaml.safe_dump(spec), "one")
    norn.norn("forge", "drifty")
    norn.norn("deploy", "drifty")
    assert norn.json("drift", "drifty")["found"] == [], "a plain deploy leaves no drift"
    expected: dict[str, tuple[str | None, str | None]] = {}
    for argv, field, values in KUBECTL:
        kube.kubectl("-n", namespace, *argv)
        found = {f"{each['thing']}: {each['field']}": each for each in norn.json("drift", "drifty")["found"]}
        seen = {name: (each["wanted"], each["found"]) for name, each in found.items()}
        print(f"\n| kubectl {' '.join(argv)} | {[name for name in seen if name not in expected]} |")
        expected[field] = values
        assert seen.keys() == expected.keys()
        assert seen[field] == values or values[0] == ""
    done = norn.norn("drift", "drifty", "--detailed-exitcode", check=False)
    assert done.returncode == 8


def test_a_rollback_to_any_kept_release_takes_seconds_and_no_build(norn: Stack, kube: KubeKit, namespace: str) -> None:
    spec = yaml.safe_dump({"app": "many", **BASE, "hosts": {"internal": "many"}, "replicas": 2})
    for number in range(1, KEPT + 1):
        write(norn, "many", spec, f"word-{number}")
        if number == 1:
            norn.norn("forge", "many")
        norn.norn("deploy", "many")
    took: dict[int, float] = {}
    for number in itertools.chain(range(KEPT - 1, 0, -1), (KEPT,)):
        job = int(norn.json("rollback", "many", str(number), "--detach")["job"])
        ended = norn.await_state(job, ("succeeded", "failed", "error", "dead"), 300)
        took[number] = (ended["ended_at"] - ended["created_at"]).total_seconds()
        steps = {each["name"] for each in norn.rows("SELECT name FROM steps WHERE job_id = %s", job)}
        print(f"\nrollback to release {number} of {KEPT}: {took[number]:.1f} s")
        assert (ended["state"], served(kube, namespace, "many")) == ("succeeded", f"word-{number}")
        assert "build-image" not in steps
    assert max(took.values()) < allowed(SECONDS), took
