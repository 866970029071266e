"""An index of what events take back, so that undoing costs the same at any number of events."""

from alembic import op

revision = "0004_undone"
down_revision = "0003"


def upgrade() -> None:
    """Create the index."""
    op.create_index("decisions_by_undone", "decisions", ["undoes"])
