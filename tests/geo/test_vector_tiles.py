"""Vector tiles of our own making: the same features as GDAL's, cut at the edge, turned the right way, small."""

import math
from pathlib import Path
from random import Random

import geopandas
import mapbox_vector_tile
import pyogrio
import pytest
import shapely
import shapely.affinity

from geo.geometry import degrees_of, tile_of
from geo.layers import write_normalised
from geo.vector_tiles import EXTENT, vector_tile

X0, Y0 = 640_000.0, 5_360_000.0


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> geopandas.GeoDataFrame:
    """Houses with yards, some of two parts, all over four square kilometres."""
    random = Random(3)
    shapes = []
    for number in range(1500):
        x, y, width = X0 + random.uniform(0, 2000), Y0 + random.uniform(0, 2000), random.uniform(8, 60)
        house: shapely.Geometry = shapely.box(x, y, x + width, y + width / 2)
        if number % 5 == 0:
            house = house.difference(shapely.box(x + 3, y + 3, x + width / 2, y + width / 2 - 1))
        if number % 7 == 0:
            house = shapely.union(house, shapely.box(x, y + width, x + 9, y + width + 9))
        shapes.append(house)
    return geopandas.GeoDataFrame(
        {"nr": [f"Nr. {n}" for n in range(1500)], "storeys": [n % 9 for n in range(1500)], "height": [n / 7 for n in range(1500)]},
        geometry=shapes,
        crs=25832,
    )  # fmt: skip


@pytest.fixture(scope="module")
def path(town: geopandas.GeoDataFrame, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tiles") / "town.fgb"
    write_normalised(town, path)
    return path


def middle(zoom: int) -> tuple[int, int]:
    return tile_of(*degrees_of(X0 + 1000, Y0 + 1000), zoom)


def decoded(tile: bytes, name: str = "houses") -> dict[str, tuple[shapely.Geometry, dict[str, object]]]:
    found = mapbox_vector_tile.decode(tile, default_options={"y_coord_down": True})
    layer = found[name]
    assert layer["extent"] == EXTENT
    return {
        str(feature["properties"]["nr"]): (shapely.geometry.shape(feature["geometry"]), feature["properties"])
        for feature in layer["features"]
    }


@pytest.mark.parametrize("zoom", [14, 16])
def test_the_features_are_those_of_gdals_tile(
    town: geopandas.GeoDataFrame, path: Path, tmp_path: Path, zoom: int
) -> None:
    x, y = middle(zoom)
    pyogrio.write_dataframe(
        town.to_crs(3857), tmp_path / "gdal", driver="MVT", layer="houses", FORMAT="DIRECTORY", COMPRESS="NO",
        MINZOOM=zoom, MAXZOOM=zoom, EXTENT=EXTENT, BUFFER=80, MAX_SIZE=5_000_000, MAX_FEATURES=100_000,
    )  # fmt: skip
    theirs = decoded((tmp_path / "gdal" / str(zoom) / str(x) / f"{y}.pbf").read_bytes())
    ours = decoded(vector_tile(path, zoom, x, y, name="houses", columns=("nr", "storeys", "height")))
    assert len(ours) > 20
    # A speck may vanish at the edge or by rounding in one and not in the other.
    only = {name for name in ours.keys() ^ theirs.keys() if (ours.get(name) or theirs[name])[0].area > 40}
    assert only == set()
    both = ours.keys() & theirs.keys()
    assert len(both) >= 0.98 * len(theirs)
    shared = sum(shapely.intersection(ours[n][0].buffer(0), theirs[n][0].buffer(0)).area for n in both)
    together = sum(shapely.union(ours[n][0].buffer(0), theirs[n][0].buffer(0)).area for n in both)
    assert shared / together > 0.99
    for name in both:
        assert ours[name][1] == theirs[name][1]


def test_rings_run_the_right_way_and_nothing_reaches_far_over_the_edge(path: Path) -> None:
    x, y = middle(16)
    found = mapbox_vector_tile.decode(
        vector_tile(path, 16, x, y, name="houses", columns=("nr",)), default_options={"y_coord_down": True}
    )["houses"]["features"]
    holes = 0
    for feature in found:
        shape = shapely.geometry.shape(feature["geometry"])
        assert shape.bounds[0] >= -81
        assert shape.bounds[2] <= EXTENT + 81
        for polygon in getattr(shape, "geoms", (shape,)):
            holes += len(polygon.interiors)
            # With y downwards the outer ring runs clockwise to the eye: positive by the surveyor's formula.
            assert polygon.exterior.is_ccw
            assert not any(ring.is_ccw for ring in polygon.interiors)
    assert holes > 3


def test_points_lines_and_scripts_arrive_as_they_are(tmp_path: Path) -> None:
    frame = geopandas.GeoDataFrame(
        {"nr": ["Baum", "<script>alert(1)</script>", "Weg", None], "on": [True, False, True, False], "n": [1, -5, 300, 2**33]},
        geometry=[
            shapely.Point(X0, Y0),
            shapely.MultiPoint([(X0 + 5, Y0), (X0 + 9, Y0 + 4)]),
            shapely.LineString([(X0 - 90_000, Y0), (X0 + 50, Y0 + 10), (X0 + 90_000, Y0)]),
            shapely.LineString([(X0, Y0), (X0 + 0.001, Y0)]),
        ],
        crs=25832,
    )  # fmt: skip
    path = tmp_path / "mixed.fgb"
    write_normalised(frame, path)
    x, y = tile_of(*degrees_of(X0, Y0), 16)
    layer = mapbox_vector_tile.decode(
        vector_tile(path, 16, x, y, name="a", columns=("nr", "on", "n", "missing"))
    )["a"]
    found = {feature["properties"]["nr"]: feature for feature in layer["features"]}
    assert set(found) == {"Baum", "<script>alert(1)</script>", "Weg"}  # the tiny line is less than a point
    assert found["Weg"]["geometry"]["type"] == "LineString"
    assert found["<script>alert(1)</script>"]["properties"] == {
        "nr": "<script>alert(1)</script>",
        "on": False,
        "n": -5,
    }
    assert found["<script>alert(1)</script>"]["geometry"]["type"] == "MultiPoint"
    line = shapely.geometry.shape(found["Weg"]["geometry"])
    assert math.isclose(line.bounds[0], -80)
    assert math.isclose(line.bounds[2], EXTENT + 80)


def test_what_is_less_than_a_unit_goes_and_what_is_left_stays_a_ring(tmp_path: Path) -> None:
    def house(*more: tuple[float, float], yard: float = 0) -> shapely.Polygon:
        # One point more within a millimetre of the first, of others, and of the last.
        ring = [
            (0.0, 0.0),
            (0.001, 0.0),
            (20.0, 0.0),
            *more,
            (20.0, 10.0),
            (0.0, 10.0),
            (0.0, 0.001),
            (0.0, 0.0),
        ]
        hole = [(4, 4), (4, 4 + yard), (4 + yard, 4)] if yard else None
        return shapely.affinity.translate(shapely.Polygon(ring, [hole] if hole else None), X0, Y0)

    shapes = [
        house(), house((20.0, 0.001)).reverse(), house(yard=0.001), house(yard=4),
        shapely.MultiPolygon([house(), shapely.box(X0 + 30, Y0, X0 + 30.001, Y0 + 0.001)]),
        shapely.box(X0, Y0, X0 + 0.001, Y0 + 0.001),
    ]  # fmt: skip
    path = tmp_path / "houses.fgb"
    write_normalised(geopandas.GeoDataFrame({"nr": range(6)}, geometry=shapes, crs=25832), path)
    found = decoded(vector_tile(path, 16, *tile_of(*degrees_of(X0, Y0), 16), name="houses", columns=("nr",)))
    rings = {
        name: [
            len(ring.coords) - 1
            for polygon in getattr(shape, "geoms", (shape,))
            for ring in (polygon.exterior, *polygon.interiors)
        ]
        for name, (shape, _) in found.items()
    }
    assert rings == {"0": [4], "1": [4], "2": [4], "3": [4, 3], "4": [4]}
    assert all(shape.is_valid for shape, _ in found.values())


def test_thousands_in_one_tile_are_all_there_and_nothing_is_said_of_what_is_missing(tmp_path: Path) -> None:
    count = 4200
    frame = geopandas.GeoDataFrame(
        {"nr": range(count), "height": [n / 7 if n % 3 else math.nan for n in range(count)]},
        geometry=[shapely.Point(X0 + n % 70, Y0 + n // 70) for n in range(count)],
        crs=25832,
    )
    path = tmp_path / "trees.fgb"
    write_normalised(frame, path)
    found = decoded(
        vector_tile(path, 14, *tile_of(*degrees_of(X0, Y0), 14), name="houses", columns=("nr", "height"))
    )
    assert len(found) == count
    for name, (_, said) in found.items():
        number = int(name)
        assert said == {"nr": number, **({"height": number / 7} if number % 3 else {})}


def test_where_nothing_is_there_is_nothing(path: Path) -> None:
    assert vector_tile(path, 16, 0, 0, name="houses") == b""
    with pytest.raises(ValueError, match="no tile 3/8/0"):
        vector_tile(path, 3, 8, 0, name="houses")
