"""A complete Norn whose apps run on a real Kubernetes cluster, used through the CLI.

Its workers have only the account and the Role of deploy/kubernetes/rbac.yaml.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e.conftest import clean_up, new_stack
from tests.e2e.stack import Stack
from tests.e2e.test_execs import Sitting
from tests.kube import KubeKit, started
from tests.servers import Broker, Postgres, allowed, wait_until

KINDS = "deployment,service,secret,configmap,pdb,pvc,pod"
DOCKERFILE = "FROM busybox:stable\nRUN mkdir /www && echo {word} > /www/index.html && echo ok > /www/health\n"
SPEC = """app: shop
role: webserver
port: 8080
command: sh -c 'trap "exit 0" TERM; httpd -f -p 8080 -h /www & wait'
healthcheck: /health
replicas: 2
hosts: {internal: shop-web}
resources: {memory: 32m}
secrets: [TOKEN]
"""
WORKER = """app: crew
role: worker
command: sh -c 'trap "exit 0" TERM; echo at work; while :; do sleep 0.2; done'
resources: {memory: 32m}
"""

pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def kube() -> KubeKit:
    """The cluster."""
    return started()


@pytest.fixture(scope="module")
def namespace(kube: KubeKit) -> Iterator[str]:
    """A namespace that is removed afterwards."""
    with kube.namespace(f"e2e-{os.getpid()}") as name:
        yield name


@pytest.fixture(scope="module")
def norn(kube: KubeKit, namespace: str, postgres: Postgres, private_dir: Path, engine_address: str) -> Iterator[Stack]:
    """A whole Norn with the cluster, and two apps: forged and deployed."""
    home = private_dir / "kube"
    home.mkdir()
    broker = Broker(home / "broker")
    environment = {
        "NORN_KUBE_NAMESPACE": namespace,
        "NORN_KUBE_CONFIG": str(kube.of_norn(namespace, home / "kubeconfig")),
        "NORN_REGISTRY_URL": kube.environment["NORN_REGISTRY_URL"],
    }
    stack = new_stack(postgres, broker.url, home, **environment)
    try:
        stack.keep_secrets()
        stack.start()
        write(stack, "shop", SPEC, "one")
        write(stack, "crew", WORKER, "crew")
        stack.norn("secrets", "set", "shop", "TOKEN", stdin=b"first")
        for app in ("shop", "crew"):
            stack.norn("forge", app)
            stack.norn("deploy", app)
        yield stack
    finally:
        stack.stop()
        clean_up(stack)
        broker.stop()


def write(stack: Stack, app: str, spec: str, word: str) -> None:
    """Writes an app's directory."""
    (stack.apps / app).mkdir(exist_ok=True)
    (stack.apps / app / "infraspec.yaml").write_text(spec)
    (stack.apps / app / "Dockerfile").write_text(DOCKERFILE.format(word=word))


def names(kube: KubeKit, namespace: str, app: str) -> list[str]:
    """Returns the kinds of the app's objects, except pods and a helper program that only old clusters need."""
    found = kube.objects(namespace, KINDS, f"norn.io/app={app}")
    return sorted(each["kind"] for each in found if each["kind"] not in ("Pod", "ConfigMap"))


def served(kube: KubeKit, namespace: str, service: str) -> str:
    """Returns the response of a Service."""
    (found,) = [each for each in kube.objects(namespace, "service") if each["metadata"]["name"] == service]
    return httpx.get(f"http://{found['spec']['clusterIP']}/", timeout=10).text.strip()


def deployment(kube: KubeKit, namespace: str, app: str) -> dict[str, Any]:
    """The app's Deployment."""
    (found,) = kube.objects(namespace, "deployment", f"norn.io/app={app}")
    return found


def test_each_role_has_exactly_its_objects(norn: Stack, kube: KubeKit, namespace: str) -> None:
    webserver = ["Deployment", "PodDisruptionBudget", "Secret", "Service"]
    assert (names(kube, namespace, "shop"), names(kube, namespace, "crew")) == (webserver, ["Deployment"])


def test_the_status_says_where_an_app_lives_and_names_its_pods(norn: Stack) -> None:
    app = norn.json("status", "shop", "--fresh")
    assert (app["cluster"], app["state"], app["ready"]) == ("kubernetes", "running", 2)
    assert [each["name"].startswith("shop-") for each in app["replicas"]] == [True, True]


def test_the_pods_pull_the_image_by_its_digest(norn: Stack, kube: KubeKit, namespace: str) -> None:
    image = deployment(kube, namespace, "shop")["spec"]["template"]["spec"]["containers"][0]["image"]
    assert image.startswith(kube.environment["NORN_REGISTRY_URL"]) and "@sha256:" in image


def test_logs_and_programs_come_from_the_pods(norn: Stack) -> None:
    wait_until(lambda: b"at work" in norn.norn("logs", "crew").stdout, 60, "the lines are kept")
    program = norn.norn("exec", "shop", "--", "cat", "/www/index.html").stdout.decode()
    assert program.strip() == "one"


def test_a_command_runs_in_the_cluster_with_the_secrets_of_the_app(norn: Stack, kube: KubeKit, namespace: str) -> None:
    asks = 'echo "${#TOKEN}"; wget -qO- http://shop-web/; exit 3'
    done = norn.norn("run", "shop", "--exit-code", "--", "sh", "-c", asks, check=False)
    assert (done.returncode, done.stdout) == (3, b"5\none\n"), done.stderr
    wait_until(lambda: kube.objects(namespace, "job,pod", "norn.io/run") == [], 60, "nothing of it is left")


def test_a_command_has_a_terminal_in_the_cluster(norn: Stack, kube: KubeKit, namespace: str) -> None:
    sitting = Sitting(norn, "run", "shop", "-t", "--", "sh", "-c", "echo in ${HOSTNAME%%-*}; exec sh")
    wait_until(lambda: sitting.sees("in norn") and (sitting.sees("# ") or sitting.sees("$ ")), allowed(60), "it asks")
    sitting.types("echo $TERM ${#TOKEN} $(stty size)\r")
    wait_until(lambda: sitting.sees("vt100 5 "), allowed(20), "it has the secrets and a terminal")
    sitting.types("exit 9\r")
    assert sitting.end() == 9
    (run, *_) = norn.json("runs", "list", "shop")["items"]
    assert (run["state"], run["exit_code"]) == ("failed", 9)
    wait_until(lambda: kube.objects(namespace, "job,pod,configmap", "norn.io/run") == [], 60, "nothing of it is left")


def test_a_second_forge_rolls_nothing(norn: Stack, kube: KubeKit, namespace: str) -> None:
    before = deployment(kube, namespace, "shop")["metadata"]["generation"]
    norn.norn("forge", "shop")
    assert deployment(kube, namespace, "shop")["metadata"]["generation"] == before


def test_a_broken_release_fails_with_its_cause_and_the_old_one_serves(
    norn: Stack, kube: KubeKit, namespace: str
) -> None:
    write(norn, "shop", SPEC.replace("httpd -f -p 8080 -h /www & wait", "echo no database; exit 3"), "two")
    failed = norn.norn("deploy", "shop", check=False)
    assert failed.returncode != 0 and b"exited with code 3" in failed.stdout + failed.stderr
    assert served(kube, namespace, "shop-web") == "one"
    app = norn.json("status", "shop", "--fresh")
    assert (app["state"], app["ready"]) == ("running", 2)
    search = ("logs", "shop", "--since", "1h", "--grep", "no data.ase")
    wait_until(lambda: b"no database" in norn.norn(*search).stdout, 60, "the lines of its pods are kept")


def test_lines_of_pods_that_are_gone_are_kept(norn: Stack) -> None:
    norn.norn("restart", "crew")
    wait_until(lambda: norn.norn("logs", "crew").stdout.count(b"at work") == 2, 60, "both pods' lines are there")
    previous = ("logs", "crew", "--previous")
    wait_until(lambda: norn.norn(*previous, check=False).returncode == 0, 60, "the old pod is gone")
    (line,) = norn.norn(*previous).stdout.decode().splitlines()
    (kept, _) = map(json.loads, norn.norn("logs", "crew", "-o", "json").stdout.splitlines())
    assert (kept["line"], kept["release"], kept["replica"]) == ("at work", 1, 1)
    assert kept["container"] == kept["source"] and kept["source"] in line and line.endswith("at work")


def test_a_change_of_port_and_name_is_rolled_out_and_a_rollback_undoes_it(
    norn: Stack, kube: KubeKit, namespace: str
) -> None:
    write(norn, "shop", SPEC.replace("8080", "9090").replace("shop-web", "shop-new"), "three")
    norn.norn("deploy", "shop")
    (found,) = kube.objects(namespace, "service", "norn.io/app=shop")
    ports = [each["port"] for each in found["spec"]["ports"]]
    assert (found["metadata"]["name"], ports, served(kube, namespace, "shop-new")) == ("shop-new", [80, 9090], "three")
    norn.norn("rollback", "shop")
    assert served(kube, namespace, "shop-web") == "one"


def test_a_scale_changes_no_pod_that_runs(norn: Stack, kube: KubeKit, namespace: str) -> None:
    before = {each["metadata"]["name"] for each in kube.objects(namespace, "pod", "norn.io/app=crew")}
    norn.norn("scale", "crew", "2")
    after = {each["metadata"]["name"] for each in kube.objects(namespace, "pod", "norn.io/app=crew")}
    assert before < after and len(after) == 2


def test_a_removed_deployment_comes_back(norn: Stack, kube: KubeKit, namespace: str) -> None:
    kube.kubectl("-n", namespace, "delete", "deployment", "crew")
    norn.norn("status", "crew", "--fresh")
    wait_until(lambda: names(kube, namespace, "crew").count("Deployment") == 1, 60, "the Deployment is back")


def test_a_teardown_leaves_nothing(norn: Stack, kube: KubeKit, namespace: str) -> None:
    for app in ("shop", "crew"):
        norn.norn("teardown", app, "--confirm", app)
        assert kube.objects(namespace, KINDS, f"norn.io/app={app}") == []
