"""Encrypted files of secrets as rows: files to import, and files that an export has written.

The values are encrypted, and nobody can decrypt them without a private key. A row that is older than an hour and has no
open job is deleted when the next file is stored.
"""

from __future__ import annotations

from sqlalchemy import delete, select, text
from sqlalchemy.dialects.postgresql import insert

from norn_tasks.domain.errors import NotFound
from norn_tasks.store.database.session import Tx
from norn_tasks.store.rules.lists import OPEN_STATES
from norn_tasks.store.tables import JobRow
from norn_tasks.store.tables import SecretFileRow as Row

_SPENT = text(f"""
DELETE FROM secret_files f WHERE f.at < clock_timestamp() - interval '1 hour'
   AND NOT EXISTS (SELECT 1 FROM jobs j WHERE j.id = f.job_id AND j.state IN {OPEN_STATES})""")  # noqa: S608 - built from constants


def keep(tx: Tx, job: int, app: str, content: str) -> None:
    """Stores the file of a job, and deletes old files."""
    tx.execute(_SPENT)
    row = insert(Row).values(job_id=job, app=app, content=content)
    tx.execute(row.on_conflict_do_update(index_elements=["job_id"], set_={"content": content}))


def find(tx: Tx, job: int) -> str | None:
    """Returns the file of a job; None if there is none."""
    return tx.scalar(select(Row.content).where(Row.job_id == job))


def exported(tx: Tx, app: str, job: int) -> str:
    """Returns the file that an export of the app has written; raises NotFound."""
    found = tx.scalar(select(Row.content).where(Row.job_id == job, Row.app == app))
    if found is None:
        raise NotFound(f"job {job} has no file of secrets of {app}", hint=f"norn secrets export {app} writes one")
    return found


def forget(tx: Tx, job: int) -> None:
    """Deletes the file of a job."""
    tx.execute(delete(Row).where(Row.job_id == job))


def sender(tx: Tx, job: int) -> str:
    """Returns the name of the token that asked for a job."""
    return str(tx.execute(select(JobRow.actor).where(JobRow.id == job)).scalar_one())
