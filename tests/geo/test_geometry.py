"""Coordinates, cells, and what people hand in as a place."""

import json
import math
import random
import subprocess
import sys
from typing import Any

import pytest
import shapely
from hypothesis import example, given
from hypothesis import strategies as st
from pyproj import Geod, Transformer

from geo import geometry as geo

TO_METRES = Transformer.from_crs(4326, 25832, always_xy=True)
TO_DEGREES = Transformer.from_crs(25832, 4326, always_xy=True)

longitudes = st.floats(5.8, 15.1)
latitudes = st.floats(47.2, 55.1)
anywhere = st.tuples(st.floats(-180, 180), st.floats(-90, 90))

SQUARE = [[10.9, 48.36], [10.902, 48.36], [10.902, 48.362], [10.9, 48.362], [10.9, 48.36]]
EIGHT = [[10.9, 48.36], [10.902, 48.362], [10.902, 48.36], [10.9, 48.362], [10.9, 48.36]]


def code_of(source: Any, **options: int) -> str:
    with pytest.raises(geo.GeometryProblem) as problem:
        geo.read_geojson_geometry(source, **options)
    return problem.value.code


# --- the projection ---


@given(longitudes, latitudes)
@example(9.0, 51.0)
@example(15.1, 55.1)
@example(5.8, 47.2)
def test_own_projection_agrees_with_proj_below_a_tenth_of_a_millimetre(lon: float, lat: float) -> None:
    x, y = geo.metres_of(lon, lat)
    assert (x, y) == pytest.approx(TO_METRES.transform(lon, lat), abs=1e-4)
    assert geo.degrees_of(x, y) == pytest.approx(TO_DEGREES.transform(x, y), abs=1e-9)
    assert geo.degrees_of(x, y) == pytest.approx((lon, lat), abs=1e-10)


def test_a_known_trigonometric_point() -> None:
    # Easting and northing on the central meridian are exact by definition.
    assert geo.metres_of(9.0, 0.0) == pytest.approx((500_000.0, 0.0), abs=1e-9)
    assert geo.metres_of(9.0, 50.0)[0] == pytest.approx(500_000.0, abs=1e-9)


def test_transforming_shapely_geometries_keeps_longitude_first() -> None:
    point = geo.to_metres(shapely.Point(10.9, 48.37))
    assert 630_000 < point.x < 650_000
    assert 5_350_000 < point.y < 5_370_000
    back = geo.to_degrees(point)
    assert (back.x, back.y) == pytest.approx((10.9, 48.37), abs=1e-9)


# --- cells ---


@given(anywhere, st.integers(0, 24))
def test_a_point_lies_in_the_range_of_exactly_its_own_tile(place: tuple[float, float], zoom: int) -> None:
    key = geo.cell(*place)
    assert 0 <= key < 2**48
    x, y = geo.tile_of(*place, zoom)
    lo, hi = geo.cell_range(zoom, x, y)
    assert lo <= key < hi
    assert geo.tile_of_prefix(geo.prefix(key, zoom)) == (x, y)
    for dx, dy in ((1, 0), (0, 1), (-1, 0), (0, -1)):
        if 0 <= x + dx < 1 << zoom and 0 <= y + dy < 1 << zoom:
            lo, hi = geo.cell_range(zoom, x + dx, y + dy)
            assert not lo <= key < hi


@given(st.integers(0, 2**24 - 1), st.integers(0, 2**24 - 1))
def test_cells_are_the_interleaved_bits_of_column_and_row(x: int, y: int) -> None:
    expected = sum((x >> i & 1) << 2 * i | (y >> i & 1) << 2 * i + 1 for i in range(24))
    assert geo.cell_range(24, x, y) == (expected, expected + 1)
    assert geo.tile_of_prefix(expected) == (x, y)
    assert geo.cell(*geo.cell_centre(expected)) == expected


def test_tile_ranges_select_the_same_points_as_comparing_coordinates() -> None:
    rng = random.Random(2)
    points = [(rng.uniform(10.85, 10.95), rng.uniform(48.33, 48.40)) for _ in range(3000)]
    for zoom in (10, 13, 15, 17):
        x, y = geo.tile_of(10.9, 48.365, zoom)
        west, south, east, north = geo.tile_bounds(zoom, x, y)
        lo, hi = geo.cell_range(zoom, x, y)
        by_key = {p for p in points if lo <= geo.cell(*p) < hi}
        by_coordinates = {p for p in points if west <= p[0] < east and south < p[1] <= north}
        assert by_key == by_coordinates
        assert zoom > 15 or by_key


@given(anywhere, anywhere, anywhere, st.integers(1, 40))
def test_covering_ranges_hold_every_point_of_the_box(
    one: tuple[float, float], two: tuple[float, float], point: tuple[float, float], limit: int
) -> None:
    west, east = sorted((one[0], two[0]))
    south, north = sorted((one[1], two[1]))
    ranges = geo.covering_ranges(west, south, east, north, limit=limit)
    assert 1 <= len(ranges) <= limit
    assert ranges == sorted(ranges)
    inside = min(max(point[0], west), east), min(max(point[1], south), north)
    assert any(lo <= geo.cell(*inside) < hi for lo, hi in ranges)


def test_covering_ranges_are_tight_around_a_small_box() -> None:
    ranges = geo.covering_ranges(10.9, 48.36, 10.901, 48.361)
    covered = sum(hi - lo for lo, hi in ranges)
    left, top = geo.tile_of(10.9, 48.361, 24)
    right, bottom = geo.tile_of(10.901, 48.36, 24)
    assert covered < 4 * (right - left + 1) * (bottom - top + 1)


@pytest.mark.parametrize("tile", [(25, 0, 0), (-1, 0, 0), (3, 8, 0), (3, 0, -1)])
def test_tiles_that_do_not_exist_have_no_range(tile: tuple[int, int, int]) -> None:
    with pytest.raises(ValueError, match="no tile"):
        geo.cell_range(*tile)


# --- handing in a place ---


def test_a_point_carries_everything_to_be_stored() -> None:
    located = geo.read_geojson_geometry('{"type":"Point","coordinates":[10.898,48.371, 489.0]}')
    assert located == geo.from_lonlat(10.898, 48.371)
    stored = shapely.from_wkb(located.wkb)
    assert (stored.x, stored.y) == pytest.approx(TO_METRES.transform(10.898, 48.371), abs=1e-4)
    assert (located.min_x, located.max_y) == (stored.x, stored.y)
    assert located.cell == geo.cell(10.898, 48.371)
    assert geo.wkb_to_geojson(located.wkb) == {"type": "Point", "coordinates": [10.898, 48.371]}


def test_an_area_is_stored_in_metres_with_a_point_inside() -> None:
    feature = {"type": "Feature", "properties": {}, "geometry": {"type": "Polygon", "coordinates": [SQUARE]}}
    located = geo.read_geojson_geometry(json.dumps(feature))
    assert located.kind == "area"
    stored = shapely.from_wkb(located.wkb)
    assert stored.bounds == (located.min_x, located.min_y, located.max_x, located.max_y)
    assert stored.contains(shapely.Point(geo.metres_of(located.lon, located.lat)))
    back = geo.wkb_to_geojson(located.wkb)
    assert back["type"] == "Polygon"
    assert shapely.equals_exact(
        shapely.from_geojson(json.dumps(back)), shapely.Polygon(SQUARE), 1e-7, normalize=True
    )
    open_ring = {"type": "Polygon", "coordinates": [SQUARE[:-1]]}
    assert geo.read_geojson_geometry(open_ring).wkb == located.wkb


def test_a_line_is_placed_at_its_middle() -> None:
    located = geo.read_geojson_geometry(
        {"type": "LineString", "coordinates": [[10.9, 48.36], [10.902, 48.36]]}
    )
    assert located.kind == "line"
    assert (located.lon, located.lat) == pytest.approx((10.901, 48.36), abs=1e-6)
    assert geo.area_on_ground(located.wkb) == 0


def test_several_areas_count_as_one_place() -> None:
    other = [[lon + 0.01, lat] for lon, lat in SQUARE]
    located = geo.read_geojson_geometry({"type": "MultiPolygon", "coordinates": [[SQUARE], [other]]})
    assert located.kind == "area"
    assert shapely.from_wkb(located.wkb).geom_type == "MultiPolygon"
    single = geo.read_geojson_geometry({"type": "MultiPolygon", "coordinates": [[SQUARE]]})
    assert shapely.from_wkb(single.wkb).geom_type == "Polygon"


@given(longitudes, latitudes, st.floats(0.001, 0.02))
def test_lengths_and_areas_are_those_on_the_ground(lon: float, lat: float, size: float) -> None:
    lon, lat = min(lon, 15.07), min(lat, 55.07)
    ring = [[lon, lat], [lon + size, lat], [lon + size, lat + size], [lon, lat + size], [lon, lat]]
    located = geo.read_geojson_geometry({"type": "Polygon", "coordinates": [ring]})
    area, length = Geod(ellps="GRS80").geometry_area_perimeter(shapely.Polygon(ring))
    assert geo.area_on_ground(located.wkb) == pytest.approx(abs(area), rel=3e-5)
    assert geo.length_on_ground(located.wkb) == pytest.approx(length, rel=2e-5)


@pytest.mark.parametrize(
    ("source", "code"),
    [
        ("", "empty"),
        ("   ", "empty"),
        ("null", "not_geojson"),
        ("[10.9, 48.4]", "not_geojson"),
        ("{", "not_geojson"),
        ("[" * 100_000, "not_geojson"),
        ('{"type":"Point","coordinates":{"x":1}}', "not_geojson"),
        ('{"type":"Point","coordinates":[10.9]}', "not_geojson"),
        ('{"type":"Point","coordinates":[true,48.4]}', "not_geojson"),
        ('{"type":"Point","coordinates":["10.9","48.4"]}', "not_geojson"),
        ('{"type":"Point","coordinates":[]}', "empty"),
        ('{"type":"Point","coordinates":[NaN,48.4]}', "not_finite"),
        ('{"type":"Point","coordinates":[1e999,48.4]}', "not_finite"),
        ('{"type":"Point","coordinates":[1' + "0" * 400 + ",48.4]}", "not_finite"),
        ('{"type":"Point","coordinates":[48.4,10.9]}', "swapped"),
        ('{"type":"Point","coordinates":[2.35,48.85]}', "outside"),
        ('{"type":"Point","coordinates":[0,0]}', "outside"),
        ('{"type":"Point","coordinates":[640000,5358000]}', "metres"),
        ('{"type":"Feature","geometry":null}', "empty"),
        ('{"type":"FeatureCollection","features":[]}', "empty"),
        ('{"type":"FeatureCollection","features":[1,2]}', "unsupported"),
        ('{"type":"FeatureCollection","features":[1]}', "not_geojson"),
        ('{"type":"Circle","coordinates":[10.9,48.4]}', "unsupported"),
        ('{"type":"MultiPoint","coordinates":[[10.9,48.4],[10.8,48.4]]}', "unsupported"),
        ('{"type":["x"],"coordinates":[10.9,48.4]}', "unsupported"),
        ('{"type":"LineString","coordinates":[[10.9,48.4]]}', "too_short"),
        ('{"type":"LineString","coordinates":[[10.9,48.4],[10.9,48.4]]}', "too_short"),
        ('{"type":"LineString","coordinates":[10.9,48.4]}', "not_geojson"),
        ('{"type":"Polygon","coordinates":[[[10.9,48.4],[10.91,48.4],[10.9,48.4]]]}', "too_small"),
        ('{"type":"Polygon","coordinates":[[]]}', "too_small"),
        (
            '{"type":"Polygon","coordinates":[[[10.9,48.4],[10.91,48.4],[10.92,48.4],[10.9,48.4]]]}',
            "too_small",
        ),
        ('{"type":"MultiPolygon","coordinates":[[],[]]}', "empty"),
        ('{"type":"Polygon","coordinates":5}', "not_geojson"),
    ],
)
def test_what_is_not_a_place_is_refused_by_name(source: str, code: str) -> None:
    assert code_of(source) == code


def test_a_collection_within_itself_is_refused() -> None:
    deep: dict[str, Any] = {}
    deep |= {"type": "Feature", "geometry": deep}
    assert code_of(deep) == "not_geojson"


def test_a_self_crossing_area_says_where() -> None:
    with pytest.raises(geo.GeometryProblem) as problem:
        geo.read_geojson_geometry({"type": "Polygon", "coordinates": [EIGHT]})
    assert problem.value.code == "self_crossing"
    where = problem.value.facts["lon"], problem.value.facts["lat"]
    assert where == pytest.approx((10.901, 48.361), abs=1e-5)
    assert code_of(
        {"type": "MultiPolygon", "coordinates": [[EIGHT], [[[11, 48], [11.1, 48], [11, 48.1]]]]}
    ) == ("self_crossing")


def test_a_hole_outside_its_outline_and_overlapping_parts_are_invalid() -> None:
    hole = [[lon + 0.1, lat] for lon, lat in SQUARE]
    assert code_of({"type": "Polygon", "coordinates": [SQUARE, hole]}) == "invalid_area"
    moved = [[lon + 0.001, lat] for lon, lat in SQUARE]
    assert code_of({"type": "MultiPolygon", "coordinates": [[SQUARE], [moved]]}) == "invalid_area"


def test_vertices_are_counted_over_all_parts() -> None:
    circle = [[10.9 + math.cos(a / 50) / 100, 48.4 + math.sin(a / 50) / 100] for a in range(300)]
    line = {"type": "MultiLineString", "coordinates": [circle, circle]}
    assert geo.read_geojson_geometry(line, max_vertices=600).kind == "line"
    assert code_of(line, max_vertices=599) == "too_many_vertices"
    area = {"type": "MultiPolygon", "coordinates": [[circle], [circle]]}
    assert code_of(area, max_vertices=599) == "too_many_vertices"
    assert (
        code_of('{"type":"Point","coordinates":[' + " " * geo.MAX_TEXT + "10.9,48.4]}") == "too_many_vertices"
    )


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.sampled_from([10.9, 48.4, "Point", "Polygon"]),
    lambda inner: (
        st.lists(inner, max_size=5)
        | st.dictionaries(
            st.sampled_from(["type", "coordinates", "geometry", "features", "geometries"]), inner
        )
    ),
    max_leaves=30,
)
types = st.sampled_from(
    [
        "Point",
        "MultiPoint",
        "LineString",
        "MultiLineString",
        "Polygon",
        "MultiPolygon",
        "Feature",
        "GeometryCollection",
    ]
)


@given(types, json_values)
def test_nothing_but_a_geometry_problem_is_ever_raised(name: str, value: Any) -> None:
    try:
        geo.read_geojson_geometry(
            {"type": name, "coordinates": value, "geometry": value, "geometries": value}
        )
    except geo.GeometryProblem:
        return  # any other exception fails this test; an unknown code cannot be made


@given(
    st.lists(
        st.tuples(st.sampled_from([10.9, 10.91, 10.92]), st.sampled_from([48.4, 48.41, 48.42])), max_size=9
    )
)
def test_areas_taken_are_valid_ones(ring: list[tuple[float, float]]) -> None:
    try:
        located = geo.read_geojson_geometry({"type": "Polygon", "coordinates": [ring]})
    except geo.GeometryProblem:
        return
    stored = shapely.from_wkb(located.wkb)
    assert stored.is_valid
    assert stored.area > 0


def test_geometry_of_a_layer_is_checked_the_same_way() -> None:
    square = geo.to_metres(shapely.Polygon(SQUARE))
    assert geo.from_metres(square).kind == "area"
    assert geo.from_metres(square.boundary).kind == "line"
    assert geo.from_metres(square.centroid).kind == "point"
    for bad, code in [
        (shapely.Point(), "empty"),
        (shapely.Point(10.9, 48.4), "outside"),
        (shapely.Point(4_500_000, 5_358_000), "outside"),
        (shapely.Point(640_000, -1), "metres"),
        (shapely.MultiPoint([(640_000, 5_358_000), (641_000, 5_358_000)]), "unsupported"),
        (geo.to_metres(shapely.Polygon(EIGHT)), "self_crossing"),
    ]:
        with pytest.raises(geo.GeometryProblem) as problem:
            geo.from_metres(bad)
        assert problem.value.code == code, bad


def test_placing_a_point_loads_no_heavy_library() -> None:
    program = (
        "import sys; from geo import geometry as g;"
        'g.wkb_to_geojson(g.read_geojson_geometry(\'{"type":"Point","coordinates":[10.9,48.4]}\').wkb);'
        "print([m for m in ('numpy','shapely','pyproj','pandas') if m in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("geometry", "kind"),
    [
        ({"type": "Point", "coordinates": [10.9, 48.4]}, "point"),
        ({"type": "LineString", "coordinates": [[10.9, 48.4], [10.91, 48.4]]}, "line"),
        (
            {"type": "Polygon", "coordinates": [[[10.9, 48.4], [10.91, 48.4], [10.91, 48.41], [10.9, 48.4]]]},
            "area",
        ),
    ],
)
def test_a_stored_geometry_says_what_it_is(geometry: dict[str, Any], kind: str) -> None:
    assert geo.kind_of(geo.read_geojson_geometry(geometry).wkb) == kind
