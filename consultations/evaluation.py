"""What the offices make of a proposal: assigned, judged by three criteria, answered, read by a second person, published.

Nothing of it is shown before it is published; published are all answers of a batch at the same moment. The day by which
an answer is promised is shown to everybody, and to people at work once it has passed. Judgements are rows that are
only added; a published answer stays, a correction is a further one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from sqlalchemy import Column, Index, UniqueConstraint, func
from sqlmodel import Field, Session, SQLModel, col, select

from consultations import happenings, journal, proposals, support_lists
from consultations.cocreation import EVALUATION_MOVES, Evaluation, Outcome
from consultations.contributions import Contribution
from consultations.deadlines import local_date
from consultations.permissions import Actor, Permission, may
from consultations.proposals import Proposal
from consultations.refusals import Code, Refusal
from consultations.tables import BigKey, UtcDateTime
from consultations.text import normalise

OFFICE_LIMIT = 200
WORDS_LIMIT = 4_000
REASON_LIMIT = 10_000
#: Euros that an amount may have.
AMOUNT_LIMIT = 10_000_000_000


class Criterion(StrEnum):
    """By what a proposal is judged."""

    GOALS = "goals"  # what it contributes to the goals of the project and the town
    BENEFIT = "benefit"  # for whom, how much
    FEASIBILITY = "feasibility"  # in law, technically, and at what cost


class Grade(StrEnum):
    """How an office judges one criterion."""

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"
    NONE = "none"


#: Outcomes that cost something, so that the answer says how much.
COSTING = frozenset({Outcome.ADOPTED, Outcome.ADOPTED_IN_PART})
#: Outcomes after which something is built or done.
BUILT = frozenset({Outcome.ADOPTED, Outcome.ADOPTED_IN_PART, Outcome.ALREADY_COVERED, Outcome.DEFERRED})


class EvaluationTask(SQLModel, table=True):
    """That a proposal will be answered, and by when; the promise that was made first stays readable."""

    __tablename__ = "evaluation_task"
    __table_args__ = (Index("ix_evaluation_task_municipality_id_due_on", "municipality_id", "due_on"),)

    proposal_id: int = Field(foreign_key="proposal.contribution_id", primary_key=True)
    municipality_id: int = Field(foreign_key="municipality.id")
    procedure_id: int = Field(foreign_key="procedure.id", index=True)
    due_on: date
    first_due_on: date
    #: When the answer came out; None while it is owed.
    answered_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class EvaluationAssignment(SQLModel, table=True):
    """An office that is asked for its judgement of a proposal."""

    __tablename__ = "evaluation_assignment"
    __table_args__ = (UniqueConstraint("proposal_id", "office"),)

    id: int | None = Field(default=None, sa_column=Column(BigKey, primary_key=True))
    proposal_id: int = Field(foreign_key="proposal.contribution_id")
    office: str
    #: Whether this office drafts the answer.
    is_lead: bool = False
    assigned_at: datetime = Field(sa_type=UtcDateTime)
    assigned_by: str
    ended_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class Assessment(SQLModel, table=True):
    """One judgement of one office by one criterion. Only added; the last of an office and criterion counts."""

    __tablename__ = "assessment"

    id: int | None = Field(default=None, sa_column=Column(BigKey, primary_key=True))
    proposal_id: int = Field(foreign_key="proposal.contribution_id", index=True)
    office: str
    criterion: str
    grade: str
    words: str = ""
    #: Euros, with FEASIBILITY.
    cost_from: int | None = Field(default=None, sa_column=Column(BigKey, nullable=True))
    cost_to: int | None = Field(default=None, sa_column=Column(BigKey, nullable=True))
    at: datetime = Field(sa_type=UtcDateTime)
    by: str


class Answer(SQLModel, table=True):
    """The official answer to a proposal. Once published it never changes; a correction has the next number."""

    __tablename__ = "proposal_answer"
    __table_args__ = (UniqueConstraint("proposal_id", "number"),)

    id: int | None = Field(default=None, sa_column=Column(BigKey, primary_key=True))
    proposal_id: int = Field(foreign_key="proposal.contribution_id")
    number: int
    outcome: str
    #: Why, in plain words.
    reason: str
    language: str = "de"
    #: The rule that stands against it, for NOT_FEASIBLE_LEGAL.
    legal_ground: str = ""
    #: Euros.
    cost_from: int | None = Field(default=None, sa_column=Column(BigKey, nullable=True))
    cost_to: int | None = Field(default=None, sa_column=Column(BigKey, nullable=True))
    #: When something will be done, in words: "2028", "with the next timetable".
    period: str = ""
    #: Counts the times it was written, so that two who have it open notice each other.
    revision: int = 1
    drafted_by: str
    drafted_at: datetime = Field(sa_type=UtcDateTime)
    second_by: str = ""
    second_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    #: What the second reader wants changed.
    second_words: str = ""
    published_by: str = ""
    published_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


@dataclass(frozen=True)
class AnswerInput:
    """An answer as typed; amounts in euros."""

    outcome: Outcome | None
    reason: str
    language: str = "de"
    legal_ground: str = ""
    cost_from: int | None = None
    cost_to: int | None = None
    period: str = ""


# --- who -------------------------------------------------------------------------------------------


def _require(by: Actor, proposal: Proposal, permission: Permission) -> None:
    if not may(by, permission, municipality_id=proposal.municipality_id, procedure_id=proposal.procedure_id):
        raise Refusal(Code.NOT_ALLOWED)


def _move(session: Session, proposal: Proposal, after: Evaluation) -> None:
    before = Evaluation(proposal.evaluation)
    if after not in EVALUATION_MOVES[before]:
        raise Refusal(Code.WRONG_STATE, state=before.value)
    proposal.evaluation = after.value
    session.add(proposal)
    session.flush()


def _words(typed: str, field: str, limit: int = WORDS_LIMIT) -> str:
    return normalise(typed, field=field, limit=limit).strip()


# --- assigning -------------------------------------------------------------------------------------


def assign(
    session: Session,
    proposal_ids: Sequence[int],
    offices: Sequence[str],
    *,
    due_on: date,
    by: Actor,
    now: datetime,
) -> int:
    """Ask offices for their judgement of proposals, the first of them to draft the answer; promise it by a day.

    Asked again, nothing is lost: new offices are added, the first one leads, the day moves. Returns how many proposals.
    Raises Refusal NOT_ALLOWED, FORM_INCOMPLETE ("offices"), DATE_IMPOSSIBLE ("due_on": in the past), NOT_FOUND,
    WRONG_STATE for one that is answered already.
    """
    names = list(dict.fromkeys(name for each in offices if (name := _words(each, "offices", OFFICE_LIMIT))))
    if not names:
        raise Refusal(Code.FORM_INCOMPLETE, "offices")
    if due_on < local_date(now):
        raise Refusal(Code.DATE_IMPOSSIBLE, "due_on", date=due_on.strftime("%d.%m.%Y"))
    for proposal_id in sorted(set(proposal_ids)):
        proposal = proposals.lock(session, proposal_id)
        _require(by, proposal, Permission.PLAN)
        if proposal.evaluation == Evaluation.PUBLISHED.value:
            raise Refusal(Code.WRONG_STATE, state=proposal.evaluation)
        if proposal.evaluation == Evaluation.NONE.value:
            _move(session, proposal, Evaluation.ASSIGNED)
        _assign_one(session, proposal, names, by=by, now=now)
        task = session.get(EvaluationTask, proposal_id)
        if task is None:
            task = EvaluationTask(
                proposal_id=proposal_id,
                municipality_id=proposal.municipality_id,
                procedure_id=proposal.procedure_id,
                due_on=due_on,
                first_due_on=due_on,
            )
        task.due_on = due_on
        session.add(task)
        session.flush()
        proposals.note(session, proposal, "evaluation_assigned", by=by, now=now, offices=names, due_on=due_on)
    return len(set(proposal_ids))


def _assign_one(
    session: Session, proposal: Proposal, names: Sequence[str], *, by: Actor, now: datetime
) -> None:
    known = {row.office: row for row in _assignments(session, proposal.contribution_id)}
    for row in known.values():
        row.is_lead = row.office == names[0]
        session.add(row)
    for name in names:
        row = known.get(name) or EvaluationAssignment(
            proposal_id=proposal.contribution_id,
            office=name,
            is_lead=name == names[0],
            assigned_at=now,
            assigned_by=by.label,
        )
        row.ended_at = None
        session.add(row)
    session.flush()


def release_office(session: Session, proposal_id: int, office: str, *, by: Actor, now: datetime) -> None:
    """An office is no longer asked; what it judged stays on file. Raises Refusal NOT_ALLOWED, NOT_FOUND."""
    proposal = proposals.lock(session, proposal_id)
    _require(by, proposal, Permission.PLAN)
    row = next((each for each in offices_of(session, proposal_id) if each.office == office), None)
    if row is None:
        raise Refusal(Code.NOT_FOUND)
    row.ended_at, row.is_lead = now, False
    session.add(row)
    proposals.note(session, proposal, "evaluation_office_released", by=by, now=now, office=office)


def _assignments(session: Session, proposal_id: int) -> list[EvaluationAssignment]:
    return list(
        session.exec(
            select(EvaluationAssignment)
            .where(EvaluationAssignment.proposal_id == proposal_id)
            .order_by(col(EvaluationAssignment.is_lead).desc(), col(EvaluationAssignment.id))
        ).all()
    )


def offices_of(session: Session, proposal_id: int) -> list[EvaluationAssignment]:
    """The offices that are asked, the one that drafts the answer first."""
    return [row for row in _assignments(session, proposal_id) if row.ended_at is None]


# --- judging ---------------------------------------------------------------------------------------


def assess(
    session: Session,
    proposal_id: int,
    office: str,
    criterion: Criterion,
    grade: Grade,
    *,
    words: str = "",
    cost_from: int | None = None,
    cost_to: int | None = None,
    by: Actor,
    now: datetime,
) -> Assessment:
    """Judge a proposal by one criterion for an office; the same judgement twice is one row.

    Raises Refusal NOT_ALLOWED, NOT_FOUND (the office is not asked), COSTS_TURNED, WRONG_STATE once it is published.
    """
    proposal = proposals.lock(session, proposal_id)
    _require(by, proposal, Permission.EVALUATE)
    if proposal.evaluation == Evaluation.PUBLISHED.value:
        raise Refusal(Code.WRONG_STATE, state=proposal.evaluation)
    if office not in {row.office for row in offices_of(session, proposal_id)}:
        raise Refusal(Code.NOT_FOUND)
    if criterion is not Criterion.FEASIBILITY:
        cost_from = cost_to = None
    cost_from, cost_to = _costs(cost_from, cost_to)
    said = _words(words, "words")
    last = latest(session, proposal_id).get((office, criterion))
    if last is not None and (last.grade, last.words, last.cost_from, last.cost_to) == (
        grade.value,
        said,
        cost_from,
        cost_to,
    ):
        return last
    row = Assessment(
        proposal_id=proposal_id,
        office=office,
        criterion=criterion.value,
        grade=grade.value,
        words=said,
        cost_from=cost_from,
        cost_to=cost_to,
        at=now,
        by=by.label,
    )
    session.add(row)
    session.flush()
    proposals.note(
        session, proposal, "evaluation_assessed", by=by, now=now,
        office=office, criterion=criterion.value, grade=grade.value,
    )  # fmt: skip
    return row


def _costs(cost_from: int | None, cost_to: int | None) -> tuple[int | None, int | None]:
    """Both amounts, or none; one alone is both. Raises Refusal COSTS_TURNED ("cost_to")."""
    if cost_from is None and cost_to is None:
        return None, None
    lower = cost_to if cost_from is None else cost_from
    upper = cost_from if cost_to is None else cost_to
    assert lower is not None
    assert upper is not None
    if not 0 <= lower <= upper <= AMOUNT_LIMIT:
        raise Refusal(Code.COSTS_TURNED, "cost_to")
    return lower, upper


def latest(session: Session, proposal_id: int) -> dict[tuple[str, Criterion], Assessment]:
    """The judgement that counts, by office and criterion."""
    rows = session.exec(
        select(Assessment).where(Assessment.proposal_id == proposal_id).order_by(col(Assessment.id))
    ).all()
    return {(row.office, Criterion(row.criterion)): row for row in rows}


# --- answering -------------------------------------------------------------------------------------


def draft(
    session: Session,
    proposal_id: int,
    entered: AnswerInput,
    *,
    seen: int = 0,
    by: Actor,
    now: datetime,
) -> Answer:
    """Write the answer, or write on in it; incomplete is fine as long as it is a draft. After publication: a correction.

    `seen`: the revision that the writer had before them (0: none). Raises Refusal NOT_ALLOWED, CHANGED_MEANWHILE,
    COSTS_TURNED, WRONG_STATE where nobody is asked yet, ANSWER_INCOMPLETE ("outcome").
    """
    proposal = proposals.lock(session, proposal_id)
    _require(by, proposal, Permission.EVALUATE)
    if entered.outcome is None:
        raise Refusal(Code.ANSWER_INCOMPLETE, "outcome")
    row = open_answer(session, proposal_id)
    if seen != (row.revision if row else 0):
        raise Refusal(Code.CHANGED_MEANWHILE)
    if proposal.evaluation != Evaluation.DRAFTED.value:
        _move(session, proposal, Evaluation.DRAFTED)
    if row is None:
        row = Answer(
            proposal_id=proposal_id,
            number=_last_number(session, proposal_id) + 1,
            revision=0,
            outcome="",
            reason="",
            drafted_by=by.label,
            drafted_at=now,
        )
    row.outcome = entered.outcome.value
    row.reason = _words(entered.reason, "reason", REASON_LIMIT)
    row.language = entered.language
    row.legal_ground = _words(entered.legal_ground, "legal_ground")
    row.cost_from, row.cost_to = _costs(entered.cost_from, entered.cost_to)
    row.period = _words(entered.period, "period", OFFICE_LIMIT)
    row.revision += 1
    row.drafted_by, row.drafted_at = by.label, now
    session.add(row)
    session.flush()
    proposals.note(
        session, proposal, "answer_drafted", by=by, now=now, number=row.number, revision=row.revision
    )
    return row


def missing(row: Answer) -> tuple[str, ...]:
    """What an answer lacks before a second person may read it."""
    lacks = [] if row.reason else ["reason"]
    if row.outcome in {each.value for each in COSTING} and row.cost_from is None:
        lacks.append("cost_from")
    if row.outcome == Outcome.NOT_FEASIBLE_LEGAL.value and not row.legal_ground:
        lacks.append("legal_ground")
    return tuple(lacks)


def hand_on(session: Session, proposal_id: int, *, by: Actor, now: datetime) -> Answer:
    """The draft is ready for a second reader. Raises Refusal NOT_ALLOWED, WRONG_STATE, ANSWER_INCOMPLETE (field)."""
    proposal, row = _open(session, proposal_id, by)
    lacks = missing(row)
    if lacks:
        raise Refusal(Code.ANSWER_INCOMPLETE, lacks[0])
    _move(session, proposal, Evaluation.SECOND_READER)
    row.second_words = ""
    session.add(row)
    proposals.note(session, proposal, "answer_handed_on", by=by, now=now, number=row.number)
    return row


def approve(session: Session, proposal_id: int, *, seen: int, by: Actor, now: datetime) -> Answer:
    """The second reader agrees. Raises Refusal NOT_ALLOWED, FOUR_EYES (whoever wrote it), CHANGED_MEANWHILE, WRONG_STATE."""
    proposal, row = _open(session, proposal_id, by)
    if by.label == row.drafted_by:
        raise Refusal(Code.FOUR_EYES)
    if seen != row.revision:
        raise Refusal(Code.CHANGED_MEANWHILE)
    _move(session, proposal, Evaluation.APPROVED)
    row.second_by, row.second_at, row.second_words = by.label, now, ""
    session.add(row)
    proposals.note(
        session, proposal, "answer_approved", by=by, now=now, number=row.number, revision=row.revision
    )
    return row


def send_back(session: Session, proposal_id: int, words: str, *, by: Actor, now: datetime) -> Answer:
    """The second reader wants something changed. Raises Refusal NOT_ALLOWED, REASON_REQUIRED ("words"), WRONG_STATE."""
    proposal, row = _open(session, proposal_id, by)
    said = _words(words, "words")
    if not said:
        raise Refusal(Code.REASON_REQUIRED, "words")
    if proposal.evaluation not in (Evaluation.SECOND_READER.value, Evaluation.APPROVED.value):
        raise Refusal(Code.WRONG_STATE, state=proposal.evaluation)
    _move(session, proposal, Evaluation.DRAFTED)
    row.second_words, row.second_by, row.second_at = said, by.label, now
    session.add(row)
    proposals.note(session, proposal, "answer_returned", by=by, now=now, number=row.number)
    return row


def _open(session: Session, proposal_id: int, by: Actor) -> tuple[Proposal, Answer]:
    proposal = proposals.lock(session, proposal_id)
    _require(by, proposal, Permission.EVALUATE)
    row = open_answer(session, proposal_id)
    if row is None:
        raise Refusal(Code.WRONG_STATE, state=proposal.evaluation)
    return proposal, row


def publish(session: Session, proposal_ids: Sequence[int], *, by: Actor, now: datetime) -> int:
    """Let everybody read approved answers, all of them at the same moment, and tell those who wait for them.

    All or none: raises Refusal NOT_ALLOWED, WRONG_STATE if one of them is not approved. Returns how many.
    """
    wanted = sorted(set(proposal_ids))
    if not wanted:
        raise Refusal(Code.FORM_INCOMPLETE)
    ready: list[tuple[Proposal, Answer]] = []
    for proposal_id in wanted:
        proposal = proposals.lock(session, proposal_id)
        _require(by, proposal, Permission.PLAN)
        row = open_answer(session, proposal_id)
        if row is None or proposal.evaluation != Evaluation.APPROVED.value:
            raise Refusal(Code.WRONG_STATE, state=proposal.evaluation)
        ready.append((proposal, row))
    for proposal, row in ready:
        _move(session, proposal, Evaluation.PUBLISHED)
        row.published_by, row.published_at = by.label, now
        session.add(row)
        task = session.get(EvaluationTask, proposal.contribution_id)
        if task is not None and task.answered_at is None:
            task.answered_at = now
            session.add(task)
        session.flush()
        proposals.note(
            session, proposal, "answer_published", by=by, now=now,
            number=row.number, outcome=row.outcome, sha256=seal(row), together_with=len(wanted),
        )  # fmt: skip
        happening = happenings.note(
            session,
            proposal,
            happenings.Kind.ANSWERED,
            now=now,
            facts={"answer": row.number, "outcome": row.outcome},
        )
        support_lists.tell(session, proposal, happening, by=by, now=now)
    return len(wanted)


def seal(row: Answer) -> str:
    """SHA-256 over all that a published answer says; the journal keeps it."""
    return journal.digest(
        [
            row.proposal_id, row.number, row.outcome, row.reason, row.language, row.legal_ground, row.cost_from,
            row.cost_to, row.period, row.drafted_by, row.second_by,
        ]
    )  # fmt: skip


# --- questions -------------------------------------------------------------------------------------


def _last_number(session: Session, proposal_id: int) -> int:
    return session.exec(select(func.max(Answer.number)).where(Answer.proposal_id == proposal_id)).one() or 0


def open_answer(session: Session, proposal_id: int) -> Answer | None:
    """The answer that is being written, or None."""
    return session.exec(
        select(Answer).where(Answer.proposal_id == proposal_id, col(Answer.published_at).is_(None))
    ).first()


def answers_of(session: Session, proposal_id: int) -> list[Answer]:
    """The answers that everybody may read, the one that holds first."""
    return list(
        session.exec(
            select(Answer)
            .where(Answer.proposal_id == proposal_id, col(Answer.published_at).is_not(None))
            .order_by(col(Answer.number).desc())
        ).all()
    )


def outcomes_of(session: Session, proposal_ids: Sequence[int]) -> dict[int, Answer]:
    """The published answer that holds, by proposal; one query."""
    rows = session.exec(
        select(Answer)
        .where(col(Answer.proposal_id).in_(list(proposal_ids)), col(Answer.published_at).is_not(None))
        .order_by(col(Answer.number))
    ).all()
    return {row.proposal_id: row for row in rows}


def tasks_of(session: Session, proposal_ids: Sequence[int]) -> dict[int, EvaluationTask]:
    """By when answers are promised, by proposal; one query."""
    rows = session.exec(
        select(EvaluationTask).where(col(EvaluationTask.proposal_id).in_(list(proposal_ids)))
    ).all()
    return {row.proposal_id: row for row in rows}


@dataclass(frozen=True)
class Row:
    """A proposal in the list of the offices."""

    proposal: Proposal
    contribution: Contribution
    task: EvaluationTask | None
    offices: tuple[str, ...]
    answer: Answer | None


def for_offices(
    session: Session,
    procedure_id: int,
    *,
    states: Sequence[Evaluation] = (),
    office: str = "",
    overdue_on: date | None = None,
    after_id: int = 0,
    limit: int = 50,
) -> list[Row]:
    """The public's proposals of a consultation for those who evaluate them, `limit` after the key `after_id`.

    `overdue_on`: only those whose answer was promised before this day and is owed. Four queries, however many rows.
    """
    question = (
        select(Proposal, Contribution, EvaluationTask)
        .join(Contribution, col(Contribution.id) == Proposal.contribution_id)
        .outerjoin(EvaluationTask, col(EvaluationTask.proposal_id) == Proposal.contribution_id)
        .where(
            Proposal.procedure_id == procedure_id,
            col(Proposal.is_listed).is_(True),
            col(Proposal.contribution_id) > after_id,
        )
        .order_by(col(Proposal.contribution_id))
        .limit(limit)
    )
    if states:
        question = question.where(col(Proposal.evaluation).in_([state.value for state in states]))
    if overdue_on is not None:
        question = question.where(
            col(EvaluationTask.due_on) < overdue_on, col(EvaluationTask.answered_at).is_(None)
        )
    if office:
        asked = select(EvaluationAssignment.proposal_id).where(
            EvaluationAssignment.office == office, col(EvaluationAssignment.ended_at).is_(None)
        )
        question = question.where(col(Proposal.contribution_id).in_(asked))
    found = session.exec(question).all()
    ids = [proposal.contribution_id for proposal, _, _ in found]
    offices: dict[int, list[str]] = {}
    for row in session.exec(
        select(EvaluationAssignment)
        .where(col(EvaluationAssignment.proposal_id).in_(ids), col(EvaluationAssignment.ended_at).is_(None))
        .order_by(col(EvaluationAssignment.is_lead).desc(), col(EvaluationAssignment.id))
    ).all():
        offices.setdefault(row.proposal_id, []).append(row.office)
    drafts = {
        row.proposal_id: row
        for row in session.exec(
            select(Answer).where(col(Answer.proposal_id).in_(ids)).order_by(col(Answer.number))
        ).all()
    }
    return [
        Row(
            proposal,
            contribution,
            task,
            tuple(offices.get(proposal.contribution_id, ())),
            drafts.get(proposal.contribution_id),
        )
        for proposal, contribution, task in found
    ]


def office_names(session: Session, municipality_id: int) -> list[str]:
    """The offices that were ever asked in a municipality, by name."""
    return sorted(
        session.exec(
            select(EvaluationAssignment.office)
            .join(Proposal, col(Proposal.contribution_id) == EvaluationAssignment.proposal_id)
            .where(Proposal.municipality_id == municipality_id)
            .distinct()
        ).all()
    )


def counts(session: Session, procedure_id: int) -> Mapping[Evaluation, int]:
    """How many of a consultation's public proposals stand where."""
    rows = session.exec(
        select(Proposal.evaluation, func.count())
        .where(Proposal.procedure_id == procedure_id, col(Proposal.is_listed).is_(True))
        .group_by(col(Proposal.evaluation))
    ).all()
    found = {Evaluation(state): number for state, number in rows}
    return {state: found.get(state, 0) for state in Evaluation}


def overdue_count(
    session: Session, municipality_id: int, today: date, procedure_ids: Sequence[int] | None = None
) -> int:
    """How many answers were promised by a day that has passed."""
    question = select(func.count()).where(
        EvaluationTask.municipality_id == municipality_id,
        col(EvaluationTask.due_on) < today,
        col(EvaluationTask.answered_at).is_(None),
    )
    if procedure_ids is not None:
        question = question.where(col(EvaluationTask.procedure_id).in_(procedure_ids))
    return session.exec(question).one()


def numbers(session: Session, municipality_id: int, today: date) -> dict[int, tuple[int, int]]:
    """How many proposals everybody can read and how many answers are overdue, by consultation; two queries."""
    found = session.exec(
        select(Proposal.procedure_id, func.count())
        .where(Proposal.municipality_id == municipality_id, col(Proposal.is_listed).is_(True))
        .group_by(col(Proposal.procedure_id))
    ).all()
    overdue = dict(
        session.exec(
            select(EvaluationTask.procedure_id, func.count())
            .where(
                EvaluationTask.municipality_id == municipality_id,
                col(EvaluationTask.due_on) < today,
                col(EvaluationTask.answered_at).is_(None),
            )
            .group_by(col(EvaluationTask.procedure_id))
        ).all()
    )
    return {procedure_id: (number, overdue.get(procedure_id, 0)) for procedure_id, number in found}
