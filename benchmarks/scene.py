"""A plan in three dimensions: tiles, shadows, the weight of what a browser loads, and its first picture."""

import gzip
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import shapely
from playwright.sync_api import sync_playwright

from benchmarks.measuring import Better, Result, seconds_of
from geo import scene, shadows, sun
from geo.city import City, Volume, city_of
from geo.geometry import degrees_of

ROOT = Path(__file__).resolve().parent.parent
#: What the page in three dimensions loads beyond every page's own script.
SCRIPTS = (
    "static/vendor/three/three.core.min.js",
    "static/vendor/three/three.module.min.js",
    "static/js/city.js",
    "static/js/city-moves.js",
    "static/js/city-tiles.js",
)
#: What the map in two dimensions loads.
MAP_SCRIPTS = (
    "static/vendor/leaflet/leaflet.js",
    "static/js/base.js",
    "static/js/map.js",
    "static/js/map-look.js",
)
X0, Y0 = 640_000.0, 5_360_000.0
LON, LAT = degrees_of(X0 + 400, Y0 + 400)


def houses(count: int) -> City:
    """So many houses with three kinds of roof, a third of them with an angle; 18 m apart."""
    chance = np.random.default_rng(5)
    volumes = []
    across = int(count**0.5) + 1
    for number in range(count):
        x, y = X0 + 18 * (number % across), Y0 + 18 * (number // across)
        wide, deep = chance.uniform(8, 12), chance.uniform(8, 11)
        outline = shapely.box(x, y, x + wide, y + deep)
        if number % 3 == 0:
            outline = shapely.union(outline, shapely.box(x + 2, y + 2, x + wide + 3, y + 6))
        ground = 490 + chance.uniform(0, 0.5)
        eaves = ground + chance.uniform(4, 9)
        roof = ("flat", "gable", "hip")[number % 3]
        volumes.append(
            Volume(f"b{number}", outline, ground, eaves + 3, eaves, roof, storeys=2)  # type: ignore[arg-type]
        )
    return city_of(volumes)


def city(folder: Path, *, times: int) -> Iterator[Result]:
    """Milliseconds for a thousand houses, octets for each, and square metres that went missing."""
    some = houses(2000)
    origin = (X0, Y0, 490.0)
    tiles = scene.squares(some)

    def all_tiles() -> list[bytes]:
        return [scene.glb(scene.in_square(some, each.column, each.row), origin) for each in tiles]

    made = all_tiles()
    octets = sum(len(gzip.compress(each, 6)) for each in made) / len(some)
    yield Result(
        "LoD2 to 3D tiles", min(seconds_of(all_tiles, times)) * 500, 100, Better.LESS, "ms", "per 1,000 buildings"
    )  # fmt: skip
    yield Result("3D tiles, compressed", octets, 220, Better.LESS, "B", "per building")
    seen = (some.kind != 2) & (some.kind != 3)
    area = float(np.linalg.norm(shadows.area_vectors(some.faces[seen]), axis=1).sum())
    lost = abs(scene.triangles(some).area - area) / area
    yield Result("area lost on the way", lost * 1e6, 1, Better.LESS, "ppm", "of roofs and walls")
    towards = sun.towards(sun.position([datetime(2027, 3, 21, 14, tzinfo=UTC)], LON, LAT), LON, LAT)[0]

    def shade() -> object:
        return shadows.merged(shadows.ground_shadows(some, towards))

    yield Result(
        "shadows with merge", min(seconds_of(shade, times)) * 500, 500, Better.LESS, "ms", "per 1,000 buildings"
    )  # fmt: skip
    y, x = np.mgrid[0:420, 0:420] * 2.0
    hill = scene.Ground(X0 - 20, Y0 - 20, 2.0, 490 + 0.04 * x - 0.03 * y + 0.2 * np.sin(x / 9)).slope()

    def shade_on_slope() -> object:
        return shadows.merged(shadows.ground_shadows(some, towards, slope=hill))

    yield Result(
        "shadows with merge on a slope", min(seconds_of(shade_on_slope, times)) * 500, 500, Better.LESS, "ms",
        "per 1,000 buildings",
    )  # fmt: skip
    yield Result("scripts in 3D", _weight(SCRIPTS), 200, Better.LESS, "kB", "compressed")
    yield Result(
        "scripts in 2D", _weight(MAP_SCRIPTS), 80, Better.LESS, "kB", "compressed, and 1 kB of its skeleton"
    )


def _weight(scripts: tuple[str, ...]) -> float:
    return sum(len(gzip.compress((ROOT / path).read_bytes(), 9)) for path in scripts) / 1000


def first_picture(url: str, shown: str, program: str, flags: tuple[str, ...]) -> tuple[float, float]:
    """Seconds from asking for a page to its first picture (a selector), in a headless browser: for the very first
    visitor, and for the next one with empty caches of his own."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=list(flags))
        found = []
        for _ in range(4):
            context = browser.new_context(viewport={"width": 1200, "height": 800}, reduced_motion="reduce")
            page = context.new_page()
            begin = time.perf_counter()
            page.goto(url, wait_until="commit")
            page.wait_for_selector(shown, state="attached", timeout=120_000)
            found.append(time.perf_counter() - begin)
            context.close()
        browser.close()
    return found[0], min(found[1:])


def browser(folder: Path) -> Iterator[Result]:
    """The first picture of a plan among 5,000 houses, with a real server and a browser without a graphics card."""
    from benchmarks.town import settle
    from consultations import places, procedures
    from consultations.files import FolderStore
    from consultations.permissions import SYSTEM
    from consultations.places import Layer, LayerRole
    from geo.geometry import from_metres
    from participation import cityscape, scenes
    from participation.app import create_app
    from participation.database import unit_of_work
    from participation.jobs import Job
    from tests import cast, servers
    from tests.live import in_thread

    place = settle(f"sqlite:///{folder / 'scene'}.sqlite", folder / "scene")
    files = FolderStore(place.settings.data_dir / "files")
    digest = cityscape.keep_model(files, houses(5000))
    side = 18 * 71
    with unit_of_work(place.engine, write=True) as session:
        town = cast.found(session, "bench", "Bench", hosts=("bench.localhost",))
        middle = shapely.box(X0 + 330, Y0 + 330, X0 + side - 330, Y0 + side - 330)
        procedures.set_plan_area(
            session, town.procedure, from_metres(middle), by=SYSTEM, now=cast.NOW, note="area"
        )
        layer = Layer(
            municipality_id=town.id,
            role=LayerRole.CITY_MODEL.value,
            title="Model",
            normalised_sha256=digest,
            imported_at=cast.NOW,
        )
        places.add_layer(session, layer, [], by=SYSTEM, now=cast.NOW)
        slug = town.procedure.slug
    server = in_thread(place.settings, host="bench.localhost", clock=lambda: cast.NOW, keep=lambda seen: None)
    with server as served:
        page = f"{served.url}/beteiligungen/{slug}"
        house = create_app(place.settings, clock=lambda: cast.NOW).state.house
        began = time.perf_counter()
        told = scenes.make_scenes(house, Job(kind=scenes.KIND, run_at=cast.NOW, created_at=cast.NOW))
        made = time.perf_counter() - began
        if told["made"] != 1:
            raise RuntimeError(f"no scene: {told}")
        browser_of = servers.chromium(), servers.CHROMIUM_FLAGS
        first, next_one = first_picture(f"{page}/3d", "[data-city][data-first]", *browser_of)
        _, whole = first_picture(f"{page}/3d", "[data-city][data-state=ready]", *browser_of)
        first_map, next_map = first_picture(
            f"{page}/karte", "#map_canvas[data-ready] .leaflet-tile-loaded", *browser_of
        )
    yield Result(
        "making a scene, by the worker",
        made,
        None,
        Better.LESS,
        "s",
        "5,000 LoD2 buildings, tiles and ground",
    )
    yield Result(
        "first picture in 3D", next_one, 2, Better.LESS, "s", "5,000 LoD2 buildings, no graphics card"
    )
    yield Result(
        "first picture in 3D, first visitor", first, None, Better.LESS, "s", "with a cold browser and server"
    )
    yield Result(
        "picture in 3D with shadows and trees",
        whole,
        None,
        Better.LESS,
        "s",
        "before the map is laid on the ground",
    )
    yield Result("first picture in 2D", next_map, 2, Better.LESS, "s", f"first visitor {first_map:.1f} s")
