"""The table that says which workspace a database is of, and where it went."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0003"


def upgrade() -> None:
    """Create the table; whoever opens the workspace next fills it."""
    op.create_table(
        "workspace",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("moved_to", sa.Text),
    )


def downgrade() -> None:
    """Remove the table."""
    op.drop_table("workspace")
