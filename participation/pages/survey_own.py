"""One's own answers to a survey, opened with the access code: read them, change them, take them back."""

from dataclasses import dataclass
from datetime import datetime

from starlette.responses import Response
from wtforms import Form

from consultations import channels, questions, survey_answers, surveys
from consultations.permissions import PUBLIC, Permission
from consultations.phases import Phase, phase_of
from consultations.procedures import Procedure, by_id, localised
from consultations.questions import Question, Typed
from consultations.refusals import Refusal
from consultations.surveys import EntryState, Standing, Survey, SurveyEntry
from participation.messages import STATUS
from participation.pages import opened as opening
from participation.pages import survey_places
from participation.pages.survey_forms import BODY_LIMIT, Asked, asked, form_of, put_to_field, typed_in
from participation.pages.survey_places import SurveyMap
from participation.pages.surveys import answered_rows, ignored_words
from participation.security import Action, address_of, check_rate
from participation.web import Visit, page

#: Marks a message for the catalogues.
N_ = str

COOKIE = "digilog_survey_answer"

_DONE = {
    "geaendert": N_("Your answers are changed. The earlier ones stay on file and no longer count."),
    "zurueckgenommen": N_("Your answers are withdrawn. They count nowhere any more."),
}


@dataclass(frozen=True)
class OwnPage:
    """One's own answers; `versions`: when which version came, the newest last."""

    hearing_title: str
    hearing_url: str
    title: str
    reference: str
    channel: str
    received_at: datetime
    is_late: bool
    is_withdrawn: bool
    is_open: bool
    version: int
    versions: tuple[tuple[int, datetime], ...]
    rows: tuple[tuple[str, str], ...]
    ignored: tuple[str, ...]
    asks: tuple[Asked, ...]
    open_until: datetime
    results_url: str
    errors: tuple[tuple[str, str | None], ...]
    done: str
    map: SurveyMap | None


def enter(visit: Visit, entry: SurveyEntry) -> Response:
    """Open an answer whose code was typed in."""
    opening.keep(visit, COOKIE, entry.id)
    return visit.redirect("survey_own")


def _mine(visit: Visit) -> tuple[SurveyEntry, Survey, Procedure, Phase] | None:
    key = opening.key_in(visit, COOKIE)
    entry = None if key is None else surveys.entry_by_id(visit.session, visit.municipality_id, key)
    if entry is None:
        return None
    survey = surveys.by_id(visit.session, visit.municipality_id, entry.survey_id)
    procedure = by_id(visit.session, visit.municipality_id, survey.procedure_id) if survey else None
    phase = phase_of(visit.session, survey.phase_id) if survey else None
    assert survey is not None
    assert procedure is not None
    assert phase is not None
    return entry, survey, procedure, phase


@page(
    "/umfrage/antwort",
    name="survey_own",
    may=Permission.TAKE_PART,
    methods=("GET", "POST"),
    body_limit=BODY_LIMIT,
)
def own(visit: Visit) -> Response:
    """Read one's answers, and change them as long as the survey runs."""
    mine = _mine(visit)
    if mine is None:
        return visit.redirect("lookup")
    entry, survey, _, _ = mine
    if not visit.is_post:
        newest = survey_answers.newest(visit.session, entry)
        stands = questions.typed_again(survey.asks, newest.answers)
        return _show(visit, form_of(visit, survey.asks, stands), stands)
    asks, typed = survey.asks, typed_in(visit, survey.asks)
    about = survey_places.between(visit, asks, typed)
    form = form_of(visit, asks, typed)
    if about is not None:
        return _show(visit, form, typed, about=about)
    wrong = questions.read(asks, typed).wrong
    if not wrong:
        try:
            check_rate(visit.house.limiter, Action.SUBMIT, address_of(visit.request.scope))
            version = str(visit.form_data.get("version", ""))
            survey_answers.change(
                visit.session,
                entry,
                typed,
                version=int(version) if version.isdecimal() and len(version) < 10 else 0,
                by=PUBLIC,
                now=visit.now,
            )
            return visit.redirect("survey_own", erledigt="geaendert")
        except Refusal as refusal:
            visit.session.rollback()
            wrong = (refusal,)
    found = [(put_to_field(visit, form, asks, each), each.field) for each in wrong]
    errors = tuple((message, name) for message, name in found if message is not None)
    return _show(visit, form, typed, errors=errors, status=STATUS.get(wrong[0].code, 422))


def _show(
    visit: Visit,
    form: Form,
    typed: Typed,
    *,
    about: Question | None = None,
    errors: tuple[tuple[str, str | None], ...] = (),
    status: int = 200,
) -> Response:
    mine = _mine(visit)
    assert mine is not None
    entry, survey, procedure, phase = mine
    opening.keep(visit, COOKIE, entry.id)
    versions = survey_answers.answers_of(visit.session, entry)
    stands = surveys.standing(survey, procedure, phase, visit.now)
    withdrawn = entry.state == EntryState.WITHDRAWN.value
    done = _DONE.get(visit.request.query_params.get("erledigt", ""))
    return visit.render(
        "surveys/own.html",
        OwnPage(
            hearing_title=localised(procedure, visit.language, "title"),
            hearing_url=visit.url("hearing", slug=procedure.slug),
            title=survey.said(visit.language),
            reference=entry.reference,
            channel=visit.gettext(channels.by_key(entry.channel).label),
            received_at=entry.received_at,
            is_late=entry.is_late,
            is_withdrawn=withdrawn,
            is_open=stands is Standing.OPEN and not withdrawn,
            version=survey.version,
            versions=tuple((each.number, each.at) for each in versions),
            rows=answered_rows(visit, survey, versions[-1].answers),
            ignored=ignored_words(visit, survey, versions[-1].ignored),
            asks=asked(visit, survey.asks, survey_places.shown(visit, procedure, survey.asks, typed, about)),
            open_until=visit.now + opening.OPEN_FOR,
            results_url=visit.url("survey_results", slug=procedure.slug, number=survey.number)
            if surveys.shows_results(survey, stands)
            else "",
            errors=errors,
            done=visit.gettext(done) if done else "",
            map=survey_places.map_of(visit, procedure, survey.asks)
            if stands is Standing.OPEN and not withdrawn
            else None,
        ),
        form=form,
        status=status,
    )


@page(
    "/umfrage/antwort/zuruecknehmen",
    name="survey_own_withdraw",
    may=Permission.TAKE_PART,
    methods=("GET", "POST"),
)
def withdraw(visit: Visit) -> Response:
    """Take one's answers back: asked first, done with the second step."""
    mine = _mine(visit)
    if mine is None:
        return visit.redirect("lookup")
    if not visit.is_post:
        return visit.render("surveys/withdraw.html", mine[0].reference)
    # A second click finds it done, which is what was wanted.
    survey_answers.withdraw(visit.session, mine[0], by=PUBLIC, now=visit.now)
    return visit.redirect("survey_own", erledigt="zurueckgenommen")


@page("/umfrage/antwort/beenden", name="survey_own_close", may=Permission.TAKE_PART, methods=("POST",))
def close(visit: Visit) -> Response:
    """Forget what was opened, so that the next person at this computer does not see it."""
    opening.forget(visit, COOKIE)
    return visit.redirect("home")
