"""A second opinion on dates: slow, plain, and sharing no code with the product.

Walks the calendar day by day, knows the Bavarian holidays from a table and Easter from the Gregorian computus, and
summer time from the European rule (from 01:00 UTC on the last Sunday of March to that of October).
"""

from datetime import UTC, date, datetime, timedelta
from functools import cache

DAY = timedelta(days=1)
CITIES = ("Augsburg", "München", "Nürnberg")


def easter(year: int) -> date:
    """Easter Sunday by the anonymous Gregorian computus."""
    a, b, c = year % 19, year // 100, year % 100
    d, e = divmod(b, 4)
    g = (8 * b + 13) // 25
    h = (19 * a + b - d - g + 15) % 30
    i, k = divmod(c, 4)
    m = (32 + 2 * e + 2 * i - h - k) % 7
    n = (a + 11 * h + 22 * m) // 451
    month, day = divmod(h + m - 7 * n + 114, 31)
    return date(year, month, day + 1)


@cache
def holidays(year: int, city: str) -> frozenset[date]:
    fixed = {(1, 1), (1, 6), (5, 1), (10, 3), (11, 1), (12, 25), (12, 26)}
    if city != "Nürnberg":
        fixed.add((8, 15))
    if city == "Augsburg":
        fixed.add((8, 8))
    movable = (-2, 1, 39, 50, 60)  # Good Friday, Easter Monday, Ascension, Whit Monday, Corpus Christi
    return frozenset(
        {date(year, month, day) for month, day in fixed} | {easter(year) + days * DAY for days in movable}
    )


def working(day: date, city: str) -> bool:
    return day.strftime("%u") not in "67" and day not in holidays(day.year, city)


def next_working(day: date, city: str) -> date:
    while not working(day, city):
        day += DAY
    return day


def last_working(day: date, city: str) -> date:
    while not working(day, city):
        day -= DAY
    return day


def month_after(start: date, months: int, number: int) -> date:
    """The day with this number in the n-th month after the one of `start`, or the last day of that month."""
    passed = 0
    day = start
    while passed < months:
        day += DAY
        passed += day.day == 1
    while day.day != number and (day + DAY).month == day.month:
        day += DAY
    return day


def month_from_start(first_day: date, months: int) -> date:
    """Whose first day counts: the day before the one with the same number."""
    if first_day.day == 1:
        last = first_day
        passed = 0
        while passed < months:
            passed += (last + DAY).day == 1
            last += DAY
        return last - DAY
    return month_after(first_day, months, first_day.day - 1)


def days_from_start(first_day: date, days: int) -> date:
    """The last of so many days, the first of them counted."""
    day, seen = first_day, 1
    while seen < days:
        day += DAY
        seen += 1
    return day


def berlin(moment: datetime) -> datetime:
    """A moment as the clock in Berlin shows it, without a zone."""
    utc = moment.astimezone(UTC).replace(tzinfo=None)
    begins, ends = (datetime(utc.year, month, _last_sunday(utc.year, month), 1) for month in (3, 10))
    return utc + timedelta(hours=2 if begins <= utc < ends else 1)


def _last_sunday(year: int, month: int) -> int:
    return max(day for day in range(25, 32) if date(year, month, day).strftime("%u") == "7")
