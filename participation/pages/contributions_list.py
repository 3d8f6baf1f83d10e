"""What others have said: the list of equal rank with the map, one contribution with its comments, feed, open data."""

import csv
import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime

import feedgenerator
from starlette.responses import Response, StreamingResponse
from wtforms import Form, HiddenField, SelectField, StringField
from wtforms.fields import SelectChoice
from wtforms.validators import Length, Optional

from consultations import nearby, places, procedures, published, received, rewording, whereabouts
from consultations.contributions import Kind
from consultations.deadlines import local_date
from consultations.files import MissingFile, serving_headers
from consultations.moderation import Reason
from consultations.permissions import Permission
from consultations.phases import Opens, phases_of
from consultations.places import Place, PlaceKind
from consultations.procedures import Procedure, ProcedureState, localised, subject_in
from consultations.published import Around, Entry, Key, Order, Wanted, Withheld
from consultations.text import spreadsheet_safe
from participation import overview, things
from participation.database import unit_of_work
from participation.pages.moderation import REASONS
from participation.pages.place_words import where_in_words
from participation.pages.with_parts import Whole, whole_of
from participation.web import PAGES, Visit, page

#: Marks a message for the catalogues.
N_ = str

KINDS: Mapping[str, str] = {
    Kind.STATEMENT.value: N_("Statement"),
    Kind.PROPOSAL.value: N_("Proposal"),
    Kind.COMMENT.value: N_("Comment"),
}
PER_PAGE = 24
EXCERPT = 320
#: Distances that one can choose around a place (metres); the first is taken if nothing is chosen.
DISTANCES = (1000, 250, 500, 2000, 5000)
PLACES_SHOWN = 12
IN_FEED = 50


# --- what a list or a map is narrowed to -----------------------------------------------------------


class FilterForm(Form):
    """What both the list and the map can be narrowed to."""

    q = StringField(N_("Words or reference"), [Optional(), Length(max=200)])
    art = SelectField(
        N_("Kind"),
        choices=[SelectChoice("", N_("All")), *(SelectChoice(key, name) for key, name in KINDS.items())],
        validate_choice=False,
    )
    thema = SelectField(N_("Topic"), choices=[], validate_choice=False)


class ListForm(FilterForm):
    """What the list can be narrowed to besides, and how it is sorted."""

    stadtteil = SelectField(N_("District"), choices=[], validate_choice=False)
    suche = StringField(N_("Near a street, parcel or place"), [Optional(), Length(max=200)])
    platz = HiddenField()
    ort = HiddenField()
    umkreis = SelectField(
        N_("How near"),
        choices=[
            SelectChoice("250", N_("Up to 250 m")),
            SelectChoice("500", N_("Up to 500 m")),
            SelectChoice("1000", N_("Up to 1 km")),
            SelectChoice("2000", N_("Up to 2 km")),
            SelectChoice("5000", N_("Up to 5 km")),
        ],
        default=str(DISTANCES[0]),
        validate_choice=False,
    )
    mit_ort = SelectField(
        N_("Place on the map"),
        choices=[
            SelectChoice("", N_("All")),
            SelectChoice("ja", N_("With a place on the map")),
            SelectChoice("nein", N_("Without a place on the map")),
        ],
        validate_choice=False,
    )
    sortierung = SelectField(
        N_("Order"),
        choices=[
            SelectChoice("", N_("Newest first")),
            SelectChoice("oldest", N_("Oldest first")),
            SelectChoice("nearest", N_("Nearest first")),
        ],
        validate_choice=False,
    )


def filled(form: FilterForm, visit: Visit, whole: Whole, *, literal: bool = False) -> Wanted:
    """The topics of the consultation and its parts into the form, and what the form asks for as a question; what there is not
    is left out, unless it is `literal`: then nothing fits it."""
    topics = received.topics_of(visit.session, whole.key, *whole.keys_of_parts)
    form.thema.choices = [
        SelectChoice("", N_("All")),
        *(SelectChoice(name, whole.subject(visit, name)) for name in topics),
    ]
    kind, topic = (form.art.data or "")[:200], (form.thema.data or "")[:200]
    return Wanted(
        kind=kind if literal or kind in KINDS else "",
        topic=topic if literal or topic in topics else "",
        words=(form.q.data or "").strip()[:200],
        language=visit.language if visit.language == "en" else "de",
        parts=whole.keys_of_parts,
    )


def asked_for(wanted: Wanted) -> dict[str, str]:
    """The filter that list and map share, as an address carries it."""
    return {"q": wanted.words, "art": wanted.kind, "thema": wanted.topic}


def open_procedure(visit: Visit) -> Procedure:
    """The procedure in the address. Raises Refusal NOT_FOUND, also for a draft that is not the visitor's to read."""
    slug = str(visit.request.path_params["slug"])
    procedure = procedures.by_slug(visit.session, visit.municipality_id, slug)
    if procedure is None:
        visit.not_found()
    if procedure.state == ProcedureState.DRAFT.value and not visit.may(Permission.READ_DRAFTS, procedure):
        visit.not_found()
    return procedure


def read_position(text: str) -> tuple[float, float] | None:
    """ "10.891,48.366" as degrees of longitude and latitude; None for anything else."""
    lon, comma, lat = text.partition(",")
    try:
        position = float(lon), float(lat)
    except ValueError:
        return None
    return position if comma and -180 <= position[0] <= 180 and -85 <= position[1] <= 85 else None


# --- cards -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Card:
    """A contribution in a list."""

    reference: str
    url: str
    title: str
    text: str
    #: Of title and text, if it is another one than the page's.
    foreign: str
    kind: str
    submitted: date
    author: str
    place: str
    topic: str
    #: The part that it was handed in to, in words; empty for the consultation of the page.
    part: str
    map_url: str
    is_redacted: bool
    answers_to: str
    answers_to_url: str
    comments: int


def cards_of(
    visit: Visit,
    whole: Whole,
    entries: tuple[Entry, ...] | list[Entry],
    *,
    to: str = "published_contribution",
) -> list[Card]:
    """Entries as cards that lead to a page; two queries, however many."""
    located = [entry for entry in entries if entry.lon is not None and entry.lat is not None]
    spots = whereabouts.of(
        visit.session, visit.municipality_id, [(entry.lon or 0.0, entry.lat or 0.0) for entry in located]
    )
    words = {entry.id: where_in_words(visit, spot) for entry, spot in zip(located, spots, strict=True)}
    counts = published.answer_counts(visit.session, [entry.id for entry in entries])
    has_map = "hearing_map" in PAGES

    def page_of(entry: Entry) -> str:
        return visit.url(to, slug=whole.owner(entry).slug, reference=entry.reference)

    def page_of_answered(entry: Entry) -> str:
        return visit.url("published_contribution", slug=whole.owner(entry).slug, reference=entry.answers_to)

    return [
        Card(
            reference=entry.reference,
            url=page_of(entry),
            title=entry.heading,
            text=published.shortened(entry.text, EXCERPT),
            foreign=entry.language if entry.language != visit.language else "",
            kind=visit.gettext(KINDS[entry.kind]),
            submitted=local_date(entry.received_at),
            author=entry.author,
            # A point on the ground is found by the street it is at; its height alone tells nobody where it is.
            place=(things.in_words(entry.thing, entry.elevation, visit.language) if entry.thing else "")
            or words.get(entry.id, "")
            or entry.place_words,
            topic=subject_in(whole.owner(entry), entry.topic, visit.language),
            part=whole.part(visit, entry),
            map_url=(
                visit.url("hearing_map", slug=whole.procedure.slug, beitrag=entry.reference)
                if has_map and entry.lon is not None
                else ""
            ),
            is_redacted=entry.is_redacted,
            answers_to=entry.answers_to,
            answers_to_url=page_of_answered(entry) if entry.answers_to else "",
            comments=counts.get(entry.id, 0),
        )
        for entry in entries
    ]


# --- the list --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ContributionsPage:
    """One page of the list."""

    hearing_title: str
    slug: str
    form: ListForm
    is_filtered: bool
    #: Says why a filter does not hold as it was asked for.
    note: str
    #: Places that fit the words, to choose from: (name, district, address).
    choices: tuple[tuple[str, str, str], ...]
    #: The place that the list is near to, in words.
    near: str
    cards: tuple[Card, ...]
    total: int
    everything: int
    #: Whether what was said about parts is among them.
    has_parts: bool
    previous_url: str
    next_url: str
    map_url: str
    feed_url: str
    geojson_url: str
    csv_url: str


@page("/beteiligungen/{slug}/beitraege", name="contributions_list", may=Permission.READ_PUBLIC, shared=True)
def contributions_list(visit: Visit) -> Response:
    """All published contributions: by words, kind, topic, district, near a place; page by page."""
    procedure = open_procedure(visit)
    whole = whole_of(visit, procedure)
    procedure_id = whole.key
    form = visit.form(ListForm)
    wanted = filled(form, visit, whole)
    districts = places.names(visit.session, visit.municipality_id, PlaceKind.DISTRICT)
    form.stadtteil.choices = [
        SelectChoice("", N_("Whole town")),
        *(SelectChoice(str(place.id), place.name) for place in districts),
    ]
    here = _here(visit, form, districts)
    order = _order(form, here)
    wanted = Wanted(
        **{
            **vars(wanted),
            "has_place": {"ja": True, "nein": False}.get(form.mit_ort.data or ""),
            "around": here.around,
        }
    )
    asked = visit.request.query_params
    shown = published.listed(
        visit.session,
        procedure_id,
        wanted,
        order=order,
        after=Key.read(asked.get("nach", ""), order),
        before=Key.read(asked.get("vor", ""), order),
        limit=PER_PAGE,
    )
    filters = {name: str(asked[name]) for name in form._fields if asked.get(name)}

    def address(**more: object) -> str:
        return visit.url("contributions_list", **{"slug": procedure.slug, **filters, **more})

    is_filtered = any(value for name, value in filters.items() if name not in ("sortierung", "umkreis"))
    own = {"slug": procedure.slug}
    return visit.render(
        "maps/list.html",
        ContributionsPage(
            hearing_title=localised(procedure, visit.language, "title"),
            slug=procedure.slug,
            form=form,
            is_filtered=is_filtered,
            note=here.note,
            choices=tuple(
                (place.name, place.district, address(platz=place.id, suche=place.name, stadtteil=""))
                for place in here.choices
            ),
            near=here.name,
            cards=tuple(cards_of(visit, whole, shown.entries)),
            total=shown.total,
            everything=received.published_count(visit.session, procedure_id, *whole.keys_of_parts),
            has_parts=bool(whole.parts),
            previous_url=address(vor=shown.before) if shown.before else "",
            next_url=address(nach=shown.after) if shown.after else "",
            map_url=visit.url(
                "hearing_map",
                **own,
                **asked_for(wanted),
                platz=filters.get("stadtteil") or filters.get("platz", ""),
                ort=filters.get("ort", ""),
            )
            if "hearing_map" in PAGES
            else "",
            feed_url=visit.url("contributions_feed", **own, **asked_for(wanted)),
            geojson_url=visit.url("contributions_geojson", **own),
            csv_url=visit.url("contributions_csv", **own),
        ),
    )


@dataclass(frozen=True)
class Here:
    """The place that a list is narrowed to, if any."""

    around: Around | None = None
    name: str = ""
    choices: tuple[Place, ...] = ()
    note: str = ""


def _here(visit: Visit, form: ListForm, districts: list[Place]) -> Here:
    """The chosen district; or the chosen place, or the only one that fits the words, with its surroundings."""
    metres = (
        int(form.umkreis.data) if form.umkreis.data in {str(each) for each in DISTANCES} else DISTANCES[0]
    )
    district = next((place for place in districts if str(place.id) == form.stadtteil.data), None)
    if district is not None:
        return Here(Around(district.geometry, 0.0), district.name)
    words, number = (form.suche.data or "").strip(), form.platz.data or ""
    if number.isdecimal() and len(number) < 10:
        place = places.by_id(visit.session, visit.municipality_id, int(number))
        if place is not None and (not words or places.fold(words) == place.sort):
            return Here(Around(place.geometry, float(metres)), place.name)
    position = read_position(form.ort.data or "")
    if position is not None and not words:
        try:
            located = nearby.position(*position)
        except ValueError:
            return Here(note=visit.gettext("This place lies outside Germany."))
        return Here(Around(located.wkb, float(metres)), visit.gettext("the chosen point"))
    if not words:
        return Here()
    found = places.find(visit.session, visit.municipality_id, words, limit=PLACES_SHOWN)
    fitting = [place for place in found if place.sort == places.fold(words)] or found
    if len(fitting) == 1:
        return Here(Around(fitting[0].geometry, float(metres)), fitting[0].name)
    if not found:
        return Here(note=visit.gettext("We know no place called “%(words)s”.", words=words))
    return Here(choices=tuple(found))


def _order(form: ListForm, here: Here) -> Order:
    asked = form.sortierung.data or ""
    if asked == Order.NEAREST.value:
        return Order.NEAREST if here.around is not None else Order.NEWEST
    return Order.OLDEST if asked == Order.OLDEST.value else Order.NEWEST


# --- one contribution ------------------------------------------------------------------------------


@dataclass(frozen=True)
class FileLink:
    """The public copy of an attachment."""

    filename: str
    url: str


@dataclass(frozen=True)
class PublishedPage:
    """One contribution as everybody may read it."""

    hearing_title: str
    slug: str
    card: Card
    text: str
    received_at: datetime
    refers_to: str
    files: tuple[FileLink, ...]
    #: Attachments that only the town hall has.
    other_files: int
    answers: tuple[Card, ...]
    list_url: str
    comment_url: str
    #: Where a proposal stands with its versions and amendments; empty for anything else.
    proposal_url: str
    #: Of a comment on a proposal: where it stands among the others.
    talk_url: str
    #: Since when it reads so, if its author wrote it anew, and what changed (empty where words are blacked out).
    changed_at: datetime | None
    changes_url: str


@dataclass(frozen=True)
class WithheldPage:
    """A contribution that is kept from the public: that it is there, and why its words are not."""

    hearing_title: str
    slug: str
    reference: str
    kind: str
    received_at: datetime
    reason: str
    list_url: str


@page(
    "/beteiligungen/{slug}/beitraege/{reference}",
    name="published_contribution",
    may=Permission.READ_PUBLIC,
    shared=True,
)
def published_contribution(visit: Visit) -> Response:
    """One contribution with its comments; or that it is kept from the public and why."""
    procedure = open_procedure(visit)
    found = _one(visit, procedure)
    title = localised(procedure, visit.language, "title")
    list_url = visit.url("contributions_list", slug=procedure.slug)
    if isinstance(found, Withheld):
        reason = visit.gettext(REASONS[Reason(found.reason)]) if found.reason else ""
        return visit.render(
            "maps/withheld.html",
            WithheldPage(
                title,
                procedure.slug,
                found.reference,
                visit.gettext(KINDS[found.kind]),
                found.received_at,
                reason,
                list_url,
            ),
        )
    answers = published.answers_to(visit.session, procedure.id or 0, found.id)
    cards = cards_of(visit, Whole(procedure), [found, *answers])
    files, others = published.enclosures(visit.session, found.id)
    phases = phases_of(visit.session, procedure.id or 0)
    may_comment = overview.is_open(phases, Opens.COMMENT, visit.now)
    about = _about(visit, procedure, found)
    known = {found.id: found.version} if found.version is not None else {}
    change = rewording.changes(visit.session, known).get(found.id)
    return visit.render(
        "maps/contribution.html",
        PublishedPage(
            hearing_title=title,
            slug=procedure.slug,
            card=cards[0],
            text=found.text,
            received_at=found.received_at,
            refers_to=found.refers_to,
            files=tuple(
                FileLink(
                    file.filename,
                    visit.url(
                        "published_file",
                        slug=procedure.slug,
                        reference=found.reference,
                        position=file.position,
                    ),
                )
                for file in files
            ),
            other_files=others,
            answers=tuple(cards[1:]),
            list_url=list_url,
            comment_url=(
                visit.url("statement", slug=procedure.slug, kind=Kind.COMMENT.value, parent=found.id)
                if may_comment and "statement" in PAGES
                else ""
            ),
            proposal_url=(
                visit.url("proposal", slug=procedure.slug, reference=found.reference)
                if found.kind == Kind.PROPOSAL.value and not found.answers_to
                else ""
            ),
            talk_url=visit.url("proposal_comments", **about) if about else "",
            changed_at=change.at if change else None,
            changes_url=(
                visit.url(
                    "comment_changes",
                    **about,
                    comment=found.reference,
                    earlier=change.earlier,
                    later=change.number,
                )
                if change and change.earlier is not None and about
                else ""
            ),
        ),
    )


def _about(visit: Visit, procedure: Procedure, found: Entry) -> dict[str, str]:
    """The proposal that a comment, or an answer to one, is said of, as an address names it; empty for anything else."""
    if found.kind != Kind.COMMENT.value or not found.answers_to:
        return {}
    proposal = rewording.proposal_of(
        visit.session, received.by_id(visit.session, visit.municipality_id, found.id)
    )
    if proposal is None or not proposal.is_listed:
        return {}
    key = proposal.contribution_id
    return {"slug": procedure.slug, "reference": received.references(visit.session, [key])[key]}


def _one(visit: Visit, procedure: Procedure) -> Entry | Withheld:
    reference = str(visit.request.path_params["reference"])
    found = published.one(visit.session, procedure.id or 0, reference)
    if found is None:
        visit.not_found()
    return found


@page(
    "/beteiligungen/{slug}/beitraege/{reference}/dateien/{position:int}",
    name="published_file",
    may=Permission.READ_PUBLIC,
)
def published_file(visit: Visit) -> Response:
    """The public copy of an attachment, which carries no place or camera data."""
    found = _one(visit, open_procedure(visit))
    if isinstance(found, Withheld):
        visit.not_found()
    files, _others = published.enclosures(visit.session, found.id)
    wanted = visit.request.path_params["position"]
    file = next((each for each in files if each.position == wanted), None)
    if file is None:
        visit.not_found()
    try:
        content = visit.house.files.open(file.sha256)
    except MissingFile:
        visit.not_found()
    return StreamingResponse(content, headers=serving_headers(file.filename, file.media_type, inline=True))


# --- for machines ----------------------------------------------------------------------------------


@page(
    "/beteiligungen/{slug}/beitraege.atom", name="contributions_feed", may=Permission.READ_PUBLIC, shared=True
)
def contributions_feed(visit: Visit) -> Response:
    """The newest published contributions as an Atom feed (RFC 4287), narrowed as list and map are (words, kind, topic).

    Readers ask for years: when nothing has the topic any more, nothing fits it.
    """
    procedure = open_procedure(visit)
    whole = whole_of(visit, procedure)
    wanted = filled(visit.form(FilterForm), visit, whole, literal=True)
    narrowed = {"slug": procedure.slug, **asked_for(wanted)}
    title = localised(procedure, visit.language, "title")
    atom = feedgenerator.Atom1Feed(
        title=visit.gettext("Contributions: %(title)s", title=title),
        link=visit.absolute("contributions_list", **narrowed),
        description="",
        language=visit.language,
        feed_url=visit.absolute("contributions_feed", **narrowed),
        feed_guid=visit.absolute("contributions_feed", **narrowed),
    )
    newest = published.listed(visit.session, procedure.id or 0, wanted, limit=IN_FEED)
    for entry in newest.entries:
        owner = whole.owner(entry)
        address = visit.absolute("published_contribution", slug=owner.slug, reference=entry.reference)
        atom.add_item(
            title=entry.heading,
            link=address,
            description=published.shortened(entry.text, EXCERPT),
            pubdate=entry.received_at,
            updateddate=entry.received_at,
            unique_id=address,
            categories=[subject_in(owner, entry.topic, visit.language)] if entry.topic else (),
        )
    return Response(atom.writeString("utf-8"), media_type="application/atom+xml; charset=utf-8")


def _batches(visit: Visit, whole: Whole) -> Iterator[list[Entry]]:
    """All public contributions, batch by batch, in units of work of their own: the visit's ends before the file does."""
    last = 0
    while True:
        with unit_of_work(visit.house.engine) as session:
            batch = published.everything(session, whole.key, parts=whole.keys_of_parts, after_id=last)
        if not batch:
            return
        last = batch[-1].id
        yield batch


def _properties(visit: Visit, whole: Whole, entry: Entry) -> dict[str, object]:
    slug = whole.owner(entry).slug
    address = visit.absolute("published_contribution", slug=slug, reference=entry.reference)
    return {
        "reference": entry.reference,
        "kind": entry.kind,
        "received": entry.received_at.isoformat(timespec="seconds"),
        "title": entry.title,
        "text": entry.text,
        "topic": entry.topic,
        "author": entry.author,
        "redacted": entry.is_redacted,
        "answers_to": entry.answers_to,
        "url": address,
        "consultation": slug,
    }


def _download(pieces: Iterator[str], filename: str, media_type: str) -> Response:
    return StreamingResponse(
        (piece.encode() for piece in pieces),
        headers={**serving_headers(filename, media_type), "Cache-Control": "no-cache"},
    )


@page("/beteiligungen/{slug}/beitraege.geojson", name="contributions_geojson", may=Permission.READ_PUBLIC)
def contributions_geojson(visit: Visit) -> Response:
    """All public contributions as GeoJSON (RFC 7946), those without a place with a null geometry."""
    procedure = open_procedure(visit)
    slug, whole = procedure.slug, whole_of(visit, procedure)
    visit.base  # noqa: B018  (read once, while the visit's session is open)

    def pieces() -> Iterator[str]:
        yield '{"type":"FeatureCollection","features":['
        comma = ""
        for batch in _batches(visit, whole):
            shapes = published.outlines(batch)
            for entry in batch:
                geometry = shapes.get(entry.id) or _point(entry)
                properties = json.dumps(_properties(visit, whole, entry), ensure_ascii=False)
                yield f'{comma}\n{{"type":"Feature","id":{entry.id},"geometry":{geometry},"properties":{properties}}}'
                comma = ","
        yield "\n]}\n"

    return _download(pieces(), f"{slug}.geojson", "application/geo+json")


def _point(entry: Entry) -> str:
    if entry.lon is None or entry.lat is None:
        return "null"
    return f'{{"type":"Point","coordinates":[{round(entry.lon, 6)},{round(entry.lat, 6)}]}}'


@page("/beteiligungen/{slug}/beitraege.csv", name="contributions_csv", may=Permission.READ_PUBLIC)
def contributions_csv(visit: Visit) -> Response:
    """All public contributions as a table (UTF-8, semicolons, as German spreadsheets read it); runs no formula."""
    procedure = open_procedure(visit)
    slug, whole = procedure.slug, whole_of(visit, procedure)
    visit.base  # noqa: B018  (read once, while the visit's session is open)

    def pieces() -> Iterator[str]:
        columns: list[str] = []
        for batch in _batches(visit, whole):
            buffer = io.StringIO()
            writer = csv.writer(buffer, delimiter=";", lineterminator="\r\n")
            for entry in batch:
                row = _properties(visit, whole, entry) | {"lon": entry.lon, "lat": entry.lat}
                row["consultation"] = row.pop("consultation")  # the last one: programs count columns
                if not columns:
                    columns = list(row)
                    buffer.write("\ufeff")  # without it, spreadsheets take UTF-8 for Windows-1252
                    writer.writerow(columns)
                writer.writerow([spreadsheet_safe(value) for value in row.values()])
            yield buffer.getvalue()

    return _download(pieces(), f"{slug}.csv", "text/csv; charset=utf-8")
