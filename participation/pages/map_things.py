"""Objects on the map: what lies at a place, by click, by keyboard or from a list, each in words and to say something about."""

import gzip
import json
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from markupsafe import Markup
from starlette.responses import Response

from consultations import attached, nesting, published, whereabouts
from consultations.permissions import Permission
from consultations.places import Layer, LayerRole
from consultations.procedures import Procedure, localised
from geo import features
from geo.features import Feature
from geo.geometry import from_lonlat
from geo.plans import static_plan_svg
from geo.views import View
from participation import layer_files, plan_words, things
from participation.pages.belonging import Taken, taken_by
from participation.pages.contributions_list import open_procedure, read_position
from participation.pages.map_canvas import colours_url
from participation.pages.map_ground import (
    Choice,
    Laid,
    base_map,
    choice_asked,
    compressed,
    in_degrees,
    is_on,
    laid_on,
    local_copy,
    may_see,
    sources_at,
)
from participation.pages.place_words import where_in_words
from participation.web import Visit, page

#: Kinds of layers whose objects can be pointed at; what stands earlier is named first.
LINES: tuple[str, ...] = (
    LayerRole.OTHER.value,
    LayerRole.TREES.value,
    LayerRole.PLAN.value,
    LayerRole.BUILDINGS.value,
    LayerRole.STREETS.value,
    LayerRole.PARCELS.value,
    LayerRole.GREEN.value,
    LayerRole.WATER.value,
)
#: Objects that a page of the list has, and that are told of at one place.
ON_A_PAGE = 50
AT_A_PLACE = 10
#: Attributes told at a place; the object's page has all.
FEW_WORDS = 4
#: Pixels that a click may miss a line or a point by.
REACH = 10
PICTURE = (640, 360)


@dataclass(frozen=True)
class ObjectLine:
    """An object: its number, what it is called, which layer has it, what it says, and the page about it."""

    number: int
    name: str
    layer: str
    words: tuple[tuple[str, str], ...]
    url: str


def _line(visit: Visit, procedure: Procedure, laid: Laid, found: Feature) -> ObjectLine:
    name = plan_words.name_of(found, visit.language)
    words = plan_words.attributes_in_words(found.words, visit.language)
    return ObjectLine(
        found.number,
        name or visit.gettext("No. %(number)s", number=found.number + 1),
        laid.title(visit),
        tuple(pair for pair in words if pair[1] != name),
        visit.url("map_object", slug=procedure.slug, layer=laid.layer.id, number=found.number),
    )


def lines_of(
    visit: Visit,
    procedure: Procedure,
    laid: Laid,
    path: Path,
    box: tuple[float, float, float, float] | None,
    after: int,
) -> tuple[list[ObjectLine], bool]:
    """The objects of a layer with numbers above `after`, those that meet a box (metres) or all; and whether more follow."""
    found, more = features.features_in(
        path, box, layer_files.columns_of(laid.layer), after=after, limit=ON_A_PAGE
    )
    return [_line(visit, procedure, laid, each) for each in found], more


def at(
    visit: Visit, procedure: Procedure, lon: float, lat: float, zoom: float, chosen: Choice | None
) -> list[ObjectLine]:
    """What lies at a place, of the layers that are on; what is drawn smallest can be missed by some pixels."""
    spot = from_lonlat(lon, lat)
    reach = min(max(REACH * View(lon, lat, zoom, 1, 1).resolution * 0.65, 0.5), 40.0)
    found: list[ObjectLine] = []
    on = [
        each for each in laid_on(visit, procedure) if each.layer.role in LINES and is_on(each.layer, chosen)
    ]
    for laid in sorted(on, key=lambda each: LINES.index(each.layer.role)):
        if len(found) >= AT_A_PLACE:
            break
        layer = laid.layer
        path = local_copy(visit, layer)
        if path is None:
            continue
        columns = layer_files.columns_of(layer)
        there = features.features_at(path, spot.min_x, spot.min_y, reach, columns, limit=AT_A_PLACE)
        found += [_line(visit, procedure, laid, each) for each in there]
    return found[:AT_A_PLACE]


@page("/beteiligungen/{slug}/karte/objekte.json", name="map_objects", may=Permission.READ_PUBLIC)
def map_objects(visit: Visit) -> Response:
    """Where a place is, in words, and what lies there, for the map's script: `ort` ("lon,lat"), `zoom`, `ebenen`."""
    procedure = open_procedure(visit)
    asked = visit.request.query_params
    position = read_position(asked.get("ort", ""))
    found: list[ObjectLine] = []
    where = ""
    if position is not None:
        found = at(visit, procedure, *position, read_zoom(visit), choice_asked(visit))
        where = where_in_words(visit, whereabouts.of(visit.session, visit.municipality_id, [position])[0])
    told = [asdict(each) | {"words": each.words[:FEW_WORDS]} for each in found]
    body = json.dumps({"where": where, "objects": told}, ensure_ascii=False)
    headers = {"Cache-Control": "no-cache"}
    return compressed(visit, gzip.compress(body.encode(), 6, mtime=0), "application/json", headers)


def read_zoom(visit: Visit, default: float = 17.0) -> float:
    """The zoom of an address, within what can be shown."""
    typed = visit.request.query_params.get("zoom", "")
    try:
        return min(max(float(typed), 8.0), 20.0) if typed else default
    except ValueError:
        return default


@dataclass(frozen=True)
class ObjectPage:
    """One object: what it is, what it says, where it lies, and what can be said about it."""

    title: str
    hearing_title: str
    layer_title: str
    layer_url: str
    map_url: str
    rows: tuple[tuple[str, str], ...]
    picture: Markup
    styles: tuple[str, ...]
    attribution: str
    taken: Taken
    #: What is published about it: its title, its address, and when it came in.
    said: tuple[tuple[str, str, datetime], ...]


@page(
    "/beteiligungen/{slug}/karte/ebenen/{layer:int}/{number:int}",
    name="map_object",
    may=Permission.READ_PUBLIC,
    shared=True,
)
def map_object(visit: Visit) -> Response:
    """An object of a layer in words, with what can be handed in about it."""
    procedure = open_procedure(visit)
    layer = things.layer_for(visit.session, procedure, visit.request.path_params["layer"])
    number = visit.request.path_params["number"]
    if layer is None or layer.role not in LINES or layer.replaced_at is not None or not may_see(visit, layer):
        visit.not_found()
    path = local_copy(visit, layer)
    found = features.feature(path, number, layer_files.columns_of(layer)) if path else None
    choice = things.Choice(layer=layer.id, feature=number)
    thing = things.find(visit.house, visit.session, procedure, choice) if found else None
    if found is None or thing is None:
        visit.not_found()
    laid = Laid(layer, things.part_of(visit.session, procedure, layer))
    line = _line(visit, procedure, laid, found)
    place = thing.located
    bounds = in_degrees((place.min_x - 40, place.min_y - 40, place.max_x + 40, place.max_y + 40))
    view = View.around(bounds, *PICTURE, max_zoom=18)
    ground = base_map(visit, procedure)
    picture = static_plan_svg(
        sources_at(ground, view.zoom),
        view,
        title=visit.gettext("Where it lies: %(name)s", name=line.name),
        areas=[found.wkb],
        identifier="object-picture",
    )
    return visit.render(
        "maps/object.html",
        ObjectPage(
            title=line.name,
            hearing_title=localised(procedure, visit.language, "title"),
            layer_title=line.layer,
            layer_url=visit.url("map_layer", slug=procedure.slug, layer=layer.id),
            map_url=visit.url("hearing_map", slug=procedure.slug, ort=f"{place.lon:.6f},{place.lat:.6f}"),
            rows=line.words,
            picture=Markup(picture),
            styles=(colours_url(visit), visit.static("css/map.css")),
            attribution=ground.attribution,
            taken=taken_by(visit, procedure, choice, thing),
            said=_said(visit, procedure, layer, number),
        ),
    )


def _said(
    visit: Visit, procedure: Procedure, layer: Layer, number: int
) -> tuple[tuple[str, str, datetime], ...]:
    """What everybody may read about an object, here and in the parts of an area, the newest first."""
    about = attached.about_object(visit.session, layer, number)
    if not about:
        return ()
    slugs = {procedure.id or 0: procedure.slug}
    for part in nesting.shown(nesting.parts(visit.session, procedure.id or 0)):
        slugs[part.procedure.id or 0] = part.procedure.slug
    here = {each: owner for each, owner in about if owner in slugs}
    return tuple(
        (
            each.heading,
            visit.url("published_contribution", slug=slugs[here[each.id]], reference=each.reference),
            each.received_at,
        )
        for each in published.by_ids_of_several(visit.session, list(slugs), list(here))
    )
