"""Sun and shadow: what a plan's variants shade, at a moment that everybody can choose, with and without JavaScript.

Shadows are areas computed here (`geo.shadows`), the same for the picture of this page, for the map and for the scene in
three dimensions.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from markupsafe import Markup
from starlette.responses import Response
from wtforms import DateField, Form, RadioField, TimeField
from wtforms.fields import SelectChoice
from wtforms.validators import Optional

from consultations import places
from consultations.deadlines import LEGAL_TIME
from consultations.permissions import Permission
from consultations.procedures import Procedure, localised
from consultations.variants import Group
from geo.geometry import wkb_to_geojson
from geo.plans import Tint, static_plan_svg
from geo.views import View
from participation import cityscape, i18n, sun_hours
from participation.cityscape import Built, Cityscape
from participation.pages.contributions_list import open_procedure
from participation.pages.map_canvas import Canvas, canvas_of, colours_url
from participation.pages.map_ground import base_map, in_degrees, layers_on, sources_at
from participation.pages.shown_variants import (
    OWN,
    TODAY,
    Chosen,
    asked_for,
    choices_of,
    field_of,
    groups_here,
    legend_of,
    titled,
)
from participation.pages.with_parts import whole_of
from participation.web import Visit, page

if TYPE_CHECKING:
    from geo.shadows import Cast

#: Marks a message for the catalogues.
N_ = str

#: The days of `sun_hours.DAYS`, by name and in words.
SPECIAL_DAYS = tuple(
    (name, words, *day)
    for (name, words), day in zip(
        (
            ("maerz", N_("21 March, day and night are equally long")),
            ("juni", N_("21 June, the longest day")),
            ("september", N_("23 September, day and night are equally long")),
            ("dezember", N_("21 December, the shortest day")),
        ),
        sun_hours.DAYS,
        strict=True,
    )
)
SIZE = (960, 640)
#: Metres around the plan area that the picture shows.
AROUND = 90.0
#: Rows of the table at most: those that lose most.
ROWS = 25
#: Less than this is not told, in hours: no more than the steps can say.
WORTH_TELLING = 0.25

WINDS = (
    N_("north"), N_("north-east"), N_("east"), N_("south-east"),
    N_("south"), N_("south-west"), N_("west"), N_("north-west"),
)  # fmt: skip


def wind(visit: Visit, degrees: float) -> str:
    """A bearing in words."""
    return visit.gettext(WINDS[round(degrees / 45) % 8])


class SunForm(Form):
    """A moment; what is built by then is chosen by fields of its own (`_form_of`)."""

    tag = DateField(N_("Day"), [Optional()])
    uhr = TimeField(N_("Time of day"), [Optional()])


@dataclass(frozen=True)
class Choice:
    """A ready-made day or hour: words, address, whether it is the one shown."""

    text: str
    url: str
    is_current: bool


@dataclass(frozen=True)
class Loss:
    """A façade or an open area: what it is, hours of sun now and with each variant, in words."""

    what: str
    now: str
    then: tuple[str, ...]


@dataclass(frozen=True)
class SunPage:
    """Sun and shadow at a moment."""

    title: str
    slug: str
    styles: tuple[str, ...]
    form: SunForm
    #: The fields that choose what is built, one for each consultation that has variants.
    fields: tuple[str, ...]
    #: All of them at once, where there are several.
    together: tuple[Choice, ...]
    #: Parts with variants that lie outside the picture: what they are called, and their own pictures.
    elsewhere: tuple[tuple[str, str], ...]
    words: str
    #: Sentences on what is newly shaded: one for each variant, or for all that are chosen and each of them.
    areas: tuple[str, ...]
    picture: Markup
    alternative: str
    days: tuple[Choice, ...]
    hours: tuple[Choice, ...]
    earliest: int
    latest: int
    minutes: int
    feed_url: str
    variant_titles: tuple[str, ...]
    losses: tuple[Loss, ...]
    #: Newly shaded ground hour by hour: the hour, and square metres with each variant, in words.
    course: tuple[tuple[str, ...], ...]
    #: The map that can be moved, for the script: its fragment, its scripts and styles.
    canvas: Canvas
    map_styles: tuple[str, ...]
    has_terrain: bool
    day_words: str
    city_url: str
    #: Where the variants can be compared, if there are any.
    compare_url: str
    attribution: str


@dataclass(frozen=True)
class _Asked:
    """What the address asks for: a moment, and what the picture shows of what is planned."""

    moment: datetime
    chosen: Chosen
    elsewhere: tuple[tuple[str, str], ...]

    @property
    def groups(self) -> Sequence[Group]:
        return self.chosen.groups

    @property
    def fields(self) -> dict[str, str]:
        """What the fields say that choose what is built."""
        return self.chosen.fields() or {OWN: TODAY}


@page("/beteiligungen/{slug}/schatten", name="sunlight", may=Permission.READ_PUBLIC, shared=True, long=True)
def sunlight(visit: Visit) -> Response:
    """Sun and shadow of a plan. Understands `variante` (an id, or `heute`), the same for each of its parts (`field_of`),
    `tag` (a day) and `uhr` (a time)."""
    procedure = open_procedure(visit)
    scape = cityscape.of(visit.house, visit.session, procedure)
    if scape is None:
        visit.not_found()
    asked = _asked(visit, procedure)
    shown = _shown(visit, procedure, scape, asked)
    day = asked.moment.date()
    form = _form_of(visit, asked)
    earliest, latest = sun_hours.daylight(scape, day)

    def at(**more: object) -> str:
        here = {**asked.fields, "tag": day.isoformat(), "uhr": asked.moment.strftime("%H:%M"), **more}
        return visit.url("sunlight", slug=procedure.slug, **here)

    hours = sun_hours.full_hours(scape, day)
    return visit.render(
        "city/sunlight.html",
        SunPage(
            title=localised(procedure, visit.language, "title"),
            slug=procedure.slug,
            styles=(colours_url(visit), visit.static("css/map.css"), visit.static("css/city.css")),
            form=form,
            fields=tuple(asked.fields),
            together=_together(visit, asked, at),
            elsewhere=asked.elsewhere,
            words=shown.words,
            areas=shown.areas,
            picture=Markup(shown.svg),
            alternative=shown.alternative,
            days=tuple(
                Choice(
                    visit.gettext(words),
                    at(tag=date(visit.today.year, month, number).isoformat()),
                    (day.month, day.day) == (month, number),
                )
                for _, words, month, number in SPECIAL_DAYS
            ),
            hours=tuple(
                Choice(
                    visit.gettext("%(hour)s:00", hour=hour),
                    at(uhr=f"{hour:02d}:00"),
                    (asked.moment.hour, asked.moment.minute) == (hour, 0),
                )
                for hour in hours
            ),
            earliest=earliest,
            latest=latest,
            minutes=asked.moment.hour * 60 + asked.moment.minute,
            feed_url=visit.url("sunlight_feed", slug=procedure.slug),
            variant_titles=_columns(visit, asked),
            losses=_losses(visit, procedure, scape, asked),
            course=_course(visit, scape, asked, hours),
            canvas=canvas_of(visit, base_map(visit, procedure), procedure, {}),
            map_styles=(visit.static("vendor/leaflet/leaflet.css"),),
            has_terrain=scape.has_terrain,
            day_words=i18n.date_long(day, visit.language),
            city_url=visit.url("city", slug=procedure.slug),
            compare_url=visit.url("compare", slug=procedure.slug) if asked.groups else "",
            attribution=scape.attribution,
        ),
    )


def _form_of(visit: Visit, asked: _Asked) -> SunForm:
    """The form with what was asked for: a field for each consultation that has variants here."""
    today = SelectChoice(TODAY, N_("As it is today"))
    fields = {
        field_of(group): RadioField(
            legend_of(visit, group), choices=[*choices_of(visit, group), today], validate_choice=False
        )
        for group in asked.groups
    } or {OWN: RadioField(N_("What is built"), choices=[today], validate_choice=False)}
    form: SunForm = visit.form(type("SunFormOfPlan", (SunForm,), fields))
    for name, value in asked.fields.items():
        form[name].data = value
    form.tag.data, form.uhr.data = asked.moment.date(), asked.moment.time()
    return form


def _together(visit: Visit, asked: _Asked, at: Callable[..., str]) -> tuple[Choice, ...]:
    """Everything as it is today, or what is shown first of everything, where several consultations plan something."""
    if len(asked.groups) < 2:
        return ()
    nothing = dict.fromkeys(asked.fields, TODAY)
    first = Chosen(asked.groups, sun_hours.shown_first(asked.groups)).fields()
    return tuple(
        Choice(visit.gettext(words), at(**fields), fields == asked.fields)
        for words, fields in (
            (N_("The first variant of each"), first),
            (N_("Everything as it is today"), nothing),
        )
    )


def _columns(visit: Visit, asked: _Asked) -> tuple[str, ...]:
    """What the columns of tables stand for, as `sun_hours.plans_of` counts them."""
    if len(asked.groups) > 1:
        return (visit.gettext("With what is chosen above"),) if asked.chosen.rows else ()
    return tuple(titled(visit, group, row) for group in asked.groups for row in group.rows)


@page(
    "/beteiligungen/{slug}/schatten.json",
    name="sunlight_feed",
    may=Permission.READ_PUBLIC,
    shared=True,
    long=True,
)
def sunlight_feed(visit: Visit) -> Response:
    """The same moment for the script: the picture, the words, and the shadows as areas in metres from the origin of
    the scene (`before`, `after`, `new`: lists of polygons, each a list of rings of [east, north]).

    With `karte=1` also what the picture colours as GeoJSON geometries in degrees (`shapes`), for the map.
    """
    procedure = open_procedure(visit)
    scape = cityscape.of(visit.house, visit.session, procedure)
    if scape is None:
        visit.not_found()
    from geo.scene import on_cells, outline

    asked = _asked(visit, procedure)
    shown = _shown(visit, procedure, scape, asked)
    cast = shown.cast
    body = {
        "svg": shown.svg,
        "words": shown.words,
        "areas": shown.areas,
        "chosen": shown.chosen,
        "moment": asked.moment.isoformat(),
        **(
            {
                **{name: outline(getattr(cast, name), scape.origin) for name in ("before", "after", "gone")},
                # This one is laid on the ground in three dimensions.
                "new": outline(
                    on_cells(cast.new, scape.ground) if scape.has_terrain else cast.new, scape.origin
                ),
            }
            if cast
            else {}
        ),
        **(
            {
                "shapes": [
                    [tint.colour, wkb_to_geojson(tint.wkb, decimals=6)]
                    for tint in shown.tints
                    if len(tint.wkb) > 9
                ]
            }
            if "karte" in visit.request.query_params
            else {}
        ),
        "square_metres": {"new": round(cast.new_area, 1), "gone": round(cast.gone_area, 1)} if cast else None,
    }
    return Response(
        json.dumps(body, ensure_ascii=False, separators=(",", ":")), media_type="application/json; charset=utf-8"
    )  # fmt: skip


def _asked(visit: Visit, procedure: Procedure) -> _Asked:
    """What was asked for; what cannot be read is the next equinox at three in the afternoon."""
    asked = visit.request.query_params
    try:
        day = date.fromisoformat(asked.get("tag", ""))
    except ValueError:
        day = date(visit.today.year, 3, 21)
    if not 1990 <= day.year <= 2100:
        day = day.replace(year=visit.today.year, day=min(day.day, 28))
    try:
        at = time.fromisoformat(asked.get("uhr", "")).replace(second=0, microsecond=0, tzinfo=None)
    except ValueError:
        at = time(15, 0)
    groups, elsewhere = groups_here(visit, procedure)
    chosen = asked_for(asked, groups, sun_hours.shown_first(groups))
    return _Asked(datetime.combine(day, at, LEGAL_TIME), chosen, elsewhere)


# --- a moment --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Shown:
    svg: str
    words: str
    alternative: str
    areas: tuple[str, ...]
    #: What is said of all that is chosen together; empty without anything.
    chosen: str
    cast: "Cast | None"
    tints: tuple[Tint, ...]


def _shown(visit: Visit, procedure: Procedure, scape: Cityscape, asked: _Asked) -> _Shown:
    from geo import sun

    seen = sun.position([asked.moment], scape.lon, scape.lat)
    azimuth, elevation = float(seen.azimuth[0]), float(seen.elevation[0])
    when = {
        "day": i18n.date_long(asked.moment.date(), visit.language),
        "time": i18n.time_short(asked.moment, visit.language),
    }
    view = _picture_view(scape)
    tints: list[Tint] = []
    areas: list[str] = []
    chosen = ""
    cast = None
    if elevation < sun.LOWEST:
        low = N_(
            "%(day)s, %(time)s: the sun is so low that every hedge casts a long shadow. No shadow is shown below 5°."
        )
        set_already = N_("%(day)s, %(time)s: the sun is below the horizon.")
        words = visit.gettext(set_already if elevation < 0 else low, **when)
    else:
        words = visit.gettext(
            "%(day)s, %(time)s: the sun stands in the %(wind)s, %(degrees)s° above the horizon.",
            **when,
            wind=wind(visit, azimuth),
            degrees=round(elevation),
        )
        towards = tuple(sun.towards(seen, scape.lon, scape.lat)[0].tolist())
        built = asked.chosen.rows
        together = cityscape.built(visit.house, built)
        cast = cast_of(scape, together, towards)
        tints = tints_of(cast, together)
        if together and len(built) > 1:
            chosen = _area_words(visit, visit.gettext("All that is chosen together"), cast)
            areas.append(chosen)
        several = len(asked.groups) > 1
        for group in asked.groups:
            # Where several plan something, only what is chosen is told: all would be too much to read.
            for row in group.rows:
                alone = cityscape.built(visit.house, [row]) if row in built or not several else None
                if alone is not None:
                    words_of = _area_words(visit, titled(visit, group, row), cast_of(scape, alone, towards))
                    areas.append(words_of)
                    if (row,) == built:
                        chosen = words_of
    title = visit.gettext("Shadows around the plan area")
    svg = static_plan_svg(
        sources_at(base_map(visit, procedure), view.zoom),
        view,
        title=title,
        areas=[scape.area],
        tints=tints,
        identifier="shadow-picture",
    )
    return _Shown(svg, words, " ".join((words, *areas)), tuple(areas), chosen, cast, tuple(tints))


def tints_of(found: "Cast", built: Built | None) -> list[Tint]:
    """A shadow as a plan shows it: what stays, what is new, what is gone, and what is built (None: as it is today)."""
    import shapely

    if built is None:
        return [Tint(_wkb(found.before), "shade", 0.42)]
    standing = shapely.union_all(built.bodies.footprints)
    kept = shapely.difference(found.after, found.new)
    return [
        Tint(_wkb(kept), "shade", 0.42),
        Tint(_wkb(found.new), "shade-new", 0.62, edge=True),
        Tint(_wkb(found.gone), "shade-gone", 0.55, edge=True),
        Tint(_wkb(standing), "planned", 0.9, edge=True),
    ]


def _wkb(shape: Any) -> bytes:
    import shapely

    made: bytes = shapely.to_wkb(shape)
    return made


def _area_words(visit: Visit, title: str, cast: "Cast") -> str:
    new, gone = (i18n.number(round(area), visit.language) for area in (cast.new_area, cast.gone_area))
    words = visit.gettext("“%(title)s”: %(area)s m² of ground are newly shaded.", title=title, area=new)
    if cast.gone_area >= 1:
        words += " " + visit.gettext("%(area)s m² get sun that they do not have today.", area=gone)
    return words.replace(" m²", "\u00a0m²")  # never at the end of a line


@lru_cache(maxsize=256)
def cast_of(scape: Cityscape, built: Built | None, towards: tuple[float, float, float]) -> "Cast":
    """The shadow before and after something is built (None: nothing), with the sun in this direction (a unit vector)."""
    import numpy as np

    from geo.shadows import cast

    before = scape.near
    after = before if built is None else before.without(built.replaces).joined(built.bodies)
    return cast(before, after, np.array(towards), scape.slope, _standing_shade(scape, towards))


@lru_cache(maxsize=16)
def _standing_shade(scape: Cityscape, towards: tuple[float, float, float]) -> Any:
    """The shadow of what stands today, for all that could be built at this moment."""
    import numpy as np

    from geo.shadows import shade_of

    return shade_of(scape.near, np.array(towards), scape.slope)


def _picture_view(scape: Cityscape) -> View:
    import shapely

    west, south, east, north = (float(each) for each in shapely.bounds(shapely.from_wkb(scape.area)))
    box = in_degrees((west - AROUND, south - AROUND, east + AROUND, north + AROUND))
    return View.around(box, *SIZE, margin=4)


# --- a day -----------------------------------------------------------------------------------------


def _losses(visit: Visit, procedure: Procedure, scape: Cityscape, asked: _Asked) -> tuple[Loss, ...]:
    """Façades and open areas that lose sun on this day, those that lose most first."""
    built = sun_hours.plans_of(visit.house, asked.groups, asked.chosen.rows)
    if not built:
        return ()
    whole = whole_of(visit, procedure)
    grounds = sun_hours.grounds(procedure, whole.parts, layers_on(visit, procedure))
    spaces = sun_hours.open_spaces(visit.house, procedure, grounds, scape)
    found = sun_hours.hours_of(scape, built, spaces, asked.moment.date())
    rows = []
    for what, part, facing, now, then in found:
        if max(now - each for each in then) < WORTH_TELLING:
            continue
        words = what
        if part in whole.parts:
            title = localised(whole.parts[part], visit.language, "title")
            words = visit.gettext("%(place)s (%(part)s)", place=what, part=title)
        if facing is not None:
            words = visit.gettext(
                "%(house)s, side facing %(wind)s",
                house=what or visit.gettext("Building without an address"),
                wind=wind(visit, facing),
            )
        rows.append((min(each - now for each in then), words, now, then))
    rows.sort(key=lambda row: (row[0], places.fold(row[1])))
    return tuple(
        Loss(
            words,
            _hours_in_words(visit, now),
            tuple(
                _hours_in_words(visit, each)
                if now - each < WORTH_TELLING
                else visit.gettext(
                    "%(hours)s (%(lost)s less)",
                    hours=_hours_in_words(visit, each),
                    lost=_hours_in_words(visit, now - each),
                )
                for each in then
            ),
        )
        for _, words, now, then in rows[:ROWS]
    )


def _course(
    visit: Visit, scape: Cityscape, asked: _Asked, hours: Sequence[int]
) -> tuple[tuple[str, ...], ...]:
    """Newly shaded ground at the full hours of the day."""
    built = sun_hours.plans_of(visit.house, asked.groups, asked.chosen.rows)
    if not built:
        return ()
    found = sun_hours.areas_of(scape, built, asked.moment.date(), tuple(hours))
    return tuple(
        (
            visit.gettext("%(hour)s:00", hour=hour),
            *(visit.gettext("%(area)s m²", area=i18n.number(round(area), visit.language)) for area in areas),
        )
        for hour, areas in zip(hours, found, strict=True)
    )


def _hours_in_words(visit: Visit, hours: float) -> str:
    return visit.gettext("%(hours)s h", hours=i18n.number(round(hours * 4) / 4, visit.language))
