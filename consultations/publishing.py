"""The public sees a procedure, or is told that it is over: published, concluded, withdrawn, and every version kept."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import func
from sqlmodel import Session, col, select

from consultations import journal
from consultations.permissions import Actor
from consultations.phases import phases_of
from consultations.procedures import (
    Procedure,
    ProcedureState,
    ProcedureVersion,
    note_in_journal,
    record_change,
    require_planner,
)
from consultations.refusals import Code, Refusal

#: Which state may follow which.
TRANSITIONS: dict[ProcedureState, frozenset[ProcedureState]] = {
    ProcedureState.DRAFT: frozenset({ProcedureState.PUBLISHED}),
    ProcedureState.PUBLISHED: frozenset({ProcedureState.CONCLUDED, ProcedureState.WITHDRAWN}),
    ProcedureState.CONCLUDED: frozenset({ProcedureState.PUBLISHED}),
    ProcedureState.WITHDRAWN: frozenset({ProcedureState.PUBLISHED}),
}


def missing_for_publication(session: Session, procedure: Procedure) -> tuple[str, ...]:
    """What a consultation still lacks before the public may see it: field names, in order of the form.

    The least, whatever the law adds: people must know what it is about, where, when, and whom to ask, and
    there must be a way to take part that needs no computer (BayDiG Art. 12, BauGB §3(2) S.2).
    """
    assert procedure.id is not None
    phases = phases_of(session, procedure.id)
    opening = [phase for phase in phases if phase.ways]
    lacks = {
        "summary": not procedure.summary.strip(),
        "location_words": not procedure.location_words.strip(),
        "phases": not any(phase.starts_on and phase.ends_on for phase in opening),
        "contact": not (procedure.contact.get("phone") and procedure.contact.get("name")),
        "access_options": not any(option.get("place") for option in procedure.access_options),
    }
    return tuple(name for name, missing in lacks.items() if missing)


def publish(session: Session, procedure: Procedure, *, by: Actor, now: datetime) -> Procedure:
    """Show a draft (or a concluded or withdrawn procedure again) to the public.

    Raises Refusal NOT_ALLOWED, WRONG_STATE, NOT_READY with `missing` (field names).
    """
    require_planner(by, procedure)
    missing = missing_for_publication(session, procedure)
    if missing:
        raise Refusal(Code.NOT_READY, missing[0], missing=", ".join(missing))
    _move(procedure, ProcedureState.PUBLISHED)
    procedure.published_at = procedure.published_at or now
    session.add(procedure)
    note_in_journal(session, procedure, "procedure_published", by=by, now=now, facts={})
    record_change(session, procedure, by=by, now=now, note="")
    return procedure


def conclude(session: Session, procedure: Procedure, *, by: Actor, now: datetime, note: str) -> Procedure:
    """Say that a procedure has come to its end; it stays readable. Raises Refusal WRONG_STATE, REASON_REQUIRED."""
    return _finish(session, procedure, ProcedureState.CONCLUDED, by=by, now=now, note=note)


def withdraw(session: Session, procedure: Procedure, *, by: Actor, now: datetime, note: str) -> Procedure:
    """Give a procedure up; it stays readable. Raises Refusal WRONG_STATE, REASON_REQUIRED."""
    return _finish(session, procedure, ProcedureState.WITHDRAWN, by=by, now=now, note=note)


def _finish(
    session: Session, procedure: Procedure, state: ProcedureState, *, by: Actor, now: datetime, note: str
) -> Procedure:
    require_planner(by, procedure)
    if not note.strip():
        raise Refusal(Code.REASON_REQUIRED, "note")
    _move(procedure, state)
    note_in_journal(session, procedure, f"procedure_{state.value}", by=by, now=now, facts={"note": note})
    record_change(session, procedure, by=by, now=now, note=note)
    return procedure


def _move(procedure: Procedure, state: ProcedureState) -> None:
    if state not in TRANSITIONS[ProcedureState(procedure.state)]:
        raise Refusal(Code.WRONG_STATE, state=procedure.state)
    procedure.state = state.value


# --- questions -------------------------------------------------------------------------------------


def versions_of(session: Session, procedure_id: int) -> list[ProcedureVersion]:
    """What the public could read, newest first."""
    return list(
        session.exec(
            select(ProcedureVersion)
            .where(ProcedureVersion.procedure_id == procedure_id)
            .order_by(col(ProcedureVersion.number).desc())
        ).all()
    )


def changed_at(session: Session, procedure_ids: Sequence[int]) -> dict[int, datetime]:
    """When what the public reads of these procedures was last changed, by procedure id; one query."""
    rows = session.exec(
        select(ProcedureVersion.procedure_id, func.max(ProcedureVersion.at))
        .where(col(ProcedureVersion.procedure_id).in_(procedure_ids))
        .group_by(col(ProcedureVersion.procedure_id))
    ).all()
    return dict(rows)


def closing_words(session: Session, procedure_ids: Sequence[int]) -> dict[int, str]:
    """What was said when these procedures were last concluded or withdrawn, by procedure id; one query."""
    rows = session.exec(
        select(journal.JournalEntry)
        .where(
            col(journal.JournalEntry.procedure_id).in_(procedure_ids),
            col(journal.JournalEntry.verb).in_(("procedure_concluded", "procedure_withdrawn")),
        )
        .order_by(col(journal.JournalEntry.id))
    ).all()
    return {row.procedure_id: str(row.facts["note"]) for row in rows if row.procedure_id is not None}
