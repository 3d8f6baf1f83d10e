"""Votes on proposals: the vote and its ballot, codes, the roll of who voted and, apart, what was voted; paper batches.

The roll and the ballots have no row numbers on SQLite: those would tell in which order they were written.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "vote",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("municipality_id", sa.Integer(), nullable=False),
        sa.Column("procedure_id", sa.Integer(), nullable=False),
        sa.Column("phase_id", sa.Integer(), nullable=False),
        sa.Column("question", sa.String(), nullable=False),
        sa.Column("intro", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("most", sa.Integer(), nullable=False),
        sa.Column("most_each", sa.Integer(), nullable=False),
        sa.Column("wins", sa.Integer(), nullable=False),
        sa.Column("binding", sa.String(), nullable=False),
        sa.Column("ways", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.Column("on_paper", sa.Boolean(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("ready_at", sa.DateTime(), nullable=True),
        sa.Column("closed_at", sa.DateTime(), nullable=True),
        sa.Column("result", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.Column("list_sha256", sa.String(), nullable=False),
        sa.Column("cancelled_why", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["municipality_id"], ["municipality.id"], name=op.f("fk_vote_municipality_id_municipality")
        ),
        sa.ForeignKeyConstraint(["phase_id"], ["phase.id"], name=op.f("fk_vote_phase_id_phase")),
        sa.ForeignKeyConstraint(
            ["procedure_id"], ["procedure.id"], name=op.f("fk_vote_procedure_id_procedure")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_vote")),
        sa.UniqueConstraint("phase_id", name=op.f("uq_vote_phase_id")),
    )
    with op.batch_alter_table("vote", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_vote_procedure_id"), ["procedure_id"], unique=False)

    op.create_table(
        "ballot",
        sa.Column("vote_id", sa.Integer(), nullable=False),
        sa.Column("check_number", sa.String(), nullable=False),
        sa.Column("channel", sa.String(), nullable=False),
        sa.Column("marks", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.Column("spoiled", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["vote_id"], ["vote.id"], name=op.f("fk_ballot_vote_id_vote")),
        sa.PrimaryKeyConstraint("vote_id", "check_number", name=op.f("pk_ballot")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "vote_batch",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("vote_id", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("received_on", sa.Date(), nullable=False),
        sa.Column("filed", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("opened_by", sa.String(), nullable=False),
        sa.Column("opened_at", sa.DateTime(), nullable=False),
        sa.Column("entered_by", sa.String(), nullable=False),
        sa.Column("compared_by", sa.String(), nullable=False),
        sa.Column("agreed_at", sa.DateTime(), nullable=True),
        sa.ForeignKeyConstraint(["vote_id"], ["vote.id"], name=op.f("fk_vote_batch_vote_id_vote")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_vote_batch")),
    )
    with op.batch_alter_table("vote_batch", schema=None) as batch_op:
        batch_op.create_index("ix_vote_batch_vote_id_state", ["vote_id", "state"], unique=False)

    op.create_table(
        "vote_code_print",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("vote_id", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("codes", sa.Integer(), nullable=False),
        sa.Column("once_sha256", sa.String(), nullable=False),
        sa.Column("printed_at", sa.DateTime(), nullable=False),
        sa.Column("printed_by", sa.String(), nullable=False),
        sa.Column("cancelled_at", sa.DateTime(), nullable=True),
        sa.Column("cancelled_by", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["vote_id"], ["vote.id"], name=op.f("fk_vote_code_print_vote_id_vote")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_vote_code_print")),
        sa.UniqueConstraint("vote_id", "number", name=op.f("uq_vote_code_print_vote_id_number")),
        sa.UniqueConstraint("vote_id", "once_sha256", name=op.f("uq_vote_code_print_vote_id_once_sha256")),
    )
    op.create_table(
        "vote_roll",
        sa.Column("vote_id", sa.Integer(), nullable=False),
        sa.Column("party", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["vote_id"], ["vote.id"], name=op.f("fk_vote_roll_vote_id_vote")),
        sa.PrimaryKeyConstraint("vote_id", "party", name=op.f("pk_vote_roll")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "vote_code",
        sa.Column("vote_id", sa.Integer(), nullable=False),
        sa.Column("code_hash", sa.String(), nullable=False),
        sa.Column("print_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["print_id"], ["vote_code_print.id"], name=op.f("fk_vote_code_print_id_vote_code_print")
        ),
        sa.ForeignKeyConstraint(["vote_id"], ["vote.id"], name=op.f("fk_vote_code_vote_id_vote")),
        sa.PrimaryKeyConstraint("vote_id", "code_hash", name=op.f("pk_vote_code")),
        sqlite_with_rowid=False,
    )
    with op.batch_alter_table("vote_code", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_vote_code_print_id"), ["print_id"], unique=False)

    op.create_table(
        "vote_entry",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("batch_id", sa.Integer(), nullable=False),
        sa.Column("turn", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("check_number", sa.String(), nullable=False),
        sa.Column("marks", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.Column("spoiled", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["batch_id"], ["vote_batch.id"], name=op.f("fk_vote_entry_batch_id_vote_batch")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_vote_entry")),
        sa.UniqueConstraint("batch_id", "turn", "number", name=op.f("uq_vote_entry_batch_id_turn_number")),
    )
    op.create_table(
        "vote_letter",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("batch_id", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("code_hash", sa.String(), nullable=False),
        sa.Column("outcome", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["batch_id"], ["vote_batch.id"], name=op.f("fk_vote_letter_batch_id_vote_batch")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_vote_letter")),
        sa.UniqueConstraint("batch_id", "number", name=op.f("uq_vote_letter_batch_id_number")),
    )
    op.create_table(
        "vote_option",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("vote_id", sa.Integer(), nullable=False),
        sa.Column("proposal_id", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("cost", sa.Integer(), nullable=True),
        sa.Column("version_number", sa.Integer(), nullable=True),
        sa.Column("was_open", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["proposal_id"], ["proposal.contribution_id"], name=op.f("fk_vote_option_proposal_id_proposal")
        ),
        sa.ForeignKeyConstraint(["vote_id"], ["vote.id"], name=op.f("fk_vote_option_vote_id_vote")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_vote_option")),
        sa.UniqueConstraint("vote_id", "number", name=op.f("uq_vote_option_vote_id_number")),
        sa.UniqueConstraint("vote_id", "proposal_id", name=op.f("uq_vote_option_vote_id_proposal_id")),
    )
    with op.batch_alter_table("vote_option", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_vote_option_proposal_id"), ["proposal_id"], unique=False)


def downgrade() -> None:
    with op.batch_alter_table("vote_option", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_vote_option_proposal_id"))

    op.drop_table("vote_option")
    op.drop_table("vote_letter")
    op.drop_table("vote_entry")
    with op.batch_alter_table("vote_code", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_vote_code_print_id"))

    op.drop_table("vote_code")
    op.drop_table("vote_roll")
    op.drop_table("vote_code_print")
    with op.batch_alter_table("vote_batch", schema=None) as batch_op:
        batch_op.drop_index("ix_vote_batch_vote_id_state")

    op.drop_table("vote_batch")
    op.drop_table("ballot")
    with op.batch_alter_table("vote", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_vote_procedure_id"))

    op.drop_table("vote")
