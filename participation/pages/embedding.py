"""A consultation on somebody else's website: its map or its proposals in a frame, and the page that says how.

What is framed asks nobody but this server, sets no cookie, takes in nothing and is the same for everybody. Its links open
in a window of their own: no other page of ours may be framed.
"""

import json
from dataclasses import asdict, dataclass

from markupsafe import Markup
from starlette.responses import Response
from wtforms import Form, RadioField, SelectField
from wtforms.fields import SelectChoice

from consultations import proposal_lists, proposals, published
from consultations.permissions import Permission
from consultations.proposal_lists import Order, Wanted
from participation.pages.contributions_list import open_procedure
from participation.pages.map_canvas import Canvas, canvas_of, script_words, styles
from participation.pages.map_ground import NOTHING, base_map, choice_asked
from participation.pages.map_layers import overlays_of
from participation.pages.map_plan import Plan, plan_of, view_of
from participation.pages.seen_through import title_of
from participation.security import content_security_policy
from participation.settings import LANGUAGES
from participation.web import Visit, page, path_for

#: Marks a message for the catalogues.
N_ = str

#: Proposals in a frame on another site.
EMBEDDED = 8
#: What a frame may do: show words in the town's look, and nothing else. Any site may frame it: it is the same for all.
LIST_POLICY = (
    "default-src 'none'; style-src 'self'; font-src 'self'; img-src 'self'; form-action 'none'; base-uri 'none';"
    " frame-ancestors *"
)
#: The map runs our own script, which asks this server for contributions and tiles. (Leaflet shows an empty picture as data.)
MAP_POLICY = (
    "default-src 'none'; script-src 'self'; connect-src 'self'; style-src 'self'; font-src 'self';"
    " img-src 'self' data:; form-action 'none'; base-uri 'none'; frame-ancestors *"
)
#: Pixels of a frame as the page proposes it; its width is that of what stands around it.
HEIGHT = 600


def _speak(visit: Visit) -> None:
    """Answer in the language that the address asks for (`sprache`), if the town speaks it."""
    asked = visit.request.query_params.get("sprache", "")
    if asked in visit.languages:
        visit.language = asked


def _framed(response: Response, policy: str) -> Response:
    response.headers["Content-Security-Policy"] = policy
    # A page that isolates itself may frame it, too.
    response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    return response


@dataclass(frozen=True)
class ListFrame:
    """A few proposals: title, words, address."""

    hearing_title: str
    total: int
    #: Title, beginning of the text, the language of both, address.
    lines: tuple[tuple[str, str, str, str], ...]
    whole_url: str


@page(
    "/beteiligungen/{slug}/vorschlaege/einbetten",
    name="proposals_embed",
    may=Permission.READ_PUBLIC,
    shared=True,
)
def proposals_embed(visit: Visit) -> Response:
    """Proposals for a frame: no script, no form, no cookie."""
    procedure = open_procedure(visit)
    _speak(visit)
    found = proposal_lists.listed(
        visit.session,
        procedure.id or 0,
        Wanted(),
        order=Order.CHANCE,
        seed=f"{visit.today:%G-%V}",
        limit=EMBEDDED,
    )
    lines = tuple(
        (
            entry.heading,
            entry.text[:200],
            entry.language,
            visit.absolute("proposal", slug=procedure.slug, reference=entry.reference),
        )
        for entry in published.by_ids(visit.session, procedure.id or 0, found.ids)
    )
    framed = ListFrame(
        title_of(visit, procedure), found.total, lines, visit.absolute("proposals", slug=procedure.slug)
    )
    return _framed(visit.render("embedding/list.html", framed), LIST_POLICY)


@dataclass(frozen=True)
class MapFrame:
    """The map with its script, and the plan for who runs none."""

    hearing_title: str
    styles: tuple[str, ...]
    canvas: Canvas
    plan: Plan
    whole_url: str
    list_url: str


@page("/beteiligungen/{slug}/karte/einbetten", name="map_embed", may=Permission.READ_PUBLIC, shared=True)
def map_embed(visit: Visit) -> Response:
    """The map for a frame: to look at and to read on from; where no script runs, a plan whose pins are links.

    Only our own map, none of the services that a town may offer besides: nobody but this server is asked.
    """
    procedure = open_procedure(visit)
    _speak(visit)
    slug, layers = procedure.slug, choice_asked(visit)
    everything = published.Wanted(has_place=True)
    ground = base_map(visit, procedure, NOTHING)
    overlays = [asdict(each) for each in overlays_of(visit, procedure, layers)]
    data = {
        "feed": visit.url("hearing_map_feed", slug=slug),
        "list": visit.url("contributions_list", slug=slug, sortierung="nearest", umkreis=250),
        "words": script_words(visit),
        "overlays": json.dumps(overlays, ensure_ascii=False),
    }
    if procedure.plan_area:
        data["plan-area"] = visit.url("plan_area", slug=slug, v=procedure.version)
    plan_ground = base_map(visit, procedure, layers)
    framed = MapFrame(
        title_of(visit, procedure),
        styles(visit, with_canvas=True),
        canvas_of(visit, ground, procedure, data, only_ours=True),
        plan_of(
            visit,
            procedure,
            {"slug": slug, "ansicht": "plan"},
            everything,
            view_of(visit, procedure),
            plan_ground,
            None,
            False,
            new_window=True,
        ),
        visit.absolute("hearing_map", slug=slug),
        visit.absolute("contributions_list", slug=slug),
    )
    return _framed(visit.render("embedding/map.html", framed), MAP_POLICY)


# --- how it is done --------------------------------------------------------------------------------

#: What can be framed: by which name the address asks for it, and the page.
FRAMES = {"karte": ("map_embed", N_("The map")), "liste": ("proposals_embed", N_("A few proposals"))}
TITLES = {"karte": N_("Map: %(title)s"), "liste": N_("Proposals: %(title)s")}


class EmbeddingForm(Form):
    """What is shown, and in which language."""

    was = RadioField(
        N_("What shall your page show?"),
        choices=[SelectChoice(key, label) for key, (_, label) in FRAMES.items()],
        validate_choice=False,
    )
    sprache = SelectField(N_("In which language?"), choices=[], validate_choice=False)


@dataclass(frozen=True)
class EmbeddingPage:
    """What to copy, and how it looks."""

    hearing_title: str
    slug: str
    code: str
    preview_url: str
    frame_title: str
    height: int
    has_choice: bool


@page("/beteiligungen/{slug}/einbetten", name="embedding", may=Permission.READ_PUBLIC, shared=True)
def embedding(visit: Visit) -> Response:
    """How to show the consultation on one's own website: choose, look at it, copy the words."""
    procedure = open_procedure(visit)
    form = visit.form(EmbeddingForm)
    offered = (
        dict(FRAMES) if proposals.how_many(visit.session, procedure.id or 0) else {"karte": FRAMES["karte"]}
    )
    what = form.was.data if form.was.data in offered else "karte"
    form.was.data = what
    form.sprache.choices = [SelectChoice(code, LANGUAGES[code]) for code in visit.languages]
    language = form.sprache.data if form.sprache.data in visit.languages else visit.language
    form.sprache.data = language
    hearing_title = title_of(visit, procedure)
    spoken, visit.language = visit.language, language
    frame_title = visit.gettext(TITLES[what], title=title_of(visit, procedure))
    visit.language = spoken
    path = path_for(offered[what][0], slug=procedure.slug, sprache=language)
    code = Markup(
        '<iframe src="{}" title="{}" lang="{}" width="100%" height="{}" loading="lazy"></iframe>'
    ).format(visit.base + path, frame_title, language, HEIGHT)
    response = visit.render(
        "embedding/how.html",
        EmbeddingPage(hearing_title, procedure.slug, str(code), path, frame_title, HEIGHT, len(offered) > 1),
        form=form,
    )
    response.headers["Content-Security-Policy"] = (
        content_security_policy(visit.house.settings) + "; frame-src 'self'"
    )
    return response
