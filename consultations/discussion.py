"""Talking about a proposal: comments for, against or as a question, and answers to them; two deep and no deeper.

A comment is a contribution like any other (one door, receipt, moderation); its `Remark` says how its author marked it.
The order is by chance and stays the same for a visitor, so that nobody wins by being first or loud. Once a phase lets
numbers be seen, the arguments that most people find good come first of their side; as many of either side stand together.
"""

import hashlib
import secrets
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import StrEnum

from sqlalchemy import ColumnElement, Index, String, cast, exists
from sqlmodel import Field, Session, SQLModel, col, func, select

from consultations import contributions, journal, nesting, proposals, proposing
from consultations.amendments import Amendment
from consultations.cocreation import Act
from consultations.contributions import Contribution, Kind, PublicationState, Submission
from consultations.deadlines import PhaseState
from consultations.journal import JournalEntry
from consultations.permissions import Actor
from consultations.phases import Phase, Track, phases_of_all
from consultations.procedures import Procedure
from consultations.refusals import Code, Refusal


class Stance(StrEnum):
    """What a comment is, as its author marks it."""

    FOR = "for"
    AGAINST = "against"
    QUESTION = "question"
    REMARK = "remark"


class Remark(SQLModel, table=True):
    """How a comment stands to the proposal; `answers_id` is the comment that it answers. Never changed."""

    __tablename__ = "remark"
    __table_args__ = (
        Index("ix_remark_proposal_id_shuffle", "proposal_id", "answers_id", "stance", "shuffle"),
    )

    contribution_id: int = Field(foreign_key="contribution.id", primary_key=True)
    proposal_id: int = Field(foreign_key="proposal.contribution_id")
    answers_id: int | None = Field(default=None, foreign_key="contribution.id", index=True)
    stance: str
    shuffle: int


def comment(
    session: Session,
    proposal_id: int,
    stance: Stance,
    submission: Submission,
    *,
    answers_id: int | None = None,
    procedure: Procedure,
    by: Actor,
    now: datetime,
) -> Contribution:
    """Say something about a proposal, or answer a comment on it; an answer to an answer answers the comment above.

    Raises what `proposing.require` and `contributions.submit` raise, and UNKNOWN_REFERENCE for a comment that is not there.
    """
    proposal = proposals.by_contribution(session, proposal_id)
    if proposal is None:
        raise Refusal(Code.NOT_FOUND)
    proposing.require(session, proposal, Act.COMMENT, by=by, channel=submission.channel, now=now)
    top = _answered(session, proposal_id, answers_id) if answers_id is not None else None
    parent = session.get_one(Contribution, top or proposal_id)
    made = contributions.submit(
        session,
        replace(submission, kind=Kind.COMMENT, parent=parent),
        procedure=procedure,
        by=by,
        now=now,
    )
    assert made.id is not None
    if session.get(Remark, made.id) is None:
        session.add(
            Remark(
                contribution_id=made.id,
                proposal_id=proposal_id,
                answers_id=top,
                stance=stance.value,
                shuffle=secrets.randbelow(2**31),
            )
        )
        session.flush()
        proposals.notice_taken(session, proposal_id)
    return made


def _answered(session: Session, proposal_id: int, answers_id: int) -> int:
    """The comment on the proposal itself that is answered, be it by an answer to an answer."""
    above = session.get(Contribution, answers_id)
    for _ in range(2):
        if above is not None and above.parent_id == proposal_id and above.id is not None:
            return above.id
        above = session.get(Contribution, above.parent_id) if above is not None and above.parent_id else None
    raise Refusal(Code.UNKNOWN_REFERENCE)


def formal_phase(phases: Sequence[Phase], now: datetime) -> Phase | None:
    """The formal period that runs beside the talk and takes statements in, or None."""
    return next(
        (
            phase
            for phase in phases
            if phase.is_formal
            and phase.track != Track.AGENCIES.value
            and Kind.STATEMENT.value in phase.opens
            and phase.state(now) is PhaseState.OPEN
        ),
        None,
    )


@dataclass(frozen=True)
class Beside:
    """A formal period that runs beside what is said, and the consultation that it belongs to."""

    phase: Phase
    procedure: Procedure


def formal_beside(
    session: Session, procedure: Procedure, phases: Sequence[Phase], now: datetime
) -> Beside | None:
    """The formal period beside what is said in a consultation: its own (`phases`), else the one that ends first among the
    other parts of the same area, for whoever speaks of the playground may mean the plan beside it. Two queries, two more
    for a part; none where its own runs."""
    own = formal_phase(phases, now)
    if own is not None:
        return Beside(own, procedure)
    others = nesting.family(session, procedure)
    all_phases = phases_of_all(session, [each.id or 0 for each in others]) if others else {}
    running = [
        Beside(phase, each)
        for each in others
        if (phase := formal_phase(all_phases.get(each.id or 0, ()), now)) is not None
    ]
    return min(
        running, key=lambda each: each.phase.effective_end or each.phase.ends_on or date.max, default=None
    )


#: How the journal calls it.
BESIDE = "comment_in_formal_period"


def note_informal(session: Session, made: Contribution, said: str, *, by: Actor, now: datetime) -> None:
    """Write down, for the planner, that a comment was made while a formal period ran, and what its author said when asked.

    `said`: "no", or "" without an answer: it stays informal then.
    """
    journal.append(
        session,
        municipality_id=made.municipality_id,
        verb=BESIDE,
        by=by,
        at=now,
        procedure_id=made.procedure_id,
        subject=f"contribution:{made.id}",
        facts={"said": said or "nothing"},
    )


def beside_formal() -> ColumnElement[bool]:
    """The condition for comments that were made while a formal period ran and were left comments, for the register."""
    return exists().where(
        col(JournalEntry.subject) == "contribution:" + cast(col(Contribution.id), String),
        col(JournalEntry.verb) == BESIDE,
    )


@dataclass(frozen=True)
class Said:
    """A comment that everybody may read, with the answers to it, oldest first."""

    contribution: Contribution
    stance: Stance
    answers: tuple[Contribution, ...] = ()


def talk(
    session: Session,
    proposal_id: int,
    *,
    seed: str,
    stance: Stance | None = None,
    marks: Mapping[int, int] | None = None,
    after: int = 0,
    without: Collection[int] = (),
    limit: int = 20,
) -> tuple[list[Said], int]:
    """Comments on a proposal in an order that chance makes once per `seed`, `limit` of them, and how many there are.

    `marks`: how many find which one good, where that may be seen; those that most do come first then. `after`: the comment
    that the page before ended with. `without`: comments that stand elsewhere on the page; they are counted all the same. Two queries, however many there are.
    """
    order = _ordered(session, _on(proposal_id, stance), seed, marks)
    ids = [number for number, _ in order]
    start = ids.index(after) + 1 if after in ids else 0
    chosen = [number for number in ids[start:] if number not in without][:limit]
    found = _with_answers(session, chosen)
    return [found[number] for number in chosen if number in found], len(order)


def _with_answers(session: Session, chosen: Sequence[int]) -> dict[int, Said]:
    """These comments with the answers to them, as far as everybody may read them; one query, none for nothing."""
    if not chosen:
        return {}
    rows = session.exec(
        select(Contribution, Remark)
        .outerjoin(Remark, _REMARK)
        .where(
            col(Contribution.id).in_(chosen) | col(Contribution.parent_id).in_(chosen),
            Contribution.publication == PublicationState.PUBLISHED.value,
        )
        .order_by(col(Contribution.id))
    ).all()
    tops: dict[int | None, tuple[Contribution, Stance]] = {}
    answers: dict[int | None, list[Contribution]] = {}
    for row, remark in rows:
        if row.id in chosen:
            tops[row.id] = (row, Stance(remark.stance) if remark is not None else Stance.REMARK)
        else:
            answers.setdefault(row.parent_id, []).append(row)
    return {each: Said(*tops[each], tuple(answers.get(each, ()))) for each in chosen if each in tops}


@dataclass(frozen=True)
class Side:
    """Some arguments of one side, and how many there are."""

    stance: Stance
    said: tuple[Said, ...]
    total: int


def both_sides(
    session: Session,
    proposal_id: int,
    *,
    seed: str,
    marks: Mapping[int, int] | None = None,
    limit: int = 3,
) -> tuple[Side, Side]:
    """At most `limit` arguments for and as many against, those that most find good first (`marks`, where they may be seen), else by chance.

    Which side comes first is made by chance, for each visitor (`seed`). Two queries.
    """
    sides = [Stance.FOR, Stance.AGAINST]
    if _drawn(seed, proposal_id) % 2:
        sides.reverse()
    conditions = [*_on(proposal_id), col(Remark.stance).in_([each.value for each in sides])]
    order = _ordered(session, conditions, seed, marks)
    of = {stance: [number for number, its in order if its is stance] for stance in sides}
    chosen = [number for stance in sides for number in of[stance][:limit]]
    found = _with_answers(session, chosen)
    first, second = (
        Side(
            stance,
            tuple(found[number] for number in of[stance][:limit] if number in found),
            len(of[stance]),
        )
        for stance in sides
    )
    return first, second


def _ordered(
    session: Session, conditions: Sequence[ColumnElement[bool]], seed: str, marks: Mapping[int, int] | None
) -> list[tuple[int, Stance]]:
    rows = session.exec(
        select(Contribution.id, Remark.shuffle, Remark.stance).outerjoin(Remark, _REMARK).where(*conditions)
    ).all()
    known = marks or {}
    order = sorted(
        (-known.get(number or 0, 0), _drawn(seed, shuffle or number or 0), number or 0, stance)
        for number, shuffle, stance in rows
    )
    return [(number, Stance(stance or Stance.REMARK)) for _, _, number, stance in order]


def argument(session: Session, proposal_id: int, comment: Contribution | None) -> Stance | None:
    """Whether a comment that everybody reads is an argument for or against this proposal, by its author's own word."""
    if comment is None or comment.publication != PublicationState.PUBLISHED.value:
        return None
    remark = session.get(Remark, comment.id)
    if remark is None or remark.proposal_id != proposal_id or remark.answers_id is not None:
        return None
    stance = Stance(remark.stance)
    return stance if stance in (Stance.FOR, Stance.AGAINST) else None


def _drawn(seed: str, shuffle: int) -> int:
    return int.from_bytes(hashlib.blake2b(f"{seed}:{shuffle}".encode(), digest_size=8).digest())


_REMARK = col(Remark.contribution_id) == Contribution.id


def _on(proposal_id: int, stance: Stance | None = None) -> list[ColumnElement[bool]]:
    """Published comments on a proposal, marked or not (letters, imports); amendments are shown elsewhere."""
    conditions = [
        col(Contribution.parent_id) == proposal_id,
        col(Contribution.publication) == PublicationState.PUBLISHED.value,
        ~select(Amendment.id).where(Amendment.contribution_id == Contribution.id).exists(),
    ]
    if stance is not None:
        conditions.append(func.coalesce(Remark.stance, Stance.REMARK.value) == stance.value)
    return conditions


def stances(session: Session, proposal_id: int) -> dict[str, int]:
    """How many comments of each stance everybody may read."""
    rows = session.exec(
        select(Remark.stance, func.count())
        .select_from(Contribution)
        .join(Remark, _REMARK)
        .where(*_on(proposal_id))
        .group_by(col(Remark.stance))
    ).all()
    return dict(rows)
