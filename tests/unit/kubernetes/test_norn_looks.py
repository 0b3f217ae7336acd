"""Norn's own observations of a Deployment: which pods a status counts, which template belongs to a generation, and a
rollout that others changed.
"""

from __future__ import annotations

from typing import Any

import pytest

from norn_tasks.adapters.kubernetes.gate import RolloutGate
from norn_tasks.adapters.kubernetes.looking import AppLook
from norn_tasks.adapters.kubernetes.status import status_of
from norn_tasks.domain.errors import RolloutFailed
from norn_tasks.ports import Workload
from tests.fakes.stop import FakeWatch
from tests.unit.kubernetes.made import deployment, pod, replica_set, stamp, template


def live(generation: int, wanted: int = 2, **status: Any) -> dict:
    """Returns the Deployment of version 2, with `generation` as the one that passed its gate (the final check of a
    rollout) last.
    """
    made = deployment(wanted, **status)
    made["metadata"]["annotations"]["norn.io/live-generation"] = str(generation)
    made["metadata"]["labels"] = {"norn.io/app": "shop"}
    return made


def ready(deployment_: dict, *pods: tuple[int, bool]) -> int:
    """Returns how many of the pods count, each given as its generation and whether it is ready."""
    made = []
    for place, (generation, good) in enumerate(pods):
        notes = {"annotations": {"norn.io/generation": str(generation)}}
        made.append(pod(generation, name=f"p{place}", ready=good, metadata=notes))
    return status_of(deployment_, made).ready


def test_pods_of_another_generation_do_not_count() -> None:
    assert ready(live(2), (2, True), (2, True)) == 2
    assert ready(live(2, updatedReplicas=1, replicas=3), (1, True), (1, True), (2, False)) == 0


def test_a_changed_image_whose_pod_cannot_start_is_not_running() -> None:
    changed = live(2, replicas=3, updatedReplicas=1, readyReplicas=2)
    assert ready(changed, (2, True), (2, True), (2, False)) == 0
    assert ready(live(2, observedGeneration=1), (2, True), (2, True)) == 1


def test_a_scale_and_pods_that_an_end_leaves_take_no_ready_pod_away() -> None:
    assert ready(live(2, 3, replicas=2, updatedReplicas=2), (2, True), (2, True), (2, False)) == 2
    assert ready(live(2, replicas=3, updatedReplicas=2), (2, True), (2, True), (3, False)) == 2


def test_while_norn_rolls_out_the_live_release_counts() -> None:
    assert ready(live(1, updatedReplicas=1, replicas=3), (1, True), (1, True), (2, False)) == 2


def test_the_oldest_set_of_a_generation_has_its_template() -> None:
    first, changed = replica_set(2), replica_set(2)
    changed["spec"]["template"]["spec"]["containers"][0]["image"] = "other"
    changed["metadata"]["creationTimestamp"] = stamp(100)
    seen = deployment(spec={"template": changed["spec"]["template"]})
    found = AppLook(seen, (changed, first)).template_of(2)
    assert found == template(2) and AppLook(seen).template_of(2) != template(2)


def test_a_rollout_whose_template_somebody_replaced_fails_with_a_sentence() -> None:
    seen = deployment(1)
    seen["metadata"]["labels"] = {"app.kubernetes.io/managed-by": "norn"}
    workload = Workload(app="shop", release=3, generation=3, image="sha256:1", replicas=1)
    gate = RolloutGate(None, workload, lambda: AppLook(seen), FakeWatch().watch, 5)  # type: ignore[arg-type]
    with pytest.raises(
        RolloutFailed, match="was changed while it was rolled out: its template is that of generation 2"
    ):
        gate.passed()
