"""Every day of 2024–2032 against a slow second opinion, and the shape of all answers."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consultations.computation import Impossible
from consultations.deadlines import (
    age_on,
    earliest_event,
    event_counted,
    full_days_between,
    is_in_time,
    latest_notice,
    local_date,
    resting,
    start_counted,
)
from consultations.law import Length
from consultations.legal_periods import QUESTIONS, ask
from consultations.seats import known_seats
from tests.rules import deadline_oracle as oracle

BOOK = known_seats()
FIRST, LAST = date(2024, 1, 1), date(2032, 12, 31)
DAYS = st.dates(FIRST, LAST)
CITIES = st.sampled_from(oracle.CITIES)


def every_day() -> Iterator[date]:
    return (FIRST + timedelta(days=offset) for offset in range((LAST - FIRST).days + 1))


@pytest.mark.parametrize("city", oracle.CITIES)
def test_working_days_of_the_seats(city: str) -> None:
    seat = BOOK.find(city)
    wrong = [day for day in every_day() if seat.is_working_day(day) != oracle.working(day, city)]
    assert wrong == []


@pytest.mark.parametrize("months", [1, 3, 6, 12])
def test_months(months: int) -> None:
    wrong = [
        day
        for day in every_day()
        if start_counted(day, Length(months=months)) != oracle.month_from_start(day, months)
        or event_counted(day, Length(months=months)) != oracle.month_after(day, months, day.day)
    ]
    assert wrong == []


@pytest.mark.parametrize("city", oracle.CITIES)
def test_every_publication(city: str) -> None:
    wrong = []
    for start in every_day():
        month_end = oracle.month_from_start(start, 1)
        floor_end = oracle.days_from_start(start, 30)
        minimum = max(month_end, floor_end)
        results = ask("publication", {"start": start, "city": city}, seats=BOOK).results
        if (results["month_end"], results["floor_end"], results["minimum_end"], results["recommended_end"]) != (
            month_end, floor_end, minimum, oracle.next_working(minimum, city),
        ):  # fmt: skip
            wrong.append(start)
    assert wrong == []


def test_the_floor_binds_only_from_31_january_to_the_end_of_february() -> None:
    """An observation of the domain's brief, found again without it."""
    bound = {
        (start.month, start.day)
        for start in every_day()
        if ask("publication", {"start": start, "city": "Nürnberg"}, seats=BOOK).results["floor_binding"]
    }
    assert bound == {(1, 31)} | {(2, day) for day in range(1, 30)}


@settings(deadline=None, max_examples=150)
@given(received=DAYS, city=CITIES)
def test_agencies(received: date, city: str) -> None:
    answer = ask("agencies", {"request_received": received, "city": city}, seats=BOOK)
    minimum = max(oracle.month_after(received, 1, received.day), oracle.days_from_start(received, 31))
    assert answer.results["minimum_end"] == minimum
    assert answer.results["recommended_end"] == oracle.next_working(minimum, city)


@settings(deadline=None, max_examples=150)
@given(start=DAYS, longer=st.integers(-20, 60), city=CITIES)
def test_an_announced_end_binds_or_blocks(start: date, longer: int, city: str) -> None:
    minimum = ask("publication", {"start": start, "city": city}, seats=BOOK).results["minimum_end"]
    assert isinstance(minimum, date)
    announced = minimum + timedelta(days=longer)
    answer = ask("publication", {"start": start, "city": city, "announced_end": announced}, seats=BOOK)
    if longer < 0:
        assert answer.results["validation"] == "BLOCK"
        assert answer.effective_end is None
        assert answer.results["effective_end"] is None
    else:
        assert answer.effective_end is not None
        assert answer.effective_end.day == oracle.next_working(announced, city)
        assert answer.results["validation"] == ("OK" if oracle.working(announced, city) else "WARN")


@settings(deadline=None, max_examples=150)
@given(display=DAYS, city=CITIES)
def test_displays_and_objections(display: date, city: str) -> None:
    old = ask("planfeststellung_old", {"display_start": display, "city": city}, seats=BOOK).results
    end = oracle.month_from_start(display, 1)
    assert old["display_end_used"] == end
    assert old["objection_end"] == oracle.next_working(oracle.days_from_start(end + oracle.DAY, 14), city)
    new = ask("planfeststellung_new", {"display_start": display, "city": city}, seats=BOOK).results
    assert new["earliest_defensible_end"] == oracle.next_working(oracle.days_from_start(display, 42), city)
    assert new["recommended_end"] == oracle.next_working(oracle.days_from_start(display, 43), city)
    sup = ask("sup", {"display_start": display, "city": city}, seats=BOOK).results
    readings = oracle.month_from_start(end + oracle.DAY, 1), oracle.month_after(end, 1, end.day)
    assert (sup["reading_187_2"], sup["reading_187_1"]) == readings
    assert sup["minimum_statement_end"] == oracle.next_working(max(readings), city)


@settings(deadline=None, max_examples=150)
@given(event=DAYS, city=CITIES)
def test_periods_that_end_by_law(event: date, city: str) -> None:
    year = oracle.month_after(event, 12, event.day)
    assert ask("planerhaltung", {"announced_on": event, "city": city}, seats=BOOK).results["end"] == (
        oracle.next_working(year, city)
    )
    assert ask("normenkontrolle", {"announced_on": event, "city": city}, seats=BOOK).results["end"] == (
        oracle.next_working(year, "München")
    )
    quarter = oracle.month_after(event, 3, event.day)
    consent = ask("bauturbo_consent", {"request_received": event, "city": city}, seats=BOOK).results
    assert consent["end"] == quarter
    assert consent["act_by_working_day"] == oracle.last_working(quarter, city)


@given(event=DAYS, days=st.integers(1, 30))
def test_a_notice_leaves_its_whole_days(event: date, days: int) -> None:
    notice = latest_notice(event, Length(days=days))
    between = list(every_day_between(notice, event))
    assert len(between) == days == full_days_between(notice, event)
    assert earliest_event(notice, Length(days=days)) == event


def every_day_between(first: date, last: date) -> Iterator[date]:
    day = first + oracle.DAY
    while day < last:
        yield day
        day += oracle.DAY


@given(
    start=DAYS,
    length=st.integers(1, 120),
    rests=st.lists(st.tuples(st.integers(-30, 200), st.integers(0, 40)), max_size=4),
)
def test_a_resting_period_has_as_many_running_days(
    start: date, length: int, rests: list[tuple[int, int]]
) -> None:
    pauses = [
        (start + timedelta(days=offset), start + timedelta(days=offset + days)) for offset, days in rests
    ]
    end = resting(start, start + timedelta(days=length - 1), pauses)
    running = [
        day
        for day in every_day_between(start - oracle.DAY, end + oracle.DAY)
        if not any(first <= day <= last for first, last in pauses)
    ]
    assert len(running) == length
    # A period does not end in a pause, unless it never met one.
    assert running[-1] == end


@given(born=st.dates(date(1990, 1, 1), LAST), later=st.integers(0, 15_000))
def test_age(born: date, later: int) -> None:
    on = min(born + timedelta(days=later), date(2090, 1, 1))
    full_years = 0
    while oracle_birthday(born, full_years + 1) <= on:
        full_years += 1
    assert age_on(born, on) == full_years


def oracle_birthday(born: date, years: int) -> date:
    """The first day of being a year older: the day after the year has ended by §188(2)."""
    end = date(born.year + years, born.month, 28) if (born.month, born.day) == (2, 29) else None
    if end is not None and (end + oracle.DAY).day == 29:
        return end + oracle.DAY
    return end + oracle.DAY if end is not None else date(born.year + years, born.month, born.day)


@given(moment=st.datetimes(datetime(2024, 1, 2), datetime(2032, 12, 30), timezones=st.just(UTC)), last=DAYS)
def test_receipt_by_the_clock_in_berlin(moment: datetime, last: date) -> None:
    shown = oracle.berlin(moment)
    assert local_date(moment) == shown.date()
    assert is_in_time(moment, last) == (shown < datetime.combine(last + oracle.DAY, datetime.min.time()))


@pytest.mark.parametrize("year", range(2024, 2033))
@pytest.mark.parametrize("month", [3, 10])
def test_receipt_to_the_second_around_both_changes(year: int, month: int) -> None:
    change = datetime(
        year, month, max(d for d in range(25, 32) if date(year, month, d).weekday() == 6), 1, tzinfo=UTC
    )
    for hours in range(-30, 31):
        for second in (-1, 0):
            moment = change + timedelta(hours=hours, seconds=second)
            assert local_date(moment) == oracle.berlin(moment).date()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=12)
    | st.dates().map(str) | st.datetimes().map(datetime.isoformat) | st.sampled_from(["Augsburg", "1 month", "web"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip


@settings(deadline=None, max_examples=400)
@given(st.data())
def test_any_input_is_answered_or_refused(data: st.DataObject) -> None:
    question = data.draw(st.sampled_from(QUESTIONS))
    likely = DAYS.map(date.isoformat) | JSON
    fields = {name: likely for name in question.facts.model_fields if name != "city"}
    values: dict[str, Any] = data.draw(
        st.fixed_dictionaries({}, optional={**fields, "city": CITIES | JSON, "other": JSON})
    )
    proof = proof_or_refusal(question.name, values)
    assert proof if isinstance(proof, str) else proof["steps"]


def proof_or_refusal(name: str, values: dict[str, Any]) -> dict[str, Any] | str:
    """The proof of an answer, every sentence of it said in both languages, or why there is none."""
    try:
        proof = ask(name, values, seats=BOOK).explanation()
    except Impossible as refusal:
        return str(refusal)
    assert all(step["de"] and step["en"] and step["source"] for step in proof["steps"] + proof["findings"])
    return proof
