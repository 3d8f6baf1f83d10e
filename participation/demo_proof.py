"""The proofs of the demo towns: what is frozen, a month of probes with one short outage, certificates, a late decision."""

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlmodel import Session

from consultations import availability, certificates, corrections, filing, frozen, lateness
from consultations.availability import Span
from consultations.contributions import Contribution
from consultations.deadlines import PhaseState
from consultations.documents import Document, DocumentKind, FileFacts
from consultations.lateness import Outcome
from consultations.permissions import Actor
from consultations.phases import Phase, phases_of
from consultations.procedures import Procedure

#: The pause between two probes of the invented month, and how long its one outage lasted.
PAUSE = timedelta(minutes=5)
OUTAGE = timedelta(minutes=35)


def add_or_correct(
    session: Session,
    procedure: Procedure,
    file: FileFacts,
    *,
    title: str,
    kind: DocumentKind,
    by: Actor,
    now: datetime,
    document: Document | None,
    note: str,
) -> None:
    """A document or its next version; where it lies open, a correction note with its announcement."""
    if document is not None and frozen.held(session, document.id or 0, now):
        made = corrections.correct(session, procedure, document, file, note=note, by=by, now=now)
        where = f"Amtsblatt und Aushang am {now:%d.%m.%Y}"
        corrections.announced(session, made, announcement=where, by=by, now=now)
        return
    filing.add_document(
        session, procedure, file, title=title, kind=kind, by=by, now=now, document=document, note=note
    )


def freeze(session: Session, procedure: Procedure, kind: str, *, by: Actor, now: datetime) -> None:
    """Freeze for the formal phase of this kind, unless its release has done so or it has no documents yet."""
    phase = _phase(session, procedure, kind)
    if phase.state(now) is not PhaseState.OVER:
        frozen.freeze(session, procedure=procedure, phase=phase, by=by, now=now)


def probe(session: Session, procedure: Procedure, kind: str, *, until: datetime) -> None:
    """What probes every five minutes would have found: all well, but for half an hour one night and one restart."""
    phase = _phase(session, procedure, kind)
    last_day = phase.effective_end or phase.ends_on
    if phase.starts_on is None or last_day is None or phase.id is None:
        return
    begins, ends = availability.limits(phase.starts_on, last_day)
    ends = min(ends, until.astimezone(UTC)) - PAUSE / 2
    down = begins + timedelta(days=3, hours=2, minutes=10)
    stopped = begins + timedelta(days=8, hours=4)
    for each in [None, *frozen.of_phase(session, phase.id)]:
        starts = max(begins, each.row.online_from) if each else begins
        for problem, since, to in (
            ("", starts, down),
            ("unreachable", down, down + OUTAGE),
            ("", down + OUTAGE, stopped),
            ("", stopped + timedelta(minutes=50), ends),
        ):
            since, to = max(since, starts), min(to, ends)
            if to - since >= PAUSE:
                session.add(
                    Span(
                        phase_id=phase.id,
                        version_id=each.version.id if each else None,
                        problem=problem,
                        began_at=since,
                        last_at=to - PAUSE,
                        probes=int((to - since) / PAUSE),
                        told_at=since + PAUSE if problem else None,
                    )
                )
    session.flush()


def certify(session: Session, procedure: Procedure, kind: str, *, by: Actor, now: datetime, url: str) -> None:
    """Issue a certificate about the phase of this kind."""
    phase = _phase(session, procedure, kind)
    certificates.issue(session, procedure, phase, by=by, now=now, url=url, probe_minutes=5)


def decide(
    session: Session, contribution: Contribution, told: dict[str, Any], *, by: Actor, now: datetime
) -> None:
    """Decide about a late statement as told: `answers`, `outcome`, `reason`."""
    lateness.decide(
        session,
        contribution,
        answers=told["answers"],
        outcome=Outcome(told["outcome"]),
        reason=told["reason"],
        by=by,
        now=now,
    )


def _phase(session: Session, procedure: Procedure, kind: str) -> Phase:
    return next(each for each in phases_of(session, procedure.id or 0) if each.kind == kind)
