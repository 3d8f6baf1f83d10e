"""The base map under every map: the town's own layers, the tiles drawn from them, and what part a map shows at first."""

import gzip
import hashlib
import logging
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

from starlette.responses import Response

from consultations import places, procedures
from consultations.files import MissingFile
from consultations.permissions import Permission
from consultations.places import Layer, LayerRole, PlaceKind
from consultations.procedures import Procedure
from geo import tiles
from geo.drawn_layers import MapSource
from geo.geometry import GERMANY, degrees_of
from geo.strokes import other_look
from geo.views import MAX_ZOOM
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
        LayerRole.OTHER.value,
    }
)

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class BaseMap:
    """What a map is drawn from, the hash that names its tiles, and who made the data; `plan` is the slug of the
    consultation whose own layers lie on the town's."""

    sources: tuple[MapSource, ...]
    digest: str
    attribution: str
    plan: str = ""


def base_map(visit: Visit, procedure: Procedure | None = None) -> BaseMap:
    """The town's own layers in force, and on them those of a consultation, such as what its plan lays down.

    None of them for a town that has none yet, which gets a plain ground.
    """
    drawn = drawn_layers(visit, procedure)
    layers = [layer for _role, layer in drawn]
    sources = tuple(
        MapSource(role, path, layer.normalised_sha256, str(layer.style.get("name_column") or "name"))
        for role, layer in drawn
        if (path := local_copy(visit, layer)) is not None
    )
    named = repr([(source.role, source.digest, source.name_column) for source in sources])
    digest = hashlib.sha256(tiles.drawing_digest() + named.encode()).hexdigest()[:16]
    attributions = dict.fromkeys(layer.attribution for layer in layers if layer.attribution.strip())
    plan = procedure.slug if procedure and any(layer.procedure_id for layer in layers) else ""
    return BaseMap(sources, digest, ", ".join(attributions) or visit.municipality.name, plan)


def drawn_layers(visit: Visit, procedure: Procedure | None) -> list[tuple[str, Layer]]:
    """The layers of a map in their order, each with the role that it is drawn in: layers beside base map and plan are
    told apart as other0, other1 …"""
    in_force = places.layers_of(visit.session, visit.municipality_id)
    own = places.layers_of(visit.session, visit.municipality_id, procedure.id) if procedure else []
    found: list[tuple[str, Layer]] = []
    others = 0
    for layer in (*in_force, *own):
        if layer.role in _DRAWN and layer.normalised_sha256 and layer.is_visible:
            is_other = layer.role == LayerRole.OTHER.value
            found.append((other_look(others)[0] if is_other else layer.role, layer))
            others += is_other
    return found


def plan_asked(visit: Visit) -> Procedure | None:
    """The consultation that a tile or a script is for (`plan`, its slug), if the visitor may see it."""
    slug = visit.request.query_params.get("plan", "")
    procedure = procedures.by_slug(visit.session, visit.municipality_id, slug) if slug else None
    if procedure is None or procedure.state in procedures.PUBLIC_STATES:
        return procedure
    return procedure if visit.may(Permission.READ_DRAFTS, procedure) else None


def local_copy(visit: Visit, layer: Layer) -> Path | None:
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


def sources_at(ground: BaseMap, zoom: float) -> tuple[MapSource, ...]:
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
    if look not in ("light", "dark") or z > MAX_ZOOM or not (0 <= x < 1 << z and 0 <= y < 1 << z):
        visit.not_found()
    ground = base_map(visit, plan_asked(visit))
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
