"""The city in three dimensions: a plan's variants among the houses that stand, from fixed points or freely.

The page itself is words: variants side by side, viewpoints with what is to be seen from them, the buildings around. The
picture comes on top, drawn by the visitor's own machine (static/js/city.js) from 3D Tiles made here.
"""

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from starlette.responses import Response

from consultations import places, published, variants
from consultations.permissions import Permission
from consultations.places import LayerRole
from consultations.procedures import Procedure, localised
from consultations.published import Wanted
from consultations.variants import FIGURES, Group, Variant, Viewpoint
from geo.geometry import metres_of, tile_of
from participation import cityscape, i18n, sun_hours, things
from participation.cityscape import Building, Cityscape
from participation.pages.belonging import takes_anything
from participation.pages.contributions_list import KINDS, open_procedure
from participation.pages.map_ground import FOR_EVER, BaseMap, base_map, compressed, local_copy
from participation.pages.shown_variants import field_of, groups_here, titled
from participation.pages.sunlight import SPECIAL_DAYS, WINDS
from participation.pages.with_parts import whole_of
from participation.web import Visit, page

#: Marks a message for the catalogues.
N_ = str

#: Zoom of the map tiles that lie on the ground: about 0.4 m per pixel when drawn 512 pixels wide.
DRAPED_ZOOM = 17
#: Contributions shown as pins, the newest.
PINS = 200
#: Buildings listed on the page and to choose from.
LISTED = 60

FIGURE_WORDS: Mapping[str, str] = {
    "storeys": N_("Storeys, at most"),
    "height": N_("Height, at most"),
    "floor_area": N_("Floor area"),
    "homes": N_("Flats"),
    "parking": N_("Parking spaces"),
    "green": N_("Green area"),
}
_UNITS = {"height": "m", "floor_area": "m²", "green": "m²"}

VIEW_WORDS: Mapping[str, str] = {
    Viewpoint.STREET.value: N_("At eye level in the street"),
    Viewpoint.WINDOW.value: N_("From a neighbour’s window"),
    Viewpoint.ABOVE.value: N_("From above"),
}


@dataclass(frozen=True)
class Shown:
    """A variant as the page lists it; `differs` says in words what sets it apart from the first."""

    id: int
    title: str
    description: str
    source: str
    differs: tuple[str, ...]


@dataclass(frozen=True)
class ShownGroup:
    """The variants of one consultation, of which one, or none, is shown: the name of the field that chooses, what is said
    over it, the part that they belong to (empty: the consultation of this page) and where that is, and the table that
    compares them: caption row and rows of words."""

    name: str
    legend: str
    part: str
    url: str
    variants: tuple[Shown, ...]
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Seen:
    """A viewpoint: its kind in words, and what is to be seen."""

    id: int
    title: str
    kind: str
    text: str


@dataclass(frozen=True)
class House:
    """A building near the plan: what it is called, and what is known of it in words."""

    label: str
    facts: str


@dataclass(frozen=True)
class CityPage:
    """The page of a plan in three dimensions."""

    title: str
    slug: str
    groups: tuple[ShownGroup, ...]
    #: Parts with variants that lie outside the picture: what they are called, and their own pictures.
    elsewhere: tuple[tuple[str, str], ...]
    views: tuple[Seen, ...]
    houses: tuple[House, ...]
    more_houses: int
    #: How many single trees the picture has.
    trees: int
    data: tuple[tuple[str, str], ...]
    preload: tuple[str, ...]
    shadow_url: str
    comment_url: str
    map_url: str
    attribution: str


def scape_of(visit: Visit, procedure: Procedure) -> Cityscape:
    """The city around the plan in the address. Raises Refusal NOT_FOUND where there is no model."""
    scape = cityscape.of(visit.house, visit.session, procedure)
    if scape is None:
        visit.not_found()
    return scape


@page("/beteiligungen/{slug}/3d", name="city", may=Permission.READ_PUBLIC, shared=True)
def city(visit: Visit) -> Response:
    """A plan in three dimensions: the words at once, the picture when it is asked for."""
    procedure = open_procedure(visit)
    scape = scape_of(visit, procedure)
    groups, elsewhere = groups_here(visit, procedure)
    named = sorted(
        {each.label: each for each in scape.made.near if each.label}.values(), key=lambda each: places.in_order(each.label)
    )  # fmt: skip
    slug = procedure.slug
    data = {
        "scene": visit.url("city_scene", slug=slug),
        "three": visit.static("vendor/three/three.module.min.js"),
        "words": json.dumps({name: visit.gettext(text) for name, text in _WORDS.items()}, ensure_ascii=False),
        "winds": json.dumps([visit.gettext(each) for each in WINDS], ensure_ascii=False),
    }
    return visit.render(
        "city/city.html",
        CityPage(
            title=localised(procedure, visit.language, "title"),
            slug=slug,
            groups=tuple(_shown_group(visit, group) for group in groups),
            elsewhere=elsewhere,
            views=tuple(
                Seen(
                    row.id or 0,
                    variants.localised(row, visit.language, "title"),
                    visit.gettext(VIEW_WORDS[row.kind]),
                    variants.localised(row, visit.language, "description"),
                )
                for row in variants.views_of(visit.session, procedure.id or 0)
            ),
            houses=tuple(House(each.label, building_facts(visit, each)) for each in named[:LISTED]),
            more_houses=max(0, len(named) - LISTED),
            trees=len(_trees(visit, procedure, scape)),
            data=tuple(data.items()),
            preload=(data["three"], *_asked_for_later(visit, data["three"])),
            shadow_url=visit.url("sunlight", slug=slug),
            comment_url=visit.url("city_comment", slug=slug) if takes_anything(visit, procedure) else "",
            map_url=visit.url("hearing_map", slug=slug),
            attribution=scape.attribution,
        ),
    )


def _asked_for_later(visit: Visit, three: str) -> tuple[str, ...]:
    """What the modules of the picture import beside themselves: asked for with the page, not one after the other."""
    ours = visit.static("js/city.js").rpartition("/")[0]
    return (f"{three.rpartition('/')[0]}/three.core.min.js", f"{ours}/city-tiles.js", f"{ours}/city-moves.js")


def building_facts(visit: Visit, building: Building) -> str:
    """ "Wohnhaus, 3 Geschosse, 9,3 m hoch", as far as it is known."""
    storeys, function = building.storeys, building.function
    # Codes of a state's survey ("31001_1010") say nothing to people.
    parts = [
        "" if function.replace("_", "").isdecimal() else function,
        visit.ngettext("%(num)s storey", "%(num)s storeys", storeys) if storeys else "",
        visit.gettext("%(metres)s m high", metres=i18n.number(round(building.height, 1), visit.language)),
    ]
    return ", ".join(part for part in parts if part)


def _shown_group(visit: Visit, group: Group) -> ShownGroup:
    part = localised(group.procedure, visit.language, "title") if group.level else ""
    titles = (variants.localised(row, visit.language, "title") for row in group.rows)
    return ShownGroup(
        field_of(group),
        part or visit.gettext("What is built"),
        part,
        visit.url("hearing", slug=group.procedure.slug),
        tuple(_shown(visit, row, group.rows[0]) for row in group.rows),
        (visit.gettext("What"), *titles),
        _table(visit, group.rows),
    )


def _shown(visit: Visit, row: Variant, first: Variant) -> Shown:
    return Shown(
        row.id or 0,
        variants.localised(row, visit.language, "title"),
        variants.localised(row, visit.language, "description"),
        row.source,
        () if row is first else _differences(visit, first, row),
    )


def _amount(visit: Visit, name: str, value: float) -> str:
    number = i18n.number(round(value, 1) if value % 1 else int(value), visit.language)
    return f"{number} {_UNITS[name]}" if name in _UNITS else number


_MORE: Mapping[str, tuple[str, str]] = {
    "storeys": (N_("%(amount)s more storeys"), N_("%(amount)s fewer storeys")),
    "height": (N_("%(amount)s higher"), N_("%(amount)s lower")),
    "floor_area": (N_("%(amount)s more floor area"), N_("%(amount)s less floor area")),
    "homes": (N_("%(amount)s more flats"), N_("%(amount)s fewer flats")),
    "parking": (N_("%(amount)s more parking spaces"), N_("%(amount)s fewer parking spaces")),
    "green": (N_("%(amount)s more green"), N_("%(amount)s less green")),
}


def _differences(visit: Visit, first: Variant, other: Variant) -> tuple[str, ...]:
    """What sets a variant apart from the first, in words."""
    found = []
    for name in FIGURES:
        a, b = first.figures.get(name), other.figures.get(name)
        if a is None or b is None or a == b:
            continue
        if name == "storeys" and abs(b - a) == 1:
            words = N_("1 more storey") if b > a else N_("1 fewer storey")
            found.append(visit.gettext(words))
            continue
        found.append(visit.gettext(_MORE[name][b < a], amount=_amount(visit, name, abs(b - a))))
    return tuple(found)


def _table(visit: Visit, rows: Sequence[Variant]) -> tuple[tuple[str, ...], ...]:
    table = []
    for name in FIGURES:
        cells = [row.figures.get(name) for row in rows]
        if any(cell is not None for cell in cells):
            table.append(
                (
                    visit.gettext(FIGURE_WORDS[name]),
                    *("–" if cell is None else _amount(visit, name, cell) for cell in cells),
                )
            )
    if rows:
        buildings = [i18n.number(row.buildings, visit.language) for row in rows]
        table.insert(0, (visit.gettext("New buildings"), *buildings))
    return tuple(table)


#: What the script says; `{}` stands for numbers and names.
_WORDS: Mapping[str, str] = {
    "loading": N_("The picture is being built …"),
    "ready": N_("The picture is ready. {} buildings."),
    "failed": N_("The picture cannot be shown on this device. Everything is on this page in words."),
    "looking": N_("Looking {0} from {1} m above the ground."),
    "sight": N_("{0}, {1} m to the {2}"),
    "trees": N_("Trees: {}"),
    "nothing": N_("Nothing is at the crosshair here."),
    "picked": N_("{0}: {1} m above the ground, side facing {2}"),
    "roof": N_("{0}: roof, {1} m above the ground"),
    "spot": N_("A point on the ground"),
    "building": N_("Building without an address"),
    "none": N_("As it is today"),
    "shown": N_("Shown: {}"),
    "view": N_("View: {}"),
    "time": N_("{0}, {1}: the sun stands in the {2}, {3}° above the horizon."),
    "comment": N_("Say something about this"),
    "contribution": N_("Contribution: {}"),
    "closer": N_("Nothing nearby"),
    "place": N_("Standing at {0}, {1}, looking at {2}, {3} (metres, EPSG:25832)"),
}


# --- what the script asks for ----------------------------------------------------------------------


@page("/beteiligungen/{slug}/3d/szene.json", name="city_scene", may=Permission.READ_PUBLIC, shared=True)
def city_scene(visit: Visit) -> Response:
    """All that the picture is made of, or where it is: metres east and north of the origin, heights above it."""
    procedure = open_procedure(visit)
    scape = scape_of(visit, procedure)
    east, north, height = scape.origin
    west, south, step, columns, _ = scape.made.ground
    groups, _ = groups_here(visit, procedure)
    look = base_map(visit, procedure)
    scene = {
        "origin": scape.origin,
        "box": [scape.box[0] - east, scape.box[1] - north, scape.box[2] - east, scape.box[3] - north],
        "ground": {
            "west": west - east,
            "south": south - north,
            "step": step,
            "columns": columns,
            "url": visit.url("city_tile", slug=procedure.slug, digest=scape.key, name="ground"),
        },
        "draped": _draped(visit, scape, look),
        "tileset": visit.url("city_tileset", slug=procedure.slug, digest=scape.key),
        "area": _area(scape),
        "variants": [
            {
                "id": row.id,
                "group": field_of(group),
                "title": titled(visit, group, row),
                "url": visit.url(
                    "city_variant", slug=procedure.slug, variant=row.id, v=row.model_sha256[:12]
                ),
                "replaces": row.replaces,
            }
            for group in groups
            for row in group.rows
        ],
        "views": [
            {
                "id": row.id,
                "title": variants.localised(row, visit.language, "title"),
                "text": variants.localised(row, visit.language, "description"),
                "eye": [row.eye_x - east, row.eye_y - north, row.eye_z - height],
                "look": [row.look_x - east, row.look_y - north, row.look_z - height],
            }
            for row in variants.views_of(visit.session, procedure.id or 0)
        ],
        "trees": _trees(visit, procedure, scape),
        "pins": _pins(visit, procedure, scape),
        "days": _days(visit, scape),
        "shadow": visit.url("sunlight_feed", slug=procedure.slug),
        "comment": visit.url("city_comment", slug=procedure.slug) if takes_anything(visit, procedure) else "",
    }
    return Response(
        json.dumps(scene, ensure_ascii=False, separators=(",", ":")), media_type="application/json; charset=utf-8"
    )  # fmt: skip


def _area(scape: Cityscape) -> list[list[list[list[float]]]]:
    import shapely

    from geo.scene import outline

    return outline(shapely.from_wkb(scape.area), scape.origin)


def _draped(visit: Visit, scape: Cityscape, look: BaseMap) -> list[dict[str, Any]]:
    """The tiles of the map that lie on the ground: addresses for both looks, and their corners from north-west on,
    clockwise, in metres from the origin."""
    from geo.geometry import degrees_of, tile_bounds

    west, south, east, north = scape.box
    corners = [tile_of(*degrees_of(x, y), DRAPED_ZOOM) for x in (west, east) for y in (south, north)]
    columns, rows = [x for x, _ in corners], [y for _, y in corners]
    found = []
    for x in range(min(columns), max(columns) + 1):
        for y in range(min(rows), max(rows) + 1):
            left, low, right, high = tile_bounds(DRAPED_ZOOM, x, y)
            places_of = [
                metres_of(*corner) for corner in ((left, high), (right, high), (right, low), (left, low))
            ]
            address = f"/kacheln/{look.digest}/{{look}}/{DRAPED_ZOOM}/{x}/{y}.svg"
            found.append(
                {
                    "url": address + (f"?plan={look.plan}" if look.plan else ""),
                    "corners": [
                        [round(px - scape.origin[0], 2), round(py - scape.origin[1], 2)]
                        for px, py in places_of
                    ],
                }
            )
    return found


def _trees(visit: Visit, procedure: Procedure, scape: Cityscape) -> list[list[float]]:
    """East and north of each tree in metres from the origin, its height and the width of its crown."""
    own = places.layers_of(visit.session, visit.municipality_id, procedure.id)
    towns = places.layers_of(visit.session, visit.municipality_id)
    found: list[list[float]] = []
    for layer in (*own, *towns):
        if layer.role != LayerRole.TREES.value or not layer.is_visible:
            continue
        path = local_copy(visit, layer)
        if path is not None:
            found += _trees_in(path, layer.normalised_sha256, scape.box, scape.origin)
    return found


@lru_cache(maxsize=16)
def _trees_in(
    path: Path, digest: str, box: tuple[float, ...], origin: tuple[float, ...]
) -> tuple[list[float], ...]:
    import shapely
    from pyogrio import raw

    meta, _, shapes, data = raw.read(path, bbox=box)
    table = dict(zip(meta["fields"], data, strict=True))

    def column(names: Sequence[str], otherwise: float) -> list[float]:
        name = next((each for each in names if each in table), "")
        values = table[name].astype(float).tolist() if name else [otherwise] * len(shapes)
        return [value if math.isfinite(value) and 0 < value < 60 else otherwise for value in values]

    heights = column(("hoehe", "height", "baumhoehe"), 9.0)
    crowns = column(("krone", "kronendurchmesser", "crown", "diameter_crown"), 6.0)
    points = shapely.get_coordinates(shapely.point_on_surface(shapely.from_wkb(shapes)))
    return tuple(
        [round(x - origin[0], 1), round(y - origin[1], 1), high, crown]
        for (x, y), high, crown in zip(points.tolist(), heights, crowns, strict=True)
    )


def _pins(visit: Visit, procedure: Procedure, scape: Cityscape) -> list[dict[str, Any]]:
    """The newest published contributions with a place in the scene, of the consultation and its parts, each at its height."""
    whole = whole_of(visit, procedure)
    wanted = Wanted(has_place=True, parts=whole.keys_of_parts)
    page_of = published.listed(visit.session, whole.key, wanted, limit=PINS)
    found = []
    for entry in page_of.entries:
        if entry.lon is None or entry.lat is None:
            continue
        x, y = metres_of(entry.lon, entry.lat)
        if not (scape.box[0] < x < scape.box[2] and scape.box[1] < y < scape.box[3]):
            continue
        high = entry.elevation if entry.elevation is not None else scape.ground.at(x, y)
        found.append(
            {
                "at": [
                    round(x - scape.origin[0], 2),
                    round(y - scape.origin[1], 2),
                    round(high - scape.origin[2], 2),
                ],
                "title": entry.heading,
                "kind": visit.gettext(KINDS[entry.kind]),
                "where": things.in_words(entry.thing, entry.elevation, visit.language) or entry.place_words,
                "part": whole.part(visit, entry),
                "url": visit.url(
                    "published_contribution", slug=whole.owner(entry).slug, reference=entry.reference
                ),
            }
        )
    return found


def _days(visit: Visit, scape: Cityscape) -> list[dict[str, Any]]:
    """The ready-made days with where the sun stands every ten minutes: minutes after midnight, and the unit vector."""
    from geo import sun

    found = []
    for key, words, month, day in SPECIAL_DAYS:
        moments = sun_hours.moments_of(visit.today.year, month, day, step=10)
        towards = sun.towards(sun.position(moments, scape.lon, scape.lat), scape.lon, scape.lat)
        up = math.sin(math.radians(sun.LOWEST))
        found.append(
            {
                "key": key,
                "date": date(visit.today.year, month, day).isoformat(),
                "title": visit.gettext(words),
                "suns": [
                    [_minutes(moment), *(round(float(value), 5) for value in vector)]
                    for moment, vector in zip(moments, towards, strict=True)
                    if vector[2] > up
                ],
            }
        )
    return found


def _minutes(moment: datetime) -> int:
    from consultations.deadlines import LEGAL_TIME

    local = moment.astimezone(LEGAL_TIME)
    return local.hour * 60 + local.minute


@page("/beteiligungen/{slug}/3d/{digest}/tileset.json", name="city_tileset", may=Permission.READ_PUBLIC)
def city_tileset(visit: Visit) -> Response:
    """The scene's buildings as a 3D Tiles 1.1 tileset."""
    return _made(visit, "tileset.json", "application/json")


_TILE = re.compile(r"ground|\d{1,5}-\d{1,5}")


@page("/beteiligungen/{slug}/3d/{digest}/{name}.glb", name="city_tile", may=Permission.READ_PUBLIC)
def city_tile(visit: Visit) -> Response:
    """One square of it, or its ground, as binary glTF."""
    name = visit.request.path_params["name"]
    if not _TILE.fullmatch(name):
        visit.not_found()
    return _made(visit, f"{name}.glb", "model/gltf-binary")


def _made(visit: Visit, name: str, media_type: str) -> Response:
    """A file of the scene that the address names."""
    scape = scape_of(visit, open_procedure(visit))
    if visit.request.path_params["digest"] != scape.key:
        visit.not_found()
    body = scape.kept(f"{name}.gz")
    if body is None:
        visit.not_found()
    return compressed(visit, body, media_type, {"Cache-Control": FOR_EVER})


@page("/beteiligungen/{slug}/varianten/{variant:int}.glb", name="city_variant", may=Permission.READ_PUBLIC)
def city_variant(visit: Visit) -> Response:
    """The buildings that a variant adds to this picture, of the consultation itself or of a part of it, as binary glTF."""
    procedure = open_procedure(visit)
    scape = scape_of(visit, procedure)
    row = variants.seen_by_id(visit.session, procedure, visit.request.path_params["variant"])
    body = cityscape.variant_glb(visit.house, scape, row) if row else None
    if row is None or body is None:
        visit.not_found()
    is_current = visit.request.query_params.get("v") == row.model_sha256[:12]
    headers = {"Cache-Control": FOR_EVER if is_current else "no-cache"}
    return compressed(visit, body, "model/gltf-binary", headers)
