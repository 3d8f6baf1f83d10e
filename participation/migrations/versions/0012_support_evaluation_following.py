"""Supports on paper, evaluation and answers, implementation, happenings, subscriptions with their consents."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "subscription",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("municipality_id", sa.Integer(), nullable=False),
        sa.Column("address", sa.String(), nullable=False),
        sa.Column("target", sa.String(), nullable=False),
        sa.Column("rhythm", sa.String(), nullable=False),
        sa.Column("language", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("nonce", sa.String(), nullable=False),
        sa.Column("told_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("next_at", sa.DateTime(), nullable=True),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["municipality_id"],
            ["municipality.id"],
            name=op.f("fk_subscription_municipality_id_municipality"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_subscription")),
        sa.UniqueConstraint(
            "municipality_id",
            "address",
            "target",
            name=op.f("uq_subscription_municipality_id_address_target"),
        ),
    )
    with op.batch_alter_table("subscription", schema=None) as batch_op:
        batch_op.create_index("ix_subscription_state_next_at", ["state", "next_at"], unique=False)

    op.create_table(
        "consent",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("subscription_id", sa.Integer(), nullable=False),
        sa.Column("act", sa.String(), nullable=False),
        sa.Column("rhythm", sa.String(), nullable=False),
        sa.Column("way", sa.String(), nullable=False),
        sa.Column("words", sa.String(), nullable=False),
        sa.Column("at", sa.DateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["subscription_id"], ["subscription.id"], name=op.f("fk_consent_subscription_id_subscription")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_consent")),
    )
    with op.batch_alter_table("consent", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_consent_subscription_id"), ["subscription_id"], unique=False)

    op.create_table(
        "assessment",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("proposal_id", sa.Integer(), nullable=False),
        sa.Column("office", sa.String(), nullable=False),
        sa.Column("criterion", sa.String(), nullable=False),
        sa.Column("grade", sa.String(), nullable=False),
        sa.Column("words", sa.String(), nullable=False),
        sa.Column("cost_from", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("cost_to", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("at", sa.DateTime(), nullable=False),
        sa.Column("by", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["proposal_id"], ["proposal.contribution_id"], name=op.f("fk_assessment_proposal_id_proposal")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_assessment")),
    )
    with op.batch_alter_table("assessment", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_assessment_proposal_id"), ["proposal_id"], unique=False)

    op.create_table(
        "evaluation_assignment",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("proposal_id", sa.Integer(), nullable=False),
        sa.Column("office", sa.String(), nullable=False),
        sa.Column("is_lead", sa.Boolean(), nullable=False),
        sa.Column("assigned_at", sa.DateTime(), nullable=False),
        sa.Column("assigned_by", sa.String(), nullable=False),
        sa.Column("ended_at", sa.DateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["proposal_id"],
            ["proposal.contribution_id"],
            name=op.f("fk_evaluation_assignment_proposal_id_proposal"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_evaluation_assignment")),
        sa.UniqueConstraint(
            "proposal_id", "office", name=op.f("uq_evaluation_assignment_proposal_id_office")
        ),
    )
    op.create_table(
        "evaluation_task",
        sa.Column("proposal_id", sa.Integer(), nullable=False),
        sa.Column("municipality_id", sa.Integer(), nullable=False),
        sa.Column("procedure_id", sa.Integer(), nullable=False),
        sa.Column("due_on", sa.Date(), nullable=False),
        sa.Column("first_due_on", sa.Date(), nullable=False),
        sa.Column("answered_at", sa.DateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["municipality_id"],
            ["municipality.id"],
            name=op.f("fk_evaluation_task_municipality_id_municipality"),
        ),
        sa.ForeignKeyConstraint(
            ["procedure_id"], ["procedure.id"], name=op.f("fk_evaluation_task_procedure_id_procedure")
        ),
        sa.ForeignKeyConstraint(
            ["proposal_id"],
            ["proposal.contribution_id"],
            name=op.f("fk_evaluation_task_proposal_id_proposal"),
        ),
        sa.PrimaryKeyConstraint("proposal_id", name=op.f("pk_evaluation_task")),
    )
    with op.batch_alter_table("evaluation_task", schema=None) as batch_op:
        batch_op.create_index(
            "ix_evaluation_task_municipality_id_due_on", ["municipality_id", "due_on"], unique=False
        )
        batch_op.create_index(batch_op.f("ix_evaluation_task_procedure_id"), ["procedure_id"], unique=False)

    op.create_table(
        "happening",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("municipality_id", sa.Integer(), nullable=False),
        sa.Column("procedure_id", sa.Integer(), nullable=False),
        sa.Column("proposal_id", sa.Integer(), nullable=False),
        sa.Column("district", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("at", sa.DateTime(), nullable=False),
        sa.Column("facts", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.Column("is_void", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["municipality_id"], ["municipality.id"], name=op.f("fk_happening_municipality_id_municipality")
        ),
        sa.ForeignKeyConstraint(
            ["procedure_id"], ["procedure.id"], name=op.f("fk_happening_procedure_id_procedure")
        ),
        sa.ForeignKeyConstraint(
            ["proposal_id"], ["proposal.contribution_id"], name=op.f("fk_happening_proposal_id_proposal")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_happening")),
    )
    with op.batch_alter_table("happening", schema=None) as batch_op:
        batch_op.create_index("ix_happening_municipality_id_id", ["municipality_id", "id"], unique=False)
        batch_op.create_index("ix_happening_procedure_id_id", ["procedure_id", "id"], unique=False)
        batch_op.create_index("ix_happening_proposal_id_id", ["proposal_id", "id"], unique=False)

    op.create_table(
        "proposal_answer",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("proposal_id", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("outcome", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("language", sa.String(), nullable=False),
        sa.Column("legal_ground", sa.String(), nullable=False),
        sa.Column("cost_from", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("cost_to", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("period", sa.String(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("drafted_by", sa.String(), nullable=False),
        sa.Column("drafted_at", sa.DateTime(), nullable=False),
        sa.Column("second_by", sa.String(), nullable=False),
        sa.Column("second_at", sa.DateTime(), nullable=True),
        sa.Column("second_words", sa.String(), nullable=False),
        sa.Column("published_by", sa.String(), nullable=False),
        sa.Column("published_at", sa.DateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["proposal_id"],
            ["proposal.contribution_id"],
            name=op.f("fk_proposal_answer_proposal_id_proposal"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_proposal_answer")),
        sa.UniqueConstraint("proposal_id", "number", name=op.f("uq_proposal_answer_proposal_id_number")),
    )
    op.create_table(
        "support_list",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("municipality_id", sa.Integer(), nullable=False),
        sa.Column("procedure_id", sa.Integer(), nullable=False),
        sa.Column("proposal_id", sa.Integer(), nullable=False),
        sa.Column("channel", sa.String(), nullable=False),
        sa.Column("received_on", sa.Date(), nullable=False),
        sa.Column("filed", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("entered_by", sa.String(), nullable=False),
        sa.Column("entered_at", sa.DateTime(), nullable=False),
        sa.Column("checked_by", sa.String(), nullable=False),
        sa.Column("checked_at", sa.DateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["municipality_id"],
            ["municipality.id"],
            name=op.f("fk_support_list_municipality_id_municipality"),
        ),
        sa.ForeignKeyConstraint(
            ["procedure_id"], ["procedure.id"], name=op.f("fk_support_list_procedure_id_procedure")
        ),
        sa.ForeignKeyConstraint(
            ["proposal_id"], ["proposal.contribution_id"], name=op.f("fk_support_list_proposal_id_proposal")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_support_list")),
    )
    with op.batch_alter_table("support_list", schema=None) as batch_op:
        batch_op.create_index(
            "ix_support_list_municipality_id_state", ["municipality_id", "state"], unique=False
        )
        batch_op.create_index(batch_op.f("ix_support_list_proposal_id"), ["proposal_id"], unique=False)

    op.create_table(
        "implementation_entry",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("municipality_id", sa.Integer(), nullable=False),
        sa.Column("proposal_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("title", sa.String(), nullable=False),
        sa.Column("words", sa.String(), nullable=False),
        sa.Column("language", sa.String(), nullable=False),
        sa.Column("day", sa.Date(), nullable=True),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("milestone_id", sa.Integer(), nullable=True),
        sa.Column("amount", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("address", sa.String(), nullable=False),
        sa.Column("plan_id", sa.Integer(), nullable=True),
        sa.Column("picture_sha256", sa.String(), nullable=False),
        sa.Column("picture_type", sa.String(), nullable=False),
        sa.Column("picture_words", sa.String(), nullable=False),
        sa.Column("cancels_id", sa.Integer(), nullable=True),
        sa.Column("happening_id", sa.Integer(), nullable=True),
        sa.Column("at", sa.DateTime(), nullable=False),
        sa.Column("by", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["cancels_id"],
            ["implementation_entry.id"],
            name=op.f("fk_implementation_entry_cancels_id_implementation_entry"),
        ),
        sa.ForeignKeyConstraint(
            ["happening_id"], ["happening.id"], name=op.f("fk_implementation_entry_happening_id_happening")
        ),
        sa.ForeignKeyConstraint(
            ["milestone_id"],
            ["implementation_entry.id"],
            name=op.f("fk_implementation_entry_milestone_id_implementation_entry"),
        ),
        sa.ForeignKeyConstraint(
            ["municipality_id"],
            ["municipality.id"],
            name=op.f("fk_implementation_entry_municipality_id_municipality"),
        ),
        sa.ForeignKeyConstraint(
            ["plan_id"], ["procedure.id"], name=op.f("fk_implementation_entry_plan_id_procedure")
        ),
        sa.ForeignKeyConstraint(
            ["proposal_id"],
            ["proposal.contribution_id"],
            name=op.f("fk_implementation_entry_proposal_id_proposal"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_implementation_entry")),
    )
    with op.batch_alter_table("implementation_entry", schema=None) as batch_op:
        batch_op.create_index("ix_implementation_entry_proposal_id_id", ["proposal_id", "id"], unique=False)

    op.create_table(
        "support_line",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("list_id", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("street", sa.String(), nullable=False),
        sa.Column("postcode", sa.String(), nullable=False),
        sa.Column("city", sa.String(), nullable=False),
        sa.Column("email", sa.String(), nullable=False),
        sa.Column("is_of_age", sa.Boolean(), nullable=False),
        sa.Column("is_resident", sa.Boolean(), nullable=False),
        sa.Column("wants_news", sa.Boolean(), nullable=False),
        sa.Column("outcome", sa.String(), nullable=False),
        sa.Column("note", sa.String(), nullable=False),
        sa.Column("party", sa.String(), nullable=False),
        sa.Column("support_id", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(
            ["list_id"], ["support_list.id"], name=op.f("fk_support_line_list_id_support_list")
        ),
        sa.ForeignKeyConstraint(
            ["support_id"], ["support.id"], name=op.f("fk_support_line_support_id_support")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_support_line")),
        sa.UniqueConstraint("list_id", "number", name=op.f("uq_support_line_list_id_number")),
    )
    with op.batch_alter_table("support_line", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_support_line_support_id"), ["support_id"], unique=False)


def downgrade() -> None:
    for table in (
        "support_line",
        "implementation_entry",
        "support_list",
        "proposal_answer",
        "happening",
        "evaluation_task",
        "evaluation_assignment",
        "assessment",
        "consent",
        "subscription",
    ):
        op.drop_table(table)
