"""Full text: stems made here, indexed by the database, so that SQLite and PostgreSQL find the same.

SQLite keeps the stems in an FTS5 table (`search_index`), PostgreSQL in `search_index.stems` with an index over
`to_tsvector('simple', stems)`. Two scopes per contribution: what was handed in (staff), and what the public reads.
"""

from collections.abc import Sequence
from enum import IntEnum

from sqlalchemy import TextClause, bindparam, text
from sqlmodel import Session

from consultations.text import stems


class Scope(IntEnum):
    """Which words of a contribution: the original, or what the public may read."""

    ORIGINAL = 0
    PUBLIC = 1


def _key(contribution_id: int, scope: Scope) -> int:
    return contribution_id * 2 + scope.value


def index(session: Session, contribution_id: int, scope: Scope, *texts: str, language: str = "de") -> None:
    """Make the words of a contribution findable, replacing those of before."""
    remove(session, contribution_id, scope)
    words = " ".join(stem for part in texts if part for stem in stems(part, language))
    session.execute(
        text("INSERT INTO search_index (rowid, stems) VALUES (:key, :stems)")
        if _is_sqlite(session)
        else text("INSERT INTO search_index (id, stems) VALUES (:key, :stems)"),
        {"key": _key(contribution_id, scope), "stems": words},
    )


def remove(session: Session, contribution_id: int, scope: Scope) -> None:
    """Forget the words of a contribution."""
    column = "rowid" if _is_sqlite(session) else "id"
    session.execute(
        text(f"DELETE FROM search_index WHERE {column} = :key"), {"key": _key(contribution_id, scope)}
    )


def matching(session: Session, words: str, scope: Scope, *, language: str = "de") -> TextClause | None:
    """A condition on `contribution.id` that holds for all contributions with every one of the words.

    The last word also matches as a beginning. None if there is nothing to search for.
    """
    wanted = _wanted(words, language)
    if not wanted:
        return None
    if _is_sqlite(session):
        spelled = " ".join(f'"{stem}"' for stem in wanted) + "*"
        return text(
            "contribution.id IN (SELECT rowid / 2 FROM search_index WHERE search_index MATCH :fts_words"
            " AND rowid % 2 = :fts_scope)"
        ).bindparams(bindparam("fts_words", spelled), bindparam("fts_scope", scope.value))
    spelled = " & ".join(f"'{stem}'" for stem in wanted) + ":*"
    return text(
        "contribution.id IN (SELECT id / 2 FROM search_index"
        " WHERE to_tsvector('simple', stems) @@ to_tsquery('simple', :fts_words) AND id % 2 = :fts_scope)"
    ).bindparams(bindparam("fts_words", spelled), bindparam("fts_scope", scope.value))


def _wanted(words: str, language: str) -> Sequence[str]:
    return [stem for stem in stems(words[:200], language) if stem.isalnum()][:12]


def _is_sqlite(session: Session) -> bool:
    return session.get_bind().dialect.name == "sqlite"
