"""Municipalities have templates of their own."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    body = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
    op.create_table(
        "procedure_template",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("municipality_id", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("body", body, nullable=False),
        sa.Column("by", sa.String(), nullable=False),
        sa.Column("at", sa.DateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["municipality_id"],
            ["municipality.id"],
            name=op.f("fk_procedure_template_municipality_id_municipality"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_procedure_template")),
        sa.UniqueConstraint(
            "municipality_id", "key", "number", name=op.f("uq_procedure_template_municipality_id_key_number")
        ),
    )


def downgrade() -> None:
    op.drop_table("procedure_template")
