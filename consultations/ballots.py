"""Votes on proposals as they are kept: the vote, what stands on its ballot, who has voted, and, apart, what was voted.

A vote is secret. `vote_roll` says who has voted and `ballot` what was voted; neither has a moment, a row number or
anything of the other in it. On SQLite both tables lie in the order of their keys, which are drawn by chance, and when the
count ends all ballots are written anew at once, so that not even the database's own book-keeping tells their order.
docs/co-creation.md says what that protects from, and what not.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Column, Index, UniqueConstraint
from sqlmodel import Field, Session, SQLModel, col, select

from consultations import journal, procedures
from consultations.cocreation import Authoring
from consultations.counting import Outcome, Paper, Rules, VoteKind
from consultations.permissions import Actor
from consultations.phases import Phase
from consultations.procedures import Procedure
from consultations.proposals import Proposal
from consultations.refusals import Code, Refusal
from consultations.tables import BigKey, Json, UtcDateTime


class VoteState(StrEnum):
    """Where a vote stands. Whether it runs is said by its phase."""

    DRAFT = "draft"
    READY = "ready"  # what stands for election is fixed and its texts stand still
    CLOSED = "closed"  # counted, and everybody reads the result; nothing leads back
    CANCELLED = "cancelled"  # given up, with words why; nobody ever learns what was voted


class Way(StrEnum):
    """By what somebody shows that they may vote."""

    CODE = "code"  # a voting code from a letter, online or on paper
    ACCOUNT = "account"


class Vote(SQLModel, table=True):
    """A vote on proposals; it belongs to the phase that opens it."""

    __tablename__ = "vote"

    id: int | None = Field(default=None, sa_column=Column(BigKey, primary_key=True))
    municipality_id: int = Field(foreign_key="municipality.id")
    procedure_id: int = Field(foreign_key="procedure.id", index=True)
    phase_id: int = Field(foreign_key="phase.id", unique=True)
    question: str
    intro: str = ""
    #: Language → question, introduction and what binds the council, where they are told in another one too.
    translations: dict[str, dict[str, str]] = Field(default_factory=dict, sa_type=Json)
    kind: str = VoteKind.CHOICES.value
    #: Crosses, points, euros, or places of one ballot; points on one proposal; how many proposals are chosen.
    most: int = 1
    most_each: int = 1
    wins: int = 1
    #: What binds the council to the result, in words that everybody reads; empty: it is advice.
    binding: str = ""
    ways: list[str] = Field(default_factory=list, sa_type=Json)
    #: Whether ballots on paper are taken; then people say when the count is over.
    on_paper: bool = False
    state: str = VoteState.DRAFT.value
    ready_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    closed_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    #: What was counted, once it is closed: `counting.Count` and the outcomes; never changed.
    result: dict[str, Any] = Field(default_factory=dict, sa_type=Json)
    #: SHA-256 over the list of ballots as everybody can download it.
    list_sha256: str = ""
    #: What the server drew when it was put up: without it nobody can choose the number of a ballot. Gone once it is over.
    check_key: str = ""
    #: Why it was given up.
    cancelled_why: str = ""
    version: int = 1

    def said(self, language: str, name: str = "question") -> str:
        """Question, introduction or what binds in a language; in the first one where it is not translated."""
        return str(self.translations.get(language, {}).get(name) or getattr(self, name))

    def told(self) -> dict[str, Any]:
        """What news of it say: its phase, by which it is found, and its question in every language."""
        titles = {
            each: words["question"] for each, words in self.translations.items() if words.get("question")
        }
        return {"vote": self.phase_id, "title": self.question, "titles": titles}

    def is_said(self, language: str) -> bool:
        """Whether its question is told in this language."""
        return bool(self.translations.get(language, {}).get("question"))


class VoteOption(SQLModel, table=True):
    """A proposal that stands for election, and its number on the ballot."""

    __tablename__ = "vote_option"
    __table_args__ = (UniqueConstraint("vote_id", "proposal_id"), UniqueConstraint("vote_id", "number"))

    id: int | None = Field(default=None, sa_column=Column(BigKey, primary_key=True))
    vote_id: int = Field(foreign_key="vote.id")
    proposal_id: int = Field(foreign_key="proposal.contribution_id", index=True)
    number: int
    #: Euros; None where the vote is not about money.
    cost: int | None = None
    #: The version of the text that stands for election; None where words of it are blacked out.
    version_number: int | None = None
    #: Whether the text was made to stand still for the vote, so that it may go on afterwards.
    was_open: bool = False


class CodePrint(SQLModel, table=True):
    """Voting codes that were printed together. What was printed is nowhere kept; who lost the paper cancels them."""

    __tablename__ = "vote_code_print"
    __table_args__ = (UniqueConstraint("vote_id", "number"), UniqueConstraint("vote_id", "once_sha256"))

    id: int | None = Field(default=None, sa_column=Column(BigKey, primary_key=True))
    vote_id: int = Field(foreign_key="vote.id")
    number: int
    codes: int
    #: SHA-256 of the form's own key: sent twice, it prints once.
    once_sha256: str
    printed_at: datetime = Field(sa_type=UtcDateTime)
    printed_by: str
    cancelled_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    cancelled_by: str = ""


class VoteCode(SQLModel, table=True):
    """A voting code, as a keyed hash, and the number of the letter that it stands in. Whether it was used is said by the roll."""

    __tablename__ = "vote_code"
    __table_args__ = (
        Index("ix_vote_code_vote_id_number", "vote_id", "number", unique=True),
        {"sqlite_with_rowid": False},
    )

    vote_id: int = Field(foreign_key="vote.id", primary_key=True)
    code_hash: str = Field(primary_key=True)
    print_id: int = Field(foreign_key="vote_code_print.id", index=True)
    #: Of the letter, through all prints of a vote; None for letters of the time before they had one.
    number: int | None = None
    #: When this letter alone was cancelled.
    cancelled_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class VoteRoll(SQLModel, table=True):
    """That somebody has voted: a keyed hash of their code or account, and nothing else."""

    __tablename__ = "vote_roll"
    __table_args__ = {"sqlite_with_rowid": False}

    vote_id: int = Field(foreign_key="vote.id", primary_key=True)
    party: str = Field(primary_key=True)


class Ballot(SQLModel, table=True):
    """A ballot that was cast: its own number, drawn by chance, and what it says. Never whose it is, nor since when."""

    __tablename__ = "ballot"
    __table_args__ = {"sqlite_with_rowid": False}

    vote_id: int = Field(foreign_key="vote.id", primary_key=True)
    check_number: str = Field(primary_key=True)
    channel: str
    #: [[number on the ballot, marks]], in the order of the ballot.
    marks: list[list[int]] = Field(default_factory=list, sa_type=Json)
    spoiled: bool = False


class BatchState(StrEnum):
    """Where a batch of paper stands."""

    OPENED = "opened"  # the codes are checked, nothing is typed in yet
    ENTERED = "entered"  # typed in once; somebody else types it in again
    DIFFERS = "differs"  # the two do not say the same: it does not count
    AGREED = "agreed"  # both say the same: its ballots count
    EMPTY = "empty"  # no letter in it may be counted


class LetterOutcome(StrEnum):
    """What becomes of a letter with a voting code, before its envelope is opened."""

    ADMITTED = "admitted"
    USED = "used"  # the code has voted already; the envelope stays closed and on file
    UNKNOWN = "unknown"
    CANCELLED = "cancelled"
    LATE = "late"


class PaperBatch(SQLModel, table=True):
    """Letters that are opened together, so that nobody knows which ballot came in which of them."""

    __tablename__ = "vote_batch"
    __table_args__ = (Index("ix_vote_batch_vote_id_state", "vote_id", "state"),)

    id: int | None = Field(default=None, sa_column=Column(BigKey, primary_key=True))
    vote_id: int = Field(foreign_key="vote.id")
    number: int
    received_on: date
    #: Where the paper lies: "Urne 2, Umschlag 7".
    filed: str = ""
    state: str = BatchState.OPENED.value
    opened_by: str
    opened_at: datetime = Field(sa_type=UtcDateTime)
    entered_by: str = ""
    compared_by: str = ""
    agreed_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class PaperLetter(SQLModel, table=True):
    """One letter of a batch by its code, and what became of it."""

    __tablename__ = "vote_letter"
    __table_args__ = (UniqueConstraint("batch_id", "number"),)

    id: int | None = Field(default=None, sa_column=Column(BigKey, primary_key=True))
    batch_id: int = Field(foreign_key="vote_batch.id")
    number: int
    code_hash: str
    outcome: str


class PaperEntry(SQLModel, table=True):
    """One ballot of a batch as one of the two people typed it in. `turn`: 1 or 2."""

    __tablename__ = "vote_entry"
    __table_args__ = (UniqueConstraint("batch_id", "turn", "number"),)

    id: int | None = Field(default=None, sa_column=Column(BigKey, primary_key=True))
    batch_id: int = Field(foreign_key="vote_batch.id")
    turn: int
    #: The number that is pencilled on the ballot.
    number: int
    check_number: str = ""
    marks: list[list[int]] = Field(default_factory=list, sa_type=Json)
    spoiled: bool = False


# --- questions -------------------------------------------------------------------------------------


def by_id(session: Session, municipality_id: int, vote_id: int) -> Vote | None:
    """The vote with this id, if it belongs to the municipality."""
    row = session.get(Vote, vote_id)
    return row if row and row.municipality_id == municipality_id else None


def by_ids(session: Session, keys: Collection[int]) -> list[Vote]:
    """The votes with these ids; one query, none for none."""
    return list(session.exec(select(Vote).where(col(Vote.id).in_(keys))).all()) if keys else []


def of_phase(session: Session, phase_id: int) -> Vote | None:
    """The vote that a phase holds, or None."""
    return session.exec(select(Vote).where(Vote.phase_id == phase_id)).first()


def of_phases(session: Session, phase_ids: Collection[int]) -> dict[int, Vote]:
    """The votes of these phases, by phase; one query."""
    rows = session.exec(select(Vote).where(col(Vote.phase_id).in_(phase_ids))).all()
    return {row.phase_id: row for row in rows}


def is_put_up(session: Session, phase_id: int) -> bool:
    """Whether a phase holds a vote that everybody may know of."""
    vote = of_phase(session, phase_id)
    return vote is not None and vote.state != VoteState.DRAFT.value


def of_procedure(session: Session, procedure_id: int) -> list[Vote]:
    """The votes of a consultation that everybody may know of, in the order in which they were made."""
    return list(
        session.exec(
            select(Vote)
            .where(Vote.procedure_id == procedure_id, Vote.state != VoteState.DRAFT.value)
            .order_by(col(Vote.id))
        ).all()
    )


def locked(session: Session, vote: Vote, state: VoteState, by: Actor) -> Phase:
    """The vote's phase, and the vote locked in this state. Raises Refusal NOT_ALLOWED, WRONG_STATE."""
    procedure = session.get_one(Procedure, vote.procedure_id)
    procedures.require_planner(by, procedure)
    session.refresh(vote, with_for_update=True)
    if vote.state != state.value:
        raise Refusal(Code.WRONG_STATE, state=vote.state)
    return session.get_one(Phase, vote.phase_id)


def note(session: Session, vote: Vote, verb: str, *, by: Actor, now: datetime, **facts: object) -> None:
    """Write into the journal what was done to a vote."""
    journal.append(
        session,
        municipality_id=vote.municipality_id,
        verb=verb,
        by=by,
        at=now,
        procedure_id=vote.procedure_id,
        subject=f"vote:{vote.id}",
        facts=facts,
    )


def options_of(session: Session, vote_id: int) -> list[VoteOption]:
    """What stands on the ballot, by number."""
    return list(
        session.exec(
            select(VoteOption).where(VoteOption.vote_id == vote_id).order_by(col(VoteOption.number))
        ).all()
    )


def rules_of(vote: Vote, options: Sequence[VoteOption]) -> Rules:
    """How this vote is counted."""
    return Rules(
        VoteKind(vote.kind),
        vote.most,
        {option.number: option.cost or 0 for option in options},
        most_each=vote.most_each,
        wins=vote.wins,
    )


@dataclass(frozen=True)
class Stands:
    """That a proposal stands for election, or stood: the vote, its phase, and what the count said of it (None before)."""

    vote_id: int
    phase_id: int
    state: VoteState
    outcome: Outcome | None


def stand(session: Session, proposal_ids: Collection[int]) -> dict[int, Stands]:
    """Which of these proposals stand for election or stood, by proposal; the newest vote says so. One query."""
    if not proposal_ids:
        return {}
    rows = session.exec(
        select(VoteOption.proposal_id, VoteOption.number, Vote)
        .join(Vote, col(Vote.id) == VoteOption.vote_id)
        .where(
            col(VoteOption.proposal_id).in_(proposal_ids),
            col(Vote.state).in_((VoteState.READY.value, VoteState.CLOSED.value)),
        )
        .order_by(col(Vote.id))
    ).all()
    return {
        proposal_id: Stands(
            vote.id or 0,
            vote.phase_id,
            VoteState(vote.state),
            Outcome(vote.result["outcomes"][str(number)]) if vote.result else None,
        )
        for proposal_id, number, vote in rows
    }


def holding(session: Session, proposal_id: int) -> VoteOption | None:
    """Where a proposal stands in a vote that is not over, so that its text has to stand still; of several the newest."""
    return session.exec(
        select(VoteOption)
        .join(Vote, col(Vote.id) == VoteOption.vote_id)
        .where(VoteOption.proposal_id == proposal_id, Vote.state == VoteState.READY.value)
        .order_by(col(VoteOption.id).desc())
        .limit(1)
    ).first()


def withdrawn(session: Session, vote_id: int) -> set[int]:
    """The proposals on a ballot whose owner has withdrawn them since: they stay on it, and it is said."""
    return set(
        session.exec(
            select(VoteOption.proposal_id)
            .join(Proposal, col(Proposal.contribution_id) == VoteOption.proposal_id)
            .where(VoteOption.vote_id == vote_id, Proposal.authoring == Authoring.WITHDRAWN.value)
        ).all()
    )


def has_voted(session: Session, vote: Vote, party: str) -> bool:
    """Whether somebody stands in the roll."""
    return session.get(VoteRoll, (vote.id, party)) is not None


def published_ballot(session: Session, vote: Vote, check_number: str) -> Ballot | None:
    """The ballot with this number in the list of a vote that is over, or None."""
    return session.get(Ballot, (vote.id, check_number)) if vote.state == VoteState.CLOSED.value else None


def cast_ballots(session: Session, vote: Vote) -> Iterator[Ballot]:
    """The ballots of a vote that is over, by their numbers. Raises ValueError before: nobody sees them, whoever asks."""
    if vote.state != VoteState.CLOSED.value:
        raise ValueError("nobody sees a ballot before the count is over")
    yield from session.exec(
        select(Ballot).where(Ballot.vote_id == vote.id).order_by(col(Ballot.check_number))
    )


def as_paper(ballot: Ballot) -> Paper:
    """A ballot for counting."""
    return Paper(read_marks(ballot.marks), ballot.channel, ballot.spoiled)


def read_marks(kept: Sequence[Sequence[int]]) -> dict[int, int]:
    """Marks as they are kept."""
    return {pair[0]: pair[1] for pair in kept}


def keep_marks(marks: Mapping[int, int]) -> list[list[int]]:
    """Marks as they are kept: in the order of the ballot, what has none left out."""
    return [[number, mark] for number, mark in sorted(marks.items()) if mark]
