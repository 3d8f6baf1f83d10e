"""Two tracks, what is planned and under which law, phases that repeat others."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    facts = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
    with op.batch_alter_table("procedure", schema=None) as batch_op:
        batch_op.add_column(sa.Column("plan_kind", sa.String(), nullable=False, server_default="dialogue"))
        batch_op.add_column(sa.Column("variant", sa.String(), nullable=False, server_default="regular"))
        batch_op.add_column(sa.Column("law_version", sa.String(), nullable=False, server_default=""))
    op.execute(
        "UPDATE procedure SET plan_kind = 'development_plan'"
        " WHERE template IN ('development_plan', 'early_participation')"
    )
    with op.batch_alter_table("phase", schema=None) as batch_op:
        batch_op.add_column(sa.Column("track", sa.String(), nullable=False, server_default="public"))
        batch_op.add_column(sa.Column("limited_to", sa.String(), nullable=False, server_default=""))
        batch_op.add_column(sa.Column("facts", facts, nullable=False, server_default="{}"))
    # Said by hand: made anew, as SQLite otherwise adds a reference, the table would leave what refers to it behind.
    op.execute(
        "ALTER TABLE phase ADD COLUMN repeats_id INTEGER"
        " CONSTRAINT fk_phase_repeats_id_phase REFERENCES phase (id)"
    )
    op.execute("UPDATE phase SET track = 'agencies' WHERE kind = 'agencies'")


def downgrade() -> None:
    with op.batch_alter_table("phase", schema=None) as batch_op:
        batch_op.drop_constraint(op.f("fk_phase_repeats_id_phase"), type_="foreignkey")
        batch_op.drop_column("facts")
        batch_op.drop_column("limited_to")
        batch_op.drop_column("repeats_id")
        batch_op.drop_column("track")
    with op.batch_alter_table("procedure", schema=None) as batch_op:
        batch_op.drop_column("law_version")
        batch_op.drop_column("variant")
        batch_op.drop_column("plan_kind")
