"""Names on maps: districts, waters and streets, placed so that no two touch and none is cut at a tile.

Importing this module loads neither numpy nor shapely.
"""

import math
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
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


class _LabelBlocks:
    """Labels by block of tiles; a block is placed once and then serves all its tiles."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._blocks: OrderedDict[tuple[Any, ...], tuple[Label, ...]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, sources: tuple[MapSource, ...], z: int, block_x: int, block_y: int) -> tuple[Label, ...]:
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
        labels = place_labels(sources, box, float(z), size / TILE)
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
    for label in labels_of.get(sources, z, x // META, y // META):
        dx, dy = label.x - left, label.y - top
        reach_x, reach_y = label.reach
        if -reach_x < dx < TILE + reach_x and -reach_y < dy < TILE + reach_y:
            drawn.append(text_of(replace(label, x=dx, y=dy), colour))
    return drawn


def text_of(label: Label, colour: Callable[[str], str]) -> str:
    x, y = f"{label.x:.1f}", f"{label.y:.1f}"
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
        label = Label(name, x, y, float(angles[row, column]), float(half[row]), size * 0.6, size, colour)
        if room.add(label):
            placed = row


class _Room:
    """The space of a block, with the labels that are already there, as small circles along their words."""

    def __init__(self, wide: float, high: float) -> None:
        self.wide, self.high = wide, high
        self.labels: list[Label] = []
        self._taken: dict[tuple[int, int], list[tuple[float, float, float]]] = {}
        self._names: dict[str, list[tuple[float, float]]] = {}

    def add(self, label: Label) -> bool:
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
