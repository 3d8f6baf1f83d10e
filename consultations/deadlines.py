"""Periods and moments: when a phase is open and whether something arrived in time.

Pure: no clock, no database, no environment. The moment is always an argument, and every question about a
calendar day is answered in legal time at the place of the hearing, Europe/Berlin, whatever zone the moment
was written in. A period ends with the end of its last day (§188 BGB): 24:00 local time, which is 00:00 of the
next day and is itself no longer within the period.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterable
from datetime import date, datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from consultations.law import Length

LEGAL_TIME = ZoneInfo("Europe/Berlin")


class PhaseState(StrEnum):
    """Where a phase stands at a moment."""

    COMING = "coming"
    OPEN = "open"
    OVER = "over"


def local_date(moment: datetime) -> date:
    """The calendar day of a moment in legal time (Europe/Berlin).

    Raises ValueError for a moment without a time zone: guessing one could move a statement across midnight.
    """
    if moment.tzinfo is None or moment.utcoffset() is None:
        raise ValueError("a moment needs a time zone")
    return moment.astimezone(LEGAL_TIME).date()


def is_in_time(received_at: datetime, last_day: date | None) -> bool:
    """Whether something received at this moment arrived before the end of the last day.

    `last_day` is the effective end of the period; None means there is no end. Being early is not being late:
    what arrives before the first day counts as in time.
    Source: §188(1), (2) BGB ("mit dem Ablauf des Tages"), §3(2) sentence 4 no. 1 BauGB.
    """
    day = local_date(received_at)
    return last_day is None or day <= last_day


def phase_state(
    starts_on: date, ends_on: date | None, now: datetime, *, effective_end: date | None = None
) -> PhaseState:
    """Whether a phase is still coming, open or over.

    It opens at 00:00 of `starts_on` and closes at 24:00 of its last day, Europe/Berlin. `effective_end` is the
    last day the law gives when that is later than the announced one; an earlier one never shortens what was
    announced. Without both there is no end.
    """
    if local_date(now) < starts_on:
        return PhaseState.COMING
    return PhaseState.OPEN if is_in_time(now, _last_day(ends_on, effective_end)) else PhaseState.OVER


def days_left(ends_on: date | None, now: datetime, *, effective_end: date | None = None) -> int | None:
    """How many whole days remain after today: 0 on the last day, negative once over, None without an end."""
    today = local_date(now)
    last_day = _last_day(ends_on, effective_end)
    return None if last_day is None else (last_day - today).days


def _last_day(ends_on: date | None, effective_end: date | None) -> date | None:
    if ends_on is None or effective_end is None:
        return ends_on if effective_end is None else effective_end
    return max(ends_on, effective_end)


# --- counting: pure calendar arithmetic of §§187–190 BGB ------------------------------------------------------


def start_counted(first_day: date, length: Length) -> date:
    """The last day of a period whose first day counts (§187(2), §188(2) alternative 2, §188(3) BGB).

    A month ends on the day before the one with the same number, or on the last day of the month when that day
    does not exist: 31 March → 30 April, 31 January → 28 February.
    """
    if length.months:
        return _day_before_same_number(first_day, length.months) + timedelta(days=length.days)
    return first_day + timedelta(days=length.days - 1)


def event_counted(event: date, length: Length) -> date:
    """The last day of a period that begins with an event, whose day does not count (§187(1), §188 BGB).

    A month ends on the day with the same number, or on the last day of the month: 31 January → 28 February.
    """
    return _same_number(event, length.months) + timedelta(days=length.days)


def latest_notice(event: date, length: Length) -> date:
    """The last day for a notice "at least …" before an event: neither of both days counts (§187(1) BGB).

    One week before Tuesday the 9th is Monday the 1st: seven whole days lie between.
    """
    return _same_number(event, -length.months) - timedelta(days=length.days + 1)


def earliest_event(notice: date, length: Length) -> date:
    """The first day for an event that needs a notice "at least …" before; the counterpart of `latest_notice`."""
    return event_counted(notice, length) + timedelta(days=1)


def full_days_between(notice: date, event: date) -> int:
    """Whole days between a notice and an event, neither of both days counted; negative when reversed."""
    return (event - notice).days - 1


def resting(period_start: date, last_day: date, rests: Iterable[tuple[date, date]]) -> date:
    """The last day of a period that rests on some days (GO Art. 18(4) sentence 2; §209 BGB).

    `rests` are (first, last) days, both inclusive, in any order; days in several of them count once. The period
    runs from `period_start`; each of its days that lies in a rest is added at its end, where it may meet the next.
    """
    resting_days = {
        first + timedelta(days=offset) for first, last in rests for offset in range((last - first).days + 1)
    }
    running = sum(
        1
        for offset in range((last_day - period_start).days + 1)
        if period_start + timedelta(days=offset) in resting_days
    )
    while running:
        last_day += timedelta(days=1)
        running -= last_day not in resting_days
    return last_day


def age_on(born: date, on: date) -> int:
    """Full years of age on a day. The day of birth counts (§187(2) sentence 2 BGB): who was born on 29 February
    completes a year with the end of 28 February and is a year older on 1 March. Raises ValueError before birth.
    """
    if on < born:
        raise ValueError("the day is before the birth")
    return on.year - born.year - ((on.month, on.day) < (born.month, born.day))


def _same_number(day: date, months: int) -> date:
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


def _day_before_same_number(first_day: date, months: int) -> date:
    if first_day.day == 1:  # the day before the first is the last day of the month before
        return _same_number(first_day, months) - timedelta(days=1)
    return _same_number(first_day - timedelta(days=1), months)
