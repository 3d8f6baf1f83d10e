"""What happens to consultations themselves, for everybody to read: looked up from what is on record, noted once.

A phase begins, ends soon or is extended; a document is new or corrected; an announcement is out; all is concluded. Time
brings some of it, and others come about in many rooms: so nobody has to think of telling it, and nothing is told twice
(`Happening.key`). What is older than some days is no news, also when this looks for the first time.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlmodel import Session, col, or_, select

from consultations import announcements, happenings, journal
from consultations.deadlines import PhaseState, local_date
from consultations.documents import Document, DocumentVersion
from consultations.happenings import Happening, Kind
from consultations.permissions import Actor
from consultations.phases import Phase, Track
from consultations.procedures import PUBLIC_STATES, Procedure, ProcedureState, ProcedureVersion

#: So many days before its last day it is said that a phase ends soon; of phases that are longer than that.
SOON = timedelta(days=7)
#: What happened longer ago is no news.
FRESH = timedelta(days=2)


@dataclass(frozen=True)
class Found:
    """Something to tell of a consultation; `key` is another one for each thing that happens to it."""

    procedure: Procedure
    kind: Kind
    key: str
    facts: dict[str, Any] = field(default_factory=dict)


def waiting(session: Session, now: datetime, *, municipality_id: int | None = None) -> list[Found]:
    """What happened and is not noted yet, everywhere or in one municipality; five queries."""
    found = [
        *_of_phases(session, now),
        *_of_documents(session, now),
        *_of_announcements(session, now),
        *_concluded(session, now),
    ]
    if municipality_id is not None:
        found = [each for each in found if each.procedure.municipality_id == municipality_id]
    known = set(
        session.exec(
            select(Happening.procedure_id, Happening.key).where(
                col(Happening.procedure_id).in_({each.procedure.id for each in found}),
                col(Happening.key).in_({each.key for each in found}),
            )
        ).all()
    )
    return [each for each in found if (each.procedure.id, each.key) not in known]


def note_waiting(session: Session, *, by: Actor, now: datetime, municipality_id: int | None = None) -> int:
    """Note all of it, each with its entry in the journal. Returns how much it was."""
    found = waiting(session, now, municipality_id=municipality_id)
    for town in sorted({each.procedure.municipality_id for each in found}):
        journal.hold(session, town)
    if found:
        # Another worker may have noted it meanwhile.
        found = waiting(session, now, municipality_id=municipality_id)
    for each in found:
        procedure = each.procedure
        row = happenings.note_of_procedure(
            session,
            municipality_id=procedure.municipality_id,
            procedure_id=procedure.id or 0,
            district=procedure.district,
            kind=each.kind,
            key=each.key,
            now=now,
            facts=each.facts,
        )
        journal.append(
            session,
            municipality_id=procedure.municipality_id,
            verb="procedure_news",
            by=by,
            at=now,
            procedure_id=procedure.id,
            facts={"happening": row.id, "kind": each.kind.value},
        )
    return len(found)


def _of_phases(session: Session, now: datetime) -> Iterator[Found]:
    today = local_date(now)
    rows = session.exec(
        select(Phase, Procedure)
        .join(Procedure, col(Procedure.id) == Phase.procedure_id)
        .where(
            Procedure.state == ProcedureState.PUBLISHED.value,
            Phase.track != Track.AGENCIES.value,
            col(Phase.starts_on) <= today,
            or_(col(Phase.ends_on).is_(None), col(Phase.ends_on) >= today - FRESH),
        )
        .order_by(col(Phase.id))
    ).all()
    for phase, procedure in rows:
        if phase.state(now) is not PhaseState.OPEN or phase.starts_on is None:
            continue
        last = max((day for day in (phase.ends_on, phase.effective_end) if day), default=None)
        told = {"phase": phase.id, "title": phase.title, "phase_kind": phase.kind}
        told["until"] = last.isoformat() if last and phase.opens else ""
        if today - phase.starts_on <= FRESH:
            yield Found(procedure, Kind.BEGINS, f"begins:{phase.id}:{phase.starts_on}", told)
        if last is None or not phase.opens:
            continue
        if phase.course.extended_from is not None and phase.course.extended_from < last:
            yield Found(procedure, Kind.EXTENDED, f"extended:{phase.id}:{last}", told)
        if last - today <= SOON and last - phase.starts_on > SOON:
            yield Found(procedure, Kind.ENDS_SOON, f"ends:{phase.id}:{last}", told)


def _of_documents(session: Session, now: datetime) -> Iterator[Found]:
    rows = session.exec(
        select(DocumentVersion, Document, Procedure)
        .join(Document, col(Document.id) == DocumentVersion.document_id)
        .join(Procedure, col(Procedure.id) == Document.procedure_id)
        .where(
            col(DocumentVersion.uploaded_at) >= now - FRESH,
            # What was there when it was published belongs to its beginning.
            col(DocumentVersion.uploaded_at) > col(Procedure.published_at),
            col(Document.is_withdrawn).is_(False),
            col(Procedure.state).in_(PUBLIC_STATES),
        )
        .order_by(col(DocumentVersion.id))
    ).all()
    for version, document, procedure in rows:
        told = {"title": document.title, "number": version.number, "document_kind": document.kind}
        yield Found(procedure, Kind.DOCUMENT, f"document:{document.id}:{version.number}", told)


def _of_announcements(session: Session, now: datetime) -> Iterator[Found]:
    for version, procedure in announcements.newly_public(session, local_date(now) - FRESH, now):
        yield Found(procedure, Kind.ANNOUNCED, f"announcement:{version.id}", {"announcement": version.id})


def _concluded(session: Session, now: datetime) -> Iterator[Found]:
    finished = (ProcedureState.CONCLUDED.value, ProcedureState.WITHDRAWN.value)
    rows = session.exec(
        select(Procedure).where(
            col(Procedure.state).in_(finished),
            select(ProcedureVersion.id)
            .where(ProcedureVersion.procedure_id == Procedure.id, col(ProcedureVersion.at) >= now - FRESH)
            .exists(),
        )
    ).all()
    for procedure in rows:
        yield Found(procedure, Kind.FINISHED, f"finished:{procedure.state}", {"state": procedure.state})
