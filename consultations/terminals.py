"""Touch tables: screens that everybody can use for the days of an event, each known by a key that only it has.

The browser of the device makes a pair of keys and hands out the public half alone, which is kept here; who has copied
what else the device knows can prove nothing with it. A table can be ended at any moment, and is over with its last day.
"""

from collections.abc import Sequence
from datetime import date, datetime, timedelta

from sqlalchemy import Index
from sqlmodel import Field, Session, SQLModel, col, select

from consultations import journal
from consultations.deadlines import local_date
from consultations.permissions import Actor, Permission, may
from consultations.procedures import PUBLIC_STATES, Procedure
from consultations.refusals import Code, Refusal
from consultations.tables import UtcDateTime
from consultations.text import normalise

TITLE_LIMIT = 120
#: An event is no longer than this; the longest display of a plan with its extension fits in.
LONGEST = timedelta(days=60)


class Terminal(SQLModel, table=True):
    """A device that is the table of a consultation."""

    __tablename__ = "touch_table"
    __table_args__ = (Index("ix_touch_table_procedure_id", "procedure_id"),)

    id: int | None = Field(default=None, primary_key=True)
    municipality_id: int = Field(foreign_key="municipality.id")
    procedure_id: int = Field(foreign_key="procedure.id")
    #: Where it stands, in words.
    title: str
    #: The public key of the device (ECDSA over P-256, SubjectPublicKeyInfo, base64).
    public_key: str
    starts_on: date
    #: The last day on which it takes something.
    ends_on: date
    set_up_at: datetime = Field(sa_type=UtcDateTime)
    #: When the device last proved that it is the one.
    seen_at: datetime = Field(sa_type=UtcDateTime)
    ended_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


def _require(by: Actor, procedure: Procedure) -> None:
    if not may(by, Permission.PLAN, municipality_id=procedure.municipality_id, procedure_id=procedure.id):
        raise Refusal(Code.NOT_ALLOWED)


def set_up(
    session: Session,
    procedure: Procedure,
    *,
    title: str,
    public_key: str,
    starts_on: date,
    ends_on: date,
    by: Actor,
    now: datetime,
) -> Terminal:
    """Make a device a table from the first to the last day of an event.

    Raises Refusal NOT_ALLOWED, WRONG_STATE (not public), FORM_INCOMPLETE ("title"), TEXT_TOO_LONG, and TABLE_DAYS
    ("ends_on") for days that are over, the wrong way round, or more than `LONGEST` from today.
    """
    _require(by, procedure)
    if procedure.state not in PUBLIC_STATES:
        raise Refusal(Code.WRONG_STATE)
    title = normalise(title, field="title", limit=TITLE_LIMIT).strip()
    if not title:
        raise Refusal(Code.FORM_INCOMPLETE, "title")
    today = local_date(now)
    if not (starts_on <= ends_on and today <= ends_on <= today + LONGEST):
        raise Refusal(Code.TABLE_DAYS, "ends_on", days=LONGEST.days)
    row = Terminal(
        municipality_id=procedure.municipality_id,
        procedure_id=procedure.id or 0,
        title=title,
        public_key=public_key,
        starts_on=starts_on,
        ends_on=ends_on,
        set_up_at=now,
        seen_at=now,
    )
    session.add(row)
    session.flush()
    days = {"starts_on": starts_on.isoformat(), "ends_on": ends_on.isoformat()}
    _note(session, row, "table_set_up", by=by, now=now, **days)
    return row


def end(session: Session, procedure: Procedure, row: Terminal, *, by: Actor, now: datetime) -> None:
    """Let a device be a table no longer, from this moment on. Raises Refusal NOT_ALLOWED."""
    _require(by, procedure)
    if row.ended_at is None:
        row.ended_at = now
        session.add(row)
        _note(session, row, "table_ended", by=by, now=now)


def seen(session: Session, row: Terminal, *, now: datetime) -> None:
    """The device has proved that it is the one."""
    row.seen_at = now
    session.add(row)


def _note(session: Session, row: Terminal, verb: str, *, by: Actor, now: datetime, **facts: str) -> None:
    journal.append(
        session,
        municipality_id=row.municipality_id,
        verb=verb,
        by=by,
        at=now,
        procedure_id=row.procedure_id,
        subject=f"table:{row.id}",
        facts={"title": row.title, **facts},
    )


def is_on(row: Terminal, now: datetime) -> bool:
    """Whether what comes from it now comes from a table."""
    return row.ended_at is None and row.starts_on <= local_date(now) <= row.ends_on


def by_id(session: Session, municipality_id: int, number: int) -> Terminal | None:
    """A table of a municipality."""
    row = session.get(Terminal, number)
    return row if row is not None and row.municipality_id == municipality_id else None


def terminals_of(session: Session, procedure_id: int, *, limit: int = 40) -> Sequence[Terminal]:
    """The tables of a consultation, the newest first."""
    of_procedure = select(Terminal).where(Terminal.procedure_id == procedure_id)
    return session.exec(of_procedure.order_by(col(Terminal.id).desc()).limit(limit)).all()
