"""When a frozen document has to change after all: the two lawful ways.

Whoever took part has read what lay open; so its file is never exchanged quietly (law-and-standards R-1.3, PU-4). Either
a **correction note**: the new version is set beside the frozen one, which stays first, with a note that everybody reads.
Or a **restart**: the period begins anew with the new set. Both need a new announcement, and `open_demands` says so until
one is recorded.
"""

from datetime import date, datetime, timedelta
from enum import StrEnum

from sqlmodel import Field, Session, SQLModel, col, select

from consultations import filing, frozen
from consultations.announcements import PublicationAct
from consultations.computation import Answer
from consultations.deadlines import PhaseState, local_date
from consultations.documents import Document, FileFacts
from consultations.frozen import Exit, FrozenDocument
from consultations.law import Severity
from consultations.municipalities import Municipality
from consultations.periods import ask_about
from consultations.permissions import Actor
from consultations.phases import Phase
from consultations.procedures import Procedure, note_in_journal, record_change, require_planner
from consultations.refusals import Code, Refusal
from consultations.seats import Seat
from consultations.tables import UtcDateTime


class Way(StrEnum):
    """The two lawful ways."""

    NOTE = "note"
    RESTART = "restart"


class Correction(SQLModel, table=True):
    """That a frozen document was corrected, or its period begun anew. Only the announcement is filled in later."""

    __tablename__ = "correction"

    id: int | None = Field(default=None, primary_key=True)
    procedure_id: int = Field(foreign_key="procedure.id", index=True)
    phase_id: int = Field(foreign_key="phase.id", index=True)
    way: str
    #: What was set beside the frozen version, or froze at the restart in its place; none where no file changed.
    frozen_id: int | None = Field(default=None, foreign_key="frozen_document.id")
    #: In the planner's words; everybody reads it.
    note: str
    #: The period that was broken off by a restart.
    earlier_start: date | None = None
    earlier_end: date | None = None
    at: datetime = Field(sa_type=UtcDateTime)
    by: str
    #: When and where the new announcement was made, once it was.
    announced_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    announced_by: str = ""
    announcement: str = ""
    #: The act of publication on record here that did it, where there is one.
    act_id: int | None = Field(default=None, foreign_key="publication_act.id")


def correct(
    session: Session,
    procedure: Procedure,
    document: Document,
    file: FileFacts,
    *,
    note: str,
    by: Actor,
    now: datetime,
) -> Correction:
    """Set a corrected version beside the frozen one, with a note that everybody reads at the document.

    Raises Refusal NOT_ALLOWED, REASON_REQUIRED ("note"), and WRONG_STATE for a document that is not frozen.
    """
    require_planner(by, procedure)
    if not note.strip():
        raise Refusal(Code.REASON_REQUIRED, "note")
    found = frozen.held(session, document.id or 0, now)
    if found is None:
        raise Refusal(Code.WRONG_STATE, state="not_frozen")
    version = filing.add_version(session, procedure, document, file, note=note, by=by, now=now)
    beside = frozen.add(session, procedure, version, by=by, now=now, corrects=found.row)[0]
    return _keep(session, procedure, found.phase, Way.NOTE, note, beside, by=by, now=now)


def preview(
    session: Session, procedure: Procedure, phase: Phase, starts_on: date, ends_on: date | None
) -> Answer:
    """What the law says of the phase if it began anew on this day. Raises computation.Impossible.

    The documents lie open in full from the first day, so the period is counted from there.
    """
    return ask_about(procedure, phase, _seat(session, procedure), starts_on=starts_on, ends_on=ends_on)


def earliest_restart(now: datetime) -> date:
    """The first day on which a period may begin anew: tomorrow. The documents have to be there for the whole of its
    first day, and the new announcement comes before it (BauGB §3(2) S.4)."""
    return local_date(now) + timedelta(days=1)


def restart(
    session: Session,
    procedure: Procedure,
    phase: Phase,
    *,
    starts_on: date,
    ends_on: date,
    note: str,
    by: Actor,
    now: datetime,
    document: Document | None = None,
    file: FileFacts | None = None,
) -> Correction:
    """Begin the period of a running formal phase anew: with a new file for `document`, or (no `file`) without it.

    What was frozen is let go and frozen again with the new set; what was handed in stays handed in. The effective end
    comes from the engine. Raises Refusal NOT_ALLOWED, REASON_REQUIRED ("note"), WRONG_STATE (nothing is frozen, or the
    phase is over), DATES_REVERSED ("ends_on"), RESTART_TOO_EARLY ("starts_on") and PERIOD_TOO_SHORT ("ends_on").
    """
    require_planner(by, procedure)
    if not note.strip():
        raise Refusal(Code.REASON_REQUIRED, "note")
    assert phase.id is not None
    rows = [each.row for each in frozen.of_phase(session, phase.id) if each.row.online_to is None]
    if not rows or phase.state(now) is PhaseState.OVER:
        raise Refusal(Code.WRONG_STATE, state="not_frozen")
    if ends_on < starts_on:
        raise Refusal(Code.DATES_REVERSED, "ends_on")
    if starts_on < earliest_restart(now):
        raise Refusal(Code.RESTART_TOO_EARLY, "starts_on", earliest=earliest_restart(now))
    answer = preview(session, procedure, phase, starts_on, ends_on)
    if answer.severity is Severity.BLOCK:
        minimum = answer.minimum_end.day if answer.minimum_end else starts_on
        raise Refusal(Code.PERIOD_TOO_SHORT, "ends_on", minimum=minimum)
    earlier = (phase.starts_on, phase.effective_end or phase.ends_on)
    frozen.leave_phase(session, procedure, phase, Exit.RESTARTED, by=by, now=now)
    phase.starts_on, phase.ends_on = starts_on, ends_on
    effective = answer.effective_end.day if answer.effective_end else ends_on
    phase.effective_end = effective if effective > ends_on else None
    session.add(phase)
    session.flush()
    if document is not None and file is not None:
        filing.add_version(session, procedure, document, file, note=note, by=by, now=now)
    elif document is not None:
        filing.withdraw_document(session, procedure, document, by=by, now=now, note=note)
    made = frozen.freeze(session, procedure=procedure, phase=phase, by=by, now=now)
    replaced = next((row for row in made if document and row.document_id == document.id), None)
    record_change(session, procedure, by=by, now=now, note=note)
    return _keep(session, procedure, phase, Way.RESTART, note, replaced, by=by, now=now, earlier=earlier)


def _keep(
    session: Session,
    procedure: Procedure,
    phase: Phase,
    way: Way,
    note: str,
    row: FrozenDocument | None,
    *,
    by: Actor,
    now: datetime,
    earlier: tuple[date | None, date | None] = (None, None),
) -> Correction:
    assert procedure.id is not None
    assert phase.id is not None
    made = Correction(
        procedure_id=procedure.id,
        phase_id=phase.id,
        way=way.value,
        frozen_id=row.id if row else None,
        note=note.strip(),
        earlier_start=earlier[0],
        earlier_end=earlier[1],
        at=now,
        by=by.label,
    )
    session.add(made)
    session.flush()
    note_in_journal(
        session,
        procedure,
        "document_corrected" if way is Way.NOTE else "period_restarted",
        by=by,
        now=now,
        facts={
            "correction": made.id,
            "phase": phase.id,
            "frozen": made.frozen_id,
            "note": made.note,
            "earlier": [day.isoformat() for day in earlier if day],
            "starts_on": phase.starts_on.isoformat() if phase.starts_on else None,
            "ends_on": phase.ends_on.isoformat() if phase.ends_on else None,
        },
    )
    return made


def announced(
    session: Session,
    correction: Correction,
    *,
    announcement: str,
    by: Actor,
    now: datetime,
    act: PublicationAct | None = None,
) -> None:
    """Record that a correction was announced anew, and where (medium, issue, day); `act`: that act, where it is on record.

    Raises Refusal NOT_ALLOWED, REASON_REQUIRED ("announcement"), NOT_FOUND (an act of another phase).
    """
    procedure = session.get_one(Procedure, correction.procedure_id)
    require_planner(by, procedure)
    if not announcement.strip():
        raise Refusal(Code.REASON_REQUIRED, "announcement")
    correction.announced_at, correction.announced_by = now, by.label
    correction.announcement = announcement.strip()
    if act is not None:
        if act.phase_id != correction.phase_id:
            raise Refusal(Code.NOT_FOUND)
        correction.act_id = act.id
    session.add(correction)
    facts = {
        "correction": correction.id,
        "announcement": correction.announcement,
        **({"act": correction.act_id} if correction.act_id else {}),
    }
    note_in_journal(session, procedure, "correction_announced", by=by, now=now, facts=facts)


def open_demands(session: Session, procedure_id: int) -> list[Correction]:
    """Corrections whose new announcement is not recorded yet: what the checks before and during a phase report."""
    return [each for each in of_procedure(session, procedure_id) if each.announced_at is None]


def of_procedure(session: Session, procedure_id: int) -> list[Correction]:
    """All corrections and restarts of a procedure, oldest first."""
    return list(
        session.exec(
            select(Correction).where(Correction.procedure_id == procedure_id).order_by(col(Correction.id))
        ).all()
    )


def by_id(session: Session, procedure: Procedure, correction_id: int) -> Correction | None:
    """The correction with this id, if it belongs to the procedure."""
    found = session.get(Correction, correction_id)
    return found if found and found.procedure_id == procedure.id else None


def _seat(session: Session, procedure: Procedure) -> Seat:
    return Seat.from_data(session.get_one(Municipality, procedure.municipality_id).calendar)
