"""Votes on proposals: set up by the planner, cast in secret by whoever has a code or an account, counted at the end.

Who has voted and what was voted are written apart (`ballots`). Casting is the one act without `by` and without a journal
entry: an entry has a moment, and moments tell whose ballot is whose. What stands in its place: a ballot's own number, by
which whoever cast it finds it in the published list, and the seal over that list, which the journal keeps.
"""

import csv
import hashlib
import hmac
import io
import json
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import delete, exists, func, update
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col, select

from consultations import (
    ballots,
    counting,
    evaluation,
    happenings,
    journal,
    procedures,
    proposals,
    proposing,
    voting_codes,
)
from consultations.ballots import (
    Ballot,
    BatchState,
    LetterOutcome,
    PaperBatch,
    PaperEntry,
    PaperLetter,
    Vote,
    VoteCode,
    VoteOption,
    VoteRoll,
    VoteState,
    Way,
)
from consultations.cocreation import Authoring, Opening
from consultations.contributions import CODE_ALPHABET, Contribution
from consultations.counting import FaultKind, Marks, VoteKind
from consultations.deadlines import PhaseState
from consultations.journal import JournalEntry
from consultations.permissions import Actor
from consultations.phases import Phase
from consultations.procedures import PUBLIC_STATES, Procedure, ProcedureState
from consultations.proposals import Proposal
from consultations.refusals import Code, Refusal
from consultations.tables import insert_rows
from consultations.text import normalise

QUESTION_LIMIT, INTRO_LIMIT = 300, 5_000
#: Proposals on one ballot: more nobody reads.
OPTIONS_LIMIT = 60
#: Euros that a database's whole number holds.
MOST_EUROS = 2_000_000_000
MOST_MARKS = 1_000


# --- set up ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class VoteInput:
    """A vote as entered. `costs`: proposal → euros; what is not named is asked from the newest official answer."""

    question: str
    proposal_ids: Sequence[int]
    kind: VoteKind = VoteKind.CHOICES
    intro: str = ""
    #: Language → question, intro, binding.
    translations: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    most: int = 1
    most_each: int = 1
    wins: int = 1
    binding: str = ""
    ways: Sequence[Way] = (Way.CODE,)
    on_paper: bool = False
    costs: Mapping[int, int] = field(default_factory=dict)


def plan(
    session: Session,
    procedure: Procedure,
    phase: Phase,
    entered: VoteInput,
    *,
    by: Actor,
    now: datetime,
    expected_version: int | None = None,
) -> Vote:
    """Set a vote up, or change it as long as nobody can see it.

    Raises Refusal NOT_ALLOWED, WRONG_STATE once it is put up, CHANGED_MEANWHILE, TEXT_TOO_LONG, REASON_REQUIRED
    ("question"), NUMBER_OUT_OF_RANGE (field, least, most), NOTHING_CHOSEN and VOTE_ONE_WAY ("ways"), VOTE_TOO_FEW (limit),
    LIST_TOO_LONG, NOT_FOUND for a proposal of another consultation or one that nobody can read.
    """
    procedures.require_planner(by, procedure)
    vote = ballots.of_phase(session, phase.id or 0)
    if vote is None:
        vote = Vote(
            municipality_id=procedure.municipality_id,
            procedure_id=procedure.id or 0,
            phase_id=phase.id or 0,
            question="",
            version=0,
        )
    else:
        session.refresh(vote, with_for_update=True)
    if vote.state != VoteState.DRAFT.value:
        raise Refusal(Code.WRONG_STATE, state=vote.state)
    if expected_version is not None and expected_version != vote.version:
        raise Refusal(Code.CHANGED_MEANWHILE)
    _fill(vote, entered)
    ids = sorted(set(entered.proposal_ids))
    if len(ids) > OPTIONS_LIMIT:
        raise Refusal(Code.LIST_TOO_LONG, limit=OPTIONS_LIMIT)
    known = proposals_that_may_stand(session, procedure.id or 0)
    if any(number not in known for number in ids):
        raise Refusal(Code.NOT_FOUND)
    vote.version += 1
    try:
        with session.begin_nested():
            session.add(vote)
            session.flush()
    except IntegrityError as error:  # somebody began the vote of this phase at the same moment
        raise Refusal(Code.CHANGED_MEANWHILE) from error
    session.execute(delete(VoteOption).where(col(VoteOption.vote_id) == vote.id))
    for number, proposal_id in enumerate(ids, start=1):
        cost = entered.costs.get(proposal_id)
        if cost is not None:
            _within(cost, f"cost-{proposal_id}", 0, MOST_EUROS)
        session.add(VoteOption(vote_id=vote.id or 0, proposal_id=proposal_id, number=number, cost=cost))
    session.flush()
    ballots.note(session, vote, "vote_planned", by=by, now=now, phase=phase.id, proposals=ids)
    return vote


def _fill(vote: Vote, entered: VoteInput) -> None:
    vote.question = " ".join(normalise(entered.question, field="question", limit=QUESTION_LIMIT).split())
    vote.intro = normalise(entered.intro, field="intro", limit=INTRO_LIMIT).strip()
    vote.binding = normalise(entered.binding, field="binding", limit=INTRO_LIMIT).strip()
    if not vote.question:
        raise Refusal(Code.REASON_REQUIRED, "question")
    vote.translations = _translated(entered)
    ways = [way.value for way in Way if way in entered.ways]
    if not ways:
        raise Refusal(Code.NOTHING_CHOSEN, "ways")
    _one_way(ways)
    largest = MOST_EUROS if entered.kind is VoteKind.BUDGET else MOST_MARKS
    vote.kind, vote.ways = entered.kind.value, ways
    # Paper is recognised by its code: without codes there is none.
    vote.on_paper = entered.on_paper and Way.CODE.value in ways
    vote.most = _within(entered.most, "most", 1, largest)
    vote.most_each = _within(entered.most_each, "most_each", 1, MOST_MARKS)
    vote.wins = _within(entered.wins, "wins", 1, OPTIONS_LIMIT)
    if entered.kind is VoteKind.POINTS:
        _within(entered.most_each, "most_each", 1, entered.most)


def _translated(entered: VoteInput) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for language, said in entered.translations.items():
        question = " ".join(
            normalise(said.get("question", ""), field=f"question_{language}", limit=QUESTION_LIMIT).split()
        )
        texts = {
            name: normalise(said.get(name, ""), field=f"{name}_{language}", limit=INTRO_LIMIT).strip()
            for name in ("intro", "binding")
        }
        if any((question, *texts.values())):
            found[language] = {"question": question, **texts}
    return found


def _one_way(ways: Sequence[str]) -> None:
    """Whoever had a code and an account would have two votes, and nobody could tell: a code leads to no account."""
    if len(ways) > 1:
        raise Refusal(Code.VOTE_ONE_WAY, "ways")


def _within(number: int, name: str, least: int, most: int) -> int:
    if not least <= number <= most:
        raise Refusal(Code.NUMBER_OUT_OF_RANGE, name, least=least, most=most)
    return number


def proposals_that_may_stand(session: Session, procedure_id: int) -> list[int]:
    """The proposals of a consultation that everybody can read and that nobody has withdrawn, merged or archived."""
    return list(
        session.exec(
            select(Proposal.contribution_id)
            .where(
                Proposal.procedure_id == procedure_id,
                col(Proposal.is_listed).is_(True),
                col(Proposal.authoring).in_((Authoring.OPEN.value, Authoring.LOCKED.value)),
            )
            .order_by(col(Proposal.contribution_id))
        ).all()
    )


def put_up(session: Session, vote: Vote, *, by: Actor, now: datetime) -> Vote:
    """Let it stand: what is voted on is fixed, and the texts stand still until it is over.

    Raises Refusal NOT_ALLOWED, WRONG_STATE, NOT_OPENED where the phase opens no vote, VOTE_OVER where it has ended,
    VOTE_ONE_WAY, VOTE_TOO_FEW (limit), VOTE_UNFIT (reference) for a proposal that may no longer stand, VOTE_COST_MISSING (reference),
    NUMBER_OUT_OF_RANGE where more are to be chosen than stand.
    """
    phase = ballots.locked(session, vote, VoteState.DRAFT, by)
    if Opening.VOTE not in proposing.arrangement_of(phase).opens:
        raise Refusal(Code.NOT_OPENED, opening=Opening.VOTE.value)
    if phase.state(now) is PhaseState.OVER:
        raise Refusal(Code.VOTE_OVER)
    options = ballots.options_of(session, vote.id or 0)
    if len(options) < 2:
        raise Refusal(Code.VOTE_TOO_FEW, limit=2)
    _one_way(vote.ways)
    if vote.kind != VoteKind.BUDGET.value:
        _within(vote.wins, "wins", 1, len(options))
    if vote.kind == VoteKind.RANKING.value:
        _within(vote.most, "most", 1, len(options))
    answers = evaluation.outcomes_of(session, [option.proposal_id for option in options])
    for option in options:
        proposal = proposals.lock(session, option.proposal_id)
        contribution = session.get_one(Contribution, option.proposal_id)
        if not proposal.is_listed or proposal.authoring not in (Authoring.OPEN.value, Authoring.LOCKED.value):
            raise Refusal(Code.VOTE_UNFIT, reference=contribution.reference)
        if option.cost is None and option.proposal_id in answers:
            option.cost = answers[option.proposal_id].cost_to
        if vote.kind == VoteKind.BUDGET.value and option.cost is None:
            raise Refusal(Code.VOTE_COST_MISSING, reference=contribution.reference)
        option.version_number = proposing.shown(session, contribution).number
        option.was_open = proposal.authoring == Authoring.OPEN.value
        if option.was_open:
            proposing.lock(session, option.proposal_id, by=by, now=now)
        session.add(option)
    vote.state, vote.ready_at, vote.version = VoteState.READY.value, now, vote.version + 1
    vote.check_key = secrets.token_hex(32)
    session.add(vote)
    session.flush()
    ballots.note(
        session, vote, "vote_put_up", by=by, now=now, kind=vote.kind, most=vote.most, most_each=vote.most_each,
        wins=vote.wins, ways=list(vote.ways), on_paper=vote.on_paper, question=journal.digest(vote.question),
        **({"translations": journal.digest(json.dumps(vote.translations, sort_keys=True))} if vote.translations else {}),
        options=[[option.number, option.proposal_id, option.cost, option.version_number] for option in options],
    )  # fmt: skip
    return vote


def take_back(session: Session, vote: Vote, *, by: Actor, now: datetime) -> Vote:
    """Make it a draft again, as long as its phase has not begun and no ballot of it can be out there: another one would give
    the numbers that are printed on it to other proposals.

    Raises Refusal NOT_ALLOWED, WRONG_STATE (somebody has voted, too), VOTE_CODES_OUT while codes that were printed may vote.
    """
    phase = ballots.locked(session, vote, VoteState.READY, by)
    if phase.state(now) is not PhaseState.COMING or _how_many(session, VoteRoll, vote):
        raise Refusal(Code.WRONG_STATE, state=vote.state)
    if any(each.cancelled_at is None for each in voting_codes.prints_of(session, vote.id or 0)):
        raise Refusal(Code.VOTE_CODES_OUT)
    _end(session, vote, VoteState.DRAFT, by=by, now=now)
    vote.ready_at = None
    session.add(vote)
    ballots.note(session, vote, "vote_taken_back", by=by, now=now)
    return vote


def cancel(session: Session, vote: Vote, *, why: str, by: Actor, now: datetime) -> Vote:
    """Give it up, with words that everybody reads. Nothing is counted, and no ballot is ever shown.

    Raises Refusal NOT_ALLOWED, WRONG_STATE, REASON_REQUIRED ("why").
    """
    ballots.locked(session, vote, VoteState.READY, by)
    words = normalise(why, field="why", limit=INTRO_LIMIT).strip()
    if not words:
        raise Refusal(Code.REASON_REQUIRED, "why")
    _end(session, vote, VoteState.CANCELLED, by=by, now=now)
    vote.cancelled_why = words
    session.add(vote)
    session.execute(delete(Ballot).where(col(Ballot.vote_id) == vote.id))
    session.execute(delete(VoteRoll).where(col(VoteRoll.vote_id) == vote.id))
    # What one or both have typed in from paper is what was voted, too.
    batches = select(PaperBatch.id).where(PaperBatch.vote_id == vote.id)
    session.execute(delete(PaperEntry).where(col(PaperEntry.batch_id).in_(batches)))
    ballots.note(session, vote, "vote_cancelled", by=by, now=now, why=words)
    procedure = session.get_one(Procedure, vote.procedure_id)
    if procedure.state in PUBLIC_STATES:  # of a consultation that is still a draft nobody is told anything
        happenings.note_of_procedure(
            session, municipality_id=vote.municipality_id, procedure_id=vote.procedure_id, district=procedure.district,
            kind=happenings.Kind.VOTE_GIVEN_UP, key=f"vote_given_up:{vote.id}", now=now, facts=vote.told(),
        )  # fmt: skip
    return vote


def _end(session: Session, vote: Vote, after: VoteState, *, by: Actor, now: datetime) -> None:
    """It stands no longer: texts that stood still for it may go on; those that stood still before do not, and those that stand
    in another vote as well go on after that one."""
    vote.state, vote.version, vote.check_key = after.value, vote.version + 1, ""
    session.add(vote)
    session.flush()
    for option in ballots.options_of(session, vote.id or 0):
        proposal = proposals.lock(session, option.proposal_id)
        if not option.was_open or proposal.authoring != Authoring.LOCKED.value:
            continue
        elsewhere = ballots.holding(session, option.proposal_id)
        if elsewhere is None:
            proposing.unlock(session, option.proposal_id, by=by, now=now)
        else:
            elsewhere.was_open = True
            session.add(elsewhere)


# --- casting ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Voter:
    """Who votes, as the roll knows them. `declares`: what they say of themselves, where a limit asks an account."""

    party: str
    way: Way
    channel: str = "web"
    declares: frozenset[str] = frozenset()


class Standing(StrEnum):
    """Where a vote stands for everybody."""

    COMING = "coming"
    RUNNING = "running"
    COUNTING = "counting"
    CLOSED = "closed"
    CANCELLED = "cancelled"
    UNSEEN = "unseen"  # staff alone see the consultation yet
    STOPPED = "stopped"  # the consultation was given up or is concluded: nobody can vote any more


def standing(vote: Vote, procedure: Procedure, phase: Phase, now: datetime) -> Standing:
    """Where a vote stands: its phase says when, as long as the consultation is public and runs."""
    if vote.state != VoteState.READY.value:
        return Standing(vote.state)
    if procedure.state == ProcedureState.DRAFT.value:
        return Standing.UNSEEN
    state = phase.state(now)
    if procedure.state != ProcedureState.PUBLISHED.value and state is not PhaseState.OVER:
        return Standing.STOPPED
    return {
        PhaseState.COMING: Standing.COMING,
        PhaseState.OPEN: Standing.RUNNING,
        PhaseState.OVER: Standing.COUNTING,
    }[state]


def running(session: Session, procedure: Procedure, phases: Sequence[Phase], now: datetime) -> Vote | None:
    """The vote that runs in one of these phases of a consultation, or None; no query where no phase opens one."""
    phase = proposing.phase_that_opens(phases, Opening.VOTE, now)
    vote = ballots.of_phase(session, phase.id or 0) if phase else None
    if vote is None or phase is None or standing(vote, procedure, phase, now) is not Standing.RUNNING:
        return None
    return vote


def account_party(key: bytes, vote: Vote, person_id: int) -> str:
    """How an account stands in the roll: nobody reads there who has voted without this key."""
    return hmac.digest(key, f"voter\0{vote.id}\0{person_id}".encode(), "sha256").hex()


def voter_by_code(session: Session, vote: Vote, typed: str, *, key: bytes) -> Voter:
    """Whose code this is. Raises Refusal VOTE_CODE_UNKNOWN, VOTE_CODE_USED (both at "code")."""
    code = voting_codes.read_code(typed)
    hashed = voting_codes.code_hash(key, vote, code) if code else ""
    outcome = voting_codes.looked_up(session, vote, hashed) if code else LetterOutcome.UNKNOWN
    if outcome is LetterOutcome.USED:
        raise Refusal(Code.VOTE_CODE_USED, "code")
    if outcome is not LetterOutcome.ADMITTED or Way.CODE.value not in vote.ways:
        raise Refusal(Code.VOTE_CODE_UNKNOWN, "code")
    return Voter(hashed, Way.CODE)


def asked_of(phase: Phase, way: Way) -> tuple[str, ...]:
    """What voters have to say of themselves: "age", "resident". A code went to whoever may vote: it is asked of nobody."""
    return proposing.arrangement_of(phase).limits.asked if way is Way.ACCOUNT else ()


def check_number(vote: Vote, once: str) -> str:
    """The number of the ballot that a form casts: made of the form's own key, so that sending it twice makes one ballot, and of
    what the server drew for this vote, so that nobody can choose it or know it before. Once the vote is over, what was drawn
    is gone: from then on no form leads to its ballot any more."""
    if not vote.check_key:
        raise ValueError("the vote does not stand")
    made = hmac.digest(vote.check_key.encode(), f"ballot\0{vote.id}\0{once}".encode(), "sha256")
    value = int.from_bytes(made)
    signs = ""
    for _ in range(voting_codes.CHECK_LENGTH):
        value, place = divmod(value, len(CODE_ALPHABET))
        signs += CODE_ALPHABET[place]
    return signs


def refuse_faults(vote: Vote, rules: counting.Rules, marks: Marks) -> None:
    """Raises Refusal for the first thing for which a ballot would not count: BALLOT_NOTHING, BALLOT_UNKNOWN, BALLOT_NUMBER
    (field, most), BALLOT_SAME_PLACE (field, place), BALLOT_TOO_MANY, BALLOT_POINTS or BALLOT_MONEY (found, most, over)."""
    found = counting.faults(rules, marks)
    if not found:
        return
    fault = found[0]
    field_name = f"mark-{fault.number}" if fault.number is not None else None
    if fault.kind is FaultKind.UNKNOWN:
        raise Refusal(Code.BALLOT_UNKNOWN)
    if fault.kind is FaultKind.NOTHING:
        raise Refusal(Code.BALLOT_NOTHING)
    if fault.kind is FaultKind.SAME_PLACE:
        raise Refusal(Code.BALLOT_SAME_PLACE, field_name, place=fault.found)
    if fault.kind is not FaultKind.TOO_MUCH:
        raise Refusal(Code.BALLOT_NUMBER, field_name, most=rules.each)
    code = {
        VoteKind.CHOICES: Code.BALLOT_TOO_MANY,
        VoteKind.RANKING: Code.BALLOT_TOO_MANY,
        VoteKind.POINTS: Code.BALLOT_POINTS,
        VoteKind.BUDGET: Code.BALLOT_MONEY,
    }[VoteKind(vote.kind)]
    raise Refusal(code, found=fault.found, most=fault.most, over=fault.found - fault.most)


def cast(session: Session, vote: Vote, voter: Voter, marks: Marks, *, once: str, now: datetime) -> str:
    """Cast a ballot in secret and return its check number. The same form sent twice is one ballot.

    `once`: the form's own key. Raises Refusal NOT_OPENED, what `refuse_faults` raises, SUPPORT_DECLARE (field),
    VOTE_CODE_USED or VOTED_ALREADY, VOTE_CODE_UNKNOWN where the letter was cancelled meanwhile, CHANGED_MEANWHILE where somebody else's ballot came of the same form.
    """
    # Many may cast at once; whoever closes the count waits for all of them, and they find it closed.
    session.refresh(vote, with_for_update={"read": True})
    phase = session.get_one(Phase, vote.phase_id)
    # Staff see a consultation before everybody does: nobody votes before the others can.
    procedure = session.get_one(Procedure, vote.procedure_id)
    stands = standing(vote, procedure, phase, now)
    if stands is not Standing.RUNNING or voter.way.value not in vote.ways:
        raise Refusal(Code.NOT_OPENED, opening=Opening.VOTE.value)
    rules = ballots.rules_of(vote, ballots.options_of(session, vote.id or 0))
    refuse_faults(vote, rules, marks)
    for name in asked_of(phase, voter.way):
        if name not in voter.declares:
            raise Refusal(Code.SUPPORT_DECLARE, name)
    number, kept = check_number(vote, once), ballots.keep_marks(marks)
    # A letter may have been cancelled since its code was typed in.
    if (
        voter.way is Way.CODE
        and voting_codes.looked_up(session, vote, voter.party) is LetterOutcome.CANCELLED
    ):
        raise Refusal(Code.VOTE_CODE_UNKNOWN, "code")
    used = Refusal(*((Code.VOTE_CODE_USED, "code") if voter.way is Way.CODE else (Code.VOTED_ALREADY,)))
    if not enrol(session, vote, voter.party):
        if is_cast(session, vote, number, marks):
            return number
        raise used
    try:
        with session.begin_nested():
            session.add(Ballot(vote_id=vote.id or 0, check_number=number, channel=voter.channel, marks=kept))
            session.flush()
    except IntegrityError as problem:
        raise Refusal(Code.CHANGED_MEANWHILE) from problem
    return number


def is_cast(session: Session, vote: Vote, number: str, marks: Marks) -> bool:
    """Whether the ballot of this form lies in the urn with just these marks: only whoever sent it can ask."""
    ballot = session.get(Ballot, (vote.id, number))
    return ballot is not None and ballot.marks == ballots.keep_marks(marks)


def enrol(session: Session, vote: Vote, party: str) -> bool:
    """Write into the roll that somebody has voted; False if that stands there already."""
    if session.get(VoteRoll, (vote.id, party)) is not None:
        return False
    try:
        with session.begin_nested():
            session.add(VoteRoll(vote_id=vote.id or 0, party=party))
            session.flush()
    except IntegrityError:  # at the same moment, on paper or in another window
        return False
    return True


# --- the count -------------------------------------------------------------------------------------


def close(session: Session, vote: Vote, *, by: Actor, now: datetime) -> Vote:
    """Count, once the phase is over and no batch of paper waits. It cannot be undone.

    Raises Refusal NOT_ALLOWED, WRONG_STATE, VOTE_NOT_OVER, VOTE_PAPER_WAITS (batches).
    """
    phase = ballots.locked(session, vote, VoteState.READY, by)
    if phase.state(now) is not PhaseState.OVER:
        raise Refusal(Code.VOTE_NOT_OVER)
    waiting = session.exec(
        select(func.count())
        .select_from(PaperBatch)
        .where(
            PaperBatch.vote_id == vote.id,
            col(PaperBatch.state).not_in((BatchState.AGREED.value, BatchState.EMPTY.value)),
        )
    ).one()
    if waiting:
        raise Refusal(Code.VOTE_PAPER_WAITS, batches=waiting)
    options = ballots.options_of(session, vote.id or 0)
    cast_ones = list(
        session.exec(select(Ballot).where(Ballot.vote_id == vote.id).order_by(col(Ballot.check_number))).all()
    )
    rules = ballots.rules_of(vote, options)
    counted = counting.count(rules, map(ballots.as_paper, cast_ones))
    outcome = counting.result(rules, counted)
    vote.result = {
        "valid": counted.valid,
        "invalid": dict(counted.invalid),
        "channels": dict(counted.channels),
        "marks": {str(number): marks for number, marks in counted.marks.items()},
        "ballots": {str(number): on for number, on in counted.ballots.items()},
        "places": {str(each.number): each.place for each in outcome.standings},
        "outcomes": {str(each.number): each.outcome.value for each in outcome.standings},
        "left": outcome.left,
        "roll": _how_many(session, VoteRoll, vote),
        "codes": _how_many(session, VoteCode, vote),
        "letters": _letters(session, vote),
    }
    vote.list_sha256 = hashlib.sha256(ballot_list(session, vote, options, cast_ones)).hexdigest()
    _write_anew(session, vote, cast_ones)
    _end(session, vote, VoteState.CLOSED, by=by, now=now)
    vote.closed_at = now
    session.add(vote)
    session.flush()
    ballots.note(session, vote, "vote_closed", by=by, now=now, list=vote.list_sha256, **vote.result)
    for option in options:
        proposal = proposals.by_contribution(session, option.proposal_id)
        if proposal is not None:
            facts = {"outcome": vote.result["outcomes"][str(option.number)], "phase": vote.phase_id}
            happenings.note(session, proposal, happenings.Kind.VOTED, now=now, facts=facts)
    return vote


def _how_many(session: Session, table: Any, vote: Vote) -> int:
    return session.exec(select(func.count()).select_from(table).where(table.vote_id == vote.id)).one()


def _letters(session: Session, vote: Vote) -> dict[str, int]:
    rows = session.exec(
        select(PaperLetter.outcome, func.count())
        .join(PaperBatch, col(PaperBatch.id) == PaperLetter.batch_id)
        .where(PaperBatch.vote_id == vote.id)
        .group_by(col(PaperLetter.outcome))
    ).all()
    return dict(sorted(rows))


def _write_anew(session: Session, vote: Vote, cast_ones: Sequence[Ballot]) -> None:
    """All ballots at once, by their numbers: where and by which transaction a row was written tells nothing any more."""
    rows = [
        {
            "vote_id": each.vote_id,
            "check_number": each.check_number,
            "channel": each.channel,
            "marks": each.marks,
            "spoiled": each.spoiled,
        }
        for each in cast_ones
    ]
    for each in cast_ones:
        session.expunge(each)
    session.execute(delete(Ballot).where(col(Ballot.vote_id) == vote.id))
    insert_rows(session, Ballot, rows)


def due(session: Session, now: datetime) -> list[int]:
    """The votes without paper whose phase is over, by their ids. Where there is paper, a person says when to count."""
    rows = session.exec(
        select(Vote, Phase)
        .join(Phase, col(Phase.id) == Vote.phase_id)
        .where(Vote.state == VoteState.READY.value, col(Vote.on_paper).is_(False))
        .order_by(col(Vote.id))
    ).all()
    return [vote.id or 0 for vote, phase in rows if phase.state(now) is PhaseState.OVER]


#: Codes and the roll are kept for so long after the count, for whoever wants to check it; ballots and result stay.
ROLL_KEPT = timedelta(days=365)


def _with_old_rolls(now: datetime) -> Any:
    return select(Vote).where(
        Vote.state == VoteState.CLOSED.value,
        col(Vote.closed_at) < now - ROLL_KEPT,
        exists().where(col(VoteRoll.vote_id) == Vote.id) | exists().where(col(VoteCode.vote_id) == Vote.id),
    )


def are_rolls_due(session: Session, now: datetime) -> bool:
    """Whether a roll is older than it is kept."""
    return session.exec(_with_old_rolls(now).limit(1)).first() is not None


def forget_rolls(session: Session, *, by: Actor, now: datetime) -> int:
    """Delete who has voted, and the codes, a year after the count; how many they were stands in the result. Returns of how
    many votes."""
    votes = session.exec(_with_old_rolls(now)).all()
    for vote in votes:
        for table in (VoteRoll, VoteCode):
            session.execute(delete(table).where(col(table.vote_id) == vote.id))
        batches = select(PaperBatch.id).where(PaperBatch.vote_id == vote.id)
        session.execute(
            update(PaperLetter).where(col(PaperLetter.batch_id).in_(batches)).values(code_hash="")
        )
        ballots.note(session, vote, "vote_roll_erased", by=by, now=now)
    return len(votes)


def ballot_list(
    session: Session, vote: Vote, options: Sequence[VoteOption], cast_ones: Sequence[Ballot]
) -> bytes:
    """All ballots as a table (CSV, UTF-8): check number, whether it counts, marks (of a ranking: places) by reference number. Not by which way it
    came: of a way that few took, that could tell who it was."""
    references = {
        row.id: row.reference
        for row in session.exec(
            select(Contribution).where(col(Contribution.id).in_([option.proposal_id for option in options]))
        ).all()
    }
    rules = ballots.rules_of(vote, options)
    out = io.StringIO()
    table = csv.writer(out, lineterminator="\r\n")
    table.writerow(["check_number", "counts", *(references[option.proposal_id] for option in options)])
    for each in sorted(cast_ones, key=lambda ballot: ballot.check_number):
        paper = ballots.as_paper(each)
        found = counting.faults(rules, paper.marks)
        why = counting.SPOILED if paper.spoiled else found[0].kind.value if found else "yes"
        marks = [paper.marks.get(option.number, 0) for option in options]
        table.writerow([voting_codes.spelled(each.check_number), why, *marks])
    return out.getvalue().encode()


def published_list(session: Session, vote: Vote) -> bytes:
    """The list of ballots of a closed vote, the same octets as were sealed when it was counted."""
    return ballot_list(
        session, vote, ballots.options_of(session, vote.id or 0), list(ballots.cast_ballots(session, vote))
    )


def examine(session: Session) -> Iterator[tuple[str, str]]:
    """The closed votes whose list of ballots, or count, is no longer what the journal sealed (`ballots_altered`), and those
    that the journal says were counted, but that are not (`vote_reopened`): subject and problem."""
    known = session.exec(select(Vote).order_by(col(Vote.id))).all()
    closed = [vote for vote in known if vote.state == VoteState.CLOSED.value]
    # Nothing leads back from the count: what was counted and is open again, or gone, was made so by hand.
    counted = {f"vote:{vote.id}" for vote in closed}
    for subject in session.exec(
        select(JournalEntry.subject).where(JournalEntry.verb == "vote_closed").order_by(col(JournalEntry.id))
    ).all():
        if subject not in counted:
            yield subject, "vote_reopened"
    for vote in closed:
        sealed = next(
            (
                entry.facts
                for entry in journal.about(session, f"vote:{vote.id}")
                if entry.verb == "vote_closed"
            ),
            {},
        )
        found = hashlib.sha256(published_list(session, vote)).hexdigest()
        kept = {"list": vote.list_sha256, **vote.result}
        if not found == vote.list_sha256 == sealed.get("list") or kept != sealed:
            yield f"vote:{vote.id}", "ballots_altered"
