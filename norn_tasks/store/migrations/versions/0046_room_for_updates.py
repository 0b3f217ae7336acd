"""Leaves free space on the pages of jobs and calls, because the row of a job is updated about five times.

If a new version of a row fits on the same page and no indexed column has changed, it needs no new index entries and
less WAL. Existing rows are not moved.
"""

from alembic import op

revision = "0046"
down_revision = "0045"


def upgrade() -> None:
    """Applies the change."""
    op.execute("ALTER TABLE jobs SET (fillfactor = 50)")
    op.execute("ALTER TABLE func_executions SET (fillfactor = 70)")
    op.execute("ALTER TABLE execution_io SET (fillfactor = 70)")
    op.execute("ALTER TABLE slots SET (fillfactor = 50)")
