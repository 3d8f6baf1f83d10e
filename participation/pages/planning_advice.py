"""What the law says of the phases of a consultation and their dates, for the planner's desk."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from consultations import computation, procedures
from consultations.law import Severity
from consultations.phases import Phase
from consultations.procedures import Procedure
from consultations.schedule import Consequence, Scheduled
from consultations.seats import Seat
from participation.overview import PHASE_NAMES
from participation.web import Visit

#: Marks a message for the catalogues.
N_ = str

KINDS: Mapping[Severity, str] = {
    Severity.BLOCK: "danger",
    Severity.WARN: "warning",
    Severity.INFO: "info",
}

SEVERITIES: Mapping[Severity, str] = {
    Severity.BLOCK: N_("Not possible like this"),
    Severity.WARN: N_("Please check"),
    Severity.INFO: N_("Good to know"),
}

#: What the days are called that a change can move.
SHIFTS: Mapping[str, str] = {
    "starts_on": N_("First day"),
    "ends_on": N_("Last day"),
    "effective_end": N_("In time until"),
    "announce_before": N_("Announce at the latest"),
    "announce_advised": N_("Better announce by"),
    "hearing_notice": N_("Announce the meeting at the latest"),
    "hearing_close_by": N_("Close the discussion by"),
    "display_begins_by": N_("Display begins at the latest"),
    "display_ends_at_earliest": N_("Display until at least"),
    "earliest_end": N_("Earliest last day"),
    "recommended_last_day": N_("Recommended last day"),
}


@dataclass(frozen=True)
class Finding:
    """Something to know about a date: kind of a notice, how grave in words, sentence, source."""

    kind: str
    grade: str
    text: str
    source: str


@dataclass(frozen=True)
class Due:
    """What has to happen by a day: the day, the sentence, its source; `must`: the law says so."""

    day: date
    text: str
    source: str
    must: bool


@dataclass(frozen=True)
class Advice:
    """What the law says of a phase: earliest and recommended last day, what is due, and findings."""

    phase: str
    minimum: date | None
    minimum_why: str
    recommended: date | None
    recommended_why: str
    source: str
    #: The last day on which something is in time, where that is later than the announced one.
    effective: date | None
    #: The last day to take with one button.
    proposed: date | None
    dues: tuple[Due, ...]
    findings: tuple[Finding, ...]

    @property
    def is_grave(self) -> bool:
        """Whether something stands in the way, or wants a reason."""
        return any(each.kind != "info" for each in self.findings)


@dataclass(frozen=True)
class Moved:
    """A day before and after a change."""

    what: str
    before: date | None
    after: date | None


@dataclass(frozen=True)
class Change:
    """What a change does to one phase: days that move, findings that come and go."""

    phase: str
    track: str
    moved: tuple[Moved, ...]
    new: tuple[Finding, ...]
    gone: tuple[Finding, ...]
    is_new: bool
    is_removed: bool


def seat_of(visit: Visit) -> Seat:
    """The seat of the town, whose holidays count."""
    return Seat.from_data(visit.municipality_row.calendar)


def scheduled(visit: Visit, procedure: Procedure, phases: Sequence[Phase]) -> tuple[Scheduled, ...]:
    """What the law says of the phases as they are kept."""
    return procedures.scheduled(procedure, phases, seat_of(visit))


def advice_of(visit: Visit, each: Scheduled) -> Advice | None:
    """What to say about one phase; None where there is nothing to say."""
    answer = each.answer
    if answer is None and not each.findings and each.proposed_end is None:
        return None
    minimum = answer.minimum_end if answer and each.phase.kind != "discussion_meeting" else None
    recommended = answer.recommended_end if answer and each.phase.kind != "discussion_meeting" else None
    return Advice(
        phase=visit.gettext(PHASE_NAMES[each.phase.kind]),
        minimum=minimum.day if minimum else None,
        minimum_why=minimum.why.text(visit.language) if minimum else "",
        recommended=recommended.day if recommended else None,
        recommended_why=recommended.why.text(visit.language) if recommended else "",
        source=minimum.source if minimum else "",
        effective=each.effective_end,
        proposed=each.proposed_end,
        dues=tuple(
            Due(due.day, due.why.text(visit.language), due.source, due.must)
            for due in each.demands
            if due.why.code not in ("earliest_end", "recommended_last_day")
        ),
        findings=tuple(_finding(visit, one) for one in each.findings),
    )


def _finding(visit: Visit, one: computation.Finding) -> Finding:
    return Finding(
        KINDS[one.severity],
        visit.gettext(SEVERITIES[one.severity]),
        one.why.text(visit.language),
        one.source,
    )


TRACKS: Mapping[str, str] = {"public": N_("The public"), "agencies": N_("Public agencies")}


def changes_of(visit: Visit, changes: Sequence[Consequence], names: Mapping[str, str]) -> tuple[Change, ...]:
    """What a change does, in words; `names`: what phases are called, by their key."""
    return tuple(
        Change(
            phase=names.get(each.phase.key) or visit.gettext(PHASE_NAMES[each.phase.kind]),
            track=visit.gettext(TRACKS[each.phase.track]),
            moved=tuple(
                Moved(visit.gettext(SHIFTS[shift.what]), shift.before, shift.after)
                for shift in each.shifts
                if shift.what in SHIFTS
            ),
            new=tuple(_finding(visit, one) for one in each.new),
            gone=tuple(_finding(visit, one) for one in each.gone),
            is_new=each.is_new,
            is_removed=each.is_removed,
        )
        for each in changes
    )
