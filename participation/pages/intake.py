"""The counter: letters, faxes, e-mails, telephone calls, statements on record, slips from events.

The same `submit` as for everybody, with the channel, the day that counts and the person as they came in. What a
clerk has typed and scanned is kept as a draft, so that no refusal makes anybody scan a letter twice.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from starlette.responses import Response
from wtforms import (
    BooleanField,
    DateField,
    FileField,
    Form,
    HiddenField,
    RadioField,
    SelectField,
    StringField,
    TextAreaField,
    TimeField,
)
from wtforms.fields import SelectChoice
from wtforms.validators import DataRequired, Length, Optional

from consultations import (
    agency_answers,
    agency_overview,
    amendments,
    channels,
    contributions,
    discussion,
    drafts,
    places,
    procedures,
    received,
    surveys,
)
from consultations.channels import Entry
from consultations.cocreation import Naming, is_own_section
from consultations.contributions import TITLE_LIMIT, Contribution, Kind, Submission
from consultations.deadlines import PhaseState
from consultations.documents import documents_of
from consultations.drafts import Draft
from consultations.files import MB, Limits, serving_headers
from consultations.inspection import STAFF_TYPES
from consultations.invitations import Invitation
from consultations.people import NAME_LIMIT, Organisation, OrganisationKind, PersonInput
from consultations.permissions import Permission, reach
from consultations.phases import Phase, phase_of, phases_of, phases_of_all
from consultations.procedures import Procedure, ProcedureState
from consultations.refusals import Code, Refusal
from consultations.wording import Passage
from participation import letters, receipts
from participation.messages import STATUS
from participation.pages.fields import (
    CameIn,
    ReferenceFields,
    SenderFields,
    TopicField,
    moment_of,
    offered_topic,
    short,
)
from participation.pages.uploads import (
    REMOVE,
    attached,
    body_limit,
    draft_of,
    put_together,
    take_in,
    token_of,
    waiting_files,
)
from participation.pages.who_may import DeclareFields, WhoMay, declared, who_may
from participation.pages.writing import HINTS, passages, sections_of
from participation.pages.writing import Asked as Section
from participation.web import Visit, page, row_number

#: Marks a message for the catalogues.
N_ = str
#: So long after the entry its page shows the access code, to whoever made it.
CODE_SHOWN = timedelta(minutes=15)

KINDS: dict[Kind, str] = {
    Kind.STATEMENT: N_("Formal statement"),
    Kind.PROPOSAL: N_("Proposal"),
    Kind.COMMENT: N_("Comment"),
}

BODIES: dict[OrganisationKind, str] = {
    OrganisationKind.ASSOCIATION: N_("Association"),
    OrganisationKind.COMPANY: N_("Company"),
    OrganisationKind.PUBLIC_AGENCY: N_("Public agency"),
    OrganisationKind.AUTHORITY: N_("Authority"),
    OrganisationKind.NEIGHBOURING_MUNICIPALITY: N_("Neighbouring municipality"),
    OrganisationKind.ENVIRONMENTAL_ASSOCIATION: N_("Environmental association"),
}


class IntakeForm(CameIn, ReferenceFields, SenderFields, DeclareFields):
    """What came in, as the clerk has it before them."""

    token = HiddenField()
    kind = RadioField(N_("What is it?"), choices=[], validate_choice=False)
    received_at = TimeField(N_("Time of receipt"), [Optional()])
    written_on = DateField(N_("Written on"), [Optional()])
    title = short(N_("Subject"), TITLE_LIMIT)
    text = TextAreaField(N_("What it says"))
    files = FileField(N_("Scan or original file, and enclosures"), render_kw={"multiple": True})
    document_id = SelectField(N_("Document it refers to"), choices=[], validate_choice=False)
    category = TopicField(N_("Topic"))
    place_words = short(N_("Place in words"))
    organisation = short(N_("Organisation"), NAME_LIMIT)
    organisation_kind = SelectField(
        N_("Kind of organisation"),
        [Optional()],
        choices=[
            SelectChoice("", N_("Please choose")),
            *(SelectChoice(kind.value, BODIES[kind]) for kind in BODIES),
        ],
    )
    phone = short(N_("Telephone"), NAME_LIMIT)
    on_behalf_of = short(N_("On behalf of"))
    pseudonym = short(N_("Name that others may see"))
    invitation = SelectField(N_("Answer of an agency that was asked"), choices=[], validate_choice=False)
    wants_publication = BooleanField(N_("May be published without the name"))
    wants_letter = BooleanField(N_("Send the receipt by post"))


#: Which name a phase asks of a kind, for whoever enters it.
NAMES: dict[Naming, str] = {
    Naming.CHOSEN: N_("%(kind)s: a name is asked for; a made-up one is enough."),
    Naming.OWN: N_("%(kind)s: the person's own name is asked for. It is not published."),
}


def names_asked(
    visit: Visit, phases: Sequence[Phase], kinds: Sequence[Kind], received_at: datetime
) -> tuple[str, ...]:
    """Which name the phases of that moment ask of each kind, in words."""
    asked = {kind: contributions.naming_asked(phases, kind, received_at) for kind in kinds}
    return tuple(
        visit.gettext(NAMES[naming]) % {"kind": visit.gettext(KINDS[kind])}
        for kind, naming in asked.items()
        if naming in NAMES
    )


@dataclass(frozen=True)
class Choice:
    """A consultation that something may have come in for."""

    id: int
    key: str
    title: str
    is_open: bool


@dataclass(frozen=True)
class Choices:
    """Which consultation?"""

    rows: tuple[Choice, ...]


@dataclass(frozen=True)
class Kept:
    """A file that has been taken in with the draft; `value` is what the button that takes it away sends."""

    value: str
    filename: str
    size: int


@dataclass(frozen=True)
class Counter:
    """The form for one consultation."""

    procedure_id: int
    procedure: str
    files: tuple[Kept, ...]
    advice: tuple[tuple[str, str, str], ...]
    limit_mb: int
    errors: tuple[tuple[str, str | None], ...]
    #: Which name the phases ask of proposals and comments, in words; none where they ask for none.
    names: tuple[str, ...]
    #: To whom the phases keep proposals and comments, and why.
    who: WhoMay
    #: What the phase asks a proposal for beside what it says.
    sections: tuple[Section, ...]
    #: Surveys that sheets may have come in for: words and address.
    surveys: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class TakenIn:
    """What the clerk needs after taking something in."""

    reference: str
    access_code: str
    procedure: str
    procedure_id: int
    received_at: datetime
    channel: str
    is_late: bool
    pdf_url: str
    #: Where the receipt is printed again with its access code; empty as long as it has the code anyway.
    again_url: str
    has_address: bool
    has_email: bool


@page("/verwaltung/eingang", name="intake", may=Permission.RECORD_INTAKE)
def choose(visit: Visit) -> Response:
    """Choose the consultation that something came in for."""
    allowed = reach(visit.by, Permission.RECORD_INTAKE, visit.municipality_id)
    rows = [
        row
        for row in procedures.for_staff(visit.session, visit.municipality_id)
        if row.state in (ProcedureState.PUBLISHED.value, ProcedureState.CONCLUDED.value)
        and (allowed is None or row.id in allowed)
    ]
    phases = phases_of_all(visit.session, [row.id for row in rows if row.id is not None])
    found = [
        Choice(
            row.id or 0,
            row.key,
            procedures.localised(row, visit.language, "title"),
            any(phase.ways and phase.state(visit.now) is PhaseState.OPEN for phase in phases[row.id or 0]),
        )
        for row in rows
    ]
    return visit.render("intake/choose.html", Choices(tuple(sorted(found, key=lambda row: not row.is_open))))


def _procedure(visit: Visit) -> Procedure:
    row = procedures.by_id(visit.session, visit.municipality_id, visit.request.path_params["id"])
    if row is None or row.state == ProcedureState.DRAFT.value:
        visit.not_found()
    visit.require(Permission.RECORD_INTAKE, row)
    return row


@page(
    "/verwaltung/eingang/{id:int}",
    name="intake_form",
    may=Permission.RECORD_INTAKE,
    methods=("GET", "POST"),
    body_limit=body_limit,
)
async def enter(visit: Visit) -> Response:
    """Enter what came in."""
    if not visit.is_post:
        return await visit.in_thread(partial(_show_empty, visit))
    return await _take(visit)


def _show_empty(visit: Visit) -> Response:
    procedure = _procedure(visit)
    form = visit.form(_form_for(visit), token=drafts.new_secret(), received_on=visit.today)
    return _draw(visit, procedure, form, [])


def _form_for(visit: Visit) -> type[IntakeForm]:
    """The form with a field for each section that a proposal is asked for, on a slip as on the screen.

    Whoever changes the day changes the phase: words that were typed into a section of another one keep their field.
    """
    phases = phases_of(visit.session, _procedure(visit).id or 0)
    asked = _sections(visit, phases, visit.form(IntakeForm))
    others = dict.fromkeys(each for phase in phases for each in sections_of(visit, phase))
    typed = [each for each in others if str(visit.form_data.get(each.key) or "").strip()]
    return type("SlipForm", (IntakeForm,), {each.key: TextAreaField(each.label) for each in (*asked, *typed)})


async def _take(visit: Visit) -> Response:
    """Keep what came before anything else, then do what was asked for."""
    token = token_of(visit)
    kind = await visit.in_thread(partial(_form_for, visit))
    limits = Limits(max_bytes=visit.house.settings.import_limit_mb * MB, types=STAFF_TYPES)
    fresh, refused = await take_in(visit, "files", limits)
    errors = list(refused)
    form = visit.form(kind)
    form.token.data = token
    status = 422
    try:
        done, problem = await visit.in_thread(partial(_keep, visit, form, token, fresh), write=True)
        fresh = []
        if problem is not None:
            errors.append((visit.explain(problem), "files"))
        if done is None and str(visit.form_data.get("do", "send")) == "send":
            form.validate()
            await visit.in_thread(partial(_say_what_has_no_place, visit, form))
            for each in await visit.in_thread(partial(_wrong, visit, form, token)):
                errors += _put_to_field(visit, form, each)
            if not errors and not form.errors:
                done = await visit.in_thread(partial(_hand_in, visit, form, token), write=True)
        if done is not None:
            return visit.redirect("intake_done", id=done)
    except Refusal as refusal:
        errors += _put_to_field(visit, form, refusal)
        if fresh:
            errors.append((visit.gettext("Please choose your files again when you send it."), "files"))
        status = STATUS.get(refusal.code, 422)
    return await visit.in_thread(
        partial(_redraw, visit, form, token, errors, status if errors or form.errors else 200)
    )


def _say_what_has_no_place(visit: Visit, form: IntakeForm) -> None:
    """Words in a section of proposals have no place in anything else, nor in a phase that does not ask for it: they are
    asked for where they count."""
    if form.kind.data == Kind.PROPOSAL.value:
        phases = phases_of(visit.session, _procedure(visit).id or 0)
        taken = HINTS.keys() | {each.key for each in _sections(visit, phases, form)}
        problem = visit.gettext(
            "The phase of that day does not ask for this section. Please put the words into “What it says”."
        )
    else:
        taken = set()
        problem = visit.gettext("Only proposals have this section. Please put the words into “What it says”.")
    for name in _names_of_sections(form) - taken:
        if str(form[name].data or "").strip():
            form[name].errors = [*form[name].errors, problem]


def _names_of_sections(form: IntakeForm) -> set[str]:
    return set(form._fields) - set(IntakeForm()._fields)


def _fields(form: IntakeForm) -> frozenset[str]:
    """What is typed into it: what a draft keeps, and where a refusal is said."""
    return frozenset(form._fields) - {"files", "token"}


def _put_to_field(visit: Visit, form: IntakeForm, refusal: Refusal) -> list[tuple[str, str | None]]:
    """Say a refusal at its field, where whoever comes to the field hears it; what has no field is handed back."""
    name = refusal.field
    if name == "received_at" and form.received_on.data != visit.today:
        name = (
            "received_on"  # The moment has two fields here; the time is what is wrong on the day itself only.
        )
    if name not in _fields(form):
        return [(visit.explain(refusal), name)]
    field = form[name]
    field.errors = [*field.errors, visit.explain(refusal)]
    return []


def _redraw(
    visit: Visit, form: IntakeForm, token: str, errors: list[tuple[str, str | None]], status: int
) -> Response:
    procedure = _procedure(visit)
    return _draw(
        visit, procedure, form, waiting_files(visit, token, procedure), errors=tuple(errors), status=status
    )


def _keep(
    visit: Visit, form: IntakeForm, token: str, fresh: list[dict[str, Any]]
) -> tuple[int | None, Refusal | None]:
    """Write what came into the draft; the contribution if it already became one, and why not all files were taken.

    What is longer than a draft holds stays on the page, where it is named; nothing else has to wait for it.
    """
    data = {
        name: value
        for name, value in visit.form_data.items()
        if isinstance(value, str) and name in _fields(form) and drafts.holds(name, value)
    }
    draft = draft_of(visit, token, _procedure(visit), "intake", data)
    if draft.contribution_id is not None:
        return draft.contribution_id, None
    files, problem = put_together(draft.files, fresh, str(visit.form_data.get("do", "")))
    drafts.write(visit.session, draft, data, now=visit.now, files=files)
    return None, problem


def _hand_in(visit: Visit, form: IntakeForm, token: str) -> int:
    """Make the draft a contribution. Raises what `contributions.submit` raises."""
    procedure = _procedure(visit)
    draft = drafts.find(visit.session, token, municipality_id=visit.municipality_id, lock=True)
    assert draft is not None
    if draft.contribution_id is not None:
        return draft.contribution_id
    asked = _asked(visit, form, procedure)
    row = contributions.submit(
        visit.session,
        _submission(visit, procedure, form, draft, asked),
        procedure=procedure,
        by=visit.by,
        now=visit.now,
    )
    assert row.id is not None
    phases = phases_of(visit.session, row.procedure_id)
    is_comment = row.kind == Kind.COMMENT.value
    if is_comment and discussion.formal_beside(visit.session, procedure, phases, row.received_at):
        discussion.note_informal(visit.session, row, "", by=visit.by, now=visit.now)
    if asked is not None:
        agency_answers.assign(visit.session, asked[0], row, by=visit.by, now=visit.now)
    drafts.hand_over(visit.session, draft, row.id, now=visit.now)
    return row.id


def _wrong(visit: Visit, form: IntakeForm, token: str) -> list[Refusal]:
    """All that would be refused of what was entered, beside what the form itself has found: said at once."""
    draft = drafts.find(visit.session, token, municipality_id=visit.municipality_id)
    assert draft is not None
    submission = _submission(visit, _procedure(visit), form, draft, None)
    found = contributions.wrong_in(submission, now=visit.now)
    found = [each for each in found if not (each.field in form._fields and form[each.field].errors)]
    if form.received_on.errors:
        found = [each for each in found if each.code is not Code.WRITTEN_AFTER_RECEIVED]
    return found


Asked = tuple[Invitation, Organisation]
"""An agency that was asked, and the request that this is the answer to."""


def _asked(visit: Visit, form: IntakeForm, procedure: Procedure) -> Asked | None:
    """The agency whose answer it is, if the clerk said so. Raises Refusal UNKNOWN_REFERENCE for one not asked here."""
    wanted = row_number(form.invitation.data)
    if wanted is None:
        return None
    assert procedure.id is not None
    found = agency_overview.asked_in(visit.session, procedure.id)
    each = next((each for each in found if each[0].id == wanted), None)
    if each is None:
        raise Refusal(Code.UNKNOWN_REFERENCE, "invitation")
    return each


def _submission(
    visit: Visit, procedure: Procedure, form: IntakeForm, draft: Draft, asked: Asked | None
) -> Submission:
    place_id = row_number(form.place_id.data)
    document_id = row_number(form.document_id.data)
    kind = next((kind for kind in Kind if kind.value == form.kind.data), Kind.STATEMENT)
    return Submission(
        kind=kind,
        channel=form.channel.data or "",
        key=draft.key,
        title=form.title.data or "",
        text=form.text.data or "",
        passages=_passages(visit, procedure, form) if kind is Kind.PROPOSAL else (),
        person=PersonInput(
            name=form.name.data or "",
            street=form.street.data or "",
            postcode=form.postcode.data or "",
            city=form.city.data or "",
            email=form.email.data or "",
            phone=form.phone.data or "",
            organisation=asked[1].name if asked else form.organisation.data or "",
            organisation_kind=next(
                (kind for kind in OrganisationKind if kind.value == form.organisation_kind.data),
                OrganisationKind.ASSOCIATION,
            ),
            organisation_id=(asked[1].merged_into_id or asked[1].id) if asked else None,
        ),
        on_behalf_of=form.on_behalf_of.data or "",
        pseudonym=form.pseudonym.data or "" if kind is not Kind.STATEMENT else "",
        category=offered_topic(procedure, form.category.data or "") if kind is not Kind.STATEMENT else "",
        wants_publication=form.wants_publication.data,
        document_id=document_id,
        section=form.section.data or "",
        # What was looked for and not chosen is still what the person said.
        place_words=form.place_words.data or ("" if place_id else form.place_search.data) or "",
        place_id=place_id,
        located=places.chosen(visit.session, visit.municipality_id, place_id=place_id),
        # What came over the counter is evidence, every page of it; the public reads what the moderator shows.
        attachments=tuple(attached(each, is_original=True) for each in draft.files),
        written_on=form.written_on.data,
        received_at=_came_at(visit, form),
        wants_letter=form.wants_letter.data,
        declares=declared(form.data),
        phase=phase_of(visit.session, asked[0].phase_id) if asked else None,
        due_on=asked[0].due_on if asked else None,
    )


def _sections(visit: Visit, phases: Sequence[Phase], form: IntakeForm) -> tuple[Section, ...]:
    """What the phase in which it came asks a proposal for; that may be over when it is typed."""
    return sections_of(visit, contributions.phase_asking(phases, Kind.PROPOSAL, _came_at(visit, form)))


def _sections_shown(visit: Visit, phases: Sequence[Phase], form: IntakeForm) -> tuple[Section, ...]:
    """Those that the form has a field for: asked for, or with words in them from before another day was typed."""
    asked = _sections(visit, phases, form)
    others = (each for phase in phases for each in sections_of(visit, phase))
    by_key = {each.key: each for each in (*others, *asked)}
    order = dict.fromkeys([*(each.key for each in asked), *by_key])
    return tuple(by_key[key] for key in order if key in _names_of_sections(form))


def _came_at(visit: Visit, form: IntakeForm) -> datetime:
    return moment_of(visit, form, form.received_at.data)


def _passages(visit: Visit, procedure: Procedure, form: IntakeForm) -> tuple[Passage, ...]:
    phases = phases_of(visit.session, procedure.id or 0)
    own = [each for each in _sections(visit, phases, form) if is_own_section(each.key)]
    return passages(visit, own, form.data)


def _draw(
    visit: Visit,
    procedure: Procedure,
    form: IntakeForm,
    kept: list[dict[str, Any]],
    *,
    errors: tuple[tuple[str, str | None], ...] = (),
    status: int = 200,
) -> Response:
    assert procedure.id is not None
    phases = phases_of(visit.session, procedure.id)
    kinds = [kind for kind in Kind if any(kind.value in phase.opens for phase in phases)] or [Kind.STATEMENT]
    form.kind.choices = [SelectChoice(kind.value, KINDS[kind]) for kind in kinds]
    form.kind.data = form.kind.data or kinds[0].value
    form.document_id.choices = [
        SelectChoice("", N_("The whole plan")),
        *(
            SelectChoice(str(document.id), document.title)
            for document, _versions in documents_of(visit.session, procedure.id)
        ),
    ]
    form.category.offer(procedure, visit.language)
    form.invitation.choices = [
        SelectChoice("", N_("None, or not an agency")),
        *(
            SelectChoice(str(row.id), organisation.name)
            for row, organisation in agency_overview.asked_in(visit.session, procedure.id)
        ),
    ]
    found = (
        places.find(visit.session, visit.municipality_id, form.place_search.data, limit=8)
        if form.place_search.data
        else []
    )
    form.place_id.choices = [
        SelectChoice(str(place.id), f"{place.name} ({place.district})" if place.district else place.name)
        for place in found
    ]
    counter = Counter(
        procedure_id=procedure.id,
        procedure=procedures.localised(procedure, visit.language, "title"),
        files=tuple(Kept(f"{REMOVE}{each['sha256']}", each["filename"], each["size"]) for each in kept),
        advice=tuple(
            (
                visit.gettext(channel.label),
                visit.gettext(channel.counts),
                visit.gettext(channel.advice) if channel.advice else "",
            )
            for channel in channels.entered_by(Entry.CLERK)
        ),
        limit_mb=visit.house.settings.import_limit_mb,
        errors=errors,
        names=names_asked(visit, phases, kinds, _came_at(visit, form)),
        who=who_may(visit, phases, *kinds, at_counter=True, received_at=_came_at(visit, form)),
        sections=_sections_shown(visit, phases, form) if Kind.PROPOSAL in kinds else (),
        surveys=tuple(
            (f"{each.title} ({procedure.key}-U{each.number})", visit.url("survey_intake", id=each.id))
            for each in surveys.of_procedure(visit.session, procedure.id)
        ),
    )
    return visit.render("intake/form.html", counter, status=status, form=form)


def _load(visit: Visit) -> Contribution:
    row = received.by_id(visit.session, visit.municipality_id, visit.request.path_params["id"])
    if row is None:
        visit.not_found()
    visit.require(
        Permission.RECORD_INTAKE, procedures.by_id(visit.session, visit.municipality_id, row.procedure_id)
    )
    return row


def _shows_code(visit: Visit, row: Contribution) -> bool:
    """Whether somebody has just typed it in and has to hand its access code on. With it one can add and withdraw in the
    person's place: everybody else gets it for a reason, which the journal keeps (`print_again`)."""
    return row.recorded_by == visit.by.label and visit.now - row.recorded_at <= CODE_SHOWN


@page("/verwaltung/eingang/erfasst/{id:int}", name="intake_done", may=Permission.RECORD_INTAKE)
def done(visit: Visit) -> Response:
    """The receipt for the clerk: to print, to read out, to post. The code is shown to whoever has just typed it in, and to
    nobody else: with it one can add and withdraw in that person's place."""
    record = received.record_of(visit.session, _load(visit))
    row, person = record.contribution, record.person
    is_fresh = _shows_code(visit, row)
    return visit.render(
        "intake/done.html",
        TakenIn(
            reference=row.reference,
            access_code=row.access_code if is_fresh else "",
            procedure=procedures.localised(record.procedure, visit.language, "title"),
            procedure_id=row.procedure_id,
            received_at=row.received_at,
            channel=visit.gettext(channels.by_key(row.channel).label),
            is_late=row.is_late,
            pdf_url=visit.url("intake_receipt", id=row.id),
            again_url="" if is_fresh else visit.url("intake_receipt_again", id=row.id),
            has_address=bool(person and person.street),
            has_email=bool(person and person.email),
        ),
    )


@page("/verwaltung/eingang/erfasst/{id:int}/beleg.pdf", name="intake_receipt", may=Permission.RECORD_INTAKE)
def receipt(visit: Visit) -> Response:
    """The receipt as a letter for a window envelope; with its access code for whoever has just typed it in alone."""
    row = _load(visit)
    return _as_letter(visit, row, with_code=_shows_code(visit, row))


def _as_letter(visit: Visit, row: Contribution, *, with_code: bool) -> Response:
    context = receipts.receipt_of(
        received.record_of(visit.session, row),
        visit.municipality_row,
        base=visit.base,
        language=row.language,
        as_letter=True,
        is_amendment=amendments.is_one(visit.session, row),
        with_code=with_code,
    )
    headers = {**serving_headers(f"{row.reference}.pdf", "application/pdf"), "Cache-Control": "no-store"}
    return Response(letters.receipt_pdf(context), headers=headers)


class AgainForm(Form):
    """Why a receipt is printed again with its access code."""

    why = StringField(
        N_("Why, and how did you make sure that it is them? Please no names and no numbers of documents."),
        [DataRequired(N_("Please note why it is printed again.")), Length(max=received.WHY_LIMIT)],
    )


@dataclass(frozen=True)
class PrintAgain:
    """A receipt that is to be printed again with its access code."""

    id: int
    reference: str
    pdf_url: str


@page(
    "/verwaltung/eingang/erfasst/{id:int}/beleg",
    name="intake_receipt_again",
    may=Permission.RECORD_INTAKE,
    methods=("GET", "POST"),
)
def print_again(visit: Visit) -> Response:
    """The receipt with its access code once more, for a person who has lost theirs: the journal keeps who printed it, and why."""
    row, form = _load(visit), visit.form(AgainForm)
    if visit.is_post and form.validate():
        received.note_code_printed(visit.session, row, why=form.why.data or "", by=visit.by, now=visit.now)
        return _as_letter(visit, row, with_code=True)
    told = PrintAgain(row.id or 0, row.reference, visit.url("intake_receipt", id=row.id))
    return visit.render("intake/again.html", told, form=form, status=422 if visit.is_post else 200)
