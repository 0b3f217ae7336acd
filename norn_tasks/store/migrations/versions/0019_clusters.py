"""The cluster of an app, frozen into its jobs; until now there was only the Docker cluster."""

from alembic import op

revision = "0019"
down_revision = "0018"

CHANGES = """
ALTER TABLE jobs ADD COLUMN cluster TEXT;
UPDATE apps SET cluster = 'docker'
 WHERE role IN ('webserver', 'worker') AND (forge_state <> 'unforged' OR EXISTS (
   SELECT 1 FROM jobs j WHERE j.app = apps.name AND j.exclusive AND j.state IN ('queued', 'running')));
UPDATE jobs SET cluster = 'docker' FROM apps a
 WHERE a.name = jobs.app AND a.cluster = 'docker' AND jobs.state IN ('queued', 'running')
   AND (jobs.exclusive OR jobs.kind IN ('read-logs', 'exec'));
"""


def upgrade() -> None:
    """Applies the change."""
    op.execute(CHANGES)
