"""Wishes to merge are read by a moderator before the other owner; a name knows the contribution that it was typed with.

What was typed with wishes that are still open waits to be read, and what an owner said with a refusal: nobody of the town
hall has looked at it.
"""

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None


def _refer(table: str, column: str, other: str, key: str) -> None:
    """Add a column that refers to a table: SQLite does so without building the table anew."""
    name = f"fk_{table}_{column}_{other}"
    if op.get_bind().dialect.name == "sqlite":
        op.execute(
            f"ALTER TABLE {table} ADD COLUMN {column} INTEGER CONSTRAINT {name} REFERENCES {other} ({key})"
        )
    else:
        op.add_column(table, sa.Column(column, sa.Integer(), nullable=True))
        op.create_foreign_key(name, table, other, [column], [key])


def upgrade() -> None:
    _refer("proposal_union", "asked_for_id", "proposal", "contribution_id")
    for column in ("wish_state", "answer_state"):
        op.add_column(
            "proposal_union", sa.Column(column, sa.String(), nullable=False, server_default="shown")
        )
    op.execute(
        "UPDATE proposal_union SET asked_for_id = (SELECT c.proposal_id FROM proposal_union_consent c"
        " WHERE c.union_id = proposal_union.id AND c.at = proposal_union.asked_at AND c.part = 'owner'"
        " ORDER BY c.id LIMIT 1)"
    )
    op.execute(
        "UPDATE proposal_union SET wish_state = 'waiting' WHERE asked_for_id IS NOT NULL AND state = 'asked'"
    )
    op.execute(
        "UPDATE proposal_union SET answer_state = 'waiting' WHERE decision_words <> '' AND EXISTS"
        " (SELECT 1 FROM proposal_union_consent c WHERE c.union_id = proposal_union.id"
        " AND c.agrees = false AND c.part = 'owner')"
    )

    _refer("proposal_author", "contribution_id", "contribution", "id")
    op.create_index("ix_proposal_author_contribution_id", "proposal_author", ["contribution_id"])
    op.execute("UPDATE proposal_author SET contribution_id = proposal_id WHERE way = ''")
    op.execute(
        "UPDATE proposal_author SET contribution_id = (SELECT a.contribution_id FROM amendment a"
        " JOIN proposal_version v ON v.amendment_id = a.id WHERE v.author_id = proposal_author.id"
        " ORDER BY v.number LIMIT 1) WHERE way = 'amendment'"
    )
    # Who came along with a merge has the name from the author that they were: 'author:12'. From merge to merge.
    for _ in range(3):
        op.execute(
            "UPDATE proposal_author SET contribution_id = (SELECT o.contribution_id FROM proposal_author o"
            " WHERE 'author:' || CAST(o.id AS VARCHAR) = proposal_author.invited_by)"
            " WHERE way = 'merge' AND contribution_id IS NULL"
        )


def downgrade() -> None:
    op.drop_index("ix_proposal_author_contribution_id", "proposal_author")
    op.drop_column("proposal_author", "contribution_id")
    for column in ("answer_state", "wish_state", "asked_for_id"):
        op.drop_column("proposal_union", column)
