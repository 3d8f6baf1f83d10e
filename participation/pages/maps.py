"""Where: the map of a consultation and of the town, with and without JavaScript, its tiles and its feeds.

Folium makes the skeleton (`geo.maps`), served as a script under its hash; the base map is tiles drawn here from the
town's own layers; contributions come as a feed of clusters or single ones. Without JavaScript the same page holds a
plan as SVG whose pins are links, moved and zoomed by links, and a second picture on which a click chooses a place.
"""

import gzip
import hashlib
import json
import logging
import math
import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Literal

from markupsafe import Markup
from starlette.responses import Response
from wtforms import Form, HiddenField, StringField
from wtforms.validators import Length, Optional

from consultations import journal, nearby, places, procedures, published, whereabouts
from consultations.contributions import Kind
from consultations.files import MissingFile
from consultations.permissions import Permission
from consultations.places import Layer, LayerRole, Place, PlaceKind
from consultations.procedures import Opens, Procedure, localised
from consultations.published import Entry, InView, Wanted
from geo import maps, tiles
from geo.geometry import GERMANY, degrees_of
from geo.maps import MapSkeleton, MapSpec, MapWords, TileService
from geo.tiles import MapSource, Pin, View
from participation import overview
from participation.pages.contributions_list import (
    KINDS,
    PLACES_SHOWN,
    FilterForm,
    asked_for,
    filled,
    open_procedure,
    read_position,
    where_in_words,
)
from participation.pages.home import cards_of as hearing_cards
from participation.web import PAGES, Visit, page

#: Marks a message for the catalogues.
N_ = str

Bounds = tuple[float, float, float, float]
"""West, south, east, north in degrees."""

FOR_EVER = "public, max-age=31536000, immutable"
CANVAS = "map_canvas"
PLAN_SIZE = (960, 600)
#: Contributions that the plan without JavaScript shows one by one.
PLAN_PINS = 30
EXCERPT = 160
BUILDINGS_FROM = 15
#: Corners of drawn lines and areas that one view of the feed gives at most.
VERTICES = 3000
_DRAWN = frozenset(
    {
        LayerRole.BOUNDARY.value,
        LayerRole.DISTRICTS.value,
        LayerRole.STREETS.value,
        LayerRole.BUILDINGS.value,
        LayerRole.WATER.value,
        LayerRole.GREEN.value,
        LayerRole.PARCELS.value,
        LayerRole.PLAN.value,
    }
)

logger = logging.getLogger(__name__)


# --- the base map ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class BaseMap:
    """What a map is drawn from, the hash that names its tiles, and who made the data; `plan` is the slug of the
    consultation whose own layers lie on the town's."""

    sources: tuple[MapSource, ...]
    digest: str
    attribution: str
    plan: str = ""


@cache
def _drawing() -> bytes:
    """What decides how a tile looks besides its layers: the code that draws it."""
    return hashlib.sha256(Path(tiles.__file__).read_bytes()).digest()


def base_map(visit: Visit, procedure: Procedure | None = None) -> BaseMap:
    """The town's own layers in force, and on them those of a consultation, such as what its plan lays down.

    None of them for a town that has none yet, which gets a plain ground.
    """
    in_force = places.layers_of(visit.session, visit.municipality_id)
    own = places.layers_of(visit.session, visit.municipality_id, procedure.id) if procedure else []
    layers = [
        layer
        for layer in (*in_force, *own)
        if layer.role in _DRAWN and layer.normalised_sha256 and layer.is_visible
    ]
    sources = tuple(
        MapSource(layer.role, path, layer.normalised_sha256, str(layer.style.get("name_column") or "name"))
        for layer in layers
        if (path := _local_copy(visit, layer)) is not None
    )
    named = repr([(source.role, source.digest, source.name_column) for source in sources])
    digest = hashlib.sha256(_drawing() + named.encode()).hexdigest()[:16]
    attributions = dict.fromkeys(layer.attribution for layer in layers if layer.attribution.strip())
    plan = procedure.slug if procedure and own else ""
    return BaseMap(sources, digest, ", ".join(attributions) or visit.municipality.name, plan)


def _plan_asked(visit: Visit) -> Procedure | None:
    """The consultation that a tile or a script is for (`plan`, its slug), if the visitor may see it."""
    slug = visit.request.query_params.get("plan", "")
    procedure = procedures.by_slug(visit.session, visit.municipality_id, slug) if slug else None
    if procedure is None or procedure.state in procedures.PUBLIC_STATES:
        return procedure
    return procedure if visit.may(Permission.READ_DRAFTS, procedure) else None


def _local_copy(visit: Visit, layer: Layer) -> Path | None:
    """The layer's file in the cache folder, fetched from the file store once; None if the store has lost it."""
    folder = visit.house.settings.data_dir / "cache" / "layers"
    path = folder / f"{layer.normalised_sha256}.fgb"
    if path.exists():
        return path
    folder.mkdir(parents=True, exist_ok=True)
    try:
        content = visit.house.files.open(layer.normalised_sha256)
    except MissingFile:
        logger.error("layer %s (%s) is not in the file store", layer.id, layer.normalised_sha256)
        return None
    handle, name = tempfile.mkstemp(dir=folder)
    try:
        with os.fdopen(handle, "wb") as file:
            file.writelines(content)
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    return path


def _sources_at(ground: BaseMap, zoom: float) -> tuple[MapSource, ...]:
    """What is drawn at a zoom: single buildings are specks further out, and would be most of what is sent."""
    return tuple(
        source
        for source in ground.sources
        if zoom >= BUILDINGS_FROM or source.role != LayerRole.BUILDINGS.value
    )


@lru_cache(maxsize=4096)
def _tile(sources: tuple[MapSource, ...], look: Literal["light", "dark"], z: int, x: int, y: int) -> bytes:
    """A tile, compressed; those that were asked for last stay in memory."""
    return gzip.compress(tiles.svg_tile(sources, z, x, y, look), 6, mtime=0)


@page("/kacheln/{layers}/{look}/{z:int}/{x:int}/{y:int}.svg", name="map_tile", may=Permission.READ_PUBLIC)
def map_tile(visit: Visit) -> Response:
    """A tile of the base map. Its address holds the hash of what it is drawn from, so browsers keep it for ever."""
    asked = visit.request.path_params
    look, z, x, y = asked["look"], asked["z"], asked["x"], asked["y"]
    if look not in ("light", "dark") or z > tiles.MAX_ZOOM or not (0 <= x < 1 << z and 0 <= y < 1 << z):
        visit.not_found()
    ground = base_map(visit, _plan_asked(visit))
    is_current = asked["layers"] == ground.digest
    headers = {
        "Cache-Control": FOR_EVER if is_current else "no-cache",
        "ETag": f'"{ground.digest}-{look[0]}-{z}-{x}-{y}"',
        "Vary": "Accept-Encoding",
    }
    if headers["ETag"] in visit.request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    return _compressed(visit, _tile(_sources_at(ground, z), look, z, x, y), "image/svg+xml", headers)


def _compressed(visit: Visit, body: bytes, media_type: str, headers: Mapping[str, str]) -> Response:
    """A compressed answer, or what it holds for who cannot read that."""
    headers = {**headers, "Content-Type": media_type, "Vary": "Accept-Encoding"}
    if "gzip" in visit.request.headers.get("accept-encoding", ""):
        return Response(body, headers=headers | {"Content-Encoding": "gzip"})
    return Response(gzip.decompress(body), headers=headers)


# --- the skeleton ----------------------------------------------------------------------------------


def _town_bounds(visit: Visit) -> Bounds:
    """What the whole town's map shows: as configured, or around its districts, or around its plans."""
    given = visit.municipality_row.bounds
    if len(given) == 4:
        return (given[0], given[1], given[2], given[3])
    extent = places.extent(visit.session, visit.municipality_id, PlaceKind.DISTRICT)
    if extent is None:
        found = procedures.public(visit.session, visit.municipality_id)
        boxes = [
            (each.min_x, each.min_y, each.max_x, each.max_y)
            for each in found
            if each.min_x is not None
            and each.min_y is not None
            and each.max_x is not None
            and each.max_y is not None
        ]
        if not boxes:
            return GERMANY
        lows, highs = [box[:2] for box in boxes], [box[2:] for box in boxes]
        extent = (*map(min, zip(*lows, strict=True)), *map(max, zip(*highs, strict=True)))
    assert extent is not None
    return _in_degrees(extent)


def _in_degrees(box: tuple[float, float, float, float]) -> Bounds:
    corners = [degrees_of(x, y) for x in (box[0], box[2]) for y in (box[1], box[3])]
    lons, lats = [lon for lon, _ in corners], [lat for _, lat in corners]
    return min(lons), min(lats), max(lons), max(lats)


def _bounds(visit: Visit, procedure: Procedure | None) -> Bounds:
    """What a map shows at first: the plan area with some of its neighbourhood, or the town."""
    if procedure is None or procedure.min_x is None or procedure.max_x is None:
        return _town_bounds(visit)
    assert procedure.min_y is not None
    assert procedure.max_y is not None
    margin = max(60.0, 0.15 * max(procedure.max_x - procedure.min_x, procedure.max_y - procedure.min_y))
    west, south, east, north = _in_degrees(
        (
            procedure.min_x - margin,
            procedure.min_y - margin,
            procedure.max_x + margin,
            procedure.max_y + margin,
        )
    )
    return round(west, 5), round(south, 5), round(east, 5), round(north, 5)


#: What a service of DIGILOG_MAP_SOURCES may say, by the names of `TileService`.
_SERVICE_FIELDS = frozenset(TileService.__dataclass_fields__) - {"dark_url"}


def _services(visit: Visit, ground: BaseMap, look: str) -> tuple[TileService, ...]:
    """Our own tiles first, then the configured services."""
    address = f"/kacheln/{ground.digest}/{{look}}/{{z}}/{{x}}/{{y}}.svg"
    if ground.plan:
        address += f"?plan={ground.plan}"
    own = TileService(
        kind="xyz",
        url=address.replace("{look}", look),
        dark_url=address.replace("{look}", "dark"),
        title=visit.gettext("Town plan"),
        attribution=ground.attribution,
        max_zoom=tiles.MAX_ZOOM - 1,
    )
    configured = (
        {"title": source["attribution"], "kind": "xyz", **source}
        for source in visit.house.settings.map_sources
    )
    others = (
        TileService(**{name: value for name, value in source.items() if name in _SERVICE_FIELDS})
        for source in configured
    )
    return (own, *others)


def _skeleton(
    visit: Visit,
    ground: BaseMap,
    procedure: Procedure | None,
    look: str,
    data: tuple[tuple[str, str], ...] = (),
) -> MapSkeleton:
    west, south, east, north = _town_bounds(visit)
    wide, high = (east - west) * 0.5, (north - south) * 0.5
    spec = MapSpec(
        services=_services(visit, ground, look),
        bounds=_bounds(visit, procedure),
        limits=(west - wide, south - high, east + wide, north + high),
        leaflet_js=visit.static("vendor/leaflet/leaflet.js"),
        leaflet_css=visit.static("vendor/leaflet/leaflet.css"),
        words=MapWords(visit.gettext("Zoom in"), visit.gettext("Zoom out"), visit.gettext("Map layers")),
        identifier=CANVAS,
        min_zoom=9,
        max_zoom=19,
        data=data,
    )
    return maps.map_skeleton(spec)


@page("/maps/{hash}.js", name="map_script", may=Permission.READ_PUBLIC)
def map_script(visit: Visit) -> Response:
    """The script of a map skeleton: for a consultation (`plan`, its slug) or the town. Kept for ever by its hash."""
    procedure = _plan_asked(visit)
    look = "dark" if visit.request.query_params.get("look") == "dark" else "light"
    skeleton = _skeleton(visit, base_map(visit, procedure), procedure, look)
    is_current = visit.request.path_params["hash"] == skeleton.hash[:16]
    headers = {"Cache-Control": FOR_EVER if is_current else "no-cache"}
    body = gzip.compress(skeleton.script.encode(), 6, mtime=0)
    return _compressed(visit, body, "text/javascript; charset=utf-8", headers)


@cache
def _colours() -> str:
    """The colours of the base map as custom properties, light and dark, by the page's theme."""
    light, dark = (
        ";".join(f"{name}:{value}" for name, value in tiles.custom_properties(look).items())
        for look in ("light", "dark")
    )
    return (
        f":root{{{light}}}\n"
        f"@media screen and (prefers-color-scheme:dark){{:root:not([data-theme=light]){{{dark}}}}}\n"
        f"@media screen{{:root[data-theme=dark]{{{dark}}}}}\n"
    )


def _colours_url(visit: Visit) -> str:
    return visit.url("map_colours", hash=hashlib.sha256(_colours().encode()).hexdigest()[:16])


@page("/maps/{hash}.css", name="map_colours", may=Permission.READ_PUBLIC)
def map_colours(visit: Visit) -> Response:
    """What pages colour their pins, outlines and plans with: the colours of the tiles."""
    is_current = visit.request.path_params["hash"] in _colours_url(visit)
    headers = {"Cache-Control": FOR_EVER if is_current else "no-cache"}
    return _compressed(
        visit, gzip.compress(_colours().encode(), 6, mtime=0), "text/css; charset=utf-8", headers
    )


@dataclass(frozen=True)
class Canvas:
    """The map as a page includes it: the fragment, and its classic scripts in their order."""

    fragment: Markup
    scripts: tuple[str, ...]


def _canvas(visit: Visit, ground: BaseMap, procedure: Procedure | None, data: Mapping[str, str]) -> Canvas:
    look = "dark" if visit.theme == "dark" else "light"
    skeleton = _skeleton(visit, ground, procedure, look, tuple(data.items()))
    slug = procedure.slug if procedure else ""
    dark = look if look == "dark" else ""
    script = visit.url("map_script", hash=skeleton.hash[:16], plan=slug, look=dark)
    # The fragment is made by geo.maps of escaped attributes.
    fragment = Markup(skeleton.html)
    return Canvas(fragment, (*skeleton.js_urls, script))


def _styles(visit: Visit, *, with_canvas: bool) -> tuple[str, ...]:
    own = (_colours_url(visit), visit.static("css/map.css"))
    return (visit.static("vendor/leaflet/leaflet.css"), *own) if with_canvas else own


#: What the script says; `{}`, `{lat}` and `{lon}` stand for numbers.
_WORDS: Mapping[str, str] = {
    "one": N_("1 contribution in view"),
    "many": N_("{} contributions in view"),
    "about": N_("About {} contributions in view"),
    "none": N_("No contributions in view"),
    "alone": N_("1 contribution, show more closely"),
    "cluster": N_("{} contributions, show more closely"),
    "spot": N_("{} contributions at this spot, show as a list"),
    "read": N_("Read the whole contribution"),
    "close": N_("Close"),
    "place": N_("Chosen place"),
    "spelled": N_("{lat}° north, {lon}° east"),
    "chosen": N_("Place chosen. What do you want to do here?"),
    "failed": N_("The contributions cannot be loaded at the moment. The list has all of them."),
    "point": N_("Point {} set"),
    "removed": N_("Last point removed"),
    "tooFew": N_("A line needs two points, an area three."),
    "tooMany": N_("That is as many points as can be sent. Please finish the drawing."),
    "crossing": N_("The outline crosses itself. Please remove the last point and set it elsewhere."),
    "line": N_("Line drawn. What do you want to say about it?"),
    "area": N_("Area drawn. What do you want to say about it?"),
    "drawing": N_(
        "Drawing: click on the map, or move it with the arrow keys and press Enter to set a point in its middle."
    ),
    "cancelled": N_("Drawing ended, nothing was kept."),
}


def _words(visit: Visit) -> str:
    """What the script says, in the visitor's language, as JSON."""
    return json.dumps({name: visit.gettext(text) for name, text in _WORDS.items()}, ensure_ascii=False)


# --- a consultation's map --------------------------------------------------------------------------


class MapForm(FilterForm):
    """What the map can be narrowed to."""


class PlaceForm(Form):
    """A place by its name; what the map is narrowed to goes along."""

    suche = StringField(N_("Street, district or parcel"), [Optional(), Length(max=200)])
    q = HiddenField()
    art = HiddenField()
    thema = HiddenField()


@dataclass(frozen=True)
class Way:
    """What one can do at a place: words and address."""

    text: str
    url: str


@dataclass(frozen=True)
class Chosen:
    """The place that somebody means, in words, and what can be done there."""

    name: str
    lon: float
    lat: float
    ways: tuple[Way, ...]


@dataclass(frozen=True)
class PlanPin:
    """A pin of the plan without JavaScript, as its list repeats it."""

    number: str
    title: str
    url: str
    kind: str


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


@dataclass(frozen=True)
class MapPage:
    """The map of a consultation: with its script, or as a plan."""

    title: str
    slug: str
    styles: tuple[str, ...]
    canvas: Canvas | None
    plan: Plan | None
    #: The same as a plan, for who has no JavaScript.
    plan_url: str
    form: MapForm
    place_form: PlaceForm
    #: Places that fit the words: (name, what and where, address).
    choices: tuple[tuple[str, str, str], ...]
    note: str
    chosen: Chosen | None
    ways: tuple[Way, ...]
    is_filtered: bool
    total: int
    list_url: str


@page("/beteiligungen/{slug}/karte", name="hearing_map", may=Permission.READ_PUBLIC, shared=True)
def hearing_map(visit: Visit) -> Response:
    """The map of a consultation: look around, read, choose a place and say something about it.

    Understands `platz` (id of a place), `ort` ("lon,lat"), `beitrag` (a reference to show), `mitte` and `zoom` (the
    view), `suche` (words for a place), and the filters of the list.
    """
    procedure = open_procedure(visit)
    asked = visit.request.query_params
    form = visit.form(MapForm)
    wanted = filled(form, visit, procedure)
    filters = asked_for(wanted)
    is_plan = asked.get("ansicht") == "plan"
    own: dict[str, object] = {"slug": procedure.slug, **filters, "ansicht": "plan" if is_plan else ""}
    view = _view(visit, procedure)
    if "ort.x" in asked:
        return _clicked(visit, own, view)
    ways = _ways(visit, procedure)
    place_form = visit.form(PlaceForm)
    found, note = _places_found(visit, place_form)
    chosen, where, problem = _chosen(visit, procedure, ways)
    focus = _focus(visit, procedure)
    if where is not None:
        view = where
    elif focus is not None and focus.lon is not None and focus.lat is not None and "mitte" not in asked:
        view = View(focus.lon, focus.lat, 17, *PLAN_SIZE)
    ground = base_map(visit, procedure)
    everything = published.how_many(
        visit.session, procedure.id or 0, Wanted(**{**vars(wanted), "has_place": True})
    )
    list_url = visit.url("contributions_list", slug=procedure.slug, **filters)
    plan = canvas = None
    if is_plan:
        plan = _plan(visit, procedure, own, wanted, view, ground, chosen, bool(ways))
    else:
        data = _data(visit, procedure, filters, ways, chosen, focus)
        if chosen or focus or "mitte" in asked:
            data["view"] = f"{view.lon:.6f},{view.lat:.6f},{round(view.zoom)}"
        canvas = _canvas(visit, ground, procedure, data)
    return visit.render(
        "maps/hearing.html",
        MapPage(
            title=localised(procedure, visit.language, "title"),
            slug=procedure.slug,
            styles=_styles(visit, with_canvas=canvas is not None),
            canvas=canvas,
            plan=plan,
            plan_url=visit.url("hearing_map", **{**dict(asked), **own, "ansicht": "plan"}),
            form=form,
            place_form=place_form,
            choices=tuple(
                (
                    place.name,
                    _kind_and_district(visit, place),
                    visit.url("hearing_map", **own, platz=place.id),
                )
                for place in found
            ),
            note=note or problem,
            chosen=chosen,
            ways=ways,
            is_filtered=any(filters.values()),
            total=everything,
            list_url=list_url,
        ),
    )


def _data(
    visit: Visit,
    procedure: Procedure,
    filters: Mapping[str, str],
    ways: Sequence[Way],
    chosen: Chosen | None,
    focus: Entry | None,
) -> dict[str, str]:
    """What the script needs to know, as `data-*` attributes."""
    slug = procedure.slug
    data = {
        "feed": visit.url("hearing_map_feed", slug=slug, **filters),
        "list": visit.url("contributions_list", slug=slug, **filters, sortierung="nearest", umkreis=250),
        "ways": json.dumps([[way.text, way.url] for way in ways], ensure_ascii=False),
        "words": _words(visit),
        "draw": visit.static("js/map-draw.js"),
    }
    if procedure.plan_area:
        data["plan-area"] = visit.url("plan_area", slug=slug, v=procedure.version)
    if focus:
        data["focus"] = json.dumps(_feed_entry(visit, procedure, focus), ensure_ascii=False)
    if chosen:
        data["chosen"] = f"{chosen.lon:.7f},{chosen.lat:.7f}"
    return data


def _view(visit: Visit, procedure: Procedure) -> View:
    """The part of the world that the plan shows: as asked for, or around the plan area."""
    asked = visit.request.query_params
    middle = read_position(asked.get("mitte", ""))
    if middle is None:
        return View.around(_bounds(visit, procedure), *PLAN_SIZE)
    try:
        zoom = float(asked.get("zoom", ""))
    except ValueError:
        zoom = 16.0
    zoom = zoom if math.isfinite(zoom) else 16.0
    return View(*middle, min(max(zoom, 8.0), 19.0), *PLAN_SIZE)


def _clicked(visit: Visit, own: Mapping[str, object], view: View) -> Response:
    """A click on the picture (`<input type="image">`) as a place; by keyboard it comes without one."""
    asked = visit.request.query_params
    here = {**own, "mitte": _spelled(view), "zoom": f"{view.zoom:g}"}
    try:
        x, y = int(asked["ort.x"]), int(asked["ort.y"])
    except (KeyError, ValueError):
        return visit.redirect("hearing_map", **here, waehlen=1)
    if not (0 <= x <= view.width and 0 <= y <= view.height) or (x, y) == (0, 0):
        return visit.redirect("hearing_map", **here, waehlen=1, leer=1)
    lon, lat = view.place(x, y)
    return visit.redirect("hearing_map", **here, ort=f"{lon:.6f},{lat:.6f}")


def _spelled(view: View) -> str:
    return f"{view.lon:.6f},{view.lat:.6f}"


def _places_found(visit: Visit, form: PlaceForm) -> tuple[list[Place], str]:
    words = (form.suche.data or "").strip()
    if not words:
        return [], ""
    found = places.find(visit.session, visit.municipality_id, words, limit=PLACES_SHOWN)
    if not found:
        return [], visit.gettext("We know no place called “%(words)s”.", words=words)
    return found, ""


PLACE_KINDS: Mapping[str, str] = {
    PlaceKind.DISTRICT.value: N_("District"),
    PlaceKind.STREET.value: N_("Street"),
    PlaceKind.PARCEL.value: N_("Parcel"),
    PlaceKind.ADDRESS.value: N_("Address"),
    PlaceKind.LANDMARK.value: N_("Place"),
}


def _kind_and_district(visit: Visit, place: Place) -> str:
    kind = visit.gettext(PLACE_KINDS[place.kind])
    return f"{kind}, {place.district}" if place.district else kind


_HERE: Mapping[str, str] = {
    Opens.STATEMENT.value: N_("Write a statement about this place"),
    Opens.PROPOSAL.value: N_("Propose an idea for this place"),
    Opens.COMMENT.value: N_("Comment on this place"),
}


def _ways(visit: Visit, procedure: Procedure) -> tuple[Way, ...]:
    """What can be handed in now, with addresses that a place is added to."""
    if "statement" not in PAGES:
        return ()
    phases = procedures.phases_of(visit.session, procedure.id or 0)
    deadline = overview.deadline(procedure, phases, visit.now)
    if procedure.state != procedures.ProcedureState.PUBLISHED.value:
        return ()
    late = deadline is not None and deadline.state == "late"
    kinds = [
        kind
        for kind in Kind
        if overview.is_open(phases, Opens(kind.value), visit.now) or (late and kind is Kind.STATEMENT)
    ]
    return tuple(
        Way(
            visit.gettext(_HERE[kind.value]),
            visit.url("statement", slug=procedure.slug, kind=kind.value),
        )
        for kind in kinds
    )


def _chosen(
    visit: Visit, procedure: Procedure, ways: Sequence[Way]
) -> tuple[Chosen | None, View | None, str]:
    """The place in the address, the view that shows it, and what is wrong with it."""
    asked = visit.request.query_params
    number = asked.get("platz", "")
    if number.isdecimal() and len(number) < 10:
        place = places.by_id(visit.session, visit.municipality_id, int(number))
        if place is None:
            return None, None, visit.gettext("This place is no longer on our list. Please choose it again.")
        box = _in_degrees((place.min_x, place.min_y, place.max_x, place.max_y))
        view = View.around(box, *PLAN_SIZE, max_zoom=17)
        with_place = tuple(Way(way.text, f"{way.url}&place_id={place.id}") for way in ways)
        return Chosen(place.name, place.lon, place.lat, with_place), view, ""
    if not asked.get("ort"):
        return None, None, ""
    position = read_position(asked["ort"])
    try:
        located = nearby.position(*position) if position else None
    except ValueError:
        located = None
    if located is None:
        return None, None, visit.gettext("This place lies outside Germany.")
    spot = whereabouts.of(visit.session, visit.municipality_id, [(located.lon, located.lat)])[0]
    name = where_in_words(visit, spot) or visit.gettext("the chosen point")
    with_point = tuple(
        Way(way.text, f"{way.url}&lon={located.lon:.6f}&lat={located.lat:.6f}") for way in ways
    )
    view = _view(visit, procedure) if "mitte" in asked else View(located.lon, located.lat, 17, *PLAN_SIZE)
    return Chosen(name, located.lon, located.lat, with_point), view, ""


def _focus(visit: Visit, procedure: Procedure) -> Entry | None:
    """The contribution that the list asked to show."""
    reference = visit.request.query_params.get("beitrag", "")
    found = published.one(visit.session, procedure.id or 0, reference) if reference else None
    return found if isinstance(found, Entry) else None


# --- the plan without JavaScript -------------------------------------------------------------------


def _plan(
    visit: Visit,
    procedure: Procedure,
    own: Mapping[str, object],
    wanted: Wanted,
    view: View,
    ground: BaseMap,
    chosen: Chosen | None,
    can_choose: bool,
) -> Plan:
    asked = visit.request.query_params
    shown = published.in_view(
        visit.session, procedure.id or 0, wanted, view.bounds, round(view.zoom), single=PLAN_PINS
    )
    here = {**own, "platz": asked.get("platz", ""), "ort": asked.get("ort", "")}

    def at(other: View, **more: object) -> str:
        return (
            visit.url("hearing_map", **{**here, "mitte": _spelled(other), "zoom": f"{other.zoom:g}", **more})
            + "#plan"
        )

    pins, listed = _pins(visit, procedure, view, shown, at)
    if chosen is not None:
        pins.append(Pin(chosen.lon, chosen.lat, "#chosen", chosen.name, "★"))
    chooses = "waehlen" in asked and can_choose
    svg = (
        ""
        if chooses
        else tiles.static_plan_svg(
            _sources_at(ground, view.zoom),
            view,
            title=visit.gettext("Plan with contributions"),
            areas=[procedure.plan_area] if procedure.plan_area else [],
            pins=pins,
            identifier="plan-picture",
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
    middle, zoom = _spelled(view), f"{view.zoom:g}"
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
        picture_url=visit.url("plan_view", slug=procedure.slug, mitte=middle, zoom=zoom, look=look),
        middle=middle,
        zoom=zoom,
        size=PLAN_SIZE,
    )


def _pins(
    visit: Visit, procedure: Procedure, view: View, shown: InView, at: Callable[..., str]
) -> tuple[list[Pin], list[PlanPin]]:
    """Single contributions numbered from 1, clusters with how many they are; the list below says the same."""
    pins: list[Pin] = []
    listed: list[PlanPin] = []
    for number, entry in enumerate(shown.entries, start=1):
        if entry.lon is None or entry.lat is None:
            continue
        url = visit.url("published_contribution", slug=procedure.slug, reference=entry.reference)
        pins.append(Pin(entry.lon, entry.lat, url, f"{number}: {entry.heading}", str(number)))
        listed.append(PlanPin(str(number), entry.heading, url, visit.gettext(KINDS[entry.kind])))
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
    view = _view(visit, procedure)
    svg = tiles.static_plan_svg(
        _sources_at(base_map(visit, procedure), view.zoom),
        view,
        title=localised(procedure, visit.language, "title"),
        areas=[procedure.plan_area] if procedure.plan_area else [],
        theme=look,
    )
    headers = {"Cache-Control": "no-cache"}
    return _compressed(visit, gzip.compress(svg.encode(), 6, mtime=0), "image/svg+xml", headers)


# --- feeds -----------------------------------------------------------------------------------------


@page("/beteiligungen/{slug}/karte.json", name="hearing_map_feed", may=Permission.READ_PUBLIC)
def hearing_map_feed(visit: Visit) -> Response:
    """What lies in a view (`bbox=west,south,east,north` in degrees, `zoom`): single contributions or clusters.

    The ETag is the journal's revision with what was asked, so a browser that has it is told so before anything is
    looked up. Answers 400 with `{"error": {"field", "message"}}` for what is no view.
    """
    procedure = open_procedure(visit)
    try:
        bounds, zoom = _asked_view(visit)
    except _Unreadable as problem:
        error = {"error": {"field": problem.field, "message": problem.message}}
        return Response(
            json.dumps(error, ensure_ascii=False), 400, media_type="application/json; charset=utf-8"
        )
    revision = journal.revision(visit.session, visit.municipality_id)
    named = f"{visit.request.url.query} {visit.language} {procedure.id}"
    etag = f'"{revision}-{hashlib.sha256(named.encode()).hexdigest()[:16]}"'
    headers = {"ETag": etag, "Cache-Control": "no-cache", "Vary": "Accept-Encoding"}
    if etag in visit.request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    wanted = filled(visit.form(FilterForm), visit, procedure)
    shown = published.in_view(visit.session, procedure.id or 0, wanted, bounds, zoom)
    body = gzip.compress(_feed(visit, procedure, shown, zoom).encode(), 5, mtime=0)
    return _compressed(visit, body, "application/json; charset=utf-8", headers)


class _Unreadable(Exception):
    """A parameter of the feed that cannot be read."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(field, message)
        self.field = field
        self.message = message


def _asked_view(visit: Visit) -> tuple[Bounds, int]:
    asked = visit.request.query_params
    try:
        west, south, east, north = (float(part) for part in asked.get("bbox", "").split(","))
    except ValueError:
        message = visit.gettext("bbox needs four numbers: west,south,east,north in degrees.")
        raise _Unreadable("bbox", message) from None
    if not (-180 <= west < east <= 180 and -90 <= south < north <= 90):
        message = visit.gettext("bbox has to go from west to east and from south to north, in degrees.")
        raise _Unreadable("bbox", message)
    zoom = asked.get("zoom", "")
    if not zoom.isdecimal() or len(zoom) > 2 or int(zoom) > 22:
        raise _Unreadable("zoom", visit.gettext("zoom has to be a whole number from 0 to 22."))
    return (west, south, east, north), int(zoom)


def _feed(visit: Visit, procedure: Procedure, shown: InView, zoom: int) -> str:
    resolution = 156_543 / 2**zoom * 0.66  # metres of a pixel in the middle of Germany
    shapes = published.outlines(shown.entries, tolerance=resolution, vertices=VERTICES)
    entries = [
        _feed_entry(visit, procedure, entry)
        | ({"shape": json.loads(shapes[entry.id])} if entry.id in shapes else {})
        for entry in shown.entries
    ]
    clusters = [[round(each.lon, 5), round(each.lat, 5), each.count] for each in shown.clusters]
    feed = {"total": shown.total, "exact": shown.is_exact, "entries": entries, "clusters": clusters}
    return json.dumps(feed, ensure_ascii=False, separators=(",", ":"))


def _feed_entry(visit: Visit, procedure: Procedure, entry: Entry) -> dict[str, object]:
    return {
        "ref": entry.reference,
        "url": visit.url("published_contribution", slug=procedure.slug, reference=entry.reference),
        "kind": visit.gettext(KINDS[entry.kind]),
        "title": entry.heading,
        "text": published.shortened(entry.text, EXCERPT) if entry.title else "",
        "lon": round(entry.lon or 0.0, 6),
        "lat": round(entry.lat or 0.0, 6),
    }


@page("/beteiligungen/{slug}/gebiet.json", name="plan_area", may=Permission.READ_PUBLIC, shared=True)
def plan_area(visit: Visit) -> Response:
    """The plan area as a GeoJSON feature (RFC 7946)."""
    procedure = open_procedure(visit)
    if procedure.plan_area is None:
        visit.not_found()
    shape = published.geojson(procedure.plan_area)
    title = json.dumps({"title": localised(procedure, visit.language, "title")}, ensure_ascii=False)
    body = f'{{"type":"Feature","properties":{title},"geometry":{shape}}}'
    return Response(body, media_type="application/geo+json")


# --- the town's map --------------------------------------------------------------------------------


@dataclass(frozen=True)
class TownMapPage:
    """The map of all consultations, and the same as a list."""

    styles: tuple[str, ...]
    canvas: Canvas | None
    plan_svg: Markup
    #: The same as a plan, for who has no JavaScript.
    plan_url: str
    attribution: str
    cards: tuple[tuple[int, overview.Card], ...]
    #: Those without a place.
    elsewhere: tuple[overview.Card, ...]


@page("/karte", name="map", may=Permission.READ_PUBLIC, shared=True)
def town_map(visit: Visit) -> Response:
    """All consultations on one map."""
    located, elsewhere = _consultations(visit)
    ground = base_map(visit)
    is_plan = visit.request.query_params.get("ansicht") == "plan"
    data = {"plans": visit.url("map_feed"), "words": _words(visit)}
    return visit.render(
        "maps/town.html",
        TownMapPage(
            styles=_styles(visit, with_canvas=not is_plan),
            canvas=None if is_plan else _canvas(visit, ground, None, data),
            plan_svg=_town_plan(visit, ground, located) if is_plan else Markup(),
            plan_url=visit.url("map", ansicht="plan"),
            attribution=ground.attribution,
            cards=tuple(enumerate((card for _each, card in located), start=1)),
            elsewhere=tuple(elsewhere),
        ),
    )


def _town_plan(visit: Visit, ground: BaseMap, located: Sequence[tuple[Procedure, overview.Card]]) -> Markup:
    view = View.around(_town_bounds(visit), *PLAN_SIZE)
    svg = tiles.static_plan_svg(
        _sources_at(ground, view.zoom),
        view,
        title=visit.gettext("Plan of the town with all consultations"),
        areas=[each.plan_area for each, _card in located if each.plan_area],
        pins=[
            Pin(
                each.lon or 0.0,
                each.lat or 0.0,
                visit.url("hearing", slug=card.slug),
                f"{number}: {card.title} ({card.state_text})",
                str(number),
            )
            for number, (each, card) in enumerate(located, start=1)
        ],
    )
    return Markup(svg)


def _consultations(visit: Visit) -> tuple[list[tuple[Procedure, overview.Card]], list[overview.Card]]:
    """The public consultations in the order in which people need them: those with a place, and the others."""
    found = procedures.public(visit.session, visit.municipality_id)
    by_slug = {each.slug: each for each in found}
    cards = hearing_cards(visit, found)
    located = [(by_slug[card.slug], card) for card in cards if card.lon is not None]
    return located, [card for card in cards if card.lon is None]


@page("/karte.json", name="map_feed", may=Permission.READ_PUBLIC, shared=True)
def map_feed(visit: Visit) -> Response:
    """The plan areas of all public consultations as GeoJSON, numbered as the page lists them."""
    located, _elsewhere = _consultations(visit)
    features = [
        {
            "type": "Feature",
            "properties": {
                "number": number,
                "title": card.title,
                "state": card.state_text,
                "standing": card.standing,
                "url": visit.url("hearing", slug=card.slug),
                "lon": each.lon,
                "lat": each.lat,
            },
            "geometry": json.loads(published.geojson(each.plan_area, tolerance=3.0))
            if each.plan_area
            else None,
        }
        for number, (each, card) in enumerate(located, start=1)
    ]
    collection = {"type": "FeatureCollection", "features": features}
    return Response(json.dumps(collection, ensure_ascii=False), media_type="application/geo+json")
