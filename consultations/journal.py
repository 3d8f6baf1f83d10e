"""The procedure file: append-only, hash-chained, one chain per municipality.

Each verb of the domain writes its entry in the transaction of what it changes. Two things follow:
the chain proves that nothing was altered afterwards, and the highest sequence number is the
*revision* of all that a municipality shows, by which public pages are kept until something changes.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

from sqlalchemy import Column, Index, UniqueConstraint, bindparam, func, text, tuple_
from sqlmodel import Field, Session, SQLModel, col, select

from consultations.permissions import Actor
from consultations.prepared import Prepared
from consultations.tables import BigKey, Json, UtcDateTime, insert_row

FIRST_HASH = "0" * 64


class JournalEntry(SQLModel, table=True):
    """One line of the file. Never updated, never deleted."""

    __tablename__ = "journal_entry"
    __table_args__ = (
        UniqueConstraint("municipality_id", "sequence"),
        Index("ix_journal_entry_subject", "subject"),
        Index("ix_journal_entry_procedure_id_id", "procedure_id", "id"),
    )

    id: int | None = Field(default=None, sa_column=Column(BigKey, primary_key=True))
    municipality_id: int = Field(foreign_key="municipality.id")
    sequence: int
    at: datetime = Field(sa_type=UtcDateTime)
    actor: str
    verb: str
    procedure_id: int | None = Field(default=None, foreign_key="procedure.id")
    subject: str = ""
    facts: dict[str, Any] = Field(default_factory=dict, sa_type=Json)
    previous_hash: str
    hash: str


def digest(value: Any) -> str:
    """SHA-256 of a JSON value in one canonical spelling (sorted keys, no spaces, UTF-8)."""
    return hashlib.sha256(_SPELLING.encode(value).encode()).hexdigest()


_SPELLING = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=str)


def _entry_hash(entry: Any) -> str:
    """The hash of an entry, be it a table object or a plain row."""
    return digest(
        [
            entry.previous_hash,
            entry.municipality_id,
            entry.sequence,
            entry.at.isoformat(),
            entry.actor,
            entry.verb,
            entry.procedure_id,
            entry.subject,
            entry.facts,
        ]
    )


def append(
    session: Session,
    *,
    municipality_id: int,
    verb: str,
    by: Actor,
    at: datetime,
    procedure_id: int | None = None,
    subject: str = "",
    facts: dict[str, Any] | None = None,
    end: tuple[int, str] | None = None,
) -> None:
    """Add one entry to the municipality's chain, in the caller's transaction.

    `facts` must be plain JSON; personal data belong into the tables, not in here, because an entry can never be
    erased. `end`: number and hash of the last entry, if the caller holds the chain and has asked already (`END`).
    """
    last = end
    if end is None:
        hold(session, municipality_id)
        last = _LAST.ask(session, wanted=municipality_id).fetchone()
    facts = json.loads(json.dumps(facts or {}, default=str))
    values: dict[str, Any] = {
        "municipality_id": municipality_id,
        "sequence": last[0] + 1 if last else 1,
        "at": at.astimezone(UTC),
        "actor": by.label,
        "verb": verb,
        "procedure_id": procedure_id,
        "subject": subject,
        "facts": facts,
        "previous_hash": last[1] if last else FIRST_HASH,
    }
    insert_row(session, JournalEntry, **values, hash=_entry_hash(SimpleNamespace(**values)))


def hold(session: Session, municipality_id: int) -> None:
    """Let nobody else write into the municipality's chain until the transaction ends; waits for who does.

    On SQLite the writer already has the database. Whoever writes much holds the chain before anything else, so that
    no two ever wait for each other.
    """
    if session.get_bind().dialect.name == "postgresql":
        _LOCK.ask(session, key=municipality_id)


_entries = SQLModel.metadata.tables["journal_entry"]
_LOCK = Prepared(text("SELECT pg_advisory_xact_lock(71, CAST(:key AS integer))"))
_of_wanted = (
    select(_entries.c.sequence, _entries.c.hash)
    .where(_entries.c.municipality_id == bindparam("wanted"))
    .order_by(_entries.c.sequence.desc())
    .limit(1)
)
_LAST = Prepared(_of_wanted)
#: Number and hash of the last entry of the municipality `wanted`, as columns of somebody else's question.
END = tuple(
    _of_wanted.with_only_columns(column).scalar_subquery()
    for column in (_entries.c.sequence, _entries.c.hash)
)


def revision(session: Session, municipality_id: int) -> int:
    """The highest sequence number: it changes whenever anything of the municipality changes."""
    return (
        session.exec(
            select(func.max(JournalEntry.sequence)).where(JournalEntry.municipality_id == municipality_id)
        ).one()
        or 0
    )


def about(session: Session, subject: str) -> list[JournalEntry]:
    """Everything that happened to a subject ("contribution:12"), oldest first."""
    return list(
        session.exec(
            select(JournalEntry).where(JournalEntry.subject == subject).order_by(col(JournalEntry.id))
        ).all()
    )


@dataclass(frozen=True)
class Break:
    """A place where the chain does not hold."""

    municipality_id: int
    sequence: int
    problem: str


def verify(session: Session, *, batch: int = 2000) -> Iterator[Break]:
    """Walk every chain from its first entry and name each place that was tampered with.

    An altered entry gives `altered`, a missing one `missing`, a re-hashed one breaks the link of
    its successor (`unlinked`). Memory use is bounded by `batch`.
    """
    previous: Any = None
    after: tuple[int, int] = (0, 0)
    while True:
        rows = session.execute(
            _entries.select()
            .where(tuple_(_entries.c.municipality_id, _entries.c.sequence) > tuple_(*after))
            .order_by(_entries.c.municipality_id, _entries.c.sequence)
            .limit(batch)
        ).all()
        if not rows:
            return
        for entry in rows:
            if previous is None or previous.municipality_id != entry.municipality_id:
                expected_sequence, expected_hash = 1, FIRST_HASH
            else:
                expected_sequence, expected_hash = previous.sequence + 1, previous.hash
            if entry.sequence != expected_sequence:
                yield Break(entry.municipality_id, expected_sequence, "missing")
            elif entry.previous_hash != expected_hash:
                yield Break(entry.municipality_id, entry.sequence, "unlinked")
            if _entry_hash(entry) != entry.hash:
                yield Break(entry.municipality_id, entry.sequence, "altered")
            previous = entry
        after = (rows[-1].municipality_id, rows[-1].sequence)


@dataclass(frozen=True)
class Head:
    """The last entry of a chain at some moment. Whoever has it elsewhere can tell later that all up to it still
    stands: neither was it cut off, nor was the chain from some entry on made anew."""

    municipality_id: int
    sequence: int
    hash: str


def heads(session: Session) -> list[Head]:
    """The last entry of every chain."""
    newest = (
        select(JournalEntry.municipality_id, func.max(JournalEntry.sequence).label("sequence"))
        .group_by(col(JournalEntry.municipality_id))
        .subquery()
    )
    rows = session.exec(
        select(JournalEntry.municipality_id, JournalEntry.sequence, JournalEntry.hash)
        .join(
            newest,
            (newest.c.municipality_id == JournalEntry.municipality_id)
            & (newest.c.sequence == JournalEntry.sequence),
        )
        .order_by(col(JournalEntry.municipality_id))
    ).all()
    return [Head(*row) for row in rows]


def against(session: Session, anchored: Iterable[Head]) -> Iterator[Break]:
    """Hold earlier heads against the chains: `cut_off` where the entry is gone, `rewritten` where it is another."""
    for head in anchored:
        found = session.exec(
            select(JournalEntry.hash).where(
                JournalEntry.municipality_id == head.municipality_id, JournalEntry.sequence == head.sequence
            )
        ).first()
        if found != head.hash:
            yield Break(head.municipality_id, head.sequence, "rewritten" if found else "cut_off")
