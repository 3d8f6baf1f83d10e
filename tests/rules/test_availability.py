"""Outages by the minute: a second opinion that walks every minute, and the days of summer time."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consultations.availability import LONGEST_PAUSE, Result, Stretch, judge, limits, measured, together
from consultations.law import Policy
from consultations.seats import Seat

BAVARIA = Seat.from_data({"country": "DE", "subdivision": "BY", "categories": ["public", "catholic"]})
START = datetime(2027, 3, 27, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)

#: Probes as (minutes since the last one, what was wrong).
PROBES = st.lists(
    st.tuples(st.integers(1, 40), st.sampled_from(["", "", "unreachable", "status_500"])), max_size=25
)


def spans_of(probes: list[tuple[int, str]]) -> tuple[list[Result], list[tuple[datetime, str]]]:
    """What `availability.record` keeps of these probes, and the probes themselves."""
    at, results, single = START, [], []
    for pause, problem in probes:
        at += pause * MINUTE
        single.append((at, problem))
        last = results[-1] if results else None
        if last and last.problem == problem and at - last.last_at <= LONGEST_PAUSE:
            results[-1] = Result(problem, last.began_at, at, last.probes + 1)
        else:
            results.append(Result(problem, at, at))
    return results, single


@settings(max_examples=400, deadline=None)
@given(PROBES, st.integers(0, 60), st.integers(61, 900))
def test_every_minute_is_what_the_probe_before_it_found(
    probes: list[tuple[int, str]], begins: int, ends: int
) -> None:
    results, single = spans_of(probes)
    opens, closes = START + begins * MINUTE, START + ends * MINUTE
    found = measured(results, opens, closes)
    for minute in range(begins, ends):
        at = START + minute * MINUTE
        before = [probe for probe in single if probe[0] <= at]
        after = [probe for probe in single if probe[0] > at]
        following = after[0][0] if after else closes
        is_known = bool(before) and following - before[-1][0] <= LONGEST_PAUSE
        is_down = bool(before) and before[-1][1] != "" and (is_known or before[-1][0] == at)
        assert any(each.begins <= at < each.ends for each in found.outages) == is_down
        if not is_down:
            assert any(each.begins <= at < each.ends for each in found.unmeasured) == (not is_known)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 300), st.integers(1, 60)), max_size=12))
def test_outages_at_the_same_time_count_once(parts: list[tuple[int, int]]) -> None:
    stretches = [Stretch(START + a * MINUTE, START + (a + length) * MINUTE) for a, length in parts]
    minutes = {minute for a, length in parts for minute in range(a, a + length)}
    assert sum(each.minutes for each in together(stretches)) == len(minutes)


@pytest.mark.parametrize(
    ("day", "hours"), [(date(2027, 3, 28), 23), (date(2027, 10, 31), 25), (date(2027, 3, 29), 24)]
)
def test_a_day_is_as_long_as_it_is(day: date, hours: int) -> None:
    opens, closes = limits(day, day)
    assert closes - opens == timedelta(hours=hours)


@pytest.mark.parametrize(
    ("hours", "last_day", "action"),
    [
        (2, False, "log_only"),
        (4, False, "log_only"),
        (4.1, False, "review"),
        (24, False, "extend_by_new_announcement"),
        (1, True, "extend_by_new_announcement"),
        (0.9, True, "log_only"),
    ],
)
def test_the_engine_judges_what_was_measured(hours: float, last_day: bool, action: str) -> None:
    begins = datetime(2027, 3, 2 if last_day else 12, 1, tzinfo=UTC)
    outage = Stretch(begins, begins + timedelta(hours=hours), "unreachable")
    end = date(2027, 3, 2) if last_day else date(2027, 3, 31)
    answer = judge([outage], date(2027, 2, 1), end, BAVARIA)
    assert answer.results["action"] == action


def test_the_thresholds_are_policy() -> None:
    begins = datetime(2027, 3, 12, 1, tzinfo=UTC)
    outage = Stretch(begins, begins + timedelta(hours=2))
    strict = Policy(outage_log_only_hours=1, outage_extend_hours=2)
    answer = judge([outage], date(2027, 3, 1), date(2027, 3, 31), BAVARIA, strict)
    assert answer.results["action"] == "extend_by_new_announcement"


def test_an_outage_in_the_hour_that_comes_twice_is_as_long_as_it_was() -> None:
    """On 31 October 2027 the clock shows 2:30 twice; between them lies an hour."""
    first = datetime(2027, 10, 31, 0, 30, tzinfo=UTC)  # 2:30 summer time
    outage = Stretch(first, first + timedelta(hours=1))
    answer = judge([outage], date(2027, 10, 1), date(2027, 11, 2), BAVARIA)
    assert "60 minutes" in answer.steps[0].why.text("en")
