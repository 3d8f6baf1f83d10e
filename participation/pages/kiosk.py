"""A touch table in the town hall: one consultation on a screen for everybody, that begins anew after each visitor.

A planner makes a device the table of a consultation, and is signed out there. From then on a signed cookie says that
what comes from this device comes from a public terminal (`channels.TERMINAL`), by the same forms and the same door as
everything else. The screen's own behaviour (large targets, beginning anew, printing) is static/js/kiosk.js; whoever
begins anew also ends what the visitor before left open.
"""

import hashlib
import hmac
import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from starlette.responses import Response

from consultations import channels, procedures, variants
from consultations.channels import Channel
from consultations.drafts import Draft
from consultations.permissions import Permission
from consultations.places import LayerRole
from consultations.procedures import Procedure, localised
from participation import cityscape, identity
from participation.identity import COOKIE
from participation.pages.contributions_list import open_procedure
from participation.pages.map_plan import Way
from participation.pages.maps import ways_of
from participation.pages.planning_forms import Head, head_of, planned
from participation.web import Visit, page

#: Marks a message for the catalogues.
N_ = str

TABLE_COOKIE = "digilog_table"
SINCE_COOKIE = "digilog_table_since"
#: A table is set up anew after this time.
LASTS = timedelta(days=60)
#: Seconds without a touch after which the screen asks, and then begins anew.
ASKS_AFTER, BEGINS_AFTER = 90, 30


@dataclass(frozen=True)
class TablePage:
    """The first screen of a table: what one can do here."""

    title: str
    slug: str
    teaser: str
    city_url: str
    sunlight_url: str
    map_url: str
    list_url: str
    ways: tuple[Way, ...]
    variants: int
    #: What the script of the table knows, as JSON.
    settings: str


@dataclass(frozen=True)
class SetUpPage:
    """How a device becomes a table, and how it ends."""

    head: Head
    #: Whether this device is one already.
    is_table: bool
    table_url: str


def _signed(visit: Visit, procedure_id: int, ends: int) -> str:
    words = f"{visit.municipality_id}.{procedure_id}.{ends}"
    mark = hmac.new(visit.house.link_key, f"table {words}".encode(), hashlib.sha256).hexdigest()
    return f"{procedure_id}.{ends}.{mark}"


def table_of(visit: Visit) -> int | None:
    """The consultation whose table this device is, or None."""
    kept = visit.request.cookies.get(TABLE_COOKIE, "")
    number, _, rest = kept.partition(".")
    ends = rest.partition(".")[0]
    if not (number.isdecimal() and ends.isdecimal() and len(number) < 10 and len(ends) < 12):
        return None
    if not hmac.compare_digest(kept, _signed(visit, int(number), int(ends))):
        return None
    return int(number) if int(ends) > visit.now.timestamp() else None


def channel_of(visit: Visit, procedure: Procedure) -> Channel:
    """By which channel something comes that is handed in with the public form."""
    return channels.TERMINAL if table_of(visit) == procedure.id else channels.WEB


def is_over(visit: Visit, draft: Draft) -> bool:
    """Whether a draft belongs to somebody who has left this table: the next one is not to see it."""
    since = visit.request.cookies.get(SINCE_COOKIE, "")
    if table_of(visit) is None or not since.isdecimal() or len(since) > 12:
        return False
    return draft.created_at < datetime.fromtimestamp(int(since), UTC)


@page("/beteiligungen/{slug}/tisch", name="table", may=Permission.READ_PUBLIC)
def table(visit: Visit) -> Response:
    """The first screen. Coming here ends what was left open on a table (`TABLE_COOKIE`)."""
    procedure = open_procedure(visit)
    if table_of(visit) == procedure.id:
        _forget(visit)
        visit.set_cookie(SINCE_COOKIE, str(int(visit.now.timestamp())), max_age=int(LASTS.total_seconds()))
    slug = procedure.slug
    has_city = procedure.plan_area is not None and (
        LayerRole.CITY_MODEL in cityscape.layers_in_force(visit.session, procedure)
    )
    settings = {
        "start": visit.url("table", slug=slug),
        "script": visit.static("js/kiosk.js"),
        "style": visit.static("css/kiosk.css"),
        "asksAfter": ASKS_AFTER,
        "beginsAfter": BEGINS_AFTER,
        "words": {name: visit.gettext(text) for name, text in _WORDS.items()},
    }
    return visit.render(
        "kiosk/table.html",
        TablePage(
            title=localised(procedure, visit.language, "title"),
            slug=slug,
            teaser=localised(procedure, visit.language, "summary"),
            city_url=visit.url("city", slug=slug) if has_city else "",
            sunlight_url=visit.url("sunlight", slug=slug) if has_city else "",
            map_url=visit.url("hearing_map", slug=slug),
            list_url=visit.url("contributions_list", slug=slug),
            ways=ways_of(visit, procedure),
            variants=len(variants.variants_of(visit.session, procedure.id or 0)),
            settings=json.dumps(settings, ensure_ascii=False),
        ),
    )


def _forget(visit: Visit) -> None:
    """Let the browser forget whatever the visitor before left in it: who is signed in, a contribution or a proposal opened
    with a code, what was supported. Only that it is a table stays."""
    for name in visit.request.cookies.keys() - {TABLE_COOKIE, SINCE_COOKIE}:
        if name.startswith("digilog_") and name.isidentifier() and name.isascii():
            visit.set_cookie(name, "", max_age=0)


_WORDS = {
    "still": N_("Are you still there?"),
    "soon": N_("In {} seconds everything begins anew for the next visitor, and what was not sent is gone."),
    "stay": N_("Yes, go on"),
    "anew": N_("Begin anew"),
    "print": N_("Print the receipt"),
}


@page(
    "/verwaltung/planung/{id:int}/tisch", name="planning_table", may=Permission.PLAN, methods=("GET", "POST")
)
def set_up(visit: Visit) -> Response:
    """Make this device the table of a consultation (`do=begin`), or an ordinary one again (`do=end`)."""
    procedure = planned(visit)
    if not visit.is_post:
        content = SetUpPage(
            head_of(visit, procedure),
            table_of(visit) is not None,
            visit.url("table", slug=procedure.slug),
        )
        return visit.render("kiosk/set_up.html", content)
    if visit.form_data.get("do") == "end" or procedure.state not in procedures.PUBLIC_STATES:
        for name in (TABLE_COOKIE, SINCE_COOKIE):
            visit.set_cookie(name, "", max_age=0)
        return visit.redirect("planning_table", id=procedure.id)
    ends = int((visit.now + LASTS).timestamp())
    visit.set_cookie(
        TABLE_COOKIE, _signed(visit, procedure.id or 0, ends), max_age=int(LASTS.total_seconds())
    )
    # Nobody who touches the table is to find a planner signed in.
    identity.sign_out(visit.session, visit.request.cookies.get(COOKIE, ""), now=visit.now)
    visit.set_cookie(COOKIE, "", max_age=0)
    return visit.redirect("table", slug=procedure.slug)
