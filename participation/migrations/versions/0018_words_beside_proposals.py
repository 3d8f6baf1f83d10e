"""Names of co-authors and answers to amendments are read by a moderator before everybody reads them.

What stands there from before waits to be read: nobody has looked at it.
"""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("proposal_author", schema=None) as batch_op:
        batch_op.add_column(sa.Column("name_state", sa.String(), nullable=False, server_default="shown"))
    with op.batch_alter_table("amendment", schema=None) as batch_op:
        batch_op.add_column(sa.Column("answer_state", sa.String(), nullable=False, server_default="shown"))
    op.execute(
        "UPDATE proposal_author SET name_state = 'waiting'"
        " WHERE name <> '' AND way IN ('link', 'mail', 'paper', 'merge')"
    )
    op.execute(
        "UPDATE amendment SET answer_state = 'waiting' WHERE decided_part = 'owner' AND decision_words <> ''"
    )
    with op.batch_alter_table("proposal_author", schema=None) as batch_op:
        batch_op.alter_column("name_state", server_default=None)
    with op.batch_alter_table("amendment", schema=None) as batch_op:
        batch_op.alter_column("answer_state", server_default=None)


def downgrade() -> None:
    with op.batch_alter_table("amendment", schema=None) as batch_op:
        batch_op.drop_column("answer_state")
    with op.batch_alter_table("proposal_author", schema=None) as batch_op:
        batch_op.drop_column("name_state")
