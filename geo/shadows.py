"""Shadows of buildings on the ground, exactly; what a plan shades that had sun before, and the hours it takes.

Every surface is projected along the sun, and the projections of a building united. Without a terrain model the ground is
taken for flat around each building: pages that show a shadow say so. With one (`Slope`) all is projected to the plane
under the lowest ground; since no ray that comes to lit ground has met ground before, each point of such a shadow belongs to
one point of the ground, and its outline is followed up the rays to where they meet the ground. Ground that is steeper than
the sun hides itself and what lies behind it (`Horizon`).

Imports numpy and shapely: only functions load this module.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from geo.city import CLOSURE, GROUND, WALL, Box, City

Array = np.ndarray[Any, Any]

#: Square metres below which a projected surface or a sliver between two shadows is nothing.
_SPECK = 1e-4
#: Two surfaces closer than this, in metres, do not shade each other.
_NEAR = 0.05
_GRID = 1e-3
#: Metres by which an outline on a slope may leave the true one where it is told by fewer points.
_CLOSE = 0.005
#: Metres of height to which the ground is found along a ray.
_EXACT = 1e-4


@dataclass(frozen=True)
class Horizon:
    """What the ground hides from the sun at a moment: `above` gives the heights that places (rows of x and y) have to be above
    to have it, `shade` the ground that has none."""

    above: Callable[[Array], Array]
    shade: Callable[[], BaseGeometry]


@dataclass(frozen=True)
class Slope:
    """Ground that is not flat: `under` gives the heights at places (rows of x and y), all between `low` and `high`;
    it is even over `step` metres, and rises by `steepest` metres in one at most. `horizon` is what it hides from the sun in
    a direction; nothing is known of it, nor told, outside `box`."""

    under: Callable[[Array], Array]
    low: float
    high: float
    step: float
    steepest: float
    box: Box
    horizon: Callable[[Array], Horizon]

    def hides(self, towards: Array) -> bool:
        """Whether some ground is so steep that it could hide ground, or a ray to ground could have met ground before."""
        return bool(self.steepest * math.hypot(towards[0], towards[1]) >= towards[2])


def ground_shadows(
    city: City, towards: Array, bodies: "Bodies | None" = None, slope: Slope | None = None
) -> Array:
    """The shadow of each building on the ground, which it stands on included; polygons, metres, EPSG:25832.

    `towards` is the unit vector to the sun (east, north, up of the grid), as `geo.sun.towards` gives it;
    `bodies` what `bodies_of` found out of the city, for those who ask for many moments. Without a `slope` the ground is
    flat around each building. Raises ValueError with the sun at or below the horizon.
    """
    if towards[2] <= 0:
        raise ValueError("the sun is below the horizon")
    bodies = bodies or bodies_of(city)
    shadows = city.footprints.copy() if slope is None else np.full(len(city), shapely.Polygon(), dtype=object)
    shadows[bodies.is_convex] = _hulls(city, bodies, towards, slope)
    owner, shapes = _projected(city, bodies, towards, slope)
    order = np.argsort(owner, kind="stable")
    owner, shapes = owner[order], shapes[order]
    rows, starts = np.unique(owner, return_index=True)
    for row, (start, end) in zip(rows, pairwise([*starts, len(shapes)]), strict=True):
        shadows[row] = shapely.union_all([*shapes[start:end], shadows[row]])
    if slope is None:
        return shadows
    on_ground: Array = shapely.union(_on_slope(shadows, city, towards, slope), city.footprints)
    return on_ground


def _on_slope(shapes: Array, city: City, towards: Array, slope: Slope) -> Array:
    """Shadows of buildings on the plane under the lowest ground, followed towards the sun to where the ground is met."""
    along = towards[:2] / towards[2]
    # A ray that grazes may meet several hills: of these the first behind the building has its shadow.
    steps = 64 if slope.hides(towards) else 1
    fine = shapely.segmentize(shapes, slope.step / 4)
    counts = shapely.get_num_coordinates(fine)
    # Where a ray has passed the building, the ground that it meets is not in this shadow.
    flat = math.hypot(*along)
    feet, of = shapely.get_coordinates(city.footprints, return_index=True)
    front = np.full(len(city), -np.inf)
    np.maximum.at(front, of, feet @ along / flat)
    front, top = np.repeat(front, counts), np.repeat(np.minimum(city.top, slope.high), counts)

    def up(points: Array) -> Array:
        def over(height: Array) -> Array:
            above: Array = height - slope.under(points + (height - slope.low)[:, None] * along)
            return above

        high = np.full(len(points), slope.high)
        low = np.full(len(points), slope.low)
        if steps > 1:
            # Where it comes out of a hill before the building does, that hides the building.
            found, was_over = np.zeros(len(points), dtype=bool), np.zeros(len(points), dtype=bool)
            first = np.clip(slope.low + (front - points @ along / flat) / flat, slope.low, top)
            down = (first - slope.low) / steps
            high = first
            for step in range(steps + 1):
                is_over = over(first - step * down) >= 0
                found |= was_over & ~is_over
                was_over |= is_over
                high = np.where(found, high, first - step * down)
            # What never comes out of the ground has its shadow at the foot of the building.
            high = np.where(was_over, high, first)
            low = np.where(was_over, high - down, first)
        # By secants; an end that stays twice counts half the next time, so that it comes nearer too (Illinois).
        over_low, over_high = over(low), over(high)
        before = np.zeros(len(points), dtype=int)
        for _ in range(30):
            wide = over_high - over_low
            part = np.divide(over_high, wide, out=np.zeros_like(wide), where=wide > 0)
            middle = high - part * (high - low)
            above = over(middle)
            is_over = above >= 0
            side = np.where(is_over, 1, -1)
            stays = np.where(is_over, over_low, over_high) * np.where(side == before, 0.5, 1.0)
            before = side
            low, over_low = np.where(is_over, low, middle), np.where(is_over, stays, above)
            high, over_high = np.where(is_over, middle, high), np.where(is_over, above, stays)
            if np.abs(above).max(initial=0.0) < _EXACT:
                high = middle
                break
        moved: Array = points + (high - slope.low)[:, None] * along
        return moved

    moved = shapely.simplify(shapely.transform(fine, up), _CLOSE, preserve_topology=False)
    invalid = ~shapely.is_valid(moved)
    if invalid.any():
        moved[invalid] = shapely.buffer(shapely.make_valid(moved[invalid]), 0)
    return np.asarray(shapely.clip_by_rect(moved, *slope.box))


@dataclass(frozen=True)
class Bodies:
    """What is known of each building's surfaces as a body. A closed one casts its shadow by its lit side alone, a
    convex one as the hull of its projected corners."""

    normals: Array
    is_closed: Array
    is_convex: Array


def bodies_of(city: City) -> Bodies:
    """Which buildings are closed bodies, and which of them convex."""
    if not len(city.faces):
        nothing = np.zeros(len(city), dtype=bool)
        return Bodies(np.zeros((0, 3)), nothing, nothing)
    points, rings, polygons = ragged(city.faces)
    normals = vectors_of(points, rings, polygons)
    sums, sizes = np.zeros((len(city), 3)), np.zeros(len(city))
    np.add.at(sums, city.owner, normals)
    np.add.at(sizes, city.owner, np.linalg.norm(normals, axis=1))
    is_closed = (np.linalg.norm(sums, axis=1) < 1e-4 * sizes) & (sizes > 0)
    return Bodies(normals, is_closed, is_closed & _convex(city, normals, points, rings, polygons))


def _convex(city: City, normals: Array, points: Array, rings: Array, polygons: Array) -> Array:
    """Whether no corner of a building lies in front of any of its surfaces, to 5 mm; faces with holes say no."""
    result = np.ones(len(city), dtype=bool)
    order = np.argsort(city.owner, kind="stable")
    owner = city.owner[order]
    result[city.owner[np.diff(polygons) > 1]] = False
    firsts = rings[polygons[:-1]]
    per_face = np.diff(rings[polygons])
    count_faces = np.bincount(owner, minlength=len(city))
    count_points = np.bincount(city.owner, per_face, minlength=len(city)).astype(int)
    # Buildings of thousands of corners are not convex, and their pairs would fill the memory.
    result &= count_faces * count_points < 20_000
    if not (owner == city.owner).all():
        points = points[_spread(firsts[order], per_face[order])]
        firsts = np.concatenate([[0], np.cumsum(per_face[order])[:-1]])
    first_point = np.concatenate([[0], np.cumsum(count_points)[:-1]])
    faces = np.flatnonzero(result[owner])
    repeats = count_points[owner[faces]]
    face = np.repeat(faces, repeats)
    point = _spread(first_point[owner[faces]], repeats)
    unit = normals[order] / np.maximum(np.linalg.norm(normals[order], axis=1), _SPECK)[:, None]
    offset = np.einsum("ij,ij->i", points[firsts], unit)
    ahead = np.einsum("ij,ij->i", points[point], unit[face]) - offset[face]
    result[owner[face[ahead > 0.005]]] = False
    return result


def _spread(firsts: Array, counts: Array) -> Array:
    """All numbers of runs that begin at `firsts` and have so many members."""
    ends = np.cumsum(counts)
    total = int(ends[-1]) if len(ends) else 0
    numbers: Array = np.arange(total) + np.repeat(firsts - (ends - counts), counts)
    return numbers


def _flattened(city: City, faces: Array, towards: Array, slope: Slope | None) -> tuple[Array, Array, Array]:
    """The corners of faces along the sun on the ground of their buildings, or under all ground of a slope, and where rings
    and polygons begin. What is below the ground casts no shadow."""
    points, rings, polygons = ragged(city.faces[faces])
    per_face = np.diff(rings[polygons])
    if slope is None:
        ground = np.repeat(city.ground[city.owner[faces]], per_face)
        height = np.maximum(points[:, 2] - ground, 0.0)
    else:
        height = np.maximum(points[:, 2], slope.under(points[:, :2])) - slope.low
    return points[:, :2] - height[:, None] * (towards[:2] / towards[2]), rings, polygons


def _hulls(city: City, bodies: Bodies, towards: Array, slope: Slope | None) -> Array:
    rows = np.flatnonzero(bodies.is_convex)
    if not len(rows):
        return np.empty(0, dtype=object)
    faces = np.flatnonzero(bodies.is_convex[city.owner])
    faces = faces[np.argsort(city.owner[faces], kind="stable")]
    flat, rings, polygons = _flattened(city, faces, towards, slope)
    _, first_faces = np.unique(city.owner[faces], return_index=True)
    begins = rings[polygons[[*first_faces, len(faces)]]]
    clouds = shapely.from_ragged_array(shapely.GeometryType.MULTIPOINT, flat, (begins,))
    hulls: Array = shapely.convex_hull(clouds)
    return hulls


def _projected(city: City, bodies: Bodies, towards: Array, slope: Slope | None) -> tuple[Array, Array]:
    """The surfaces that cast shadows, projected to the ground: their buildings and shapes; not of convex bodies."""
    casts = np.flatnonzero((city.kind != GROUND) & (city.kind != CLOSURE) & ~bodies.is_convex[city.owner])
    lit = bodies.normals[casts] @ towards
    casts = casts[(lit > 0) | ~bodies.is_closed[city.owner[casts]]]
    if not len(casts):
        return np.empty(0, dtype=int), np.empty(0, dtype=object)
    owner = city.owner[casts]
    flat, rings, polygons = _flattened(city, casts, towards, slope)
    shapes = shapely.from_ragged_array(shapely.GeometryType.POLYGON, flat, (rings, polygons))
    sizeable = shapely.area(shapes) > _SPECK
    shapes, owner = shapes[sizeable], owner[sizeable]
    invalid = ~shapely.is_valid(shapes)
    if invalid.any():
        shapes[invalid] = shapely.buffer(shapely.make_valid(shapes[invalid]), 0)
    return owner, shapes


def ragged(faces: Array) -> tuple[Array, Array, Array]:
    """The corners of polygons with heights, where each ring begins among them, and where each polygon among the rings.

    What `shapely.to_ragged_array` gives, without making an object of every ring of those that have no holes.
    """
    points = shapely.get_coordinates(faces, include_z=True)
    holes = shapely.get_num_interior_rings(faces)
    polygons = np.concatenate([[0], np.cumsum(holes + 1)])
    sizes = np.empty(polygons[-1], dtype=int)
    of_face = shapely.get_num_coordinates(faces)
    sizes[polygons[:-1]] = of_face
    holed = np.flatnonzero(holes)
    if len(holed):
        of_ring = np.repeat(holes > 0, holes + 1)
        sizes[of_ring] = shapely.get_num_coordinates(shapely.get_rings(faces[holed]))
    return points, np.concatenate([[0], np.cumsum(sizes)]), polygons


def area_vectors(faces: Array) -> Array:
    """For each polygon with heights its normal, as long as its area (Newell); holes count against it."""
    return vectors_of(*ragged(faces)) if len(faces) else np.zeros((0, 3))


def vectors_of(points: Array, rings: Array, polygons: Array) -> Array:
    """`area_vectors` of polygons as `ragged` gives them; at least one."""
    # About a near point, since millions of metres squared leave no digits for a wall.
    per_face = np.diff(rings[polygons])
    of_point = np.repeat(np.arange(len(per_face)), per_face)
    local = points - points[rings[polygons[:-1]]][of_point]
    x, y, z = np.ascontiguousarray(local.T)
    sums = np.zeros((len(per_face), 3))
    ends = rings[1:-1] - 1  # from one ring to the next is no edge
    for axis, (u, v) in enumerate(((y, z), (z, x), (x, y))):
        crossed = u[:-1] * v[1:] - v[:-1] * u[1:]
        crossed[ends] = 0
        sums[:, axis] = np.bincount(of_point[:-1], crossed, minlength=len(per_face))
    return sums / 2


def merged(shadows: Array) -> BaseGeometry:
    """All shadows as one shape."""
    shape = shapely.union_all(shadows)
    # Lines may be left of what is narrower than its coordinates can tell.
    return shape if shape.geom_type != "GeometryCollection" else shapely.buffer(shape, 0)


@dataclass(frozen=True)
class Cast:
    """Shadows at one moment, without the ground that buildings stand on; shapes in metres, EPSG:25832.

    `before` of the city as it is, `after` with the plan built, `new` what only the plan shades, `gone` what only what
    it replaces shaded.
    """

    before: BaseGeometry
    after: BaseGeometry
    new: BaseGeometry
    gone: BaseGeometry

    @property
    def new_area(self) -> float:
        """Square metres of ground that lose the sun at this moment."""
        return float(shapely.area(self.new))

    @property
    def gone_area(self) -> float:
        """Square metres of ground that gain it."""
        return float(shapely.area(self.gone))


def cast(
    before: City,
    after: City,
    towards: Array,
    slope: Slope | None = None,
    was: BaseGeometry | None = None,
) -> Cast:
    """What is shaded without and with a plan, on flat ground or on a slope. `before` and `after` are the buildings around
    it that could matter; `was` is `shade_of` those before, for who asks for several plans."""
    standing_before = shapely.union_all(before.footprints) if len(before) else shapely.Polygon()
    standing_after = shapely.union_all(after.footprints) if len(after) else shapely.Polygon()
    was = shade_of(before, towards, slope) if was is None else was
    becomes = shade_of(after, towards, slope)
    was_free = _less(was, standing_before)
    becomes_free = _less(becomes, standing_after)
    # Ground that a building covers, before or after, is neither sunny nor shaded.
    covered = shapely.union(standing_before, standing_after)
    new = _less(_less(becomes_free, was), covered)
    gone = _less(_less(was_free, becomes), covered)
    return Cast(was_free, becomes_free, new, gone)


def newly(
    before: City, plans: Sequence[tuple[Sequence[str], City]], suns: Array, slope: Slope | None = None
) -> list[list[float]]:
    """Square metres of ground that each plan shades newly, for each of many moments (`suns`: unit vectors, one a row).

    A plan is what it replaces (ids) and what it builds. The same as `cast(…).new_area`, but only those buildings are
    looked at whose shadow can reach that of the plan.
    """
    found = []
    standing = [
        shapely.union_all([*before.footprints, *bodies.footprints]) if len(before) else shapely.union_all(bodies.footprints)
        for _, bodies in plans
    ]  # fmt: skip
    known = [bodies_of(bodies) for _, bodies in plans]
    boxes = shapely.bounds(before.footprints)
    lowest = before.ground if slope is None else np.minimum(before.ground, slope.low)
    for towards in suns:
        reach = (before.top - lowest)[:, None] * (towards[:2] / -towards[2])
        areas = []
        dark = _dark(towards, slope)
        for (_, bodies), body, covered in zip(plans, known, standing, strict=True):
            shade = _less(_merged_of(bodies, towards, slope, body), covered)
            west, south, east, north = shade.bounds
            near = (
                (boxes[:, 0] + np.minimum(reach[:, 0], 0) <= east)
                & (boxes[:, 1] + np.minimum(reach[:, 1], 0) <= north)
                & (boxes[:, 2] + np.maximum(reach[:, 0], 0) >= west)
                & (boxes[:, 3] + np.maximum(reach[:, 1], 0) >= south)
            )
            if near.any() and not shade.is_empty:
                was = _merged_of(before.chosen(near), towards, slope)
                shade = _less(shade, was)
            if not dark.is_empty and not shade.is_empty:
                shade = _less(shade, dark)
            areas.append(float(shapely.area(shade)))
        found.append(areas)
    return found


def shade_of(city: City, towards: Array, slope: Slope | None = None) -> BaseGeometry:
    """The shadows of all buildings as one shape, with the ground that they stand on and, on a slope, the ground that lies in
    its own shadow; arguments as for `ground_shadows`."""
    dark, shade = _dark(towards, slope), _merged_of(city, towards, slope)
    return shade if dark.is_empty else merged(np.array([shade, dark], dtype=object))


def _dark(towards: Array, slope: Slope | None) -> BaseGeometry:
    """The ground that ground hides from the sun."""
    if slope is None or not slope.hides(towards):
        return shapely.Polygon()
    return slope.horizon(towards).shade()


def _merged_of(city: City, towards: Array, slope: Slope | None, bodies: Bodies | None = None) -> BaseGeometry:
    return merged(ground_shadows(city, towards, bodies, slope)) if len(city) else shapely.Polygon()


def _less(shape: BaseGeometry, other: BaseGeometry) -> BaseGeometry:
    """The areas of a shape that another does not cover, without specks and the lines that differences leave."""
    parts = shapely.get_parts(shapely.difference(shape, other, grid_size=_GRID))
    parts = parts[(shapely.get_dimensions(parts) == 2) & (shapely.area(parts) > 0.01)]
    return shapely.multipolygons(parts)


# --- hours -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Window:
    """Where the sun is counted on a façade: the middle of its wall at a height; `facing` in degrees from grid north."""

    building: str
    facing: float
    at: tuple[float, float, float]
    out: tuple[float, float, float]
    area: float


def windows(city: City, *, above: float = 1.5, smallest: float = 6.0) -> list[Window]:
    """A point on each façade, `above` metres over the ground (a window of the ground floor).

    Walls of one building that look the same way (to an eighth of the circle) are one façade, its point on the largest
    of them. Walls of less than `smallest` square metres are left out.
    """
    walls = np.flatnonzero(city.kind == WALL)
    if not len(walls):
        return []
    vectors = area_vectors(city.faces[walls])
    sizes = np.linalg.norm(vectors, axis=1)
    boxes = shapely.bounds(city.faces[walls])
    facing = np.degrees(np.arctan2(vectors[:, 0], vectors[:, 1])) % 360
    best: dict[tuple[int, int], tuple[float, float, int]] = {}
    for number, wall in enumerate(walls):
        if sizes[number] < smallest:
            continue
        key = int(city.owner[wall]), round(facing[number] / 45) % 8
        total, largest, of = best.get(key, (0.0, 0.0, number))
        if sizes[number] > largest:
            largest, of = float(sizes[number]), number
        best[key] = total + float(sizes[number]), largest, of
    found = []
    for (row, _side), (total, _largest, number) in sorted(best.items()):
        out = vectors[number] / sizes[number]
        x, y = (boxes[number, 0] + boxes[number, 2]) / 2, (boxes[number, 1] + boxes[number, 3]) / 2
        z = float(city.ground[row]) + above
        found.append(
            Window(
                str(city.ids[row]),
                float(facing[number]),
                (float(x), float(y), z),
                (float(out[0]), float(out[1]), float(out[2])),
                total,
            )
        )
    return found


def sunny(city: City, points: Sequence[Window], towards: Array, slope: Slope | None = None) -> Array:
    """Whether the sun reaches each of the points past all buildings, and past the ground of a slope; the wall they are on
    hides it from behind.

    Everything is looked at from the sun: a point is shaded by a surface that covers it in this view and is nearer.
    """
    seen = np.zeros(len(points), dtype=bool)
    if not points:
        return seen
    at = np.array([each.at for each in points])
    facing = np.array([each.out for each in points]) @ towards > 1e-3
    right = np.array([towards[1], -towards[0], 0.0]) / math.hypot(towards[0], towards[1])
    up = np.cross(right, towards) * -1
    middle = at.mean(axis=0)
    hides = np.flatnonzero((city.kind != GROUND) & (city.kind != CLOSURE))
    corners, rings, polygons = ragged(city.faces[hides])
    local = corners - middle
    flat = np.column_stack([local @ right, local @ up])
    shapes = shapely.from_ragged_array(shapely.GeometryType.POLYGON, flat, (rings, polygons))
    views = shapely.points((at - middle) @ right, (at - middle) @ up)
    tree = shapely.STRtree(views)
    surface, point = tree.query(shapes, predicate="contains")
    normals = vectors_of(corners, rings, polygons) if len(hides) else np.zeros((0, 3))
    steep = normals @ towards
    firsts = corners[rings[polygons[:-1]]]
    with np.errstate(divide="ignore", invalid="ignore"):
        ahead = np.einsum("ij,ij->i", normals[surface], firsts[surface] - at[point]) / steep[surface]
    shaded = np.zeros(len(points), dtype=bool)
    shaded[point[np.isfinite(ahead) & (ahead > _NEAR)]] = True
    if slope is not None and slope.hides(towards):
        # A point at the foot of a wall that stands in the hillside is looked at where it comes out of the ground.
        shaded |= slope.horizon(towards).above(at[:, :2]) > np.maximum(
            at[:, 2], slope.under(at[:, :2]) + 1e-6
        )
    return facing & ~shaded


def hours_of_sun(
    city: City, points: Sequence[Window], suns: Array, step: float, slope: Slope | None = None
) -> Array:
    """Hours of sun at each point over moments that lie `step` hours apart (`suns`: unit vectors, one row each)."""
    total = np.zeros(len(points))
    for towards in suns:
        total += sunny(city, points, towards, slope) * step
    return total


def grid_on(
    area: BaseGeometry, ground: Callable[[float, float], float], *, most: int = 120, above: float = 0.1
) -> list[Window]:
    """Points spread evenly over an open area, at most `most`, a hand above the ground (`ground`: height at x, y)."""
    step = max(2.0, math.sqrt(float(area.area) / most))
    west, south, east, north = area.bounds
    x, y = np.meshgrid(np.arange(west + step / 2, east, step), np.arange(south + step / 2, north, step))
    shapely.prepare(area)
    inside = shapely.contains_xy(area, x.ravel(), y.ravel())
    return [
        Window(
            "", 0.0, (float(px), float(py), ground(float(px), float(py)) + above), (0.0, 0.0, 1.0), step**2
        )
        for px, py in zip(x.ravel()[inside], y.ravel()[inside], strict=True)
    ]
