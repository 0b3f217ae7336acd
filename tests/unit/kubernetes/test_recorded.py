"""The verdicts on objects that a real cluster (v1.20.2) showed for broken releases, while the old one served.

An observer read the objects once a second, and wrote each file when it first found that the rollout had failed. Fields
without meaning for a verdict were removed. Newer versions show the same states with other messages: `examples.py` has
those.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from norn_tasks.adapters.kubernetes.assess import assess
from norn_tasks.adapters.kubernetes.assess.files import objects_in

FILES = Path(__file__).parent / "recorded"

RECORDED = {
    "admission-denied": (
        "admission_denied",
        'the admission webhook "signed.k2.example.com" refuses the pod: images must be signed (FailedCreate)',
    ),
    "affinity": (
        "affinity",
        "no node fits the rules of affinity and spread: node(s) didn't match pod affinity/anti-affinity "
        "(Unschedulable)",
    ),
    "bad-command-file": (
        "bad_command",
        'the command "/nowhere/run" of the container cannot be started: no such file (RunContainerError)',
    ),
    "bad-command": (
        "bad_command",
        'the command "no-such-program" of the container cannot be started: executable file not found '
        "(RunContainerError)",
    ),
    "claim-missing": ("claim_missing", 'the claim "none-such" of the pod does not exist (Unschedulable)'),
    "claim-unbound": (
        "claim_unbound",
        'the claim "data-none" asks for the storage class "none-such", which does not exist (ProvisioningFailed)',
    ),
    "config-map-key-missing": (
        "config_map_key_missing",
        'the ConfigMap "there" has no key "COLOUR", which the container needs (CreateContainerConfigError)',
    ),
    "config-map-missing": (
        "config_map_missing",
        'the ConfigMap "none-such", which the container needs, does not exist (CreateContainerConfigError)',
    ),
    "crash-loop": ("crash_loop", "the container exited with code 3 (CrashLoopBackOff)"),
    "deadline": (
        "readiness_probe",
        "the rollout made no progress for 15 s: the readiness probe of the container (GET /health on "
        "port 8080) gets status 404",
    ),
    "exits-zero-late": (
        "exits_zero",
        "the container ends by itself with exit code 0, 3 times by now, although it should run on (Completed)",
    ),
    "exits-zero": (
        "exits_zero",
        "the container ends by itself with exit code 0, although it should run on (CrashLoopBackOff)",
    ),
    "hanging-start": (
        "probe_timeout",
        "the startup probe of the container (GET / on port 8080) gets no answer in time",
    ),
    "hook-fails": ("hook_failed", "a hook of the container failed: command 'false' exited with 1"),
    "image-not-found": (
        "image_not_found",
        'the image "127.0.0.1:15000/k2/gone:1" is not in its registry (ErrImagePull)',
    ),
    "image-not-loaded": (
        "image_not_loaded",
        'the image "norn/nowhere:1" is not on the node "node1", and its pull policy is Never (ErrImageNeverPull)',
    ),
    "init-fails": ("init_failed", 'the init container "prepare" exited with code 7 (CrashLoopBackOff)'),
    "insufficient-memory": (
        "insufficient",
        "no node has enough memory free (the pod asks for 640Gi) (Unschedulable)",
    ),
    "invalid-image-name": (
        "invalid_image_name",
        'the image name "Not_An:Image:Name" is not valid (InvalidImageName)',
    ),
    "limit-range": (
        "limit_range",
        "a LimitRange of the namespace refuses the pod: maximum memory usage per Container is 1Gi, but "
        "limit is 2Gi (FailedCreate)",
    ),
    "liveness-fails": ("liveness_probe", "the liveness probe of the container (GET / on port 8080) gets status 404"),
    "no-such-node": ("no_such_node", "no node has the labels that the pod asks for (disk=ssd) (Unschedulable)"),
    "not-executable": (
        "bad_command",
        'the command "/etc/passwd" of the container cannot be started: permission denied (RunContainerError)',
    ),
    "out-of-memory": (
        "out_of_memory",
        "the container ran out of memory (its limit is 16Mi) and was killed (OOMKilled)",
    ),
    "pod-quota": (
        "quota",
        'the quota "small-team" does not allow another pod: requested: pods=1, used: pods=1, limited: '
        "pods=1 (FailedCreate)",
    ),
    "port-taken": ("port_taken", "the host port of the pod is in use on every node (Unschedulable)"),
    "readiness-fails": (
        "readiness_probe",
        "the readiness probe of the container (GET / on port 8080) gets status 404",
    ),
    "registry-unreachable": (
        "registry_unreachable",
        'the node cannot reach the registry of the image "127.0.0.1:15999/k2/gone:1": dial tcp '
        "127.0.0.1:15999: connect: connection refused (ErrImagePull)",
    ),
    "runs-as-root": (
        "runs_as_root",
        'the image "busybox:stable" runs as root or as a user without a number, and the container must '
        "not (CreateContainerConfigError)",
    ),
    "second-container": ("crash_loop", 'the container "side" exited with code 9 (CrashLoopBackOff)'),
    "secret-key-missing": (
        "secret_key_missing",
        'the secret "there" has no key "DATABASE_URL", which the container needs (CreateContainerConfigError)',
    ),
    "secret-missing": (
        "secret_missing",
        'the secret "none-such", which the container needs, does not exist (CreateContainerConfigError)',
    ),
    "secret-volume-missing": (
        "secret_missing",
        'the secret "none-such", which the pod needs, does not exist (FailedMount)',
    ),
    "service-account-missing": (
        "service_account_missing",
        'the ServiceAccount "none-such" of the pod does not exist (FailedCreate)',
    ),
    "startup-fails": (
        "startup_probe",
        "the startup probe of the container (GET /health on port 8080) gets status 404",
    ),
    "webhook-unreachable": (
        "webhook_unreachable",
        'the admission webhook "away.k2.example.com" cannot be asked: Post '
        '"https://10.96.128.1:18444/?timeout=2s": dial tcp 10.96.128.1:18444: connect: connection '
        "refused (FailedCreate)",
    ),
    "wrong-port-tcp": (
        "nothing_listens",
        "nothing listens on port 8080 of the container (startup probe: connection refused)",
    ),
    "wrong-port": (
        "nothing_listens",
        "nothing listens on port 8080 of the container (startup probe: connection refused)",
    ),
}


LATER = {"claim-unbound": timedelta(seconds=2)}
"""Time that is added to the moment of a reading. In this file the pod was only four seconds old, and the time limit of
an unbound claim now begins with the start of its pod.
"""


def read(name: str) -> tuple[list[dict], datetime]:
    """Returns the objects of a file, and when they were read."""
    written = (FILES / f"{name}.yaml").read_text()
    moment = re.search(r"read at (\S+)", written)
    assert moment
    return list(objects_in(written, name)), datetime.fromisoformat(moment[1]) + LATER.get(name, timedelta(0))


def test_every_file_has_its_verdict() -> None:
    assert {path.stem for path in FILES.glob("*.yaml")} == set(RECORDED)


@pytest.mark.parametrize("name", RECORDED)
def test_the_cause_that_a_cluster_showed_is_named(name: str) -> None:
    things, now = read(name)
    found = assess(things, now)
    assert (found.verdict, found.cause, found.sentence) == ("failed", *RECORDED[name])


@pytest.mark.parametrize("name", RECORDED)
def test_without_its_events_a_rollout_is_never_available(name: str) -> None:
    things, now = read(name)
    assert assess([each for each in things if each["kind"] != "Event"], now).verdict != "available"


def test_the_recorded_deployments_without_their_pods_are_progressing_or_failed() -> None:
    for name in RECORDED:
        things, now = read(name)
        assert assess([each for each in things if each["kind"] == "Deployment"], now).verdict != "available"
