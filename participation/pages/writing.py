"""What somebody sees while they write: the forms of the flow, its steps, and how a page is drawn from a draft.

Every page is drawn from the draft's data, never from what was just sent: so what is shown is what is kept.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

from starlette.responses import Response
from wtforms import (
    FileField,
    Form,
    HiddenField,
    RadioField,
    TextAreaField,
)
from wtforms.fields import SelectChoice

from consultations import (
    contributions,
    discussion,
    drafts,
    nesting,
    places,
    procedures,
    proposal_lists,
    proposing,
    published,
    received,
    whereabouts,
)
from consultations.cocreation import Naming, Opening, is_own_section
from consultations.contributions import (
    TITLE_LIMIT,
    Contribution,
    Kind,
    PublicationState,
)
from consultations.deadlines import PhaseState
from consultations.discussion import Beside
from consultations.documents import documents_of
from consultations.drafts import Draft
from consultations.files import Limits
from consultations.phases import Opens, Phase, phase_for, phases_of
from consultations.procedures import Procedure, ProcedureState, subject_in
from consultations.refusals import Refusal
from consultations.text import excerpt
from consultations.wording import Passage
from participation import cityscape, overview, receipts, things
from participation.overview import Deadline
from participation.pages.fields import (
    NAMES_ASKED,
    ReferenceFields,
    SenderFields,
    TopicField,
    formal_question,
    offered_topic,
    short,
)
from participation.pages.place_words import found_in_words, where_in_words
from participation.pages.proposal_comments import title_beside
from participation.pages.proposals import SECTIONS
from participation.pages.uploads import REMOVE
from participation.pages.who_may import DeclareFields, WhoMay, who_may
from participation.web import PAGES, Visit, row_number

#: Marks a message for the catalogues.
N_ = str

#: The steps as they stand in addresses, and the one page that holds all of them.
WORDS, ABOUT, CHECK, ALL = "text", "angaben", "pruefen", "alles"
STEPS = (WORDS, ABOUT, CHECK)

#: Places that a search offers at once.
PLACES_SHOWN = 12

# --- forms -----------------------------------------------------------------------------------------


class WordsForm(ReferenceFields):
    """What somebody wants to say, and what it refers to."""

    title = short(N_("Title"), TITLE_LIMIT)
    text = TextAreaField(N_("Your statement"))
    #: The other sections of a proposal; what is proposed stands in `text`.
    why = TextAreaField(N_("Why?"))
    whom = TextAreaField(N_("For whom?"))
    cost = TextAreaField(N_("What might it cost?"))
    attachments = FileField(N_("Attach files"), render_kw={"multiple": True})
    place_words = short(N_("Place in your own words"))
    category = TopicField(N_("Topic"))
    lon = HiddenField()
    lat = HiddenField()
    geometry = HiddenField()
    thing = HiddenField()
    parent_id = HiddenField()


class AboutForm(SenderFields, DeclareFields):
    """Who hands it in, as far as they wish to say, and whether the public may read it."""

    on_behalf_of = short(N_("I write on behalf of"))
    pseudonym = short(N_("Name that others may see"))
    publish = RadioField(
        N_("May others read it?"),
        choices=[
            SelectChoice("yes", N_("Yes, publish it without my name")),
            SelectChoice("no", N_("No, only the town hall may read it")),
        ],
        validate_choice=False,
    )
    formal = formal_question()
    formal_to = HiddenField()


class WholeForm(WordsForm, AboutForm):
    """Everything on one page; before it is sent, it is the check as well."""


FORMS: dict[str, type[Form]] = {WORDS: WordsForm, ABOUT: AboutForm, CHECK: WholeForm, ALL: WholeForm}

#: What may come from a form into a draft. What a draft supplements is not among it: only who knows the access code of
#: a contribution may add to it (participation/pages/contributions.py).
KEPT_FIELDS = frozenset(WholeForm()._fields) - {"attachments"}

#: Before the hash of a picture: the name of the field that describes it.
DESCRIBES = "description-"

CHOSEN_ON_MAP = ("lon", "lat", "geometry")
#: What goes along with a place chosen on the map or in three dimensions, and goes when another place is chosen.
CHOSEN = (*CHOSEN_ON_MAP, "thing")


class _Typed(dict[str, str]):
    """The words of a draft as WTForms reads what a browser sent."""

    def getlist(self, name: str) -> list[str]:
        return [self[name]] if name in self else []


# --- what templates show ---------------------------------------------------------------------------


@dataclass(frozen=True)
class Hearing:
    """The consultation that is written to, as far as this kind of contribution goes."""

    title: str
    url: str
    #: open | late | soon | closed | none
    state: str
    #: A formal statement: put on file, and to be dealt with by whoever decides. Proposals and comments never are.
    is_formal: bool
    #: Where a formal statement can be handed in at the moment, for whoever writes something informal; empty if nowhere.
    formal_url: str
    #: Until when, in words, as on the consultation's own page; None where nothing of this kind is asked for.
    deadline: Deadline | None


#: What, in words, the address where it can be changed, and what is changed there.
Row = tuple[str, str, str, str]


@dataclass(frozen=True)
class KeptFile:
    """A file that is kept with the draft; `value` is what the button that removes it sends."""

    value: str
    filename: str
    size: int
    #: The field in which a picture of a proposal is described, what stands in it, and whether it is still missing.
    describes: str = ""
    description: str = ""


@dataclass(frozen=True)
class Asked:
    """A section that a proposal is asked for beside its text: the name of its field, and in words what it is called and what
    is said beside it."""

    key: str
    label: str
    hint: str


@dataclass(frozen=True)
class WritingPage:
    """A step of the flow, or all of it on one page."""

    hearing: Hearing
    kind: str
    step: str
    action: str
    files: tuple[KeptFile, ...]
    #: The place chosen on the map or from the list, in words; empty if none.
    place: str
    #: How many places the search found; None if nobody searched.
    places_found: int | None
    asks_title: bool
    #: The further sections that the phase asks a proposal for.
    sections: tuple[Asked, ...]
    #: Published proposals that resemble this one: (title, address).
    similar: tuple[tuple[str, str], ...]
    #: Whom the browser may ask for them while somebody types; empty for anything but a proposal.
    similar_url: str
    has_documents: bool
    #: Whether the consultation offers topics to choose from.
    has_topics: bool
    #: What this comments on or adds to, in words.
    parent: str
    supplements: str
    saved_until: date | None
    #: What will be sent, part by part: (what, words, address of the step, what to change).
    summary: tuple[Row, ...]
    wants_publication: bool
    email: str
    #: Which name the phase asks for, and that in words; empty: none.
    naming: str
    name_words: str
    #: To whom the phase keeps it, and why.
    who: WhoMay
    file_limit_mb: int
    accept: str
    has_map: bool
    #: Whether a place can be chosen in three dimensions as well.
    has_city: bool
    errors: tuple[tuple[str, str | None], ...] = ()
    notes: tuple[str, ...] = ()
    #: Of a comment: the last day of the formal period that runs beside it; None: there is none.
    formal_until: date | None = None
    #: The other consultation of the same area that it belongs to: its title and key; empty for this one.
    formal_in: str = ""
    formal_to: int | None = None
    #: Under which name the browser keeps words that were not sent yet; empty where it keeps none.
    remember: str = ""

    @property
    def step_number(self) -> int:
        """Where one is, counted from 1."""
        return STEPS.index(self.step) + 1


@dataclass(frozen=True)
class ClosedPage:
    """Why nothing of this kind can be handed in now, and what is possible instead."""

    hearing: Hearing
    kind: str
    is_withdrawn: bool
    #: What is open at this moment: (kind, address).
    possible: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class ExpiredPage:
    """The draft is no longer there."""

    start_url: str


# --- loading ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Kept:
    """A draft outside its unit of work."""

    kind: Kind
    data: Mapping[str, Any]
    files: tuple[Mapping[str, Any], ...] = ()
    contribution_id: int | None = None
    saved_until: datetime | None = None


def kept_of(draft: Draft) -> Kept:
    return Kept(
        Kind(draft.kind),
        dict(draft.data),
        tuple(draft.files),
        draft.contribution_id,
        draft.updated_at + drafts.KEPT,
    )


def procedure_of(visit: Visit) -> Procedure:
    procedure = procedures.by_slug(visit.session, visit.municipality_id, visit.request.path_params["slug"])
    if procedure is None or procedure.state not in procedures.PUBLIC_STATES:
        visit.not_found()
    return procedure


def phases_here(visit: Visit, procedure: Procedure) -> list[Phase]:
    assert procedure.id is not None
    return phases_of(visit.session, procedure.id)


def standing(phases: list[Phase], kind: Kind, now: datetime) -> tuple[str, Phase | None]:
    """Whether this kind can be handed in: open, late, soon, closed or none; and the phase it is about."""
    phase = phase_for(phases, Opens(kind.value), now)
    if phase is not None:
        return ("open" if phase.state(now) is PhaseState.OPEN else "late"), phase
    inviting = [each for each in phases if kind.value in each.opens]
    coming = [each for each in inviting if each.state(now) is PhaseState.COMING]
    if coming:
        return "soon", min(coming, key=lambda each: each.starts_on or date.max)
    return ("closed", inviting[-1]) if inviting else ("none", None)


def kind_wanted(wanted: str, phases: list[Phase], now: datetime) -> Kind:
    """The kind that was asked for, or the one that suits best now: what is open comes first."""
    if wanted in {kind.value for kind in Kind}:
        return Kind(wanted)
    order = ("open", "late", "soon", "closed", "none")
    return min(Kind, key=lambda kind: order.index(standing(phases, kind, now)[0]))


def kind_sent(visit: Visit, procedure: Procedure) -> Kind:
    return kind_wanted(str(visit.form_data.get("kind", "")), phases_here(visit, procedure), visit.now)


def hearing_of(visit: Visit, procedure: Procedure, kind: Kind) -> Hearing:
    phases = phases_here(visit, procedure)
    state, phase = standing(phases, kind, visit.now)
    is_formal = bool(phase and phase.is_formal and kind is Kind.STATEMENT)
    taken, formal = standing(phases, Kind.STATEMENT, visit.now)
    if procedure.state == ProcedureState.WITHDRAWN.value:
        state = "closed"
    return Hearing(
        title=procedures.localised(procedure, visit.language, "title"),
        url=visit.url("hearing", slug=procedure.slug),
        state=state,
        is_formal=is_formal,
        formal_url=(
            visit.url("statement", slug=procedure.slug, kind=Kind.STATEMENT.value)
            if kind is not Kind.STATEMENT and taken == "open" and formal is not None and formal.is_formal
            else ""
        ),
        deadline=_deadline(visit, procedure, phase, state) if phase else None,
    )


def _deadline(visit: Visit, procedure: Procedure, phase: Phase, state: str) -> Deadline:
    words = overview.words_of(phase, visit.now, visit.language)
    if state != "late":
        return words
    return replace(words, state=state, late=overview.late_words(procedure, phase, visit.language))


def formal_beside(visit: Visit, procedure: Procedure, kept: Kept) -> Beside | None:
    """The formal period that runs beside a comment, here or in another part of the same area, whose author is asked whether
    it is to be a statement; or None."""
    if kept.kind is not Kind.COMMENT or kept.data.get("supplements_id"):
        return None
    return discussion.formal_beside(visit.session, procedure, phases_here(visit, procedure), visit.now)


def formal_target(visit: Visit, procedure: Procedure, data: Mapping[str, Any]) -> Procedure | None:
    """Where a comment goes that is to be a statement: also when the period ended while it was written; then it is a late
    one, and not silently something else. None: nowhere."""
    takes = ("open", "late")
    if standing(phases_here(visit, procedure), Kind.STATEMENT, visit.now)[0] in takes:
        return procedure
    wanted = row_number(str(data.get("formal_to") or ""))
    other = next((each for each in nesting.family(visit.session, procedure) if each.id == wanted), None)
    if other is None:
        return None
    its = phases_of(visit.session, other.id or 0)
    return other if standing(its, Kind.STATEMENT, visit.now)[0] in takes else None


def naming_asked(visit: Visit, procedure: Procedure, kept: Kept) -> Naming:
    """Which name this has to be handed in with; an addition belongs to what was handed in with it."""
    if kept.data.get("supplements_id"):
        return Naming.FREE
    return contributions.naming_asked(phases_here(visit, procedure), kept.kind, visit.now)


def who_asked(visit: Visit, procedure: Procedure, kept: Kept) -> WhoMay:
    """To whom the phase keeps this; an addition belongs to what was handed in."""
    if kept.data.get("supplements_id"):
        return WhoMay()
    return who_may(visit, phases_here(visit, procedure), kept.kind)


def published_parent(visit: Visit, procedure: Procedure, wanted: object) -> Contribution | None:
    """The contribution that is commented on, if the public can see it."""
    number = row_number(str(wanted or ""))
    if not number:
        return None
    parent = received.by_id(visit.session, visit.municipality_id, number)
    shown = parent is not None and parent.publication == PublicationState.PUBLISHED.value
    return parent if shown and parent and parent.procedure_id == procedure.id else None


def place_of(visit: Visit, data: Mapping[str, str]) -> Any:
    """The place of a draft, or None. Raises Refusal LOCATION_INVALID, UNKNOWN_REFERENCE."""
    sent = {name: data.get(name, "") for name in CHOSEN_ON_MAP}
    number = row_number(data.get("place_id"))
    return places.chosen(visit.session, visit.municipality_id, **sent, place_id=number)


def thing_of(visit: Visit, data: Mapping[str, str]) -> things.Found | None:
    """The building or point in three dimensions of a draft, measured on the city model; None without one."""
    choice = things.read_choice(data.get("thing", ""))
    return things.find(visit.house, visit.session, procedure_of(visit), choice) if choice else None


def asks_title(kept: Kept) -> bool:
    """What stands in a list of its own needs a title; an answer to something and a formal statement do not."""
    return (
        kept.kind is not Kind.STATEMENT
        and not kept.data.get("parent_id")
        and not kept.data.get("supplements_id")
    )


def is_new_proposal(kept: Kept) -> bool:
    """Whether this becomes a proposal of its own, with sections and versions."""
    return kept.kind is Kind.PROPOSAL and asks_title(kept)


def _is_picture(file: Mapping[str, Any]) -> bool:
    return str(file.get("public_media_type") or "").startswith("image/")


def undescribed(kept: Kept) -> list[Mapping[str, Any]]:
    """The pictures of a proposal that nobody has described yet: who cannot see them has to know what they show."""
    if not is_new_proposal(kept):
        return []
    return [file for file in kept.files if _is_picture(file) and not file.get("description")]


#: What is said beside the usual sections.
HINTS: Mapping[str, str] = {
    "why": N_("What is not good as it is, or what becomes better?"),
    "whom": N_("Who would have something of it?"),
    "cost": N_("A guess is enough. Whoever does not know leaves it empty."),
}


def sections_asked(visit: Visit, procedure: Procedure) -> tuple[Asked, ...]:
    """What the running phase asks a proposal for, see `sections_of`."""
    phase = proposing.phase_that_opens(phases_here(visit, procedure), Opening.PROPOSE, visit.now)
    return sections_of(visit, phase)


def sections_of(visit: Visit, phase: Phase | None) -> tuple[Asked, ...]:
    """The sections beside `text` that a phase asks a proposal for: the usual ones, then its own."""
    sections = proposing.arrangement_of(phase).sections
    usual = {each.key for each in sections} & HINTS.keys()
    return (
        *(
            Asked(key, visit.gettext(SECTIONS[key]), visit.gettext(HINTS[key]))
            for key in HINTS
            if key in usual
        ),
        *(
            Asked(each.key, each.label_in(visit.language), each.hint_in(visit.language))
            for each in sections
            if each.is_own
        ),
    )


def own_sections(visit: Visit, procedure: Procedure, kept: Kept) -> tuple[Asked, ...]:
    """Those of them that the municipality thought of; none of what becomes no proposal of its own."""
    if not is_new_proposal(kept):
        return ()
    return tuple(each for each in sections_asked(visit, procedure) if is_own_section(each.key))


def passages_of(visit: Visit, kept: Kept) -> tuple[Passage, ...]:
    """The named sections of a proposal, see `passages`; none of what becomes no proposal of its own."""
    if not is_new_proposal(kept):
        return ()
    return passages(visit, own_sections(visit, procedure_of(visit), kept), kept.data)


def passages(visit: Visit, own: Sequence[Asked], words: Mapping[str, Any]) -> tuple[Passage, ...]:
    """The named sections of a proposal from the words of its fields; none where only its text was written, unless the phase
    has sections of its own: what is left empty there can then be filled in later."""
    if not own and not any(str(words.get(key) or "").strip() for key in HINTS):
        return ()
    fields = {"what": "text", **{key: key for key in HINTS}}
    return (
        *(
            Passage(key, visit.gettext(SECTIONS[key]), str(words.get(name) or ""))
            for key, name in fields.items()
        ),
        *(Passage(each.key, each.label, str(words.get(each.key) or "")) for each in own),
    )


def _similar(visit: Visit, procedure: Procedure, kept: Kept) -> tuple[tuple[str, str], ...]:
    """What others have proposed already that shares rare words with this, or lies near it too."""
    words = " ".join(str(kept.data.get(name, "")) for name in ("title", "text", "why"))
    if len(words.split()) < 3:
        return ()
    try:
        located = place_of(visit, kept.data)
    except Refusal:
        located = None
    place = (located.lon, located.lat) if located else None
    found = proposal_lists.similar(visit.session, procedure.id or 0, words, place=place)
    entries = published.by_ids(visit.session, procedure.id or 0, [each.proposal_id for each in found])
    return tuple(
        (
            f"{entry.heading} ({entry.reference})",
            visit.url("proposal", slug=procedure.slug, reference=entry.reference),
        )
        for entry in entries
    )


# --- drawing ---------------------------------------------------------------------------------------


def form_of(visit: Visit, step: str, kept: Kept) -> Form:
    """The form of a step with what is kept; where words are written, with a field for each section of the phase's own."""
    kind = FORMS[step]
    if issubclass(kind, WordsForm) and (own := own_sections(visit, procedure_of(visit), kept)):
        kind = type("OwnWordsForm", (kind,), {each.key: TextAreaField(each.label) for each in own})
    return kind(_Typed(kept.data), meta={"locales": [visit.language], "gettext": visit.gettext})


def draw(
    visit: Visit,
    kept: Kept,
    token: str,
    step: str,
    *,
    errors: tuple[tuple[str, str | None], ...] = (),
    notes: tuple[str, ...] = (),
    status: int = 200,
) -> Response:
    """A step with everything that is known so far in it, and the errors at their fields."""
    procedure = procedure_of(visit)
    hearing = hearing_of(visit, procedure, kept.kind)
    form: Any = form_of(visit, step, kept)
    found = None
    if isinstance(form, WordsForm):
        found = _offer(visit, procedure, form, kept)
    for message, target in errors:
        if target in form._fields:
            form[target].errors = [*form[target].errors, message]
    parent = published_parent(visit, procedure, kept.data.get("parent_id"))
    supplements = row_number(kept.data.get("supplements_id"))
    original = received.by_id(visit.session, visit.municipality_id, supplements) if supplements else None
    assert procedure.id is not None
    formal, naming = formal_beside(visit, procedure, kept), naming_asked(visit, procedure, kept)
    about = [kept.kind.value, str(kept.data.get("parent_id") or ""), str(supplements or "")]
    content = WritingPage(
        hearing=hearing,
        kind=kept.kind.value,
        step=step,
        action=visit.url("statement_step", slug=procedure.slug, token=token, step=step),
        files=tuple(
            KeptFile(
                f"{REMOVE}{each['sha256']}",
                each["filename"],
                each["size"],
                f"{DESCRIBES}{each['sha256']}" if is_new_proposal(kept) and _is_picture(each) else "",
                each.get("description", ""),
            )
            for each in kept.files
        ),
        place=_place_chosen(visit, kept.data),
        places_found=found,
        asks_title=asks_title(kept),
        sections=sections_asked(visit, procedure) if is_new_proposal(kept) else (),
        similar=_similar(visit, procedure, kept) if is_new_proposal(kept) else (),
        similar_url=visit.url("proposals_similar", slug=procedure.slug) if is_new_proposal(kept) else "",
        has_documents=isinstance(form, WordsForm) and len(form.document_id.choices) > 1,
        has_topics=bool(procedure.subjects),
        parent=parent.title or excerpt(parent.text, 80) if parent else "",
        supplements=original.reference if original else "",
        saved_until=kept.saved_until.date() if kept.saved_until else None,
        summary=_summary(visit, procedure, kept, token) if step == CHECK else (),
        wants_publication=kept.data.get("publish") == "yes",
        email=str(kept.data.get("email", "")),
        naming=naming.value if naming in NAMES_ASKED else "",
        name_words=visit.gettext(NAMES_ASKED[naming]) if naming in NAMES_ASKED else "",
        who=who_asked(visit, procedure, kept),
        file_limit_mb=visit.house.settings.upload_limit_mb,
        accept=",".join(extension for kind in Limits().types for extension in kind.extensions),
        has_map="hearing_map" in PAGES,
        has_city=isinstance(form, WordsForm) and cityscape.has_city(visit.session, procedure),
        errors=tuple((message, None) for message, target in errors if target not in form._fields),
        notes=notes,
        formal_until=overview.last_day(formal.phase) if formal else None,
        formal_in=title_beside(visit, procedure, formal),
        formal_to=formal.procedure.id if formal and formal.procedure.id != procedure.id else None,
        remember=" ".join([procedure.slug, *filter(None, about)]),
    )
    template = {WORDS: "words", ABOUT: "about", CHECK: "check", ALL: "whole"}[step]
    response = visit.render(f"statements/{template}.html", content, status=status, form=form)
    # Not "no-store": with it, browsers forget what was typed when somebody goes back to the page.
    response.headers["Cache-Control"] = "private, no-cache"
    return response


def _offer(visit: Visit, procedure: Procedure, form: WordsForm, kept: Kept) -> int | None:
    """Fill in the choices of documents and places; how many places the search found."""
    assert procedure.id is not None
    documents = documents_of(visit.session, procedure.id)
    form.document_id.choices = [
        SelectChoice("", N_("All of it, or none in particular")),
        *(SelectChoice(str(each.id), each.title) for each, _versions in documents if not each.is_withdrawn),
    ]
    form.category.offer(procedure, visit.language)
    words = str(kept.data.get("place_search", ""))
    if not words or any(kept.data.get(name) for name in CHOSEN_ON_MAP) or kept.data.get("place_id"):
        return None
    found = places.find(visit.session, visit.municipality_id, words, limit=PLACES_SHOWN)
    form.place_id.choices = [SelectChoice(str(each.id), _place_name(each)) for each in found]
    if found:
        form.place_id.choices.append(SelectChoice("", N_("None of these")))
    return len(found)


def _place_name(place: places.Place) -> str:
    return f"{place.name} ({place.district})" if place.district else place.name


def _place_chosen(visit: Visit, data: Mapping[str, str]) -> str:
    try:
        located = place_of(visit, data)
    except Refusal:
        return ""
    if located is None:
        return ""
    thing = thing_of(visit, data)
    if thing is not None:
        return found_in_words(visit, thing)
    if any(data.get(name) for name in CHOSEN_ON_MAP):
        spot = whereabouts.of(visit.session, visit.municipality_id, [(located.lon, located.lat)])[0]
        words = (
            where_in_words(visit, spot),
            receipts.map_words(located.kind, located.lon, located.lat, visit.language),
        )
        return "; ".join(part for part in words if part)
    place = places.by_id(visit.session, visit.municipality_id, row_number(data.get("place_id")) or 0)
    return _place_name(place) if place else ""


def _summary(visit: Visit, procedure: Procedure, kept: Kept, token: str) -> tuple[Row, ...]:
    """What will be sent, for a last look; each part with the step in which it can be changed."""
    assert procedure.id is not None
    data: Mapping[str, str] = kept.data
    titles = {str(each.id): each.title for each, _versions in documents_of(visit.session, procedure.id)}
    refers_to = (titles.get(data.get("document_id", ""), ""), data.get("section", ""))
    place = (data.get("place_words", ""), _place_chosen(visit, data))
    address = (
        data.get("name", ""),
        data.get("street", ""),
        f"{data.get('postcode', '')} {data.get('city', '')}".strip(),
        data.get("email", ""),
    )
    words = [
        (visit.gettext("Title"), data.get("title", "")),
        (visit.gettext("Your text"), data.get("text", "")),
        *(
            (visit.gettext(SECTIONS[key]), data.get(key, ""))
            for key in ("why", "whom", "cost")
            if is_new_proposal(kept)
        ),
        *((each.label, data.get(each.key, "")) for each in own_sections(visit, procedure, kept)),
        (visit.gettext("Files"), "\n".join(each["filename"] for each in kept.files)),
        (visit.gettext("Refers to"), ", ".join(part for part in refers_to if part)),
        (visit.gettext("Place"), "; ".join(part for part in place if part)),
        (
            visit.gettext("Topic"),
            subject_in(procedure, offered_topic(procedure, data.get("category", "")), visit.language),
        ),
    ]
    about = [
        (
            visit.gettext("From"),
            "\n".join(line for line in address if line) or visit.gettext("without a name"),
        ),
        (visit.gettext("On behalf of"), data.get("on_behalf_of", "")),
        (visit.gettext("Name that others may see"), data.get("pseudonym", "")),
        (
            visit.gettext("Publication"),
            visit.gettext("may be published, without your name")
            if data.get("publish") == "yes"
            else visit.gettext("is not to be published"),
        ),
    ]
    if formal_beside(visit, procedure, kept):
        is_formal = data.get("formal") == "yes"
        counts = N_("a formal statement") if is_formal else N_("a comment, not a formal statement")
        about.append((visit.gettext("Counts as"), visit.gettext(counts)))
    steps = {
        step: visit.url("statement_step", slug=procedure.slug, token=token, step=step)
        for step in (WORDS, ABOUT)
    }
    return tuple(
        (label, value, steps[step], "")
        for step, rows in ((WORDS, words), (ABOUT, about))
        for label, value in rows
        if value
    )
