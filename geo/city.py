"""The city in three dimensions as it is kept: buildings, and the surfaces that bound them, in one GeoPackage.

Two tables in EPSG:25832 with heights in metres after DHHN2016, whatever the delivered file was (CityGML, CityJSON, a
planner's outlines with heights): `building` with the footprint, and `surface` with one flat face each (`kind`: roof,
wall, ground, closure, other; `building`: the building's id). Both are read by box.

Imports numpy and shapely: only functions load this module.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, fields
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

Array = np.ndarray[Any, Any]
Box = tuple[float, float, float, float]
"""West, south, east, north in metres (EPSG:25832)."""
Roof = Literal["flat", "gable", "hip"]

KINDS: Final = ("roof", "wall", "ground", "closure", "other")
ROOF, WALL, GROUND, CLOSURE, OTHER = range(len(KINDS))

STOREY: Final = 3.0
"""Metres from floor to floor where nothing better is known."""


@dataclass(frozen=True)
class City:
    """Buildings, one row each, and their surfaces; arrays of each kind run in parallel.

    `ground` and `top` are metres after DHHN2016, `storeys` above ground (0 if unknown). `owner` is the row of the
    building that a surface belongs to, `kind` an index of `KINDS`, `faces` are polygons with heights.
    """

    ids: Array
    parents: Array
    names: Array
    addresses: Array
    functions: Array
    storeys: Array
    ground: Array
    top: Array
    footprints: Array
    owner: Array
    kind: Array
    faces: Array

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def labels(self) -> list[str]:
        """What each building is called: its name, or its address; a part as the whole; or nothing."""
        own = [str(name or address) for name, address in zip(self.names, self.addresses, strict=True)]
        by_id = dict(zip(self.ids, own, strict=True))
        return [label or by_id.get(parent, "") for label, parent in zip(own, self.parents, strict=True)]

    def row(self, building: str) -> int | None:
        """The row of a building by its id, or None."""
        found = np.flatnonzero(self.ids == building)
        return int(found[0]) if len(found) else None

    def chosen(self, keep: Array) -> "City":
        """Those buildings where `keep` is true, with their surfaces."""
        new_row = np.cumsum(keep) - 1
        stays = keep[self.owner]
        values = {name: getattr(self, name)[keep] for name in _PER_BUILDING}
        return City(
            **values, owner=new_row[self.owner[stays]], kind=self.kind[stays], faces=self.faces[stays]
        )

    def without(self, ids: Collection[str]) -> "City":
        """All buildings but these, and but the parts of these."""
        gone = list(ids)
        return self.chosen(~(np.isin(self.ids, gone) | np.isin(self.parents, gone))) if gone else self

    def joined(self, other: "City") -> "City":
        """Both at once."""
        values = {
            each.name: np.concatenate([getattr(self, each.name), getattr(other, each.name)])
            for each in fields(self)
        }
        values["owner"] = np.concatenate([self.owner, other.owner + len(self)])
        return City(**values)

    def near(self, shape: BaseGeometry, distance: float) -> "City":
        """The buildings that stand within so many metres of a shape."""
        shapely.prepare(shape)
        return self.chosen(shapely.dwithin(self.footprints, shape, distance))


_TEXTS = ("ids", "parents", "names", "addresses", "functions")
_NUMBERS = ("storeys", "ground", "top")
_PER_BUILDING = (*_TEXTS, *_NUMBERS, "footprints")
_COLUMNS = {
    "ids": "id", "parents": "parent", "names": "name", "addresses": "address", "functions": "function",
    "storeys": "storeys", "ground": "ground", "top": "height",
}  # fmt: skip


# --- the file --------------------------------------------------------------------------------------


def read_city(path: Path, box: Box | None = None) -> City:
    """The buildings whose footprints meet `box` (all of them without one), with all of their surfaces."""
    from pyogrio import raw

    meta, _fids, outlines, data = raw.read(path, layer="building", bbox=box)
    table = dict(zip(meta["fields"], data, strict=True))
    count = len(outlines)
    values: dict[str, Array] = {name: _texts(table.get(_COLUMNS[name]), count) for name in _TEXTS} | {
        name: _numbers(table.get(_COLUMNS[name]), count) for name in _NUMBERS
    }
    values["storeys"] = np.nan_to_num(values["storeys"]).astype(int)
    footprints = shapely.from_wkb(outlines)
    owner, kind, faces = _surfaces(path, values["ids"], footprints, box)
    city = City(**values, footprints=footprints, owner=owner, kind=kind, faces=faces)
    return _complete(city)


def _texts(column: Array | None, count: int) -> Array:
    if column is None:
        return np.full(count, "", dtype=object)
    return np.array(["" if value is None or value != value else str(value) for value in column], dtype=object)


def _numbers(column: Array | None, count: int) -> Array:
    if column is None:
        return np.full(count, np.nan)
    return np.array(column, dtype=float)


def _surfaces(path: Path, ids: Array, footprints: Array, box: Box | None) -> tuple[Array, Array, Array]:
    from pyogrio import raw

    nothing = np.empty(0, dtype=int), np.empty(0, dtype=int), np.empty(0, dtype=object)
    if not len(ids):
        return nothing
    if box is not None:
        # Roofs reach a little beyond the footprint.
        west, south, east, north = shapely.total_bounds(footprints)
        box = (west - 2, south - 2, east + 2, north + 2)
    meta, _fids, shapes, data = raw.read(path, layer="surface", bbox=box, columns=["building", "kind"])
    table = dict(zip(meta["fields"], data, strict=True))
    row_of = {name: row for row, name in enumerate(ids)}
    owner = np.array([row_of.get(str(name), -1) for name in table["building"]], dtype=int)
    number_of = {name: number for number, name in enumerate(KINDS)}
    kind = np.array([number_of.get(str(name), OTHER) for name in table["kind"]], dtype=int)
    known = owner >= 0
    return owner[known], kind[known], shapely.from_wkb(shapes[known])


def _complete(city: City) -> City:
    """Heights that the table leaves out, from the surfaces; surfaces that are missing, from footprint and height."""
    ground, top = city.ground.copy(), city.top.copy()
    if len(city.faces):
        coordinates, index = shapely.get_coordinates(city.faces, include_z=True, return_index=True)
        low, high = np.full(len(city), np.inf), np.full(len(city), -np.inf)
        rows = city.owner[index]
        np.minimum.at(low, rows, coordinates[:, 2])
        np.maximum.at(high, rows, coordinates[:, 2])
        ground = np.where(np.isnan(ground) & np.isfinite(low), low, ground)
        top = np.where(np.isnan(top) & np.isfinite(high), high, top)
    ground = np.nan_to_num(ground)
    top = np.where(np.isnan(top), ground, top)
    values = {each.name: getattr(city, each.name) for each in fields(city)} | {"ground": ground, "top": top}
    city = City(**values)
    bare = ~np.isin(city.ids, city.parents)  # what consists of parts is drawn by them
    bare[city.owner] = False
    bare &= top > ground
    if not bare.any():
        return city
    rows = np.flatnonzero(bare)
    solids = [_solid(city.footprints[row], ground[row], top[row], top[row], "flat") for row in rows]
    return _with_faces(city, rows, solids)


def _with_faces(city: City, rows: Array, solids: Sequence[Sequence[tuple[int, BaseGeometry]]]) -> City:
    values = {each.name: getattr(city, each.name) for each in fields(city)}
    owner = [row for row, solid in zip(rows, solids, strict=True) for _ in solid]
    values["owner"] = np.concatenate([city.owner, np.array(owner, dtype=int)])
    values["kind"] = np.concatenate(
        [city.kind, np.array([kind for solid in solids for kind, _ in solid], dtype=int)]
    )
    faces = np.empty(len(owner), dtype=object)
    faces[:] = [face for solid in solids for _, face in solid]
    values["faces"] = np.concatenate([city.faces, faces])
    return City(**values)


def write_city(city: City, path: Path) -> None:
    """Write the two tables of a city as a new GeoPackage."""
    from pyogrio import raw

    multi = np.array(
        [shapely.multipolygons(shapely.get_parts(each)) for each in city.footprints], dtype=object
    )
    raw.write(
        path,
        shapely.to_wkb(multi),
        [getattr(city, name) for name in _COLUMNS],
        list(_COLUMNS.values()),
        layer="building",
        driver="GPKG",
        geometry_type="MultiPolygon",
        crs="EPSG:25832",
    )
    raw.write(
        path,
        shapely.to_wkb(city.faces, output_dimension=3),
        [city.ids[city.owner], np.array(KINDS, dtype=object)[city.kind]],
        ["building", "kind"],
        layer="surface",
        driver="GPKG",
        geometry_type="Polygon Z",
        crs="EPSG:25832",
        append=True,
    )


@lru_cache(maxsize=8)
def kept_city(path: Path, digest: str, box: Box | None = None) -> City:
    """`read_city`, with what was read last kept in memory by the hash of the file."""
    return read_city(path, box)


# --- from outlines and heights ---------------------------------------------------------------------


@dataclass(frozen=True)
class Volume:
    """A building as somebody plans it: an outline in EPSG:25832, metres, and heights after DHHN2016.

    `eaves` is where the roof begins; a flat roof has `eaves` = `top`. A gable or hip roof needs an outline of four
    corners; any other outline gets a flat roof at `top`.
    """

    id: str
    outline: BaseGeometry
    ground: float
    top: float
    eaves: float | None = None
    roof: Roof = "flat"
    name: str = ""
    address: str = ""
    function: str = ""
    storeys: int = 0
    parent: str = ""


def city_of(volumes: Sequence[Volume]) -> City:
    """Volumes as a city, with all their surfaces. Raises ValueError for one whose top is not above its ground."""
    for each in volumes:
        if not each.top > each.ground:
            raise ValueError(f"{each.id}: top {each.top} is not above ground {each.ground}")

    def column(read: Callable[[Volume], object]) -> Array:
        values = np.empty(len(volumes), dtype=object)
        values[:] = [read(each) for each in volumes]
        return values

    empty = np.empty(0, dtype=int)
    city = City(
        ids=column(lambda each: each.id),
        parents=column(lambda each: each.parent),
        names=column(lambda each: each.name),
        addresses=column(lambda each: each.address),
        functions=column(lambda each: each.function),
        storeys=column(lambda each: each.storeys).astype(int),
        ground=column(lambda each: each.ground).astype(float),
        top=column(lambda each: each.top).astype(float),
        footprints=column(lambda each: shapely.force_2d(each.outline)),
        owner=empty,
        kind=empty,
        faces=np.empty(0, dtype=object),
    )
    solids = [
        _solid(each.outline, each.ground, each.top if each.eaves is None else each.eaves, each.top, each.roof)
        for each in volumes
    ]
    return _with_faces(city, np.arange(len(volumes)), solids)


def _solid(
    outline: BaseGeometry, ground: float, eaves: float, top: float, roof: str
) -> list[tuple[int, BaseGeometry]]:
    """The surfaces of a body over an outline: outsides are counter-clockwise seen from outside."""
    found: list[tuple[int, BaseGeometry]] = []
    for part in shapely.get_parts(shapely.force_2d(outline)):
        shape = shapely.remove_repeated_points(shapely.normalize(part), 1e-3)
        shell = np.asarray(shape.exterior.coords)[:-1]
        if not shape.exterior.is_ccw:
            shell = shell[::-1]
        if roof in ("gable", "hip") and len(shell) == 4 and not shape.interiors and ground < eaves < top:
            found += _pitched(shell, ground, eaves, top, roof == "hip")
            continue
        holes = [np.asarray(ring.coords)[:-1][:: 1 if not ring.is_ccw else -1] for ring in shape.interiors]
        for ring in (shell, *holes):
            found += [
                (WALL, _quad(a, b, ground, top)) for a, b in zip(ring, np.roll(ring, -1, 0), strict=True)
            ]
        found.append((ROOF, _flat(shell, holes, top)))
        found.append((GROUND, _flat(shell[::-1], [hole[::-1] for hole in holes], ground)))
    return found


def _flat(shell: Array, holes: Sequence[Array], height: float) -> BaseGeometry:
    def at(ring: Array) -> Array:
        return np.column_stack([ring, np.full(len(ring), height)])

    return shapely.Polygon(at(shell), [at(hole) for hole in holes])


def _quad(a: Array, b: Array, low: float, high: float) -> BaseGeometry:
    return shapely.Polygon([(*a, low), (*b, low), (*b, high), (*a, high)])


def _pitched(
    shell: Array, ground: float, eaves: float, top: float, hipped: bool
) -> list[tuple[int, BaseGeometry]]:
    """A gable or hip roof whose ridge runs along the longer sides of four corners."""
    sides = np.hypot(*(np.roll(shell, -1, 0) - shell).T)
    a, b, c, d = shell if sides[0] + sides[2] >= sides[1] + sides[3] else np.roll(shell, -1, 0)
    start, end = (d + a) / 2, (b + c) / 2
    if hipped:
        inset = min(0.4, (np.hypot(*(a - d)) / 2) / max(np.hypot(*(end - start)), 1e-6))
        start, end = start + (end - start) * inset, end - (end - start) * inset
    r, s = (*start, top), (*end, top)

    def up(point: Array) -> tuple[float, ...]:
        return (*point, eaves)

    ends: list[tuple[int, BaseGeometry]]
    walls = [(WALL, _quad(p, q, ground, eaves)) for p, q in ((a, b), (c, d))]
    if hipped:
        walls += [(WALL, _quad(p, q, ground, eaves)) for p, q in ((b, c), (d, a))]
        ends = [(ROOF, shapely.Polygon([up(b), up(c), s])), (ROOF, shapely.Polygon([up(d), up(a), r]))]
    else:
        ends = [
            (WALL, shapely.Polygon([(*b, ground), (*c, ground), up(c), s, up(b)])),
            (WALL, shapely.Polygon([(*d, ground), (*a, ground), up(a), r, up(d)])),
        ]
    slopes = [(ROOF, shapely.Polygon([up(a), up(b), s, r])), (ROOF, shapely.Polygon([up(c), up(d), r, s]))]
    floor = (GROUND, shapely.Polygon([(*each, ground) for each in shell[::-1]]))
    return [*walls, *slopes, *ends, floor]
