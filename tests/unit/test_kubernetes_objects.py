"""The Kubernetes objects of an app: valid for every supported version, and with the security settings that Norn
promises.
"""

from __future__ import annotations

import struct
import subprocess
from base64 import b64decode
from dataclasses import replace
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest

from norn_tasks.adapters.kubernetes import marks
from norn_tasks.adapters.kubernetes.objects.claim import claim
from norn_tasks.adapters.kubernetes.objects.deployment import budget, deployment
from norn_tasks.adapters.kubernetes.objects.pause import program
from norn_tasks.adapters.kubernetes.objects.pod import literal, template
from norn_tasks.adapters.kubernetes.objects.run import run_job, run_program, run_secret
from norn_tasks.adapters.kubernetes.objects.secret import login, secret
from norn_tasks.adapters.kubernetes.objects.service import ports_of, service
from norn_tasks.adapters.kubernetes.site import Object, ServerVersion, Site
from norn_tasks.domain.errors import InvalidRequest
from norn_tasks.domain.infraspec import Health, Volume
from norn_tasks.domain.jobs.job import Fence
from norn_tasks.domain.secret import Secret
from norn_tasks.ports import Mount, Run, RunClient, Workload
from tests.fakes.terminal import FakeTerminal

FENCE = Fence(job=7, token=70)
IMAGE = "registry.example/norn/blog@sha256:" + "a" * 64
SITE = Site("apps", "abc123", ServerVersion(1, 30), registry_login='{"auths": {}}', storage_class="fast")
WEB = Workload(
    app="blog",
    release=3,
    generation=7,
    image="sha256:1",
    replicas=2,
    env={"GREETING": "hello"},
    argv=("serve", "--port", "8080"),
    port=8080,
    healthcheck="/health",
    internal_host="blog-web",
    memory=64 * 2**20,
    cpus=0.25,
    secrets={"TOKEN": Secret("s3cret")},
    stop_grace=10,
)
WORKER = replace(WEB, port=None, healthcheck=None, internal_host="", mounts=(Mount("blog-data", "/data"),))

RUN = Run(
    name="norn-x-7-abc123",
    app="blog",
    owner="execution:7",
    image="sha256:1",
    published=IMAGE,
    argv=("migrate", "$(NOTHING)"),
    env={"GREETING": "hello"},
    timeout=60,
    memory=64 * 2**20,
    cpus=0.5,
    writable=True,
    secrets={"TOKEN": Secret("s3cret")},
)
RUN_JOB = {"metadata": {"name": "norn-x-7-abc123-0", "uid": "1-2-3"}}
ATTACHED = replace(RUN, client=RunClient(FakeTerminal(), tty=True))


def objects(workload: Workload, site: Site = SITE) -> list[Object]:
    """All objects that the workload may need."""
    return [
        deployment(workload, template(workload, IMAGE, site), site, FENCE),
        budget(workload, site, FENCE),
        secret(workload, site, FENCE),
        login(workload, site, FENCE),
        program(workload, site, FENCE),
        claim("blog", Volume(name="data", mount_path="/data", size=2**30), site, FENCE),
        service(workload, site, FENCE),
        run_job("norn-x-7-abc123-0", RUN, site, FENCE),
        run_job("norn-x-7-abc123-0", replace(RUN, writable=False, mounts=WORKER.mounts), site, FENCE),
        run_secret(RUN_JOB, RUN, site),
        run_job("norn-x-7-abc123-0", ATTACHED, replace(site, machine="x86_64"), FENCE),
        run_program(RUN_JOB, ATTACHED, site),
    ]


def container(workload: Workload, site: Site = SITE) -> Any:
    """The app's container in the template."""
    return template(workload, IMAGE, site)["spec"]["containers"][0]


@pytest.mark.parametrize("minor", range(25, 38))
def test_every_object_is_valid_in_every_version(minor: int) -> None:
    site = replace(SITE, version=ServerVersion(1, minor))
    others = (WORKER, replace(WEB, healthcheck=None, port=80))
    more = [deployment(each, template(each, IMAGE, site), site, FENCE) for each in others]
    for made in [*objects(WEB, site), *more]:
        # The validator silently takes the nearest schema if it lacks this version; then the test would prove nothing.
        assert kubernetes_validate.validate(made, f"1.{minor}", strict=True) == f"1.{minor}"


def test_a_field_that_does_not_exist_is_caught() -> None:
    broken = deployment(WEB, template(WEB, IMAGE, SITE), SITE, FENCE)
    broken["spec"]["template"]["spec"]["containers"][0]["probe"] = {}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(broken, "1.30", strict=True)


def test_an_old_server_gets_nothing_that_it_does_not_know() -> None:
    site = replace(SITE, version=ServerVersion.read({"major": "1", "minor": "20+"}))
    hook = container(WEB, site)["lifecycle"]["preStop"]
    assert (hook, budget(WEB, site, FENCE)["apiVersion"]) == ({"exec": {"command": ["sleep", "5"]}}, "policy/v1beta1")


def test_a_pod_of_an_old_server_pauses_by_a_program_that_its_image_need_not_have(tmp_path: Path) -> None:
    site = replace(SITE, version=ServerVersion(1, 29), machine="x86_64")
    made = template(WEB, IMAGE, site)["spec"]
    (held,) = program(WEB, site, FENCE)["binaryData"].items()
    hook, (mount,) = made["containers"][0]["lifecycle"]["preStop"], made["containers"][0]["volumeMounts"]
    assert (hook, made["volumes"][0]["name"]) == (
        {"exec": {"command": [f"{mount['mountPath']}/{held[0]}"]}},
        mount["name"],
    )
    content, seconds = b64decode(held[1])[:-16], b64decode(held[1])[-16:]
    assert struct.unpack("<qq", seconds) == (5, 0)
    file = tmp_path / "pause"
    file.write_bytes(content + bytes(16))  # the same program with a pause of 0 s
    file.chmod(0o500)
    assert subprocess.run([file], check=False).returncode == 0


def test_new_servers_and_workers_need_no_program_that_pauses() -> None:
    site = replace(SITE, machine="x86_64")
    old = replace(site, version=ServerVersion(1, 29))
    pods = [template(WEB, IMAGE, site), template(replace(WEB, port=None), IMAGE, old)]
    assert [each["spec"].get("volumes") for each in pods] == [None, None]


def test_the_template_says_nothing_of_the_job_that_wrote_it() -> None:
    notes = template(WEB, IMAGE, SITE)["metadata"]["annotations"]
    assert set(notes) == {"norn.io/generation", "norn.io/release"}


def test_the_deployment_says_which_job_wrote_it() -> None:
    notes = deployment(WEB, {}, SITE, FENCE)["metadata"]["annotations"]
    assert (notes["norn.io/job"], notes["norn.io/fence"], notes["norn.io/owner"]) == ("7", "70", "release:blog:3")


def test_more_replicas_are_the_same_pods() -> None:
    assert template(WEB, IMAGE, SITE) == template(replace(WEB, replicas=5), IMAGE, SITE)


def test_a_volume_of_one_pod_makes_old_pods_go_first() -> None:
    strategies = [deployment(each, {}, SITE, FENCE)["spec"]["strategy"]["type"] for each in (WEB, WORKER)]
    assert strategies == ["RollingUpdate", "Recreate"]


def test_users_other_than_root_may_write_to_volumes_and_pods_go_where_these_are() -> None:
    spec = template(WORKER, IMAGE, SITE)["spec"]
    assert (spec["securityContext"]["fsGroup"], "affinity" in spec) == (65532, False)
    plain = template(WEB, IMAGE, SITE)["spec"]
    assert ("fsGroup" in plain["securityContext"], "affinity" in plain) == (False, True)


def test_a_rollout_waits_for_the_pod_that_takes_longest_to_end() -> None:
    long = replace(WEB, stop_grace=600)
    made = [deployment(WEB, {}, SITE, FENCE), deployment(long, {}, SITE, FENCE), deployment(WEB, {}, SITE, FENCE, 900)]
    assert [each["spec"]["progressDeadlineSeconds"] for each in made] == [195, 785, 1080]


def test_a_worker_has_no_probe_and_must_stay_up() -> None:
    spec = deployment(WORKER, {}, SITE, FENCE)["spec"]
    assert (spec["minReadySeconds"], [key for key in container(WORKER) if "Probe" in key]) == (10, [])


def test_a_webserver_without_a_healthcheck_is_asked_for_its_port() -> None:
    probe = container(replace(WEB, healthcheck=None))["startupProbe"]
    assert (probe["tcpSocket"], probe["failureThreshold"] * probe["periodSeconds"]) == ({"port": "http"}, 120)


def test_statuses_that_no_kubelet_knows_are_refused() -> None:
    with pytest.raises(InvalidRequest, match="200-399"):
        container(replace(WEB, health=Health(status="200,418")))


def test_a_directory_of_the_host_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="/srv"):
        template(replace(WEB, mounts=(Mount("/srv", "/data", host=True),)), IMAGE, SITE)


def test_secret_values_are_in_the_secret_alone() -> None:
    texts = [str(made) for made in objects(WEB) if made["kind"] != "Secret"]
    assert not any("s3cret" in text or "czNjcmV0" in text for text in texts)
    assert container(WEB)["env"][1]["valueFrom"]["secretKeyRef"] == {"name": "blog-7", "key": "TOKEN"}


@pytest.mark.parametrize(("memory", "written"), [(64 * 2**20, "64Mi"), (10**9, "1000000000")])
def test_memory_is_written_as_people_read_it(memory: int, written: str) -> None:
    resources = container(replace(WEB, memory=memory))["resources"]
    assert resources == {"requests": resources["limits"], "limits": {"memory": written, "cpu": "250m"}}


@pytest.mark.parametrize(("port", "added"), [(8080, None), (80, ["NET_BIND_SERVICE"])])
def test_only_a_low_port_needs_a_capability(port: int, added: list[str] | None) -> None:
    web = replace(WEB, port=port)
    assert container(web)["securityContext"]["capabilities"].get("add") == added
    assert ("sysctls" in template(web, IMAGE, SITE)["spec"]["securityContext"]) == (added is not None)


@pytest.mark.parametrize(
    ("text", "written"), [("$(HOME)", "$$(HOME)"), ("$$", "$$$"), ("$HOME 5$", "$HOME 5$"), ("$$(X)", "$$$$(X)")]
)
def test_the_kubelet_replaces_nothing_in_a_value(text: str, written: str) -> None:
    assert literal(text) == written


def test_the_service_has_port_80_and_the_apps_own() -> None:
    ports = service(WEB, SITE, FENCE)["spec"]["ports"]
    assert [(each["port"], each["targetPort"], each["protocol"]) for each in ports] == [
        (80, "http", "TCP"),
        (8080, "http", "TCP"),
    ]


def test_the_service_keeps_the_ports_of_pods_that_still_serve() -> None:
    before = service(WEB, SITE, FENCE)
    during = service(replace(WEB, port=9090), SITE, FENCE, ports_of(before))
    assert ports_of(during) == (80, 8080, 9090)
    assert len({each["name"] for each in during["spec"]["ports"]}) == 3


def test_a_service_on_port_80_names_it_once() -> None:
    assert [each["port"] for each in service(replace(WEB, port=80), SITE, FENCE)["spec"]["ports"]] == [80]


def test_the_pod_of_a_run_is_no_replica_and_does_not_start_before_it_is_recorded() -> None:
    made = run_job("norn-x-7-abc123-0", RUN, SITE, FENCE)
    pod_labels = made["spec"]["template"]["metadata"]["labels"]
    assert not marks.selected("blog", SITE.instance).items() <= pod_labels.items()
    assert (made["spec"]["parallelism"], made["spec"]["backoffLimit"]) == (0, 0)


def test_a_run_has_its_secrets_by_reference_and_its_words_as_they_are() -> None:
    made = run_job("norn-x-7-abc123-0", RUN, SITE, FENCE)
    (run,) = made["spec"]["template"]["spec"]["containers"]
    assert ("s3cret" in str(made), run["command"]) == (False, ["migrate", "$$(NOTHING)"])
    assert run["env"][-1]["valueFrom"]["secretKeyRef"] == {"name": "norn-x-7-abc123-0", "key": "TOKEN"}


def test_the_container_of_a_run_with_a_client_waits_with_norns_program_or_that_of_the_image() -> None:
    with_program, without = (
        run_job("norn-x-7-abc123-0", ATTACHED, replace(SITE, machine=machine), FENCE)["spec"]["template"]["spec"]
        for machine in ("x86_64", "aarch64")
    )
    (seconds,) = struct.unpack("<q", b64decode(run_program(RUN_JOB, ATTACHED, SITE)["binaryData"]["pause"])[-16:-8])
    assert with_program["containers"][0]["command"] == ["/.norn/pause"]
    assert with_program["volumes"][0]["configMap"]["name"] == "norn-x-7-abc123-0"
    assert (without["containers"][0]["command"], "volumes" in without) == (["sleep", str(seconds)], False)
    assert seconds == 60 + 10 + 3600
