"""Certificates of publication: what lay open, since when, until when, and how that is known.

A certificate is frozen: its content is one canonical JSON text, kept with its SHA-256 and sealed in the journal. Whatever
changes afterwards, it says what was on record at the moment it was issued; a new one takes the place of an old one only
in the reader's mind. While the period runs it is *preliminary*, afterwards *final*. Its number is public: anybody can
type it at `/nachweis` and read what the certificate says and whether the record still agrees with it.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Text, UniqueConstraint, func
from sqlmodel import Field, Session, SQLModel, col, select

from consultations import announcements, availability, corrections, frozen, journal, periods
from consultations.availability import Report, Stretch
from consultations.computation import Impossible
from consultations.contributions import CODE_ALPHABET
from consultations.deadlines import LEGAL_TIME, PhaseState, local_date
from consultations.frozen import Frozen
from consultations.journal import JournalEntry
from consultations.municipalities import Municipality
from consultations.permissions import Actor
from consultations.phases import Phase
from consultations.procedures import Procedure, ProcedureState, require_planner
from consultations.refusals import Code, Refusal
from consultations.seats import Seat
from consultations.tables import UtcDateTime

#: Name of the form of the content, so that a reader of 2040 knows what they have.
FORMAT = "digilog-certificate-1"


class Certificate(SQLModel, table=True):
    """A certificate as it was issued. Never changed, never deleted."""

    __tablename__ = "certificate"
    __table_args__ = (UniqueConstraint("municipality_id", "number"),)

    id: int | None = Field(default=None, primary_key=True)
    municipality_id: int = Field(foreign_key="municipality.id")
    procedure_id: int = Field(foreign_key="procedure.id")
    phase_id: int = Field(foreign_key="phase.id", index=True)
    number: str
    is_final: bool
    #: Canonical JSON: sorted keys, no spaces, UTF-8.
    payload: str = Field(sa_type=Text)
    sha256: str
    issued_at: datetime = Field(sa_type=UtcDateTime)
    issued_by: str


def issue(
    session: Session,
    procedure: Procedure,
    phase: Phase,
    *,
    by: Actor,
    now: datetime,
    url: str = "",
    probe_minutes: int | None = None,
) -> Certificate:
    """Certify what is on record about the publication of a formal phase. `url`: the public address of the consultation.

    Raises Refusal NOT_ALLOWED, and WRONG_STATE where nothing was ever frozen for the phase or the procedure is a draft.
    """
    require_planner(by, procedure)
    assert procedure.id is not None
    assert phase.id is not None
    shown = frozen.of_phase(session, phase.id)
    if procedure.state == ProcedureState.DRAFT.value or not phase.is_formal or not shown:
        raise Refusal(Code.WRONG_STATE, state="not_frozen")
    # The row is locked: numbers are counted up without gaps, one after the other.
    town = session.exec(
        select(Municipality).where(Municipality.id == procedure.municipality_id).with_for_update()
    ).one()
    number = _next_number(session, procedure.municipality_id, now)
    is_final = phase.state(now) is PhaseState.OVER
    content = _content(
        session, town, procedure, phase, shown, by=by, now=now, url=url, probe_minutes=probe_minutes
    )
    payload = canonical({"number": number, "final": is_final, **content})
    certificate = Certificate(
        municipality_id=procedure.municipality_id,
        procedure_id=procedure.id,
        phase_id=phase.id,
        number=number,
        is_final=is_final,
        payload=payload,
        sha256=hashlib.sha256(payload.encode()).hexdigest(),
        issued_at=now,
        issued_by=by.label,
    )
    session.add(certificate)
    session.flush()
    journal.append(
        session,
        municipality_id=procedure.municipality_id,
        verb="certificate_issued",
        by=by,
        at=now,
        procedure_id=procedure.id,
        subject=f"certificate:{certificate.id}",
        facts={"number": number, "final": is_final, "sha256": certificate.sha256, "phase": phase.id},
    )
    return certificate


#: What became of the phase after it had begun, as far as it has a day: fields of `Course`.
COURSE = ("extended_from", "interrupted_on", "began_on", "resumed_on", "ended_early_on", "end_before")


def canonical(value: Mapping[str, Any]) -> str:
    """JSON in one spelling: sorted keys, no spaces, nothing escaped that need not be."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _next_number(session: Session, municipality_id: int, now: datetime) -> str:
    """ "2027-0003-KTH4": the year, a number counted up, and four characters that catch a slip of the pen."""
    year = local_date(now).year
    count = session.exec(
        select(func.count()).where(
            Certificate.municipality_id == municipality_id, col(Certificate.number).startswith(f"{year}-")
        )
    ).one()
    stem = f"{year}-{count + 1:04d}"
    return f"{stem}-{check_characters(municipality_id, stem)}"


def check_characters(municipality_id: int, stem: str) -> str:
    """Four characters that follow from the rest of a number. No secret: they only tell a mistyped number."""
    rest = int.from_bytes(hashlib.sha256(f"{municipality_id}/{stem}".encode()).digest()[:8], "big")
    found = ""
    for _ in range(4):
        rest, at = divmod(rest, len(CODE_ALPHABET))
        found += CODE_ALPHABET[at]
    return found


# --- what it says ----------------------------------------------------------------------------------


def moment(at: datetime) -> str:
    """A moment in legal time with its offset, to the second: "2027-03-28T03:00:00+02:00"."""
    return at.astimezone(LEGAL_TIME).isoformat(timespec="seconds")


def _content(
    session: Session,
    town: Municipality,
    procedure: Procedure,
    phase: Phase,
    shown: Sequence[Frozen],
    *,
    by: Actor,
    now: datetime,
    url: str,
    probe_minutes: int | None,
) -> dict[str, Any]:
    seat = Seat.from_data(town.calendar)
    report = availability.report(session, phase, seat, now=now)
    head = session.exec(
        select(JournalEntry)
        .where(JournalEntry.municipality_id == town.id)
        .order_by(col(JournalEntry.sequence).desc())
        .limit(1)
    ).first()
    assert phase.id is not None
    versions = {each.id: each for each in announcements.versions_of(session, phase.id)}
    restarts = [
        each for each in corrections.of_procedure(session, procedure.id or 0) if each.phase_id == phase.id
    ]
    return {
        "format": FORMAT,
        "issued": {"at": moment(now), "by": by.name or by.label},
        "municipality": {"key": town.key, "name": town.name, "authority": town.authority or town.name},
        "procedure": {
            "key": procedure.key,
            "title": procedure.title,
            "plan_kind": procedure.plan_kind,
            "variant": procedure.variant,
            "law_version": procedure.law_version,
            "place": procedure.location_words,
            "url": url,
        },
        "phase": {
            "kind": phase.kind,
            "track": phase.track,
            "title": phase.title,
            "limited_to": phase.limited_to,
            "starts_on": _day(phase.starts_on),
            "ends_on": _day(phase.ends_on),
            "effective_end": _day(phase.effective_end or phase.ends_on),
            "course": {name: _day(getattr(phase.course, name)) for name in COURSE},
        },
        "computation": _computation(procedure, phase, seat, shown),
        "documents": [_document(each, phase) for each in shown],
        "corrections": [
            {
                "way": each.way,
                "at": moment(each.at),
                "note": each.note,
                "frozen": each.frozen_id,
                "earlier_start": _day(each.earlier_start),
                "earlier_end": _day(each.earlier_end),
                "announced_at": moment(each.announced_at) if each.announced_at else None,
                "announcement": each.announcement,
            }
            for each in restarts
        ],
        "announcements": [
            {
                "version": versions[act.announcement_id].number,
                "medium": act.medium,
                "date": _day(act.day),
                "issue": act.issue,
                "evidence": act.filename,
                "sha256": act.sha256,
            }
            for act in announcements.acts_of(session, phase.id)
        ],
        "access_options": [dict(option) for option in procedure.access_options],
        "availability": _availability(report, probe_minutes),
        "journal": {"sequence": head.sequence, "hash": head.hash} if head else None,
    }


def _day(day: Any) -> str | None:
    return day.isoformat() if day else None


def _computation(
    procedure: Procedure, phase: Phase, seat: Seat, shown: Sequence[Frozen]
) -> dict[str, Any] | None:
    """The engine's whole answer; None where no law prescribes a period, or no calendar is known."""
    online = [each.row.online_from for each in shown if each.row.left_by != "restarted"]
    begins = phase.starts_on
    # Only what was put online on the first day or later moves the start (`start_after_late_upload`).
    since = min(online, default=None)
    if since is not None and begins is not None and local_date(since) < begins:
        since = None
    try:
        answer = periods.ask_about(procedure, phase, seat, online_since=since)
    except Impossible:
        return None
    return {
        "question": answer.question,
        "seat": seat.name or None,
        "calendar": {"subdivision": seat.subdivision, "categories": list(seat.categories)},
        "online_since": moment(since) if since else None,
        "results": answer.as_data(),
        **answer.explanation(),
    }


def _document(each: Frozen, phase: Phase) -> dict[str, Any]:
    row, version = each.row, each.version
    last = phase.effective_end or phase.ends_on
    whole = False
    if phase.starts_on and last:
        begins, ends = availability.limits(phase.starts_on, last)
        whole = row.online_from <= begins and (row.online_to is None or row.online_to >= ends)
    return {
        "frozen": row.id,
        "title": each.document.title,
        "kind": each.document.kind,
        "version": version.number,
        "filename": version.filename,
        "size": version.size,
        "pages": version.pages,
        "sha256": row.sha256,
        "online_from": moment(row.online_from),
        "online_to": moment(row.online_to) if row.online_to else None,
        "left_by": row.left_by or None,
        "corrects": row.corrects_id,
        "whole_period": whole,
    }


def _stretches(stretches: Sequence[Stretch]) -> list[dict[str, Any]]:
    return [
        {
            "from": moment(each.begins),
            "to": moment(each.ends),
            "minutes": each.minutes,
            "problem": each.problem or None,
        }
        for each in stretches
    ]


def _availability(report: Report | None, probe_minutes: int | None) -> dict[str, Any] | None:
    if report is None:
        return None
    return {
        "from": moment(report.begins),
        "to": moment(report.ends),
        "probe_minutes": probe_minutes,
        "probes": sum(subject.measured.probes for subject in report.subjects),
        "outages": _stretches(report.outages),
        "outage_minutes": report.minutes,
        "unmeasured": _stretches(report.unmeasured),
        "unmeasured_minutes": report.minutes_unmeasured,
        "subjects": [
            {
                "title": subject.title or None,
                "version": subject.number or None,
                "probes": subject.measured.probes,
                "outages": _stretches(subject.measured.outages),
                "unmeasured": _stretches(subject.measured.unmeasured),
            }
            for subject in report.subjects
        ],
        "action": report.action or None,
        "judgement": report.answer.explanation() if report.answer else None,
    }


# --- reading and verifying -------------------------------------------------------------------------


@dataclass(frozen=True)
class Verification:
    """Whether the record still agrees with a certificate: words for what does not; empty when everything does.

    `payload_altered`, `seal_missing` (the journal knows no such certificate), `seal_differs`, `document_missing`,
    `document_altered` (a row of the record has another hash), `period_changed` (the dates on record have changed since).
    """

    problems: tuple[str, ...]

    @property
    def is_intact(self) -> bool:
        """The certificate itself is as it was issued."""
        return not set(self.problems) & {"payload_altered", "seal_missing", "seal_differs"}


def verify(session: Session, certificate: Certificate) -> Verification:
    """Hold a certificate against its seal and against what is on record now. The files themselves are read by
    `evidence.examine`, not here: anybody may ask this."""
    problems = []
    if hashlib.sha256(certificate.payload.encode()).hexdigest() != certificate.sha256:
        problems.append("payload_altered")
    entry = session.exec(
        select(JournalEntry).where(
            JournalEntry.subject == f"certificate:{certificate.id}", JournalEntry.verb == "certificate_issued"
        )
    ).first()
    if entry is None:
        problems.append("seal_missing")
    elif entry.facts.get("sha256") != certificate.sha256 or entry.facts.get("number") != certificate.number:
        problems.append("seal_differs")
    if not problems:
        problems += _against_record(session, certificate)
    return Verification(tuple(problems))


def _against_record(session: Session, certificate: Certificate) -> list[str]:
    content = content_of(certificate)
    now_shown = {each.row.id: each for each in frozen.of_phase(session, certificate.phase_id)}
    problems = []
    for document in content["documents"]:
        found = now_shown.get(document["frozen"])
        if found is None:
            problems.append("document_missing")
        elif document["sha256"] != found.row.sha256 or found.version.sha256 != found.row.sha256:
            problems.append("document_altered")
    phase = session.get(Phase, certificate.phase_id)
    said = content["phase"]
    if phase is None or (said["starts_on"], said["ends_on"]) != (_day(phase.starts_on), _day(phase.ends_on)):
        problems.append("period_changed")
    return sorted(set(problems))


def content_of(certificate: Certificate) -> dict[str, Any]:
    """What a certificate says, as data."""
    found: dict[str, Any] = json.loads(certificate.payload)
    return found


def read_number(typed: str) -> str:
    """A number as somebody types it, in its one spelling: capitals, without spaces, hyphens where they belong."""
    plain = "".join(character for character in typed.upper() if character.isascii() and character.isalnum())
    return f"{plain[:4]}-{plain[4:-4]}-{plain[-4:]}" if 12 <= len(plain) <= 16 else plain


def by_number(session: Session, municipality_id: int, typed: str) -> Certificate | None:
    """The municipality's certificate with this number, however it was typed."""
    return session.exec(
        select(Certificate).where(
            Certificate.municipality_id == municipality_id, Certificate.number == read_number(typed)
        )
    ).first()


def of_phase(session: Session, phase_id: int) -> list[Certificate]:
    """The certificates of a phase, newest first."""
    return list(
        session.exec(
            select(Certificate).where(Certificate.phase_id == phase_id).order_by(col(Certificate.id).desc())
        ).all()
    )


def of_procedure(session: Session, procedure_id: int) -> list[Certificate]:
    """The certificates of a procedure, newest first."""
    return list(
        session.exec(
            select(Certificate)
            .where(Certificate.procedure_id == procedure_id)
            .order_by(col(Certificate.id).desc())
        ).all()
    )
