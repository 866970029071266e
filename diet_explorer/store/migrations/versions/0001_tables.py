"""The tables of runs, of decisions and of claims on examples under review."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "runs",
        sa.Column("id", sa.String(120), primary_key=True),
        sa.Column("dataset_id", sa.String(120), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("origin", sa.String(20), nullable=False),
        sa.Column("status", sa.String(20), nullable=False),
        sa.Column("config", sa.JSON, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True)),
        sa.Column("finished_at", sa.DateTime(timezone=True)),
        sa.Column("error", sa.Text),
        sa.Column("remedy", sa.Text),
        sa.Column("workflow_id", sa.String(120)),
        sa.Column("parent_id", sa.String(120)),
    )
    op.create_index("runs_by_dataset", "runs", ["dataset_id", "created_at"])
    op.create_index("runs_by_parent", "runs", ["parent_id"])
    op.create_table(
        "decisions",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("dataset_id", sa.String(120), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("annotator", sa.String(200), nullable=False),
        sa.Column("action", sa.String(20), nullable=False),
        sa.Column("label", sa.Text),
        sa.Column("labels", sa.LargeBinary),
        sa.Column("note", sa.Text),
        sa.Column("run_id", sa.String(120)),
        sa.Column("seen", sa.JSON),
        sa.Column("row", sa.Integer),
        sa.Column("rows", sa.LargeBinary),
        sa.Column("count", sa.Integer, nullable=False),
        sa.Column("undoes", sa.Integer, unique=True),
        sa.Column("uid", sa.String(64), nullable=False),
        sa.Column("adjudicates", sa.Boolean, nullable=False, server_default=sa.false()),
    )
    op.create_index("decisions_by_dataset", "decisions", ["dataset_id", "id"])
    op.create_index("decisions_by_row", "decisions", ["dataset_id", "row"])
    op.create_index("decisions_by_uid", "decisions", ["dataset_id", "uid"], unique=True)
    op.create_index("decisions_by_annotator", "decisions", ["dataset_id", "annotator", "at"])
    op.create_table(
        "review_claims",
        sa.Column("dataset_id", sa.String(120), primary_key=True),
        sa.Column("row", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("annotator", sa.String(200), primary_key=True),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
    )


def downgrade() -> None:
    """Remove the tables."""
    op.drop_table("review_claims")
    op.drop_table("decisions")
    op.drop_table("runs")
