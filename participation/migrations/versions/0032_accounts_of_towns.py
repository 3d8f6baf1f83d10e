"""An account belongs to the town that made it; those that are there keep working wherever they did."""

import sqlalchemy as sa
from alembic import op

revision = "0032"
down_revision = "0031"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("identity", schema=None) as batch_op:
        batch_op.add_column(sa.Column("municipality_id", sa.Integer(), nullable=True))
        batch_op.create_foreign_key(
            batch_op.f("fk_identity_municipality_id_municipality"),
            "municipality",
            ["municipality_id"],
            ["id"],
        )
        batch_op.drop_constraint(batch_op.f("uq_identity_kind_email"), type_="unique")
        batch_op.drop_constraint(batch_op.f("uq_identity_issuer_subject"), type_="unique")
        batch_op.create_unique_constraint(
            batch_op.f("uq_identity_kind_email_municipality_id"), ["kind", "email", "municipality_id"]
        )
        batch_op.create_unique_constraint(
            batch_op.f("uq_identity_issuer_subject_municipality_id"),
            ["issuer", "subject", "municipality_id"],
        )
        batch_op.create_index(batch_op.f("ix_identity_municipality_id"), ["municipality_id"], unique=False)


def downgrade() -> None:
    with op.batch_alter_table("identity", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_identity_municipality_id"))
        batch_op.drop_constraint(batch_op.f("uq_identity_issuer_subject_municipality_id"), type_="unique")
        batch_op.drop_constraint(batch_op.f("uq_identity_kind_email_municipality_id"), type_="unique")
        batch_op.create_unique_constraint(batch_op.f("uq_identity_issuer_subject"), ["issuer", "subject"])
        batch_op.create_unique_constraint(batch_op.f("uq_identity_kind_email"), ["kind", "email"])
        batch_op.drop_constraint(batch_op.f("fk_identity_municipality_id_municipality"), type_="foreignkey")
        batch_op.drop_column("municipality_id")
