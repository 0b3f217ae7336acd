"""When a rollout is complete: by its counts and conditions, and by its ReplicaSets and pods where they are known.

The cases in `FOREIGN` come from the health checks of Argo CD and kstatus; where these two differ, the stricter one
counts.
"""

from __future__ import annotations

import pytest

from norn_tasks.adapters.kubernetes.assess import NotAssessable, assess
from tests.unit.kubernetes.made import after, deployment, during, pod, replica_set, rolling, stamp

DEADLINE = [{"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}]
UNAVAILABLE = [{"type": "Available", "status": "False", "reason": "MinimumReplicasUnavailable"}]
NO_PROGRESS = [{"type": "Progressing", "status": "False", "reason": "Some"}, {"type": "Available", "status": "True"}]
ONLY_AVAILABLE = [{"type": "Available", "status": "True"}]
BARE = {"kind": "Deployment", "metadata": {"name": "a"}}

FOREIGN = {
    "healthy": (deployment(3), "available", "available"),
    "status missing entirely": ({**deployment(), "status": {}}, "progressing", "not_observed"),
    "no status key": (BARE | {"metadata": {"name": "a", "generation": 1}}, "progressing", "not_observed"),
    "no generation and no status": (BARE, "progressing", "not_observed"),
    "stale observed generation": (deployment(observedGeneration=1), "progressing", "not_observed"),
    "no observed generation": (deployment(observedGeneration=None), "progressing", "not_observed"),
    "stale deadline": (deployment(observedGeneration=1, conditions=DEADLINE), "progressing", "not_observed"),
    "deadline": (rolling(conditions=DEADLINE), "failed", "deadline"),
    "deadline although the counts are right": (deployment(conditions=DEADLINE), "failed", "deadline"),
    "paused": (deployment(spec={"paused": True}), "progressing", "paused"),
    "paused past its deadline": (rolling(conditions=DEADLINE) | {"spec": {"paused": True}}, "progressing", "paused"),
    "replicas unset is one": (deployment(None), "available", "available"),
    "replicas unset and none there": (deployment(None, replicas=0, updatedReplicas=0), "progressing", "starting"),
    "no replica wanted": (deployment(0), "available", "available"),
    "no replica wanted, zeros left out": (
        deployment(0) | {"status": {"observedGeneration": 2, "conditions": ONLY_AVAILABLE}},
        "available",
        "available",
    ),
    "no replica wanted, one still there": (deployment(0, replicas=1), "progressing", "old_pods"),
    "fewer updated than wanted": (deployment(3, updatedReplicas=2), "progressing", "starting"),
    "old replicas left": (deployment(2, replicas=3), "progressing", "old_pods"),
    "more new replicas than wanted": (deployment(2, replicas=3, updatedReplicas=3), "progressing", "old_pods"),
    "fewer ready than wanted": (deployment(3, readyReplicas=2), "progressing", "not_ready"),
    "fewer available than ready": (deployment(3, availableReplicas=2), "progressing", "min_ready"),
    "surge: old and new at once": (deployment(2, replicas=3, updatedReplicas=1), "progressing", "starting"),
    "recreate: none there": (
        deployment(spec={"strategy": {"type": "Recreate"}}, replicas=0, updatedReplicas=0, readyReplicas=0),
        "progressing",
        "starting",
    ),
    "not available by its condition": (deployment(conditions=UNAVAILABLE), "progressing", "not_ready"),
    "no progress by its condition": (deployment(conditions=NO_PROGRESS), "progressing", "not_ready"),
    "no deadline, so no condition of progress": (deployment(conditions=ONLY_AVAILABLE), "available", "available"),
    "no conditions": (deployment(conditions=[]), "available", "available"),
    "terminating pods of 1.33": (deployment(terminatingReplicas=1), "progressing", "old_pods"),
    "being deleted": (
        deployment() | {"metadata": {"name": "shop", "deletionTimestamp": stamp(0)}},
        "progressing",
        "being_deleted",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", FOREIGN)
def test_a_deployment_alone(case: str) -> None:
    thing, verdict, cause = FOREIGN[case]
    found = assess([thing], after(1000))
    assert (found.verdict, found.cause) == (verdict, cause)


DONE = [deployment(), replica_set(1, 0), replica_set(2, ready=1), pod(2, ready=True)]

AROUND = {
    "complete": (DONE, "available", "available"),
    "an old pod is being stopped": (
        [*DONE, pod(1, ready=True, metadata={"deletionTimestamp": stamp(945)})], "progressing", "old_pods",
    ),
    "an old pod should be gone, and its node is lost": (
        [*DONE, pod(1, metadata={"deletionTimestamp": stamp(939)})], "available", "available",
    ),
    "an old pod was evicted long ago": (
        [*DONE, pod(1, status={"phase": "Failed", "reason": "Evicted"})], "available", "available",
    ),
    "the pod is no longer ready": ([*DONE[:3], pod(2)], "progressing", "not_ready"),
    "the pod is being deleted": (
        [*DONE[:3], pod(2, ready=True, metadata={"deletionTimestamp": stamp(9)})], "progressing", "not_ready",
    ),
    "the only pod is old": ([*DONE[:3], pod(1, ready=True)], "progressing", "old_pods"),
    "an old set still counts a pod": ([deployment(), replica_set(1, ready=1), *DONE[2:]], "progressing", "old_pods"),
    "the new set is not there": ([deployment(), replica_set(1, ready=1)], "progressing", "not_observed"),
    "the new set has no ready pod": ([deployment(), replica_set(2)], "progressing", "not_ready"),
    "a stranger's pod": ([*DONE, {"kind": "Pod", "metadata": {"name": "x"}}], "available", "available"),
    "a readiness gate": (
        during(
            pod(
                spec={"readinessGates": [{"conditionType": "example.com/ready"}]},
                status={
                    "conditions": [
                        {"type": "PodScheduled", "status": "True"},
                        {"type": "ContainersReady", "status": "True"},
                        {"type": "Ready", "status": "False", "reason": "ReadinessGatesNotReady"},
                    ]
                },
            )
        ),
        "progressing",
        "readiness_gate",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", AROUND)
def test_a_deployment_with_its_sets_and_pods(case: str) -> None:
    things, verdict, cause = AROUND[case]
    found = assess(things, after(1000))
    assert (found.verdict, found.cause) == (verdict, cause)


def test_the_new_set_is_the_one_with_the_same_template_whatever_its_age() -> None:
    back = deployment(version=2, spec={"template": replica_set(1)["spec"]["template"]})
    things = [back, replica_set(1, ready=1), replica_set(2, 0), pod(1, ready=True)]
    assert assess(things, after(9)).verdict == "available"


def test_without_sets_the_pods_of_the_newest_template_count() -> None:
    young = pod(2, ready=True, metadata={"creationTimestamp": stamp(5)})
    assert assess([deployment(), young], after(9)).verdict == "available"
    assert assess([deployment(), young, pod(1, ready=True)], after(9)).cause == "old_pods"


def test_a_pod_without_owner_is_found_by_its_labels() -> None:
    orphan = pod(2)
    del orphan["metadata"]["ownerReferences"]
    assert assess([deployment(), orphan], after(9)).pod == "shop-v2-abcde"


def test_a_set_or_pods_alone_have_a_verdict() -> None:
    assert assess([replica_set(ready=1)], after(9)).verdict == "available"
    assert assess([replica_set()], after(9)).cause == "not_ready"
    assert assess([pod(ready=True)], after(9)).verdict == "available"
    assert assess([pod(status={"phase": "Succeeded"})], after(9)).verdict == "available"
    assert assess([pod(status={"phase": "Failed", "message": "no disk"})], after(9)).verdict == "failed"


@pytest.mark.parametrize(
    ("things", "sentence"),
    [
        ([], "there is no Deployment"),
        ([{"kind": "Service"}], "there is no Deployment"),
        ([deployment(), {**deployment(), "metadata": {"name": "till"}}], "2 Deployments (shop, till)"),
    ],
)
def test_without_one_deployment_there_is_no_verdict(things: list, sentence: str) -> None:
    with pytest.raises(NotAssessable) as refusal:
        assess(things, after(0))
    assert sentence in str(refusal.value)
