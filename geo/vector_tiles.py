"""Vector tiles (Mapbox Vector Tile 2.1) of a normalised layer, straight from its file: nothing stays in memory.

Everything that grows with the number of vertices is done by numpy on whole tiles: reprojection, rounding, turning of
rings, commands, variable-length numbers. Only what crosses the edge of the tile is cut.
"""

import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from geo.curves import Curve, along
from geo.geometry import METRES

if TYPE_CHECKING:
    import numpy as np
    from pyproj import Transformer

_DOUBLE: Final = struct.Struct("<3sd")

EXTENT: Final = 4096
"""Units along the edge of a tile."""
_FEW: Final = 4000
"""Room for more costs more than the reading of a tile of some hundred features."""
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

    box = tile_box(z, x, y)
    for most in (_FEW, MAX_FEATURES):
        meta, fids, wkb, values = pyogrio.raw.read(
            str(path), layer=table, columns=list(columns), bbox=box, return_fids=True, max_features=most
        )
        if len(fids) < most:
            break
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
    bodies = wkb.tolist()
    if None in bodies:
        bodies = [body or _NOTHING for body in bodies]
    heads = [body[:5] for body in bodies]
    different = set(heads)
    if any(head[0] != 1 or any(head[2:]) for head in different):  # not as our own files have them
        bodies = shapely.to_wkb(shapely.force_2d(shapely.from_wkb(wkb)), byte_order=1).tolist()
        heads = [body[:5] for body in bodies]
        different = set(heads)
    on_tile = _OnTile(z, x, y)
    found: list[_Drawn] = []
    for kind in (_POINT, _LINE, _POLYGON):
        wanted = {head for head in different if head[1] in (kind, kind + 3)}
        if wanted == different:
            drawn = _geometries(bodies, kind, on_tile)
        elif wanted:
            index = [number for number, head in enumerate(heads) if head in wanted]
            drawn = _geometries([bodies[each] for each in index], kind, on_tile)
            if drawn is not None:
                drawn.features = np.array(index)[drawn.features]
        else:
            continue
        if drawn is not None:
            found.append(drawn)
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
        if curve is not None and curve.off * scale <= _CLOSE:
            shift = np.array((-self._west * scale, self._north * scale))
            found = curve.within(points, np.array((scale, -scale)), shift)
            if found is not None:
                return found

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
        points = _as_two(_as_one(self.points).compress(kept.repeat(self.lengths)), self.points.dtype.type)
        return _Rings(points, self.lengths[kept], self.owner[kept], self.outer[kept])


@dataclass(slots=True)
class _Drawn:
    """What is left in a tile of shapes of one kind: their numbers, the octets of all their commands, how many each has."""

    kind: int
    features: "np.ndarray[Any, Any]"
    commands: bytes
    lengths: "np.ndarray[Any, Any]"


def _geometries(bodies: Sequence[bytes], kind: int, on_tile: _OnTile) -> _Drawn | None:
    """What of the shapes is left in the tile; None for nothing."""
    import numpy as np

    rings = _flat(bodies, kind)
    if not len(rings.points):
        return None
    rings.points = on_tile(rings.points)
    rings = _inside(rings) if kind == _POINT else _clipped(rings, bodies, kind)
    if not len(rings.points):
        return None
    rings.points = np.rint(rings.points).astype(np.int64)
    if kind == _POLYGON:
        rings = _turned(rings)
    elif kind == _LINE:
        rings = _without_repeats(rings)
    return _commands(rings, kind) if len(rings.points) else None


#: A polygon of one ring, and one such polygon alone in a multipolygon: most buildings and parcels are.
_ONE_RING: Final = bytes.fromhex("010300000001000000")
_ONE_OF_ONE: Final = bytes.fromhex("010600000001000000") + _ONE_RING
#: Octets before their points: the number of points takes four more.
_BEFORE_ONE, _BEFORE_ONE_OF_ONE = len(_ONE_RING) + 4, len(_ONE_OF_ONE) + 4


def _flat(bodies: Sequence[bytes], kind: int) -> _Rings:
    """The rings, lines or points of shapes (well-known binary)."""
    import numpy as np

    if kind != _POLYGON:
        return _taken_apart(bodies, kind)
    if {body[:9] for body in bodies} == {_ONE_RING}:
        pieces = [body[_BEFORE_ONE:] for body in bodies]
    else:
        pieces = [
            body[_BEFORE_ONE:]
            if body[:9] == _ONE_RING
            else body[_BEFORE_ONE_OF_ONE:]
            if body[:18] == _ONE_OF_ONE
            else b""
            for body in bodies
        ]
    lengths = np.array(list(map(len, pieces))) >> 4
    points = np.frombuffer(b"".join(pieces), dtype="<f8").reshape(-1, 2)
    if lengths.all():
        return _Rings(points, lengths, np.arange(len(bodies)), np.ones(len(bodies), dtype=bool))
    owner = np.flatnonzero(lengths)
    rings = _Rings(points, lengths[owner], owner, np.ones(len(owner), dtype=bool))
    # An empty shape has no more than its kind and a nought.
    others = [each for each in np.flatnonzero(lengths == 0).tolist() if len(bodies[each]) > 9]
    if not others:
        return rings
    more = _taken_apart([bodies[each] for each in others], kind)
    more.owner = np.array(others)[more.owner]
    return _together(rings, more)


def _together(one: _Rings, other: _Rings, gone: "np.ndarray[Any, Any] | None" = None) -> _Rings:
    """Both, in the order of whose they are; without those of `one` that are marked as gone."""
    import numpy as np

    owner = np.concatenate((one.owner, other.owner))
    count = len(owner)
    if gone is not None:
        owner[: len(gone)][gone] = np.iinfo(owner.dtype).max
        count -= int(np.count_nonzero(gone))
    order = owner.argsort(kind="stable")[:count]
    lengths = np.concatenate((one.lengths, other.lengths))
    starts = (lengths.cumsum() - lengths)[order]
    lengths = lengths[order]
    ends = lengths.cumsum()
    source = np.arange(int(ends[-1]) if count else 0) + (starts - ends + lengths).repeat(lengths)
    points = _as_one(np.concatenate((one.points, other.points)))[source]
    outer = np.concatenate((one.outer, other.outer))[order]
    return _Rings(_as_two(points, np.float64), lengths, owner[order], outer)


def _as_one(points: "np.ndarray[Any, Any]") -> "np.ndarray[Any, Any]":
    """x and y of each point as one number, whatever it means: numpy moves these faster than rows."""
    import numpy as np

    found: np.ndarray[Any, Any] = points.view(np.complex128)[:, 0]
    return found


def _as_two(points: "np.ndarray[Any, Any]", kind: "type[np.generic]") -> "np.ndarray[Any, Any]":
    found: np.ndarray[Any, Any] = points.view(kind).reshape(-1, 2)
    return found


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

    is_far = np.abs(rings.points - EXTENT / 2) > EXTENT / 2 + BUFFER
    far = np.flatnonzero(is_far) >> 1
    if not len(far):
        return rings
    is_cut = np.zeros(len(bodies), dtype=bool)
    is_cut[rings.owner[rings.starts().searchsorted(far, side="right") - 1]] = True
    of_cut = is_cut[rings.owner]
    cut = np.flatnonzero(is_cut)
    shapes = shapely.from_wkb(np.array([bodies[each] for each in cut.tolist()], dtype=object))
    points = _as_one(rings.points).compress(of_cut.repeat(rings.lengths))
    local = shapely.set_coordinates(shapes, _as_two(points, np.float64))
    local = shapely.clip_by_rect(local, -BUFFER, -BUFFER, EXTENT + BUFFER, EXTENT + BUFFER)
    more = _flat(shapely.to_wkb(local, byte_order=1).tolist(), kind)
    more.owner = cut[more.owner]
    return _together(rings, more, of_cut)


def _without_repeats(lines: _Rings) -> _Rings:
    """Without points that fell on the one before, and without lines of which only a point is left."""
    import numpy as np

    points, starts = lines.points, lines.starts()
    keep = np.ones(len(points), dtype=bool)
    keep[1:] = (points[1:] != points[:-1]).any(axis=1)
    keep[starts] = True
    lengths = np.add.reduceat(keep, starts, dtype=np.int64)
    lines = _Rings(points[keep], lengths, lines.owner, lines.outer)
    return lines.only(lengths > 1)


def _turned(rings: _Rings) -> _Rings:
    """Outer rings with positive area (y downwards), inner ones with negative, none with its first point again at the end or
    with a point that fell on the next one; those without area go, holes with them."""
    import numpy as np

    areas = _areas(rings)
    if not areas.all():
        polygon = rings.outer.cumsum()
        gone = np.zeros(int(polygon[-1]) + 1, dtype=bool)
        gone[polygon[rings.outer & (areas == 0)]] = True
        left = (areas != 0) & ~gone[polygon]
        rings, areas = rings.only(left), areas[left]
        if not len(areas):
            return rings
    lengths = rings.lengths
    ends = lengths.cumsum() - 1
    starts = ends - lengths + 1
    points = _as_one(rings.points)
    wrong = (areas > 0) != rings.outer
    if wrong.any():
        index = np.arange(len(points))
        turned = (starts + ends).repeat(lengths) - index
        points = points[turned if wrong.all() else np.where(wrong.repeat(lengths), turned, index)]
    x, y = _as_two(points, np.int64).T
    keep = np.empty(len(points), dtype=bool)
    keep[:-1] = ((x[1:] ^ x[:-1]) | (y[1:] ^ y[:-1])) != 0
    keep[ends] = False
    left_over = _as_two(points.compress(keep), np.int64)
    if len(left_over) == len(points) - len(lengths):
        lengths = lengths - 1
    else:
        lengths = np.add.reduceat(keep, starts, dtype=np.int64)
    return _Rings(left_over, lengths, rings.owner, rings.outer)


def _areas(rings: _Rings) -> "np.ndarray[Any, Any]":
    """Twice the area of each ring, by the surveyor's formula."""
    import numpy as np

    x, y = rings.points.T
    found = np.empty(len(x), dtype=np.int64)
    found[:-1] = x[:-1] * y[1:]
    found[:-1] -= x[1:] * y[:-1]
    ends = rings.lengths.cumsum()
    found[ends - 1] = 0  # from one ring to the next
    areas: np.ndarray[Any, Any] = np.add.reduceat(found, ends - rings.lengths)
    return areas


def _commands(rings: _Rings, kind: int) -> _Drawn:
    """For each shape its MoveTo, LineTo and ClosePath with steps from point to point."""
    import numpy as np

    points, lengths, owner = rings.points, rings.lengths, rings.owner
    starts = rings.starts()
    of_shape = np.ones(len(owner), dtype=bool)
    of_shape[1:] = owner[1:] != owner[:-1]
    steps = np.empty_like(points)
    steps[1:] = points[1:] - points[:-1]
    first_points = starts[of_shape]
    steps[first_points] = points[first_points]
    zigzag = (steps << 1) ^ (steps >> 63)
    # How many numbers stand before and after the steps of each ring.
    close = 1 if kind == _POLYGON else 0
    sizes = 2 * lengths + ((1 if kind == _POINT else 2) + close)
    ends = sizes.cumsum()
    firsts = ends - sizes
    is_step = np.ones(int(ends[-1]), dtype=bool)
    numbers = np.empty(len(is_step), dtype=np.int64)
    if kind == _POINT:
        commands: list[tuple[Any, Any]] = [(firsts, (lengths << 3) | 1)]
    else:  # LineTo stands between the first point and the others
        commands = [(firsts, (1 << 3) | 1), (firsts + 3, (lengths << 3) - (8 - 2))]
        if close:
            commands.append((ends - 1, 15))
    for place, command in commands:
        numbers[place] = command
        is_step[place] = False
    numbers[is_step] = zigzag.ravel()
    body, octets = _varints(numbers)
    return _Drawn(kind, owner[of_shape], body, np.add.reduceat(octets, firsts[of_shape]))


def _varints(numbers: "np.ndarray[Any, Any]") -> "tuple[bytes, np.ndarray[Any, Any]]":
    """Numbers from 0 to below 2^35 as protobuf writes them, seven bits an octet, and how many octets each of them has."""
    import numpy as np

    most = max((int(numbers.max(initial=0)).bit_length() + 6) // 7, 1)
    if most <= 2:
        is_there = np.ones((len(numbers), 2), dtype=bool)
        is_there[:, 1] = numbers > 0x7F
        octets = _pairs_of_octets()[numbers]
        return octets.view(np.uint8).compress(is_there.ravel()).tobytes(), is_there[:, 1] + 1
    width = 4 if most <= 4 else 8
    words = numbers.astype(f"<u{width}")
    octets = words & 0x7F
    lengths = np.ones(len(numbers), dtype=np.int64)
    is_there = np.zeros((len(numbers), width), dtype=bool)
    is_there[:, 0] = True
    for index in range(1, most):
        more = words >= 1 << (7 * index)
        is_there[:, index] = more
        octets |= (words & (0x7F << (7 * index))) << index
        octets |= more.astype(words.dtype) << (8 * index - 1)
        lengths += more
    return octets.view(np.uint8).compress(is_there.ravel()).tobytes(), lengths


@lru_cache(maxsize=1)
def _pairs_of_octets() -> "np.ndarray[Any, Any]":
    """What `_varints` makes of numbers below 2^14."""
    import numpy as np

    numbers = np.arange(1 << 14, dtype="<u2")
    return numbers & 0x7F | (numbers > 0x7F).astype("<u2") << 7 | numbers >> 7 << 8


# ---------------------------------------------------------------------------------------------------- messages


def _varint(value: int) -> bytes:
    if value < 0x80:
        return bytes((value,))
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _field(number: int, body: bytes) -> bytes:
    """A field with a length (wire type 2)."""
    return _varint(number << 3 | 2) + _varint(len(body)) + body


def _layer(
    name: str,
    fields: Sequence[str],
    fids: "np.ndarray[Any, Any]",
    columns: "Sequence[np.ndarray[Any, Any]]",
    found: Sequence[_Drawn],
) -> bytes:
    known: dict[bytes, int] = {}
    pieces = [
        _features(
            drawn, fids[drawn.features], [_numbered(column[drawn.features], known) for column in columns]
        )
        for drawn in found
    ]
    if not pieces:
        return b""
    layer = b"".join(
        (
            b"\x78\x02",  # version 2
            _field(1, name.encode()),
            *pieces,
            *(_field(3, field.encode()) for field in fields),
            *known,
            b"\x28" + _varint(EXTENT),
        )
    )
    return _field(3, layer)


def _features(drawn: _Drawn, fids: "np.ndarray[Any, Any]", values: "Sequence[np.ndarray[Any, Any]]") -> bytes:
    """All features of a kind, one after the other: id, tags, kind, commands. `values` are of each column the numbers of
    values, -1 for a missing one."""
    import numpy as np

    # A row of numbers for what stands before the commands of each feature; all of them are written as numbers of
    # variable length, and what a feature has not is left out.
    count, length = len(fids), drawn.lengths
    tags = [number for column in range(len(values)) for number in (column, 0)]
    numbers = np.array([(0x12, 0, 0x08, 0, 0x12, 0, *tags, 0x18, drawn.kind, 0x22, 0)]).repeat(count, axis=0)
    octets_of_tags: Any = 0
    is_there = None
    for column, value in enumerate(values):
        place = 6 + 2 * column
        numbers[:, place + 1] = value
        octets = _octets(value) + len(_varint(column))
        if value.min() < 0:
            is_there = np.ones(numbers.shape, dtype=bool) if is_there is None else is_there
            has_value = value >= 0
            is_there[:, place] = is_there[:, place + 1] = has_value
            octets *= has_value
        octets_of_tags += octets
    octets = (1 + _octets(fids)) + (2 + 1 + _octets(length) + length)
    if is_there is not None or not values:
        has_tags = octets_of_tags > np.zeros(count)
        is_there = np.ones(numbers.shape, dtype=bool) if is_there is None else is_there
        is_there[:, 4] = is_there[:, 5] = has_tags
        octets += (1 + _octets(octets_of_tags) + octets_of_tags) * has_tags
    else:
        octets += 1 + _octets(octets_of_tags) + octets_of_tags
    numbers[:, 1], numbers[:, 3], numbers[:, 5], numbers[:, -1] = octets, fids, octets_of_tags, length
    in_order = numbers.ravel()
    heads, _ = _varints(in_order if is_there is None else in_order.compress(is_there.ravel()))
    # Heads and commands in turn.
    runs = np.empty((count, 2), dtype=np.int64)
    runs[:, 0], runs[:, 1] = octets + 1 + _octets(octets) - length, length
    is_command = np.tile([False, True], count).repeat(runs.ravel())
    out = np.empty(len(is_command), dtype=np.uint8)
    out[is_command] = np.frombuffer(drawn.commands, dtype=np.uint8)
    out[~is_command] = np.frombuffer(heads, dtype=np.uint8)
    return out.tobytes()


def _octets(numbers: Any) -> Any:
    """How many octets numbers from 0 to below 2^35 take, seven bits an octet."""
    return 1 + _octet_bounds().searchsorted(numbers, side="right")


@lru_cache(maxsize=1)
def _octet_bounds() -> "np.ndarray[Any, Any]":
    import numpy as np

    return 1 << np.array((7, 14, 21, 28))


def _numbered(column: "np.ndarray[Any, Any]", known: dict[bytes, int]) -> "np.ndarray[Any, Any]":
    """For each value of a column its number among all values of the layer, -1 for a missing one."""
    import numpy as np

    keys = values = column.tolist()
    if column.dtype.kind == "O":  # True and 1 are one key, but not one value
        keys = [(bool, value) if type(value) is bool else value for value in values]
    by_key = {
        key: known.setdefault(_value(value), len(known)) if value is not None and value == value else -1
        for key, value in dict(zip(keys, values, strict=True)).items()
    }
    return np.array([by_key[key] for key in keys])


def _value(value: Any) -> bytes:
    """An attribute as a layer's field of the message Value; what is neither number nor truth value is text."""
    if isinstance(value, float):  # most of them
        return _DOUBLE.pack(b"\x22\x09\x19", value)
    if isinstance(value, bool):
        return _field(4, b"\x38\x01" if value else b"\x38\x00")
    if isinstance(value, int):
        return _field(4, b"\x28" + _varint(value) if value >= 0 else b"\x30" + _varint(-2 * value - 1))
    text = str(value).encode()
    return _field(4, b"\x0a" + _varint(len(text)) + text)
