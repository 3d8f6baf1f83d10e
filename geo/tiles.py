"""The base map from the town's own layers: tiles, a plan for visitors without JavaScript, and small sketches, as SVG.

Everything drawn here is plain SVG with presentation attributes: it needs no style sheet, no script and no other host,
and is sharp on every screen and printer. Layers are read once from their normalised files (`geo.layers`), turned into
web mercator and kept with a search tree; a tile is a query of the tree, a clip and a path per kind of line.

Importing this module loads neither numpy nor shapely.
"""

import math
import re
import threading
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal
from xml.sax.saxutils import escape, quoteattr

from geo.geometry import LonLat

if TYPE_CHECKING:
    import numpy as np

Theme = Literal["light", "dark", "page"]
"""light and dark carry their colours; page (only for SVG within an HTML page) asks the page's custom properties
`--map-…` first, so that it follows the reader's theme. `custom_properties` gives their values."""

COLOURS: Final[dict[str, tuple[str, str]]] = {
    # what: (light, dark)
    "land": ("#f3efe6", "#1b2326"),
    "beyond": ("#e6e0d5", "#151b1d"),
    "green": ("#d5e4ca", "#22372c"),
    "water": ("#b5d6e0", "#1d4150"),
    "building": ("#e0d7cb", "#2f3a3e"),
    "building-line": ("#c3b8a8", "#45535a"),
    "parcel-line": ("#cdc4b6", "#37444a"),
    "casing": ("#c6bbab", "#10171a"),
    "street": ("#ffffff", "#3b474c"),
    "main-street": ("#fbe6ae", "#6a6348"),
    "path": ("#bda98c", "#5a666b"),
    "district-line": ("#9a8fae", "#7d74a0"),
    "boundary-line": ("#7a6c95", "#a99fce"),
    "text": ("#3f4a4f", "#d3dadd"),
    "district-text": ("#5d5178", "#bdb3dd"),
    "water-text": ("#2d6579", "#9ccbdc"),
    "area": ("#a8481f", "#f0a078"),
    # plan signs, after the Planzeichenverordnung
    "plan-residential": ("#e9a9a1", "#a35a53"),
    "plan-mixed": ("#c99f76", "#8a6440"),
    "plan-commercial": ("#b9b3bd", "#6f6a75"),
    "plan-special": ("#f0b07c", "#a3652f"),
    "plan-building-land": ("#e5bfb0", "#8f6355"),
    "plan-public": ("#e3a0b8", "#96506b"),
    "plan-traffic": ("#f2d680", "#8a7430"),
    "plan-utilities": ("#f0e07a", "#857a2c"),
    "plan-green": ("#a9d18e", "#4f7a3a"),
    "plan-forest": ("#7fb58a", "#33664a"),
    "plan-agriculture": ("#e2e6a3", "#70743a"),
    "plan-water": ("#9cc8e3", "#2f6688"),
    "plan-nature": ("#4f8a3c", "#8cc777"),
    "plan-limit": ("#2f3a3f", "#dfe5e8"),
    "plan-building-limit": ("#1f62a8", "#7db4ee"),
    "plan-building-line": ("#b3261e", "#ff8f86"),
    "plan-street-limit": ("#3c7a4c", "#86c597"),
    "plan-use-limit": ("#4a555a", "#a9b4b9"),
    "plan-planting": ("#3f7d2c", "#86c26f"),
    "plan-heritage": ("#a01f3d", "#ee8aa2"),
    "pin": ("#1d5661", "#8fd0dc"),
    "pin-text": ("#ffffff", "#10262b"),
}
"""Colours of the map by name, light and dark."""

WORLD: Final = 20_037_508.342789244
"""Half the width of the web-mercator world in its metres."""
TILE: Final = 256
UNITS: Final = 4
"""Path units per pixel: a quarter of a pixel is exact enough for twice the density."""
MAX_ZOOM: Final = 20
META: Final = 4
"""Labels are placed once for a block of META × META tiles and never cross its edge: no label is cut at a tile."""


def custom_properties(theme: Literal["light", "dark"]) -> dict[str, str]:
    """The colours as CSS custom properties ("--map-land": "#f7f4ee", …) for pages that hold `theme="page"` SVG."""
    return {f"--map-{name}": colours[theme == "dark"] for name, colours in COLOURS.items()}


def _colour(theme: Theme) -> Callable[[str], str]:
    if theme == "page":
        return lambda name: f"var(--map-{name},{COLOURS[name][0]})"
    index = 1 if theme == "dark" else 0
    return lambda name: COLOURS[name][index]


@dataclass(frozen=True, slots=True)
class MapSource:
    """One layer to draw: its role (boundary, districts, streets, buildings, water, green, parcels, or plan for what
    `geo.readers.xplan` read), its normalised FlatGeobuf file, and the file's hash, by which it is kept in memory."""

    role: str
    path: Path
    digest: str
    name_column: str = "name"


# --- layers in memory ----------------------------------------------------------------------------------------------

_RANK_COLUMNS: Final = ("fclass", "highway", "klasse", "class", "strassenklasse")
_RANKS: Final = {
    **dict.fromkeys(("motorway", "trunk", "primary", "motorway_link", "trunk_link", "primary_link"), 0),
    **dict.fromkeys(("secondary", "tertiary", "secondary_link", "tertiary_link"), 1),
    **dict.fromkeys(("service", "track", "track_grade1", "track_grade2", "busway"), 3),
    **dict.fromkeys(("footway", "cycleway", "path", "steps", "bridleway", "corridor", "pedestrian_path"), 4),
    **dict.fromkeys(("track_grade3", "track_grade4", "track_grade5", "unknown"), 4),
}
"""OpenStreetMap's word → importance: 0 main roads … 4 paths. Streets of other origin are 2, ordinary streets."""


@dataclass(frozen=True, slots=True)
class _Layer:
    """A layer in web mercator. `shapes` are single geometries (no multi parts); the arrays run in parallel."""

    shapes: "np.ndarray[Any, Any]"
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
        self._layers: OrderedDict[str, _Layer] = OrderedDict()
        self._lock = threading.Lock()
        self._reading: dict[str, threading.Lock] = {}

    def get(self, source: MapSource) -> _Layer:
        key = f"{source.digest}:{source.role}:{source.name_column}"
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


_kept = _Kept(limit=24)


def forget_layers() -> None:
    """Drop all layers from memory (they are read again when needed)."""
    _kept.clear()
    _labels_of.clear()
    _base_map.cache_clear()


def _read(source: MapSource) -> _Layer:
    import numpy as np
    import pyogrio.raw
    import shapely

    ranked = {"streets": _RANK_COLUMNS, "plan": ("sign",)}.get(source.role, ())
    words = {"streets": _RANKS, "plan": _SIGN_RANKS}.get(source.role, {})
    wanted = [source.name_column, *ranked]
    meta, _, wkb, columns = pyogrio.raw.read(str(source.path), columns=wanted)
    fields = {str(name): values for name, values in zip(meta["fields"], columns, strict=True)}
    whole = shapely.transform(shapely.from_wkb(wkb), _mercator_of_metres().transform, interleaved=False)
    shapes, owner = shapely.get_parts(whole, return_index=True)
    ranks = np.full(len(whole), 2, dtype=np.int8)
    for name in ranked:
        if name in fields:
            ranks = np.array([words.get(value, 2) for value in fields[name]], dtype=np.int8)
            break
    areas = shapely.area(shapes)
    names, named = _joined(fields.get(source.name_column, []), whole, ranks)
    if source.role == "districts":
        # Neighbours share their border: drawn twice, its dashes would run into each other.
        shapes = shapely.get_parts(shapely.line_merge(shapely.union_all(shapely.boundary(shapes))))
        owner, areas = np.zeros(len(shapes), dtype=np.int64), np.zeros(len(shapes))
    return _Layer(
        shapes=shapes,
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


# --- views ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class View:
    """A window on the map: centre in degrees, zoom (256-pixel tiles, may be fractional), size in pixels."""

    lon: float
    lat: float
    zoom: float
    width: int
    height: int

    @classmethod
    def around(
        cls,
        bounds: tuple[float, float, float, float],
        width: int,
        height: int,
        *,
        margin: int = 24,
        max_zoom: float = 18,
    ) -> "View":
        """The window that shows west, south, east, north (degrees) with a margin of pixels."""
        left, bottom = _mercator(bounds[0], bounds[1])
        right, top = _mercator(bounds[2], bounds[3])
        wide = max((right - left) / max(width - 2 * margin, 1), (top - bottom) / max(height - 2 * margin, 1))
        zoom = max_zoom if wide <= 0 else math.log2(2 * WORLD / TILE / wide)
        lon, lat = _unmercator((left + right) / 2, (bottom + top) / 2)
        return cls(lon, lat, min(max(zoom, 0.0), max_zoom), width, height)

    @property
    def resolution(self) -> float:
        """Metres of the projection in a pixel."""
        return float(2 * WORLD / TILE / 2**self.zoom)

    @property
    def box(self) -> tuple[float, float, float, float]:
        """Left, bottom, right, top in metres of the projection."""
        x, y = _mercator(self.lon, self.lat)
        half_x, half_y = self.width / 2 * self.resolution, self.height / 2 * self.resolution
        return x - half_x, y - half_y, x + half_x, y + half_y

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """West, south, east, north in degrees."""
        left, bottom, right, top = self.box
        return *_unmercator(left, bottom), *_unmercator(right, top)

    def pixel(self, lon: float, lat: float) -> tuple[float, float]:
        """Where a place is in the window: pixels from the left and from the top."""
        left, _, _, top = self.box
        x, y = _mercator(lon, lat)
        return (x - left) / self.resolution, (top - y) / self.resolution

    def place(self, px: float, py: float) -> LonLat:
        """Which place a pixel shows, in degrees: what `<input type="image">` sends, turned into a location."""
        left, _, _, top = self.box
        return _unmercator(left + px * self.resolution, top - py * self.resolution)

    def moved(self, right: float, down: float) -> "View":
        """The window moved by parts of its own size, as the arrows of a plan without JavaScript do."""
        lon, lat = self.place(self.width * (0.5 + right), self.height * (0.5 + down))
        return replace(self, lon=lon, lat=lat)

    def zoomed(self, steps: float) -> "View":
        """The same centre nearer (positive) or farther."""
        return replace(self, zoom=min(max(self.zoom + steps, 0.0), float(MAX_ZOOM)))


def _mercator(lon: float, lat: float) -> tuple[float, float]:
    lat = min(max(lat, -85.05), 85.05)
    return lon / 180 * WORLD, math.atanh(math.sin(math.radians(lat))) / math.pi * WORLD


def _unmercator(x: float, y: float) -> LonLat:
    return x / WORLD * 180, math.degrees(math.atan(math.sinh(y / WORLD * math.pi)))


# --- drawing -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Stroke:
    """How one kind of thing is drawn from some zoom on."""

    role: str
    from_zoom: float
    fill: str = ""
    line: str = ""
    widths: tuple[tuple[float, float], ...] = ()
    """(zoom, pixels), straight lines in between."""
    ranks: tuple[int, ...] = ()
    dash: str = ""
    smallest: float = 0.0
    """Areas of fewer square pixels, and lines of fewer pixels, are left out."""
    opacity: float = 1.0
    dots: bool = False
    """Points as dots of the line's width; other strokes draw lines and areas only."""

    def width(self, zoom: float) -> float:
        before = self.widths[0]
        for point in self.widths:
            if zoom <= point[0]:
                if point[0] == before[0]:
                    return point[1]
                part = (zoom - before[0]) / (point[0] - before[0])
                return round(before[1] + part * (point[1] - before[1]), 1)
            before = point
        return before[1]


_SIMPLIFIED: Final = frozenset({"boundary", "districts", "streets", "water"})
"""Long lines lose vertices that no screen shows; buildings and parcels are small already."""

_MAIN, _MIDDLE, _ORDINARY, _SERVICE, _PATH = (0,), (1,), (2,), (3,), (4,)
_DRAWN: tuple[_Stroke, ...] = (
    _Stroke("boundary", 0, fill="land"),
    _Stroke("green", 9, fill="green", smallest=3),
    _Stroke("water", 8, fill="water", smallest=2),
    _Stroke("water", 10, line="water", widths=((10, 0.6), (13, 1), (17, 4)), smallest=2),
    _Stroke(
        "buildings",
        14,
        fill="building",
        line="building-line",
        widths=((15.5, 0), (16, 0.5), (19, 1)),
        smallest=2,
    ),
    _Stroke("parcels", 16.5, line="parcel-line", widths=((17, 0.6), (19, 1))),
    _Stroke("streets", 15, line="path", widths=((15, 0.7), (19, 1.6)), ranks=_PATH, dash="4 3"),
    _Stroke("streets", 14, line="casing", widths=((14, 1.4), (16, 4), (19, 14)), ranks=_SERVICE),
    _Stroke(
        "streets", 13.5, line="casing", widths=((13.5, 2.2), (14, 3), (16, 8), (19, 26)), ranks=_ORDINARY
    ),
    _Stroke("streets", 11, line="casing", widths=((11, 1.6), (14, 5.5), (16, 11), (19, 32)), ranks=_MIDDLE),
    _Stroke(
        "streets", 8, line="casing", widths=((8, 1.4), (11, 3), (14, 6.5), (16, 12), (19, 34)), ranks=_MAIN
    ),
    _Stroke("streets", 14, line="street", widths=((14, 0.8), (16, 2.6), (19, 12)), ranks=_SERVICE),
    _Stroke(
        "streets",
        12.5,
        line="street",
        widths=((12.5, 1), (13.5, 1.4), (14, 2), (16, 6.4), (19, 24)),
        ranks=_ORDINARY,
    ),
    _Stroke("streets", 11, line="street", widths=((11, 0.9), (14, 4), (16, 9), (19, 30)), ranks=_MIDDLE),
    _Stroke(
        "streets",
        8,
        line="main-street",
        widths=((8, 0.8), (11, 1.8), (14, 5), (16, 10), (19, 32)),
        ranks=_MAIN,
    ),
    _Stroke("districts", 10, line="district-line", widths=((10, 0.7), (14, 1.2), (18, 2)), dash="6 4"),
    _Stroke("boundary", 6, line="boundary-line", widths=((6, 1), (14, 2), (18, 3))),
)


_SIGN_RANKS: Final = dict[str, int]()
"""Plan sign (`geo.readers.xplan.SIGNS`) → number; those that are not drawn have none."""


def _sign(name: str, zoom: float = 12, **look: Any) -> _Stroke:
    """How a plan sign is drawn, after the Planzeichenverordnung."""
    number = _SIGN_RANKS.setdefault(name, 10 + len(_SIGN_RANKS))
    return _Stroke("plan", zoom, ranks=(number,), **look)


_PLAN_FILLS: Final = {
    "building_land": "building-land",
    "residential": "residential",
    "mixed": "mixed",
    "commercial": "commercial",
    "special": "special",
    "public_use": "public",
    "sport": "green",
    "green": "green",
    "forest": "forest",
    "agriculture": "agriculture",
    "water": "water",
    "traffic": "traffic",
    "traffic_special": "traffic",
    "utilities": "utilities",
}
_DRAWN += (
    *(_sign(sign, fill=f"plan-{colour}", opacity=0.6) for sign, colour in _PLAN_FILLS.items()),
    _sign("nature", line="plan-nature", widths=((12, 1), (18, 3)), dash="2 4"),
    _sign("planting", 14, line="plan-planting", widths=((14, 0.8), (18, 1.5)), dash="1 3"),
    _sign("planting", 15, line="plan-planting", widths=((15, 2.5), (18, 7)), dots=True),
    _sign("right_of_way", 15, line="plan-use-limit", widths=((15, 0.8), (18, 1.5)), dash="5 3"),
    _sign("monument", line="plan-heritage", widths=((12, 1), (18, 2.5))),
    _sign("ancillary", 15, line="plan-heritage", widths=((15, 0.7), (18, 1.5)), dash="4 2"),
    _sign("noise", 14, line="plan-use-limit", widths=((14, 1), (18, 2)), dash="1 2"),
    _sign("use_limit", 14, line="plan-use-limit", widths=((14, 0.8), (18, 2)), dash="1 4"),
    _sign("street_limit", 14, line="plan-street-limit", widths=((14, 0.8), (18, 2))),
    _sign("buildable", 14.5, line="plan-building-limit", widths=((14.5, 0.6), (18, 1.5)), dash="8 2 2 2"),
    _sign("building_limit", 14, line="plan-building-limit", widths=((14, 0.8), (18, 2)), dash="8 2 2 2"),
    _sign("building_line", 14, line="plan-building-line", widths=((14, 1), (18, 2.5)), dash="8 2 2 2 2 2"),
    _sign("plan_limit", 9, line="plan-limit", widths=((9, 1.5), (14, 2.5), (18, 4)), dash="10 4"),
)


def svg_tile(
    sources: Sequence[MapSource],
    z: int,
    x: int,
    y: int,
    theme: Literal["light", "dark"],
    *,
    ground: bool = True,
) -> bytes:
    """The base map's tile z/x/y (XYZ scheme) as an SVG document of 256 × 256 pixels.

    Without `ground` it is transparent where nothing is drawn, to lie over another map (the tiles of a plan, say).
    The same arguments give the same bytes. Raises ValueError for a tile that does not exist.
    """
    if not (0 <= z <= MAX_ZOOM and 0 <= x < 1 << z and 0 <= y < 1 << z):
        raise ValueError(f"no tile {z}/{x}/{y}")
    size = 2 * WORLD / (1 << z)
    left, top = x * size - WORLD, WORLD - y * size
    box = (left, top - size, left + size, top)
    colour = _colour(theme)
    body = _background(sources, colour, TILE, TILE) if ground else []
    body += _paths(sources, box, float(z), size / TILE, colour, "p")
    body += _tile_labels(tuple(sources), z, x, y, colour)
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{TILE}" height="{TILE}" viewBox="0 0 {TILE} {TILE}">'
    )
    return (head + "".join(body) + "</svg>").encode()


def _background(
    sources: Sequence[MapSource], colour: Callable[[str], str], width: int, height: int
) -> list[str]:
    ground = "beyond" if any(source.role == "boundary" for source in sources) else "land"
    return [f'<rect width="{width}" height="{height}" fill="{colour(ground)}"/>']


def _paths(
    sources: Sequence[MapSource],
    box: tuple[float, float, float, float],
    zoom: float,
    resolution: float,
    colour: Callable[[str], str],
    prefix: str,
) -> list[str]:
    """All lines and areas within a box, in the order in which they lie on top of each other.

    Lines drawn twice (a street and its edge) share one path, whose id begins with `prefix`; without one they do not.
    """
    import numpy as np
    import shapely

    margin = 20 * resolution  # the widest line, half of it, and dashes that do not begin at the edge
    left, bottom, right, top = box[0] - margin, box[1] - margin, box[2] + margin, box[3] + margin
    window = shapely.box(left, bottom, right, top)
    strokes = [stroke for stroke in _DRAWN if zoom >= stroke.from_zoom]
    uses = Counter((stroke.role, stroke.ranks, stroke.dots) for stroke in strokes if not stroke.fill)
    result = []
    cut: dict[MapSource, tuple[_Layer, Any, Any]] = {}
    paths: dict[tuple[MapSource, tuple[int, ...], bool, bool], str] = {}
    for stroke in strokes:
        for source in sources:
            if source.role != stroke.role:
                continue
            if source not in cut:
                layer = _kept.get(source)
                chosen = np.sort(layer.tree.query(window))
                shapes = shapely.clip_by_rect(layer.shapes[chosen], left, bottom, right, top)
                if stroke.role in _SIMPLIFIED:
                    shapes = shapely.simplify(shapes, resolution / UNITS, preserve_topology=False)
                cut[source] = (layer, chosen, shapes)
            key = (source, stroke.ranks, bool(stroke.fill), stroke.dots)
            if key not in paths:
                layer, chosen, shapes = cut[source]
                dimensions = layer.dimensions[chosen]
                wanted = dimensions == 0 if stroke.dots else dimensions > 0
                if stroke.ranks:
                    wanted &= layer.ranks[chosen] == stroke.ranks[0]
                if stroke.fill:
                    wanted &= dimensions == 2
                if stroke.smallest:
                    sizes = np.where(dimensions == 2, resolution**2, resolution) * stroke.smallest
                    wanted &= layer.extents[chosen] >= sizes
                shapes = shapes[wanted]
                if stroke.fill:
                    shapes = shapely.orient_polygons(shapes)
                data = path_of(shapes, box[0], box[3], resolution) if len(shapes) else ""
                path = f'<path transform="scale({1 / UNITS:g})" d="{data}"' if data else ""
                if path and prefix and not stroke.fill and uses[stroke.role, stroke.ranks, stroke.dots] > 1:
                    name = f"{prefix}{len(paths)}"
                    result.append(f'<defs>{path} id="{name}"/></defs>')
                    path = f'<use href="#{name}"'
                paths[key] = path
            if paths[key]:
                result.append(f"{paths[key]} {_look(stroke, zoom, colour)}/>")
    return result


def _look(stroke: _Stroke, zoom: float, colour: Callable[[str], str]) -> str:
    """The presentation attributes of a stroke, in path units."""
    look = f'fill="{colour(stroke.fill)}"' if stroke.fill else 'fill="none"'
    if stroke.opacity < 1:
        look += f' fill-opacity="{stroke.opacity:g}"'
    width = stroke.width(zoom) if stroke.line else 0
    if width:
        look += f' stroke="{colour(stroke.line)}" stroke-width="{width * UNITS:g}"'
        if not stroke.fill:
            look += ' stroke-linejoin="round"'
            if stroke.dash:
                dashes = " ".join(f"{float(dash) * UNITS:g}" for dash in stroke.dash.split())
                look += f' stroke-dasharray="{dashes}"'
            else:
                look += ' stroke-linecap="round"'
    return look


def path_of(shapes: "np.ndarray[Any, Any]", left: float, top: float, resolution: float) -> str:
    """The `d` of a path for lines, areas and points in web mercator: whole numbers of a quarter pixel from the left top.

    Every ring and line begins with a relative "m" and goes on with relative steps. Rings and lines that shrink below
    three and two different points are left out: browsers drop a whole path with a ring of one point in it.
    """
    import numpy as np
    import shapely

    parts = shapely.get_parts(shapes)
    kinds = shapely.get_type_id(parts)
    areas = parts[kinds == 3]
    holed = shapely.get_num_interior_rings(areas) > 0
    # The coordinates of an area without holes are those of its one ring.
    rings = np.concatenate((areas[~holed], shapely.get_rings(areas[holed]))) if holed.any() else areas
    lines = parts[(kinds == 1) | (kinds == 2)]
    curves = np.concatenate((rings, lines)) if len(lines) else rings
    scale = (UNITS / resolution, -UNITS / resolution)
    points = np.rint((shapely.get_coordinates(parts[kinds == 0]) - (left, top)) * scale)
    dots = "".join(f"M{x:.0f} {y:.0f}h0" for x, y in points.tolist())

    coordinates, owner = shapely.get_coordinates(curves, return_index=True)
    grid = np.rint((coordinates - (left, top)) * scale).astype(np.int64)
    fresh = np.ones(len(grid), dtype=bool)
    fresh[1:] = (owner[1:] != owner[:-1]) | (grid[1:] != grid[:-1]).any(axis=1)
    grid, owner = grid[fresh], owner[fresh]
    closed = owner < len(rings)
    enough = np.bincount(owner, minlength=len(curves))[owner] >= np.where(closed, 4, 2)
    last = np.ones(len(grid), dtype=bool)
    last[:-1] = owner[1:] != owner[:-1]
    kept = enough & ~(closed & last)  # the last point of a ring repeats its first
    grid, owner, closed = grid[kept], owner[kept], closed[kept]
    if not len(grid):
        return dots
    starts = np.flatnonzero(np.concatenate(([True], owner[1:] != owner[:-1])))
    steps = grid.copy()
    steps[1:] -= grid[:-1]
    after_ring = closed[starts[:-1]]  # "z" leads back to where the ring began
    steps[starts[1:][after_ring]] = grid[starts[1:][after_ring]] - grid[starts[:-1][after_ring]]
    words = list(map(str, steps.ravel().tolist()))
    words[0] = f"m{words[0]}"
    for start, ring in zip((2 * starts[1:]).tolist(), after_ring.tolist(), strict=True):
        words[start] = f"zm{words[start]}" if ring else f"m{words[start]}"
    return f"{' '.join(words)}{'z' if closed[-1] else ''}{dots}"


# --- labels --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Label:
    """A word on the map: middle in pixels of its block, angle in degrees, half extents of its box in pixels."""

    text: str
    x: float
    y: float
    angle: float
    half_width: float
    half_height: float
    size: float
    colour: str
    weight: str = ""

    @property
    def reach(self) -> tuple[float, float]:
        """Half the width and height of the upright box around the turned word, with its halo."""
        turn = math.radians(self.angle)
        along_x, along_y = abs(math.cos(turn)), abs(math.sin(turn))
        half_width, half_height = self.half_width + 2, self.half_height + 2
        return along_x * half_width + along_y * half_height, along_y * half_width + along_x * half_height


class _LabelBlocks:
    """Labels by block of tiles; a block is placed once and then serves all its tiles."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._blocks: OrderedDict[tuple[Any, ...], tuple[_Label, ...]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, sources: tuple[MapSource, ...], z: int, block_x: int, block_y: int) -> tuple[_Label, ...]:
        key = (sources, z, block_x, block_y)
        with self._lock:
            labels = self._blocks.get(key)
            if labels is not None:
                self._blocks.move_to_end(key)
                return labels
        size = 2 * WORLD / (1 << z)
        tiles = min(META, 1 << z)
        left, top = block_x * META * size - WORLD, WORLD - block_y * META * size
        box = (left, top - tiles * size, left + tiles * size, top)
        labels = _place_labels(sources, box, float(z), size / TILE)
        with self._lock:
            self._blocks[key] = labels
            while len(self._blocks) > self._limit:
                self._blocks.popitem(last=False)
        return labels

    def clear(self) -> None:
        with self._lock:
            self._blocks.clear()


_labels_of = _LabelBlocks(limit=512)


def _tile_labels(
    sources: tuple[MapSource, ...], z: int, x: int, y: int, colour: Callable[[str], str]
) -> list[str]:
    left, top = x % META * TILE, y % META * TILE
    drawn = []
    for label in _labels_of.get(sources, z, x // META, y // META):
        dx, dy = label.x - left, label.y - top
        reach_x, reach_y = label.reach
        if -reach_x < dx < TILE + reach_x and -reach_y < dy < TILE + reach_y:
            drawn.append(_text(replace(label, x=dx, y=dy), colour))
    return drawn


def _text(label: _Label, colour: Callable[[str], str]) -> str:
    x, y = f"{label.x:.1f}", f"{label.y:.1f}"
    turn = f' transform="rotate({label.angle:.1f} {x} {y})"' if label.angle else ""
    weight = f' font-weight="{label.weight}"' if label.weight else ""
    return (
        f'<text x="{x}" y="{y}" dy=".35em"{turn} font-family="Fira Sans,Noto Sans,Arial,sans-serif" '
        f'font-size="{label.size:g}"{weight} text-anchor="middle" fill="{colour(label.colour)}" '
        f'stroke="{colour("land")}" stroke-width="3" stroke-linejoin="round" paint-order="stroke">'
        f"{escape(label.text)}</text>"
    )


def _place_labels(
    sources: Sequence[MapSource], box: tuple[float, float, float, float], zoom: float, resolution: float
) -> tuple[_Label, ...]:
    """Words that find room within a box without touching each other: districts first, then streets by importance."""
    import numpy as np
    import shapely

    wide, high = (box[2] - box[0]) / resolution, (box[3] - box[1]) / resolution
    room = _Room(wide, high)
    window = shapely.box(*box)
    for role in ("districts", "water", "streets"):
        for source in sources:
            if source.role == role:
                layer = _kept.get(source)
                chosen = np.sort(layer.name_tree.query(window))
                areas = shapely.get_dimensions(layer.named[chosen]) == 2
                _label_areas(room, layer, chosen[areas], role, zoom, box, resolution)
                if zoom >= 14.5:
                    _label_lines(room, layer, chosen[~areas], role, zoom, box, resolution)
    return tuple(room.labels)


def _label_areas(
    room: "_Room",
    layer: _Layer,
    chosen: "np.ndarray[Any, Any]",
    role: str,
    zoom: float,
    box: tuple[float, float, float, float],
    resolution: float,
) -> None:
    """Names in the middle of areas that are wide enough for them."""
    import shapely

    districts = role == "districts"
    if (districts and not 11 <= zoom < 16) or (not districts and zoom < 13):
        return
    size = 13.0 if districts else 11.0
    bounds = shapely.bounds(layer.named[chosen])
    wide, high = (bounds[:, 2] - bounds[:, 0]) / resolution, (bounds[:, 3] - bounds[:, 1]) / resolution
    for index, width, height in zip(chosen.tolist(), wide.tolist(), high.tolist(), strict=True):
        name = layer.names[index]
        half = 0.29 * size * len(name)
        if width < 1.3 * half or height < 2 * size:
            continue
        point = layer.inner[index]
        room.add(
            _Label(
                text=name,
                x=(point.x - box[0]) / resolution,
                y=(box[3] - point.y) / resolution,
                angle=0.0,
                half_width=half,
                half_height=size * 0.6,
                size=size,
                colour="district-text" if districts else "water-text",
                weight="600" if districts else "",
            )
        )


def _label_lines(
    room: "_Room",
    layer: _Layer,
    chosen: "np.ndarray[Any, Any]",
    role: str,
    zoom: float,
    box: tuple[float, float, float, float],
    resolution: float,
) -> None:
    """Names along the straight stretches of lines, again every few hundred pixels.

    For each repetition five places are tried, the middle of its stretch first.
    """
    import numpy as np
    import shapely

    size = 10.5 if zoom < 17 else 12.0
    halves = np.array([0.28 * size * len(layer.names[index]) + 2 for index in chosen.tolist()])
    lengths = shapely.length(layer.named[chosen]) / resolution
    enough = lengths >= 2 * halves
    chosen, halves, lengths = chosen[enough], halves[enough], lengths[enough]
    times = np.maximum(lengths // 420, 1).astype(np.int64)
    which = np.repeat(np.arange(len(chosen)), times)
    if not len(which):
        return
    turn = np.arange(len(which)) - np.repeat(np.cumsum(times) - times, times)
    step, half = (lengths / times)[which], halves[which]
    offsets = np.array([0.0, -0.15, 0.15, -0.3, 0.3]) * np.maximum(step - 2 * half, 0.0)[:, None]
    middles = ((turn + 0.5) * step)[:, None] + offsets
    stations = np.stack((middles - half[:, None], middles, middles + half[:, None]), axis=2) * resolution
    lines = np.broadcast_to(layer.named[chosen[which]][:, None, None], stations.shape)
    points = shapely.get_coordinates(shapely.line_interpolate_point(lines.ravel(), stations.ravel()))
    points = ((points - (box[0], box[3])) * (1 / resolution, -1 / resolution)).reshape(*stations.shape, 2)
    begins, centres, ends = points[:, :, 0], points[:, :, 1], points[:, :, 2]
    chord, middle = ends - begins, (begins + ends) / 2
    straight = np.hypot(chord[..., 0], chord[..., 1]) >= 1.86 * half[:, None]
    straight &= np.hypot(*np.moveaxis(centres - middle, 2, 0)) <= 4
    straight &= ((middle > 0) & (middle < (room.wide, room.high))).all(axis=2)
    angles = np.degrees(np.arctan2(chord[..., 1], chord[..., 0]))
    angles = np.where(angles > 90, angles - 180, np.where(angles < -90, angles + 180, angles))
    colour = "water-text" if role == "water" else "text"
    placed = -1
    for row, column in np.argwhere(straight).tolist():
        if row == placed:
            continue
        x, y = middle[row, column].tolist()
        name = layer.names[chosen[which[row]]]
        label = _Label(name, x, y, float(angles[row, column]), float(half[row]), size * 0.6, size, colour)
        if room.add(label):
            placed = row


class _Room:
    """The space of a block, with the labels that are already there, as small circles along their words."""

    def __init__(self, wide: float, high: float) -> None:
        self.wide, self.high = wide, high
        self.labels: list[_Label] = []
        self._taken: dict[tuple[int, int], list[tuple[float, float, float]]] = {}
        self._names: dict[str, list[tuple[float, float]]] = {}

    def add(self, label: _Label) -> bool:
        """Whether the label found room (then it is kept)."""
        reach_x, reach_y = label.reach
        if not (reach_x < label.x < self.wide - reach_x and reach_y < label.y < self.high - reach_y):
            return False
        if any(math.hypot(label.x - x, label.y - y) < 200 for x, y in self._names.get(label.text, ())):
            return False
        turn = math.radians(label.angle)
        along_x, along_y = math.cos(turn), math.sin(turn)
        radius = label.half_height * 1.1
        count = max(1, math.ceil(label.half_width / (1.4 * radius)))
        circles = []
        for number in range(-count, count + 1):
            part = number / count * label.half_width
            x, y = label.x + along_x * part, label.y + along_y * part
            for other_x, other_y, other in self._taken.get((int(x // 32), int(y // 32)), ()):
                if (x - other_x) ** 2 + (y - other_y) ** 2 < (radius + other) ** 2:
                    return False
            circles.append((x, y))
        near = (
            2 * radius + 2
        )  # entered wherever another circle might ask, so that it has to ask in one place only
        for x, y in circles:
            for column in range(int((x - near) // 32), int((x + near) // 32) + 1):
                for row in range(int((y - near) // 32), int((y + near) // 32) + 1):
                    self._taken.setdefault((column, row), []).append((x, y, radius))
        self._names.setdefault(label.text, []).append((label.x, label.y))
        self.labels.append(label)
        return True


# --- the plan without JavaScript, and sketches ---------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Pin:
    """A place on the plan that leads somewhere: what it says in its circle ("3"), and what it is called."""

    lon: float
    lat: float
    href: str
    label: str
    text: str = ""


def static_plan_svg(
    sources: Sequence[MapSource],
    view: View,
    *,
    title: str,
    areas: Sequence[bytes] = (),
    pins: Sequence[Pin] = (),
    theme: Theme = "page",
    identifier: str = "plan",
) -> str:
    """A plan as one `<svg role="group">` to stand within a page: base map, plan areas (WKB, EPSG:25832) and pins.

    Pins are links with names, in the given order, so they work with the keyboard and without JavaScript; those
    outside the window are left out. The same arguments give the same text. `identifier` has to be unique on the page, a word of letters, digits and hyphens.
    """
    if not re.fullmatch(r"[A-Za-z][\w-]*", identifier):
        raise ValueError(f"not an identifier: {identifier!r}")
    colour = _colour(theme)
    ground, words = _base_map(tuple(sources), view, theme, identifier)
    body = [ground, *(_area(wkb, view.box, view.resolution, colour) for wkb in areas), words]
    for pin in pins:
        x, y = view.pixel(pin.lon, pin.lat)
        if 0 <= x <= view.width and 0 <= y <= view.height:
            body.append(_pin(pin, x, y, colour))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="d-plan" role="group" aria-labelledby="{identifier}" '
        f'viewBox="0 0 {view.width} {view.height}" width="{view.width}" height="{view.height}">'
        f'<title id="{identifier}">{escape(title)}</title>{"".join(body)}</svg>'
    )


@lru_cache(maxsize=32)
def _base_map(sources: tuple[MapSource, ...], view: View, theme: Theme, identifier: str) -> tuple[str, str]:
    """What lies below and above plan areas: kept, because contributions change more often than streets."""
    colour = _colour(theme)
    ground = _background(sources, colour, view.width, view.height)
    ground += _paths(sources, view.box, view.zoom, view.resolution, colour, f"{identifier}-p")
    words = [_text(label, colour) for label in _place_labels(sources, view.box, view.zoom, view.resolution)]
    return "".join(ground), "".join(words)


def _area(
    wkb: bytes, box: tuple[float, float, float, float], resolution: float, colour: Callable[[str], str]
) -> str:
    """A plan area: its outline in strong dashes over a light tint, as the plan sign for the limit of a plan."""
    data = path_of(_in_mercator(wkb), box[0], box[3], resolution)
    return (
        f'<path class="d-plan__area" transform="scale({1 / UNITS:g})" d="{data}" fill="{colour("area")}" '
        f'fill-opacity="0.12" fill-rule="evenodd" stroke="{colour("area")}" stroke-width="{3 * UNITS}" '
        f'stroke-dasharray="{8 * UNITS} {3 * UNITS}" stroke-linejoin="round"/>'
    )


def _in_mercator(wkb: bytes) -> "np.ndarray[Any, Any]":
    import numpy as np
    import shapely

    shapes: np.ndarray[Any, Any] = np.array([shapely.from_wkb(wkb)])
    return np.asarray(shapely.transform(shapes, _mercator_of_metres().transform, interleaved=False))


@cache
def _mercator_of_metres() -> Any:
    """PROJ's way from EPSG:25832 to web mercator; finding it takes longer than going it, and threads may share it."""
    from pyproj import Transformer

    return Transformer.from_crs(25832, 3857, always_xy=True)


def _pin(pin: Pin, x: float, y: float, colour: Callable[[str], str]) -> str:
    radius = 12 if len(pin.text) <= 2 else 7 + 3.6 * len(pin.text)
    words = ""
    if pin.text:
        words = (
            f'<text x="{x:.1f}" y="{y:.1f}" dy=".35em" text-anchor="middle" font-size="13" font-weight="600" '
            f'font-family="Fira Sans,Noto Sans,Arial,sans-serif" fill="{colour("pin-text")}">{escape(pin.text)}</text>'
        )
    return (
        f'<a class="d-plan__pin" href={quoteattr(pin.href)} aria-label={quoteattr(pin.label)}>'
        f"<title>{escape(pin.label)}</title>"
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius:g}" fill="{colour("pin")}" stroke="{colour("land")}" '
        f'stroke-width="2"/>{words}</a>'
    )


def sketch(
    area: bytes,
    *,
    sources: Sequence[MapSource] = (),
    width: int = 320,
    height: int = 180,
    theme: Theme = "light",
) -> str:
    """A small picture of a plan area (WKB, EPSG:25832) for a card or a letter: decoration, hidden from readers.

    With sources, streets, water and buildings around it are drawn too, without names.
    """
    import shapely

    colour = _colour(theme)
    shape = _in_mercator(area)
    left, bottom, right, top = (float(value) for value in shapely.total_bounds(shape))
    view = View.around(
        (*_unmercator(left, bottom), *_unmercator(right, top)), width, height, margin=height // 6
    )
    body = _background((), colour, width, height)
    body += _paths(sources, view.box, view.zoom, view.resolution, colour, "")
    body.append(_area(area, view.box, view.resolution, colour))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="d-sketch" aria-hidden="true" viewBox="0 0 {width} {height}" '
        f'width="{width}" height="{height}">{"".join(body)}</svg>'
    )
