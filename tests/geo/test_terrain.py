"""Terrain models: the same heights out of every form, missing ones told, and a ground that a scene stands on."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import shapely

from geo import scene
from geo.city import Volume, city_of
from geo.layers import LayerProblem, LayerRead
from geo.readers import read_layer
from geo.terrain import Terrain, open_terrain, write_terrain
from tests.geo import files
from tests.geo.files import X0, Y0
from tests.geo.test_scene import Glb

Read = Callable[..., tuple[LayerRead, Terrain]]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    def read_bytes(content: bytes | str, name: str, crs: int | None = None) -> tuple[LayerRead, Terrain]:
        path, kept = tmp_path / "delivered", tmp_path / "kept"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        found = read_layer(path, filename=name, crs=crs, model=kept)
        return found, open_terrain(kept)

    return read_bytes


def height(x: float, y: float) -> float:
    return 400 + 0.01 * x + 0.02 * y


@pytest.mark.parametrize(
    ("content", "name", "crs"),
    [
        (files.geotiff(), "dgm.tif", None),
        (files.geotiff(areas=True), "dgm.tiff", None),
        (files.xyz(), "dgm.xyz", 25832),
        (files.xyz(decimal=",", apart=";", header="x;y;z"), "dgm.xyz", 25832),
        (files.archive({"a.xyz": files.xyz(), "lies.md": "x"}), "dgm.zip", 25832),
    ],
    ids=["points", "areas", "blanks", "semicolons", "archive"],
)
def test_the_same_heights_come_out_of_every_form(
    content: bytes | str, name: str, crs: int | None, read: Read
) -> None:
    layer, terrain = read(content, name, crs)
    assert (terrain.west, terrain.south, terrain.step) == pytest.approx((X0, Y0, 10))
    assert terrain.heights.shape == (21, 21)
    x, y = np.array([X0 + 3.0, X0 + 111, X0 + 200]), np.array([Y0 + 4.0, Y0 + 95, Y0])
    assert terrain.at(x, y) == pytest.approx(height(x - X0, y - Y0), abs=1e-3)
    assert np.isnan(terrain.at(np.array([X0 - 6.0]), np.array([Y0])))[0]
    assert layer.report.heights == pytest.approx((400, 406), abs=0.01)
    assert layer.report.crs == "EPSG:25832"
    assert ("grid_step", "10") in layer.report.notes
    if name.startswith("dgm.tif"):
        assert "7837" in layer.report.vertical
        [left] = layer.report.skipped
        assert (left.reason, left.count) == ("unknown_height", 1)
        assert np.isnan(terrain.heights[20, 1])


def test_tiles_and_other_systems_become_one_grid(read: Read) -> None:
    whole = files.xyz().splitlines()
    west = [line for line in whole if float(line.split()[0]) < X0 + 105]
    east = [line for line in whole if float(line.split()[0]) > X0 + 105]
    packed = files.archive({"west.xyz": "\n".join(west), "ost.xyz": "\n".join(east)})
    layer, terrain = read(packed, "dgm.zip", 25832)
    assert not np.isnan(terrain.heights).any()
    assert len(layer.report.layers) == 2

    from pyproj import Transformer

    there = Transformer.from_crs(25832, 31468, always_xy=True)
    east_gk, north_gk = there.transform(X0, Y0)
    moved = [
        f"{round(east_gk) + x * 10} {round(north_gk) + y * 10} {400 + x + y}"
        for y in range(20)
        for x in range(20)
    ]
    _, turned = read("\n".join(moved), "dgm.xyz", 31468)
    x, y = Transformer.from_crs(31468, 25832, always_xy=True).transform(
        round(east_gk) + 55.0, round(north_gk) + 75.0
    )
    assert turned.at(np.array([x]), np.array([y])) == pytest.approx([413.0], abs=0.05)


@pytest.mark.parametrize(
    ("content", "name", "code"),
    [
        (files.xyz(), "dgm.xyz", "missing_crs"),
        (files.geotiff(code=None), "dgm.tif", "missing_crs"),
        ("x y z\n" + "\n".join(f"{X0 + n * 7.3 % 91} {Y0 + n * 3.1 % 87} 400" for n in range(60)), "p.xyz", "no_grid"),
        (files.xyz().replace("401.00", "vierhundert"), "dgm.xyz", "broken"),
        (files.geotiff()[:-30], "dgm.tif", "truncated"),
        ("\n".join(f"{X0 + x * 10} {Y0 + y * 10} -9999" for x in range(3) for y in range(3)), "p.xyz", "nothing_usable"),
        (files.xyz(), "dgm.gpkg", "lying_type"),
    ],
)  # fmt: skip
def test_what_is_no_terrain_is_refused_with_its_reason(
    content: bytes | str, name: str, code: str, read: Read
) -> None:
    crs = None if code == "missing_crs" else 25832
    with pytest.raises(LayerProblem) as problem:
        read(content, name, crs)
    assert problem.value.code == code


def test_a_terrain_carries_the_scene_and_is_a_tile_of_it(tmp_path: Path) -> None:
    x, y = np.meshgrid(np.arange(0, 101.0), np.arange(0, 101.0))
    hill = 400 + 0.1 * x + 8 * np.exp(-((x - 50) ** 2 + (y - 50) ** 2) / 200)
    write_terrain(Terrain(X0, Y0, 1.0, hill), tmp_path / "hill")
    city = city_of([Volume("a", shapely.box(X0 + 120, Y0, X0 + 130, Y0 + 10), 410, 420)])
    box = (X0, Y0, X0 + 140, Y0 + 100)
    ground = scene.ground_in(open_terrain(tmp_path / "hill"), box, scene.ground_of(city, box))
    assert ground.step == 2
    assert ground.at(X0 + 50, Y0 + 50) == pytest.approx(413, abs=0.01)
    assert ground.at(X0 + 135, Y0 + 50) == pytest.approx(
        410, abs=0.01
    )  # beyond the terrain: as buildings tell
    origin = (X0 + 70, Y0 + 50, 400.0)
    glb = Glb(scene.ground_glb(ground, origin))
    [node] = glb.document["nodes"]
    corners = glb.accessor(0) * np.array(node["scale"]) + np.array(node["translation"])
    heights = corners[:, 1].reshape(ground.heights.shape) + 400
    assert heights == pytest.approx(ground.heights, abs=0.006)
    assert corners[0] == pytest.approx([-70, ground.heights[0, 0] - 400, 50], abs=0.01)
    triangles = corners[glb.accessor(2).ravel()].reshape(-1, 3, 3)
    up = np.cross(triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0])[:, 1]
    assert (up > 0).all()
    assert up.sum() / 2 == pytest.approx(140 * 100)
    told = scene.tileset(scene.squares(city), origin, ground)
    assert b'"uri":"ground.glb"' in told
