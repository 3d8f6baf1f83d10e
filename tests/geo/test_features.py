"""Objects of a layer: at a place, near one, the same one again in the next delivery; looks that can be told apart."""

from pathlib import Path

import geopandas
import pytest
import shapely
from shapely.affinity import translate

from geo import features, palette
from geo.features import Columns, Wanted
from geo.layers import LayerProblem, Limits, Raw, normalise, write_normalised
from geo.styles import COLOURS, LayerStyle, Look, StyleClass, as_stored, read_style
from geo.views import View, tiles_of

X, Y = 640_000.0, 5_360_000.0
NAMED = Columns("name", "nr")


def layer(path: Path, rows: list[tuple[object, str, shapely.Geometry]]) -> Path:
    frame = geopandas.GeoDataFrame(
        {"nr": [row[0] for row in rows], "name": [row[1] for row in rows]},
        geometry=[translate(row[2], X, Y) for row in rows],
        crs=25832,
    )
    write_normalised(frame, path)
    return path


def wkb(shape: shapely.Geometry) -> bytes:
    moved: bytes = shapely.to_wkb(translate(shape, X, Y))
    return moved


def test_at_a_place_lie_points_and_lines_within_reach_then_areas_the_smallest_first(tmp_path: Path) -> None:
    path = layer(
        tmp_path / "a.fgb",
        [
            (1, "Feld", shapely.box(0, 0, 100, 100)),
            (2, "Beet", shapely.box(40, 40, 60, 60)),
            (3, "Weg", shapely.LineString([(0, 53), (100, 53)])),
            (4, "Baum", shapely.Point(51, 50)),
            (5, "Fern", shapely.Point(90, 90)),
        ],
    )
    found = features.features_at(path, X + 50, Y + 50, 5, NAMED)
    assert [each.name for each in found] == ["Baum", "Weg", "Beet", "Feld"]
    assert [each.name for each in features.features_at(path, X + 50, Y + 50, 0.5, NAMED)] == ["Beet", "Feld"]
    everything, more = features.features_in(path, None, NAMED, limit=3)
    rest, end = features.features_in(path, None, NAMED, after=everything[-1].number, limit=3)
    assert ({each.name for each in everything + rest}, more, end) == (
        {"Feld", "Beet", "Weg", "Baum", "Fern"}, True, False,
    )  # fmt: skip
    one = features.feature(path, everything[0].number, NAMED)
    assert one == everything[0]
    assert [features.feature(path, number, NAMED) for number in (-1, 5, 2**40)] == [None, None, None]
    near = features.features_near(path, wkb(shapely.Point(91, 91)), 3, NAMED)
    assert [(each.name, round(away, 1)) for each, away in near] == [("Feld", 0.0), ("Fern", 1.4)]


def test_an_object_is_the_same_by_its_id_or_its_shape_and_never_by_half(tmp_path: Path) -> None:
    path = layer(
        tmp_path / "b.fgb",
        [
            ("7", "versetzt", shapely.box(10, 0, 30, 20)),
            ("8", "anderswo", shapely.box(500, 0, 520, 20)),
            ("9", "doppelt", shapely.box(100, 0, 120, 20)),
            ("9", "doppelt", shapely.box(100, 30, 120, 50)),
            ("", "ohne", shapely.box(200, 0, 220, 21)),
            ("", "Linie", shapely.LineString([(300, 0), (400, 0.5)])),
            ("x", "besetzt", shapely.box(600, 0, 620, 20)),
        ],
    )
    wanted = {
        1: Wanted("7", wkb(shapely.box(0, 0, 20, 20))),
        2: Wanted("8", wkb(shapely.box(0, 200, 20, 220))),
        3: Wanted("9", wkb(shapely.box(100, 15, 120, 35))),
        4: Wanted("", wkb(shapely.box(200, 0, 220, 20))),
        5: Wanted("", wkb(shapely.LineString([(300, 0), (400, 0)]))),
        6: Wanted("y", wkb(shapely.box(600, 0, 620, 20))),
        7: Wanted("", wkb(shapely.box(200, 0, 220, 60))),
        8: Wanted("", wkb(shapely.Point(210, 10))),
    }
    found = features.found_again(path, wanted, NAMED)
    assert {key: (each.name, each.by) for key, each in found.items()} == {
        1: ("versetzt", "id"),
        4: ("ohne", "shape"),
        5: ("Linie", "shape"),
    }


def test_an_object_with_too_many_points_is_left_out_by_its_name() -> None:
    fine = shapely.box(X, Y, X + 10, Y + 10)
    many = shapely.buffer(shapely.Point(X + 100, Y), 50, quad_segs=200)
    frame = geopandas.GeoDataFrame({"name": ["gut", "zu fein"]}, geometry=[fine, many], crs=25832)
    read = normalise(Raw("Test", frames=[("a", frame)]), crs=None, limits=Limits(feature_vertices=500))
    assert [(each.reason, each.features, each.identifiers) for each in read.report.skipped] == [
        ("too_detailed", (2,), ("zu fein",))
    ]
    assert list(read.frame["name"]) == ["gut"]
    with pytest.raises(LayerProblem) as refused:
        normalise(Raw("Test", frames=[("a", frame[1:])]), crs=None, limits=Limits(feature_vertices=500))
    assert refused.value.code == "too_many_vertices"


def _luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [each / 12.92 if each <= 0.03928 else ((each + 0.055) / 1.055) ** 2.4 for each in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("theme", [0, 1])
def test_colours_of_layers_stand_out_from_what_lies_below(theme: int) -> None:
    """WCAG 2.2, 1.4.11: 3 to 1 against the land, and against what covers most of it."""
    for name in COLOURS:
        for ground in ("land", "building", "green"):
            light, dark = sorted(
                (_luminance(palette.COLOURS[each][theme]) for each in (name, ground)), reverse=True
            )
            assert (light + 0.05) / (dark + 0.05) >= 3, (name, ground, theme)


def test_a_stored_look_comes_back_and_nonsense_is_as_usual() -> None:
    style = LayerStyle(Look("other2", "dotted"), "art", (StyleClass("1", "Eins", Look("other5", "crossed")),))
    assert read_style(as_stored(style)) == style
    assert read_style({}, 9).look == Look("other1", "hatched")
    assert read_style({"colour": "red", "pattern": "x", "by": "art", "classes": "no"}).by == ""


def test_the_tiles_of_a_window_cover_it_without_gaps() -> None:
    view = View(10.9, 48.37, 15.4, 960, 600)
    tiles = tiles_of(view, 15)
    size = tiles[0][5]
    assert min(each[3] for each in tiles) <= 0 < max(each[3] for each in tiles) + size
    assert max(each[3] for each in tiles) + size >= 960
    assert min(each[4] for each in tiles) <= 0
    assert max(each[4] for each in tiles) + size >= 600
    columns = sorted({each[3] for each in tiles})
    assert columns[1] - columns[0] == pytest.approx(size, abs=0.05)
