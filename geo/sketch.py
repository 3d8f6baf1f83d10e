"""Small plans as SVG pictures: streets, districts and a plan area, drawn without a map service.

The picture is a file of its own, shown as an `<img>`: it brings its colours for light and dark, needs no script and
no foreign host, and may be kept by browsers. Coordinates are EPSG:25832 (metres); shapely is loaded when something
is drawn, not before.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal
from xml.sax.saxutils import escape

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry

Look = Literal["system", "light", "dark"]
Box = tuple[float, float, float, float]
"""Smallest easting, smallest northing, largest easting, largest northing (metres)."""


@dataclass(frozen=True)
class Frame:
    """The part of the world that a picture shows: its south-west corner (metres), metres per pixel, pixels."""

    min_x: float
    min_y: float
    metres_per_pixel: float
    width: int
    height: int

    @property
    def box(self) -> Box:
        """What the frame shows, in metres."""
        return (
            self.min_x,
            self.min_y,
            self.min_x + self.width * self.metres_per_pixel,
            self.min_y + self.height * self.metres_per_pixel,
        )

    def pixel(self, x: float, y: float) -> tuple[float, float]:
        """Where a point in metres lies in the picture, in pixels from the upper left corner."""
        return (
            (x - self.min_x) / self.metres_per_pixel,
            self.height - (y - self.min_y) / self.metres_per_pixel,
        )


def frame_around(
    boxes: Iterable[Box], *, width: int, height: int, margin: float = 0.0, at_least: float = 1.0
) -> Frame:
    """The frame that holds all boxes in its middle, `margin` (a share of their extent) around them.

    `at_least`: metres that the shorter side shows. Raises ValueError without boxes.
    """
    corners = list(boxes)
    if not corners:
        raise ValueError("nothing to frame")
    west, south = min(box[0] for box in corners), min(box[1] for box in corners)
    east, north = max(box[2] for box in corners), max(box[3] for box in corners)
    scale = max(
        (east - west) * (1 + 2 * margin) / width,
        (north - south) * (1 + 2 * margin) / height,
        at_least / min(width, height),
    )
    middle_x, middle_y = (west + east) / 2, (south + north) / 2
    return Frame(middle_x - scale * width / 2, middle_y - scale * height / 2, scale, width, height)


@dataclass(frozen=True)
class Shape:
    """Something to draw: WKB in EPSG:25832 and what it is; `name` may be written beside it."""

    kind: Literal["district", "street", "plan"]
    wkb: bytes
    name: str = ""


Palette = Mapping[str, str]
"""Colours by name: ground, land, border, street, plan, ink (all `#rrggbb`)."""

_RULES: Final = (
    ".g{{fill:{ground}}}.d{{fill:{land};stroke:{border};stroke-width:1}}"
    ".s{{fill:none;stroke:{street};stroke-width:{road};stroke-linecap:round;stroke-linejoin:round}}"
    ".p{{fill:{plan};fill-opacity:.28;stroke:{plan};stroke-width:2.500;stroke-linejoin:round}}"
    ".t{{fill:{ink};stroke:{ground};stroke-width:4;paint-order:stroke;font:500 17px 'Fira Sans',Arial,sans-serif}}"
    ".m{{fill:none;stroke:{ink};stroke-width:2}}"
)


def draw(
    shapes: Sequence[Shape],
    frame: Frame,
    *,
    light: Palette,
    dark: Palette,
    look: Look = "system",
    names: int = 0,
    scale_bar: bool = False,
) -> str:
    """The picture as an SVG document. Shapes are drawn in the order district, street, plan.

    `names`: how many of the longest streets are named; `scale_bar`: with a bar for a round number of metres and an
    arrow to the north.
    """
    import shapely

    window = shapely.box(*frame.box)
    found: dict[str, list[BaseGeometry]] = {"district": [], "street": [], "plan": []}
    streets: list[tuple[float, str, BaseGeometry]] = []
    for shape in shapes:
        geometry = shapely.from_wkb(shape.wkb).simplify(frame.metres_per_pixel * 0.7)
        if shape.kind == "street":
            geometry = shapely.intersection(geometry, window)
            streets.append((float(geometry.length), shape.name, geometry))
        if not geometry.is_empty and shapely.intersects(geometry, window):
            found[shape.kind].append(geometry)
    parts = [f'<rect class="g" width="{frame.width}" height="{frame.height}"/>']
    for kind, mark in (("district", "d"), ("street", "s"), ("plan", "p")):
        if path := "".join(_path(geometry, frame) for geometry in found[kind]):
            rule = ' fill-rule="evenodd"' if mark != "s" else ""
            parts.append(f'<path class="{mark}"{rule} d="{path}"/>')
    parts += _names(streets, frame, names)
    if scale_bar:
        parts += _scale_bar(frame)
    road = f"{min(9.0, max(1.5, 7.0 / frame.metres_per_pixel)):.1f}"
    rules = {
        "light": _RULES.format(road=road, **light),
        "dark": _RULES.format(road=road, **dark),
    }
    style = (
        rules[look]
        if look != "system"
        else f"{rules['light']}@media screen and (prefers-color-scheme:dark){{{rules['dark']}}}"
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {frame.width} {frame.height}"'
        f' width="{frame.width}" height="{frame.height}"><style>{style}</style>{"".join(parts)}</svg>'
    )


def _path(geometry: Any, frame: Frame) -> str:
    """Path data of lines and outlines; what collapses to a point at this scale is left out (it hides the path)."""
    import shapely

    path = []
    for part in shapely.get_parts(geometry):
        if part.geom_type == "Polygon":
            lines, closed = [part.exterior, *part.interiors], "Z"
        elif part.geom_type == "LineString":
            lines, closed = [part], ""
        else:
            continue
        for line in lines:
            pixels: list[str] = []
            for x, y in shapely.get_coordinates(line):
                across, down = frame.pixel(float(x), float(y))
                spelled = f"{across:.1f} {down:.1f}"
                if not pixels or pixels[-1] != spelled:
                    pixels.append(spelled)
            if len(pixels) >= (3 if closed else 2):
                path.append(f"M{'L'.join(pixels)}{closed}")
    return "".join(path)


def _names(streets: list[tuple[float, str, Any]], frame: Frame, limit: int) -> list[str]:
    """The names of the longest streets in the picture, each once, where they do not cover each other."""
    taken: list[tuple[float, float, float]] = []
    written: set[str] = set()
    out: list[str] = []
    for length, name, geometry in sorted(streets, key=lambda each: (-each[0], each[1])):
        if len(out) >= limit or length < 60 * frame.metres_per_pixel:
            break
        if not name or name in written:
            continue
        middle = geometry.interpolate(0.5, normalized=True) if geometry.geom_type == "LineString" else None
        point = middle if middle is not None else geometry.representative_point()
        across, down = frame.pixel(float(point.x), float(point.y))
        half = 4.6 * len(name)
        inside = half < across < frame.width - half and 20 < down < frame.height - 40
        if inside and all(
            abs(down - row) > 26 or abs(across - at) > half + other for at, row, other in taken
        ):
            taken.append((across, down, half))
            written.add(name)
            out.append(
                f'<text class="t" text-anchor="middle" x="{across:.0f}" y="{down + 6:.0f}">{escape(name)}</text>'
            )
    return out


def _scale_bar(frame: Frame) -> list[str]:
    wanted = frame.width * frame.metres_per_pixel / 5
    power = 10 ** math.floor(math.log10(wanted))
    metres = max(step * power for step in (1, 2, 5) if step * power <= wanted)
    length = metres / frame.metres_per_pixel
    label = f"{metres:.0f} m" if metres < 1000 else f"{metres / 1000:.0f} km"
    bottom, right = frame.height - 14, frame.width - 24
    return [
        f'<path class="m" d="M16 {bottom - 6}v6h{length:.1f}v-6"/>',
        f'<text class="t" x="16" y="{bottom - 14}">{label}</text>',
        f'<path class="m" d="M{right} {bottom}v-26m-6 8 6-8 6 8"/>',
        f'<text class="t" text-anchor="middle" x="{right}" y="{bottom - 32}">N</text>',
    ]
