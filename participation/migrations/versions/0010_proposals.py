"""Proposals: versions, authors, relations, amendments, support, comments; later versions in moderation."""

import hashlib
import json
import secrets
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "proposal",
        sa.Column("contribution_id", sa.Integer(), nullable=False),
        sa.Column("municipality_id", sa.Integer(), nullable=False),
        sa.Column("procedure_id", sa.Integer(), nullable=False),
        sa.Column("phase_id", sa.Integer(), nullable=True),
        sa.Column("authoring", sa.String(), nullable=False),
        sa.Column("evaluation", sa.String(), nullable=False),
        sa.Column("newest_number", sa.Integer(), nullable=False),
        sa.Column("is_listed", sa.Boolean(), nullable=False),
        sa.Column("is_on_map", sa.Boolean(), nullable=False),
        sa.Column("bucket", sa.Integer(), nullable=False),
        sa.Column("shuffle", sa.Integer(), nullable=False),
        sa.Column("received_at", sa.DateTime(), nullable=False),
        sa.Column("channel", sa.String(), nullable=False),
        sa.Column("language", sa.String(), nullable=False),
        sa.Column("district", sa.String(), nullable=False),
        sa.Column("cell", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("supports", sa.Integer(), nullable=False),
        sa.Column("attention", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["contribution_id"], ["contribution.id"], name=op.f("fk_proposal_contribution_id_contribution")
        ),
        sa.ForeignKeyConstraint(
            ["municipality_id"], ["municipality.id"], name=op.f("fk_proposal_municipality_id_municipality")
        ),
        sa.ForeignKeyConstraint(["phase_id"], ["phase.id"], name=op.f("fk_proposal_phase_id_phase")),
        sa.ForeignKeyConstraint(
            ["procedure_id"], ["procedure.id"], name=op.f("fk_proposal_procedure_id_procedure")
        ),
        sa.PrimaryKeyConstraint("contribution_id", name=op.f("pk_proposal")),
    )
    with op.batch_alter_table("proposal", schema=None) as batch_op:
        batch_op.create_index(
            "ix_proposal_least_seen",
            ["procedure_id", "is_listed", "attention", "contribution_id"],
            unique=False,
        )
        batch_op.create_index(batch_op.f("ix_proposal_municipality_id"), ["municipality_id"], unique=False)
        batch_op.create_index(
            "ix_proposal_near",
            ["procedure_id", "is_listed", "is_on_map", "cell", "contribution_id"],
            unique=False,
        )
        batch_op.create_index(
            "ix_proposal_newest",
            ["procedure_id", "is_listed", "received_at", "contribution_id"],
            unique=False,
        )
        batch_op.create_index(batch_op.f("ix_proposal_phase_id"), ["phase_id"], unique=False)
        batch_op.create_index(
            "ix_proposal_shuffled",
            [
                "procedure_id",
                "is_listed",
                "bucket",
                "shuffle",
                "contribution_id",
                "channel",
                "language",
                "district",
                "authoring",
                "is_on_map",
            ],
            unique=False,
        )

    op.create_table(
        "amendment",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("proposal_id", sa.Integer(), nullable=False),
        sa.Column("contribution_id", sa.Integer(), nullable=False),
        sa.Column("base_number", sa.Integer(), nullable=False),
        sa.Column("patches", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("renews_id", sa.Integer(), nullable=True),
        sa.Column("wants_credit", sa.Boolean(), nullable=False),
        sa.Column("owner_until", sa.Date(), nullable=False),
        sa.Column("proposed_at", sa.DateTime(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("decided_at", sa.DateTime(), nullable=True),
        sa.Column("decided_by", sa.String(), nullable=False),
        sa.Column("decided_part", sa.String(), nullable=False),
        sa.Column("decision", sa.String(), nullable=False),
        sa.Column("decision_words", sa.String(), nullable=False),
        sa.Column("resulting_number", sa.Integer(), nullable=True),
        sa.Column("promoted_to_id", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(
            ["contribution_id"], ["contribution.id"], name=op.f("fk_amendment_contribution_id_contribution")
        ),
        sa.ForeignKeyConstraint(
            ["promoted_to_id"],
            ["proposal.contribution_id"],
            name=op.f("fk_amendment_promoted_to_id_proposal"),
        ),
        sa.ForeignKeyConstraint(
            ["proposal_id"], ["proposal.contribution_id"], name=op.f("fk_amendment_proposal_id_proposal")
        ),
        sa.ForeignKeyConstraint(
            ["renews_id"], ["amendment.id"], name=op.f("fk_amendment_renews_id_amendment")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_amendment")),
        sa.UniqueConstraint("contribution_id", name=op.f("uq_amendment_contribution_id")),
    )
    with op.batch_alter_table("amendment", schema=None) as batch_op:
        batch_op.create_index("ix_amendment_proposal_id_state", ["proposal_id", "state"], unique=False)

    op.create_table(
        "proposal_author",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("proposal_id", sa.Integer(), nullable=False),
        sa.Column("person_id", sa.Integer(), nullable=True),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("keeps_credit", sa.Boolean(), nullable=False),
        sa.Column("invited_at", sa.DateTime(), nullable=True),
        sa.Column("invited_by", sa.String(), nullable=False),
        sa.Column("way", sa.String(), nullable=False),
        sa.Column("key_sha256", sa.String(), nullable=False),
        sa.Column("code_sha256", sa.String(), nullable=False),
        sa.Column("language", sa.String(), nullable=False),
        sa.Column("since", sa.DateTime(), nullable=True),
        sa.Column("until", sa.DateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["person_id"], ["person.id"], name=op.f("fk_proposal_author_person_id_person")
        ),
        sa.ForeignKeyConstraint(
            ["proposal_id"],
            ["proposal.contribution_id"],
            name=op.f("fk_proposal_author_proposal_id_proposal"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_proposal_author")),
    )
    with op.batch_alter_table("proposal_author", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_proposal_author_code_sha256"), ["code_sha256"], unique=False)
        batch_op.create_index(batch_op.f("ix_proposal_author_key_sha256"), ["key_sha256"], unique=False)
        batch_op.create_index(batch_op.f("ix_proposal_author_person_id"), ["person_id"], unique=False)
        batch_op.create_index("ix_proposal_author_proposal_id_state", ["proposal_id", "state"], unique=False)

    op.create_table(
        "proposal_relation",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("from_id", sa.Integer(), nullable=False),
        sa.Column("to_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("note", sa.String(), nullable=False),
        sa.Column("made_at", sa.DateTime(), nullable=False),
        sa.Column("made_by", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["from_id"], ["proposal.contribution_id"], name=op.f("fk_proposal_relation_from_id_proposal")
        ),
        sa.ForeignKeyConstraint(
            ["to_id"], ["proposal.contribution_id"], name=op.f("fk_proposal_relation_to_id_proposal")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_proposal_relation")),
        sa.UniqueConstraint("from_id", "to_id", "kind", name=op.f("uq_proposal_relation_from_id_to_id_kind")),
    )
    with op.batch_alter_table("proposal_relation", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_proposal_relation_to_id"), ["to_id"], unique=False)

    op.create_table(
        "support",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("proposal_id", sa.Integer(), nullable=False),
        sa.Column("phase_id", sa.Integer(), nullable=False),
        sa.Column("party", sa.String(), nullable=False),
        sa.Column("person_id", sa.Integer(), nullable=True),
        sa.Column("turn", sa.Integer(), nullable=False),
        sa.Column("act", sa.String(), nullable=False),
        sa.Column("channel", sa.String(), nullable=False),
        sa.Column("at", sa.DateTime(), nullable=False),
        sa.Column("recorded_by", sa.String(), nullable=False),
        sa.Column("refers_to_id", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_support_person_id_person")),
        sa.ForeignKeyConstraint(["phase_id"], ["phase.id"], name=op.f("fk_support_phase_id_phase")),
        sa.ForeignKeyConstraint(
            ["proposal_id"], ["proposal.contribution_id"], name=op.f("fk_support_proposal_id_proposal")
        ),
        sa.ForeignKeyConstraint(
            ["refers_to_id"], ["support.id"], name=op.f("fk_support_refers_to_id_support")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_support")),
        sa.UniqueConstraint(
            "proposal_id",
            "phase_id",
            "party",
            "turn",
            name=op.f("uq_support_proposal_id_phase_id_party_turn"),
        ),
    )
    with op.batch_alter_table("support", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_support_person_id"), ["person_id"], unique=False)
        batch_op.create_index("ix_support_phase_id_party", ["phase_id", "party", "proposal_id"], unique=False)

    op.create_table(
        "remark",
        sa.Column("contribution_id", sa.Integer(), nullable=False),
        sa.Column("proposal_id", sa.Integer(), nullable=False),
        sa.Column("answers_id", sa.Integer(), nullable=True),
        sa.Column("stance", sa.String(), nullable=False),
        sa.Column("shuffle", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["answers_id"], ["contribution.id"], name=op.f("fk_remark_answers_id_contribution")
        ),
        sa.ForeignKeyConstraint(
            ["contribution_id"], ["contribution.id"], name=op.f("fk_remark_contribution_id_contribution")
        ),
        sa.ForeignKeyConstraint(
            ["proposal_id"], ["proposal.contribution_id"], name=op.f("fk_remark_proposal_id_proposal")
        ),
        sa.PrimaryKeyConstraint("contribution_id", name=op.f("pk_remark")),
    )
    with op.batch_alter_table("remark", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_remark_answers_id"), ["answers_id"], unique=False)
        batch_op.create_index(
            "ix_remark_proposal_id_shuffle", ["proposal_id", "answers_id", "stance", "shuffle"], unique=False
        )

    op.create_table(
        "proposal_version",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("proposal_id", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("base_number", sa.Integer(), nullable=True),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("note", sa.String(), nullable=False),
        sa.Column("made_at", sa.DateTime(), nullable=False),
        sa.Column("made_by", sa.String(), nullable=False),
        sa.Column("author_id", sa.Integer(), nullable=True),
        sa.Column("channel", sa.String(), nullable=False),
        sa.Column("language", sa.String(), nullable=False),
        sa.Column("texts", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.Column("headings", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.Column("stale", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.Column("origins", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.Column("place", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.Column("files", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.Column("amendment_id", sa.Integer(), nullable=True),
        sa.Column("previous_receipt", sa.String(), nullable=False),
        sa.Column("receipt", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["author_id"], ["proposal_author.id"], name=op.f("fk_proposal_version_author_id_proposal_author")
        ),
        sa.ForeignKeyConstraint(
            ["proposal_id"],
            ["proposal.contribution_id"],
            name=op.f("fk_proposal_version_proposal_id_proposal"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_proposal_version")),
        sa.UniqueConstraint("proposal_id", "number", name=op.f("uq_proposal_version_proposal_id_number")),
    )
    with op.batch_alter_table("attachment", schema=None) as batch_op:
        batch_op.add_column(sa.Column("description", sa.String(), nullable=False, server_default=""))

    with op.batch_alter_table("moderation_decision", schema=None) as batch_op:
        batch_op.add_column(sa.Column("version", sa.Integer(), nullable=True))

    with op.batch_alter_table("redaction", schema=None) as batch_op:
        batch_op.add_column(sa.Column("shows_version", sa.Integer(), nullable=True))
        batch_op.add_column(sa.Column("is_carried", sa.Boolean(), nullable=False, server_default=sa.false()))
    _take_up_what_is_there()


def _take_up_what_is_there() -> None:
    """Every proposal that was handed in before becomes one with a first version and an owner."""
    connection = op.get_bind()
    names = ("contribution", "proposal", "proposal_author", "proposal_version")
    known = sa.MetaData()
    known.reflect(connection, only=names)
    handed_in, proposal, author, version = (known.tables[name] for name in names)
    last = 0
    while True:
        rows = connection.execute(
            sa.select(handed_in)
            .where(
                handed_in.c.id > last,
                handed_in.c.kind == "proposal",
                handed_in.c.parent_id.is_(None),
                handed_in.c.supplements_id.is_(None),
            )
            .order_by(handed_in.c.id)
            .limit(500)
        ).all()
        if not rows:
            return
        last = rows[-1].id
        for row in rows:
            shown = row.publication == "published"
            connection.execute(
                proposal.insert().values(
                    contribution_id=row.id, municipality_id=row.municipality_id, procedure_id=row.procedure_id,
                    phase_id=row.phase_id, authoring="open", evaluation="none", newest_number=1, is_listed=shown,
                    is_on_map=bool(shown and row.cell is not None and not row.place_hidden),
                    bucket=secrets.randbelow(256), shuffle=secrets.randbelow(2**31), received_at=row.received_at,
                    channel=row.channel, language=row.language, district="", cell=row.cell, supports=0, attention=0,
                )
            )  # fmt: skip
            author_id = connection.execute(
                author.insert()
                .values(
                    proposal_id=row.id, person_id=row.submitter_id, role="owner", state="active", name=row.pseudonym,
                    keeps_credit=True, invited_by="", way="", key_sha256="", code_sha256="", language=row.language,
                    since=row.received_at,
                )
                .returning(author.c.id)
            ).scalar_one()  # fmt: skip
            values = {
                "proposal_id": row.id, "number": 1, "base_number": None,
                "reason": "import" if row.source_id else "handed_in", "note": "", "made_by": row.recorded_by,
                "author_id": author_id, "channel": row.channel, "language": row.language,
                "texts": {row.language: {"title": row.title, "what": row.text}}, "headings": [], "stale": [],
                "origins": {}, "amendment_id": None, "previous_receipt": "0" * 64, "files": [],
                "place": {"words": row.place_words, "geometry": row.geometry.hex() if row.geometry else ""},
            }  # fmt: skip
            at = row.recorded_at
            connection.execute(version.insert().values(**values, made_at=at, receipt=_receipt(at, values)))


_SEALED = (
    "proposal_id", "number", "base_number", "reason", "note", "made_by", "author_id", "channel", "language", "texts",
    "headings", "stale", "origins", "place", "files", "amendment_id", "previous_receipt",
)  # fmt: skip


def _receipt(at: datetime, values: dict[str, Any]) -> str:
    told = [at.replace(tzinfo=UTC).isoformat(), *(values[name] for name in _SEALED)]
    spelled = json.dumps(told, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(spelled.encode()).hexdigest()


def downgrade() -> None:
    with op.batch_alter_table("redaction", schema=None) as batch_op:
        batch_op.drop_column("is_carried")
        batch_op.drop_column("shows_version")
    with op.batch_alter_table("moderation_decision", schema=None) as batch_op:
        batch_op.drop_column("version")
    with op.batch_alter_table("attachment", schema=None) as batch_op:
        batch_op.drop_column("description")
    for table in (
        "proposal_version",
        "remark",
        "support",
        "proposal_relation",
        "proposal_author",
        "amendment",
        "proposal",
    ):
        op.drop_table(table)
