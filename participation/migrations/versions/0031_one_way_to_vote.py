"""A vote that could be cast with a code and with an account is one with codes: whoever had both would have had two votes.

Ballots that were cast with an account meanwhile stay: nothing leads from them to whoever cast them. Votes that were counted keep
what was said of them.
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
    rows = op.get_bind().execute(
        sa.select(vote.c.id, vote.c.ways).where(vote.c.state.in_(("draft", "ready")))
    )
    for number, ways in rows.fetchall():
        said = json.loads(ways) if isinstance(ways, str) else ways
        if "code" in said and len(said) > 1:
            op.get_bind().execute(sa.update(vote).where(vote.c.id == number).values(ways=["code"]))


def downgrade() -> None:
    pass
