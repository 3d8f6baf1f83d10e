"""Full text: stems made here, indexed by the database, so that SQLite and PostgreSQL find the same.

PostgreSQL has an index over `to_tsvector('simple', stems)`, SQLite an FTS5 table (`search_index`) beside the stems.
FTS5 takes much longer for one text than for its share of many, so the newest few (`TOGETHER` at most) wait outside it
and are looked through one by one: every search finds everything, and handing in does not pay for the index.
Two scopes per contribution: what was handed in (staff), and what the public reads. What the public reads carries marks
that no word has: of which consultation and of which kind it is, so that SQLite's index alone answers a list's search.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

from sqlalchemy import Column, Index, TextClause, bindparam, delete, text
from sqlmodel import Field, Session, SQLModel, col, select

from consultations.prepared import Prepared
from consultations.tables import BigKey, insert_row
from consultations.text import stems


class Scope(IntEnum):
    """Which words of a contribution: the original, or what the public may read."""

    ORIGINAL = 0
    PUBLIC = 1


@dataclass(frozen=True)
class Among:
    """Those contributions that a search is among: of one consultation (or also of parts of it), and of one kind if that is
    said."""

    procedure_id: int
    kind: str = ""
    parts: tuple[int, ...] = ()

    @property
    def marks(self) -> tuple[str, ...]:
        """As they stand among the stems: of each contribution those of its own consultation and kind."""
        own = (_mark(f"p{self.procedure_id}"),)
        return (*own, _mark(f"k{self.kind}")) if self.kind else own

    @property
    def asked(self) -> tuple[str, ...]:
        """What FTS5 is asked for them, each of these."""
        first, *kind = self.marks
        places = [f'"{first}"', *(f'"{_mark(f"p{part}")}"' for part in self.parts)]
        return (f"({' OR '.join(places)})", *(f'"{each}"' for each in kind))


def _mark(name: str) -> str:
    """A name in characters for private use, which are letters to FTS5, and to nobody else."""
    return "".join(chr(0xE000 + ord(letter)) for letter in name)


class SearchEntry(SQLModel, table=True):
    """The stems of one contribution in one scope.

    Ids are never used again: FTS5 loses rows when one id is deleted and inserted repeatedly within a transaction
    (seen with SQLite 3.40).
    """

    __tablename__ = "search_entry"
    __table_args__ = (
        Index("ix_search_entry_contribution_id_scope", "contribution_id", "scope"),
        {"sqlite_autoincrement": True},
    )

    id: int | None = Field(default=None, sa_column=Column(BigKey, primary_key=True))
    contribution_id: int = Field(foreign_key="contribution.id")
    scope: int
    stems: str


#: How many texts enter SQLite's index at once.
TOGETHER = 64


def index(
    session: Session,
    contribution_id: int,
    scope: Scope,
    *texts: str,
    among: Among | None = None,
    language: str = "de",
) -> None:
    """Make the words of a contribution findable. What was indexed before has to be removed first.

    `among`: its consultation and its kind, without which no search among those finds it.
    """
    found = [stem for part in texts if part for stem in stems(part, language)]
    words = " ".join([*(among.marks if among is not None else ()), *found])
    insert_row(session, SearchEntry, contribution_id=contribution_id, scope=scope.value, stems=words)
    if _is_sqlite(session):
        _TAKE_IN.ask(session, together=TOGETHER)


# Keys are counted up, never used again and written by one writer at a time: whatever has a higher one than the last in
# the index is not in it yet.
_LAST = "coalesce((SELECT rowid FROM search_index ORDER BY rowid DESC LIMIT 1), 0)"
_TAKE_IN = Prepared(
    text(
        "INSERT INTO search_index (rowid, stems) SELECT id, stems FROM search_entry"
        f" WHERE (SELECT max(id) FROM search_entry) % :together = 0 AND id > {_LAST} ORDER BY id"
    )
)


def remove(session: Session, contribution_id: int, scope: Scope) -> None:
    """Forget the words of a contribution."""
    remove_all(session, [contribution_id], scope)


def remove_all(session: Session, contribution_ids: Sequence[int], scope: Scope) -> None:
    """Forget the words of some contributions; not more at once than a question may name."""
    entries = session.exec(
        select(SearchEntry.id).where(
            col(SearchEntry.contribution_id).in_(contribution_ids), SearchEntry.scope == scope.value
        )
    ).all()
    if not entries:
        return
    if _is_sqlite(session):
        session.execute(
            text("DELETE FROM search_index WHERE rowid = :id"), [{"id": entry} for entry in entries]
        )
    session.execute(
        delete(SearchEntry)
        .where(col(SearchEntry.id).in_(entries))
        .execution_options(synchronize_session="fetch")
    )


def matching(
    session: Session,
    words: str,
    scope: Scope,
    *,
    among: Among | None = None,
    newest: int | None = None,
    of: str = "contribution.id",
    language: str = "de",
) -> TextClause | None:
    """A condition on `of`, a column with keys of contributions, that holds for all contributions with every one of the words.

    Each word also matches as a beginning. None if there is nothing to search for. Several such conditions may stand in one
    question. `among`: the question asks for no others anyway; SQLite then looks at no others. `newest`: about so many of
    those that were indexed last are enough; PostgreSQL may give more.
    """
    wanted = _wanted(words, language)
    if not wanted:
        return None
    if _is_sqlite(session):
        return _matching_sqlite(wanted, scope, among.asked if among is not None else (), newest, of)
    spelled = " & ".join(f"'{stem}':*" for stem in wanted)
    return text(
        f"{of} IN (SELECT contribution_id FROM search_entry"
        " WHERE scope = :fts_scope AND to_tsvector('simple', stems) @@ to_tsquery('simple', :fts_words))"
    ).bindparams(
        bindparam("fts_words", spelled, unique=True), bindparam("fts_scope", scope.value, unique=True)
    )


def _matching_sqlite(
    wanted: Sequence[str], scope: Scope, among: Sequence[str], newest: int | None, of: str
) -> TextClause:
    """What the index holds, and the newest that are not in it yet."""
    few = "" if newest is None else f" ORDER BY rowid DESC LIMIT {newest}"
    not_in_it = " AND ".join(
        f"instr(' ' || replace(stems, '_', ' '), :fts_word_{number})" for number, _ in enumerate(wanted)
    )
    return text(
        f"{of} IN (SELECT contribution_id FROM search_entry WHERE scope = :fts_scope"
        f" AND id IN (SELECT rowid FROM search_index WHERE search_index MATCH :fts_words{few})"
        " UNION ALL SELECT contribution_id FROM search_entry"
        f" WHERE scope = :fts_scope AND id > {_LAST} AND {not_in_it})"
    ).bindparams(
        bindparam(
            "fts_words",
            " AND ".join([*among, *(f'"{stem}"*' for stem in wanted)]),
            unique=True,
        ),
        bindparam("fts_scope", scope.value, unique=True),
        *(bindparam(f"fts_word_{number}", f" {stem}", unique=True) for number, stem in enumerate(wanted)),
    )


def _wanted(words: str, language: str) -> Sequence[str]:
    return [stem for stem in stems(words[:200], language) if stem.isalnum()][:12]


def _is_sqlite(session: Session) -> bool:
    return session.get_bind().dialect.name == "sqlite"
