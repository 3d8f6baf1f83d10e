"""Phases: the stretches of a procedure, when something is open and what.

Nobody else asks about dates. What became of a phase after it had begun (`Course`) is kept with it.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Index, bindparam
from sqlalchemy.exc import IntegrityError
from sqlmodel import Field, Session, SQLModel, col, select

from consultations.deadlines import PhaseState, days_left, is_in_time, phase_state
from consultations.prepared import Prepared
from consultations.refusals import Code, Refusal
from consultations.schedule import Planned
from consultations.tables import Json, UtcDateTime, read_objects


class PhaseKind(StrEnum):
    """The step of the procedure a phase is."""

    EARLY = "early"  # BauGB §3(1)
    AGENCIES_EARLY = "agencies_early"  # BauGB §4(1)
    PUBLICATION = "publication"  # BauGB §3(2)
    REPEATED = "repeated"  # BauGB §4a(3)
    AGENCIES = "agencies"  # BauGB §4(2)
    DISPLAY = "display"  # VwVfG §73 with §27b
    CO_CREATION = "co_creation"
    DISCUSSION_MEETING = "discussion_meeting"
    WEIGHING = "weighing"
    RESOLUTION = "resolution"
    IN_FORCE = "in_force"


#: Phases that the law wants announced: formal, they open for the public only once they are released (`releases`).
ANNOUNCED_KINDS = frozenset(
    {
        PhaseKind.EARLY.value,
        PhaseKind.PUBLICATION.value,
        PhaseKind.REPEATED.value,
        PhaseKind.DISPLAY.value,
    }
)


class Track(StrEnum):
    """Whom a phase asks. Two tracks run side by side, each with phases and dates of its own."""

    PUBLIC = "public"
    AGENCIES = "agencies"


class Opens(StrEnum):
    """What a phase invites people to do."""

    STATEMENT = "statement"
    PROPOSAL = "proposal"
    COMMENT = "comment"


#: What a phase may open to whoever comes, besides what it takes in.
BESIDES = ("survey", "vote")


class Announce(StrEnum):
    """For what a running phase needs an announcement of its own (law-and-standards R-2.9: never silently)."""

    NOTHING = ""
    EXTENSION = "extension"
    INTERRUPTION = "interruption"
    RESUMPTION = "resumption"
    REPETITION = "repetition"
    END = "end"


@dataclass(frozen=True)
class Course:
    """What became of a phase after it had begun; kept under "course" among its facts."""

    #: The last day that was announced first.
    extended_from: date | None = None
    interrupted_on: date | None = None
    #: The last day that was announced when it was interrupted.
    end_before: date | None = None
    #: Since when it runs anew; then the day on which it began for the first time is `began_on`.
    resumed_on: date | None = None
    #: The last day that was said then: whatever is later is an extension of its own.
    resumed_until: date | None = None
    began_on: date | None = None
    ended_early_on: date | None = None
    #: What is still to be announced.
    announce: Announce = Announce.NOTHING

    @property
    def is_interrupted(self) -> bool:
        """Stopped, and nobody has said yet when it goes on."""
        return self.interrupted_on is not None and self.resumed_on is None


def usual_track(kind: PhaseKind) -> Track:
    """Whom a phase of this kind asks, if nobody says otherwise."""
    return Track.AGENCIES if kind in (PhaseKind.AGENCIES, PhaseKind.AGENCIES_EARLY) else Track.PUBLIC


class Phase(SQLModel, table=True):
    """A stretch of a procedure with a start, an end, and what it opens."""

    __tablename__ = "phase"
    __table_args__ = (Index("ix_phase_procedure_id_starts_on", "procedure_id", "starts_on"),)

    id: int | None = Field(default=None, primary_key=True)
    procedure_id: int = Field(foreign_key="procedure.id")
    kind: str
    track: str = Track.PUBLIC.value
    title: str = ""
    note: str = ""
    #: The phase that this one repeats (BauGB §4a(3)), and to which parts it is limited, in words.
    repeats_id: int | None = Field(default=None, foreign_key="phase.id")
    limited_to: str = ""
    #: What the law asks of the phase beyond its dates, by the field names in `legal_facts`.
    facts: dict[str, Any] = Field(default_factory=dict, sa_type=Json)
    starts_on: date | None = None
    #: Last day, inclusive, until 24:00 local time.
    ends_on: date | None = None
    #: Until when what arrives is in time, if later than `ends_on` (weekend, holiday).
    effective_end: date | None = None
    opens: list[str] = Field(default_factory=list, sa_type=Json)
    is_formal: bool = False
    position: int = 0
    #: When it was released for the public, for phases that need it.
    released_at: datetime | None = Field(default=None, sa_type=UtcDateTime)

    @property
    def needs_release(self) -> bool:
        """Whether the law wants the phase announced, so that it opens only once it is released."""
        return self.is_formal and self.kind in ANNOUNCED_KINDS

    @property
    def waits_for_release(self) -> bool:
        """Whether the phase stays closed, whatever its dates, because nobody has released it."""
        return self.needs_release and self.released_at is None

    @property
    def ways(self) -> tuple[str, ...]:
        """All that people can do in it: what it takes in, and what else it opens to whoever comes (`cocreation.Opening`)."""
        declared = (self.facts.get("co_creation") or {}).get("opens", ())
        return (*self.opens, *(way for way in BESIDES if way in declared))

    @property
    def only_affected(self) -> bool:
        """Whether only the affected public is asked (BauGB §13(2) S.1 no. 2, §4a(3) S.4)."""
        return self.facts.get("scope") == "affected"

    def state(self, now: datetime) -> PhaseState:
        """COMING, OPEN or OVER at a moment; without a start, or without its release, it is yet to come."""
        if self.starts_on is None or self.waits_for_release:
            return PhaseState.COMING
        # Whoever has begun may go on: between interruption and the new first day statements are taken as well.
        begins = min(self.starts_on, self.course.began_on or self.starts_on)
        return phase_state(begins, self.ends_on, now, effective_end=self.effective_end)

    @property
    def course(self) -> Course:
        """What became of it after it had begun."""
        kept = dict(self.facts.get("course") or {})
        if not kept:
            return Course()
        announce = Announce(kept.pop("announce", ""))
        return Course(**{name: date.fromisoformat(day) for name, day in kept.items()}, announce=announce)

    @course.setter
    def course(self, course: Course) -> None:
        kept = {
            name: value.isoformat() if isinstance(value, date) else str(value)
            for name, value in asdict(course).items()
            if value
        }
        self.facts = {**self.facts, "course": kept}

    def days_left(self, now: datetime) -> int | None:
        """Whole days until the last day; 0 on the last day itself, None without an end."""
        return days_left(self.ends_on, now, effective_end=self.effective_end)

    def is_in_time(self, received_at: datetime) -> bool:
        """Whether something received at this moment counts as in time."""
        return is_in_time(received_at, self.effective_end or self.ends_on)


@dataclass(frozen=True)
class PhaseInput:
    """A phase as entered; `id` names an existing one."""

    kind: PhaseKind
    title: str = ""
    note: str = ""
    starts_on: date | None = None
    ends_on: date | None = None
    effective_end: date | None = None
    opens: tuple[Opens, ...] = ()
    is_formal: bool = False
    id: int | None = None
    #: The usual one of its kind unless given.
    track: Track | None = None
    #: To which parts statements are limited, and facts beyond the dates; both stay as they are unless given.
    limited_to: str | None = None
    facts: dict[str, Any] | None = None


def check_dates(phases: Iterable[PhaseInput]) -> None:
    """Raises Refusal DATES_REVERSED (phases-N-starts_on, phases-N-ends_on) where a phase ends before it begins."""
    for number, phase in enumerate(phases):
        if phase.ends_on and not phase.starts_on:
            raise Refusal(Code.DATES_REVERSED, f"phases-{number}-starts_on", phase=phase.kind.value)
        if phase.starts_on and phase.ends_on and phase.ends_on < phase.starts_on:
            raise Refusal(Code.DATES_REVERSED, f"phases-{number}-ends_on", phase=phase.kind.value)


def set_phases(
    session: Session, procedure_id: int, entered: Sequence[PhaseInput], *, is_public: bool, now: datetime
) -> None:
    """Make the phases of a procedure those entered. `is_public`: it is published, so that a longer period of a running
    phase needs an announcement of its own. Raises Refusal PHASE_IN_USE (left out, but something refers to it)."""
    existing = {phase.id: phase for phase in phases_of(session, procedure_id)}
    for position, each in enumerate(entered):
        phase = existing.pop(each.id, None) or Phase(procedure_id=procedure_id, kind=each.kind.value)
        if is_public and is_extended(phase, each.ends_on, now):
            note_extension(phase, phase.ends_on)
        phase.kind = each.kind.value
        phase.track = (each.track or usual_track(each.kind)).value
        phase.title, phase.note = each.title, each.note
        phase.starts_on, phase.ends_on, phase.effective_end = each.starts_on, each.ends_on, each.effective_end
        phase.opens = [opened.value for opened in each.opens]
        phase.is_formal, phase.position = each.is_formal, position
        phase.limited_to = each.limited_to if each.limited_to is not None else phase.limited_to
        if each.facts is not None:
            phase.facts = {**phase.facts, **each.facts}
        session.add(phase)
    session.flush()
    try:
        with session.begin_nested():
            for left_over in existing.values():
                session.delete(left_over)
            session.flush()
    except IntegrityError as error:  # contributions or a repetition refer to it
        raise Refusal(Code.PHASE_IN_USE, "phases") from error


def is_extended(phase: Phase, ends_on: date | None, now: datetime) -> bool:
    """Whether this last day makes the period of a phase longer that has begun and is not over."""
    running = phase.id is not None and phase.state(now) is PhaseState.OPEN
    return bool(running and phase.ends_on and ends_on and ends_on > phase.ends_on)


def note_extension(phase: Phase, before: date | None) -> None:
    """Remember the end that was announced first, and that a longer period needs an announcement of its own."""
    course = phase.course
    phase.course = replace(course, extended_from=course.extended_from or before, announce=Announce.EXTENSION)


# --- questions -------------------------------------------------------------------------------------


def phases_of(session: Session, procedure_id: int) -> list[Phase]:
    """The phases in their order."""
    return list(session.execute(_PHASES, {"wanted": procedure_id}).scalars())


_PHASES = (
    select(Phase)
    .where(col(Phase.procedure_id) == bindparam("wanted"))
    .order_by(col(Phase.position), col(Phase.id))
)


def phase_of(session: Session, phase_id: int) -> Phase | None:
    """The phase with this id."""
    return session.get(Phase, phase_id)


def phases_asked(session: Session, procedure_id: int) -> Callable[[], list[Phase]]:
    """Ask for the phases in their order, to look at and not to change: for what is handed in often. Call what comes back
    for them, after `prepared.together`."""
    answer = _PHASES_AS_READ.ask(session, wanted=procedure_id)
    return lambda: read_objects(session, Phase, answer)


_phases = SQLModel.metadata.tables["phase"]


_PHASES_AS_READ = Prepared(
    _phases.select()
    .where(_phases.c.procedure_id == bindparam("wanted"))
    .order_by(_phases.c.position, _phases.c.id)
)


def phases_of_all(session: Session, procedure_ids: Sequence[int]) -> dict[int, list[Phase]]:
    """The phases of several procedures by procedure id, in one query."""
    found: dict[int, list[Phase]] = {procedure_id: [] for procedure_id in procedure_ids}
    rows = session.exec(
        select(Phase)
        .where(col(Phase.procedure_id).in_(procedure_ids))
        .order_by(col(Phase.position), col(Phase.id))
    ).all()
    for phase in rows:
        found[phase.procedure_id].append(phase)
    return found


def current_phase(phases: Sequence[Phase], now: datetime) -> Phase | None:
    """The phase to speak of: the first open one that invites, else the first open, the next coming, the last over."""
    by_state = {state: [phase for phase in phases if phase.state(now) is state] for state in PhaseState}
    for phase in by_state[PhaseState.OPEN]:
        if phase.ways:
            return phase
    dated_to_come = sorted(
        (phase for phase in by_state[PhaseState.COMING] if phase.starts_on),
        key=lambda phase: phase.starts_on or date.max,
    )
    for candidates in (by_state[PhaseState.OPEN], dated_to_come, by_state[PhaseState.OVER][-1:]):
        if candidates:
            return candidates[0]
    return phases[0] if phases else None


def phase_for(phases: Sequence[Phase], opens: Opens, now: datetime) -> Phase | None:
    """The phase a contribution of this kind belongs to now: an open one; else, for a statement, the
    last one that was open, since what is late is kept and marked, never dropped (BauGB §4a(5)).

    Phases of agencies take in nothing by themselves: who was asked answers the request (`invitations`)."""
    inviting = [
        phase for phase in phases if opens.value in phase.opens and phase.track != Track.AGENCIES.value
    ]
    for phase in inviting:
        if phase.state(now) is PhaseState.OPEN:
            return phase
    if opens is Opens.STATEMENT:
        over = [phase for phase in inviting if phase.state(now) is PhaseState.OVER]
        return over[-1] if over else None
    return None


def planned_of(phase: Phase) -> Planned:
    """A phase as the schedule sees it; its key is its id."""
    return Planned(
        key=str(phase.id),
        kind=phase.kind,
        track=phase.track,
        starts_on=phase.starts_on,
        ends_on=phase.ends_on,
        is_formal=phase.is_formal,
        repeats=str(phase.repeats_id) if phase.repeats_id else None,
        facts=phase.facts,
    )
