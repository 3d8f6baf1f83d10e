"""Planned buildings as glTF: placed on the map, told as buildings, and refused where they are more than shapes."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shapely

from geo.city import GROUND, ROOF, WALL, read_city
from geo.layers import LayerProblem, LayerRead
from geo.readers.apart import read_apart
from geo.readers.citymodel import read_buildings, read_surfaces
from geo.readers.gltf import Placement
from tests.geo import files
from tests.geo.files import X0, Y0

HERE = Placement(X0, Y0, 490.0, storeys=3)
BOX = files.box_mesh(20, 9, 10)


def read(folder: Path, content: bytes, placement: Placement | None = HERE, name: str = "neubau.glb") -> Any:
    path, model = folder / "delivered", folder / "model.gpkg"
    path.write_bytes(content)
    read_apart(path, filename=name, model=model, placement=placement)
    return read_city(model)


def test_a_box_stands_where_and_as_it_was_placed(tmp_path: Path) -> None:
    city = read(tmp_path, files.gltf(*BOX))
    assert (len(city), city.labels, city.storeys.tolist()) == (1, ["Turm"], [3])
    assert (float(city.ground[0]), float(city.top[0])) == (490, 499)
    # x is east, z is south.
    assert city.footprints[0].equals_exact(
        shapely.MultiPolygon([shapely.box(X0, Y0 - 10, X0 + 20, Y0)]), 0.01, normalize=True
    )
    assert {kind: int((city.kind == kind).sum()) for kind in (ROOF, WALL, GROUND)} == {
        ROOF: 2,
        WALL: 8,
        GROUND: 2,
    }
    # A quarter of a turn clockwise: what looked east looks south.
    turned = read(tmp_path, files.gltf(*BOX), Placement(X0, Y0, 490, turn=90, unit=2))
    assert turned.footprints[0].bounds == pytest.approx((X0 - 20, Y0 - 40, X0, Y0), abs=0.01)
    assert float(turned.top[0]) == 508


def test_nodes_are_moved_and_each_mesh_is_a_building(tmp_path: Path) -> None:
    node = {
        "translation": [100, 2, 0],
        "children": [1],
        "rotation": [0, 2**-0.5, 0, 2**-0.5],
        "scale": [1, 2, 1],
    }
    document = {
        "nodes": [
            {"name": "A", "mesh": 0, **node},
            {"name": "B", "mesh": 0, "matrix": [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 50, 0, 0, 1]},
        ]
    }
    city = read(tmp_path, files.gltf(*BOX, **document))
    assert city.labels == ["A", "B"]
    assert city.top - city.ground == pytest.approx([18, 18])
    assert float(city.ground[0]) == 492
    # Turned a quarter about y: x points to the north (away from the viewer).
    assert city.footprints[0].bounds == pytest.approx((X0 + 100, Y0, X0 + 110, Y0 + 20), abs=0.01)
    assert city.footprints[1].bounds == pytest.approx((X0 + 100, Y0 + 50, X0 + 110, Y0 + 70), abs=0.01)


def torus(large: float, small: float, around: int = 24, across: int = 12) -> tuple[Any, Any]:
    """A ring that lies flat, of triangles that look outwards: closed, not convex, with a hole."""
    u, v = np.meshgrid(
        np.arange(around) * 2 * np.pi / around, np.arange(across) * 2 * np.pi / across, indexing="ij"
    )
    far = large + small * np.cos(v)
    corners = np.stack([far * np.cos(u), small * np.sin(v) + small, -far * np.sin(u)], axis=-1).reshape(-1, 3)
    at = np.arange(around * across).reshape(around, across)
    ahead, up, both = np.roll(at, -1, 0), np.roll(at, -1, 1), np.roll(at, (-1, -1), (0, 1))
    return corners, np.concatenate([np.stack([at, ahead, both], -1), np.stack([at, both, up], -1)]).reshape(
        -1, 3
    )


def test_areas_and_volumes_are_those_of_the_raw_file_by_another_computation(tmp_path: Path) -> None:
    """A ring, a box, and both moved, turned, stretched and mirrored by their nodes: by triangles and tetrahedra from the raw
    octets (float32: six digits), in the metres of the file. A ring with a triangle missing has an area and no volume."""
    turn = [0.5, 0.5, 0.5, 0.5]
    nodes: list[dict[str, Any]] = [
        {"name": "plain", "mesh": 0},
        {"name": "stretched", "mesh": 0, "translation": [60, 5, 0], "rotation": turn, "scale": [1, 2, 0.5]},
        {"name": "mirrored", "mesh": 0, "translation": [0, 0, 60], "scale": [-1, 1, 1]},
    ]
    for corners, triangles in (torus(12, 4), (np.array(BOX[0]), np.array(BOX[1]))):
        more: dict[str, Any] = {"nodes": nodes, "scenes": [{"nodes": [0, 1, 2]}]}
        content = files.gltf(corners, triangles, **more)
        path, model = tmp_path / "delivered", tmp_path / "model.gpkg"
        path.write_bytes(content)
        read_apart(path, filename="neubau.glb", model=model, placement=HERE)
        rows = read_buildings(model).set_index("name")
        areas = read_surfaces(model).groupby("building")["area"].sum()
        document = json.loads(content[20 : 20 + int.from_bytes(content[12:16], "little")])
        octets = content[28 + int.from_bytes(content[12:16], "little") :]
        first, second = document["bufferViews"]
        raw = (
            np.frombuffer(octets, "<f4", first["byteLength"] // 4, first["byteOffset"])
            .reshape(-1, 3)
            .astype(float)
        )
        of = np.frombuffer(octets, "<u2", 3 * len(triangles), second["byteOffset"]).reshape(-1, 3)
        for node in nodes:
            # A third of a turn about (1, 1, 1) sends x to y, y to z and z to x.
            scaled = raw * np.array(node.get("scale", [1, 1, 1]))
            a, b, c = (scaled[:, [2, 0, 1]] if "rotation" in node else scaled)[of].transpose(1, 0, 2)
            row = rows.loc[str(node["name"])]
            assert areas[row["id"]] == pytest.approx(
                np.linalg.norm(np.cross(b - a, c - a), axis=1).sum() / 2, rel=1e-5
            )
            assert row["volume"] == pytest.approx(abs(np.einsum("ij,ij->", a, np.cross(b, c))) / 6, rel=1e-5)
    assert rows.loc["plain"]["volume"] == pytest.approx(20 * 9 * 10)
    corners, triangles = torus(12, 4)
    path.write_bytes(files.gltf(corners, triangles[1:]))
    read_apart(path, filename="neubau.glb", model=model, placement=HERE)
    assert np.isnan(read_buildings(model).volume.iloc[0])


def hostile() -> dict[str, tuple[str, bytes]]:
    whole = files.gltf(*BOX)
    loop = [{"mesh": 0, "children": [1]}, {"children": [0]}]
    view = {"buffer": 0, "byteOffset": 0, "byteLength": 1 << 30}
    many = {"bufferView": 0, "componentType": 5126, "count": 2_000_000_000, "type": "VEC3"}
    far = np.array(BOX[0]) * 1e30
    deep = b'{"asset":{"version":"2.0"},"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    index = {"bufferView": 1, "componentType": 5123, "count": 36, "type": "SCALAR"}
    return {
        "elsewhere": ("lies_elsewhere", files.gltf(*BOX, buffers=[{"byteLength": 9, "uri": "https://evil.example/b.bin"}])),
        "a file": ("lies_elsewhere", files.gltf(*BOX, buffers=[{"byteLength": 9, "uri": "../../etc/passwd"}])),
        "compressed": ("needs_extension", files.gltf(*BOX, extensionsRequired=["KHR_draco_mesh_compression"])),
        "cut short": ("truncated", whole[:-50]),
        "a lying view": ("truncated", files.gltf(*BOX, bufferViews=[view, view])),
        "a lying count": ("too_many_vertices", files.gltf(*BOX, accessors=[many, index])),
        "a loop": ("broken", files.gltf(*BOX, nodes=loop)),
        "deep": ("broken", deep),
        "beyond its corners": ("broken", files.gltf(BOX[0], [[0, 1, 99]])),
        "no triangles": ("no_buildings", files.gltf(*BOX, meshes=[{"primitives": [{"mode": 1, "attributes": {"POSITION": 0}}]}])),
        "too many": ("too_many_vertices", files.gltf(BOX[0], BOX[1] * 5001)),
        "not finite": ("nothing_usable", files.gltf(far, BOX[1])),
        "3 km high": ("nothing_usable", files.gltf(*files.box_mesh(10, 3000, 10))),
        "numbers as words": ("broken", files.gltf(*BOX, nodes=[{"mesh": 0, "translation": ["a", 0, 0]}])),
        "a version": ("broken", whole.replace(b'"version": "2.0"', b'"version": "1.0"')),
    }  # fmt: skip


def test_hostile_files_are_refused_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In this process: what the child does is the same, and starting it fifteen times takes long."""
    from geo.readers.apart import read_here

    found = {}
    for name, (_code, content) in hostile().items():
        path = tmp_path / "delivered"
        path.write_bytes(content)
        try:
            read_here(path, filename="neubau.glb", model=tmp_path / "model.gpkg", placement=HERE)
            found[name] = "read"
        except LayerProblem as problem:
            found[name] = problem.code
        assert not (tmp_path / "model.gpkg").exists()
    assert found == {name: code for name, (code, _content) in hostile().items()}


def test_text_with_its_octets_within_is_read_too_and_a_layer_it_is_not(tmp_path: Path) -> None:
    import base64

    whole = files.gltf(*BOX)
    size = int.from_bytes(whole[12:16], "little")
    document = json.loads(whole[20 : 20 + size])
    octets = base64.b64encode(whole[28 + size :]).decode()
    document["buffers"][0]["uri"] = f"data:application/octet-stream;base64,{octets}"
    city = read(tmp_path, json.dumps(document).encode(), name="neubau.gltf")
    assert float(city.top[0]) == 499
    with pytest.raises(LayerProblem) as problem:
        read(tmp_path, whole, None)
    assert problem.value.code == "unknown_format"


def test_a_layer_read_says_what_it_was(tmp_path: Path) -> None:
    path = tmp_path / "delivered"
    path.write_bytes(files.gltf(*BOX))
    from geo.layers import Limits
    from geo.readers.archive import look
    from geo.readers.gltf import read_gltf

    layer: LayerRead = read_gltf(look(path, "a.glb", Limits()), HERE, tmp_path / "model.gpkg")
    assert (layer.report.format, layer.report.features, layer.report.heights) == ("glTF", 1, (490, 499))
