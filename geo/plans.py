"""Plans as one SVG: for visitors without JavaScript, with pins that are links, and small sketches.

Importing this module loads neither numpy nor shapely.
"""

import math
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape, quoteattr

from geo.drawn_layers import MapSource
from geo.labels import place_labels, text_of
from geo.palette import Theme, colour_of
from geo.paths import UNITS, background, path_of, paths_within
from geo.views import View, mercator_of_metres, unmercator

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True, slots=True)
class Pin:
    """A place on the plan that leads somewhere: what it says in its circle ("3"), and what it is called."""

    lon: float
    lat: float
    href: str
    label: str
    text: str = ""


@dataclass(frozen=True, slots=True)
class Tint:
    """An area that lies on the ground of a plan, such as a shadow: WKB in EPSG:25832, a colour of the palette by its
    name, how much of it covers what is below, and whether it has an edge."""

    wkb: bytes
    colour: str
    opacity: float = 0.5
    edge: bool = False


@dataclass(frozen=True, slots=True)
class Picture:
    """A square picture that lies on the ground of a plan, such as a tile of a map service: its address (a path of ours),
    and where it lies, in pixels."""

    href: str
    left: float
    top: float
    size: float


def static_plan_svg(
    sources: Sequence[MapSource],
    view: View,
    *,
    title: str,
    areas: Sequence[bytes] = (),
    pins: Sequence[Pin] = (),
    tints: Sequence[Tint] = (),
    pictures: Sequence[Picture] = (),
    theme: Theme = "page",
    identifier: str = "plan",
    new_window: bool = False,
) -> str:
    """A plan as one `<svg role="group">` to stand within a page: base map, pictures, tints, plan areas (WKB, EPSG:25832),
    pins.

    Pins are links with names, in the given order, so they work with the keyboard and without JavaScript; of up to a hundred
    none covers another, and those outside the window are left out. The same arguments give the same text. `identifier` has to be unique on the page, a word of letters, digits and hyphens.
    `new_window`: where pins lead opens in a window of its own (links of an SVG do not ask the page's `<base>`).
    """
    if not re.fullmatch(r"[A-Za-z][\w-]*", identifier):
        raise ValueError(f"not an identifier: {identifier!r}")
    colour = colour_of(theme)
    ground, words = base_map(tuple(sources), view, theme, identifier)
    body = [ground, *map(_picture, pictures), *(_tint(tint, view, colour) for tint in tints)]
    body += [*(_area(wkb, view.box, view.resolution, colour) for wkb in areas), words]
    opens = ' target="_blank" rel="noopener"' if new_window else ""
    # Pins have to be hit: a style sheet does not make such a plan smaller (static/css/map.css).
    look = "d-plan d-plan--pins" if pins else "d-plan"
    body += [_pin(pin, x, y, colour, opens) for pin, x, y in _apart(pins, view)]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="{look}" role="group" aria-labelledby="{identifier}" '
        f'viewBox="0 0 {view.width} {view.height}" width="{view.width}" height="{view.height}">'
        f'<title id="{identifier}">{escape(title)}</title>{"".join(body)}</svg>'
    )


@lru_cache(maxsize=32)
def base_map(sources: tuple[MapSource, ...], view: View, theme: Theme, identifier: str) -> tuple[str, str]:
    """What lies below and above plan areas: kept, because contributions change more often than streets."""
    colour = colour_of(theme)
    ground = background(sources, colour, view.width, view.height)
    ground += paths_within(sources, view.box, view.zoom, view.resolution, colour, f"{identifier}-p")
    words = [text_of(label, colour) for label in place_labels(sources, view.box, view.zoom, view.resolution)]
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


def _tint(tint: Tint, view: View, colour: Callable[[str], str]) -> str:
    data = path_of(_in_mercator(tint.wkb), view.box[0], view.box[3], view.resolution)
    name = colour(tint.colour)
    edge = f' stroke="{name}" stroke-width="{1.5 * UNITS:g}"' if tint.edge else ""
    return (
        f'<path transform="scale({1 / UNITS:g})" d="{data}" fill="{name}" fill-opacity="{tint.opacity:g}" '
        f'fill-rule="evenodd"{edge}/>'
    )


def _picture(picture: Picture) -> str:
    return (
        f'<image href={quoteattr(picture.href)} x="{picture.left:g}" y="{picture.top:g}" width="{picture.size:g}" '
        f'height="{picture.size:g}" preserveAspectRatio="none"/>'
    )


def _in_mercator(wkb: bytes) -> "np.ndarray[Any, Any]":
    import numpy as np
    import shapely

    shapes: np.ndarray[Any, Any] = np.array([shapely.from_wkb(wkb)])
    return np.asarray(shapely.transform(shapes, mercator_of_metres().transform, interleaved=False))


#: More pins than this stay where they belong: there is no room for them to lie apart.
_MOST_APART = 100


def _apart(pins: Sequence[Pin], view: View) -> Iterator[tuple[Pin, float, float]]:
    """The pins within a window and where they are drawn, in pixels: where they belong, or, where an earlier one would be
    covered, beside it, so that each can be read and hit."""
    taken: list[tuple[float, float, float]] = []
    for pin in pins:
        x, y = middle_x, middle_y = view.pixel(pin.lon, pin.lat)
        if not (0 <= x <= view.width and 0 <= y <= view.height):
            continue
        radius = _radius(pin)
        if len(pins) <= _MOST_APART:
            for turn in range(1, 400):
                if all(math.hypot(x - left, y - top) > radius + other + 2 for left, top, other in taken):
                    break
                away = 4 * math.sqrt(turn)
                x = min(max(middle_x + math.cos(turn * 2.4) * away, radius), view.width - radius)
                y = min(max(middle_y + math.sin(turn * 2.4) * away, radius), view.height - radius)
            taken.append((x, y, radius))
        yield pin, x, y


def _radius(pin: Pin) -> float:
    return 12 if len(pin.text) <= 2 else 7 + 3.6 * len(pin.text)


def _pin(pin: Pin, x: float, y: float, colour: Callable[[str], str], opens: str = "") -> str:
    radius = _radius(pin)
    words = ""
    if pin.text:
        words = (
            f'<text x="{x:.1f}" y="{y:.1f}" dy=".35em" text-anchor="middle" font-size="13" font-weight="600" '
            f'font-family="Fira Sans,Noto Sans,Arial,sans-serif" fill="{colour("pin-text")}">{escape(pin.text)}</text>'
        )
    return (
        f'<a class="d-plan__pin" href={quoteattr(pin.href)} aria-label={quoteattr(pin.label)}{opens}>'
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

    colour = colour_of(theme)
    shape = _in_mercator(area)
    left, bottom, right, top = (float(value) for value in shapely.total_bounds(shape))
    view = View.around(
        (*unmercator(left, bottom), *unmercator(right, top)), width, height, margin=height // 6
    )
    body = background((), colour, width, height)
    body += paths_within(sources, view.box, view.zoom, view.resolution, colour, "")
    body.append(_area(area, view.box, view.resolution, colour))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="d-sketch" aria-hidden="true" viewBox="0 0 {width} {height}" '
        f'width="{width}" height="{height}">{"".join(body)}</svg>'
    )
