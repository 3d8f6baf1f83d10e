"""Entries are numbered by the contributions themselves; a procedure no longer counts them.

Revision ID: 0015
Revises: 0014
"""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_column("procedure", "last_entry_number")


def downgrade() -> None:
    op.add_column(
        "procedure", sa.Column("last_entry_number", sa.Integer(), nullable=False, server_default="0")
    )
    op.execute(
        "UPDATE procedure SET last_entry_number = (SELECT coalesce(max(entry_number), 0) FROM contribution"
        " WHERE contribution.procedure_id = procedure.id)"
    )
