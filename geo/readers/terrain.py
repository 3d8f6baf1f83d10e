"""Terrain models: GeoTIFF, and lists of points on a grid (x, y, height), one file or an archive of tiles.

What comes out is one grid in EPSG:25832 (`geo.terrain`) and, as a layer, the area that it covers. Heights are never
transformed. GeoTIFF is opened by Pillow, its place on earth read from its tags here.
"""

import math
import tempfile
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from geo.geometry import METRES
from geo.layers import LayerInfo, LayerProblem, LayerRead, LayerReport, Limits, Skipped, degrees_box
from geo.readers.archive import Delivered, Entry, unpack
from geo.readers.systems import System, Way, numbered_system

if TYPE_CHECKING:
    import numpy as np

GEOTIFF: Final = "GeoTIFF"
XYZ: Final = "XYZ"
FORMATS: Final = (GEOTIFF, XYZ)

MOST_POINTS: Final = 100_000_000
"""Heights in one delivered file."""
KEPT_POINTS: Final = 25_000_000
"""Heights that are kept: a finer model of a larger area is kept more coarsely."""

_TIFF_ENDINGS: Final = (".tif", ".tiff")
_TEXT_ENDINGS: Final = (".xyz", ".txt", ".csv")
_OTHERS: Final = (".gml", ".gpkg", ".shp", ".fgb", ".json", ".geojson", ".jsonl", ".citygml", ".parquet")
#: No ground in Germany lies lower or higher; what does is a sign for "nothing known" that was not declared.
_LOWEST, _HIGHEST = -500.0, 9000.0
_SCALE, _TIEPOINT, _MATRIX, _KEYS, _NO_DATA = 33550, 33922, 34264, 34735, 42113


def is_geotiff(file: Delivered) -> bool:
    """A TIFF that says where on earth it lies, or an archive of such."""
    first = _first(file, _TIFF_ENDINGS)
    if first is not None:
        return True
    return _is_tiff(file.head) and _has_place(file.path)


def is_xyz(file: Delivered) -> bool:
    """Lines of at least three numbers, or an archive of such."""
    first = _first(file, _TEXT_ENDINGS)
    return _is_points(file.text if first is None else first)


def _first(file: Delivered, endings: tuple[str, ...]) -> bytes | None:
    """The beginning of the first file with such a name in an archive that holds no map of another kind."""
    import zipfile

    entry = next((entry for entry in file.entries if entry.suffix in endings), None)
    if entry is None or any(other.suffix in _OTHERS for other in file.entries):
        return None
    try:
        with zipfile.ZipFile(file.path) as archive, archive.open(entry.name) as inner:
            return inner.read(4096)
    except (OSError, RuntimeError, zipfile.BadZipFile, NotImplementedError, EOFError):
        return None


def _is_tiff(head: bytes) -> bool:
    return head.startswith((b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"))


def _has_place(path: Path) -> bool:
    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(path, formats=("TIFF",)) as image:
                tags = getattr(image, "tag_v2", {})
                return _SCALE in tags or _MATRIX in tags
    except Exception:
        return False  # whatever it is, no raster of heights


def _is_points(head: bytes) -> bool:
    lines = head.decode("latin-1").splitlines()[:-1] or head.decode("latin-1").splitlines()
    rows = [_numbers(line) for line in lines[1:6] or lines[:1]]
    return bool(rows) and all(len(row) >= 3 and row[0] > 100 and row[1] > 100 for row in rows)


def _numbers(line: str) -> list[float]:
    try:
        return [float(word) for word in _plain(line).split()]
    except ValueError:
        return []


def _plain(text: str) -> str:
    """Numbers with points, parted by blanks: German tables part them by semicolons and write commas."""
    if ";" in text:
        return text.replace(",", ".").replace(";", " ")
    return text.replace(",", " ")


# --- pieces ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Piece:
    """A grid as delivered: its system (None: not said), first point, metres or degrees between points, heights row by
    row from the south."""

    system: System | None
    x: float
    y: float
    dx: float
    dy: float
    heights: "np.ndarray[Any, Any]"
    unknown: int


def read_terrain(
    file: Delivered,
    limits: Limits,
    crs: int | None,
    model: Path | None = None,
    progress: Callable[[float], None] = lambda share: None,
) -> LayerRead:
    """A terrain model as the area that it covers and a report; its grid is written to `model` where that is given.

    `crs` is an EPSG code, for files that do not say theirs. Raises LayerProblem.
    """
    import geopandas
    import shapely

    from geo.terrain import write_terrain

    with tempfile.TemporaryDirectory(prefix="digilog-") as name:
        pieces = []
        for number, (path, of) in enumerate(found := list(_files(file, Path(name)))):
            pieces.append(_tiff(path) if _is_tiff(_head(path)) else _points(path, limits))
            progress(0.7 * (number + 1) / len(found))
            if sum(piece.heights.size for piece in pieces) > MOST_POINTS:
                raise LayerProblem("too_many_vertices", count=MOST_POINTS + 1, limit=MOST_POINTS, entry=of)
    systems = [_system(piece, crs) for piece in pieces]
    ways = {system.code: Way(system) for system in systems}
    terrain = _mosaic(pieces, systems)
    progress(0.95)
    low, high = _extremes(terrain.heights)
    rows, columns = terrain.heights.shape
    box = (
        terrain.west,
        terrain.south,
        terrain.west + (columns - 1) * terrain.step,
        terrain.south + (rows - 1) * terrain.step,
    )
    kind = GEOTIFF if _is_tiff(_head_in(file)) else XYZ
    notes = [note for way in ways.values() for note in way.notes]
    unknown = sum(piece.unknown for piece in pieces)
    report = LayerReport(
        format=kind,
        version="",
        layers=tuple(LayerInfo(of, piece.heights.size, ("Point",)) for (_, of), piece in zip(found, pieces, strict=True)),
        features=1,
        geometry_types={"Polygon": 1},
        crs=", ".join(dict.fromkeys(system.label for system in systems)),
        vertical=", ".join(dict.fromkeys(system.vertical for system in systems if system.vertical)),
        bounds=box,
        bounds_degrees=degrees_box(*box),
        columns=("low", "high"),
        skipped=(Skipped("", "unknown_height", unknown),) if unknown else (),
        notes=(*dict.fromkeys(notes), ("grid_step", f"{terrain.step:g}")),
        heights=(low, high),
    )  # fmt: skip
    if model is not None:
        write_terrain(terrain, model)
    frame = geopandas.GeoDataFrame({"low": [low], "high": [high]}, geometry=[shapely.box(*box)], crs=METRES)
    return LayerRead(frame, report)


def _files(file: Delivered, folder: Path) -> Iterator[tuple[Path, str]]:
    if not file.is_archive:
        yield file.path, file.name
        return
    endings = _TIFF_ENDINGS if _first(file, _TIFF_ENDINGS) is not None else _TEXT_ENDINGS
    chosen: list[Entry] = [entry for entry in file.entries if entry.suffix in endings]
    for number, entry in enumerate(chosen):
        yield unpack(file, entry, folder / f"{number}{entry.suffix}"), entry.base


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(16)


def _head_in(file: Delivered) -> bytes:
    return _first(file, _TIFF_ENDINGS) or file.head


def _system(piece: _Piece, given: int | None) -> System:
    if piece.system is None:
        if given is None:
            raise LayerProblem("missing_crs", looks_like="metres")
        return numbered_system(given)
    if given is not None and numbered_system(given).code != piece.system.code:
        raise LayerProblem("crs_conflict", found=piece.system.label, given=f"EPSG:{given}")
    return piece.system


def _tiff(path: Path) -> _Piece:
    import numpy as np
    from PIL import Image

    try:
        with warnings.catch_warnings(), Image.open(path, formats=("TIFF",)) as image:
            warnings.simplefilter("error", UserWarning)  # Pillow's way of saying that the file ends too early
            wide, high = image.size
            if wide * high > MOST_POINTS:
                raise LayerProblem("too_many_vertices", count=wide * high, limit=MOST_POINTS)
            if wide < 2 or high < 2 or image.mode not in ("F", "I", "I;16", "I;16B"):
                raise LayerProblem("no_heights", found=f"TIFF ({image.mode}, {wide} × {high})")
            tags: Any = image.tag_v2  # type: ignore[attr-defined]
            heights = np.asarray(image, dtype="f4")[::-1].copy()
    except Image.DecompressionBombError as problem:
        raise LayerProblem("too_many_vertices", count=MOST_POINTS + 1, limit=MOST_POINTS) from problem
    except (UserWarning, EOFError) as problem:
        raise LayerProblem("truncated") from problem
    if _MATRIX in tags:
        a, b, _, west, c, d, _, north = (float(value) for value in tags[_MATRIX][:8])
        if b or c:
            raise LayerProblem("no_grid")
        dx, dy = a, -d
    elif _SCALE in tags and len(tags.get(_TIEPOINT, ())) >= 6:
        dx, dy = (float(value) for value in tags[_SCALE][:2])
        column, row, _, x, y, _ = (float(value) for value in tags[_TIEPOINT][:6])
        west, north = x - column * dx, y + row * dy
    else:
        raise LayerProblem("no_grid")
    if not (dx > 0 and dy > 0 and all(math.isfinite(value) for value in (west, north, dx, dy))):
        raise LayerProblem("no_grid")
    keys = _keys(tags.get(_KEYS, ()))
    if keys.get(1025, 1) != 2:  # pixels are areas, not points: their middle is meant
        west, north = west + dx / 2, north - dy / 2
    code = keys.get(3072) or keys.get(2048)
    system = numbered_system(code, keys.get(4096)) if code and 1024 < code < 32767 else None
    try:
        nothing = float(str(tags.get(_NO_DATA, "nan")).strip("\0 "))
    except ValueError:
        nothing = math.nan
    heights[heights == np.float32(nothing)] = np.nan
    return _checked(_Piece(system, west, north - (high - 1) * dy, dx, dy, heights, 0))


def _keys(directory: Any) -> dict[int, int]:
    """The short values of a GeoKeyDirectory; what stands elsewhere is not needed."""
    words = [int(word) for word in directory]
    rows = [words[start : start + 4] for start in range(4, len(words) - 3, 4)]
    return {key: value for key, place, _count, value in rows if place == 0}


def _points(path: Path, limits: Limits) -> _Piece:
    import numpy as np

    if path.stat().st_size > limits.text_bytes:
        raise LayerProblem("too_large", size=path.stat().st_size, limit=limits.text_bytes)
    text = _plain(path.read_text(encoding="latin-1"))
    first, _, rest = text.partition("\n")
    try:
        points = np.loadtxt(
            (text if _numbers(first) else rest).splitlines(), usecols=(0, 1, 2), comments="#", ndmin=2
        )
    except ValueError as problem:
        raise LayerProblem("broken", detail=str(problem)[:200]) from problem
    if len(points) < 4 or not np.isfinite(points[:, :2]).all():
        raise LayerProblem("no_grid")
    (west, dx, column), (south, dy, row) = (_axis(points[:, axis]) for axis in (0, 1))
    columns, rows = int(column.max()) + 1, int(row.max()) + 1
    if columns < 2 or rows < 2 or columns * rows > 4 * len(points):
        raise LayerProblem("no_grid")
    heights = np.full((rows, columns), np.nan, dtype="f4")
    heights[row, column] = points[:, 2]
    return _checked(_Piece(None, west, south, dx, dy, heights, 0))


def _axis(values: "np.ndarray[Any, Any]") -> "tuple[float, float, np.ndarray[Any, Any]]":
    """Where a row of points begins, how far they lie apart, and the number of each. Raises LayerProblem no_grid."""
    import numpy as np

    different = np.unique(np.round(values, 4))
    if len(different) < 2:
        raise LayerProblem("no_grid")
    step = float(np.diff(different).min())
    number = (values - different[0]) / step
    whole = np.rint(number)
    if np.abs(number - whole).max() > 0.02 or whole.max() > MOST_POINTS:
        raise LayerProblem("no_grid")
    return float(different[0]), step, whole.astype(int)


def _checked(piece: _Piece) -> _Piece:
    import numpy as np

    with np.errstate(invalid="ignore"):
        bad = ~((piece.heights > _LOWEST) & (piece.heights < _HIGHEST))
    if bad.all():
        raise LayerProblem("nothing_usable", count=piece.heights.size)
    piece.heights[bad] = np.nan
    return _Piece(piece.system, piece.x, piece.y, piece.dx, piece.dy, piece.heights, int(bad.sum()))


# --- one grid --------------------------------------------------------------------------------------


def _mosaic(pieces: list[_Piece], systems: list[System]) -> Any:
    """All pieces on one grid in EPSG:25832, on the points of the first of them where that is possible."""
    import numpy as np
    from pyproj import Transformer

    from geo.layers import known_crs
    from geo.terrain import Terrain

    boxes, steps, ways = [], [], []
    for piece, system in zip(pieces, systems, strict=True):
        there = Transformer.from_crs(known_crs(system.code), METRES, always_xy=True)
        rows, columns = piece.heights.shape
        east, north = piece.x + (columns - 1) * piece.dx, piece.y + (rows - 1) * piece.dy
        same = system.code == METRES
        box = (piece.x, piece.y, east, north)
        boxes.append(box if same else there.transform_bounds(*box))
        wide = boxes[-1][2] - boxes[-1][0]
        steps.append(piece.dx if same else wide / (columns - 1))
        ways.append(None if same else Transformer.from_crs(METRES, known_crs(system.code), always_xy=True))
    west, south = min(box[0] for box in boxes), min(box[1] for box in boxes)
    east, north = max(box[2] for box in boxes), max(box[3] for box in boxes)
    if not all(math.isfinite(value) for value in (west, south, east, north)):
        raise LayerProblem("outside", lon="?", lat="?")
    step = min(steps)
    if (east - west) / step * ((north - south) / step) > KEPT_POINTS:
        step *= math.ceil(math.sqrt((east - west) * (north - south) / KEPT_POINTS) / step)
    columns, rows = math.floor((east - west) / step + 1e-6) + 1, math.floor((north - south) / step + 1e-6) + 1
    if columns < 2 or rows < 2 or columns * rows > 2 * KEPT_POINTS:
        raise LayerProblem("no_grid")
    heights = np.full((rows, columns), np.nan, dtype="f4")
    for piece, way, box in zip(pieces, ways, boxes, strict=True):
        c0, c1 = (math.floor((edge - west) / step) for edge in (box[0] - step, box[2] + step))
        r0, r1 = (math.floor((edge - south) / step) for edge in (box[1] - step, box[3] + step))
        c0, r0, c1, r1 = max(c0, 0), max(r0, 0), min(c1 + 1, columns), min(r1 + 1, rows)
        grid = Terrain(0.0, 0.0, 1.0, piece.heights)
        for begin in range(r0, r1, 500):
            end = min(begin + 500, r1)
            x, y = np.meshgrid(west + np.arange(c0, c1) * step, south + np.arange(begin, end) * step)
            if way is not None:
                x, y = way.transform(x, y)
            seen = grid.at((x - piece.x) / piece.dx, (y - piece.y) / piece.dy)
            part = heights[begin:end, c0:c1]
            part[:] = np.where(np.isnan(part), seen, part)
    return Terrain(west, south, step, heights)


def _extremes(heights: "np.ndarray[Any, Any]") -> tuple[float, float]:
    import numpy as np

    if np.isnan(heights).all():
        raise LayerProblem("nothing_usable", count=heights.size)
    return round(float(np.nanmin(heights)), 2), round(float(np.nanmax(heights)), 2)
