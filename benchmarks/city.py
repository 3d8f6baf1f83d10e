"""A city's own data: a CityGML file of 134 MB, windows into 330,000 footprints, vector tiles from the file on disk."""

import contextlib
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import geopandas
import mapbox_vector_tile
import numpy as np
import psutil
import pyogrio
import pyogrio.raw
import shapely

from benchmarks.measuring import Better, Result, seconds_of
from geo import layers
from geo.geometry import degrees_of, tile_of
from geo.layers import write_normalised
from geo.vector_tiles import vector_tile

#: A corner of the invented city (EPSG:25832, metres) and its width.
X0, Y0, WIDTH = 630_000.0, 5_350_000.0, 22_000.0


def _footprints(folder: Path, count: int) -> tuple[Path, Path]:
    """So many houses, denser in the middle, as FlatGeobuf and as GeoPackage."""
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(7)
    x, y = (start + random.triangular(0, WIDTH / 2, WIDTH, count) for start in (X0, Y0))
    width, depth, notch = (random.uniform(*span, count) for span in ((8, 24), (8, 16), (2, 5)))
    corners = np.stack(
        [
            np.stack((x, y), axis=1),
            np.stack((x + width, y), axis=1),
            np.stack((x + width, y + depth - notch), axis=1),
            np.stack((x + width - notch, y + depth - notch), axis=1),
            np.stack((x + width - notch, y + depth), axis=1),
            np.stack((x, y + depth), axis=1),
        ],
        axis=1,
    )
    frame = geopandas.GeoDataFrame(
        {"height": np.round(random.uniform(4, 25, count), 1), "storeys": random.integers(1, 8, count)},
        geometry=shapely.polygons(corners),
        crs=25832,
    )
    flat, package = folder / "houses.fgb", folder / "houses.gpkg"
    write_normalised(frame, flat)
    frame.to_file(package, layer="houses")
    return flat, package


_BUILDING = """<core:cityObjectMember><bldg:Building gml:id="DEBY_LOD2_{n}"><core:creationDate>2024-03-01</core:creationDate>
<core:externalReference><core:informationSystem>http://repository.gdi-de.org/schemas/adv/citygml/fdv/art.htm#_9100</core:informationSystem>
<core:externalObject><core:name>DEBYvAAAAA{n}</core:name></core:externalObject></core:externalReference>
<gen:stringAttribute name="Gemeindeschluessel"><gen:value>09761000</gen:value></gen:stringAttribute>
<gen:stringAttribute name="DatenquelleDachhoehe"><gen:value>1000</gen:value></gen:stringAttribute>
<gen:stringAttribute name="DatenquelleLage"><gen:value>1000</gen:value></gen:stringAttribute>
<gen:stringAttribute name="DatenquelleBodenhoehe"><gen:value>1100</gen:value></gen:stringAttribute>
<bldg:function>31001_1010</bldg:function><bldg:roofType>3100</bldg:roofType><bldg:measuredHeight uom="urn:adv:uom:m">{h:.3f}</bldg:measuredHeight>
{faces}</bldg:Building></core:cityObjectMember>
"""
_FACE = """<bldg:boundedBy><bldg:{kind} gml:id="DEBY_LOD2_{n}_{m}"><core:creationDate>2024-03-01</core:creationDate><gen:stringAttribute name="Flaeche"><gen:value>{area:.3f}</gen:value></gen:stringAttribute>
<bldg:lod2MultiSurface><gml:MultiSurface gml:id="ID_{n}_{m}"><gml:surfaceMember><gml:Polygon gml:id="DEBY_LOD2_{n}_{m}_poly"><gml:exterior><gml:LinearRing gml:id="DEBY_LOD2_{n}_{m}_poly_0_">
<gml:posList srsDimension="3">{points}</gml:posList></gml:LinearRing></gml:exterior></gml:Polygon></gml:surfaceMember></gml:MultiSurface></bldg:lod2MultiSurface></bldg:{kind}></bldg:boundedBy>
"""


def city_gml(path: Path, count: int) -> Path:
    """A file of LoD2 as Bavaria delivers it: gabled houses of eight surfaces, 6.7 kB each."""
    random = Random(5)
    with path.open("w", encoding="utf-8") as file:
        file.write(
            '<?xml version="1.0" encoding="UTF-8"?><core:CityModel xmlns:core="http://www.opengis.net/citygml/1.0" '
            'xmlns:bldg="http://www.opengis.net/citygml/building/1.0" xmlns:gen="http://www.opengis.net/citygml/generics/1.0" '
            'xmlns:gml="http://www.opengis.net/gml"><gml:boundedBy><gml:Envelope '
            'srsName="urn:adv:crs:ETRS89_UTM32*DE_DHHN2016_NH"/></gml:boundedBy>\n'
        )
        for n in range(count):
            x, y = X0 + random.uniform(0, WIDTH), Y0 + random.uniform(0, WIDTH)
            a, b, c, d, m = x, x + random.uniform(8, 14), y, y + random.uniform(8, 12), y + 4
            z = 480 + random.uniform(0, 20)
            e, r = z + random.uniform(3, 9), z + random.uniform(10, 14)
            faces = (
                ("GroundSurface", ((a, c, z), (a, d, z), (b, d, z), (b, c, z))),
                ("WallSurface", ((a, c, z), (b, c, z), (b, c, e), (a, c, e))),
                ("WallSurface", ((b, d, z), (a, d, z), (a, d, e), (b, d, e))),
                ("WallSurface", ((a, d, z), (a, c, z), (a, c, e), (a, m, r), (a, d, e))),
                ("WallSurface", ((b, c, z), (b, d, z), (b, d, e), (b, m, r), (b, c, e))),
                ("RoofSurface", ((a, c, e), (b, c, e), (b, m, r), (a, m, r))),
                ("RoofSurface", ((b, d, e), (a, d, e), (a, m, r), (b, m, r))),
            )
            words = "".join(
                _FACE.format(
                    kind=kind, n=n, m=number, area=10.0,
                    points=" ".join(f"{px:.3f} {py:.3f} {pz:.3f}" for px, py, pz in (*points, points[0])),
                )
                for number, (kind, points) in enumerate(faces)
            )  # fmt: skip
            file.write(_BUILDING.format(n=n, h=r - z, faces=words))
        file.write("</core:CityModel>\n")
    return path


_READ = """
import sys, time
from pathlib import Path
from xml.parsers import expat
import numpy, shapely, pyogrio.raw, pyproj
from lxml import etree
from geo.readers.city import write_model, read_sources
from geo.readers.apart import settle
settle()  # as the process that reads does
path, target = map(Path, sys.argv[1:])
print("ready", flush=True)
sys.stdin.readline()
def timed(clock, work):
    began = clock()
    work()
    return clock() - began
def floor():
    with path.open("rb") as file:
        expat.ParserCreate().ParseFile(file)
def beside(clock, work):
    before, own, after = timed(clock, floor), timed(clock, work), timed(clock, floor)
    return own, (before + after) / 2
print(
    *beside(time.process_time, lambda: sum(read_sources(path))),
    *beside(time.perf_counter, lambda: sum(read_sources(path, processes=2))),
    timed(time.perf_counter, lambda: write_model([path], target)),
    timed(time.perf_counter, lambda: write_model([path], target, processes=2)),
)
"""


def _reading_apart(path: Path, target: Path) -> tuple[list[float], float]:
    """What `_READ` tells, and how many MB it and its forks took above what it had loaded (each shared page once)."""
    process = subprocess.Popen(
        [sys.executable, "-c", _READ, str(path), str(target)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parent.parent,
    )  # fmt: skip
    assert process.stdin is not None
    assert process.stdout is not None
    watched = psutil.Process(process.pid)

    def taken() -> int:
        total = 0
        for each in (watched, *watched.children(recursive=True)):
            with contextlib.suppress(psutil.Error):  # it has ended meanwhile
                total += each.memory_full_info().pss
        return total

    assert process.stdout.readline().strip() == "ready"
    start = most = taken()
    process.stdin.write("go\n")
    process.stdin.flush()
    while process.poll() is None:
        with contextlib.suppress(psutil.Error):
            most = max(most, taken())
        time.sleep(0.02)
    if process.returncode:
        raise RuntimeError(f"reading ended with {process.returncode}")
    return [float(word) for word in process.stdout.read().split()], (most - start) / 1e6


def reading_citygml(folder: Path, *, buildings: int, rounds: int) -> Iterator[Result]:
    """CityGML in processes of their own, each beside what expat alone needs to go through the same file just before and
    just after, in the same process; the middle of all rounds counts.

    Told twice: by the time that somebody waits, reading in two processes as imports do where there are two cores, and by
    the time of the processor in one process, which is how expat reads too.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = city_gml(folder / "city.gml", buildings)
    size = path.stat().st_size / 1e6
    told: list[list[float]] = []
    memory = 0.0
    for _ in range(rounds):
        found, more = _reading_apart(path, folder / "city.gpkg")
        told.append(found)
        memory = max(memory, more)
    alone, floor, together, wait, wrote, wrote_together = map(statistics.median, zip(*told, strict=True))
    ratio_alone = statistics.median(each[1] / each[0] for each in told)
    ratio_together = statistics.median(each[3] / each[2] for each in told)
    yield Result(
        "CityGML, two processes: speed of expat's floor", ratio_together, 0.4, Better.MORE, "",
        f"{size / together:.0f} MB/s beside {size / wait:.0f} MB/s of expat, {size:.0f} MB, {buildings} buildings",
    )  # fmt: skip
    yield Result(
        "CityGML, one process: speed of expat's floor", ratio_alone, 0.4, Better.MORE, "",
        f"{size / alone:.0f} MB/s beside {size / floor:.0f} MB/s of expat, time of the processor",
    )  # fmt: skip
    yield Result(
        "CityGML: memory above the imports", memory, 200, Better.LESS, "MB",
        "reading and writing together, in one process and in three",
    )  # fmt: skip
    yield Result(
        "CityGML: into the city model", wrote_together, None, Better.LESS, "s",
        f"{size / wrote_together:.0f} MB/s, with both indexes; in one process {wrote:.2f} s",
    )  # fmt: skip


def windows(folder: Path, *, buildings: int, times: int) -> Iterator[Result]:
    """Features for a browser and vector tiles of a layer as large as a city, beside the bare reading of its file."""
    flat, package = _footprints(folder, buildings)
    lon, lat = degrees_of(X0 + WIDTH / 2, Y0 + WIDTH / 2)
    views = [(lon + n * 0.002, lat, lon + n * 0.002 + 0.0135, lat + 0.009) for n in range(times)]

    def ours(view: tuple[float, ...]) -> Callable[[], Any]:
        return lambda: layers.features_geojson(flat, columns=("height",), bounds=view, limit=20_000)  # type: ignore[arg-type]

    def bare(view: tuple[float, ...]) -> Callable[[], Any]:
        box = geopandas.GeoSeries([shapely.box(*view)], crs=4326).to_crs(25832).total_bounds
        return lambda: pyogrio.read_dataframe(package, bbox=tuple(box), columns=["height"])

    mine, theirs = _alternating([ours(view) for view in views], [bare(view) for view in views])
    count = len(bare(views[0])())
    yield Result(
        "features of a view: pyogrio's read of it",
        mine / theirs,
        1.0,
        Better.LESS,
        "",
        _beside(mine, theirs, f"{count} features"),
    )

    column, row = tile_of(lon, lat, 15)
    for name, path in (("FlatGeobuf", flat), ("GeoPackage", package)):
        tiles = [(column + n % 5 - 2, row + n // 5 % 5 - 2) for n in range(times)]
        made = [_tile(path, *tile) for tile in tiles]
        raw = [_raw(path, *tile) for tile in tiles]
        mine, theirs = _alternating(made, raw)
        yield Result(
            f"vector tile of zoom 15 from {name}: raw read",
            mine / theirs,
            3.0,
            Better.LESS,
            "",
            _beside(mine, theirs, f"{len(made[0]()) / 1000:.0f} kB"),
        )
    usual = [_usual(flat, *tile) for tile in tiles[: max(3, times // 4)]]
    made = [_encoded(flat, *tile) for tile in tiles[: max(3, times // 4)]]
    mine, theirs = _alternating(made, usual)
    yield Result(
        "vector tile: mapbox-vector-tile's time",
        theirs / mine,
        15,
        Better.MORE,
        "",
        _beside(mine, theirs, "without reading"),
    )


def _tile(path: Path, x: int, y: int) -> Callable[[], bytes]:
    return lambda: vector_tile(path, 15, x, y, name="houses", columns=("height", "storeys"))


def _box(x: int, y: int) -> tuple[float, ...]:
    from geo.vector_tiles import tile_box

    return tile_box(15, x, y)


def _raw(path: Path, x: int, y: int) -> Callable[[], Any]:
    box = _box(x, y)
    return lambda: pyogrio.raw.read(str(path), bbox=box, columns=["height", "storeys"])


def _read(path: Path, x: int, y: int) -> Any:
    return pyogrio.raw.read(str(path), bbox=_box(x, y), columns=["height", "storeys"], return_fids=True)


def _encoded(path: Path, x: int, y: int) -> Callable[[], bytes]:
    from geo.vector_tiles import encode

    meta, fids, wkb, values = _read(path, x, y)
    return lambda: encode(wkb, fids, meta["fields"], values, 15, x, y, "houses")


def _usual(path: Path, x: int, y: int) -> Callable[[], bytes]:
    """The same tile by the library: shapes in the tile's own coordinates, cut and quantised by it."""
    _, _, wkb, values = _read(path, x, y)
    size = 2 * 20037508.342789244 / (1 << 15)
    west, south = x * size - 20037508.342789244, 20037508.342789244 - (y + 1) * size

    def encode() -> bytes:
        shapes = geopandas.GeoSeries(shapely.from_wkb(wkb), crs=25832).to_crs(3857)
        features = [
            {"geometry": shape, "properties": {"height": height, "storeys": storeys}}
            for shape, height, storeys in zip(shapes, *(column.tolist() for column in values), strict=True)
        ]
        options = {"quantize_bounds": (west, south, west + size, south + size), "extents": 4096}
        return bytes(
            mapbox_vector_tile.encode([{"name": "houses", "features": features}], default_options=options)
        )

    return encode


def _alternating(one: list[Callable[[], Any]], two: list[Callable[[], Any]]) -> tuple[float, float]:
    """The middle time of both, which take turns."""
    one[0](), two[0]()
    mine, theirs = [], []
    for a, b in zip(one, two, strict=True):
        mine += seconds_of(a, 1)
        theirs += seconds_of(b, 1)
    return sorted(mine)[len(mine) // 2], sorted(theirs)[len(theirs) // 2]


def _beside(mine: float, theirs: float, more: str) -> str:
    return f"{mine * 1000:.1f} ms beside {theirs * 1000:.1f} ms, {more}"
