"""The demo town in three dimensions, made by code: heights, roofs and addresses for its houses, two variants of a plan.

Imports numpy and shapely: only the demo itself loads this module.
"""

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from consultations.variants import ViewInput, Viewpoint
from geo.city import City, Roof, Volume, city_of
from geo.terrain import Terrain
from participation.demo_town import PLANS, Line, Point, TownMap


def ground_at(x: float, y: float) -> float:
    """Height of the ground in metres (DHHN2016) at a place of the sketch: a valley, lowest at its river."""
    return 431.0 + 7.0 * (1 - math.exp(-(((y + 340) / 900) ** 2))) + 0.0006 * -x


#: Storeys, height of a storey, and roofs by how often they are built, for what houses are used for.
_BUILT: dict[str, tuple[tuple[int, ...], float, tuple[Roof, ...]]] = {
    "Wohnhaus": ((2, 2, 2, 3), 2.9, ("gable", "gable", "gable", "hip")),
    "Nebengebäude": ((1,), 2.6, ("flat", "gable")),
    "Gewerbe": ((2,), 4.2, ("flat",)),
    "Landwirtschaft": ((2,), 3.4, ("gable",)),
}
_LANDMARKS: dict[str, tuple[int, float, float]] = {
    # use: storeys, metres to the eaves, metres of roof
    "Kirche": (1, 17.0, 11.0),
    "Kapelle": (1, 6.0, 4.0),
    "Rathaus": (3, 12.0, 7.0),
    "Pflegeheim": (3, 10.5, 0.0),
    "Bahnhof": (2, 8.5, 0.0),
    "Schule": (3, 11.5, 0.0),
    "Mühle": (3, 9.5, 0.0),
    "Gewerbe, leer": (1, 7.5, 0.0),
}


def city_of_town(town: TownMap) -> City:
    """All buildings of a town with heights, roofs and addresses: the same every time."""
    chance = random.Random(town.sketch.seed + 3)
    east, north = town.sketch.origin
    addresses = _addresses(town)
    volumes = []
    for number, (facts, shape) in enumerate(town.layers["buildings"]):
        for part in shapely.get_parts(shape):
            use, middle = str(facts["funktion"]), part.centroid
            ground = round(ground_at(middle.x - east, middle.y - north), 2)
            if facts["name"]:
                storeys, eaves, roof = _LANDMARKS.get(use, (2, 7.0, 0.0))
                form: Roof = "gable" if roof and len(part.exterior.coords) == 5 else "flat"
            else:
                levels, storey, forms = _BUILT[use]
                storeys, form = chance.choice(levels), chance.choice(forms)
                if use == "Wohnhaus" and math.hypot(middle.x - east, middle.y - north) < 420:
                    storeys = max(storeys, 3)  # the old town is dense
                eaves = 0.6 + storeys * storey
                roof = 0.0 if form == "flat" else 0.32 * _width(part) * chance.uniform(0.8, 1.2)
                if form != "flat" and len(part.exterior.coords) != 5:
                    form, roof = "flat", 0.0
            top = eaves + roof
            volumes.append(
                Volume(
                    id=f"{town.sketch.name.upper()}-{number:04d}",
                    outline=part,
                    ground=ground,
                    eaves=round(ground + eaves, 2),
                    top=round(ground + top, 2),
                    roof=form,
                    name=str(facts["name"]),
                    address=addresses.get(number, ""),
                    function=use,
                    storeys=storeys,
                )
            )
    return city_of(volumes)


def _width(shape: BaseGeometry) -> float:
    """The shorter side of the box around a shape, in metres."""
    corners = list(shapely.minimum_rotated_rectangle(shape).exterior.coords)
    return min(math.dist(corners[0], corners[1]), math.dist(corners[1], corners[2]))


def _addresses(town: TownMap) -> dict[int, str]:
    """Street and number of each house: along its street, odd numbers on the left."""
    streets = [(facts["name"], line) for facts, line in town.layers["streets"] if facts["name"]]
    tree = shapely.STRtree([line for _, line in streets])
    along: dict[tuple[str, bool], list[tuple[float, int]]] = {}
    for number, (facts, shape) in enumerate(town.layers["buildings"]):
        if facts["funktion"] == "Nebengebäude" or shape.area < 50:
            continue
        middle = shape.centroid
        name, line = streets[int(tree.nearest(middle))]
        at = line.project(middle)
        here, ahead = line.interpolate(max(at - 1, 0)), line.interpolate(at + 1)
        turn = (ahead.x - here.x) * (middle.y - here.y) - (ahead.y - here.y) * (middle.x - here.x)
        along.setdefault((name, turn > 0), []).append((at, number))
    found = {}
    for (name, is_left), houses in along.items():
        for place, (_, number) in enumerate(sorted(houses)):
            found[number] = f"{name} {2 * place + (1 if is_left else 2)}"
    return found


def trees_of_town(town: TownMap) -> list[tuple[dict[str, Any], BaseGeometry]]:
    """Trees along the larger streets and in parks: points with height and width of the crown in metres."""
    chance = random.Random(town.sketch.seed + 7)
    standing = shapely.union_all([shape.buffer(2.5) for _, shape in town.layers["buildings"]])
    water = shapely.union_all([shape for _, shape in town.layers["water"]])
    shapely.prepare(standing)
    found: list[tuple[dict[str, Any], BaseGeometry]] = []

    def plant(point: BaseGeometry, least: float, most: float) -> None:
        if not standing.intersects(point) and not water.intersects(point):
            height = round(chance.uniform(least, most), 1)
            found.append(({"hoehe": height, "krone": round(height * chance.uniform(0.5, 0.75), 1)}, point))

    for facts, line in town.layers["streets"]:
        if facts["fclass"] not in ("secondary", "tertiary") and "allee" not in str(facts["name"]).lower():
            continue
        for side in (-6.4, 6.4):
            for part in shapely.get_parts(line.offset_curve(side)):
                for step in range(int(part.length // 17)):
                    if chance.random() < 0.6:
                        plant(part.interpolate(step * 17 + chance.uniform(0, 4)), 6, 11)
    for facts, shape in town.layers["green"]:
        west, south, east, north = shape.bounds
        for _ in range(int(min(shape.area / 260, 160))):
            point = shapely.Point(chance.uniform(west, east), chance.uniform(south, north))
            if shape.contains(point) and "platz" not in str(facts["name"]).lower():
                plant(point, 8, 17)
    return found


def terrain_of_town(town: TownMap) -> Terrain:
    """The ground of a town, every ten metres, half a kilometre beyond its last houses."""
    east, north = town.sketch.origin
    west, south, far_east, far_north = shapely.total_bounds([shape for _, shape in town.layers["buildings"]])
    x = np.arange(math.floor(west - 500), far_east + 500, 10.0)
    y = np.arange(math.floor(south - 500), far_north + 500, 10.0)
    heights = np.array([[ground_at(px - east, py - north) for px in x] for py in y])
    return Terrain(float(x[0]), float(y[0]), 10.0, heights)


# --- the variants of the weaving mill --------------------------------------------------------------


@dataclass(frozen=True)
class Draft:
    """A variant as the demo's planner enters it."""

    title: str
    description: str
    source: str
    figures: dict[str, float]
    city: City
    replaces: tuple[str, ...] = ()
    english: dict[str, str] = field(default_factory=dict)


def weaving_mill(town: TownMap) -> tuple[Draft, Draft]:
    """The draft of the plan with four storeys, and what citizens asked for: lower houses with pitched roofs."""
    grounds = [sign.line for sign in PLANS["WEBEREI"] if sign.sign == "buildable"]
    # The first of them is the old counting house, which stays. (ground, which of its long sides, storeys)
    bars = [(1, 0, 4), (2, 0, 4), (3, 0, 4), (3, 1, 3), (4, 0, 4), (5, 1, 3)]
    high: list[Volume] = []
    low: list[Volume] = []
    for ground, side, storeys in bars:
        bar = _bar(grounds[ground], side)
        high.append(_block(town, f"Neubau {len(high) + 1}", bar, storeys, "flat", 0.6))
        for piece in _houses_of(bar):
            low.append(_block(town, f"Neubau {len(low) + 1}", piece, 3 if storeys == 4 else 2, "gable", 3.4))
    return (
        Draft(
            "Planentwurf: vier Geschosse",
            "Sechs lange Häuser mit flachen, begrünten Dächern: vier Geschosse an der Fabrikstraße und im Norden, "
            "drei Geschosse zum Bach hin.",
            "Entwurf des Stadtbauamts, Fassung 1",
            _figures(high, homes=131, parking=118, green=5900),
            city_of(high),
            english={
                "title": "Draft plan: four storeys",
                "description": "Six long houses with flat green roofs: four storeys along Fabrikstraße and in the "
                "north, three towards the stream.",
            },
        ),
        Draft(
            "Niedriger: zwei und drei Geschosse",
            "Dieselben Bauplätze mit einzelnen Häusern und Satteldach: mehr Durchblick und mehr Grün, weniger Wohnungen.",
            "Aus den Stellungnahmen der frühzeitigen Beteiligung",
            _figures(low, homes=84, parking=82, green=7400),
            city_of(low),
            english={
                "title": "Lower: two and three storeys",
                "description": "The same plots with single houses and pitched roofs: more views and more green, "
                "fewer flats.",
            },
        ),
    )


def _bar(line: Line, side: int, depth: float = 12.0, trim: float = 5.0) -> tuple[Point, Point, Point]:
    """A long house on a plot: two corners along one of its long sides, and which way its depth goes."""
    corners = [
        np.array(corner)
        for corner in shapely.minimum_rotated_rectangle(shapely.Polygon(line)).exterior.coords
    ][:4]
    if math.dist(corners[0], corners[1]) < math.dist(corners[1], corners[2]):
        corners = [*corners[1:], corners[0]]
    a, b, _c, d = corners if side == 0 else (*corners[2:], *corners[:2])
    along, across = (b - a) / math.dist(a, b), (d - a) / math.dist(a, d)
    start, end = a + along * trim + across, b - along * trim + across
    return tuple(start), tuple(end), tuple(across * depth)


def _outline(start: Point, end: Point, across: Point) -> Line:
    (ax, ay), (bx, by), (dx, dy) = start, end, across
    return ((ax, ay), (bx, by), (bx + dx, by + dy), (ax + dx, ay + dy))


def _houses_of(bar: tuple[Point, Point, Point]) -> list[tuple[Point, Point, Point]]:
    """Single houses about 15 m long, 7 m apart, where a long one could stand."""
    start, end, across = (np.array(each) for each in bar)
    length = math.dist(start, end)
    count = max(1, int((length + 7) // 22))
    along, wide = (end - start) / length, (length + 7) / count - 7
    firsts = [start + along * number * (wide + 7) for number in range(count)]
    return [(tuple(first), tuple(first + along * wide), tuple(across)) for first in firsts]


def _block(
    town: TownMap, name: str, bar: tuple[Point, Point, Point], storeys: int, roof: Roof, pitch: float
) -> Volume:
    outline = shapely.Polygon(_outline(*bar))
    middle = outline.centroid
    ground = round(ground_at(middle.x, middle.y), 2)
    eaves = ground + 0.5 + storeys * 3.1
    return Volume(
        id=name,
        outline=town.placed(outline),
        ground=ground,
        eaves=round(eaves, 2),
        top=round(eaves + pitch, 2),
        roof=roof,
        name=name,
        function="Wohnhaus, geplant",
        storeys=storeys,
    )


def _figures(volumes: Sequence[Volume], **more: float) -> dict[str, float]:
    return {
        "storeys": max(each.storeys for each in volumes),
        "height": round(max(each.top - each.ground for each in volumes), 1),
        "floor_area": round(sum(each.outline.area * each.storeys for each in volumes), -1),
        **more,
    }


def viewpoints(town: TownMap) -> tuple[ViewInput, ...]:
    """From where everybody looks at the weaving mill: two streets, a neighbour's window, from above."""

    def at(x: float, y: float, above: float) -> tuple[float, float, float]:
        east, north = town.sketch.origin
        return round(east + x, 2), round(north + y, 2), round(ground_at(x, y) + above, 2)

    def words(title: str, description: str) -> dict[str, dict[str, str]]:
        return {"en": {"title": title, "description": description}}

    return (
        ViewInput(
            Viewpoint.STREET, "Fabrikstraße, auf dem Gehweg", at(-703, -6, 1.6), at(-668, -120, 6),
            "Blick nach Südosten: rechts beginnt das erste der neuen Häuser, dahinter liegt die alte Shedhalle.",
            words("Fabrikstraße, on the pavement", "Looking south-east: the first of the new houses begins on the right, the old shed hall lies behind it."),
        ),
        ViewInput(
            Viewpoint.STREET, "Landstraße, an der Bushaltestelle", at(-512, 66, 1.6), at(-560, -12, 5),
            "Blick nach Südwesten auf die neuen Häuser im Norden des Geländes, quer über die Straße.",
            words("Landstraße, at the bus stop", "Looking south-west to the new houses in the north of the site, across the street."),
        ),
        ViewInput(
            Viewpoint.WINDOW, "Fenster im ersten Stock, Fabrikstraße", at(-729, -118, 5.2), at(-692, -172, 5),
            "Blick nach Südosten aus einem Fenster gegenüber: wie nah und wie hoch die neuen Häuser stehen.",
            words("First-floor window, Fabrikstraße", "Looking south-east from a window opposite: how near and how high the new houses are."),
        ),
        ViewInput(
            Viewpoint.ABOVE, "Von oben, aus Süden", at(-600, -420, 230), at(-590, -100, 0),
            "Das ganze Gelände zwischen Landstraße im Norden und Mühlbach im Süden, mit den Straßen ringsum.",
            words("From above, from the south", "The whole site between Landstraße in the north and the mill stream in the south, with the streets around it."),
        ),
    )  # fmt: skip
