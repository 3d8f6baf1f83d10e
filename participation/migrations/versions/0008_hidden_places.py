"""Redactions that keep the exact place from the public; documents whose published file is not the delivered one."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_INDEX = "ix_contribution_procedure_id_publication_cell"
_COLUMNS = ["procedure_id", "publication", "cell", "kind", "category", "lon", "lat"]


def upgrade() -> None:
    op.add_column(
        "contribution", sa.Column("place_hidden", sa.Boolean(), nullable=False, server_default=sa.false())
    )
    op.add_column(
        "redaction", sa.Column("hides_place", sa.Boolean(), nullable=False, server_default=sa.false())
    )
    op.add_column("redaction", sa.Column("place_words", sa.String(), nullable=False, server_default=""))
    op.add_column(
        "document_version", sa.Column("original_sha256", sa.String(), nullable=False, server_default="")
    )
    op.drop_index(_INDEX, "contribution")
    op.create_index(_INDEX, "contribution", [*_COLUMNS, "place_hidden"])


def downgrade() -> None:
    op.drop_index(_INDEX, "contribution")
    op.create_index(_INDEX, "contribution", _COLUMNS)
    with op.batch_alter_table("document_version") as batch_op:
        batch_op.drop_column("original_sha256")
    with op.batch_alter_table("redaction") as batch_op:
        batch_op.drop_column("place_words")
        batch_op.drop_column("hides_place")
    with op.batch_alter_table("contribution") as batch_op:
        batch_op.drop_column("place_hidden")
