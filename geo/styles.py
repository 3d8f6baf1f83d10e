"""How a layer of the catalogue is drawn: a colour and a pattern, or one of each for every value of an attribute.

Colours are names of `geo.palette`, chosen so that each stands out from the ground, light and dark; patterns say the
same to whoever does not tell colours apart. Importing this module loads neither numpy nor shapely.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

COLOURS: Final = ("other0", "other1", "other2", "other3", "other4", "other5", "other6", "other7")
"""The colours a layer can have, by their names in the palette; layers without a choice take them in turn."""
PATTERNS: Final = ("plain", "hatched", "dotted", "crossed")
"""What areas are filled with; lines are dashed by the same words."""
DASHES: Final[Mapping[str, str]] = {
    "plain": "",
    "hatched": "10 4",
    "dotted": "2 4",
    "crossed": "12 4 2 4",
}
MAX_CLASSES: Final = 16


@dataclass(frozen=True, slots=True)
class Look:
    """A colour and a pattern."""

    colour: str
    pattern: str = "plain"

    @property
    def dashes(self) -> str:
        """The dashes of its lines and outlines."""
        return DASHES[self.pattern]


TREE: Final = Look("tree")
"""A layer of single trees where nobody chose another look: crowns from above, nearly as wide as they are."""


@dataclass(frozen=True, slots=True)
class StyleClass:
    """What one value of the attribute looks like, and what the legend calls it."""

    value: str
    label: str
    look: Look


@dataclass(frozen=True, slots=True)
class LayerStyle:
    """A layer's look; with `by`, the name of an attribute, that of each of its values, and `look` for all others."""

    look: Look
    by: str = ""
    classes: tuple[StyleClass, ...] = ()


def usual(number: int) -> Look:
    """The look of the layer of this number on a map, where nobody chose one: first the colours change."""
    return Look(COLOURS[number % len(COLOURS)], PATTERNS[number % len(PATTERNS)])


def read_style(stored: Mapping[str, Any], number: int = 0) -> LayerStyle:
    """A style as it was stored (`as_stored`); what is missing or makes no sense is as usual for this number."""
    by = str(stored.get("by") or "")
    entries = stored.get("classes")
    classes = [
        StyleClass(
            str(each.get("value", "")), str(each.get("label") or each.get("value", "")), _look(each, index)
        )
        for index, each in enumerate(entries if isinstance(entries, list) else ())
        if isinstance(each, Mapping)
    ]
    return LayerStyle(
        _look(stored, number), by if classes else "", tuple(classes[:MAX_CLASSES]) if by else ()
    )


def _look(stored: Mapping[str, Any], number: int) -> Look:
    plain = usual(number)
    colour, pattern = stored.get("colour"), stored.get("pattern")
    return Look(
        colour if colour in COLOURS else plain.colour,
        pattern if pattern in PATTERNS else plain.pattern if colour not in COLOURS else "plain",
    )


def as_stored(style: LayerStyle) -> dict[str, Any]:
    """A style as plain values for a JSON column."""
    return {
        "colour": style.look.colour,
        "pattern": style.look.pattern,
        "by": style.by,
        "classes": [
            {
                "value": each.value,
                "label": each.label,
                "colour": each.look.colour,
                "pattern": each.look.pattern,
            }
            for each in style.classes
        ],
    }


def spoken(value: object) -> str:
    """An attribute's value as people read it, and as classes name it: whole numbers without a point."""
    if value is None or value != value:
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).strip()
