"""3D Tiles of our own making, read again as the standards have it."""

import gzip
import json
import struct
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import shapely

from geo import scene
from geo.city import CLOSURE, GROUND, Volume, city_of
from geo.shadows import area_vectors
from tests.geo.cities import EAST, NORTH, town

ORIGIN = (EAST, NORTH, 490.0)
_TYPES = {5120: "i1", 5121: "u1", 5122: "<i2", 5123: "<u2", 5125: "<u4", 5126: "<f4"}


class Glb:
    """A binary glTF file, as somebody who knows only the standard reads it."""

    def __init__(self, content: bytes) -> None:
        magic, version, total = struct.unpack_from("<4sII", content)
        assert (magic, version, total) == (b"glTF", 2, len(content))
        length, kind = struct.unpack_from("<I4s", content, 12)
        assert kind == b"JSON"
        self.document: dict[str, Any] = json.loads(content[20 : 20 + length])
        size, kind = struct.unpack_from("<I4s", content, 20 + length)
        assert kind == b"BIN\0"
        self.binary = content[28 + length :]
        assert size == len(self.binary) == self.document["buffers"][0]["byteLength"]

    def accessor(self, number: int) -> np.ndarray:
        accessor = self.document["accessors"][number]
        view = self.document["bufferViews"][accessor["bufferView"]]
        wide = {"SCALAR": 1, "VEC3": 3}[accessor["type"]]
        kind = np.dtype(_TYPES[accessor["componentType"]])
        stride = view.get("byteStride", wide * kind.itemsize)
        assert view["byteOffset"] % 4 == 0
        start = view["byteOffset"] + accessor.get("byteOffset", 0)
        return np.ndarray((accessor["count"], wide), kind, self.binary, start, (stride, kind.itemsize))

    def strings(self, name: str) -> list[str]:
        table = self.document["extensions"]["EXT_structural_metadata"]["propertyTables"][0]
        views = self.document["bufferViews"]
        named = table["properties"][name]
        at = views[named["stringOffsets"]]
        offsets = np.frombuffer(self.binary, "<u4", table["count"] + 1, at["byteOffset"])
        start = views[named["values"]]["byteOffset"]
        return [self.binary[start + a : start + b].decode() for a, b in pairwise(offsets.tolist())]


def test_every_surface_becomes_triangles_of_the_same_area() -> None:
    city = town(10, 10)
    mesh = scene.triangles(city)
    seen = (city.kind != GROUND) & (city.kind != CLOSURE)
    area = float(np.linalg.norm(area_vectors(city.faces[seen]), axis=1).sum())
    assert mesh.area == pytest.approx(area, rel=1e-6)
    assert mesh.left_out == 0
    with_holes = city_of([Volume("court", shapely.box(0, 0, 30, 30) - shapely.box(8, 9, 20, 22), 0, 12)])
    assert scene.triangles(with_holes).area == pytest.approx(4 * 30 * 12 + 2 * (12 + 13) * 12 + 900 - 156)


def test_a_tile_is_valid_gltf_with_its_buildings_as_features() -> None:
    city = town(10, 10)
    glb = Glb(scene.glb(city, ORIGIN))
    primitives = glb.document["meshes"][0]["primitives"]
    assert [glb.document["materials"][each["material"]]["name"] for each in primitives] == ["roof", "wall"]
    node = glb.document["nodes"][0]
    positions = glb.accessor(0) * node["scale"][0] + np.array(node["translation"])
    east, up, south = positions.T
    west, low, _, _ = shapely.total_bounds(city.footprints)
    assert east.min() == pytest.approx(west - EAST, abs=0.01)
    assert -south.max() == pytest.approx(low - NORTH, abs=0.01)
    assert up.max() == pytest.approx(city.top.max() - 490, abs=0.01)
    extremes = glb.document["accessors"][0]
    assert (glb.accessor(0).min(0).tolist(), glb.accessor(0).max(0).tolist()) == (
        extremes["min"],
        extremes["max"],
    )
    total = 0.0
    for primitive in primitives:
        a, b, c = (
            positions[glb.accessor(primitive["indices"]).reshape(-1, 3)[:, corner]] for corner in range(3)
        )
        turn = np.cross(b - a, c - a)
        total += float(np.linalg.norm(turn, axis=1).sum()) / 2
        normal = glb.accessor(1)[glb.accessor(primitive["indices"]).reshape(-1, 3)[:, 0]]
        sizeable = np.linalg.norm(turn, axis=1) > 0.1
        assert (np.einsum("ij,ij->i", turn, normal)[sizeable] > 0).all()  # the outside looks outside
    assert total == pytest.approx(scene.triangles(city).area, rel=1e-3)  # whole centimetres
    assert glb.strings("id") == city.ids.tolist()
    assert glb.strings("label")[7] == "Färbergasse 8"
    features = glb.accessor(2).ravel()
    assert set(features.tolist()) == set(range(100))
    of_seven = positions[features == 7]
    assert of_seven[:, 0].max() + EAST == pytest.approx(shapely.bounds(city.footprints[7])[2], abs=0.01)
    assert len(gzip.compress(scene.glb(town(25, 25), ORIGIN), 6)) / 625 < 260


def test_the_tileset_names_each_building_once() -> None:
    city = town(30, 3)
    tiles = scene.squares(city)
    assert len(tiles) == 2
    assert sum(each.count for each in tiles) == 90
    assert sum(len(scene.in_square(city, each.column, each.row)) for each in tiles) == len(city)
    whole = json.loads(scene.tileset(tiles, ORIGIN))
    assert whole["asset"]["version"] == "1.1"
    assert [each["content"]["uri"] for each in whole["root"]["children"]] == [
        f"{each.name}.glb" for each in tiles
    ]
    box = whole["root"]["boundingVolume"]["box"]
    assert box[0] - box[3] < -10 < 740 < box[0] + box[3]


def test_the_ground_between_buildings_follows_theirs() -> None:
    city = town(20, 20)  # on a slope of 2 %
    ground = scene.ground_of(city, (EAST, NORTH, EAST + 475, NORTH + 475))
    for east in (50, 250, 430):
        assert ground.at(EAST + east, NORTH + 240) == pytest.approx(490 + 0.02 * east, abs=0.4)
    empty = scene.ground_of(city.chosen(np.zeros(len(city), dtype=bool)), (0, 0, 100, 100))
    assert empty.at(50, 50) == 0
