"""The sun against another algorithm, shadows against plain geometry and against rays, hours against both."""

import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
import shapely

from geo import shadows, sun
from geo.city import GROUND, City, Volume, city_of, read_city, write_city
from geo.geometry import metres_of
from geo.scene import Ground, on_cells
from tests import scapes
from tests.geo.cities import EAST, NORTH, town

#: Moment (UTC), longitude, latitude, azimuth, height as seen: NREL's Solar Position Algorithm, computed with pvlib.
SPA = [
    ("2027-03-20 08:00", 10.898, 48.371, 121.3167, 24.5803),
    ("2027-03-20 14:30", 10.898, 48.371, 234.6144, 27.1474),
    ("2027-06-21 11:15", 10.898, 48.371, 178.2766, 65.0651),
    ("2027-06-21 18:00", 10.898, 48.371, 293.2965, 10.8490),
    ("2027-09-23 15:45", 10.898, 48.371, 253.9291, 13.6819),
    ("2027-12-21 08:30", 10.898, 48.371, 142.3499, 9.4317),
    ("2027-12-21 11:00", 10.898, 48.371, 176.5449, 18.1700),
    ("2032-02-29 13:00", 10.898, 48.371, 206.4779, 30.5406),
    ("2027-03-20 08:00", 9.437, 54.785, 122.2298, 20.4356),
    ("2027-06-21 11:15", 9.437, 54.785, 176.0295, 58.6162),
    ("2027-09-23 15:45", 9.437, 54.785, 251.2945, 12.6364),
    ("2027-12-21 11:00", 9.437, 54.785, 175.2789, 11.7353),
    ("2027-03-20 14:30", 14.987, 51.153, 237.3472, 23.4083),
    ("2027-06-21 18:00", 14.987, 51.153, 295.7704, 9.6103),
    ("2027-12-21 08:30", 14.987, 51.153, 146.0687, 8.7278),
    ("2032-02-29 13:00", 14.987, 51.153, 210.1512, 26.8444),
]
LON, LAT = 10.898, 48.371
AFTERNOON = datetime(2027, 3, 20, 14, 30, tzinfo=UTC)


def at(moment: datetime) -> np.ndarray:
    return sun.towards(sun.position([moment], LON, LAT), LON, LAT)[0]


@pytest.mark.parametrize(("moment", "lon", "lat", "azimuth", "elevation"), SPA)
def test_the_sun_stands_where_another_algorithm_says(
    moment: str, lon: float, lat: float, azimuth: float, elevation: float
) -> None:
    seen = sun.position([datetime.fromisoformat(moment).replace(tzinfo=UTC)], lon, lat)
    assert seen.azimuth[0] == pytest.approx(azimuth, abs=0.02)
    assert seen.elevation[0] == pytest.approx(elevation, abs=0.02)


@pytest.mark.parametrize(("lon", "lat"), [(10.898, 48.371), (6.0, 51.0), (14.9, 54.0), (9.0, 50.0)])
def test_grid_north_is_measured_against_true_north(lon: float, lat: float) -> None:
    (x, y), (further_x, further_y) = metres_of(lon, lat), metres_of(lon, lat + 0.001)
    # Along the meridian, to true north, one moves this much to the west of grid north.
    assert sun.convergence(lon, lat) == pytest.approx(
        -math.degrees(math.atan2(further_x - x, further_y - y)), abs=0.002
    )


def test_the_shadow_of_a_block_is_what_a_ruler_says() -> None:
    block = city_of([Volume("b", shapely.box(0, 0, 10, 10), 500, 520)])
    towards = np.array([0.0, -math.cos(math.radians(45)), math.sin(math.radians(45))])  # from the south
    [shadow] = shadows.ground_shadows(block, towards)
    assert shapely.area(shapely.symmetric_difference(shadow, shapely.box(0, 0, 10, 30))) < 1e-9
    with pytest.raises(ValueError, match="horizon"):
        shadows.ground_shadows(block, np.array([1.0, 0.0, 0.0]))


def test_hulls_and_lit_sides_give_the_shadow_of_all_surfaces() -> None:
    city = town(8, 8)
    bodies = shadows.bodies_of(city)
    assert bodies.is_closed.all()
    assert 0.4 < bodies.is_convex.mean() < 0.9
    nothing = np.zeros(len(city), dtype=bool)
    fast = shadows.ground_shadows(city, at(AFTERNOON))
    plain = shadows.ground_shadows(city, at(AFTERNOON), shadows.Bodies(bodies.normals, nothing, nothing))
    assert shapely.area(shapely.symmetric_difference(fast, plain)).max() < 1e-6


def test_ground_is_shaded_exactly_where_a_ray_to_the_sun_meets_a_building() -> None:
    city = town(5, 5, level=490.0)
    towards = at(AFTERNOON)
    shade = shadows.merged(shadows.ground_shadows(city, towards))
    edge = shade.boundary
    standing = shapely.union_all(city.footprints)
    chance = np.random.default_rng(3)
    places = np.column_stack([chance.uniform(-30, 130, 400) + EAST, chance.uniform(-30, 130, 400) + NORTH])
    points = [
        shadows.Window("", 0, (x, y, 490.0), (0, 0, 1), 1)
        for x, y in places
        if shapely.distance(edge, shapely.Point(x, y)) > 0.02 and not standing.contains(shapely.Point(x, y))
    ]
    lit = shadows.sunny(city, points, towards)
    flat = [not shade.contains(shapely.Point(point.at[:2])) for point in points]
    assert 50 < sum(flat) < len(points) - 50
    assert lit.tolist() == flat


def on_hill(rise: tuple[float, float], wave: float) -> Ground:
    """Ground around the little town: a plane that rises by so much in a metre to the east and north, with waves."""
    y, x = np.mgrid[0:101, 0:101] * 2.0
    return Ground(
        EAST - 50, NORTH - 50, 2.0, 490 + rise[0] * (x - 100) + rise[1] * (y - 100) + wave * np.sin(x / 9)
    )


@pytest.mark.parametrize(
    ("rise", "wave", "close"),
    [((0.25, -0.15), 0.0, 0.02), ((-0.3, 0.2), 0.0, 0.02), ((0.05, -0.1), 0.3, 0.3), ((0.0, 0.0), 0.0, 0.02)],
)
def test_on_a_slope_too_ground_is_shaded_exactly_where_a_ray_meets_a_building(
    rise: tuple[float, float], wave: float, close: float
) -> None:
    """Up the hill and down it; to a hand's breadth where the ground along a wall is not even."""
    city, towards, ground = town(5, 5, level=490.0), at(AFTERNOON), on_hill(rise, wave)
    shade = shadows.merged(shadows.ground_shadows(city, towards, slope=ground.slope()))
    assert shade.is_valid
    standing = shapely.union_all(city.footprints)
    chance = np.random.default_rng(3)
    places = np.column_stack([chance.uniform(-30, 130, 500) + EAST, chance.uniform(-30, 130, 500) + NORTH])
    heights = ground.under(places)
    spots = shapely.points(places)
    kept = (shapely.distance(shade.boundary, spots) > close) & ~shapely.contains(standing, spots)
    points = [
        shadows.Window("", 0, (x, y, z), (0, 0, 1), 1)
        for (x, y), z in zip(places[kept].tolist(), heights[kept].tolist(), strict=True)
    ]
    flat = shapely.contains(shade, spots[kept])
    assert 50 < flat.sum() < len(points) - 50
    assert shadows.sunny(city, points, towards).tolist() == (~flat).tolist()
    if not any(rise):
        level = shadows.merged(shadows.ground_shadows(city, towards))
        assert shapely.area(shapely.symmetric_difference(level, shade)) < 0.01


def walked(ground: Ground, places: np.ndarray, towards: np.ndarray, lift: float = 1e-3) -> np.ndarray:
    """Whether a ray from the ground to the sun meets ground: walked every eighth of a metre, nothing else."""
    flat = math.hypot(towards[0], towards[1])
    hidden = np.zeros(len(places), dtype=bool)
    start = ground.under(places) + lift
    for far in np.arange(0.125, 300, 0.125):
        there = places + far * towards[:2] / flat
        inside = (
            (there >= (ground.west, ground.south)) & (there <= np.array([ground.west, ground.south]) + 200)
        ).all(axis=1)
        hidden |= inside & (ground.under(there) > start + far * towards[2] / flat)
    return hidden


def test_ground_steeper_than_the_sun_is_in_its_own_shadow_and_nothing_is_new_there() -> None:
    """A slope that looks away from a low sun: all of it is shaded by itself, so that no plan takes anything from it, and
    nobody there has an hour of sun. With the sun above the slope everything is as ever."""
    city = scapes_on(on_hill((0.0, -0.8), 0.0))
    plan = city_of([Volume("new", shapely.box(EAST + 30, NORTH + 30, EAST + 45, NORTH + 45), 480, 530)])
    ground = on_hill((0.0, -0.8), 0.0)  # 39 degrees, falling to the north
    everything = shapely.box(EAST - 50, NORTH - 50, EAST + 150, NORTH + 150)
    for degrees, is_dark in ((30, True), (38, True), (45, False)):
        towards = np.array([0.0, -math.cos(math.radians(degrees)), math.sin(math.radians(degrees))])
        shade = shadows.shade_of(city, towards, ground.slope())
        seen = shadows.cast(city, city.joined(plan), towards, ground.slope())
        [[area]] = shadows.newly(city, [((), plan)], towards[None, :], ground.slope())
        lawn = shadows.grid_on(shapely.box(EAST + 130, NORTH - 40, EAST + 145, NORTH - 20), ground.at)
        hours = shadows.hours_of_sun(city, lawn, towards[None, :], 1.0, ground.slope())
        assert (
            shapely.area(shapely.difference(everything, shade)) < 1e-3
            if is_dark
            else shade.area < 0.6 * everything.area
        )
        assert (
            (seen.new_area, area) == (0, 0)
            if is_dark
            else seen.new_area == pytest.approx(area, rel=1e-3) != 0
        )
        assert hours.tolist() == [0.0 if is_dark else 1.0] * len(lawn)


@pytest.mark.parametrize("degrees", [(235, 12), (150, 20), (80, 7), (300, 40)])
def test_hills_hide_ground_exactly_where_a_ray_meets_them(degrees: tuple[float, float]) -> None:
    """Steep hills and hollows with houses between them, from four sides: lit ground is lit for the rays too, past houses and
    past hills, and so is a window of the ground floor."""
    y, x = np.mgrid[0:101, 0:101] * 2.0
    ground = Ground(EAST - 50, NORTH - 50, 2.0, 490 + 14 * np.sin(x / 11) * np.cos(y / 14) + 0.05 * x)
    azimuth, elevation = (math.radians(each) for each in degrees)
    towards = np.array(
        [
            math.sin(azimuth) * math.cos(elevation),
            math.cos(azimuth) * math.cos(elevation),
            math.sin(elevation),
        ]
    )
    chance = np.random.default_rng(5)
    places = np.column_stack([chance.uniform(-30, 130, 1500) + EAST, chance.uniform(-30, 130, 1500) + NORTH])
    dark = ground.slope().horizon(towards).shade()
    assert dark.is_valid
    spots = shapely.points(places)
    kept = shapely.distance(dark.boundary, spots) > ground.step  # exact to the grid that it is told on
    said = shapely.contains(dark, spots[kept])
    assert 30 < said.sum() < kept.sum() - 30
    assert (said != walked(ground, places[kept], towards)).sum() == 0
    # A pole's height above the ground.
    slope = ground.slope()
    heights = ground.under(places) + 3
    needed = slope.horizon(towards).above(places)
    clear = np.abs(needed - heights) > 0.6
    assert ((needed > heights) == walked(ground, places, towards, 3.0))[clear].all()
    # Houses on an even slope, with a ridge between them and the sun.
    along = math.sin(azimuth) * (x - 100) + math.cos(azimuth) * (y - 100)
    high = min(70 * math.tan(elevation), 40)
    ridge = replace(ground, heights=490 + 0.05 * (x - y) + high * np.exp(-(((along - 90) / 7) ** 2)))
    city = scapes_on(ridge)
    shade = shadows.shade_of(city, towards, ridge.slope())
    standing = shapely.union_all(city.footprints)
    close = (shapely.distance(shade.boundary, spots) > ridge.step) & ~shapely.contains(standing, spots)
    # A ray that grazes the ridge by less than the grid can tell comes down some metres off.
    close &= shapely.distance(ridge.slope().horizon(towards).shade().boundary, spots) > 6
    points = [
        shadows.Window("", 0, (x, y, z), (0, 0, 1), 1)
        for (x, y), z in zip(places[close].tolist(), ridge.under(places[close]).tolist(), strict=True)
    ]
    past_houses, past_hills = shadows.sunny(city, points, towards), ~walked(ridge, places[close], towards)
    assert min((~past_houses & past_hills).sum(), (past_houses & ~past_hills).sum()) > 20
    assert (past_houses & past_hills).tolist() == (~shapely.contains(shade, spots[close])).tolist()


def scapes_on(ground: Ground) -> City:
    """The little town, each house standing on the lowest ground that it covers."""
    city = town(5, 5, level=490.0)
    around = shapely.segmentize(city.footprints, 1.0)
    corners, owner = shapely.get_coordinates(around, return_index=True)
    lowest = np.full(len(city), np.inf)
    np.minimum.at(lowest, owner, ground.under(corners))
    return scapes.raised(city, lowest - 490)


def test_what_is_newly_shaded_on_a_slope_is_told_alike_for_a_moment_and_a_day() -> None:
    ground = on_hill((0.1, 0.1), 0.2)
    city, plan = (
        town(5, 5, level=490.0),
        Volume("new", shapely.box(EAST + 55, NORTH + 55, EAST + 70, NORTH + 70), 490, 515),
    )
    seen = shadows.cast(city, city.joined(city_of([plan])), at(AFTERNOON), ground.slope())
    [[area]] = shadows.newly(city, [((), city_of([plan]))], np.array([at(AFTERNOON)]), ground.slope())
    assert area == pytest.approx(seen.new_area, rel=1e-3)
    uphill = shadows.cast(city, city.joined(city_of([plan])), at(AFTERNOON))
    assert abs(seen.new_area - uphill.new_area) > 0.03 * uphill.new_area
    # Cut along the grid that it is laid on, it is the same area.
    pieces = on_cells(seen.new, ground)
    assert pieces.area == pytest.approx(seen.new_area, rel=1e-6)
    west, south, east, north = shapely.bounds(shapely.get_parts(pieces)).T
    assert max((east - west).max(), (north - south).max()) <= 2.0 + 1e-6


def test_what_is_newly_shaded_leaves_out_what_was_shaded_or_built_on() -> None:
    wall = Volume("old", shapely.box(0, 0, 10, 10), 0, 10)
    plan = Volume("new", shapely.box(10, 0, 20, 10), 0, 20)
    towards = np.array([0.0, -math.cos(math.radians(45)), math.sin(math.radians(45))])
    seen = shadows.cast(city_of([wall]), city_of([wall, plan]), towards)
    assert shapely.area(seen.before) == pytest.approx(100)  # 10 m behind the old one
    assert seen.new_area == pytest.approx(200)  # 20 m behind the new one
    assert seen.gone_area == 0
    instead = shadows.cast(city_of([wall]), city_of([replace(plan, outline=wall.outline)]), towards)
    assert instead.new_area == pytest.approx(100)
    nothing = shadows.cast(city_of([wall]), city_of([wall]), towards)
    assert (nothing.new_area, nothing.gone_area) == (0, 0)


def test_a_neighbour_loses_the_hours_that_a_new_house_stands_in_the_sun() -> None:
    neighbour = Volume("n", shapely.box(0, 20, 10, 30), 0, 8)
    plan = Volume("p", shapely.box(-40, 0, 50, 10), 0, 30)
    before, after = city_of([neighbour]), city_of([neighbour, plan])
    points = shadows.windows(before)
    assert [round(point.facing) for point in points] == [0, 90, 180, 270]
    moments = [datetime(2027, 3, 20, 5, tzinfo=UTC) + timedelta(minutes=30 * n) for n in range(26)]
    suns = sun.towards(sun.position(moments, LON, LAT), LON, LAT)
    suns = suns[suns[:, 2] > math.sin(math.radians(sun.LOWEST))]
    was, becomes = (shadows.hours_of_sun(city, points, suns, 0.5) for city in (before, after))
    assert was[0] == 0  # no sun from the north in March
    assert was[2] == len(suns) / 2  # and all of it from the south
    assert becomes[2] < 0.2 * was[2]
    garden = shapely.box(0, 12, 10, 18)
    points = shadows.grid_on(garden, lambda x, y: 0.0)
    assert sum(point.area for point in points) == pytest.approx(garden.area, rel=0.25)
    lost = [float(shadows.hours_of_sun(city, points, suns, 0.5).mean()) for city in (before, after)]
    assert lost[0] > 10
    assert lost[1] < 2


def test_a_city_comes_back_from_its_file_as_it_was(tmp_path: Path) -> None:
    city = town(4, 4)
    write_city(city, tmp_path / "city.gpkg")
    again = read_city(tmp_path / "city.gpkg")
    assert again.ids.tolist() == city.ids.tolist()
    assert again.labels[0] == "Färbergasse 1"
    assert shapely.equals_exact(again.faces, city.faces).all()
    assert (again.owner == city.owner).all()
    part = read_city(tmp_path / "city.gpkg", (EAST - 5, NORTH - 5, EAST + 30, NORTH + 5))
    assert part.ids.tolist() == ["house-0-0", "house-1-0"]
    assert len(part.faces) == int((city.owner == 0).sum() + (city.owner == 4).sum())
    assert len(city.without(["house-0-0"])) == 15
    assert len(part.joined(again).faces) == len(part.faces) + len(city.faces)


def test_buildings_without_surfaces_stand_as_high_as_they_are(tmp_path: Path) -> None:
    city = town(2, 2)
    bare = replace(city, owner=city.owner[:0], kind=city.kind[:0], faces=city.faces[:0])
    write_city(
        replace(bare, owner=city.owner[:1], kind=np.array([GROUND]), faces=city.faces[:1]),
        tmp_path / "c.gpkg",
    )
    found = read_city(tmp_path / "c.gpkg")
    made = shapely.get_coordinates(found.faces[found.owner == 3], include_z=True)
    assert (made[:, 2].min(), made[:, 2].max()) == pytest.approx((city.ground[3], city.top[3]))


def test_what_a_day_shades_newly_is_what_its_moments_do() -> None:
    city = town(6, 5, level=490)
    plan = city_of([Volume("P", shapely.box(EAST + 50, NORTH + 40, EAST + 75, NORTH + 55), 490, 512)])
    suns = np.array([at(AFTERNOON + timedelta(hours=away)) for away in (-6, -2, 1)])
    found = shadows.newly(city, [((), plan), (("house-2-2",), plan)], suns)
    for areas, towards in zip(found, suns, strict=True):
        exact = [
            shadows.cast(city, city.without(gone).joined(plan), towards).new_area
            for gone in ((), ("house-2-2",))
        ]
        assert areas == pytest.approx(exact, abs=0.05)
        assert min(areas) > 100


def test_polygons_are_taken_apart_as_the_library_does() -> None:
    holed = shapely.Polygon(
        [(0, 0, 1), (9, 0, 2), (9, 9, 3), (0, 9, 4)], [[(1, 1, 5), (2, 1, 5), (2, 2, 5)]] * 2
    )
    faces = np.array([*town(2, 2).faces[:5], holed, *town(2, 2).faces[5:9], holed])
    points, (rings, polygons) = shapely.to_ragged_array(faces, include_z=True)[1:]
    ours = shadows.ragged(faces)
    for mine, theirs in zip(ours, (points, rings, polygons), strict=True):
        assert np.array_equal(mine, theirs)
