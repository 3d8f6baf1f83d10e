"""Vector tiles (Mapbox Vector Tile 2.1) of a normalised layer, straight from its file: nothing stays in memory.

Everything that grows with the number of vertices is done by numpy on whole tiles: reprojection, rounding, turning of
rings, commands, variable-length numbers. Only what crosses the edge of the tile is cut.
"""

import math
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from geo.curves import along
from geo.geometry import METRES

if TYPE_CHECKING:
    import numpy as np
    from pyproj import Transformer

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
    size, west, north = _place(z, x, y)
    shapes = shapely.from_wkb(wkb)
    scale = EXTENT / size
    kinds = np.asarray(shapely.get_type_id(shapes))
    found: list[tuple[np.ndarray[Any, Any], list[bytes], int]] = []
    for kind, ids in ((_POINT, (0, 4)), (_LINE, (1, 5)), (_POLYGON, (3, 6))):
        index = np.flatnonzero(np.isin(kinds, ids))
        if len(index):
            chosen, parts = _geometries(shapes[index], kind, west, north, scale)
            found.append((index[chosen], parts, kind))
    return _layer(name, fields, fids, values, found)


@lru_cache(maxsize=1)
def _to_metres() -> "Transformer":
    from pyproj import Transformer

    return Transformer.from_crs(3857, METRES, always_xy=True)


@lru_cache(maxsize=1)
def _to_mercator() -> "Transformer":
    from pyproj import Transformer

    return Transformer.from_crs(METRES, 3857, always_xy=True)


# ---------------------------------------------------------------------------------------------------- geometry


def _geometries(
    shapes: "np.ndarray[Any, Any]", kind: int, west: float, north: float, scale: float
) -> "tuple[np.ndarray[Any, Any], list[bytes]]":
    """Which of the shapes are left in the tile, and the geometry of each as the bytes of its commands."""
    import numpy as np
    import shapely

    points, owner, rings = _flat(shapes, kind)
    units = _units(points, west, north, scale)
    if kind == _POINT:
        inside = ((units >= -BUFFER) & (units <= EXTENT + BUFFER)).all(axis=1)
        units, owner, rings = units[inside], owner[inside], rings[inside]
    else:
        starts = np.flatnonzero(np.append(True, owner[1:] != owner[:-1]))
        low, high = np.minimum.reduceat(units, starts), np.maximum.reduceat(units, starts)
        crossing = ((low < -BUFFER) | (high > EXTENT + BUFFER)).any(axis=1)
        if crossing.any():
            cut = np.zeros(len(shapes), dtype=bool)
            cut[owner[starts[crossing]]] = True
            whole = ~cut[owner]
            local = shapely.set_coordinates(shapes[cut], units[cut[owner]])
            local = shapely.clip_by_rect(local, -BUFFER, -BUFFER, EXTENT + BUFFER, EXTENT + BUFFER)
            more, more_owner, more_rings = _flat(local, kind)
            units = np.concatenate((units[whole], more))
            owner = np.concatenate((owner[whole], np.flatnonzero(cut)[more_owner]))
            rings = np.concatenate((rings[whole], more_rings + rings.max(initial=0) + 1))
            order = np.argsort(owner, kind="stable")
            units, owner, rings = units[order], owner[order], rings[order]
    whole_units = np.rint(units).astype(np.int64)
    if kind != _POINT:
        whole_units, owner, rings = _without_repeats(whole_units, owner, rings, closed=kind == _POLYGON)
    if kind == _POLYGON:
        whole_units, owner, rings = _turned(whole_units, owner, rings)
    if not len(owner):
        return np.zeros(0, dtype=np.int64), []
    return _commands(whole_units, owner, rings, kind)


#: How far off the projection may be, in units of the tile.
_CLOSE: Final = 0.01


def _units(points: "np.ndarray[Any, Any]", west: float, north: float, scale: float) -> "np.ndarray[Any, Any]":
    """Points (EPSG:25832) in units of the tile."""
    import numpy as np

    def exact(metres: "np.ndarray[Any, Any]") -> "np.ndarray[Any, Any]":
        x, y = _to_mercator().transform(metres[:, 0], metres[:, 1])
        return np.column_stack(((np.asarray(x) - west) * scale, (north - np.asarray(y)) * scale))

    return along(points, exact, _CLOSE)


def _flat(
    shapes: "np.ndarray[Any, Any]", kind: int
) -> "tuple[np.ndarray[Any, Any], np.ndarray[Any, Any], np.ndarray[Any, Any]]":
    """Vertices, the number of the shape of each, and the number of its ring (or line); an outer ring begins a polygon."""
    import numpy as np
    import shapely

    if kind == _POINT:
        points, owner = shapely.get_coordinates(shapes, return_index=True)
        return points, owner, owner
    parts, part_owner = shapely.get_parts(shapes, return_index=True)
    if kind == _POLYGON:
        polygons = shapely.get_type_id(parts) == 3  # a cut may leave lines
        parts, part_owner = parts[polygons], part_owner[polygons]
        rings, ring_part = shapely.get_rings(parts, return_index=True)
        ring_owner = part_owner[ring_part]
        first = np.append(True, ring_part[1:] != ring_part[:-1])[: len(ring_part)]
    else:
        lines = shapely.get_type_id(parts) == 1
        rings, ring_owner = parts[lines], part_owner[lines]
        first = np.zeros(len(rings), dtype=bool)
    points, ring = shapely.get_coordinates(rings, return_index=True)
    # The lowest bit says whether a ring is an outer one.
    return points, ring_owner[ring], ring * 2 + first[ring]


def _without_repeats(
    points: "np.ndarray[Any, Any]",
    owner: "np.ndarray[Any, Any]",
    rings: "np.ndarray[Any, Any]",
    *,
    closed: bool,
) -> "tuple[np.ndarray[Any, Any], ...]":
    """Without points that fell on the one before, and without lines and rings of which too little is left."""
    import numpy as np

    if not len(points):
        return points, owner, rings
    begins = np.append(True, rings[1:] != rings[:-1])
    keep = begins.copy()
    keep[1:] |= (points[1:] != points[:-1]).any(axis=1)
    if closed:  # the last point is the first one; the command to close says so
        keep &= ~np.append(begins[1:], True)
    points, owner, rings = points[keep], owner[keep], rings[keep]
    if not len(points):
        return points, owner, rings
    if closed:  # what went round the start may have left the first point at the end
        begins = np.append(True, rings[1:] != rings[:-1])
        starts = np.flatnonzero(begins)
        ends = np.append(starts[1:], len(points)) - 1
        again = (points[starts] == points[ends]).all(axis=1) & (ends > starts)
        keep = np.ones(len(points), dtype=bool)
        keep[ends[again]] = False
        points, owner, rings = points[keep], owner[keep], rings[keep]
    _, number, counts = np.unique(rings, return_inverse=True, return_counts=True)
    enough = counts[number] >= (3 if closed else 2)
    return points[enough], owner[enough], rings[enough]


def _turned(
    points: "np.ndarray[Any, Any]", owner: "np.ndarray[Any, Any]", rings: "np.ndarray[Any, Any]"
) -> "tuple[np.ndarray[Any, Any], ...]":
    """Outer rings with positive area (y downwards), inner ones with negative; those without area go, holes with them."""
    import numpy as np

    if not len(points):
        return points, owner, rings
    starts = np.flatnonzero(np.append(True, rings[1:] != rings[:-1]))
    lengths = np.diff(np.append(starts, len(points)))
    following = np.arange(1, len(points) + 1)
    following[starts + lengths - 1] = starts
    twice = points[:, 0] * points[following, 1] - points[following, 0] * points[:, 1]
    areas = np.add.reduceat(twice, starts)
    outer = (rings[starts] & 1).astype(bool)
    polygon = np.cumsum(outer)
    gone = np.zeros(int(polygon.max()) + 1, dtype=bool)
    gone[polygon[outer & (areas == 0)]] = True
    kept = (areas != 0) & ~gone[polygon]
    wrong = (areas > 0) != outer
    # The other way round, beginning with the same point.
    position = np.arange(len(points)) - np.repeat(starts, lengths)
    length, start = np.repeat(lengths, lengths), np.repeat(starts, lengths)
    source = np.where(np.repeat(wrong, lengths), start + (length - position) % length, np.arange(len(points)))
    source = source[np.repeat(kept, lengths)]
    return points[source], owner[source], rings[source]


def _commands(
    points: "np.ndarray[Any, Any]", owner: "np.ndarray[Any, Any]", rings: "np.ndarray[Any, Any]", kind: int
) -> "tuple[np.ndarray[Any, Any], list[bytes]]":
    """The numbers of the shapes, and for each its MoveTo, LineTo and ClosePath with steps from point to point."""
    import numpy as np

    of_shape = np.append(True, owner[1:] != owner[:-1])
    steps = points.copy()
    steps[1:] -= points[:-1]
    steps[of_shape] = points[of_shape]
    zigzag = (steps << 1) ^ (steps >> 63)
    if kind == _POINT:
        starts = np.flatnonzero(of_shape)
    else:
        starts = np.flatnonzero(np.append(True, rings[1:] != rings[:-1]))
    lengths = np.diff(np.append(starts, len(points)))
    # How many numbers stand before and after the steps of each ring.
    close = 1 if kind == _POLYGON else 0
    extra = (1 if kind == _POINT else 2) + close
    sizes = 2 * lengths + extra
    firsts = np.concatenate(([0], np.cumsum(sizes)[:-1]))
    numbers = np.empty(int(sizes.sum()), dtype=np.int64)
    position = np.arange(len(points)) - np.repeat(starts, lengths)
    place = np.repeat(firsts, lengths) + 1 + 2 * position
    if kind == _POINT:
        numbers[firsts] = (lengths << 3) | 1
    else:
        place += position > 0  # LineTo stands between the first point and the others
        numbers[firsts] = (1 << 3) | 1
        numbers[firsts + 3] = ((lengths - 1) << 3) | 2
        if close:
            numbers[firsts + sizes - 1] = 15
    numbers[place], numbers[place + 1] = zigzag[:, 0], zigzag[:, 1]
    body, ends = _varints(numbers)
    shape_starts = firsts[np.searchsorted(starts, np.flatnonzero(of_shape))]
    byte_starts = np.concatenate(([0], ends))[shape_starts].tolist()
    byte_ends = [*byte_starts[1:], len(body)]
    return owner[of_shape], [body[a:b] for a, b in zip(byte_starts, byte_ends, strict=True)]


def _varints(numbers: "np.ndarray[Any, Any]") -> "tuple[bytes, np.ndarray[Any, Any]]":
    """Numbers from 0 to below 2^35 as protobuf writes them, seven bits a byte, and where each of them ends."""
    import numpy as np

    lengths = np.ones(len(numbers), dtype=np.int64)
    for bits in (7, 14, 21, 28):
        lengths += numbers >= 1 << bits
    ends = np.cumsum(lengths)
    body = np.empty(int(ends[-1]) if len(ends) else 0, dtype=np.uint8)
    starts = ends - lengths
    for index in range(int(lengths.max(initial=0))):
        long = lengths > index
        value = (numbers[long] >> (7 * index)) & 0x7F
        body[starts[long] + index] = value | np.where(lengths[long] > index + 1, 0x80, 0)
    return body.tobytes(), ends


# ---------------------------------------------------------------------------------------------------- messages


def _varint(value: int) -> bytes:
    if value < 0x80:
        return _SMALL[value]
    if value < 0x4000:
        return bytes((value & 0x7F | 0x80, value >> 7))
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


_SMALL: Final = [bytes((value,)) for value in range(0x80)]


def _field(number: int, body: bytes) -> bytes:
    """A field with a length (wire type 2)."""
    return _varint(number << 3 | 2) + _varint(len(body)) + body


def _layer(
    name: str,
    fields: Sequence[str],
    fids: "np.ndarray[Any, Any]",
    columns: "Sequence[np.ndarray[Any, Any]]",
    found: "Sequence[tuple[np.ndarray[Any, Any], list[bytes], int]]",
) -> bytes:
    known: dict[bytes, int] = {}
    pieces: list[bytes] = []
    for indexes, geometries, kind in found:
        if not geometries:
            continue
        numbers, ends = _varints(fids[indexes])
        tags = [_tags(number, column[indexes].tolist(), known) for number, column in enumerate(columns)]
        rows: Sequence[bytes] = list(map(b"".join, zip(*tags, strict=True))) if tags else [b""] * len(indexes)
        middle = b"\x18" + _SMALL[kind] + b"\x22"
        start = 0
        for end, row, geometry in zip(ends.tolist(), rows, geometries, strict=True):
            tagged = b"\x12" + _varint(len(row)) + row if row else b""
            body = b"".join((b"\x08", numbers[start:end], tagged, middle, _varint(len(geometry)), geometry))
            pieces += (b"\x12", _varint(len(body)), body)
            start = end
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


def _tags(column: int, values: Sequence[Any], known: dict[bytes, int]) -> list[bytes]:
    """For each value of a column its tag: the numbers of the column and of the value; nothing for a missing one."""
    first = _varint(column)
    by_value: dict[Any, bytes] = {}
    tags = []
    for value in values:
        # True and 1 are one key, but not one value.
        key = value if type(value) is not bool else (bool, value)
        tag = by_value.get(key)
        if tag is None:
            is_there = value is not None and value == value
            tag = first + _varint(known.setdefault(_value(value), len(known))) if is_there else b""
            by_value[key] = tag
        tags.append(tag)
    return tags


def _value(value: Any) -> bytes:
    """An attribute as the message Value; what is neither number nor truth value is text."""
    import struct

    if isinstance(value, bool):
        return b"\x38\x01" if value else b"\x38\x00"
    if isinstance(value, int):
        return b"\x28" + _varint(value) if value >= 0 else b"\x30" + _varint(-2 * value - 1)
    if isinstance(value, float):
        return b"\x19" + struct.pack("<d", value)
    text = str(value).encode()
    return b"\x0a" + _varint(len(text)) + text
