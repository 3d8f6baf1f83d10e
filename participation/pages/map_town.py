"""The town's map: all consultations at once, as a map, as a plan without JavaScript, and as a list."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup
from starlette.responses import Response

from consultations import procedures, published
from consultations.permissions import Permission
from consultations.procedures import Procedure
from geo.plans import Pin, static_plan_svg
from geo.views import View
from participation import overview
from participation.pages.home import cards_of as hearing_cards
from participation.pages.map_canvas import Canvas, canvas_of, script_words, styles
from participation.pages.map_ground import BaseMap, base_map, sources_at, town_bounds
from participation.pages.map_plan import PLAN_SIZE
from participation.web import Visit, page


@dataclass(frozen=True)
class TownMapPage:
    """The map of all consultations, and the same as a list."""

    styles: tuple[str, ...]
    canvas: Canvas | None
    plan_svg: Markup
    #: The same as a plan, for who has no JavaScript.
    plan_url: str
    attribution: str
    cards: tuple[tuple[int, overview.Card], ...]
    #: Those without a place.
    elsewhere: tuple[overview.Card, ...]


@page("/karte", name="map", may=Permission.READ_PUBLIC, shared=True)
def town_map(visit: Visit) -> Response:
    """All consultations on one map."""
    located, elsewhere = _consultations(visit)
    ground = base_map(visit)
    is_plan = visit.request.query_params.get("ansicht") == "plan"
    data = {"plans": visit.url("map_feed"), "words": script_words(visit)}
    return visit.render(
        "maps/town.html",
        TownMapPage(
            styles=styles(visit, with_canvas=not is_plan),
            canvas=None if is_plan else canvas_of(visit, ground, None, data),
            plan_svg=_town_plan(visit, ground, located) if is_plan else Markup(),
            plan_url=visit.url("map", ansicht="plan"),
            attribution=ground.attribution,
            cards=tuple(enumerate((card for _each, card in located), start=1)),
            elsewhere=tuple(elsewhere),
        ),
    )


def _town_plan(visit: Visit, ground: BaseMap, located: Sequence[tuple[Procedure, overview.Card]]) -> Markup:
    view = View.around(town_bounds(visit), *PLAN_SIZE)
    svg = static_plan_svg(
        sources_at(ground, view.zoom),
        view,
        title=visit.gettext("Plan of the town with all consultations"),
        areas=[each.plan_area for each, _card in located if each.plan_area],
        pins=[
            Pin(
                each.lon or 0.0,
                each.lat or 0.0,
                visit.url("hearing", slug=card.slug),
                f"{number}: {card.title} ({card.state_text})",
                str(number),
            )
            for number, (each, card) in enumerate(located, start=1)
        ],
    )
    return Markup(svg)


def _consultations(visit: Visit) -> tuple[list[tuple[Procedure, overview.Card]], list[overview.Card]]:
    """The public consultations in the order in which people need them: those with a place, and the others."""
    found = procedures.public(visit.session, visit.municipality_id)
    by_slug = {each.slug: each for each in found}
    cards = hearing_cards(visit, found)
    located = [(by_slug[card.slug], card) for card in cards if card.lon is not None]
    return located, [card for card in cards if card.lon is None]


@page("/karte.json", name="map_feed", may=Permission.READ_PUBLIC, shared=True)
def map_feed(visit: Visit) -> Response:
    """The plan areas of all public consultations as GeoJSON, numbered as the page lists them."""
    located, _elsewhere = _consultations(visit)
    features = [
        {
            "type": "Feature",
            "properties": {
                "number": number,
                "title": card.title,
                "state": card.state_text,
                "standing": card.standing,
                "url": visit.url("hearing", slug=card.slug),
                "lon": each.lon,
                "lat": each.lat,
            },
            "geometry": json.loads(published.geojson(each.plan_area, tolerance=3.0))
            if each.plan_area
            else None,
        }
        for number, (each, card) in enumerate(located, start=1)
    ]
    collection = {"type": "FeatureCollection", "features": features}
    return Response(json.dumps(collection, ensure_ascii=False), media_type="application/geo+json")
