"""Variants and viewpoints of a plan; how high and on what building a contribution is."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    facts = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
    op.create_table(
        "variant",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("municipality_id", sa.Integer(), nullable=False),
        sa.Column("procedure_id", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("title", sa.String(), nullable=False),
        sa.Column("description", sa.String(), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("translations", facts, nullable=False),
        sa.Column("figures", facts, nullable=False),
        sa.Column("model_sha256", sa.String(), nullable=False),
        sa.Column("buildings", sa.Integer(), nullable=False),
        sa.Column("replaces", facts, nullable=False),
        sa.Column("changed_at", sa.DateTime(), nullable=False),
        sa.Column("removed_at", sa.DateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["municipality_id"], ["municipality.id"], name=op.f("fk_variant_municipality_id_municipality")
        ),
        sa.ForeignKeyConstraint(
            ["procedure_id"], ["procedure.id"], name=op.f("fk_variant_procedure_id_procedure")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_variant")),
    )
    op.create_index("ix_variant_procedure_id_position", "variant", ["procedure_id", "position"])
    op.create_table(
        "viewpoint",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("municipality_id", sa.Integer(), nullable=False),
        sa.Column("procedure_id", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("title", sa.String(), nullable=False),
        sa.Column("description", sa.String(), nullable=False),
        sa.Column("translations", facts, nullable=False),
        sa.Column("eye_x", sa.Float(), nullable=False),
        sa.Column("eye_y", sa.Float(), nullable=False),
        sa.Column("eye_z", sa.Float(), nullable=False),
        sa.Column("look_x", sa.Float(), nullable=False),
        sa.Column("look_y", sa.Float(), nullable=False),
        sa.Column("look_z", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(
            ["municipality_id"], ["municipality.id"], name=op.f("fk_viewpoint_municipality_id_municipality")
        ),
        sa.ForeignKeyConstraint(
            ["procedure_id"], ["procedure.id"], name=op.f("fk_viewpoint_procedure_id_procedure")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_viewpoint")),
    )
    op.create_index("ix_viewpoint_procedure_id_position", "viewpoint", ["procedure_id", "position"])
    op.add_column("contribution", sa.Column("elevation", sa.Float(), nullable=True))
    op.add_column("contribution", sa.Column("thing", facts, nullable=False, server_default="{}"))


def downgrade() -> None:
    op.drop_column("contribution", "thing")
    op.drop_column("contribution", "elevation")
    op.drop_index("ix_viewpoint_procedure_id_position", table_name="viewpoint")
    op.drop_table("viewpoint")
    op.drop_index("ix_variant_procedure_id_position", table_name="variant")
    op.drop_table("variant")
