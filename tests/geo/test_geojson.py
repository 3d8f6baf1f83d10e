"""Shapes as text for a browser: the same numbers as the library's, whatever a shape is made of."""

import json

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from geo.geojson import spelled

RING = [(10.5, 48.25), (10.5000001, 48.2), (11, 48.1234567), (10.5, 48.25)]
HOLED = "POLYGON ((10 48, 12 48, 12 50, 10 48), (11.5 48.5, 11.7 48.5, 11.7 48.6, 11.5 48.5))"
SHAPES = {
    "point": "POINT (10.9000001 48.30005)",
    "one point of many": "MULTIPOINT ((10.9 48.3))",
    "points": "MULTIPOINT ((10.9 48.3), (11 48))",
    "line": "LINESTRING (10.9 48.3, 11.0000009 48.00000010)",
    "one line of many": "MULTILINESTRING ((10.9 48.3, 11 48))",
    "lines": "MULTILINESTRING ((10.9 48.3, 11 48), (12 47, 13.1 47.9999999))",
    "area": shapely.Polygon(RING).wkt,
    "area with a hole": HOLED,
    "one area of many": shapely.MultiPolygon([shapely.Polygon(RING)]).wkt,
    "one area of many, with a hole": shapely.MultiPolygon([shapely.from_wkt(HOLED)]).wkt,
    "areas": shapely.MultiPolygon([shapely.Polygon(RING), shapely.box(11, 48, 12, 49)]).wkt,
    "nothing": "POLYGON EMPTY",
    "whatever": "GEOMETRYCOLLECTION (POINT (10.9 48.3), LINESTRING (10.9 48.3, 11 48))",
}


def as_the_library(shapes: "np.ndarray[tuple[int], np.dtype[np.object_]]") -> list[object]:
    return [
        json.loads(text) for text in shapely.to_geojson(shapely.transform(shapes, lambda xy: np.round(xy, 7)))
    ]


@pytest.mark.parametrize("beside", ["POINT (9.1 50)", "POINT (0.00001 50)", "POINT (-3 50)"])
def test_every_kind_of_shape_among_others(beside: str) -> None:
    """Beside one that lies where degrees are not looked up, all are spelled by the library."""
    shapes = shapely.from_wkt([*SHAPES.values(), beside, *SHAPES.values()])
    found = spelled(shapes, lambda points: points)
    assert [json.loads(text) for text in found] == as_the_library(shapes)
    assert not any(" " in text for text in found)


@given(
    st.lists(
        st.lists(st.tuples(*[st.floats(1, 999.9999999)] * 2), min_size=2, max_size=5), min_size=1, max_size=5
    )
)
def test_any_number_is_the_nearest_of_seven_decimals(lines: list[list[tuple[float, float]]]) -> None:
    shapes = np.array([shapely.LineString(line) for line in lines])
    found = [json.loads(text)["coordinates"] for text in spelled(shapes, lambda points: points)]
    assert found == [np.round(np.array(line), 7).tolist() for line in lines]


def test_no_shape_at_all() -> None:
    assert spelled(np.array([], dtype=object), lambda points: points) == []
