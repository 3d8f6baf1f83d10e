"""Changes of a running procedure: longer, interrupted and resumed, repeated, ended early.

Each is a verb with a reason, an entry in the journal and a public version, and says that it has to be announced anew
(`Course.announce`): a period is never changed silently (law-and-standards R-2.9). What was handed in stays, and counts.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

from sqlmodel import Session

from consultations import schedule
from consultations.checks import Renewal, renewal
from consultations.deadlines import PhaseState, local_date
from consultations.permissions import Actor
from consultations.phases import (
    Announce,
    Course,
    Phase,
    PhaseKind,
    Track,
    note_extension,
    phases_of,
    planned_of,
)
from consultations.procedures import (
    Procedure,
    ProcedureState,
    frame_of,
    note_in_journal,
    record_change,
    require_planner,
    scheduled,
)
from consultations.refusals import Code, Refusal
from consultations.schedule import Consequence, Planned
from consultations.seats import Seat


@dataclass(frozen=True)
class Dates:
    """New days of a phase."""

    starts_on: date | None
    ends_on: date | None


@dataclass(frozen=True)
class Repetition:
    """What a changed draft asks for: the four answers of BauGB §4a(3) with their reason, and the new period.

    `is_obvious`: that the change touches nobody's interests is obvious; `affected_takes_longer`: asking only those
    affected would take longer than asking everybody.
    """

    what_changed: str
    reason: str
    touches_interests: bool
    is_obvious: bool
    touches_basics: bool
    affected_takes_longer: bool = False
    starts_on: date | None = None
    ends_on: date | None = None
    limited_to: str = ""
    with_agencies: bool = False

    @property
    def verdict(self) -> Renewal:
        """What follows from the answers (R-1.8)."""
        return renewal(
            touches_interests=self.touches_interests,
            is_obvious=self.is_obvious,
            touches_basics=self.touches_basics,
            affected_takes_longer=self.affected_takes_longer,
        )


def consequences_of(
    session: Session, procedure: Procedure, phase: Phase, dates: Dates, *, seat: Seat
) -> tuple[Consequence, ...]:
    """What new days of one phase change in the whole procedure; nothing is kept."""
    rows = phases_of(session, procedure.id or 0)
    now = [planned_of(row) for row in rows]
    then = [
        replace(each, starts_on=dates.starts_on, ends_on=dates.ends_on) if each.key == str(phase.id) else each
        for each in now
    ]
    return _compared(procedure, now, then, seat)


def consequences_of_repetition(
    session: Session, procedure: Procedure, phase: Phase, entered: Repetition, *, seat: Seat
) -> tuple[Consequence, ...]:
    """What a repetition brings; nothing is kept."""
    now = [planned_of(row) for row in phases_of(session, procedure.id or 0)]
    at = next(number for number, each in enumerate(now) if each.key == str(phase.id))
    new = Planned(
        "new", PhaseKind.REPEATED, phase.track, entered.starts_on, entered.ends_on, True, str(phase.id),
        _facts(entered),
    )  # fmt: skip
    return _compared(procedure, now, [*now[: at + 1], new, *now[at + 1 :]], seat)


def _compared(
    procedure: Procedure, now: Sequence[Planned], then: Sequence[Planned], seat: Seat
) -> tuple[Consequence, ...]:
    frame = frame_of(procedure)
    return schedule.consequences(schedule.plan(frame, now, seat=seat), schedule.plan(frame, then, seat=seat))


def extend(
    session: Session,
    procedure: Procedure,
    phase: Phase,
    ends_on: date,
    *,
    seat: Seat,
    by: Actor,
    now: datetime,
    note: str,
    expected_version: int,
) -> None:
    """A later last day for a phase that is running; the end announced first is remembered.

    Raises Refusal NOT_ALLOWED, CHANGED_MEANWHILE, REASON_REQUIRED, WRONG_STATE (not public), NOT_RUNNING,
    END_NOT_LATER and UNLAWFUL_DATES.
    """
    _may_change(procedure, by=by, note=note, expected_version=expected_version)
    _must_run(phase, now)
    if phase.ends_on is None:
        raise Refusal(Code.NOT_RUNNING, "ends_on")  # interrupted, or without an end: `resume` sets one
    if ends_on <= phase.ends_on:
        raise Refusal(Code.END_NOT_LATER, "ends_on", ends=phase.ends_on)
    before = phase.ends_on
    _set(session, procedure, phase, Dates(phase.starts_on, ends_on), seat)
    note_extension(phase, before)
    facts = {"from": before.isoformat(), "to": ends_on.isoformat()}
    _keep(session, procedure, phase, "phase_extended", by=by, now=now, note=note, facts=facts)


def interrupt(
    session: Session,
    procedure: Procedure,
    phase: Phase,
    *,
    by: Actor,
    now: datetime,
    note: str,
    expected_version: int,
) -> None:
    """Stop a running phase: it has no end until it is resumed. What arrives meanwhile is taken and in time.

    Raises as `extend`.
    """
    _may_change(procedure, by=by, note=note, expected_version=expected_version)
    _must_run(phase, now)
    if phase.course.is_interrupted:
        raise Refusal(Code.NOT_RUNNING, "phase")
    today = local_date(now)
    course = phase.course
    phase.course = replace(
        course,
        interrupted_on=today,
        end_before=phase.ends_on,
        resumed_on=None,
        resumed_until=None,
        began_on=course.began_on or phase.starts_on,
        announce=Announce.INTERRUPTION,
    )
    phase.ends_on = phase.effective_end = None
    facts = {"on": today.isoformat()}
    _keep(session, procedure, phase, "phase_interrupted", by=by, now=now, note=note, facts=facts)


def resume(
    session: Session,
    procedure: Procedure,
    phase: Phase,
    dates: Dates,
    *,
    seat: Seat,
    by: Actor,
    now: datetime,
    note: str,
    expected_version: int,
) -> None:
    """Let an interrupted phase run anew, with the whole period that the law prescribes.

    Raises as `extend`, and DATES_REVERSED; NOT_RUNNING when it is not interrupted.
    """
    _may_change(procedure, by=by, note=note, expected_version=expected_version)
    if not phase.course.is_interrupted:
        raise Refusal(Code.NOT_RUNNING, "phase")
    starts_on, ends_on = dates.starts_on, dates.ends_on
    if starts_on is None or ends_on is None or ends_on < starts_on:
        raise Refusal(Code.DATES_REVERSED, "ends_on")
    if starts_on < local_date(now):
        raise Refusal(Code.DATES_REVERSED, "starts_on")
    _set(session, procedure, phase, dates, seat)
    phase.course = replace(
        phase.course, resumed_on=starts_on, resumed_until=ends_on, announce=Announce.RESUMPTION
    )
    facts = {"from": starts_on.isoformat(), "to": ends_on.isoformat()}
    _keep(session, procedure, phase, "phase_resumed", by=by, now=now, note=note, facts=facts)


def end_early(
    session: Session,
    procedure: Procedure,
    phase: Phase,
    *,
    by: Actor,
    now: datetime,
    note: str,
    expected_version: int,
) -> None:
    """End a phase with this day, whatever was announced: the plan goes on without it, or begins it anew.

    A formal step that ends early proves nothing, so that the law's period has to be run again. Raises as `extend`.
    """
    _may_change(procedure, by=by, note=note, expected_version=expected_version)
    _must_run(phase, now)
    today = local_date(now)
    course = phase.course
    phase.course = replace(
        course,
        ended_early_on=today,
        end_before=phase.ends_on or course.end_before,
        began_on=course.began_on or phase.starts_on,
        announce=Announce.END,
    )
    if phase.starts_on and phase.starts_on > today:
        phase.starts_on = today
    phase.ends_on, phase.effective_end = today, None
    facts = {"on": today.isoformat()}
    _keep(session, procedure, phase, "phase_ended", by=by, now=now, note=note, facts=facts)


def repeat(
    session: Session,
    procedure: Procedure,
    phase: Phase,
    entered: Repetition,
    *,
    seat: Seat,
    by: Actor,
    now: datetime,
    expected_version: int,
) -> Phase | None:
    """Ask again after a change of the draft (BauGB §4a(3)); None where the answers say that nobody need be asked.

    The answers and their reason are kept in the journal either way. Raises as `extend`, and DATES_REVERSED.
    """
    _may_change(procedure, by=by, note=entered.reason, expected_version=expected_version)
    if not entered.what_changed.strip():
        raise Refusal(Code.REASON_REQUIRED, "what_changed")
    verdict = entered.verdict
    answers: dict[str, Any] = {
        "what_changed": entered.what_changed,
        "touches_interests": entered.touches_interests,
        "is_obvious": entered.is_obvious,
        "touches_basics": entered.touches_basics,
        "affected_takes_longer": entered.affected_takes_longer,
        "scope": verdict.scope,
    }
    if not verdict.is_needed:
        _keep(
            session,
            procedure,
            phase,
            "renewal_not_needed",
            by=by,
            now=now,
            note=entered.reason,
            facts=answers,
        )
        return None
    if entered.starts_on is None or entered.ends_on is None:
        raise Refusal(Code.RENEWAL_NEEDED, "starts_on" if entered.starts_on is None else "ends_on")
    if entered.ends_on < entered.starts_on:
        raise Refusal(Code.DATES_REVERSED, "ends_on")
    found = consequences_of_repetition(session, procedure, phase, entered, seat=seat)
    if schedule.is_blocked(found):
        raise Refusal(Code.UNLAWFUL_DATES, "starts_on")
    tracks = [Track(phase.track), *([Track.AGENCIES] if entered.with_agencies else [])]
    rows = phases_of(session, procedure.id or 0)
    at = rows.index(phase) + 1
    new = [_repetition(procedure, phase, entered, track) for track in dict.fromkeys(tracks)]
    for position, row in enumerate([*rows[:at], *new, *rows[at:]]):
        row.position = position
        session.add(row)
    session.flush()
    answers |= {"from": entered.starts_on.isoformat(), "to": entered.ends_on.isoformat()}
    _keep(session, procedure, new[0], "phase_repeated", by=by, now=now, note=entered.reason, facts=answers)
    return new[0]


def _repetition(procedure: Procedure, phase: Phase, entered: Repetition, track: Track) -> Phase:
    assert procedure.id is not None
    made = Phase(
        procedure_id=procedure.id,
        kind=PhaseKind.REPEATED.value,
        track=track.value,
        note=entered.what_changed.strip(),
        repeats_id=phase.id,
        limited_to=entered.limited_to.strip(),
        starts_on=entered.starts_on,
        ends_on=entered.ends_on,
        opens=phase.opens if track.value == phase.track else [],
        is_formal=True,
        facts=_facts(entered),
    )
    made.course = Course(announce=Announce.REPETITION)
    return made


def _facts(entered: Repetition) -> dict[str, Any]:
    """What the question of the law about a repetition wants to know, and whom it asks."""
    return {
        "change_touches_interests": entered.touches_interests,
        "obvious": entered.is_obvious,
        "scope": entered.verdict.scope,
    }


def _may_change(procedure: Procedure, *, by: Actor, note: str, expected_version: int) -> None:
    require_planner(by, procedure)
    if expected_version != procedure.version:
        raise Refusal(Code.CHANGED_MEANWHILE)
    if procedure.state != ProcedureState.PUBLISHED.value:
        raise Refusal(Code.WRONG_STATE, state=procedure.state)
    if not note.strip():
        raise Refusal(Code.REASON_REQUIRED, "note")


def _must_run(phase: Phase, now: datetime) -> None:
    if phase.state(now) is not PhaseState.OPEN:
        raise Refusal(Code.NOT_RUNNING, "phase")


def _set(session: Session, procedure: Procedure, phase: Phase, dates: Dates, seat: Seat) -> None:
    if schedule.is_blocked(consequences_of(session, procedure, phase, dates, seat=seat)):
        raise Refusal(Code.UNLAWFUL_DATES, "ends_on")
    phase.starts_on, phase.ends_on = dates.starts_on, dates.ends_on
    rows = phases_of(session, procedure.id or 0)
    (mine,) = (each for each in scheduled(procedure, rows, seat) if each.phase.key == str(phase.id))
    phase.effective_end = mine.effective_end


def _keep(
    session: Session,
    procedure: Procedure,
    phase: Phase,
    verb: str,
    *,
    by: Actor,
    now: datetime,
    note: str,
    facts: dict[str, Any],
) -> None:
    session.add(phase)
    session.flush()
    facts = {"phase": phase.id, "note": note, **facts}
    note_in_journal(session, procedure, verb, by=by, now=now, facts=facts)
    record_change(session, procedure, by=by, now=now, note=note)
