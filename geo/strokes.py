"""How each kind of thing is drawn: streets, buildings, borders, and plan signs after the Planzeichenverordnung.

Importing this module loads neither numpy nor shapely.
"""

from dataclasses import dataclass
from typing import Any, Final

from geo.styles import TREE, LayerStyle, Look


@dataclass(frozen=True, slots=True)
class Stroke:
    """How one kind of thing is drawn from some zoom on."""

    role: str
    from_zoom: float
    fill: str = ""
    line: str = ""
    widths: tuple[tuple[float, float], ...] = ()
    """(zoom, pixels), straight lines in between."""
    ranks: tuple[int, ...] = ()
    dash: str = ""
    smallest: float = 0.0
    """Areas of fewer square pixels, and lines of fewer pixels, are left out."""
    opacity: float = 1.0
    hatch: str = ""
    """A pattern of `geo.styles.PATTERNS` that the fill is made of, instead of a flat colour."""
    dots: bool = False
    """Points as dots of the line's width; other strokes draw lines and areas only."""

    def width(self, zoom: float) -> float:
        before = self.widths[0]
        for point in self.widths:
            if zoom <= point[0]:
                if point[0] == before[0]:
                    return point[1]
                part = (zoom - before[0]) / (point[0] - before[0])
                return round(before[1] + part * (point[1] - before[1]), 1)
            before = point
        return before[1]


SIMPLIFIED: Final = frozenset({"boundary", "districts", "streets", "water"})
"""Long lines lose vertices that no screen shows; buildings and parcels are small already."""

_MAIN, _MIDDLE, _ORDINARY, _SERVICE, _PATH, _RAIL = (0,), (1,), (2,), (3,), (4,), (5,)
DRAWN: tuple[Stroke, ...] = (
    Stroke("boundary", 0, fill="land"),
    Stroke("green", 9, fill="green", smallest=3),
    Stroke("water", 8, fill="water", smallest=2),
    Stroke("water", 10, line="water", widths=((10, 0.6), (13, 1), (17, 4)), smallest=2),
    Stroke(
        "buildings",
        14,
        fill="building",
        line="building-line",
        widths=((15.5, 0), (16, 0.5), (19, 1)),
        smallest=2,
    ),
    Stroke("parcels", 16.5, line="parcel-line", widths=((17, 0.6), (19, 1))),
    Stroke("streets", 15, line="path", widths=((15, 0.7), (19, 1.6)), ranks=_PATH, dash="4 3"),
    Stroke("streets", 14, line="casing", widths=((14, 1.4), (16, 4), (19, 14)), ranks=_SERVICE),
    Stroke("streets", 13.5, line="casing", widths=((13.5, 2.2), (14, 3), (16, 8), (19, 26)), ranks=_ORDINARY),
    Stroke("streets", 11, line="casing", widths=((11, 1.6), (14, 5.5), (16, 11), (19, 32)), ranks=_MIDDLE),
    Stroke(
        "streets", 8, line="casing", widths=((8, 1.4), (11, 3), (14, 6.5), (16, 12), (19, 34)), ranks=_MAIN
    ),
    Stroke("streets", 14, line="street", widths=((14, 0.8), (16, 2.6), (19, 12)), ranks=_SERVICE),
    Stroke(
        "streets",
        12.5,
        line="street",
        widths=((12.5, 1), (13.5, 1.4), (14, 2), (16, 6.4), (19, 24)),
        ranks=_ORDINARY,
    ),
    Stroke("streets", 11, line="street", widths=((11, 0.9), (14, 4), (16, 9), (19, 30)), ranks=_MIDDLE),
    Stroke(
        "streets",
        8,
        line="main-street",
        widths=((8, 0.8), (11, 1.8), (14, 5), (16, 10), (19, 32)),
        ranks=_MAIN,
    ),
    Stroke("streets", 10, line="rail", widths=((10, 1), (14, 2), (16, 4), (19, 8)), ranks=_RAIL),
    Stroke(
        "streets", 12, line="land", widths=((12, 0.6), (14, 1), (16, 2.4), (19, 5)), ranks=_RAIL, dash="8 8"
    ),
    Stroke("districts", 10, line="district-line", widths=((10, 0.7), (14, 1.2), (18, 2)), dash="6 4"),
    Stroke("boundary", 6, line="boundary-line", widths=((6, 1), (14, 2), (18, 3))),
)


SIGN_RANKS: Final = dict[str, int]()
"""Plan sign (`geo.readers.xplan.SIGNS`) → number; those that are not drawn have none."""


def _sign(name: str, zoom: float = 12, **look: Any) -> Stroke:
    """How a plan sign is drawn, after the Planzeichenverordnung."""
    number = SIGN_RANKS.setdefault(name, 10 + len(SIGN_RANKS))
    return Stroke("plan", zoom, ranks=(number,), **look)


_PLAN_FILLS: Final = {
    "building_land": "building-land",
    "residential": "residential",
    "mixed": "mixed",
    "commercial": "commercial",
    "special": "special",
    "public_use": "public",
    "sport": "green",
    "green": "green",
    "forest": "forest",
    "agriculture": "agriculture",
    "water": "water",
    "traffic": "traffic",
    "traffic_special": "traffic",
    "railway": "railway",
    "utilities": "utilities",
}
DRAWN += (
    *(_sign(sign, fill=f"plan-{colour}", opacity=0.6) for sign, colour in _PLAN_FILLS.items()),
    _sign("nature", line="plan-nature", widths=((12, 1), (18, 3)), dash="2 4"),
    _sign("planting", 14, line="plan-planting", widths=((14, 0.8), (18, 1.5)), dash="1 3"),
    _sign("planting", 15, line="plan-planting", widths=((15, 2.5), (18, 7)), dots=True),
    _sign("right_of_way", 15, line="plan-use-limit", widths=((15, 0.8), (18, 1.5)), dash="5 3"),
    _sign("monument", line="plan-heritage", widths=((12, 1), (18, 2.5))),
    _sign("ancillary", 15, line="plan-heritage", widths=((15, 0.7), (18, 1.5)), dash="4 2"),
    _sign("noise", 14, line="plan-use-limit", widths=((14, 1), (18, 2)), dash="1 2"),
    _sign("use_limit", 14, line="plan-use-limit", widths=((14, 0.8), (18, 2)), dash="1 4"),
    _sign("street_limit", 14, line="plan-street-limit", widths=((14, 0.8), (18, 2))),
    _sign("buildable", 14.5, line="plan-building-limit", widths=((14.5, 0.6), (18, 1.5)), dash="8 2 2 2"),
    _sign("building_limit", 14, line="plan-building-limit", widths=((14, 0.8), (18, 2)), dash="8 2 2 2"),
    _sign("building_line", 14, line="plan-building-line", widths=((14, 1), (18, 2.5)), dash="8 2 2 2 2 2"),
    _sign("plan_limit", 9, line="plan-limit", widths=((9, 1.5), (14, 2.5), (18, 4)), dash="10 4"),
)


OTHER_CLASSES: Final = 90
"""Ranks from here on are those of a layer's classes; the one before stands for every other value."""


def strokes_of(style: LayerStyle) -> tuple[Stroke, ...]:
    """How a layer beside base map and plan is drawn: all other values first, then its classes in their order."""
    looks = [(OTHER_CLASSES - 1, style.look)]
    looks += [(OTHER_CLASSES + number, each.look) for number, each in enumerate(style.classes)]
    return tuple(stroke for rank, look in looks for stroke in _of_look(rank, look))


def _of_look(rank: int, look: Look) -> tuple[Stroke, ...]:
    colour, ranks = look.colour, (rank,)
    if look == TREE:
        return (
            Stroke(
                "other",
                13,
                line="tree",
                widths=((13, 1.2), (16, 4), (18, 13), (20, 44)),
                dots=True,
                ranks=ranks,
            ),
            Stroke("other", 16.5, line="tree-middle", widths=((16.5, 1.5), (20, 8)), dots=True, ranks=ranks),
        )
    hatch = "" if look.pattern == "plain" else look.pattern
    return (
        Stroke("other", 8, fill=colour, opacity=0.1 if hatch else 0.22, ranks=ranks),
        *((Stroke("other", 8, fill=colour, hatch=hatch, ranks=ranks),) if hatch else ()),
        Stroke("other", 8, line=colour, widths=((8, 1), (14, 2), (18, 3.5)), dash=look.dashes, ranks=ranks),
        Stroke("other", 8, line=colour, widths=((8, 4), (14, 7), (18, 12)), dots=True, ranks=ranks),
    )


def sign_look(sign: str) -> tuple[str, str, str]:
    """How a legend shows a plan sign: colours (names of the palette) of its area and its line, and the line's dashes."""
    number = SIGN_RANKS.get(sign)
    drawn = [stroke for stroke in DRAWN if stroke.role == "plan" and number in stroke.ranks]
    fill = next((stroke.fill for stroke in drawn if stroke.fill), "")
    line = next((stroke for stroke in drawn if stroke.line), None)
    return fill, line.line if line else "", line.dash if line else ""
