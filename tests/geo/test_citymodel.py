"""City models as the house keeps them: what follows from faces, what is repaired, what is left out, what is read back."""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import shapely

from geo.layers import LayerProblem
from geo.readers.citymodel import (
    Building,
    CityModelWriter,
    Kind,
    Surface,
    read_buildings,
    read_surfaces,
    write_city_model,
)

E, N = 691_000.0, 5_336_000.0


def face(kind: Kind, *rings: Sequence[tuple[float, float, float]]) -> Surface:
    """A face of local coordinates; rings are closed here."""
    return Surface(kind, [np.array([*ring, ring[0]]) + np.array((E, N, 0.0)) for ring in rings])


def house(name: str, x: float = 0.0, *, told: bool = True, top: float = 509.0, parent: str = "") -> Building:
    """Ten by eight metres with a gable roof: foot at 500 m, eaves at 506 m, ridge at `top`."""
    a, b, z, e, r = x, x + 10.0, 500.0, 506.0, top
    kinds: tuple[Kind, Kind, Kind] = ("ground", "wall", "roof") if told else ("", "", "")
    ground, wall, roof = kinds
    return Building(
        name,
        [
            face(ground, [(a, 0, z), (a, 8, z), (b, 8, z), (b, 0, z)]),
            face(wall, [(a, 0, z), (b, 0, z), (b, 0, e), (a, 0, e)]),
            face(wall, [(b, 8, z), (a, 8, z), (a, 8, e), (b, 8, e)]),
            face(wall, [(a, 8, z), (a, 0, z), (a, 0, e), (a, 4, r), (a, 8, e)]),
            face(wall, [(b, 0, z), (b, 8, z), (b, 8, e), (b, 4, r), (b, 0, e)]),
            face(roof, [(a, 0, e), (b, 0, e), (b, 4, r), (a, 4, r)]),
            face(roof, [(b, 8, e), (a, 8, e), (a, 4, r), (b, 4, r)]),
        ],
        parent=parent,
    )


@pytest.mark.parametrize("told", [True, False])
def test_a_gabled_house_has_its_measures(tmp_path: Path, told: bool) -> None:
    path = tmp_path / "city.gpkg"
    found = write_city_model(path, [house("a", told=told), house("b", 50.0, told=told)])

    assert found.buildings == 2
    assert dict(found.faces) == {"ground": 2, "wall": 8, "roof": 4}
    assert found.heights == (500.0, 509.0)
    buildings, surfaces = read_buildings(path), read_surfaces(path)
    first = buildings.iloc[0]
    assert (first.ground, first.eaves, first.height) == (500.0, 506.0, 509.0)
    assert first.volume == pytest.approx(10 * 8 * 6 + 10 * 8 * 3 / 2)
    assert first.geometry.area == pytest.approx(80.0)
    assert buildings.crs.to_epsg() == 25832
    own = surfaces.loc[first.surface_first : first.surface_first + first.surface_count - 1]
    assert set(own.building) == {"a"}
    roof = own[own.kind == "roof"]
    assert roof["area"].sum() == pytest.approx(2 * 10 * 5.0)
    assert roof.geometry.area.sum() == pytest.approx(80.0)  # as the plan sees it
    assert shapely.has_z(surfaces.geometry.values).all()
    assert list(read_surfaces(path, (E + 45, N, E + 70, N + 9)).building.unique()) == ["b"]


def test_a_building_of_parts_is_all_its_parts(tmp_path: Path) -> None:
    path = tmp_path / "city.gpkg"
    whole = Building("whole")
    found = write_city_model(
        path, [whole, house("one", parent="whole"), house("two", 10.0, top=512.0, parent="whole")]
    )

    assert (found.buildings, found.parts) == (1, 2)
    assert dict(found.lods) == {"0": 1, "2": 2}
    row = read_buildings(path).set_index("id").loc["whole"]
    assert (row.ground, row.eaves, row.height, row.surface_count) == (500.0, 506.0, 512.0, 0)
    assert row.volume == pytest.approx(600.0 + 720.0)
    assert row.geometry.area == pytest.approx(160.0)
    assert len(row.geometry.geoms) == 1  # the wall between them is gone


def test_holes_count_in_area_and_kind_follows_slope(tmp_path: Path) -> None:
    path = tmp_path / "city.gpkg"
    outer = [(0.0, 0.0, 500.0), (0.0, 20.0, 500.0), (20.0, 20.0, 500.0), (20.0, 0.0, 500.0)]
    yard = [(5.0, 5.0, 500.0), (15.0, 5.0, 500.0), (15.0, 15.0, 500.0), (5.0, 15.0, 500.0)]
    write_city_model(path, [Building("yard", [face("", outer, yard)])])

    surface = read_surfaces(path).iloc[0]
    assert (surface.kind, surface["area"]) == ("ground", pytest.approx(300.0))
    assert len(surface.geometry.interiors) == 1
    building = read_buildings(path).iloc[0]
    assert building.geometry.area == pytest.approx(300.0)
    assert math.isnan(building.volume)  # a floor alone closes nothing


def test_what_cannot_be_is_repaired_or_left_out_by_name(tmp_path: Path) -> None:
    path = tmp_path / "city.gpkg"
    open_ring = house("open")
    open_ring.surfaces[1].rings[0] = open_ring.surfaces[1].rings[0][:-1]
    crossing = house("crossing", 30.0)
    bow = crossing.surfaces[5].rings[0]
    bow[[1, 2]] = bow[[2, 1]]
    flat = house("flat", 60.0)
    flat.surfaces.append(face("wall", [(60, 0, 500), (65, 0, 500), (70, 0, 500)]))
    broken = house("broken", 80.0)
    broken.surfaces[6].rings[0][2, 1] = math.nan
    dirty = house("dirty", 100.0)
    dirty.measured = 60_470.0
    found = write_city_model(
        path, [open_ring, crossing, flat, broken, dirty, house("tower", 120.0, top=3_500.0)]
    )

    assert {(each.identifier, each.what) for each in found.repairs} == {
        ("open", "open_ring"),
        ("crossing", "self_crossing_face"),
        ("dirty", "measured_height"),
    }
    assert all(47 < each.lat < 49 and 11 < each.lon < 13 for each in found.repairs)
    assert {(each.reason, each.count, each.identifiers) for each in found.skipped} == {
        ("zero_area", 1, ("flat",)),
        ("not_finite", 1, ("broken",)),
        ("too_high", 1, ("tower",)),
    }
    buildings = read_buildings(path).set_index("id")
    assert set(buildings.index) == {"open", "crossing", "flat", "broken", "dirty"}
    assert math.isnan(buildings.loc["dirty"].measured)
    assert buildings.loc["open"].volume == pytest.approx(600.0)
    surfaces = read_surfaces(path)
    pieces = surfaces[(surfaces.building == "crossing") & (surfaces.kind == "roof")]
    assert len(pieces) == 3  # the bow became two triangles
    flat_axes = shapely.get_coordinates(pieces.geometry.values, include_z=True)
    assert flat_axes[:, 2].min() == pytest.approx(506.0)
    assert flat_axes[:, 2].max() == pytest.approx(509.0)


def test_the_same_building_twice_is_written_once(tmp_path: Path) -> None:
    found = write_city_model(tmp_path / "city.gpkg", [house("a"), house("b", 20.0), house("a")])
    assert found.buildings == 2
    assert [(each.reason, each.count) for each in found.skipped] == [("duplicate", 1)]


def test_a_model_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "city.gpkg"
    write_city_model(path, [house("old")])
    with pytest.raises(RuntimeError), CityModelWriter(path) as writer:  # noqa: PT012 - the block is the point
        writer.add(house("new"))
        writer._flush()
        raise RuntimeError
    assert list(read_buildings(path).id) == ["old"]
    with pytest.raises(LayerProblem, match="no_features"):
        write_city_model(path, [])
    assert [each.name for each in tmp_path.iterdir()] == ["city.gpkg"]
