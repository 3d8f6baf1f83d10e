"""The city as 3D Tiles 1.1: a tileset and binary glTF of 500 m squares, in metres from the middle of the square.

Written for one reader, our own viewer (static/js/city.js), but as the standards have it, so that others can read it
too: positions as whole centimetres and normals as bytes (KHR_mesh_quantization), the building of each corner as a
feature (EXT_mesh_features), ids and names as a property table (EXT_structural_metadata). Coordinates stay EPSG:25832
and DHHN2016 less an origin: no ellipsoid, no stretch of web mercator. In glTF, x is east, y is up and z is south.

Imports numpy and shapely: only functions load this module.
"""

import json
import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from geo.city import CLOSURE, GROUND, ROOF, Box, City
from geo.shadows import Horizon, Slope, ragged, vectors_of
from geo.terrain import Terrain

Array = np.ndarray[Any, Any]

SQUARE: Final = 500.0
"""Metres that a tile is wide."""
_CENTIMETRES: Final = 0.01
_MILLIMETRE: Final = 0.001
_FINEST: Final = 2.0
"""Metres between the heights of a scene's ground at the least: finer ones are not seen, and would have to be sent."""
_MOST: Final = 40_000
"""Heights of a scene's ground at the most."""
_REACH: Final = 327.0
"""Metres from the middle of a tile that whole centimetres in 16 bits can say."""


@dataclass(frozen=True)
class Mesh:
    """Triangles of a city: corners in metres (EPSG:25832, DHHN2016), each of one face, and three numbers of corners for
    each triangle."""

    corners: Array
    normals: Array
    building: Array
    """Row of the building, for each corner."""
    triangles: Array
    is_roof: Array
    """For each triangle."""
    left_out: int = 0
    """Surfaces that no triangles could be made of."""

    @property
    def area(self) -> float:
        """Square metres of all triangles."""
        a, b, c = (self.corners[self.triangles[:, k]] for k in range(3))
        return float(np.linalg.norm(np.cross(b - a, c - a), axis=1).sum() / 2)


def triangles(city: City) -> Mesh:
    """The surfaces that can be seen, as triangles: all but ground and closure surfaces."""
    shown = np.flatnonzero((city.kind != GROUND) & (city.kind != CLOSURE))
    if not len(shown):
        nothing, none = np.empty((0, 3)), np.empty(0, dtype=int)
        return Mesh(nothing, nothing, none, np.empty((0, 3), dtype=int), np.empty(0, dtype=bool))
    points, rings, polygons = ragged(city.faces[shown])
    vectors = vectors_of(points, rings, polygons)
    sizes = np.linalg.norm(vectors, axis=1)
    unit = vectors / np.maximum(sizes, 1e-12)[:, None]
    firsts, count = rings[polygons[:-1]], np.diff(rings[polygons]) - 1
    is_whole = (np.diff(polygons) == 1) & (sizes > 1e-6)
    three = np.flatnonzero(is_whole & (count == 3))
    four = np.flatnonzero(is_whole & (count == 4))
    bent = _is_bent(points[firsts[four][:, None] + np.arange(4)], unit[four])
    four, others = four[~bent], four[bent]
    others = np.concatenate([others, np.flatnonzero((sizes > 1e-6) & ~(is_whole & (count <= 4)))])
    cut, cut_faces = _cut(points, rings, polygons, others, unit)
    numbers = np.concatenate(
        [
            firsts[three][:, None] + np.arange(3),
            (firsts[four][:, None] + np.array((0, 1, 2, 0, 2, 3))).reshape(-1, 3),
            cut,
        ]
    )
    face_of = np.concatenate([three, np.repeat(four, 2), cut_faces])
    used = np.zeros(len(points), dtype=bool)
    used[numbers.ravel()] = True
    of_point = np.repeat(np.arange(len(shown)), np.diff(rings[polygons]))[used]
    return Mesh(
        points[used],
        unit[of_point],
        city.owner[shown][of_point],
        (np.cumsum(used) - 1)[numbers],
        city.kind[shown][face_of] == ROOF,
        int((sizes <= 1e-6).sum()) + len(np.setdiff1d(others, cut_faces)),
    )


def _is_bent(quads: Array, unit: Array) -> Array:
    """Whether a quadrangle has a corner that points inwards, so that the first diagonal may leave it."""
    sides = np.roll(quads, -1, axis=1) - quads
    turns = np.cross(np.roll(sides, 1, axis=1), sides)
    bent: Array = (np.einsum("ikj,ij->ik", turns, unit) < 0).any(axis=1)
    return bent


def _cut(points: Array, rings: Array, polygons: Array, faces: Array, unit: Array) -> tuple[Array, Array]:
    """Polygons with any corners and holes as triangles (numbers of corners), and the polygon of each: by ear clipping
    in the plane of two axes that shows them largest."""
    from mapbox_earcut import triangulate_float64

    indices: list[Array] = []
    axes = np.argmax(np.abs(unit[faces]), axis=1).tolist()
    planes = [np.ascontiguousarray(points[:, keep] - points[0, keep]) for keep in ((1, 2), (0, 2), (0, 1))]
    begins, ends = rings[polygons[faces]].tolist(), rings[polygons[faces + 1]].tolist()
    first_ring, after = (polygons[faces] + 1).tolist(), (polygons[faces + 1] + 1).tolist()
    for axis, begin, end, ring, last in zip(axes, begins, ends, first_ring, after, strict=True):
        # Rings come with their first corner repeated; ear clipping takes a corner twice for what it is.
        closes = (rings[ring:last] - begin).astype(np.uint32)
        indices.append(triangulate_float64(planes[axis][begin:end], closes))
    if not indices:
        return np.empty((0, 3), dtype=int), np.empty(0, dtype=int)
    counts = np.array([len(each) for each in indices])
    found = np.concatenate(indices).astype(np.int64) + np.repeat(np.array(begins), counts)
    found = found.reshape(-1, 3)
    of_face = np.repeat(faces, counts // 3)
    a, b, c = (points[found[:, k]] for k in range(3))
    turn = np.einsum("ij,ij->i", np.cross(b - a, c - a), unit[of_face])
    # Ear clipping turns all of its triangles one way, which need not be ours.
    backwards = turn < 0
    found[backwards] = found[backwards][:, ::-1]
    whole = np.abs(turn) > 1e-9
    return found[whole], of_face[whole]


# --- tiles -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Square:
    """A tile: its column and row in the grid of EPSG:25832, and what stands in it."""

    column: int
    row: int
    count: int
    low: float
    high: float

    @property
    def name(self) -> str:
        return f"{self.column}-{self.row}"

    @property
    def box(self) -> Box:
        west, south = self.column * SQUARE, self.row * SQUARE
        return west, south, west + SQUARE, south + SQUARE


def squares(city: City) -> list[Square]:
    """The tiles that a city has; each building belongs to the one with the middle of its footprint."""
    columns, rows = _square_of(city)
    found = []
    for column, row in sorted(set(zip(columns.tolist(), rows.tolist(), strict=True))):
        inside = (columns == column) & (rows == row)
        found.append(
            Square(
                column,
                row,
                int(inside.sum()),
                float(city.ground[inside].min()),
                float(city.top[inside].max()),
            )
        )
    return found


def _square_of(city: City) -> tuple[Array, Array]:
    boxes = shapely.bounds(city.footprints)
    x, y = (boxes[:, 0] + boxes[:, 2]) / 2, (boxes[:, 1] + boxes[:, 3]) / 2
    return np.floor(x / SQUARE).astype(int), np.floor(y / SQUARE).astype(int)


def in_square(city: City, column: int, row: int) -> City:
    """The buildings that belong to a tile."""
    columns, rows = _square_of(city)
    return city.chosen((columns == column) & (rows == row))


def tileset(
    tiles: Sequence[Square], origin: tuple[float, float, float], ground: "Ground | None" = None
) -> bytes:
    """The `tileset.json` of tiles; `origin` (east, north, height) is what coordinates are counted from.

    Addresses of the tiles are relative to that of the tileset; the ground, if there is one, is `ground.glb`.
    """
    children: list[dict[str, Any]] = [
        {
            "boundingVolume": {"box": _bounding(square, origin)},
            "geometricError": 0,
            "content": {"uri": f"{square.name}.glb"},
            "extras": {"buildings": square.count},
        }
        for square in tiles
    ]
    if ground is not None:
        children.append(
            {
                "boundingVolume": {"box": _extent(ground, origin)},
                "geometricError": 0,
                "content": {"uri": "ground.glb"},
                "extras": {"ground": True},
            }
        )
    east, north, height = origin
    whole = {
        "asset": {
            "version": "1.1",
            "extras": {"crs": "EPSG:25832+7837", "origin": [east, north, height]},
        },
        "geometricError": 500,
        "root": {
            "boundingVolume": {"box": _around([child["boundingVolume"]["box"] for child in children])},
            "geometricError": 100,
            "refine": "ADD",
            "children": children,
        },
    }
    return json.dumps(whole, separators=(",", ":")).encode()


def _bounding(square: Square, origin: tuple[float, float, float]) -> list[float]:
    west, south, east, north = square.box
    half, tall = SQUARE / 2 + 40, (square.high - square.low) / 2
    return [
        *((west + east) / 2 - origin[0], (south + north) / 2 - origin[1], (square.low + square.high) / 2 - origin[2]),
        *(half, 0, 0, 0, half, 0, 0, 0, tall),
    ]  # fmt: skip


def _around(boxes: Sequence[Sequence[float]]) -> list[float]:
    if not boxes:
        return [0.0] * 12
    middles = np.array([box[:3] for box in boxes])
    halves = np.array([[box[3], box[7], box[11]] for box in boxes])
    low, high = (middles - halves).min(axis=0), (middles + halves).max(axis=0)
    x, y, z = ((high - low) / 2).tolist()
    return [*((low + high) / 2).tolist(), x, 0, 0, 0, y, 0, 0, 0, z]


# --- glTF ------------------------------------------------------------------------------------------


def glb(city: City, origin: tuple[float, float, float]) -> bytes:
    """Buildings as binary glTF 2.0. Those further than 327 m from the middle of all are given in metres as floats."""
    mesh = triangles(city)
    corners = mesh.corners
    middle = np.zeros(3)
    if len(corners):
        middle = np.round((corners.min(axis=0) + corners.max(axis=0)) / 2)
    local = corners - middle
    fits = not len(local) or float(np.abs(local).max()) < _REACH
    scale = _CENTIMETRES if fits else 1.0
    turned = local[:, (0, 2, 1)] * (1, 1, -1)
    positions: Array = np.zeros((len(turned), 4), dtype="<i2") if fits else np.zeros((len(turned), 3), "<f4")
    positions[:, :3] = np.rint(turned / scale) if fits else turned
    packed = np.zeros((len(turned), 4), dtype="i1")
    packed[:, :3] = np.rint(mesh.normals[:, (0, 2, 1)] * (127, 127, -127))
    features = np.zeros((len(turned), 2), dtype="<u2")
    features[:, 0] = mesh.building
    index = np.concatenate([mesh.triangles[mesh.is_roof], mesh.triangles[~mesh.is_roof]]).ravel()
    roofs = int(mesh.is_roof.sum()) * 3
    return _write_glb(city, positions, packed, features, index, roofs, scale, middle - np.array(origin))


def _write_glb(
    city: City, positions: Array, normals: Array, features: Array, index: Array, roofs: int, scale: float, shift: Array
) -> bytes:  # fmt: skip
    wide = len(positions) > 65_535
    index = index.astype("<u4" if wide else "<u2")
    buffer = _Buffer()
    views = [
        buffer.add(positions.tobytes(), target=34962, stride=positions.strides[0] if len(positions) else 8),
        buffer.add(normals.tobytes(), target=34962, stride=4),
        buffer.add(features.tobytes(), target=34962, stride=4),
        buffer.add(index.tobytes(), target=34963),
    ]
    quantised = positions.dtype.itemsize == 2
    extremes = positions[:, :3] if len(positions) else np.zeros((1, 3))
    count = len(positions)
    accessors: list[dict[str, Any]] = [
        {
            "bufferView": views[0], "componentType": 5122 if quantised else 5126, "count": count, "type": "VEC3",
            "min": extremes.min(axis=0).tolist(), "max": extremes.max(axis=0).tolist(),
        },
        {"bufferView": views[1], "componentType": 5120, "normalized": True, "count": count, "type": "VEC3"},
        {"bufferView": views[2], "componentType": 5123, "count": count, "type": "SCALAR"},
    ]  # fmt: skip
    primitives = []
    for material, start, end in ((0, 0, roofs), (1, roofs, len(index))):
        if end == start:
            continue
        accessors.append(
            {
                "bufferView": views[3], "byteOffset": start * index.itemsize, "type": "SCALAR",
                "componentType": 5125 if wide else 5123, "count": end - start,
            }
        )  # fmt: skip
        primitives.append(
            {
                "attributes": {"POSITION": 0, "NORMAL": 1, "_FEATURE_ID_0": 2},
                "indices": len(accessors) - 1,
                "material": material,
                "extensions": {
                    "EXT_mesh_features": {
                        "featureIds": [{"featureCount": len(city), "attribute": 0, "propertyTable": 0}]
                    }
                },
            }
        )
    document: dict[str, Any] = {
        "asset": {"version": "2.0", "generator": "Digilog"},
        "extensionsUsed": ["KHR_mesh_quantization", "EXT_mesh_features", "EXT_structural_metadata"],
        "extensionsRequired": ["KHR_mesh_quantization"],
        "scene": 0,
        "scenes": [{"nodes": [0] if primitives else []}],
        "nodes": [
            {
                "mesh": 0,
                "scale": [scale] * 3,
                "translation": [float(shift[0]), float(shift[2]), float(-shift[1])],
            }
        ],
        "meshes": [{"primitives": primitives}],
        "materials": [
            {"name": "roof", "pbrMetallicRoughness": {"baseColorFactor": [0.62, 0.33, 0.26, 1], "metallicFactor": 0}},
            {"name": "wall", "pbrMetallicRoughness": {"baseColorFactor": [0.87, 0.84, 0.78, 1], "metallicFactor": 0}},
        ],
        "accessors": accessors,
        "extensions": {"EXT_structural_metadata": _metadata(city, buffer)},
    }  # fmt: skip
    if not primitives:
        del document["meshes"], document["nodes"]
    return _packed(document, buffer)


def _packed(document: dict[str, Any], buffer: "_Buffer") -> bytes:
    """A description and its octets as one file."""
    document["bufferViews"] = buffer.views
    document["buffers"] = [{"byteLength": len(buffer.content)}]
    text = json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 4)
    content = bytes(buffer.content)
    total = 12 + 8 + len(text) + 8 + len(content)
    return (
        struct.pack("<III", 0x46546C67, 2, total)
        + struct.pack("<II", len(text), 0x4E4F534A)
        + text
        + struct.pack("<II", len(content), 0x004E4942)
        + content
    )


class _Buffer:
    """The binary part of a glTF file, each view beginning at a multiple of eight."""

    def __init__(self) -> None:
        self.content = bytearray()
        self.views: list[dict[str, Any]] = []

    def add(self, content: bytes, *, target: int = 0, stride: int = 0) -> int:
        view = {"buffer": 0, "byteOffset": len(self.content), "byteLength": max(len(content), 1)}
        self.views.append(
            view | ({"target": target} if target else {}) | ({"byteStride": stride} if stride else {})
        )
        self.content += content or b"\0"
        self.content += b"\0" * (-len(self.content) % 8)
        return len(self.views) - 1


def _metadata(city: City, buffer: _Buffer) -> dict[str, Any]:
    """Ids, names, storeys and heights of the buildings as a property table."""

    def strings(values: Sequence[str]) -> dict[str, int]:
        encoded = [value.encode() for value in values]
        offsets = np.concatenate([[0], np.cumsum([len(each) for each in encoded])]).astype("<u4")
        return {"values": buffer.add(b"".join(encoded)), "stringOffsets": buffer.add(offsets.tobytes())}

    ids = [str(parent or own) for own, parent in zip(city.ids, city.parents, strict=True)]
    properties: dict[str, Any] = {
        "id": strings(ids),
        "label": strings(city.labels),
        "storeys": {"values": buffer.add(city.storeys.astype("u1").tobytes())},
        "ground": {"values": buffer.add(city.ground.round(1).astype("<f4").tobytes())},
        "top": {"values": buffer.add(city.top.round(1).astype("<f4").tobytes())},
    }
    text = {"type": "STRING"}
    metres = {"type": "SCALAR", "componentType": "FLOAT32"}
    return {
        "schema": {
            "id": "digilog",
            "classes": {
                "building": {
                    "properties": {
                        "id": text,
                        "label": text,
                        "storeys": {"type": "SCALAR", "componentType": "UINT8"},
                        "ground": metres,
                        "top": metres,
                    }
                }
            },
        },
        "propertyTables": [{"class": "building", "count": len(city), "properties": properties}],
    }


# --- the ground ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Ground:
    """Heights of the ground on a grid, row by row from the south; metres (EPSG:25832, DHHN2016)."""

    west: float
    south: float
    step: float
    heights: Array

    def at(self, x: float, y: float) -> float:
        """The height at a place, between the four points around it."""
        rows, columns = self.heights.shape
        column = min(max((x - self.west) / self.step, 0.0), columns - 1.001)
        row = min(max((y - self.south) / self.step, 0.0), rows - 1.001)
        c, r = int(column), int(row)
        u, v = column - c, row - r
        h = self.heights
        return float(
            (h[r, c] * (1 - u) + h[r, c + 1] * u) * (1 - v)
            + (h[r + 1, c] * (1 - u) + h[r + 1, c + 1] * u) * v
        )

    def under(self, points: Array) -> Array:
        """Heights at places (rows of x and y): those of the two triangles between four points that `ground_glb` draws."""
        rows, columns = self.heights.shape
        u = np.clip((points[:, 0] - self.west) / self.step, 0, columns - 1.001)
        v = np.clip((points[:, 1] - self.south) / self.step, 0, rows - 1.001)
        c, r = u.astype(int), v.astype(int)
        u, v = u - c, v - r
        h = self.heights
        low, high = h[r, c], h[r + 1, c + 1]
        corner = np.where(u >= v, h[r, c + 1], h[r + 1, c])
        near, far = np.minimum(u, v), np.maximum(u, v)
        found: Array = low * (1 - far) + corner * (far - near) + high * near
        return found

    def slope(self) -> Slope:
        """This ground for shadows to lie on."""
        east, north = np.diff(self.heights, axis=1), np.diff(self.heights, axis=0)
        steepest = math.hypot(*(float(np.abs(each).max(initial=0.0)) / self.step for each in (east, north)))
        low, high = float(self.heights.min()), float(self.heights.max())
        rows, columns = self.heights.shape
        far = self.west + (columns - 1) * self.step, self.south + (rows - 1) * self.step
        return Slope(self.under, low, high, self.step, steepest, (self.west, self.south, *far), self._horizon)

    def _horizon(self, towards: Array) -> Horizon:
        """For every point of the grid the highest ray of those that touch the ground towards the sun, half a step away and
        more; found for twice as many distances at each turn."""
        flat = math.hypot(towards[0], towards[1])
        along, fall = towards[:2] / flat, float(towards[2]) / flat
        low, high = float(self.heights.min()), float(self.heights.max())
        rows, columns = self.heights.shape
        x, y = np.meshgrid(
            self.west + np.arange(columns) * self.step, self.south + np.arange(rows) * self.step
        )
        nodes = np.column_stack([x.ravel(), y.ravel()])

        def from_afar(rays: Ground, far: float) -> Array:
            there = nodes + far * along
            within = (there >= nodes.min(axis=0)) & (there <= nodes.max(axis=0))
            # Nothing is known of what lies beyond the grid: it hides nothing.
            return np.where(within.all(axis=1), rays.under(there) - far * fall, low - 1).reshape(
                rows, columns
            )

        far = self.step / 2
        rays = replace(self, heights=from_afar(self, far))
        while far < (high - low) / fall:
            rays = replace(self, heights=np.maximum(rays.heights, from_afar(rays, far)))
            far *= 2
        return Horizon(rays.under, lambda: self._hidden(rays.heights - self.heights, towards))

    def _hidden(self, depth: Array, towards: Array) -> BaseGeometry:
        """The ground whose triangles look away from the sun, and of the others the part that lies below the rays: `depth` is
        how far, at each point of the grid."""
        h, (rows, columns) = self.heights, self.heights.shape
        r, c = (each.ravel() for each in np.mgrid[0 : rows - 1, 0 : columns - 1])
        first, last = (r, c), (r + 1, c + 1)
        corners = [np.stack([first, second, last], axis=-1) for second in ((r, c + 1), (r + 1, c))]
        r, c = np.concatenate(corners, axis=1)
        points = np.stack([self.west + c * self.step, self.south + r * self.step, h[r, c]], axis=-1)
        normals = np.cross(points[:, 1] - points[:, 0], points[:, 2] - points[:, 0])
        normals *= np.sign(normals[:, 2:])
        deep = depth[r, c]
        whole = (normals @ towards <= 0) | (deep > 0).all(axis=1)
        cut = ~whole & (deep > 0).any(axis=1)
        flat = points[..., :2]
        pieces = [shapely.coverage_union_all(shapely.polygons(flat[whole]))]
        for is_one in (True, False):
            # The one corner that is unlike the others, and where the edges from it to them cross the edge of the shade.
            some = cut & (((deep > 0).sum(axis=1) == 1) == is_one)
            odd = ((deep[some] > 0) == is_one).argmax(axis=1)
            order = (odd[:, None] + np.arange(3)) % 3
            at = np.take_along_axis(flat[some], order[..., None], axis=1)
            of = np.take_along_axis(deep[some], order, axis=1)
            part = of[:, :1] / (of[:, :1] - of[:, 1:])
            crossing = at[:, :1] + part[..., None] * (at[:, 1:] - at[:, :1])
            rings = [at[:, 0], crossing[:, 0], crossing[:, 1]]
            rings = rings if is_one else [at[:, 1], at[:, 2], crossing[:, 1], crossing[:, 0]]
            pieces += shapely.polygons(np.stack(rings, axis=1)).tolist()
        return shapely.union_all(pieces, grid_size=_MILLIMETRE)


def on_cells(shape: BaseGeometry, ground: Ground) -> BaseGeometry:
    """An area cut along the lines between the points of the ground, so that each piece can be laid on it."""
    if shape.is_empty:
        return shape
    west, south, east, north = shape.bounds
    step = ground.step

    def between(low: float, high: float, start: float) -> list[float]:
        first, last = math.ceil((low - start) / step), math.floor((high - start) / step)
        return [start + step * number for number in range(first, last + 1)]

    lines = [
        *(((x, south - 1), (x, north + 1)) for x in between(west, east, ground.west)),
        *(((west - 1, y), (east + 1, y)) for y in between(south, north, ground.south)),
    ]
    net = shapely.node(shapely.union_all([shape.boundary, *map(shapely.LineString, lines)]))
    pieces = shapely.get_parts(shapely.polygonize([net]))
    shapely.prepare(shape)
    return shapely.multipolygons(pieces[shapely.contains(shape, shapely.point_on_surface(pieces))])


def ground_of(city: City, box: Box, *, step: float = 25.0) -> Ground:
    """The ground between buildings, as far as their own ground heights tell: where no terrain model is given.

    Each point of the grid is the mean of the eight nearest buildings, weighted by the square of their nearness, and
    what remains of steps is smoothed.
    """
    west, south, east, north = box
    columns, rows = math.ceil((east - west) / step) + 1, math.ceil((north - south) / step) + 1
    if not len(city):
        return Ground(west, south, step, np.zeros((rows, columns)))
    middles = shapely.centroid(city.footprints)
    known = np.column_stack([shapely.get_x(middles), shapely.get_y(middles)])
    x, y = west + np.arange(columns) * step, south + np.arange(rows) * step
    heights = np.empty((rows, columns))
    nearest = min(8, len(known))
    for number, northing in enumerate(y):
        away = (known[None, :, 0] - x[:, None]) ** 2 + (known[None, :, 1] - northing) ** 2
        pick = np.argpartition(away, nearest - 1, axis=1)[:, :nearest]
        weight = 1 / (np.take_along_axis(away, pick, axis=1) + step**2)
        heights[number] = (city.ground[pick] * weight).sum(axis=1) / weight.sum(axis=1)
    return Ground(west, south, step, _smoothed(heights))


def ground_in(terrain: Terrain, box: Box, otherwise: Ground) -> Ground:
    """The ground of a scene: the terrain's heights, and those of `otherwise` where it does not reach."""
    west, south, east, north = box
    step = max(_FINEST, terrain.step, math.ceil(math.sqrt((east - west) * (north - south) / _MOST)))
    columns, rows = math.ceil((east - west) / step) + 1, math.ceil((north - south) / step) + 1
    x, y = np.meshgrid(west + np.arange(columns) * step, south + np.arange(rows) * step)
    heights = terrain.at(x.ravel(), y.ravel())
    missing = np.flatnonzero(np.isnan(heights))
    for number in missing.tolist():
        heights[number] = otherwise.at(float(x.ravel()[number]), float(y.ravel()[number]))
    return Ground(west, south, step, heights.reshape(rows, columns))


def _smoothed(heights: Array) -> Array:
    padded = np.pad(heights, 1, mode="edge")
    rows, columns = heights.shape
    total = sum(
        padded[i : i + rows, j : j + columns] * weight
        for (i, j), weight in np.ndenumerate(np.array([[1, 2, 1], [2, 4, 2], [1, 2, 1]]))
    )
    return np.asarray(total) / 16


def _extent(ground: Ground, origin: tuple[float, float, float]) -> list[float]:
    rows, columns = ground.heights.shape
    x, y = (columns - 1) * ground.step / 2, (rows - 1) * ground.step / 2
    low, high = float(ground.heights.min()), float(ground.heights.max())
    return [
        *(ground.west + x - origin[0], ground.south + y - origin[1], (low + high) / 2 - origin[2]),
        *(x, 0, 0, 0, y, 0, 0, 0, max((high - low) / 2, 0.1)),
    ]


def ground_glb(ground: Ground, origin: tuple[float, float, float]) -> bytes:
    """The ground as binary glTF: corners row by row from the south-west, so that they can be read as a grid too.

    Columns and rows are counted in whole steps, heights in centimetres (or more coarsely where they differ by more than
    650 m); the node's scale makes metres of them.
    """
    rows, columns = ground.heights.shape
    middle = round(float(ground.heights.min() + ground.heights.max()) / 2, 2)
    fine = max(_CENTIMETRES, float(np.abs(ground.heights - middle).max()) / 32_000)
    positions: Array = np.zeros((rows * columns, 4), dtype="<i2")
    positions[:, 0] = np.tile(np.arange(columns), rows)
    positions[:, 1] = np.rint((ground.heights.ravel() - middle) / fine)
    positions[:, 2] = -np.repeat(np.arange(rows), columns)
    slope_north, slope_east = np.gradient(ground.heights, ground.step)
    normals = np.stack([-slope_east.ravel(), np.ones(rows * columns), slope_north.ravel()], axis=1)
    normals /= np.linalg.norm(normals, axis=1)[:, None]
    packed = np.zeros((rows * columns, 4), dtype="i1")
    packed[:, :3] = np.rint(normals * 127)
    corner = (np.arange(rows - 1)[:, None] * columns + np.arange(columns - 1)).ravel()
    index = (corner[:, None] + np.array((0, 1, columns + 1, 0, columns + 1, columns))).ravel()
    index = index.astype("<u4" if rows * columns > 65_535 else "<u2")
    buffer = _Buffer()
    views = [
        buffer.add(positions.tobytes(), target=34962, stride=8),
        buffer.add(packed.tobytes(), target=34962, stride=4),
        buffer.add(index.tobytes(), target=34963),
    ]
    document = {
        "asset": {"version": "2.0", "generator": "Digilog"},
        "extensionsUsed": ["KHR_mesh_quantization"],
        "extensionsRequired": ["KHR_mesh_quantization"],
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [
            {
                "name": "ground",
                "mesh": 0,
                "scale": [ground.step, fine, ground.step],
                "translation": [ground.west - origin[0], middle - origin[2], -(ground.south - origin[1])],
                "extras": {"columns": columns},
            }
        ],
        "meshes": [{"primitives": [{"attributes": {"POSITION": 0, "NORMAL": 1}, "indices": 2, "material": 0}]}],
        "materials": [{"name": "ground", "pbrMetallicRoughness": {"baseColorFactor": [0.9, 0.88, 0.82, 1], "metallicFactor": 0}}],
        "accessors": [
            {
                "bufferView": views[0], "componentType": 5122, "count": rows * columns, "type": "VEC3",
                "min": positions[:, :3].min(axis=0).tolist(), "max": positions[:, :3].max(axis=0).tolist(),
            },
            {"bufferView": views[1], "componentType": 5120, "normalized": True, "count": rows * columns, "type": "VEC3"},
            {"bufferView": views[2], "componentType": 5125 if index.itemsize == 4 else 5123, "count": len(index), "type": "SCALAR"},
        ],
    }  # fmt: skip
    return _packed(document, buffer)


def outline(shape: BaseGeometry, origin: tuple[float, float, float]) -> list[list[list[list[float]]]]:
    """The areas of a shape as lists of rings of [east, north] in metres from the origin, to the centimetre."""
    moved = shapely.set_precision(
        shapely.transform(shape, lambda points: points - np.array(origin[:2])), 0.01
    )
    return [
        [np.round(ring.coords, 2).tolist() for ring in (part.exterior, *part.interiors)]
        for part in shapely.get_parts(moved)
        if part.geom_type == "Polygon"
    ]
