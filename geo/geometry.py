"""Where something is: coordinates, cells and the one geometry that a contribution or a plan carries.

Stored geometry is WKB in EPSG:25832 (ETRS89 / UTM zone 32N, metres); browsers and files in GeoJSON speak
EPSG:4326 (longitude, latitude in degrees, in this order). Germany east of 12° lies outside zone 32 proper; it is
stored in zone 32 all the same, so that every distance in one database is in one grid.

A **cell** is the Z-order (Morton) index of the web-mercator tile at zoom 24 that holds a point: 48 bits, about 1.5 m
wide in Germany. All points of a map tile form one contiguous range of cells (`cell_range`), and clusters of a coarser
zoom are a `GROUP BY` of the key's prefix (`prefix`).

Importing this module loads neither numpy, shapely nor pyproj, and placing a *point* never does: `from_lonlat` and
`read_geojson_geometry` of a point use the Krüger series below.
"""

import json
import math
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry

METRES: Final = 25832
"""EPSG code of everything stored."""
DEGREES: Final = 4326
"""EPSG code of everything sent to and received from a browser."""

CELL_ZOOM: Final = 24
GERMANY: Final = (5.8, 47.2, 15.1, 55.1)
"""West, south, east, north in degrees; a rough frame that finds mistakes, not a border."""
MAX_VERTICES: Final = 2_000
"""Vertices that a person may hand in with one geometry."""
MAX_TEXT: Final = 500_000
"""Characters of GeoJSON text that are looked at."""

Kind = Literal["point", "line", "area"]
LonLat = tuple[float, float]
Metres = tuple[float, float]

GEOMETRY_CODES: Final = frozenset(
    {
        "empty",  # nothing was given
        "not_geojson",  # not JSON, or not the structure of a GeoJSON geometry
        "unsupported",  # type=…: a GeoJSON type that cannot be placed (several points, mixed collections)
        "not_finite",  # NaN, infinity
        "swapped",  # latitude and longitude are the wrong way round; lon=, lat= as they were given
        "metres",  # looks like metres of a national grid, not degrees; x=, y=
        "outside",  # lon=, lat= outside Germany
        "too_many_vertices",  # count=, limit=
        "too_short",  # a line without length
        "too_small",  # an area without extent
        "self_crossing",  # an outline that crosses or touches itself; lon=, lat= where
        "invalid_area",  # holes outside the outline, overlapping parts; lon=, lat= where
    }
)


class GeometryProblem(Exception):
    """A geometry that cannot be taken. `code` is one of `GEOMETRY_CODES`, `facts` the values for its sentence."""

    def __init__(self, code: str, **facts: object) -> None:
        if code not in GEOMETRY_CODES:
            raise ValueError(f"unknown geometry problem {code!r}")
        super().__init__(code, facts)
        self.code = code
        self.facts = facts


@dataclass(frozen=True, slots=True)
class Located:
    """One place, ready to be stored.

    `wkb` and the bounding box are EPSG:25832 in metres; `lon`, `lat` are degrees of a point that lies *on* the
    geometry (the point itself, the middle of a line, a point inside an area); `cell` is the cell of that point.
    """

    kind: Kind
    wkb: bytes
    min_x: float
    min_y: float
    max_x: float
    max_y: float
    lon: float
    lat: float
    cell: int


# --- Transverse Mercator (Krüger series, Karney 2011, to the 4th order of n): < 1 µm within Germany ----------------

_A: Final = 6378137.0  # GRS80, the ellipsoid of ETRS89
_F: Final = 1 / 298.257222101
_K0: Final = 0.9996
_E0: Final = 500_000.0
_LON0: Final = math.radians(9.0)
_N: Final = _F / (2 - _F)
_ECC: Final = 2 * math.sqrt(_N) / (1 + _N)
_RADIUS: Final = _A / (1 + _N) * (1 + _N**2 / 4 + _N**4 / 64)
_ALPHA: Final = (
    _N / 2 - 2 / 3 * _N**2 + 5 / 16 * _N**3 + 41 / 180 * _N**4,
    13 / 48 * _N**2 - 3 / 5 * _N**3 + 557 / 1440 * _N**4,
    61 / 240 * _N**3 - 103 / 140 * _N**4,
    49561 / 161280 * _N**4,
)
_BETA: Final = (
    _N / 2 - 2 / 3 * _N**2 + 37 / 96 * _N**3 - 1 / 360 * _N**4,
    1 / 48 * _N**2 + 1 / 15 * _N**3 - 437 / 1440 * _N**4,
    17 / 480 * _N**3 - 37 / 840 * _N**4,
    4397 / 161280 * _N**4,
)
_DELTA: Final = (
    2 * _N - 2 / 3 * _N**2 - 2 * _N**3 + 116 / 45 * _N**4,
    7 / 3 * _N**2 - 8 / 5 * _N**3 - 227 / 45 * _N**4,
    56 / 15 * _N**3 - 136 / 35 * _N**4,
    4279 / 630 * _N**4,
)


def metres_of(lon: float, lat: float) -> Metres:
    """Easting and northing (EPSG:25832, metres) of a point in degrees (EPSG:4326)."""
    phi, lam = math.radians(lat), math.radians(lon) - _LON0
    sin_phi = math.sin(phi)
    t = math.sinh(math.atanh(sin_phi) - _ECC * math.atanh(_ECC * sin_phi))
    xi0 = math.atan2(t, math.cos(lam))
    eta0 = math.atanh(math.sin(lam) / math.hypot(1.0, t))
    xi, eta = xi0, eta0
    for order, alpha in enumerate(_ALPHA, start=1):
        xi += alpha * math.sin(2 * order * xi0) * math.cosh(2 * order * eta0)
        eta += alpha * math.cos(2 * order * xi0) * math.sinh(2 * order * eta0)
    return _E0 + _K0 * _RADIUS * eta, _K0 * _RADIUS * xi


def degrees_of(x: float, y: float) -> LonLat:
    """Longitude and latitude (EPSG:4326, degrees) of a point in metres (EPSG:25832)."""
    xi, eta = y / (_K0 * _RADIUS), (x - _E0) / (_K0 * _RADIUS)
    xi0, eta0 = xi, eta
    for order, beta in enumerate(_BETA, start=1):
        xi0 -= beta * math.sin(2 * order * xi) * math.cosh(2 * order * eta)
        eta0 -= beta * math.cos(2 * order * xi) * math.sinh(2 * order * eta)
    chi = math.asin(math.sin(xi0) / math.cosh(eta0))
    phi = chi + sum(delta * math.sin(2 * order * chi) for order, delta in enumerate(_DELTA, start=1))
    return math.degrees(_LON0 + math.atan2(math.sinh(eta0), math.cos(xi0))), math.degrees(phi)


def grid_scale(x: float) -> float:
    """How much longer a line is in the grid than on the ground, at easting `x` (metres): 0.9996 … 1.0007."""
    offset = (x - _E0) / _K0
    return _K0 * (1 + offset**2 / (2 * 6_382_000.0**2))  # mean radius of curvature at 51° north


def to_metres(geometry: "BaseGeometry") -> "BaseGeometry":
    """A shapely geometry in degrees (EPSG:4326, lon before lat) as one in metres (EPSG:25832)."""
    return _transformed(geometry, DEGREES, METRES)


def to_degrees(geometry: "BaseGeometry") -> "BaseGeometry":
    """A shapely geometry in metres (EPSG:25832) as one in degrees (EPSG:4326, lon before lat)."""
    return _transformed(geometry, METRES, DEGREES)


def _transformed(geometry: "BaseGeometry", source: int, target: int) -> "BaseGeometry":
    import shapely
    from pyproj import Transformer

    transformer = Transformer.from_crs(source, target, always_xy=True)
    return shapely.transform(geometry, transformer.transform, interleaved=False)


# --- cells and tiles -----------------------------------------------------------------------------------------------


def tile_of(lon: float, lat: float, zoom: int) -> tuple[int, int]:
    """Column and row of the web-mercator tile (XYZ scheme, row 0 in the north) that holds a point in degrees.

    Points beyond the poles of the projection or the date line fall into the outermost tile.
    """
    size = 1 << zoom
    sine = math.sin(math.radians(lat))
    if abs(sine) == 1.0:
        return min(max(math.floor((lon + 180) / 360 * size), 0), size - 1), 0 if sine > 0 else size - 1
    x = (lon + 180) / 360 * size
    y = (0.5 - math.atanh(sine) / (2 * math.pi)) * size
    return min(max(math.floor(x), 0), size - 1), min(max(math.floor(y), 0), size - 1)


def tile_bounds(zoom: int, x: int, y: int) -> tuple[float, float, float, float]:
    """West, south, east, north of a tile in degrees."""
    size = 1 << zoom
    return _longitude(x, size), _latitude(y + 1, size), _longitude(x + 1, size), _latitude(y, size)


def _longitude(x: float, size: int) -> float:
    return x / size * 360 - 180


def _latitude(y: float, size: int) -> float:
    return math.degrees(math.atan(math.sinh(math.pi * (1 - 2 * y / size))))


def cell(lon: float, lat: float) -> int:
    """The cell of a point in degrees: 0 ≤ cell < 2**48, so it fits a signed 64-bit column."""
    return _interleave(*tile_of(lon, lat, CELL_ZOOM))


def cell_range(zoom: int, x: int, y: int) -> tuple[int, int]:
    """The half-open range `lo <= cell < hi` of all points within a tile.

    Raises ValueError for a tile that does not exist (zoom beyond 24, column or row beyond the edge).
    """
    if not (0 <= zoom <= CELL_ZOOM and 0 <= x < 1 << zoom and 0 <= y < 1 << zoom):
        raise ValueError(f"no tile {zoom}/{x}/{y}")
    shift = 2 * (CELL_ZOOM - zoom)
    key = _interleave(x, y)
    return key << shift, (key + 1) << shift


def prefix(cell: int, zoom: int) -> int:
    """The key of the tile at `zoom` that holds a cell; in SQL `cell >> 2 * (24 - zoom)`."""
    return cell >> 2 * (CELL_ZOOM - zoom)


def tile_of_prefix(key: int) -> tuple[int, int]:
    """Column and row of the tile whose key `prefix` gave."""
    return _even_bits(key), _even_bits(key >> 1)


def cell_centre(cell: int, zoom: int = CELL_ZOOM) -> LonLat:
    """Longitude and latitude of the middle of a cell, or of the tile at `zoom` that holds it."""
    x, y = tile_of_prefix(prefix(cell, zoom))
    size = 1 << zoom
    return _longitude(x + 0.5, size), _latitude(y + 0.5, size)


def covering_ranges(
    west: float, south: float, east: float, north: float, *, limit: int = 12
) -> list[tuple[int, int]]:
    """At most `limit` half-open ranges of cells, ascending, that hold every point within a box in degrees.

    They may hold some points outside it too: ask for `cell` in the ranges *and* compare coordinates.
    """
    left, top = tile_of(west, north, CELL_ZOOM)
    right, bottom = tile_of(east, south, CELL_ZOOM)
    zoom = CELL_ZOOM
    while (right - left + 1) * (bottom - top + 1) > limit:
        left, top, right, bottom = left >> 1, top >> 1, right >> 1, bottom >> 1
        zoom -= 1
    ranges: list[tuple[int, int]] = []
    tiles = (cell_range(zoom, x, y) for x in range(left, right + 1) for y in range(top, bottom + 1))
    for lo, hi in sorted(tiles):
        if ranges and ranges[-1][1] == lo:
            ranges[-1] = (ranges[-1][0], hi)
        else:
            ranges.append((lo, hi))
    return ranges


def _interleave(x: int, y: int) -> int:
    return _spread(x) | _spread(y) << 1


def _spread(value: int) -> int:
    """The 24 bits of `value` moved to the even places of 48."""
    value = (value | value << 16) & 0x0000FFFF0000FFFF
    value = (value | value << 8) & 0x00FF00FF00FF00FF
    value = (value | value << 4) & 0x0F0F0F0F0F0F0F0F
    value = (value | value << 2) & 0x3333333333333333
    return (value | value << 1) & 0x5555555555555555


def _even_bits(value: int) -> int:
    value &= 0x5555555555555555
    value = (value | value >> 1) & 0x3333333333333333
    value = (value | value >> 2) & 0x0F0F0F0F0F0F0F0F
    value = (value | value >> 4) & 0x00FF00FF00FF00FF
    value = (value | value >> 8) & 0x0000FFFF0000FFFF
    return (value | value >> 16) & 0x00000000FFFFFFFF


# --- what people and files hand in ---------------------------------------------------------------------------------


def from_lonlat(lon: float, lat: float) -> Located:
    """A point given in degrees.

    Raises GeometryProblem: not_finite, swapped, metres, outside.
    """
    _check_position(lon, lat)
    x, y = metres_of(lon, lat)
    return Located("point", struct.pack("<BIdd", 1, 1, x, y), x, y, x, y, lon, lat, cell(lon, lat))


def read_geojson_geometry(
    source: str | bytes | dict[str, Any], *, max_vertices: int = MAX_VERTICES
) -> Located:
    """One geometry as a browser, a form field or a table hands it in: GeoJSON (RFC 7946) in degrees.

    Takes a geometry, a Feature, or a collection with exactly one member; Point, LineString, Polygon and their Multi
    forms (several points are not one place and are refused). Rings that are not closed get closed; heights are
    ignored. Raises GeometryProblem with one of `GEOMETRY_CODES`, and nothing else, whatever the input.
    """
    geometry = _unwrapped(_parsed(source))
    name, coordinates = geometry.get("type"), geometry.get("coordinates")
    if not isinstance(coordinates, list | tuple):
        raise GeometryProblem("not_geojson")
    if not coordinates:
        raise GeometryProblem("empty")
    if name in ("MultiPoint", "MultiLineString", "MultiPolygon") and len(coordinates) == 1:
        name, coordinates = name.removeprefix("Multi"), coordinates[0]
    if name == "Point":
        return from_lonlat(*_position(coordinates))
    if name in ("LineString", "MultiLineString"):
        parts = [coordinates] if name == "LineString" else coordinates
        return _read_line(parts, max_vertices)
    if name in ("Polygon", "MultiPolygon"):
        parts = [coordinates] if name == "Polygon" else coordinates
        return _read_area(parts, max_vertices)
    raise GeometryProblem("unsupported", type=str(name)[:40])


def from_metres(geometry: "BaseGeometry") -> Located:
    """A shapely geometry in EPSG:25832 (from a layer, say) as something to store: all parts count as one place.

    Raises GeometryProblem: empty, unsupported, not_finite, outside, too_short, too_small, self_crossing,
    invalid_area.
    """
    import shapely

    if geometry.is_empty:
        raise GeometryProblem("empty")
    geometry = shapely.force_2d(geometry)
    kinds: dict[str, Kind] = {
        "LineString": "line",
        "LinearRing": "line",
        "MultiLineString": "line",
        "Polygon": "area",
        "MultiPolygon": "area",
    }
    bounds = [float(value) for value in geometry.bounds]
    if not all(map(math.isfinite, bounds)):
        raise GeometryProblem("not_finite")
    if not (abs(bounds[0]) < 1e7 and abs(bounds[2]) < 1e7 and bounds[1] > 0 and bounds[3] < 9.9e6):
        raise GeometryProblem("metres", x=bounds[0], y=bounds[1])
    for x, y in ((bounds[0], bounds[1]), (bounds[2], bounds[3])):
        _check_position(*degrees_of(x, y))
    if geometry.geom_type == "Point":
        return from_lonlat(*degrees_of(bounds[0], bounds[1]))
    if geometry.geom_type not in kinds:
        raise GeometryProblem("unsupported", type=str(geometry.geom_type))
    return _located(kinds[geometry.geom_type], geometry)


def _parsed(source: str | bytes | dict[str, Any]) -> dict[str, Any]:
    if isinstance(source, str | bytes):
        if not source.strip():
            raise GeometryProblem("empty")
        if len(source) > MAX_TEXT:
            raise GeometryProblem("too_many_vertices", count=len(source), limit=MAX_TEXT)
        try:
            value = json.loads(source)
        except (ValueError, RecursionError) as problem:
            raise GeometryProblem("not_geojson") from problem
    else:
        value = source
    if not isinstance(value, dict):
        raise GeometryProblem("not_geojson")
    return value


def _unwrapped(value: dict[str, Any]) -> dict[str, Any]:
    """The geometry within a feature or a collection of one."""
    for _ in range(4):
        inner: Any
        if value.get("type") == "Feature":
            inner = value.get("geometry")
            if inner is None:
                raise GeometryProblem("empty")
        elif value.get("type") in ("FeatureCollection", "GeometryCollection"):
            members = value.get("features" if value["type"] == "FeatureCollection" else "geometries")
            if not isinstance(members, list):
                raise GeometryProblem("not_geojson")
            if len(members) != 1:
                if not members:
                    raise GeometryProblem("empty")
                raise GeometryProblem("unsupported", type=value["type"])
            inner = members[0]
        else:
            return value
        if not isinstance(inner, dict):
            raise GeometryProblem("not_geojson")
        value = inner
    raise GeometryProblem("not_geojson")


def _position(value: object) -> LonLat:
    if not isinstance(value, list | tuple) or not 2 <= len(value) <= 4:
        raise GeometryProblem("not_geojson")
    for number in value[:2]:
        if isinstance(number, bool) or not isinstance(number, int | float):
            raise GeometryProblem("not_geojson")
    try:
        return float(value[0]), float(value[1])
    except OverflowError as problem:
        raise GeometryProblem("not_finite") from problem


def _check_position(lon: float, lat: float) -> None:
    """Raises GeometryProblem unless the point lies within the frame of Germany."""
    if not (math.isfinite(lon) and math.isfinite(lat)):
        raise GeometryProblem("not_finite")
    west, south, east, north = GERMANY
    if west <= lon <= east and south <= lat <= north:
        return
    if west <= lat <= east and south <= lon <= north:
        raise GeometryProblem("swapped", lon=lon, lat=lat)
    if abs(lon) > 1_000 or abs(lat) > 1_000:
        raise GeometryProblem("metres", x=lon, y=lat)
    raise GeometryProblem("outside", lon=lon, lat=lat)


def _path(value: object, remaining: int, limit: int) -> list[Metres]:
    """The vertices of one line or ring in metres, without consecutive repetitions."""
    if not isinstance(value, list | tuple):
        raise GeometryProblem("not_geojson")
    if len(value) > remaining:
        raise GeometryProblem("too_many_vertices", count=limit - remaining + len(value), limit=limit)
    path: list[Metres] = []
    for item in value:
        lon, lat = _position(item)
        _check_position(lon, lat)
        point = metres_of(lon, lat)
        if not path or path[-1] != point:
            path.append(point)
    return path


def _paths(values: object, limit: int) -> Iterator[list[Metres]]:
    if not isinstance(values, list | tuple):
        raise GeometryProblem("not_geojson")
    used = 0
    for value in values:
        path = _path(value, limit - used, limit)
        used += len(path)
        yield path


def _read_line(parts: object, limit: int) -> Located:
    import shapely

    paths = list(_paths(parts, limit))
    if any(len(path) < 2 for path in paths):
        raise GeometryProblem("too_short")
    lines = [shapely.LineString(path) for path in paths]
    return _located("line", lines[0] if len(lines) == 1 else shapely.MultiLineString(lines))


def _read_area(parts: list[Any] | tuple[Any, ...], limit: int) -> Located:
    import shapely

    polygons = []
    used = 0
    for part in parts:
        rings = []
        for ring in _paths(part, limit - used):
            used += len(ring)
            if ring and ring[0] != ring[-1]:
                ring.append(ring[0])
            if len(ring) < 4:
                raise GeometryProblem("too_small")
            rings.append(ring)
        if not rings:
            raise GeometryProblem("empty")
        polygons.append(shapely.Polygon(rings[0], rings[1:]))
    return _located("area", polygons[0] if len(polygons) == 1 else shapely.MultiPolygon(polygons))


_VALIDITY = re.compile(r"(?P<reason>[^\[]*)\[(?P<x>\S+) (?P<y>\S+)\]")


def _located(kind: Kind, geometry: "BaseGeometry") -> Located:
    """Checks a line or an area in metres and finds its representative point."""
    import shapely

    if kind == "line":
        if geometry.length < 0.05:
            raise GeometryProblem("too_short")
        longest = max(shapely.get_parts(geometry), key=lambda part: float(part.length))
        point = longest.interpolate(0.5, normalized=True)
    else:
        # Validity before size: a figure of eight may well have an area of nought.
        if not shapely.is_valid(geometry):
            found = _VALIDITY.fullmatch(shapely.is_valid_reason(geometry))
            where: dict[str, object] = {}
            reason = ""
            if found:
                reason = found["reason"]
                where["lon"], where["lat"] = degrees_of(float(found["x"]), float(found["y"]))
            if "elf-intersection" in reason and geometry.geom_type == "Polygon":
                raise GeometryProblem("self_crossing", **where)
            if geometry.area == 0:
                raise GeometryProblem("too_small")
            crossing = (
                any(not part.is_valid for part in shapely.get_parts(geometry)) and "elf-inter" in reason
            )
            raise GeometryProblem("self_crossing" if crossing else "invalid_area", **where)
        if geometry.area < 0.05 * geometry.length / 2:  # narrower than five centimetres
            raise GeometryProblem("too_small")
        point = shapely.point_on_surface(geometry)
    lon, lat = degrees_of(point.x, point.y)
    min_x, min_y, max_x, max_y = (float(value) for value in geometry.bounds)
    wkb: bytes = shapely.to_wkb(geometry, byte_order=1)
    return Located(kind, wkb, min_x, min_y, max_x, max_y, lon, lat, cell(lon, lat))


# --- what was stored -----------------------------------------------------------------------------------------------


def wkb_to_geojson(wkb: bytes, *, decimals: int = 7) -> dict[str, Any]:
    """A stored geometry (WKB, EPSG:25832) as a GeoJSON geometry in degrees.

    Seven decimals are 7 mm, for plans; six are 7 cm and will do for a display.
    """
    if len(wkb) == 21 and wkb[:5] == b"\x01\x01\x00\x00\x00":
        x, y = struct.unpack_from("<dd", wkb, 5)
        lon, lat = degrees_of(x, y)
        return {"type": "Point", "coordinates": [round(lon, decimals), round(lat, decimals)]}

    import shapely
    from shapely.geometry import mapping

    geometry = mapping(shapely.from_wkb(wkb))

    def degrees(value: Any) -> list[Any]:
        if isinstance(value[0], tuple | list):
            return [degrees(item) for item in value]
        lon, lat = degrees_of(value[0], value[1])
        return [round(lon, decimals), round(lat, decimals)]

    return {"type": geometry["type"], "coordinates": degrees(geometry["coordinates"])}


def kind_of(wkb: bytes) -> Kind:
    """What a stored geometry is: a point, a line or an area, in one part or several."""
    order = "<" if wkb[0] else ">"
    (number,) = struct.unpack_from(order + "I", wkb, 1)
    kinds: dict[int, Kind] = {1: "point", 2: "line", 5: "line", 3: "area", 6: "area"}
    return kinds[number]


def length_on_ground(wkb: bytes) -> float:
    """Length in metres of a stored line, or of an area's outline, on the ground (the grid's scale taken out)."""
    import shapely

    geometry = shapely.from_wkb(wkb)
    return float(geometry.length) / grid_scale(float(geometry.centroid.x)) if not geometry.is_empty else 0.0


def area_on_ground(wkb: bytes) -> float:
    """Area in square metres of a stored area on the ground; 0 for points and lines.

    A square kilometre at the zone's central meridian is 0.08 % smaller in the grid than on the ground; this is
    taken out, as cadastral areas do.
    """
    import shapely

    geometry = shapely.from_wkb(wkb)
    return (
        float(geometry.area) / grid_scale(float(geometry.centroid.x)) ** 2 if not geometry.is_empty else 0.0
    )
