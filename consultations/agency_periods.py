"""Until when an agency may answer: what the law says of its own request, what is proposed, and the proof."""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from consultations.computation import Answer, Computation, Impossible
from consultations.deadlines import event_counted
from consultations.law import Policy, Severity, rule_of_version
from consultations.legal_periods import ask
from consultations.phases import Phase, PhaseKind, Track
from consultations.procedures import PlanKind, Procedure
from consultations.seats import Seat

#: Days after which a letter counts as received where nobody noted the day: those of VwVfG §41(2), which since 2025
#: are four. It is no law for a request to an authority, but the careful assumption: a period is never counted short.
LETTER_TRAVELS = timedelta(days=4)

#: The proposal where the law sets no period (BauGB §4(1)) and the phase none to go by: four weeks with the first day.
FREE_PERIOD = timedelta(days=27)
#: With fewer days left until the phase ends, whoever is asked now is offered a whole period instead.
FAIR_REST = timedelta(days=14)

_OLD, _NEW = "VwVfG until 2026-07-28", "VwVfG 2026-07-29"


@dataclass(frozen=True)
class Period:
    """What the law says of one agency's period.

    `minimum` None: the law has no minimum; `maximum` None: no upper limit. `why` is said in German and English. `is_later`:
    the phase ends too soon for this request, which therefore gets a period of its own.
    """

    received_on: date
    minimum: date | None
    maximum: date | None
    proposed: date
    why: dict[str, str]
    source: str
    #: The computation step by step, as `Answer.explanation` gives it; empty where no law is known.
    proof: dict[str, Any]
    #: The last day until which it is in time, for the end that was asked about; later than it on a holiday.
    effective: date | None = None
    is_later: bool = False

    @property
    def earliest(self) -> date:
        """The earliest last day that is accepted: the law's, else the day on which the request arrives."""
        return self.minimum or self.received_on


def asks_agencies(phase: Phase) -> bool:
    """Whether a phase asks agencies."""
    kinds = (PhaseKind.AGENCIES.value, PhaseKind.AGENCIES_EARLY.value)
    return phase.track == Track.AGENCIES.value or phase.kind in kinds


def period_of(
    phase: Phase, procedure: Procedure, received_on: date, *, seat: Seat, due_on: date | None = None
) -> Period:
    """The period of an agency whose request is received on a day; `due_on` is held against it.

    Sources: BauGB §4(2) S.3 for the formal step, §4(1) for the early one, §4a(3) for a renewed one; VwVfG §73(3a) (old)
    and §73(2) for plan approval. Proposed is the recommended end, or that of the phase where it is later; where the law
    has no minimum and the phase ends too soon, as many days as the phase has.
    """
    phase_end = phase.effective_end or phase.ends_on
    try:
        answer = _answer(phase, procedure, received_on, due_on, seat)
    except Impossible:  # a year for which no calendar is known
        answer = None
    proof = answer.explanation() if answer else {}
    effective = answer.effective_end.day if answer and answer.effective_end else None
    if answer is not None and answer.minimum_end and answer.recommended_end:
        minimum, recommended = answer.minimum_end, answer.recommended_end
        why = (minimum if recommended.day == minimum.day else recommended).why
        return Period(
            received_on,
            minimum.day,
            None,
            max([recommended.day, *([phase_end] if phase_end else [])]),
            {language: why.text(language) for language in ("de", "en")},
            minimum.source,
            proof,
            effective,
            phase_end is not None and phase_end < minimum.day,
        )
    maximum = answer.results.get("maximum_end") if answer else None
    limit = maximum if isinstance(maximum, date) and _is_binding(answer) else None
    is_later = phase_end is None or phase_end < received_on + FAIR_REST
    proposed = phase_end if phase_end and not is_later else _own_end(phase, received_on, seat)
    said = answer.steps[0] if answer and answer.steps else None
    return Period(
        received_on,
        None,
        limit,
        min(proposed, limit) if limit else proposed,
        {language: said.why.text(language) for language in ("de", "en")} if said else {},
        said.source if said else "",
        proof,
        effective,
        is_later and phase_end is not None,
    )


def _own_end(phase: Phase, received_on: date, seat: Seat) -> date:
    """As long as the phase is, counted from the own request; four weeks where the phase says nothing."""
    length = FREE_PERIOD
    if phase.starts_on and phase.ends_on:
        length = max(phase.ends_on - phase.starts_on, FAIR_REST - timedelta(days=1))
    return seat.working_day_from(received_on + length)


def _answer(
    phase: Phase, procedure: Procedure, received_on: date, due_on: date | None, seat: Seat
) -> Answer | None:
    """What the engine says; None where no law is known."""
    if procedure.plan_kind == PlanKind.PLAN_APPROVAL.value:
        early = phase.kind == PhaseKind.AGENCIES_EARLY.value or not phase.is_formal
        return None if early else _set_period(procedure, received_on, due_on, seat)
    if procedure.plan_kind not in (PlanKind.DEVELOPMENT_PLAN.value, PlanKind.LAND_USE_PLAN.value):
        return None
    if phase.kind == PhaseKind.AGENCIES.value:
        end = {"announced_end": due_on} if due_on else {}
        return ask("toeb_participation", {"request_received": received_on, **end}, seat=seat)
    if phase.kind in (PhaseKind.AGENCIES_EARLY.value, PhaseKind.REPEATED.value):
        name = "toeb_early" if phase.kind == PhaseKind.AGENCIES_EARLY.value else "bauleitplan_renewed"
        # That a renewed participation takes place has been decided; only its length is asked here.
        facts = {} if name == "toeb_early" else {"change_touches_interests": True}
        end = {"end": due_on} if due_on and due_on >= received_on else {}
        return ask(name, {"start": received_on, **end, **facts}, seat=seat)
    return None


def _set_period(procedure: Procedure, received_on: date, due_on: date | None, seat: Seat) -> Answer:
    """Plan approval: the authority in charge sets the period, within a maximum; counted from the day after receipt."""
    computed = Computation(seat, Policy())
    version = _OLD if procedure.law_version.startswith("VwVfG until") else _NEW
    law = computed.use(rule_of_version("vwvfg_agencies", version))
    assert law.at_most is not None
    computed.step("set_by_authority", law.source)
    maximum = event_counted(received_on, law.at_most)
    computed.step("set_at_most", law.source, length=law.at_most, end=maximum)
    computed.results["maximum_end"] = maximum
    if due_on is not None:
        computed.judged = True
        if due_on > maximum:
            code = "set_period_too_long" if law.severity is Severity.BLOCK else "set_period_long"
            computed.find(code, law.source, announced=due_on, maximum=maximum)
        end = computed.shifted(law, due_on)
        computed.effective(end, law.source)
    return computed.answer("agencies_of_plan_approval", ())


def _is_binding(answer: Answer | None) -> bool:
    """Whether the maximum binds: it does in the text that has been read in the primary source."""
    return answer is not None and _OLD in answer.law_versions
