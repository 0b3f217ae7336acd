"""The health of Norn itself, from rows: silent or stuck processes, and the engine as workers report it.

The caller checks the database and the broker; this module works only while the database responds.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import Float, cast, extract, func, select, text

from norn_tasks.domain.errors import EngineDown
from norn_tasks.domain.jobs.job import JobClass, JobState
from norn_tasks.domain.wording import log_of
from norn_tasks.store.alerts import alerts, dead_man, deliveries
from norn_tasks.store.database.session import Tx
from norn_tasks.store.fleet import beats, memory, workers_read
from norn_tasks.store.fleet.workers_read import Worker
from norn_tasks.store.queue import readiness
from norn_tasks.store.replicas import routes

WORKER_SILENCE = 60.0
BEAT_SILENCE = 15.0
BEAT_LATE = 5.0
ROUTER_SILENCE = 60.0
REGISTRY = "NORN_REGISTRY_URL"
"""The setting that the refusal of a second engine names (`store.fleet.engines`)."""
STUCK = 30.0
"""Seconds for which ready work may wait although a worker of its class has free slots."""


class CheckStatus(StrEnum):
    """The result of a check."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True)
class HealthCheck:
    """The check of one thing that Norn needs: the result, a sentence, and a hint for a failure."""

    name: str
    status: CheckStatus
    message: str
    hint: str = ""


def checks(tx: Tx) -> tuple[HealthCheck, ...]:
    """Returns all checks except those of the database and the broker."""
    workers = workers_read.listed(tx, seen_within=WORKER_SILENCE)
    waited = {work.job_class: work.oldest for work in readiness.startable(tx)}
    now = tx.execute(select(cast(extract("epoch", func.clock_timestamp()), Float))).scalar_one()
    classes = [_class(c, [w for w in workers if w.class_ == c], waited.get(c, 0.0), now) for c in JobClass]
    engine = _engine(workers)
    looks = _looks(tx, engine)
    return (*classes, _beat(tx), engine, *_memory(tx), _router(tx), *looks, *_people(tx))


def _class(job_class: JobClass, workers: list[Worker], waited: float, now: float) -> HealthCheck:
    name = f"worker:{job_class}"
    if not workers:
        silence = f"no {job_class} worker reported in the last minute"
        return HealthCheck(name, CheckStatus.FAIL, silence, log_of(f"worker-{job_class}"))
    busy, slots = sum(w.busy for w in workers), sum(w.slots for w in workers)
    counts = f"{len(workers)} there, {busy} of {slots} slots busy"
    if all(w.draining_at is not None for w in workers):
        return HealthCheck(name, CheckStatus.WARN, f"all {job_class} workers are draining", "norn worker list")
    stuck = [w.name for w in workers if waited > STUCK and w.busy < w.slots and _idle(w, now) > STUCK]
    if len(stuck) == len(workers):
        sentence = f"work has waited {waited:.0f} s and {', '.join(stuck)} claims nothing"
        return HealthCheck(name, CheckStatus.FAIL, sentence, f"norn worker list; {log_of(f'worker-{job_class}')}")
    return HealthCheck(name, CheckStatus.WARN if stuck else CheckStatus.OK, counts, "norn worker list" if stuck else "")


def _idle(worker: Worker, now: float) -> float:
    return now - (worker.last_claim_at or worker.started_at).timestamp()


def _beat(tx: Tx) -> HealthCheck:
    pulse = beats.pulse(tx)
    if pulse.silent is None or pulse.silent > BEAT_SILENCE:
        never = pulse.silent is None
        since = "no scheduler was ever seen" if never else f"the scheduler was last seen {pulse.silent:.0f} s ago"
        return HealthCheck("beat", CheckStatus.FAIL, f"{since}: nothing decides schedules", log_of("beat"))
    if pulse.lag > BEAT_LATE:
        sentence = f"the scheduler is {pulse.lag:.0f} s late"
        return HealthCheck("beat", CheckStatus.WARN, sentence, f"{log_of('beat')}; is the machine or PostgreSQL slow?")
    return HealthCheck("beat", CheckStatus.OK, f"schedules are on time ({pulse.lag:.1f} s late at most)")


def _people(tx: Tx) -> tuple[HealthCheck, ...]:
    """Returns the checks of open alerts, undelivered notifications, and the dead man's switch."""
    found = []
    if count := alerts.count_open(tx):
        what = "1 alert is open" if count == 1 else f"{count} alerts are open"
        found.append(HealthCheck("alerts", CheckStatus.WARN, what, "norn alerts"))
    if lost := deliveries.given_up_lately(tx):
        sentence = f"notifications of the last day that no destination accepted: {lost}"
        found.append(
            HealthCheck("notifications", CheckStatus.WARN, sentence, "norn notify list; norn notify test NAME")
        )
    call = dead_man.last(tx)
    if call is not None:
        found.append(_deadman(call))
    return tuple(found)


def _deadman(call: dead_man.LastCall) -> HealthCheck:
    if call.error:
        sentence = f"the dead man's address could not be called: {call.error}"
        return HealthCheck("dead-man", CheckStatus.WARN, sentence, "check NORN_DEADMAN_URL")
    if call.answered is None:
        return HealthCheck(
            "dead-man", CheckStatus.OK, f"a call of the dead man's address has been due for {call.asked:.0f} s"
        )
    return HealthCheck("dead-man", CheckStatus.OK, f"the dead man's address was called {call.answered:.0f} s ago")


def _engine(workers: tuple[Worker, ...]) -> HealthCheck:
    if not workers:
        return HealthCheck(
            "engine", CheckStatus.WARN, "no worker is there to ask the container engine", log_of("worker-observe")
        )
    refused = [w for w in workers if w.engine_error and REGISTRY in w.engine_error]
    trouble = next((w.engine_error for w in workers if w.engine_error and w not in refused), None)
    if refused and trouble is None:
        sentence = f"{refused[0].name} takes no work: {refused[0].engine_error}"
        return HealthCheck(
            "engine", CheckStatus.WARN, sentence, f"set it for all workers, or norn worker drain {refused[0].name}"
        )
    if trouble is not None:
        return HealthCheck(
            "engine", CheckStatus.FAIL, trouble, "start Docker; `docker info` on the worker's machine says more"
        )
    return HealthCheck("engine", CheckStatus.OK, "the container engine answers")


_LAST_LOOKS = text("""
SELECT DISTINCT ON (l.engine) l.id, l.state, l.code
  FROM (SELECT id, engine, state, error ->> 'code' AS code FROM jobs WHERE app = '' AND kind = 'observe'
           AND state IN ('succeeded', 'failed', 'error', 'dead') ORDER BY id DESC LIMIT 100) l
 ORDER BY l.engine, l.id DESC""")


def _looks(tx: Tx, engine: HealthCheck) -> Iterator[HealthCheck]:
    """Yields a check for each engine whose last observation failed, because the states of its apps may be old.

    If an observation failed because no engine answered, the check of the engine already says so.
    """
    for row in tx.execute(_LAST_LOOKS):
        known = engine.status == CheckStatus.FAIL and row.code == EngineDown.code
        if row.state != JobState.SUCCEEDED and not known:
            sentence = f"job {row.id}, the last look at engine and cluster, failed: norn status may show an old state"
            yield HealthCheck("look", CheckStatus.FAIL, sentence, f"norn jobs show {row.id}")


def _memory(tx: Tx) -> tuple[HealthCheck, ...]:
    waits = memory.longest(tx)
    if waits is None:
        return ()
    count, sentence = waits
    also = f", and {count - 1} more wait" if count > 1 else ""
    hint = "norn jobs list --state running; NORN_ENGINE_MEMORY is the memory for apps, NORN_BUILD_MEMORY a build's"
    return (HealthCheck("memory", CheckStatus.WARN, f"{sentence}{also}", hint),)


def _router(tx: Tx) -> HealthCheck:
    rows = routes.addresses(tx)
    for row in rows:
        if row.error is not None:
            sentence = f"the router cannot listen on port {row.port} for {row.app}: {row.error}"
            return HealthCheck(
                "router", CheckStatus.FAIL, sentence, f"free port {row.port}, or norn teardown {row.app}"
            )
    deaf = [row.app for row in rows if row.silent is None or row.silent > ROUTER_SILENCE]
    if deaf:
        return HealthCheck("router", CheckStatus.WARN, f"the router does not listen for {deaf[0]}", log_of("router"))
    count = "1 address" if len(rows) == 1 else f"{len(rows)} addresses"
    return HealthCheck("router", CheckStatus.OK, count if rows else "no webserver has an address")
