"""What several annotators need: events known everywhere by one name, adjudications, and claims on examples."""

import uuid

import sqlalchemy as sa
from alembic import op

revision = "0004_review"
down_revision = "0003_children"


def upgrade() -> None:
    """Extend the ledger and create the table of claims."""
    op.add_column("decisions", sa.Column("uid", sa.String(32)))
    op.add_column("decisions", sa.Column("adjudicates", sa.Boolean, nullable=False, server_default=sa.false()))
    decisions = sa.table("decisions", sa.column("id", sa.Integer), sa.column("uid", sa.String))
    connection = op.get_bind()
    for number in connection.scalars(sa.select(decisions.c.id)).all():
        connection.execute(decisions.update().where(decisions.c.id == number).values(uid=uuid.uuid4().hex))
    with op.batch_alter_table("decisions") as batch:
        batch.alter_column("uid", existing_type=sa.String(32), nullable=False)
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
    """Forget both."""
    op.drop_table("review_claims")
    op.drop_index("decisions_by_annotator", "decisions")
    op.drop_index("decisions_by_uid", "decisions")
    with op.batch_alter_table("decisions") as batch:
        batch.drop_column("adjudicates")
        batch.drop_column("uid")
