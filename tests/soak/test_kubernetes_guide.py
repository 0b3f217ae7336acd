"""Runs the four apps of the product guide on a real Kubernetes cluster; the webserver and the worker run in the
cluster.

Pods and the containers of runs and calls reach the services at the machine's address in the cluster.
"""

from __future__ import annotations

import hmac
import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import httpx
import psycopg2
import pytest
import redis

from tests.e2e.conftest import clean_up, new_stack
from tests.e2e.stack import Stack
from tests.e2e.test_guide import APPS, ENDS, GUIDE, ORDER, SIGNING_KEY, engine, picture, reported
from tests.forwarding import forwarded
from tests.kube import KubeKit, started
from tests.servers import Broker, Postgres, allowed, wait_until

KINDS = "deployment,service,secret,pdb,pvc"
OBJECTS = {"mail-agent": ["Deployment", "Secret", "Service"], "queue-processor": ["Deployment", "Secret"]}

__all__ = ["engine"]


@pytest.fixture(scope="module")
def kube() -> KubeKit:
    """The cluster."""
    return started()


@pytest.fixture(scope="module")
def namespace(kube: KubeKit) -> Iterator[str]:
    """A namespace that is removed afterwards."""
    with kube.namespace(f"guide-{os.getpid()}") as name:
        yield name


@pytest.fixture(scope="module")
def norn(kube: KubeKit, namespace: str, postgres: Postgres, private_dir: Path) -> Iterator[Stack]:
    """A whole Norn with the cluster, and the four apps: forged and deployed."""
    home = private_dir / "guide"
    home.mkdir()
    broker, keys = Broker(home / "broker"), Broker(home / "keys")
    around, host = ExitStack(), kube.environment["NORN_KUBE_HOST"]
    environment = {
        **{name: kube.environment[name] for name in ("KUBECONFIG", "NORN_REGISTRY_URL")},
        "NORN_SERVICES_POSTGRES_URL": postgres.url("postgres"),
        "NORN_SERVICES_POSTGRES_ADDRESS": around.enter_context(forwarded(host, postgres.port)),
        "NORN_SERVICES_KV_URL": keys.url.removesuffix("/0"),
        "NORN_SERVICES_KV_ADDRESS": around.enter_context(forwarded(host, keys.port)),
    }
    stack = new_stack(postgres, broker.url, home, NORN_KUBE_NAMESPACE=namespace, **environment)
    try:
        stack.keep_secrets()
        stack.start()
        for name in APPS:
            shutil.copytree(GUIDE / name, stack.apps / name)
        with (stack.apps / "thumbnail-gen" / "infraspec.yaml").open("a") as spec:
            spec.write("secrets: [SIGNING_KEY]\n")
        stack.norn("secrets", "set", "thumbnail-gen", "SIGNING_KEY", "-", stdin=SIGNING_KEY)
        for name in APPS:
            stack.norn("forge", name)
        for name in APPS:
            job = int(stack.json("deploy", name, "--detach")["job"])
            assert stack.await_state(job, ENDS, 900)["state"] == "succeeded", stack.job(job)["error"]
        yield stack
    finally:
        stack.stop()
        clean_up(stack)
        for server in (broker, keys):
            server.stop()
        around.close()


def test_the_guides_apps_live_where_their_roles_say(norn: Stack, kube: KubeKit, namespace: str) -> None:
    for name in APPS:
        found = [each["kind"] for each in kube.objects(namespace, KINDS, f"norn.io/app={name}")]
        assert (name, sorted(found)) == (name, OBJECTS.get(name, []))


@pytest.fixture(scope="module")
def mail(norn: Stack, kube: KubeKit, namespace: str) -> str:
    """The address of the mail agent."""
    (service,) = kube.objects(namespace, "service", "norn.io/app=mail-agent")
    return f"http://{service['spec']['clusterIP']}"


def test_mail_agent_serves_on_its_service(mail: str) -> None:
    answer = httpx.get(f"{mail}/health", timeout=20)
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


def sql(postgres: Postgres, database: str, statement: str) -> list[tuple[Any, ...]]:
    """Returns the rows that a statement finds in the database of an app."""
    with closing(psycopg2.connect(postgres.url(database))) as connection, connection, connection.cursor() as cursor:
        cursor.execute(statement)
        return list(cursor.fetchall())


def test_mail_agent_writes_a_mail_into_its_database(mail: str, postgres: Postgres) -> None:
    asked = {"to": "ann@example.com", "subject": "Hello", "text": "from the guide"}
    made = httpx.post(f"{mail}/messages", json=asked, timeout=20)
    kept = httpx.get(f"{mail}/messages/{made.json()['id']}", timeout=20)
    assert (made.status_code, "Subject: Hello" in kept.text) == (201, True)
    assert sql(postgres, "mailagent_db", "SELECT subject FROM mails") == [("Hello",)]


def test_daily_report_reports_on_schedule_what_is_in_its_database(norn: Stack, postgres: Postgres) -> None:
    role = f"norn-{norn.rows('SELECT name FROM instance')[0]['name']}-daily-report"
    sql(postgres, "reports_db", ORDER.format(role=role))
    assert "Orders: 1, together 13.50 EUR" in reported(norn)


def test_thumbnail_gen_reads_its_secret(norn: Stack) -> None:
    small = norn.norn("invoke", "thumbnail-gen", "--body", "-", stdin=picture(300, 150)).stdout
    signed = norn.norn("invoke", "thumbnail-gen", "--path", "/?sign=1", "--body", "-", stdin=picture(300, 150))
    assert signed.stdout.decode().strip() == hmac.new(SIGNING_KEY, small, "sha256").hexdigest()


def test_queue_processor_moves_a_message_between_its_topics(norn: Stack) -> None:
    with redis.Redis.from_url(norn.environment["NORN_SERVICES_KV_URL"], decode_responses=True) as server:
        server.xadd("jobs.pending", {"body": "360"})
        wait_until(lambda: server.xlen("jobs.completed") == 1, allowed(60), "the worker does its first job")
        ((_, answer),) = server.xrange("jobs.completed")
    assert answer == {"body": "360 = 2 × 2 × 2 × 3 × 3 × 5"}
    wait_until(lambda: b"job 1: 360" in norn.norn("logs", "queue-processor").stdout, allowed(30), "it is in the log")
