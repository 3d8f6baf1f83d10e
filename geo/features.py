"""The objects of a layer one by one, and the same object again in a newer delivery of the layer.

An object's number is its place in the normalised file, which never changes: a layer that is delivered again is another
file. Importing this module loads neither numpy nor shapely.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from geo.styles import spoken

if TYPE_CHECKING:
    import numpy as np

Box = tuple[float, float, float, float]

ALIKE: Final = 0.8
"""Two areas are the same object if they share so much of what they cover together; lines of what they run along."""
BESIDE: Final = 1.0
"""Metres that a point or a line may have moved and still be the same."""
ASTRAY: Final = 50.0
"""Metres between two objects with the same id from which on they cannot be the same: ids were given anew."""


@dataclass(frozen=True, slots=True)
class Feature:
    """An object: its number in the file, what it is called, its own id, its attributes as people read them, and its
    shape (WKB, EPSG:25832)."""

    number: int
    name: str
    identifier: str
    words: tuple[tuple[str, str], ...]
    wkb: bytes


@dataclass(frozen=True, slots=True)
class Columns:
    """Which attributes of a layer name its objects, for people and for good; empty where none does."""

    name: str = ""
    identifier: str = ""


def feature(path: Path, number: int, columns: Columns, *, table: str | None = None) -> Feature | None:
    """The object of this number; None if there is none. `table`: the one of a GeoPackage with several."""
    import pyogrio.errors
    import pyogrio.raw

    if not 0 <= number < 2**31:
        return None
    try:
        meta, _, wkb, values = pyogrio.raw.read(str(path), layer=table, fids=[number])
    except (pyogrio.errors.FeatureError, ValueError):
        return None
    return _features(meta["fields"], [number], wkb, values, columns)[0] if len(wkb) else None


def features_at(
    path: Path, x: float, y: float, reach: float, columns: Columns, *, limit: int = 10
) -> list[Feature]:
    """The objects at a place (metres, EPSG:25832): points and lines within `reach` metres, the nearest first, then areas
    that hold it, the smallest first."""
    import numpy as np
    import pyogrio.raw
    import shapely

    box = (x - reach, y - reach, x + reach, y + reach)
    meta, fids, wkb, values = pyogrio.raw.read(str(path), bbox=box, return_fids=True, max_features=5_000)
    if not len(wkb):
        return []
    shapes = shapely.from_wkb(wkb)
    away = shapely.distance(shapes, shapely.Point(x, y))
    is_area = shapely.get_dimensions(shapes) == 2
    chosen = np.flatnonzero(np.where(is_area, away <= 0, away <= reach))
    rank = np.where(is_area, 1e6 + shapely.area(shapes), away)
    chosen = chosen[np.argsort(rank[chosen], kind="stable")][:limit]
    return _features(
        meta["fields"], fids[chosen].tolist(), wkb[chosen], [each[chosen] for each in values], columns
    )


def features_in(
    path: Path, box: Box | None, columns: Columns, *, after: int = -1, limit: int = 100
) -> tuple[list[Feature], bool]:
    """The objects of a layer with numbers above `after`, those whose box meets `box` (metres, EPSG:25832) or all, by
    number; and whether there are more."""
    import pyogrio
    import pyogrio.raw

    if box is None:
        total = int(pyogrio.read_info(str(path), force_feature_count=True)["features"])
        numbers = list(range(max(after + 1, 0), min(max(after + 1, 0) + limit, total)))
        more = bool(numbers) and numbers[-1] + 1 < total
    else:
        _, fids, _, _ = pyogrio.raw.read(str(path), bbox=box, columns=[], return_fids=True)
        there = sorted(int(each) for each in fids if each > after)
        numbers, more = there[:limit], len(there) > limit
    if not numbers:
        return [], False
    meta, _, wkb, values = pyogrio.raw.read(str(path), fids=numbers)
    return _features(meta["fields"], numbers, wkb, values, columns), more


def features_near(
    path: Path, wkb: bytes, reach: float, columns: Columns, *, limit: int = 8, table: str | None = None
) -> list[tuple[Feature, float]]:
    """The objects within `reach` metres of a shape (WKB, EPSG:25832), each with its distance; of those that touch it the
    ones that share most with it come first."""
    import numpy as np
    import pyogrio.raw
    import shapely

    old = shapely.from_wkb(wkb)
    west, south, east, north = old.bounds
    box = (west - reach, south - reach, east + reach, north + reach)
    meta, fids, found, values = pyogrio.raw.read(
        str(path), layer=table, bbox=box, return_fids=True, max_features=2_000
    )
    if not len(found):
        return []
    shapes = shapely.from_wkb(found)
    away = shapely.distance(shapes, old)
    shared = shapely.area(shapely.intersection(shapes, old))
    order = [index for index in np.lexsort((-shared, away)).tolist() if away[index] <= reach][:limit]
    near = _features(
        meta["fields"], fids[order].tolist(), found[order], [each[order] for each in values], columns
    )
    return list(zip(near, (float(away[index]) for index in order), strict=True))


def how_many(path: Path) -> int:
    """How many objects a layer has."""
    import pyogrio

    return int(pyogrio.read_info(str(path), force_feature_count=True)["features"])


def values_of(path: Path, column: str, *, limit: int) -> tuple[tuple[str, int], ...]:
    """The values of an attribute as people read them, the most frequent first, each with how often it is there."""
    from collections import Counter

    import pyogrio.raw

    _, _, _, values = pyogrio.raw.read(str(path), columns=[column], read_geometry=False)
    if not len(values):
        return ()
    found = Counter(spoken(each) for each in values[0].tolist())
    return tuple(sorted(found.items(), key=lambda each: (-each[1], each[0]))[:limit])


def _features(
    fields: "Sequence[Any]",
    numbers: Sequence[int],
    wkb: "Sequence[bytes] | np.ndarray[Any, Any]",
    values: "Sequence[np.ndarray[Any, Any]]",
    columns: Columns,
) -> list[Feature]:
    names = [str(each) for each in fields]
    rows = list(zip(*(column.tolist() for column in values), strict=True)) if len(values) else [()] * len(wkb)
    found = []
    for number, shape, row in zip(numbers, wkb, rows, strict=True):
        words = {name: spoken(value) for name, value in zip(names, row, strict=True)}
        found.append(
            Feature(
                int(number),
                words.get(columns.name, ""),
                words.get(columns.identifier, ""),
                tuple((name, value) for name, value in words.items() if value),
                bytes(shape),
            )
        )
    return found


# --- the same object again -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Wanted:
    """An object of an earlier delivery: its own id (or empty), and its shape (WKB, EPSG:25832)."""

    identifier: str
    wkb: bytes


@dataclass(frozen=True, slots=True)
class Again:
    """The same object in the newer delivery, and by what it was known: its `id` or its `shape`."""

    number: int
    name: str
    identifier: str
    by: str


def found_again(
    path: Path, wanted: Mapping[int, Wanted], columns: Columns, *, table: str | None = None
) -> dict[int, Again]:
    """For each object of an earlier delivery (by a key of the caller's) the same one in the layer at `path`.

    By its id, if one object alone has it and does not lie elsewhere; else by its shape, if one alone is like it. What is
    not in the answer has to be decided by a person.
    """
    by_id = _by_identifier(path, {each.identifier for each in wanted.values()}, columns, table)
    found: dict[int, Again] = {}
    for key, each in wanted.items():
        again = _same_id(path, each, by_id, columns, table) or _same_shape(path, each, columns, table)
        if again is not None:
            found[key] = again
    return found


def _by_identifier(
    path: Path, identifiers: set[str], columns: Columns, table: str | None
) -> dict[str, list[int]]:
    """The numbers of the objects that bear one of these ids."""
    import pyogrio.raw

    known: dict[str, list[int]] = {}
    if not columns.identifier or not identifiers - {""}:
        return known
    meta, fids, _, values = pyogrio.raw.read(
        str(path), layer=table, columns=[columns.identifier], read_geometry=False, return_fids=True
    )
    if not len(meta["fields"]):
        return known
    for number, value in zip(fids.tolist(), values[0].tolist(), strict=True):
        word = spoken(value)
        if word and word in identifiers:
            known.setdefault(word, []).append(int(number))
    return known


def _same_id(
    path: Path, wanted: Wanted, known: Mapping[str, list[int]], columns: Columns, table: str | None
) -> Again | None:
    import pyogrio.raw
    import shapely

    numbers = known.get(wanted.identifier, []) if wanted.identifier else []
    if len(numbers) != 1:
        return None
    meta, _, wkb, values = pyogrio.raw.read(str(path), layer=table, fids=numbers)
    if shapely.distance(shapely.from_wkb(wkb[0]), shapely.from_wkb(wanted.wkb)) > ASTRAY:
        return None
    same = _features(meta["fields"], numbers, wkb, values, columns)[0]
    return Again(same.number, same.name, same.identifier, "id")


def _same_shape(path: Path, wanted: Wanted, columns: Columns, table: str | None) -> Again | None:
    import numpy as np
    import pyogrio.raw
    import shapely

    old = shapely.from_wkb(wanted.wkb)
    west, south, east, north = old.bounds
    box = (west - BESIDE, south - BESIDE, east + BESIDE, north + BESIDE)
    meta, fids, wkb, values = pyogrio.raw.read(
        str(path), layer=table, bbox=box, return_fids=True, max_features=5_000
    )
    alike = [index for index, shape in enumerate(shapely.from_wkb(wkb)) if _is_alike(old, shape)]
    if len(alike) != 1:
        return None
    chosen = np.array(alike)
    same = _features(
        meta["fields"], fids[chosen].tolist(), wkb[chosen], [each[chosen] for each in values], columns
    )[0]
    # Whoever has an id of its own, and another one, is somebody else in the same place.
    if columns.identifier and wanted.identifier and same.identifier and same.identifier != wanted.identifier:
        return None
    return Again(same.number, same.name, same.identifier, "shape")


def _is_alike(old: Any, new: Any) -> bool:
    import shapely

    dimension = int(shapely.get_dimensions(old))
    if dimension != int(shapely.get_dimensions(new)):
        return False
    if dimension == 2:
        together = shapely.area(shapely.union(old, new))
        return bool(together > 0 and shapely.area(shapely.intersection(old, new)) >= ALIKE * together)
    if dimension == 1:
        near = (
            shapely.intersection(old, shapely.buffer(new, BESIDE)),
            shapely.intersection(new, shapely.buffer(old, BESIDE)),
        )
        shared = min(
            shapely.length(near[0]) / shapely.length(old), shapely.length(near[1]) / shapely.length(new)
        )
        return bool(shared >= ALIKE)
    return bool(shapely.distance(old, new) <= BESIDE)
