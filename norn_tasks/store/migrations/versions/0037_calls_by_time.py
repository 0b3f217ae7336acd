"""An index that finds the calls of a function in the last hour."""

from alembic import op

revision = "0037"
down_revision = "0036"


def upgrade() -> None:
    """Applies the change."""
    op.execute("CREATE INDEX func_executions_by_time ON func_executions(app, created_at)")
