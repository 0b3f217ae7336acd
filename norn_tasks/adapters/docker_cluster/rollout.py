"""The rollout: looks at the world, makes the one change that brings it nearer to what is wanted, and looks again.

It keeps no plan of its own, so that whoever comes after a killed worker goes on where the world stands. Surge 1,
unavailable 0: one replica more than wanted at most, and an old one goes only when a gated new one is there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from norn_tasks.adapters.docker_cluster.containers import Containers, Found
from norn_tasks.adapters.docker_cluster.gate import Gate
from norn_tasks.adapters.docker_cluster.retirement import Retirement
from norn_tasks.domain.errors import LeaseLost, NotFound, RolloutFailed, StepFailed, Stopped
from norn_tasks.domain.replica import Replica, ReplicaState
from norn_tasks.ports import Replicas, Watch, Workload

_ENDED = ("exited", "dead", "created")
_ADDRESS_TAKEN = "Address already in use"


@dataclass(frozen=True)
class Member:
    """A replica: its row, and its container."""

    row: Replica
    found: Found

    @property
    def serves(self) -> bool:
        """True when it passed its gate and is up."""
        return self.row.state == ReplicaState.LIVE and self.found.state not in _ENDED


class Rollout:
    """One workload on its way to what is wanted of it."""

    def __init__(
        self, containers: Containers, replicas: Replicas, gate: Gate, retirement: Retirement, workload: Workload
    ) -> None:
        self._containers = containers
        self._replicas = replicas
        self._gate = gate
        self._retirement = retirement
        self._workload = workload

    def run(self, watch: Watch) -> None:
        """Returns when exactly the wanted replicas are live and no others are left."""
        try:
            while self._advance(watch):
                watch.stop.check()
        except Stopped:
            if watch.stop.reason == "cancelled":
                self._drop([each for each in self._tidied(watch) if each.row.state == ReplicaState.STARTING], watch)
            raise

    def _advance(self, watch: Watch) -> bool:
        """Makes one change; False when there is none to make."""
        members = self._tidied(watch)
        going = [each.row for each in members if self._is_done_with(each)]
        if going:
            self._retirement.retire(going, watch)
            return True
        mine = [each for each in members if each.row.generation == self._workload.generation]
        others = [each for each in members if each not in mine]
        new = [each for each in mine if each.row.state == ReplicaState.STARTING]
        wanted = self._workload.replicas
        if new and len(mine) <= wanted:
            self._admit(new[0], watch)
        elif len(mine) < wanted and len(members) <= wanted:
            self._admit(self._made([each.found.name for each in members], watch), watch)
        elif others or len(mine) > wanted:
            self._retirement.retire([self._dispensable(others or mine).row], watch)
        else:
            return False
        return True

    def _is_done_with(self, member: Member) -> bool:
        """True for what no decision is left about: on its way out, fallen over, or the half-made of another rollout."""
        starting = member.row.state == ReplicaState.STARTING
        foreign = member.row.generation != self._workload.generation
        return member.row.state == ReplicaState.LEAVING or (foreign if starting else not member.serves and not foreign)

    def _dispensable(self, members: Sequence[Member]) -> Member:
        """Answers who goes first: who does not serve, else the newest of the surplus or the last of the old."""
        return min(members, key=lambda each: (each.serves, each.row.state == ReplicaState.LIVE))

    def _tidied(self, watch: Watch) -> list[Member]:
        """Looks at rows and containers, and takes away either that lacks the other: it was never run, or is gone."""
        rows = {row.container: row for row in self._replicas.of_app(self._workload.app)}
        found = {each.id: each for each in self._containers.of_app(self._workload.app)}
        for container in found.keys() - rows.keys():
            self._containers.engine.take_away(container)
        for container in rows.keys() - found.keys():
            self._replicas.gone(container, watch.fence)
        return [Member(rows[each], found[each]) for each in found if each in rows]

    def _made(self, names: list[str], watch: Watch) -> Member:
        """Creates a replica and records it; its container never outlives a fallen fence."""
        try:
            found = self._containers.create(self._workload, watch.fence, names)
        except NotFound as error:
            raise RolloutFailed(
                f"the image {self._workload.image} of {self._workload.app} is not on this engine any more",
                hint=f"norn deploy {self._workload.app}",
            ) from error
        row = Replica(found.id, found.app, found.release, found.generation, ReplicaState.STARTING)
        try:
            self._replicas.starting(row, watch.fence)
        except LeaseLost:
            self._containers.engine.take_away(found.id, within=10)
            raise
        watch.say(f"{found.name} is made\n")
        return Member(row, found)

    def _admit(self, member: Member, watch: Watch) -> None:
        """Brings a replica through its gate into the routes; one that does not pass is taken away."""
        found = member.found
        try:
            self._gate.pass_(found, watch)
        except RolloutFailed as failure:
            self._drop([member], watch)
            if _ADDRESS_TAKEN in failure.sentence:
                # Another worker's replica has just taken its address: it gets another at the next look.
                return
            raise
        self._containers.keep_up(found.id)
        address = f"{found.address}:{self._workload.port}" if self._workload.port is not None else ""
        self._replicas.live(found.id, address, watch.fence)
        watch.say(f"{found.name} is live\n")

    def _drop(self, members: Sequence[Member], watch: Watch) -> None:
        for member in members:
            self._containers.engine.take_away(member.found.id, within=10)
            self._replicas.gone(member.row.container, watch.fence)
