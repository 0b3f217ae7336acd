"""Room for updates on the pages of jobs and calls: a job's row is written five times until it has ended.

A new version on the same page needs no new index entries if no indexed column changed, and its WAL has only what
differs. Rows that exist stay where they are.
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
