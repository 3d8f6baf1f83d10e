"""Votes in every language of the town, letters with a number that can be cancelled one by one, and what the server draws for
the numbers of ballots."""

import secrets

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0030"
down_revision = "0029"
branch_labels = None
depends_on = None


def upgrade() -> None:
    json = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
    with op.batch_alter_table("vote", schema=None) as batch_op:
        batch_op.add_column(sa.Column("translations", json, nullable=False, server_default="{}"))
        batch_op.add_column(sa.Column("check_key", sa.String(), nullable=False, server_default=""))
    with op.batch_alter_table("vote", schema=None) as batch_op:
        batch_op.alter_column("translations", server_default=None)
        batch_op.alter_column("check_key", server_default=None)
    # A vote that stands already gets what it would have been given when it was put up.
    for (number,) in op.get_bind().execute(sa.text("SELECT id FROM vote WHERE state = 'ready'")).fetchall():
        op.get_bind().execute(
            sa.text("UPDATE vote SET check_key = :drawn WHERE id = :id"),
            {"drawn": secrets.token_hex(32), "id": number},
        )
    # Columns that may be empty: the table without row numbers stays as it is.
    op.add_column("vote_code", sa.Column("number", sa.Integer(), nullable=True))
    op.add_column("vote_code", sa.Column("cancelled_at", sa.DateTime(), nullable=True))
    op.create_index("ix_vote_code_vote_id_number", "vote_code", ["vote_id", "number"], unique=True)


def downgrade() -> None:
    op.drop_index("ix_vote_code_vote_id_number", table_name="vote_code")
    op.drop_column("vote_code", "cancelled_at")
    op.drop_column("vote_code", "number")
    with op.batch_alter_table("vote", schema=None) as batch_op:
        batch_op.drop_column("check_key")
        batch_op.drop_column("translations")
