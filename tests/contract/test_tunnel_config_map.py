"""A cloudflared that runs in the cluster and reads a ConfigMap, and a command that makes DNS records: what Norn writes
for them, and when it restarts cloudflared.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, cast

import pytest

from norn_tasks.adapters.cloudflare.config_map import HASH, ConfigMapRules
from norn_tasks.adapters.cloudflare.route_command import RouteCommand
from norn_tasks.adapters.cloudflare.rules import KeptRules
from norn_tasks.domain.errors import TunnelFailed
from norn_tasks.domain.tunnel.external_host import ExternalHost
from tests.fakes.kubernetes_objects import FakeKubeObjects
from tests.fakes.stop import FakeStop, FakeWatch
from tests.fakes.tunnel import FakeExternalHosts

MAIL, SERVICE = "mail.example.com", "http://mail.apps.svc"
BEFORE = """tunnel: norn
ingress:
  # the wiki
  - hostname: wiki.example.com
    service: http://10.0.0.9
  - service: http_status:404
"""
OURS = f"  - hostname: {MAIL}\n    service: {SERVICE}\n"
AFTER = BEFORE.replace("  - service: http_status", f"{OURS}  - service: http_status")


class Killed(BaseException):
    """Simulates a killed worker: no code of Norn catches this exception."""


class InCluster:
    """The adapter, with rows and objects in memory."""

    def __init__(self) -> None:
        self.hosts, self.objects = FakeExternalHosts(), FakeKubeObjects()
        self.objects.put("ConfigMap", "cloudflared", data={"config.yaml": BEFORE})
        spec = {"replicas": 2, "template": {"metadata": {"labels": {"app": "cloudflared"}}}}
        self.objects.put("Deployment", "cloudflared", spec=spec, status={"readyReplicas": 2, "updatedReplicas": 2})
        self.keeper = ConfigMapRules(cast(Any, self.objects), "cloudflared")
        self.tunnel = KeptRules(self.keeper, self.hosts)

    def route(self, host: str = MAIL) -> bool:
        return self.tunnel.route("mail", host, SERVICE, FakeWatch().watch).changed

    @property
    def text(self) -> str:
        return str(self.objects.there["ConfigMap", "cloudflared"]["data"]["config.yaml"])

    @property
    def hash(self) -> str | None:
        template = self.objects.there["Deployment", "cloudflared"]["spec"]["template"]
        found: str | None = template["metadata"].get("annotations", {}).get(HASH)
        return found


@pytest.fixture
def cluster() -> InCluster:
    return InCluster()


def test_a_rule_is_written_and_the_pods_are_restarted(cluster: InCluster) -> None:
    assert cluster.route()
    assert (cluster.text, cluster.objects.patches) == (AFTER, ["ConfigMap", "Deployment"])
    assert cluster.hash is not None


def test_the_same_rule_again_restarts_nothing(cluster: InCluster) -> None:
    cluster.route()
    assert not cluster.route()
    assert cluster.objects.patches == ["ConfigMap", "Deployment"]


def test_a_teardown_leaves_the_file_as_it_was(cluster: InCluster) -> None:
    cluster.route()
    first = cluster.hash
    cluster.tunnel.unroute("mail", FakeWatch().watch)
    assert (cluster.text, cluster.hosts.there) == (BEFORE, {})
    assert cluster.hash not in (None, first)


def test_a_change_of_others_at_the_same_moment_is_kept(cluster: InCluster) -> None:
    def other(kind: str) -> None:
        cluster.objects.before = lambda kind: None
        data = cluster.objects.there["ConfigMap", "cloudflared"]["data"]
        data["config.yaml"] = BEFORE.replace("10.0.0.9", "10.0.0.7")
        cluster.objects.touch("ConfigMap", "cloudflared")

    cluster.objects.before = other
    cluster.route()
    assert cluster.text == AFTER.replace("10.0.0.9", "10.0.0.7")


def test_a_kill_between_the_file_and_the_restart_is_followed_by_the_restart(cluster: InCluster) -> None:
    def kill(kind: str) -> None:
        if kind == "Deployment":
            raise Killed

    cluster.objects.before = kill
    with pytest.raises(Killed):
        cluster.route()
    assert (cluster.text, cluster.hash) == (AFTER, None)
    cluster.objects.before = lambda kind: None
    assert cluster.route()
    assert cluster.hash is not None


def test_a_file_that_cloudflared_would_refuse_is_not_touched(cluster: InCluster) -> None:
    bad = "ingress:\n  - hostname: a.example.com\n    service: http://10.0.0.9\n"
    cluster.objects.there["ConfigMap", "cloudflared"]["data"]["config.yaml"] = bad
    with pytest.raises(TunnelFailed, match="the last rule does not match every request"):
        cluster.route()
    assert cluster.text == bad


@pytest.mark.parametrize("kind", ["ConfigMap", "Deployment"])
def test_a_missing_object_is_named(cluster: InCluster, kind: str) -> None:
    del cluster.objects.there[kind, "cloudflared"]
    with pytest.raises(TunnelFailed, match=f"the cluster has no {kind} cloudflared/cloudflared"):
        cluster.route()


@pytest.mark.parametrize(
    ("status", "silent"),
    [
        ({"readyReplicas": 2, "updatedReplicas": 2}, ""),
        ({}, "no pod of the Deployment cloudflared/cloudflared is ready"),
    ],
)
def test_a_look_sees_whether_cloudflared_runs(cluster: InCluster, status: dict[str, int], silent: str) -> None:
    cluster.route()
    cluster.objects.there["Deployment", "cloudflared"]["status"] = status
    look = cluster.tunnel.look(FakeStop())
    assert look is not None
    assert (look.faults, look.silent) == ({MAIL: ""}, silent)


# The command that makes DNS records

PROGRAM = """#!{python}
import os, sys
with open({log!r}, "a") as log:
    print(*sys.argv[1:], os.environ.get("TUNNEL_ORIGIN_CERT"), file=log)
host = sys.argv[-1]
if host.startswith("taken"):
    print("Failed to add route: code: 1003, reason: An A, AAAA, or CNAME record with that host already exists.",
          file=sys.stderr)
    sys.exit(1)
if host.startswith("nocert"):
    print("Cannot determine default origin certificate path. No file cert.pem in [~/.cloudflared]", file=sys.stderr)
    sys.exit(1)
print("INF Added CNAME", host, "which will route to this tunnel")
"""


@pytest.fixture
def dns(tmp_path: Path) -> RouteCommand:
    """The adapter with a command that writes its arguments to `log`."""
    program = tmp_path / "cloudflared"
    program.write_text(PROGRAM.format(python=sys.executable, log=str(tmp_path / "log")))
    program.chmod(0o755)
    return RouteCommand(FakeExternalHosts(), str(program), lambda: "norn", tmp_path / "cert.pem")


def point(dns: RouteCommand, host: str) -> None:
    dns.hosts.claim("mail", host, FakeWatch().watch.fence)
    dns.hosts.save(ExternalHost(host, "mail", service=SERVICE, ruled=True), FakeWatch().watch.fence)
    dns.point("mail", host, FakeWatch().watch)


def test_a_record_is_made_by_the_command(dns: RouteCommand, tmp_path: Path) -> None:
    point(dns, MAIL)
    assert (tmp_path / "log").read_text() == f"tunnel route dns norn {MAIL} {tmp_path}/cert.pem\n"
    assert [each.recorded for each in dns.hosts.all()] == [True]


def test_a_teardown_says_which_record_it_left(dns: RouteCommand) -> None:
    point(dns, MAIL)
    outcome = dns.unpoint("mail", FakeWatch().watch)
    assert outcome.note.startswith(f"left in Cloudflare's DNS: the CNAME of {MAIL}")


@pytest.mark.parametrize(
    ("host", "sentence"),
    [
        ("taken.example.com", "taken.example.com already has a DNS record that Norn did not make"),
        ("nocert.example.com", "cloudflared could not make the DNS record of nocert.example.com: Cannot determine"),
    ],
)
def test_a_failure_of_the_command_is_said(dns: RouteCommand, host: str, sentence: str) -> None:
    with pytest.raises(TunnelFailed) as refused:
        point(dns, host)
    assert refused.value.sentence.startswith(sentence)
