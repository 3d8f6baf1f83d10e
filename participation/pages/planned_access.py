"""Ways to a displayed plan without the internet: who asked for one, what was made available, which objections came on paper."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime

from starlette.responses import Response
from wtforms import Form, StringField, TextAreaField
from wtforms.validators import InputRequired, Length

from consultations import channels, other_access, people
from consultations.other_access import Asked
from consultations.permissions import Permission
from consultations.phases import Phase
from consultations.procedures import Procedure
from consultations.refusals import Code, Refusal
from participation import overview
from participation.messages import STATUS
from participation.pages.announcing import phase_in
from participation.pages.planning_forms import Errors, Head, day_field, head_of, planned
from participation.web import Visit, page

#: Marks a message for the catalogues.
N_ = str


class RequestForm(Form):
    """Somebody asks for another way to the plan."""

    asked_on = day_field(N_("Asked on"), InputRequired(N_("Please enter the day.")))
    wish = TextAreaField(N_("What is asked for?"), [Length(max=1000)])
    reached = StringField(N_("How to reach the person"), [Length(max=300)])


@dataclass(frozen=True)
class RequestLine:
    """A request. `state`: kind and words of a tag; `wants_answer`: the form for one stands there."""

    id: int
    asked_on: date
    wish: str
    reached: str
    state: tuple[str, str]
    words: str
    answer: str
    answered_at: datetime | None
    answered_by: str
    wants_answer: bool


@dataclass(frozen=True)
class PaperLine:
    """An objection that came another way than electronically."""

    reference: str
    channel: str
    received_at: datetime
    words: str
    url: str


@dataclass(frozen=True)
class AccessPage:
    """Requests and objections of one display."""

    head: Head
    phase_id: int
    phase: str
    ends_on: date | None
    requests: tuple[RequestLine, ...]
    papers: tuple[PaperLine, ...]
    #: The law gives a claim to it in this phase.
    is_claim: bool
    done: str
    errors: Errors
    #: What was typed as an answer and refused, by the number of the request.
    typed: Mapping[int, str]


DONE: Mapping[str, str] = {
    "asked": N_("The request is recorded."),
    "answered": N_("Recorded. The duty is fulfilled."),
}


@page(
    "/verwaltung/planung/{id:int}/phasen/{phase:int}/zugang",
    name="planning_access",
    may=Permission.PLAN,
    methods=("GET", "POST"),
)
def access(visit: Visit) -> Response:
    """Take down a request for other access, say what was made available, see which objections came on paper."""
    procedure = planned(visit)
    phase = phase_in(visit, procedure)
    form = visit.form(RequestForm, asked_on=visit.today)
    if not visit.is_post:
        return _show(visit, procedure, phase, form)
    verb, _, number = str(visit.form_data.get("do", "")).partition("-")
    try:
        if verb == "answer":
            found = [
                each.row for each in other_access.asked(visit.session, phase) if str(each.row.id) == number
            ]
            if not found:
                raise Refusal(Code.CHANGED_MEANWHILE)
            words = str(visit.form_data.get("answer", ""))
            other_access.answer(visit.session, procedure, found[0], answer=words, by=visit.by, now=visit.now)
            return visit.redirect("planning_access", id=procedure.id, phase=phase.id, done="answered")
        if not form.validate():
            return _show(visit, procedure, phase, form, status=422)
        other_access.record(
            visit.session,
            procedure,
            phase,
            asked_on=form.asked_on.data,
            wish=form.wish.data or "",
            reached=form.reached.data or "",
            by=visit.by,
            now=visit.now,
        )
    except Refusal as refusal:
        visit.session.rollback()
        status = STATUS.get(refusal.code, 422)
        if verb == "answer":
            target = f"answer-{number}" if number.isdecimal() else None
            typed = {int(number): str(visit.form_data.get("answer", ""))} if target else {}
            errors = ((visit.explain(refusal), target),)
            return _show(visit, planned(visit), phase, form, errors=errors, typed=typed, status=status)
        visit.reject(form, refusal)
        return _show(visit, planned(visit), phase, form, status=status)
    return visit.redirect("planning_access", id=procedure.id, phase=phase.id, done="asked")


def _show(
    visit: Visit,
    procedure: Procedure,
    phase: Phase,
    form: RequestForm,
    *,
    errors: Errors = (),
    typed: Mapping[int, str] | None = None,
    status: int = 200,
) -> Response:
    asked = other_access.asked(visit.session, phase)
    names = people.names(visit.session, {each.row.answered_by for each in asked if each.row.answered_by})
    done = DONE.get(visit.request.query_params.get("done", ""))
    shown = AccessPage(
        head=head_of(visit, procedure),
        phase_id=phase.id or 0,
        phase=overview.phase_name(phase, visit.language),
        ends_on=phase.ends_on,
        requests=tuple(_line(visit, each, names) for each in asked),
        papers=tuple(
            PaperLine(
                each.reference,
                visit.gettext(channels.by_key(each.channel).label),
                each.received_at,
                visit.gettext("It came late; whether it is excluded is decided in its own place.")
                if each.is_late
                else visit.gettext(
                    "In time: it is taken like any other, although nobody asked for another way."
                ),
                visit.url("register_entry", id=each.id),
            )
            for each in other_access.on_paper(visit.session, phase)
        ),
        is_claim=other_access.may_be_asked(procedure, phase),
        done=visit.gettext(done) if done and not visit.is_post else "",
        errors=errors,
        typed=typed or {},
    )
    return visit.render("planning/access.html", shown, status=status, form=form)


def _line(visit: Visit, each: Asked, names: Mapping[str, str]) -> RequestLine:
    row = each.row
    if row.answered_at is not None:
        state, words = ("done", visit.gettext("Answered")), ""
    elif each.is_open:
        state = ("danger", visit.gettext("Due at once"))
        words = visit.gettext("The display runs: another easy way has to be made available without delay.")
    else:
        state = ("waiting", visit.gettext("After the display"))
        words = visit.gettext(
            "The display was over: the law gives no claim any more. An answer is good manners."
        )
    return RequestLine(
        id=row.id or 0,
        asked_on=row.asked_on,
        wish=row.wish,
        reached=row.reached,
        state=state,
        words=words,
        answer=row.answer,
        answered_at=row.answered_at,
        answered_by=names.get(row.answered_by, row.answered_by),
        wants_answer=row.answered_at is None,
    )
