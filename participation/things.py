"""What of the city a contribution is about: a building, one of its floors, a point on it; chosen, checked, in words.

Forms carry a choice as a short text (`Choice.text`); names, sides and heights are always read from the city model
here, never from what was sent.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from sqlmodel import Session

from consultations import variants
from consultations.contributions import Thing
from consultations.procedures import Procedure
from geo.geometry import Located, degrees_of, from_lonlat
from participation import cityscape, i18n
from participation.house import House

#: Marks a message for the catalogues.
N_ = str

SIDES = ("n", "ne", "e", "se", "s", "sw", "w", "nw")
#: The words of a side, as "on the south side of".
SIDE_WORDS: Mapping[str, str] = {
    "n": N_("on the north side of %(house)s"),
    "ne": N_("on the north-east side of %(house)s"),
    "e": N_("on the east side of %(house)s"),
    "se": N_("on the south-east side of %(house)s"),
    "s": N_("on the south side of %(house)s"),
    "sw": N_("on the south-west side of %(house)s"),
    "w": N_("on the west side of %(house)s"),
    "nw": N_("on the north-west side of %(house)s"),
}
#: Metres from a façade within which a point is on it.
TOUCHES = 1.5
#: Metres from the ground of a floor to where somebody looks out.
EYE = 1.5


@dataclass(frozen=True)
class Choice:
    """What somebody chose: a building (of the town, or of a variant), a floor of it counted from 0, or a point in
    metres (EPSG:25832) with its height (DHHN2016)."""

    building: str = ""
    variant: int | None = None
    storey: int | None = None
    at: tuple[float, float, float] | None = None

    @property
    def text(self) -> str:
        """As a form carries it."""
        values = {"b": self.building, "v": self.variant, "s": self.storey, "at": self.at}
        return json.dumps({name: value for name, value in values.items() if value not in (None, "")})


def read_choice(text: str) -> Choice | None:
    """A choice as a form sent it; None for anything else."""
    if not text or len(text) > 400:
        return None
    try:
        sent = json.loads(text)
        at = sent.get("at")
        point = None if at is None else (float(at[0]), float(at[1]), float(at[2]))
        storey, variant = sent.get("s"), sent.get("v")
        choice = Choice(
            str(sent.get("b", ""))[:120],
            int(variant) if variant is not None else None,
            int(storey) if storey is not None else None,
            point,
        )
    except (ValueError, TypeError, AttributeError, IndexError, KeyError):
        return None
    if point is not None and not all(math.isfinite(each) and abs(each) < 1e8 for each in point):
        return None
    return choice if choice.building or point else None


@dataclass(frozen=True)
class Found:
    """A choice as the city model knows it: the place, its height (DHHN2016), and the building if there is one."""

    located: Located
    elevation: float
    thing: Thing | None


def find(house: House, session: Session, procedure: Procedure, choice: Choice) -> Found | None:
    """What was chosen, measured on the city model; None if there is no such building, or the point is elsewhere."""
    scape = cityscape.of(house, session, procedure)
    if scape is None:
        return None
    city: Any = scape.city
    if choice.variant is not None:
        row = variants.variant_by_id(session, procedure.id or 0, choice.variant)
        city = cityscape.bodies_of(house, row) if row else None
    number = city.row(choice.building) if city is not None and choice.building else None
    if choice.building and number is None:
        return None
    if number is None:
        assert choice.at is not None
        x, y, z = choice.at
        if not (scape.box[0] <= x <= scape.box[2] and scape.box[1] <= y <= scape.box[3]):
            return None
        return Found(from_lonlat(*degrees_of(x, y)), round(z, 2), None)
    return _on_building(city, number, choice)


def _on_building(city: Any, number: int, choice: Choice) -> Found | None:
    import shapely

    footprint = city.footprints[number]
    ground, top = float(city.ground[number]), float(city.top[number])
    storeys = int(city.storeys[number])
    storey, side = choice.storey, ""
    if storey is not None and not 0 <= storey < max(storeys, 1):
        return None
    if choice.at is not None:
        x, y, z = choice.at
        if shapely.distance(footprint, shapely.Point(x, y)) > 5 or not ground - 5 <= z <= top + 5:
            return None
        side = _side(footprint, x, y)
    else:
        middle = shapely.point_on_surface(footprint)
        x, y = float(middle.x), float(middle.y)
        z = ground if storey is None else ground + storey * _storey_height(ground, top, storeys) + EYE
    above = max(0.0, z - ground)
    known = choice.at is not None or storey is not None
    thing = Thing(
        id=str(city.ids[number]),
        name=city.labels[number],
        variant=choice.variant,
        storey=storey,
        side=side,
        above=round(above, 1) if known else None,
    )
    return Found(from_lonlat(*degrees_of(x, y)), round(z, 2), thing)


def _storey_height(ground: float, top: float, storeys: int) -> float:
    """Metres from floor to floor: what the height gives, within reason, since a roof is part of it."""
    return min(max((top - ground) / max(storeys, 1), 2.4), 3.2)


def _side(footprint: Any, x: float, y: float) -> str:
    """The side of a building that a point is on, as one of `SIDES`; empty for one well inside, such as on its roof."""
    import numpy as np
    import shapely

    point = shapely.Point(x, y)
    if shapely.distance(footprint.boundary, point) > TOUCHES:
        return ""
    best, facing = math.inf, 0.0
    for part in shapely.get_parts(footprint):
        ring = part.exterior if part.exterior.is_ccw else shapely.reverse(part.exterior)
        corners = np.asarray(ring.coords)
        for a, b in pairwise(corners):
            away = float(shapely.distance(shapely.LineString([a, b]), point))
            if away < best:
                best, facing = away, math.degrees(math.atan2(b[1] - a[1], -(b[0] - a[0])))
    return SIDES[round(facing / 45) % 8]


def in_words(thing: Mapping[str, Any], elevation: float | None, language: str) -> str:
    """ "an der Südseite des Hauses Färbergasse 12, etwa 9 m über dem Boden"; empty where nothing is known."""
    _ = i18n.translations(language).gettext
    if not thing:
        if elevation is None:
            return ""
        return _("at a height of %(metres)s m above sea level") % {
            "metres": i18n.number(round(elevation), language)
        }
    named = {"name": thing.get("name", "")}
    side = str(thing.get("side", ""))
    if side in SIDE_WORDS:
        house = _("the building %(name)s") % named if named["name"] else _("a building without an address")
        words = _(SIDE_WORDS[side]) % {"house": house}
    elif named["name"]:
        words = _("at the building %(name)s") % named
    else:
        words = _("at a building without an address")
    if thing.get("variant") is not None:
        words = _("%(where)s (planned)") % {"where": words}
    storey, above = thing.get("storey"), thing.get("above")
    if storey == 0:
        words += ", " + _("ground floor")
    elif storey is not None:
        words += ", " + _("floor %(number)s") % {"number": storey}
    if above is not None and storey is None:
        words += ", " + _("about %(metres)s m above the ground") % {
            "metres": i18n.number(round(above), language)
        }
    return words
