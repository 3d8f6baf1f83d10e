"""The base map of an invented quarter: tiles, the plan without JavaScript, and the skeleton of a map page."""

import math
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import geopandas
import shapely

from benchmarks.measuring import Better, Result, seconds_of
from geo import maps, plans, tiles
from geo.drawn_layers import MapSource
from geo.geometry import degrees_of, tile_of
from geo.layers import write_normalised
from geo.maps import MapSpec, MapWords, TileService
from geo.views import View

#: A corner of the invented quarter (EPSG:25832, metres).
X0, Y0 = 640_000.0, 5_360_000.0


def _sources(folder: Path) -> list[MapSource]:
    """A town of 81 km²: 42 districts, 6,200 pieces of street with names, 20,000 buildings, denser in the middle."""
    random = Random(7)

    def somewhere() -> tuple[float, float]:
        return X0 + random.triangular(0, 9000), Y0 + random.triangular(0, 9000)

    folder.mkdir(parents=True)
    streets, names, kinds = [], [], []
    for number in range(6200):
        x, y = somewhere()
        turn, length = random.choice((0.1, 1.67)), random.uniform(60, 320)
        bend = random.uniform(-0.2, 0.2)
        middle = (x + length / 2 * math.cos(turn + bend), y + length / 2 * math.sin(turn + bend))
        streets.append(
            shapely.LineString([(x, y), middle, (x + length * math.cos(turn), y + length * math.sin(turn))])
        )
        names.append(f"Straße {number // 12}")
        kinds.append(("primary", "secondary", "residential", "service", "footway")[number % 5])
    buildings = [
        shapely.box(x, y, x + random.uniform(8, 22), y + random.uniform(8, 22))
        for x, y in (somewhere() for _ in range(20_000))
    ]
    districts = [
        shapely.box(X0 + 1500 * column, Y0 + 1286 * row, X0 + 1500 * column + 1500, Y0 + 1286 * row + 1286)
        for column in range(6)
        for row in range(7)
    ]
    layers: list[tuple[str, list[Any], dict[str, list[Any]]]] = [
        ("districts", districts, {"name": [f"Viertel {number}" for number in range(42)]}),
        ("streets", streets, {"name": names, "kind": kinds}),
        ("buildings", buildings, {"name": [None] * len(buildings)}),
    ]
    found = []
    for role, shapes, columns in layers:
        path = folder / f"{role}.fgb"
        write_normalised(geopandas.GeoDataFrame(columns, geometry=shapes, crs=25832), path)
        found.append(MapSource(role, path, f"benchmark-{role}"))
    return found


def base_map(folder: Path, *, times: int) -> Iterator[Result]:
    """The middle of many tiles, each drawn once; the layers are read before, as they are in a server that runs."""
    sources = _sources(folder)
    lon, lat = degrees_of(X0 + 4500, Y0 + 4500)
    tiles.svg_tile(sources, 15, *tile_of(lon, lat, 15), "light")
    for zoom, target in ((14, 15), (16, 2)):
        column, row = tile_of(lon, lat, zoom)
        around = [(column + number % 5 - 2, row + number // 5 % 5 - 2) for number in range(times)]
        yield _milliseconds(f"tile at zoom {zoom}", target, [_drawn(sources, zoom, x, y) for x, y in around])
    view = View(lon, lat, 16, 960, 600)
    plans = [_planned(sources, view.moved(number * 0.01, 0)) for number in range(times)]
    yield _milliseconds("plan without JavaScript", 10, plans)
    yield _milliseconds("skeleton of a map", 5, [_skeleton(number) for number in range(times)])


def _milliseconds(what: str, target: float, works: list[Callable[[], str]]) -> Result:
    works[0]()
    seconds = sorted(second for work in works for second in seconds_of(work, 1))
    told = f"{len(works[0]()) / 1000:.0f} kB, longest {seconds[-1] * 1000:.1f} ms"
    return Result(what, seconds[len(seconds) // 2] * 1000, target, Better.LESS, "ms", told)


def _drawn(sources: list[MapSource], zoom: int, x: int, y: int) -> Callable[[], str]:
    def draw() -> str:
        return tiles.svg_tile(sources, zoom, x, y, "light").decode()

    return draw


def _planned(sources: list[MapSource], view: View) -> Callable[[], str]:
    return lambda: plans.static_plan_svg(sources, view, title="Plan")


def _skeleton(number: int) -> Callable[[], str]:
    """Each with other data, so that none is one that was kept."""
    service = TileService(
        kind="xyz",
        url="/t/{z}/{x}/{y}.svg",
        dark_url="/d/{z}/{x}/{y}.svg",
        title="Plan",
        attribution="Town",
        max_zoom=18,
    )
    spec = MapSpec(
        services=(service,),
        bounds=(10.6, 48.2, 10.8, 48.4 + number / 1000),
        limits=(10.5, 48.1, 10.9, 48.5),
        leaflet_js="/static/leaflet.js",
        leaflet_css="/static/leaflet.css",
        words=MapWords("in", "out", "layers"),
        identifier="map",
        min_zoom=9,
        max_zoom=19,
        data=(),
    )
    return lambda: maps.map_skeleton(spec).script
