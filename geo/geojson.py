"""Shapes as GeoJSON text, thousands at once: digits are looked up for whole arrays instead of number by number.

Importing this module loads neither numpy nor shapely.
"""

from collections.abc import Callable, Iterable
from functools import cache
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import numpy as np

DECIMALS: Final = 7
"""Of a degree: a centimetre on the ground."""

#: Shapes whose points are one run, by shapely's number: what they are called, and how deep the run is nested.
_RUNS: Final = {
    0: ("Point", 1),
    1: ("LineString", 2),
    3: ("Polygon", 3),
    4: ("MultiPoint", 2),
    5: ("MultiLineString", 3),
    6: ("MultiPolygon", 4),
}


def spelled(
    shapes: "np.ndarray[Any, Any]", project: "Callable[[np.ndarray[Any, Any]], np.ndarray[Any, Any]]"
) -> list[str]:
    """Each shape as a GeoJSON geometry, its points as `project` makes them, to seven decimals.

    The library spells what has several rings or parts, and everything where something lies south of 1° north or west of
    1° east: the same numbers, some with more digits than they need.
    """
    import numpy as np
    import shapely

    points = np.round(project(shapely.get_coordinates(shapes)), DECIMALS)
    counts = shapely.get_num_coordinates(shapes)
    kinds = shapely.get_type_id(shapes)
    first = shapes.copy()  # the rings of a multi polygon are those of its parts
    first[kinds == 6] = shapely.get_geometry(shapes[kinds == 6], 0)
    is_run = (counts > 0) & (shapely.get_num_geometries(shapes) == 1) & np.isin(kinds, list(_RUNS))
    is_run &= shapely.get_num_interior_rings(first) == 0
    if not ((points >= 1) & (points < 1000)).all():
        is_run[:] = False
    of_run = is_run.repeat(counts)
    found = np.empty(len(shapes), dtype=object)
    found[~is_run] = shapely.to_geojson(shapely.set_coordinates(shapes[~is_run], points[~of_run]))
    runs = _runs(points[of_run], counts[is_run])
    found[is_run] = [
        f'{{"type":"{name}","coordinates":{"[" * depth}{run}{"]" * depth}}}'
        for run, (name, depth) in zip(runs, map(_RUNS.__getitem__, kinds[is_run].tolist()), strict=True)
    ]
    texts: list[str] = found.tolist()
    return texts


def _runs(points: "np.ndarray[Any, Any]", counts: "np.ndarray[Any, Any]") -> list[str]:
    """The points of each run, from 1 to below 1000: "x,y],[x,y"."""
    import numpy as np

    whole, part = np.divmod(np.rint(points * 10**DECIMALS).astype(np.int64), 10**DECIMALS)
    high, low = np.divmod(part.astype(np.int32), 10_000)
    before, thousandths, last_thousandths, rest = _digits()
    # Four characters each: degrees, point and three decimals, four decimals without noughts at the end, what comes after.
    words = np.empty((*points.shape, 4), dtype="<u4")
    words[..., 0] = before[whole]
    words[..., 1] = np.where(low == 0, last_thousandths[high], thousandths[high])
    words[..., 2] = rest[low]
    words[:, 0, 3], words[:, 1, 3] = _packed([",", "],["])
    words[counts.cumsum() - 1, 1, 3] = _packed(["\n"])[0]
    return words.tobytes().translate(None, b"\0").decode("ascii").splitlines()


@cache
def _digits() -> "tuple[np.ndarray[Any, Any], ...]":
    """Numbers below 1000; .000 to .999 where more decimals follow, and where none do; the four decimals that do."""
    return (
        _packed(f"{number}" for number in range(1000)),
        _packed(f".{number:03}" for number in range(1000)),
        _packed(f".{number:03}".rstrip("0").ljust(2, "0") for number in range(1000)),
        _packed(f"{number:04}".rstrip("0") for number in range(10_000)),
    )


def _packed(words: Iterable[str]) -> "np.ndarray[Any, Any]":
    """Words of up to four characters as numbers of four octets, noughts behind."""
    import numpy as np

    return np.frombuffer(b"".join(word.encode().ljust(4, b"\0") for word in words), dtype="<u4")
