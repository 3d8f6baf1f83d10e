"""Before and after, and variants of a plan against each other: two plans side by side or under a slider, and a table that
says the differences in words."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from markupsafe import Markup
from starlette.responses import Response
from wtforms import Form, SelectField
from wtforms.fields import SelectChoice

from consultations import variants
from consultations.permissions import Permission
from consultations.procedures import Procedure, localised
from consultations.variants import FIGURES, Variant
from geo.plans import Tint, static_plan_svg
from geo.views import View
from participation import cityscape, i18n
from participation.cityscape import Cityscape
from participation.pages.city import FIGURE_WORDS
from participation.pages.contributions_list import open_procedure
from participation.pages.map_canvas import colours_url
from participation.pages.map_ground import base_map, bounds_of, sources_at
from participation.web import Visit, page

if TYPE_CHECKING:
    from geo.city import City

#: Marks a message for the catalogues.
N_ = str

TODAY = "heute"
PICTURE = (640, 480)

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
}
_LABELS: Mapping[str, str] = {
    "buildings": N_("Buildings"),
    "built_area": N_("Ground built on"),
    **FIGURE_WORDS,
}
_UNITS = {"height": "m", "built_area": "m²", "floor_area": "m²", "green": "m²"}
_ORDER = (
    "buildings",
    "storeys",
    "height",
    "built_area",
    *(each for each in FIGURES if each not in ("storeys", "height")),
)


class SidesForm(Form):
    """What is held against what."""

    links = SelectField(N_("On the left"), choices=[], validate_choice=False)
    rechts = SelectField(N_("On the right"), choices=[], validate_choice=False)


@dataclass(frozen=True)
class Side:
    """One side: what it is called and shows, as a plan."""

    title: str
    description: str
    picture: Markup


@dataclass(frozen=True)
class ComparePage:
    """Two states of a place, and what differs."""

    title: str
    slug: str
    styles: tuple[str, ...]
    left: Side
    right: Side
    #: (what, on the left, on the right, the difference in words)
    rows: tuple[tuple[str, str, str, str], ...]
    attribution: str


@page("/beteiligungen/{slug}/vergleich", name="compare", may=Permission.READ_PUBLIC, shared=True)
def compare(visit: Visit) -> Response:
    """Compare today with a variant, or two variants (`links`, `rechts`: "heute" or the id of a variant)."""
    procedure = open_procedure(visit)
    rows = variants.variants_of(visit.session, procedure.id or 0)
    if not rows or procedure.plan_area is None:
        visit.not_found()
    form = visit.form(SidesForm)
    choices = [SelectChoice(TODAY, N_("As it is today"))]
    choices += [SelectChoice(str(row.id), variants.localised(row, visit.language, "title")) for row in rows]
    known = {str(row.id): row for row in rows}
    form.links.choices = form.rechts.choices = choices
    form.links.data = form.links.data if form.links.data in {TODAY, *known} else TODAY
    if form.rechts.data not in {TODAY, *known}:
        form.rechts.data = next(each for each in [*known, TODAY] if each != form.links.data)
    left, right = known.get(form.links.data), known.get(form.rechts.data)
    scape = cityscape.of(visit.house, visit.session, procedure)
    figures = [_figures(visit, procedure, scape, each) for each in (left, right)]
    return visit.render(
        "city/compare.html",
        ComparePage(
            title=localised(procedure, visit.language, "title"),
            slug=procedure.slug,
            styles=(colours_url(visit), visit.static("css/map.css"), visit.static("css/city.css")),
            left=_side(visit, procedure, scape, left, "left"),
            right=_side(visit, procedure, scape, right, "right"),
            rows=differences(visit, *figures),
            attribution=base_map(visit, procedure).attribution,
        ),
        form=form,
    )


# --- numbers ---------------------------------------------------------------------------------------


def _figures(
    visit: Visit, procedure: Procedure, scape: Cityscape | None, variant: Variant | None
) -> dict[str, float]:
    """What is known of a side: what the planner said, else what the buildings say themselves. Of today: the houses in the
    plan area; of a variant: its own and those of today that it leaves standing."""
    standing = _standing(procedure, scape, variant)
    if variant is None:
        return _measured([standing])
    bodies = cityscape.bodies_of(visit.house, variant)
    said = {name: float(value) for name, value in variant.figures.items() if value is not None}
    measured = _measured([standing, bodies])
    # The planner's floor area and heights speak of what is new; they stand for themselves.
    return {**measured, **said}


def _standing(procedure: Procedure, scape: Cityscape | None, variant: Variant | None) -> "City | None":
    """Today's buildings in the plan area that a variant leaves standing."""
    import numpy as np
    import shapely

    if scape is None or procedure.plan_area is None:
        return None
    city = scape.city
    area = shapely.from_wkb(procedure.plan_area)
    inside = shapely.contains(area, shapely.point_on_surface(city.footprints))
    inside &= np.array([not parent for parent in city.parents], dtype=bool)
    if variant is not None:
        inside &= ~np.isin(city.ids, np.array(variant.replaces, dtype=object))
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
    more_words, less_words = MORE[name]
    amount = i18n.number(abs(more), visit.language)
    return visit.gettext(more_words if more > 0 else less_words, amount=amount)


# --- pictures --------------------------------------------------------------------------------------


def _side(
    visit: Visit, procedure: Procedure, scape: Cityscape | None, variant: Variant | None, identifier: str
) -> Side:
    title = (
        variants.localised(variant, visit.language, "title") if variant else visit.gettext("As it is today")
    )
    view = View.around(bounds_of(visit, procedure), *PICTURE)
    picture = static_plan_svg(
        sources_at(base_map(visit, procedure), view.zoom),
        view,
        title=visit.gettext("Plan: %(what)s", what=title),
        areas=[procedure.plan_area] if procedure.plan_area else [],
        tints=_tints(visit, scape, variant),
        identifier=f"compare-{identifier}",
    )
    description = variants.localised(variant, visit.language, "description") if variant else ""
    return Side(title, description, Markup(picture))


def _tints(visit: Visit, scape: Cityscape | None, variant: Variant | None) -> list[Tint]:
    """What a variant takes away, covered with the ground, and what it builds."""
    import shapely

    if variant is None:
        return []
    found: list[Tint] = []
    city: Any = scape.city if scape else None
    for building in variant.replaces if city is not None else ():
        row = city.row(building)
        if row is not None:
            found.append(Tint(shapely.to_wkb(shapely.buffer(city.footprints[row], 0.4)), "land", 1.0))
    bodies = cityscape.bodies_of(visit.house, variant)
    if bodies is not None:
        found += [Tint(shapely.to_wkb(each), "planned", 0.75, edge=True) for each in bodies.footprints]
    return found
