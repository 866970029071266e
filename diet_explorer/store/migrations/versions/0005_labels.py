"""A relabelling of many examples can give each its own class."""

import sqlalchemy as sa
from alembic import op

revision = "0005_labels"
down_revision = "0004_review"


def upgrade() -> None:
    """Add the column of these classes."""
    op.add_column("decisions", sa.Column("labels", sa.LargeBinary))


def downgrade() -> None:
    """Forget them."""
    with op.batch_alter_table("decisions") as batch:
        batch.drop_column("labels")
