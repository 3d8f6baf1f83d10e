"""What lay open, whether it could be reached, certificates, late statements."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "certificate",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("municipality_id", sa.Integer(), nullable=False),
        sa.Column("procedure_id", sa.Integer(), nullable=False),
        sa.Column("phase_id", sa.Integer(), nullable=False),
        sa.Column("number", sa.String(), nullable=False),
        sa.Column("is_final", sa.Boolean(), nullable=False),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("issued_at", sa.DateTime(), nullable=False),
        sa.Column("issued_by", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["municipality_id"], ["municipality.id"], name=op.f("fk_certificate_municipality_id_municipality")
        ),
        sa.ForeignKeyConstraint(["phase_id"], ["phase.id"], name=op.f("fk_certificate_phase_id_phase")),
        sa.ForeignKeyConstraint(
            ["procedure_id"], ["procedure.id"], name=op.f("fk_certificate_procedure_id_procedure")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_certificate")),
        sa.UniqueConstraint("municipality_id", "number", name=op.f("uq_certificate_municipality_id_number")),
    )
    with op.batch_alter_table("certificate", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_certificate_phase_id"), ["phase_id"], unique=False)

    op.create_table(
        "availability_span",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("phase_id", sa.Integer(), nullable=False),
        sa.Column("version_id", sa.Integer(), nullable=True),
        sa.Column("problem", sa.String(), nullable=False),
        sa.Column("began_at", sa.DateTime(), nullable=False),
        sa.Column("last_at", sa.DateTime(), nullable=False),
        sa.Column("probes", sa.Integer(), nullable=False),
        sa.Column("told_at", sa.DateTime(), nullable=True),
        sa.ForeignKeyConstraint(["phase_id"], ["phase.id"], name=op.f("fk_availability_span_phase_id_phase")),
        sa.ForeignKeyConstraint(
            ["version_id"],
            ["document_version.id"],
            name=op.f("fk_availability_span_version_id_document_version"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_availability_span")),
    )
    with op.batch_alter_table("availability_span", schema=None) as batch_op:
        batch_op.create_index(
            "ix_availability_span_phase_id_version_id_id", ["phase_id", "version_id", "id"], unique=False
        )

    op.create_table(
        "frozen_document",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("procedure_id", sa.Integer(), nullable=False),
        sa.Column("phase_id", sa.Integer(), nullable=False),
        sa.Column("document_id", sa.Integer(), nullable=False),
        sa.Column("version_id", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("corrects_id", sa.Integer(), nullable=True),
        sa.Column("online_from", sa.DateTime(), nullable=False),
        sa.Column("online_to", sa.DateTime(), nullable=True),
        sa.Column("left_by", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["corrects_id"],
            ["frozen_document.id"],
            name=op.f("fk_frozen_document_corrects_id_frozen_document"),
        ),
        sa.ForeignKeyConstraint(
            ["document_id"], ["document.id"], name=op.f("fk_frozen_document_document_id_document")
        ),
        sa.ForeignKeyConstraint(["phase_id"], ["phase.id"], name=op.f("fk_frozen_document_phase_id_phase")),
        sa.ForeignKeyConstraint(
            ["procedure_id"], ["procedure.id"], name=op.f("fk_frozen_document_procedure_id_procedure")
        ),
        sa.ForeignKeyConstraint(
            ["version_id"],
            ["document_version.id"],
            name=op.f("fk_frozen_document_version_id_document_version"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_frozen_document")),
    )
    with op.batch_alter_table("frozen_document", schema=None) as batch_op:
        batch_op.create_index("ix_frozen_document_document_id", ["document_id"], unique=False)
        batch_op.create_index(
            "ix_frozen_document_phase_id_document_id", ["phase_id", "document_id"], unique=False
        )
        batch_op.create_index(batch_op.f("ix_frozen_document_procedure_id"), ["procedure_id"], unique=False)

    op.create_table(
        "late_decision",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("contribution_id", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("question", sa.String(), nullable=False),
        sa.Column("answers", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.Column("may_be_disregarded", sa.Boolean(), nullable=False),
        sa.Column("explanation", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.Column("outcome", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("by", sa.String(), nullable=False),
        sa.Column("at", sa.DateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["contribution_id"],
            ["contribution.id"],
            name=op.f("fk_late_decision_contribution_id_contribution"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_late_decision")),
        sa.UniqueConstraint(
            "contribution_id", "number", name=op.f("uq_late_decision_contribution_id_number")
        ),
    )
    op.create_table(
        "correction",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("procedure_id", sa.Integer(), nullable=False),
        sa.Column("phase_id", sa.Integer(), nullable=False),
        sa.Column("way", sa.String(), nullable=False),
        sa.Column("frozen_id", sa.Integer(), nullable=True),
        sa.Column("note", sa.String(), nullable=False),
        sa.Column("earlier_start", sa.Date(), nullable=True),
        sa.Column("earlier_end", sa.Date(), nullable=True),
        sa.Column("at", sa.DateTime(), nullable=False),
        sa.Column("by", sa.String(), nullable=False),
        sa.Column("announced_at", sa.DateTime(), nullable=True),
        sa.Column("announced_by", sa.String(), nullable=False),
        sa.Column("announcement", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["frozen_id"], ["frozen_document.id"], name=op.f("fk_correction_frozen_id_frozen_document")
        ),
        sa.ForeignKeyConstraint(["phase_id"], ["phase.id"], name=op.f("fk_correction_phase_id_phase")),
        sa.ForeignKeyConstraint(
            ["procedure_id"], ["procedure.id"], name=op.f("fk_correction_procedure_id_procedure")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_correction")),
    )
    with op.batch_alter_table("correction", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_correction_phase_id"), ["phase_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_correction_procedure_id"), ["procedure_id"], unique=False)


def downgrade() -> None:
    with op.batch_alter_table("correction", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_correction_procedure_id"))
        batch_op.drop_index(batch_op.f("ix_correction_phase_id"))

    op.drop_table("correction")
    op.drop_table("late_decision")
    with op.batch_alter_table("frozen_document", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_frozen_document_procedure_id"))
        batch_op.drop_index("ix_frozen_document_phase_id_document_id")
        batch_op.drop_index("ix_frozen_document_document_id")

    op.drop_table("frozen_document")
    with op.batch_alter_table("availability_span", schema=None) as batch_op:
        batch_op.drop_index("ix_availability_span_phase_id_version_id_id")

    op.drop_table("availability_span")
    with op.batch_alter_table("certificate", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_certificate_phase_id"))

    op.drop_table("certificate")
