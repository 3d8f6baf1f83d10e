"""The list of proposals for everybody: narrowed, in an order that favours nobody; and what resembles what is typed."""

import hashlib
import hmac
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from starlette.responses import Response
from wtforms import Form, HiddenField, SelectField, StringField
from wtforms.fields import SelectChoice
from wtforms.validators import Length, Optional

from consultations import (
    channels,
    nearby,
    places,
    proposal_lists,
    proposing,
    published,
    voting,
)
from consultations.cocreation import Opening
from consultations.contributions import Kind
from consultations.permissions import Permission
from consultations.phases import phases_of
from consultations.procedures import localised
from consultations.proposal_lists import Order, Wanted
from participation import security
from participation.pages.contributions_list import Card, cards_of, open_procedure
from participation.pages.with_parts import Whole, whole_of
from participation.search_words import STATES
from participation.security import Action, check_rate
from participation.web import Visit, page

#: Marks a message for the catalogues.
N_ = str


def seed_of(visit: Visit, deal: str = "") -> str:
    """What shuffles lists for this visitor: of the town and of the order by chance that was dealt to them today."""
    about = f"{visit.municipality_id}\n{deal or visit.deal}"
    secret = visit.house.settings.secret.get_secret_value() or "digilog"
    return hmac.new(secret.encode(), about.encode(), hashlib.sha256).hexdigest()[:16]


class ListForm(Form):
    """What the list can be narrowed to, and how it is sorted."""

    q = StringField(N_("Words or reference"), [Optional(), Length(max=200)])
    thema = SelectField(N_("Topic"), choices=[], validate_choice=False)
    stadtteil = SelectField(N_("District"), choices=[], validate_choice=False)
    stand = SelectField(N_("State"), choices=[], validate_choice=False)
    weg = SelectField(N_("Handed in as"), choices=[], validate_choice=False)
    sprache = SelectField(N_("Language"), choices=[], validate_choice=False)
    nahe = StringField(N_("Near a street or place"), [Optional(), Length(max=200)])
    sortierung = SelectField(
        N_("Order"),
        choices=[
            SelectChoice("", N_("By chance")),
            SelectChoice(Order.NEWEST.value, N_("Newest first")),
            SelectChoice(Order.LITTLE_SEEN.value, N_("Little noticed first")),
            SelectChoice(Order.ENDS_SOON.value, N_("Ends soon first")),
            SelectChoice(Order.NEAREST.value, N_("Nearest first")),
        ],
        validate_choice=False,
    )
    #: Where the browser says that it is, in degrees; only when asked.
    lon = HiddenField(validators=[Optional(), Length(max=20)])
    lat = HiddenField(validators=[Optional(), Length(max=20)])


@dataclass(frozen=True)
class ListPage:
    """One page of the list."""

    hearing_title: str
    slug: str
    cards: tuple[Card, ...]
    total: int
    #: Whether those of parts are among them.
    has_parts: bool
    is_filtered: bool
    next_url: str
    first_url: str
    map_url: str
    propose_url: str
    #: The place that "near" was understood as; empty where none was asked for.
    near: str
    #: Whether a place was asked for that the town does not know.
    is_nowhere: bool
    #: Whether the list begins with what is nearest to that place, or where no place was said, to where the browser is.
    is_nearest_first: bool
    #: Whether the nearest were asked for without a place.
    is_placeless: bool
    near_me_url: str
    embed_url: str
    #: To be told of what is new and fits, by mail or as a feed. Never with where somebody is.
    follow_url: str
    feed_url: str
    #: The vote that runs: its question and address; empty where none does.
    vote: str
    vote_url: str


#: By which name of the address the list is narrowed to what; `near` is a place, and has more to it.
PARAMETERS: Mapping[str, str] = {
    "words": "q",
    "topic": "thema",
    "district": "stadtteil",
    "authoring": "stand",
    "channel": "weg",
    "language": "sprache",
    "near": "nahe",
}


@dataclass(frozen=True)
class Asked:
    """What an address asks of the list: narrowed to what, near to which place, and how that was typed."""

    wanted: Wanted
    place: places.Place | None
    near: str


def asked_of(visit: Visit, whole: Whole, form: ListForm, *, literal: bool = False) -> Asked:
    """Read what is asked, as far as the list offers it; the form is given its choices. `literal`: also what it does not
    offer, which nothing fits."""
    offered = visit.once_per_change(
        "facets of proposals",
        whole.key,
        whole.keys_of_parts,
        make=lambda: proposal_lists.facets(visit.session, whole.key, whole.keys_of_parts),
    )
    _choices(form.thema, offered.topics, lambda name: whole.subject(visit, name))
    _choices(form.stadtteil, offered.districts, lambda name: name)
    _choices(form.stand, offered.states, lambda name: STATES[name])
    _choices(form.weg, offered.channels, lambda name: channels.by_key(name).label)
    _choices(form.sprache, offered.languages, lambda name: name)
    near = (form.nahe.data or "").strip()[:200]
    found = places.find(visit.session, visit.municipality_id, near, limit=1) if near else []
    place = found[0] if found else None
    read = _as_typed if literal else _of
    wanted = Wanted(
        near=(place.lon, place.lat) if place is not None else None,
        words=(form.q.data or "")[:200],
        district=read(form.stadtteil.data, offered.districts),
        authoring=read(form.stand.data, offered.states),
        channel=read(form.weg.data, offered.channels),
        language=read(form.sprache.data, offered.languages),
        topic=read(form.thema.data, offered.topics),
        parts=whole.keys_of_parts,
    )
    return Asked(wanted, place, near)


def known_of(visit: Visit, procedure_id: int, wanted: Wanted) -> int | proposal_lists.Hits:
    """How many proposals there are, or for a search which, looked up once per change: every page and every visitor's order
    begin with it."""
    look = proposal_lists.hits if wanted.words.strip() else proposal_lists.how_many
    return visit.once_per_change(
        "proposals wanted", procedure_id, wanted, make=lambda: look(visit.session, procedure_id, wanted)
    )


def in_frame(search: Mapping[str, str]) -> dict[str, str]:
    """The same search as the address of a frame carries it, where `sprache` is the frame's own language."""
    return {IN_FRAME.get(name, name): value for name, value in search.items()}


#: What is called otherwise in a frame's address.
IN_FRAME: Mapping[str, str] = {"sprache": "verfasst"}


@page(
    "/beteiligungen/{slug}/vorschlaege",
    name="proposals",
    may=Permission.READ_PUBLIC,
    shared=True,
    dealt=True,
)
def list_page(visit: Visit) -> Response:
    """The proposals of a consultation, in an order that favours nobody."""
    procedure = open_procedure(visit)
    procedure_id = procedure.id or 0
    form = visit.form(ListForm)
    whole = whole_of(visit, procedure)
    said = asked_of(visit, whole, form)
    asked, asked_near, place = visit.request.query_params, said.near, said.place
    order = Order(form.sortierung.data) if form.sortierung.data in set(Order) else Order.CHANCE
    told = None if asked_near else nearby.typed_position(form.lon.data or "", form.lat.data or "")
    # A spot of the map at which several lie.
    spot_asked = asked.get("ort", "")[:40].split(",") if told is None and not asked_near else []
    on_map = nearby.typed_position(*spot_asked) if len(spot_asked) == 2 else None
    spot = place or told or on_map
    origin = (spot.lon, spot.lat) if spot is not None else None
    wants_nearest = order is Order.NEAREST
    if wants_nearest and origin is None:
        order = Order.CHANCE
    # Whoever asks for what is nearest to a place sees all, the nearest first.
    wanted = replace(said.wanted, near=None) if wants_nearest else said.wanted
    # Who goes on reading stays in the order that they began in, also after midnight.
    began, _, after = asked.get("nach", "")[:80].rpartition("~")
    deal = began if visit.is_deal(began) else visit.deal
    found = proposal_lists.listed(
        visit.session,
        procedure_id,
        wanted,
        order=order,
        seed=seed_of(visit, deal),
        after=after,
        origin=origin,
        known=known_of(visit, procedure_id, wanted),
    )
    following = f"{deal}~{found.next}" if found.next and order is Order.CHANCE else found.next
    entries = published.by_ids_of_several(visit.session, (procedure_id, *whole.keys_of_parts), found.ids)
    filters = {name: str(asked[name]) for name in (*form._fields, "ort") if asked.get(name)}
    here = {"slug": procedure.slug}
    search = {name: filters[name] for name in PARAMETERS.values() if name in filters}
    phases = phases_of(visit.session, procedure_id)
    vote = voting.running(visit.session, procedure, phases, visit.now)
    response = visit.render(
        "proposals/list.html",
        ListPage(
            hearing_title=localised(procedure, visit.language, "title"),
            slug=procedure.slug,
            cards=tuple(cards_of(visit, whole, entries, to="proposal")),
            has_parts=bool(whole.parts),
            total=found.total,
            is_filtered=any(
                value for name, value in filters.items() if name not in ("sortierung", "lon", "lat", "ort")
            ),
            next_url=visit.url("proposals", **here, **filters, nach=following) if following else "",
            first_url=visit.url("proposals", **here, **filters) if asked.get("nach") else "",
            # The map is narrowed to the same, and begins at the place.
            map_url=visit.url(
                "hearing_map",
                **here,
                art=Kind.PROPOSAL.value,
                **{**search, "nahe": search.get("nahe", "") if wanted.near else ""},
                platz=place.id if place is not None else "",
            ),
            propose_url=(
                visit.url("statement", **here, kind="proposal")
                if proposing.phase_that_opens(phases, Opening.PROPOSE, visit.now)
                else ""
            ),
            near=place.name
            if place is not None
            else visit.gettext("the chosen point")
            if on_map is not None
            else "",
            is_nowhere=bool(asked_near) and place is None,
            is_nearest_first=order is Order.NEAREST,
            is_placeless=wants_nearest and origin is None and not asked_near,
            near_me_url=visit.url(
                "proposals", **here, **{**filters, "nahe": "", "sortierung": Order.NEAREST.value}
            ),
            embed_url=visit.url(
                "embedding",
                **here,
                was="liste",
                # Whoever chooses the map there sees the same proposals.
                art=Kind.PROPOSAL.value if search else "",
                **in_frame(search),
            ),
            follow_url=visit.url("follow_search", **here, **search),
            feed_url=visit.url("proposals_feed", **here, **search),
            vote=vote.said(visit.language) if vote else "",
            vote_url=visit.url("vote", **here, phase=vote.phase_id) if vote else "",
        ),
        form=form,
    )
    if "lon" in filters:
        # Where somebody is, is kept nowhere, not even as the address of a page that is made once for all.
        response.headers["Cache-Control"] = "no-store"
    return response


@page("/beteiligungen/{slug}/vorschlaege.json", name="proposals_similar", may=Permission.READ_PUBLIC)
def similar(visit: Visit) -> Response:
    """While somebody types (`q`): the proposals that resemble it, as JSON with title and address."""
    procedure = open_procedure(visit)
    check_rate(visit.house.limiter, Action.SIMILAR, security.address_of(visit.request.scope))
    typed = visit.request.query_params.get("q", "")[:600]
    found = proposal_lists.similar(visit.session, procedure.id or 0, typed)
    entries = published.by_ids(visit.session, procedure.id or 0, [each.proposal_id for each in found])
    told = [
        {
            "title": f"{entry.heading} ({entry.reference})",
            "url": visit.url("proposal", slug=procedure.slug, reference=entry.reference),
        }
        for entry in entries
    ]
    return Response(json.dumps(told, ensure_ascii=False), media_type="application/json")


def _choices(select: SelectField, names: Sequence[str], label: Callable[[str], str]) -> None:
    select.choices = [SelectChoice("", N_("All")), *(SelectChoice(name, label(name)) for name in names)]


def _of(value: object, offered: Sequence[str]) -> str:
    return str(value) if value in offered else ""


def _as_typed(value: object, _offered: Sequence[str]) -> str:
    return str(value or "")[:200]
