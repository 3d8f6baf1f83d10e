"""A consultation on somebody else's website: its map or its proposals in a frame, and the page that says how.

What is framed asks nobody but this server, sets no cookie, takes in nothing and is the same for everybody. Its links open
in a window of their own: no other page of ours may be framed.
"""

import json
from dataclasses import asdict, dataclass, replace

from markupsafe import Markup
from starlette.datastructures import FormData
from starlette.responses import Response
from wtforms import Form, RadioField, SelectField
from wtforms.fields import SelectChoice

from consultations import proposal_lists, proposals, published
from consultations.permissions import Permission
from consultations.proposal_lists import Order
from participation.pages.contributions_list import open_procedure
from participation.pages.map_canvas import Canvas, canvas_of, script_words, styles
from participation.pages.map_filters import FRAME_NAMES, list_address, list_around, narrowed
from participation.pages.map_ground import NOTHING, base_map, choice_asked
from participation.pages.map_layers import overlays_of
from participation.pages.map_plan import Plan, plan_of, view_of
from participation.pages.proposals_list import IN_FRAME, PARAMETERS, ListForm, asked_of, known_of
from participation.pages.seen_through import title_of
from participation.pages.with_parts import whole_of
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


def _search_asked(visit: Visit) -> dict[str, str]:
    """What narrows the list in the frame, by the names that the list itself gives it."""
    asked = visit.request.query_params
    found = {name: asked.get(IN_FRAME.get(name, name), "")[:200] for name in PARAMETERS.values()}
    return {name: value for name, value in found.items() if value}


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
    search = _search_asked(visit)
    whole = whole_of(visit, procedure)
    asked = asked_of(visit, whole, visit.form(ListForm, sent=FormData(search)))
    found = proposal_lists.listed(
        visit.session,
        procedure.id or 0,
        asked.wanted,
        order=Order.CHANCE,
        seed=f"{visit.today:%G-%V}",
        limit=EMBEDDED,
        known=known_of(visit, procedure.id or 0, asked.wanted),
    )
    lines = tuple(
        (
            entry.heading,
            entry.text[:200],
            entry.language,
            visit.absolute("proposal", slug=whole.owner(entry).slug, reference=entry.reference),
        )
        for entry in published.by_ids_of_several(visit.session, (whole.key, *whole.keys_of_parts), found.ids)
    )
    framed = ListFrame(
        title_of(visit, procedure),
        found.total,
        lines,
        visit.absolute("proposals", slug=procedure.slug, **search),
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
    whole = whole_of(visit, procedure)
    shown = narrowed(visit, whole, framed=True)
    filters, everything = shown.filters, replace(shown.wanted, has_place=True)
    ground = base_map(visit, procedure, NOTHING)
    overlays = [asdict(each) for each in overlays_of(visit, procedure, layers)]
    data = {
        "feed": visit.url("hearing_map_feed", slug=slug, **filters),
        "list": list_around(visit, procedure, shown),
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
            whole,
            {"slug": slug, **filters, "ansicht": "plan"},
            everything,
            view_of(visit, procedure),
            plan_ground,
            None,
            False,
            new_window=True,
        ),
        visit.absolute("hearing_map", slug=slug, **filters),
        list_address(visit, procedure, shown, absolute=True),
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
    #: What narrows the frame: name and value as an address carries them.
    kept: tuple[tuple[str, str], ...]
    #: The same frame with everything in it.
    everything_url: str


@page("/beteiligungen/{slug}/einbetten", name="embedding", may=Permission.READ_PUBLIC, shared=True)
def embedding(visit: Visit) -> Response:
    """How to show the consultation on one's own website: choose, look at it, copy the words."""
    procedure = open_procedure(visit)
    whole = whole_of(visit, procedure)
    form = visit.form(EmbeddingForm)
    offered = (
        dict(FRAMES)
        if proposals.how_many(visit.session, whole.key, *whole.keys_of_parts)
        else {"karte": FRAMES["karte"]}
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
    asked = visit.request.query_params
    names = FRAME_NAMES if what == "karte" else [IN_FRAME.get(name, name) for name in PARAMETERS.values()]
    kept = {name: asked[name][:200] for name in names if asked.get(name)}
    path = path_for(offered[what][0], slug=procedure.slug, sprache=language, **kept)
    code = Markup(
        '<iframe src="{}" title="{}" lang="{}" width="100%" height="{}" loading="lazy"></iframe>'
    ).format(visit.base + path, frame_title, language, HEIGHT)
    response = visit.render(
        "embedding/how.html",
        EmbeddingPage(
            hearing_title,
            procedure.slug,
            str(code),
            path,
            frame_title,
            HEIGHT,
            len(offered) > 1,
            # Also what the other frame would understand: whoever changes their mind loses nothing.
            tuple(
                (name, asked[name][:200])
                for name in {**dict.fromkeys(FRAME_NAMES), **dict.fromkeys(names)}
                if asked.get(name)
            ),
            visit.url("embedding", slug=procedure.slug, was=what, sprache=language) if kept else "",
        ),
        form=form,
    )
    response.headers["Content-Security-Policy"] = (
        content_security_policy(visit.house.settings) + "; frame-src 'self'"
    )
    return response
