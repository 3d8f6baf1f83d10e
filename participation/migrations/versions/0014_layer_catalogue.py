"""Layers have a series of deliveries, a date, a licence to download; contributions hold on to their objects."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("layer", sa.Column("series", sa.Integer(), nullable=True))
    op.add_column("layer", sa.Column("dated", sa.Date(), nullable=True))
    op.add_column("layer", sa.Column("is_open", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("layer", sa.Column("id_column", sa.String(), nullable=False, server_default=""))
    op.create_index("ix_layer_series", "layer", ["series"])
    # Until now a layer of the same title, role and owner took the place of the one before.
    op.execute(
        "UPDATE layer SET series = (SELECT min(first.id) FROM layer AS first"
        " WHERE first.municipality_id = layer.municipality_id AND first.role = layer.role"
        " AND first.title = layer.title"
        " AND coalesce(first.procedure_id, 0) = coalesce(layer.procedure_id, 0))"
    )
    op.create_table(
        "layer_link",
        sa.Column("contribution_id", sa.Integer(), nullable=False),
        sa.Column("series", sa.Integer(), nullable=False),
        sa.Column("layer_id", sa.Integer(), nullable=False),
        sa.Column("feature", sa.Integer(), nullable=False),
        sa.Column("identifier", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("known_by", sa.String(), nullable=False),
        sa.Column("decided_by", sa.String(), nullable=False),
        sa.Column("decided_at", sa.DateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["contribution_id"],
            ["contribution.id"],
            name=op.f("fk_layer_link_contribution_id_contribution"),
        ),
        sa.ForeignKeyConstraint(["layer_id"], ["layer.id"], name=op.f("fk_layer_link_layer_id_layer")),
        sa.PrimaryKeyConstraint("contribution_id", name=op.f("pk_layer_link")),
    )
    op.create_index("ix_layer_link_series_state", "layer_link", ["series", "state"])


def downgrade() -> None:
    op.drop_table("layer_link")
    op.drop_index("ix_layer_series", "layer")
    with op.batch_alter_table("layer") as batch_op:
        batch_op.drop_column("id_column")
        batch_op.drop_column("is_open")
        batch_op.drop_column("dated")
        batch_op.drop_column("series")
