"""The default of a function's field `cors`, in the specs of apps, releases and jobs: pages of every origin may call
it.
"""

import json

from alembic import op

revision = "0054"
down_revision = "0053"

DEFAULTS = {"cors": ["*"]}


def filled(column: str) -> str:
    """Returns the SQL of a spec whose section `function` has this default; other values are not changed."""
    function = f"CAST('{json.dumps(DEFAULTS)}' AS jsonb) || ({column} -> 'function')"
    spec = f"{column} || jsonb_build_object('function', {function})"
    return f"CASE WHEN jsonb_typeof({column} -> 'function') = 'object' THEN {spec} ELSE {column} END"


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
