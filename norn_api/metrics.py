"""The metrics for Prometheus: counters in the database, the current state, and the requests of this process.

Each metric is one row of `METRICS`, and one of docs/metrics.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from norn_tasks.domain.errors import DatabaseDown
from norn_tasks.store.database.session import Database
from norn_tasks.store.status import gauges
from norn_tasks.store.upkeep import counters
from norn_tasks.store.upkeep.counters import BOUNDS, Tally

HTTP_BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""The upper bounds, in seconds, of the buckets for the time of a request."""
COUNTER, HISTOGRAM, GAUGE = "counter", "histogram", "gauge"


@dataclass(frozen=True)
class Series:
    """One metric: its kind, its meaning and its labels."""

    kind: str
    about: str
    labels: tuple[str, ...] = ()


METRICS = {
    "norn_jobs_accepted_total": Series(COUNTER, "Jobs accepted", ("kind",)),
    "norn_jobs_ended_total": Series(COUNTER, "Jobs that ended", ("kind", "state")),
    "norn_jobs_handed_back_total": Series(COUNTER, "Jobs that a draining worker gave back", ("class",)),
    "norn_claims_total": Series(COUNTER, "Times that a worker took a job, counted when the job has ended", ("class",)),
    "norn_leases_expired_total": Series(COUNTER, "Jobs whose worker stopped reporting, by the outcome for the job",
                                        ("class", "outcome")),
    "norn_runs_total": Series(COUNTER, "Calls and cron runs that ended", ("kind", "state")),
    "norn_cron_occurrences_total": Series(COUNTER, "Decided occurrences of schedules; a range counts once",
                                          ("verdict",)),
    "norn_job_seconds": Series(HISTOGRAM, "From a job's acceptance to its end", ("kind",)),
    "norn_job_wait_seconds": Series(HISTOGRAM, "From a job's acceptance to the first worker that took it", ("class",)),
    "norn_step_seconds": Series(HISTOGRAM, "Duration of steps; a build is the step build-image", ("step", "state")),
    "norn_run_seconds": Series(HISTOGRAM, "Duration of the code of a call or a cron run", ("kind",)),
    "norn_queue_depth": Series(GAUGE, "Jobs that could start now", ("class",)),
    "norn_queue_oldest_seconds": Series(GAUGE, "How long the oldest job that could start now has waited", ("class",)),
    "norn_jobs_running": Series(GAUGE, "Jobs that a worker has", ("class",)),
    "norn_workers": Series(GAUGE, "Workers that reported in the last minute", ("class",)),
    "norn_worker_slots": Series(GAUGE, "Jobs that the workers could run at once", ("class",)),
    "norn_worker_busy": Series(GAUGE, "Jobs that the workers run", ("class",)),
    "norn_beats": Series(GAUGE, "Beats that reported in the last 15 seconds"),
    "norn_beat_lag_seconds": Series(GAUGE, "How late the last tick of the latest beat was"),
    "norn_replica_cpus": Series(GAUGE, "Processors that a replica used when last measured", ("app", "replica")),
    "norn_replica_memory_bytes": Series(GAUGE, "Memory that a replica uses", ("app", "replica")),
    "norn_replicas_draining": Series(GAUGE, "Replaced replicas that still serve open connections", ("app",)),
    "norn_replicas_draining_connections": Series(GAUGE, "Open connections of draining replicas", ("app",)),
    "norn_replica_usage_age_seconds": Series(GAUGE, "Age of the processor and memory measurements", ("app", "replica")),
    "norn_function_calls": Series(GAUGE, "Calls of a function in the last hour", ("app",)),
    "norn_function_errors": Series(GAUGE, "Calls of a function in the last hour that failed", ("app",)),
    "norn_function_seconds": Series(GAUGE, "Duration of the calls that ended in the last hour: median, 99th percentile",
                                    ("app", "quantile")),
    "norn_database_up": Series(GAUGE, "1 when the database answered this scrape; without it there are no more figures"),
    "norn_http_requests_total": Series(COUNTER, "Requests that this API process answered since it started",
                                       ("method", "route", "status")),
    "norn_http_request_seconds": Series(HISTOGRAM, "Duration of requests, including streams and waiting calls",
                                        ("method", "route")),
}  # fmt: skip
"""Every metric by its name."""


class ProcessMetrics:
    """The metrics of one API process; safe to use from many threads. `alone`: no other process listens on its port."""

    def __init__(self, database: Database, *, alone: bool = True) -> None:
        self._registry = CollectorRegistry()
        self._registry.register(_Stored(database))
        # If several processes share the port, these metrics are left out: a scrape reaches only one of the processes,
        # so their counters would seem to go up and down.
        own = self._registry if alone else CollectorRegistry()
        requests, seconds = METRICS["norn_http_requests_total"], METRICS["norn_http_request_seconds"]
        self._requests = Counter("norn_http_requests", requests.about, requests.labels, registry=own)
        self._seconds = Histogram(
            "norn_http_request_seconds", seconds.about, seconds.labels, buckets=HTTP_BOUNDS, registry=own
        )

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """Counts a request that was handled; `route` is the pattern of its route, not the requested path."""
        self._requests.labels(method, route, str(status)).inc()
        self._seconds.labels(method, route).observe(seconds)

    def text(self) -> bytes:
        """Returns all metrics in Prometheus' text format."""
        return generate_latest(self._registry)


class _Stored(Collector):
    """The metrics that are in the database, read at each scrape."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def describe(self) -> Sequence[Metric]:
        """Returns an empty sequence, because creating a registry must not query the database."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """Yields the current metrics."""
        try:
            with self._database.transaction() as tx:
                counted, now = counters.all_of(tx), gauges.gauges(tx)
        except DatabaseDown:
            yield _gauge("norn_database_up", {(): 0.0})
            return
        yield _gauge("norn_database_up", {(): 1.0})
        for name, values in now.items():
            yield _gauge(name, values)
        for name, figure in METRICS.items():
            mine = {labels: tally for (of, labels), tally in counted.items() if of == name}
            if mine or name in _ALWAYS:
                yield _MAKERS[figure.kind](name, mine)


_ALWAYS = ("norn_leases_expired_total", "norn_jobs_ended_total")


def _gauge(name: str, values: dict[tuple[str, ...], float]) -> Metric:
    figure = METRICS[name]
    family = GaugeMetricFamily(name, figure.about, labels=figure.labels)
    for labels, value in values.items():
        family.add_metric(labels, value)
    return family


def _counter(name: str, mine: dict[tuple[str, ...], Tally]) -> Metric:
    figure = METRICS[name]
    family = CounterMetricFamily(name, figure.about, labels=figure.labels)
    for labels, tally in mine.items():
        family.add_metric(labels, tally.count)
    return family


def _histogram(name: str, mine: dict[tuple[str, ...], Tally]) -> Metric:
    figure = METRICS[name]
    family = HistogramMetricFamily(name, figure.about, labels=figure.labels)
    for labels, tally in mine.items():
        family.add_metric(labels, list(_cumulated(tally)), tally.sum)
    return family


def _cumulated(tally: Tally) -> Iterator[tuple[str, float]]:
    so_far = 0
    for bound, count in zip((*map(str, BOUNDS), "+Inf"), tally.buckets, strict=True):
        so_far += count
        yield bound, float(so_far)


_MAKERS: dict[str, Callable[[str, dict[tuple[str, ...], Tally]], Metric]] = {
    COUNTER: _counter,
    HISTOGRAM: _histogram,
}
