"""Windows on the map: web mercator, and which part of it a picture of so many pixels shows.

Importing this module loads neither numpy nor shapely.
"""

import math
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, Final

from geo.geometry import LonLat

WORLD: Final = 20_037_508.342789244
"""Half the width of the web-mercator world in its metres."""
TILE: Final = 256
MAX_ZOOM: Final = 20
"""The nearest zoom that anything is drawn at."""


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
        left, bottom = mercator(bounds[0], bounds[1])
        right, top = mercator(bounds[2], bounds[3])
        wide = max((right - left) / max(width - 2 * margin, 1), (top - bottom) / max(height - 2 * margin, 1))
        zoom = max_zoom if wide <= 0 else math.log2(2 * WORLD / TILE / wide)
        lon, lat = unmercator((left + right) / 2, (bottom + top) / 2)
        return cls(lon, lat, min(max(zoom, 0.0), max_zoom), width, height)

    @property
    def resolution(self) -> float:
        """Metres of the projection in a pixel."""
        return float(2 * WORLD / TILE / 2**self.zoom)

    @property
    def box(self) -> tuple[float, float, float, float]:
        """Left, bottom, right, top in metres of the projection."""
        x, y = mercator(self.lon, self.lat)
        half_x, half_y = self.width / 2 * self.resolution, self.height / 2 * self.resolution
        return x - half_x, y - half_y, x + half_x, y + half_y

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """West, south, east, north in degrees."""
        left, bottom, right, top = self.box
        return *unmercator(left, bottom), *unmercator(right, top)

    def pixel(self, lon: float, lat: float) -> tuple[float, float]:
        """Where a place is in the window: pixels from the left and from the top."""
        left, _, _, top = self.box
        x, y = mercator(lon, lat)
        return (x - left) / self.resolution, (top - y) / self.resolution

    def place(self, px: float, py: float) -> LonLat:
        """Which place a pixel shows, in degrees: what `<input type="image">` sends, turned into a location."""
        left, _, _, top = self.box
        return unmercator(left + px * self.resolution, top - py * self.resolution)

    def moved(self, right: float, down: float) -> "View":
        """The window moved by parts of its own size, as the arrows of a plan without JavaScript do."""
        lon, lat = self.place(self.width * (0.5 + right), self.height * (0.5 + down))
        return replace(self, lon=lon, lat=lat)

    def zoomed(self, steps: float) -> "View":
        """The same centre nearer (positive) or farther."""
        return replace(self, zoom=min(max(self.zoom + steps, 0.0), float(MAX_ZOOM)))


def mercator(lon: float, lat: float) -> tuple[float, float]:
    lat = min(max(lat, -85.05), 85.05)
    return lon / 180 * WORLD, math.atanh(math.sin(math.radians(lat))) / math.pi * WORLD


def unmercator(x: float, y: float) -> LonLat:
    return x / WORLD * 180, math.degrees(math.atan(math.sinh(y / WORLD * math.pi)))


@cache
def mercator_of_metres() -> Any:
    """PROJ's way from EPSG:25832 to web mercator; finding it takes longer than going it, and threads may share it."""
    from pyproj import Transformer

    return Transformer.from_crs(25832, 3857, always_xy=True)


def tiles_of(view: View, zoom: int) -> list[tuple[int, int, int, float, float, float]]:
    """The tiles of a zoom that a window shows: zoom, column, row, and where each lies in the window (left, top, size in
    pixels). At most a hundred, so that no odd zoom asks for thousands."""
    size = 2 * WORLD / (1 << zoom)
    left, bottom, right, top = view.box
    columns = range(
        max(int((left + WORLD) // size), 0), min(int((right + WORLD) // size), (1 << zoom) - 1) + 1
    )
    rows = range(max(int((WORLD - top) // size), 0), min(int((WORLD - bottom) // size), (1 << zoom) - 1) + 1)
    pixels = size / view.resolution
    return [
        (
            zoom,
            column,
            row,
            round((column * size - WORLD - left) / view.resolution, 2),
            round((top - (WORLD - row * size)) / view.resolution, 2),
            round(pixels, 2),
        )
        for row in rows
        for column in columns
    ][:100]
