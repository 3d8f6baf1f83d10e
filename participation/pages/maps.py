"""Where: the map of a consultation, with and without JavaScript: look around, read, choose a place, say something.

Without JavaScript the same page holds a plan as SVG whose pins are links, moved and zoomed by links, and a second
picture on which a click chooses a place.
"""

import gzip
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace

from starlette.responses import Response
from wtforms import Form, StringField
from wtforms.validators import Length, Optional

from consultations import nearby, places, proposal_lists, published, whereabouts
from consultations.permissions import Permission
from consultations.places import Place
from consultations.procedures import Procedure, localised
from consultations.published import Entry
from geo.geometry import GeometryProblem, Located, read_geojson_geometry
from geo.views import View
from participation.pages import map_things
from participation.pages.belonging import Taken, taken_at, takes_anything
from participation.pages.contributions_list import PLACES_SHOWN, open_procedure, read_position
from participation.pages.map_canvas import Canvas, canvas_of, script_words, styles
from participation.pages.map_feeds import feed_entry
from participation.pages.map_filters import (
    MapForm,
    Narrowed,
    frame_address,
    list_address,
    list_around,
    narrowed,
)
from participation.pages.map_ground import (
    NOTHING,
    base_map,
    choice_asked,
    compressed,
    in_degrees,
    spelled_choice,
)
from participation.pages.map_layers import LegendLine, legend_of, overlays_of
from participation.pages.map_plan import PLAN_SIZE, Chosen, Plan, plan_of, spelled, view_of, ways_of
from participation.pages.map_things import ObjectLine
from participation.pages.place_words import kind_and_district, where_in_words
from participation.pages.shown_variants import groups_here
from participation.pages.with_parts import Whole, whole_of
from participation.web import Visit, page

#: Marks a message for the catalogues.
N_ = str


class PlaceForm(Form):
    """A place by its name; what the map is narrowed to goes along."""

    suche = StringField(N_("Street, district or parcel"), [Optional(), Length(max=200)])


@dataclass(frozen=True)
class MapPage:
    """The map of a consultation: with its script, or as a plan."""

    title: str
    slug: str
    styles: tuple[str, ...]
    canvas: Canvas | None
    plan: Plan | None
    #: The same as a plan, for who has no JavaScript.
    plan_url: str
    form: MapForm
    place_form: PlaceForm
    #: Places that fit the words: (name, what and where, address).
    choices: tuple[tuple[str, str, str], ...]
    note: str
    chosen: Chosen | None
    #: Whether something can be handed in about a place, here or to a part.
    takes: bool
    is_filtered: bool
    total: int
    #: Whether what was said about parts is among it.
    has_parts: bool
    #: What the map is narrowed to: name and value as an address carries them.
    kept: tuple[tuple[str, str], ...]
    #: Of proposals: how many their list has, with a place or without.
    in_list: int | None
    list_url: str
    embed_url: str
    legend: tuple[LegendLine, ...]
    #: The layers that are switched on, as the address says it.
    layers: str
    #: Where variants can be compared, if there are any.
    compare_url: str


@page("/beteiligungen/{slug}/karte", name="hearing_map", may=Permission.READ_PUBLIC, shared=True)
def hearing_map(visit: Visit) -> Response:
    """The map of a consultation: look around, read, choose a place and say something about it.

    Understands `ebenen` (the layers that are on), `platz` (id of a place), `ort` ("lon,lat"), `beitrag` (a reference to show), `mitte` and `zoom` (the
    view), `suche` (words for a place), and the filters of the list.
    """
    procedure = open_procedure(visit)
    asked = visit.request.query_params
    whole = whole_of(visit, procedure)
    said = narrowed(visit, whole)
    form, wanted, filters = said.form, said.wanted, said.filters
    is_plan = asked.get("ansicht") == "plan"
    layers = choice_asked(visit)
    own: dict[str, object] = {
        "slug": procedure.slug,
        **filters,
        "ansicht": "plan" if is_plan else "",
        "ebenen": spelled_choice(layers),
    }
    view = view_of(visit, procedure)
    if "ort.x" in asked:
        return _clicked(visit, own, view)
    takes = takes_anything(visit, procedure)
    place_form = visit.form(PlaceForm)
    found, note = _places_found(visit, place_form)
    chosen, where, problem = _chosen(visit, procedure)
    focus = _focus(visit, whole)
    if where is not None:
        view = where
    elif focus is not None and focus.lon is not None and focus.lat is not None and "mitte" not in asked:
        view = View(focus.lon, focus.lat, 17, *PLAN_SIZE)
    in_list, everything = _counted(visit, procedure, said)
    plan = canvas = None
    if is_plan:
        ground = base_map(visit, procedure, layers)
        plan = plan_of(visit, whole, own, wanted, view, ground, chosen, takes)
    else:
        # What can be switched lies over the base map, tile by tile: see static/js/map.js.
        ground = base_map(visit, procedure, NOTHING)
        data = _data(visit, whole, said, takes, chosen, focus)
        overlays = [asdict(each) for each in overlays_of(visit, procedure, layers)]
        data["overlays"] = json.dumps(overlays, ensure_ascii=False)
        if chosen or focus or "mitte" in asked:
            data["view"] = f"{view.lon:.6f},{view.lat:.6f},{round(view.zoom)}"
        canvas = canvas_of(visit, ground, procedure, data)
    return visit.render(
        "maps/hearing.html",
        MapPage(
            title=localised(procedure, visit.language, "title"),
            slug=procedure.slug,
            styles=styles(visit, with_canvas=canvas is not None),
            canvas=canvas,
            plan=plan,
            plan_url=visit.url("hearing_map", **{**dict(asked), **own, "ansicht": "plan"}),
            form=form,
            place_form=place_form,
            choices=tuple(
                (
                    place.name,
                    kind_and_district(visit, place),
                    visit.url("hearing_map", **own, platz=place.id),
                )
                for place in found
            ),
            note=note or problem,
            chosen=chosen,
            takes=takes,
            is_filtered=any(filters.values()),
            total=everything,
            has_parts=bool(whole.parts),
            kept=tuple(filters.items()),
            in_list=in_list,
            list_url=list_address(visit, procedure, said),
            embed_url=frame_address(visit, procedure, said),
            legend=legend_of(visit, procedure, layers),
            layers=spelled_choice(layers),
            compare_url=visit.url("compare", slug=procedure.slug)
            if procedure.plan_area and groups_here(visit, procedure)[0]
            else "",
        ),
    )


def _counted(visit: Visit, procedure: Procedure, shown: Narrowed) -> tuple[int | None, int]:
    """How many proposals the list has, where only these are shown, and how many have a place on the map."""
    procedure_id, among = procedure.id or 0, shown.among
    if among is None:
        wanted = replace(shown.wanted, has_place=True)
        return None, published.how_many(visit.session, procedure_id, wanted)

    def count() -> tuple[int, int]:
        found = proposal_lists.how_many(visit.session, procedure_id, among)
        return found, proposal_lists.how_many_on_map(visit.session, procedure_id, among)

    # What somebody searches for is kept for nobody else.
    return (
        count()
        if among.words
        else visit.once_per_change("proposals on the map", procedure_id, among, make=count)
    )


def _data(
    visit: Visit,
    whole: Whole,
    shown: Narrowed,
    takes: bool,
    chosen: Chosen | None,
    focus: Entry | None,
) -> dict[str, str]:
    """What the script needs to know, as `data-*` attributes."""
    procedure, slug = whole.procedure, whole.procedure.slug
    data = {
        "feed": visit.url("hearing_map_feed", slug=slug, **shown.filters),
        "list": list_around(visit, procedure, shown),
        "words": script_words(visit),
        "draw": visit.static("js/map-draw.js"),
        "objects": visit.url("map_objects", slug=slug),
    }
    if takes and whole.parts:
        # Who takes what is said depends on the place.
        data["taken"] = visit.url("map_taken", slug=slug)
    else:
        ways = ways_of(visit, procedure)
        data["ways"] = json.dumps([[way.text, way.url] for way in ways], ensure_ascii=False)
    if procedure.plan_area:
        data["plan-area"] = visit.url("plan_area", slug=slug, v=procedure.version)
    if focus:
        data["focus"] = json.dumps(feed_entry(visit, whole, focus), ensure_ascii=False)
    if chosen:
        data["chosen"] = f"{chosen.lon:.7f},{chosen.lat:.7f}"
    return data


def _clicked(visit: Visit, own: Mapping[str, object], view: View) -> Response:
    """A click on the picture (`<input type="image">`) as a place; by keyboard it comes without one."""
    asked = visit.request.query_params
    here = {**own, "mitte": spelled(view), "zoom": f"{view.zoom:g}"}
    try:
        x, y = int(asked["ort.x"]), int(asked["ort.y"])
    except (KeyError, ValueError):
        return visit.redirect("hearing_map", **here, waehlen=1)
    if not (0 <= x <= view.width and 0 <= y <= view.height) or (x, y) == (0, 0):
        return visit.redirect("hearing_map", **here, waehlen=1, leer=1)
    lon, lat = view.place(x, y)
    return visit.redirect("hearing_map", **here, ort=f"{lon:.6f},{lat:.6f}")


def _places_found(visit: Visit, form: PlaceForm) -> tuple[list[Place], str]:
    words = (form.suche.data or "").strip()
    if not words:
        return [], ""
    found = places.find(visit.session, visit.municipality_id, words, limit=PLACES_SHOWN)
    if not found:
        return [], visit.gettext("We know no place called “%(words)s”.", words=words)
    return found, ""


def _chosen(visit: Visit, procedure: Procedure) -> tuple[Chosen | None, View | None, str]:
    """The place in the address, the view that shows it, and what is wrong with it."""
    asked = visit.request.query_params
    number = asked.get("platz", "")
    if number.isdecimal() and len(number) < 10:
        place = places.by_id(visit.session, visit.municipality_id, int(number))
        if place is None:
            return None, None, visit.gettext("This place is no longer on our list. Please choose it again.")
        box = in_degrees((place.min_x, place.min_y, place.max_x, place.max_y))
        view = View.around(box, *PLAN_SIZE, max_zoom=17)
        taken = taken_at(visit, procedure, place.geometry, {"place_id": place.id})
        objects = _objects(visit, procedure, place.lon, place.lat)
        return Chosen(place.name, place.lon, place.lat, taken, objects), view, ""
    if not asked.get("ort"):
        return None, None, ""
    position = read_position(asked["ort"])
    try:
        located = nearby.position(*position) if position else None
    except ValueError:
        located = None
    if located is None:
        return None, None, visit.gettext("This place lies outside Germany.")
    spot = whereabouts.of(visit.session, visit.municipality_id, [(located.lon, located.lat)])[0]
    name = where_in_words(visit, spot) or visit.gettext("the chosen point")
    taken = taken_at(visit, procedure, located.wkb, _spelled(located))
    view = view_of(visit, procedure) if "mitte" in asked else View(located.lon, located.lat, 17, *PLAN_SIZE)
    objects = _objects(visit, procedure, located.lon, located.lat)
    return Chosen(name, located.lon, located.lat, taken, objects), view, ""


def _spelled(located: Located) -> dict[str, object]:
    """A point as the address of a form carries it."""
    return {"lon": f"{located.lon:.6f}", "lat": f"{located.lat:.6f}"}


@page("/beteiligungen/{slug}/karte/gehoert.json", name="map_taken", may=Permission.READ_PUBLIC)
def map_taken(visit: Visit) -> Response:
    """Who takes what is said about a place, for the map's script: of a point (`ort`, "lon,lat") or of a drawing (`geometry`,
    GeoJSON in degrees)."""
    procedure = open_procedure(visit)
    asked = visit.request.query_params
    drawn = asked.get("geometry", "")
    position = read_position(asked.get("ort", ""))
    try:
        located = read_geojson_geometry(drawn) if drawn else nearby.position(*position) if position else None
    except (ValueError, GeometryProblem):
        located = None
    taken = Taken(goes=visit.gettext("This place lies outside Germany.") if position else "")
    if located is not None:
        place = {"geometry": drawn} if drawn else _spelled(located)
        taken = taken_at(visit, procedure, located.wkb, place)
    body = json.dumps(asdict(taken), ensure_ascii=False)
    headers = {"Cache-Control": "no-cache"}
    return compressed(visit, gzip.compress(body.encode(), 6, mtime=0), "application/json", headers)


def _objects(visit: Visit, procedure: Procedure, lon: float, lat: float) -> tuple[ObjectLine, ...]:
    """What lies at the chosen place."""
    return tuple(map_things.at(visit, procedure, lon, lat, map_things.read_zoom(visit), choice_asked(visit)))


def _focus(visit: Visit, whole: Whole) -> Entry | None:
    """The contribution that the list asked to show."""
    reference = visit.request.query_params.get("beitrag", "")
    if not reference:
        return None
    found = published.one(visit.session, whole.key, reference, parts=whole.keys_of_parts)
    return found if isinstance(found, Entry) else None
