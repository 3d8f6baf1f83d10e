"""Ballots on paper: letters are admitted by their codes, opened together, typed in by one and again by another person.

As with postal votes: first the code on the outside says whether a letter may be counted (`open_batch`); a letter whose
code has voted already stays closed and on file. Then the envelopes are opened together and the ballots numbered in pencil,
so that no ballot is known by its code. Two people type the batch in without seeing what the other typed; only a batch in
which both say the same counts (`enter`), and `differences` names every ballot in which they do not.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import delete, func
from sqlmodel import Session, col, select

from consultations import ballots, voting, voting_codes
from consultations.ballots import (
    Ballot,
    BatchState,
    LetterOutcome,
    PaperBatch,
    PaperEntry,
    PaperLetter,
    Vote,
    VoteState,
)
from consultations.deadlines import PhaseState, local_date
from consultations.permissions import Actor, Permission, may
from consultations.phases import Phase
from consultations.refusals import Code, Refusal
from consultations.text import normalise

#: Letters that are opened together: enough that nobody knows whose ballot is whose, few enough to type them in at once.
BATCH_LIMIT = 40
#: Below this the page says that whoever opens the batch could tell whose ballot is whose.
BATCH_SMALL = 5
#: By which way paper is counted; the same for letters and for the box at the counter.
CHANNEL = "letter"
FILED_LIMIT = 200


@dataclass(frozen=True)
class Typed:
    """A ballot as somebody typed it in; `spoiled`: it has a name or other words on it, or nothing lies in the envelope."""

    marks: Mapping[int, int]
    spoiled: bool = False
    check_number: str = ""


def _require(by: Actor, vote: Vote) -> None:
    if not may(
        by,
        Permission.RECORD_INTAKE,
        municipality_id=vote.municipality_id,
        procedure_id=vote.procedure_id,
    ):
        raise Refusal(Code.NOT_ALLOWED)


def _note(
    session: Session, vote: Vote, row: PaperBatch, verb: str, *, by: Actor, now: datetime, **facts: Any
) -> None:
    ballots.note(session, vote, verb, by=by, now=now, batch=row.number, **facts)


def open_batch(
    session: Session,
    vote: Vote,
    codes: Sequence[str],
    *,
    received_on: date,
    filed: str = "",
    key: bytes,
    by: Actor,
    now: datetime,
) -> PaperBatch:
    """Check the codes of letters before they are opened; from then on these codes have voted, online too.

    `received_on`: when all of them came. Raises Refusal NOT_ALLOWED, WRONG_STATE, DATE_IMPOSSIBLE ("received_on"), LIST_EMPTY,
    LIST_TOO_LONG (limit).
    """
    _require(by, vote)
    session.refresh(vote, with_for_update=True)
    if vote.state != VoteState.READY.value or not vote.on_paper:
        raise Refusal(Code.WRONG_STATE, state=vote.state)
    if received_on > local_date(now):
        raise Refusal(Code.DATE_IMPOSSIBLE, "received_on", date=received_on.strftime("%d.%m.%Y"))
    typed = [code for code in codes if code.strip()]
    if not typed:
        raise Refusal(Code.LIST_EMPTY)
    if len(typed) > BATCH_LIMIT:
        raise Refusal(Code.LIST_TOO_LONG, limit=BATCH_LIMIT)
    last = session.exec(select(func.max(PaperBatch.number)).where(PaperBatch.vote_id == vote.id)).one()
    row = PaperBatch(
        vote_id=vote.id or 0,
        number=(last or 0) + 1,
        received_on=received_on,
        filed=" ".join(normalise(filed, field="filed", limit=FILED_LIMIT).split()),
        opened_by=by.label,
        opened_at=now,
    )
    session.add(row)
    session.flush()
    is_late = _is_late(session.get_one(Phase, vote.phase_id), received_on)
    for number, each in enumerate(typed, start=1):
        code = voting_codes.read_code(each)
        hashed = voting_codes.code_hash(key, vote, code) if code else ""
        outcome = LetterOutcome.UNKNOWN
        if code:
            outcome = voting_codes.looked_up(session, vote, hashed)
        if outcome is LetterOutcome.ADMITTED and is_late:
            outcome = LetterOutcome.LATE
        if outcome is LetterOutcome.ADMITTED and not voting.enrol(session, vote, hashed):
            outcome = LetterOutcome.USED
        session.add(PaperLetter(batch_id=row.id or 0, number=number, code_hash=hashed, outcome=outcome.value))
        session.flush()
    outcomes = [letter.outcome for letter in letters_of(session, row.id or 0)]
    if LetterOutcome.ADMITTED.value not in outcomes:
        row.state = BatchState.EMPTY.value
        session.add(row)
    _note(
        session, vote, row, "vote_batch_opened", by=by, now=now, received_on=received_on.isoformat(),
        **{name: outcomes.count(name) for name in sorted(set(outcomes))},
    )  # fmt: skip
    return row


def _is_late(phase: Phase, received_on: date) -> bool:
    last = max((day for day in (phase.ends_on, phase.effective_end) if day), default=None)
    return last is not None and received_on > last


def expected(session: Session, row: PaperBatch) -> int:
    """How many ballots have to be typed in: one for each admitted letter, an empty envelope too."""
    return session.exec(
        select(func.count())
        .select_from(PaperLetter)
        .where(PaperLetter.batch_id == row.id, PaperLetter.outcome == LetterOutcome.ADMITTED.value)
    ).one()


def may_be_opened(session: Session, vote: Vote, now: datetime) -> bool:
    """Whether the envelopes of a vote may be opened: once its phase is over."""
    return session.get_one(Phase, vote.phase_id).state(now) is PhaseState.OVER


def enter(
    session: Session, vote: Vote, row: PaperBatch, typed: Sequence[Typed], *, by: Actor, now: datetime
) -> PaperBatch:
    """Type a batch in, in the order of the numbers on the ballots: the first time, or as the second person.

    As with postal votes no envelope is opened before the vote is over, so that nobody sees how it stands. Where both say the
    same the ballots count. Where they differ nothing counts: either of the two looks at the paper and types their part in anew.
    Raises Refusal NOT_ALLOWED, WRONG_STATE, VOTE_NOT_OVER, FOUR_EYES, BATCH_INCOMPLETE (expected, found), BALLOT_UNKNOWN,
    BALLOT_NUMBER ("mark-<ballot>-<number>").
    """
    _require(by, vote)
    session.refresh(vote, with_for_update=True)
    session.refresh(row, with_for_update=True)
    if not may_be_opened(session, vote, now):
        raise Refusal(Code.VOTE_NOT_OVER)
    turn = turn_of(row, by)
    if vote.state != VoteState.READY.value or turn is None:
        raise Refusal(Code.FOUR_EYES if row.state == BatchState.ENTERED.value else Code.WRONG_STATE)
    wanted = expected(session, row)
    if len(typed) != wanted:
        raise Refusal(Code.BATCH_INCOMPLETE, expected=wanted, found=len(typed))
    known = {option.number for option in ballots.options_of(session, vote.id or 0)}
    for at, each in enumerate(typed, start=1):
        for number, mark in each.marks.items():
            if number not in known:
                raise Refusal(Code.BALLOT_UNKNOWN)
            if not 0 <= mark <= voting.MOST_MARKS:
                raise Refusal(Code.BALLOT_NUMBER, f"mark-{at}-{number}", most=voting.MOST_MARKS)
    session.execute(
        delete(PaperEntry).where(col(PaperEntry.batch_id) == row.id, col(PaperEntry.turn) == turn)
    )
    for at, each in enumerate(typed, start=1):
        session.add(
            PaperEntry(
                batch_id=row.id or 0,
                turn=turn,
                number=at,
                check_number=voting_codes.read_code(each.check_number, voting_codes.CHECK_LENGTH),
                marks=ballots.keep_marks(each.marks),
                spoiled=each.spoiled,
            )
        )
    if turn == 1:
        row.entered_by = by.label
    else:
        row.compared_by = by.label
    session.flush()
    if not row.compared_by:
        row.state = BatchState.ENTERED.value
        verb, facts = "vote_batch_entered", {}
    elif found := differences(session, row):
        row.state = BatchState.DIFFERS.value
        verb, facts = "vote_batch_differs", {"ballots": [each.number for each in found], "turn": turn}
    else:
        row.state, row.agreed_at = BatchState.AGREED.value, now
        _count(session, vote, row)
        # They are in the urn. Beside the codes of the batch nothing is kept of what its letters said.
        session.execute(delete(PaperEntry).where(col(PaperEntry.batch_id) == row.id))
        verb, facts = "vote_batch_agreed", {}
    session.add(row)
    session.flush()
    _note(session, vote, row, verb, by=by, now=now, **facts)
    return row


def begin_anew(session: Session, vote: Vote, row: PaperBatch, *, by: Actor, now: datetime) -> PaperBatch:
    """Let others type a batch in from the beginning, where the two cannot. Raises Refusal NOT_ALLOWED, WRONG_STATE."""
    _require(by, vote)
    session.refresh(row, with_for_update=True)
    if row.state not in (BatchState.ENTERED.value, BatchState.DIFFERS.value):
        raise Refusal(Code.WRONG_STATE, state=row.state)
    session.execute(delete(PaperEntry).where(col(PaperEntry.batch_id) == row.id))
    row.state, row.entered_by, row.compared_by = BatchState.OPENED.value, "", ""
    session.add(row)
    session.flush()
    _note(session, vote, row, "vote_batch_begun_anew", by=by, now=now)
    return row


def turn_of(row: PaperBatch, by: Actor) -> int | None:
    """Which of the two somebody is for a batch now: 1, 2, or None if they have nothing to type in."""
    if row.state == BatchState.OPENED.value:
        return 1
    if row.state == BatchState.ENTERED.value:
        return None if by.label == row.entered_by else 2
    if row.state == BatchState.DIFFERS.value:
        return {row.entered_by: 1, row.compared_by: 2}.get(by.label)
    return None


def _count(session: Session, vote: Vote, row: PaperBatch) -> None:
    """Put the ballots of a batch among all others. A number that is missing, unreadable or taken is drawn anew."""
    for each in entries_of(session, row.id or 0, 1):
        number = each.check_number
        if not number or session.get(Ballot, (vote.id, number)) is not None:
            number = voting_codes.drawn(voting_codes.CHECK_LENGTH)
        session.add(
            Ballot(
                vote_id=vote.id or 0,
                check_number=number,
                channel=CHANNEL,
                marks=each.marks,
                spoiled=each.spoiled,
            )
        )
        session.flush()


@dataclass(frozen=True)
class Difference:
    """A ballot of which the two people say different things."""

    number: int
    first: Typed
    second: Typed


def differences(session: Session, row: PaperBatch) -> list[Difference]:
    """Every ballot of a batch that was typed in twice and not the same."""
    pairs = zip(entries_of(session, row.id or 0, 1), entries_of(session, row.id or 0, 2), strict=True)
    return [
        Difference(first.number, _typed(first), _typed(second))
        for first, second in pairs
        if (first.marks, first.spoiled, first.check_number)
        != (second.marks, second.spoiled, second.check_number)
    ]


def _typed(entry: PaperEntry) -> Typed:
    return Typed(ballots.read_marks(entry.marks), entry.spoiled, entry.check_number)


# --- questions -------------------------------------------------------------------------------------


def batch_by_id(session: Session, municipality_id: int, batch_id: int) -> tuple[Vote, PaperBatch] | None:
    """The batch with this id and its vote, if it belongs to the municipality."""
    row = session.get(PaperBatch, batch_id)
    vote = ballots.by_id(session, municipality_id, row.vote_id) if row else None
    return (vote, row) if row and vote else None


def batches_of(session: Session, vote_id: int) -> list[PaperBatch]:
    """The batches of a vote in their order."""
    return list(
        session.exec(
            select(PaperBatch).where(PaperBatch.vote_id == vote_id).order_by(col(PaperBatch.number))
        ).all()
    )


def letters_of(session: Session, batch_id: int) -> list[PaperLetter]:
    """The letters of a batch in their order."""
    return list(
        session.exec(
            select(PaperLetter).where(PaperLetter.batch_id == batch_id).order_by(col(PaperLetter.number))
        ).all()
    )


def entries_of(session: Session, batch_id: int, turn: int) -> list[PaperEntry]:
    """The ballots of a batch as one of the two typed them in."""
    return list(
        session.exec(
            select(PaperEntry)
            .where(PaperEntry.batch_id == batch_id, PaperEntry.turn == turn)
            .order_by(col(PaperEntry.number))
        ).all()
    )


def on_paper(session: Session, municipality_id: int, procedure_ids: Sequence[int] | None) -> list[Vote]:
    """The votes of a municipality for which paper is taken, the newest first; of these consultations (None: of all)."""
    question = (
        select(Vote)
        .where(
            Vote.municipality_id == municipality_id,
            col(Vote.on_paper).is_(True),
            col(Vote.state).in_((VoteState.READY.value, VoteState.CLOSED.value)),
        )
        .order_by(col(Vote.id).desc())
    )
    if procedure_ids is not None:
        question = question.where(col(Vote.procedure_id).in_(procedure_ids))
    return list(session.exec(question).all())
