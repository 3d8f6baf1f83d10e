"""What happens to proposals and consultations for everybody to read: one row each, from which feeds, mails and letters are made."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Column, ColumnElement, Index, func, or_, update
from sqlmodel import Field, Session, SQLModel, col, select

from consultations.proposals import Proposal
from consultations.tables import BigKey, Json, UtcDateTime


class Kind(StrEnum):
    """What happened."""

    PROPOSED = "proposed"  # a proposal can be read for the first time
    ANSWERED = "answered"  # the official answer is out
    NEWS = "news"
    MILESTONE = "milestone"
    MONEY = "money"
    DECISION = "decision"
    PLAN = "plan"
    MERGED = "merged"  # it went into another, or took another in
    VOTED = "voted"  # a vote in which it stood has been counted
    # To a consultation itself (`procedure_news`):
    BEGINS = "begins"
    ENDS_SOON = "ends_soon"
    EXTENDED = "extended"
    INTERRUPTED = "interrupted"
    RESUMED = "resumed"
    ENDED = "ended"  # before the day that was announced
    SURVEY_BEGINS = "survey_begins"
    SURVEY_ENDS_SOON = "survey_ends_soon"
    SURVEY_RESULT = "survey_result"
    VOTE_BEGINS = "vote_begins"
    VOTE_ENDS_SOON = "vote_ends_soon"
    VOTE_RESULT = "vote_result"
    VOTE_GIVEN_UP = "vote_given_up"
    DOCUMENT = "document"  # new, or in a new version
    ANNOUNCED = "announced"
    FINISHED = "finished"  # concluded or withdrawn


class Happening(SQLModel, table=True):
    """One thing that happened to a proposal, or to a consultation itself. Only `is_void` ever changes: what told of it was taken back."""

    __tablename__ = "happening"
    __table_args__ = (
        Index("ix_happening_municipality_id_id", "municipality_id", "id"),
        Index("ix_happening_procedure_id_id", "procedure_id", "id"),
        Index("ix_happening_proposal_id_id", "proposal_id", "id"),
        Index("ix_happening_procedure_id_key", "procedure_id", "key"),
    )

    id: int | None = Field(default=None, sa_column=Column(BigKey, primary_key=True))
    municipality_id: int = Field(foreign_key="municipality.id")
    procedure_id: int = Field(foreign_key="procedure.id")
    #: None: it happened to the consultation itself.
    proposal_id: int | None = Field(default=None, foreign_key="proposal.contribution_id")
    district: str = ""
    kind: str
    at: datetime = Field(sa_type=UtcDateTime)
    #: What else to say: the outcome of an answer, the heading of an entry. Nothing personal.
    facts: dict[str, Any] = Field(default_factory=dict, sa_type=Json)
    is_void: bool = False
    #: By which what happened to a consultation is known again; empty for proposals.
    key: str = ""


def note(
    session: Session, proposal: Proposal, kind: Kind, *, now: datetime, facts: dict[str, Any] | None = None
) -> Happening:
    """Write down that something happened, in the transaction of what did."""
    row = Happening(
        municipality_id=proposal.municipality_id,
        procedure_id=proposal.procedure_id,
        proposal_id=proposal.contribution_id,
        district=proposal.district,
        kind=kind.value,
        at=now,
        facts=facts or {},
    )
    session.add(row)
    session.flush()
    return row


def note_of_procedure(
    session: Session,
    *,
    municipality_id: int,
    procedure_id: int,
    district: str,
    kind: Kind,
    key: str,
    now: datetime,
    facts: dict[str, Any],
) -> Happening:
    """Write down that something happened to a consultation itself."""
    row = Happening(
        municipality_id=municipality_id,
        procedure_id=procedure_id,
        district=district,
        kind=kind.value,
        at=now,
        facts=facts,
        key=key,
    )
    session.add(row)
    session.flush()
    return row


def note_first(session: Session, proposal: Proposal, kind: Kind, *, now: datetime) -> None:
    """The same for what happens once: shown, withheld and shown again, a proposal is news only the first time."""
    known = session.exec(
        select(Happening.id).where(
            Happening.proposal_id == proposal.contribution_id, Happening.kind == kind.value
        )
    ).first()
    if known is None:
        note(session, proposal, kind, now=now)


def void(session: Session, happening_id: int) -> None:
    """It was a mistake: nobody is told of it any more."""
    session.execute(update(Happening).where(col(Happening.id) == happening_id).values(is_void=True))


def is_about(kind: str, row_id: int) -> ColumnElement[bool]:
    """The condition under which a happening is about one survey or vote (`kind`), by how the keys of their news begin."""
    return or_(
        col(Happening.key).in_([f"{kind}_{each}:{row_id}" for each in ("begins", "result", "given_up")]),
        col(Happening.key).startswith(f"{kind}_ends:{row_id}:", autoescape=True),
    )


def newest(session: Session, municipality_id: int) -> int:
    """The key of the newest one; 0 if nothing ever happened."""
    return (
        session.exec(select(func.max(Happening.id)).where(Happening.municipality_id == municipality_id)).one()
        or 0
    )
