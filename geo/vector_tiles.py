"""Vector tiles (Mapbox Vector Tile 2.1) of a normalised layer, straight from its file: nothing stays in memory.

Everything that grows with the number of vertices is done by numpy on whole tiles: reprojection, rounding, turning of
rings, commands, variable-length numbers. Only what crosses the edge of the tile is cut.
"""

import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain, repeat
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from geo.curves import Curve, along
from geo.geometry import METRES

if TYPE_CHECKING:
    import numpy as np
    from pyproj import Transformer

_DOUBLE: Final = struct.Struct("<Bd")

EXTENT: Final = 4096
"""Units along the edge of a tile."""
BUFFER: Final = 80
"""Units that features reach over the edge, so that outlines are not drawn along it."""
MAX_FEATURES: Final = 20_000
"""More than this in one tile is a blot; the first ones of the file are drawn."""

_HALF: Final = math.pi * 6_378_137.0
_POINT, _LINE, _POLYGON = 1, 2, 3


def vector_tile(
    path: Path, z: int, x: int, y: int, *, name: str, columns: Sequence[str] = (), table: str | None = None
) -> bytes:
    """One tile of a normalised layer (FlatGeobuf or GeoPackage in EPSG:25832), uncompressed; b"" where nothing is.

    `name` is the layer's name in the tile, `columns` are the attributes that go with it (those that are missing are
    left out), `table` the one of a GeoPackage with several. The id of a feature is its number in the file. Raises
    ValueError for a tile that does not exist.
    """
    import pyogrio.raw

    meta, fids, wkb, values = pyogrio.raw.read(
        str(path),
        layer=table,
        columns=list(columns),
        bbox=tile_box(z, x, y),
        return_fids=True,
        max_features=MAX_FEATURES,
    )
    return encode(wkb, fids, [str(each) for each in meta["fields"]], values, z, x, y, name)


def tile_box(z: int, x: int, y: int) -> tuple[float, float, float, float]:
    """West, south, east, north of a tile with its margin, in metres (EPSG:25832). ValueError for one that is not."""
    if not (0 <= z <= 24 and 0 <= x < 1 << z and 0 <= y < 1 << z):
        raise ValueError(f"there is no tile {z}/{x}/{y}")
    size, west, north = _place(z, x, y)
    margin = BUFFER * size / EXTENT
    bounds = (west - margin, north - size - margin, west + size + margin, north + margin)
    box = _to_metres().transform_bounds(*bounds, densify_pts=5)
    return float(box[0]), float(box[1]), float(box[2]), float(box[3])


def _place(z: int, x: int, y: int) -> tuple[float, float, float]:
    """Width, west and north edge of a tile in web-mercator metres."""
    size = 2 * _HALF / (1 << z)
    return size, x * size - _HALF, _HALF - y * size


def encode(
    wkb: "np.ndarray[Any, Any]",
    fids: "np.ndarray[Any, Any]",
    fields: Sequence[str],
    values: "Sequence[np.ndarray[Any, Any]]",
    z: int,
    x: int,
    y: int,
    name: str,
) -> bytes:
    """What was read (WKB in EPSG:25832, numbers, columns) as the tile z/x/y."""
    import numpy as np
    import shapely

    if not len(wkb):
        return b""
    bodies = [body or _NOTHING for body in wkb.tolist()]
    heads = np.frombuffer(b"".join([body[:5] for body in bodies]), dtype=np.uint8).reshape(-1, 5)
    if (heads[:, 0] != 1).any() or heads[:, 2:].any():  # not as our own files have them
        bodies = shapely.to_wkb(shapely.force_2d(shapely.from_wkb(wkb)), byte_order=1).tolist()
        heads = np.frombuffer(b"".join([body[:5] for body in bodies]), dtype=np.uint8).reshape(-1, 5)
    kinds = heads[:, 1]
    on_tile = _OnTile(z, x, y)
    found: list[tuple[list[int], list[bytes], int]] = []
    for kind in (_POINT, _LINE, _POLYGON):
        index = np.flatnonzero((kinds == kind) | (kinds == kind + 3))
        if len(index):
            chosen, parts = _geometries([bodies[each] for each in index.tolist()], kind, on_tile)
            found.append((index[chosen].tolist(), parts, kind))
    return _layer(name, fields, fids, values, found)


#: No geometry, as well-known binary that no kind takes.
_NOTHING: Final = bytes(5).replace(b"\0", b"\1", 1)


@lru_cache(maxsize=1)
def _to_metres() -> "Transformer":
    from pyproj import Transformer

    return Transformer.from_crs(3857, METRES, always_xy=True)


@lru_cache(maxsize=1)
def _to_mercator() -> "Transformer":
    from pyproj import Transformer

    return Transformer.from_crs(METRES, 3857, always_xy=True)


# ---------------------------------------------------------------------------------------------------- geometry


class _OnTile:
    """Points (EPSG:25832) in units of a tile."""

    def __init__(self, z: int, x: int, y: int) -> None:
        size, self._west, self._north = _place(z, x, y)
        self._scale = EXTENT / size
        # The tiles of a town share a few windows of 13 km.
        up = z - _WINDOW_ZOOM
        self._curve = _curve(x >> up, y >> up) if up >= 0 else None

    def __call__(self, points: "np.ndarray[Any, Any]") -> "np.ndarray[Any, Any]":
        import numpy as np

        scale = self._scale
        curve = self._curve
        if curve is not None and curve.off * scale <= _CLOSE and curve.covers(points):
            factor = np.array((scale, -scale))
            return curve(points, factor, np.array((-self._west * scale, self._north * scale)))

        def exact(metres: "np.ndarray[Any, Any]") -> "np.ndarray[Any, Any]":
            return (_mercator(metres) - (self._west, self._north)) * (scale, -scale)

        return along(points, exact, _CLOSE)


#: How far off the projection may be, in units of the tile.
_CLOSE: Final = 0.01
_WINDOW_ZOOM: Final = 11


def _mercator(metres: "np.ndarray[Any, Any]") -> "np.ndarray[Any, Any]":
    import numpy as np

    return np.column_stack(_to_mercator().transform(metres[:, 0], metres[:, 1]))


@lru_cache(maxsize=256)
def _curve(x: int, y: int) -> Curve:
    """The projection for a tile of zoom `_WINDOW_ZOOM`, and half as much again around it."""
    import numpy as np

    west, south, east, north = tile_box(_WINDOW_ZOOM, x, y)
    return Curve(
        np.array(((west + east) / 2, (south + north) / 2)), max(east - west, north - south), _mercator
    )


@dataclass(slots=True)
class _Rings:
    """Rings, lines or groups of points, one after the other: all points, and of each how many it has, whose it is (rising),
    and whether it is an outer ring."""

    points: "np.ndarray[Any, Any]"
    lengths: "np.ndarray[Any, Any]"
    owner: "np.ndarray[Any, Any]"
    outer: "np.ndarray[Any, Any]"

    def starts(self) -> "np.ndarray[Any, Any]":
        found: np.ndarray[Any, Any] = self.lengths.cumsum() - self.lengths
        return found

    def only(self, kept: "np.ndarray[Any, Any]") -> "_Rings":
        """Without those that are not marked."""
        points = self.points[kept.repeat(self.lengths)]
        return _Rings(points, self.lengths[kept], self.owner[kept], self.outer[kept])


def _geometries(
    bodies: Sequence[bytes], kind: int, on_tile: _OnTile
) -> "tuple[np.ndarray[Any, Any], list[bytes]]":
    """Which of the shapes are left in the tile, and the geometry of each as the bytes of its commands."""
    import numpy as np

    rings = _flat(bodies, kind)
    if not len(rings.points):
        return np.zeros(0, dtype=np.int64), []
    rings.points = on_tile(rings.points)
    rings = _inside(rings) if kind == _POINT else _clipped(rings, bodies, kind)
    rings.points = np.rint(rings.points).astype(np.int64)
    if kind != _POINT:
        rings = _without_repeats(rings, closed=kind == _POLYGON)
    if kind == _POLYGON:
        rings = _turned(rings)
    if not len(rings.points):
        return np.zeros(0, dtype=np.int64), []
    return _commands(rings, kind)


#: A polygon of one ring, and one such polygon alone in a multipolygon: most buildings and parcels are.
_ONE_RING: Final = bytes.fromhex("010300000001000000")
_ONE_OF_ONE: Final = bytes.fromhex("010600000001000000") + _ONE_RING


def _flat(bodies: Sequence[bytes], kind: int) -> _Rings:
    """The rings, lines or points of shapes (well-known binary)."""
    import numpy as np

    if kind != _POLYGON:
        return _taken_apart(bodies, kind)
    simple = [
        body[13:] if body.startswith(_ONE_RING) else body[22:] if body.startswith(_ONE_OF_ONE) else b""
        for body in bodies
    ]
    octets = np.fromiter(map(len, simple), dtype=np.int64, count=len(simple))
    points = np.frombuffer(b"".join(simple), dtype="<f8").reshape(-1, 2)
    is_simple = octets > 0
    owner = np.flatnonzero(is_simple)
    rings = _Rings(points, octets[owner] // 16, owner, np.ones(len(owner), dtype=bool))
    others = np.flatnonzero(~is_simple)
    if not len(others):
        return rings
    more = _taken_apart([bodies[each] for each in others.tolist()], kind)
    more.owner = others[more.owner]
    return _together(rings, more)


def _together(one: _Rings, other: _Rings) -> _Rings:
    """Both, in the order of whose they are."""
    import numpy as np

    lengths = np.concatenate((one.lengths, other.lengths))
    owner = np.concatenate((one.owner, other.owner))
    order = np.argsort(owner, kind="stable")
    starts = (lengths.cumsum() - lengths)[order]
    lengths = lengths[order]
    ends = lengths.cumsum()
    source = np.arange(int(ends[-1]) if len(ends) else 0) + (starts - ends + lengths).repeat(lengths)
    points = np.concatenate((one.points, other.points))[source]
    return _Rings(points, lengths, owner[order], np.concatenate((one.outer, other.outer))[order])


def _taken_apart(bodies: "Sequence[bytes] | np.ndarray[Any, Any]", kind: int) -> _Rings:
    """The rings, lines or points of shapes, by the library; `bodies` are well-known binary, or shapes already."""
    import numpy as np
    import shapely

    shapes = bodies if isinstance(bodies, np.ndarray) else shapely.from_wkb(np.array(bodies, dtype=object))
    if kind == _POINT:
        points, owner = shapely.get_coordinates(shapes, return_index=True)
        whose, lengths = np.unique(owner, return_counts=True)
        return _Rings(points, lengths, whose, np.zeros(len(whose), dtype=bool))
    parts, part_owner = shapely.get_parts(shapes, return_index=True)
    if kind == _POLYGON:
        polygons = shapely.get_type_id(parts) == 3  # a cut may leave lines
        rings, ring_part = shapely.get_rings(parts[polygons], return_index=True)
        owner = part_owner[polygons][ring_part]
        outer = np.ones(len(rings), dtype=bool)
        outer[1:] = ring_part[1:] != ring_part[:-1]
    else:
        lines = shapely.get_type_id(parts) == 1
        rings, owner = parts[lines], part_owner[lines]
        outer = np.zeros(len(rings), dtype=bool)
    lengths = np.asarray(shapely.get_num_coordinates(rings), dtype=np.int64)
    there = lengths > 0
    return _Rings(shapely.get_coordinates(rings), lengths[there], owner[there], outer[there])


def _inside(rings: _Rings) -> _Rings:
    """Points that lie in the tile or its margin."""
    import numpy as np

    inside = ((rings.points >= -BUFFER) & (rings.points <= EXTENT + BUFFER)).all(axis=1)
    whose = rings.owner.repeat(rings.lengths)[inside]
    owner, lengths = np.unique(whose, return_counts=True)
    return _Rings(rings.points[inside], lengths, owner, np.zeros(len(owner), dtype=bool))


def _clipped(rings: _Rings, bodies: Sequence[bytes], kind: int) -> _Rings:
    """With those shapes cut at the margin that reach over it."""
    import numpy as np
    import shapely

    starts, points = rings.starts(), rings.points
    low, high = np.minimum.reduceat(points, starts), np.maximum.reduceat(points, starts)
    crossing = ((low < -BUFFER) | (high > EXTENT + BUFFER)).any(axis=1)
    if not crossing.any():
        return rings
    is_cut = np.zeros(len(bodies), dtype=bool)
    is_cut[rings.owner[crossing]] = True
    of_cut = is_cut[rings.owner]
    cut = np.flatnonzero(is_cut)
    shapes = shapely.from_wkb(np.array([bodies[each] for each in cut.tolist()], dtype=object))
    local = shapely.set_coordinates(shapes, rings.only(of_cut).points)
    local = shapely.clip_by_rect(local, -BUFFER, -BUFFER, EXTENT + BUFFER, EXTENT + BUFFER)
    more = _taken_apart(local, kind)
    more.owner = cut[more.owner]
    return _together(rings.only(~of_cut), more)


def _without_repeats(rings: _Rings, *, closed: bool) -> _Rings:
    """Without points that fell on the one before, and without lines and rings of which too little is left."""
    import numpy as np

    points = rings.points
    if not len(points):
        return rings
    starts = rings.starts()
    keep = np.empty(len(points), dtype=bool)
    keep[1:] = (points[1:] != points[:-1]).any(axis=1)
    keep[starts] = True
    if closed:  # the last point is the first one; the command to close says so
        keep[starts + rings.lengths - 1] = False
    lengths = np.add.reduceat(keep, starts, dtype=np.int64)
    points = points[keep]
    rings = _Rings(points, lengths, rings.owner, rings.outer)
    least = 3 if closed else 2
    if closed:  # what went round the start may have left the first point at the end
        if not lengths.all():
            rings = rings.only(lengths > 0)
            points, lengths = rings.points, rings.lengths
            if not len(points):
                return rings
        starts = rings.starts()
        ends = starts + lengths - 1
        again = (points[starts] == points[ends]).all(axis=1) & (lengths > 1)
        if again.any():
            keep = np.ones(len(points), dtype=bool)
            keep[ends[again]] = False
            rings = _Rings(points[keep], lengths - again, rings.owner, rings.outer)
    enough = rings.lengths >= least
    return rings if enough.all() else rings.only(enough)


def _turned(rings: _Rings) -> _Rings:
    """Outer rings with positive area (y downwards), inner ones with negative; those without area go, holes with them."""
    import numpy as np

    points, lengths, outer = rings.points, rings.lengths, rings.outer
    if not len(points):
        return rings
    starts = rings.starts()
    x, y = points[:, 0], points[:, 1]
    following = np.arange(1, len(points) + 1)
    following[starts + lengths - 1] = starts
    areas = np.add.reduceat(x * y[following] - x[following] * y, starts)
    wrong = (areas > 0) != outer
    if wrong.any():
        # The other way round, beginning with the same point.
        index = np.arange(len(points))
        turned = (2 * starts + lengths).repeat(lengths) - index
        turned[starts] = starts
        rings.points = points[np.where(wrong.repeat(lengths), turned, index)]
    if areas.all():
        return rings
    polygon = outer.cumsum()
    gone = np.zeros(int(polygon[-1]) + 1, dtype=bool)
    gone[polygon[outer & (areas == 0)]] = True
    return rings.only((areas != 0) & ~gone[polygon])


def _commands(rings: _Rings, kind: int) -> "tuple[np.ndarray[Any, Any], list[bytes]]":
    """The numbers of the shapes, and for each its MoveTo, LineTo and ClosePath with steps from point to point."""
    import numpy as np

    points, lengths, owner = rings.points, rings.lengths, rings.owner
    starts = rings.starts()
    of_shape = np.ones(len(owner), dtype=bool)
    of_shape[1:] = owner[1:] != owner[:-1]
    first_points = starts[of_shape]
    steps = np.empty_like(points)
    steps[1:] = points[1:] - points[:-1]
    steps[first_points] = points[first_points]
    zigzag = (steps << 1) ^ (steps >> 63)
    # How many numbers stand before and after the steps of each ring.
    close = 1 if kind == _POLYGON else 0
    extra = (1 if kind == _POINT else 2) + close
    sizes = 2 * lengths + extra
    ends = sizes.cumsum()
    firsts = ends - sizes
    numbers = np.empty(int(ends[-1]), dtype=np.int64)
    place = 2 * np.arange(len(points)) + (firsts - 2 * starts + (1 if kind == _POINT else 2)).repeat(lengths)
    if kind == _POINT:
        numbers[firsts] = (lengths << 3) | 1
    else:
        place[starts] -= 1  # LineTo stands between the first point and the others
        numbers[firsts] = (1 << 3) | 1
        numbers[firsts + 3] = ((lengths - 1) << 3) | 2
        if close:
            numbers[ends - 1] = 15
    numbers[place], numbers[place + 1] = zigzag[:, 0], zigzag[:, 1]
    body, octets = _varints(numbers)
    bounds = np.zeros(len(numbers) + 1, dtype=np.int64)
    octets.cumsum(out=bounds[1:])
    begin = bounds[firsts[of_shape]].tolist()
    return owner[of_shape], [body[a:b] for a, b in zip(begin, [*begin[1:], len(body)], strict=True)]


def _varints(numbers: "np.ndarray[Any, Any]") -> "tuple[bytes, np.ndarray[Any, Any]]":
    """Numbers from 0 to below 2^35 as protobuf writes them, seven bits an octet, and how many octets each of them has."""
    import numpy as np

    most = max((int(numbers.max(initial=0)).bit_length() + 6) // 7, 1)
    lengths = np.ones(len(numbers), dtype=np.int64)
    octets = np.empty((len(numbers), most), dtype=np.uint8)
    octets[:, 0] = numbers & 0x7F
    for index in range(1, most):
        rest = numbers >> (7 * index)
        more = rest > 0
        octets[:, index] = rest & 0x7F
        octets[:, index - 1] |= more.view(np.uint8) << 7
        lengths += more
    if most == 1:
        return octets.tobytes(), lengths
    return octets[np.arange(most) < lengths[:, None]].tobytes(), lengths


# ---------------------------------------------------------------------------------------------------- messages


def _varint(value: int) -> bytes:
    if value < 0x4000:
        return _short()[value]
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


@lru_cache(maxsize=1)
def _short() -> list[bytes]:
    """The numbers below 2^14: lengths and tags are among them."""
    one = [bytes((value,)) for value in range(0x80)]
    return one + [bytes((value & 0x7F | 0x80, value >> 7)) for value in range(0x80, 0x4000)]


def _field(number: int, body: bytes) -> bytes:
    """A field with a length (wire type 2)."""
    return _varint(number << 3 | 2) + _varint(len(body)) + body


def _layer(
    name: str,
    fields: Sequence[str],
    fids: "np.ndarray[Any, Any]",
    columns: "Sequence[np.ndarray[Any, Any]]",
    found: "Sequence[tuple[list[int], list[bytes], int]]",
) -> bytes:
    known: dict[bytes, int] = {}
    pieces: list[bytes] = []
    for indexes, geometries, kind in found:
        if not geometries:
            continue
        body, octets = _varints(fids[indexes])
        ends = octets.cumsum().tolist()
        numbers = [body[end - size : end] for end, size in zip(ends, octets.tolist(), strict=True)]
        tags = [_tags(number, column[indexes].tolist(), known) for number, column in enumerate(columns)]
        rows: Sequence[bytes] = list(map(b"".join, zip(*tags, strict=True))) if tags else [b""] * len(indexes)
        row_heads = [b"\x12" + head if row else b"" for head, row in zip(_sizes(rows), rows, strict=True)]
        middle = b"\x18" + _varint(kind) + b"\x22"
        heads = _sizes(geometries)
        bodies = list(zip(repeat(b"\x08"), numbers, row_heads, rows, repeat(middle), heads, geometries))
        pieces += chain.from_iterable((b"\x12", _varint(sum(map(len, body))), *body) for body in bodies)
    if not pieces:
        return b""
    layer = b"".join(
        (
            b"\x78\x02",  # version 2
            _field(1, name.encode()),
            *pieces,
            *(_field(3, field.encode()) for field in fields),
            *(_field(4, value) for value in known),
            b"\x28" + _varint(EXTENT),
        )
    )
    return _field(3, layer)


def _sizes(texts: Sequence[bytes]) -> list[bytes]:
    """How long each of them is."""
    short = _short()
    return [short[size] if size < 0x4000 else _varint(size) for size in map(len, texts)]


def _tags(column: int, values: Sequence[Any], known: dict[bytes, int]) -> list[bytes]:
    """For each value of a column its tag: the numbers of the column and of the value; nothing for a missing one."""
    first = _varint(column)
    # True and 1 are one key, but not one value.
    keys = [(bool, value) if type(value) is bool else value for value in values]
    by_key: dict[Any, bytes] = {}
    for key in dict.fromkeys(keys):
        value = key[1] if type(key) is tuple else key
        is_there = value is not None and value == value
        by_key[key] = first + _varint(known.setdefault(_value(value), len(known))) if is_there else b""
    return [by_key[key] for key in keys]


def _value(value: Any) -> bytes:
    """An attribute as the message Value; what is neither number nor truth value is text."""
    if type(value) is float:  # most of them
        return _DOUBLE.pack(0x19, value)
    if isinstance(value, bool):
        return b"\x38\x01" if value else b"\x38\x00"
    if isinstance(value, int):
        return b"\x28" + _varint(value) if value >= 0 else b"\x30" + _varint(-2 * value - 1)
    if isinstance(value, float):
        return _DOUBLE.pack(0x19, value)
    text = str(value).encode()
    return b"\x0a" + _varint(len(text)) + text
