"""The front door: start page, search, display settings, what the law wants on every website, feed and robots."""

import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta
from functools import cache
from importlib.metadata import PackageNotFoundError, version

import feedgenerator
from starlette.responses import RedirectResponse, Response
from wtforms import EmailField, Form, HiddenField, SelectField, StringField, TextAreaField
from wtforms.fields import SelectChoice
from wtforms.validators import Email, InputRequired, Length, Optional

from consultations import announcements, channels, feedback, nearby, places, procedures, publishing
from consultations.announcements import Announcement
from consultations.permissions import Permission
from consultations.phases import phases_of_all
from consultations.places import Place, PlaceKind
from consultations.procedures import Procedure, localised
from consultations.refusals import Refusal
from consultations.text import normalise
from participation import overview, theme
from participation.i18n import date_long
from participation.overview import Card, Pin, View
from participation.pages.place_words import PLACE_KINDS
from participation.security import Action, address_of, check_rate
from participation.settings import ROOT
from participation.shared_pages import DISPLAY_COOKIE, TEXT_SIZES, THEMES
from participation.web import PAGES, Visit, page

#: Marks a message for the catalogues.
N_ = str

#: How many ended consultations the start page shows before it links to the list.
PAST_SHOWN = 6
#: A year: how long a browser remembers colours and text size.
DISPLAY_SECONDS = 365 * 24 * 3600
#: How long a browser keeps the colours without asking again.
STYLE_SECONDS = 24 * 3600


# --- start page ------------------------------------------------------------------------------------


class SearchForm(Form):
    """Find by words, street or district."""

    q = StringField(N_("Topic, street or address"), [Optional(), Length(max=200)])
    district = SelectField(N_("District"), choices=[], validate_choice=False)
    place = HiddenField()
    lon = HiddenField()
    lat = HiddenField()


@dataclass(frozen=True)
class Start:
    """What the start page shows."""

    form: SearchForm
    running: tuple[Card, ...]
    coming: tuple[Card, ...]
    past: tuple[Card, ...]
    has_more_past: bool
    pins: tuple[Pin, ...]
    town_size: tuple[int, int] | None
    ways: "Ways"


@dataclass(frozen=True)
class Ways:
    """Addresses of what other rooms offer; empty where this installation has no such room."""

    map: str
    lookup: str


@page("/", name="home", may=Permission.READ_PUBLIC, shared=True)
def start(visit: Visit) -> Response:
    """Running and coming consultations, what became of the others, and how to find the one that concerns me."""
    cards = cards_of(visit, procedures.public(visit.session, visit.municipality_id))
    running = tuple(card for card in cards if card.standing == "open")
    coming = tuple(card for card in cards if card.standing == "soon")
    past = tuple(card for card in cards if card.standing not in ("open", "soon"))
    view = town_view(visit)
    return visit.render(
        "home/start.html",
        Start(
            form=_search_form(visit, cards),
            running=running,
            coming=coming,
            past=past[:PAST_SHOWN],
            has_more_past=len(past) > PAST_SHOWN,
            pins=overview.pins([*running, *coming], view) if view else (),
            town_size=(view.width, view.height) if view else None,
            ways=Ways(*(visit.url(name) if name in PAGES else "" for name in ("map", "lookup"))),
        ),
    )


def cards_of(visit: Visit, found: Sequence[Procedure]) -> list[Card]:
    """The consultations as cards, in the order in which people need them; two further queries, however many."""
    ids = [procedure.id for procedure in found if procedure.id is not None]
    phases = phases_of_all(visit.session, ids)
    words = publishing.closing_words(visit.session, ids)
    titles = {each.id: localised(each, visit.language, "title") for each in found}
    return overview.in_order(
        replace(
            overview.card(each, phases[each.id or 0], visit.now, visit.language, words.get(each.id or 0, "")),
            part_of=titles.get(each.part_of_id, "") if each.part_of_id else "",
        )
        for each in found
    )


def _search_form(visit: Visit, cards: Sequence[Card]) -> SearchForm:
    """The search form, with the districts that the town has imported or that consultations name."""
    form = visit.form(SearchForm)
    known = {place.name for place in places.names(visit.session, visit.municipality_id, PlaceKind.DISTRICT)}
    known |= {card.district for card in cards if card.district}
    form.district.choices = [
        SelectChoice("", N_("Whole town")),
        *(SelectChoice(name, name) for name in sorted(known, key=places.fold)),
    ]
    return form


def town_view(visit: Visit) -> View | None:
    """What the overview of this town shows."""
    extent = places.extent(visit.session, visit.municipality_id, PlaceKind.DISTRICT)
    return overview.town_view(extent, visit.municipality_row.bounds)


# --- search ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Hit:
    """A consultation near a place: metres rounded as people say them, None where the place is inside."""

    card: Card
    metres: int | None


@dataclass(frozen=True)
class Choice:
    """A place that fits the words, to choose."""

    name: str
    kind: str
    district: str
    url: str


@dataclass(frozen=True)
class Results:
    """What a search found: consultations by words, places by name, and consultations near one of them."""

    form: SearchForm
    asked: bool
    cards: tuple[Card, ...]
    place: str
    place_kind: str
    is_here: bool
    near: tuple[Hit, ...]
    choices: tuple[Choice, ...]
    within_km: int
    #: A street or address that was asked for and that no place of the town is called.
    unknown: str


@page("/suche", name="search", may=Permission.READ_PUBLIC)
def search(visit: Visit) -> Response:
    """Consultations by words, district, place or present position. Nothing of it is remembered."""
    everything = procedures.public(visit.session, visit.municipality_id)
    form = _search_form(visit, cards_of(visit, everything))
    words, district = typed(form.q.data), typed(form.district.data)
    here = nearby.typed_position(form.lon.data or "", form.lat.data or "")
    found_places = [] if here else _places(visit, form, words)
    chosen = here or (found_places[0] if found_places and _is_meant(form, words, found_places) else None)
    near = nearby.around(everything, chosen) if chosen else []
    by_words: list[Procedure] = []
    if (words or district) and not here:
        by_words = procedures.public(visit.session, visit.municipality_id, words=words, district=district)
    shown = {each.procedure.id for each in near}
    cards = cards_of(
        visit, [each.procedure for each in near] + [each for each in by_words if each.id not in shown]
    )
    by_slug = {card.slug: card for card in cards}
    place = chosen if isinstance(chosen, Place) else None
    near_slugs = {each.procedure.slug for each in near}
    return visit.render(
        "home/search.html",
        Results(
            form=form,
            asked=bool(words or district or chosen),
            cards=tuple(card for card in cards if card.slug not in near_slugs),
            place=place.name if place else "",
            place_kind=visit.gettext(PLACE_KINDS[place.kind]) if place else "",
            is_here=here is not None,
            near=tuple(Hit(by_slug[each.procedure.slug], spoken_metres(each.metres)) for each in near),
            choices=tuple(
                Choice(
                    each.name,
                    visit.gettext(PLACE_KINDS[each.kind]),
                    each.district,
                    visit.url("search", q=words, place=each.id),
                )
                for each in found_places
                if each is not chosen
            ),
            within_km=round(nearby.WITHIN / 1000),
            unknown=words if not found_places and not here and _is_address(words) else "",
        ),
    )


def typed(words: str | None) -> str:
    """What somebody typed into a search field, as both databases can compare it."""
    return normalise((words or "")[:200]).strip()


_STREET = re.compile(
    r"(str\.|(stra(ß|ss)e|weg|platz|gasse|allee|ring|damm|ufer|steig)\b|\w\s+\d+\s*[a-z]?$)", re.I
)


def _is_address(words: str) -> bool:
    """Whether words name a street rather than a subject: by how German streets are called, or by a house number."""
    return _STREET.search(words) is not None


_AFTER_STREET = re.compile(r"(,.*|\s+\d+\s*[a-zA-Z]?\s*)$")


def _places(visit: Visit, form: SearchForm, words: str) -> list[Place]:
    """The chosen place, or those that fit the words: as they are, or without house number and town."""
    if re.fullmatch("[0-9]{1,9}", form.place.data or ""):
        place = places.by_id(visit.session, visit.municipality_id, int(form.place.data or "0"))
        return [place] if place else []
    found: list[Place] = []
    while words and not found:
        found = places.find(visit.session, visit.municipality_id, words, limit=12)
        shorter = _AFTER_STREET.sub("", words).strip()
        if shorter == words:
            break
        words = shorter
    return found


def _is_meant(form: SearchForm, words: str, found: Sequence[Place]) -> bool:
    """Whether the first place is what was asked for: chosen, the only one, or the only one of exactly this name."""
    names = [place.sort for place in found]
    exact = places.fold(_AFTER_STREET.sub("", words).strip())
    return bool(form.place.data) or len(found) == 1 or (names[0] == exact and names.count(exact) == 1)


def spoken_metres(metres: float) -> int | None:
    """A distance as people say it: steps of 10 m up to 100 m, of 50 m up to 1 km, then of 100 m; None for inside."""
    if metres < 1:
        return None
    step = 10 if metres < 100 else 50 if metres < 1000 else 100
    return max(step, round(metres / step) * step)


# --- display ---------------------------------------------------------------------------------------


@page("/darstellung", name="display", may=Permission.READ_PUBLIC, methods=("POST",))
def display(visit: Visit) -> Response:
    """Remember colours and text size in a cookie, and go back to where the visitor was."""
    chosen, size = (str(visit.form_data.get(name, "")) for name in ("theme", "text_size"))
    chosen = chosen if chosen in THEMES else THEMES[0]
    size = size if size in TEXT_SIZES else TEXT_SIZES[0]
    visit.set_cookie(DISPLAY_COOKIE, f"{chosen}.{size}", max_age=DISPLAY_SECONDS)
    back = str(visit.form_data.get("back", ""))
    return RedirectResponse(back if is_local(back) else visit.url("home"), status_code=303)


_LOCAL = re.compile(r"/(?![/\\])[^\\\x00-\x20\x7f]*")


def is_local(address: str) -> bool:
    """Whether an address is a path on this site: no other host ("//host", "/\\host"), no control characters."""
    return _LOCAL.fullmatch(address) is not None


@page("/theme.css", name="theme", may=Permission.READ_PUBLIC)
def theme_css(visit: Visit) -> Response:
    """The town's colours as a style sheet; its address changes with them."""
    return Response(
        theme.theme_css(visit.municipality_row.theme),
        media_type="text/css",
        headers={"Cache-Control": f"public, max-age={STYLE_SECONDS}"},
    )


# --- without the internet --------------------------------------------------------------------------


@dataclass(frozen=True)
class Offline:
    """How to take part without the internet: which ways count, from when, and what is open now."""

    ways: tuple[tuple[str, str], ...]
    running: tuple[Card, ...]
    slip_name: str


_ON_PAPER = (
    channels.LETTER,
    channels.PAPER_FORM,
    channels.FAX,
    channels.EMAIL,
    channels.PHONE_RECORD,
    channels.IN_PERSON_RECORD,
)


@page("/ohne-internet", name="offline", may=Permission.READ_PUBLIC, shared=True)
def offline(visit: Visit) -> Response:
    """Take part without the internet: addresses, hours, and the date that counts for each way."""
    cards = cards_of(visit, procedures.public(visit.session, visit.municipality_id))
    return visit.render(
        "home/offline.html",
        Offline(
            ways=tuple((_plainly(visit, channel), visit.gettext(channel.counts)) for channel in _ON_PAPER),
            running=tuple(card for card in cards if card.standing == "open"),
            slip_name="slip" if "slip" in PAGES else "",
        ),
    )


def _plainly(visit: Visit, channel: channels.Channel) -> str:
    """What a way is called; the law's term for one of them (§ 3 (2) BauGB: "zur Niederschrift") with what it means."""
    label = visit.gettext(channel.label)
    if channel is channels.IN_PERSON_RECORD:
        return visit.gettext("%(way)s (you say it at the office, we write it down)", way=label)
    return label


# --- what every website has to say -----------------------------------------------------------------


@dataclass(frozen=True)
class LegalText:
    """A text that the town is responsible for: its own words, or what we know ourselves, marked as such."""

    name: str
    title: str
    own_words: str
    authority: str
    data_protection_contact: str
    supervision: str


def _legal(visit: Visit, name: str, title: str) -> Response:
    row = visit.municipality_row
    texts = row.legal_texts.get(name, {})
    # A text in the town's own language is better than our general one in the reader's.
    own_words = texts.get(visit.language) or texts.get(row.languages[0] if row.languages else "de") or ""
    facts = LegalText(
        name=name,
        title=title,
        own_words=str(own_words),
        authority=row.authority or row.name,
        data_protection_contact=str(row.contact.get("data_protection_contact", "")),
        supervision=str(row.contact.get("supervision", "")),
    )
    return visit.render("home/legal.html", facts)


@page("/impressum", name="imprint", may=Permission.READ_PUBLIC, shared=True)
def imprint(visit: Visit) -> Response:
    """Who answers for this site."""
    return _legal(visit, "imprint", visit.gettext("Imprint"))


@page("/datenschutz", name="privacy", may=Permission.READ_PUBLIC, shared=True)
def privacy(visit: Visit) -> Response:
    """What is done with people's data."""
    return _legal(visit, "privacy", visit.gettext("Privacy"))


@page("/barrierefreiheit", name="accessibility", may=Permission.READ_PUBLIC, shared=True)
def accessibility(visit: Visit) -> Response:
    """The accessibility statement (BITV 2.0 §7, model of Decision (EU) 2018/1523)."""
    return _legal(visit, "accessibility", visit.gettext("Accessibility statement"))


@page("/leichte-sprache", name="easy_language", may=Permission.READ_PUBLIC, shared=True)
def easy_language(visit: Visit) -> Response:
    """What this site is for, in German easy language; the same in every language of the site."""
    return _legal(visit, "easy_language", "Leichte Sprache")


@dataclass(frozen=True)
class Software:
    """What runs here and under which licence."""

    version: str
    source_url: str


@page("/software", name="software", may=Permission.READ_PUBLIC, shared=True)
def software(visit: Visit) -> Response:
    """Licence, source and version of the software (EUPL-1.2 Art. 5)."""
    return visit.render("home/software.html", Software(_version(), visit.house.settings.source_url))


@cache
def _version() -> str:
    """The version that runs: of the installed package, or of the checkout."""
    try:
        return version("digilog")
    except PackageNotFoundError:
        with (ROOT / "pyproject.toml").open("rb") as file:
            return str(tomllib.load(file)["project"]["version"])


# --- feedback on barriers --------------------------------------------------------------------------


class BarrierForm(Form):
    """What is in the way, where, and how to reach whoever found it."""

    text = TextAreaField(
        N_("What is in your way?"),
        [InputRequired(N_("Please describe what is in your way.")), Length(max=feedback.TEXT_LIMIT)],
    )
    where = StringField(N_("Page or document"), [Optional(), Length(max=500)])
    email = EmailField(
        N_("E-mail address"),
        [Optional(), Email(N_("Please check the e-mail address: something like name@example.org."))],
    )


@dataclass(frozen=True)
class BarrierReport:
    """The form, or that it has arrived."""

    form: BarrierForm
    sent: bool


@page("/barriere-melden", name="barrier_report", may=Permission.READ_PUBLIC, methods=("GET", "POST"))
def barrier_report(visit: Visit) -> Response:
    """Tell the town about a barrier, or ask for a document in another form."""
    form = visit.form(BarrierForm)
    if visit.is_post and form.validate():
        try:
            check_rate(visit.house.limiter, Action.SUBMIT, address_of(visit.request.scope))
            feedback.report_barrier(
                visit.session,
                visit.municipality_row,
                feedback.Barrier(form.text.data or "", form.where.data or "", form.email.data or ""),
                language=visit.language,
                by=visit.by,
                now=visit.now,
            )
        except Refusal as refusal:
            visit.reject(form, refusal)
        else:
            return visit.redirect("barrier_report", sent=1)
    status = 422 if form.errors else 200
    sent = "sent" in visit.request.query_params and not visit.is_post
    return visit.render("home/barrier.html", BarrierReport(form, sent), status=status)


# --- for machines ----------------------------------------------------------------------------------


@page("/beteiligungen.atom", name="feed", may=Permission.READ_PUBLIC, shared=True)
def feed(visit: Visit) -> Response:
    """New and changed consultations as an Atom feed (RFC 4287), the last changed first."""
    found = procedures.public(visit.session, visit.municipality_id, limit=100)
    ids = [procedure.id for procedure in found if procedure.id is not None]
    changed = publishing.changed_at(visit.session, ids)
    phases = phases_of_all(visit.session, ids)
    base = visit.absolute("home")
    atom = feedgenerator.Atom1Feed(
        title=f"{visit.municipality.name}: {visit.gettext('Citizen participation')}",
        link=base,
        description="",
        language=visit.language,
        feed_url=visit.absolute("feed"),
        feed_guid=visit.absolute("feed"),
    )
    for procedure in sorted(found, key=lambda each: changed[each.id or 0], reverse=True):
        card = overview.card(procedure, phases[procedure.id or 0], visit.now, visit.language)
        address = visit.absolute("hearing", slug=card.slug)
        atom.add_item(
            title=card.title,
            link=address,
            description=f"{_when(visit, card)} {card.summary}".strip(),
            pubdate=procedure.published_at,
            updateddate=changed[procedure.id or 0],
            unique_id=address,
            categories=[card.district] if card.district else (),
        )
    for announced, procedure in announcements.public_ones(visit.session, visit.municipality_id, visit.now):
        address = visit.absolute("announcement", slug=procedure.slug, announcement=announced.id)
        title = localised(procedure, visit.language, "title")
        atom.add_item(
            title=f"{visit.gettext('Announcement')}: {title}",
            link=address,
            description=_announced(visit, announced),
            pubdate=announced.made_at,
            updateddate=announced.made_at,
            unique_id=address,
        )
    return Response(atom.writeString("utf-8"), media_type="application/atom+xml; charset=utf-8")


def _announced(visit: Visit, announced: Announcement) -> str:
    if announced.starts_on is None or announced.ends_on is None:
        return ""
    return visit.gettext(
        "From %(first)s until %(last)s.",
        first=date_long(announced.starts_on, visit.language),
        last=date_long(announced.ends_on, visit.language),
    )


def _when(visit: Visit, card: Card) -> str:
    if card.standing == "open" and card.ends:
        return visit.gettext("Open until %(date)s.", date=date_long(card.ends, visit.language))
    if card.standing == "soon" and card.begins:
        return visit.gettext("Begins on %(date)s.", date=date_long(card.begins, visit.language))
    return f"{card.state_text}."


@page("/robots.txt", name="robots", may=Permission.READ_PUBLIC, shared=True)
def robots(visit: Visit) -> Response:
    """Consultations may be found by search engines; staff, accounts, searches and access codes may not."""
    closed = (
        "/verwaltung",
        "/anmelden",
        "/konto",
        "/einladung",
        "/suche",
        "/beitrag",
        "/beleg",
        "/darstellung",
    )
    lines = ["User-agent: *", *(f"Disallow: {prefix}{path}" for path in closed for prefix in ("", "/en"))]
    return Response("\n".join([*lines, ""]), media_type="text/plain; charset=utf-8")


@page("/.well-known/security.txt", name="security_txt", may=Permission.READ_PUBLIC, shared=True)
def security_txt(visit: Visit) -> Response:
    """Whom to tell about a weakness (RFC 9116): expires within a year, renewed every day."""
    contact = visit.municipality.contact
    expires = datetime.combine(visit.today + timedelta(days=180), time(), UTC)
    reach = f"mailto:{contact.email}" if contact.email else visit.absolute("barrier_report")
    lines = [
        f"Contact: {reach}",
        f"Expires: {expires:%Y-%m-%dT%H:%M:%SZ}",
        f"Preferred-Languages: {', '.join(visit.languages)}",
        f"Canonical: {visit.absolute('security_txt')}",
    ]
    return Response("\n".join([*lines, ""]), media_type="text/plain; charset=utf-8")
