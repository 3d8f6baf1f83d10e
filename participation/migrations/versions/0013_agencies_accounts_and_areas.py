"""Days of answers, accounts of agencies' clerks, drawn areas of competence, contributions moved to another phase."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

_LEGAL_TIME = ZoneInfo("Europe/Berlin")


def upgrade() -> None:
    op.add_column("invitation", sa.Column("answered_on", sa.Date(), nullable=True))
    op.add_column("contribution", sa.Column("sealed_phase", sa.Integer(), nullable=True))
    op.add_column("agency", sa.Column("drawn", sa.LargeBinary(), nullable=True))
    op.add_column("agency", sa.Column("drawn_from", sa.String(), nullable=False, server_default=""))
    with op.batch_alter_table("agency_clerk") as batch_op:
        batch_op.add_column(sa.Column("account_id", sa.Integer(), nullable=True))
        batch_op.create_foreign_key(
            op.f("fk_agency_clerk_account_id_person"), "person", ["account_id"], ["id"]
        )
        batch_op.create_index(op.f("ix_agency_clerk_account_id"), ["account_id"])
    invitation = sa.table(
        "invitation",
        sa.column("id", sa.Integer()),
        sa.column("answered_at", sa.DateTime()),
        sa.column("answered_on", sa.Date()),
    )
    answered = sa.select(invitation.c.id, invitation.c.answered_at).where(
        invitation.c.answered_at.is_not(None)
    )
    for key, moment in op.get_bind().execute(answered).all():
        assert isinstance(moment, datetime)
        day = moment.replace(tzinfo=UTC).astimezone(_LEGAL_TIME).date()
        op.execute(invitation.update().where(invitation.c.id == key).values(answered_on=day))


def downgrade() -> None:
    with op.batch_alter_table("agency_clerk") as batch_op:
        batch_op.drop_index(op.f("ix_agency_clerk_account_id"))
        batch_op.drop_constraint(op.f("fk_agency_clerk_account_id_person"), type_="foreignkey")
        batch_op.drop_column("account_id")
    with op.batch_alter_table("agency") as batch_op:
        batch_op.drop_column("drawn_from")
        batch_op.drop_column("drawn")
    with op.batch_alter_table("contribution") as batch_op:
        batch_op.drop_column("sealed_phase")
    with op.batch_alter_table("invitation") as batch_op:
        batch_op.drop_column("answered_on")
