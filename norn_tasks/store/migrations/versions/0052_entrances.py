"""For an app that has moved to another cluster: the address (entrance) at which that cluster takes the app's
requests.
"""

from alembic import op

revision = "0052"
down_revision = "0051"


def upgrade() -> None:
    """Applies the change."""
    op.execute("ALTER TABLE addresses ADD COLUMN entrance TEXT")
