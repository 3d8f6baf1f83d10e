"""Pictures of plans as SVG files of their own, shown by `<img>`: pages stay light, and browsers keep them.

What is drawn is the base map of `geo.paths` and `geo.labels`. A picture does not see the page it stands on, so it brings its colours
for light and dark with it, and follows the device unless told otherwise.

Importing this module loads neither numpy nor shapely.
"""

import math
from collections.abc import Sequence
from typing import Final, Literal

from geo.drawn_layers import MapSource
from geo.geometry import degrees_of
from geo.palette import COLOURS, Theme, custom_properties
from geo.plans import sketch, static_plan_svg
from geo.views import View

Look = Literal["system", "light", "dark"]
"""Light, dark, or as the device says."""
Box = tuple[float, float, float, float]
"""Smallest easting, smallest northing, largest easting, largest northing (EPSG:25832, metres)."""

_NEAREST: Final = 17.5


def view_of(box: Box, width: int, height: int, *, margin: int) -> View:
    """The window that shows a box in metres, with a margin of pixels."""
    corners = [degrees_of(x, y) for x in (box[0], box[2]) for y in (box[1], box[3])]
    lons, lats = [lon for lon, _ in corners], [lat for _, lat in corners]
    bounds = min(lons), min(lats), max(lons), max(lats)
    return View.around(bounds, width, height, margin=margin, max_zoom=_NEAREST)


def plan(view: View, sources: Sequence[MapSource], area: bytes, *, look: Look, title: str) -> str:
    """A plan area (WKB, EPSG:25832) in its surroundings, with names, scale and the direction of north."""
    theme = _theme(look)
    drawn = static_plan_svg(sources, view, title=title, areas=[area], theme=theme)
    return _document(drawn.removesuffix("</svg>") + _scale(view, theme) + "</svg>", look)


def small_plan(
    area: bytes, sources: Sequence[MapSource], *, width: int, height: int, look: Look = "system"
) -> str:
    """A plan area (WKB, EPSG:25832) in its surroundings, as decoration: without words."""
    return _document(sketch(area, sources=sources, width=width, height=height, theme=_theme(look)), look)


def town(view: View, sources: Sequence[MapSource], *, look: Look, title: str) -> str:
    """The base map of a whole town."""
    return _document(static_plan_svg(sources, view, title=title, theme=_theme(look)), look)


def _theme(look: Look) -> Theme:
    return "page" if look == "system" else look


def _document(svg: str, look: Look) -> str:
    """The custom properties that `theme="page"` asks a page for, the picture brings itself."""
    if look != "system":
        return svg
    light, dark = (
        ";".join(f"{name}:{value}" for name, value in custom_properties(theme).items())
        for theme in ("light", "dark")
    )
    style = f"<style>svg{{{light}}}@media screen and (prefers-color-scheme:dark){{svg{{{dark}}}}}</style>"
    opening, end, rest = svg.partition(">")
    return opening + end + style + rest


def _scale(view: View, theme: Theme) -> str:
    """A bar for a round number of metres on the ground, and an arrow to the north."""
    metres_per_pixel = view.resolution * math.cos(math.radians(view.lat))
    wanted = view.width * metres_per_pixel / 5
    power = 10 ** math.floor(math.log10(wanted))
    metres = max(step * power for step in (1, 2, 5) if step * power <= wanted)
    label = f"{metres:.0f} m" if metres < 1000 else f"{metres / 1000:.0f} km"
    length, bottom, right = metres / metres_per_pixel, view.height - 14, view.width - 24
    ink, ground = (
        f"var(--map-{name},{COLOURS[name][0]})" if theme == "page" else COLOURS[name][theme == "dark"]
        for name in ("text", "land")
    )
    line = f'd="M16 {bottom - 6}v6h{length:.1f}v-6M{right} {bottom}v-26m-6 8 6-8 6 8" fill="none"'
    words = (
        f'font-family="Fira Sans,Noto Sans,Arial,sans-serif" font-size="15" fill="{ink}" stroke="{ground}" '
        'stroke-width="3" paint-order="stroke"'
    )
    return (
        f'<path {line} stroke="{ground}" stroke-width="5"/><path {line} stroke="{ink}" stroke-width="2"/>'
        f'<text x="16" y="{bottom - 13}" {words}>{label}</text>'
        f'<text x="{right}" y="{bottom - 32}" text-anchor="middle" {words}>N</text>'
    )
