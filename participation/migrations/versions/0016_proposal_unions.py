"""Merging proposals with consent: the wish, and who agreed."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "proposal_union",
        sa.Column("id", KEY, nullable=False),
        sa.Column("municipality_id", sa.Integer(), nullable=False),
        sa.Column("procedure_id", sa.Integer(), nullable=False),
        sa.Column("from_id", sa.Integer(), nullable=False),
        sa.Column("into_id", sa.Integer(), nullable=False),
        sa.Column("words", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.Column("base_number", sa.Integer(), nullable=False),
        sa.Column("language", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("asked_at", sa.DateTime(), nullable=False),
        sa.Column("asked_by", sa.String(), nullable=False),
        sa.Column("owners_until", sa.Date(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("decided_at", sa.DateTime(), nullable=True),
        sa.Column("decision_words", sa.String(), nullable=False),
        sa.Column("resulting_number", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(
            ["municipality_id"],
            ["municipality.id"],
            name=op.f("fk_proposal_union_municipality_id_municipality"),
        ),
        sa.ForeignKeyConstraint(
            ["procedure_id"], ["procedure.id"], name=op.f("fk_proposal_union_procedure_id_procedure")
        ),
        sa.ForeignKeyConstraint(
            ["from_id"], ["proposal.contribution_id"], name=op.f("fk_proposal_union_from_id_proposal")
        ),
        sa.ForeignKeyConstraint(
            ["into_id"], ["proposal.contribution_id"], name=op.f("fk_proposal_union_into_id_proposal")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_proposal_union")),
    )
    with op.batch_alter_table("proposal_union", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_proposal_union_from_id"), ["from_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_proposal_union_into_id"), ["into_id"], unique=False)
        batch_op.create_index(
            "ix_proposal_union_municipality_id_state", ["municipality_id", "state"], unique=False
        )

    op.create_table(
        "proposal_union_consent",
        sa.Column("id", KEY, nullable=False),
        sa.Column("union_id", sa.Integer(), nullable=False),
        sa.Column("proposal_id", sa.Integer(), nullable=False),
        sa.Column("agrees", sa.Boolean(), nullable=False),
        sa.Column("part", sa.String(), nullable=False),
        sa.Column("author_id", sa.Integer(), nullable=True),
        sa.Column("at", sa.DateTime(), nullable=False),
        sa.Column("by", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["union_id"],
            ["proposal_union.id"],
            name=op.f("fk_proposal_union_consent_union_id_proposal_union"),
        ),
        sa.ForeignKeyConstraint(
            ["proposal_id"],
            ["proposal.contribution_id"],
            name=op.f("fk_proposal_union_consent_proposal_id_proposal"),
        ),
        sa.ForeignKeyConstraint(
            ["author_id"],
            ["proposal_author.id"],
            name=op.f("fk_proposal_union_consent_author_id_proposal_author"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_proposal_union_consent")),
        sa.UniqueConstraint(
            "union_id", "proposal_id", name=op.f("uq_proposal_union_consent_union_id_proposal_id")
        ),
    )


def downgrade() -> None:
    op.drop_table("proposal_union_consent")
    op.drop_table("proposal_union")
