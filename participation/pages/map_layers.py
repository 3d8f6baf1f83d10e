"""What lies on a map besides base map and plan, in words: the legend, and what a layer says of its objects."""

from dataclasses import dataclass

from starlette.responses import Response

from consultations.permissions import Permission
from consultations.places import LayerRole
from consultations.procedures import Procedure, localised
from geo.layers import Contents, contents
from geo.strokes import other_look
from participation.pages.contributions_list import open_procedure
from participation.pages.map_ground import drawn_layers, local_copy
from participation.web import Visit, page

#: Objects of a layer that its page tells one by one.
ROWS_SHOWN = 200


@dataclass(frozen=True)
class LegendLine:
    """A layer of the legend: how it is drawn (colour of the palette, dashes), what it is, and where its words are."""

    title: str
    colour: str
    dashes: str
    attribution: str
    url: str


def legend_of(visit: Visit, procedure: Procedure) -> tuple[LegendLine, ...]:
    """The layers beside base map and plan, as the map draws them."""
    others = [layer for _role, layer in drawn_layers(visit, procedure) if layer.role == LayerRole.OTHER.value]
    return tuple(
        LegendLine(
            layer.title,
            *other_look(number),
            layer.attribution,
            visit.url("map_layer", slug=procedure.slug, layer=layer.id),
        )
        for number, layer in enumerate(others)
    )


@dataclass(frozen=True)
class LayerPage:
    """What a layer says of its objects."""

    title: str
    hearing_title: str
    map_url: str
    source: str
    licence: str
    attribution: str
    contents: Contents | None


@page(
    "/beteiligungen/{slug}/karte/ebenen/{layer:int}",
    name="map_layer",
    may=Permission.READ_PUBLIC,
    shared=True,
)
def map_layer(visit: Visit) -> Response:
    """A layer of the map as a table, for whoever does not see the map."""
    procedure = open_procedure(visit)
    wanted = visit.request.path_params["layer"]
    found = next((each for _role, each in drawn_layers(visit, procedure) if each.id == wanted), None)
    if found is None or found.role != LayerRole.OTHER.value:
        visit.not_found()
    path = local_copy(visit, found)
    return visit.render(
        "maps/layer.html",
        LayerPage(
            title=found.title,
            hearing_title=localised(procedure, visit.language, "title"),
            map_url=visit.url("hearing_map", slug=procedure.slug),
            source=found.source,
            licence=found.licence,
            attribution=found.attribution,
            contents=contents(path, limit=ROWS_SHOWN) if path else None,
        ),
    )
