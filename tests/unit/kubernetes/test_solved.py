"""Problems that are solved: Kubernetes keeps events longer than the problem exists, and such an event must fail no
rollout.
"""

from __future__ import annotations

import pytest

from tests.unit.kubernetes.examples import CLAIM
from tests.unit.kubernetes.made import during, event, pod, replica_set, rolling, stamp, unscheduled, waiting
from tests.unit.kubernetes.test_transient import judged

CREATING = waiting("ContainerCreating")
SECRET = 'MountVolume.SetUp failed for volume "tls" : secret "tls" not found'
MULTI = 'Multi-Attach error for volume "pv-1" Volume is already exclusively attached to one node'
LATE = "Unable to attach or mount volumes: timed out waiting for the condition"
QUOTA = 'Error creating: pods "shop-v2-a" is forbidden: exceeded quota: small, requested: pods=1, used: pods=2'


def of_pod(reason: str, message: str, **times: float) -> dict:
    """Returns an event of the new pod."""
    return event(reason, message, CREATING, **times)


PULLING = of_pod("Pulling", "Pulling image", first=20)
SOLVED = {
    "a sandbox": [of_pod("FailedCreatePodSandBox", "cni not ready", first=1, last=9), PULLING],
    "a secret that came late": [of_pod("FailedMount", SECRET, first=1, last=9), PULLING],
    "a volume that was elsewhere": [
        of_pod("FailedAttachVolume", MULTI, first=1), of_pod("FailedMount", LATE, first=9),
        of_pod("SuccessfulAttachVolume", "attached", first=15), PULLING,
    ],
}  # fmt: skip


@pytest.mark.parametrize("case", SOLVED)
def test_a_node_that_came_further_has_solved_what_kept_it(case: str) -> None:
    assert judged(during(CREATING, *SOLVED[case]), 3600) == ("progressing", "not_ready")
    assert judged(during(CREATING, *SOLVED[case][:1]), 3600)[0] == "failed"


def test_a_trouble_that_comes_again_has_its_time_again() -> None:
    again = [of_pod("SuccessfulAttachVolume", "attached", first=100), of_pod("FailedMount", LATE, first=1, last=110)]
    assert judged(during(CREATING, *again), 155) == ("progressing", "volume_not_mounted")
    assert judged(during(CREATING, *again), 165) == ("failed", "volume_not_mounted")


def test_a_volume_that_another_node_still_has_is_waited_for() -> None:
    held = [of_pod("FailedAttachVolume", MULTI, first=1), of_pod("FailedMount", LATE, first=120, last=240)]
    assert judged(during(CREATING, *held), 390) == ("progressing", "volume_not_mounted")
    assert judged(during(CREATING, *held), 410) == ("failed", "volume_not_mounted")


def test_a_refusal_that_only_an_event_shows_must_be_recent() -> None:
    new = replica_set(2)
    new["status"]["replicas"] = 0
    seen = [rolling(replicas=1, updatedReplicas=0), replica_set(1, ready=1), new, pod(1, ready=True)]
    said = event("FailedCreate", QUOTA, new, first=0, last=30)
    assert judged([*seen, said], 40) == ("failed", "quota")
    assert judged([*seen, said], 91) == ("progressing", "starting")
    assert judged([*seen, said, event("SuccessfulCreate", "Created pod", new, first=35)], 40)[0] == "progressing"


def test_an_event_of_a_claim_from_long_before_the_pod_is_past() -> None:
    claim = {
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "shop-data", "uid": "c-1", "creationTimestamp": stamp(-600)},
        "status": {"phase": "Pending"},
    }
    new = unscheduled("0/1 nodes are available: pod has unbound immediate PersistentVolumeClaims.", **CLAIM)
    said = 'storageclass.storage.k8s.io "fast" not found'
    past = event("ProvisioningFailed", said, claim, first=-600, last=-590)
    assert judged(during(new, claim, past), 50) == ("progressing", "claim_provisioning")
    still = event("ProvisioningFailed", said, claim, first=-600, last=1)
    assert judged(during(new, claim, still), 2) == ("progressing", "claim_unbound")
    assert judged(during(new, claim, still), 6) == ("failed", "claim_unbound")
