"""The base map: every line where it belongs, whole words, nothing a browser would refuse."""

import math
import re
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree
from pyproj import Transformer

from geo import drawn_layers, labels, palette, paths, strokes, tiles, views
from geo.drawn_layers import MapSource
from geo.geometry import degrees_of, from_lonlat, tile_of
from geo.layers import write_normalised
from geo.palette import COLOURS
from geo.plans import Pin, sketch, static_plan_svg
from geo.readers.xplan import SIGNS, USES
from geo.tiles import svg_tile
from geo.views import View
from tests.geo.files import X0, Y0, square

LON, LAT = degrees_of(X0, Y0)
MERCATOR = Transformer.from_crs(25832, 3857, always_xy=True)
SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def source(tmp_path: Path) -> Callable[..., MapSource]:
    """Stores shapes (EPSG:25832) as a normalised layer and names it as a source of the map."""

    def make(role: str, shapes: list[Any], **columns: list[Any]) -> MapSource:
        path = tmp_path / f"{role}.fgb"
        frame = geopandas.GeoDataFrame(columns or {"name": [None] * len(shapes)}, geometry=shapes, crs=25832)
        write_normalised(frame, path)
        return MapSource(role, path, f"{tmp_path}{role}")

    return make


@pytest.fixture
def town(source: Callable[..., MapSource]) -> list[MapSource]:
    streets = [
        shapely.LineString([(X0 - 400, Y0 + 50 * n), (X0 + 600, Y0 + 50 * n + 20 * (n % 3))])
        for n in range(-6, 7)
    ]
    names = [
        f"Straße der {word}"
        for word in ["Äpfel", "Birnen", "Kirschen", "Pflaumen", "Quitten", "Beeren", "Trauben"]
    ]
    words = ["primary", "secondary", "residential", "service", "footway", "neu erfunden"]
    return [
        source("boundary", [square(-500, -500, 1200)], name=["Musterstadt"]),
        source("districts", [square(-500, -500, 600), square(100, -500, 600)], name=["Westend", "Ostend"]),
        source(
            "streets",
            streets,
            name=[names[n % 7] for n in range(13)],
            fclass=[words[n % 6] for n in range(13)],
        ),
        source("buildings", [square(5 + 30 * n, 10, 20) for n in range(10)]),
        source("water", [shapely.LineString([(X0, Y0 - 300), (X0 + 80, Y0 + 300)]).buffer(6)], name=["Bach"]),
        source("green", [square(200, 200, 150)]),
        source("parcels", [square(5 + 30 * n, 10, 25) for n in range(10)]),
    ]


def read(svg: bytes | str) -> Any:
    """An SVG as a tree; refuses what the content-security policy of the pages would block."""
    root = etree.fromstring(svg.encode() if isinstance(svg, str) else svg)
    for element in root.iter():
        assert element.tag not in (f"{SVG}style", f"{SVG}script", f"{SVG}foreignObject", f"{SVG}image")
        for name, value in element.attrib.items():
            assert name != "style"
            assert not name.startswith("on")
            assert "url(" not in value
    return root


def subpaths(data: str) -> list[list[tuple[int, int]]]:
    """The points of each part of a path, as a browser follows it ("m" after "z" starts from the ring's beginning)."""
    result: list[list[tuple[int, int]]] = []
    current = (0, 0)
    for command, tail in re.findall(r"([mMzh])([^mMzh]*)", data):
        numbers = [int(number) for number in tail.split()]
        pairs = list(zip(numbers[::2], numbers[1::2], strict=False))
        if command == "z":
            current = result[-1][0]
        elif command == "M":
            current = pairs[0]
            result.append([current])
        elif command == "m":
            points = []
            for dx, dy in pairs:
                current = (current[0] + dx, current[1] + dy)
                points.append(current)
            result.append(points)
    return result


def tile_pixel(x: float, y: float, zoom: int) -> tuple[float, float]:
    """Pixels from the left top of the tile that holds (LON, LAT)."""
    column, row = tile_of(LON, LAT, zoom)
    east, north = MERCATOR.transform(x, y)
    size = 2 * views.WORLD / 2**zoom
    return (east + views.WORLD) / size * 256 - column * 256, (views.WORLD - north) / size * 256 - row * 256


def test_a_building_is_drawn_where_it_stands(source: Callable[..., MapSource]) -> None:
    house = square(10, 10, 20)
    svg = read(svg_tile([source("buildings", [house])], 17, *tile_of(LON, LAT, 17), "light"))
    (path,) = svg.iter(f"{SVG}path")
    assert path.get("fill") == COLOURS["building"][0]
    (points,) = subpaths(path.get("d"))
    drawn = sorted((x / paths.UNITS, y / paths.UNITS) for x, y in points)
    expected = sorted(tile_pixel(x, y, 17) for x, y in list(house.exterior.coords)[:4])
    assert np.allclose(drawn, expected, atol=0.5 / paths.UNITS + 0.01)


def test_a_courtyard_stays_open(source: Callable[..., MapSource]) -> None:
    ring = shapely.Polygon(square(0, 0, 60).exterior.coords, [square(20, 20, 20).exterior.coords])
    svg = read(svg_tile([source("buildings", [ring])], 17, *tile_of(LON, LAT, 17), "light"))
    outer, inner = sorted(
        (shapely.LinearRing(points) for points in subpaths(next(svg.iter(f"{SVG}path")).get("d"))),
        key=lambda found: -shapely.Polygon(found).area,
    )
    assert outer.is_ccw != inner.is_ccw


def test_things_on_the_edge_are_on_both_tiles(source: Callable[..., MapSource]) -> None:
    column, row = tile_of(LON, LAT, 16)
    size = 2 * views.WORLD / 2**16
    edge, middle = (column + 1) * size - views.WORLD, views.WORLD - (row + 0.5) * size
    line = shapely.LineString([(edge - 50, middle), (edge + 50, middle)])
    street = shapely.transform(
        line, lambda xy: np.column_stack(MERCATOR.transform(*xy.T, direction="INVERSE"))
    )
    sources = [source("streets", [street], name=["Grenzweg"])]
    for x, at in ((column, 256), (column + 1, 0)):
        svg = read(svg_tile(sources, 16, x, row, "light"))
        (points,) = subpaths(next(svg.iter(f"{SVG}path")).get("d"))
        assert min(p[0] for p in points) / paths.UNITS < at < max(p[0] for p in points) / paths.UNITS


@pytest.mark.parametrize("far", [-20_000, -8193, -8192, -1, 1, 8191, 8192, 20_000])
def test_every_step_is_the_number_it_is(far: int) -> None:
    line = np.array([shapely.LineString([(0, 0), (far, 3)])], dtype=object)
    assert paths.path_of(line, 0.0, 0.0, float(paths.UNITS)) == f"m0 0 {far} -3"


shapes = st.lists(
    st.tuples(st.floats(-1000, 1000), st.floats(-1000, 1000), st.sampled_from([0.001, 0.2, 3.0, 400.0])),
    max_size=12,
)


@given(shapes, st.sampled_from([0.6, 5.0, 150.0]))
def test_no_path_has_a_ring_that_browsers_drop(
    places: list[tuple[float, float, float]], resolution: float
) -> None:
    """A ring of one point ("M…lz") makes a browser drop the whole path."""
    areas = [shapely.box(x, y, x + size, y + size) for x, y, size in places]
    lines = [shapely.LineString([(x, y), (x + size, y)]) for x, y, size in places]
    array = np.array([*areas, *lines, shapely.Polygon()], dtype=object)
    data = paths.path_of(array, 0.0, 0.0, resolution)
    parts = re.findall(r"m[^mz]*z?", data)
    found = subpaths(data)
    for part, points in zip(parts, found, strict=True):
        assert len(points) >= (3 if part.endswith("z") else 2)
    large = [(x, y, size) for x, y, size in places if size > 4 * resolution]
    assert len(parts) >= 2 * len(large)
    for x, y, size in large:
        corner = round(x / resolution * paths.UNITS), round(-(y + size) / resolution * paths.UNITS)
        assert any(math.dist(corner, point) < 1.5 for points in found for point in points)


@pytest.mark.parametrize("zoom", [8, 11, 13, 14, 15, 16, 17, 18, 20])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_tiles_are_the_same_every_time_and_safe(town: list[MapSource], zoom: int, theme: Any) -> None:
    x, y = tile_of(LON, LAT, zoom)
    once = svg_tile(town, zoom, x, y, theme)
    root = read(once)
    assert (root.get("width"), root.get("height")) == ("256", "256")
    ids = [element.get("id") for element in root.iter() if element.get("id")]
    assert len(ids) == len(set(ids))
    assert {use.get("href")[1:] for use in root.iter(f"{SVG}use")} == set(ids)
    tiles.forget_layers()
    assert svg_tile(town, zoom, x, y, theme) == once


def test_themes_differ_and_colours_are_readable() -> None:
    def luminance(colour: str) -> float:
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    def contrast(one: str, two: str) -> float:
        light, dark = sorted((luminance(one), luminance(two)), reverse=True)
        return (light + 0.05) / (dark + 0.05)

    for theme in (0, 1):
        for words in ("text", "district-text", "water-text"):
            for ground in ("land", "street", "green"):
                assert contrast(COLOURS[words][theme], COLOURS[ground][theme]) >= 4.5, (words, ground, theme)
        assert contrast(COLOURS["pin"][theme], COLOURS["pin-text"][theme]) >= 4.5
        for thing in ("pin", "area"):
            assert contrast(COLOURS[thing][theme], COLOURS["land"][theme]) >= 3
    assert palette.custom_properties("dark")["--map-land"] == COLOURS["land"][1]


def test_importance_decides_what_is_drawn_when(town: list[MapSource]) -> None:
    def drawn(zoom: int) -> set[str]:
        svg = svg_tile([town[2]], zoom, *tile_of(LON, LAT, zoom), "light").decode()
        return {
            name
            for name in ("main-street", "street", "casing", "path")
            if f'stroke="{COLOURS[name][0]}"' in svg
        }

    assert drawn(7) == set()
    assert drawn(9) == {"main-street", "casing"}
    assert drawn(12) == {"main-street", "street", "casing"}
    assert drawn(16) == {"main-street", "street", "casing", "path"}


@pytest.mark.parametrize("tile", [(21, 0, 0), (-1, 0, 0), (3, 8, 0), (3, 0, -1)])
def test_tiles_that_do_not_exist(tile: tuple[int, int, int]) -> None:
    with pytest.raises(ValueError, match="no tile"):
        svg_tile([], *tile, "light")


def test_a_town_without_layers_still_has_a_map() -> None:
    assert len(list(read(svg_tile([], 14, *tile_of(LON, LAT, 14), "light")))) == 1


# --- plans ---


@pytest.fixture
def plan(source: Callable[..., MapSource]) -> MapSource:
    signs = {
        "plan_limit": square(0, 0, 200),
        "residential": square(10, 10, 80),
        "green": square(110, 10, 80),
        "building_limit": shapely.LineString([(X0 + 20, Y0 + 20), (X0 + 80, Y0 + 20)]),
        "planting": shapely.Point(X0 + 150, Y0 + 150),
        "drawing": shapely.Point(X0 + 50, Y0 + 150),
        "other": square(20, 120, 30),
    }
    return source("plan", list(signs.values()), sign=list(signs))


def test_plan_signs_are_drawn_and_the_rest_is_left_out(plan: MapSource) -> None:
    x, y = tile_of(*degrees_of(X0 + 150, Y0 + 150), 17)
    svg = read(svg_tile([plan], 17, x, y, "light", ground=False))
    assert svg.find(f"{SVG}rect") is None
    drawn = {path.get("stroke") or path.get("fill"): path for path in svg.iter(f"{SVG}path")}
    assert set(drawn) <= {colours[0] for name, colours in COLOURS.items() if name.startswith("plan-")}
    dot = drawn[COLOURS["plan-planting"][0]]
    assert re.fullmatch(r"M\d+ \d+h0", dot.get("d"))
    assert dot.get("stroke-linecap") == "round"
    whole = read(
        static_plan_svg([plan], View(*degrees_of(X0 + 100, Y0 + 100), 17, 900, 900), title="x", theme="dark")
    )
    seen = {path.get("stroke") or path.get("fill") for path in whole.iter(f"{SVG}path")}
    wanted = ("limit", "residential", "green", "building-limit", "planting")
    assert seen == {COLOURS[f"plan-{name}"][1] for name in wanted}


def test_every_drawn_sign_is_one_that_plans_have() -> None:
    assert set(strokes.SIGN_RANKS) <= {*SIGNS.values(), *USES}
    assert "railway" in strokes.SIGN_RANKS


# --- words ---


def words(svg: bytes | str) -> dict[tuple[str, float, float], Any]:
    return {
        (text.text, float(text.get("x")), float(text.get("y"))): text for text in read(svg).iter(f"{SVG}text")
    }


def test_names_are_data_never_markup(source: Callable[..., MapSource]) -> None:
    street = shapely.LineString([(X0 - 300, Y0 + 20), (X0 + 600, Y0 + 20)])
    evil = "</text><script>alert('x')</script>&amp;\"${1}"
    sources = [source("streets", [street], name=[evil])]
    column, row = tile_of(LON, LAT, 17)
    found = [
        name for dx in range(-2, 5) for name, *_ in words(svg_tile(sources, 17, column + dx, row, "light"))
    ]
    assert evil in found


def test_a_word_across_an_edge_is_on_both_tiles_at_the_same_place(town: list[MapSource]) -> None:
    zoom = 17
    column, row = tile_of(LON, LAT, zoom)
    first, top = column // labels.META * labels.META, row // labels.META * labels.META
    seen: dict[tuple[str, float, float], int] = {}
    for dx in range(labels.META):
        for dy in range(labels.META):
            for name, x, y in words(svg_tile(town, zoom, first + dx, top + dy, "light")):
                key = (name, round(x + dx * 256, 1), round(y + dy * 256, 1))
                seen[key] = seen.get(key, 0) + 1
    expected = labels.labels_of.get(tuple(town), zoom, first // labels.META, top // labels.META)
    assert len(expected) > 5
    assert len(seen) == len(expected)
    assert any(count > 1 for count in seen.values())
    for label, wide, high in expected:
        assert (wide, high) == label.reach
        assert wide < label.x < labels.META * 256 - wide
        assert high < label.y < labels.META * 256 - high


def test_words_do_not_lie_on_each_other(town: list[MapSource]) -> None:
    view = View(LON, LAT, 16.5, 1000, 700)
    placed = labels.place_labels(town, view.box, view.zoom, view.resolution)
    assert {label.text for label in placed} > {"Straße der Äpfel", "Straße der Birnen"}
    boxes = [
        shapely.affinity.rotate(
            shapely.box(
                label.x - label.half_width + 3,
                label.y - label.half_height + 1,
                label.x + label.half_width - 3,
                label.y + label.half_height - 1,
            ),
            label.angle,
        )
        for label in placed
    ]
    for index, one in enumerate(boxes):
        for other in boxes[index + 1 :]:
            assert one.intersection(other).area < 0.02 * one.area
    assert all(-90 <= label.angle <= 90 for label in placed)


# --- memory ---


def test_a_layer_is_read_once_however_many_ask(
    town: list[MapSource], monkeypatch: pytest.MonkeyPatch
) -> None:
    tiles.forget_layers()
    read_layers: list[str] = []
    original = drawn_layers._read

    def counted(source: MapSource) -> Any:
        read_layers.append(source.role)
        return original(source)

    monkeypatch.setattr(drawn_layers, "_read", counted)
    x, y = tile_of(LON, LAT, 16)
    answers: list[bytes] = []
    threads = [
        threading.Thread(target=lambda: answers.append(svg_tile(town, 16, x, y, "light"))) for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(answers)) == 1
    assert len(answers) == 6
    assert sorted(read_layers) == sorted({source.role for source in town if source.role != "parcels"})


# --- the plan without JavaScript ---


@given(
    st.floats(10.5, 11.5),
    st.floats(48, 49),
    st.floats(8, 18),
    st.integers(50, 1500),
    st.floats(0, 1),
    st.floats(0, 1),
)
def test_a_click_is_the_place_that_was_seen(
    lon: float, lat: float, zoom: float, size: int, across: float, down: float
) -> None:
    view = View(lon, lat, zoom, size, size // 2 + 1)
    place = view.place(across * view.width, down * view.height)
    assert view.pixel(*place) == pytest.approx((across * view.width, down * view.height), abs=1e-4)
    west, south, east, north = view.bounds
    assert west - 1e-9 <= place[0] <= east + 1e-9
    assert south - 1e-9 <= place[1] <= north + 1e-9
    again = View.around(view.bounds, view.width, view.height, margin=0, max_zoom=19)
    assert again.zoom == pytest.approx(view.zoom, abs=1e-6)
    moved = view.moved(0.5, 0)
    assert moved.lon == pytest.approx(east, abs=1e-9)
    assert view.zoomed(1).resolution == pytest.approx(view.resolution / 2)


def test_a_window_around_a_point_is_not_nearer_than_it_may_be() -> None:
    assert View.around((LON, LAT, LON, LAT), 400, 300, max_zoom=17).zoom == 17


def test_pins_are_links_with_names_in_order(town: list[MapSource]) -> None:
    view = View(LON, LAT, 16, 800, 500)
    pins = [
        Pin(LON, LAT, "/b/1?a=1&b=2", 'Beitrag 1: "Mehr Bäume" <jetzt>', "1"),
        Pin(LON + 0.001, LAT, "/b/2", "Beitrag 2", "1.234"),
        Pin(LON + 1, LAT, "/b/3", "weit weg", "3"),
    ]
    area = from_square()
    svg = static_plan_svg(town, view, title="Plan & Umgebung", areas=[area], pins=pins, identifier="plan-7")
    root = read(svg)
    assert root.get("role") == "group"
    assert root.find(f"{SVG}title").text == "Plan & Umgebung"
    assert root.find(f"{SVG}title").get("id") == root.get("aria-labelledby") == "plan-7"
    links = list(root.iter(f"{SVG}a"))
    assert [(link.get("href"), link.get("aria-label")) for link in links] == [
        ("/b/1?a=1&b=2", 'Beitrag 1: "Mehr Bäume" <jetzt>'),
        ("/b/2", "Beitrag 2"),
    ]
    circle = links[0].find(f"{SVG}circle")
    assert (float(circle.get("cx")), float(circle.get("cy"))) == pytest.approx((400, 250), abs=0.1)
    assert root.xpath("//*[@role='img']") == []
    (outline,) = [path for path in root.iter(f"{SVG}path") if path.get("class") == "d-plan__area"]
    (points,) = subpaths(outline.get("d"))
    corner = view.pixel(*degrees_of(X0, Y0))
    assert min(math.dist((x / 4, y / 4), corner) for x, y in points) < 0.3
    assert svg == static_plan_svg(
        town, view, title="Plan & Umgebung", areas=[area], pins=pins, identifier="plan-7"
    )
    ids = [element.get("id") for element in root.iter() if element.get("id")]
    assert all(name.startswith("plan-7") for name in ids)
    assert len(ids) == len(set(ids))


def test_no_pin_of_a_plan_lies_on_another() -> None:
    pins = [Pin(LON + n * 1e-6, LAT, f"/{n}", f"Nr. {n}", str(n) if n % 3 else "1.234") for n in range(12)]
    root = read(static_plan_svg([], View(LON, LAT, 16, 300, 200), title="x", pins=pins))
    drawn = [[float(each.get(name)) for name in ("cx", "cy", "r")] for each in root.iter(f"{SVG}circle")]
    assert drawn[0][:2] == [150, 100], "the first where it belongs"
    for n, (x, y, radius) in enumerate(drawn):
        assert math.dist((x, y), (150, 100)) < 120
        assert all(math.dist((x, y), other[:2]) > radius + other[2] for other in drawn[:n])


def from_square() -> bytes:
    wkb: bytes = shapely.to_wkb(square(0, 0, 200), byte_order=1)
    return wkb


def test_a_plan_within_a_page_follows_the_theme_of_the_page() -> None:
    view = View(LON, LAT, 16, 300, 200)
    pin = [Pin(LON, LAT, "/", "x", "1")]
    assert f"var(--map-land,{COLOURS['land'][0]})" in static_plan_svg([], view, title="x", pins=pin)
    dark = static_plan_svg([], view, title="x", pins=pin, theme="dark")
    assert "var(" not in dark
    assert COLOURS["pin"][1] in dark
    with pytest.raises(ValueError, match="identifier"):
        static_plan_svg([], view, title="x", identifier='"><script>')


def test_a_sketch_shows_the_whole_area(town: list[MapSource]) -> None:
    root = read(sketch(from_square(), sources=town, width=320, height=180, theme="light"))
    assert root.get("aria-hidden") == "true"
    assert root.xpath("//@id") == []
    (outline,) = [path for path in root.iter(f"{SVG}path") if path.get("class") == "d-plan__area"]
    (points,) = subpaths(outline.get("d"))
    xs, ys = [x / paths.UNITS for x, _ in points], [y / paths.UNITS for _, y in points]
    assert min(xs) > 0
    assert max(xs) < 320
    assert 25 < min(ys) < max(ys) < 155
    assert max(ys) - min(ys) > 100


def test_points_are_placed_as_their_stored_coordinates_say() -> None:
    located = from_lonlat(LON, LAT)
    view = View(LON, LAT, 15, 200, 200)
    assert view.pixel(located.lon, located.lat) == pytest.approx((100, 100))
