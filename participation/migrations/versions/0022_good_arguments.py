"""Somebody may say that an argument in the talk about a proposal is a good one: rows beside those of supports."""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

NAME = "fk_support_argument_id_contribution"
ONLY = sa.text("argument_id IS NOT NULL")


def upgrade() -> None:
    # SQLite adds a column that refers to a table without building the table anew.
    if op.get_bind().dialect.name == "sqlite":
        op.execute(
            f"ALTER TABLE support ADD COLUMN argument_id INTEGER CONSTRAINT {NAME} REFERENCES contribution (id)"
        )
    else:
        op.add_column("support", sa.Column("argument_id", sa.Integer(), nullable=True))
        op.create_foreign_key(NAME, "support", "contribution", ["argument_id"], ["id"])
    op.create_index(
        "ix_support_arguments",
        "support",
        ["proposal_id", "argument_id", "phase_id", "party", "turn", "act"],
        sqlite_where=ONLY,
        postgresql_where=ONLY,
    )


def downgrade() -> None:
    op.execute(sa.text("DELETE FROM support WHERE argument_id IS NOT NULL"))
    op.drop_index("ix_support_arguments", "support")
    op.drop_column("support", "argument_id")
