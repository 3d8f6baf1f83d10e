"""Saved searches among proposals, and what an address that follows several things was told of."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "saved_search",
        sa.Column("id", KEY, nullable=False),
        sa.Column("municipality_id", sa.Integer(), nullable=False),
        sa.Column("procedure_id", sa.Integer(), nullable=False),
        sa.Column("facts", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("lost_at", sa.DateTime(), nullable=True),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["municipality_id"],
            ["municipality.id"],
            name=op.f("fk_saved_search_municipality_id_municipality"),
        ),
        sa.ForeignKeyConstraint(
            ["procedure_id"], ["procedure.id"], name=op.f("fk_saved_search_procedure_id_procedure")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_saved_search")),
        sa.UniqueConstraint("procedure_id", "key", name=op.f("uq_saved_search_procedure_id_key")),
    )
    op.create_table(
        "told",
        sa.Column("municipality_id", sa.Integer(), nullable=False),
        sa.Column("address", sa.String(), nullable=False),
        sa.Column("happening_id", KEY, nullable=False),
        sa.ForeignKeyConstraint(
            ["municipality_id"], ["municipality.id"], name=op.f("fk_told_municipality_id_municipality")
        ),
        sa.ForeignKeyConstraint(
            ["happening_id"], ["happening.id"], name=op.f("fk_told_happening_id_happening")
        ),
        sa.PrimaryKeyConstraint("municipality_id", "address", "happening_id", name=op.f("pk_told")),
    )
    op.create_index("ix_subscription_target", "subscription", ["target"])


def downgrade() -> None:
    op.drop_index("ix_subscription_target", table_name="subscription")
    op.drop_table("told")
    op.drop_table("saved_search")
