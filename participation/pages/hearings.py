"""Consultations: the list of all, one with everything that belongs to it, its versions, its documents, its dates."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import pairwise
from pathlib import PurePosixPath
from typing import Any

from starlette.responses import Response, StreamingResponse
from wtforms import Form, SelectField, StringField
from wtforms.fields import SelectChoice
from wtforms.validators import Length, Optional

from consultations import (
    announcements,
    ballots,
    filing,
    frozen,
    municipalities,
    nesting,
    places,
    procedures,
    proposals,
    proposing,
    publishing,
    received,
    surveys,
    voting,
)
from consultations.deadlines import PhaseState, local_date
from consultations.documents import Document, DocumentKind, DocumentVersion, documents_of, newest_version
from consultations.files import MissingFile, serving_headers
from consultations.permissions import Permission
from consultations.phases import Opens, Phase, phases_of, phases_of_all
from consultations.procedures import PUBLIC_STATES, Procedure, ProcedureState, ProcedureVersion, localised
from consultations.text import plain_paragraphs
from participation import cityscape, letters, overview
from participation.overview import Card, Deadline, Difference, Step
from participation.pages.home import cards_of, typed
from participation.pages.with_parts import Whole, whole_with
from participation.web import PAGES, Visit, page, public_address

#: Marks a message for the catalogues.
N_ = str

PER_PAGE = 24
#: How long a browser keeps a published version of a document: for ever, since it is never replaced.
DOCUMENT_SECONDS = 365 * 24 * 3600
#: What an integer column of both databases holds.
LARGEST_ID = 2**31 - 1
#: How many changes the consultation's page shows before it links to all of them.
CHANGES_SHOWN = 3


# --- the list --------------------------------------------------------------------------------------


class ListForm(Form):
    """What the list can be narrowed to."""

    q = StringField(N_("Words"), [Optional(), Length(max=200)])
    state = SelectField(
        N_("State"),
        choices=[
            SelectChoice("", N_("All")),
            SelectChoice("open", N_("Open now")),
            SelectChoice("soon", N_("Begins soon")),
            SelectChoice("past", N_("Ended")),
        ],
        validate_choice=False,
    )
    district = SelectField(N_("District"), choices=[], validate_choice=False)


@dataclass(frozen=True)
class HearingList:
    """One page of the list."""

    form: ListForm
    is_filtered: bool
    cards: tuple[Card, ...]
    total: int
    newer: str
    older: str


@page("/beteiligungen", name="hearings", may=Permission.READ_PUBLIC, shared=True)
def hearings(visit: Visit) -> Response:
    """All consultations: what is open first, narrowed by words, state and district."""
    form = visit.form(ListForm)
    everything = procedures.public(visit.session, visit.municipality_id)
    districts = {procedure.district for procedure in everything if procedure.district}
    form.district.choices = [
        SelectChoice("", N_("Whole town")),
        *(SelectChoice(name, name) for name in sorted(districts, key=places.fold)),
    ]
    words, wanted, district = (typed(field.data) for field in (form.q, form.state, form.district))
    if words or district:
        everything = procedures.public(visit.session, visit.municipality_id, words=words, district=district)
    cards = [card for card in cards_of(visit, everything) if _is_wanted(card, wanted)]
    number = _page_number(visit, len(cards))

    def address(other: int) -> str:
        return visit.url(
            "hearings", q=words, state=wanted, district=district, seite=other if other > 1 else ""
        )

    return visit.render(
        "hearings/list.html",
        HearingList(
            form=form,
            is_filtered=bool(words or wanted or district),
            cards=tuple(cards[(number - 1) * PER_PAGE : number * PER_PAGE]),
            total=len(cards),
            newer=address(number - 1) if number > 1 else "",
            older=address(number + 1) if number * PER_PAGE < len(cards) else "",
        ),
    )


def _is_wanted(card: Card, wanted: str) -> bool:
    if wanted == "past":
        return card.standing not in ("open", "soon")
    return not wanted or card.standing == wanted


def _page_number(visit: Visit, total: int) -> int:
    asked = visit.request.query_params.get("seite", "")
    last = max(1, -(-total // PER_PAGE))
    return min(max(int(asked), 1), last) if asked.isdecimal() and len(asked) < 7 else 1


# --- one consultation ------------------------------------------------------------------------------


@dataclass(frozen=True)
class Contact:
    """Who answers questions; each may be empty."""

    name: str
    office: str
    phone: str
    email: str
    hours: str


@dataclass(frozen=True)
class Access:
    """A place where the plan can be seen and a statement handed in without the internet (BauGB §3(2) S.2)."""

    place: str
    address: str
    hours: str
    step_free: str
    note: str


@dataclass(frozen=True)
class FileLink:
    """A document in the list, with its newest version."""

    title: str
    kind: str
    url: str
    text_url: str
    other_form_url: str
    format: str
    size: int
    pages: int | None
    number: int
    dated: date
    note: str
    earlier: tuple[tuple[int, date, str], ...]
    #: The version that was laid open in the phase that is running, if it was corrected since: number, day, address.
    laid_open: tuple[int, date, str] | tuple[()] = ()
    #: What was corrected since then: day and note.
    corrections: tuple[tuple[date, str], ...] = ()
    #: Where one reads what changed since the version before; empty where nothing can be compared.
    comparison_url: str = ""
    #: Whether it says what became of the contributions.
    is_result: bool = False


@dataclass(frozen=True)
class Change:
    """What was changed after publication: in the planner's words, or what is different."""

    number: int
    at: datetime
    words: str


@dataclass(frozen=True)
class Links:
    """Addresses of what can be done; empty where it cannot be done now or this installation has no such room."""

    statement: str
    proposal: str
    comment: str
    map: str
    contributions: str
    proposals: str
    follow: str
    #: How to show it on one's own website.
    embedding: str
    #: It with its parts; empty where it has none.
    follow_parts: str
    slip: str
    dates: str
    plan: str
    narrow_plan: str
    lookup: str
    #: In three dimensions, and its sun and shadow.
    city: str
    sunlight: str
    #: Votes: the question, its address, and one of `voting.Standing`.
    votes: tuple[tuple[str, str, str], ...]


@dataclass(frozen=True)
class PartLine:
    """A consultation that belongs to the one that is shown: how far below, title and its language, where it stands."""

    level: int
    #: What it is a part of, if that is a part itself.
    of: str
    title: str
    language: str
    url: str
    standing: str
    state_text: str
    when: str
    #: What one can do there now.
    ways: tuple[str, ...]
    #: Whether what is open there now is formal or informal (formal where both are); empty where nothing is.
    formality: str = ""
    #: Its last day of what is open now, the formal one before others.
    ends: date | None = None


@dataclass(frozen=True)
class SurveyLine:
    """A survey of the consultation; `when`: until when one can answer it, empty once it is over."""

    title: str
    url: str
    results_url: str
    standing: str
    when: str


@dataclass(frozen=True)
class Hearing:
    """Everything that the page of one consultation shows."""

    slug: str
    reference: str
    #: Names of texts that are not in the language of the page, and the language they are in.
    foreign: Mapping[str, str]
    title: str
    summary: str
    description: str
    location_words: str
    district: str
    standing: str
    state_text: str
    deadline: Deadline | None
    ways: tuple[str, ...]
    steps: tuple[Step, ...]
    outcome: str
    documents: tuple[FileLink, ...]
    withdrawn_documents: tuple[FileLink, ...]
    contact: Contact
    access: tuple[Access, ...]
    links: Links
    #: How many contributions the public can read, of its parts too.
    published: int
    #: Whether what was said about parts is counted.
    counts_parts: bool
    changes: tuple[Change, ...]
    has_more_changes: bool
    is_draft: bool
    #: The announcements that stand on the internet, newest first: words and address.
    announcements: tuple[tuple[str, str], ...]
    #: What it is a part of, the largest first: title and address.
    above: tuple[tuple[str, str], ...]
    parts: tuple[PartLine, ...]
    #: Those that run first, then those that are over.
    surveys: tuple[SurveyLine, ...]


@page("/beteiligungen/{slug}", name="hearing", may=Permission.READ_PUBLIC, shared=True)
def hearing(visit: Visit) -> Response:
    """One consultation; staff who may read drafts see it before it is published."""
    procedure = procedure_of(visit)
    procedure_id = procedure.id or 0
    phases = phases_of(visit.session, procedure_id)
    documents = documents_of(visit.session, procedure_id)
    held = frozen.held_versions(visit.session, procedure_id, visit.now)
    versions = publishing.versions_of(visit.session, procedure_id)
    changes = _changes(versions[: CHANGES_SHOWN + 1], visit.language)
    outcome = publishing.closing_words(visit.session, [procedure_id]).get(procedure_id, "")
    card = overview.card(procedure, phases, visit.now, visit.language, outcome)
    deadline = overview.deadline(procedure, phases, visit.now, visit.language)
    belonging = nesting.parts(visit.session, procedure_id)
    parts, part_phases = _parts(visit, belonging)
    whole = whole_with(procedure, belonging)
    published = received.published_count(visit.session, whole.key, *whole.keys_of_parts)
    return visit.render(
        "hearings/hearing.html",
        Hearing(
            slug=procedure.slug,
            reference=procedure.key,
            foreign=_foreign(visit, procedure),
            title=card.title,
            summary=card.summary,
            description=localised(procedure, visit.language, "description"),
            location_words=localised(procedure, visit.language, "location_words"),
            district=procedure.district,
            standing=card.standing,
            state_text=card.state_text,
            deadline=deadline,
            ways=card.ways,
            steps=overview.common_timeline(phases, part_phases, visit.now, visit.language)
            if parts
            else overview.timeline(phases, visit.now, visit.language),
            outcome=card.outcome,
            documents=_files(visit, documents, held, withdrawn=False),
            withdrawn_documents=_files(visit, documents, held, withdrawn=True),
            contact=_contact(visit, procedure),
            access=tuple(_access(visit, option) for option in procedure.access_options),
            links=_links(visit, whole, phases, deadline, published, bool(parts)),
            published=published,
            counts_parts=bool(whole.parts),
            changes=changes[:CHANGES_SHOWN],
            has_more_changes=len(versions) - 1 > CHANGES_SHOWN,
            is_draft=procedure.state == ProcedureState.DRAFT.value,
            announcements=_announcements(visit, procedure, phases),
            above=tuple(
                (localised(each, visit.language, "title"), visit.url("hearing", slug=each.slug))
                for each in nesting.above(visit.session, procedure)
            ),
            parts=parts,
            surveys=_surveys(visit, procedure, phases),
        ),
    )


def _surveys(visit: Visit, procedure: Procedure, phases: Sequence[Phase]) -> tuple[SurveyLine, ...]:
    """The surveys that everybody may know of; one query, none where no phase can have one."""
    if not proposing.is_arranged(phases):
        return ()
    by_id = {phase.id: phase for phase in phases}
    found = []
    for survey in surveys.of_procedure(visit.session, procedure.id or 0):
        phase = by_id[survey.phase_id]
        stands = surveys.standing(survey, procedure, phase, visit.now)
        here = {"slug": procedure.slug, "number": survey.number}
        ends = overview.last_day(phase)
        is_open = stands is surveys.Standing.OPEN
        found.append(
            SurveyLine(
                title=survey.said(visit.language),
                url=visit.url("survey", **here),
                results_url=visit.url("survey_results", **here)
                if surveys.shows_results(survey, stands)
                else "",
                standing=stands.value,
                when=overview.midnight(ends, visit.language) if is_open and ends else "",
            )
        )
    return tuple(sorted(found, key=lambda line: line.standing != surveys.Standing.OPEN.value))


def _running(phases: Sequence[Phase], now: datetime) -> Phase | None:
    """What is open to everybody now: formal before informal, what ends first before what ends later."""
    found = [
        phase
        for phase in phases
        if phase.ways and phase.state(now) is PhaseState.OPEN and overview.formality(phase)
    ]
    return min(
        found, key=lambda phase: (not phase.is_formal, overview.last_day(phase) or date.max), default=None
    )


def _soonest_first(
    parts: Sequence[nesting.Part], phases: Mapping[int, Sequence[Phase]], now: datetime
) -> list[nesting.Part]:
    """Parts in the order of what ends first, each with its own parts behind it; those where nothing ends keep their order."""

    def ends(row: Procedure) -> date:
        running = _running(phases[row.id or 0], now)
        own = [overview.last_day(running) or date.max] if running else []
        return min(
            [*own, *(ends(each.procedure) for each in parts if each.procedure.part_of_id == row.id)],
            default=date.max,
        )

    def under(key: int | None) -> list[nesting.Part]:
        here = [each for each in parts if each.procedure.part_of_id == key]
        found: list[nesting.Part] = []
        for each in sorted(here, key=lambda part: ends(part.procedure)):
            found += [each, *under(each.procedure.id)]
        return found

    return under(parts[0].procedure.part_of_id) if parts else []


def _parts(
    visit: Visit, found: Sequence[nesting.Part]
) -> tuple[tuple[PartLine, ...], list[tuple[Procedure, list[Phase]]]]:
    """What belongs to a consultation, as lines and with its phases; two queries, none where nothing does."""
    if not found:
        return (), []
    ids = [part.procedure.id or 0 for part in found]
    phases = phases_of_all(visit.session, ids)
    found = _soonest_first(found, phases, visit.now)
    rows = [part.procedure for part in found]
    closing = publishing.closing_words(visit.session, ids)
    titles = {row.id: localised(row, visit.language, "title") for row in rows}
    lines = []
    for part, row in zip(found, rows, strict=True):
        running = _running(phases[row.id or 0], visit.now)
        card = overview.card(
            row, phases[row.id or 0], visit.now, visit.language, closing.get(row.id or 0, "")
        )
        lines.append(
            PartLine(
                level=part.level,
                of=titles.get(row.part_of_id, ""),
                title=card.title,
                language=card.text_language if card.text_language != visit.language else "",
                url=visit.url("hearing", slug=card.slug),
                standing=card.standing,
                state_text=card.state_text,
                when=card.when or card.outcome or card.outcome_phase,
                ways=card.ways,
                formality=overview.formality(running) if running else "",
                ends=overview.last_day(running) if running else None,
            )
        )
    return tuple(lines), [(row, phases[row.id or 0]) for row in rows]


def procedure_of(visit: Visit) -> Procedure:
    """The procedure in the address. Raises Refusal NOT_FOUND, also for a draft that is not the visitor's to read."""
    slug = str(visit.request.path_params["slug"])
    # What no address of ours contains is not asked for: PostgreSQL takes no NUL.
    known = slug.isascii() and slug.isprintable()
    procedure = procedures.by_slug(visit.session, visit.municipality_id, slug) if known else None
    if procedure is None or not _may_read(visit, procedure):
        visit.not_found()
    return procedure


def _may_read(visit: Visit, procedure: Procedure) -> bool:
    return procedure.state != ProcedureState.DRAFT.value or visit.may(Permission.READ_DRAFTS, procedure)


def _foreign(visit: Visit, procedure: Procedure) -> Mapping[str, str]:
    languages = {
        name: overview.text_language(procedure, visit.language, name)
        for name in ("title", "summary", "description", "location_words")
        if getattr(procedure, name)
    }
    return {name: language for name, language in languages.items() if language != visit.language}


def _announcements(
    visit: Visit, procedure: Procedure, phases: Sequence[Phase]
) -> tuple[tuple[str, str], ...]:
    """The newest announcement of each phase that stands on the internet."""
    if procedure.state == ProcedureState.DRAFT.value:
        return ()
    names = {phase.id: overview.phase_name(phase, visit.language) for phase in phases}
    found: dict[int, tuple[str, str]] = {}
    for version in announcements.public_of(visit.session, procedure.id or 0, visit.now):
        url = visit.url("announcement", slug=procedure.slug, announcement=version.id)
        found.setdefault(version.phase_id, (names[version.phase_id], url))
    return tuple(found.values())


def _changes(versions: Sequence[ProcedureVersion], language: str) -> tuple[Change, ...]:
    """The changes from the last of these versions on, newest first; the first publication itself is none."""
    return tuple(
        Change(
            version.number,
            version.at,
            version.note
            or overview.in_words(overview.differences(before.snapshot, version.snapshot, language), language),
        )
        for version, before in pairwise(versions)
    )


def _files(
    visit: Visit,
    documents: Sequence[tuple[Document, list[DocumentVersion]]],
    held: Mapping[int, int],
    *,
    withdrawn: bool,
) -> tuple[FileLink, ...]:
    return tuple(
        _file_link(visit, document, versions, held.get(document.id or 0))
        for document, versions in documents
        if versions and document.is_withdrawn is withdrawn
    )


def _file_link(
    visit: Visit, document: Document, versions: Sequence[DocumentVersion], held: int | None = None
) -> FileLink:
    """The document with its newest version first; where that corrects the one that lies open (`held`), both are named so."""
    at = next((at for at, version in enumerate(versions) if version.id == held), 0)
    shown = versions[0]
    return FileLink(
        title=document.title,
        kind=visit.gettext(overview.DOCUMENT_NAMES[document.kind]),
        url=_file_url(visit, shown),
        text_url=_text_url(visit, shown) if shown.text else "",
        other_form_url=visit.url("barrier_report", where=document.title),
        format=_format(shown),
        size=shown.size,
        pages=shown.pages,
        number=shown.number,
        dated=local_date(shown.uploaded_at),
        note=shown.note if at == 0 else "",
        earlier=tuple(
            (version.number, local_date(version.uploaded_at), _file_url(visit, version))
            for position, version in enumerate(versions)
            if position not in (0, at)
        ),
        laid_open=(versions[at].number, local_date(versions[at].uploaded_at), _file_url(visit, versions[at]))
        if at
        else (),
        corrections=tuple(
            (local_date(version.uploaded_at), version.note) for version in reversed(versions[:at])
        ),
        comparison_url=_comparison_url(visit, versions),
        is_result=document.kind == DocumentKind.RESULT.value,
    )


def _comparison_url(visit: Visit, versions: Sequence[DocumentVersion]) -> str:
    """Where the newest version is compared with the one before it."""
    if len(versions) < 2 or "comparison" not in PAGES or not (versions[0].text and versions[1].text):
        return ""
    newest, before = versions[0], versions[1]
    return visit.url("comparison", id=newest.document_id, earlier=before.number, later=newest.number)


def _file_url(visit: Visit, version: DocumentVersion) -> str:
    return visit.url("document", id=version.document_id, number=version.number, filename=version.filename)


def _text_url(visit: Visit, version: DocumentVersion) -> str:
    return visit.url("document_text", id=version.document_id, number=version.number)


def _format(version: DocumentVersion) -> str:
    return PurePosixPath(version.filename).suffix.lstrip(".").upper() or version.media_type


def _contact(visit: Visit, procedure: Procedure) -> Contact:
    """The procedure's own contact; the town's where it has none."""
    own: Mapping[str, Any] = procedure.contact
    town = visit.municipality.contact
    if any(own.get(name) for name in ("name", "office", "phone", "email")):
        return Contact(*(str(own.get(name) or "") for name in Contact.__dataclass_fields__))
    return Contact("", town.office, town.phone, town.email, town.hours)


def _access(visit: Visit, option: Mapping[str, Any]) -> Access:
    step_free = option.get("step_free", "")
    if isinstance(step_free, bool):
        step_free = visit.gettext("Step-free access") if step_free else visit.gettext("Not step-free")
    return Access(
        place=str(option.get("place") or ""),
        address=str(option.get("address") or ""),
        hours=str(option.get("hours") or ""),
        step_free=str(step_free or ""),
        note=str(option.get("note") or ""),
    )


def _links(
    visit: Visit,
    whole: Whole,
    phases: Sequence[Phase],
    deadline: Deadline | None,
    published: int,
    has_parts: bool,
) -> Links:
    procedure = whole.procedure

    def address(name: str, when: bool = True, /, **params: object) -> str:
        return visit.url(name, slug=procedure.slug, **params) if when and name in PAGES else ""

    def is_open(way: Opens) -> bool:
        return overview.is_open(phases, way, visit.now)

    def plan(**size: str) -> str:
        has_area = procedure.plan_area is not None
        return address("plan_picture", has_area, v=procedure.version, look=_look(visit), **size)

    has_city = cityscape.has_city(visit.session, procedure)
    is_late = bool(deadline and deadline.state == "late")
    taken = is_late or bool(deadline and deadline.state == "open")
    return Links(
        statement=address("statement", is_late or is_open(Opens.STATEMENT), kind=Opens.STATEMENT.value),
        proposal=address("statement", is_open(Opens.PROPOSAL), kind=Opens.PROPOSAL.value),
        comment=address("hearing_map", is_open(Opens.COMMENT)),
        map=address("hearing_map"),
        contributions=address("contributions_list", bool(published)),
        follow=address("follow", procedure.state in PUBLIC_STATES),
        embedding=address("embedding", procedure.state in PUBLIC_STATES),
        follow_parts=address("follow", has_parts, teile=1),
        proposals=address(
            "proposals",
            bool(published) and bool(proposals.how_many(visit.session, whole.key, *whole.keys_of_parts)),
        ),
        slip=address("slip", taken),
        dates=address("dates", has_parts or any(phase.starts_on for phase in phases)),
        plan=plan(),
        narrow_plan=plan(size="narrow"),
        lookup=visit.url("lookup") if "lookup" in PAGES else "",
        city=address("city", has_city),
        sunlight=address("sunlight", has_city),
        votes=_votes(visit, procedure, phases),
    )


def _votes(visit: Visit, procedure: Procedure, phases: Sequence[Phase]) -> tuple[tuple[str, str, str], ...]:
    """The votes that everybody may know of; one query, none where no phase can have one."""
    by_id = {phase.id: phase for phase in phases}
    if not proposing.is_arranged(phases):
        return ()
    return tuple(
        (
            vote.said(visit.language),
            visit.url("vote", slug=procedure.slug, phase=vote.phase_id),
            voting.standing(vote, procedure, by_id[vote.phase_id], visit.now).value,
        )
        for vote in ballots.of_procedure(visit.session, procedure.id or 0)
    )


def _look(visit: Visit) -> str:
    """The look to ask a picture for: it follows the device by itself, and the visitor's own choice through this."""
    return "" if visit.theme == "system" else visit.theme


# --- versions --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Version:
    """A published version: when, why, and what it changed compared with the one before."""

    number: int
    at: datetime
    note: str
    differences: tuple[Difference, ...]
    is_first: bool


@dataclass(frozen=True)
class Versions:
    """All that was changed since publication, newest first."""

    title: str
    slug: str
    versions: tuple[Version, ...]


@page("/beteiligungen/{slug}/aenderungen", name="hearing_versions", may=Permission.READ_PUBLIC, shared=True)
def versions(visit: Visit) -> Response:
    """What was changed since publication, when, and why."""
    procedure = procedure_of(visit)
    rows = publishing.versions_of(visit.session, procedure.id or 0)
    before: list[Mapping[str, object]] = [row.snapshot for row in rows[1:]]
    found = tuple(
        Version(
            row.number,
            row.at,
            row.note,
            overview.differences(before[at], row.snapshot, visit.language) if at < len(before) else (),
            at == len(before),
        )
        for at, row in enumerate(rows)
    )
    page = Versions(localised(procedure, visit.language, "title"), procedure.slug, found)
    return visit.render("hearings/versions.html", page)


# --- documents -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class DocumentText:
    """A document's words for readers who cannot use the file."""

    title: str
    hearing_title: str
    hearing_url: str
    paragraphs: tuple[str, ...]
    language: str
    file: FileLink
    is_withdrawn: bool
    newest_url: str


def _document(visit: Visit) -> tuple[Procedure, Document, DocumentVersion]:
    """The version in the address. Raises Refusal NOT_FOUND."""
    asked, number = visit.request.path_params["id"], visit.request.path_params["number"]
    if max(asked, number) > LARGEST_ID:
        visit.not_found()
    found = filing.document_version(visit.session, visit.municipality_id, asked, number)
    if found is None or not _may_read(visit, found[0]):
        visit.not_found()
    return found


@page("/dokumente/{id:int}/{number:int}", name="document_text", may=Permission.READ_PUBLIC)
def document_text(visit: Visit) -> Response:
    """The words of one version of a document, as a page."""
    procedure, document, version = _document(visit)
    newest = newest_version(visit.session, document)
    return visit.render(
        "hearings/document.html",
        DocumentText(
            title=document.title,
            hearing_title=localised(procedure, visit.language, "title"),
            hearing_url=visit.url("hearing", slug=procedure.slug),
            paragraphs=tuple(plain_paragraphs(version.text)),
            language=overview.ENTERED_IN,
            file=_file_link(visit, document, [version]),
            is_withdrawn=document.is_withdrawn,
            newest_url=_text_url(visit, newest) if newest.number != version.number else "",
        ),
    )


@page("/dokumente/{id:int}/{number:int}/{filename}", name="document", may=Permission.READ_PUBLIC)
def document(visit: Visit) -> Response:
    """One version of a document as the file that it is; saved, never run. Its last part of the address is for people."""
    procedure, _, version = _document(visit)
    is_public = procedure.state != ProcedureState.DRAFT.value
    headers = {
        **serving_headers(version.filename, version.media_type, inline=True),
        "ETag": f'"{version.sha256}"',
        "Cache-Control": f"public, max-age={DOCUMENT_SECONDS}, immutable" if is_public else "no-store",
    }
    if f'"{version.sha256}"' in visit.request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    headers["Content-Length"] = str(version.size)
    try:
        content = visit.house.files.open(version.sha256)
    except MissingFile:
        visit.not_found()
    return StreamingResponse(content, headers=headers)


# --- dates and paper -------------------------------------------------------------------------------


@page("/beteiligungen/{slug}/termine.ics", name="dates", may=Permission.READ_PUBLIC, shared=True)
def dates(visit: Visit) -> Response:
    """The dated phases, its own and those of its parts, as a calendar (RFC 5545): all-day events, and before the last day
    of what is open a reminder."""
    from icalendar import Calendar

    procedure = procedure_of(visit)
    host = public_address(
        visit.house.settings, municipalities.hosts_of(visit.session, visit.municipality_id)
    ).partition("://")[2]
    calendar = Calendar()
    calendar.add("prodid", "-//Digilog//Consultations//EN")
    calendar.add("version", "2.0")
    calendar.add("x-wr-calname", localised(procedure, visit.language, "title"))
    own = (procedure, phases_of(visit.session, procedure.id or 0))
    told = [own, *_parts(visit, nesting.parts(visit.session, procedure.id or 0))[1]]
    changes = publishing.changed_at(visit.session, [row.id or 0 for row, _ in told])
    for row, phases in told:
        changed = changes.get(row.id or 0, visit.now)
        for phase in phases:
            if phase.starts_on is not None and not phase.waits_for_release:
                calendar.add_component(_event(visit, row, phase, host, changed))
    return Response(calendar.to_ical(), media_type="text/calendar; charset=utf-8")


def _event(visit: Visit, procedure: Procedure, phase: Phase, host: str, changed: datetime) -> Any:
    from icalendar import Alarm, Event

    assert phase.starts_on is not None
    title = localised(procedure, visit.language, "title")
    address = visit.absolute("hearing", slug=procedure.slug)
    name = overview.phase_name(phase, visit.language)
    last = overview.last_day(phase) or phase.starts_on
    event = Event()
    event.add("uid", f"phase-{phase.id}@{host}")
    event.add("dtstamp", changed)
    event.add("sequence", procedure.version)
    event.add("summary", f"{name}: {title}")
    event.add("dtstart", phase.starts_on)
    # The end of an all-day event is the day after its last (RFC 5545, 3.6.1).
    event.add("dtend", last + timedelta(days=1))
    event.add("description", f"{localised(procedure, visit.language, 'summary')}\n{address}")
    event.add("url", address)
    event.add("transp", "TRANSPARENT")
    if phase.ways and overview.last_day(phase):
        alarm = Alarm()
        alarm.add("action", "DISPLAY")
        alarm.add("description", visit.gettext("Three days left: %(title)s", title=title))
        alarm.add("trigger", timedelta(days=-4), parameters={"RELATED": "END"})
        event.add_component(alarm)
    return event


@page("/beteiligungen/{slug}/formular.pdf", name="slip", may=Permission.READ_PUBLIC)
def slip(visit: Visit) -> Response:
    """The form for taking part on paper, to print, fill in by hand and post."""
    procedure = procedure_of(visit)
    phase = overview.spoken_of(phases_of(visit.session, procedure.id or 0), visit.now)
    form = letters.FormContext(
        letterhead=letters.Letterhead.of(visit.municipality_row),
        language=visit.language,
        procedure_key=procedure.key,
        procedure_title=localised(procedure, visit.language, "title"),
        url=visit.absolute("hearing", slug=procedure.slug),
        privacy_url=visit.absolute("privacy"),
        issued_at=visit.now,
        phase_title=overview.phase_name(phase, visit.language) if phase else "",
        ends_on=overview.last_day(phase) if phase else None,
    )
    filename = f"{procedure.slug}.pdf"
    return Response(letters.form_pdf(form), headers=serving_headers(filename, "application/pdf"))
