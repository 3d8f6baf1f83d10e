"""The answer of the deadline engine about a phase: the same for a preview, a check and a certificate.

Which question of the law a phase is, `schedule.question_of` says, and nobody else.
"""

from dataclasses import replace
from datetime import date, datetime

from consultations import schedule
from consultations.computation import Answer, Impossible
from consultations.law import Policy
from consultations.legal_periods import ask
from consultations.phases import Phase, planned_of
from consultations.procedures import Procedure, frame_of
from consultations.seats import Seat


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
    planned = planned_of(phase)
    if starts_on is not None:
        planned = replace(planned, starts_on=starts_on, ends_on=ends_on)
    if online_since is not None:
        planned = replace(planned, facts={**planned.facts, "online_since": online_since})
    asked = schedule.question_of(frame_of(procedure), planned)
    if asked is None:
        raise Impossible("the phase has no statutory period")
    return ask(asked[0], asked[1], seat=seat, policy=policy)
