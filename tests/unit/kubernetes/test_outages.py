"""A rollout outlives short outages of the API server, and ends with an error after long ones."""

from __future__ import annotations

from typing import Any

import pytest

from norn_tasks.adapters.kubernetes import refusals
from norn_tasks.adapters.kubernetes.gate import RolloutGate
from norn_tasks.adapters.kubernetes.looking import AppLook
from norn_tasks.adapters.kubernetes.refusals import refusal
from norn_tasks.domain.errors import ClusterDown
from norn_tasks.ports import Workload
from tests.fakes.stop import FakeWatch
from tests.unit.kubernetes import made

SHOP = Workload(app="shop", release=2, generation=2, image=made.IMAGE, replicas=1)


class Looks:
    """Observations of a complete rollout, of which the first ones fail."""

    def __init__(self, failures: int) -> None:
        self.left = failures

    def __call__(self) -> AppLook:
        """Returns the next observation."""
        self.left -= 1
        if self.left >= 0:
            raise ClusterDown("the cluster could not list Pods now: 429 too many requests")
        return AppLook(made.deployment(), (made.replica_set(ready=1),), (made.pod(ready=True),))


def gate(looks: Looks, watch: FakeWatch) -> RolloutGate:
    """Returns the gate (the final check) of a rollout with these observations."""
    nothing: Any = None
    return RolloutGate(nothing, SHOP, looks, watch.watch, 60)


def test_a_refused_request_is_sent_again_and_said_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refusals, "_PAUSE", 0)
    watch = FakeWatch()
    assert gate(Looks(failures=2), watch).passed().deployment is not None
    assert watch.said == ["the cluster could not list Pods now: 429 too many requests; trying again\n"]


def test_an_outage_that_lasts_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refusals, "AWAY", 0.0)
    with pytest.raises(ClusterDown):
        gate(Looks(failures=1), FakeWatch()).passed()


def test_a_missing_right_may_be_a_missing_namespace() -> None:
    body = b'{"message": "pods is forbidden: User \\"norn\\" cannot list resource \\"pods\\""}'
    assert "or the namespace is gone" in str(refusal(403, body, "list", "Pods"))
