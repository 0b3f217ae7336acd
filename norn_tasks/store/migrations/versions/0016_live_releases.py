"""The live release of each app as a view, so that statements need not repeat its joins."""

from alembic import op

revision = "0016"
down_revision = "0015"

VIEW = """
CREATE VIEW live_releases AS
SELECT a.name AS app, a.live_deployment AS deployment, a.live_generation AS generation,
       r.n, r.image, r.image_id, r.engine, r.published, r.revision, r.spec, r.live_at
  FROM apps a
  JOIN deployments d ON d.id = a.live_deployment
  JOIN releases r ON r.app = d.app AND r.n = d.release;
"""


def upgrade() -> None:
    """Applies the change."""
    op.execute(VIEW)
