"""The offices at work on proposals: the list with its promised days, one proposal's grid and answer, batch publication."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from starlette.datastructures import FormData
from starlette.responses import Response
from wtforms import (
    DateField,
    Form,
    HiddenField,
    IntegerField,
    RadioField,
    SelectField,
    StringField,
    TextAreaField,
)
from wtforms.fields import SelectChoice
from wtforms.validators import Length, Optional

from consultations import evaluation, people, procedures, proposals, published
from consultations.cocreation import Evaluation, Outcome
from consultations.contributions import Contribution
from consultations.evaluation import AnswerInput, Criterion, Grade
from consultations.permissions import Permission, reach
from consultations.procedures import Procedure, localised
from consultations.proposals import Proposal
from consultations.refusals import Code, Refusal
from participation.messages import STATUS
from participation.news_messages import OUTCOMES, costs_in_words
from participation.pages.seen_through import proposal_at_work
from participation.web import Visit, page, row_number

#: Marks a message for the catalogues.
N_ = str

PAGE_LENGTH = 50

STATES: Mapping[Evaluation, tuple[str, str]] = {
    Evaluation.NONE: ("waiting", N_("Nobody is asked yet")),
    Evaluation.ASSIGNED: ("evaluating", N_("With the offices")),
    Evaluation.DRAFTED: ("draft", N_("Answer is being written")),
    Evaluation.SECOND_READER: ("evaluating", N_("With the second reader")),
    Evaluation.APPROVED: ("open", N_("Ready to be published")),
    Evaluation.PUBLISHED: ("done", N_("Answered")),
}
CRITERIA: Mapping[Criterion, tuple[str, str]] = {
    Criterion.GOALS: (
        N_("Contribution to the goals"),
        N_("What does it contribute to the goals of the project and of the town?"),
    ),
    Criterion.BENEFIT: (N_("Benefit"), N_("Who has something from it, and how much?")),
    Criterion.FEASIBILITY: (N_("Feasibility"), N_("In law, technically, and at what cost?")),
}
GRADES: Mapping[Grade, str] = {
    Grade.HIGH: N_("high"),
    Grade.MEDIUM: N_("medium"),
    Grade.LOW: N_("low"),
    Grade.NONE: N_("none"),
}


# --- the list --------------------------------------------------------------------------------------


class ListForm(Form):
    """What the list is narrowed to."""

    stand = SelectField(
        N_("State"),
        choices=[
            SelectChoice("", N_("All")),
            *(SelectChoice(state.value, name) for state, (_, name) in STATES.items()),
            SelectChoice("overdue", N_("Overdue")),
        ],
        validate_choice=False,
    )
    amt = SelectField(N_("Office"), choices=[], validate_choice=False)


class BatchForm(Form):
    """What is done with the chosen proposals."""

    offices = TextAreaField(N_("Offices"), [Length(max=2000)])
    due_on = DateField(N_("Answer promised by"), [Optional()])


@dataclass(frozen=True)
class Row:
    """A proposal in the list."""

    id: int
    reference: str
    title: str
    url: str
    kind: str
    state: str
    offices: str
    due_on: date | None
    is_overdue: bool
    outcome: str


@dataclass(frozen=True)
class ListPage:
    """The proposals of one consultation, with what waits."""

    id: int
    procedure: str
    rows: tuple[Row, ...]
    counts: tuple[tuple[str, int], ...]
    overdue: int
    offices: tuple[str, ...]
    may_plan: bool
    more: str
    done: str


@dataclass(frozen=True)
class ProcedureLine:
    """A consultation with proposals."""

    title: str
    url: str
    proposals: int
    overdue: int


@dataclass(frozen=True)
class DeskPage:
    """The consultations that have proposals."""

    lines: tuple[ProcedureLine, ...]


@page("/verwaltung/bewertung", name="evaluation_desk", may=Permission.EVALUATE)
def desk(visit: Visit) -> Response:
    """The consultations whose proposals are evaluated, with what is overdue."""
    allowed = reach(visit.by, Permission.EVALUATE, visit.municipality_id)
    numbers = evaluation.numbers(visit.session, visit.municipality_id, visit.today)
    rows = [
        row
        for row in procedures.for_staff(visit.session, visit.municipality_id)
        if (allowed is None or row.id in allowed) and row.id in numbers
    ]
    return visit.render(
        "evaluation/desk.html",
        DeskPage(
            tuple(
                ProcedureLine(
                    localised(row, visit.language, "title"),
                    visit.url("evaluation", id=row.id),
                    *numbers[row.id or 0],
                )
                for row in rows
            )
        ),
    )


def _procedure(visit: Visit) -> Procedure:
    row = procedures.by_id(visit.session, visit.municipality_id, int(visit.request.path_params["id"]))
    if row is None:
        visit.not_found()
    visit.require(Permission.EVALUATE, row)
    return row


@page("/verwaltung/bewertung/{id:int}", name="evaluation", may=Permission.EVALUATE, methods=("GET", "POST"))
def list_page(visit: Visit) -> Response:
    """Proposals with their states; ask offices for several at once, publish several answers in one moment."""
    procedure = _procedure(visit)
    form = visit.form(BatchForm) if visit.is_post else visit.form(BatchForm, sent=FormData())
    if not visit.is_post:
        return _list(visit, procedure, form)
    chosen = [number for each in visit.form_data.getlist("chosen") if (number := row_number(str(each)))]
    if not form.validate():
        return _list(visit, procedure, form, chosen=chosen, status=422)
    try:
        done = _batch(visit, procedure, form, chosen)
    except Refusal as refusal:
        visit.reject(form, refusal)
        return _list(visit, _procedure(visit), form, chosen=chosen, status=STATUS.get(refusal.code, 422))
    return visit.redirect("evaluation", id=procedure.id, getan=done)


def _batch(visit: Visit, procedure: Procedure, form: BatchForm, chosen: list[int]) -> str:
    found = [proposals.by_contribution(visit.session, each) for each in chosen]
    if not found:
        raise Refusal(Code.NOTHING_CHOSEN)
    if any(each is None or each.procedure_id != procedure.id for each in found):
        raise Refusal(Code.NOT_FOUND)
    if visit.form_data.get("do") == "publish":
        evaluation.publish(visit.session, chosen, by=visit.by, now=visit.now)
        return "publish"
    if form.due_on.data is None:
        raise Refusal(Code.ANSWER_INCOMPLETE, "due_on")
    evaluation.assign(
        visit.session,
        chosen,
        (form.offices.data or "").splitlines(),
        due_on=form.due_on.data,
        by=visit.by,
        now=visit.now,
    )
    return "assign"


def _list(
    visit: Visit,
    procedure: Procedure,
    form: BatchForm,
    *,
    chosen: list[int] | None = None,
    status: int = 200,
) -> Response:
    asked = visit.request.query_params
    offices = evaluation.office_names(visit.session, visit.municipality_id)
    filters = visit.form(ListForm, sent=FormData(), stand=asked.get("stand", ""), amt=asked.get("amt", ""))
    filters.amt.choices = [SelectChoice("", N_("All")), *(SelectChoice(name, name) for name in offices)]
    stand = filters.stand.data or ""
    states = [Evaluation(stand)] if stand in {each.value for each in Evaluation} else []
    found = evaluation.for_offices(
        visit.session,
        procedure.id or 0,
        states=states,
        office=filters.amt.data if filters.amt.data in offices else "",
        overdue_on=visit.today if stand == "overdue" else None,
        after_id=row_number(asked.get("nach")) or 0,
        limit=PAGE_LENGTH + 1,
    )
    shown = found[:PAGE_LENGTH]
    titles = {
        entry.id: entry.heading
        for entry in published.by_ids(
            visit.session, procedure.id or 0, [row.proposal.contribution_id for row in shown]
        )
    }
    counts = evaluation.counts(visit.session, procedure.id or 0)
    done = {
        "publish": visit.gettext("Published. Whoever waits for it is told."),
        "assign": visit.gettext("The offices are asked, and the day is promised."),
    }.get(asked.get("getan", ""), "")
    narrowed = {name: asked[name] for name in ("stand", "amt") if asked.get(name)}
    return visit.render(
        "evaluation/list.html",
        ListPage(
            id=procedure.id or 0,
            procedure=localised(procedure, visit.language, "title"),
            rows=tuple(_row(visit, row, titles) for row in shown),
            counts=tuple((visit.gettext(STATES[state][1]), number) for state, number in counts.items()),
            overdue=evaluation.overdue_count(
                visit.session, visit.municipality_id, visit.today, [procedure.id or 0]
            ),
            offices=tuple(offices),
            may_plan=visit.may(Permission.PLAN, procedure),
            more=visit.url("evaluation", id=procedure.id, **narrowed, nach=shown[-1].proposal.contribution_id)
            if len(found) > PAGE_LENGTH
            else "",
            done=done,
        ),
        status=status,
        form=form,
        filters=filters,
        chosen=chosen or [],
    )


def _row(visit: Visit, row: evaluation.Row, titles: Mapping[int, str]) -> Row:
    kind, name = STATES[Evaluation(row.proposal.evaluation)]
    owed = row.task if row.task and row.task.answered_at is None else None
    return Row(
        row.proposal.contribution_id,
        row.contribution.reference,
        titles.get(row.proposal.contribution_id) or row.contribution.reference,
        visit.url("evaluation_proposal", id=row.proposal.contribution_id),
        kind,
        visit.gettext(name),
        ", ".join(row.offices),
        owed.due_on if owed else None,
        owed is not None and owed.due_on < visit.today,
        visit.gettext(OUTCOMES[row.answer.outcome]) if row.answer and row.answer.outcome else "",
    )


# --- one proposal ----------------------------------------------------------------------------------


class AssessForm(Form):
    """One judgement."""

    office = SelectField(N_("For which office?"), choices=[], validate_choice=False)
    criterion = RadioField(
        N_("Criterion"),
        choices=[SelectChoice(each.value, name) for each, (name, _) in CRITERIA.items()],
        validate_choice=False,
    )
    grade = RadioField(
        N_("Judgement"),
        choices=[SelectChoice(each.value, name) for each, name in GRADES.items()],
        validate_choice=False,
    )
    remark = TextAreaField(N_("Why?"), [Length(max=evaluation.WORDS_LIMIT)])
    judged_from = IntegerField(N_("Cost from (€)"), [Optional()])
    judged_to = IntegerField(N_("Cost to (€)"), [Optional()])


class AnswerForm(Form):
    """The official answer."""

    seen = HiddenField()
    outcome = RadioField(
        N_("What becomes of it?"),
        choices=[SelectChoice(key, name) for key, name in OUTCOMES.items()],
        validate_choice=False,
    )
    reason = TextAreaField(N_("Why, in plain words"), [Length(max=evaluation.REASON_LIMIT)])
    legal_ground = StringField(N_("Rule that stands against it"), [Length(max=500)])
    cost_from = IntegerField(N_("Cost from (€)"), [Optional()])
    cost_to = IntegerField(N_("Cost to (€)"), [Optional()])
    period = StringField(N_("When will something happen?"), [Length(max=200)])


class SecondForm(Form):
    """What the second reader says."""

    seen = HiddenField()
    words = TextAreaField(N_("What should be changed?"), [Length(max=evaluation.WORDS_LIMIT)])


@dataclass(frozen=True)
class Cell:
    """An office's judgement by one criterion; empty where there is none yet."""

    grade: str
    words: str
    costs: str
    by: str
    at: datetime | None


@dataclass(frozen=True)
class GridRow:
    """An office with its judgements, in the order of the criteria."""

    office: str
    is_lead: bool
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class ProposalPage:
    """One proposal before the offices."""

    id: int
    procedure_id: int
    procedure: str
    reference: str
    title: str
    text: str
    url: str
    kind: str
    state: str
    due_on: date | None
    is_overdue: bool
    criteria: tuple[tuple[str, str], ...]
    grid: tuple[GridRow, ...]
    is_with_second: bool
    is_approved: bool
    can_draft: bool
    can_assess: bool
    wrote_it: bool
    second_words: str
    answer: tuple[tuple[str, str], ...]
    implementation_url: str
    done: str


@page(
    "/verwaltung/bewertung/vorschlaege/{id:int}",
    name="evaluation_proposal",
    may=Permission.EVALUATE,
    methods=("GET", "POST"),
)
def proposal_page(visit: Visit) -> Response:
    """Judge (`do=assess`), write (`do=draft`, `do=hand_on`), read second (`do=approve`, `do=return`)."""
    procedure, proposal, row = proposal_at_work(visit, Permission.EVALUATE)
    forms = _forms(visit, proposal)
    if not visit.is_post:
        return _show(visit, procedure, proposal, row, *forms)
    do = str(visit.form_data.get("do", ""))
    assess, answer, second = forms
    form: Form = {"assess": assess, "approve": second, "return": second}.get(do, answer)
    if not form.validate():
        return _show(visit, procedure, proposal, row, *forms, status=422)
    try:
        _act(visit, proposal.contribution_id, do, *forms)
    except Refusal as refusal:
        visit.reject(form, refusal)
        again = proposal_at_work(visit, Permission.EVALUATE)
        return _show(visit, *again, *forms, status=STATUS.get(refusal.code, 422))
    except ValueError:  # a choice that the form does not offer
        form.form_errors.append(visit.gettext("Please choose one."))
        return _show(visit, procedure, proposal, row, *forms, status=422)
    return visit.redirect("evaluation_proposal", id=proposal.contribution_id, getan=do)


def _act(
    visit: Visit, proposal_id: int, do: str, assess: AssessForm, answer: AnswerForm, second: SecondForm
) -> None:
    if do == "assess":
        evaluation.assess(
            visit.session,
            proposal_id,
            assess.office.data or "",
            Criterion(assess.criterion.data or ""),
            Grade(assess.grade.data or ""),
            words=assess.remark.data or "",
            cost_from=assess.judged_from.data,
            cost_to=assess.judged_to.data,
            by=visit.by,
            now=visit.now,
        )
    elif do == "approve":
        seen = row_number(second.seen.data) or 0
        evaluation.approve(visit.session, proposal_id, seen=seen, by=visit.by, now=visit.now)
    elif do == "return":
        evaluation.send_back(visit.session, proposal_id, second.words.data or "", by=visit.by, now=visit.now)
    else:
        evaluation.draft(
            visit.session,
            proposal_id,
            AnswerInput(
                outcome=Outcome(answer.outcome.data) if answer.outcome.data else None,
                reason=answer.reason.data or "",
                language=visit.language,
                legal_ground=answer.legal_ground.data or "",
                cost_from=answer.cost_from.data,
                cost_to=answer.cost_to.data,
                period=answer.period.data or "",
            ),
            seen=row_number(answer.seen.data) or 0,
            by=visit.by,
            now=visit.now,
        )
        if do == "hand_on":
            evaluation.hand_on(visit.session, proposal_id, by=visit.by, now=visit.now)


def _forms(visit: Visit, proposal: Proposal) -> tuple[AssessForm, AnswerForm, SecondForm]:
    """The three forms of the page; only the one that was sent is filled with what was sent."""
    do = str(visit.form_data.get("do", "")) if visit.is_post else ""
    draft = evaluation.open_answer(visit.session, proposal.contribution_id)
    nothing = FormData()
    known: dict[str, Any] = {
        "seen": str(draft.revision if draft else 0),
        "outcome": draft.outcome if draft else "",
        "reason": draft.reason if draft else "",
        "legal_ground": draft.legal_ground if draft else "",
        "cost_from": draft.cost_from if draft else None,
        "cost_to": draft.cost_to if draft else None,
        "period": draft.period if draft else "",
    }
    assess = visit.form(AssessForm) if do == "assess" else visit.form(AssessForm, sent=nothing)
    names = [row.office for row in evaluation.offices_of(visit.session, proposal.contribution_id)]
    assess.office.choices = [SelectChoice(name, name) for name in names]
    second = (
        visit.form(SecondForm)
        if do in ("approve", "return")
        else visit.form(SecondForm, sent=nothing, seen=known["seen"])
    )
    answer = (
        visit.form(AnswerForm)
        if do in ("draft", "hand_on")
        else visit.form(AnswerForm, sent=nothing, **known)
    )
    return assess, answer, second


def _show(
    visit: Visit,
    procedure: Procedure,
    proposal: Proposal,
    row: Contribution,
    assess: AssessForm,
    answer: AnswerForm,
    second: SecondForm,
    *,
    status: int = 200,
) -> Response:
    key = proposal.contribution_id
    offices = evaluation.offices_of(visit.session, key)
    judged = evaluation.latest(visit.session, key)
    names = people.names(visit.session, {each.by for each in judged.values()})
    draft = evaluation.open_answer(visit.session, key)
    task = evaluation.tasks_of(visit.session, [key]).get(key)
    owed = task if task is not None and task.answered_at is None else None
    state = Evaluation(proposal.evaluation)
    (entry,) = published.by_ids(visit.session, procedure.id or 0, [key])

    def cell(office: str, criterion: Criterion) -> Cell:
        known = judged.get((office, criterion))
        if known is None:
            return Cell("", "", "", "", None)
        return Cell(
            visit.gettext(GRADES[Grade(known.grade)]),
            known.words,
            costs_in_words(known.cost_from, known.cost_to, visit.language),
            names.get(known.by, known.by),
            known.at,
        )

    done = {
        "assess": visit.gettext("The judgement is kept."),
        "draft": visit.gettext("The draft is kept."),
        "hand_on": visit.gettext("A second person reads it now."),
        "approve": visit.gettext("Approved. It comes out with the next publication."),
        "return": visit.gettext("It is back with its writer."),
    }.get(visit.request.query_params.get("getan", ""), "")
    told = (
        (
            (visit.gettext("What becomes of it"), visit.gettext(OUTCOMES[draft.outcome])),
            (visit.gettext("Why, in plain words"), draft.reason),
            (
                visit.gettext("What it costs"),
                costs_in_words(draft.cost_from, draft.cost_to, visit.language) or "–",
            ),
            (visit.gettext("When"), draft.period or "–"),
            (visit.gettext("What stands against it"), draft.legal_ground or "–"),
        )
        if draft and draft.outcome
        else ()
    )
    return visit.render(
        "evaluation/proposal.html",
        ProposalPage(
            id=key,
            procedure_id=procedure.id or 0,
            procedure=localised(procedure, visit.language, "title"),
            reference=row.reference,
            title=entry.heading,
            text=entry.text,
            url=visit.url("proposal", slug=procedure.slug, reference=row.reference),
            kind=STATES[state][0],
            state=visit.gettext(STATES[state][1]),
            due_on=owed.due_on if owed else None,
            is_overdue=owed is not None and owed.due_on < visit.today,
            criteria=tuple((visit.gettext(name), visit.gettext(hint)) for name, hint in CRITERIA.values()),
            grid=tuple(
                GridRow(each.office, each.is_lead, tuple(cell(each.office, name) for name in CRITERIA))
                for each in offices
            ),
            is_with_second=state is Evaluation.SECOND_READER,
            is_approved=state is Evaluation.APPROVED,
            can_draft=state in (Evaluation.ASSIGNED, Evaluation.DRAFTED, Evaluation.PUBLISHED),
            can_assess=bool(offices) and state is not Evaluation.PUBLISHED,
            wrote_it=draft is not None and draft.drafted_by == visit.by.label,
            second_words=draft.second_words if draft else "",
            answer=told,
            implementation_url=visit.url("implementation", id=key)
            if visit.may(Permission.PLAN, procedure)
            else "",
            done=done,
        ),
        status=status,
        assess=assess,
        form=answer,
        second=second,
    )
