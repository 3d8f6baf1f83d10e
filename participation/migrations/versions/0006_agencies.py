"""Agencies: the register, who is asked, what they answer, and a contribution's own last day."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


def upgrade() -> None:
    op.create_table(
        "agency_subject",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("municipality_id", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("label", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["municipality_id"],
            ["municipality.id"],
            name=op.f("fk_agency_subject_municipality_id_municipality"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_agency_subject")),
        sa.UniqueConstraint("municipality_id", "key", name=op.f("uq_agency_subject_municipality_id_key")),
    )
    op.create_table(
        "agency",
        sa.Column("organisation_id", sa.Integer(), nullable=False),
        sa.Column("municipality_id", sa.Integer(), nullable=False),
        sa.Column("sort", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("subjects", _JSON, nullable=False),
        sa.Column("is_townwide", sa.Boolean(), nullable=False),
        sa.Column("areas", _JSON, nullable=False),
        sa.Column("competence", sa.LargeBinary(), nullable=True),
        sa.Column("min_x", sa.Float(), nullable=True),
        sa.Column("min_y", sa.Float(), nullable=True),
        sa.Column("max_x", sa.Float(), nullable=True),
        sa.Column("max_y", sa.Float(), nullable=True),
        sa.Column("email", sa.String(), nullable=False),
        sa.Column("phone", sa.String(), nullable=False),
        sa.Column("street", sa.String(), nullable=False),
        sa.Column("postcode", sa.String(), nullable=False),
        sa.Column("city", sa.String(), nullable=False),
        sa.Column("notes", sa.String(), nullable=False),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["municipality_id"], ["municipality.id"], name=op.f("fk_agency_municipality_id_municipality")
        ),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisation.id"], name=op.f("fk_agency_organisation_id_organisation")
        ),
        sa.PrimaryKeyConstraint("organisation_id", name=op.f("pk_agency")),
    )
    with op.batch_alter_table("agency", schema=None) as batch_op:
        batch_op.create_index(
            "ix_agency_municipality_id_sort", ["municipality_id", "sort", "organisation_id"], unique=False
        )

    op.create_table(
        "agency_merge",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("municipality_id", sa.Integer(), nullable=False),
        sa.Column("survivor_id", sa.Integer(), nullable=False),
        sa.Column("duplicate_id", sa.Integer(), nullable=False),
        sa.Column("people", _JSON, nullable=False),
        sa.Column("clerks", _JSON, nullable=False),
        sa.Column("was_active", sa.Boolean(), nullable=False),
        sa.Column("note", sa.String(), nullable=False),
        sa.Column("at", sa.DateTime(), nullable=False),
        sa.Column("by", sa.String(), nullable=False),
        sa.Column("undone_at", sa.DateTime(), nullable=True),
        sa.Column("undone_by", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["duplicate_id"], ["organisation.id"], name=op.f("fk_agency_merge_duplicate_id_organisation")
        ),
        sa.ForeignKeyConstraint(
            ["municipality_id"],
            ["municipality.id"],
            name=op.f("fk_agency_merge_municipality_id_municipality"),
        ),
        sa.ForeignKeyConstraint(
            ["survivor_id"], ["organisation.id"], name=op.f("fk_agency_merge_survivor_id_organisation")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_agency_merge")),
    )
    with op.batch_alter_table("agency_merge", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_agency_merge_duplicate_id"), ["duplicate_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_agency_merge_survivor_id"), ["survivor_id"], unique=False)

    op.create_table(
        "agency_clerk",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("organisation_id", sa.Integer(), nullable=False),
        sa.Column("person_id", sa.Integer(), nullable=False),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organisation_id"],
            ["organisation.id"],
            name=op.f("fk_agency_clerk_organisation_id_organisation"),
        ),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_agency_clerk_person_id_person")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_agency_clerk")),
        sa.UniqueConstraint(
            "organisation_id", "person_id", name=op.f("uq_agency_clerk_organisation_id_person_id")
        ),
    )
    with op.batch_alter_table("agency_clerk", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_agency_clerk_person_id"), ["person_id"], unique=False)

    op.create_table(
        "agency_round",
        sa.Column("phase_id", sa.Integer(), nullable=False),
        sa.Column("subjects", _JSON, nullable=False),
        sa.Column("words", sa.String(), nullable=False),
        sa.Column("remind_before", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["phase_id"], ["phase.id"], name=op.f("fk_agency_round_phase_id_phase")),
        sa.PrimaryKeyConstraint("phase_id", name=op.f("pk_agency_round")),
    )
    op.create_table(
        "invitation",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("municipality_id", sa.Integer(), nullable=False),
        sa.Column("procedure_id", sa.Integer(), nullable=False),
        sa.Column("phase_id", sa.Integer(), nullable=False),
        sa.Column("organisation_id", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("way", sa.String(), nullable=False),
        sa.Column("sent_on", sa.Date(), nullable=True),
        sa.Column("received_on", sa.Date(), nullable=True),
        sa.Column("is_receipt_noted", sa.Boolean(), nullable=False),
        sa.Column("due_on", sa.Date(), nullable=True),
        sa.Column("proof", _JSON, nullable=False),
        sa.Column("remind_on", sa.Date(), nullable=True),
        sa.Column("reminded_at", sa.DateTime(), nullable=True),
        sa.Column("opened_at", sa.DateTime(), nullable=True),
        sa.Column("answered_at", sa.DateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["municipality_id"], ["municipality.id"], name=op.f("fk_invitation_municipality_id_municipality")
        ),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisation.id"], name=op.f("fk_invitation_organisation_id_organisation")
        ),
        sa.ForeignKeyConstraint(["phase_id"], ["phase.id"], name=op.f("fk_invitation_phase_id_phase")),
        sa.ForeignKeyConstraint(
            ["procedure_id"], ["procedure.id"], name=op.f("fk_invitation_procedure_id_procedure")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_invitation")),
        sa.UniqueConstraint(
            "phase_id", "organisation_id", name=op.f("uq_invitation_phase_id_organisation_id")
        ),
    )
    with op.batch_alter_table("invitation", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_invitation_organisation_id"), ["organisation_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_invitation_procedure_id"), ["procedure_id"], unique=False)
        batch_op.create_index("ix_invitation_state_due_on", ["state", "due_on"], unique=False)
        batch_op.create_index("ix_invitation_state_remind_on", ["state", "remind_on"], unique=False)

    op.create_table(
        "agency_reply",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("invitation_id", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("parts", _JSON, nullable=False),
        sa.Column("files", _JSON, nullable=False),
        sa.Column("is_no_concerns", sa.Boolean(), nullable=False),
        sa.Column("wants_publication", sa.Boolean(), nullable=False),
        sa.Column("note", sa.String(), nullable=False),
        sa.Column("written_by", sa.String(), nullable=False),
        sa.Column("contribution_id", sa.Integer(), nullable=True),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("updated_at", sa.DateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["contribution_id"],
            ["contribution.id"],
            name=op.f("fk_agency_reply_contribution_id_contribution"),
        ),
        sa.ForeignKeyConstraint(
            ["invitation_id"], ["invitation.id"], name=op.f("fk_agency_reply_invitation_id_invitation")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_agency_reply")),
        sa.UniqueConstraint("contribution_id", name=op.f("uq_agency_reply_contribution_id")),
    )
    with op.batch_alter_table("agency_reply", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_agency_reply_invitation_id"), ["invitation_id"], unique=False)

    op.create_table(
        "extension_request",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("invitation_id", sa.Integer(), nullable=False),
        sa.Column("asked_at", sa.DateTime(), nullable=False),
        sa.Column("asked_by", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("wished_until", sa.Date(), nullable=True),
        sa.Column("decision", sa.String(), nullable=False),
        sa.Column("granted_until", sa.Date(), nullable=True),
        sa.Column("answer", sa.String(), nullable=False),
        sa.Column("decided_at", sa.DateTime(), nullable=True),
        sa.Column("decided_by", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["invitation_id"], ["invitation.id"], name=op.f("fk_extension_request_invitation_id_invitation")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_extension_request")),
    )
    with op.batch_alter_table("extension_request", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_extension_request_invitation_id"), ["invitation_id"], unique=False
        )

    op.create_table(
        "invitation_event",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("invitation_id", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(), nullable=False),
        sa.Column("by", sa.String(), nullable=False),
        sa.Column("verb", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("note", sa.String(), nullable=False),
        sa.Column("facts", _JSON, nullable=False),
        sa.ForeignKeyConstraint(
            ["invitation_id"], ["invitation.id"], name=op.f("fk_invitation_event_invitation_id_invitation")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_invitation_event")),
    )
    with op.batch_alter_table("invitation_event", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_invitation_event_invitation_id"), ["invitation_id"], unique=False
        )

    op.create_table(
        "invitation_link",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("invitation_id", sa.Integer(), nullable=False),
        sa.Column("clerk_id", sa.Integer(), nullable=True),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("nonce", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("code_key", sa.String(), nullable=True),
        sa.Column("sent_to", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("used_at", sa.DateTime(), nullable=True),
        sa.Column("revoked_at", sa.DateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["clerk_id"], ["agency_clerk.id"], name=op.f("fk_invitation_link_clerk_id_agency_clerk")
        ),
        sa.ForeignKeyConstraint(
            ["invitation_id"], ["invitation.id"], name=op.f("fk_invitation_link_invitation_id_invitation")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_invitation_link")),
        sa.UniqueConstraint("code_key", name=op.f("uq_invitation_link_code_key")),
        sa.UniqueConstraint("key", name=op.f("uq_invitation_link_key")),
    )
    with op.batch_alter_table("invitation_link", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_invitation_link_invitation_id"), ["invitation_id"], unique=False)

    op.add_column("contribution", sa.Column("due_on", sa.Date(), nullable=True))
    # Said by hand: SQLite adds a column with its reference only so, without making the table anew.
    op.execute(
        "ALTER TABLE organisation ADD COLUMN merged_into_id INTEGER"
        " CONSTRAINT fk_organisation_merged_into_id_organisation REFERENCES organisation (id)"
    )


def downgrade() -> None:
    with op.batch_alter_table("organisation", schema=None) as batch_op:
        batch_op.drop_constraint("fk_organisation_merged_into_id_organisation", type_="foreignkey")
        batch_op.drop_column("merged_into_id")
    with op.batch_alter_table("contribution", schema=None) as batch_op:
        batch_op.drop_column("due_on")
    op.drop_table("invitation_link")
    op.drop_table("invitation_event")
    op.drop_table("extension_request")
    op.drop_table("agency_reply")
    op.drop_table("invitation")
    op.drop_table("agency_round")
    op.drop_table("agency_clerk")
    op.drop_table("agency_merge")
    op.drop_table("agency")
    op.drop_table("agency_subject")
