"""Until when an agency may answer: each law with its bounds, its proof, and a period of its own for whoever comes later."""

from datetime import date, timedelta

import pytest

from consultations.agency_periods import FREE_PERIOD, Period, asks_agencies, period_of
from consultations.phases import Phase, PhaseKind, Track
from consultations.procedures import PlanKind, Procedure
from consultations.seats import Seat

SEAT = Seat.from_data({"country": "DE", "subdivision": "BY", "categories": ["public", "catholic"]})
START, END = date(2027, 2, 1), date(2027, 3, 5)
OLD, NEW = "VwVfG until 2026-07-28", "VwVfG 2026-07-29"


def period(
    kind: PhaseKind,
    received: date,
    *,
    plan: PlanKind = PlanKind.DEVELOPMENT_PLAN,
    law: str = "",
    end: date | None = END,
    due: date | None = None,
    is_formal: bool = True,
) -> Period:
    phase = Phase(
        procedure_id=1,
        kind=kind.value,
        track=Track.AGENCIES.value,
        starts_on=START,
        ends_on=end,
        is_formal=is_formal,
    )
    assert asks_agencies(phase)
    procedure = Procedure(plan_kind=plan.value, law_version=law)
    return period_of(phase, procedure, received, seat=SEAT, due_on=due)


def test_the_formal_step_has_a_minimum_and_who_comes_later_a_period_of_their_own() -> None:
    first = period(PhaseKind.AGENCIES, START)
    assert (first.minimum, first.proposed, first.is_later) == (date(2027, 3, 3), END, False)
    later = period(PhaseKind.AGENCIES, date(2027, 2, 20))
    assert (later.minimum, later.proposed, later.is_later) == (date(2027, 3, 22), date(2027, 3, 22), True)
    assert later.proof["law_versions"] == ["BauGB 2023-07-07"]
    assert len(later.proof["steps"]) >= 3
    assert all(step["de"] and step["en"] for step in later.proof["steps"])


@pytest.mark.parametrize(
    ("kind", "source"),
    [(PhaseKind.AGENCIES_EARLY, "BauGB §4(1)"), (PhaseKind.REPEATED, "BauGB §4a(3)")],
)
def test_steps_without_a_minimum_say_so_and_warn_of_a_short_period(kind: PhaseKind, source: str) -> None:
    first = period(kind, START, due=START + timedelta(days=5))
    assert (first.minimum, first.maximum, first.earliest, first.proposed) == (None, None, START, END)
    assert first.source == source
    assert first.why["de"]
    assert [each["severity"] for each in first.proof["findings"]] in (["INFO"], ["WARN"])
    assert not period(kind, START, due=END).proof["findings"]
    # The phase is nearly over: as many days as it has, from the own request on; on a working day.
    later = period(kind, date(2027, 3, 1))
    assert (later.proposed, later.is_later) == (date(2027, 4, 2), True)
    # A last day before the request arrives is nobody's period: nothing is computed from it, and it is too early.
    assert period(kind, START, due=START - timedelta(days=1)).earliest == START


def test_in_plan_approval_the_old_law_has_a_maximum_and_the_new_one_is_not_verified() -> None:
    facts = {"plan": PlanKind.PLAN_APPROVAL, "end": date(2027, 6, 30)}
    old = period(PhaseKind.AGENCIES, START, law=OLD, **facts)  # type: ignore[arg-type]
    assert (old.minimum, old.maximum, old.proposed) == (None, date(2027, 5, 1), date(2027, 5, 1))
    assert "§73(3a)" in old.source
    assert old.proof["law_versions"] == [OLD]
    too_long = period(PhaseKind.AGENCIES, START, law=OLD, due=date(2027, 5, 2), **facts)  # type: ignore[arg-type]
    assert [each["code"] for each in too_long.proof["findings"]] == ["set_period_too_long"]
    # The last day of the maximum is a Saturday and a holiday: in time until Monday.
    assert period(PhaseKind.AGENCIES, START, law=OLD, due=date(2027, 5, 1), **facts).effective == date(
        2027, 5, 3
    )  # type: ignore[arg-type]
    new = period(PhaseKind.AGENCIES, START, law=NEW, due=date(2027, 6, 30), **facts)  # type: ignore[arg-type]
    assert (new.maximum, new.proposed) == (None, date(2027, 6, 30))
    assert {each["code"] for each in new.proof["findings"]} == {"law_not_verified", "set_period_long"}


def test_where_no_law_is_known_nothing_is_claimed() -> None:
    informal = period(PhaseKind.AGENCIES, START, plan=PlanKind.FRAMEWORK_PLAN, end=None)
    assert (informal.minimum, informal.why, informal.source, informal.proof) == (None, {}, "", {})
    assert informal.proposed == SEAT.working_day_from(START + FREE_PERIOD)
    assert not asks_agencies(Phase(procedure_id=1, kind=PhaseKind.EARLY.value, track=Track.PUBLIC.value))
