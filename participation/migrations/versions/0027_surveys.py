"""Surveys: their questions, who answered, what was answered version by version, and words before a moderator."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


def upgrade() -> None:
    op.create_table(
        "survey",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("municipality_id", sa.Integer(), nullable=False),
        sa.Column("procedure_id", sa.Integer(), nullable=False),
        sa.Column("phase_id", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("title", sa.String(), nullable=False),
        sa.Column("introduction", sa.String(), nullable=False),
        sa.Column("translations", JSON, nullable=False),
        sa.Column("questions", JSON, nullable=False),
        sa.Column("counts", sa.String(), nullable=False),
        sa.Column("shows_words", sa.Boolean(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("entries", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("published_at", sa.DateTime(), nullable=True),
        sa.Column("ended_at", sa.DateTime(), nullable=True),
        sa.Column("end_reason", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["municipality_id"], ["municipality.id"], name=op.f("fk_survey_municipality_id_municipality")
        ),
        sa.ForeignKeyConstraint(["phase_id"], ["phase.id"], name=op.f("fk_survey_phase_id_phase")),
        sa.ForeignKeyConstraint(
            ["procedure_id"], ["procedure.id"], name=op.f("fk_survey_procedure_id_procedure")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_survey")),
        sa.UniqueConstraint("procedure_id", "number", name=op.f("uq_survey_procedure_id_number")),
    )
    op.create_index(op.f("ix_survey_phase_id"), "survey", ["phase_id"])

    op.create_table(
        "survey_entry",
        sa.Column("id", KEY, nullable=False),
        sa.Column("municipality_id", sa.Integer(), nullable=False),
        sa.Column("survey_id", sa.Integer(), nullable=False),
        sa.Column("reference", sa.String(), nullable=False),
        sa.Column("entry_number", sa.Integer(), nullable=False),
        sa.Column("access_code", sa.String(), nullable=False),
        sa.Column("submission_key", sa.String(), nullable=False),
        sa.Column("party", sa.String(), nullable=False),
        sa.Column("channel", sa.String(), nullable=False),
        sa.Column("language", sa.String(), nullable=False),
        sa.Column("received_at", sa.DateTime(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(), nullable=False),
        sa.Column("recorded_by", sa.String(), nullable=False),
        sa.Column("is_late", sa.Boolean(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["municipality_id"],
            ["municipality.id"],
            name=op.f("fk_survey_entry_municipality_id_municipality"),
        ),
        sa.ForeignKeyConstraint(["survey_id"], ["survey.id"], name=op.f("fk_survey_entry_survey_id_survey")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_survey_entry")),
        sa.UniqueConstraint("access_code", name=op.f("uq_survey_entry_access_code")),
        sa.UniqueConstraint("survey_id", "entry_number", name=op.f("uq_survey_entry_survey_id_entry_number")),
        sa.UniqueConstraint(
            "survey_id", "submission_key", name=op.f("uq_survey_entry_survey_id_submission_key")
        ),
    )
    op.create_table(
        "survey_answer",
        sa.Column("id", KEY, nullable=False),
        sa.Column("entry_id", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(), nullable=False),
        sa.Column("by", sa.String(), nullable=False),
        sa.Column("channel", sa.String(), nullable=False),
        sa.Column("answers", JSON, nullable=False),
        sa.Column("ignored", JSON, nullable=False),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["entry_id"], ["survey_entry.id"], name=op.f("fk_survey_answer_entry_id_survey_entry")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_survey_answer")),
        sa.UniqueConstraint("entry_id", "number", name=op.f("uq_survey_answer_entry_id_number")),
    )
    op.create_table(
        "survey_words",
        sa.Column("id", KEY, nullable=False),
        sa.Column("municipality_id", sa.Integer(), nullable=False),
        sa.Column("procedure_id", sa.Integer(), nullable=False),
        sa.Column("survey_id", sa.Integer(), nullable=False),
        sa.Column("entry_id", sa.Integer(), nullable=False),
        sa.Column("question", sa.String(), nullable=False),
        sa.Column("words", sa.String(), nullable=False),
        sa.Column("lon", sa.Float(), nullable=True),
        sa.Column("lat", sa.Float(), nullable=True),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("shown", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("decided_by", sa.String(), nullable=False),
        sa.Column("decided_at", sa.DateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["entry_id"], ["survey_entry.id"], name=op.f("fk_survey_words_entry_id_survey_entry")
        ),
        sa.ForeignKeyConstraint(
            ["municipality_id"],
            ["municipality.id"],
            name=op.f("fk_survey_words_municipality_id_municipality"),
        ),
        sa.ForeignKeyConstraint(
            ["procedure_id"], ["procedure.id"], name=op.f("fk_survey_words_procedure_id_procedure")
        ),
        sa.ForeignKeyConstraint(["survey_id"], ["survey.id"], name=op.f("fk_survey_words_survey_id_survey")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_survey_words")),
    )
    op.create_index("ix_survey_words_entry_id", "survey_words", ["entry_id"])
    op.create_index("ix_survey_words_survey_id_state", "survey_words", ["survey_id", "state", "question"])
    op.create_index(
        "ix_survey_words_waiting",
        "survey_words",
        ["municipality_id", "id"],
        sqlite_where=sa.text("state = 'waiting'"),
        postgresql_where=sa.text("state = 'waiting'"),
    )


def downgrade() -> None:
    for table in ("survey_words", "survey_answer", "survey_entry", "survey"):
        op.drop_table(table)
