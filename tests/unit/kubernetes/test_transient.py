"""States that look like a failure and are none, states that are a failure before they have its name, and states that
another failure causes.
"""

from __future__ import annotations

import pytest

from norn_tasks.adapters.kubernetes.assess import assess
from tests.unit.kubernetes.examples import (
    DEADLINE,
    NODES,
    PROBE,
    REFUSED,
    RPC,
    STARTUP,
    STATUS,
    ended,
    evicted,
    probed,
    pulled,
    refused,
)
from tests.unit.kubernetes.made import (
    IMAGE,
    after,
    during,
    event,
    pod,
    replica_set,
    rolling,
    stamp,
    unscheduled,
    waiting,
)


def judged(things: list[dict], at: float = 3600) -> tuple[str, str]:
    """Returns the verdict and the cause at a moment after the start."""
    found = assess(things, after(at))
    return found.verdict, found.cause


def run(code: int, at: float = 2) -> dict:
    """Returns the end of a container's run that began at `at` and took two seconds."""
    return {"terminated": {"exitCode": code, "reason": "Error", "startedAt": stamp(at), "finishedAt": stamp(at + 2)}}


def test_one_pull_that_met_a_network_error_is_no_failure_and_a_minute_of_them_is() -> None:
    new = waiting("ErrImagePull", f"{RPC}dial tcp: lookup registry.example.com: no such host")
    assert judged(during(new), 20) == ("progressing", "registry_unreachable")
    assert judged(during(new), 61) == ("failed", "registry_unreachable")


def test_where_the_state_does_not_say_why_a_pull_failed_an_event_does() -> None:
    new = waiting("ImagePullBackOff", f'Back-off pulling image "{IMAGE}"')
    said = f'Failed to pull image "{IMAGE}": rpc error: code = NotFound desc = {IMAGE}: not found'
    assert judged(during(new, event("Failed", said, new), event("Failed", "Error: ErrImagePull", new))) == (
        "failed",
        "image_not_found",
    )


def test_the_name_of_an_image_is_no_reason() -> None:
    image = "registry.example.com/not-found/denied:unauthorized"
    new = waiting("ErrImagePull", f"failed to pull {image}: odd reply", container={"image": image})
    assert judged(during(new))[1] == "image_not_pulled"


def test_a_hub_that_hides_what_exists_is_quoted_as_such() -> None:
    said = "pull access denied, repository does not exist or may require authorization: insufficient_scope"
    assert "it is not there, or it needs a login" in assess(pulled(said), after(9)).sentence


def test_a_pod_that_is_pending_for_a_second_is_no_failure() -> None:
    new = unscheduled(f"{NODES}3 Insufficient cpu.")
    assert judged(during(new), 1) == ("progressing", "insufficient")
    assert judged(during(new), 6) == ("failed", "insufficient")


@pytest.mark.parametrize(
    ("message", "cause"),
    [
        ("1 node(s) had untolerated taint(s), 1 Insufficient cpu", "insufficient"),
        ("3 node(s) had untolerated taint {team: search}, 1 Insufficient cpu", "insufficient"),
        ("3 node(s) had untolerated taint {node.kubernetes.io/not-ready: }, 1 Insufficient cpu", "node_not_ready"),
        ("2 node(s) had taint {node-role.kubernetes.io/master: }, that the pod didn't tolerate", "taint"),
        (
            "3 node(s) had untolerated taint(s). no new claims to deallocate, preemption: 0/3 nodes are available",
            "taint",
        ),
        ("1 Too many pods, 2 node(s) didn't match Pod's node affinity/selector", "no_such_node"),
    ],
)
def test_nodes_that_are_for_others_are_not_the_reason(message: str, cause: str) -> None:
    assert judged(during(unscheduled(f"{NODES}{message}."))) == ("failed", cause)


def test_an_event_from_before_the_pod_was_scheduled_is_past() -> None:
    new = waiting("ContainerCreating")
    assert judged(during(new, event("FailedScheduling", f"{NODES}3 Insufficient cpu.", new))) == (
        "progressing",
        "not_ready",
    )


def test_an_autoscaler_is_waited_for_unless_it_says_that_it_cannot_help() -> None:
    new = unscheduled(f"{NODES}3 Insufficient cpu.")
    grows = {"kind": "Node", "metadata": {"name": "n1", "labels": {"karpenter.sh/nodepool": "web"}}}
    assert judged(during(new, grows), 30)[0] == "progressing"
    assert judged(during(new, grows), 61)[0] == "failed"
    assert judged(during(new, event("TriggeredScaleUp", "scale-up", new)), 500)[0] == "progressing"
    assert judged(during(new, grows, event("NotTriggerScaleUp", "max size reached", new)), 30)[0] == "failed"


def test_two_ends_are_no_failure_and_three_are() -> None:
    assert judged(during(pod(restarts=2, last=run(1)))) == ("progressing", "crash_loop")
    assert judged(during(pod(restarts=3, last=run(1)))) == ("failed", "crash_loop")
    assert judged(during(pod(restarts=2, state=run(1)))) == ("failed", "crash_loop")


def test_a_second_end_that_no_start_follows_is_a_loop_that_the_node_has_not_named() -> None:
    rests = during(pod(restarts=1, state=run(0, 4), last=run(0)))
    assert judged(rests, 8) == ("progressing", "exits_zero")
    assert judged(rests, 12) == ("failed", "exits_zero")
    assert judged(during(pod(state=run(0, 4))), 60) == ("progressing", "exits_zero")


def test_a_hook_is_named_that_ended_the_container() -> None:
    new = waiting("CrashLoopBackOff", restarts=1, last=run(137, 10))
    said = "Exec lifecycle hook ([false]) failed - error: command 'false' exited with 1: "
    found = assess(during(new, event("FailedPostStartHook", said, new, first=10)), after(20))
    assert found.sentence == "a hook of the container failed: command 'false' exited with 1"


def test_a_pod_that_is_ready_after_its_restarts_is_no_failure() -> None:
    assert judged([*during(), pod(restarts=5, last=run(1), ready=True)])[0] == "progressing"


def test_trouble_of_an_old_pod_is_not_the_trouble_of_the_rollout() -> None:
    old = pod(1, state={"waiting": {"reason": "CrashLoopBackOff"}}, restarts=9, last=run(1))
    assert judged([rolling(), replica_set(1), replica_set(2), old, pod()])[0] == "progressing"


def test_a_kill_by_a_probe_is_not_called_a_crash() -> None:
    new = waiting("CrashLoopBackOff", restarts=3, last=run(137, 10), container=STARTUP)
    kill = event("Killing", "Container app failed startup probe, will be restarted", new, first=12)
    unhealthy = event("Unhealthy", f"Startup probe failed: {STATUS}", new, first=11, last=12, count=5)
    assert judged(during(new, unhealthy, kill)) == ("failed", "startup_probe")


def test_a_crash_after_an_earlier_kill_is_called_a_crash() -> None:
    new = waiting("CrashLoopBackOff", restarts=3, last=run(1, 60), container=STARTUP)
    kill = event("Killing", "Container app failed startup probe, will be restarted", new, first=12)
    assert judged(during(new, kill)) == ("failed", "crash_loop")


def test_a_kill_is_found_although_its_event_was_dropped() -> None:
    last = {"terminated": {"exitCode": 137, "reason": "Error", "startedAt": stamp(2), "finishedAt": stamp(12)}}
    new = pod(restarts=1, last=last, state={"running": {"startedAt": stamp(13)}}, container=STARTUP)
    new["status"]["containerStatuses"][0]["started"] = False
    unhealthy = event("Unhealthy", f"Startup probe failed: {REFUSED}", new, first=4, last=9, count=4)
    assert judged(during(new, unhealthy)) == ("failed", "nothing_listens")


def test_a_named_port_is_shown_as_its_number() -> None:
    asked = {"httpGet": {"path": "/health", "port": "http"}, "failureThreshold": 5, "periodSeconds": 2}
    new = pod(container={"startupProbe": asked, "ports": [{"name": "http", "containerPort": 9090}]})
    found = assess(during(new, event("Unhealthy", f"Startup probe failed: {STATUS}", new, first=4)), after(8))
    assert found.sentence == "the startup probe of the container (GET /health on port 9090) gets status 500"


@pytest.mark.parametrize(("count", "at"), [(5, 13), (3, 18)])
def test_a_startup_probe_that_has_used_its_tries_is_a_failure_before_the_node_says_so(count: int, at: float) -> None:
    found = assess(probed("Startup", STATUS, killed=False, count=count), after(at))
    assert (found.verdict, found.cause) == ("failed", "startup_probe")


def test_tries_of_earlier_runs_do_not_count_and_a_crash_is_no_failed_probe() -> None:
    again = pod(container=STARTUP, restarts=1, last=run(3, 2), state={"running": {"startedAt": stamp(30)}})
    said = event("Unhealthy", f"Startup probe failed: {REFUSED}", again, first=3, last=33, count=8)
    assert judged(during(again, said), 60)[0] == "progressing"
    killed = pod(container=STARTUP, restarts=1, last=run(0, 2), state={"running": {"startedAt": stamp(30)}})
    assert judged(during(killed, said), 39)[0] == "progressing"
    assert judged(during(killed, said), 60) == ("failed", "nothing_listens")


def test_a_startup_probe_that_has_tries_left_is_no_failure() -> None:
    found = assess(probed("Startup", STATUS, killed=False, count=2), after(8))
    assert (found.verdict, found.cause) == ("progressing", "startup_probe")


@pytest.mark.parametrize(("at", "verdict"), [(30, "progressing"), (63, "failed")])
def test_a_readiness_probe_without_a_startup_probe_has_a_minute_for_the_start(at: float, verdict: str) -> None:
    new = pod(container={"readinessProbe": PROBE})
    said = event("Unhealthy", f"Readiness probe failed: {STATUS}", new, first=4, last=at, count=20)
    assert judged(during(new, said), at) == (verdict, "readiness_probe")


def test_an_evicted_pod_that_is_replaced_is_no_failure_and_the_third_is() -> None:
    assert judged(during(evicted(), pod(name="b")))[0] == "progressing"
    assert judged(during(evicted("x"), evicted("y"), evicted("z"), pod(name="b"))) == ("failed", "evicted")


def test_a_refusal_of_an_older_set_is_not_the_new_ones() -> None:
    things = refused("exceeded quota: small, requested: pods=1, used: pods=2, limited: pods=2")
    condition = things[2]["status"].pop("conditions")
    things[1]["status"]["conditions"] = condition
    things[0]["status"]["conditions"] = condition
    assert judged(things)[0] == "progressing"
    assert judged([things[0], things[2]]) == ("failed", "quota")


def test_the_deadline_names_the_trouble_that_lasted() -> None:
    late = rolling(conditions=DEADLINE)
    found = assess([late, *during(pod(restarts=1, last=run(1)))[1:]], after(700))
    assert (found.verdict, found.cause) == ("failed", "crash_loop")
    assert found.sentence.startswith("the rollout made no progress for 600 s: the container exited with code 1")


def test_a_message_of_a_container_is_its_reason() -> None:
    things = ended(3)
    things[-1]["status"]["containerStatuses"][0]["lastState"]["terminated"]["message"] = "trace\nno DATABASE_URL"
    assert assess(things, after(9)).sentence.endswith(
        "exited with code 3, 2 times by now: no DATABASE_URL (CrashLoopBackOff)"
    )


def test_a_node_that_found_no_log_says_nothing_about_the_cause() -> None:
    things = ended(3)
    said = "failed to try resolving symlinks\nunable to retrieve container logs for containerd://97a6"
    things[-1]["status"]["containerStatuses"][0]["lastState"]["terminated"]["message"] = said
    assert assess(things, after(9)).sentence == "the container exited with code 3, 2 times by now (CrashLoopBackOff)"


@pytest.mark.parametrize("broken", [None, 7, "x", [], [None], {"a": 1}])
@pytest.mark.parametrize("part", ["metadata", "spec", "status"])
def test_a_part_of_another_type_than_the_api_gives_raises_nothing(part: str, broken: object) -> None:
    for place in range(4):
        things = during(pod())
        things[place] = {**things[place], part: broken}
        assess(things, after(9))
