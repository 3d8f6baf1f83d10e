"""Surveys at the planner's desk: put together, tried, published, ended early, copied."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from starlette.datastructures import FormData
from starlette.responses import Response
from wtforms import BooleanField, Form, IntegerField, RadioField, SelectField, StringField, TextAreaField
from wtforms.fields import SelectChoice
from wtforms.validators import DataRequired, Length, Optional

from consultations import surveys
from consultations.cocreation import Counts
from consultations.permissions import Permission
from consultations.phases import phases_of
from consultations.procedures import Procedure
from consultations.questions import (
    HINT_LIMIT,
    LABEL_LIMIT,
    SCALED,
    WITH_OPTIONS,
    Condition,
    Option,
    Question,
    QuestionKind,
)
from consultations.refusals import Refusal
from consultations.surveys import INTRODUCTION_LIMIT, TITLE_LIMIT, Survey, SurveyInput, SurveyState
from participation import overview
from participation.messages import STATUS
from participation.pages.hearings import LARGEST_ID
from participation.pages.planning_forms import (
    Errors,
    Head,
    Row,
    SectionForm,
    arranged,
    errors_of,
    head_of,
    planned,
    read_version,
    row_forms,
    sent_rows,
)
from participation.pages.survey_forms import Asked, asked
from participation.settings import LANGUAGES
from participation.web import Visit, page, row_number

#: Marks a message for the catalogues.
N_ = str

KINDS: Mapping[QuestionKind, str] = {
    QuestionKind.CHOICE: N_("One of several answers"),
    QuestionKind.CHOICES: N_("Several answers"),
    QuestionKind.RANKING: N_("Put answers in an order"),
    QuestionKind.SCALE: N_("A scale"),
    QuestionKind.MATRIX: N_("Several statements on one scale"),
    QuestionKind.LINE: N_("A few words"),
    QuestionKind.TEXT: N_("A text of one's own"),
    QuestionKind.PLACE: N_("A place"),
}
STATES: Mapping[SurveyState, tuple[str, str]] = {
    SurveyState.DRAFT: ("draft", N_("Draft")),
    SurveyState.PUBLISHED: ("open", N_("Public")),
    SurveyState.ENDED: ("closed", N_("Ended early")),
}


class NewSurveyForm(Form):
    """What a survey begins with."""

    title = StringField(
        N_("Title"), [DataRequired(N_("Please give the survey a title.")), Length(max=TITLE_LIMIT)]
    )
    phase = SelectField(N_("In which phase?"), choices=[], validate_choice=False)


class SurveyEditForm(SectionForm):
    """The survey itself; its title and introduction in further languages are added by `_form`."""

    title = StringField(
        N_("Title"), [DataRequired(N_("Please give the survey a title.")), Length(max=TITLE_LIMIT)]
    )
    introduction = TextAreaField(N_("Introduction"), [Length(max=INTRODUCTION_LIMIT)])
    phase = SelectField(N_("In which phase?"), choices=[], validate_choice=False)
    counts = RadioField(
        N_("When may everybody see what it comes to?"),
        choices=[
            SelectChoice(Counts.CLOSED.value, N_("Once it is over, so that nobody is steered")),
            SelectChoice(Counts.OPENED.value, N_("While it runs")),
        ],
        # Once somebody has answered it is not asked any more.
        validate_choice=False,
    )
    shows_words = BooleanField(
        N_("Show everybody what people say in their own words, once a moderator has read it")
    )


class QuestionRow(Form):
    """One question; its words in further languages are added by `_row_form`."""

    kind = SelectField(
        N_("Kind of answer"), choices=[SelectChoice(kind.value, name) for kind, name in KINDS.items()]
    )
    label = StringField(N_("Question"), [Length(max=LABEL_LIMIT)])
    hint = StringField(N_("Explanation"), [Length(max=HINT_LIMIT)])
    options = TextAreaField(N_("Answers or statements, one on each line"))
    is_required = BooleanField(N_("Must be answered"))
    at_least = IntegerField(N_("At least"), [Optional()])
    at_most = IntegerField(N_("At most"), [Optional()])
    steps = IntegerField(N_("Steps of the scale"), [Optional()])
    low = StringField(N_("Words at step 1"), [Length(max=LABEL_LIMIT)])
    high = StringField(N_("Words at the last step"), [Length(max=LABEL_LIMIT)])
    only_number = StringField(N_("Ask it only if question no."), [Length(max=3)])
    only = StringField(N_("was answered with"), [Length(max=HINT_LIMIT)])


@cache
def _form(languages: tuple[str, ...]) -> type[SurveyEditForm]:
    fields: dict[str, object] = {}
    for each in languages[1:]:
        fields |= {
            f"title_{each}": StringField(N_("Title"), [Length(max=TITLE_LIMIT)]),
            f"introduction_{each}": TextAreaField(N_("Introduction"), [Length(max=INTRODUCTION_LIMIT)]),
        }
    return type("SurveyFormOfTown", (SurveyEditForm,), fields)


@cache
def _row_form(languages: tuple[str, ...]) -> type[QuestionRow]:
    fields: dict[str, object] = {}
    for each in languages[1:]:
        fields |= {
            f"label_{each}": StringField(N_("Question"), [Length(max=LABEL_LIMIT)]),
            f"hint_{each}": StringField(N_("Explanation"), [Length(max=HINT_LIMIT)]),
            f"options_{each}": TextAreaField(N_("Answers in the same order, one on each line")),
            f"low_{each}": StringField(N_("Words at step 1"), [Length(max=LABEL_LIMIT)]),
            f"high_{each}": StringField(N_("Words at the last step"), [Length(max=LABEL_LIMIT)]),
        }
    return type("QuestionRowOfTown", (QuestionRow,), fields)


# --- the list --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class SurveyLine:
    """A survey in the list. `state`: kind and words of a status tag."""

    title: str
    reference: str
    state: tuple[str, str]
    phase: str
    entries: int
    edit_url: str
    preview_url: str
    answers_url: str


@dataclass(frozen=True)
class SurveysPage:
    """The surveys of a consultation; `can_begin`: whether a phase is there that could have one."""

    head: Head
    rows: tuple[SurveyLine, ...]
    can_begin: bool


@page(
    "/verwaltung/planung/{id:int}/umfragen",
    name="planning_surveys",
    may=Permission.PLAN,
    methods=("GET", "POST"),
)
def listed(visit: Visit) -> Response:
    """All surveys of a consultation; begin another one."""
    procedure = planned(visit)
    form = visit.form(NewSurveyForm) if visit.is_post else visit.form(NewSurveyForm, sent=FormData())
    form.phase.choices = _phase_choices(visit, procedure)
    status = 200
    if visit.is_post:
        status = 422
        if form.validate():
            entered = SurveyInput((form.title.data or "").strip(), row_number(form.phase.data) or 0)
            try:
                made = surveys.save(visit.session, procedure, entered, by=visit.by, now=visit.now)
                return visit.redirect("planning_survey", id=procedure.id, number=made.number)
            except Refusal as refusal:
                visit.reject(form, refusal)
                procedure = planned(visit)
    return visit.render("surveys/planned.html", _list(visit, procedure), form=form, status=status)


def _list(visit: Visit, procedure: Procedure) -> SurveysPage:
    phases = {phase.id: phase for phase in phases_of(visit.session, procedure.id or 0)}
    rows = []
    for each in surveys.of_procedure(visit.session, procedure.id or 0, drafts=True):
        kind, words = STATES[SurveyState(each.state)]
        rows.append(
            SurveyLine(
                title=each.said(visit.language),
                reference=f"{procedure.key}-U{each.number}",
                state=(kind, visit.gettext(words)),
                phase=overview.phase_name(phases[each.phase_id], visit.language),
                entries=each.entries,
                edit_url=visit.url("planning_survey", id=procedure.id, number=each.number),
                preview_url=visit.url("survey", slug=procedure.slug, number=each.number),
                answers_url=visit.url("survey_answers", id=procedure.id, number=each.number),
            )
        )
    can_begin = bool(surveys.phases_for(list(phases.values()), visit.now))
    return SurveysPage(head_of(visit, procedure), tuple(rows), can_begin)


def _phase_choices(visit: Visit, procedure: Procedure, kept: int | None = None) -> list[SelectChoice]:
    phases = phases_of(visit.session, procedure.id or 0)
    possible = surveys.phases_for(phases, visit.now)
    return [
        SelectChoice(str(phase.id), overview.phase_name(phase, visit.language))
        for phase in phases
        if phase in possible or phase.id == kept
    ]


# --- one survey ------------------------------------------------------------------------------------


class StateForm(Form):
    """A step in the life of a survey: what everybody reads beside it."""

    note = StringField(N_("What changed, and why?"), [Length(max=500)])


@dataclass(frozen=True)
class EditPage:
    """One survey. `entries`: how many have answered, so that its questions stand still; `stands`: those questions."""

    head: Head
    title: str
    reference: str
    state: str
    tag: tuple[str, str]
    rows: tuple[QuestionRow, ...]
    stands: tuple[Asked, ...]
    entries: int
    #: Key and name, the first one first.
    languages: tuple[tuple[str, str], ...]
    errors: Errors
    done: str
    list_url: str
    preview_url: str
    paper_url: str
    answers_url: str
    arrange_url: str
    state_url: str


_DONE = {
    "saved": N_("Saved."),
    "publish": N_("The survey is public. People can answer while its phase runs."),
    "end": N_("The survey is ended. What was answered is kept."),
}


def planned_survey(visit: Visit) -> tuple[Procedure, Survey]:
    """The survey in the address. Raises Refusal NOT_FOUND, and NOT_ALLOWED for who does not plan its consultation."""
    procedure = planned(visit)
    number = int(visit.request.path_params["number"])
    survey = surveys.by_number(visit.session, procedure.id or 0, number) if number <= LARGEST_ID else None
    if survey is None:
        visit.not_found()
    return procedure, survey


@page(
    "/verwaltung/planung/{id:int}/umfragen/{number:int}",
    name="planning_survey",
    may=Permission.PLAN,
    methods=("GET", "POST"),
)
def edit(visit: Visit) -> Response:
    """Put a survey together: questions are added, moved and removed without JavaScript, and nothing typed is lost."""
    procedure, survey = planned_survey(visit)
    kind = _row_form(visit.languages)
    if not visit.is_post:
        stands = surveys.as_it_stands(survey)
        form = visit.form(
            _form(visit.languages), sent=FormData(), version=survey.version, **_known(stands, visit.languages)
        )
        known = [_known_row(each, survey.asks, visit.languages) for each in survey.asks] or [{"steps": 5}]
        rows = [
            visit.form(kind, prefix=f"questions-{at}", sent=FormData(), **each)
            for at, each in enumerate(known)
        ]
        return _show(visit, procedure, survey, form, rows)
    form = visit.form(_form(visit.languages))
    asked_for = str(visit.form_data.get("do", "save"))
    sent = [{**row, "at": [str(at)]} for at, row in enumerate(sent_rows(visit, "questions"))]
    rows = row_forms(visit, kind, "questions", _renumbered(arranged(sent, asked_for, {"steps": ["5"]})))
    if asked_for != "save":
        return _show(visit, procedure, survey, form, rows)
    checked = [form.validate(), *(row.validate() for row in rows)]
    if not all(checked):
        return _show(visit, procedure, survey, form, rows, errors=errors_of(rows), status=422)
    # A row without a word is none; what hangs on a question behind it means the same one by its new number.
    kept = [
        {**_sent(row), "at": [str(at)]}
        for at, row in enumerate(rows)
        if any((row[name].data or "").strip() for name in ("label", "options", "only"))
    ]
    rows = row_forms(visit, kind, "questions", _renumbered(kept))
    try:
        entered = _entered(form, rows, survey, visit.languages)
        surveys.save(
            visit.session,
            procedure,
            entered,
            survey,
            expected_version=read_version(form),
            by=visit.by,
            now=visit.now,
        )
    except Refusal as refusal:
        visit.session.rollback()
        procedure, survey = planned_survey(visit)
        errors = _put(visit, form, rows, refusal)
        form.version.data = str(survey.version)
        status = STATUS.get(refusal.code, 422)
        return _show(visit, procedure, survey, form, rows, errors=errors + errors_of(rows), status=status)
    return visit.redirect("planning_survey", id=procedure.id, number=survey.number, done="saved")


def _put(visit: Visit, form: Form, rows: Sequence[QuestionRow], refusal: Refusal) -> Errors:
    """Say a refusal at the field of its question, or of the survey; what has no field is handed back."""
    message, name = visit.explain(refusal), refusal.field or ""
    fields = {field.name: field for row in rows for field in row} | dict(form._fields)
    if name not in fields:
        return ((message, None),)
    fields[name].errors = [*fields[name].errors, message]
    return ()


def _renumbered(rows: Sequence[Row]) -> list[Row]:
    """The rows with what they say of each other put right: a question that moved is still meant by its new number."""
    numbers = {row["at"][0]: number for number, row in enumerate(rows, start=1) if row.get("at")}
    found: list[Row] = []
    for row in rows:
        said = "".join(row.get("only_number", ())).strip()
        if said.isdecimal() and len(said) < 4:
            row = {**row, "only_number": [str(numbers.get(str(int(said) - 1), ""))]}
        found.append({name: values for name, values in row.items() if name != "at"})
    return found


def _sent(row: QuestionRow) -> dict[str, list[str]]:
    """A row as a browser sends it."""
    return {
        field.short_name: [str(field.raw_data[0])]
        for field in row
        if field.raw_data and not (isinstance(field, BooleanField) and not field.data)
    }


def _lines(text: str | None) -> list[str]:
    return [" ".join(line.split()) for line in (text or "").splitlines() if line.strip()]


def _known(stands: SurveyInput, languages: Sequence[str]) -> dict[str, Any]:
    return {
        "title": stands.title,
        "introduction": stands.introduction,
        "phase": str(stands.phase_id),
        "counts": stands.counts.value,
        "shows_words": stands.shows_words,
        **{
            f"{name}_{each}": stands.translations.get(each, {}).get(name, "")
            for each in languages[1:]
            for name in ("title", "introduction")
        },
    }


def _known_row(question: Question, asks: Sequence[Question], languages: Sequence[str]) -> dict[str, Any]:
    """A question as a row of the form."""
    known: dict[str, Any] = {
        "kind": question.kind.value,
        **{name: getattr(question, name) for name in ("label", "hint", "is_required", "at_least", "at_most", "steps", "low", "high")},
        "options": "\n".join(option.label for option in question.options),
    }  # fmt: skip
    if question.only is not None:
        at, about = next((at, each) for at, each in enumerate(asks, 1) if each.key == question.only.question)
        labels = {option.key: option.label for option in about.options}
        known |= {
            "only_number": str(at),
            "only": "; ".join(labels.get(key, key) for key in question.only.answers),
        }
    for each in languages[1:]:
        said = question.translations.get(each, {})
        known |= {f"{name}_{each}": said.get(name, "") for name in ("label", "hint", "low", "high")}
        known[f"options_{each}"] = "\n".join(option.translations.get(each, "") for option in question.options)
    return known


def _entered(
    form: SurveyEditForm, rows: Sequence[QuestionRow], survey: Survey, languages: Sequence[str]
) -> SurveyInput:
    """What was typed. Of a survey that somebody has answered only the words of title and introduction are asked for."""
    said = {
        each: {name: (form[f"{name}_{each}"].data or "").strip() for name in ("title", "introduction")}
        for each in languages[1:]
    }
    words = replace(
        surveys.as_it_stands(survey),
        title=form.title.data or "",
        introduction=form.introduction.data or "",
        translations=said,
    )
    if survey.entries:
        return words
    asks: list[Question] = []
    for number, row in enumerate(rows, start=1):
        asks.append(_question(row, number, asks, languages))
    return replace(
        words,
        phase_id=row_number(form.phase.data) or 0,
        questions=tuple(asks),
        counts=Counts.OPENED if form.counts.data == Counts.OPENED.value else Counts.CLOSED,
        shows_words=bool(form.shows_words.data),
    )


def _question(
    row: QuestionRow, number: int, earlier: Sequence[Question], languages: Sequence[str]
) -> Question:
    def typed(name: str) -> str:
        return " ".join(str(row[name].data or "").split())

    translated = {each: _translated_lines(row[f"options_{each}"].data) for each in languages[1:]}
    options = tuple(
        Option(
            str(at),
            label,
            {each: lines[at - 1] for each, lines in translated.items() if len(lines) >= at and lines[at - 1]},
        )
        for at, label in enumerate(_lines(row.options.data), start=1)
    )
    kind = QuestionKind(row.kind.data)
    is_bounded = kind in (QuestionKind.CHOICES, QuestionKind.RANKING)
    return Question(
        key=str(number),
        kind=kind,
        label=typed("label"),
        hint=typed("hint"),
        options=options if kind in WITH_OPTIONS else (),
        is_required=bool(row.is_required.data),
        at_least=row.at_least.data if is_bounded else None,
        at_most=row.at_most.data if is_bounded else None,
        steps=5 if row.steps.data is None or kind not in SCALED else row.steps.data,
        low=typed("low"),
        high=typed("high"),
        only=_condition(typed("only_number"), typed("only"), earlier),
        translations={
            each: said
            for each in languages[1:]
            if (
                said := {
                    name: words
                    for name in ("label", "hint", "low", "high")
                    if (words := typed(f"{name}_{each}"))
                }
            )
        },
    )


def _translated_lines(text: str | None) -> list[str]:
    """Lines in their places: an empty one stands for an answer that is not translated."""
    return [" ".join(line.split()) for line in (text or "").splitlines()]


def _condition(number: str, said: str, earlier: Sequence[Question]) -> Condition | None:
    """What was typed as a condition; one that means nothing stays one, so that it is refused and not forgotten."""
    if not number and not said:
        return None
    at = int(number) if number.isdecimal() and len(number) < 4 else 0
    if not 1 <= at <= len(earlier):
        return Condition("", ())
    about = earlier[at - 1]
    keys = {option.label.casefold(): option.key for option in about.options} | {
        key: key for key in about.choices
    }
    wanted = [" ".join(each.split()).casefold() for each in said.split(";") if each.strip()]
    return Condition(about.key, tuple(keys.get(each, "") for each in wanted))


def _show(
    visit: Visit,
    procedure: Procedure,
    survey: Survey,
    form: SurveyEditForm,
    rows: Sequence[QuestionRow],
    *,
    errors: Errors = (),
    status: int = 200,
    state_form: StateForm | None = None,
) -> Response:
    form.phase.choices = _phase_choices(visit, procedure, survey.phase_id)
    here = {"id": procedure.id, "number": survey.number}
    public = {"slug": procedure.slug, "number": survey.number}
    kind, words = STATES[SurveyState(survey.state)]
    done = _DONE.get(visit.request.query_params.get("done", "")) if not visit.is_post else None
    return visit.render(
        "surveys/edit.html",
        EditPage(
            head=head_of(visit, procedure),
            title=survey.title,
            reference=f"{procedure.key}-U{survey.number}",
            state=survey.state,
            tag=(kind, visit.gettext(words)),
            rows=tuple(rows) if not survey.entries else (),
            stands=asked(visit, survey.asks) if survey.entries or survey.ended_at else (),
            entries=survey.entries,
            languages=tuple((each, LANGUAGES[each]) for each in visit.languages),
            errors=errors,
            done=visit.gettext(done) if done else "",
            list_url=visit.url("planning_surveys", id=procedure.id),
            preview_url=visit.url("survey", **public),
            paper_url=visit.url("survey_paper", **public),
            answers_url=visit.url("survey_answers", **here),
            arrange_url=visit.url("planning_cocreation", id=procedure.id, phase=survey.phase_id),
            state_url=visit.url("planning_survey_state", **here),
        ),
        form=form,
        state_form=state_form or visit.form(StateForm, sent=FormData()),
        status=status,
    )


@page(
    "/verwaltung/planung/{id:int}/umfragen/{number:int}/stand",
    name="planning_survey_state",
    may=Permission.PLAN,
    methods=("POST",),
)
def state(visit: Visit) -> Response:
    """Publish a survey (`do=publish`), end it early (`do=end`), copy it (`do=copy`), throw a draft away (`do=discard`)."""
    procedure, survey = planned_survey(visit)
    do, form = str(visit.form_data.get("do", "")), visit.form(StateForm)
    note = (form.note.data or "").strip()
    try:
        if do == "copy":
            made = surveys.copy(visit.session, survey, by=visit.by, now=visit.now)
            return visit.redirect("planning_survey", id=procedure.id, number=made.number)
        if do == "discard":
            surveys.discard(visit.session, survey, by=visit.by, now=visit.now)
            return visit.redirect("planning_surveys", id=procedure.id)
        if do == "end":
            surveys.end(visit.session, survey, reason=note, by=visit.by, now=visit.now)
        elif do == "publish":
            surveys.publish(visit.session, survey, note=note, by=visit.by, now=visit.now)
    except Refusal as refusal:
        visit.session.rollback()
        procedure, survey = planned_survey(visit)
        errors: Errors = ()
        message = visit.explain(refusal)
        if refusal.field in ("note", "reason"):
            form.note.errors = [*form.note.errors, message]
            errors = ((message, "note"),)
        else:
            errors = ((message, refusal.field),)
        stands = surveys.as_it_stands(survey)
        shown = visit.form(
            _form(visit.languages), sent=FormData(), version=survey.version, **_known(stands, visit.languages)
        )
        kind = _row_form(visit.languages)
        known = [_known_row(each, survey.asks, visit.languages) for each in survey.asks] or [{"steps": 5}]
        rows = [
            visit.form(kind, prefix=f"questions-{at}", sent=FormData(), **each)
            for at, each in enumerate(known)
        ]
        return _show(
            visit, procedure, survey, shown, rows, errors=errors, state_form=form,
            status=STATUS.get(refusal.code, 422),
        )  # fmt: skip
    done = {"done": do} if do in _DONE else {}
    return visit.redirect("planning_survey", id=procedure.id, number=survey.number, **done)
