"""Late statements, decided one by one: may this one be left out, and is it?

What arrives after the end is kept and marked (`contributions.submit`); nothing is ever rejected by itself. A planner
answers the conditions of the law, each with a reason; the deadline engine says what follows; only then somebody decides.
Even where the law allows to leave a statement out, it may be considered. Decisions are never changed: a new one takes
the place of the last. Sources: BauGB §4a(5); VwVfG §73(4) old, §73(2) (law-and-standards R-1.6).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, UniqueConstraint, func
from sqlmodel import Field, Session, SQLModel, col, select

from consultations import journal
from consultations.computation import Answer
from consultations.contributions import Contribution, ContributionState, Kind
from consultations.legal_periods import ask
from consultations.municipalities import Municipality
from consultations.permissions import Actor, Permission, may
from consultations.phases import Phase, Track
from consultations.procedures import PlanKind, Procedure
from consultations.refusals import Code, Refusal
from consultations.seats import Seat
from consultations.tables import Json, UtcDateTime


class Outcome(StrEnum):
    """What becomes of a late statement."""

    CONSIDERED = "considered"
    DISREGARDED = "disregarded"


class LateDecision(SQLModel, table=True):
    """One decision about one late statement. Append-only: the highest number counts."""

    __tablename__ = "late_decision"
    __table_args__ = (UniqueConstraint("contribution_id", "number"),)

    id: int | None = Field(default=None, primary_key=True)
    contribution_id: int = Field(foreign_key="contribution.id")
    number: int
    #: The question of the engine, its facts as they were answered, its results, and the whole explanation.
    question: str
    answers: dict[str, Any] = Field(default_factory=dict, sa_type=Json)
    may_be_disregarded: bool
    explanation: dict[str, Any] = Field(default_factory=dict, sa_type=Json)
    outcome: str
    reason: str
    by: str
    at: datetime = Field(sa_type=UtcDateTime)


@dataclass(frozen=True)
class Regime:
    """How a law treats what comes late: the question of the engine, and what a person has to answer for it."""

    question: str
    conditions: tuple[str, ...]
    #: Facts that are not asked but follow from the procedure.
    given: Mapping[str, str]


_BAUGB = ("hint_given", "content_known", "should_have_been_known", "relevant_for_lawfulness")
#: By what law a plan follows: another law is another row.
REGIMES: Mapping[str, Regime] = {
    "baugb_public": Regime("late_statement", _BAUGB, {"track": "public"}),
    "baugb_agencies": Regime("late_statement", _BAUGB[1:], {"track": "agency"}),
    "vwvfg_old": Regime("late_objection", ("hint_given", "private_title"), {"law_version": "old"}),
    "vwvfg_new": Regime("late_objection", ("hint_given", "private_title"), {"law_version": "new"}),
}


def regime_of(procedure: Procedure, phase: Phase | None) -> Regime | None:
    """The regime of a phase; None where no law knows late statements (informal phases, and no phase at all)."""
    if phase is None or not phase.is_formal:
        return None
    if procedure.plan_kind == PlanKind.PLAN_APPROVAL.value:
        return REGIMES["vwvfg_old" if procedure.law_version.startswith("VwVfG until") else "vwvfg_new"]
    agencies = phase.track == Track.AGENCIES.value
    return REGIMES["baugb_agencies" if agencies else "baugb_public"]


def judge(regime: Regime, answers: Mapping[str, bool], seat: Seat) -> Answer:
    """What the law says to these answers. Raises computation.Impossible where one is missing."""
    return ask(regime.question, {**regime.given, **answers}, seat=seat)


def decide(
    session: Session,
    contribution: Contribution,
    *,
    answers: Mapping[str, bool],
    outcome: Outcome,
    reason: str,
    by: Actor,
    now: datetime,
    expected_number: int | None = None,
) -> LateDecision:
    """Decide about one late statement; an earlier decision stays on file and counts no longer.

    `expected_number`: how many decisions whoever decides has seen. Raises Refusal NOT_ALLOWED, WRONG_STATE (not late, or
    no law about it), FORM_INCOMPLETE (the first condition without an answer), REASON_REQUIRED ("reason"),
    MUST_BE_CONSIDERED ("outcome") and DECIDED_MEANWHILE.
    """
    if not may(
        by,
        Permission.PLAN,
        municipality_id=contribution.municipality_id,
        procedure_id=contribution.procedure_id,
    ):
        raise Refusal(Code.NOT_ALLOWED)
    procedure = session.get_one(Procedure, contribution.procedure_id)
    phase = session.get(Phase, contribution.phase_id) if contribution.phase_id else None
    regime = regime_of(procedure, phase)
    if not contribution.is_late or regime is None:
        raise Refusal(Code.WRONG_STATE, state="in_time")
    missing = [name for name in regime.conditions if name not in answers]
    if missing:
        raise Refusal(Code.FORM_INCOMPLETE, missing[0])
    if not reason.strip():
        raise Refusal(Code.REASON_REQUIRED, "reason")
    answered = {name: bool(answers[name]) for name in regime.conditions}
    seat = Seat.from_data(session.get_one(Municipality, contribution.municipality_id).calendar)
    answer = judge(regime, answered, seat)
    is_free = bool(answer.results["may_be_disregarded"])
    if outcome is Outcome.DISREGARDED and not is_free:
        raise Refusal(Code.MUST_BE_CONSIDERED, "outcome")
    # The row is locked, so that of two who decide at once the second learns of the first.
    session.exec(select(Contribution.id).where(Contribution.id == contribution.id).with_for_update()).one()
    number = session.exec(select(func.count()).where(LateDecision.contribution_id == contribution.id)).one()
    if expected_number is not None and expected_number != number:
        raise Refusal(Code.DECIDED_MEANWHILE)
    assert contribution.id is not None
    decision = LateDecision(
        contribution_id=contribution.id,
        number=number + 1,
        question=regime.question,
        answers={**regime.given, **answered},
        may_be_disregarded=is_free,
        explanation=answer.explanation(),
        outcome=outcome.value,
        reason=reason.strip(),
        by=by.label,
        at=now,
    )
    session.add(decision)
    session.flush()
    journal.append(
        session,
        municipality_id=contribution.municipality_id,
        verb="lateness_decided",
        by=by,
        at=now,
        procedure_id=contribution.procedure_id,
        subject=f"contribution:{contribution.id}",
        facts={
            "number": decision.number,
            "outcome": outcome.value,
            "may_be_disregarded": is_free,
            "sha256": decision_sha256(decision),
        },
    )
    return decision


def decision_sha256(decision: LateDecision) -> str:
    """The seal over everything that a decision says; the journal keeps it."""
    names = (
        "contribution_id",
        "number",
        "question",
        "answers",
        "may_be_disregarded",
        "explanation",
        "outcome",
    )
    return journal.digest(
        [
            *(getattr(decision, name) for name in names),
            decision.reason,
            decision.by,
            decision.at.astimezone(UTC).isoformat(),
        ]
    )


# --- questions -------------------------------------------------------------------------------------


def decisions_of(session: Session, contribution_id: int) -> list[LateDecision]:
    """All decisions about a statement, oldest first; the last one counts."""
    return list(
        session.exec(
            select(LateDecision)
            .where(LateDecision.contribution_id == contribution_id)
            .order_by(col(LateDecision.number))
        ).all()
    )


def latest(session: Session, contribution_ids: Iterable[int]) -> dict[int, LateDecision]:
    """The decision that counts, by contribution; one query."""
    rows = session.exec(
        select(LateDecision)
        .where(col(LateDecision.contribution_id).in_(list(contribution_ids)))
        .order_by(col(LateDecision.number))
    ).all()
    return {row.contribution_id: row for row in rows}


def standing(outcome: Outcome | None) -> ColumnElement[bool]:
    """The condition for contributions whose counting decision is this one; None: late, and nobody has decided yet."""
    if outcome is None:
        # Informal phases know no decision about lateness; nothing of theirs ever waits for one.
        formal = select(Phase.id).where(col(Phase.is_formal).is_(True))
        return (
            col(Contribution.is_late)
            & (col(Contribution.kind) == Kind.STATEMENT.value)
            & (col(Contribution.state) == ContributionState.RECEIVED.value)
            & col(Contribution.phase_id).in_(formal)
            & col(Contribution.id).not_in(select(LateDecision.contribution_id))
        )
    counting = select(func.max(LateDecision.id)).group_by(col(LateDecision.contribution_id)).scalar_subquery()
    return col(Contribution.id).in_(
        select(LateDecision.contribution_id).where(
            col(LateDecision.id).in_(counting), LateDecision.outcome == outcome.value
        )
    )


def waiting(
    session: Session,
    municipality_id: int,
    *,
    procedure_ids: Sequence[int] | None = None,
    after_id: int = 0,
    limit: int = 25,
) -> list[Contribution]:
    """Late statements nobody has decided about, oldest first, `limit` rows after `after_id`; None: every procedure."""
    question = (
        select(Contribution)
        .where(
            Contribution.municipality_id == municipality_id,
            standing(None),
            col(Contribution.id) > after_id,
        )
        .order_by(col(Contribution.id))
        .limit(limit)
    )
    if procedure_ids is not None:
        question = question.where(col(Contribution.procedure_id).in_(procedure_ids))
    return list(session.exec(question).all())


def waiting_count(session: Session, municipality_id: int, procedure_ids: Sequence[int] | None = None) -> int:
    """How many late statements wait for a decision."""
    question = select(func.count(col(Contribution.id))).where(
        Contribution.municipality_id == municipality_id, standing(None)
    )
    if procedure_ids is not None:
        question = question.where(col(Contribution.procedure_id).in_(procedure_ids))
    return int(session.exec(question).one())
