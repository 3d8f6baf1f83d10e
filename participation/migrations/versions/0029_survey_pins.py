"""A place in a survey is a pin that somebody set, or words."""

import sqlalchemy as sa
from alembic import op

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("survey_words", schema=None) as batch_op:
        batch_op.add_column(sa.Column("is_pin", sa.Boolean(), nullable=False, server_default=sa.false()))
    with op.batch_alter_table("survey_words", schema=None) as batch_op:
        batch_op.alter_column("is_pin", server_default=None)


def downgrade() -> None:
    with op.batch_alter_table("survey_words", schema=None) as batch_op:
        batch_op.drop_column("is_pin")
