"""A consultation may be a part of another one of the same municipality; without that one it stands by itself."""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

NAME = "fk_procedure_part_of_id_procedure"


def upgrade() -> None:
    # SQLite adds a column that refers to a table without building that table anew; anew, every row of other tables
    # that refers to a consultation would lose what it refers to for a moment, which is refused.
    if op.get_bind().dialect.name == "sqlite":
        op.execute(
            f"ALTER TABLE procedure ADD COLUMN part_of_id INTEGER CONSTRAINT {NAME} REFERENCES procedure (id)"
        )
    else:
        op.add_column("procedure", sa.Column("part_of_id", sa.Integer(), nullable=True))
        op.create_foreign_key(NAME, "procedure", "procedure", ["part_of_id"], ["id"])
    op.create_index("ix_procedure_part_of_id", "procedure", ["part_of_id"])


def downgrade() -> None:
    op.drop_index("ix_procedure_part_of_id", "procedure")
    op.drop_column("procedure", "part_of_id")
