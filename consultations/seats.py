"""The seat of an authority: which days are working days there.

A period that ends on a Saturday, a Sunday or a holiday ends on the next working day (§193 BGB, §31(3) VwVfG);
the holidays are those at the seat of the authority, not of the sender. Holidays are data of the seat
(arguments for the library `holidays`), so no town is known by name here. The library is imported on first use.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from importlib.resources import files
from typing import Any

_DAY = timedelta(days=1)
#: The language names of the library `holidays`.
_LANGUAGES = {"de": "de", "en": "en_US"}


@dataclass(frozen=True)
class ClosingDay:
    """A day on which the office is closed although it is a working day: information, never a reason to shift."""

    day: date
    name: str


@dataclass(frozen=True)
class SchoolHolidays:
    """Days without school: families are away, so that a period may have to be longer (BauGB §3(2) S.1)."""

    first: date
    last: date
    name: str


@dataclass(frozen=True)
class Seat:
    """Where an authority sits.

    `subdivision` and `categories` are arguments for the library `holidays`; `court` names the seat of the higher
    administrative court (its holidays count for a judicial review of the plan); `valid_from` and `source` say
    since when the choice of holidays is known to be right, and from where.
    """

    subdivision: str | None = None
    categories: tuple[str, ...] = ("public",)
    closing_days: tuple[ClosingDay, ...] = ()
    country: str = "DE"
    name: str = ""
    court: str | None = None
    valid_from: date | None = None
    source: str = ""
    school_holidays: tuple[SchoolHolidays, ...] = ()

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Seat:
        """A seat from a municipality's calendar row or from the file of known seats.

        Keys as the fields, all optional; days as "2026-12-24"; `closing_days` as a list of
        {"day", "name"} or of plain days, `school_holidays` as a list of {"from", "to", "name"}. Raises ValueError naming the field that is wrong.
        """
        known = {
            "subdivision",
            "categories",
            "closing_days",
            "country",
            "name",
            "court",
            "valid_from",
            "source",
            "school_holidays",
        }
        if unknown := sorted(set(data) - known):
            raise ValueError(f"calendar: unknown field {unknown[0]!r}")
        for key in ("subdivision", "court", "country", "name", "source"):
            if data.get(key) is not None and not isinstance(data[key], str):
                raise ValueError(f"{key}: expected a text, got {data[key]!r}")
        categories = data.get("categories", ["public"])
        if not isinstance(categories, list | tuple) or not all(isinstance(name, str) for name in categories):
            raise ValueError(f"categories: expected a list of texts, got {categories!r}")
        closing_days = data.get("closing_days", [])
        if not isinstance(closing_days, list | tuple):
            raise ValueError(f"closing_days: expected a list, got {closing_days!r}")
        seat = cls(
            subdivision=data.get("subdivision"),
            categories=tuple(categories),
            closing_days=tuple(_closing_day(entry) for entry in closing_days),
            country=data.get("country") or "DE",
            name=data.get("name") or "",
            court=data.get("court"),
            valid_from=_day("valid_from", data["valid_from"]) if data.get("valid_from") else None,
            source=data.get("source") or "",
            school_holidays=tuple(_school_holidays(entry) for entry in data.get("school_holidays", [])),
        )
        try:
            _holidays(seat.country, seat.subdivision, seat.categories, 2025, "de")
        except (NotImplementedError, ValueError) as error:
            raise ValueError(f"calendar: {error}") from error
        return seat

    def holiday(self, day: date, language: str = "de") -> str | None:
        """The name of the public holiday on this day at this seat, or None.

        Raises ValueError for a year without a known calendar.
        """
        return _holidays(self.country, self.subdivision, self.categories, day.year, language).get(day)

    def is_working_day(self, day: date) -> bool:
        """Neither Saturday nor Sunday nor a public holiday (24 and 31 December are working days)."""
        return day.weekday() < 5 and self.holiday(day) is None

    def working_day_from(self, day: date) -> date:
        """This day if it is a working day, otherwise the next one."""
        while not self.is_working_day(day):
            day += _DAY
        return day

    def working_day_until(self, day: date) -> date:
        """This day if it is a working day, otherwise the last one before it."""
        while not self.is_working_day(day):
            day -= _DAY
        return day

    def school_holiday(self, day: date) -> str | None:
        """Which school holidays this day is in, where they are entered, or None."""
        return next((each.name for each in self.school_holidays if each.first <= day <= each.last), None)

    def closing_day(self, day: date) -> str | None:
        """Why the office is closed on this day, or None."""
        return next((closing.name for closing in self.closing_days if closing.day == day), None)


@dataclass(frozen=True)
class SeatBook:
    """Seats by name, and the calendar to use when nobody names a place."""

    default: Seat
    seats: tuple[Seat, ...]
    other_names: Mapping[str, str]

    def find(self, name: str) -> Seat:
        """The seat of this name, whatever its case or spelling. Raises ValueError naming the known ones."""
        wanted = _folded(name)
        official = self.other_names.get(wanted, wanted)
        for seat in self.seats:
            if _folded(seat.name) == official:
                return seat
        raise ValueError(f"unknown city {name!r}; known: {', '.join(seat.name for seat in self.seats)}")

    def court_of(self, seat: Seat) -> Seat:
        """The seat of the court that reviews plans of this seat; the seat itself when none is named."""
        return self.find(seat.court) if seat.court else seat


@cache
def known_seats() -> SeatBook:
    """The seats of the data file `consultations/data/seats.json`, for commands that are told a city's name."""
    data = json.loads(files("consultations").joinpath("data/seats.json").read_text(encoding="utf-8"))
    other_names = {
        _folded(other): _folded(entry["name"])
        for entry in data["seats"]
        for other in entry.get("also_called", ())
    }
    seats = [{key: entry[key] for key in entry if key != "also_called"} for entry in data["seats"]]
    return SeatBook(Seat.from_data(data["without_city"]), tuple(map(Seat.from_data, seats)), other_names)


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", name).strip().casefold()


def _day(field: str, value: object) -> date:
    if isinstance(value, date):
        return value
    try:
        return date.fromisoformat(str(value))
    except ValueError as error:
        raise ValueError(f"{field}: expected a day like 2026-12-24, got {value!r}") from error


def _school_holidays(entry: Mapping[str, Any]) -> SchoolHolidays:
    first, last = _day("school_holidays", entry["from"]), _day("school_holidays", entry["to"])
    if last < first:
        raise ValueError("school_holidays: they end before they begin")
    return SchoolHolidays(first, last, str(entry.get("name", "")))


def _closing_day(entry: object) -> ClosingDay:
    if isinstance(entry, Mapping):
        return ClosingDay(_day("closing_days", entry.get("day")), str(entry.get("name", "")))
    return ClosingDay(_day("closing_days", entry), "")


@cache
def _holidays(
    country: str, subdivision: str | None, categories: tuple[str, ...], year: int, language: str
) -> Mapping[date, str]:
    """The public holidays of one year. Only whole calendars: a year the library does not cover is refused."""
    import holidays

    calendar = holidays.country_holidays(
        country,
        subdiv=subdivision,
        categories=categories,
        years=year,
        language=_LANGUAGES.get(language, language),
    )
    if not calendar.start_year <= year <= calendar.end_year:
        raise ValueError(f"no holiday calendar for the year {year}")
    return dict(calendar)
