"""City models as the house keeps them: one GeoPackage with a table of buildings and a table of their surfaces.

Whatever a model came as (CityGML, CityJSON, one file or many), `CityModelWriter` makes this of it:

``building`` – one row for a building and one for each of its parts, geometry ``MultiPolygon``, EPSG:25832:
    ``id`` (text, unique in the file), ``parent`` (id of the building a part belongs to, "" for a building), ``name``,
    ``address``, ``function`` and ``roof_type`` (codes as delivered), ``storeys`` (above ground, 0 where not said),
    ``ground``, ``eaves``, ``height`` – elevations in metres as delivered (DHHN2016 in Germany): the lowest point, the
    lowest edge of a roof, the highest point; a building is ``height - ground`` metres high –, ``measured`` (metres
    above ground as delivered, NaN where not said), ``volume`` (cubic metres, NaN where the surfaces do not close),
    ``lod`` (1.0, 2.0, 2.2, 3.0 …; of a building the highest of its parts), ``surface_first`` and ``surface_count``: the surfaces of this row are those with
    these feature ids. A building that consists of parts has few or no surfaces of its own; its footprint, elevations
    and volume are those of all its parts together.

``surface`` – one row for each face, geometry ``PolygonZ``, EPSG:25832 with elevations as delivered:
    ``building`` (id of the row in ``building``: the part, where a part has the face), ``kind`` (roof, wall, ground,
    closure, other: openings, installations, ceilings), ``area`` (square metres of the face itself).

Both tables have a spatial index. The surfaces of a row stand together, in the order of the buildings. Heights are
never transformed. A model outside Germany is written all the same, and its report says so.

Memory: one batch of buildings at a time, so a model may be larger than what fits. Importing this module loads neither
numpy nor shapely.
"""

import math
import os
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from geo.geometry import METRES, degrees_of
from geo.layers import MAX_LISTED, LayerProblem, Repair, Skipped

if TYPE_CHECKING:
    import geopandas
    import numpy as np

Kind = Literal["roof", "wall", "ground", "closure", "other", ""]
"""What a face is in its building; "" when the model does not say: it is then told by its slope and place."""

KINDS: Final = ("roof", "wall", "ground", "closure", "other")

MAX_HEIGHT: Final = 1_000.0
"""Metres from ground to top. Nothing built in Germany reaches half of it: what is higher is a mistake."""

_BATCH: Final = 16_000
"""Faces that are worked on together."""


@dataclass(slots=True)
class Surface:
    """One face: its kind, and its rings, the outer one first; each an array (n, 3) of easting, northing, elevation."""

    kind: Kind
    rings: "list[np.ndarray[Any, Any]]"


@dataclass(slots=True)
class Building:
    """A building, or with `parent` a part of one, as a reader finds it. `outline` are areas of LoD0, without kind."""

    id: str
    surfaces: list[Surface] = field(default_factory=list)
    parent: str = ""
    name: str = ""
    address: str = ""
    function: str = ""
    roof_type: str = ""
    storeys: int = 0
    measured: float = math.nan
    lod: float = 2.0
    outline: list[Surface] = field(default_factory=list)


@dataclass(slots=True)
class Findings:
    """What was counted, repaired and left out on the way; the writer adds to what the reader noted."""

    buildings: int = 0
    parts: int = 0
    faces: Counter[str] = field(default_factory=Counter)
    """Faces by kind, as written."""
    thematic: Counter[str] = field(default_factory=Counter)
    """RoofSurface, WallSurface … as the file counts them: one can have several faces."""
    lods: Counter[str] = field(default_factory=Counter)
    """Buildings and parts by level of detail; "0" for those without faces of their own."""
    bounds: tuple[float, float, float, float] | None = None
    heights: tuple[float, float] | None = None
    """The lowest and the highest elevation."""
    repairs: list[Repair] = field(default_factory=list)
    repaired: int = 0
    _left: dict[str, tuple[int, list[str]]] = field(default_factory=dict)

    def repair(self, identifier: str, what: str, number: int, x: float, y: float) -> None:
        """Note a building that was changed. `x`, `y` in metres (EPSG:25832)."""
        self.repaired += 1
        if len(self.repairs) < MAX_LISTED:
            lon, lat = degrees_of(x, y) if math.isfinite(x) and math.isfinite(y) else (0.0, 0.0)
            self.repairs.append(Repair("building", number, identifier, what, round(lon, 7), round(lat, 7)))

    def leave_out(self, reason: str, identifier: str, count: int = 1) -> None:
        """Note what was left out of, or as, the building `identifier`."""
        before, names = self._left.get(reason, (0, []))
        if len(names) < MAX_LISTED and identifier and identifier not in names[-1:]:
            names.append(identifier)
        self._left[reason] = (before + count, names)

    @property
    def left(self) -> dict[str, tuple[int, list[str]]]:
        """What was left out by its reason: how often, and of which buildings (the first ones)."""
        return self._left

    def add(self, thematic: dict[str, int], left: dict[str, tuple[int, list[str]]]) -> None:
        """What another process noted of the buildings that come next."""
        self.thematic.update(thematic)
        for reason, (count, names) in left.items():
            for name in names:
                self.leave_out(reason, name, 0)
            self.leave_out(reason, "", count)

    @property
    def skipped(self) -> tuple[Skipped, ...]:
        return tuple(
            Skipped("building", reason, count, identifiers=tuple(names))
            for reason, (count, names) in sorted(self._left.items())
        )


class CityModelWriter:
    """Writes buildings to a GeoPackage as they come, whole or not at all.

    Used as a context manager: when the block ends well the file stands at `path`, otherwise nothing does. Buildings
    are to come in EPSG:25832, each followed by its parts. Raises LayerProblem no_features when there was none.
    """

    def __init__(self, path: Path, findings: Findings | None = None) -> None:
        self.path = path
        self.findings = findings or Findings()
        self._unfinished = path.with_name(f".unfinished-{path.stem}.gpkg")
        self._waiting: list[Building] = []
        self._faces = 0
        self._written = 0
        self._rows = 0
        self._known: set[str] = set()

    def __enter__(self) -> "CityModelWriter":
        self._unfinished.unlink(missing_ok=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: object
    ) -> None:
        try:
            if kind is None:
                self._flush()
                if not self._rows:
                    raise LayerProblem("no_features")
                os.replace(self._unfinished, self.path)
        finally:
            for end in ("", "-journal", "-wal", "-shm"):
                Path(f"{self._unfinished}{end}").unlink(missing_ok=True)

    @property
    def waiting(self) -> bool:
        """Whether something was added and is not written yet."""
        return bool(self._waiting)

    def add(self, building: Building, parts: Sequence[Building] = ()) -> None:
        """A building with its parts; one whose id was there before is left out and noted."""
        if building.id in self._known:
            self.findings.leave_out("duplicate", building.id, 1 + len(parts))
            return
        self._known.add(building.id)
        if self._faces >= _BATCH:
            self._flush()
        for each in (building, *parts):
            self._waiting.append(each)
            self._faces += len(each.surfaces)

    def _flush(self) -> None:
        import numpy as np
        import shapely

        batch = work_out(self._waiting, self.findings)
        self._waiting, self._faces = [], 0
        if not batch.buildings:
            return
        first = self._rows == 0
        counts = np.bincount(batch.owner, minlength=len(batch.buildings))
        firsts = self._written + 1 + np.concatenate(([0], np.cumsum(counts)[:-1]))
        text = {
            name: np.array([getattr(each, name) for each in batch.buildings], dtype=object)
            for name in ("id", "parent", "name", "address", "function", "roof_type")
        }
        columns: dict[str, Any] = {
            **text,
            "storeys": np.array([each.storeys for each in batch.buildings], dtype=np.int32),
            "ground": batch.ground,
            "eaves": batch.eaves,
            "height": batch.height,
            "measured": np.array([each.measured for each in batch.buildings], dtype=float),
            "volume": batch.volume,
            "lod": np.array([each.lod for each in batch.buildings], dtype=float),
            "surface_first": firsts.astype(np.int64),
            "surface_count": counts.astype(np.int32),
        }
        _append(
            self._unfinished, "building", "MultiPolygon", shapely.to_wkb(batch.footprints), columns, first
        )
        names = text["id"]
        columns = {
            "building": names[batch.owner],
            "kind": np.array(KINDS, dtype=object)[batch.kinds],
            "area": batch.areas,
        }
        wkb = shapely.to_wkb(batch.faces, output_dimension=3)
        _append(self._unfinished, "surface", "Polygon Z", wkb, columns, self._written == 0)
        self._rows += len(batch.buildings)
        self._written += len(batch.faces)


def _append(path: Path, table: str, kind: str, wkb: Any, columns: dict[str, Any], first: bool) -> None:
    import pyogrio.raw

    if first or len(wkb):  # an empty table is a table too
        pyogrio.raw.write(
            str(path),
            wkb,
            list(columns.values()),
            list(columns),
            layer=table,
            driver="GPKG",
            geometry_type=kind,
            crs=f"EPSG:{METRES}",
            append=not first,
        )


def write_city_model(path: Path, buildings: Iterable[Building]) -> Findings:
    """Write buildings (EPSG:25832; parts after their building) that were made here, such as those of a test."""
    with CityModelWriter(path) as writer:
        whole: Building | None = None
        parts: list[Building] = []
        for each in buildings:
            if each.parent and whole is not None:
                parts.append(each)
                continue
            if whole is not None:
                writer.add(whole, parts)
            whole, parts = each, []
        if whole is not None:
            writer.add(whole, parts)
    return writer.findings


def read_buildings(
    path: Path, bounds: tuple[float, float, float, float] | None = None
) -> "geopandas.GeoDataFrame":
    """The buildings and parts whose footprint's box touches `bounds` (EPSG:25832, metres); the index is their fid."""
    import pyogrio

    return pyogrio.read_dataframe(path, layer="building", bbox=bounds, fid_as_index=True)


def read_surfaces(
    path: Path, bounds: tuple[float, float, float, float] | None = None
) -> "geopandas.GeoDataFrame":
    """The faces whose box touches `bounds` (EPSG:25832, metres); the index is their fid (see `surface_first`)."""
    import pyogrio

    return pyogrio.read_dataframe(path, layer="surface", bbox=bounds, fid_as_index=True)


# ------------------------------------------------------------------------------------------- working out a batch


@dataclass(slots=True)
class Batch:
    """Buildings with everything that follows from their faces. `owner` and `kinds` are one number a face."""

    buildings: list[Building]
    footprints: "np.ndarray[Any, Any]"
    ground: "np.ndarray[Any, Any]"
    eaves: "np.ndarray[Any, Any]"
    height: "np.ndarray[Any, Any]"
    volume: "np.ndarray[Any, Any]"
    faces: "np.ndarray[Any, Any]"
    owner: "np.ndarray[Any, Any]"
    kinds: "np.ndarray[Any, Any]"
    areas: "np.ndarray[Any, Any]"


_ORDER: Final = {kind: number for number, kind in enumerate(KINDS)}
_UNTOLD: Final = len(KINDS)
_STEEP: Final = 0.1
"""Vertical part of a wall's normal at most: walls lean less than six degrees."""
_NOTHING: Final = 1e-6
"""Square metres below which a face has no area."""


def work_out(buildings: Sequence[Building], findings: Findings, *, again: bool = False) -> Batch:
    """Faces, footprints, elevations, areas and volumes of buildings; parts stand after their building.

    Repaired and noted: rings that are not closed, faces that cross themselves, heights that cannot be. Left out and
    noted: faces without area or with coordinates that are no numbers, buildings without a footprint, and those that
    are higher than `MAX_HEIGHT`.
    """
    import numpy as np

    buildings = list(buildings)
    if not buildings:
        return _nothing()
    # What is wrong with faces is noted once, also where some buildings have to be left out afterwards.
    faces = _Faces(buildings, Findings() if again else findings)
    ground, eaves, height = faces.elevations(len(buildings))
    parents = _parents(buildings)
    has_parent = parents >= 0
    for values in (ground, eaves):
        np.minimum.at(values, parents[has_parent], values[has_parent])
    np.maximum.at(height, parents[has_parent], height[has_parent])
    for each, parent in zip(buildings, parents, strict=True):
        if parent >= 0:
            buildings[parent].lod = max(buildings[parent].lod, each.lod)
    with np.errstate(invalid="ignore"):
        too_high = height - ground > MAX_HEIGHT
    footprints = faces.footprints(buildings, parents)
    bad = too_high | np.array([footprint is None for footprint in footprints])
    bad |= np.where(has_parent, bad[parents], False)
    if bad.any():
        for index in np.flatnonzero(bad):
            whole = too_high[index] or (has_parent[index] and too_high[parents[index]])
            findings.leave_out("too_high" if whole else "no_footprint", buildings[index].id)
        kept = [each for each, left in zip(buildings, bad, strict=True) if not left]
        return work_out(kept, findings, again=True)
    volume = faces.volumes(len(buildings))
    _sum_parts(volume, parents, np.bincount(faces.owner, minlength=len(buildings)))
    for number, each in enumerate(buildings):
        if each.measured > MAX_HEIGHT or each.measured < 0:
            x, y = (float(value) for value in footprints[number].bounds[:2])
            findings.repair(
                each.id, "measured_height", findings.buildings + findings.parts + number + 1, x, y
            )
            each.measured = math.nan
    batch = Batch(
        buildings, footprints, ground, np.where(np.isfinite(eaves), eaves, height), height, volume,
        faces.polygons, faces.final_owner, faces.final_kinds, faces.final_areas,
    )  # fmt: skip
    _count(batch, findings)
    return batch


def _nothing() -> Batch:
    import numpy as np

    none = np.zeros(0)
    whole = np.zeros(0, dtype=np.int64)
    return Batch([], none, none, none, none, none, none, whole, whole, none)


def _parents(buildings: Sequence[Building]) -> "np.ndarray[Any, Any]":
    """The index of each part's building, -1 for a building."""
    import numpy as np

    where = {each.id: index for index, each in enumerate(buildings) if not each.parent}
    return np.array([where.get(each.parent, -1) if each.parent else -1 for each in buildings], dtype=np.int64)


def _sum_parts(
    volume: "np.ndarray[Any, Any]", parents: "np.ndarray[Any, Any]", counts: "np.ndarray[Any, Any]"
) -> None:
    """A building's volume is its own, if it has faces, and that of its parts, in place."""
    import numpy as np

    part = np.flatnonzero(parents >= 0)
    whole = np.unique(parents[part])
    volume[whole[counts[whole] == 0]] = 0.0
    np.add.at(volume, parents[part], volume[part])


def _count(batch: Batch, findings: Findings) -> None:
    import numpy as np
    import shapely

    parts = sum(1 for each in batch.buildings if each.parent)
    findings.parts += parts
    findings.buildings += len(batch.buildings) - parts
    for kind, number in zip(KINDS, np.bincount(batch.kinds, minlength=len(KINDS)), strict=True):
        if number:
            findings.faces[kind] += int(number)
    own = np.bincount(batch.owner, minlength=len(batch.buildings))
    findings.lods.update(f"{each.lod:g}" if own[index] else "0" for index, each in enumerate(batch.buildings))
    west, south, east, north = (float(value) for value in shapely.total_bounds(batch.footprints))
    low, high = float(np.nanmin(batch.ground)), float(np.nanmax(batch.height))
    if (before := findings.bounds) is not None:
        west, south = min(west, before[0]), min(south, before[1])
        east, north = max(east, before[2]), max(north, before[3])
    if findings.heights is not None:
        low, high = min(low, findings.heights[0]), max(high, findings.heights[1])
    findings.bounds, findings.heights = (west, south, east, north), (low, high)


class _Faces:
    """The faces of a batch as flat arrays: one row a vertex, a ring, a face."""

    def __init__(self, buildings: Sequence[Building], findings: Findings) -> None:
        import numpy as np

        surfaces = [surface for each in buildings for surface in each.surfaces]
        sizes = [len(each.surfaces) for each in buildings]
        self.owner = np.repeat(np.arange(len(buildings)), sizes)
        self.kinds = np.array([_ORDER.get(each.kind, _UNTOLD) for each in surfaces], dtype=np.int64)
        self._names = [each.id for each in buildings]
        self._findings = findings
        self._first_number = findings.buildings + findings.parts + 1
        self.areas, self.vectors = np.zeros(len(surfaces)), np.zeros((len(surfaces), 3))
        self._flatten([surface.rings for surface in surfaces])
        self._drop(~self._finite(), "not_finite")
        self._measure()
        self._look_again()
        self._drop(~(self.areas > _NOTHING), "zero_area")
        self._turn_outwards(len(buildings))
        self._tell_kinds(len(buildings))
        self.polygons = self._polygons()
        self.final_owner, self.final_kinds, self.final_areas = self.owner, self.kinds, self.areas
        self._mend()

    def _flatten(self, faces: "list[list[np.ndarray[Any, Any]]]") -> None:
        import numpy as np

        rings = [ring for face in faces for ring in face]
        self.face_of = np.repeat(np.arange(len(faces)), [len(face) for face in faces])
        lengths = np.array([len(ring) for ring in rings], dtype=np.int64)
        points = np.concatenate(rings) if rings else np.zeros((0, 3))
        starts = np.concatenate(([0], np.cumsum(lengths)))
        some = np.flatnonzero(lengths > 0)
        differs = (points[starts[some]] != points[starts[some + 1] - 1]).any(axis=1)
        open_rings = some[differs & np.isfinite(points[starts[some]]).all(axis=1)]
        if len(open_rings):
            for index in open_rings:
                rings[index] = np.concatenate((rings[index], rings[index][:1]))
            for face in np.unique(self.face_of[open_rings]):
                self._note("open_ring", int(face), rings[int(np.searchsorted(self.face_of, face))][0])
            lengths = np.array([len(ring) for ring in rings], dtype=np.int64)
            points = np.concatenate(rings)
        self.points, self.lengths = points, lengths

    def _note(self, what: str, face: int, point: Any) -> None:
        owner = int(self.owner[face])
        x, y = float(point[0]), float(point[1])
        self._findings.repair(self._names[owner], what, self._first_number + owner, x, y)

    def _drop(self, bad: "np.ndarray[Any, Any]", reason: str) -> None:
        import numpy as np

        if not bad.any():
            return
        for owner in self.owner[bad]:
            self._findings.leave_out(reason, self._names[owner])
        ring_kept = ~bad[self.face_of]
        self.points = self.points[np.repeat(ring_kept, self.lengths)]
        self.lengths = self.lengths[ring_kept]
        renumbered = np.cumsum(~bad) - 1
        self.face_of = renumbered[self.face_of[ring_kept]]
        self.owner, self.kinds = self.owner[~bad], self.kinds[~bad]
        self.areas, self.vectors = self.areas[~bad], self.vectors[~bad]

    def _finite(self) -> "np.ndarray[Any, Any]":
        import numpy as np

        good = np.ones(len(self.owner), dtype=bool)
        of_vertex = np.repeat(self.face_of, self.lengths)
        good[of_vertex[~np.isfinite(self.points).all(axis=1)]] = False
        # Without an outer ring of three corners there is no face; a hole without them is none either.
        good[self.face_of[self.lengths < 4]] = False
        return good

    def _starts(self) -> "np.ndarray[Any, Any]":
        import numpy as np

        starts: np.ndarray[Any, Any] = np.concatenate(([0], np.cumsum(self.lengths)[:-1]))
        return starts.astype(np.int64)

    def _measure(self) -> None:
        """Area and normal (its length the area) of each face: Newell's sum over the corners, holes taken off."""
        import numpy as np

        faces = len(self.owner)
        if not faces:
            return
        starts = self._starts()
        local = self.points - np.repeat(self.points[starts], self.lengths, axis=0)
        crossed = np.cross(local[:-1], local[1:])
        crossed[starts[1:] - 1] = 0.0  # from the end of one ring to the beginning of the next
        rings = np.add.reduceat(crossed, starts, axis=0) / 2
        sizes = np.sqrt((rings**2).sum(axis=1))
        outer = self._outer()
        area = sizes[outer] * 2 - np.bincount(self.face_of, weights=sizes, minlength=faces)
        with np.errstate(invalid="ignore", divide="ignore"):
            normal = rings[outer] / sizes[outer][:, None]
        self.areas = np.where(sizes[outer] > 0, area, 0.0)
        self.vectors = np.where(sizes[outer][:, None] > 0, normal, 0.0) * self.areas[:, None]

    def _look_again(self) -> None:
        """A face whose crossing halves cancel out (a bow) has a plane all the same: `_mend` finds its true area."""
        import numpy as np

        of_vertex = np.repeat(self.face_of, self.lengths)
        for face in np.flatnonzero(self.areas <= _NOTHING):
            points = self.points[of_vertex == face]
            _, spread, axes = np.linalg.svd(points - points.mean(axis=0), full_matrices=False)
            if spread[1] > 0.01:
                self.areas[face], self.vectors[face] = 1.0, axes[2]

    def _turn_outwards(self, buildings: int) -> None:
        """Closed bodies all of whose faces look inwards are turned inside out: their order of axes was another one, or they
        were mirrored."""
        import numpy as np

        closes, volume = self._bodies(buildings)
        wrong = closes & (volume < 0)
        if not wrong.any():
            return
        faces = wrong[self.owner]
        starts = self._starts()
        vertices = np.arange(len(self.points))
        backwards = np.repeat(2 * starts + self.lengths - 1, self.lengths) - vertices
        turned = np.repeat(faces[self.face_of], self.lengths)
        self.points = self.points[np.where(turned, backwards, vertices)]
        self.vectors[faces] *= -1
        for building in np.flatnonzero(wrong):
            face = int(np.searchsorted(self.owner, building))
            self._note("inside_out", face, self.points[starts[np.searchsorted(self.face_of, face)]])

    def _outer(self) -> "np.ndarray[Any, Any]":
        """The first ring of each face."""
        import numpy as np

        return np.searchsorted(self.face_of, np.arange(len(self.owner)))

    def _tell_kinds(self, buildings: int) -> None:
        """Faces of which the model does not say what they are: by slope, and whether they lie at the bottom."""
        import numpy as np

        untold = self.kinds == _UNTOLD
        if not untold.any():
            return
        ground, _, _ = self.elevations(buildings)
        tops = np.maximum.reduceat(self.points[:, 2], self._starts())[self._outer()]
        upward = self.vectors[:, 2] / self.areas
        at_bottom = tops - ground[self.owner] < 0.1
        told = np.where(upward > 0, _ORDER["roof"], _ORDER["other"])
        told = np.where(at_bottom, _ORDER["ground"], told)
        told = np.where(np.abs(upward) < _STEEP, _ORDER["wall"], told)
        self.kinds = np.where(untold, told, self.kinds)

    def elevations(self, buildings: int) -> "tuple[np.ndarray[Any, Any], ...]":
        """Lowest point, lowest edge of a roof, highest point of each building; infinite where there is none."""
        import numpy as np

        of_face = np.repeat(self.face_of, self.lengths)
        owner, z = self.owner[of_face], self.points[:, 2]
        ground, eaves = np.full(buildings, np.inf), np.full(buildings, np.inf)
        height = np.full(buildings, -np.inf)
        np.minimum.at(ground, owner, z)
        np.maximum.at(height, owner, z)
        roof = self.kinds[of_face] == _ORDER["roof"]
        np.minimum.at(eaves, owner[roof], z[roof])
        return ground, eaves, height

    def volumes(self, buildings: int) -> "np.ndarray[Any, Any]":
        """The volume of each building; NaN where its faces do not close."""
        import numpy as np

        closes, volume = self._bodies(buildings)
        return np.where(closes & (volume > 0), volume, np.nan)

    def _bodies(self, buildings: int) -> "tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]":
        """Whether the normals of each building cancel out, and a third of the sum of area times distance from the origin."""
        import numpy as np

        gap = np.zeros((buildings, 3))
        volume: np.ndarray[Any, Any] = np.zeros(buildings)
        whole: np.ndarray[Any, Any] = np.zeros(buildings)
        if len(self.owner):
            points = self.points[self._starts()[self._outer()]]
            _, first = np.unique(self.owner, return_index=True)
            origin = np.zeros((buildings, 3))
            origin[self.owner[first]] = points[first]
            distance = ((points - origin[self.owner]) * self.vectors).sum(axis=1)
            volume = np.bincount(self.owner, weights=distance, minlength=buildings) / 3
            np.add.at(gap, self.owner, self.vectors)
            whole = np.bincount(self.owner, weights=self.areas, minlength=buildings)
        return (whole > 0) & (np.abs(gap).max(axis=1) <= 1e-3 * whole), volume

    def _polygons(self) -> "np.ndarray[Any, Any]":
        import numpy as np
        import shapely

        rings = np.concatenate(([0], np.cumsum(self.lengths)))
        faces = np.searchsorted(self.face_of, np.arange(len(self.owner) + 1))
        if not len(self.owner):
            return np.zeros(0, dtype=object)
        kind = shapely.GeometryType.POLYGON
        polygons: np.ndarray[Any, Any] = shapely.from_ragged_array(kind, self.points, (rings, faces))
        return polygons

    def _mend(self) -> None:
        """Faces that cross themselves, seen from where they are largest, become their clean parts in one plane."""
        import numpy as np
        import shapely

        suspects = np.ones(len(self.owner), dtype=bool)
        outer = self._outer()
        suspects[self.lengths[outer] == 4] = False  # a triangle cannot
        suspects[np.delete(self.face_of, outer)] = True  # with a hole it can
        numbers = np.flatnonzero(suspects)
        if not len(numbers):
            return
        axis: np.ndarray[Any, Any] = np.abs(self.vectors).argmax(axis=1)
        other_axes = np.array([[1, 2], [2, 0], [0, 1]])[axis]
        wanted, of_vertex = suspects[self.face_of], np.repeat(self.face_of, self.lengths)
        flat = np.take_along_axis(self.points, other_axes[of_vertex], axis=1)[suspects[of_vertex]]
        rings = np.concatenate(([0], np.cumsum(self.lengths[wanted])))
        faces = np.searchsorted(self.face_of[wanted], np.append(numbers, len(self.owner)))
        seen = shapely.from_ragged_array(shapely.GeometryType.POLYGON, flat, (rings, faces))
        more: list[tuple[int, Any, float]] = []
        for index in np.flatnonzero(~shapely.is_valid(seen)):
            face = int(numbers[index])
            clean = shapely.make_valid(seen[index], method="structure", keep_collapsed=False)
            pieces = [piece for piece in shapely.get_parts(clean) if piece.area > _NOTHING]
            pieces = [piece for piece in pieces if piece.geom_type == "Polygon"]
            at = self.points[np.searchsorted(of_vertex, face)]
            if not pieces:
                continue
            self._note("self_crossing_face", face, at)
            normal = self.vectors[face] / self.areas[face]
            lifted = [_lifted(piece, at, normal, int(axis[face])) for piece in pieces]
            areas = [piece.area / abs(float(normal[axis[face]])) for piece in pieces]
            self.polygons[face], self.areas[face] = lifted[0], areas[0]
            self.vectors[face] = 0.0  # which of its halves looked outwards nobody can say
            more += [(face, *piece) for piece in zip(lifted[1:], areas[1:], strict=True)]
        if more:
            extra = np.array([face for face, _, _ in more])
            order = np.argsort(np.concatenate((np.arange(len(self.owner)), extra)), kind="stable")
            source = np.concatenate((np.arange(len(self.owner)), extra))[order]
            pieces_too = np.array([piece for _, piece, _ in more], dtype=object)
            self.polygons = np.concatenate((self.polygons, pieces_too))[order]
            self.final_areas = np.concatenate((self.areas, [area for _, _, area in more]))[order]
            self.final_owner, self.final_kinds = self.owner[source], self.kinds[source]

    def footprints(
        self, buildings: Sequence[Building], parents: "np.ndarray[Any, Any]"
    ) -> "np.ndarray[Any, Any]":
        """What each building covers of the ground: its ground faces; without them its outline, or all it has.

        Those of parts are united for their building. None for a building that covers nothing.
        """
        import numpy as np
        import shapely

        flat = shapely.force_2d(self.polygons)
        found: list[list[Any]] = [[] for _ in buildings]
        lying = np.flatnonzero(self.final_kinds == _ORDER["ground"])
        for owner, face in zip(self.final_owner[lying].tolist(), flat[lying], strict=True):
            found[owner].append(face)
        result = np.full(len(buildings), None, dtype=object)
        for index, each in enumerate(buildings):
            if not found[index]:
                found[index] = [shapely.force_2d(_polygon(surface)) for surface in each.outline]
            if not found[index] and each.surfaces:
                found[index] = list(flat[(self.final_owner == index) & (self.final_kinds != _ORDER["wall"])])
            result[index] = _united(found[index])
        for whole in np.unique(parents[parents >= 0]):
            parts = [result[whole], *result[parents == whole]]
            result[whole] = _united([part for part in parts if part is not None])
        return result


def _polygon(surface: Surface) -> Any:
    import shapely

    shell, *holes = surface.rings
    return shapely.Polygon(shell, holes)


def _lifted(piece: Any, point: Any, normal: Any, axis: int) -> Any:
    """A polygon seen along an axis, put back into the plane through `point`."""
    import numpy as np
    import shapely

    u, v = [(1, 2), (2, 0), (0, 1)][axis]
    ring_points = shapely.get_coordinates(piece)
    third = (
        point[axis]
        - ((ring_points[:, 0] - point[u]) * normal[u] + (ring_points[:, 1] - point[v]) * normal[v])
        / normal[axis]
    )
    points = np.empty((len(ring_points), 3))
    points[:, u], points[:, v], points[:, axis] = ring_points[:, 0], ring_points[:, 1], third
    return shapely.set_coordinates(shapely.force_3d(piece), points)


def _united(polygons: Sequence[Any]) -> Any:
    """Areas as one MultiPolygon, or None."""
    import shapely

    if len(polygons) == 1 and polygons[0].is_valid:
        together = polygons[0]
    else:
        together = shapely.union_all([shapely.make_valid(each, method="structure") for each in polygons])
    parts = [
        part for part in shapely.get_parts(together) if part.geom_type == "Polygon" and part.area > _NOTHING
    ]
    return shapely.MultiPolygon(parts) if parts else None
