"""Decides what a rollout does next, from what there is and what is wanted; pure, so that every order can be tried.

The rules, in their order: rows follow the engine; what serves nobody goes; what is too many goes, but nothing old
before the first new one serves; then one more is made and gated. So there is at most one more than wanted or than
before, and never fewer live than wanted and before. The plan is made anew after every move, whoever made the last.
"""

from __future__ import annotations

from dataclasses import dataclass

from norn_tasks.adapters.docker_cluster.world import Seen, World
from norn_tasks.domain.replica import Replica


@dataclass(frozen=True)
class Forget:
    """Take away the rows of containers that are gone."""

    rows: tuple[Replica, ...]


@dataclass(frozen=True)
class Readdress:
    """Tell the router the address at which a live replica is now."""

    replica: Seen


@dataclass(frozen=True)
class Retire:
    """Take these out of the routes, let them end, remove them."""

    replicas: tuple[Seen, ...]


@dataclass(frozen=True)
class Admit:
    """Start this one if it is not running, gate it, and make it live."""

    replica: Seen


@dataclass(frozen=True)
class Create:
    """Make one more, with this number."""

    index: int


Move = Forget | Readdress | Retire | Admit | Create


@dataclass(frozen=True)
class Wanted:
    """How many replicas of which generation; `started`: the ids of those that this rollout let go itself."""

    generation: int
    replicas: int
    started: frozenset[str] = frozenset()


def next_move(world: World, wanted: Wanted) -> Move | None:
    """Answers the next move, None when everything is as wanted."""
    if world.lost:
        return Forget(world.lost)
    moved = next((each for each in world.replicas if each.moved), None)
    if moved is not None:
        return Readdress(moved)
    useless = tuple(each for each in world.replicas if _useless(each, wanted))
    if useless:
        return Retire(useless)
    return _towards(world, wanted)


def _useless(each: Seen, wanted: Wanted) -> bool:
    """True for what serves nobody and will not: leaving, old and never live, dead."""
    if each.leaving:
        return True
    if each.generation != wanted.generation:
        return not each.live
    if each.running:
        return False
    # One that this rollout has started is the gate's to judge; another's is replaced by one with a fresh chance.
    return each.live or not (each.fresh or each.id in wanted.started)


def _towards(world: World, wanted: Wanted) -> Move | None:
    mine = [each for each in world.replicas if each.generation == wanted.generation]
    live = sorted((each for each in mine if each.live), key=_index)
    coming = sorted((each for each in mine if not each.live), key=_index)
    old = sorted((each for each in world.replicas if each.generation != wanted.generation), key=_worst_first)
    missing = wanted.replicas - len(live)
    if missing <= 0 and (surplus := live[wanted.replicas :] + coming + old):
        return Retire(tuple(surplus))
    if live and len(old) > missing:
        return Retire(tuple(old[: len(old) - missing]))
    if missing > 0:
        return Admit(coming[0]) if coming else Create(_free(world, wanted))
    return None


def _index(each: Seen) -> int:
    return each.index


def _worst_first(each: Seen) -> tuple[bool, int, int]:
    return each.running, each.generation, each.index


def _free(world: World, wanted: Wanted) -> int:
    taken = {each.index for each in world.replicas if each.generation == wanted.generation}
    return next(n for n in range(1, len(taken) + 2) if n not in taken)
