"""The plan of a consultation without JavaScript: a picture whose pins are links, and one on which a click chooses."""

import gzip
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from markupsafe import Markup
from starlette.responses import Response

from consultations import procedures, published
from consultations.contributions import Kind
from consultations.permissions import Permission
from consultations.phases import Opens, Phase, phases_of
from consultations.procedures import Procedure, localised
from consultations.published import InView, Wanted
from geo.plans import Picture, Pin, static_plan_svg
from geo.views import View, tiles_of
from participation import map_services, overview
from participation.pages.contributions_list import KINDS, open_procedure, read_position
from participation.pages.map_ground import (
    BaseMap,
    base_map,
    bounds_of,
    choice_asked,
    compressed,
    is_on,
    layers_on,
    sources_at,
)
from participation.pages.with_parts import Whole
from participation.web import PAGES, Visit, page

#: Marks a message for the catalogues.
N_ = str

PLAN_SIZE = (960, 600)
#: Contributions that the plan shows one by one.
PLAN_PINS = 30


@dataclass(frozen=True)
class Way:
    """What one can do at a place: words and address."""

    text: str
    url: str


_HERE: Mapping[str, str] = {
    Opens.STATEMENT.value: N_("Write a statement about this place"),
    Opens.PROPOSAL.value: N_("Propose an idea for this place"),
    Opens.COMMENT.value: N_("Comment on this place"),
}


def ways_of(visit: Visit, procedure: Procedure) -> tuple[Way, ...]:
    """What can be handed in now, with addresses that a place is added to."""
    if "statement" not in PAGES:
        return ()
    kinds = _taken(visit, procedure, phases_of(visit.session, procedure.id or 0))
    return tuple(
        Way(
            visit.gettext(_HERE[kind.value]),
            visit.url("statement", slug=procedure.slug, kind=kind.value),
        )
        for kind in kinds
    )


def takes_something(visit: Visit, procedure: Procedure, phases: Sequence[Phase]) -> bool:
    """Whether there are `ways_of` a consultation, for who has the phases of many at hand."""
    return "statement" in PAGES and bool(_taken(visit, procedure, phases))


def _taken(visit: Visit, procedure: Procedure, phases: Sequence[Phase]) -> list[Kind]:
    deadline = overview.deadline(procedure, phases, visit.now, visit.language)
    if procedure.state != procedures.ProcedureState.PUBLISHED.value:
        return []
    late = deadline is not None and deadline.state == "late"
    return [
        kind
        for kind in Kind
        if overview.is_open(phases, Opens(kind.value), visit.now) or (late and kind is Kind.STATEMENT)
    ]


@dataclass(frozen=True)
class Chosen:
    """The place that somebody means, in words, and what can be done there."""

    name: str
    lon: float
    lat: float
    #: Who takes what is said about it: `belonging.Taken`.
    taken: Any
    #: What lies there: lines of `map_things.ObjectLine`.
    objects: tuple[Any, ...] = ()


@dataclass(frozen=True)
class PlanPin:
    """A pin of the plan without JavaScript, as its list repeats it."""

    number: str
    title: str
    url: str
    kind: str
    #: The part that it was handed in to, in words; empty for the consultation of the page.
    part: str = ""


@dataclass(frozen=True)
class Plan:
    """The plan without JavaScript: the picture with links, and addresses that move it."""

    svg: Markup
    pins: tuple[PlanPin, ...]
    total: int
    attribution: str
    #: (what it does, address)
    moves: tuple[tuple[str, str], ...]
    #: Where a click on the picture chooses a place; empty if nothing can be handed in.
    choose_url: str
    look_url: str
    #: Whether the picture is one to click on, and what it needs to know of the view.
    chooses: bool
    picture_url: str
    middle: str
    zoom: str
    size: tuple[int, int]


def view_of(visit: Visit, procedure: Procedure) -> View:
    """The part of the world that the plan shows: as asked for, or around the plan area."""
    asked = visit.request.query_params
    middle = read_position(asked.get("mitte", ""))
    if middle is None:
        return View.around(bounds_of(visit, procedure), *PLAN_SIZE)
    try:
        zoom = float(asked.get("zoom", ""))
    except ValueError:
        zoom = 16.0
    zoom = zoom if math.isfinite(zoom) else 16.0
    return View(*middle, min(max(zoom, 8.0), 19.0), *PLAN_SIZE)


def spelled(view: View) -> str:
    return f"{view.lon:.6f},{view.lat:.6f}"


def plan_of(
    visit: Visit,
    whole: Whole,
    own: Mapping[str, object],
    wanted: Wanted,
    view: View,
    ground: BaseMap,
    chosen: Chosen | None,
    can_choose: bool,
    *,
    new_window: bool = False,
) -> Plan:
    asked, procedure = visit.request.query_params, whole.procedure
    shown = published.in_view(
        visit.session, whole.key, wanted, view.bounds, round(view.zoom), single=PLAN_PINS
    )
    here = {**own, "platz": asked.get("platz", ""), "ort": asked.get("ort", "")}

    def at(other: View, **more: object) -> str:
        return (
            visit.url("hearing_map", **{**here, "mitte": spelled(other), "zoom": f"{other.zoom:g}", **more})
            + "#plan"
        )

    pins, listed = _pins(visit, whole, view, shown, at)
    if chosen is not None:
        pins.append(Pin(chosen.lon, chosen.lat, "#chosen", chosen.name, "★"))
    chooses = "waehlen" in asked and can_choose
    svg = (
        ""
        if chooses
        else static_plan_svg(
            sources_at(ground, view.zoom),
            view,
            title=visit.gettext("Plan with contributions"),
            areas=[procedure.plan_area] if procedure.plan_area else [],
            pins=pins,
            pictures=_service_pictures(visit, procedure, view),
            identifier="plan-picture",
            new_window=new_window,
        )
    )
    again = {"waehlen": 1} if chooses else {}
    moves = (
        (visit.gettext("Zoom in"), at(view.zoomed(1), **again)),
        (visit.gettext("Zoom out"), at(view.zoomed(-1), **again)),
        (visit.gettext("To the north"), at(view.moved(0, -0.5), **again)),
        (visit.gettext("To the south"), at(view.moved(0, 0.5), **again)),
        (visit.gettext("To the west"), at(view.moved(-0.5, 0), **again)),
        (visit.gettext("To the east"), at(view.moved(0.5, 0), **again)),
    )
    middle, zoom = spelled(view), f"{view.zoom:g}"
    look = "dark" if visit.theme == "dark" else "light"
    return Plan(
        svg=Markup(svg),
        pins=tuple(listed),
        total=shown.total,
        attribution=ground.attribution,
        moves=moves,
        choose_url=at(view, waehlen=1, ort="", platz="") if can_choose else "",
        look_url=at(view),
        chooses=chooses,
        picture_url=visit.url(
            "plan_view", slug=procedure.slug, mitte=middle, zoom=zoom, look=look, ebenen=ground.shown
        ),
        middle=middle,
        zoom=zoom,
        size=PLAN_SIZE,
    )


def _service_pictures(visit: Visit, procedure: Procedure, view: View) -> list[Picture]:
    """The pictures of the map services that are on, fetched through this server."""
    found: list[Picture] = []
    chosen = choice_asked(visit)
    for layer in layers_on(visit, procedure):
        service = map_services.read_service(layer.service) if is_on(layer, chosen) else None
        if service is not None and view.zoom >= service.min_zoom:
            zoom = min(round(view.zoom), service.max_zoom)
            found += [
                Picture(visit.url("service_tile", layer=layer.id, z=z, x=x, y=y), left, top, size)
                for z, x, y, left, top, size in tiles_of(view, zoom)
            ]
    return found


def _pins(
    visit: Visit, whole: Whole, view: View, shown: InView, at: Callable[..., str]
) -> tuple[list[Pin], list[PlanPin]]:
    """Single contributions numbered from 1, clusters with how many they are; the list below says the same."""
    pins: list[Pin] = []
    listed: list[PlanPin] = []
    for number, entry in enumerate(shown.entries, start=1):
        if entry.lon is None or entry.lat is None:
            continue
        slug, part = whole.owner(entry).slug, whole.part(visit, entry)
        url = visit.url("published_contribution", slug=slug, reference=entry.reference)
        pins.append(Pin(entry.lon, entry.lat, url, f"{number}: {entry.heading}", str(number)))
        listed.append(PlanPin(str(number), entry.heading, url, visit.gettext(KINDS[entry.kind]), part))
    for cluster in shown.clusters:
        closer = View(cluster.lon, cluster.lat, min(view.zoom + 2, 19), *PLAN_SIZE)
        label = visit.ngettext(
            "%(num)s contribution, show more closely",
            "%(num)s contributions, show more closely",
            cluster.count,
        )
        pins.append(Pin(cluster.lon, cluster.lat, at(closer), label, f"{cluster.count}×"))
    return pins, listed


@page("/beteiligungen/{slug}/karte.svg", name="plan_view", may=Permission.READ_PUBLIC)
def plan_view(visit: Visit) -> Response:
    """The plan as a picture to click on, without pins (`mitte`, `zoom`, `look`)."""
    procedure = open_procedure(visit)
    look: Literal["light", "dark"] = "dark" if visit.request.query_params.get("look") == "dark" else "light"
    view = view_of(visit, procedure)
    svg = static_plan_svg(
        sources_at(base_map(visit, procedure, choice_asked(visit)), view.zoom),
        view,
        title=localised(procedure, visit.language, "title"),
        areas=[procedure.plan_area] if procedure.plan_area else [],
        theme=look,
    )
    headers = {"Cache-Control": "no-cache"}
    return compressed(visit, gzip.compress(svg.encode(), 6, mtime=0), "image/svg+xml", headers)
