"""Announcements for everybody: the page, the papers to print, the dates for a calendar."""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from starlette.responses import Response

from consultations import announcements
from consultations.announcements import Announcement
from consultations.deadlines import LEGAL_TIME
from consultations.files import serving_headers
from consultations.permissions import Permission
from consultations.phases import Phase, phases_of
from consultations.procedures import Procedure, ProcedureState, localised
from consultations.refusals import Code, Refusal
from participation import overview
from participation.announcement_papers import (
    Paper,
    Paragraph,
    Place,
    announcement_pdf,
    gazette_text,
    poster_pdf,
)
from participation.letters import Letterhead
from participation.overview import PlanSize
from participation.pages.hearings import procedure_of
from participation.pages.map_ground import base_map
from participation.web import Visit, language_prefix, page, path_for

#: The plan on a poster, in pixels; drawn with room around it so that people know the streets.
_POSTER_PLAN = PlanSize(1560, 620, 120)
_PAPERS = ("bekanntmachung.pdf", "plakat.pdf", "aushang.pdf", "amtsblatt.txt", "frist.ics")


@dataclass(frozen=True)
class View:
    """An announcement with what it belongs to."""

    procedure: Procedure
    phase: Phase
    version: Announcement


def view_of(visit: Visit, procedure: Procedure, phase: Phase, version: Announcement) -> View:
    """An announcement, ready to be shown or printed."""
    return View(procedure, phase, version)


def _public(visit: Visit) -> tuple[View, list[Announcement]]:
    """The announcement in the address, if it stands on the internet, and all that do. Raises Refusal NOT_FOUND."""
    procedure = procedure_of(visit)
    if procedure.state == ProcedureState.DRAFT.value:
        visit.not_found()
    public = announcements.public_of(visit.session, procedure.id or 0, visit.now)
    wanted = visit.request.path_params["announcement"]
    for version in public:
        if version.id == wanted:
            phase = next(
                each for each in phases_of(visit.session, procedure.id or 0) if each.id == version.phase_id
            )
            return View(procedure, phase, version), public
    raise Refusal(Code.NOT_FOUND)


@dataclass(frozen=True)
class Part:
    """A paragraph; lines that began with a dash are items."""

    heading: str
    lines: tuple[tuple[bool, str], ...]
    law: str
    is_statutory: bool


@dataclass(frozen=True)
class AnnouncementPage:
    """An announcement as everybody reads it."""

    slug: str
    id: int
    title: str
    kicker: str
    heading: str
    basis: str
    parts: tuple[Part, ...]
    number: int
    at: datetime
    phase: str
    starts_on: date | None
    ends_on: date | None
    effective_end: date | None
    #: A newer version of the same phase stands on the internet: its address.
    newer_url: str
    plan_url: str
    area: str
    hearing_url: str


@page(
    "/beteiligungen/{slug}/bekanntmachung/{announcement:int}",
    name="announcement",
    may=Permission.READ_PUBLIC,
    shared=True,
)
def announcement(visit: Visit) -> Response:
    """The announcement, in German, with a summary in the reader's language."""
    view, public = _public(visit)
    version, procedure = view.version, view.procedure
    first, *others = version.parts
    lines = first["text"].split("\n")
    newer = next((each for each in public if each.phase_id == version.phase_id and each.number > version.number), None)  # fmt: skip
    shown = AnnouncementPage(
        slug=procedure.slug,
        id=version.id or 0,
        title=localised(procedure, visit.language, "title"),
        kicker=first["heading"],
        heading=lines[0],
        basis="\n".join(lines[1:]),
        parts=tuple(
            Part(
                each["heading"],
                tuple((line.startswith("– "), line.removeprefix("– ")) for line in each["text"].split("\n")),
                each["law"],
                each["is_statutory"],
            )
            for each in others
        ),
        number=version.number,
        at=version.made_at,
        phase=overview.phase_name(view.phase, visit.language),
        starts_on=version.starts_on,
        ends_on=version.ends_on,
        effective_end=version.effective_end,
        newer_url=visit.url("announcement", slug=procedure.slug, announcement=newer.id) if newer else "",
        plan_url=visit.url("plan_picture", slug=procedure.slug) if procedure.plan_area else "",
        area=localised(procedure, visit.language, "location_words"),
        hearing_url=visit.url("hearing", slug=procedure.slug),
    )
    return visit.render("announcing/public.html", shown)


@page(
    "/beteiligungen/{slug}/bekanntmachung/{announcement:int}/{paper}",
    name="announcement_paper",
    may=Permission.READ_PUBLIC,
)
def announcement_paper(visit: Visit) -> Response:
    """The announcement as PDF, its poster and site notice, the gazette's text, and the dates for a calendar."""
    view, _ = _public(visit)
    return paper_response(visit, view, visit.request.path_params["paper"])


def paper_response(visit: Visit, view: View, name: str) -> Response:
    """One of the papers of an announcement. Raises Refusal NOT_FOUND for any other name."""
    if name not in _PAPERS:
        visit.not_found()
    filename = f"{view.procedure.slug}-{name}"
    if name == "frist.ics":
        return Response(
            calendar(visit, view), headers=serving_headers(filename, "text/calendar; charset=utf-8")
        )
    if name == "amtsblatt.txt":
        text = gazette_text(_paragraphs(view.version))
        return Response(text.encode(), headers=serving_headers(filename, "text/plain; charset=utf-8"))
    paper = _paper(visit, view, is_poster=name != "bekanntmachung.pdf")
    made = {
        "bekanntmachung.pdf": lambda: announcement_pdf(paper),
        "plakat.pdf": lambda: poster_pdf(paper, size="a3"),
        "aushang.pdf": lambda: poster_pdf(paper, size="a4"),
    }[name]()
    return Response(made, headers=serving_headers(filename, "application/pdf"))


def _paragraphs(version: Announcement) -> tuple[Paragraph, ...]:
    return tuple(
        Paragraph(each["heading"], each["text"], each["law"], each["is_statutory"]) for each in version.parts
    )


def _paper(visit: Visit, view: View, *, is_poster: bool) -> Paper:
    procedure, version = view.procedure, view.version
    language = visit.language if is_poster else "de"
    title = localised(procedure, language, "title")
    plan = ""
    if procedure.plan_area is not None:
        size = _POSTER_PLAN if is_poster else overview.PLAN_SIZES[""]
        plan = overview.plan_picture(procedure, base_map(visit, procedure).sources, size, "light", title)
    contact = {**visit.municipality_row.contact, **{k: v for k, v in procedure.contact.items() if v}}
    return Paper(
        letterhead=Letterhead.of(visit.municipality_row),
        language=language,
        title=title,
        key=procedure.key,
        kind=overview.phase_name(view.phase, language),
        summary=localised(procedure, language, "summary"),
        area=localised(procedure, language, "location_words"),
        paragraphs=_paragraphs(version),
        version=version.number,
        made_at=version.made_at,
        address=visit.base + language_prefix(language) + path_for("hearing", slug=procedure.slug),
        starts_on=version.starts_on,
        ends_on=version.ends_on,
        places=tuple(
            Place(each.place, each.address, each.hours, each.step_free)
            for each in announcements.options_of(procedure)
            if each.place in version.places
        ),
        contact=tuple(str(contact[key]) for key in ("name", "office", "phone", "email") if contact.get(key)),
        plan=plan,
    )


def calendar(visit: Visit, view: View) -> bytes:
    """First and last day as a calendar (RFC 5545), in legal time with its rules for summer time."""
    from icalendar import Alarm, Calendar, Event

    version, procedure = view.version, view.procedure
    title = localised(procedure, visit.language, "title")
    address = visit.absolute("hearing", slug=procedure.slug)
    host = visit.base.partition("://")[2]
    made = Calendar()
    made.add("prodid", "-//Digilog//Announcements//EN")
    made.add("version", "2.0")
    made.add("x-wr-calname", title)
    last = max((day for day in (version.ends_on, version.effective_end) if day), default=None)
    for name, day, words in (
        ("first", version.starts_on, visit.gettext("First day: %(title)s", title=title)),
        ("last", last, visit.gettext("Last day until midnight: %(title)s", title=title)),
    ):
        if day is None:
            continue
        event = Event()
        event.add("uid", f"announcement-{version.phase_id}-{name}@{host}")
        event.add("dtstamp", version.made_at)
        event.add("sequence", version.number)
        event.add("summary", words)
        begins = datetime.combine(day, time(), LEGAL_TIME)
        event.add("dtstart", begins)
        event.add("dtend", datetime.combine(day + timedelta(days=1), time(), LEGAL_TIME))
        event.add("description", f"{localised(procedure, visit.language, 'summary')}\n{address}")
        event.add("url", address)
        event.add("transp", "TRANSPARENT")
        if name == "last":
            alarm = Alarm()
            alarm.add("action", "DISPLAY")
            alarm.add("description", visit.gettext("Three days left: %(title)s", title=title))
            alarm.add("trigger", timedelta(days=-3))
            event.add_component(alarm)
        made.add_component(event)
    years = [day.year for day in (version.starts_on, last) if day]
    if years:
        made.add_missing_timezones(date(min(years), 1, 1), date(max(years) + 1, 1, 1))
    return bytes(made.to_ical())
