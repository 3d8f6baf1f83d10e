"""Surveys at work: what is answered while they run, all of it as a table, sheets at the counter, and words before a moderator."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from starlette.datastructures import FormData
from starlette.responses import Response
from wtforms import Form, StringField
from wtforms.validators import InputRequired, Length

from consultations import channels, drafts, privacy, questions, survey_answers, survey_results, surveys
from consultations.cocreation import Audience
from consultations.files import serving_headers
from consultations.moderation import Reason
from consultations.permissions import Permission, reach
from consultations.phases import phase_of
from consultations.procedures import Procedure, by_id, localised
from consultations.questions import Question, Typed
from consultations.refusals import Code, Refusal
from consultations.survey_answers import Sheet
from consultations.surveys import Standing, Survey, SurveyEntry
from consultations.text import spreadsheet_safe
from participation.messages import STATUS
from participation.pages import survey_places
from participation.pages.fields import CameIn, moment_of
from participation.pages.intake import CODE_SHOWN
from participation.pages.moderation import REASONS
from participation.pages.planned_surveys import planned_survey
from participation.pages.survey_forms import (
    BODY_LIMIT,
    Asked,
    asked,
    cells_of,
    columns_of,
    form_of,
    put_to_field,
    typed_in,
)
from participation.pages.survey_places import SurveyMap
from participation.pages.survey_results import ResultsPage, rows_of
from participation.web import Visit, page, row_number

#: Marks a message for the catalogues.
N_ = str

#: How many texts stand before a moderator at once.
WORDS_AT_ONCE = 20


# --- what is answered ------------------------------------------------------------------------------


@page(
    "/verwaltung/planung/{id:int}/umfragen/{number:int}/antworten",
    name="survey_answers",
    may=Permission.PLAN,
)
def answers(visit: Visit) -> Response:
    """What a survey comes to so far, for those who planned it; everybody sees it when they were told that they would."""
    procedure, survey = planned_survey(visit)
    phase = phase_of(visit.session, survey.phase_id)
    assert phase is not None
    found = survey_results.results(visit.session, survey)
    here = {"id": procedure.id, "number": survey.number}
    return visit.render(
        "surveys/answers.html",
        ResultsPage(
            hearing_title=localised(procedure, visit.language, "title"),
            hearing_url=visit.url("planning_survey", **here),
            title=survey.said(visit.language),
            is_over=surveys.standing(survey, procedure, phase, visit.now) is Standing.OVER,
            end_reason=survey.end_reason,
            answered=found.answered,
            online=found.online,
            otherwise=found.otherwise,
            late=found.late,
            withdrawn=found.withdrawn,
            shows_words=True,
            rows=rows_of(visit, procedure, survey, found),
            survey_url=visit.url("planning_survey", **here),
            csv_url=visit.url("survey_answers_csv", **here),
            json_url="",
            styles=survey_places.plan_styles(visit),
            for_staff=True,
        ),
    )


@page(
    "/verwaltung/planung/{id:int}/umfragen/{number:int}/antworten.csv",
    name="survey_answers_csv",
    may=Permission.PLAN,
)
def answers_csv(visit: Visit) -> Response:
    """All that was answered, a line for each answer, for those who planned it (CSV, UTF-8); late ones are marked, and of those
    that were withdrawn stands that they were, not what they said."""
    _, survey = planned_survey(visit)
    asks = survey.asks
    out = io.StringIO()
    table = csv.writer(out)
    heads = ("reference", "channel", "received_at", "late", "withdrawn", "version")
    table.writerow(
        [
            *heads,
            *(
                spreadsheet_safe(head)
                for at, each in enumerate(asks, 1)
                for head in columns_of(visit, at, each)
            ),
        ]
    )
    for entry, said in survey_results.sheets(visit.session, survey):
        facts = (
            entry.reference, entry.channel, entry.received_at.isoformat(timespec="seconds"), int(entry.is_late),
            int(entry.state == surveys.EntryState.WITHDRAWN.value), entry.version,
        )  # fmt: skip
        stands = said.answers if entry.state == surveys.EntryState.RECEIVED.value else {}
        said_here = (cell for each in asks for cell in cells_of(visit, each, stands))
        table.writerow([*facts, *map(spreadsheet_safe, said_here)])
    name = f"umfrage-{survey.number}-antworten.csv"
    return Response("\ufeff" + out.getvalue(), headers=serving_headers(name, "text/csv; charset=utf-8"))


# --- the counter -----------------------------------------------------------------------------------


class SlipForm(CameIn):
    """How a sheet came."""


@dataclass(frozen=True)
class SlipPage:
    """The form for a sheet, and after it was taken in its reference and code."""

    procedure: str
    procedure_id: int
    title: str
    reference: str
    version: int
    once: str
    asks: tuple[Asked, ...]
    asks_residence: bool
    declares: bool
    errors: tuple[tuple[str, str | None], ...]
    taken_in: str
    access_code: str
    is_late: bool
    paper_url: str
    map: SurveyMap | None


def _at_counter(visit: Visit) -> tuple[Procedure, Survey]:
    """The survey in the address. Raises Refusal NOT_FOUND, and NOT_ALLOWED for whom its consultation is not."""
    survey = surveys.by_id(visit.session, visit.municipality_id, visit.request.path_params["id"])
    procedure = by_id(visit.session, visit.municipality_id, survey.procedure_id) if survey else None
    if survey is None or procedure is None or survey.state == surveys.SurveyState.DRAFT.value:
        visit.not_found()
    visit.require(Permission.RECORD_INTAKE, procedure)
    return procedure, survey


@page(
    "/verwaltung/eingang/umfrage/{id:int}",
    name="survey_intake",
    may=Permission.RECORD_INTAKE,
    methods=("GET", "POST"),
    body_limit=BODY_LIMIT,
)
def intake(visit: Visit) -> Response:
    """Type in a sheet, or what somebody says on the telephone."""
    _, survey = _at_counter(visit)
    asks = survey.asks
    if not visit.is_post:
        slip = visit.form(SlipForm, sent=FormData(), received_on=visit.today)
        return _slip(visit, slip, form_of(visit, asks), drafts.new_secret())
    sent = str(visit.form_data.get("once", ""))
    once = sent if drafts.is_secret(sent) else drafts.new_secret()
    slip, typed = visit.form(SlipForm), typed_in(visit, asks)
    about = survey_places.between(visit, asks, typed)
    form = form_of(visit, asks, typed)
    if about is not None:
        return _slip(visit, slip, form, once, typed=typed, about=about)
    wrong = questions.read(asks, typed).wrong
    if slip.validate() and not wrong:
        try:
            entry = _take(visit, survey, slip, once, typed)
            return visit.redirect("survey_intake", id=survey.id, aufgenommen=entry.id)
        except Refusal as refusal:
            visit.session.rollback()
            wrong = (refusal,)
    errors = _put(visit, slip, form, asks, wrong)
    status = STATUS.get(wrong[0].code, 422) if wrong else 422
    return _slip(visit, slip, form, once, typed=typed, errors=errors, status=status)


def _take(
    visit: Visit, survey: Survey, slip: SlipForm, once: str, typed: dict[str, list[str]]
) -> SurveyEntry:
    version = row_number(str(visit.form_data.get("version", ""))) or 0
    sheet = Sheet(
        key=drafts.key_of(once),
        typed=typed,
        version=version,
        channel=slip.channel.data,
        received_at=moment_of(visit, slip),
        declares=frozenset({"resident"} if visit.form_data.get("resident") else ()),
    )
    return survey_answers.answer(visit.session, survey, sheet, by=visit.by, now=visit.now)


def _slip(
    visit: Visit,
    slip: SlipForm,
    form: Form,
    once: str,
    *,
    typed: Typed | None = None,
    about: Question | None = None,
    errors: tuple[tuple[str, str | None], ...] = (),
    status: int = 200,
) -> Response:
    procedure, survey = _at_counter(visit)
    phase = phase_of(visit.session, survey.phase_id)
    assert phase is not None
    number = row_number(visit.request.query_params.get("aufgenommen")) if not visit.is_post else None
    entry = surveys.entry_by_id(visit.session, visit.municipality_id, number) if number else None
    if entry is not None and entry.survey_id != survey.id:
        entry = None
    shown = SlipPage(
        procedure=localised(procedure, visit.language, "title"),
        procedure_id=procedure.id or 0,
        title=survey.said(visit.language),
        reference=f"{procedure.key}-U{survey.number}",
        version=survey.version,
        once=once,
        asks=asked(
            visit, survey.asks, survey_places.shown(visit, procedure, survey.asks, typed or {}, about)
        ),
        asks_residence=survey_answers.audience_of(phase) is Audience.RESIDENTS,
        declares=bool(visit.form_data.get("resident")),
        errors=errors,
        taken_in=entry.reference if entry else "",
        # Only of a sheet that they took in themselves: with the codes of others anybody's answers could be read and taken back.
        access_code=entry.access_code
        if entry and entry.recorded_by == visit.by.label and visit.now - entry.recorded_at <= CODE_SHOWN
        else "",
        is_late=bool(entry and entry.is_late),
        paper_url=visit.url("survey_paper", slug=procedure.slug, number=survey.number),
        map=survey_places.map_of(visit, procedure, survey.asks),
    )
    return visit.render("surveys/intake.html", shown, slip=slip, form=form, status=status)


# --- earlier answers -------------------------------------------------------------------------------


class FindForm(Form):
    """Whose answers somebody wants to change."""

    code = StringField(
        N_("Access code, or number of the sheet"),
        [InputRequired(N_("Please enter the access code or the number.")), Length(max=100)],
    )


class CorrectionForm(CameIn):
    """How the wish came, and who asked for it."""

    note = StringField(
        N_("Who asked for it, and why?"),
        [InputRequired(N_("Please note who asked for it.")), Length(max=surveys.NOTE_LIMIT)],
    )


@dataclass(frozen=True)
class CorrectionPage:
    """Earlier answers at the counter; without `entry` (its reference) only the question whose they are."""

    procedure: str
    title: str
    reference: str
    intake_url: str
    url: str
    entry: str = ""
    #: What was typed to find it; it is asked again with every step.
    code: str = ""
    channel: str = ""
    received_at: datetime | None = None
    is_withdrawn: bool = False
    version: int = 0
    asks: tuple[Asked, ...] = ()
    errors: tuple[tuple[str, str | None], ...] = ()
    done: str = ""
    map: SurveyMap | None = None


_CORRECTED = {
    "geaendert": N_("The answers are changed. The earlier ones stay on file and no longer count."),
    "zurueckgenommen": N_("The answers are withdrawn. They count nowhere any more."),
}


@page(
    "/verwaltung/eingang/umfrage/{id:int}/antwort",
    name="survey_correction",
    may=Permission.RECORD_INTAKE,
    methods=("GET", "POST"),
    body_limit=BODY_LIMIT,
)
def correction(visit: Visit) -> Response:
    """Change or withdraw earlier answers for whoever calls or comes by: with their access code, or with the number of a sheet that
    was typed in at the counter."""
    procedure, survey = _at_counter(visit)
    find = visit.form(FindForm) if visit.is_post else visit.form(FindForm, sent=FormData())
    if not visit.is_post:
        return _find(visit, find)
    if not find.validate():
        return _find(visit, find, status=422)
    entry = surveys.entry_at_counter(visit.session, survey, find.code.data or "")
    if entry is None:
        visit.reject(find, Refusal(Code.CODE_UNKNOWN, "code"))
        return _find(visit, find, status=422)
    at = (procedure, survey, entry)
    do, asks = str(visit.form_data.get("do", "change")), survey.asks
    if do == "find":
        slip = visit.form(CorrectionForm, sent=FormData(), received_on=visit.today)
        known = questions.typed_again(asks, survey_answers.newest(visit.session, entry).answers)
        return _correct(visit, at, find, slip, form_of(visit, asks, known), known)
    slip, typed = visit.form(CorrectionForm), typed_in(visit, asks)
    about = survey_places.between(visit, asks, typed)
    form = form_of(visit, asks, typed)
    if about is not None:
        return _correct(visit, at, find, slip, form, typed, about=about)
    wrong: Sequence[Refusal] = () if do == "withdraw" else questions.read(asks, typed).wrong
    if slip.validate() and not wrong:
        facts: dict[str, Any] = {"channel": slip.channel.data, "note": slip.note.data or ""}
        facts |= {"by": visit.by, "now": visit.now}
        try:
            if do == "withdraw":
                survey_answers.withdraw(visit.session, entry, **facts)
                return visit.redirect("survey_correction", id=survey.id, erledigt="zurueckgenommen")
            version = row_number(str(visit.form_data.get("version", ""))) or 0
            facts |= {"version": version, "received_at": moment_of(visit, slip)}
            survey_answers.change(visit.session, entry, typed, **facts)
            return visit.redirect("survey_correction", id=survey.id, erledigt="geaendert")
        except Refusal as refusal:
            visit.session.rollback()
            wrong = (refusal,)
    errors = _put(visit, slip, form, asks, wrong)
    status = STATUS.get(wrong[0].code, 422) if wrong else 422
    return _correct(visit, at, find, slip, form, typed, errors=errors, status=status)


def _put(
    visit: Visit, slip: Form, form: Form, asks: Sequence[Question], wrong: Sequence[Refusal]
) -> tuple[tuple[str, str | None], ...]:
    """Say what is wrong at its question or at a field of the slip; what has no field is handed back."""
    errors = []
    for each in wrong:
        message = put_to_field(visit, form, asks, each)
        name = "received_on" if each.field == "received_at" else each.field or ""
        if message is not None and name in slip._fields:
            slip[name].errors = [*slip[name].errors, message]
        elif message is not None:
            errors.append((message, each.field))
    return tuple(errors)


def _correction_page(visit: Visit, procedure: Procedure, survey: Survey) -> CorrectionPage:
    return CorrectionPage(
        procedure=localised(procedure, visit.language, "title"),
        title=survey.said(visit.language),
        reference=f"{procedure.key}-U{survey.number}",
        intake_url=visit.url("survey_intake", id=survey.id),
        url=visit.url("survey_correction", id=survey.id),
    )


def _find(visit: Visit, find: FindForm, *, status: int = 200) -> Response:
    done = _CORRECTED.get(visit.request.query_params.get("erledigt", "")) if not visit.is_post else None
    shown = replace(_correction_page(visit, *_at_counter(visit)), done=visit.gettext(done) if done else "")
    return visit.render("surveys/correction.html", shown, find=find, slip=None, form=find, status=status)


def _correct(
    visit: Visit,
    at: tuple[Procedure, Survey, SurveyEntry],
    find: FindForm,
    slip: CorrectionForm,
    form: Form,
    typed: Typed,
    *,
    about: Question | None = None,
    errors: tuple[tuple[str, str | None], ...] = (),
    status: int = 200,
) -> Response:
    procedure, survey, entry = at
    shown = replace(
        _correction_page(visit, procedure, survey),
        entry=entry.reference,
        code=find.code.data or "",
        channel=visit.gettext(channels.by_key(entry.channel).label),
        received_at=entry.received_at,
        is_withdrawn=entry.state == surveys.EntryState.WITHDRAWN.value,
        version=survey.version,
        asks=asked(visit, survey.asks, survey_places.shown(visit, procedure, survey.asks, typed, about)),
        errors=errors,
        map=survey_places.map_of(visit, procedure, survey.asks),
    )
    return visit.render("surveys/correction.html", shown, find=find, slip=slip, form=form, status=status)


# --- words before a moderator ----------------------------------------------------------------------


@dataclass(frozen=True)
class WordsRow:
    """What somebody said in their own words. `suggested`: with passages blacked out that may give somebody away."""

    id: int
    survey: str
    question: str
    words: str
    #: Where its pin is, in words; empty without one.
    where: str
    suggested: str
    #: What was decided, as (kind, words) of a status tag; empty while it waits.
    decided: tuple[str, str]


@dataclass(frozen=True)
class WordsPage:
    """Words that wait to be read; `reasons`: key and words."""

    rows: tuple[WordsRow, ...]
    waiting: int
    #: Whether these were decided on before, and may be turned round.
    is_past: bool
    reasons: tuple[tuple[str, str], ...]
    errors: tuple[tuple[str, str | None], ...]
    typed: tuple[int, str]
    done: str


_DECIDED: Mapping[str, tuple[str, str]] = {
    surveys.WordsState.SHOWN.value: ("open", N_("Everybody can read it")),
    surveys.WordsState.WITHHELD.value: ("hidden", N_("Kept back")),
}


@page("/verwaltung/umfragen/worte", name="survey_words", may=Permission.MODERATE, methods=("GET", "POST"))
def words(visit: Visit) -> Response:
    """Read what people said in their own words, oldest first: show it, black something out, keep it back with a reason;
    `entschieden`: what was decided on last, to be turned round."""
    if not visit.is_post:
        return _words(visit)
    number = row_number(str(visit.form_data.get("id", ""))) or 0
    row = survey_results.words_by_id(visit.session, visit.municipality_id, number)
    if row is None:
        return visit.redirect("survey_words")
    typed = str(visit.form_data.get("shown", ""))
    shows = visit.form_data.get("do") == "show"
    sent = str(visit.form_data.get("reason", ""))
    reason = next((each for each in Reason if each.value == sent), None)
    try:
        survey_results.decide(
            visit.session, row, shown=typed if shows else None, reason=reason, by=visit.by, now=visit.now
        )
    except Refusal as refusal:
        visit.session.rollback()
        field = {"shown": f"shown-{number}", "reason": f"reason-{number}"}.get(refusal.field or "")
        errors = ((visit.explain(refusal), field),)
        return _words(visit, errors=errors, typed=(number, typed), status=STATUS.get(refusal.code, 422))
    return visit.redirect("survey_words", getan=1, entschieden=visit.request.query_params.get("entschieden"))


def _words(
    visit: Visit,
    *,
    errors: tuple[tuple[str, str | None], ...] = (),
    typed: tuple[int, str] = (0, ""),
    status: int = 200,
) -> Response:
    allowed = reach(visit.by, Permission.MODERATE, visit.municipality_id)
    is_past = "entschieden" in visit.request.query_params
    look = survey_results.decided_words if is_past else survey_results.waiting_words
    found = look(visit.session, visit.municipality_id, allowed, limit=WORDS_AT_ONCE)
    rows = []
    pinned = {
        row.id: (row.lon, row.lat)
        for row, _ in found
        if row.is_pin and row.lon is not None and row.lat is not None
    }
    where = dict(zip(pinned, survey_places.point_in_words(visit, list(pinned.values())), strict=True))
    for row, survey in found:
        marked = privacy.hints(row.words)
        question = next((each for each in survey.asks if each.key == row.question), None)
        rows.append(
            WordsRow(
                id=row.id or 0,
                survey=survey.said(visit.language),
                question=question.said(visit.language) if question else "",
                words=row.words,
                where=where.get(row.id, ""),
                suggested=typed[1]
                if row.id == typed[0]
                else row.shown or privacy.blacked_out(row.words, marked),
                decided=_DECIDED.get(row.state, ("", "")),
            )
        )
    return visit.render(
        "surveys/words.html",
        WordsPage(
            rows=tuple(rows),
            is_past=is_past,
            waiting=survey_results.waiting_count(visit.session, visit.municipality_id, allowed),
            reasons=tuple((each.value, visit.gettext(REASONS[each])) for each in Reason),
            errors=errors,
            typed=typed,
            done=visit.gettext("Done. It is on file with your name.")
            if visit.request.query_params.get("getan") and not visit.is_post
            else "",
        ),
        status=status,
    )
