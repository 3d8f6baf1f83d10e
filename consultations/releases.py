"""The release of a formal phase: what was checked, who gave which reason, and what the law's computation said.

A phase that the law wants announced (`Phase.needs_release`) opens for the public only once it is released, whatever its
dates. Releasing runs `checks` and refuses on any BLOCK and on any WARN for which nobody has recorded a reason.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import UniqueConstraint
from sqlmodel import Field, Session, SQLModel, col, select

from consultations import announcements, checks, corrections, frozen, privacy
from consultations.announcements import Entered
from consultations.checks import Announced, DocumentFacts, Finding, Situation
from consultations.deadlines import local_date
from consultations.documents import documents_of
from consultations.law import Severity
from consultations.municipalities import Municipality
from consultations.permissions import SYSTEM, Actor
from consultations.phases import Announce, Phase
from consultations.procedures import (
    Procedure,
    ProcedureState,
    note_in_journal,
    record_change,
    require_planner,
)
from consultations.refusals import Code, Refusal
from consultations.seats import Seat
from consultations.tables import Json, UtcDateTime
from consultations.text import normalise


class CheckWaiver(SQLModel, table=True):
    """Why somebody goes on in spite of a WARN. Never changed; a newer reason for the same finding counts."""

    __tablename__ = "check_waiver"

    id: int | None = Field(default=None, primary_key=True)
    phase_id: int = Field(foreign_key="phase.id", index=True)
    #: `checks.Finding.key`: the code and what exactly was found.
    finding: str
    source: str
    #: What was found, as the planner read it.
    words: str
    reason: str
    by: str
    by_name: str
    at: datetime = Field(sa_type=UtcDateTime)


class Release(SQLModel, table=True):
    """A phase was released: with these dates, this computation, these findings and reasons. Never changed."""

    __tablename__ = "phase_release"
    __table_args__ = (UniqueConstraint("phase_id", "number"),)

    id: int | None = Field(default=None, primary_key=True)
    procedure_id: int = Field(foreign_key="procedure.id", index=True)
    phase_id: int = Field(foreign_key="phase.id")
    number: int
    released_at: datetime = Field(sa_type=UtcDateTime)
    released_by: str
    released_by_name: str
    starts_on: date
    ends_on: date
    effective_end: date
    law_version: str = ""
    #: The engine's whole `explanation()`.
    explanation: dict[str, Any] = Field(default_factory=dict, sa_type=Json)
    #: Every finding as it stood, with the reason that was given: [{"code", "severity", …, "reason", "by"}].
    findings: list[dict[str, Any]] = Field(default_factory=list, sa_type=Json)
    announcement_id: int | None = Field(default=None, foreign_key="announcement.id")


# --- looking -------------------------------------------------------------------------------------------------------


def situation(
    session: Session,
    municipality: Municipality,
    procedure: Procedure,
    phase: Phase,
    *,
    address: str,
    now: datetime,
) -> Situation:
    """Everything that the checks look at, from what is on record.

    `address`: of the consultation on the internet.
    """
    assert procedure.id is not None
    assert phase.id is not None
    versions = announcements.versions_of(session, phase.id)
    newest = versions[0] if versions else None
    entered: Entered = announcements.entered_of(newest)
    known = announcements.particulars(session, municipality, procedure, phase, entered, address=address)
    acts = announcements.as_checked(
        announcements.acts_of(session, phase.id), {each.id or 0: each.number for each in versions}
    )
    contact = {**municipality.contact, **{key: value for key, value in procedure.contact.items() if value}}
    documents = tuple(
        DocumentFacts(
            document.id or 0,
            document.kind,
            document.title,
            files[0].sha256,
            bool(files[0].text.strip()),
            names_in(files[0].text),
            tuple(sorted(files[0].says.items())),
        )
        for document, files in documents_of(session, procedure.id)
        if not document.is_withdrawn and files and document.kind not in ("announcement", "result")
    )
    looked_at = Situation(
        known=known,
        today=local_date(now),
        documents=documents,
        announced=Announced(
            newest.number, newest.text, newest.starts_on, newest.ends_on, tuple(newest.places)
        )
        if newest
        else None,
        acts=acts,
        has_phone_or_email=bool(contact.get("phone") or contact.get("email")),
        has_area=procedure.plan_area is not None,
        is_examined=entered.is_examined,
        is_released=phase.released_at is not None,
        unannounced=tuple(
            (each.id or 0, each.note)
            for each in corrections.open_demands(session, procedure.id)
            if each.phase_id == phase.id
        ),
    )
    return replace(
        looked_at,
        answer=checks.period(
            known.case,
            phase.starts_on,
            phase.ends_on,
            seat=Seat.from_data(municipality.calendar),
            announced_on=checks.decisive_day(
                (act for act in acts if newest and act.version == newest.number), known.case
            ),
            facts={name: fact for name, fact in phase.facts.items() if name != "course"},
        ),
    )


@lru_cache(maxsize=64)  # the list is looked at again and again while a planner works it off
def names_in(text: str) -> tuple[str, ...]:
    """Passages of a document's text that may give a person away, each once, in order."""
    return tuple(dict.fromkeys(" ".join(hint.words.split()) for hint in privacy.hints(text)))


def waivers_of(session: Session, phase_id: int) -> dict[str, CheckWaiver]:
    """The newest reason for each finding of a phase, by `Finding.key`."""
    rows = session.exec(
        select(CheckWaiver).where(CheckWaiver.phase_id == phase_id).order_by(col(CheckWaiver.id))
    ).all()
    return {row.finding: row for row in rows}


def releases_of(session: Session, phase_id: int) -> list[Release]:
    """The releases of a phase, newest first; more than one after an extension."""
    return list(
        session.exec(
            select(Release).where(Release.phase_id == phase_id).order_by(col(Release.number).desc())
        ).all()
    )


# --- acting --------------------------------------------------------------------------------------------------------


def waive(
    session: Session,
    procedure: Procedure,
    phase: Phase,
    finding: Finding,
    *,
    reason: str,
    by: Actor,
    now: datetime,
) -> CheckWaiver:
    """Record why a person goes on in spite of a WARN.

    Raises Refusal NOT_ALLOWED (also for the software itself: a reason has a name), BLOCK_STANDS (not a WARN),
    REASON_REQUIRED.
    """
    require_planner(by, procedure)
    if by.person_id is None:
        raise Refusal(Code.NOT_ALLOWED)
    if finding.severity is not Severity.WARN:
        raise Refusal(Code.BLOCK_STANDS, "reason")
    reason = normalise(reason, field="reason").strip()
    if not reason:
        raise Refusal(Code.REASON_REQUIRED, "reason")
    assert phase.id is not None
    row = CheckWaiver(
        phase_id=phase.id,
        finding=finding.key,
        source=finding.source,
        words=finding.title.de,
        reason=reason,
        by=by.label,
        by_name=by.name,
        at=now,
    )
    session.add(row)
    session.flush()
    note_in_journal(
        session,
        procedure,
        "check_waived",
        by=by,
        now=now,
        facts={"phase": phase.id, "finding": finding.key, "source": finding.source, "reason": reason},
    )
    return row


def release(
    session: Session,
    municipality: Municipality,
    procedure: Procedure,
    phase: Phase,
    *,
    address: str,
    by: Actor,
    now: datetime,
) -> Release:
    """Open a phase for the public from its first day on; again after an extension with its new announcement.

    Raises Refusal NOT_ALLOWED, WRONG_STATE (the procedure is not public), NOTHING_TO_RELEASE (informal, or released
    already with these days), NOT_READY with `missing` (codes of what stands in the way).
    """
    require_planner(by, procedure)
    if procedure.state != ProcedureState.PUBLISHED.value:
        raise Refusal(Code.WRONG_STATE, state=procedure.state)
    assert phase.id is not None
    earlier = releases_of(session, phase.id)
    days = (phase.starts_on, phase.ends_on)
    if not phase.needs_release or (phase.released_at and (not earlier or _days(earlier[0]) == days)):
        raise Refusal(Code.NOTHING_TO_RELEASE)
    looked_at = situation(session, municipality, procedure, phase, address=address, now=now)
    found = checks.check(looked_at)
    waivers = waivers_of(session, phase.id)
    in_the_way = checks.open_findings(found, {key: row.reason for key, row in waivers.items()})
    if in_the_way:
        raise Refusal(Code.NOT_READY, missing=", ".join(finding.code for finding in in_the_way))
    assert phase.starts_on is not None
    assert phase.ends_on is not None
    answer = looked_at.answer
    law_end = answer.effective_end.day if answer and answer.effective_end else phase.ends_on
    phase.effective_end = law_end if law_end > phase.ends_on else None
    phase.released_at = phase.released_at or now
    if phase.course.announce:  # what had to be announced anew now is
        phase.course = replace(phase.course, announce=Announce.NOTHING)
    session.add(phase)
    newest = announcements.newest(session, phase.id)
    row = Release(
        procedure_id=phase.procedure_id,
        phase_id=phase.id,
        number=len(earlier) + 1,
        released_at=now,
        released_by=by.label,
        released_by_name=by.name,
        starts_on=phase.starts_on,
        ends_on=phase.ends_on,
        effective_end=max(law_end, phase.ends_on),
        law_version=procedure.law_version or ", ".join(answer.law_versions if answer else ()),
        explanation=answer.explanation() if answer else {},
        findings=[finding.as_data() | _reason(waivers.get(finding.key)) for finding in found],
        announcement_id=newest.id if newest else None,
    )
    session.add(row)
    session.flush()
    frozen.freeze(session, procedure=procedure, phase=phase, by=by, now=now)
    note_in_journal(
        session,
        procedure,
        "phase_released",
        by=by,
        now=now,
        facts={
            "phase": phase.id,
            "release": row.id,
            "starts_on": row.starts_on.isoformat(),
            "ends_on": row.ends_on.isoformat(),
            "effective_end": row.effective_end.isoformat(),
            "announcement": row.announcement_id,
            "findings": row.findings,
        },
    )
    record_change(session, procedure, by=by, now=now, note="")
    return row


def _days(row: Release) -> tuple[date, date]:
    return row.starts_on, row.ends_on


def _reason(waiver: CheckWaiver | None) -> dict[str, str]:
    if waiver is None:
        return {}
    return {"reason": waiver.reason, "by": waiver.by_name or waiver.by, "at": waiver.at.isoformat()}


def adopt(
    session: Session,
    procedure: Procedure,
    phase: Phase,
    *,
    reason: str,
    by: Actor,
    now: datetime,
    released_at: datetime | None = None,
) -> None:
    """Take over a phase that was announced outside this software (an import, a procedure begun on paper).

    Nothing is checked, and the journal says why. For the server's own console only. Raises Refusal NOT_ALLOWED,
    REASON_REQUIRED.
    """
    if by.label != SYSTEM.label or by.person_id is not None:
        raise Refusal(Code.NOT_ALLOWED)
    if not reason.strip():
        raise Refusal(Code.REASON_REQUIRED, "reason")
    phase.released_at = released_at or now
    session.add(phase)
    session.flush()
    facts = {"phase": phase.id, "reason": reason.strip()}
    note_in_journal(session, procedure, "phase_adopted", by=by, now=now, facts=facts)
