"""Topics that a consultation offers; the topic under which lists show a contribution, beside the one that was handed in."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None

CELLS = "ix_contribution_procedure_id_publication_cell"
BY_CATEGORY = "ix_contribution_procedure_id_publication_category"
BY_TOPIC = "ix_contribution_procedure_id_publication_topic"


def _indexes(column: str, name: str) -> None:
    op.create_index(
        CELLS,
        "contribution",
        ["procedure_id", "publication", "cell", "kind", column, "lon", "lat", "place_hidden"],
    )
    named = sa.text(f"{column} != ''")
    op.create_index(
        name,
        "contribution",
        ["procedure_id", "publication", column],
        sqlite_where=named,
        postgresql_where=named,
    )


def upgrade() -> None:
    values = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
    op.add_column("procedure", sa.Column("subjects", values, nullable=False, server_default="[]"))
    op.add_column("contribution", sa.Column("topic", sa.String(), nullable=False, server_default=""))
    op.add_column(
        "contribution", sa.Column("topic_is_set", sa.Boolean(), nullable=False, server_default=sa.false())
    )
    op.add_column("proposal", sa.Column("topic", sa.String(), nullable=False, server_default=""))
    # Until now a topic was a line of somebody's own: what was blacked out took it along, a later version did not.
    op.execute(
        "UPDATE contribution SET topic = category WHERE category <> '' AND (redaction_id IS NULL OR redaction_id IN"
        " (SELECT id FROM redaction WHERE shows_version IS NOT NULL AND NOT is_carried))"
    )
    op.execute(
        "UPDATE proposal SET topic ="
        " (SELECT topic FROM contribution WHERE contribution.id = proposal.contribution_id)"
    )
    op.drop_index(CELLS, "contribution")
    op.drop_index(BY_CATEGORY, "contribution")
    _indexes("topic", BY_TOPIC)


def downgrade() -> None:
    op.drop_index(CELLS, "contribution")
    op.drop_index(BY_TOPIC, "contribution")
    _indexes("category", BY_CATEGORY)
    op.drop_column("proposal", "topic")
    op.drop_column("contribution", "topic_is_set")
    op.drop_column("contribution", "topic")
    op.drop_column("procedure", "subjects")
