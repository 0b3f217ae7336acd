"""How Norn itself is, told from rows: who spoke lately, who is stuck, what the workers say of the engine.

The database and the broker are asked by whoever calls (an answer from here means that the database answers).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import Float, cast, extract, func, select, text

from norn_tasks.domain.job import JobClass
from norn_tasks.domain.processes import log_of
from norn_tasks.store import alerts, beats_read, deadman, deliveries, memory, routes, slots, workers_read
from norn_tasks.store.session import Tx
from norn_tasks.store.workers_read import Worker

WORKER_SILENCE = 60.0
BEAT_SILENCE = 15.0
BEAT_LATE = 5.0
ROUTER_SILENCE = 60.0
REGISTRY = "NORN_REGISTRY_URL"
"""What the refusal of a second engine names (store.engines)."""
STUCK = 30.0
"""Seconds that ready work may wait while a worker of its class has free slots."""


class CheckStatus(StrEnum):
    """How one thing is."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True)
class Check:
    """One thing that Norn needs: how it is, in a sentence, and what to do about it."""

    name: str
    status: CheckStatus
    message: str
    hint: str = ""


_READY_SINCE = text(f"""
SELECT c.class, extract(epoch FROM clock_timestamp() - min(greatest(c.created_at, c.run_after)))::float8 AS waited
  FROM jobs c {memory.ROOM}
 WHERE c.state = 'queued' AND c.run_after <= clock_timestamp() AND c.cancel_requested_at IS NULL AND {memory.FITS}
   AND NOT (c.exclusive AND EXISTS (SELECT 1 FROM jobs o
        WHERE o.app = c.app AND o.exclusive AND o.id < c.id AND o.state IN ('queued', 'running')))
   AND (c.class NOT IN ('invoke', 'cron') OR {slots.HAS_ONE})
 GROUP BY c.class""")  # noqa: S608 - built from constants


def checks(tx: Tx) -> tuple[Check, ...]:
    """Answers everything but database and broker."""
    workers = workers_read.listed(tx, seen_within=WORKER_SILENCE)
    waited = {row[0]: row.waited for row in tx.execute(_READY_SINCE)}
    now = tx.execute(select(cast(extract("epoch", func.clock_timestamp()), Float))).scalar_one()
    classes = [_class(c, [w for w in workers if w.class_ == c], waited.get(str(c), 0.0), now) for c in JobClass]
    return (*classes, _beat(tx), _engine(workers), *_memory(tx), _router(tx), *_people(tx))


def _class(job_class: JobClass, workers: list[Worker], waited: float, now: float) -> Check:
    name = f"worker:{job_class}"
    if not workers:
        silence = f"no {job_class} worker spoke in the last minute"
        return Check(name, CheckStatus.FAIL, silence, log_of(f"worker-{job_class}"))
    busy, slots = sum(w.busy for w in workers), sum(w.slots for w in workers)
    told = f"{len(workers)} there, {busy} of {slots} slots busy"
    if all(w.draining_at is not None for w in workers):
        return Check(name, CheckStatus.WARN, f"all {job_class} workers are draining", "norn worker list")
    stuck = [w.name for w in workers if waited > STUCK and w.busy < w.slots and _idle(w, now) > STUCK]
    if len(stuck) == len(workers):
        sentence = f"work has waited {waited:.0f} s and {', '.join(stuck)} claims nothing"
        return Check(name, CheckStatus.FAIL, sentence, f"norn worker list; {log_of(f'worker-{job_class}')}")
    return Check(name, CheckStatus.WARN if stuck else CheckStatus.OK, told, "norn worker list" if stuck else "")


def _idle(worker: Worker, now: float) -> float:
    return now - (worker.last_claim_at or worker.started_at).timestamp()


def _beat(tx: Tx) -> Check:
    pulse = beats_read.pulse(tx)
    if pulse.silent is None or pulse.silent > BEAT_SILENCE:
        never = pulse.silent is None
        since = "no scheduler was ever seen" if never else f"the scheduler was last seen {pulse.silent:.0f} s ago"
        return Check("beat", CheckStatus.FAIL, f"{since}: schedules stand still", log_of("beat"))
    if pulse.lag > BEAT_LATE:
        sentence = f"the scheduler is {pulse.lag:.0f} s late"
        return Check("beat", CheckStatus.WARN, sentence, f"{log_of('beat')}; is the machine or PostgreSQL slow?")
    return Check("beat", CheckStatus.OK, f"schedules are on time ({pulse.lag:.1f} s late at most)")


def _people(tx: Tx) -> tuple[Check, ...]:
    """What somebody should know: open alerts, notifications that nobody took, a dead man's call that fails."""
    found = []
    if count := alerts.count_open(tx):
        what = "1 alert is open" if count == 1 else f"{count} alerts are open"
        found.append(Check("alerts", CheckStatus.WARN, what, "norn alerts"))
    if lost := deliveries.given_up_lately(tx):
        sentence = f"notifications of the last day that nobody took: {lost}"
        found.append(Check("notifications", CheckStatus.WARN, sentence, "norn notify list; norn notify test NAME"))
    call = deadman.last(tx)
    if call is not None:
        found.append(_deadman(call))
    return tuple(found)


def _deadman(call: deadman.LastCall) -> Check:
    if call.error:
        sentence = f"the dead man's address could not be called: {call.error}"
        return Check("dead-man", CheckStatus.WARN, sentence, "check NORN_DEADMAN_URL")
    if call.answered is None:
        return Check("dead-man", CheckStatus.OK, f"the dead man's address is to be called since {call.asked:.0f} s")
    return Check("dead-man", CheckStatus.OK, f"the dead man's address was called {call.answered:.0f} s ago")


def _engine(workers: tuple[Worker, ...]) -> Check:
    if not workers:
        return Check(
            "engine", CheckStatus.WARN, "no worker is there to ask the container engine", log_of("worker-observe")
        )
    refused = [w for w in workers if w.engine_error and REGISTRY in w.engine_error]
    trouble = next((w.engine_error for w in workers if w.engine_error and w not in refused), None)
    if refused and trouble is None:
        sentence = f"{refused[0].name} takes no work: {refused[0].engine_error}"
        return Check(
            "engine", CheckStatus.WARN, sentence, f"set it for all workers, or norn worker drain {refused[0].name}"
        )
    if trouble is not None:
        return Check(
            "engine", CheckStatus.FAIL, trouble, "start Docker; `docker info` on the worker's machine tells more"
        )
    return Check("engine", CheckStatus.OK, "the container engine answers")


def _memory(tx: Tx) -> tuple[Check, ...]:
    waits = memory.longest(tx)
    if waits is None:
        return ()
    count, sentence = waits
    also = f", and {count - 1} more wait" if count > 1 else ""
    hint = "norn jobs list --state running; NORN_ENGINE_MEMORY says how much of the engine is for apps"
    return (Check("memory", CheckStatus.WARN, f"{sentence}{also}", hint),)


def _router(tx: Tx) -> Check:
    rows = routes.addresses(tx)
    for row in rows:
        if row.error is not None:
            sentence = f"the router cannot listen on port {row.port} for {row.app}: {row.error}"
            return Check("router", CheckStatus.FAIL, sentence, f"free port {row.port}, or norn teardown {row.app}")
    deaf = [row.app for row in rows if row.silent is None or row.silent > ROUTER_SILENCE]
    if deaf:
        return Check("router", CheckStatus.WARN, f"the router does not listen for {deaf[0]}", log_of("router"))
    return Check("router", CheckStatus.OK, f"{len(rows)} addresses" if rows else "no webserver has an address")
