"""The calendar of a consultation: both tracks side by side, month by month, with all that matters to its dates.

The grid shows at a glance, the list beside it says everything in words; neither is the lesser one.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from starlette.responses import Response

from consultations.deadlines import local_date
from consultations.permissions import Permission
from consultations.phases import Track, phases_of
from consultations.schedule import Scheduled
from consultations.seats import Seat
from participation import overview
from participation.pages.planning_advice import TRACKS, scheduled, seat_of
from participation.pages.planning_forms import Head, head_of, planned
from participation.web import Visit, page

#: Marks a message for the catalogues.
N_ = str

#: A plan can wait for years between two steps; more months than these are not laid out.
MOST_MONTHS = 36


@dataclass(frozen=True)
class Stripe:
    """A phase on one day of one track: `part` is "begin", "end", "both" or "" in between."""

    part: str
    is_formal: bool


@dataclass(frozen=True)
class Day:
    """A day of the grid; `public` and `agencies`: what runs on it. None of them outside its month."""

    day: date
    is_off: bool
    is_school_holiday: bool
    is_closed: bool
    is_today: bool
    public: Stripe | None
    agencies: Stripe | None
    is_due: bool


@dataclass(frozen=True)
class Entry:
    """A line of the list. `kind`: begin | end | in_time | due | advised | holiday | closed | school."""

    first: date
    last: date | None
    kind: str
    track: str
    text: str
    source: str = ""


@dataclass(frozen=True)
class Month:
    """A month as weeks of seven days (None outside of it), and as a list."""

    first: date
    weeks: tuple[tuple[Day | None, ...], ...]
    entries: tuple[Entry, ...]


@dataclass(frozen=True)
class CalendarPage:
    """All months that matter, and the phases that have no date yet."""

    head: Head
    months: tuple[Month, ...]
    undated: tuple[tuple[str, str], ...]
    is_cut: bool
    has_school_holidays: bool
    today: date


@page("/verwaltung/planung/{id:int}/kalender", name="planning_calendar", may=Permission.PLAN)
def calendar(visit: Visit) -> Response:
    """Both tracks side by side, with holidays and what the law demands by when."""
    procedure = planned(visit)
    phases = phases_of(visit.session, procedure.id or 0)
    plan = scheduled(visit, procedure, phases)
    seat, today = seat_of(visit), local_date(visit.now)
    names = {str(phase.id): overview.phase_name(phase, visit.language) for phase in phases}
    entries = list(_entries(visit, plan, names))
    days = [entry.first for entry in entries] + [entry.last for entry in entries if entry.last]
    firsts = list(_months(min(days), max(days))) if days else []
    return visit.render(
        "planning/calendar.html",
        CalendarPage(
            head=head_of(visit, procedure),
            months=tuple(_month(visit, first, entries, plan, seat, today) for first in firsts[:MOST_MONTHS]),
            undated=tuple(
                (names[str(phase.id)], visit.gettext(TRACKS[phase.track]))
                for phase in phases
                if phase.starts_on is None
            ),
            is_cut=len(firsts) > MOST_MONTHS,
            has_school_holidays=bool(seat.school_holidays),
            today=today,
        ),
    )


def _months(first: date, last: date) -> Iterator[date]:
    month = first.replace(day=1)
    while month <= last:
        yield month
        month = (month + timedelta(days=31)).replace(day=1)


def _entries(visit: Visit, plan: Sequence[Scheduled], names: dict[str, str]) -> Iterator[Entry]:
    """What the procedure itself brings: beginnings, ends, and what is due."""
    for each in plan:
        phase, name = each.phase, names[each.phase.key]
        track = visit.gettext(TRACKS[phase.track])
        if phase.starts_on and phase.ends_on == phase.starts_on:
            yield Entry(phase.starts_on, None, "begin", track, name)
        else:
            if phase.starts_on:
                yield Entry(
                    phase.starts_on, None, "begin", track, visit.gettext("%(phase)s begins", phase=name)
                )
            if phase.ends_on:
                yield Entry(
                    phase.ends_on, None, "end", track, visit.gettext("%(phase)s: last day", phase=name)
                )
        if each.effective_end:
            words = visit.gettext("%(phase)s: in time until 24:00", phase=name)
            yield Entry(each.effective_end, None, "in_time", track, words)
        for due in each.demands:
            kind = "due" if due.must else "advised"
            text = f"{name}: {due.why.text(visit.language)}"
            yield Entry(due.day, None, kind, track, text, due.source)


def _month(
    visit: Visit,
    first: date,
    entries: Sequence[Entry],
    plan: Sequence[Scheduled],
    seat: Seat,
    today: date,
) -> Month:
    after = (first + timedelta(days=31)).replace(day=1)
    days = [first + timedelta(days=number) for number in range((after - first).days)]
    due = {entry.first for entry in entries if entry.kind == "due"}
    cells: list[Day | None] = [None] * first.weekday()
    cells += [_day(day, plan, seat, today, due) for day in days]
    cells += [None] * (-len(cells) % 7)
    listed = [entry for entry in entries if first <= entry.first < after]
    listed += _of_calendar(visit, days, seat)
    return Month(
        first,
        tuple(tuple(cells[at : at + 7]) for at in range(0, len(cells), 7)),
        tuple(sorted(listed, key=lambda entry: (entry.first, entry.kind in ("holiday", "closed", "school")))),
    )


def _of_calendar(visit: Visit, days: Sequence[date], seat: Seat) -> Iterator[Entry]:
    """Holidays, closing days and school holidays that fall into these days."""
    for day in days:
        if name := _holiday(seat, day, visit.language):
            yield Entry(day, None, "holiday", "", name)
        if name := seat.closing_day(day):
            yield Entry(day, None, "closed", "", visit.gettext("Office closed: %(name)s", name=name))
    for each in seat.school_holidays:
        if each.first <= days[-1] and each.last >= days[0]:
            first, last = max(each.first, days[0]), min(each.last, days[-1])
            yield Entry(first, last, "school", "", each.name or visit.gettext("School holidays"))


def _holiday(seat: Seat, day: date, language: str) -> str | None:
    try:
        return seat.holiday(day, language)
    except ValueError:
        return None  # a year for which no calendar is known


def _day(day: date, plan: Sequence[Scheduled], seat: Seat, today: date, due: set[date]) -> Day:
    return Day(
        day=day,
        is_off=day.weekday() > 4 or _holiday(seat, day, "de") is not None,
        is_school_holiday=seat.school_holiday(day) is not None,
        is_closed=seat.closing_day(day) is not None,
        is_today=day == today,
        public=_stripe(day, plan, Track.PUBLIC),
        agencies=_stripe(day, plan, Track.AGENCIES),
        is_due=day in due,
    )


def _stripe(day: date, plan: Sequence[Scheduled], track: Track) -> Stripe | None:
    """What runs on this day of a track; a formal phase goes before others, a phase without an end is its first day."""
    running = [
        each
        for each in plan
        if each.phase.track == track.value
        and each.phase.starts_on
        and each.phase.starts_on <= day <= (each.last_day or each.phase.starts_on)
    ]
    if not running:
        return None
    each = max(running, key=lambda one: one.phase.is_formal)
    is_first, is_last = each.phase.starts_on == day, (each.last_day or each.phase.starts_on) == day
    part = "both" if is_first and is_last else "begin" if is_first else "end" if is_last else ""
    return Stripe(part, each.phase.is_formal)
