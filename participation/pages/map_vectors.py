"""Vector tiles of one layer, for maps that draw large layers themselves: made from the file on disk, then kept."""

import gzip
from pathlib import Path

from starlette.responses import Response

from consultations.permissions import Permission
from consultations.places import Layer, LayerRole
from geo import vector_tiles
from geo.views import MAX_ZOOM
from participation.pages.map_ground import FOR_EVER, compressed, kept_within, local_copy, may_see
from participation.web import Visit, page

#: Below these zooms a layer of its kind would be a blot; nothing is sent.
FROM_ZOOM = {LayerRole.BUILDINGS.value: 14, LayerRole.PARCELS.value: 15}

#: Attributes that go with a feature; files can have hundreds.
MAX_COLUMNS = 30


@kept_within(24_000_000)
def _tile(path: Path, columns: tuple[str, ...], z: int, x: int, y: int) -> bytes:
    """A tile, compressed; those that were asked for last stay in memory, whatever layer they are of."""
    body = vector_tiles.vector_tile(path, z, x, y, name="layer", columns=columns)
    return gzip.compress(body, 6, mtime=0)


@page(
    "/kacheln/ebene/{layer:int}/{z:int}/{x:int}/{y:int}.mvt", name="vector_tile", may=Permission.READ_PUBLIC
)
def vector_tile(visit: Visit) -> Response:
    """A vector tile (Mapbox Vector Tile 2.1) of a layer in force; its layer is called "layer"."""
    asked = visit.request.path_params
    z, x, y = asked["z"], asked["x"], asked["y"]
    row = visit.session.get(Layer, asked["layer"])
    if (
        row is None
        or row.municipality_id != visit.municipality_id
        or row.replaced_at is not None
        or z > MAX_ZOOM
        or not (0 <= x < 1 << z and 0 <= y < 1 << z)
        or not may_see(visit, row)
    ):
        visit.not_found()
    digest = row.normalised_sha256[:16]
    headers = {
        # With the hash in the address the tile is for ever; without it, it has to be asked again.
        "Cache-Control": FOR_EVER if visit.request.query_params.get("v") == digest else "no-cache",
        "ETag": f'"{digest}-{z}-{x}-{y}"',
        "Vary": "Accept-Encoding",
    }
    if headers["ETag"] in visit.request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    # A map service has no file, and the table of a city model is not what this draws: empty tiles, no errors.
    drawn = row.normalised_sha256 and row.role not in (LayerRole.CITY_MODEL.value, LayerRole.TERRAIN.value)
    path = local_copy(visit, row) if drawn and z >= FROM_ZOOM.get(row.role, 0) else None
    columns = tuple(str(name) for name in row.report.get("columns", ()))[:MAX_COLUMNS]
    body = _tile(path, columns, z, x, y) if path else gzip.compress(b"", mtime=0)
    return compressed(visit, body, "application/vnd.mapbox-vector-tile", headers)
