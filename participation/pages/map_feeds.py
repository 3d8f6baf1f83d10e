"""What the script of a map asks for: the contributions in a view, and the plan area."""

import gzip
import hashlib
import json

from starlette.responses import Response

from consultations import journal, published
from consultations.permissions import Permission
from consultations.procedures import localised
from consultations.published import Entry, InView
from participation import things
from participation.pages.contributions_list import KINDS, open_procedure
from participation.pages.map_filters import narrowed
from participation.pages.map_ground import Bounds, compressed
from participation.pages.with_parts import Whole, whole_of
from participation.web import Visit, page

EXCERPT = 160
#: Corners of drawn lines and areas that one view of the feed gives at most.
VERTICES = 3000


@page("/beteiligungen/{slug}/karte.json", name="hearing_map_feed", may=Permission.READ_PUBLIC)
def hearing_map_feed(visit: Visit) -> Response:
    """What lies in a view, of the consultation and its parts (`bbox=west,south,east,north` in degrees, `zoom`): single contributions or clusters.

    The ETag is the journal's revision with what was asked, so a browser that has it is told so before anything is
    looked up. Answers 400 with `{"error": {"field", "message"}}` for what is no view.
    """
    procedure = open_procedure(visit)
    try:
        bounds, zoom = _asked_view(visit)
    except _Unreadable as problem:
        error = {"error": {"field": problem.field, "message": problem.message}}
        return Response(
            json.dumps(error, ensure_ascii=False), 400, media_type="application/json; charset=utf-8"
        )
    revision = journal.revision(visit.session, visit.municipality_id)
    named = f"{visit.request.url.query} {visit.language} {procedure.id}"
    etag = f'"{revision}-{hashlib.sha256(named.encode()).hexdigest()[:16]}"'
    headers = {"ETag": etag, "Cache-Control": "no-cache", "Vary": "Accept-Encoding"}
    if etag in visit.request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    whole = whole_of(visit, procedure)
    wanted = narrowed(visit, whole).wanted
    shown = published.in_view(visit.session, procedure.id or 0, wanted, bounds, zoom)
    body = gzip.compress(_feed(visit, whole, shown, zoom).encode(), 5, mtime=0)
    return compressed(visit, body, "application/json; charset=utf-8", headers)


class _Unreadable(Exception):
    """A parameter of the feed that cannot be read."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(field, message)
        self.field = field
        self.message = message


def _asked_view(visit: Visit) -> tuple[Bounds, int]:
    asked = visit.request.query_params
    try:
        west, south, east, north = (float(part) for part in asked.get("bbox", "").split(","))
    except ValueError:
        message = visit.gettext("bbox needs four numbers: west,south,east,north in degrees.")
        raise _Unreadable("bbox", message) from None
    if not (-180 <= west < east <= 180 and -90 <= south < north <= 90):
        message = visit.gettext("bbox has to go from west to east and from south to north, in degrees.")
        raise _Unreadable("bbox", message)
    zoom = asked.get("zoom", "")
    if not zoom.isdecimal() or len(zoom) > 2 or int(zoom) > 22:
        raise _Unreadable("zoom", visit.gettext("zoom has to be a whole number from 0 to 22."))
    return (west, south, east, north), int(zoom)


def _feed(visit: Visit, whole: Whole, shown: InView, zoom: int) -> str:
    resolution = 156_543 / 2**zoom * 0.66  # metres of a pixel in the middle of Germany
    shapes = published.outlines(shown.entries, tolerance=resolution, vertices=VERTICES)
    entries = [
        feed_entry(visit, whole, entry)
        | ({"shape": json.loads(shapes[entry.id])} if entry.id in shapes else {})
        for entry in shown.entries
    ]
    clusters = [[round(each.lon, 5), round(each.lat, 5), each.count] for each in shown.clusters]
    feed = {"total": shown.total, "exact": shown.is_exact, "entries": entries, "clusters": clusters}
    return json.dumps(feed, ensure_ascii=False, separators=(",", ":"))


def feed_entry(visit: Visit, whole: Whole, entry: Entry) -> dict[str, object]:
    where = (
        things.in_words(entry.thing, entry.elevation, visit.language) if entry.thing else entry.place_words
    )
    return {
        "ref": entry.reference,
        "url": visit.url("published_contribution", slug=whole.owner(entry).slug, reference=entry.reference),
        "kind": visit.gettext(KINDS[entry.kind]),
        "title": entry.heading,
        "text": published.shortened(entry.text, EXCERPT) if entry.title else "",
        **({"where": where} if where else {}),
        **({"part": part} if (part := whole.part(visit, entry)) else {}),
        "lon": round(entry.lon or 0.0, 6),
        "lat": round(entry.lat or 0.0, 6),
    }


@page("/beteiligungen/{slug}/gebiet.json", name="plan_area", may=Permission.READ_PUBLIC, shared=True)
def plan_area(visit: Visit) -> Response:
    """The plan area as a GeoJSON feature (RFC 7946)."""
    procedure = open_procedure(visit)
    if procedure.plan_area is None:
        visit.not_found()
    shape = published.geojson(procedure.plan_area)
    title = json.dumps({"title": localised(procedure, visit.language, "title")}, ensure_ascii=False)
    body = f'{{"type":"Feature","properties":{title},"geometry":{shape}}}'
    return Response(body, media_type="application/geo+json")
