"""The defaults of health checks and of the time to stop, in the specs of apps, releases and jobs."""

import json

from alembic import op

revision = "0025"
down_revision = "0024"

DEFAULTS = {
    "health": {"host": "localhost", "interval": 15, "timeout": 2, "retries": 3, "status": "200-399"},
    "stopGrace": 10,
}


def filled(column: str) -> str:
    """Returns the SQL of a spec with these defaults; a value that is not a JSON object stays as it is."""
    health = f"'{json.dumps(DEFAULTS['health'])}' || coalesce({column} -> 'health', '{{}}')"
    spec = f"CAST('{json.dumps(DEFAULTS)}' AS jsonb) || {column} || jsonb_build_object('health', {health})"
    return f"CASE WHEN jsonb_typeof({column}) = 'object' THEN {spec} ELSE {column} END"


def changes() -> str:
    """Returns the statements of the change."""
    return f"""
UPDATE apps SET spec = {filled("spec")};
UPDATE releases SET spec = {filled("spec")}, registered = {filled("registered")};
UPDATE jobs SET spec = {filled("spec")} WHERE spec IS NOT NULL;
"""  # noqa: S608 - built from constants


def upgrade() -> None:
    """Applies the change."""
    op.execute(changes())
