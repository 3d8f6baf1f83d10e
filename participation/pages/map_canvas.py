"""The map that a script draws: Folium's skeleton under its hash, its colours, and what the script says.

Folium makes the skeleton (`geo.maps`), served as a script under its hash; pages hold its fragment and load the script.
"""

import gzip
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from urllib.parse import urlencode

from markupsafe import Markup
from starlette.responses import Response

from consultations.permissions import Permission
from consultations.procedures import Procedure
from geo import maps, palette
from geo.maps import MapSkeleton, MapSpec, MapWords, TileService
from geo.views import MAX_ZOOM
from participation.pages.map_ground import (
    FOR_EVER,
    BaseMap,
    base_map,
    bounds_of,
    choice_asked,
    compressed,
    plan_asked,
    town_bounds,
)
from participation.web import Visit, page

#: Marks a message for the catalogues.
N_ = str

CANVAS = "map_canvas"

#: What a service of DIGILOG_MAP_SOURCES may say, by the names of `TileService`.
_SERVICE_FIELDS = frozenset(TileService.__dataclass_fields__) - {"dark_url"}


def _services(visit: Visit, ground: BaseMap, look: str, *, only_ours: bool) -> tuple[TileService, ...]:
    """Our own tiles first, then the configured services, unless nobody else may be asked."""
    address = f"/kacheln/{ground.digest}/{{look}}/{{z}}/{{x}}/{{y}}.svg"
    asked = {name: value for name, value in (("plan", ground.plan), ("ebenen", ground.shown)) if value}
    if asked:
        address += f"?{urlencode(asked)}"
    own = TileService(
        kind="xyz",
        url=address.replace("{look}", look),
        dark_url=address.replace("{look}", "dark"),
        title=visit.gettext("Town plan"),
        attribution=ground.attribution,
        max_zoom=MAX_ZOOM - 1,
    )
    configured = (
        {"title": source["attribution"], "kind": "xyz", **source}
        for source in (() if only_ours else visit.house.settings.map_sources)
    )
    others = (
        TileService(**{name: value for name, value in source.items() if name in _SERVICE_FIELDS})
        for source in configured
    )
    return (own, *others)


def _skeleton(
    visit: Visit,
    ground: BaseMap,
    procedure: Procedure | None,
    look: str,
    data: tuple[tuple[str, str], ...] = (),
    *,
    only_ours: bool = False,
) -> MapSkeleton:
    west, south, east, north = town_bounds(visit)
    wide, high = (east - west) * 0.5, (north - south) * 0.5
    spec = MapSpec(
        services=_services(visit, ground, look, only_ours=only_ours),
        bounds=bounds_of(visit, procedure),
        limits=(west - wide, south - high, east + wide, north + high),
        leaflet_js=visit.static("vendor/leaflet/leaflet.js"),
        leaflet_css=visit.static("vendor/leaflet/leaflet.css"),
        words=MapWords(visit.gettext("Zoom in"), visit.gettext("Zoom out"), visit.gettext("Map layers")),
        identifier=CANVAS,
        min_zoom=9,
        max_zoom=19,
        data=data,
    )
    return maps.map_skeleton(spec)


@page("/maps/{hash}.js", name="map_script", may=Permission.READ_PUBLIC)
def map_script(visit: Visit) -> Response:
    """The script of a map skeleton: for a consultation (`plan`, its slug) or the town. Kept for ever by its hash."""
    procedure = plan_asked(visit)
    look = "dark" if visit.request.query_params.get("look") == "dark" else "light"
    only_ours = visit.request.query_params.get("nur") == "eigene"
    ground = base_map(visit, procedure, choice_asked(visit))
    skeleton = _skeleton(visit, ground, procedure, look, only_ours=only_ours)
    is_current = visit.request.path_params["hash"] == skeleton.hash[:16]
    headers = {"Cache-Control": FOR_EVER if is_current else "no-cache"}
    body = gzip.compress(skeleton.script.encode(), 6, mtime=0)
    return compressed(visit, body, "text/javascript; charset=utf-8", headers)


@cache
def _colours() -> str:
    """The colours of the base map as custom properties, light and dark, by the page's theme."""
    light, dark = (
        ";".join(f"{name}:{value}" for name, value in palette.custom_properties(look).items())
        for look in ("light", "dark")
    )
    return (
        f":root{{{light}}}\n"
        f"@media screen and (prefers-color-scheme:dark){{:root:not([data-theme=light]){{{dark}}}}}\n"
        f"@media screen{{:root[data-theme=dark]{{{dark}}}}}\n"
    )


def colours_url(visit: Visit) -> str:
    return visit.url("map_colours", hash=hashlib.sha256(_colours().encode()).hexdigest()[:16])


@page("/maps/{hash}.css", name="map_colours", may=Permission.READ_PUBLIC)
def map_colours(visit: Visit) -> Response:
    """What pages colour their pins, outlines and plans with: the colours of the tiles."""
    is_current = visit.request.path_params["hash"] in colours_url(visit)
    headers = {"Cache-Control": FOR_EVER if is_current else "no-cache"}
    return compressed(
        visit, gzip.compress(_colours().encode(), 6, mtime=0), "text/css; charset=utf-8", headers
    )


@dataclass(frozen=True)
class Canvas:
    """The map as a page includes it: the fragment, and its classic scripts in their order."""

    fragment: Markup
    scripts: tuple[str, ...]


def canvas_of(
    visit: Visit,
    ground: BaseMap,
    procedure: Procedure | None,
    data: Mapping[str, str],
    *,
    only_ours: bool = False,
) -> Canvas:
    """The map with what its script needs to know (`data-*`). `only_ours`: none of the map services of others."""
    look = "dark" if visit.theme == "dark" else "light"
    skeleton = _skeleton(visit, ground, procedure, look, tuple(data.items()), only_ours=only_ours)
    slug = procedure.slug if procedure else ""
    dark = look if look == "dark" else ""
    asked = {"plan": slug, "look": dark, "ebenen": ground.shown, "nur": "eigene" if only_ours else ""}
    script = visit.url("map_script", hash=skeleton.hash[:16], **asked)
    # The fragment is made by geo.maps of escaped attributes.
    fragment = Markup(skeleton.html)
    return Canvas(fragment, (*skeleton.js_urls, script))


def styles(visit: Visit, *, with_canvas: bool) -> tuple[str, ...]:
    own = (colours_url(visit), visit.static("css/map.css"))
    return (visit.static("vendor/leaflet/leaflet.css"), *own) if with_canvas else own


#: What the script says; `{}`, `{lat}` and `{lon}` stand for numbers.
_WORDS: Mapping[str, str] = {
    "one": N_("1 contribution in view"),
    "many": N_("{} contributions in view"),
    "about": N_("About {} contributions in view"),
    "none": N_("No contributions in view"),
    "alone": N_("1 contribution, show more closely"),
    "cluster": N_("{} contributions, show more closely"),
    "spot": N_("{} contributions at this spot, show as a list"),
    "read": N_("Read the whole contribution"),
    "close": N_("Close"),
    "place": N_("Chosen place"),
    "spelled": N_("{lat}° north, {lon}° east"),
    "chosen": N_("Place chosen. What do you want to do here?"),
    "failed": N_("The contributions cannot be loaded at the moment. The list has all of them."),
    "point": N_("Point {} set"),
    "removed": N_("Last point removed"),
    "tooFew": N_("A line needs two points, an area three."),
    "tooMany": N_("That is as many points as can be sent. Please finish the drawing."),
    "crossing": N_("The outline crosses itself. Please remove the last point and set it elsewhere."),
    "line": N_("Line drawn. What do you want to say about it?"),
    "area": N_("Area drawn. What do you want to say about it?"),
    "belongs": N_("This belongs to"),
    "nothing": N_("Nothing can be handed in here at the moment."),
    "unknown": N_(
        "It cannot be found out at the moment where what you say about this place goes. Please choose it again."
    ),
    "drawing": N_(
        "Drawing: click on the map, or move it with the arrow keys and press Enter to set a point in its middle."
    ),
    "here": N_("What is here"),
    "oneHere": N_("1 object here"),
    "manyHere": N_("{} objects here"),
    "aboutIt": N_("More, and say something about it"),
    "noPicture": N_("The layer “{}” cannot be shown at the moment."),
    "cancelled": N_("Drawing ended, nothing was kept."),
}


def script_words(visit: Visit) -> str:
    """What the script says, in the visitor's language, as JSON."""
    return json.dumps({name: visit.gettext(text) for name, text in _WORDS.items()}, ensure_ascii=False)
