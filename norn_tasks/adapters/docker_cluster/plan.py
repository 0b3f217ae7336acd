"""Decides the next move of a rollout from the present and the wanted replicas. It is a pure function, so that tests can
try every order of events.

The rules apply in this order. First the rows are corrected to match the engine. Then replicas that serve no requests
are removed. Then surplus replicas are removed, but no old replica before the first new one serves. Then one new replica
is created and must pass its gate (its health test).

So there is at most one replica more than the larger of the old and the wanted number, and there are never fewer live
replicas than the smaller of the two. A rollout with the strategy "recreate" does not promise this: it removes every old
replica before it starts a new one. Draining replicas are not counted, and are removed only if no replica may drain.
After every move, no matter which worker made it, the plan is made again.
"""

from __future__ import annotations

from dataclasses import dataclass

from norn_tasks.adapters.docker_cluster.world import ReplicaContainer, World
from norn_tasks.domain.jobs.replica import Replica


@dataclass(frozen=True)
class Forget:
    """Remove the rows of containers that are gone."""

    rows: tuple[Replica, ...]


@dataclass(frozen=True)
class Readdress:
    """Give the router the present address of a live replica."""

    replica: ReplicaContainer


@dataclass(frozen=True)
class Retire:
    """Take these replicas out of the routes, let them end, and remove them."""

    replicas: tuple[ReplicaContainer, ...]


@dataclass(frozen=True)
class Admit:
    """Start this replica if it was never started, wait until it has passed its gate, and then make it live."""

    replica: ReplicaContainer


@dataclass(frozen=True)
class Create:
    """Create one more replica, with this number."""

    index: int


Move = Forget | Readdress | Retire | Admit | Create


@dataclass(frozen=True)
class DesiredReplicas:
    """The wanted number of replicas, and their generation; `started` are the ids of the replicas that this rollout has
    started.

    `recreate`: old replicas are removed before new ones start. `drains`: draining replicas may keep running.
    """

    generation: int
    replicas: int
    started: frozenset[str] = frozenset()
    recreate: bool = False
    drains: bool = True


def next_move(world: World, wanted: DesiredReplicas) -> Move | None:
    """Returns the next move; None if the replicas are as wanted."""
    if world.lost:
        return Forget(world.lost)
    moved = next((each for each in world.replicas if each.moved), None)
    if moved is not None:
        return Readdress(moved)
    useless = tuple(each for each in world.replicas if _useless(each, wanted))
    if useless:
        return Retire(useless)
    return _towards(world, wanted)


def _useless(each: ReplicaContainer, wanted: DesiredReplicas) -> bool:
    """Returns True for a replica that will never serve a request: it is being removed, is old and was never live, or is
    dead or hung.
    """
    if each.leaving:
        return True
    if each.draining:
        return not wanted.drains
    if each.generation != wanted.generation:
        return not each.live
    if each.running:
        return each.hung
    # The gate decides whether a replica that this rollout started is healthy. A replica from an earlier rollout is
    # replaced.
    return each.live or not (each.fresh or each.id in wanted.started)


def _towards(world: World, wanted: DesiredReplicas) -> Move | None:
    serving = [each for each in world.replicas if not each.draining]
    mine = [each for each in serving if each.generation == wanted.generation]
    live = sorted((each for each in mine if each.live), key=_index)
    coming = sorted((each for each in mine if not each.live), key=_index)
    old = sorted((each for each in serving if each.generation != wanted.generation), key=_worst_first)
    missing = wanted.replicas - len(live)
    if missing <= 0 and (surplus := live[wanted.replicas :] + coming + old):
        return Retire(tuple(surplus))
    if old and wanted.recreate and coming:
        return Retire(tuple(old))
    if live and len(old) > missing:
        return Retire(tuple(old[: len(old) - missing]))
    if missing > 0:
        return Admit(coming[0]) if coming else Create(_free(world, wanted))
    return None


def _index(each: ReplicaContainer) -> int:
    return each.index


def _worst_first(each: ReplicaContainer) -> tuple[bool, int, int]:
    return each.running, each.generation, each.index


def _free(world: World, wanted: DesiredReplicas) -> int:
    taken = {each.index for each in world.replicas if each.generation == wanted.generation}
    return next(n for n in range(1, len(taken) + 2) if n not in taken)
