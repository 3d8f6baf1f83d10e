"""What becomes of a proposal, at the planner's desk: milestones, news with pictures, money, decisions, the plan."""

from dataclasses import dataclass
from datetime import date, datetime

from starlette.datastructures import FormData, UploadFile
from starlette.responses import Response
from wtforms import (
    BooleanField,
    DateField,
    FileField,
    Form,
    IntegerField,
    RadioField,
    SelectField,
    StringField,
    TextAreaField,
)
from wtforms.fields import SelectChoice
from wtforms.validators import Length, Optional

from consultations import implementation, people, procedures, published
from consultations.contributions import Contribution
from consultations.files import MB, AcceptedFile, Limits, accept_upload
from consultations.implementation import EntryInput, EntryKind, MilestoneState, Picture
from consultations.permissions import Permission
from consultations.procedures import Procedure, ProcedureState, localised
from consultations.proposals import Proposal
from consultations.refusals import Code, Refusal
from participation.messages import STATUS
from participation.news_messages import MILESTONES
from participation.pages.seen_through import proposal_at_work
from participation.pages.uploads import body_limit
from participation.web import Visit, page, row_number

#: Marks a message for the catalogues.
N_ = str

PICTURE_MB = 20
KINDS = {
    EntryKind.MILESTONE: N_("Milestone"),
    EntryKind.NEWS: N_("News"),
    EntryKind.MONEY: N_("Money spent"),
    EntryKind.DECISION: N_("Decision of the council"),
    EntryKind.PLAN: N_("Part of a plan"),
}


class EntryForm(Form):
    """One entry."""

    kind = RadioField(
        N_("What is it?"),
        choices=[SelectChoice(each.value, name) for each, name in KINDS.items()],
        default=EntryKind.MILESTONE.value,
        validate_choice=False,
    )
    milestone = SelectField(N_("Which milestone?"), choices=[], validate_choice=False)
    title = StringField(N_("Heading"), [Length(max=implementation.TITLE_LIMIT)])
    day = DateField(N_("Day"), [Optional()])
    state = SelectField(
        N_("State of the milestone"),
        choices=[SelectChoice(key, name) for key, name in MILESTONES.items()],
        validate_choice=False,
    )
    words = TextAreaField(N_("What is there to tell?"), [Length(max=implementation.WORDS_LIMIT)])
    amount = IntegerField(N_("Amount (€)"), [Optional()])
    address = StringField(
        N_("Web address of the council's paper"), [Length(max=implementation.ADDRESS_LIMIT)]
    )
    plan = SelectField(N_("Consultation of the plan"), choices=[], validate_choice=False)
    picture = FileField(N_("Picture"))
    picture_words = StringField(
        N_("What does the picture show?"), [Length(max=implementation.DESCRIPTION_LIMIT)]
    )
    tells = BooleanField(N_("Tell those who wait for it"), default=True)


class TakeBackForm(Form):
    """Why an entry was a mistake."""

    why = StringField(N_("Why was it a mistake?"), [Length(max=implementation.DESCRIPTION_LIMIT)])


@dataclass(frozen=True)
class Line:
    """An entry that stands."""

    id: int
    kind: str
    title: str
    state: str
    day: date | None
    by: str
    at: datetime


@dataclass(frozen=True)
class ImplementationPage:
    """One proposal on its way to being built."""

    id: int
    procedure: str
    procedure_id: int
    reference: str
    title: str
    url: str
    lines: tuple[Line, ...]
    spent: int
    is_to_be_built: bool
    done: str


@page(
    "/verwaltung/umsetzung/{id:int}",
    name="implementation",
    may=Permission.PLAN,
    methods=("GET", "POST"),
    body_limit=body_limit,
)
async def implementation_page(visit: Visit) -> Response:
    """Add an entry (`do=add`), or take one back (`do=take-back-7`). A picture is looked at before any transaction."""
    if not visit.is_post:
        return await visit.in_thread(lambda: _blank(visit))
    do = str(visit.form_data.get("do", "add"))
    if do.startswith("take-back-"):
        return await visit.in_thread(lambda: _take_back(visit, do), write=True)
    await visit.in_thread(lambda: proposal_at_work(visit, Permission.PLAN))
    uploads: list[UploadFile] = []
    taken: list[AcceptedFile] = []
    refused: list[Refusal] = []
    try:
        uploads = visit.uploads("picture")
    except Refusal as refusal:
        refused.append(refusal)

    def look() -> None:
        try:
            limits = Limits(max_bytes=PICTURE_MB * MB)
            taken.append(
                accept_upload(visit.house.files, uploads[0].file, uploads[0].filename or "", limits=limits)
            )
        except Refusal as refusal:
            refused.append(refusal)

    if uploads:
        try:
            await visit.house.inspections.run(look)
        except Refusal as refusal:
            refused.append(refusal)
    return await visit.in_thread(lambda: _add(visit, taken, refused), write=True)


def _add(visit: Visit, taken: list[AcceptedFile], refused: list[Refusal]) -> Response:
    procedure, proposal, row = proposal_at_work(visit, Permission.PLAN)
    form = visit.form(EntryForm)
    _choices(visit, proposal, form)
    if not form.validate():
        return _show(visit, procedure, proposal, row, form, status=422)
    try:
        if refused:
            raise Refusal(refused[0].code, "picture", **refused[0].facts)
        implementation.tell(
            visit.session,
            proposal.contribution_id,
            _entered(visit, form, taken),
            tells_people=bool(form.tells.data),
            by=visit.by,
            now=visit.now,
        )
    except Refusal as refusal:
        visit.reject(form, refusal)
        again = proposal_at_work(visit, Permission.PLAN)
        return _show(visit, *again, form, status=STATUS.get(refusal.code, 422))
    return visit.redirect("implementation", id=proposal.contribution_id, getan="add")


def _entered(visit: Visit, form: EntryForm, taken: list[AcceptedFile]) -> EntryInput:
    """What was typed. Raises Refusal NOT_FOUND for a kind that is not offered, PICTURE_NEEDED ("picture")."""
    kinds = {each.value: each for each in KINDS}
    states = {each.value: each for each in MilestoneState}
    kind = kinds.get(form.kind.data or "")
    if kind is None:
        raise Refusal(Code.NOT_FOUND)
    picture = None
    if taken:
        file = taken[0]
        if file.public_sha256 is None or not (file.public_media_type or "").startswith("image/"):
            raise Refusal(Code.PICTURE_NEEDED, "picture", filename=file.filename)
        picture = Picture(
            file.public_sha256, file.public_media_type or "", form.picture_words.data or "", file.filename
        )
    is_milestone = kind is EntryKind.MILESTONE
    return EntryInput(
        kind=kind,
        title=form.title.data or "",
        words=form.words.data or "",
        language=visit.language,
        day=form.day.data,
        state=states.get(form.state.data or "", MilestoneState.PLANNED),
        milestone_id=row_number(form.milestone.data) if is_milestone else None,
        amount=form.amount.data,
        address=form.address.data or "" if kind is EntryKind.DECISION else "",
        plan_id=row_number(form.plan.data) if kind is EntryKind.PLAN else None,
        picture=picture,
    )


def _take_back(visit: Visit, do: str) -> Response:
    _procedure, proposal, _row = proposal_at_work(visit, Permission.PLAN)
    entry_id = row_number(do.removeprefix("take-back-")) or 0
    form = visit.form(TakeBackForm)
    try:
        implementation.take_back(
            visit.session,
            proposal.contribution_id,
            entry_id,
            why=form.why.data or "",
            by=visit.by,
            now=visit.now,
        )
    except Refusal as refusal:
        visit.session.rollback()
        blank = visit.form(EntryForm, sent=FormData())
        blank.form_errors.append(visit.explain(refusal))
        procedure, proposal, row = proposal_at_work(visit, Permission.PLAN)
        _choices(visit, proposal, blank)
        return _show(visit, procedure, proposal, row, blank, status=STATUS.get(refusal.code, 422))
    return visit.redirect("implementation", id=proposal.contribution_id, getan="back")


def _blank(visit: Visit) -> Response:
    procedure, proposal, row = proposal_at_work(visit, Permission.PLAN)
    form = visit.form(EntryForm, sent=FormData())
    _choices(visit, proposal, form)
    return _show(visit, procedure, proposal, row, form)


def _choices(visit: Visit, proposal: Proposal, form: EntryForm) -> None:
    story = implementation.story(visit.session, proposal.contribution_id, visit.today)
    form.milestone.choices = [
        SelectChoice("", N_("A new one")),
        *(SelectChoice(str(each.id), each.entry.title) for each in story.milestones),
    ]
    form.plan.choices = [
        SelectChoice("", N_("Please choose")),
        *(
            SelectChoice(str(each.id), localised(each, visit.language, "title"))
            for each in procedures.for_staff(visit.session, visit.municipality_id)
            if each.state != ProcedureState.DRAFT.value
        ),
    ]


def _show(
    visit: Visit,
    procedure: Procedure,
    proposal: Proposal,
    row: Contribution,
    form: EntryForm,
    *,
    status: int = 200,
) -> Response:
    key = proposal.contribution_id
    story = implementation.story(visit.session, key, visit.today)
    names = people.names(visit.session, {each.by for each in story.entries})
    (entry,) = published.by_ids(visit.session, procedure.id or 0, [key])
    done = {
        "add": visit.gettext("Kept. It stands with the proposal now."),
        "back": visit.gettext("Taken back. On file it stays, with your reason."),
    }.get(visit.request.query_params.get("getan", ""), "")
    return visit.render(
        "implementation/page.html",
        ImplementationPage(
            id=key,
            procedure=localised(procedure, visit.language, "title"),
            procedure_id=procedure.id or 0,
            reference=row.reference,
            title=entry.heading,
            url=visit.url("proposal", slug=procedure.slug, reference=row.reference),
            lines=tuple(
                Line(
                    each.id or 0,
                    visit.gettext(KINDS[EntryKind(each.kind)]),
                    each.title,
                    visit.gettext(MILESTONES[each.state]) if each.state else "",
                    each.day,
                    names.get(each.by, each.by),
                    each.at,
                )
                for each in story.entries
            ),
            spent=story.spent,
            is_to_be_built=implementation.is_to_be_built(visit.session, key),
            done=done,
        ),
        status=status,
        form=form,
    )
