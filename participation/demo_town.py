"""The land of the demo towns, made by code: rivers, streets, houses, parcels. Nobody's data, invented places.

A town is drawn as a planner would sketch it: a few curves and names by hand (`AUENFURT`, `BIRKSTEIN`), in metres from
a point in open country; houses then line the streets in the manner of their quarter, and parcels follow from houses.
Everything is seeded, so that the same town comes out every time.

Imports shapely and numpy: only the demo itself loads this module.
"""

import json
import math
import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from shapely import affinity
from shapely.geometry.base import BaseGeometry

from geo.geometry import degrees_of, to_degrees

Point = tuple[float, float]
Line = tuple[Point, ...]


@dataclass(frozen=True)
class Manner:
    """How houses stand along a street: widths, depths and gaps in metres, and how far from its edge."""

    width: tuple[float, float]
    depth: tuple[float, float]
    gap: tuple[float, float]
    setback: tuple[float, float]
    #: How often a smaller building (garage, shed, back building) stands behind or beside.
    shed: float = 0.0
    #: Houses of a terrace before the next gap; 1 for detached ones.
    terrace: int = 1
    #: How far a house may be turned out of the line, in degrees.
    turn: float = 2.0


MANNERS = {
    "old": Manner((7, 12), (11, 16), (0, 0.3), (0.3, 1.4), shed=0.5, terrace=6, turn=1.2),
    "town": Manner((13, 19), (11, 14), (5, 11), (4, 7), shed=0.4),
    "house": Manner((9, 13.5), (9, 12), (9, 17), (5.5, 9), shed=0.6, turn=4),
    "new": Manner((9, 12), (9.5, 11), (9, 14), (4.5, 6), shed=0.7, turn=1),
    "row": Manner((6, 6.4), (11, 12), (9, 14), (5, 7.5), shed=0.15, terrace=6, turn=0),
    "hall": Manner((34, 72), (26, 48), (16, 30), (12, 20), shed=0.3, turn=0),
    "farm": Manner((13, 18), (16, 26), (34, 80), (8, 16), shed=0.95, turn=12),
}


@dataclass(frozen=True)
class Street:
    """A street by the points it runs through; `manner` says what lines it ("" for nothing), `sides` where."""

    name: str
    line: Line
    fclass: str = "residential"
    manner: str = ""
    sides: str = "lr"


@dataclass(frozen=True)
class Landmark:
    """A building that everybody knows: its outline around a point, turned by degrees."""

    name: str
    at: Point
    turn: float
    outline: Line
    use: str = ""


@dataclass(frozen=True)
class Sketch:
    """A town as it is drawn by hand: coordinates in metres east and north of `origin` (EPSG:25832)."""

    name: str
    origin: Point
    seed: int
    boundary: Line
    streets: tuple[Street, ...]
    landmarks: tuple[Landmark, ...]
    #: Rivers and streams: name, width in metres, points.
    waters: tuple[tuple[str, float, Line], ...]
    railway: Line
    #: Parks, woods, meadows: name, outline (drawn with soft corners).
    greens: tuple[tuple[str, Line], ...]
    #: Lines that part the districts, beside the first water and the railway; then points that name the pieces.
    borders: tuple[Line, ...]
    districts: tuple[tuple[str, Point], ...]
    #: Where nobody has built yet: the areas of the plans.
    kept_free: tuple[Line, ...] = ()
    #: How far from the middle of the town, in metres, streets have houses; farms and halls stand anywhere.
    reach: float = 1150.0


@dataclass
class TownMap:
    """A town's land in EPSG:25832 (metres): features by the role of their layer, each with its properties."""

    sketch: Sketch
    layers: dict[str, list[tuple[dict[str, Any], BaseGeometry]]] = field(default_factory=dict)

    def lonlat(self, x: float, y: float) -> Point:
        """A point of the sketch in degrees (EPSG:4326)."""
        east, north = self.sketch.origin
        return degrees_of(east + x, north + y)

    def area(self, line: Iterable[Point]) -> BaseGeometry:
        """An outline of the sketch as an area in EPSG:25832."""
        return self.placed(shapely.Polygon(list(line)))

    def placed(self, geometry: BaseGeometry) -> BaseGeometry:
        """A geometry of the sketch in EPSG:25832."""
        east, north = self.sketch.origin
        return affinity.translate(geometry, east, north)

    def street(self, name: str) -> BaseGeometry:
        """The line of a street in metres of the sketch. Raises KeyError."""
        for street in self.sketch.streets:
            if street.name == name:
                return _curve(street.line)
        raise KeyError(name)

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """West, south, east, north of the built-up town in degrees: what a map of the town shows at first."""
        reach = self.sketch.reach
        points = [
            point
            for street in self.sketch.streets
            if street.manner and street.manner != "farm"
            for point in street.line
            if math.hypot(*point) <= reach
        ]
        xs, ys = [x for x, _ in points], [y for _, y in points]
        return (*self.lonlat(min(xs) - 60, min(ys) - 60), *self.lonlat(max(xs) + 60, max(ys) + 60))


#: What each layer is called and where it comes from, by role.
LAYER_TITLES = {
    "boundary": "Gemeindegrenze",
    "districts": "Ortsteile",
    "green": "Grünflächen und Wald",
    "water": "Gewässer",
    "parcels": "Flurstücke",
    "buildings": "Gebäude",
    "streets": "Straßen und Wege",
}


def build(sketch: Sketch) -> TownMap:
    """The whole town of a sketch: the same every time."""
    chance = random.Random(sketch.seed)
    town = TownMap(sketch)
    boundary = shapely.Polygon(_curve((*sketch.boundary, sketch.boundary[0]), step=60))
    waters = [(name, _curve(line).buffer(width / 2)) for name, width, line in sketch.waters]
    streets = [(street, _curve(street.line)) for street in sketch.streets]
    water = shapely.union_all([shape for _, shape in waters])
    rails = _curve(sketch.railway).buffer(7) if sketch.railway else shapely.Polygon()
    public = [line.buffer(_half_width(street)) for street, line in streets]
    public += [*(shape for _, shape in waters), rails]
    greens = [(name, shapely.Polygon(_curve((*line, line[0])))) for name, line in sketch.greens]
    free = [shapely.Polygon(line) for line in sketch.kept_free]
    taken = shapely.union_all([*public, *(shape.buffer(3) for _, shape in greens), *free])

    landmarks = [(mark, _landmark(mark)) for mark in sketch.landmarks]
    houses = _houses(streets, taken, [shape for _, shape in landmarks], sketch.reach, chance)
    buildings: list[tuple[dict[str, Any], BaseGeometry]] = [
        ({"name": mark.name, "funktion": mark.use}, shape) for mark, shape in landmarks
    ]
    shapely.prepare(boundary)
    buildings += [({"name": "", "funktion": use}, shape) for use, shape in houses if boundary.contains(shape)]
    parcels = _parcels([shape for _, shape in buildings], [*public, *free], free)
    districts = _districts(sketch, boundary)
    layers: dict[str, list[tuple[dict[str, Any], BaseGeometry]]] = {
        "boundary": [({"name": sketch.name}, boundary)],
        "districts": [({"name": name}, shape) for name, shape in districts],
        "green": [({"name": name}, shape.difference(water).intersection(boundary)) for name, shape in greens],
        "water": [({"name": name}, shape.intersection(boundary)) for name, shape in waters],
        "parcels": [
            ({"gemarkung": sketch.name, "flurstnr": number}, shape) for number, shape in _numbered(parcels)
        ],
        "buildings": buildings,
        "streets": [
            ({"name": street.name, "fclass": street.fclass}, line.intersection(boundary))
            for street, line in streets
        ],
    }
    if sketch.railway:
        rail = _curve(sketch.railway).intersection(boundary)
        layers["streets"].append(({"name": "", "fclass": "rail"}, rail))
    town.layers = {
        role: [(facts, town.placed(shape)) for facts, shape in features if not shape.is_empty]
        for role, features in layers.items()
    }
    return town


def write(town: TownMap, role: str, path: Path) -> None:
    """A layer as GeoJSON in degrees, as a land survey would deliver it."""
    write_features(town.layers[role], path)


def write_plan(town: TownMap, area: str, path: Path) -> None:
    """What a plan lays down as GeoJSON, with the signs that maps draw; `area` is a key of `PLANS`."""
    limit = Sign("plan_limit", AREAS[area])
    write_features(
        [
            ({"klass": "demo", "sign": sign.sign, "name": sign.label}, town.placed(sign.shape()))
            for sign in (*PLANS[area], limit)
        ],
        path,
    )


def write_features(features: Sequence[tuple[dict[str, Any], BaseGeometry]], path: Path) -> None:
    """Features in EPSG:25832 as GeoJSON in degrees."""
    whole = to_degrees(shapely.GeometryCollection([shape for _, shape in features]))
    rounded = shapely.transform(whole, lambda xy: np.round(xy, 7))
    shapes = shapely.to_geojson(shapely.get_parts(rounded))
    lines = (
        f'{{"type":"Feature","properties":{json.dumps(facts, ensure_ascii=False)},"geometry":{shape}}}'
        for (facts, _), shape in zip(features, shapes, strict=True)
    )
    body = ",\n".join(lines)
    path.write_text(f'{{"type":"FeatureCollection","features":[\n{body}\n]}}\n', encoding="utf-8")


# --- curves and outlines ---------------------------------------------------------------------------


def _curve(line: Sequence[Point], step: float = 18.0) -> BaseGeometry:
    """A smooth line through all points (Catmull-Rom), with a vertex about every `step` metres."""
    closed = line[0] == line[-1] and len(line) > 3
    before, after = (line[-2], line[1]) if closed else (line[0], line[-1])
    points = np.array([before, *line, after], dtype=float)
    found: list[Any] = []
    for number in range(1, len(points) - 2):
        p0, p1, p2, p3 = points[number - 1 : number + 3]
        pieces = max(2, int(np.hypot(*(p2 - p1)) / step))
        for t in np.linspace(0, 1, pieces, endpoint=False):
            found.append(
                0.5
                * (
                    2 * p1
                    + (p2 - p0) * t
                    + (2 * p0 - 5 * p1 + 4 * p2 - p3) * t**2
                    + (3 * p1 - p0 - 3 * p2 + p3) * t**3
                )
            )
    found.append(points[-2])
    return shapely.LineString(np.round(np.array(found), 2))


def _half_width(street: Street) -> float:
    """Half of the land that a street takes, in metres."""
    return {"secondary": 5.5, "tertiary": 5.0, "footway": 1.5, "track": 2.0}.get(street.fclass, 3.6)


def _landmark(mark: Landmark) -> BaseGeometry:
    shape = affinity.rotate(shapely.Polygon(mark.outline), mark.turn, origin=(0, 0))
    return affinity.translate(shape, *mark.at)


def _box(width: float, depth: float) -> Line:
    return (
        (-width / 2, -depth / 2),
        (width / 2, -depth / 2),
        (width / 2, depth / 2),
        (-width / 2, depth / 2),
    )


# --- houses ----------------------------------------------------------------------------------------


class _Site:
    """What stands already: a new building must not touch any of it. Boxes are kept in squares of 50 m."""

    _SQUARE = 50.0

    def __init__(self, taken: BaseGeometry, standing: Iterable[BaseGeometry]) -> None:
        self._taken = taken
        shapely.prepare(self._taken)
        self._squares: dict[tuple[int, int], list[BaseGeometry]] = {}
        for shape in standing:
            self.add(shape)

    def _of(self, shape: BaseGeometry) -> Iterator[tuple[int, int]]:
        west, south, east, north = (int(value // self._SQUARE) for value in shape.bounds)
        for column in range(west, east + 1):
            for row in range(south, north + 1):
                yield column, row

    def is_free(self, shape: BaseGeometry) -> bool:
        if self._taken.intersects(shape):
            return False
        near = (other for square in self._of(shape) for other in self._squares.get(square, ()))
        return not any(other.intersects(shape) for other in near)

    def add(self, shape: BaseGeometry) -> None:
        for square in self._of(shape):
            self._squares.setdefault(square, []).append(shape)


def _houses(
    streets: Sequence[tuple[Street, BaseGeometry]],
    taken: BaseGeometry,
    landmarks: Sequence[BaseGeometry],
    reach: float,
    chance: random.Random,
) -> list[tuple[str, BaseGeometry]]:
    """Houses along all streets, each with its use; sheds and garages come after all houses."""
    site = _Site(taken, [shape.buffer(4) for shape in landmarks])
    found: list[tuple[str, BaseGeometry]] = []
    sheds: list[Callable[[], None]] = []
    for street, line in streets:
        if not street.manner:
            continue
        manner = MANNERS[street.manner]
        anywhere = street.manner in ("farm", "hall")
        for side in street.sides:
            for width, depth, middle, angle, sign in _row(line, _half_width(street), manner, side, chance):
                if not anywhere and math.hypot(*middle) > reach:
                    continue
                shape = _house(street.manner, width, depth, middle, angle, sign, chance)
                if not site.is_free(shape):
                    continue
                site.add(shape)
                use = {"hall": "Gewerbe", "farm": "Landwirtschaft"}.get(street.manner, "Wohnhaus")
                found.append((use, shape))
                if chance.random() < manner.shed:
                    sheds.append(
                        _shed(site, found, street.manner, width, depth, middle, angle, sign, chance.random())
                    )
    for build_shed in sheds:
        build_shed()
    return found


def _row(
    line: BaseGeometry, edge: float, manner: Manner, side: str, chance: random.Random
) -> Iterator[tuple[float, float, Point, float, int]]:
    """Width, depth, middle, angle (degrees) and side (±1) of the houses along one side of a street."""
    sign = 1 if side == "l" else -1
    along, stands = chance.uniform(4, 12), 0
    while True:
        width, depth = chance.uniform(*manner.width), chance.uniform(*manner.depth)
        if along + width > line.length - 4:
            return
        centre = along + width / 2
        here, ahead = line.interpolate(centre - 1), line.interpolate(centre + 1)
        angle = math.degrees(math.atan2(ahead.y - here.y, ahead.x - here.x))
        away = edge + chance.uniform(*manner.setback) + depth / 2
        normal = math.radians(angle + 90 * sign)
        middle = line.interpolate(centre)
        turned = angle + chance.uniform(-manner.turn, manner.turn)
        yield (
            width,
            depth,
            (middle.x + away * math.cos(normal), middle.y + away * math.sin(normal)),
            turned,
            sign,
        )
        stands += 1
        if manner.terrace > 1 and stands % manner.terrace:
            along += width + (chance.uniform(*manner.gap) if manner.gap[0] < 1 else 0.05)
        else:
            along += width + (
                chance.uniform(2.5, 6)
                if manner.gap[0] < 1 and manner.terrace > 1
                else chance.uniform(*manner.gap)
            )


def _house(
    manner: str, width: float, depth: float, middle: Point, angle: float, sign: int, chance: random.Random
) -> BaseGeometry:
    """One footprint: mostly a box, some with a wing or a porch, as houses are."""
    outline = list(_box(width, depth))
    kind = chance.random()
    if manner in ("house", "town", "farm") and kind < 0.45:  # a wing at the back
        wing, back = width * chance.uniform(0.35, 0.5), depth * chance.uniform(0.25, 0.4)
        outline = [
            (-width / 2, -depth / 2),
            (width / 2, -depth / 2),
            (width / 2, depth / 2),
            (width / 2 - wing, depth / 2),
            (width / 2 - wing, depth / 2 - back),
            (-width / 2, depth / 2 - back),
        ]
    elif manner == "old" and kind < 0.3:  # no right angles before 1800
        outline = [(x + chance.uniform(-0.9, 0.9), y + chance.uniform(-1.2, 1.2)) for x, y in outline]
    elif manner == "hall" and kind < 0.5:
        outline += [(-width / 2, depth / 4), (-width / 2 - 9, depth / 4), (-width / 2 - 9, -depth / 3)]
        outline += [(-width / 2, -depth / 3)]
    shape = shapely.Polygon(outline)
    shape = affinity.rotate(shape, angle if sign > 0 else angle + 180, origin=(0, 0))
    return affinity.translate(shape, *middle)


def _shed(
    site: _Site,
    found: list[tuple[str, BaseGeometry]],
    manner: str,
    width: float,
    depth: float,
    middle: Point,
    angle: float,
    sign: int,
    luck: float,
) -> Callable[[], None]:
    """Put a smaller building beside or behind a house, if there is room."""

    def put() -> None:
        if manner == "farm":
            wide, deep, across, behind = 11.0, 24 + 10 * luck, width / 2 + 12, depth / 2 + 4
        elif manner == "old":
            wide, deep, across, behind = width * 0.7, 5 + 4 * luck, 0.0, depth / 2 + 6 + 5 * luck
        elif manner == "hall":
            wide, deep, across, behind = 14.0, 10.0, -width / 4, depth / 2 + 12
        else:
            wide, deep, across, behind = 5.6, 6.4, width / 2 + 3.6, depth * (luck - 0.4)
        radians = math.radians(angle)
        away = math.radians(angle + 90 * sign)
        x = middle[0] + across * math.cos(radians) + behind * math.cos(away)
        y = middle[1] + across * math.sin(radians) + behind * math.sin(away)
        shape = affinity.translate(
            affinity.rotate(shapely.Polygon(_box(wide, deep)), angle, origin=(0, 0)), x, y
        )
        if site.is_free(shape):
            site.add(shape)
            found.append(("Nebengebäude", shape))

    return put


# --- land ------------------------------------------------------------------------------------------


def _parcels(
    buildings: Sequence[BaseGeometry],
    public: Sequence[BaseGeometry],
    free: Sequence[BaseGeometry],
) -> list[BaseGeometry]:
    """Parcels: the land nearer to one house than to any other, as far as its garden goes, without streets."""
    houses = [shape for shape in buildings if shape.area > 60]
    cells = shapely.get_parts(
        shapely.voronoi_polygons(shapely.MultiPoint([each.centroid for each in houses]))
    )
    tree = shapely.STRtree(cells)
    found = list[BaseGeometry]()
    around = shapely.STRtree(public)
    for shape in houses:
        own = cells[tree.query(shape.centroid, predicate="within")[0]]
        garden = shape.buffer(17 if shape.area < 900 else 26, quad_segs=2, join_style="mitre").intersection(
            own
        )
        near = around.query(garden)
        if len(near):
            garden = garden.difference(shapely.union_all([public[number] for number in near]))
        parts = [part for part in shapely.get_parts(garden) if part.intersects(shape) and part.area > 70]
        found += [part.simplify(0.4) for part in parts]
    return [*found, *free]


def _numbered(parcels: Sequence[BaseGeometry]) -> Iterator[tuple[str, BaseGeometry]]:
    """Parcels with the numbers of the land register: from west to east in strips, some of them divided later."""
    ordered = sorted(parcels, key=lambda shape: (round(shape.centroid.y / -90), shape.centroid.x))
    for number, shape in enumerate(ordered, start=1):
        base, part = 101 + number // 3, number % 3
        yield (f"{base}/{part}" if part else str(base)), shape


def _districts(sketch: Sketch, boundary: BaseGeometry) -> list[tuple[str, BaseGeometry]]:
    """The districts: pieces between the borders, each with the name of the point in it."""
    lines = [boundary.exterior, *(_curve(line) for line in sketch.borders)]
    lines += [_curve(line) for _, _, line in sketch.waters[:1]]
    if sketch.railway:
        lines.append(_curve(sketch.railway))
    pieces = [
        piece
        for piece in shapely.get_parts(shapely.polygonize([shapely.union_all(lines)]))
        if boundary.contains(piece.representative_point())
    ]
    parts: dict[str, list[BaseGeometry]] = {name: [] for name, _ in sketch.districts}
    for piece in pieces:
        name = min(
            sketch.districts,
            key=lambda entry: (
                not piece.contains(shapely.Point(entry[1])),
                piece.distance(shapely.Point(entry[1])),
            ),
        )[0]
        parts[name].append(piece)
    return [(name, shapely.union_all(shapes)) for name, shapes in parts.items() if shapes]


# --- Auenfurt --------------------------------------------------------------------------------------

_ZIRN: Line = (
    (-3100, -980), (-2500, -760), (-2000, -700), (-1600, -860), (-1150, -640), (-700, -420), (-300, -375),
    (80, -300), (420, -335), (760, -180), (1080, -120), (1450, -300), (1900, -260), (2400, 40), (3300, 150),
)  # fmt: skip
_MUEHLBACH: Line = (
    (-1150, -640), (-930, -440), (-660, -262), (-420, -210), (-190, -195), (20, -168), (230, -158), (430, -140),
    (590, -150), (760, -180),
)  # fmt: skip

#: The plan areas of the demo, in metres of the sketch.
WEBEREI: Line = (
    (-668, 22), (-560, 18), (-452, 30), (-418, -42), (-432, -196), (-540, -232), (-655, -250), (-742, -282), (-722, -110),
)  # fmt: skip
WEBERGRUND: Line = ((-790, 60), (-560, 70), (-380, 90), (-190, 40), (-200, -225), (-430, -300), (-770, -310))
SONNENFELD_NORTH: Line = (
    (-395, 1205), (-225, 1225), (10, 1190), (185, 1160), (262, 1360), (60, 1440), (-190, 1452), (-372, 1395),
)  # fmt: skip
OSTERFELD: Line = ((905, 235), (1235, 300), (1285, 425), (1150, 505), (925, 440), (790, 330))
STATION_SQUARE: Line = ((20, 520), (170, 522), (185, 592), (95, 600), (10, 590))
SPITAL_GARDEN: Line = ((262, 70), (345, 72), (372, 120), (318, 172), (258, 160))
FIRE_STATION: Line = ((600, -300), (735, -255), (770, -350), (640, -392))
MILL_ISLAND: Line = (
    (-470, -240), (-190, -222), (20, -194), (230, -186), (420, -172), (400, -300), (80, -270), (-300, -345), (-480, -370),
)  # fmt: skip


@dataclass(frozen=True)
class Sign:
    """A sign of a plan drawing (a key of `geo.readers.xplan.SIGNS`): an area, or a line where it is not closed."""

    sign: str
    line: Line
    label: str = ""

    def shape(self) -> BaseGeometry:
        """The sign as a shape in metres of the sketch."""
        is_area = self.sign not in ("building_limit", "street_limit")
        return shapely.Polygon(self.line) if is_area else shapely.LineString(self.line)


PLANS: dict[str, tuple[Sign, ...]] = {
    "WEBEREI": (
        Sign("residential", ((-662, 14), (-560, 10), (-456, 22), (-432, -26), (-540, -36), (-664, -30)), "WA 1"),
        Sign("traffic_special", ((-664, -30), (-540, -36), (-432, -26), (-424, -42), (-536, -54), (-652, -50), (-712, -42), (-708, -28)), "V"),
        Sign("mixed", ((-650, -52), (-538, -56), (-534, -128), (-646, -124)), "MU"),
        Sign("public_use", ((-520, -126), (-474, -126), (-474, -172), (-520, -172)), "Kita"),
        Sign("traffic_special", ((-534, -58), (-424, -46), (-426, -120), (-530, -122)), "Platz"),
        Sign("residential", ((-718, -128), (-646, -130), (-540, -136), (-530, -198), (-640, -222), (-732, -248)), "WA 2"),
        Sign("green", ((-732, -250), (-640, -224), (-530, -200), (-432, -168), (-432, -196), (-540, -232), (-655, -250), (-742, -282)), "Bachweg"),
        Sign("buildable", ((-654, 8), (-600, 5), (-600, -22), (-654, -22))),
        Sign("buildable", ((-584, 4), (-530, 6), (-530, -24), (-584, -24))),
        Sign("buildable", ((-514, 8), (-468, 14), (-452, -18), (-514, -24))),
        Sign("buildable", ((-708, -138), (-664, -138), (-672, -222), (-720, -234))),
        Sign("buildable", ((-648, -140), (-604, -142), (-604, -200), (-650, -208))),
        Sign("buildable", ((-590, -143), (-548, -145), (-544, -188), (-590, -196))),
        Sign("building_limit", ((-654, -22), (-600, -22), (-584, -24), (-530, -24), (-514, -24), (-452, -18))),
        Sign("street_limit", ((-708, -28), (-664, -30), (-540, -36), (-432, -26))),
    ),
    "SONNENFELD_NORTH": (
        Sign("residential", ((-388, 1215), (-225, 1233), (-110, 1218), (-120, 1440), (-190, 1444), (-366, 1390)), "Anger West"),
        Sign("green", ((-108, 1218), (-30, 1204), (-36, 1436), (-118, 1440)), "Anger"),
        Sign("residential", ((-28, 1204), (183, 1168), (254, 1356), (60, 1432), (-34, 1436)), "Anger Ost"),
        Sign("traffic_special", ((190, 1200), (215, 1266), (240, 1258), (216, 1192)), "P"),
    ),
    "OSTERFELD": (
        Sign("commercial", ((800, 326), (920, 250), (1100, 286), (1090, 480), (930, 434)), "GE 1"),
        Sign("commercial", ((1108, 288), (1228, 308), (1274, 420), (1148, 496), (1098, 482)), "GE 2"),
        Sign("traffic", ((1100, 276), (1108, 277), (1099, 486), (1090, 484))),
        Sign("buildable", ((815, 330), (920, 262), (1088, 296), (1080, 468), (932, 424))),
        Sign("buildable", ((1118, 300), (1222, 318), (1262, 414), (1148, 482), (1110, 472))),
        Sign("green", ((905, 238), (1232, 302), (1228, 308), (1100, 286), (920, 250), (798, 328), (792, 326))),
    ),
    "FIRE_STATION": (
        Sign("public_use", ((604, -302), (732, -259), (765, -349), (641, -387)), "Feuerwehr"),
        Sign("buildable", ((630, -308), (722, -278), (742, -338), (654, -362))),
    ),
    "STATION_SQUARE": (
        Sign("traffic_special", ((22, 522), (169, 524), (183, 591), (95, 598), (12, 588)), "Platz"),
        Sign("green", ((40, 530), (96, 531), (96, 540), (40, 540)), "Bäume"),
    ),
    "SPITAL_GARDEN": (
        Sign("green", ((263, 72), (344, 74), (370, 120), (317, 170), (259, 158)), "Garten"),
        Sign("buildable", ((268, 80), (290, 80), (290, 96), (268, 96)), "Café"),
    ),
    "QUARRY": (
        Sign("special", ((-318, 248), (-184, 288), (-172, 246), (-190, 156), (-312, 178)), "SO Photovoltaik"),
        Sign("nature", ((-168, 262), (-66, 262), (-48, 176), (-180, 152)), "Weiher"),
        Sign("buildable", ((-306, 240), (-192, 276), (-182, 240), (-198, 166), (-302, 186))),
    ),
}  # fmt: skip
"""What the demo's plans lay down, by the name of their area."""


AUENFURT = Sketch(
    name="Auenfurt",
    origin=(626_300.0, 5_385_400.0),
    seed=1287,
    boundary=(
        (-2700, -1400), (-2100, -2050), (-900, -1900), (-300, -2250), (900, -2000), (1700, -2150), (2500, -1500),
        (2350, -700), (2850, 100), (2700, 900), (1900, 1300), (1300, 2000), (200, 2250), (-900, 1950),
        (-1900, 2100), (-2400, 1200), (-2850, 400),
    ),
    streets=(
        Street("Landstraße", ((-3000, -190), (-2200, -60), (-1600, -70), (-1000, 20), (-700, 40), (-420, 60)), "secondary", "house"),
        Street("Hauptstraße", ((-420, 60), (-250, 48), (-95, 22)), "tertiary", "old"),
        Street("Marktplatz", ((-95, 22), (-70, 42), (40, 52), (82, 26), (60, -22), (-40, -26), (-95, 22)), "pedestrian"),
        Street("Obere Hauptstraße", ((82, 26), (160, 14), (300, 42), (430, 92)), "tertiary", "old"),
        Street("Osterberger Straße", ((430, 92), (700, 165), (1100, 255), (1700, 330), (2400, 330), (3000, 420)), "secondary", "house"),
        Street("Brückenstraße", ((10, -26), (2, -120), (-8, -168), (-20, -262), (-40, -350), (-80, -480)), "secondary", "old"),
        Street("Hochfelder Straße", ((-80, -480), (-130, -650), (-180, -900), (-300, -1400), (-350, -2300)), "secondary", "house"),
        Street("Bahnhofstraße", ((40, 52), (58, 150), (62, 250), (80, 380), (95, 525)), "tertiary", "town"),
        Street("Bahnhofplatz", ((95, 525), (60, 560), (95, 582), (140, 560), (95, 525)), "service"),
        Street("Nordstraße", ((330, 562), (338, 660), (290, 780), (230, 950), (280, 1300), (330, 2300)), "tertiary", "house"),
        Street("Am Stadtgraben", ((-420, 60), (-388, 168), (-250, 236), (-60, 258), (62, 250), (180, 238), (330, 190), (430, 92)), "residential", "old", "r"),
        Street("Färbergasse", ((-420, 60), (-386, -46), (-262, -118), (-60, -126), (2, -120)), "residential", "old", "l"),
        Street("Gerbergasse", ((2, -120), (160, -118), (330, -95), (420, -20), (430, 92)), "residential", "old", "l"),
        Street("Kirchgasse", ((-95, 22), (-118, 92), (-98, 168), (-20, 190), (58, 150)), "living_street", "old", "l"),
        Street("Schmiedgasse", ((-250, 48), (-236, 140), (-210, 242)), "living_street", "old"),
        Street("Badgasse", ((-215, 44), (-196, -40), (-182, -124)), "living_street", "old"),
        Street("Rosengasse", ((-40, -26), (-76, -80), (-84, -126)), "living_street", "old"),
        Street("Krämergasse", ((160, 14), (176, -50), (160, -118)), "living_street", "old"),
        Street("Spitalgasse", ((205, 22), (236, 110), (230, 226)), "living_street", "old"),
        Street("Hintere Gasse", ((300, 42), (306, -30), (298, -98)), "living_street", "old"),
        Street("Am Mühlbach", ((-386, -46), (-400, -130), (-300, -172), (-120, -160), (-8, -168)), "living_street", "house", "l"),
        Street("Mühlweg", ((-8, -168), (120, -210), (280, -220), (420, -200)), "service", "", ""),
        Street("Luitpoldstraße", ((-610, 300), (-360, 332), (80, 380), (310, 372), (600, 318)), "residential", "town"),
        Street("Eisenbahnstraße", ((-560, 505), (-330, 520), (-130, 532), (95, 525), (330, 562), (720, 600)), "residential", "town", "r"),
        Street("Gartenstraße", ((-388, 168), (-362, 332), (-330, 520)), "residential", "town"),
        Street("Lindenallee", ((-160, 252), (-142, 358), (-130, 532)), "residential", "town"),
        Street("Schillerstraße", ((230, 226), (296, 374), (330, 562)), "residential", "town"),
        Street("Goethestraße", ((430, 92), (452, 220), (470, 345), (500, 578)), "residential", "town"),
        Street("Weberstraße", ((-1000, 20), (-972, 170), (-900, 300), (-760, 330), (-610, 300)), "residential", "row"),
        Street("Bleichstraße", ((-780, 36), (-772, 170), (-760, 330)), "residential", "row"),
        Street("Spinnereiweg", ((-972, 170), (-772, 170), (-590, 150), (-388, 168)), "residential", "row"),
        Street("Fabrikstraße", ((-700, 40), (-712, -90), (-748, -200)), "residential", "house", "r"),
        Street("Auenstraße", ((-80, -480), (150, -505), (420, -480), (700, -395), (980, -320), (1250, -420)), "residential", "house"),
        Street("Erlenweg", ((150, -505), (160, -660), (250, -790), (430, -800), (510, -680), (420, -480)), "residential", "house"),
        Street("Eschenweg", ((160, -660), (340, -650), (510, -680)), "residential", "house"),
        Street("Weidenweg", ((700, -395), (760, -560), (690, -690), (510, -680)), "residential", "new"),
        Street("Pappelweg", ((760, -560), (920, -520), (980, -320)), "residential", "new"),
        Street("Am Hochfeld", ((-120, -620), (-340, -610), (-560, -670), (-700, -800), (-640, -980), (-420, -1010), (-190, -930)), "residential", "house"),
        Street("Lerchenweg", ((-340, -610), (-372, -800), (-420, -1010)), "residential", "house"),
        Street("Finkenweg", ((-560, -670), (-512, -830), (-520, -1000)), "residential", "house"),
        Street("Drosselweg", ((-372, -800), (-260, -790), (-158, -780)), "residential", "house"),
        Street("Industriestraße", ((700, 165), (740, 330), (880, 480), (1140, 560), (1340, 450), (1270, 285)), "residential", "hall", "l"),
        Street("Am Güterbahnhof", ((720, 600), (900, 640), (1140, 560)), "residential", "hall", "r"),
        Street("Sonnenfeldstraße", ((240, 905), (-80, 880), (-340, 930), (-430, 1070), (-300, 1170), (0, 1140), (256, 1090)), "residential", "new"),
        Street("Keplerweg", ((-80, 880), (-60, 1010), (0, 1140)), "residential", "new"),
        Street("Kopernikusweg", ((-340, 930), (-210, 1010), (-60, 1010)), "residential", "row"),
        Street("Galileiweg", ((-60, 1010), (120, 1000), (246, 990)), "residential", "new"),
        Street("Bachwiesenweg", ((-930, -440), (-690, -330), (-430, -262), (-20, -262)), "footway"),
        Street("Zirnuferweg", ((-80, -440), (160, -400), (440, -400), (760, -260), (1080, -200)), "footway"),
        Street("Bahndammweg", ((-980, 560), (-560, 505)), "footway"),
        Street("Holzweg", ((1250, -420), (1500, -700), (1700, -880)), "track"),
        Street("Dorfstraße", ((2300, -520), (2000, -700), (1720, -880), (1560, -1120), (1500, -1500)), "tertiary", "farm"),
        Street("Kapellenweg", ((1720, -880), (1860, -1010), (1900, -1180)), "residential", "farm"),
        Street("Feldweg am Kirchholz", ((-760, 330), (-820, 700), (-900, 1100), (-1200, 1500)), "track"),
        Street("Wiesenweg", ((-1600, -70), (-1560, -400), (-1600, -820)), "track"),
        Street("Alte Ziegelei", ((1700, 330), (1740, 520), (1900, 640)), "residential", "hall"),
    ),
    landmarks=(
        Landmark("Stadtpfarrkirche St. Ulrich", (-30, 118), 6, ((-26, -8), (8, -8), (8, -15), (18, -15), (18, -8), (26, -6), (30, 0), (26, 6), (18, 8), (18, 15), (8, 15), (8, 8), (-26, 8), (-26, 4), (-34, 4), (-34, -4), (-26, -4)), "Kirche"),
        Landmark("Rathaus", (2, 16), 4, _box(34, 18), "Rathaus"),
        Landmark("Heilig-Geist-Spital", (292, 196), -16, ((-26, -7), (26, -7), (26, 7), (12, 7), (12, 22), (0, 22), (0, 7), (-26, 7)), "Pflegeheim"),
        Landmark("Bahnhof Auenfurt", (98, 606), 4, ((-40, -6), (-14, -6), (-14, -9), (14, -9), (14, -6), (40, -6), (40, 6), (-40, 6)), "Bahnhof"),
        Landmark("Grundschule am Graben", (-470, 250), 12, ((-38, -24), (-24, -24), (-24, 8), (24, 8), (24, -24), (38, -24), (38, 22), (-38, 22)), "Schule"),
        Landmark("Obere Mühle", (-432, -222), -14, ((-16, -8), (16, -8), (16, 9), (2, 9), (2, 15), (-16, 15)), "Mühle"),
        Landmark("Weberei, Shedhalle", (-590, -88), -4, _box(96, 52), "Gewerbe, leer"),
        Landmark("Weberei, Kesselhaus", (-496, -150), -4, ((-16, -12), (16, -12), (16, 12), (4, 12), (4, 20), (-6, 20), (-6, 12), (-16, 12)), "Gewerbe, leer"),
        Landmark("Weberei, Kontor", (-640, -8), -4, _box(30, 13), "Gewerbe, leer"),
        Landmark("Feuerwehr", (560, 30), 14, ((-24, -11), (24, -11), (24, 11), (-10, 11), (-10, 20), (-24, 20)), "Feuerwehr"),
        Landmark("Markthalle Osterfeld", (640, 96), 14, _box(58, 40), "Supermarkt"),
        Landmark("Turnhalle am Sonnenfeld", (420, 900), 8, _box(46, 27), "Turnhalle"),
        Landmark("Kindergarten Erlennest", (330, -740), 12, ((-15, -8), (15, -8), (15, 8), (5, 8), (5, 14), (-15, 14)), "Kindergarten"),
        Landmark("Kapelle St. Leonhard", (1790, -930), -35, ((-9, -4), (6, -4), (10, 0), (6, 4), (-9, 4)), "Kapelle"),
        Landmark("Friedhofskapelle", (700, 440), 20, _box(14, 8), "Kapelle"),
    ),
    waters=(
        ("Zirn", 27.0, _ZIRN),
        ("Mühlbach", 6.5, _MUEHLBACH),
        ("Stadtweiher", 46.0, ((-262, -306), (-225, -298))),
        ("Holzbach", 4.0, ((1500, -2100), (1380, -1500), (1250, -900), (1120, -500), (1080, -120))),
    ),
    railway=((-3100, 930), (-1900, 770), (-900, 655), (-200, 612), (120, 620), (520, 655), (1200, 790), (2000, 1010), (3100, 1400)),
    greens=(
        ("Mühlinsel", MILL_ISLAND),
        ("Friedhof", ((600, 370), (705, 358), (735, 440), (790, 520), (690, 560), (595, 520))),
        ("Sportplatz am Sonnenfeld", ((350, 940), (520, 925), (560, 1090), (380, 1110))),
        ("Kleingärten an der Bahn", ((-960, 470), (-600, 410), (-590, 485), (-690, 560), (-950, 610))),
        ("Stadtpark am Graben", ((-372, 236), (-250, 262), (-190, 268), (-180, 318), (-345, 312))),
        ("Zirnauen", ((-1580, -770), (-1180, -560), (-860, -380), (-700, -352), (-700, -380), (-1130, -600), (-1590, -810))),
        ("Untere Au", ((500, -250), (760, -130), (1080, -70), (1400, -240), (1380, -200), (1060, 20), (720, -20), (520, -90))),
        ("Kirchholz", ((-2250, 1150), (-1700, 980), (-1250, 1080), (-1050, 1500), (-1350, 1800), (-1900, 1850), (-2200, 1500))),
        ("Hinterauer Holz", ((600, -1250), (1150, -1120), (1280, -1550), (1050, -1850), (500, -1800), (250, -1500))),
        ("Bannholz", ((2100, 560), (2550, 480), (2640, 820), (2150, 1050), (1900, 860))),
        ("Ziegelholz", ((-2450, -250), (-2050, -260), (-1950, -520), (-2350, -640))),
    ),
    borders=(
        ((-480, 800), (-486, 500), (-480, 300), (-430, 64), (-404, -60), (-424, -208), (-450, -500)),
        ((-560, 52), (-420, 60), (-388, 168), (-250, 236), (-60, 258), (62, 250), (180, 238), (330, 190), (430, 92), (560, 120)),
        ((630, 800), (596, 330), (432, 92), (430, -140), (440, -420)),
        ((1160, -40), (1130, -700), (700, -1150), (420, -1700), (300, -2500)),
    ),
    districts=(
        ("Altstadt", (0, 0)),
        ("Bahnhofsviertel", (100, 420)),
        ("Weberviertel", (-1500, 200)),
        ("Osterfeld", (1500, 500)),
        ("Sonnenfeld", (0, 1500)),
        ("Südliche Au", (-300, -1000)),
        ("Hinterau", (1800, -1000)),
    ),
    kept_free=(WEBEREI, SONNENFELD_NORTH, OSTERFELD, FIRE_STATION, STATION_SQUARE, SPITAL_GARDEN),
)  # fmt: skip
"""A small town on a river: an old town with a mill stream, a station, a weaving mill that has closed, new quarters."""


# --- Birkstein -------------------------------------------------------------------------------------

QUARRY: Line = ((-330, 250), (-180, 300), (-60, 270), (-40, 170), (-190, 140), (-320, 170))

BIRKSTEIN = Sketch(
    name="Birkstein",
    origin=(709_200.0, 5_546_700.0),
    seed=1431,
    boundary=(
        (-1300, -900), (-500, -1250), (600, -1150), (1250, -700), (1400, 200), (900, 1000), (-100, 1200), (-1000, 900),
    ),
    streets=(
        Street("Egerleite", ((-1700, -420), (-900, -300), (-420, -120), (-160, -40), (60, 0)), "tertiary", "house"),
        Street("Marktstraße", ((60, 0), (190, 30), (330, 20), (470, -30)), "tertiary", "old"),
        Street("Untere Leite", ((470, -30), (760, -140), (1100, -160), (1700, -60)), "tertiary", "house"),
        Street("Schlossberg", ((190, 30), (230, 130), (330, 200), (430, 180), (470, 90), (470, -30)), "residential", "old", "l"),
        Street("Steinweg", ((60, 0), (20, 130), (-60, 120), (-200, 100), (-420, 110)), "residential", "house"),
        Street("Am Anger", ((190, 30), (170, -90), (60, -190), (-100, -180), (-160, -40)), "residential", "house"),
        Street("Glasmacherweg", ((330, 20), (350, -120), (270, -260), (60, -190)), "residential", "house"),
        Street("Hüttenstraße", ((60, -190), (40, -420), (120, -700), (100, -1300)), "residential", "farm"),
    ),
    landmarks=(
        Landmark("Burgruine Birkstein", (350, 130), 12, ((-18, -14), (16, -16), (22, 2), (12, 16), (-14, 14), (-22, 2)), "Burg"),
        Landmark("Stadtkirche", (120, 66), -8, ((-20, -7), (14, -7), (20, 0), (14, 7), (-20, 7), (-20, 4), (-27, 4), (-27, -4), (-20, -4)), "Kirche"),
        Landmark("Rathaus Birkstein", (250, -12), 4, _box(22, 14), "Rathaus"),
    ),
    waters=(
        ("Steinbach", 7.0, ((-1700, -700), (-700, -560), (-200, -330), (220, -330), (560, -260), (1000, -330), (1700, -300))),
        ("Bruchweiher", 60.0, ((-150, 214), (-120, 222))),
    ),
    railway=(),
    greens=(
        ("Schlosspark", ((250, 120), (330, 175), (410, 160), (430, 100), (330, 70))),
        ("Birkenholz", ((-1050, 300), (-500, 420), (-350, 760), (-800, 860), (-1150, 620))),
        ("Hohe Leite", ((300, 420), (900, 300), (1150, 500), (760, 850), (250, 780))),
    ),
    borders=(),
    districts=(("Birkstein", (100, 300)), ("Hütten", (100, -800))),
    kept_free=(QUARRY,),
    reach=620.0,
)  # fmt: skip
"""A little town on a hill in the north-east, with a quarry that has been closed."""

AREAS: dict[str, Line] = {
    "WEBEREI": WEBEREI,
    "WEBERGRUND": WEBERGRUND,
    "SONNENFELD_NORTH": SONNENFELD_NORTH,
    "OSTERFELD": OSTERFELD,
    "STATION_SQUARE": STATION_SQUARE,
    "SPITAL_GARDEN": SPITAL_GARDEN,
    "FIRE_STATION": FIRE_STATION,
    "QUARRY": QUARRY,
}
"""The plan areas by the names that the demo's texts use."""

SKETCHES = {"auenfurt": AUENFURT, "birkstein": BIRKSTEIN}
"""The towns by their keys."""
