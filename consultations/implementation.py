"""From the answer to the built thing: milestones, news, pictures, money, decisions of the council, the plan it went into.

One table of entries that are only added. A milestone is a chain of entries (planned, moved, reached, given up); a
mistake is taken back by a further entry, and stays readable as one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import Column, Index
from sqlmodel import Field, Session, SQLModel, col, select

from consultations import evaluation, happenings, journal, procedures, proposals, support_lists
from consultations.deadlines import local_date
from consultations.evaluation import BUILT
from consultations.happenings import Kind as Happened
from consultations.permissions import Actor, Permission, may
from consultations.procedures import Procedure, ProcedureState
from consultations.proposals import Proposal
from consultations.refusals import Code, Refusal
from consultations.tables import BigKey, UtcDateTime
from consultations.text import normalise

TITLE_LIMIT = 200
WORDS_LIMIT = 10_000
DESCRIPTION_LIMIT = 500
ADDRESS_LIMIT = 2_000


class EntryKind(StrEnum):
    """What an entry tells."""

    NEWS = "news"
    MILESTONE = "milestone"
    MONEY = "money"
    DECISION = "decision"
    PLAN = "plan"
    CANCEL = "cancel"


class MilestoneState(StrEnum):
    """Where a milestone stands."""

    PLANNED = "planned"
    REACHED = "reached"
    GIVEN_UP = "given_up"


class ImplementationEntry(SQLModel, table=True):
    """One thing that was told about a proposal's way to being built. Never changed, never deleted."""

    __tablename__ = "implementation_entry"
    __table_args__ = (Index("ix_implementation_entry_proposal_id_id", "proposal_id", "id"),)

    id: int | None = Field(default=None, sa_column=Column(BigKey, primary_key=True))
    municipality_id: int = Field(foreign_key="municipality.id")
    proposal_id: int = Field(foreign_key="proposal.contribution_id")
    kind: str
    title: str = ""
    words: str = ""
    language: str = "de"
    #: The day that it is about: planned for, reached on, decided on, paid on.
    day: date | None = None
    #: Of a milestone, and the first entry of its chain.
    state: str = ""
    milestone_id: int | None = Field(default=None, foreign_key="implementation_entry.id")
    #: Euros.
    amount: int | None = Field(default=None, sa_column=Column(BigKey, nullable=True))
    #: Of a decision: where the council's paper can be read.
    address: str = ""
    #: Of a plan: the consultation that it went into.
    plan_id: int | None = Field(default=None, foreign_key="procedure.id")
    picture_sha256: str = ""
    picture_type: str = ""
    picture_words: str = ""
    #: What this entry takes back.
    cancels_id: int | None = Field(default=None, foreign_key="implementation_entry.id")
    happening_id: int | None = Field(default=None, foreign_key="happening.id")
    at: datetime = Field(sa_type=UtcDateTime)
    by: str


@dataclass(frozen=True)
class Picture:
    """A picture that was taken in: its public copy, and what it shows in words."""

    sha256: str
    media_type: str
    words: str
    filename: str = ""


@dataclass(frozen=True)
class EntryInput:
    """An entry as typed."""

    kind: EntryKind
    title: str = ""
    words: str = ""
    language: str = "de"
    day: date | None = None
    state: MilestoneState = MilestoneState.PLANNED
    milestone_id: int | None = None
    amount: int | None = None
    address: str = ""
    plan_id: int | None = None
    picture: Picture | None = None


def tell(
    session: Session,
    proposal_id: int,
    entered: EntryInput,
    *,
    tells_people: bool = True,
    by: Actor,
    now: datetime,
) -> ImplementationEntry:
    """Add an entry and, with `tells_people`, tell those who wait for it.

    Raises Refusal NOT_ALLOWED, NOT_FOUND, WRONG_STATE (nothing is to be built of it; decisions and plans are possible
    all the same), ANSWER_INCOMPLETE (field), DATE_IMPOSSIBLE ("day": reached or paid in the future), ADDRESS_INVALID
    ("address"), DESCRIPTION_REQUIRED ("picture_words").
    """
    proposal = proposals.lock(session, proposal_id)
    _require(by, proposal)
    if entered.kind is EntryKind.CANCEL or not proposal.is_listed:
        raise Refusal(Code.NOT_FOUND)
    if entered.kind in _NEEDS_ANSWER and not is_to_be_built(session, proposal_id):
        raise Refusal(Code.WRONG_STATE, state=proposal.evaluation)
    chain = _milestone(session, proposal_id, entered.milestone_id) if entered.milestone_id else None
    row = _row(session, proposal, entered, chain, by=by, now=now)
    session.add(row)
    session.flush()
    if tells_people:
        happening = happenings.note(
            session,
            proposal,
            Happened(row.kind),
            now=now,
            facts={"entry": row.id, "title": row.title, "state": row.state, "amount": row.amount},
        )
        row.happening_id = happening.id
        session.add(row)
        session.flush()
        support_lists.tell(session, proposal, happening, by=by, now=now)
    _note(session, proposal, row, "implementation_told", by=by, now=now)
    return row


_NEEDS_ANSWER = frozenset({EntryKind.NEWS, EntryKind.MILESTONE, EntryKind.MONEY})


def is_to_be_built(session: Session, proposal_id: int) -> bool:
    """Whether the answer that holds says that something is done."""
    answer = evaluation.outcomes_of(session, [proposal_id]).get(proposal_id)
    return answer is not None and answer.outcome in {each.value for each in BUILT}


def _require(by: Actor, proposal: Proposal) -> None:
    if not may(
        by,
        Permission.PLAN,
        municipality_id=proposal.municipality_id,
        procedure_id=proposal.procedure_id,
    ):
        raise Refusal(Code.NOT_ALLOWED)


def _milestone(session: Session, proposal_id: int, entry_id: int) -> ImplementationEntry:
    row = session.get(ImplementationEntry, entry_id)
    if row is None or row.proposal_id != proposal_id or row.kind != EntryKind.MILESTONE.value:
        raise Refusal(Code.NOT_FOUND)
    return row


def _row(
    session: Session,
    proposal: Proposal,
    entered: EntryInput,
    chain: ImplementationEntry | None,
    *,
    by: Actor,
    now: datetime,
) -> ImplementationEntry:
    title = normalise(entered.title, field="title", limit=TITLE_LIMIT).strip()
    if not title and chain is not None:
        title = chain.title
    kind = entered.kind
    plan = _plan(session, proposal, entered.plan_id) if kind is EntryKind.PLAN else None
    if not title and plan is None:
        raise Refusal(Code.ANSWER_INCOMPLETE, "title")
    if kind in (EntryKind.MILESTONE, EntryKind.DECISION, EntryKind.MONEY) and entered.day is None:
        raise Refusal(Code.ANSWER_INCOMPLETE, "day")
    if kind is EntryKind.MONEY and (
        entered.amount is None or not 0 < entered.amount <= evaluation.AMOUNT_LIMIT
    ):
        raise Refusal(Code.ANSWER_INCOMPLETE, "amount")
    is_past = kind is EntryKind.MONEY or (
        kind is EntryKind.MILESTONE and entered.state is MilestoneState.REACHED
    )
    if is_past and entered.day is not None and entered.day > local_date(now):
        raise Refusal(Code.DATE_IMPOSSIBLE, "day", date=entered.day.strftime("%d.%m.%Y"))
    picture = entered.picture
    words = (
        normalise(picture.words, field="picture_words", limit=DESCRIPTION_LIMIT).strip() if picture else ""
    )
    if picture and not words:
        raise Refusal(Code.DESCRIPTION_REQUIRED, "picture_words", filename=picture.filename)
    return ImplementationEntry(
        municipality_id=proposal.municipality_id,
        proposal_id=proposal.contribution_id,
        kind=kind.value,
        title=title or (plan.title if plan else ""),
        words=normalise(entered.words, field="words", limit=WORDS_LIMIT).strip(),
        language=entered.language,
        day=entered.day,
        state=entered.state.value if kind is EntryKind.MILESTONE else "",
        milestone_id=(chain.milestone_id or chain.id) if chain else None,
        amount=entered.amount if kind is EntryKind.MONEY else None,
        address=_address(entered.address, is_needed=kind is EntryKind.DECISION),
        plan_id=plan.id if plan else None,
        picture_sha256=picture.sha256 if picture else "",
        picture_type=picture.media_type if picture else "",
        picture_words=words,
        at=now,
        by=by.label,
    )


def _plan(session: Session, proposal: Proposal, plan_id: int | None) -> Procedure:
    """The consultation of the same municipality that everybody can read. Raises Refusal NOT_FOUND ("plan_id")."""
    found = procedures.by_id(session, proposal.municipality_id, plan_id) if plan_id else None
    if found is None or found.state == ProcedureState.DRAFT.value:
        raise Refusal(Code.NOT_FOUND, "plan_id")
    return found


def _address(typed: str, *, is_needed: bool) -> str:
    """A web address that pages may link to. Raises Refusal ADDRESS_INVALID ("address")."""
    text = normalise(typed, field="address", limit=ADDRESS_LIMIT).strip()
    if not text and not is_needed:
        return ""
    try:
        parts = urlsplit(text)
        is_good = parts.scheme in ("http", "https") and bool(parts.hostname) and not parts.username
    except ValueError:
        is_good = False
    if not is_good or any(character.isspace() for character in text):
        raise Refusal(Code.ADDRESS_INVALID, "address")
    return text


def take_back(
    session: Session, proposal_id: int, entry_id: int, *, why: str, by: Actor, now: datetime
) -> ImplementationEntry:
    """An entry was a mistake: it no longer counts, and nobody else is told of it; that it stood there stays on file.

    Raises Refusal NOT_ALLOWED, NOT_FOUND, REASON_REQUIRED ("why").
    """
    proposal = proposals.lock(session, proposal_id)
    _require(by, proposal)
    wrong = session.get(ImplementationEntry, entry_id)
    if wrong is None or wrong.proposal_id != proposal_id or wrong.kind == EntryKind.CANCEL.value:
        raise Refusal(Code.NOT_FOUND)
    said = normalise(why, field="why", limit=DESCRIPTION_LIMIT).strip()
    if not said:
        raise Refusal(Code.REASON_REQUIRED, "why")
    if any(each.cancels_id == entry_id for each in _entries(session, proposal_id)):
        raise Refusal(Code.NOT_FOUND)
    if wrong.happening_id is not None:
        happenings.void(session, wrong.happening_id)
    row = ImplementationEntry(
        municipality_id=proposal.municipality_id,
        proposal_id=proposal_id,
        kind=EntryKind.CANCEL.value,
        words=said,
        cancels_id=entry_id,
        at=now,
        by=by.label,
    )
    session.add(row)
    session.flush()
    _note(session, proposal, row, "implementation_taken_back", by=by, now=now)
    return row


def _note(
    session: Session, proposal: Proposal, row: ImplementationEntry, verb: str, *, by: Actor, now: datetime
) -> None:
    proposals.note(session, proposal, verb, by=by, now=now, entry=row.id, **sealed(row))


def sealed(row: ImplementationEntry) -> dict[str, Any]:
    """What the journal keeps of an entry: what it says as a digest."""
    words = [row.title, row.words, row.address, row.picture_sha256, row.picture_words]
    return {
        "kind": row.kind,
        "day": row.day.isoformat() if row.day else None,
        "state": row.state,
        "amount": row.amount,
        "cancels": row.cancels_id,
        "sha256": journal.digest(words),
    }


# --- reading ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Milestone:
    """A milestone as it stands: its last entry, the day that was planned first, and whether that has passed."""

    entry: ImplementationEntry
    first_day: date | None
    is_late: bool

    @property
    def id(self) -> int:
        return self.entry.milestone_id or self.entry.id or 0


@dataclass(frozen=True)
class Story:
    """What became of a proposal. Entries newest first; `spent` in euros."""

    milestones: tuple[Milestone, ...]
    entries: tuple[ImplementationEntry, ...]
    decisions: tuple[ImplementationEntry, ...]
    plans: tuple[ImplementationEntry, ...]
    spent: int

    def __bool__(self) -> bool:
        return bool(self.entries or self.milestones)


def _entries(session: Session, proposal_id: int) -> list[ImplementationEntry]:
    return list(
        session.exec(
            select(ImplementationEntry)
            .where(ImplementationEntry.proposal_id == proposal_id)
            .order_by(col(ImplementationEntry.id))
        ).all()
    )


def story(session: Session, proposal_id: int, today: date) -> Story:
    """What became of a proposal, without what was taken back; one query."""
    return _story(_entries(session, proposal_id), today)


def _story(rows: Sequence[ImplementationEntry], today: date) -> Story:
    taken_back = {row.cancels_id for row in rows if row.cancels_id}
    valid = [row for row in rows if row.kind != EntryKind.CANCEL.value and row.id not in taken_back]
    chains: dict[int, list[ImplementationEntry]] = {}
    for row in valid:
        if row.kind == EntryKind.MILESTONE.value:
            chains.setdefault(row.milestone_id or row.id or 0, []).append(row)
    milestones = [
        Milestone(
            chain[-1],
            chain[0].day,
            chain[-1].state == MilestoneState.PLANNED.value and (chain[-1].day or today) < today,
        )
        for chain in chains.values()
    ]
    milestones.sort(key=lambda each: (each.entry.day or date.max, each.id))
    return Story(
        milestones=tuple(milestones),
        entries=tuple(reversed(valid)),
        decisions=tuple(row for row in valid if row.kind == EntryKind.DECISION.value),
        plans=tuple(row for row in valid if row.kind == EntryKind.PLAN.value),
        spent=sum(row.amount or 0 for row in valid),
    )


def entry(session: Session, proposal_id: int, entry_id: int) -> ImplementationEntry | None:
    """One entry that was not taken back, or None."""
    rows = {row.id: row for row in _entries(session, proposal_id)}
    return None if any(each.cancels_id == entry_id for each in rows.values()) else rows.get(entry_id)


def picture_of(session: Session, proposal_id: int, entry_id: int) -> ImplementationEntry | None:
    """The entry with a picture that everybody may see, or None."""
    row = entry(session, proposal_id, entry_id)
    return row if row is not None and row.picture_sha256 else None


def implementing(session: Session, procedure_id: int) -> list[int]:
    """The proposals that went into a plan: keys, each once."""
    rows = session.exec(
        select(ImplementationEntry.proposal_id, ImplementationEntry.id).where(
            ImplementationEntry.plan_id == procedure_id
        )
    ).all()
    gone = set(
        session.exec(
            select(ImplementationEntry.cancels_id).where(
                col(ImplementationEntry.cancels_id).in_([entry_id for _, entry_id in rows])
            )
        ).all()
    )
    return sorted({proposal_id for proposal_id, entry_id in rows if entry_id not in gone})
