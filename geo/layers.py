"""Map layers: what a file has to be before it becomes one, and the report of what was read.

A layer inside the house is a GeoDataFrame in EPSG:25832 (metres), two-dimensional, valid and within Germany, with
plain columns (numbers, truth values, text). `normalise` makes it so and writes down everything it changed or left
out; `write_normalised` stores it as FlatGeobuf, the one format that maps and tiles read.

Importing this module loads no geopandas.
"""

import json
import math
import os
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from geo.curves import along
from geo.geojson import spelled
from geo.geometry import DEGREES, GERMANY, METRES, degrees_of, metres_of

if TYPE_CHECKING:
    import geopandas
    import numpy as np
    import pandas as pd
    from pyproj import CRS, Transformer

LAYER_CODES: Final = frozenset(
    {
        "empty_file",  # nothing in it
        "too_large",  # size=, limit= bytes
        "too_many_features",  # count=, limit=
        "too_many_vertices",  # count=, limit=
        "unknown_format",  # looks_like=: what the content seems to be
        "lying_type",  # named=, found=: the name says one format, the content is another
        "encrypted",  # entry=: a password protects the archive
        "climbing_path",  # entry=: a path in the archive leads out of it
        "zip_bomb",  # entry=, size=, limit=: the archive unpacks to too much
        "truncated",  # the file is shorter than it says itself
        "broken",  # line=, detail=: it cannot be read
        "too_slow",  # seconds=: reading it takes longer than somebody can wait
        "incomplete",  # missing=: a part of a shapefile that was not delivered
        "no_layers",  # the file has no layer with geometry
        "no_features",  # layers, but nothing in them
        "missing_crs",  # looks_like="metres"|"degrees": the coordinate system has to be said
        "unknown_crs",  # crs=: a coordinate system that is not known here
        "crs_conflict",  # found=, given=: the file says another system than the person
        "outside",  # lon=, lat=: everything lies outside Germany
        "swapped",  # the coordinates are the wrong way round
        "nothing_usable",  # count=: every single feature had to be left out
        "xml_entities",  # a document type or entities: not read, for safety
        "xplan_version",  # found=, supported=
        "no_plan",  # XPlanGML without a plan object
        "missing_part",  # part=, format=: an optional part of the program is not installed
        "no_buildings",  # others=: a city model with other objects only
        "no_heights",  # found=: no model of the ground
        "no_grid",  # heights that do not lie on a grid, or a raster that is turned
        "needs_place",  # glTF: where on earth it stands has to be said
        "needs_extension",  # names=: glTF that is compressed or needs more than we can read
        "lies_elsewhere",  # entry=: the file keeps its content somewhere else
        "far_from_plan",  # buildings that do not stand where the plan is
        "no_names",  # columns=: districts, streets or parcels without a column that names them
    }
)


class LayerProblem(Exception):
    """A file that cannot become a layer. `code` is one of `LAYER_CODES`, `facts` the values for its sentence."""

    def __init__(self, code: str, **facts: object) -> None:
        if code not in LAYER_CODES:
            raise ValueError(f"unknown layer problem {code!r}")
        super().__init__(code, facts)
        self.code = code
        self.facts = facts


@dataclass(frozen=True, slots=True)
class Limits:
    """What is still read; generous for a city, small enough that one file cannot stop the server."""

    file_bytes: int = 500_000_000
    unpacked_bytes: int = 1_000_000_000
    entries: int = 2_000
    text_bytes: int = 200_000_000
    """GeoJSON and GML have to be looked at as a whole."""
    features: int = 500_000
    vertices: int = 20_000_000
    feature_vertices: int = 500_000
    """Of one object: more can be neither drawn nor sent, and hold up everybody's tiles."""
    processes: int = 1
    """How many may read a large city model side by side. More than one only where there is one thread: they are forks."""


@dataclass(frozen=True, slots=True)
class LayerInfo:
    """One layer of the file as it was found: its name, features with geometry, and their kinds."""

    name: str
    features: int
    geometry_types: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Repair:
    """A feature that was changed so that it can be used. `feature` counts from 1 within its layer."""

    layer: str
    feature: int
    identifier: str
    what: str  # self_crossing | invalid_area | collection
    lon: float
    lat: float


@dataclass(frozen=True, slots=True)
class Skipped:
    """Features that were left out, and why: no_geometry, not_finite, outside, swapped, collapsed, unread,
    too_detailed."""

    layer: str
    reason: str
    count: int
    features: tuple[int, ...] = ()
    """The first of them, counted from 1 within the layer."""
    identifiers: tuple[str, ...] = ()
    """What the first of them call themselves, where the file gives them names of their own."""


@dataclass(frozen=True, slots=True)
class LayerReport:
    """What was read; `as_dict` is what gets stored and shown."""

    format: str
    version: str
    layers: tuple[LayerInfo, ...]
    features: int
    geometry_types: dict[str, int]
    crs: str
    """As found in the file or as given: "EPSG:25833" or a name."""
    bounds: tuple[float, float, float, float]
    """West, south, east, north in metres (EPSG:25832)."""
    bounds_degrees: tuple[float, float, float, float]
    columns: tuple[str, ...]
    repairs: tuple[Repair, ...] = ()
    """At most `MAX_LISTED` of them."""
    repaired: int = 0
    skipped: tuple[Skipped, ...] = ()
    notes: tuple[tuple[str, str], ...] = ()
    """(code, value): approximate_datum (accuracy in metres), reader (a warning of the library), encoding, …"""
    vertical: str = ""
    """The system of the heights, where the file says it."""
    parts: int = 0
    """Building parts of a city model, beside its `features`, the buildings."""
    lods: dict[str, int] = field(default_factory=dict)
    """Buildings and parts of a city model by level of detail; "0" for those that have their faces in their parts."""
    surfaces: dict[str, int] = field(default_factory=dict)
    """Faces of a city model by kind: roof, wall, ground, closure, other."""
    thematic: dict[str, int] = field(default_factory=dict)
    """RoofSurface, WallSurface … as the file counts them; one can have several faces."""
    heights: tuple[float, float] | None = None
    """The lowest and the highest elevation of a city model, in metres as delivered."""

    def as_dict(self) -> dict[str, Any]:
        """The report as plain values for a JSON column."""
        from dataclasses import asdict

        plain: dict[str, Any] = json.loads(json.dumps(asdict(self)))
        return plain


@dataclass(frozen=True, slots=True)
class PlanText:
    """A text section of a plan (XPlanung: TextAbschnitt)."""

    identifier: str
    key: str
    text: str
    binding: bool
    """Whether it is a stipulation (rechtscharakter Festsetzung), not a note."""


@dataclass(frozen=True, slots=True)
class Attached:
    """A document or picture that a plan names or that lies in its archive."""

    name: str
    """Path within the archive, or the address as the plan gives it."""
    title: str
    kind: str  # document | raster | georeference | other
    type_code: str
    """XP_ExterneReferenzTyp, "1010" (explanatory report), "1030", … or empty."""
    size: int | None
    """Bytes; None when the plan names it but the archive does not hold it."""


@dataclass(frozen=True, slots=True)
class PlanFacts:
    """One plan of an XPlanGML file, in the standard's own words and codes."""

    identifier: str
    klass: str
    name: str
    number: str
    description: str
    municipality: str
    municipality_key: str
    """Amtlicher Gemeindeschlüssel."""
    quarter: str
    kind_code: str
    kind: str
    state_code: str
    state: str
    dates: dict[str, str]
    """Name of the property ("inkrafttretensDatum") to ISO date."""
    scale: int | None
    area: bytes | None
    """The plan area (raeumlicherGeltungsbereich) as WKB in EPSG:25832."""


@dataclass(frozen=True, slots=True)
class LayerRead:
    """A layer and what there is to say about it.

    `frame` has EPSG:25832 geometry. For plans it has the columns `klass` (the feature class) and `sign` (key of the
    plan sign, see `geo.readers.xplan.SIGNS`); files with several layers have the column `source_layer`.
    """

    frame: "geopandas.GeoDataFrame"
    report: LayerReport
    plans: tuple[PlanFacts, ...] = ()
    texts: tuple[PlanText, ...] = ()
    attached: tuple[Attached, ...] = ()


@dataclass(slots=True)
class Raw:
    """What a reader hands to `normalise`: frames as found, each with its own CRS or none."""

    format: str
    version: str = ""
    frames: list[tuple[str, "geopandas.GeoDataFrame"]] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    notes: list[tuple[str, str]] = field(default_factory=list)
    identifier: str = ""
    """The column that names a feature, if any."""
    classified: bool = False
    """Whether a column of the frames already says which layer a feature is from."""


MAX_NAMED: Final = 20
"""Objects that a report names of those left out for the same reason."""
MAX_LISTED: Final = 200
"""Repairs and feature numbers listed one by one in a report; all are counted."""


def normalise(raw: Raw, *, crs: int | None, limits: Limits) -> LayerRead:
    """Make one clean layer of the frames a reader found.

    `crs` is the EPSG code that a person said; it is used where the file is silent, and has to agree where it speaks.
    Raises LayerProblem: missing_crs, unknown_crs, crs_conflict, outside, swapped, no_layers, no_features,
    nothing_usable, too_many_features, too_many_vertices.
    """
    import geopandas
    import pandas as pd
    import shapely

    if not raw.frames:
        raise LayerProblem("no_layers" if not raw.skipped else "no_features")
    total = sum(len(frame) for _, frame in raw.frames)
    if total == 0:
        raise LayerProblem("no_features")
    if total > limits.features:
        raise LayerProblem("too_many_features", count=total, limit=limits.features)
    vertices = sum(int(shapely.get_num_coordinates(frame.geometry.values).sum()) for _, frame in raw.frames)
    if vertices > limits.vertices:
        raise LayerProblem("too_many_vertices", count=vertices, limit=limits.vertices)

    skipped, notes, repairs = list(raw.skipped), list(raw.notes), list[Repair]()
    infos: list[LayerInfo] = []
    cleaned: list[geopandas.GeoDataFrame] = []
    found: list[str] = []
    several = len({name for name, _ in raw.frames}) > 1 and not raw.classified
    for name, frame in raw.frames:
        source = _source_crs(frame, crs)
        label = _crs_label(source)
        if label not in found:
            found.append(label)
            notes.extend(datum_notes(source))
        kinds = Counter(kind for kind in frame.geom_type if isinstance(kind, str))
        infos.append(LayerInfo(name, sum(kinds.values()), tuple(sorted(kinds))))
        clean = _clean(name, frame, source, raw.identifier, limits, skipped, repairs)
        if several:
            clean.insert(0, "source_layer", name)
        cleaned.append(clean)

    kept = [frame for frame in cleaned if len(frame)]
    if not kept:
        raise _why_nothing(skipped, raw, total)
    merged = kept[0] if len(kept) == 1 else pd.concat(kept, ignore_index=True)
    columns = {name: _plain(merged[name]) for name in merged.columns if name != merged.geometry.name}
    geometry = merged.geometry.values
    layer = geopandas.GeoDataFrame(columns, geometry=geopandas.GeoSeries(geometry, crs=METRES), crs=METRES)
    west, south, east, north = (float(value) for value in layer.total_bounds)
    report = LayerReport(
        format=raw.format,
        version=raw.version,
        layers=tuple(infos),
        features=len(layer),
        geometry_types=dict(sorted(Counter(layer.geom_type).items())),
        crs=", ".join(found),
        bounds=(west, south, east, north),
        bounds_degrees=degrees_box(west, south, east, north),
        columns=tuple(str(name) for name in columns),
        repairs=tuple(repairs[:MAX_LISTED]),
        repaired=len(repairs),
        skipped=tuple(skipped),
        notes=tuple(dict.fromkeys(notes)),
    )
    return LayerRead(layer, report)


def degrees_box(west: float, south: float, east: float, north: float) -> tuple[float, float, float, float]:
    """West, south, east, north in degrees of a box in metres (EPSG:25832)."""
    corners = [degrees_of(x, y) for x in (west, east) for y in (south, north)]
    lons, lats = [lon for lon, _ in corners], [lat for _, lat in corners]
    return round(min(lons), 7), round(min(lats), 7), round(max(lons), 7), round(max(lats), 7)


def known_crs(code: int) -> "CRS":
    """The coordinate system of an EPSG code. Raises LayerProblem unknown_crs."""
    from pyproj import CRS
    from pyproj.exceptions import CRSError

    try:
        crs: CRS = CRS.from_epsg(code)
    except CRSError as problem:
        raise LayerProblem("unknown_crs", crs=f"EPSG:{code}") from problem
    return crs


def _source_crs(frame: "geopandas.GeoDataFrame", given: int | None) -> "CRS":
    """The plane system a frame is in: what the file says, or what the person says where the file is silent."""
    own = frame.crs
    if own is not None and own.name.lower().startswith("undefined"):
        own = None  # GeoPackage's srs_id 0 and -1
    if own is None:
        if given is None:
            raise LayerProblem("missing_crs", looks_like=_looks_like(frame))
        return known_crs(given)
    plane: CRS = own.to_2d()
    if plane.is_compound:
        plane = plane.sub_crs_list[0]
    if not (plane.is_geographic or plane.is_projected):
        raise LayerProblem("unknown_crs", crs=own.name)
    if given is not None and not plane.equals(known_crs(given), ignore_axis_order=True):
        raise LayerProblem("crs_conflict", found=_crs_label(plane), given=f"EPSG:{given}")
    return plane


def _looks_like(frame: "geopandas.GeoDataFrame") -> str:
    """A hint for the person who is asked: never used to guess."""
    bounds = [abs(float(value)) for value in frame.total_bounds]
    return "degrees" if all(value <= 180 for value in bounds if math.isfinite(value)) else "metres"


def _crs_label(crs: "CRS") -> str:
    code = crs.to_epsg()
    return f"EPSG:{code}" if code else str(crs.name)


def datum_notes(crs: "CRS") -> list[tuple[str, str]]:
    """Whether the way into EPSG:25832 is less exact than it could be (missing grids, as for Gauß-Krüger)."""
    import warnings

    from pyproj.transformer import TransformerGroup

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # it says what best_available says
        group = TransformerGroup(crs, METRES, always_xy=True)
    if group.best_available or not group.transformers:
        return []
    accuracy = group.transformers[0].accuracy
    missing = {
        str(grid.short_name)
        for operation in group.unavailable_operations[:1]
        for grid in operation.grids
        if not grid.available
    }
    notes = [("approximate_datum", f"{accuracy:g}" if accuracy and accuracy > 0 else "")]
    return notes + [("missing_grid", name) for name in sorted(missing)]


def _clean(
    name: str,
    frame: "geopandas.GeoDataFrame",
    crs: "CRS",
    identifier: str,
    limits: Limits,
    skipped: list[Skipped],
    repairs: list[Repair],
) -> "geopandas.GeoDataFrame":
    """One frame in EPSG:25832 with only usable geometry; what was left out or repaired goes to the lists."""
    import numpy as np
    import shapely
    from pyproj import Transformer

    numbers = np.arange(1, len(frame) + 1)
    geometry = shapely.force_2d(np.asarray(frame.geometry.values, dtype=object))

    def leave_out(bad: "np.ndarray[Any, Any]", reason: str) -> None:
        nonlocal frame, numbers, geometry
        if bad.any():
            left = numbers[bad]
            listed = tuple(int(number) for number in left[:MAX_LISTED])
            called = (_identity(frame, int(index), identifier) for index in np.flatnonzero(bad)[:MAX_NAMED])
            named = tuple(each for each in called if each)
            skipped.append(Skipped(name, reason, len(left), listed, named))
            frame, numbers, geometry = frame[~bad], numbers[~bad], geometry[~bad]

    leave_out(shapely.is_missing(geometry) | shapely.is_empty(geometry), "no_geometry")
    leave_out(~_finite(geometry), "not_finite")
    leave_out(shapely.get_num_coordinates(geometry) > limits.feature_vertices, "too_detailed")

    transformer = Transformer.from_crs(crs, METRES, always_xy=True)
    if not len(geometry):
        return frame.iloc[:0].copy()
    raw = geometry
    if not crs.equals(known_crs(METRES), ignore_axis_order=True):
        geometry = shapely.transform(raw, transformer.transform, interleaved=False)
    inside = _in_germany(geometry)
    if not inside.all():
        turned = np.zeros(len(raw), dtype=bool)
        outside = np.flatnonzero(~inside)
        swapped = shapely.transform(raw[outside], lambda x, y: transformer.transform(y, x), interleaved=False)
        turned[outside] = _in_germany(swapped)
        leave_out(~inside & ~turned, "outside")
        leave_out(turned[inside | turned], "swapped")

    _simplify_collections(name, frame, numbers, geometry, identifier, repairs)
    invalid = np.flatnonzero((shapely.get_dimensions(geometry) == 2) & ~shapely.is_valid(geometry))
    for index in invalid:
        what, lon, lat = _validity(geometry[index])
        whole = shapely.make_valid(geometry[index], method="structure", keep_collapsed=False)
        geometry[index] = _of_dimension(whole, 2)
        if not geometry[index].is_empty:
            label = _identity(frame, int(index), identifier)
            repairs.append(Repair(name, int(numbers[index]), label, what, lon, lat))
    leave_out(shapely.is_empty(geometry), "collapsed")
    frame = frame.set_geometry(list(geometry), crs=METRES) if len(geometry) else frame.iloc[:0].copy()
    return frame.reset_index(drop=True)


def _finite(geometry: "np.ndarray[Any, Any]") -> "np.ndarray[Any, Any]":
    import numpy as np
    import shapely

    coordinates, owner = shapely.get_coordinates(geometry, return_index=True)
    good = np.ones(len(geometry), dtype=bool)
    good[owner[~np.isfinite(coordinates).all(axis=1)]] = False
    return good


def _in_germany(geometry: "np.ndarray[Any, Any]") -> "np.ndarray[Any, Any]":
    """Which geometries (EPSG:25832) lie wholly within the frame of Germany."""
    import numpy as np
    import shapely
    from pyproj import Transformer

    west, south, east, north = GERMANY
    bounds = shapely.bounds(geometry)
    good: np.ndarray[Any, Any] = np.isfinite(bounds).all(axis=1) & (np.abs(bounds) < 1e8).all(axis=1)
    back = Transformer.from_crs(METRES, 4326, always_xy=True)
    bounds = np.where(good[:, None], bounds, 0.0)
    for x, y in ((0, 1), (2, 3), (0, 3), (2, 1)):
        lon, lat = back.transform(bounds[:, x], bounds[:, y])
        good &= (lon >= west) & (lon <= east) & (lat >= south) & (lat <= north)
    return good


def _simplify_collections(
    name: str,
    frame: "geopandas.GeoDataFrame",
    numbers: "np.ndarray[Any, Any]",
    geometry: "np.ndarray[Any, Any]",
    identifier: str,
    repairs: list[Repair],
) -> None:
    """A mixed collection becomes its parts of the highest dimension (areas before lines before points), in place."""
    import numpy as np
    import shapely

    for index in np.flatnonzero(shapely.get_type_id(geometry) == 7):
        mixed = geometry[index]
        geometry[index] = _of_dimension(mixed, int(shapely.get_dimensions(mixed)))
        lon, lat = degrees_of(*(float(value) for value in mixed.bounds[:2]))
        label = _identity(frame, int(index), identifier)
        repairs.append(Repair(name, int(numbers[index]), label, "collection", lon, lat))


def _of_dimension(geometry: Any, dimension: int) -> Any:
    """The parts of a geometry that have this dimension, as one simple or multi geometry (or an empty one)."""
    import shapely

    parts = [
        part
        for part in _flat(geometry)
        if int(shapely.get_dimensions(part)) == dimension and not part.is_empty
    ]
    if len(parts) == 1:
        return parts[0]
    make = (shapely.MultiPoint, shapely.MultiLineString, shapely.MultiPolygon)[max(dimension, 0)]
    return make(parts)


def _flat(geometry: Any) -> Iterable[Any]:
    for part in getattr(geometry, "geoms", (geometry,)):
        if hasattr(part, "geoms"):
            yield from _flat(part)
        else:
            yield part


_REASON = re.compile(r"(?P<reason>[^\[]*)\[(?P<x>\S+) (?P<y>\S+)\]")


def _validity(geometry: Any) -> tuple[str, float, float]:
    """What is wrong with an area, and where (degrees)."""
    import shapely

    found = _REASON.fullmatch(shapely.is_valid_reason(geometry))
    if not found:
        return "invalid_area", *degrees_of(*(float(value) for value in geometry.bounds[:2]))
    what = "self_crossing" if "elf-intersection" in found["reason"] else "invalid_area"
    lon, lat = degrees_of(float(found["x"]), float(found["y"]))
    return what, round(lon, 7), round(lat, 7)


def _identity(frame: "geopandas.GeoDataFrame", index: int, column: str) -> str:
    """How a feature calls itself, for the person who has to find it."""
    for candidate in (column, "name", "NAME", "id", "gml_id"):
        if candidate and candidate in frame.columns:
            value = frame[candidate].iloc[index]
            if isinstance(value, str | int) and str(value):
                return str(value)[:80]
    return ""


def _why_nothing(skipped: Sequence[Skipped], raw: Raw, total: int) -> LayerProblem:
    """The clearest reason why no feature of a file could be used."""
    import shapely

    reasons = Counter[str]()
    for entry in skipped:
        reasons[entry.reason] += entry.count
    if reasons["swapped"] and reasons["swapped"] >= reasons["outside"]:
        return LayerProblem("swapped")
    if reasons["outside"]:
        bounds = next(
            frame.total_bounds for _, frame in raw.frames if not shapely.is_empty(frame.geometry.values).all()
        )
        return LayerProblem("outside", x=float(bounds[0]), y=float(bounds[1]))
    if set(reasons) == {"too_detailed"}:
        most = max(int(shapely.get_num_coordinates(frame.geometry.values).max()) for _, frame in raw.frames)
        return LayerProblem("too_many_vertices", count=most, limit=Limits().feature_vertices)
    if set(reasons) == {"no_geometry"}:
        return LayerProblem("no_layers")
    return LayerProblem("nothing_usable", count=total)


def _plain(column: "pd.Series[Any]") -> "pd.Series[Any]":
    """A column as numbers or truth values where it is, and as text otherwise (lists joined, dates in ISO form)."""
    import pandas as pd

    if pd.api.types.is_bool_dtype(column.dtype) or pd.api.types.is_numeric_dtype(column.dtype):
        if str(column.dtype).startswith(("complex", "Int", "Float", "bool")):
            return column if str(column.dtype) == "bool" else column.astype(float)
        return column
    return pd.Series([_text(value) for value in column], dtype=object, index=column.index)


def _text(value: Any) -> str | None:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, str):
        return value
    if isinstance(value, Mapping):
        return json.dumps(value, ensure_ascii=False, default=str)
    if hasattr(value, "tolist") and not hasattr(value, "isoformat"):
        value = value.tolist()
    if isinstance(value, list | tuple):
        if all(isinstance(item, str | int | float) for item in value):
            return "; ".join(str(item) for item in value)
        return json.dumps(value, ensure_ascii=False, default=str)
    if isinstance(value, bytes):
        return value.hex()
    if hasattr(value, "isoformat"):
        text = str(value.isoformat())
        return None if text == "NaT" else text.removesuffix("T00:00:00")
    return str(value)


def write_normalised(frame: "geopandas.GeoDataFrame", path: Path) -> None:
    """Store a normalised layer as FlatGeobuf in EPSG:25832 with a spatial index, whole or not at all.

    Raises ValueError when the frame is not in EPSG:25832.
    """
    import pyogrio

    if frame.crs is None or frame.crs.to_epsg() != METRES:
        raise ValueError("a normalised layer is in EPSG:25832")
    kinds = set(frame.geom_type)
    # With another ending, the driver would make a folder of files.
    unfinished = path.with_name(f".unfinished-{path.stem}.fgb")
    try:
        pyogrio.write_dataframe(
            frame,
            unfinished,
            driver="FlatGeobuf",
            layer="layer",
            geometry_type=kinds.pop() if len(kinds) == 1 else "Unknown",
            SPATIAL_INDEX="YES",
        )
        os.replace(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)


def read_normalised(path: Path) -> "geopandas.GeoDataFrame":
    """A layer that `write_normalised` stored (rows in the order of its spatial index)."""
    import pyogrio

    return pyogrio.read_dataframe(path)


def features_geojson(
    path: Path,
    *,
    columns: Sequence[str] = (),
    bounds: tuple[float, float, float, float] | None = None,
    limit: int = 5_000,
) -> tuple[str, bool]:
    """Features of a normalised layer as a GeoJSON FeatureCollection (text, degrees, 7 decimals) for a browser.

    `bounds` (west, south, east, north in degrees) keeps those whose box touches it; `columns` names the properties to
    give, missing ones are left out. The truth value says whether there were more than `limit`.
    """
    import numpy as np
    import pyogrio.raw
    import shapely

    box = None
    if bounds is not None:
        west, south, east, north = bounds
        corners = [metres_of(lon, lat) for lon in (west, east) for lat in (south, north)]
        xs, ys = [x for x, _ in corners], [y for _, y in corners]
        box = (min(xs), min(ys), max(xs), max(ys))
    meta, _, wkb, values = pyogrio.raw.read(
        str(path), columns=list(columns), bbox=box, max_features=limit + 1
    )
    transformer = _to_degrees()

    def exact(xy: "np.ndarray[Any, Any]") -> "np.ndarray[Any, Any]":
        return np.column_stack(transformer.transform(xy[:, 0], xy[:, 1]))

    shapes = spelled(shapely.from_wkb(wkb[:limit]), lambda xy: along(xy, exact, 1e-8))
    columns_json = [
        _spelled(str(name), column[:limit]) for name, column in zip(meta["fields"], values, strict=True)
    ]
    rows = zip(*columns_json, strict=True) if columns_json else [()] * len(shapes)
    features = (
        f'{{"type":"Feature","properties":{{{",".join(filter(None, row))}}},"geometry":{shape}}}'
        for row, shape in zip(rows, shapes, strict=True)
    )
    return f'{{"type":"FeatureCollection","features":[{",".join(features)}]}}', len(wkb) > limit


@cache
def _to_degrees() -> "Transformer":
    """PROJ's way from metres to degrees; finding it takes longer than going it, and threads may share it."""
    from pyproj import Transformer

    return Transformer.from_crs(METRES, DEGREES, always_xy=True)


def _spelled(name: str, column: "np.ndarray[Any, Any]") -> list[str]:
    """The values of a column as members of JSON objects; nothing for those that are missing (NaN, GDAL's missing number,
    is not JSON)."""
    import numpy as np

    start = json.dumps(name, ensure_ascii=False) + ":"

    def member(value: object) -> str:
        missing = value is None or (isinstance(value, float) and math.isnan(value))
        return "" if missing else start + json.dumps(value, ensure_ascii=False)

    if column.dtype.kind in "iuf":
        distinct, place = np.unique(column, return_inverse=True)
        members = np.array([member(value) for value in distinct.tolist()], dtype=object)
        found: list[str] = members[place].tolist()
        return found
    known: dict[object, str] = {}
    found = []
    for value in column.tolist():
        key = (type(value), value)
        text = known.get(key)
        if text is None:
            text = known[key] = member(value)
        found.append(text)
    return found


def with_columns(read: LayerRead, columns: Mapping[str, Sequence[object]]) -> LayerRead:
    """The same layer with further columns, one value a row, which the report names too."""
    frame = read.frame.copy()
    for name, values in columns.items():
        frame[name] = list(values)
    report = replace(read.report, columns=(*read.report.columns, *columns))
    return replace(read, frame=frame, report=report)


@dataclass(frozen=True)
class Contents:
    """What a layer says of its objects: names of columns, and the words of the first of them, row by row."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    total: int


def contents(path: Path, *, limit: int) -> Contents:
    """The attributes of a normalised layer's first objects, without their shapes. Columns that are empty are left out."""
    import pyogrio
    import pyogrio.raw

    total = int(pyogrio.read_info(str(path))["features"])
    meta, _, _, columns = pyogrio.raw.read(str(path), read_geometry=False, max_features=limit)
    named = [
        (str(name), [_spoken(value) for value in values.tolist()])
        for name, values in zip(meta["fields"], columns, strict=True)
    ]
    filled = [(name, words) for name, words in named if any(words)]
    rows = tuple(zip(*(words for _, words in filled), strict=True)) if filled else ()
    return Contents(tuple(name for name, _ in filled), rows, total)


def _spoken(value: object) -> str:
    if value is None or value != value:
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).strip()
