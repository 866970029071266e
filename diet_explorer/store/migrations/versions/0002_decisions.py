"""The ledger of decisions."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "decisions",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("dataset_id", sa.String(120), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("annotator", sa.String(200), nullable=False),
        sa.Column("action", sa.String(20), nullable=False),
        sa.Column("label", sa.Text),
        sa.Column("note", sa.Text),
        sa.Column("run_id", sa.String(120)),
        sa.Column("seen", sa.JSON),
        sa.Column("row", sa.Integer),
        sa.Column("rows", sa.LargeBinary),
        sa.Column("count", sa.Integer, nullable=False),
        sa.Column("undoes", sa.Integer, unique=True),
    )
    op.create_index("decisions_by_dataset", "decisions", ["dataset_id", "id"])
    op.create_index("decisions_by_row", "decisions", ["dataset_id", "row"])


def downgrade() -> None:
    """Remove the table."""
    op.drop_table("decisions")
