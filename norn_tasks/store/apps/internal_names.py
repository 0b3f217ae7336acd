"""Internal names, under which webservers find each other on their network. Each name belongs to one app only.

The network's DNS returns all containers with a name. So a second app with the same name would receive some of the
requests to the first app, and could read them.
"""

from __future__ import annotations

from sqlalchemy import text

from norn_tasks.domain.errors import HostTaken
from norn_tasks.domain.infraspec import Infraspec, Role
from norn_tasks.store.apps.spec_files import SpecFile
from norn_tasks.store.database.session import Tx
from norn_tasks.store.rules.lists import OPEN_STATES


def take(tx: Tx, spec: Infraspec, files: tuple[SpecFile, ...] = ()) -> None:
    """Makes sure that no other app has the infraspec's internal name, and that none gets it before this transaction
    ends.

    An app has the names in the specs of its last `apply`, its live release, its deploys and rollbacks that have not
    ended, and its directory (in `files`). Raises HostTaken. Callers lock rows before this lock, never after it.
    """
    if spec.role is not Role.WEBSERVER:
        return
    tx.execute(text("SELECT pg_advisory_xact_lock(hashtext('norn-internal-names'))"))
    refusal = taken(tx, spec, files)
    if refusal is not None:
        raise refusal


def taken(tx: Tx, spec: Infraspec, files: tuple[SpecFile, ...] = ()) -> HostTaken | None:
    """Returns the refusal if the webserver's internal name belongs to another app; None if the name is free."""
    if spec.role is not Role.WEBSERVER:
        return None
    owner = tx.scalar(_OWNER, {"app": spec.app, "wanted": spec.internal_host}) or _in_directories(spec, files)
    return None if owner is None else HostTaken(spec.internal_host, owner)


def _in_directories(spec: Infraspec, files: tuple[SpecFile, ...]) -> str | None:
    others = (file.spec for file in files if file.spec is not None and file.spec.app != spec.app)
    webservers = (other for other in others if other.role is Role.WEBSERVER)
    return next((other.app for other in webservers if other.internal_host == spec.internal_host), None)


_OWNER = text(f"""
SELECT app FROM (
  SELECT name AS app, spec FROM apps WHERE source = 'applied'
  UNION ALL
  SELECT app, spec FROM live_releases
  UNION ALL
  SELECT app, spec FROM jobs WHERE state IN {OPEN_STATES} AND kind IN ('deploy', 'rollback')
) held
 WHERE app <> :app AND spec ->> 'role' = 'webserver' AND coalesce(spec #>> '{{hosts,internal}}', app) = :wanted
 ORDER BY app LIMIT 1""")  # noqa: S608 - built from a constant
