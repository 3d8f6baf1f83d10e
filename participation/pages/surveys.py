"""A survey for everybody: answer it without an account, get a receipt, print it, and see what it came to."""

import hmac
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime

from starlette.responses import Response
from wtforms import Form

from consultations import drafts, proposing, questions, survey_answers, surveys
from consultations.cocreation import Audience
from consultations.permissions import PUBLIC, Permission
from consultations.phases import Phase, phase_of
from consultations.procedures import Procedure, localised
from consultations.questions import Question, Typed
from consultations.refusals import Refusal
from consultations.survey_answers import Sheet
from consultations.surveys import Standing, Survey
from participation import overview
from participation.messages import STATUS
from participation.pages import survey_places
from participation.pages.hearings import LARGEST_ID, procedure_of
from participation.pages.kiosk import channel_of, was_left
from participation.pages.survey_forms import (
    BODY_LIMIT,
    Asked,
    asked,
    form_of,
    put_to_field,
    said_to,
    typed_in,
)
from participation.pages.survey_places import SurveyMap
from participation.security import Action, address_of, check_rate
from participation.web import Visit, page


@dataclass(frozen=True)
class SurveyPage:
    """A survey before whoever answers it. `standing`: draft, coming, open or over."""

    hearing_title: str
    hearing_url: str
    title: str
    introduction: str
    #: In which language title and introduction are.
    language: str
    introduction_language: str
    number: int
    version: int
    standing: str
    phase: str
    starts: date | None
    ends: date | None
    asks: tuple[Asked, ...]
    once: str
    needs_account: bool
    asks_residence: bool
    #: Why only those who live here are asked, and who answers questions about it.
    ground: str
    contact: str
    declares: bool
    shows_words: bool
    has_words: bool
    results_run: bool
    results_url: str
    paper_url: str
    survey_url: str
    #: Where one asks to be told of it; empty once there is nothing to wait for.
    follow_url: str
    account_url: str
    end_reason: str
    errors: tuple[tuple[str, str | None], ...] = ()
    #: On paper: from whom one gets help, and by which reference.
    reference: str = ""
    map: SurveyMap | None = None


def survey_of(visit: Visit, procedure: Procedure) -> tuple[Survey, Phase, Standing]:
    """The survey in the address and where it stands. Raises Refusal NOT_FOUND, also for a draft that is not the visitor's
    to read."""
    number = int(visit.request.path_params["number"])
    found = surveys.by_number(visit.session, procedure.id or 0, number) if number <= LARGEST_ID else None
    phase = phase_of(visit.session, found.phase_id) if found else None
    if found is None or phase is None:
        visit.not_found()
    stands = surveys.standing(found, procedure, phase, visit.now)
    if stands is Standing.DRAFT and not visit.may(Permission.READ_DRAFTS, procedure):
        visit.not_found()
    return found, phase, stands


@page(
    "/beteiligungen/{slug}/umfragen/{number:int}",
    name="survey",
    may=Permission.TAKE_PART,
    methods=("GET", "POST"),
    body_limit=BODY_LIMIT,
)
def survey_page(visit: Visit) -> Response:
    """Answer a survey. What was sent comes back with whatever is wrong; the same form sent twice is one answer."""
    procedure = procedure_of(visit)
    survey, _, stands = survey_of(visit, procedure)
    if not visit.is_post:
        return _show(visit, form_of(visit, survey.asks), drafts.new_secret())
    sent = str(visit.form_data.get("once", ""))
    once = sent if drafts.is_secret(sent) else drafts.new_secret()
    typed = typed_in(visit, survey.asks)
    about = survey_places.between(visit, survey.asks, typed)
    form = form_of(visit, survey.asks, typed)
    if about is not None and stands in (Standing.OPEN, Standing.DRAFT):
        return _show(visit, form, once, typed=typed, about=about)
    wrong: Sequence[Refusal] = questions.read(survey.asks, typed).wrong
    if not wrong:
        try:
            _take(visit, procedure, survey, once, typed)
            return visit.redirect("survey_receipt", slug=procedure.slug, number=survey.number, token=once)
        except Refusal as refusal:
            visit.session.rollback()
            wrong = [refusal]
    asks = survey.asks
    found = [(put_to_field(visit, form, asks, each), each.field) for each in wrong]
    errors = tuple((message, name) for message, name in found if message is not None)
    response = _show(visit, form, once, typed=typed, errors=errors, status=STATUS.get(wrong[0].code, 422))
    if "retry_after" in wrong[0].facts:
        response.headers["Retry-After"] = str(wrong[0].facts["retry_after"])
    return response


def _take(visit: Visit, procedure: Procedure, survey: Survey, once: str, typed: dict[str, list[str]]) -> None:
    check_rate(visit.house.limiter, Action.SUBMIT, address_of(visit.request.scope))
    version = str(visit.form_data.get("version", ""))
    sheet = Sheet(
        key=drafts.key_of(once),
        typed=typed,
        version=int(version) if version.isdecimal() and len(version) < 10 else 0,
        channel=channel_of(visit, procedure).key,
        language=visit.language,
        party=_party(visit, survey),
        declares=frozenset({"resident"} if visit.form_data.get("resident") else ()),
    )
    survey_answers.answer(visit.session, survey, sheet, by=PUBLIC, now=visit.now)


def _party(visit: Visit, survey: Survey) -> str:
    """Who answers, where only people with an account are asked: a keyed digest that leads back to nobody."""
    phase = phase_of(visit.session, survey.phase_id)
    if (
        phase is None
        or survey_answers.audience_of(phase) is not Audience.SIGNED_IN
        or visit.by.person_id is None
    ):
        return ""
    spelled = f"survey {survey.id} {visit.by.person_id}".encode()
    return hmac.digest(visit.house.link_key, spelled, "sha256").hex()


def language_of(visit: Visit, survey: Survey, name: str = "title") -> str:
    """In which language a text of a survey stands before its reader."""
    return visit.language if survey.is_translated(visit.language, name) else overview.ENTERED_IN


def _shown(
    visit: Visit,
    once: str,
    errors: tuple[tuple[str, str | None], ...] = (),
    *,
    typed: Typed | None = None,
    about: Question | None = None,
    has_form: bool = True,
) -> SurveyPage:
    procedure = procedure_of(visit)
    survey, phase, stands = survey_of(visit, procedure)
    here = {"slug": procedure.slug, "number": survey.number}
    audience, limits = survey_answers.audience_of(phase), proposing.arrangement_of(phase).limits
    starts, ends = overview.days_of(phase, visit.now)
    shows_results = surveys.shows_results(survey, stands)
    return SurveyPage(
        hearing_title=localised(procedure, visit.language, "title"),
        hearing_url=visit.url("hearing", slug=procedure.slug),
        title=survey.said(visit.language),
        introduction=survey.said(visit.language, "introduction"),
        language=language_of(visit, survey),
        introduction_language=language_of(visit, survey, "introduction"),
        number=survey.number,
        version=survey.version,
        standing=stands.value,
        phase=overview.phase_name(phase, visit.language),
        starts=starts,
        ends=ends,
        asks=asked(
            visit, survey.asks, survey_places.shown(visit, procedure, survey.asks, typed or {}, about)
        ),
        once=once,
        needs_account=audience is Audience.SIGNED_IN and visit.by.person_id is None,
        asks_residence=audience is Audience.RESIDENTS,
        ground=limits.ground if audience is Audience.RESIDENTS else "",
        contact=limits.contact if audience is Audience.RESIDENTS else "",
        declares=bool(visit.form_data.get("resident")),
        shows_words=survey.shows_words,
        has_words=any(each.kind in questions.IN_WORDS for each in survey.asks),
        results_run=surveys.shows_results(survey, Standing.OPEN),
        results_url=visit.url("survey_results", **here) if shows_results else "",
        paper_url=visit.url("survey_paper", **here),
        survey_url=visit.url("survey", **here),
        follow_url=visit.url("follow", slug=procedure.slug, umfrage=survey.number)
        if stands in (Standing.COMING, Standing.OPEN)
        else "",
        account_url=visit.url("sign_in", next=visit.url("survey", **here)),
        end_reason=survey.end_reason,
        errors=errors,
        reference=f"{procedure.key}-U{survey.number}",
        map=survey_places.map_of(visit, procedure, survey.asks)
        if has_form and stands in (Standing.OPEN, Standing.DRAFT)
        else None,
    )


def _show(
    visit: Visit,
    form: Form,
    once: str,
    *,
    typed: Typed | None = None,
    about: Question | None = None,
    errors: tuple[tuple[str, str | None], ...] = (),
    status: int = 200,
) -> Response:
    page = _shown(visit, once, errors, typed=typed, about=about)
    return visit.render("surveys/survey.html", page, form=form, status=status)


@page("/beteiligungen/{slug}/umfragen/{number:int}/formular", name="survey_paper", may=Permission.READ_PUBLIC)
def paper(visit: Visit) -> Response:
    """The survey as a sheet to print and fill in by hand; it counts like a click."""
    return visit.render("surveys/paper.html", _shown(visit, "", has_form=False))


# --- the receipt -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class ReceiptPage:
    """What was answered, and the code by which it is found again."""

    hearing_title: str
    hearing_url: str
    title: str
    reference: str
    received_at: datetime
    access_code: str
    is_withdrawn: bool
    ends: date | None
    #: (question, answer)
    rows: tuple[tuple[str, str], ...]
    #: Questions whose answers do not count, because they were not asked.
    ignored: tuple[str, ...]
    results_run: bool
    lookup_url: str
    sha256: str = field(default="")


@page(
    "/beteiligungen/{slug}/umfragen/{number:int}/beleg/{token}",
    name="survey_receipt",
    may=Permission.TAKE_PART,
)
def receipt(visit: Visit) -> Response:
    """That it has arrived; at the secret of the form, which only this browser knows."""
    procedure = procedure_of(visit)
    survey, phase, _ = survey_of(visit, procedure)
    token = visit.request.path_params["token"]
    entry = surveys.entry_by_key(visit.session, survey.id or 0, drafts.key_of(token))
    if entry is None or was_left(visit, entry.recorded_at):
        visit.not_found()
    newest = survey_answers.newest(visit.session, entry)
    return visit.render(
        "surveys/receipt.html",
        ReceiptPage(
            hearing_title=localised(procedure, visit.language, "title"),
            hearing_url=visit.url("hearing", slug=procedure.slug),
            title=survey.said(visit.language),
            reference=entry.reference,
            received_at=entry.received_at,
            access_code=entry.access_code,
            is_withdrawn=entry.state == surveys.EntryState.WITHDRAWN.value,
            # Of one that ends early nobody knows beforehand: of one that has ended its phase's last day would be untrue.
            ends=None if survey.ended_at else overview.last_day(phase),
            rows=answered_rows(visit, survey, newest.answers),
            ignored=ignored_words(visit, survey, newest.ignored),
            results_run=surveys.shows_results(survey, Standing.OPEN),
            lookup_url=visit.url("lookup"),
            sha256=newest.sha256,
        ),
    )


def answered_rows(visit: Visit, survey: Survey, answers: questions.Answers) -> tuple[tuple[str, str], ...]:
    """What somebody answered: question and answer, as they stand on the page."""
    found = (
        (f"{number}. {each.said(visit.language)}", said_to(visit, each, answers))
        for number, each in enumerate(survey.asks, start=1)
    )
    return tuple((label, answer) for label, answer in found if answer)


def ignored_words(visit: Visit, survey: Survey, ignored: Sequence[str]) -> tuple[str, ...]:
    """The questions that somebody answered without having been asked."""
    return tuple(
        f"{number}. {each.said(visit.language)}"
        for number, each in enumerate(survey.asks, start=1)
        if each.key in ignored
    )
