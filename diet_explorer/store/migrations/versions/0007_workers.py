"""The tables of the workers that are alive, and of who does which job."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "workers",
        sa.Column("id", sa.String(300), primary_key=True),
        sa.Column("token", sa.String(40), nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("host", sa.String(255), nullable=False),
        sa.Column("slot", sa.Integer, nullable=False),
        sa.Column("pid", sa.Integer, nullable=False),
        sa.Column("machine", sa.String(255), nullable=False),
        sa.Column("version", sa.String(60), nullable=False),
        sa.Column("device", sa.Text, nullable=False),
        sa.Column("memory_total", sa.BigInteger),
        sa.Column("memory_free", sa.BigInteger),
        sa.Column("can", sa.JSON, nullable=False),
        sa.Column("lease_seconds", sa.Float, nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("tasks", sa.JSON, nullable=False),
        sa.Column("freed", sa.JSON, nullable=False),
        sa.Column("trouble", sa.Text),
    )
    op.create_table(
        "leases",
        sa.Column("thing", sa.String(300), primary_key=True),
        sa.Column("worker", sa.String(300)),
        sa.Column("job", sa.String(200), nullable=False),
        sa.Column("epoch", sa.Integer, nullable=False),
    )
    op.create_index("leases_by_worker", "leases", ["worker"])


def downgrade() -> None:
    """Remove the tables."""
    op.drop_table("leases")
    op.drop_table("workers")
