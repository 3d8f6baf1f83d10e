"""Files that drafts have let go."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "loose_file",
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("since", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("sha256", name=op.f("pk_loose_file")),
    )
    op.create_index(op.f("ix_loose_file_since"), "loose_file", ["since"])


def downgrade() -> None:
    op.drop_table("loose_file")
