"""Pictures of plans and of the town, as files that pages show."""

import gzip
import hashlib
from collections.abc import Callable, Hashable, Sequence

from starlette.responses import Response

from consultations import places
from consultations.permissions import Permission
from consultations.procedures import ProcedureState, localised
from participation import overview
from participation.house import KeptPage
from participation.overview import Look
from participation.pages.hearings import procedure_of
from participation.pages.home import town_view
from participation.pages.map_ground import base_map
from participation.web import Visit, page

#: How long a browser keeps a picture without asking again.
PICTURE_SECONDS = 24 * 3600


@page("/beteiligungen/{slug}/plan.svg", name="plan_picture", may=Permission.READ_PUBLIC)
def plan_picture(visit: Visit) -> Response:
    """The plan area in its surroundings; `size`: a key of overview.PLAN_SIZES, `look`: light or dark."""
    procedure = procedure_of(visit)
    if procedure.plan_area is None:
        visit.not_found()
    asked = visit.request.query_params.get("size", "")
    size = overview.PLAN_SIZES.get(asked, overview.PLAN_SIZES[""])
    title = localised(procedure, visit.language, "title")

    def draw() -> str:
        return overview.plan_picture(procedure, base_map(visit, procedure).sources, size, _look(visit), title)

    drawn = _picture(visit, ("plan", procedure.id, procedure.version, size, title), draw)
    if procedure.state == ProcedureState.DRAFT.value:
        drawn.headers["Cache-Control"] = "no-store"
    return drawn


@page("/stadtplan.svg", name="town_plan", may=Permission.READ_PUBLIC)
def town_plan(visit: Visit) -> Response:
    """The base map of the whole town, for the overview."""
    view = town_view(visit)
    if view is None:
        visit.not_found()

    def draw() -> str:
        sources = [source for source in base_map(visit).sources if source.role in _OVERVIEW]
        return overview.town_picture(view, sources, _look(visit), visit.municipality.name)

    return _picture(visit, ("town", view), draw)


#: What can be seen from so far away.
_OVERVIEW = frozenset({"boundary", "districts", "water", "green", "streets"})


def _look(visit: Visit) -> Look:
    """The look that a picture was asked for in its address: pictures do not see the page's."""
    asked = visit.request.query_params.get("look")
    return "light" if asked == "light" else "dark" if asked == "dark" else "system"


def _picture(visit: Visit, subject: Sequence[Hashable], draw: Callable[[], str]) -> Response:
    """An SVG document that brings its own colours and runs nothing; drawn once for a subject, a look and the layers
    that the town has."""
    layers = tuple(layer.id for layer in places.layers_of(visit.session, visit.municipality_id))
    key = ("picture", visit.municipality_id, *subject, _look(visit), layers)
    kept = visit.house.kept.get(key)
    if kept is None:
        body = draw().encode()
        etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
        kept = KeptPage(body, gzip.compress(body, 6, mtime=0), etag, "image/svg+xml")
        visit.house.keep(key, kept)
    headers = {
        "Cache-Control": f"public, max-age={PICTURE_SECONDS}",
        "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox",
        "ETag": kept.etag,
        "Vary": "Accept-Encoding",
    }
    if "gzip" in visit.request.headers.get("accept-encoding", ""):
        return Response(
            kept.compressed, media_type=kept.content_type, headers=headers | {"Content-Encoding": "gzip"}
        )
    return Response(kept.body, media_type=kept.content_type, headers=headers)
