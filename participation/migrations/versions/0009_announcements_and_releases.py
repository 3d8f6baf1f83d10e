"""Announcements, acts of publication, reasons, and the release of formal phases."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    values = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
    with op.batch_alter_table("phase", schema=None) as batch_op:
        batch_op.add_column(sa.Column("released_at", sa.DateTime(), nullable=True))
    # What was public before this version was announced by other means; nobody's period closes by an update.
    op.execute(
        "UPDATE phase SET released_at = (SELECT procedure.published_at FROM procedure"
        " WHERE procedure.id = phase.procedure_id)"
        " WHERE is_formal AND kind IN ('early', 'publication', 'repeated', 'display')"
    )
    op.create_table(
        "announcement",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("procedure_id", sa.Integer(), nullable=False),
        sa.Column("phase_id", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("made_at", sa.DateTime(), nullable=False),
        sa.Column("made_by", sa.String(), nullable=False),
        sa.Column("starts_on", sa.Date(), nullable=True),
        sa.Column("ends_on", sa.Date(), nullable=True),
        sa.Column("effective_end", sa.Date(), nullable=True),
        sa.Column("address", sa.String(), nullable=False),
        sa.Column("entered", values, nullable=False),
        sa.Column("parts", values, nullable=False),
        sa.Column("places", values, nullable=False),
        sa.Column("text", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["procedure_id"], ["procedure.id"], name=op.f("fk_announcement_procedure_id_procedure")
        ),
        sa.ForeignKeyConstraint(["phase_id"], ["phase.id"], name=op.f("fk_announcement_phase_id_phase")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_announcement")),
        sa.UniqueConstraint("phase_id", "number", name=op.f("uq_announcement_phase_id_number")),
    )
    with op.batch_alter_table("announcement", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_announcement_procedure_id"), ["procedure_id"], unique=False)
    op.create_table(
        "publication_act",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("phase_id", sa.Integer(), nullable=False),
        sa.Column("announcement_id", sa.Integer(), nullable=False),
        sa.Column("medium", sa.String(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("issue", sa.String(), nullable=False),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("filename", sa.String(), nullable=False),
        sa.Column("media_type", sa.String(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(), nullable=False),
        sa.Column("recorded_by", sa.String(), nullable=False),
        sa.Column("cancels_id", sa.Integer(), nullable=True),
        sa.Column("note", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["phase_id"], ["phase.id"], name=op.f("fk_publication_act_phase_id_phase")),
        sa.ForeignKeyConstraint(
            ["announcement_id"],
            ["announcement.id"],
            name=op.f("fk_publication_act_announcement_id_announcement"),
        ),
        sa.ForeignKeyConstraint(
            ["cancels_id"],
            ["publication_act.id"],
            name=op.f("fk_publication_act_cancels_id_publication_act"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_publication_act")),
    )
    with op.batch_alter_table("publication_act", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_publication_act_phase_id"), ["phase_id"], unique=False)
    op.create_table(
        "check_waiver",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("phase_id", sa.Integer(), nullable=False),
        sa.Column("finding", sa.String(), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("words", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("by", sa.String(), nullable=False),
        sa.Column("by_name", sa.String(), nullable=False),
        sa.Column("at", sa.DateTime(), nullable=False),
        sa.ForeignKeyConstraint(["phase_id"], ["phase.id"], name=op.f("fk_check_waiver_phase_id_phase")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_check_waiver")),
    )
    with op.batch_alter_table("check_waiver", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_check_waiver_phase_id"), ["phase_id"], unique=False)
    op.create_table(
        "phase_release",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("procedure_id", sa.Integer(), nullable=False),
        sa.Column("phase_id", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("released_at", sa.DateTime(), nullable=False),
        sa.Column("released_by", sa.String(), nullable=False),
        sa.Column("released_by_name", sa.String(), nullable=False),
        sa.Column("starts_on", sa.Date(), nullable=False),
        sa.Column("ends_on", sa.Date(), nullable=False),
        sa.Column("effective_end", sa.Date(), nullable=False),
        sa.Column("law_version", sa.String(), nullable=False),
        sa.Column("explanation", values, nullable=False),
        sa.Column("findings", values, nullable=False),
        sa.Column("announcement_id", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(
            ["procedure_id"], ["procedure.id"], name=op.f("fk_phase_release_procedure_id_procedure")
        ),
        sa.ForeignKeyConstraint(["phase_id"], ["phase.id"], name=op.f("fk_phase_release_phase_id_phase")),
        sa.ForeignKeyConstraint(
            ["announcement_id"],
            ["announcement.id"],
            name=op.f("fk_phase_release_announcement_id_announcement"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_phase_release")),
        sa.UniqueConstraint("phase_id", "number", name=op.f("uq_phase_release_phase_id_number")),
    )
    with op.batch_alter_table("phase_release", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_phase_release_procedure_id"), ["procedure_id"], unique=False)


def downgrade() -> None:
    op.drop_table("phase_release")
    op.drop_table("check_waiver")
    op.drop_table("publication_act")
    op.drop_table("announcement")
    with op.batch_alter_table("phase", schema=None) as batch_op:
        batch_op.drop_column("released_at")
