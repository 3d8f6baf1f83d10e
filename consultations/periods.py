"""Which question of the deadline engine a phase is, and its answer: the same for a preview, a check and a certificate."""

from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import Any

from consultations.computation import Answer, Impossible
from consultations.law import Policy
from consultations.legal_periods import ask
from consultations.procedures import Phase, PhaseKind, Procedure
from consultations.seats import Seat

Days = tuple[date, date | None]


def _with(start: str, end: str) -> Callable[[Days], dict[str, Any]]:
    """The facts of a question from first and last day, under the names it has for them."""
    return lambda days: {start: days[0]} | ({end: days[1]} if days[1] else {})


_QUESTIONS: Mapping[str, tuple[str, Callable[[Days], dict[str, Any]]]] = {
    PhaseKind.EARLY: ("bauleitplan_early", _with("start", "end")),
    PhaseKind.AGENCIES_EARLY: ("toeb_early", _with("start", "end")),
    PhaseKind.PUBLICATION: ("bauleitplan_publication", _with("start", "announced_end")),
    PhaseKind.REPEATED: ("bauleitplan_renewed", _with("start", "end")),
    PhaseKind.AGENCIES: ("toeb_participation", _with("request_received", "announced_end")),
    PhaseKind.DISPLAY: ("planfeststellung_new", _with("display_start", "announced_end")),
}
_OLD_DISPLAY = ("planfeststellung_old", _with("display_start", "display_end"))
#: Facts that a question takes beyond the days, by the names of `legal_facts`; the phase remembers them.
_FACTS = ("announced_on", "important_reason", "change_touches_interests", "obvious", "plan_complete_on")


def question_of(procedure: Procedure, phase: Phase) -> str | None:
    """The name of the question that a formal phase is; None for one without a statutory period."""
    found = _question(procedure, phase)
    return found[0] if found else None


def _question(procedure: Procedure, phase: Phase) -> tuple[str, Callable[[Days], dict[str, Any]]] | None:
    if not phase.is_formal:
        return None
    if phase.kind == PhaseKind.DISPLAY.value and procedure.law_version.startswith("VwVfG until"):
        return _OLD_DISPLAY
    return _QUESTIONS.get(phase.kind)


def ask_about(
    procedure: Procedure,
    phase: Phase,
    seat: Seat,
    *,
    starts_on: date | None = None,
    ends_on: date | None = None,
    online_since: datetime | None = None,
    policy: Policy | None = None,
) -> Answer:
    """The engine's answer for a phase, by its own days or by those from `starts_on` on. `online_since`: since when everything was online.

    Raises Impossible for a phase without a statutory period, without a start, or of a year without a known calendar.
    """
    found = _question(procedure, phase)
    if starts_on is None:
        starts_on, ends_on = phase.starts_on, phase.ends_on
    if found is None or starts_on is None:
        raise Impossible("the phase has no statutory period")
    question, facts = found
    given = facts((starts_on, ends_on))
    given |= {name: phase.facts[name] for name in _FACTS if phase.facts.get(name) is not None}
    if online_since is not None and question == "bauleitplan_publication":
        given["online_since"] = online_since
    if question == "bauleitplan_renewed":
        # That a renewed participation takes place has been decided; only its length is asked here.
        given.setdefault("change_touches_interests", True)
    return ask(question, given, seat=seat, policy=policy)
