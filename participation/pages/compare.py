"""Before and after, and variants of a plan against each other: two plans side by side or under a slider, with the shadows of
a ready-made day if wanted, and tables that say the differences in words. Of an area, what its parts plan too."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

from markupsafe import Markup
from starlette.responses import Response
from wtforms import Form, SelectField
from wtforms.fields import SelectChoice

from consultations import variants
from consultations.deadlines import LEGAL_TIME
from consultations.permissions import Permission
from consultations.procedures import Procedure, localised
from consultations.variants import FIGURES, Group, Variant
from geo.plans import Tint, static_plan_svg
from geo.views import View
from participation import cityscape, i18n, sun_hours
from participation.cityscape import Cityscape
from participation.pages.city import FIGURE_WORDS
from participation.pages.contributions_list import open_procedure
from participation.pages.map_canvas import colours_url
from participation.pages.map_ground import base_map, bounds_of, sources_at
from participation.pages.shown_variants import (
    TODAY,
    Chosen,
    asked_for,
    choices_of,
    field_of,
    groups_here,
    legend_of,
    titled,
)
from participation.pages.sunlight import SPECIAL_DAYS, cast_of, tints_of
from participation.web import Visit, page

if TYPE_CHECKING:
    from geo.city import City
    from geo.shadows import Cast

#: Marks a message for the catalogues.
N_ = str

LEFT, RIGHT = "links", "rechts"
PICTURE = (640, 480)
#: Full hours that the shadow can be shown at.
HOURS = range(6, 21)
HOUR = "15"

#: What differs, when the second side has more of it and when it has less: sentences with a number.
MORE: Mapping[str, tuple[str, str]] = {
    "buildings": (N_("%(amount)s buildings more"), N_("%(amount)s buildings fewer")),
    "storeys": (N_("%(amount)s storeys higher"), N_("%(amount)s storeys lower")),
    "height": (N_("%(amount)s m higher"), N_("%(amount)s m lower")),
    "built_area": (N_("%(amount)s m² more ground built on"), N_("%(amount)s m² less ground built on")),
    "floor_area": (N_("%(amount)s m² more floor area"), N_("%(amount)s m² less floor area")),
    "homes": (N_("%(amount)s flats more"), N_("%(amount)s flats fewer")),
    "parking": (N_("%(amount)s parking spaces more"), N_("%(amount)s parking spaces fewer")),
    "green": (N_("%(amount)s m² more green"), N_("%(amount)s m² less green")),
    "shade": (N_("%(amount)s m² more newly shaded"), N_("%(amount)s m² less newly shaded")),
}
#: The same for one.
ONE: Mapping[str, tuple[str, str]] = {
    "buildings": (N_("1 building more"), N_("1 building fewer")),
    "storeys": (N_("1 storey higher"), N_("1 storey lower")),
    "homes": (N_("1 flat more"), N_("1 flat fewer")),
    "parking": (N_("1 parking space more"), N_("1 parking space fewer")),
}
_LABELS: Mapping[str, str] = {
    "buildings": N_("Buildings"),
    "built_area": N_("Ground built on"),
    "shade": N_("Newly shaded ground"),
    **FIGURE_WORDS,
}
_UNITS = {"height": "m", "built_area": "m²", "floor_area": "m²", "green": "m²", "shade": "m²"}
_ORDER = (
    "buildings",
    "storeys",
    "height",
    "built_area",
    *(each for each in FIGURES if each not in ("storeys", "height")),
    "shade",
)
#: Of several consultations together: what only their planners can say, and only if all of them do.
_SUMS = ("homes", "parking", "green")


class SidesForm(Form):
    """The shadow that is shown; what is held against what is chosen by fields of its own (`_form_of`)."""

    schatten = SelectField(N_("Shadow"), choices=[], validate_choice=False)
    uhr = SelectField(N_("Time of day"), choices=[], validate_choice=False)


@dataclass(frozen=True)
class Side:
    """One side: what it is called and what is built on it, where that is more than its name says, and it as a plan."""

    title: str
    built: tuple[str, ...]
    picture: Markup


@dataclass(frozen=True)
class Difference:
    """What differs in numbers and words: of all of it, or of one part, which has a comparison of its own. Rows: what, on
    the left, on the right, the difference in words."""

    part: str
    url: str
    left: str
    right: str
    rows: tuple[tuple[str, str, str, str], ...]


@dataclass(frozen=True)
class ComparePage:
    """Two states of a place, and what differs."""

    title: str
    slug: str
    styles: tuple[str, ...]
    #: The names of the fields of either side.
    left_fields: tuple[str, ...]
    right_fields: tuple[str, ...]
    #: The first comparison again: today, and the first variant of each.
    first_url: str
    #: Parts with variants that lie outside the picture: what they are called, and their own comparisons.
    elsewhere: tuple[tuple[str, str], ...]
    left: Side
    right: Side
    differences: tuple[Difference, ...]
    #: What is the same on both sides, by the part that it belongs to.
    same: tuple[str, ...]
    #: Title and description of everything that is on either side.
    described: tuple[tuple[str, str], ...]
    #: The moment of the shadow in words; why there is none; empty where none is wanted.
    shadow: str
    no_shadow: str
    #: The same in three dimensions and with every moment, where there is a model of the town.
    city_url: str
    sunlight_url: str
    attribution: str


@dataclass(frozen=True)
class _Sun:
    """The moment of the shadow and the direction of the sun (a unit vector)."""

    moment: datetime
    towards: tuple[float, float, float]


@page("/beteiligungen/{slug}/vergleich", name="compare", may=Permission.READ_PUBLIC, shared=True, long=True)
def compare(visit: Visit) -> Response:
    """Compare today with a variant, or two variants (`links`, `rechts`: "heute" or the id of a variant; the same for each
    part, as `links-teil-7`), with the shadow of a day (`schatten`, one of the ready-made, and `uhr`, a full hour)."""
    procedure = open_procedure(visit)
    if procedure.plan_area is None:
        visit.not_found()
    groups, elsewhere = groups_here(visit, procedure, "compare")
    if not groups:
        visit.not_found()
    asked = visit.request.query_params
    left = asked_for(asked, groups, [None] * len(groups), LEFT)
    right = asked_for(
        asked, groups, [_other(*pair) for pair in zip(groups, left.of_each, strict=True)], RIGHT
    )
    scape = cityscape.of(visit.house, visit.session, procedure)
    form = _form_of(visit, left, right, with_shadow=scape is not None)
    sun, shadow, no_shadow = _sun_asked(visit, form, scape)
    sides = [_side(visit, procedure, scape, *each, sun) for each in ((left, LEFT), (right, RIGHT))]
    if sides[0].title == sides[1].title:
        sides = [
            replace(side, title=visit.gettext(words, what=side.title))
            for side, words in zip(
                sides, (N_("On the left: %(what)s"), N_("On the right: %(what)s")), strict=True
            )
        ]
    several = len(groups) > 1
    own_url = visit.url("compare", slug=procedure.slug)
    return visit.render(
        "city/compare.html",
        ComparePage(
            title=localised(procedure, visit.language, "title"),
            slug=procedure.slug,
            styles=(colours_url(visit), visit.static("css/map.css"), visit.static("css/city.css")),
            left_fields=tuple(left.fields(LEFT)),
            right_fields=tuple(right.fields(RIGHT)),
            first_url=own_url if several else "",
            elsewhere=elsewhere,
            left=sides[0],
            right=sides[1],
            differences=_differences(visit, procedure, scape, left, right, sides, sun),
            same=_same(visit, left, right) if several else (),
            described=_described(visit, left, right),
            shadow=shadow,
            no_shadow=no_shadow,
            city_url=visit.url("city", slug=procedure.slug) if scape else "",
            sunlight_url=visit.url("sunlight", slug=procedure.slug, **right.fields()) if scape else "",
            attribution=base_map(visit, procedure).attribution,
        ),
        form=form,
    )


def _other(group: Group, left: Variant | None) -> Variant | None:
    """What stands on the right before anybody chooses: the first that is not on the left."""
    return next((row for row in group.rows if row is not left), None)


def _form_of(visit: Visit, left: Chosen, right: Chosen, *, with_shadow: bool) -> SidesForm:
    """The form with what was asked for: on either side a field for each consultation that plans something here."""
    several = len(left.groups) > 1
    fields = {}
    for side, word in ((LEFT, N_("On the left")), (RIGHT, N_("On the right"))):
        for group in left.groups:
            choices = [SelectChoice(TODAY, N_("As it is today")), *choices_of(visit, group)]
            label = legend_of(visit, group) if several else word
            fields[field_of(group, side)] = SelectField(label, choices=choices, validate_choice=False)
    if not with_shadow:
        fields |= {"schatten": None, "uhr": None}
    form: SidesForm = visit.form(type("SidesFormOfPlan", (SidesForm,), fields))
    for name, value in {**left.fields(LEFT), **right.fields(RIGHT)}.items():
        form[name].data = value
    if with_shadow:
        days = {name: words for name, words, *_ in SPECIAL_DAYS}
        form.schatten.choices = [
            SelectChoice("", N_("No shadow")),
            *(SelectChoice(name, words) for name, words in days.items()),
        ]
        form.schatten.data = form.schatten.data if form.schatten.data in days else ""
        hours = {str(hour): visit.gettext("%(hour)s:00", hour=hour) for hour in HOURS}
        form.uhr.choices = [SelectChoice(hour, words) for hour, words in hours.items()]
        form.uhr.data = form.uhr.data if form.uhr.data in hours else HOUR
    return form


def _sun_asked(visit: Visit, form: SidesForm, scape: Cityscape | None) -> tuple[_Sun | None, str, str]:
    """The sun of the shadow that was asked for, its moment in words; or why no shadow is shown then."""
    if scape is None or not form.schatten.data:
        return None, "", ""
    from geo import sun

    month, day = next(each[2:] for each in SPECIAL_DAYS if each[0] == form.schatten.data)
    moment = datetime(visit.today.year, month, day, int(form.uhr.data), tzinfo=LEGAL_TIME)
    words = visit.gettext(
        "%(day)s, %(time)s",
        day=i18n.date_long(moment.date(), visit.language),
        time=i18n.time_short(moment, visit.language),
    )
    seen = sun.position([moment], scape.lon, scape.lat)
    if float(seen.elevation[0]) < sun.LOWEST:
        return None, "", visit.gettext("%(when)s: the sun is too low for a shadow.", when=words)
    return _Sun(moment, tuple(sun.towards(seen, scape.lon, scape.lat)[0].tolist())), words, ""


# --- words -----------------------------------------------------------------------------------------


def _title(visit: Visit, chosen: Chosen) -> str:
    """What is built on a side, in a few words."""
    if not chosen.rows:
        return visit.gettext("As it is today")
    if len(chosen.rows) == 1:
        return _titles(visit, chosen)[0]
    if chosen.of_each == sun_hours.shown_first(chosen.groups):
        return visit.gettext("The first variant of each")
    return visit.ngettext("%(num)s variant together", "%(num)s variants together", len(chosen.rows))


def _titles(visit: Visit, chosen: Chosen) -> tuple[str, ...]:
    pairs = zip(chosen.groups, chosen.of_each, strict=True)
    return tuple(titled(visit, group, row) for group, row in pairs if row is not None)


def _same(visit: Visit, left: Chosen, right: Chosen) -> tuple[str, ...]:
    """What is the same on both sides."""
    return tuple(
        titled(visit, group, row)
        if row is not None
        else visit.gettext(
            "%(part)s: as it is today", part=localised(group.procedure, visit.language, "title")
        )
        for group, row, other in zip(left.groups, left.of_each, right.of_each, strict=True)
        if row is other
    )


def _described(visit: Visit, left: Chosen, right: Chosen) -> tuple[tuple[str, str], ...]:
    found = {}
    for chosen in (left, right):
        for group, row in zip(chosen.groups, chosen.of_each, strict=True):
            if row is not None:
                found[row.id] = (
                    titled(visit, group, row),
                    variants.localised(row, visit.language, "description"),
                )
    return tuple(each for each in found.values() if each[1])


# --- numbers ---------------------------------------------------------------------------------------


def _differences(
    visit: Visit,
    procedure: Procedure,
    scape: Cityscape | None,
    left: Chosen,
    right: Chosen,
    sides: Sequence[Side],
    sun: _Sun | None,
) -> tuple[Difference, ...]:
    """What differs: of one consultation as its planners say it; of several all of it together, and then part by part
    where something else is on the right."""
    shades = [_shade(visit, scape, chosen, sun) for chosen in (left, right)]
    several = len(left.groups) > 1
    found = []
    if several:
        figures = [_together(visit, procedure, scape, chosen) | shade for chosen, shade in
                   zip((left, right), shades, strict=True)]  # fmt: skip
        found.append(Difference("", "", sides[0].title, sides[1].title, differences(visit, *figures)))
    for group, *rows in zip(left.groups, left.of_each, right.of_each, strict=True):
        if several and rows[0] is rows[1]:
            continue
        figures = [_figures(visit, group.procedure, scape, row) for row in rows]
        if not several:
            figures = [each | shade for each, shade in zip(figures, shades, strict=True)]
        names = tuple(
            variants.localised(row, visit.language, "title") if row else visit.gettext("As it is today")
            for row in rows
        )
        found.append(
            Difference(
                localised(group.procedure, visit.language, "title") if several else "",
                visit.url("compare", slug=group.procedure.slug) if several and group.level else "",
                names[0],
                names[1],
                differences(visit, *figures),
            )
        )
    return tuple(found)


def _figures(
    visit: Visit, procedure: Procedure, scape: Cityscape | None, variant: Variant | None
) -> dict[str, float]:
    """What is known of a side of one consultation: what the planner said, else what the buildings say themselves. Of
    today: the houses in the plan area; of a variant: its own and those of today that it leaves standing."""
    standing = _standing(procedure, scape, variant.replaces if variant else ())
    if variant is None:
        return _measured([standing])
    bodies = cityscape.bodies_of(visit.house, variant)
    # The planner's floor area and heights speak of what is new; they stand for themselves.
    return {**_measured([standing, bodies]), **_said(variant)}


def _together(
    visit: Visit, procedure: Procedure, scape: Cityscape | None, chosen: Chosen
) -> dict[str, float]:
    """What is known of a side of several consultations: what stands in the area, and what each of them adds to it, as its
    planners say it or as its buildings are. What only planners can say is told if all of them did."""
    replaced = [each for row in chosen.rows for each in row.replaces]
    found = _measured([_standing(procedure, scape, replaced)])
    for row in chosen.rows:
        own = _measured([cityscape.bodies_of(visit.house, row)]) | {
            name: value for name, value in _said(row).items() if name not in _SUMS
        }
        for name, value in own.items():
            known = found.get(name, 0.0)
            found[name] = max(known, value) if name in ("storeys", "height") else known + value
    for name in _SUMS:
        values = [_said(row).get(name) for row in chosen.rows]
        known_values = [value for value in values if value is not None]
        if known_values and len(known_values) == len(values):
            found[name] = sum(known_values)
    return found


def _said(variant: Variant) -> dict[str, float]:
    return {name: float(value) for name, value in variant.figures.items() if value is not None}


def _shade(visit: Visit, scape: Cityscape | None, chosen: Chosen, sun: _Sun | None) -> dict[str, float]:
    """The ground that is newly shaded (m²), if a moment was asked for."""
    cast = _cast(visit, scape, chosen, sun)
    return {"shade": cast.new_area} if cast is not None else {}


def _cast(visit: Visit, scape: Cityscape | None, chosen: Chosen, sun: _Sun | None) -> "Cast | None":
    if scape is None or sun is None:
        return None
    return cast_of(scape, cityscape.built(visit.house, chosen.rows), sun.towards)


def _standing(procedure: Procedure, scape: Cityscape | None, replaced: Sequence[str]) -> "City | None":
    """Today's buildings in the plan area without those that are replaced."""
    import numpy as np
    import shapely

    if scape is None or procedure.plan_area is None:
        return None
    city = scape.city
    area = shapely.from_wkb(procedure.plan_area)
    inside = shapely.contains(area, shapely.point_on_surface(city.footprints))
    inside &= np.array([not parent for parent in city.parents], dtype=bool)
    if replaced:
        inside &= ~np.isin(city.ids, np.array(replaced, dtype=object))
    return city.chosen(inside)


def _measured(cities: "Sequence[City | None]") -> dict[str, float]:
    import shapely

    found = {"buildings": 0.0, "built_area": 0.0, "floor_area": 0.0}
    storeys, heights = [0.0], [0.0]
    known = [city for city in cities if city is not None]
    for city in known:
        area = shapely.area(city.footprints)
        found["buildings"] += float(len(city))
        found["built_area"] += float(area.sum())
        found["floor_area"] += float((area * city.storeys).sum())
        storeys += [float(each) for each in city.storeys]
        heights += [float(each) for each in city.top - city.ground]
    if not known:
        return {}
    found |= {"storeys": max(storeys), "height": round(max(heights), 1)}
    return {name: round(value, 1) for name, value in found.items() if value or name == "buildings"}


def differences(
    visit: Visit, left: Mapping[str, float], right: Mapping[str, float]
) -> tuple[tuple[str, str, str, str], ...]:
    """Both sides in numbers, and what differs in words; what is known of neither is left out."""
    return tuple(
        (
            visit.gettext(_LABELS[name]),
            _amount(visit, name, left.get(name)),
            _amount(visit, name, right.get(name)),
            _difference(visit, name, left.get(name), right.get(name)),
        )
        for name in _ORDER
        if left.get(name) is not None or right.get(name) is not None
    )


def _amount(visit: Visit, name: str, value: float | None) -> str:
    if value is None:
        return visit.gettext("not known")
    words = i18n.number(_rounded(name, value), visit.language)
    return f"{words} {_UNITS[name]}" if name in _UNITS else words


def _rounded(name: str, value: float) -> float:
    return round(value, 1) if name == "height" else round(value)


def _difference(visit: Visit, name: str, left: float | None, right: float | None) -> str:
    if left is None or right is None:
        return visit.gettext("cannot be compared")
    more = _rounded(name, _rounded(name, right) - _rounded(name, left))
    if more == 0:
        return visit.gettext("the same")
    more_words, less_words = ONE[name] if abs(more) == 1 and name in ONE else MORE[name]
    amount = i18n.number(abs(more), visit.language)
    return visit.gettext(more_words if more > 0 else less_words, amount=amount)


# --- pictures --------------------------------------------------------------------------------------


def _side(
    visit: Visit,
    procedure: Procedure,
    scape: Cityscape | None,
    chosen: Chosen,
    identifier: str,
    sun: _Sun | None,
) -> Side:
    title = _title(visit, chosen)
    view = View.around(bounds_of(visit, procedure), *PICTURE)
    picture = static_plan_svg(
        sources_at(base_map(visit, procedure), view.zoom),
        view,
        title=visit.gettext("Plan: %(what)s", what=title),
        areas=[procedure.plan_area] if procedure.plan_area else [],
        tints=_tints(visit, scape, chosen, sun),
        identifier=f"compare-{identifier}",
    )
    return Side(title, _titles(visit, chosen) if len(chosen.rows) > 1 else (), Markup(picture))


def _tints(visit: Visit, scape: Cityscape | None, chosen: Chosen, sun: _Sun | None) -> list[Tint]:
    """What is taken away, covered with the ground, what is built, and the shadow if there is one."""
    import shapely

    built = cityscape.built(visit.house, chosen.rows)
    found: list[Tint] = []
    for building in built.replaces if built and scape else ():
        row = scape.city.row(building) if scape else None
        if scape and row is not None:
            ground = shapely.buffer(scape.city.footprints[row], 0.4)
            found.append(Tint(shapely.to_wkb(ground), "land", 1.0))
    cast = _cast(visit, scape, chosen, sun)
    if cast is not None:
        return [*found, *tints_of(cast, built)]
    if built is not None:
        found += [Tint(shapely.to_wkb(each), "planned", 0.75, edge=True) for each in built.bodies.footprints]
    return found
