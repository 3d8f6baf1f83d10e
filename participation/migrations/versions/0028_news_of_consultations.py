"""What happens to consultations themselves is told as well: happenings without a proposal, each known by its key."""

import sqlalchemy as sa
from alembic import op

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("happening", schema=None) as batch_op:
        batch_op.alter_column("proposal_id", existing_type=sa.Integer(), nullable=True)
        batch_op.add_column(sa.Column("key", sa.String(), nullable=False, server_default=""))
    with op.batch_alter_table("happening", schema=None) as batch_op:
        batch_op.alter_column("key", server_default=None)
        batch_op.create_index("ix_happening_procedure_id_key", ["procedure_id", "key"], unique=False)


def downgrade() -> None:
    op.execute("DELETE FROM told WHERE happening_id IN (SELECT id FROM happening WHERE proposal_id IS NULL)")
    op.execute("DELETE FROM happening WHERE proposal_id IS NULL")
    with op.batch_alter_table("happening", schema=None) as batch_op:
        batch_op.drop_index("ix_happening_procedure_id_key")
        batch_op.drop_column("key")
        batch_op.alter_column("proposal_id", existing_type=sa.Integer(), nullable=False)
