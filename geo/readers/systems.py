"""Coordinate systems by the names that files give them, and the way from each into EPSG:25832.

A name also says how its numbers are written: ``urn:ogc:def:crs:EPSG::31468`` means the order of the authority (northing
first), ``EPSG:31468`` and the German surveying authorities' names mean easting first. Files get this wrong often
enough, so the first coordinates are held against the area the system is made for; where only the other order lies in
it, that one is taken, and the report says so. Heights are never transformed.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from geo.geometry import METRES
from geo.layers import LayerProblem, datum_notes, known_crs

if TYPE_CHECKING:
    import numpy as np
    from pyproj import CRS

ADV_NAMES: Final = {
    "ETRS89_UTM31": 25831,
    "ETRS89_UTM32": 25832,
    "ETRS89_UTM33": 25833,
    "ETRS89_Lat-Lon": 4258,
    "DE_DHDN_3GK2": 31466,
    "DE_DHDN_3GK3": 31467,
    "DE_DHDN_3GK4": 31468,
    "DE_DHDN_3GK5": 31469,
}
"""The German surveying authorities' names after ``urn:adv:crs:``, which PROJ does not know (easting first)."""

VERTICAL_NAMES: Final = {
    "DE_DHHN2016_NH": "DHHN2016 (EPSG:7837)",
    "DE_DHHN92_NH": "DHHN92 (EPSG:5783)",
    "DE_DHHN12_NOH": "DHHN12 (EPSG:7699)",
    "DE_DHHN85_NOH": "DHHN85 (EPSG:5784)",
}

_CODES: Final = re.compile(r"(?:EPSG|epsg)(?:\.xml#|/[\w.]*/|:[\w.]*:|:)(\d{4,6})")


@dataclass(frozen=True, slots=True)
class System:
    """A plane system with the heights that go with it. `vertical` is a name, or "" where none is said."""

    code: int
    label: str
    vertical: str
    authority_order: bool
    """Whether the name asks for the authority's order of axes, which may be northing first."""


def named_system(name: str) -> System:
    """The system of a name as it stands in a file. Raises LayerProblem unknown_crs."""
    name = name.strip()
    adv = name.removeprefix("urn:adv:crs:")
    if adv != name:
        plane, *rest = adv.split("*")
        if plane not in ADV_NAMES:
            raise LayerProblem("unknown_crs", crs=name[:80])
        vertical = VERTICAL_NAMES.get(rest[0], rest[0]) if rest else ""
        return System(ADV_NAMES[plane], f"EPSG:{ADV_NAMES[plane]}", vertical, False)
    if name.endswith("CRS84"):
        return numbered_system(4326)
    codes = [int(code) for code in _CODES.findall(name)]
    if not codes:
        raise LayerProblem("unknown_crs", crs=name[:80])
    ordered = name.startswith("urn:") or "/def/crs" in name
    return numbered_system(codes[0], codes[1] if len(codes) > 1 else None, ordered)


def numbered_system(code: int, vertical: int | None = None, authority_order: bool = False) -> System:
    """The system of an EPSG code, with the code of its heights. Raises LayerProblem unknown_crs."""
    crs = known_crs(code)
    heights = known_crs(vertical) if vertical else None
    if crs.is_compound:
        crs, heights = crs.sub_crs_list[0], crs.sub_crs_list[1]
    plane = crs.to_2d()
    if not (plane.is_projected or plane.is_geographic):
        raise LayerProblem("unknown_crs", crs=f"EPSG:{code}")
    plane_code = plane.to_epsg()
    if plane_code is None:
        raise LayerProblem("unknown_crs", crs=f"EPSG:{code}")
    return System(plane_code, f"EPSG:{plane_code}", _height_label(heights), authority_order)


def _height_label(heights: "CRS | None") -> str:
    if heights is None:
        return ""
    code = heights.to_epsg()
    name = str(heights.name).removesuffix(" height")
    return f"{name} (EPSG:{code})" if code else name


class Way:
    """The way of coordinates from a system into EPSG:25832, in the order of axes that its first points prove."""

    def __init__(self, system: System) -> None:
        from pyproj import Transformer

        self.system = system
        self.notes = datum_notes(known_crs(system.code))
        self._crs = known_crs(system.code)
        self._swaps: bool | None = None
        self._transformer = Transformer.from_crs(self._crs, METRES, always_xy=True)

    def metres(self, points: "np.ndarray[Any, Any]") -> "np.ndarray[Any, Any]":
        """The points (n, 2 or 3), first two columns as written in the file, in EPSG:25832; changed in place."""
        import numpy as np

        if not len(points):
            return points
        if self._swaps is None:
            self._swaps = self._order(points)
        if self._swaps:
            points[:, [0, 1]] = points[:, [1, 0]]
        if self.system.code != METRES:
            x, y = self._transformer.transform(points[:, 0], points[:, 1])
            points[:, 0], points[:, 1] = np.asarray(x), np.asarray(y)
        return points

    def _order(self, points: "np.ndarray[Any, Any]") -> bool:
        """Whether the axes have to change places."""
        import numpy as np

        axes = self._crs.axis_info
        northing_first = bool(axes) and axes[0].direction == "north"
        said = self.system.authority_order and northing_first
        good = points[np.isfinite(points[:, :2]).all(axis=1), :2]
        if not len(good):
            return said
        place = np.median(good, axis=0)
        lies = _in_area(self._crs)
        if lies(*(place[::-1] if said else place)) or not lies(*(place if said else place[::-1])):
            return said
        self.notes.append(("axis_order", self.system.label))
        return not said


def _in_area(crs: "CRS") -> Callable[[float, float], bool]:
    """Whether a point (easting, northing) lies in the area a system is made for, with a generous margin."""
    from pyproj import Transformer

    area, back = crs.area_of_use, Transformer.from_crs(crs, 4326, always_xy=True)

    def lies(x: float, y: float) -> bool:
        lon, lat = back.transform(x, y)
        if area is None:
            return True
        return bool(area.west - 1 <= lon <= area.east + 1 and area.south - 1 <= lat <= area.north + 1)

    return lies
