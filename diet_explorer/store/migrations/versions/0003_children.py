"""Further trainings that belong to a run: folds, noise checks, proofs."""

import sqlalchemy as sa
from alembic import op

revision = "0003_children"
down_revision = "0002"


def upgrade() -> None:
    """Add the column."""
    op.add_column("runs", sa.Column("parent_id", sa.String(120)))
    op.create_index("runs_by_parent", "runs", ["parent_id"])


def downgrade() -> None:
    """Remove the column."""
    op.drop_index("runs_by_parent", "runs")
    op.drop_column("runs", "parent_id")
