"""What lies on a map besides the base map: the legend with its switches, each layer in words, and its data to download."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from starlette.responses import FileResponse, Response

from consultations import procedures
from consultations.permissions import Permission
from consultations.places import Layer, LayerRole
from consultations.procedures import Procedure, localised
from geo import features
from geo.layers import features_geojson
from geo.strokes import sign_look
from geo.styles import LayerStyle
from participation import i18n, layer_files, map_services, plan_words
from participation.map_services import Picture, Service
from participation.pages.contributions_list import open_procedure
from participation.pages.map_canvas import colours_url
from participation.pages.map_ground import (
    Choice,
    Laid,
    compressed_text,
    is_on,
    is_switch,
    laid_on,
    local_copy,
    may_see,
    overlay_digest,
    source_of,
    style_of,
    town_bounds,
)
from participation.pages.map_things import LINES, ObjectLine, lines_of
from participation.web import Visit, page, row_number

#: Plan signs that a legend shows.
MOST_SIGNS = 40
#: Objects that can be had as GeoJSON; larger layers come as FlatGeobuf.
MOST_GEOJSON = 50_000
#: A layer with more objects than this is told of near the plan only.
FEW = 2_000
#: Layers whose files are no plane layers.
_NOT_PLANE = frozenset({LayerRole.CITY_MODEL.value, LayerRole.TERRAIN.value})
#: Metres around the plan area that count as near.
NEAR = 150.0


@dataclass(frozen=True)
class Sign:
    """How something is drawn (colours of the palette, dashes, pattern; a "crown" is a tree from above), and what it is."""

    label: str
    fill: str = ""
    line: str = ""
    dashes: str = ""
    pattern: str = ""


@dataclass(frozen=True)
class LegendLine:
    """A layer of the legend: its signs, who made it, whether it can be switched and is on, and where its words are."""

    id: int
    title: str
    signs: tuple[Sign, ...]
    attribution: str
    url: str
    is_switch: bool
    is_on: bool


@dataclass(frozen=True)
class Overlay:
    """A layer as the map's script lays it over the base map: address of its tiles, by day and by night."""

    id: int
    title: str
    url: str
    dark: str
    attribution: str
    on: bool
    min: int
    max: int


def legend_of(visit: Visit, procedure: Procedure, chosen: Choice | None) -> tuple[LegendLine, ...]:
    """The layers besides the base map, as the map draws them."""
    return tuple(
        LegendLine(
            laid.layer.id or 0,
            laid.title(visit),
            signs_of(visit, laid.layer),
            laid.layer.attribution,
            visit.url("map_layer", slug=procedure.slug, layer=laid.layer.id),
            True,
            is_on(laid.layer, chosen),
        )
        for laid in laid_on(visit, procedure)
        if is_switch(laid.layer)
    )


def signs_of(visit: Visit, layer: Layer) -> tuple[Sign, ...]:
    """How a layer is drawn, line by line."""
    if layer.service:
        return ()
    if layer.role == LayerRole.PLAN.value and not layer.style.get("colour"):
        path = local_copy(visit, layer)
        signs = _signs(path) if path else ()
        found = {each: sign_look(each) for each in signs}
        return tuple(
            Sign(plan_words.sign_words(sign, visit.language), *look)
            for sign, look in found.items()
            if look[0] or look[1]
        )
    if layer.role == LayerRole.PARCELS.value and not layer.style.get("colour"):
        return (Sign(visit.gettext("Edge of a parcel"), "", "parcel-line"),)
    if layer.role == LayerRole.TREES.value and not layer.style.get("colour"):
        return (Sign(visit.gettext("Single tree"), "tree", "tree-middle", pattern="crown"),)
    return signs_of_style(visit, style_of(layer))


def signs_of_style(visit: Visit, style: LayerStyle) -> tuple[Sign, ...]:
    """A style as a legend shows it; a single one has no words of its own."""
    looks = [(each.label, each.look) for each in style.classes]
    looks.append((visit.gettext("Everything else") if looks else "", style.look))
    return tuple(Sign(label, look.colour, look.colour, look.dashes, look.pattern) for label, look in looks)


@lru_cache(maxsize=64)
def _signs(path: Path) -> tuple[str, ...]:
    return tuple(sign for sign, _count in features.values_of(path, "sign", limit=MOST_SIGNS))


def overlays_of(visit: Visit, procedure: Procedure, chosen: Choice | None) -> tuple[Overlay, ...]:
    """The layers that can be switched, for the map's script."""
    look = "dark" if visit.theme == "dark" else "light"
    found = []
    for laid in laid_on(visit, procedure):
        layer = laid.layer
        if not is_switch(layer):
            continue
        facts = layer.id or 0, laid.title(visit)
        service = map_services.read_service(layer.service)
        if service is not None:
            url = f"/kacheln/dienst/{layer.id}/{{z}}/{{x}}/{{y}}"
            found.append(
                Overlay(
                    *facts,
                    url,
                    "",
                    layer.attribution,
                    is_on(layer, chosen),
                    service.min_zoom,
                    service.max_zoom,
                )
            )
            continue
        source = source_of(visit, layer)
        if source is not None:
            url = f"/kacheln/auflage/{layer.id}/{overlay_digest(source)}/{{}}/{{z}}/{{x}}/{{y}}.svg"
            light, dark = url.replace("{}", look), url.replace("{}", "dark")
            found.append(Overlay(*facts, light, dark, layer.attribution, is_on(layer, chosen), 0, 20))
    return tuple(found)


# --- one layer -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class LayerPage:
    """What a layer says of its objects, and its data."""

    title: str
    hearing_title: str
    map_url: str
    #: (what, words)
    facts: tuple[tuple[str, str], ...]
    signs: tuple[Sign, ...]
    #: What the objects say.
    objects: tuple[ObjectLine, ...]
    total: int
    #: Only those near the plan are told of.
    is_near: bool
    next_url: str
    first_url: str
    #: (format, address) of what can be downloaded.
    downloads: tuple[tuple[str, str], ...]
    styles: tuple[str, ...]


def layer_of(visit: Visit, procedure: Procedure) -> Laid:
    """The layer in the address, if the map of the consultation has it."""
    wanted = visit.request.path_params["layer"]
    found = next((each for each in laid_on(visit, procedure) if each.layer.id == wanted), None)
    if found is None or not (is_switch(found.layer) or found.layer.role in LINES):
        visit.not_found()
    return found


@page(
    "/beteiligungen/{slug}/karte/ebenen/{layer:int}",
    name="map_layer",
    may=Permission.READ_PUBLIC,
    shared=True,
)
def map_layer(visit: Visit) -> Response:
    """A layer of the map in words, for whoever does not see the map: its objects, page by page (`nach`)."""
    procedure = open_procedure(visit)
    laid = layer_of(visit, procedure)
    layer = laid.layer
    path = local_copy(visit, layer)
    after = row_number(visit.request.query_params.get("nach")) or -1
    objects: Sequence[ObjectLine] = ()
    total, more, is_near = 0, False, False
    if path is not None:
        total = features.how_many(path)
        is_near = total > FEW and procedure.min_x is not None
        objects, more = lines_of(visit, procedure, laid, path, _near(procedure) if is_near else None, after)
    here = {"slug": procedure.slug, "layer": layer.id}
    return visit.render(
        "maps/layer.html",
        LayerPage(
            title=laid.title(visit),
            hearing_title=localised(procedure, visit.language, "title"),
            map_url=visit.url("hearing_map", slug=procedure.slug),
            facts=facts_of(visit, layer),
            signs=signs_of(visit, layer),
            objects=tuple(objects),
            total=total,
            is_near=is_near,
            next_url=visit.url("map_layer", **here, nach=objects[-1].number) if more else "",
            first_url=visit.url("map_layer", **here) if after >= 0 else "",
            downloads=downloads_of(visit, layer, total),
            styles=(colours_url(visit), visit.static("css/map.css")),
        ),
    )


def _near(procedure: Procedure) -> tuple[float, float, float, float]:
    assert procedure.min_x is not None
    assert procedure.min_y is not None
    assert procedure.max_x is not None
    assert procedure.max_y is not None
    return (
        procedure.min_x - NEAR,
        procedure.min_y - NEAR,
        procedure.max_x + NEAR,
        procedure.max_y + NEAR,
    )


def facts_of(visit: Visit, layer: Layer) -> tuple[tuple[str, str], ...]:
    """What is said of a layer."""
    rows = (
        (visit.gettext("Attribution"), layer.attribution),
        (visit.gettext("Where it comes from"), layer.source),
        (visit.gettext("Licence"), layer.licence),
        (
            visit.gettext("Date of the data"),
            i18n.date_long(layer.dated, visit.language) if layer.dated else "",
        ),
    )
    return tuple(row for row in rows if row[1])


def downloads_of(visit: Visit, layer: Layer, total: int) -> tuple[tuple[str, str], ...]:
    """The formats in which everybody can have the data; none unless they are open."""
    if not layer.is_open or not layer.normalised_sha256 or layer.role in _NOT_PLANE:
        return ()
    formats = [("GeoJSON", "geojson")] if total <= MOST_GEOJSON else []
    formats.append(("FlatGeobuf (EPSG:25832)", "fgb"))
    return tuple((words, visit.url("layer_data", layer=layer.id, ending=ending)) for words, ending in formats)


@page("/karte/ebenen/{layer:int}.{ending}", name="layer_data", may=Permission.READ_PUBLIC)
def layer_data(visit: Visit) -> Response:
    """The data of an open layer: FlatGeobuf as it is drawn from, or GeoJSON in degrees."""
    layer = visit_layer(visit)
    ending = visit.request.path_params["ending"]
    if layer is None or not layer.is_open or layer.role in _NOT_PLANE:
        visit.not_found()
    path = local_copy(visit, layer)
    if path is None or ending not in ("geojson", "fgb"):
        visit.not_found()
    name = f"{layer.normalised_sha256[:8]}.{ending}"
    headers = {"Cache-Control": "no-cache", "Access-Control-Allow-Origin": "*"}
    if ending == "fgb":
        return FileResponse(path, media_type="application/flatgeobuf", filename=name, headers=headers)
    if features.how_many(path) > MOST_GEOJSON:
        visit.not_found()
    text, _ = features_geojson(path, columns=layer_files.attributes_of(layer), limit=MOST_GEOJSON)
    headers |= {"Content-Disposition": f'attachment; filename="{name}"'}
    return compressed_text(visit, text, "application/geo+json", headers)


def visit_layer(visit: Visit) -> Layer | None:
    """The layer in the address, if it is in force and the visitor may see it."""
    layer = visit.session.get(Layer, visit.request.path_params["layer"])
    if layer is None or layer.municipality_id != visit.municipality_id or layer.replaced_at is not None:
        return None
    return layer if may_see(visit, layer) else None


# --- services --------------------------------------------------------------------------------------


@page(
    "/kacheln/dienst/{layer:int}/{z:int}/{x:int}/{y:int}",
    name="service_tile",
    may=Permission.READ_PUBLIC,
    shared=True,
)
async def service_tile(visit: Visit) -> Response:
    """A picture of a map service, fetched by this server (`participation.map_services`); of the town and around it only."""
    asked = visit.request.path_params
    tile = asked["z"], asked["x"], asked["y"]
    service, is_public, found = await visit.in_thread(lambda: _service_asked(visit, *tile))
    if found is None:
        found = await map_services.fetched(visit.house, service, *tile)
    if found is None:
        return Response(status_code=503, headers={"Cache-Control": "no-store", "Retry-After": "30"})
    # What only staff may see yet is kept by no cache that others ask too; nothing is kept for longer than the settings say,
    # here or elsewhere, and by browsers for a day.
    seconds = min(int(found.seconds), 86_400)
    headers = {
        "Cache-Control": f"public, max-age={seconds}" if is_public and seconds > 0 else "no-store",
        "X-Content-Type-Options": "nosniff",
    }
    return Response(found.content, media_type=found.media_type, headers=headers)


def _service_asked(visit: Visit, z: int, x: int, y: int) -> tuple[Service, bool, Picture | None]:
    """The service of the layer in the address, whether everybody may see it, and the picture if it is kept."""
    layer = visit_layer(visit)
    service = map_services.read_service(layer.service) if layer else None
    if layer is None or service is None or not service.min_zoom <= z <= min(service.max_zoom, 22):
        visit.not_found()
    if not map_services.is_near(z, x, y, town_bounds(visit)):
        visit.not_found()
    owner = None
    if layer.procedure_id is not None:
        owner = procedures.by_id(visit.session, visit.municipality_id, layer.procedure_id)
    is_public = owner is None or owner.state in procedures.PUBLIC_STATES
    return service, is_public, map_services.kept(visit.house, service, z, x, y)
