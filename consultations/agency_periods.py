"""Until when an agency may answer: the law's minimum for its own request, what is proposed, and the proof."""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from consultations.computation import Impossible
from consultations.legal_periods import ask
from consultations.procedures import Phase, PhaseKind, PlanKind, Procedure, Track
from consultations.seats import Seat

#: Days after which a letter counts as received where nobody noted the day: those of VwVfG §41(2), which since 2025
#: are four. It is no law for a request to an authority, but the careful assumption: a period is never counted short.
LETTER_TRAVELS = timedelta(days=4)

#: The proposal where the law sets no period (BauGB §4(1)).
FREE_PERIOD = timedelta(days=27)


# --- the law ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Period:
    """What the law says of one agency's period. `why` in German and English; `minimum` None: no statutory period."""

    minimum: date | None
    proposed: date
    why: dict[str, str]
    source: str
    proof: dict[str, Any]
    #: The last day until which it is in time, for the end that was asked about; later than it on a holiday.
    effective: date | None = None

    def allows(self, due_on: date) -> bool:
        """Whether an end is no shorter than the law."""
        return self.minimum is None or due_on >= self.minimum


def asks_agencies(phase: Phase) -> bool:
    """Whether a phase asks agencies."""
    kinds = (PhaseKind.AGENCIES.value, PhaseKind.AGENCIES_EARLY.value)
    return phase.track == Track.AGENCIES.value or phase.kind in kinds


def period_of(
    phase: Phase, procedure: Procedure, received_on: date, *, seat: Seat, due_on: date | None = None
) -> Period:
    """The period of an agency whose request is received on a day; `due_on` is held against it.

    Source: BauGB §4(2) S.3 for the formal step; no law sets one for the early step (§4(1)), nor does this software
    know one for other steps. Proposed is the recommended end, or that of the phase where it is later.
    """
    urban = procedure.plan_kind in (PlanKind.DEVELOPMENT_PLAN.value, PlanKind.LAND_USE_PLAN.value)
    phase_end = phase.effective_end or phase.ends_on
    if phase.kind == PhaseKind.AGENCIES.value and urban:
        facts = {"request_received": received_on} | ({"announced_end": due_on} if due_on else {})
        try:
            answer = ask("toeb_participation", facts, seat=seat)
        except Impossible:  # a year for which no calendar is known
            answer = None
        if answer is not None and answer.minimum_end and answer.recommended_end:
            recommended = answer.recommended_end
            ends = [recommended.day, *([phase_end] if phase_end else [])]
            same = recommended.day == answer.minimum_end.day
            why = (answer.minimum_end if same else recommended).why
            return Period(
                minimum=answer.minimum_end.day,
                proposed=max(ends),
                why={language: why.text(language) for language in ("de", "en")},
                source=answer.minimum_end.source,
                proof=answer.explanation(),
                effective=answer.effective_end.day if answer.effective_end else None,
            )
    free = seat.working_day_from(received_on + FREE_PERIOD)
    proposed = max(phase_end, received_on) if phase_end else free
    return Period(minimum=None, proposed=proposed, why={}, source="BauGB §4(1)" if urban else "", proof={})
