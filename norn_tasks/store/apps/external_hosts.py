"""Public host names as rows: each belongs to one app only, and its row records the tunnel's rule and the DNS record
that were made for it.

A row is written before the tunnel or the DNS is changed, so that a worker that takes over knows which rules and records
may exist.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from sqlalchemy import text

from norn_tasks.domain.errors import HostTaken, LeaseLost
from norn_tasks.domain.infraspec import Infraspec
from norn_tasks.domain.jobs.job import Fence
from norn_tasks.domain.jobs.writes import EdgeSeen, TunnelSeen
from norn_tasks.domain.tunnel.certificate import Certificate
from norn_tasks.domain.tunnel.external_host import ExternalHost, RouteState, SeenRoute, TunnelCheck
from norn_tasks.store.apps.spec_files import SpecFile
from norn_tasks.store.database.pages import AnyRow
from norn_tasks.store.database.session import ROUTES, Row, Tx, note
from norn_tasks.store.rules.fence import held

_LOCK = text("SELECT pg_advisory_xact_lock(hashtext('norn-external-hosts'))")
_TURN = text("SELECT pg_try_advisory_xact_lock(hashtext('norn-tunnel'))")
_FIELDS = "host, app, service, ruled, record, recorded, leaving"


def take(tx: Tx, spec: Infraspec, files: tuple[SpecFile, ...] = ()) -> None:
    """Makes sure that no other app has the infraspec's public name, and that none gets it before this transaction ends.

    An app has the names in its applied spec, in the spec of its directory (in `files`), and in its rows. Raises
    HostTaken. Callers lock rows before this lock, never after it.
    """
    wanted = spec.hosts.external
    if wanted is None:
        return
    tx.execute(_LOCK)
    owner = tx.scalar(_OWNER, {"app": spec.app, "wanted": wanted}) or _in_directories(spec, files)
    if owner is not None:
        raise HostTaken(wanted, owner, public=True)


def _in_directories(spec: Infraspec, files: tuple[SpecFile, ...]) -> str | None:
    others = (file.spec for file in files if file.spec is not None and file.spec.app != spec.app)
    return next((other.app for other in others if other.hosts.external == spec.hosts.external), None)


_OWNER = text("""
SELECT app FROM (
  SELECT app FROM external_hosts WHERE host = :wanted
  UNION ALL
  SELECT name AS app FROM apps WHERE source = 'applied' AND spec #>> '{hosts,external}' = :wanted
) held
 WHERE app <> :app ORDER BY app LIMIT 1""")


def take_turn(tx: Tx) -> bool:
    """Returns True if this transaction may change the tunnel until it ends."""
    return bool(tx.scalar(_TURN))


def require_held(tx: Tx, fence: Fence) -> None:
    """Raises LeaseLost if the job's token is no longer valid. The job's row is not locked, so that its lease can be
    renewed.
    """
    if tx.scalar(_HELD, {"job": fence.job, "token": fence.token}) is None:
        raise LeaseLost(f"job {fence.job} is no longer held by this worker", job=fence.job)


_HELD = text(f"SELECT 1 FROM jobs WHERE {held()}")  # noqa: S608 - built from a constant


def claim(tx: Tx, app: str, host: str) -> None:
    """Gives the name to the app, and marks the app's other names for removal; raises HostTaken."""
    tx.execute(_LOCK)
    owner = tx.scalar(text("SELECT app FROM external_hosts WHERE host = :host AND app <> :app"), _named(app, host))
    if owner is not None:
        raise HostTaken(host, owner, public=True)
    tx.execute(text("UPDATE external_hosts SET leaving = true WHERE app = :app AND host <> :host"), _named(app, host))
    tx.execute(_CLAIM, _named(app, host))
    tx.execute(_TIDY, {"app": app})
    note(tx, ROUTES, app)


_CLAIM = text("""
INSERT INTO external_hosts (host, app) VALUES (:host, :app)
ON CONFLICT (host) DO UPDATE SET leaving = false""")


def _named(app: str, host: str) -> dict[str, str]:
    return {"app": app, "host": host}


def release(tx: Tx, app: str) -> None:
    """Marks all names of the app for removal, and deletes those for which neither a rule nor a record was made."""
    tx.execute(text("UPDATE external_hosts SET leaving = true WHERE app = :app"), {"app": app})
    tx.execute(_TIDY, {"app": app})
    note(tx, ROUTES, app)


_TIDY = text("DELETE FROM external_hosts WHERE app = :app AND leaving AND service IS NULL AND record IS NULL")


def of_app(tx: Tx, app: str) -> tuple[ExternalHost, ...]:
    """Lists the names of an app."""
    return tuple(_host(row) for row in tx.execute(_OF_APP, {"app": app}).mappings())


def everyone(tx: Tx) -> tuple[ExternalHost, ...]:
    """Lists the names of all apps."""
    return tuple(_host(row) for row in tx.execute(_ALL).mappings())


_OF_APP = text(f"SELECT {_FIELDS} FROM external_hosts WHERE app = :app ORDER BY host")  # noqa: S608 - a constant
_ALL = text(f"SELECT {_FIELDS} FROM external_hosts ORDER BY host")  # noqa: S608 - a constant


def _host(row: Row) -> ExternalHost:
    return ExternalHost(**row)


def save(tx: Tx, host: ExternalHost) -> None:
    """Writes the rule and the record that exist for a name or will be made; deletes a name that is marked for removal
    and has neither.
    """
    tx.execute(_SAVE, asdict(host))
    tx.execute(_TIDY, {"app": host.app})


_SAVE = text("""
UPDATE external_hosts SET service = :service, ruled = :ruled, record = :record, recorded = :recorded,
       leaving = :leaving, reason = '',
       state = CASE WHEN :ruled AND :recorded AND NOT :leaving THEN 'routed' ELSE 'not routed' END
 WHERE host = :host AND app = :app""")


def routes_of(tx: Tx, apps: Sequence[str]) -> dict[str, SeenRoute]:
    """Returns, by app, how its public name is routed; names that are marked for removal are used only if there is no
    other.
    """
    rows = tx.execute(_ROUTES, {"apps": list(apps)})
    return {row.app: SeenRoute(row.host, RouteState(row.state), row.reason, _certificate(row)) for row in rows}


def _certificate(row: AnyRow) -> Certificate | None:
    if row.valid_until is None:
        return None
    return Certificate(row.issuer, row.valid_from, row.valid_until)


_ROUTES = text("""
SELECT app, host, state, reason, issuer, valid_from, valid_until
  FROM external_hosts WHERE app = ANY(:apps) ORDER BY NOT leaving, host""")


def checks(tx: Tx) -> tuple[tuple[TunnelCheck, float], ...]:
    """Returns the findings of the last observation of the tunnel, each with its age in seconds."""
    rows = tx.execute(_CHECKS)
    return tuple((TunnelCheck(row.name, row.good, row.sentence, row.hint), row.age) for row in rows)


_CHECKS = text("""
SELECT name, good, sentence, hint, extract(epoch FROM clock_timestamp() - seen_at)::float8 AS age
  FROM tunnel_checks ORDER BY name""")


def unrouted(tx: Tx) -> tuple[tuple[str, SeenRoute], ...]:
    """Returns the names that are not routed as they should be, each with its app."""
    rows = tx.execute(_UNROUTED)
    return tuple((row.app, SeenRoute(row.host, RouteState(row.state), row.reason)) for row in rows)


_UNROUTED = text("""
SELECT app, host, state, reason FROM external_hosts WHERE state <> 'routed' AND NOT leaving ORDER BY host""")


def seen(tx: Tx, look: TunnelSeen) -> None:
    """Writes the findings of an observation and the state of each name; a name without a new state keeps its old one.

    A name that moved from the edge to a tunnel loses its certificate here, because the edge no longer renews it.
    """
    tx.execute(text("DELETE FROM tunnel_checks"))
    for check in look.checks:
        tx.execute(_CHECK, asdict(check))
    for route in look.routes:
        tx.execute(_STATE, {"host": route.host, "state": str(route.state), "reason": route.reason})


_CHECK = text("INSERT INTO tunnel_checks (name, good, sentence, hint) VALUES (:name, :good, :sentence, :hint)")
_STATE = text("""
UPDATE external_hosts SET state = :state, reason = :reason, seen_at = clock_timestamp(),
       issuer = '', valid_from = NULL, valid_until = NULL WHERE host = :host""")


def edge_seen(tx: Tx, look: EdgeSeen) -> None:
    """Writes the result of an observation of the edge for each name; ignores a name that no longer has a row."""
    for route in look.routes:
        found = route.certificate
        values = {"issuer": found.issuer, "since": found.since, "until": found.until} if found else _NO_CERTIFICATE
        tx.execute(_EDGE_STATE, {"host": route.host, "state": str(route.state), "reason": route.reason, **values})


def due_at_edge(tx: Tx, seconds: float) -> tuple[ExternalHost, ...]:
    """Returns at most 20 names that were not checked in the last `seconds`; those that were checked longest ago come
    first.
    """
    return tuple(_host(row) for row in tx.execute(_DUE, {"seconds": seconds}).mappings())


_NO_CERTIFICATE = {"issuer": "", "since": None, "until": None}
_EDGE_STATE = text("""
UPDATE external_hosts SET state = :state, reason = :reason, seen_at = clock_timestamp(),
       issuer = CASE WHEN CAST(:until AS timestamptz) IS NULL THEN issuer ELSE :issuer END,
       valid_from = coalesce(CAST(:since AS timestamptz), valid_from),
       valid_until = coalesce(CAST(:until AS timestamptz), valid_until) WHERE host = :host""")
_DUE = text(f"""
SELECT {_FIELDS} FROM external_hosts WHERE NOT leaving
   AND (seen_at IS NULL OR seen_at < clock_timestamp() - make_interval(secs => :seconds))
 ORDER BY seen_at NULLS FIRST, host LIMIT 20""")  # noqa: S608 - a constant
