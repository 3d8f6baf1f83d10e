"""What of the city a contribution is about: a building, one of its floors, a point on it, or an object of a map layer;
chosen, checked, in words.

Forms carry a choice as a short text (`Choice.text`); names, sides and heights are always read from the city model or
the layer here, never from what was sent.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

from sqlmodel import Session

from consultations import nesting, places, variants
from consultations.contributions import Thing
from consultations.nesting import Part
from consultations.places import Layer, LayerRole
from consultations.procedures import Procedure
from geo import features
from geo.geometry import GeometryProblem, Located, degrees_of, from_lonlat, from_metres
from participation import cityscape, i18n, layer_files, plan_words
from participation.house import House
from participation.settings import LANGUAGES

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
    metres (EPSG:25832) with its height (DHHN2016); or an object of a layer, by its number in this delivery of it."""

    building: str = ""
    variant: int | None = None
    storey: int | None = None
    at: tuple[float, float, float] | None = None
    layer: int | None = None
    feature: int | None = None

    @property
    def text(self) -> str:
        """As a form carries it."""
        values = {"b": self.building, "v": self.variant, "s": self.storey, "at": self.at}
        values |= {"l": self.layer, "f": self.feature}
        return json.dumps({name: value for name, value in values.items() if value not in (None, "")})


def read_choice(text: str) -> Choice | None:
    """A choice as a form sent it; None for anything else."""
    if not text or len(text) > 400:
        return None
    try:
        sent = json.loads(text)
        at = sent.get("at")
        point = None if at is None else (float(at[0]), float(at[1]), float(at[2]))
        variant, storey, layer, feature = (
            int(sent[name]) if sent.get(name) is not None else None for name in ("v", "s", "l", "f")
        )
        choice = Choice(str(sent.get("b", ""))[:120], variant, storey, point, layer, feature)
    except (ValueError, OverflowError, TypeError, AttributeError, IndexError, KeyError):
        return None
    if point is not None and not all(math.isfinite(each) and abs(each) < 1e8 for each in point):
        return None
    if layer is not None and not (0 < layer < 2**31 and feature is not None and 0 <= feature < 2**31):
        return None
    return choice if choice.building or point or layer else None


@dataclass(frozen=True)
class Found:
    """A choice as the city model or the layer knows it: the place, its height (DHHN2016) if it has one, and the building
    or object if there is one."""

    located: Located
    elevation: float | None
    thing: Thing | None


def find(house: House, session: Session, procedure: Procedure, choice: Choice) -> Found | None:
    """What was chosen, measured on the city model or read from the layer; None if there is no such building or object, or
    the point is elsewhere."""
    if choice.layer is not None:
        return _in_layer(house, session, procedure, choice.layer, choice.feature or 0)
    scape = cityscape.of(house, session, procedure)
    if scape is None:
        return None
    city: Any = scape.city
    if choice.variant is not None:
        row = variants.seen_by_id(session, procedure, choice.variant)
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
    on_building = _on_building(city, number, choice)
    in_force = cityscape.layers_in_force(session, procedure) if choice.variant is None else {}
    layer = in_force.get(LayerRole.CITY_MODEL)
    if on_building is None or on_building.thing is None or layer is None:
        return on_building
    thing = replace(on_building.thing, layer=layer.series or layer.id, delivery=layer.id)
    return replace(on_building, thing=thing)


def lowest_part_around(parts: Sequence[Part], wkb: bytes) -> Part | None:
    """The lowest part, and of several the smallest, in whose plan area something lies (WKB, EPSG:25832), or the greater half
    of it; withdrawn ones take nothing."""
    if not parts:
        return None
    import shapely

    shape = shapely.from_wkb(wkb)
    around = []
    for part in nesting.shown(parts):
        if part.procedure.plan_area is None:
            continue
        area = shapely.from_wkb(part.procedure.plan_area)
        if _lies_in(shape, area):
            around.append((-part.level, float(shapely.area(area)), part.procedure.id or 0, part))
    return min(around, key=lambda each: each[:3])[3] if around else None


def _lies_in(shape: Any, area: Any) -> bool:
    """Whether a point lies in an area, or the greater half of a line or an area; of several points all of them."""
    import shapely

    size = shapely.area if shape.area else shapely.length
    whole = float(size(shape))
    if not whole:
        return bool(shapely.covers(area, shape))
    return float(size(shapely.intersection(area, shape))) > whole / 2


#: An object with more vertices is shown and kept by a point on it; its layer has the shape.
MOST_VERTICES = 2_000


def layer_for(session: Session, procedure: Procedure, layer_id: int) -> Layer | None:
    """A layer of the town, of this consultation or of a public part of it, also one that has been replaced."""
    layer = places.layer_by_id(session, procedure.municipality_id, layer_id)
    if layer is None or layer.procedure_id in (None, procedure.id):
        return layer
    return layer if part_of(session, procedure, layer) is not None else None


def part_of(session: Session, procedure: Procedure, layer: Layer) -> Procedure | None:
    """The public part of a consultation that a layer belongs to; None for the town's and its own."""
    if layer.procedure_id in (None, procedure.id):
        return None
    parts = nesting.shown(nesting.parts(session, procedure.id or 0))
    return next((part.procedure for part in parts if part.procedure.id == layer.procedure_id), None)


def _in_layer(
    house: House, session: Session, procedure: Procedure, layer_id: int, number: int
) -> Found | None:
    """An object of a layer; of one that was replaced since it was chosen, the same object in the newer delivery."""
    layer = layer_for(session, procedure, layer_id)
    path = layer_files.local_copy(house, layer) if layer else None
    if layer is None or path is None or layer.role == LayerRole.CITY_MODEL.value:
        return None
    found = features.feature(path, number, layer_files.columns_of(layer))
    if found is None:
        return None
    if layer.replaced_at is not None:
        newer = places.newest_of(session, procedure.municipality_id, layer.series or 0)
        path = layer_files.local_copy(house, newer) if newer else None
        if newer is None or path is None or newer.role != layer.role:
            return None
        columns = layer_files.columns_of(newer)
        again = features.found_again(path, {0: features.Wanted(found.identifier, found.wkb)}, columns)
        found = features.feature(path, again[0].number, columns) if again else None
        layer = newer
    return _as_thing(layer, found) if found is not None else None


def _as_thing(layer: Layer, found: features.Feature) -> Found | None:
    import shapely

    shape = shapely.from_wkb(found.wkb)
    try:
        if shapely.get_num_coordinates(shape) > MOST_VERTICES or shape.geom_type == "MultiPoint":
            raise GeometryProblem("too_many_vertices")
        located = from_metres(shape)
    except GeometryProblem:
        point = shapely.point_on_surface(shape)
        located = from_lonlat(*degrees_of(float(point.x), float(point.y)))
    thing = Thing(
        id=found.identifier[:120],
        name=plan_words.name_of(found, next(iter(LANGUAGES)))[:120],
        layer=layer.series or layer.id,
        kind=layer.title,
        delivery=layer.id,
        feature=found.number,
    )
    return Found(located, None, thing)


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
    if thing.get("kind"):
        facts = {"name": thing.get("name", ""), "layer": thing["kind"]}
        return (_("%(name)s (%(layer)s)") if facts["name"] else _("an object on the map: %(layer)s")) % facts
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
