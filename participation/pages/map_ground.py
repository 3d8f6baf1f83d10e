"""The base map under every map: the town's own layers, the tiles drawn from them, and what part a map shows at first."""

import gzip
import hashlib
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from threading import Lock
from typing import Literal, ParamSpec

from starlette.responses import Response

from consultations import nesting, places, procedures
from consultations.permissions import Permission
from consultations.places import Layer, LayerRole, PlaceKind
from consultations.procedures import Procedure
from geo import tiles
from geo.drawn_layers import MapSource
from geo.geometry import GERMANY, degrees_of
from geo.styles import TREE, LayerStyle, read_style
from geo.views import MAX_ZOOM
from participation import layer_files
from participation.web import Visit, page

Bounds = tuple[float, float, float, float]
"""West, south, east, north in degrees."""

FOR_EVER = "public, max-age=31536000, immutable"
BUILDINGS_FROM = 15
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
        LayerRole.TREES.value,
        LayerRole.OTHER.value,
    }
)
#: Layers that a visitor can switch on and off; the others are the base map.
_SWITCHED = frozenset(
    {LayerRole.PARCELS.value, LayerRole.PLAN.value, LayerRole.TREES.value, LayerRole.OTHER.value}
)
#: So many layers can be asked for in an address.
MOST_ASKED = 100

Choice = frozenset[int]
"""The layers that are switched on, by their ids; those that are no switch are always there."""
NOTHING: Choice = frozenset()


@dataclass(frozen=True)
class BaseMap:
    """What a map is drawn from, the hash that names its tiles, and who made the data; `plan` is the slug of the
    consultation whose layers, and those of its parts, lie on the town's, and `shown` says which layers are switched on, as an address spells
    it (empty: those that are at first)."""

    sources: tuple[MapSource, ...]
    digest: str
    attribution: str
    plan: str = ""
    shown: str = ""


def base_map(visit: Visit, procedure: Procedure | None = None, chosen: Choice | None = None) -> BaseMap:
    """The town's own layers in force, and on them those of a consultation, such as what its plan lays down; of those that
    can be switched the `chosen` ones, or those that are on at first.

    None of them for a town that has none yet, which gets a plain ground.
    """
    layers = [layer for layer in layers_on(visit, procedure) if is_on(layer, chosen)]
    sources = tuple(source for layer in layers if (source := source_of(visit, layer)) is not None)
    named = repr([(source.role, source.digest, source.name_column, source.style) for source in sources])
    digest = hashlib.sha256(tiles.drawing_digest() + named.encode()).hexdigest()[:16]
    attributions = dict.fromkeys(layer.attribution for layer in layers if layer.attribution.strip())
    plan = procedure.slug if procedure and any(layer.procedure_id for layer in layers) else ""
    return BaseMap(
        sources, digest, ", ".join(attributions) or visit.municipality.name, plan, spelled_choice(chosen)
    )


@dataclass(frozen=True)
class Laid:
    """A layer of a map, and the part of the consultation that it belongs to; None: the town, or the consultation itself."""

    layer: Layer
    part: Procedure | None = None

    def title(self, visit: Visit) -> str:
        """What the layer is called on this map."""
        if self.part is None:
            return self.layer.title
        part = procedures.localised(self.part, visit.language, "title")
        return visit.gettext("%(layer)s (%(part)s)", layer=self.layer.title, part=part)


def laid_on(visit: Visit, procedure: Procedure | None) -> list[Laid]:
    """All layers of a map in their order, whether on or off: the town's, then those of the consultation and, of an area,
    of the public parts that belong to it. Three queries at most."""
    found = [Laid(layer) for layer in places.layers_of(visit.session, visit.municipality_id)]
    if procedure is not None:
        shown = nesting.shown(nesting.parts(visit.session, procedure.id or 0))
        parts = {part.procedure.id or 0: part.procedure for part in shown}
        keys = [procedure.id or 0, *parts]
        rows = places.layers_of_several(visit.session, visit.municipality_id, keys)
        found += [Laid(layer, parts.get(layer.procedure_id or 0)) for layer in rows]
    return [
        each
        for each in found
        if each.layer.role in _DRAWN and (each.layer.normalised_sha256 or each.layer.service)
    ]


def layers_on(visit: Visit, procedure: Procedure | None) -> list[Layer]:
    """The layers of `laid_on`, for what asks for nothing else."""
    return [each.layer for each in laid_on(visit, procedure)]


def is_switch(layer: Layer) -> bool:
    """Whether a visitor can switch the layer on and off."""
    return layer.role in _SWITCHED or bool(layer.service)


def is_on(layer: Layer, chosen: Choice | None) -> bool:
    """Whether a map shows the layer: as chosen, or as it is at first."""
    return layer.is_visible if chosen is None or not is_switch(layer) else layer.id in chosen


def choice_asked(visit: Visit) -> Choice | None:
    """The layers that an address asks for (`ebenen`, their ids with hyphens, or several times); None: as at first."""
    words = "-".join(visit.request.query_params.getlist("ebenen"))
    if not words:
        return None
    return frozenset(
        int(word) for word in words.split("-")[:MOST_ASKED] if word.isdecimal() and len(word) < 10
    )


def spelled_choice(chosen: Choice | None) -> str:
    """The layers that are on, as an address asks for them."""
    return "" if chosen is None else "-".join(map(str, [0, *sorted(chosen - {0})]))


def style_of(layer: Layer) -> LayerStyle:
    """How the layer is drawn if it is neither base map nor plan. Trees look like trees until somebody wants otherwise."""
    if layer.role == LayerRole.TREES.value and not layer.style.get("colour"):
        return LayerStyle(TREE)
    return read_style(layer.style, layer.position)


def source_of(visit: Visit, layer: Layer) -> MapSource | None:
    """A layer as it is drawn; None for a service, and for one whose file is lost."""
    path = local_copy(visit, layer)
    if path is None:
        return None
    styled = layer.role in (LayerRole.OTHER.value, LayerRole.TREES.value) or bool(layer.style.get("colour"))
    return MapSource(
        "other" if styled else layer.role,
        path,
        layer.normalised_sha256,
        str(layer.style.get("name_column") or "name"),
        style_of(layer) if styled else None,
    )


def plan_asked(visit: Visit) -> Procedure | None:
    """The consultation that a tile or a script is for (`plan`, its slug), if the visitor may see it."""
    slug = visit.request.query_params.get("plan", "")
    procedure = procedures.by_slug(visit.session, visit.municipality_id, slug) if slug else None
    if procedure is None or procedure.state in procedures.PUBLIC_STATES:
        return procedure
    return procedure if visit.may(Permission.READ_DRAFTS, procedure) else None


def local_copy(visit: Visit, layer: Layer) -> Path | None:
    """The layer's file in the cache folder; None if it has none, or the store has lost it."""
    return layer_files.local_copy(visit.house, layer)


def sources_at(ground: BaseMap, zoom: float) -> tuple[MapSource, ...]:
    """What is drawn at a zoom: single buildings are specks further out, and would be most of what is sent."""
    return tuple(
        source
        for source in ground.sources
        if zoom >= BUILDINGS_FROM or source.role != LayerRole.BUILDINGS.value
    )


P = ParamSpec("P")


def kept_within(octets: int) -> Callable[[Callable[P, bytes]], Callable[P, bytes]]:
    """What a function made stays in memory, what was asked for last the longest, so many octets in all; threads may share it.

    A tile of a dense town weighs a hundred times as much as one of a field, so that to count them says little.
    """

    def decorate(make: Callable[P, bytes]) -> Callable[P, bytes]:
        kept: OrderedDict[tuple[object, ...], bytes] = OrderedDict()
        lock = Lock()
        size = 0

        @wraps(make)
        def found(*asked: P.args, **named: P.kwargs) -> bytes:
            nonlocal size
            key = (*asked, *named.items())
            with lock:
                body = kept.get(key)
                if body is not None:
                    kept.move_to_end(key)
                    return body
            body = make(*asked, **named)
            with lock:
                if key not in kept:
                    kept[key] = body
                    size += len(body) + _OF_A_KEY
                while size > octets:
                    size -= len(kept.popitem(last=False)[1]) + _OF_A_KEY
            return body

        return found

    return decorate


#: About what the key of a tile takes.
_OF_A_KEY = 300


@kept_within(24_000_000)
def _tile(sources: tuple[MapSource, ...], look: Literal["light", "dark"], z: int, x: int, y: int) -> bytes:
    """A tile, compressed; those that were asked for last stay in memory."""
    return gzip.compress(tiles.svg_tile(sources, z, x, y, look), 6, mtime=0)


@page(
    "/kacheln/auflage/{layer:int}/{digest}/{look}/{z:int}/{x:int}/{y:int}.svg",
    name="layer_tile",
    may=Permission.READ_PUBLIC,
)
def layer_tile(visit: Visit) -> Response:
    """A tile of one layer alone, transparent where it has nothing, to lie over the base map. Its address holds the hash
    of its file and its look, so browsers keep it for ever."""
    asked = visit.request.path_params
    look, z, x, y = asked["look"], asked["z"], asked["x"], asked["y"]
    layer = places.layer_by_id(visit.session, visit.municipality_id, asked["layer"])
    if look not in ("light", "dark") or z > MAX_ZOOM or not (0 <= x < 1 << z and 0 <= y < 1 << z):
        visit.not_found()
    if (
        layer is None
        or layer.replaced_at is not None
        or layer.role not in _DRAWN
        or not may_see(visit, layer)
    ):
        visit.not_found()
    source = source_of(visit, layer)
    if source is None:
        visit.not_found()
    digest = overlay_digest(source)
    headers = {
        "Cache-Control": FOR_EVER if asked["digest"] == digest else "no-cache",
        "ETag": f'"{digest}-{look[0]}-{z}-{x}-{y}"',
        "Vary": "Accept-Encoding",
    }
    if headers["ETag"] in visit.request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    return compressed(visit, _overlay(source, look, z, x, y), "image/svg+xml", headers)


def overlay_digest(source: MapSource) -> str:
    """What names the tiles of a layer that lie over the base map."""
    named = repr((source.role, source.digest, source.name_column, source.style))
    return hashlib.sha256(tiles.drawing_digest() + named.encode()).hexdigest()[:16]


@kept_within(12_000_000)
def _overlay(source: MapSource, look: Literal["light", "dark"], z: int, x: int, y: int) -> bytes:
    return gzip.compress(tiles.svg_tile((source,), z, x, y, look, ground=False), 6, mtime=0)


def may_see(visit: Visit, layer: Layer) -> bool:
    """A town's layers are everybody's; those of a consultation are, once it is published."""
    if layer.procedure_id is None:
        return True
    procedure = procedures.by_id(visit.session, visit.municipality_id, layer.procedure_id)
    if procedure is None:
        return False
    return procedure.state in procedures.PUBLIC_STATES or visit.may(Permission.READ_DRAFTS, procedure)


@page(
    "/kacheln/{layers}/{look}/{z:int}/{x:int}/{y:int}.svg",
    name="map_tile",
    may=Permission.READ_PUBLIC,
    shared=True,
)
def map_tile(visit: Visit) -> Response:
    """A tile of the base map. Its address holds the hash of what it is drawn from, so browsers keep it for ever."""
    asked = visit.request.path_params
    look, z, x, y = asked["look"], asked["z"], asked["x"], asked["y"]
    if look not in ("light", "dark") or z > MAX_ZOOM or not (0 <= x < 1 << z and 0 <= y < 1 << z):
        visit.not_found()
    ground = base_map(visit, plan_asked(visit), choice_asked(visit))
    is_current = asked["layers"] == ground.digest
    headers = {
        "Cache-Control": FOR_EVER if is_current else "no-cache",
        "ETag": f'"{ground.digest}-{look[0]}-{z}-{x}-{y}"',
        "Vary": "Accept-Encoding",
    }
    if headers["ETag"] in visit.request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    return compressed(visit, _tile(sources_at(ground, z), look, z, x, y), "image/svg+xml", headers)


def compressed(visit: Visit, body: bytes, media_type: str, headers: Mapping[str, str]) -> Response:
    """A compressed answer, or what it holds for who cannot read that."""
    headers = {**headers, "Content-Type": media_type, "Vary": "Accept-Encoding"}
    if "gzip" in visit.request.headers.get("accept-encoding", ""):
        return Response(body, headers=headers | {"Content-Encoding": "gzip"})
    return Response(gzip.decompress(body), headers=headers)


def compressed_text(visit: Visit, text: str, media_type: str, headers: Mapping[str, str]) -> Response:
    """A text, compressed for who can read that."""
    return compressed(visit, gzip.compress(text.encode(), 6, mtime=0), media_type, headers)


def town_bounds(visit: Visit) -> Bounds:
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
    return in_degrees(extent)


def in_degrees(box: tuple[float, float, float, float]) -> Bounds:
    corners = [degrees_of(x, y) for x in (box[0], box[2]) for y in (box[1], box[3])]
    lons, lats = [lon for lon, _ in corners], [lat for _, lat in corners]
    return min(lons), min(lats), max(lons), max(lats)


def bounds_of(visit: Visit, procedure: Procedure | None) -> Bounds:
    """What a map shows at first: the plan area with some of its neighbourhood, or the town."""
    if procedure is None or procedure.min_x is None or procedure.max_x is None:
        return town_bounds(visit)
    assert procedure.min_y is not None
    assert procedure.max_y is not None
    margin = max(60.0, 0.15 * max(procedure.max_x - procedure.min_x, procedure.max_y - procedure.min_y))
    west, south, east, north = in_degrees(
        (
            procedure.min_x - margin,
            procedure.min_y - margin,
            procedure.max_x + margin,
            procedure.max_y + margin,
        )
    )
    return round(west, 5), round(south, 5), round(east, 5), round(north, 5)
