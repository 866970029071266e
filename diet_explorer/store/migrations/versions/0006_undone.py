"""An index of what events take back, so that undoing costs the same at any number of events."""

from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Create the index."""
    op.create_index("decisions_by_undone", "decisions", ["undoes"])


def downgrade() -> None:
    """Remove the index."""
    op.drop_index("decisions_by_undone", "decisions")
