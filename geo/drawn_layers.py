"""The layers that maps are drawn from, kept in memory with a search tree.

Layers are read once from their normalised files (`geo.layers`) and turned into web mercator.

Importing this module loads neither numpy nor shapely.
"""

import threading
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from geo.strokes import OTHER_CLASSES, SIGN_RANKS
from geo.styles import LayerStyle, spoken
from geo.views import mercator_of_metres

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True, slots=True)
class MapSource:
    """One layer to draw: its role (boundary, districts, streets, buildings, water, green, parcels, plan for what
    `geo.readers.xplan` read, or other), its normalised FlatGeobuf file, and the file's hash, by which it is kept in
    memory. Layers of the role other have a style."""

    role: str
    path: Path
    digest: str
    name_column: str = "name"
    style: LayerStyle | None = None


_RANK_COLUMNS: Final = ("fclass", "highway", "klasse", "class", "strassenklasse")
_RANKS: Final = {
    **dict.fromkeys(("motorway", "trunk", "primary", "motorway_link", "trunk_link", "primary_link"), 0),
    **dict.fromkeys(("secondary", "tertiary", "secondary_link", "tertiary_link"), 1),
    **dict.fromkeys(("service", "track", "track_grade1", "track_grade2", "busway"), 3),
    **dict.fromkeys(("rail", "light_rail", "tram", "narrow_gauge", "subway"), 5),
    **dict.fromkeys(("footway", "cycleway", "path", "steps", "bridleway", "corridor", "pedestrian_path"), 4),
    **dict.fromkeys(("track_grade3", "track_grade4", "track_grade5", "unknown"), 4),
}
"""OpenStreetMap's word → importance: 0 main roads … 4 paths, 5 rails. Streets of other origin are 2, ordinary streets."""


@dataclass(frozen=True, slots=True)
class DrawnLayer:
    """A layer in web mercator. `shapes` are single geometries (no multi parts); the arrays run in parallel."""

    shapes: "np.ndarray[Any, Any]"
    boxes: "np.ndarray[Any, Any]"
    """Left, bottom, right, top of each."""
    turned: "np.ndarray[Any, Any]"
    """Areas with an outer ring that turns right, or an inner one that turns left: not as areas are filled."""
    ranks: "np.ndarray[Any, Any]"
    extents: "np.ndarray[Any, Any]"
    """Area of areas, length of lines, in square metres or metres of the projection."""
    dimensions: "np.ndarray[Any, Any]"
    """0 points, 1 lines, 2 areas."""
    tree: Any
    names: tuple[str, ...]
    """What is written on the map, by importance; all parts of the same name are one, streets joined to long lines."""
    named: "np.ndarray[Any, Any]"
    """The geometry of each name."""
    inner: "np.ndarray[Any, Any]"
    """A point within it."""
    name_tree: Any


class _Kept:
    """The layers in use, the least recently used leave first; each is read by one thread only."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._layers: OrderedDict[str, DrawnLayer] = OrderedDict()
        self._lock = threading.Lock()
        self._reading: dict[str, threading.Lock] = {}

    def get(self, source: MapSource) -> DrawnLayer:
        values = [each.value for each in source.style.classes] if source.style else []
        by = source.style.by if source.style else ""
        key = f"{source.digest}:{source.role}:{source.name_column}:{by}:{values}"
        with self._lock:
            layer = self._layers.get(key)
            if layer is not None:
                self._layers.move_to_end(key)
                return layer
            reading = self._reading.setdefault(key, threading.Lock())
        with reading:
            with self._lock:
                layer = self._layers.get(key)
            if layer is None:
                layer = _read(source)
                with self._lock:
                    self._layers[key] = layer
                    self._reading.pop(key, None)
                    while len(self._layers) > self._limit:
                        self._layers.popitem(last=False)
            return layer

    def clear(self) -> None:
        with self._lock:
            self._layers.clear()


kept = _Kept(limit=24)


def _read(source: MapSource) -> DrawnLayer:
    import numpy as np
    import pyogrio.raw
    import shapely

    ranked = {"streets": _RANK_COLUMNS, "plan": ("sign",)}.get(source.role, ())
    words = {"streets": _RANKS, "plan": SIGN_RANKS}.get(source.role, {})
    rest = 2
    if source.style is not None:
        ranked, rest = (source.style.by,) if source.style.by else (), OTHER_CLASSES - 1
        words = {each.value: OTHER_CLASSES + n for n, each in enumerate(source.style.classes)}
    wanted = [source.name_column, *ranked]
    meta, _, wkb, columns = pyogrio.raw.read(str(source.path), columns=wanted)
    fields = {str(name): values for name, values in zip(meta["fields"], columns, strict=True)}
    whole = shapely.transform(shapely.from_wkb(wkb), mercator_of_metres().transform, interleaved=False)
    shapes, owner = shapely.get_parts(whole, return_index=True)
    ranks = np.full(len(whole), rest, dtype=np.int8)
    for name in ranked:
        if name in fields:
            values = fields[name].tolist()
            if source.style is not None:
                values = [spoken(value) for value in values]
            ranks = np.array([words.get(value, rest) for value in values], dtype=np.int8)
            break
    areas = shapely.area(shapes)
    names, named = _joined(fields.get(source.name_column, []), whole, ranks)
    if source.role == "districts":
        # Neighbours share their border: drawn twice, its dashes would run into each other.
        shapes = shapely.get_parts(shapely.line_merge(shapely.union_all(shapely.boundary(shapes))))
        owner, areas = np.zeros(len(shapes), dtype=np.int64), np.zeros(len(shapes))
    return DrawnLayer(
        shapes=shapes,
        boxes=shapely.bounds(shapes),
        turned=~shapely.equals_identical(shapes, shapely.orient_polygons(shapes)),
        ranks=ranks[owner] if len(ranks) else ranks,
        extents=np.where(areas > 0, areas, shapely.length(shapes)),
        dimensions=shapely.get_dimensions(shapes),
        tree=shapely.STRtree(shapes),
        names=names,
        named=named,
        inner=shapely.point_on_surface(named),
        name_tree=shapely.STRtree(named),
    )


def _joined(
    names: Iterable[object], shapes: Any, ranks: Any
) -> "tuple[tuple[str, ...], np.ndarray[Any, Any]]":
    """Names by importance, then alphabet, each with one shape; lines become as long as they can."""
    import numpy as np
    import shapely

    parts: dict[str, list[Any]] = {}
    rank: dict[str, int] = {}
    for name, shape, own in zip(names, shapes, ranks, strict=False):
        if isinstance(name, str) and name.strip():
            parts.setdefault(name.strip(), []).append(shape)
            rank[name.strip()] = min(int(own), rank.get(name.strip(), 9))
    found: list[tuple[str, Any]] = []
    for name in sorted(parts, key=lambda name: (rank[name], name)):
        whole = shapely.union_all(parts[name]) if len(parts[name]) > 1 else parts[name][0]
        if shapely.get_dimensions(whole) == 1:
            found.extend((name, line) for line in shapely.get_parts(shapely.line_merge(whole)))
        else:
            found.append((name, whole))
    named = np.empty(len(found), dtype=object)
    named[:] = [shape for _, shape in found]
    return tuple(name for name, _ in found), named
