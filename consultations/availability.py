"""Could the documents be reached? What the server's own probes found, and what follows from it.

A probe fetches the consultation's page and every frozen document over HTTP and compares the hash (participation/probes).
What it finds is kept per subject as *spans*: equal results in a row are one row, so the log grows with what happens and
not with time. Where no probe ran, nobody knows: such times are **not measured** and never counted as available.
Whether an outage matters is a question for the deadline engine (`publication_outage`; the thresholds are policy).
Source: OVG Niedersachsen 16 November 2023 – 1 KN 91/21 (law-and-standards R-2.9).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from sqlalchemy import Index
from sqlmodel import Field, Session, SQLModel, col, select

from consultations import journal
from consultations.computation import Answer
from consultations.deadlines import LEGAL_TIME
from consultations.documents import Document, DocumentVersion
from consultations.frozen import FrozenDocument
from consultations.law import Policy
from consultations.legal_periods import ask
from consultations.municipalities import Municipality
from consultations.permissions import SYSTEM
from consultations.phases import Phase
from consultations.procedures import Procedure
from consultations.seats import Seat
from consultations.tables import UtcDateTime

#: Two probes that lie further apart than this leave a time that is not measured between them.
LONGEST_PAUSE = timedelta(minutes=15)
#: A failure is told to somebody when the second probe in a row has failed.
PROBES_BEFORE_ALARM = 2
_MINUTE = timedelta(minutes=1)


class Span(SQLModel, table=True):
    """Probes of one subject in a row with the same result."""

    __tablename__ = "availability_span"
    __table_args__ = (Index("ix_availability_span_phase_id_version_id_id", "phase_id", "version_id", "id"),)

    id: int | None = Field(default=None, primary_key=True)
    phase_id: int = Field(foreign_key="phase.id")
    #: The frozen version; none for the consultation's page.
    version_id: int | None = Field(default=None, foreign_key="document_version.id")
    #: What was wrong, in one word ("unreachable", "status_500", "altered"); empty when it was as it should be.
    problem: str = ""
    began_at: datetime = Field(sa_type=UtcDateTime)
    last_at: datetime = Field(sa_type=UtcDateTime)
    probes: int = 1
    told_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


def record(
    session: Session,
    procedure: Procedure,
    *,
    phase_id: int,
    version_id: int | None,
    problem: str,
    now: datetime,
) -> Span:
    """Keep what one probe found. An equal result soon after lengthens the last span; anything else begins a new one.

    The journal keeps when an outage that somebody was told of was over.
    """
    last = session.exec(
        select(Span)
        .where(
            Span.phase_id == phase_id,
            Span.version_id == version_id if version_id is not None else col(Span.version_id).is_(None),
        )
        .order_by(col(Span.id).desc())
        .limit(1)
    ).first()
    if last and last.problem == problem and now - last.last_at <= LONGEST_PAUSE:
        last.last_at, last.probes = max(last.last_at, now), last.probes + 1
        session.add(last)
        return last
    span = Span(phase_id=phase_id, version_id=version_id, problem=problem, began_at=now, last_at=now)
    session.add(span)
    session.flush()
    if last and last.told_at and not problem:
        _note(session, procedure, "document_reachable", span, now)
    return span


def alarm(session: Session, procedure: Procedure, phase_id: int, *, now: datetime) -> list[Span]:
    """Outages that go on, were confirmed by a second probe, and that nobody was told of. They count as told now, and
    the journal keeps them: what was noticed cannot be made unnoticed."""
    found = session.exec(
        select(Span)
        .where(
            Span.phase_id == phase_id,
            Span.problem != "",
            col(Span.told_at).is_(None),
            Span.probes >= PROBES_BEFORE_ALARM,
            Span.last_at >= now - LONGEST_PAUSE,
        )
        .order_by(col(Span.id))
    ).all()
    for span in found:
        span.told_at = now
        session.add(span)
        _note(session, procedure, "document_unreachable", span, now)
    return list(found)


def advise_extension(session: Session, procedure: Procedure, phase: Phase, *, now: datetime) -> bool:
    """Whether the engine advises an extension for the first time; the journal remembers that it did."""
    subject = f"phase:{phase.id}"
    last_day = phase.effective_end or phase.ends_on
    if any(
        entry.verb == "extension_advised" and entry.facts.get("ends_on") == str(last_day)
        for entry in journal.about(session, subject)
    ):
        return False
    seat = Seat.from_data(session.get_one(Municipality, procedure.municipality_id).calendar)
    found = report(session, phase, seat, now=now)
    if found is None or found.action != "extend_by_new_announcement" or found.answer is None:
        return False
    journal.append(
        session,
        municipality_id=procedure.municipality_id,
        verb="extension_advised",
        by=SYSTEM,
        at=now,
        procedure_id=procedure.id,
        subject=subject,
        facts={"ends_on": str(last_day), "minutes": found.minutes, **found.answer.as_data()},
    )
    return True


def _note(session: Session, procedure: Procedure, verb: str, span: Span, now: datetime) -> None:
    journal.append(
        session,
        municipality_id=procedure.municipality_id,
        verb=verb,
        by=SYSTEM,
        at=now,
        procedure_id=procedure.id,
        subject=f"phase:{span.phase_id}",
        facts={"version": span.version_id, "problem": span.problem, "since": span.began_at.isoformat()},
    )


# --- what the spans say (pure) ---------------------------------------------------------------------


@dataclass(frozen=True)
class Stretch:
    """A time from a moment to another in which something was so; `minutes` is rounded up."""

    begins: datetime
    ends: datetime
    problem: str = ""

    @property
    def minutes(self) -> int:
        """At least one: what was noticed lasted."""
        return max(1, -(-int((self.ends - self.begins).total_seconds()) // 60))


@dataclass(frozen=True)
class Measured:
    """What the probes of one subject say of a time: outages, what was not measured, and how many probes there were."""

    outages: tuple[Stretch, ...]
    unmeasured: tuple[Stretch, ...]
    probes: int


@dataclass(frozen=True)
class Result:
    """What one span says."""

    problem: str
    began_at: datetime
    last_at: datetime
    probes: int = 1


def measured(results: Sequence[Result], begins: datetime, ends: datetime) -> Measured:
    """Outages and unmeasured times between two moments.

    An outage begins with the first probe that failed and ends with the first that did not; if no probe came for longer
    than `LONGEST_PAUSE`, with the last that failed, and what follows is not measured.
    """
    outages: list[Stretch] = []
    unmeasured: list[Stretch] = []
    known = begins
    for at, result in enumerate(results):
        following = results[at + 1].began_at if at + 1 < len(results) else ends
        # What was noticed lasted, at least to the next minute.
        alone = result.last_at + _MINUTE if result.problem else result.last_at
        covered = following if following - result.last_at <= LONGEST_PAUSE else alone
        if result.began_at > known:
            _add(unmeasured, known, result.began_at, "", begins, ends)
        if result.problem:
            _add(outages, result.began_at, covered, result.problem, begins, ends)
        known = max(known, covered)
    _add(unmeasured, known, ends, "", begins, ends)
    within = [result for result in results if result.last_at >= begins and result.began_at <= ends]
    return Measured(tuple(outages), tuple(unmeasured), sum(result.probes for result in within))


def _add(
    found: list[Stretch], start: datetime, end: datetime, problem: str, begins: datetime, ends: datetime
) -> None:
    start, end = max(start, begins), min(end, ends)
    if end > start:
        found.append(Stretch(start, end, problem))


def together(stretches: Iterable[Stretch]) -> tuple[Stretch, ...]:
    """Times in which at least one of these held, in order and without overlap."""
    whole: list[Stretch] = []
    for each in sorted(stretches, key=lambda stretch: (stretch.begins, stretch.ends)):
        if whole and each.begins <= whole[-1].ends:
            before = whole.pop()
            whole.append(Stretch(before.begins, max(before.ends, each.ends), before.problem or each.problem))
        else:
            whole.append(each)
    return tuple(whole)


def limits(first_day: date, last_day: date) -> tuple[datetime, datetime]:
    """00:00 of the first and 24:00 of the last day in legal time, in UTC: a day may have 23 or 25 hours."""
    opens = datetime.combine(first_day, datetime.min.time(), tzinfo=LEGAL_TIME)
    closes = datetime.combine(last_day + timedelta(days=1), datetime.min.time(), tzinfo=LEGAL_TIME)
    return opens.astimezone(UTC), closes.astimezone(UTC)


# --- the report of a phase -------------------------------------------------------------------------


@dataclass(frozen=True)
class Subject:
    """The page or a frozen version, with what is known of it. `title` is empty for the consultation's page."""

    title: str
    version_id: int | None
    number: int
    measured: Measured


@dataclass(frozen=True)
class Report:
    """Availability of everything in a phase, up to a moment.

    `outages`: when anything could not be reached; `unmeasured`: when nothing at all was measured. `answer` is the
    engine's judgement; None while there was no outage or the phase has no period.
    """

    begins: datetime
    ends: datetime
    subjects: tuple[Subject, ...]
    outages: tuple[Stretch, ...]
    unmeasured: tuple[Stretch, ...]
    answer: Answer | None

    @property
    def action(self) -> str:
        """What the engine advises: "log_only", "review", "extend_by_new_announcement"; empty without an outage."""
        return str(self.answer.results["action"]) if self.answer else ""

    @property
    def minutes(self) -> int:
        """Minutes in which something could not be reached."""
        return sum(outage.minutes for outage in self.outages)

    @property
    def minutes_unmeasured(self) -> int:
        return sum(gap.minutes for gap in self.unmeasured)


def report(
    session: Session, phase: Phase, seat: Seat, *, now: datetime, policy: Policy | None = None
) -> Report | None:
    """What the probes found in a phase until now; None for a phase without days or before its first. Two queries."""
    last_day = phase.effective_end or phase.ends_on
    if phase.starts_on is None or last_day is None or phase.id is None:
        return None
    begins, closes = limits(phase.starts_on, last_day)
    ends = min(closes, now.astimezone(UTC))
    if ends <= begins:
        return None
    spans = session.exec(select(Span).where(Span.phase_id == phase.id).order_by(col(Span.id))).all()
    rows = session.exec(
        select(FrozenDocument, Document, DocumentVersion)
        .join(Document, col(Document.id) == FrozenDocument.document_id)
        .join(DocumentVersion, col(DocumentVersion.id) == FrozenDocument.version_id)
        .where(FrozenDocument.phase_id == phase.id)
        .order_by(col(Document.position), col(FrozenDocument.id))
    ).all()
    subjects = [_subject("", None, 0, spans, begins, ends)]
    for row, document, version in rows:
        start, end = max(begins, row.online_from), min(ends, row.online_to or ends)
        if end > start:
            subjects.append(_subject(document.title, version.id, version.number, spans, start, end))
    outages = together(outage for subject in subjects for outage in subject.measured.outages)
    unmeasured = subjects[0].measured.unmeasured
    answer = judge(outages, phase.starts_on, last_day, seat, policy) if outages else None
    return Report(begins, ends, tuple(subjects), outages, unmeasured, answer)


def _subject(
    title: str, version_id: int | None, number: int, spans: Sequence[Span], begins: datetime, ends: datetime
) -> Subject:
    results = [
        Result(span.problem, span.began_at, span.last_at, span.probes)
        for span in spans
        if span.version_id == version_id
    ]
    return Subject(title, version_id, number, measured(results, begins, ends))


def judge(
    outages: Iterable[Stretch], first_day: date, last_day: date, seat: Seat, policy: Policy | None = None
) -> Answer:
    """The deadline engine's answer about these outages in a period."""
    facts = {
        "period_start": first_day,
        "period_end": last_day,
        "outage": [[outage.begins.isoformat(), outage.ends.isoformat()] for outage in outages],
    }
    return ask("publication_outage", facts, seat=seat, policy=policy)
