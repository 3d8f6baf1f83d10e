"""What the law says of a phase and its dates, for the planner's desk."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from consultations.computation import Impossible
from consultations.law import Severity
from consultations.legal_periods import ask
from consultations.procedures import PhaseKind
from consultations.seats import Seat
from participation.overview import PHASE_NAMES
from participation.web import Visit

#: Marks a message for the catalogues.
N_ = str


@dataclass(frozen=True)
class Finding:
    """Something to know about a date: kind of a notice, sentence, source."""

    kind: str
    text: str
    source: str


@dataclass(frozen=True)
class Advice:
    """What the law says of a phase: earliest and recommended last day, and findings. Nothing here prevents anything."""

    phase: str
    minimum: date | None
    minimum_why: str
    recommended: date | None
    recommended_why: str
    source: str
    #: The last day on which something is in time, where that is later than the announced one.
    effective: date | None
    findings: tuple[Finding, ...]


#: The question of the law for a kind of phase, and what it calls the last day.
QUESTIONS: Mapping[PhaseKind, tuple[str, str]] = {
    PhaseKind.PUBLICATION: ("bauleitplan_publication", "announced_end"),
    PhaseKind.EARLY: ("bauleitplan_early", "end"),
    PhaseKind.REPEATED: ("bauleitplan_renewed", "end"),
}


def advise(
    visit: Visit, kind: PhaseKind, is_formal: bool, starts_on: date | None, ends_on: date | None
) -> Advice | None:
    """What the law says of a formal phase with these dates; None where it says nothing, or without a start."""
    if not is_formal or starts_on is None or kind not in QUESTIONS or (ends_on and ends_on < starts_on):
        return None
    question, end = QUESTIONS[kind]
    facts = {"start": starts_on} | ({end: ends_on} if ends_on else {})
    try:
        answer = ask(question, facts, seat=Seat.from_data(visit.municipality_row.calendar))
    except Impossible:
        return None  # a year for which no calendar is known
    kinds = {Severity.BLOCK: "warning", Severity.WARN: "warning", Severity.INFO: "info"}
    minimum, recommended, effective = answer.minimum_end, answer.recommended_end, answer.effective_end
    return Advice(
        phase=visit.gettext(PHASE_NAMES[kind]),
        minimum=minimum.day if minimum else None,
        minimum_why=minimum.why.text(visit.language) if minimum else "",
        recommended=recommended.day if recommended else None,
        recommended_why=recommended.why.text(visit.language) if recommended else "",
        source=minimum.source if minimum else "",
        effective=effective.day if effective and ends_on and effective.day > ends_on else None,
        findings=tuple(
            Finding(kinds[each.severity], each.why.text(visit.language), each.source)
            for each in answer.findings
        ),
    )
