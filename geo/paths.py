"""Lines and areas of layers as SVG paths: a query of the search tree, a clip and a path per kind of line.

Importing this module loads neither numpy nor shapely.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from geo.drawn_layers import DrawnLayer, MapSource, kept
from geo.strokes import DRAWN, SIMPLIFIED, Stroke, strokes_of

if TYPE_CHECKING:
    import numpy as np

UNITS: Final = 4
"""Path units per pixel: a quarter of a pixel is exact enough for twice the density."""


def background(
    sources: Sequence[MapSource], colour: Callable[[str], str], width: int, height: int
) -> list[str]:
    ground = "beyond" if any(source.role == "boundary" for source in sources) else "land"
    return [f'<rect width="{width}" height="{height}" fill="{colour(ground)}"/>']


def paths_within(
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
    strokes = [stroke for stroke in DRAWN if zoom >= stroke.from_zoom]
    drawn = [(stroke, source) for stroke in strokes for source in sources if source.role == stroke.role]
    # What is neither base map nor plan lies on top, layer upon layer.
    drawn += [
        (stroke, source)
        for source in sources
        if source.style is not None
        for stroke in strokes_of(source.style)
        if zoom >= stroke.from_zoom
    ]
    uses = Counter((stroke.role, stroke.ranks, stroke.dots) for stroke in strokes if not stroke.fill)
    result = []
    cut: dict[MapSource, tuple[DrawnLayer, Any, Any, Any]] = {}
    paths: dict[tuple[MapSource, tuple[int, ...], bool, bool], str] = {}
    hatches: set[str] = set()
    for stroke, source in drawn:
        if source not in cut:
            layer = kept.get(source)
            chosen = np.sort(layer.tree.query(window))
            shapes, boxes = layer.shapes[chosen], layer.boxes[chosen]
            over = ~((boxes[:, :2] > (left, bottom)) & (boxes[:, 2:] < (right, top))).all(axis=1)
            shapes[over] = shapely.clip_by_rect(shapes[over], left, bottom, right, top)
            if stroke.role in SIMPLIFIED:
                shapes = shapely.simplify(shapes, resolution / UNITS, preserve_topology=False)
            cut[source] = (layer, chosen, shapes, over | layer.turned[chosen])
        key = (source, stroke.ranks, bool(stroke.fill), stroke.dots)
        if key not in paths:
            layer, chosen, shapes, turned = cut[source]
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
                turned = turned[wanted]
                shapes[turned] = shapely.orient_polygons(shapes[turned])
            data = path_of(shapes, box[0], box[3], resolution) if len(shapes) else ""
            path = f'<path transform="scale({1 / UNITS:g})" d="{data}"' if data else ""
            if path and prefix and not stroke.fill and uses[stroke.role, stroke.ranks, stroke.dots] > 1:
                name = f"{prefix}{len(paths)}"
                result.append(f'<defs>{path} id="{name}"/></defs>')
                path = f'<use href="#{name}"'
            paths[key] = path
        if paths[key]:
            fill = ""
            if stroke.hatch:
                if not prefix:
                    continue  # a small picture: its flat tint is enough
                name = f"{prefix}-{stroke.hatch}-{stroke.fill}"
                if name not in hatches:
                    hatches.add(name)
                    result.append(_pattern(name, stroke.hatch, colour(stroke.fill)))
                fill = f"url(#{name})"
            result.append(f"{paths[key]} {_look(stroke, zoom, colour, fill)}/>")
    return result


#: One square of each pattern, 8 by 8 units; tiles of 256 pixels hold whole ones, so that no seam shows.
_HATCHES: Final = {
    "hatched": "M-2 2l4-4M0 8l8-8M6 10l4-4",
    "crossed": "M0 4h8M4 0v8",
    "dotted": "M2 2h0M6 6h0",
}


def _pattern(name: str, hatch: str, colour: str) -> str:
    """A pattern to fill areas with, in path units."""
    round_ends = ' stroke-linecap="round"' if hatch == "dotted" else ""
    return (
        f'<defs><pattern id="{name}" width="{8 * UNITS}" height="{8 * UNITS}" patternUnits="userSpaceOnUse">'
        f'<path transform="scale({UNITS})" d="{_HATCHES[hatch]}" fill="none" stroke="{colour}" '
        f'stroke-width="{2.2 if hatch == "dotted" else 1.2}"{round_ends}/></pattern></defs>'
    )


def _look(stroke: Stroke, zoom: float, colour: Callable[[str], str], fill: str = "") -> str:
    """The presentation attributes of a stroke, in path units; `fill` for one that is no colour."""
    look = f'fill="{fill or colour(stroke.fill)}"' if stroke.fill else 'fill="none"'
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

    parts = shapes[~shapely.is_empty(shapes)]
    kinds = shapely.get_type_id(parts)
    if (kinds > 3).any():  # in several parts
        parts = shapely.get_parts(parts)
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
    is_known = steps.min() >= -_FARTHEST and steps.max() < _FARTHEST
    words = list(map(_numerals().__getitem__ if is_known else str, steps.ravel().tolist()))
    words[0] = f"m{words[0]}"
    for start, ring in zip((2 * starts[1:]).tolist(), after_ring.tolist(), strict=True):
        words[start] = f"zm{words[start]}" if ring else f"m{words[start]}"
    return f"{' '.join(words)}{'z' if closed[-1] else ''}{dots}"


#: As far as steps go in nearly all pictures.
_FARTHEST: Final = 8192


@cache
def _numerals() -> list[str]:
    """Numbers as text: 0 and up from the beginning of the list, -1 and down from its end. Looking one up takes a sixth of
    the time of spelling it."""
    return [*map(str, range(_FARTHEST)), *map(str, range(-_FARTHEST, 0))]
