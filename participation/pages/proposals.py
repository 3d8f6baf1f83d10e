"""Proposals for everybody: the list, one proposal with its versions, its authors, its amendments, what was said, and what changed."""

import hashlib
import hmac
import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from starlette.responses import Response
from wtforms import Form, HiddenField, SelectField, StringField
from wtforms.fields import SelectChoice
from wtforms.validators import Length, Optional

from consultations import (
    amendments,
    channels,
    discussion,
    nearby,
    places,
    proposal_lists,
    proposals,
    proposing,
    published,
    received,
    rewording,
    support,
    unions,
    wording,
)
from consultations.cocreation import TITLE, Authoring, Opening, RelationKind
from consultations.comparison import Part, Place, TooLong, compare
from consultations.contributions import Contribution
from consultations.permissions import Permission
from consultations.phases import Phase, phases_of
from consultations.procedures import Procedure, localised, subject_in
from consultations.proposal_lists import Order, Wanted
from consultations.proposals import Proposal, ProposalVersion, VersionReason
from participation import security
from participation.pages.contributions_list import Card, cards_of, open_procedure
from participation.pages.seen_through import Through, through_of
from participation.search_words import STATES
from participation.security import Action, check_rate
from participation.web import Visit, page, row_number

#: Marks a message for the catalogues.
N_ = str

SECTIONS: Mapping[str, str] = {
    "title": N_("Title"),
    "what": N_("What is proposed?"),
    "why": N_("Why?"),
    "whom": N_("For whom?"),
    "cost": N_("What might it cost?"),
    "text": N_("Text"),
}
REASONS: Mapping[str, str] = {
    VersionReason.HANDED_IN.value: N_("as it was handed in"),
    VersionReason.EDIT.value: N_("changed by its authors"),
    VersionReason.AMENDMENT.value: N_("an amendment was taken in"),
    VersionReason.TRANSLATION.value: N_("translated"),
    VersionReason.MERGE.value: N_("several proposals became one"),
    VersionReason.SPLIT.value: N_("divided"),
    VersionReason.IMPORT.value: N_("taken over from another system"),
}
RELATIONS: Mapping[str, tuple[str, str]] = {
    RelationKind.DUPLICATE_OF.value: (N_("says the same as"), N_("is said as well by")),
    RelationKind.MERGED_INTO.value: (N_("went into"), N_("took in")),
    RelationKind.SPLIT_FROM.value: (N_("came out of"), N_("was divided into")),
    RelationKind.RESPONDS_TO.value: (N_("answers"), N_("is answered by")),
    RelationKind.PROMOTED_FROM.value: (N_("began as an amendment to"), N_("an amendment became")),
    RelationKind.IMPLEMENTS.value: (N_("carries out"), N_("is carried out by")),
}
AMENDED: Mapping[str, str] = {
    "proposed": N_("Waits for a decision"),
    "outdated": N_("Has to be renewed: the text has changed at the same place"),
    "not_renewed": N_("Was not renewed"),
    "accepted": N_("Taken in"),
    "accepted_changed": N_("Taken in, in other words"),
    "rejected": N_("Not taken in"),
    "promoted": N_("Became a proposal of its own"),
    "withdrawn": N_("Taken back by its author"),
    "not_decided": N_("Was not decided on"),
}


def seed_of(visit: Visit, deal: str = "") -> str:
    """What shuffles lists for this visitor: of the town and of the order by chance that was dealt to them today."""
    about = f"{visit.municipality_id}\n{deal or visit.deal}"
    secret = visit.house.settings.secret.get_secret_value() or "digilog"
    return hmac.new(secret.encode(), about.encode(), hashlib.sha256).hexdigest()[:16]


# --- the list --------------------------------------------------------------------------------------


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


def asked_of(visit: Visit, procedure: Procedure, form: ListForm, *, literal: bool = False) -> Asked:
    """Read what is asked, as far as the list offers it; the form is given its choices. `literal`: also what it does not
    offer, which nothing fits."""
    procedure_id = procedure.id or 0
    offered = visit.once_per_change(
        "facets of proposals", procedure_id, make=lambda: proposal_lists.facets(visit.session, procedure_id)
    )
    _choices(form.thema, offered.topics, lambda name: subject_in(procedure, name, visit.language))
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
    )
    return Asked(wanted, place, near)


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
    said = asked_of(visit, procedure, form)
    asked, asked_near, place = visit.request.query_params, said.near, said.place
    order = Order(form.sortierung.data) if form.sortierung.data in set(Order) else Order.CHANCE
    told = None if asked_near else nearby.typed_position(form.lon.data or "", form.lat.data or "")
    spot = place or told
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
        total=visit.once_per_change(
            "number of proposals",
            procedure_id,
            wanted,
            make=lambda: proposal_lists.how_many(visit.session, procedure_id, wanted),
        ),
    )
    following = f"{deal}~{found.next}" if found.next and order is Order.CHANCE else found.next
    entries = published.by_ids(visit.session, procedure_id, found.ids)
    filters = {name: str(asked[name]) for name in form._fields if asked.get(name)}
    here = {"slug": procedure.slug}
    search = {name: filters[name] for name in PARAMETERS.values() if name in filters}
    phases = phases_of(visit.session, procedure_id)
    response = visit.render(
        "proposals/list.html",
        ListPage(
            hearing_title=localised(procedure, visit.language, "title"),
            slug=procedure.slug,
            cards=tuple(cards_of(visit, procedure, entries, to="proposal")),
            total=found.total,
            is_filtered=any(
                value for name, value in filters.items() if name not in ("sortierung", "lon", "lat")
            ),
            next_url=visit.url("proposals", **here, **filters, nach=following) if following else "",
            first_url=visit.url("proposals", **here, **filters) if asked.get("nach") else "",
            map_url=visit.url("hearing_map", **here, art="proposal", thema=wanted.topic),
            propose_url=(
                visit.url("statement", **here, kind="proposal")
                if proposing.phase_that_opens(phases, Opening.PROPOSE, visit.now)
                else ""
            ),
            near=place.name if place is not None else "",
            is_nowhere=bool(asked_near) and place is None,
            is_nearest_first=order is Order.NEAREST,
            is_placeless=wants_nearest and origin is None and not asked_near,
            near_me_url=visit.url(
                "proposals", **here, **{**filters, "nahe": "", "sortierung": Order.NEAREST.value}
            ),
            embed_url=visit.url("embedding", **here, was="liste"),
            follow_url=visit.url("follow_search", **here, **search),
            feed_url=visit.url("proposals_feed", **here, **search),
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
            "title": entry.heading,
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


# --- one proposal ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Passage:
    """A section as it is read. `stale`: it is older than the same section in the language it was written in."""

    heading: str
    text: str
    is_stale: bool = False


@dataclass(frozen=True)
class VersionRow:
    """A version that everybody may read."""

    number: int
    at: datetime
    why: str
    note: str
    receipt: str
    is_current: bool
    #: What changed since the readable version before; empty for the first.
    changes_url: str


@dataclass(frozen=True)
class AmendmentRow:
    """An amendment as it stands in the list of a proposal."""

    number: int
    reference: str
    author: str
    at: datetime
    sections: str
    reason: str
    state: str
    is_waiting: bool
    answer: str
    url: str


@dataclass(frozen=True)
class Changed:
    """That an author wrote a comment anew: since when it reads so, what changed in words (empty where words of the earlier
    wording were blacked out), and how many answers are older."""

    at: datetime
    url: str
    older_answers: int = 0


@dataclass(frozen=True)
class AnswerRow:
    """An answer to a comment."""

    author: str
    text: str
    #: The language it was written in.
    language: str
    changed: Changed | None


@dataclass(frozen=True)
class SaidRow:
    """A comment with the answers to it."""

    reference: str
    stance: str
    is_for: bool
    text: str
    #: The language it was written in.
    language: str
    author: str
    url: str
    answer_url: str
    answers: tuple[AnswerRow, ...]
    changed: Changed | None
    #: How many find it a good argument (None: hidden, or no argument), and where to say so.
    marks: int | None = None
    mark_url: str = ""


@dataclass(frozen=True)
class SideShown:
    """Arguments for or against: how many there are, and where all of them stand."""

    key: str
    name: str
    total: int
    url: str


@dataclass(frozen=True)
class ArgumentsShown:
    """For and against beside each other, one of each in turn, so that on a narrow screen neither stands before the other.

    `rows`: the key of the side, and the argument. `by_marks`: whether those stand first that most find good.
    """

    sides: tuple[SideShown, SideShown]
    rows: tuple[tuple[str, SaidRow], ...]
    by_marks: bool


@dataclass(frozen=True)
class RelationRow:
    """Another proposal that this one belongs to."""

    words: str
    title: str
    url: str


@dataclass(frozen=True)
class ProposalPage:
    """One proposal."""

    id: int
    hearing_title: str
    slug: str
    card: Card
    language: str
    passages: tuple[Passage, ...]
    languages: tuple[tuple[str, str], ...]
    state: str
    is_open: bool
    #: Why nothing can be changed, in words; empty where it can.
    closed_words: str
    authors: tuple[str, ...]
    received_at: datetime
    channel: str
    versions: tuple[VersionRow, ...]
    amendments: tuple[AmendmentRow, ...]
    talk: tuple[SaidRow, ...]
    said: int
    #: Arguments for and against, as their authors marked them; None without any.
    arguments: ArgumentsShown | None
    comments_url: str
    relations: tuple[RelationRow, ...]
    pictures: tuple[tuple[str, str], ...]
    amend_url: str
    comment_url: str
    through: Through
    list_url: str


CLOSED: Mapping[str, str] = {
    Authoring.LOCKED.value: N_("Its text is fixed while it is examined or voted on."),
    Authoring.WITHDRAWN.value: N_(
        "Its author no longer stands by it. It stays readable for those who supported it."
    ),
    Authoring.MERGED.value: N_("It has become part of another proposal."),
    Authoring.ARCHIVED.value: N_("It is kept for reading and takes nothing more in."),
}


def proposal_of(visit: Visit, procedure: Procedure) -> tuple[Proposal, Contribution]:
    """The proposal that the address names, if everybody may read it."""
    reference = str(visit.request.path_params["reference"])
    row = received.by_reference(visit.session, procedure, reference)
    proposal = proposals.by_contribution(visit.session, row.id or 0) if row is not None else None
    if row is None or proposal is None or not proposal.is_listed:
        visit.not_found()
    return proposal, row


@page(
    "/beteiligungen/{slug}/vorschlaege/{reference}",
    name="proposal",
    may=Permission.READ_PUBLIC,
    shared=True,
    dealt=True,
)
def proposal_page(visit: Visit) -> Response:
    """One proposal: its words, whose they are, how they came about, what others wish and say."""
    procedure = open_procedure(visit)
    proposal, row = proposal_of(visit, procedure)
    (entry,) = published.by_ids(visit.session, procedure.id or 0, [proposal.contribution_id])
    (card,) = cards_of(visit, procedure, [entry], to="proposal")
    shown = proposing.shown(visit.session, row)
    versions = [
        each
        for each in proposals.versions_of(visit.session, proposal.contribution_id)
        if each.number in shown.readable
    ]
    current = next((each for each in versions if each.number == shown.number), None)
    authors = proposals.authors_of(visit.session, proposal.contribution_id)
    phases = phases_of(visit.session, procedure.id or 0)
    here = {"slug": procedure.slug, "reference": row.reference}

    def opens(opening: Opening) -> bool:
        return proposing.phase_that_opens(phases, opening, visit.now) is not None

    is_open = proposal.authoring == Authoring.OPEN.value
    talk, said = discussion.talk(visit.session, proposal.contribution_id, seed=seed_of(visit))
    about = talk_of(visit, proposal, phases)
    wanted = visit.request.query_params.get("fassung-in", "")
    language = wanted if current is not None and wanted in current.texts else (current or row).language
    files, _ = published.enclosures(visit.session, proposal.contribution_id)
    described = {
        file.position: file.description
        for file in received.attachments_of(visit.session, proposal.contribution_id)
    }
    return visit.render(
        "proposals/proposal.html",
        ProposalPage(
            id=proposal.contribution_id,
            hearing_title=localised(procedure, visit.language, "title"),
            slug=procedure.slug,
            card=card,
            language=language,
            passages=_passages(visit, current, language, entry.text),
            languages=tuple(
                (name, visit.url("proposal", **here, **{"fassung-in": name}))
                for name in (current.texts if current is not None else ())
                if name != language
            ),
            state=visit.gettext(STATES[proposal.authoring]),
            is_open=is_open,
            closed_words=visit.gettext(CLOSED[proposal.authoring]) if not is_open else "",
            # What was blacked out takes the names that were typed with it.
            authors=() if entry.is_redacted else proposing.public_names(visit.session, authors),
            received_at=row.received_at,
            channel=visit.gettext(channels.by_key(row.channel).label),
            versions=_versions(
                visit,
                versions,
                shown.number,
                here,
                amendments.blacked_out(visit.session, row.id or 0),
                unions.public_reasons(visit.session, proposal.contribution_id),
            ),
            amendments=_amendments(visit, proposal, current, here),
            talk=said_rows(visit, procedure, row.reference, talk, about),
            said=said,
            arguments=_arguments(visit, procedure, proposal, row.reference, about),
            comments_url=visit.url("proposal_comments", **here),
            relations=_relations(visit, procedure, proposal),
            pictures=tuple(
                (
                    visit.url("published_file", **here, position=file.position),
                    described.get(file.position, ""),
                )
                for file in files
                if file.media_type.startswith("image/")
            ),
            amend_url=(
                visit.url("proposal_amend", **here)
                if is_open and current is not None and opens(Opening.AMEND)
                else ""
            ),
            comment_url=(visit.url("proposal_comment", **here) if opens(Opening.COMMENT) else ""),
            through=through_of(visit, procedure, proposal, row.reference),
            list_url=visit.url("proposals", slug=procedure.slug),
        ),
    )


def heading_of(visit: Visit, version: ProposalVersion | None, key: str) -> str:
    """What a section is called: as its field was, or as it is called everywhere."""
    named = {each[0]: each[1] for each in version.headings} if version is not None else {}
    return named.get(key) or (visit.gettext(SECTIONS[key]) if key in SECTIONS else key)


def _passages(
    visit: Visit, version: ProposalVersion | None, language: str, as_shown: str
) -> tuple[Passage, ...]:
    """The sections that everybody may read; one without a heading where words are blacked out."""
    if version is None:
        return (Passage("", as_shown),)
    passages = [
        each for each in wording.passages_of(version.texts, language, version.headings) if each.text.strip()
    ]
    alone = len(passages) == 1
    return tuple(
        Passage(
            "" if alone else heading_of(visit, version, each.key),
            each.text,
            f"{language}/{each.key}" in version.stale,
        )
        for each in passages
    )


def _versions(
    visit: Visit,
    versions: Sequence[ProposalVersion],
    current: int | None,
    here: Mapping[str, str],
    blacked_out: Collection[int | None],
    merged: Mapping[int, str],
) -> tuple[VersionRow, ...]:
    """How it came about; the reason of an amendment goes with what was blacked out in it, that of a merge (`merged`) as a
    moderator keeps it back."""
    rows = []
    before: ProposalVersion | None = None
    for each in versions:
        changes = (
            visit.url("proposal_changes", **here, earlier=before.number, later=each.number) if before else ""
        )
        rows.append(
            VersionRow(
                each.number,
                each.made_at,
                visit.gettext(REASONS[each.reason]),
                _public_note(each, blacked_out, merged),
                each.receipt,
                each.number == current,
                changes,
            )
        )
        before = each
    return tuple(reversed(rows))


def _public_note(
    version: ProposalVersion, blacked_out: Collection[int | None], merged: Mapping[int, str]
) -> str:
    """Why this version came about, as far as everybody may read it today."""
    if version.reason == VersionReason.MERGE.value:
        return merged.get(version.number, "")
    return "" if version.amendment_id in blacked_out else version.note


def _amendments(
    visit: Visit, proposal: Proposal, version: ProposalVersion | None, here: Mapping[str, str]
) -> tuple[AmendmentRow, ...]:
    rows = []
    for amendment, handed_in in amendments.of_proposal(visit.session, proposal.contribution_id):
        state = amendments.standing(amendment, proposal, visit.now)
        hides = handed_in.redaction_id is not None
        rows.append(
            AmendmentRow(
                amendment.id or 0,
                handed_in.reference,
                "" if hides else handed_in.pseudonym,
                handed_in.received_at,
                ", ".join(heading_of(visit, version, each["section"]) for each in amendment.patches),
                "" if hides else amendment.reason,
                visit.gettext(AMENDED[state]),
                state in ("proposed", "outdated"),
                amendments.public_answer(amendment),
                "" if hides else visit.url("proposal_amendment", **here, number=amendment.id),
            )
        )
    return tuple(rows)


STANCES: Mapping[str, str] = {
    "for": N_("For it"),
    "against": N_("Against it"),
    "question": N_("Question"),
    "remark": N_("Remark"),
}


#: Arguments of each side on the proposal's own page.
ARGUMENTS = 3


@dataclass(frozen=True)
class Talk:
    """What is so of the whole talk about a proposal: whether it goes on, and how many find which argument good (by the
    comment's id; None while the phase hides numbers)."""

    is_open: bool
    marks: Mapping[int, int] | None


def talk_of(visit: Visit, proposal: Proposal, phases: Sequence[Phase]) -> Talk:
    """How the talk about a proposal stands. At most one query."""
    is_open = proposing.phase_that_opens(phases, Opening.COMMENT, visit.now) is not None
    running = next(
        (
            found
            for opening in (Opening.SUPPORT, Opening.COMMENT)
            if (found := proposing.phase_that_opens(phases, opening, visit.now)) is not None
        ),
        None,
    )
    handed_in = next((phase for phase in phases if phase.id == proposal.phase_id), None)
    shows = support.shows_counts(running or handed_in, now=visit.now, is_opened=True)
    is_open = is_open and proposal.authoring in (Authoring.OPEN.value, Authoring.LOCKED.value)
    return Talk(is_open, support.marked(visit.session, proposal.contribution_id) if shows else None)


def _arguments(
    visit: Visit, procedure: Procedure, proposal: Proposal, reference: str, about: Talk
) -> ArgumentsShown | None:
    """For and against side by side, as many of each, so that no side looks louder."""
    sides = discussion.both_sides(
        visit.session, proposal.contribution_id, seed=seed_of(visit), marks=about.marks, limit=ARGUMENTS
    )
    if not any(side.total for side in sides):
        return None
    shown = [said_rows(visit, procedure, reference, side.said, about) for side in sides]
    here = {"slug": procedure.slug, "reference": reference}
    first, second = (
        SideShown(
            side.stance.value,
            visit.gettext(STANCES[side.stance.value]),
            side.total,
            visit.url("proposal_comments", **here, art=side.stance.value),
        )
        for side in sides
    )
    return ArgumentsShown(
        (first, second),
        tuple(
            (side.stance.value, rows[at])
            for at in range(ARGUMENTS)
            for side, rows in zip(sides, shown, strict=True)
            if at < len(rows)
        ),
        bool(about.marks),
    )


def said_rows(
    visit: Visit, procedure: Procedure, reference: str, talk: Sequence[discussion.Said], about: Talk
) -> tuple[SaidRow, ...]:
    """Comments on the proposal `reference` with their answers as everybody may read them; a constant number of queries."""
    ids = [row.id or 0 for each in talk for row in (each.contribution, *each.answers)]
    entries = {entry.id: entry for entry in published.by_ids(visit.session, procedure.id or 0, ids)}
    changes = rewording.changes(
        visit.session, {entry.id: entry.version for entry in entries.values() if entry.version is not None}
    )

    def changed(row: Contribution, answers: Sequence[Contribution] = ()) -> Changed | None:
        change = changes.get(row.id or 0)
        if change is None:
            return None
        here = {"slug": procedure.slug, "reference": reference, "comment": row.reference}
        url = ""
        if change.earlier is not None:
            url = visit.url("comment_changes", **here, earlier=change.earlier, later=change.number)
        return Changed(change.at, url, sum(answer.received_at <= change.shown_at for answer in answers))

    def marks(each: discussion.Said) -> dict[str, Any]:
        if each.stance not in (discussion.Stance.FOR, discussion.Stance.AGAINST):
            return {}
        here = {"slug": procedure.slug, "reference": reference, "comment": each.contribution.reference}
        return {
            "marks": None if about.marks is None else about.marks.get(each.contribution.id or 0, 0),
            "mark_url": visit.url("argument", **here) if about.is_open else "",
        }

    return tuple(
        SaidRow(
            entries[each.contribution.id or 0].reference,
            visit.gettext(STANCES[each.stance.value]),
            each.stance is discussion.Stance.FOR,
            entries[each.contribution.id or 0].text,
            entries[each.contribution.id or 0].language,
            entries[each.contribution.id or 0].author,
            visit.url("published_contribution", slug=procedure.slug, reference=each.contribution.reference),
            visit.url(
                "proposal_comment", slug=procedure.slug, reference=reference, antwort=each.contribution.id
            )
            if about.is_open
            else "",
            tuple(
                AnswerRow(
                    entries[row.id or 0].author,
                    entries[row.id or 0].text,
                    entries[row.id or 0].language,
                    changed(row),
                )
                for row in each.answers
            ),
            changed(each.contribution, each.answers),
            **marks(each),
        )
        for each in talk
    )


def _relations(visit: Visit, procedure: Procedure, proposal: Proposal) -> tuple[RelationRow, ...]:
    rows = proposals.relations_of(visit.session, proposal.contribution_id)
    others = {row.to_id if row.from_id == proposal.contribution_id else row.from_id for row in rows}
    entries = {each.id: each for each in published.by_ids(visit.session, procedure.id or 0, sorted(others))}
    found = []
    for row in rows:
        forwards = row.from_id == proposal.contribution_id
        entry = entries.get(row.to_id if forwards else row.from_id)
        if entry is not None:
            words = RELATIONS[row.kind][0 if forwards else 1]
            address = visit.url("proposal", slug=procedure.slug, reference=entry.reference)
            found.append(RelationRow(visit.gettext(words), entry.heading, address))
    return tuple(found)


# --- what changed ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class ChangedSection:
    """A section that reads differently, with its changed places."""

    heading: str
    places: tuple[Place, ...]
    skipped: int
    #: Too long to be compared word by word: that it changed is said all the same.
    is_too_long: bool = False


@dataclass(frozen=True)
class ChangesPage:
    """What changed between two versions, or what an amendment wishes."""

    title: str
    hearing_title: str
    hearing_url: str
    proposal_title: str
    proposal_url: str
    lead: str
    earlier: str
    later: str
    language: str
    sections: tuple[ChangedSection, ...]
    added: int
    removed: int
    side_by_side: bool
    other_view_url: str
    facts: tuple[tuple[str, str], ...] = ()
    parts: type[Part] = Part


def changed_sections(
    visit: Visit,
    version: ProposalVersion | None,
    before: Mapping[str, Mapping[str, str]],
    after: Mapping[str, Mapping[str, str]],
) -> tuple[tuple[ChangedSection, ...], int, int]:
    """The sections that differ, each word by word, and how many words were put in and taken out."""
    sections, added, removed = [], 0, 0
    several = len({*before, *after}) > 1
    for place in wording.changed(before, after):
        language, _, key = place.partition("/")
        heading = heading_of(visit, version, key)
        try:
            found = compare(before.get(language, {}).get(key, ""), after.get(language, {}).get(key, ""))
        except TooLong:
            sections.append(ChangedSection(f"{heading} ({language})" if several else heading, (), 0, True))
            continue
        sections.append(
            ChangedSection(f"{heading} ({language})" if several else heading, found.places, found.skipped)
        )
        added, removed = added + found.words_added, removed + found.words_removed
    return tuple(sections), added, removed


@page(
    "/beteiligungen/{slug}/vorschlaege/{reference}/fassungen/{earlier:int}/{later:int}",
    name="proposal_changes",
    may=Permission.READ_PUBLIC,
    shared=True,
)
def changes_page(visit: Visit) -> Response:
    """What changed from one version to another: as one text, or side by side (`ansicht=nebeneinander`)."""
    procedure = open_procedure(visit)
    proposal, row = proposal_of(visit, procedure)
    numbers = visit.request.path_params
    readable = proposing.shown(visit.session, row).readable
    sides = [
        proposals.version(visit.session, proposal.contribution_id, numbers[name])
        for name in ("earlier", "later")
        if numbers[name] in readable
    ]
    earlier, later = sides if len(sides) == 2 else (None, None)
    if earlier is None or later is None:
        visit.not_found()
    sections, added, removed = changed_sections(visit, later, earlier.texts, later.texts)
    here = {"slug": procedure.slug, "reference": row.reference}
    side_by_side = visit.request.query_params.get("ansicht") == "nebeneinander"
    other = {} if side_by_side else {"ansicht": "nebeneinander"}
    title = proposing.composed(later)[0] or row.reference
    hidden = amendments.blacked_out(visit.session, row.id or 0) if later.amendment_id is not None else ()
    is_merged = later.reason == VersionReason.MERGE.value
    merged = unions.public_reasons(visit.session, row.id or 0) if is_merged else {}
    note = _public_note(later, hidden, merged)
    return visit.render(
        "proposals/changes.html",
        ChangesPage(
            title=visit.gettext("What changed: %(title)s", title=title),
            hearing_title=localised(procedure, visit.language, "title"),
            hearing_url=visit.url("hearing", slug=procedure.slug),
            proposal_title=title,
            proposal_url=visit.url("proposal", **here),
            lead=visit.gettext(
                "Version %(earlier)s compared with version %(later)s.",
                earlier=earlier.number,
                later=later.number,
            ),
            earlier=visit.gettext("Version %(number)s", number=earlier.number),
            later=visit.gettext("Version %(number)s", number=later.number),
            language=later.language,
            sections=sections,
            added=added,
            removed=removed,
            side_by_side=side_by_side,
            other_view_url=visit.url(
                "proposal_changes", **here, earlier=earlier.number, later=later.number, **other
            ),
            facts=((visit.gettext("Why"), note),) if note else (),
        ),
    )


@page(
    "/beteiligungen/{slug}/vorschlaege/{reference}/aenderungen/{number:int}",
    name="proposal_amendment",
    may=Permission.READ_PUBLIC,
)
def amendment_page(visit: Visit) -> Response:
    """What an amendment wishes, held against the version that it was written for, and what became of it."""
    procedure = open_procedure(visit)
    proposal, row = proposal_of(visit, procedure)
    wanted = row_number(str(visit.request.path_params["number"])) or 0
    pairs = {
        each.id: (each, handed_in)
        for each, handed_in in amendments.of_proposal(visit.session, proposal.contribution_id)
    }
    if wanted not in pairs or pairs[wanted][1].redaction_id is not None:
        visit.not_found()
    amendment, handed_in = pairs[wanted]
    if amendment.base_number not in proposing.shown(visit.session, row).readable:
        visit.not_found()
    base = proposals.version(visit.session, proposal.contribution_id, amendment.base_number)
    assert base is not None
    wished = {language: dict(words) for language, words in base.texts.items()}
    for patch in amendments.patches_in(amendment):
        wished.setdefault(patch.language, {})[patch.section] = patch.text
    sections, added, removed = changed_sections(visit, base, base.texts, wished)
    here = {"slug": procedure.slug, "reference": row.reference}
    side_by_side = visit.request.query_params.get("ansicht") == "nebeneinander"
    other = {} if side_by_side else {"ansicht": "nebeneinander"}
    title = base.texts.get(base.language, {}).get(TITLE, "") or row.reference
    state = amendments.standing(amendment, proposal, visit.now)
    facts = [
        (visit.gettext("From"), handed_in.pseudonym),
        (visit.gettext("Why"), amendment.reason),
        (visit.gettext("State"), visit.gettext(AMENDED[state])),
        (visit.gettext("Answer"), amendments.public_answer(amendment)),
    ]
    return visit.render(
        "proposals/changes.html",
        ChangesPage(
            title=visit.gettext("Amendment %(reference)s", reference=handed_in.reference),
            hearing_title=localised(procedure, visit.language, "title"),
            hearing_url=visit.url("hearing", slug=procedure.slug),
            proposal_title=title,
            proposal_url=visit.url("proposal", **here),
            lead=visit.gettext("What it wishes, held against version %(number)s.", number=base.number),
            earlier=visit.gettext("Version %(number)s", number=base.number),
            later=visit.gettext("As the amendment wishes it"),
            language=base.language,
            sections=sections,
            added=added,
            removed=removed,
            side_by_side=side_by_side,
            other_view_url=visit.url("proposal_amendment", **here, number=amendment.id, **other),
            facts=tuple((label, value) for label, value in facts if value),
        ),
    )
