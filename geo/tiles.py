"""The base map from the town's own layers, as tiles of SVG.

Everything drawn here is plain SVG with presentation attributes: it needs no style sheet, no script and no other host,
and is sharp on every screen and printer.

Importing this module loads neither numpy nor shapely.
"""

import hashlib
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Literal

from geo.drawn_layers import MapSource, kept
from geo.labels import labels_of, tile_labels
from geo.palette import colour_of
from geo.paths import background, paths_within
from geo.plans import base_map
from geo.views import MAX_ZOOM, TILE, WORLD

#: The rooms that decide how a tile looks.
_DRAWN_BY = ("palette", "views", "styles", "strokes", "drawn_layers", "paths", "labels", "tiles")


@cache
def drawing_digest() -> bytes:
    """What decides how a tile looks besides its layers: the code that draws it."""
    here = Path(__file__).parent
    return hashlib.sha256(b"".join((here / f"{room}.py").read_bytes() for room in _DRAWN_BY)).digest()


def forget_layers() -> None:
    """Drop all layers from memory (they are read again when needed)."""
    kept.clear()
    labels_of.clear()
    base_map.cache_clear()


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
    colour = colour_of(theme)
    body = background(sources, colour, TILE, TILE) if ground else []
    body += paths_within(sources, box, float(z), size / TILE, colour, "p")
    body += tile_labels(tuple(sources), z, x, y, colour)
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{TILE}" height="{TILE}" viewBox="0 0 {TILE} {TILE}">'
    )
    return (head + "".join(body) + "</svg>").encode()
