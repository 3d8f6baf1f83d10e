"""Names on maps: districts, waters and streets, placed so that no two touch and none is cut at a tile.

Importing this module loads neither numpy nor shapely.
"""

import math
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from xml.sax.saxutils import escape

from geo.drawn_layers import DrawnLayer, MapSource, kept
from geo.views import TILE, WORLD

if TYPE_CHECKING:
    import numpy as np

META: Final = 4
"""Labels are placed once for a block of META × META tiles and never cross its edge: no label is cut at a tile."""


@dataclass(frozen=True, slots=True)
class Label:
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


Reaching = tuple[Label, float, float]
"""A label and its reach."""


class _LabelBlocks:
    """Labels by block of tiles; a block is placed once and then serves all its tiles."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._blocks: OrderedDict[tuple[Any, ...], list[Reaching]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, sources: tuple[MapSource, ...], z: int, block_x: int, block_y: int) -> list[Reaching]:
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
        labels = [(label, *label.reach) for label in place_labels(sources, box, float(z), size / TILE)]
        with self._lock:
            self._blocks[key] = labels
            while len(self._blocks) > self._limit:
                self._blocks.popitem(last=False)
        return labels

    def clear(self) -> None:
        with self._lock:
            self._blocks.clear()


labels_of = _LabelBlocks(limit=512)


def tile_labels(
    sources: tuple[MapSource, ...], z: int, x: int, y: int, colour: Callable[[str], str]
) -> list[str]:
    left, top = x % META * TILE, y % META * TILE
    drawn = []
    for label, reach_x, reach_y in labels_of.get(sources, z, x // META, y // META):
        dx, dy = label.x - left, label.y - top
        if -reach_x < dx < TILE + reach_x and -reach_y < dy < TILE + reach_y:
            drawn.append(text_of(label, colour, left, top))
    return drawn


def text_of(label: Label, colour: Callable[[str], str], left: float = 0.0, top: float = 0.0) -> str:
    """A label as SVG, in a picture that begins at `left`, `top` of the label's block."""
    x, y = f"{label.x - left:.1f}", f"{label.y - top:.1f}"
    turn = f' transform="rotate({label.angle:.1f} {x} {y})"' if label.angle else ""
    weight = f' font-weight="{label.weight}"' if label.weight else ""
    return (
        f'<text x="{x}" y="{y}" dy=".35em"{turn} font-family="Fira Sans,Noto Sans,Arial,sans-serif" '
        f'font-size="{label.size:g}"{weight} text-anchor="middle" fill="{colour(label.colour)}" '
        f'stroke="{colour("land")}" stroke-width="3" stroke-linejoin="round" paint-order="stroke">'
        f"{escape(label.text)}</text>"
    )


def place_labels(
    sources: Sequence[MapSource], box: tuple[float, float, float, float], zoom: float, resolution: float
) -> tuple[Label, ...]:
    """Words that find room within a box without touching each other: districts first, then streets by importance."""
    import numpy as np
    import shapely

    wide, high = (box[2] - box[0]) / resolution, (box[3] - box[1]) / resolution
    room = _Room(wide, high)
    window = shapely.box(*box)
    for role in ("districts", "water", "streets"):
        for source in sources:
            if source.role == role:
                layer = kept.get(source)
                chosen = np.sort(layer.name_tree.query(window))
                areas = shapely.get_dimensions(layer.named[chosen]) == 2
                _label_areas(room, layer, chosen[areas], role, zoom, box, resolution)
                if zoom >= 14.5:
                    _label_lines(room, layer, chosen[~areas], role, zoom, box, resolution)
    return tuple(room.labels)


def _label_areas(
    room: "_Room",
    layer: DrawnLayer,
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
            Label(
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
    layer: DrawnLayer,
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

    size = 10.5 if zoom < 17 else 12.0
    halves = np.array([0.28 * size * len(layer.names[index]) + 2 for index in chosen.tolist()])
    lines = _Lines(layer.named[chosen])
    lengths = lines.lengths / resolution
    enough = lengths >= 2 * halves
    numbers = np.flatnonzero(enough)
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
    points = lines.at(np.broadcast_to(numbers[which][:, None, None], stations.shape), stations)
    points = (points - (box[0], box[3])) * (1 / resolution, -1 / resolution)
    begins, centres, ends = points[:, :, 0], points[:, :, 1], points[:, :, 2]
    chord, middle = ends - begins, (begins + ends) / 2
    straight = np.hypot(chord[..., 0], chord[..., 1]) >= 1.86 * half[:, None]
    straight &= np.hypot(*np.moveaxis(centres - middle, 2, 0)) <= 4
    straight &= ((middle > 0) & (middle < (room.wide, room.high))).all(axis=2)
    angles = np.degrees(np.arctan2(chord[..., 1], chord[..., 0]))
    angles = np.where(angles > 90, angles - 180, np.where(angles < -90, angles + 180, angles))
    colour = "water-text" if role == "water" else "text"
    # What would not fit between the edges of the block is not even tried; see `Label.reach`.
    turns = np.radians(angles)
    along_x, along_y = np.abs(np.cos(turns)), np.abs(np.sin(turns))
    wide, high = half[:, None] + 2, size * 0.6 + 2
    reach = np.stack((along_x * wide + along_y * high, along_y * wide + along_x * high), axis=2)
    straight &= ((middle > reach) & (middle < (room.wide, room.high) - reach)).all(axis=2)
    placed = -1
    rows, columns = np.nonzero(straight)
    tried = middle[rows, columns], angles[rows, columns], half[rows]
    squares = room.squares(*tried, size * 0.6)
    spots = zip(rows.tolist(), squares, *(each.tolist() for each in tried), strict=True)
    for row, taken, (x, y), angle, width in spots:
        if row == placed:
            continue
        name = layer.names[chosen[which[row]]]
        if room.is_free(name, x, y, taken, size * 0.6):
            room.keep(Label(name, x, y, angle, width, size * 0.6, size, colour))
            placed = row


class _Lines:
    """Lines one after the other, to find points on them by their distance from the beginning: some thousand at once."""

    def __init__(self, shapes: "np.ndarray[Any, Any]") -> None:
        import numpy as np
        import shapely

        self._points, owner = shapely.get_coordinates(shapes, return_index=True)
        steps = np.hypot(*np.diff(self._points, axis=0).T)
        steps[owner[1:] != owner[:-1]] = 0.0  # from one line to the next
        #: How far each point is from the beginning of the first line, along all of them.
        self._along = np.concatenate(([0.0], steps.cumsum()))
        self._firsts = np.searchsorted(owner, np.arange(len(shapes)))
        self._lasts = np.searchsorted(owner, np.arange(len(shapes)), side="right") - 1
        self._begins = self._along[self._firsts]
        self.lengths: np.ndarray[Any, Any] = self._along[self._lasts] - self._begins

    def at(self, line: "np.ndarray[Any, Any]", distance: "np.ndarray[Any, Any]") -> "np.ndarray[Any, Any]":
        """The points (…, 2) of lines (their numbers) at distances from their beginnings."""
        import numpy as np

        asked = self._begins[line] + np.clip(distance, 0.0, self.lengths[line])
        after = np.searchsorted(self._along, asked, side="left")
        after = np.clip(after, self._firsts[line] + 1, self._lasts[line])
        before = self._points[after - 1]
        step = self._along[after] - self._along[after - 1]
        part = np.divide(asked - self._along[after - 1], step, out=np.zeros_like(asked), where=step > 0)
        found: np.ndarray[Any, Any] = before + (self._points[after] - before) * part[..., None]
        return found


class _Room:
    """The space of a block, with the labels that are already there: where the middle of a circle as high as a word may no
    longer be, in squares of three pixels. Words are tried as rows of such circles."""

    SQUARE = 3.0

    def __init__(self, wide: float, high: float) -> None:
        self.wide, self.high = wide, high
        self.labels: list[Label] = []
        self._across = int(wide / self.SQUARE) + 1
        #: For each radius a row of squares after the other, and the same octets to look them up by.
        self._taken: dict[float, tuple[np.ndarray[Any, Any], memoryview]] = {}
        self._names: dict[str, list[tuple[float, float]]] = {}

    def add(self, label: Label) -> None:
        """Keep the label if there is room for it."""
        import numpy as np

        reach_x, reach_y = label.reach
        if not (reach_x < label.x < self.wide - reach_x and reach_y < label.y < self.high - reach_y):
            return
        at = np.array([[label.x, label.y]])
        (squares,) = self.squares(
            at, np.array([label.angle]), np.array([label.half_width]), label.half_height
        )
        if self.is_free(label.text, label.x, label.y, squares, label.half_height):
            self.keep(label)

    def squares(
        self,
        at: "np.ndarray[Any, Any]",
        angles: "np.ndarray[Any, Any]",
        halves: "np.ndarray[Any, Any]",
        half_height: float,
    ) -> list[list[int]]:
        """The squares in which the circles of words lie: of each its middle, angle and half width, all within the block."""
        import numpy as np

        turns = np.radians(angles)
        counts = np.maximum(np.ceil(halves / (1.4 * half_height * 1.1)), 1).astype(np.int64)
        part = halves / counts / self.SQUARE
        sizes = 2 * counts + 1
        ends = sizes.cumsum()
        number = np.arange(sizes.sum()) - np.repeat(ends - sizes + counts, sizes)
        x, y = (
            (np.repeat(at[:, axis] / self.SQUARE, sizes) + np.repeat(step * part, sizes) * number).astype(
                np.int64
            )
            for axis, step in enumerate((np.cos(turns), np.sin(turns)))
        )
        found, firsts = (y * self._across + x).tolist(), (ends - sizes).tolist()
        return [found[first:end] for first, end in zip(firsts, ends.tolist(), strict=True)]

    def is_free(self, text: str, x: float, y: float, squares: list[int], half_height: float) -> bool:
        """Whether a word touches no other there, and is not said again so near; `squares` are those of its circles."""
        for other_x, other_y in self._names.get(text, ()):
            if (x - other_x) ** 2 + (y - other_y) ** 2 < 40_000:
                return False
        radius = half_height * 1.1
        _, taken = self._taken.get(radius) or self._all_taken(radius)
        return not any(map(taken.__getitem__, squares))

    def keep(self, label: Label) -> None:
        """Put the label there, for good."""
        for radius, (taken, _) in self._taken.items():
            self._mark(taken, radius, label)
        self._names.setdefault(label.text, []).append((label.x, label.y))
        self.labels.append(label)

    def _all_taken(self, radius: float) -> "tuple[np.ndarray[Any, Any], memoryview]":
        import numpy as np

        taken = np.zeros((int(self.high / self.SQUARE) + 1, self._across), dtype=bool)
        for label in self.labels:
            self._mark(taken, radius, label)
        self._taken[radius] = taken, taken.reshape(-1).view(np.uint8).data
        return self._taken[radius]

    def _mark(self, taken: "np.ndarray[Any, Any]", radius: float, label: Label) -> None:
        """Take the squares that are too near to a label for the middle of a circle of this radius."""
        import numpy as np

        near = (radius + label.half_height * 1.1) / self.SQUARE
        half = label.half_width / self.SQUARE
        turn = math.radians(label.angle)
        across, down = math.cos(turn), math.sin(turn)
        x, y = label.x / self.SQUARE, label.y / self.SQUARE
        wide, high = abs(across) * half + near, abs(down) * half + near
        left, top = max(int(x - wide), 0), max(int(y - high), 0)
        part = taken[top : int(y + high) + 1, left : int(x + wide) + 1]
        columns = np.arange(0.5 + left - x, left + part.shape[1] - x, dtype=np.float32)
        rows = np.arange(0.5 + top - y, top + part.shape[0] - y, dtype=np.float32)[:, None]
        beyond = np.maximum(np.abs(columns * across + rows * down) - half, 0)  # past the end of the word
        beside = rows * across - columns * down
        part |= beyond * beyond + beside * beside < near * near
