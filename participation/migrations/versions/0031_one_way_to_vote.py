"""A vote that could be cast with a code and with an account is one with codes: whoever had both would have had two votes.

A vote in which somebody has voted already stays as it was promised; so does what was said of one that was counted.
"""

import json

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0031"
down_revision = "0030"
branch_labels = None
depends_on = None


def upgrade() -> None:
    kept = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
    vote = sa.table(
        "vote", sa.column("id", sa.BigInteger), sa.column("state", sa.String), sa.column("ways", kept)
    )
    roll = sa.table("vote_roll", sa.column("vote_id", sa.BigInteger))
    has_begun = sa.exists().where(roll.c.vote_id == vote.c.id)
    rows = op.get_bind().execute(
        sa.select(vote.c.id, vote.c.ways).where(vote.c.state.in_(("draft", "ready")), ~has_begun)
    )
    for number, ways in rows.fetchall():
        said = json.loads(ways) if isinstance(ways, str) else ways
        if "code" in said and len(said) > 1:
            op.get_bind().execute(sa.update(vote).where(vote.c.id == number).values(ways=["code"]))


def downgrade() -> None:
    pass
