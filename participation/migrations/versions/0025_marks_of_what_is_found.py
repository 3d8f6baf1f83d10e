"""What the public reads is marked with its consultation and its kind, so that SQLite's index alone answers a search.

The marks are characters for private use, as `consultations.search.Among` makes them.
"""

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None

#: What everybody may read (`consultations.search.Scope`).
PUBLIC = 1


def _private(name: str) -> str:
    return "".join(chr(0xE000 + ord(letter)) for letter in name)


def _marks() -> list[tuple[int, str, str]]:
    """The marks of what there is, by consultation and kind."""
    found = op.get_bind().execute(
        sa.text(
            "SELECT DISTINCT c.procedure_id, c.kind FROM contribution c"
            " JOIN search_entry e ON e.contribution_id = c.id AND e.scope = 1"
        )
    )
    return [
        (procedure, kind, f"{_private(f'p{procedure}')} {_private(f'k{kind}')} ") for procedure, kind in found
    ]


def _index_anew() -> None:
    if op.get_bind().dialect.name == "sqlite":
        op.execute("DROP TABLE search_index")
        op.execute("CREATE VIRTUAL TABLE search_index USING fts5(stems, tokenize='unicode61', columnsize=0)")
        op.execute("INSERT INTO search_index (rowid, stems) SELECT id, stems FROM search_entry ORDER BY id")


_OF_THESE = (
    " WHERE scope = :scope AND contribution_id IN"
    " (SELECT id FROM contribution WHERE procedure_id = :procedure AND kind = :kind)"
)


def upgrade() -> None:
    for procedure, kind, marks in _marks():
        op.get_bind().execute(
            sa.text(f"UPDATE search_entry SET stems = CAST(:marks AS TEXT) || stems{_OF_THESE}"),
            {"marks": marks, "scope": PUBLIC, "procedure": procedure, "kind": kind},
        )
    _index_anew()


def downgrade() -> None:
    for procedure, kind, marks in _marks():
        op.get_bind().execute(
            sa.text(f"UPDATE search_entry SET stems = substr(stems, :after){_OF_THESE}"),
            {"after": len(marks) + 1, "scope": PUBLIC, "procedure": procedure, "kind": kind},
        )
    _index_anew()
