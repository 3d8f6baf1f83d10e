"""Other access to a displayed plan, asked for by somebody affected, and objections that came another way than electronically.

In a plan approval under the new law the plan lies on the internet only; whoever is affected may ask for another easy
access as long as the display runs, and gets it at once (VwVfG §73(1) S.2, law-and-standards R-1.15). Objections on paper
are kept like all others (§73(2) S.2, R-1.16): nothing here can refuse one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlmodel import Field, Session, SQLModel, col, func, select

from consultations import checks
from consultations.channels import E_FILE, EMAIL, Entry, entered_by
from consultations.checks import Duty
from consultations.contributions import Contribution, ContributionState, Kind
from consultations.deadlines import local_date
from consultations.permissions import Actor
from consultations.phases import Phase, PhaseKind
from consultations.procedures import PlanKind, Procedure, note_in_journal, require_planner
from consultations.refusals import Code, Refusal
from consultations.tables import UtcDateTime
from consultations.text import normalise


class AccessRequest(SQLModel, table=True):
    """Somebody affected asks for another way to the plan. Only the answer is filled in later."""

    __tablename__ = "access_request"

    id: int | None = Field(default=None, primary_key=True)
    phase_id: int = Field(foreign_key="phase.id", index=True)
    asked_on: date
    #: What is asked for, and how to reach the person; both in the words of who took it down.
    wish: str
    reached: str = ""
    recorded_at: datetime = Field(sa_type=UtcDateTime)
    recorded_by: str
    answered_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    answered_by: str = ""
    #: What was made available, or why not (only after the display).
    answer: str = ""


@dataclass(frozen=True)
class Asked:
    """A request with what follows from it."""

    row: AccessRequest
    duty: Duty

    @property
    def is_open(self) -> bool:
        """Something is due and nobody has answered."""
        return self.duty.is_due and self.row.answered_at is None


@dataclass(frozen=True)
class OnPaper:
    """An objection that came another way than electronically, with what follows from that."""

    id: int
    reference: str
    channel: str
    received_at: datetime
    is_late: bool
    duty: Duty


def may_be_asked(procedure: Procedure, phase: Phase) -> bool:
    """Whether the law gives a right to other access on request: displays of a plan approval, under both laws."""
    return procedure.plan_kind == PlanKind.PLAN_APPROVAL.value and phase.kind == PhaseKind.DISPLAY.value


def record(
    session: Session,
    procedure: Procedure,
    phase: Phase,
    *,
    asked_on: date,
    wish: str,
    reached: str,
    by: Actor,
    now: datetime,
) -> AccessRequest:
    """Take down that somebody asks for another way to the plan. Raises Refusal NOT_ALLOWED, REASON_REQUIRED ("wish"),
    WRONG_STATE (the phase gives no such right) and DATES_REVERSED ("asked_on", a day that is yet to come)."""
    require_planner(by, procedure)
    if not may_be_asked(procedure, phase):
        raise Refusal(Code.WRONG_STATE, state=phase.kind)
    if not wish.strip():
        raise Refusal(Code.REASON_REQUIRED, "wish")
    if asked_on > local_date(now):
        raise Refusal(Code.DATES_REVERSED, "asked_on")
    assert phase.id is not None
    row = AccessRequest(
        phase_id=phase.id,
        asked_on=asked_on,
        wish=normalise(wish, field="wish").strip(),
        reached=normalise(reached, field="reached").strip(),
        recorded_at=now,
        recorded_by=by.label,
    )
    session.add(row)
    session.flush()
    facts = {"phase": phase.id, "request": row.id, "asked_on": asked_on.isoformat()}
    note_in_journal(session, procedure, "other_access_asked", by=by, now=now, facts=facts)
    return row


def answer(
    session: Session, procedure: Procedure, row: AccessRequest, *, answer: str, by: Actor, now: datetime
) -> None:
    """Say what was made available. Raises Refusal NOT_ALLOWED, REASON_REQUIRED ("answer"), WRONG_STATE (answered)."""
    require_planner(by, procedure)
    if row.answered_at is not None:
        raise Refusal(Code.WRONG_STATE, state="answered")
    if not answer.strip():
        raise Refusal(Code.REASON_REQUIRED, "answer")
    row.answered_at, row.answered_by = now, by.label
    row.answer = normalise(answer, field="answer").strip()
    session.add(row)
    facts = {"phase": row.phase_id, "request": row.id}
    note_in_journal(session, procedure, "other_access_given", by=by, now=now, facts=facts)


def asked(session: Session, phase: Phase) -> list[Asked]:
    """The requests of a phase, open ones first, then the latest, each with what the law says of it."""
    rows = session.exec(
        select(AccessRequest).where(AccessRequest.phase_id == phase.id).order_by(col(AccessRequest.id).desc())
    ).all()
    found = [Asked(row, duty_of(phase, row)) for row in rows]
    return sorted(found, key=lambda each: not each.is_open)


def duty_of(phase: Phase, row: AccessRequest) -> Duty:
    """What follows from a request; the display lasts until the day the phase says, else until its end."""
    display_end = phase.facts.get("display_end")
    ends = date.fromisoformat(display_end) if isinstance(display_end, str) and display_end else phase.ends_on
    return checks.other_access_requested(phase.starts_on or row.asked_on, ends or row.asked_on, row.asked_on)


def open_counts(session: Session, phases: Sequence[Phase]) -> dict[int, int]:
    """How many requests of these phases wait for an answer, by phase; one query, none without a phase."""
    if not phases:
        return {}
    rows = session.exec(
        select(AccessRequest.phase_id, func.count())
        .where(
            col(AccessRequest.phase_id).in_([phase.id for phase in phases]),
            col(AccessRequest.answered_at).is_(None),
        )
        .group_by(col(AccessRequest.phase_id))
    ).all()
    return dict(rows)


def on_paper(session: Session, phase: Phase, *, limit: int = 50) -> list[OnPaper]:
    """Objections to a phase that came another way than electronically, the latest first."""
    ways = [channel.key for channel in entered_by(Entry.CLERK) if channel not in (EMAIL, E_FILE)]
    rows = session.exec(
        select(Contribution)
        .where(
            Contribution.phase_id == phase.id,
            Contribution.kind == Kind.STATEMENT.value,
            Contribution.state == ContributionState.RECEIVED.value,
            col(Contribution.channel).in_(ways),
        )
        .order_by(col(Contribution.id).desc())
        .limit(limit)
    ).all()
    return [
        OnPaper(
            row.id or 0, row.reference, row.channel, row.received_at, row.is_late,
            checks.objection_way(is_electronic=False, in_time=not row.is_late),
        )
        for row in rows
    ]  # fmt: skip
