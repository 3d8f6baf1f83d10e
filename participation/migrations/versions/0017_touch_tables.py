"""Touch tables: devices known by a key of their own, for the days of an event."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "touch_table",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("municipality_id", sa.Integer(), nullable=False),
        sa.Column("procedure_id", sa.Integer(), nullable=False),
        sa.Column("title", sa.String(), nullable=False),
        sa.Column("public_key", sa.String(), nullable=False),
        sa.Column("starts_on", sa.Date(), nullable=False),
        sa.Column("ends_on", sa.Date(), nullable=False),
        sa.Column("set_up_at", sa.DateTime(), nullable=False),
        sa.Column("seen_at", sa.DateTime(), nullable=False),
        sa.Column("ended_at", sa.DateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["municipality_id"],
            ["municipality.id"],
            name=op.f("fk_touch_table_municipality_id_municipality"),
        ),
        sa.ForeignKeyConstraint(
            ["procedure_id"], ["procedure.id"], name=op.f("fk_touch_table_procedure_id_procedure")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_touch_table")),
    )
    with op.batch_alter_table("touch_table", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_touch_table_procedure_id"), ["procedure_id"], unique=False)


def downgrade() -> None:
    op.drop_table("touch_table")
