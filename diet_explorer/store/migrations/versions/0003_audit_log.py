"""The table of the audit log, whose lines nobody changes or deletes."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

_KEPT = "the lines of the audit log stay as they are"


def upgrade() -> None:
    """Create the table, and what refuses to change it."""
    op.create_table(
        "audit_log",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("who", sa.Text, nullable=False),
        sa.Column("role", sa.String(20)),
        sa.Column("what", sa.Text, nullable=False),
        sa.Column("about", sa.Text),
        sa.Column("uid", sa.String(64), nullable=False),
    )
    op.create_index("audit_log_by_uid", "audit_log", ["uid"], unique=True)
    op.create_index("audit_log_by_kind", "audit_log", ["kind", "id"])
    if op.get_bind().dialect.name == "sqlite":
        for verb in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER audit_log_no_{verb.lower()} BEFORE {verb} ON audit_log "
                f"BEGIN SELECT RAISE(ABORT, '{_KEPT}'); END"
            )
        return
    op.execute(
        "CREATE FUNCTION audit_log_kept() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN RAISE EXCEPTION '{_KEPT}'; END $$"
    )
    op.execute(
        "CREATE TRIGGER audit_log_kept BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_log "
        "FOR EACH STATEMENT EXECUTE FUNCTION audit_log_kept()"
    )


def downgrade() -> None:
    """Remove the table."""
    op.drop_table("audit_log")
    if op.get_bind().dialect.name != "sqlite":
        op.execute("DROP FUNCTION audit_log_kept()")
