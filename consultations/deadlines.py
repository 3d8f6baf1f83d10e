"""Periods and moments: when a phase is open and whether something arrived in time.

Pure: no clock, no database, no environment. The moment is always an argument, and every question about a
calendar day is answered in legal time at the place of the hearing, Europe/Berlin, whatever zone the moment
was written in. A period ends with the end of its last day (§188 BGB): 24:00 local time, which is 00:00 of the
next day and is itself no longer within the period.
"""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum
from zoneinfo import ZoneInfo

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
