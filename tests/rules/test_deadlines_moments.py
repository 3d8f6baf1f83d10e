"""When a phase is open, to the second, at both changes of summer time."""

from datetime import UTC, date, datetime, timedelta, timezone

import pytest

from consultations.deadlines import PhaseState, days_left, is_in_time, local_date, phase_state


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


@pytest.mark.parametrize(
    ("moment", "day"),
    [
        ("2026-03-31T21:59:59+00:00", date(2026, 3, 31)),
        ("2026-03-31T22:00:00+00:00", date(2026, 4, 1)),
        ("2026-03-28T22:59:59+00:00", date(2026, 3, 28)),
        ("2026-03-28T23:00:00+00:00", date(2026, 3, 29)),
        ("2026-10-25T22:59:59+00:00", date(2026, 10, 25)),
        ("2026-10-25T23:00:00+00:00", date(2026, 10, 26)),
        ("2026-07-01T17:00:00-05:00", date(2026, 7, 2)),
    ],
)
def test_the_day_is_the_day_in_berlin(moment: str, day: date) -> None:
    assert local_date(at(moment)) == day


@pytest.mark.parametrize(
    ("now", "state", "left"),
    [
        ("2026-03-28T22:59:59+00:00", PhaseState.COMING, 3),
        ("2026-03-28T23:00:00+00:00", PhaseState.OPEN, 2),
        ("2026-03-31T21:59:59+00:00", PhaseState.OPEN, 0),
        ("2026-03-31T22:00:00+00:00", PhaseState.OVER, -1),
    ],
)
def test_a_phase_opens_at_midnight_and_closes_at_midnight(now: str, state: PhaseState, left: int) -> None:
    start, end = date(2026, 3, 29), date(2026, 3, 31)  # the first day has 23 hours
    assert phase_state(start, end, at(now)) is state
    assert days_left(end, at(now)) == left


def test_the_day_of_the_autumn_change_has_twenty_five_hours() -> None:
    day = date(2026, 10, 25)
    opening = datetime(2026, 10, 24, 22, tzinfo=UTC)
    open_hours = [
        hour
        for hour in range(-2, 28)
        if phase_state(day, day, opening + timedelta(hours=hour)) is PhaseState.OPEN
    ]
    assert open_hours == list(range(25))


def test_the_law_may_lengthen_but_never_shorten_what_was_announced() -> None:
    start, announced = date(2025, 7, 9), date(2025, 8, 8)
    now = at("2025-08-11T12:00:00+02:00")
    assert phase_state(start, announced, now) is PhaseState.OVER
    assert phase_state(start, announced, now, effective_end=date(2025, 8, 11)) is PhaseState.OPEN
    assert days_left(announced, now, effective_end=date(2025, 8, 12)) == 1
    assert phase_state(start, date(2025, 8, 12), now, effective_end=date(2025, 8, 8)) is PhaseState.OPEN


def test_without_an_end_a_phase_stays_open() -> None:
    now = at("2099-01-01T00:00:00+01:00")
    assert phase_state(date(2025, 1, 1), None, now) is PhaseState.OPEN
    assert days_left(None, now) is None
    assert is_in_time(now, None)
    assert days_left(None, now, effective_end=date(2099, 1, 3)) == 2


def test_early_is_not_late() -> None:
    assert is_in_time(at("2026-05-28T10:00:00+02:00"), date(2026, 7, 1))


def test_a_moment_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="time zone"):
        is_in_time(datetime(2026, 7, 1, 12), None)
    with pytest.raises(ValueError, match="time zone"):
        phase_state(date(2026, 7, 1), None, datetime(2026, 7, 1, 12))


def test_the_zone_a_moment_is_written_in_does_not_matter() -> None:
    moment = datetime(2026, 7, 1, 21, 59, 59, tzinfo=UTC)
    for hours in (-11, -5, 0, 2, 13):
        assert is_in_time(moment.astimezone(timezone(timedelta(hours=hours))), date(2026, 7, 1))
