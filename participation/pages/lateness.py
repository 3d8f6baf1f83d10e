"""Late statements at the planner's desk: what waits for a decision, and the decision itself, condition by condition."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from starlette.responses import Response
from wtforms import Form, HiddenField, RadioField, TextAreaField
from wtforms.fields import SelectChoice
from wtforms.validators import Length, Optional

from consultations import announcements, lateness, people, procedures, received
from consultations.computation import Answer
from consultations.contributions import Contribution
from consultations.lateness import LateDecision, Outcome, Regime
from consultations.permissions import Permission, reach
from consultations.phases import Phase, phases_of
from consultations.procedures import Procedure, localised
from consultations.refusals import Refusal
from consultations.seats import Seat
from participation import overview
from participation.web import Visit, page, row_number

#: Marks a message for the catalogues.
N_ = str

PAGE_LENGTH = 25

CONDITIONS: Mapping[str, tuple[str, str]] = {
    "hint_given": (
        N_("Did the announcement say that late statements may be left out?"),
        N_("Look into the text of the announcement. Without this hint nothing late may be left out."),
    ),
    "content_known": (
        N_("Did the town know the content already?"),
        N_("For example because another statement in time says the same, or from its own files."),
    ),
    "should_have_been_known": (
        N_("Should the town have known it?"),
        N_("Whatever suggests itself when a plan is made with care has to be known."),
    ),
    "relevant_for_lawfulness": (
        N_("Does the content matter for the lawfulness of the plan?"),
        N_("For example a flood plain or a protected species that nobody has seen."),
    ),
    "private_title": (
        N_("Does the objection rest on a special title under private law?"),
        N_(
            "For example property or a right of way on the land that is planned on. Such objections are not excluded."
        ),
    ),
}
"""What has to be answered, as a question and with what helps to answer it."""

OUTCOMES: Mapping[Outcome, str] = {
    Outcome.CONSIDERED: N_("It is considered like those in time"),
    Outcome.DISREGARDED: N_("It is left out"),
}

_YES_NO = (SelectChoice("yes", N_("Yes")), SelectChoice("no", N_("No")))


class LateForm(Form):
    """The answers, the decision and its reason. Conditions that the law in question does not know are not shown."""

    seen = HiddenField()
    hint_given = RadioField(CONDITIONS["hint_given"][0], [Optional()], choices=list(_YES_NO))
    content_known = RadioField(CONDITIONS["content_known"][0], [Optional()], choices=list(_YES_NO))
    should_have_been_known = RadioField(
        CONDITIONS["should_have_been_known"][0], [Optional()], choices=list(_YES_NO)
    )
    relevant_for_lawfulness = RadioField(
        CONDITIONS["relevant_for_lawfulness"][0], [Optional()], choices=list(_YES_NO)
    )
    private_title = RadioField(CONDITIONS["private_title"][0], [Optional()], choices=list(_YES_NO))
    outcome = RadioField(
        N_("What becomes of it?"),
        [Optional()],
        choices=[SelectChoice(key.value, words) for key, words in OUTCOMES.items()],
    )
    reason = TextAreaField(N_("Reason"), [Length(max=4000)])


@dataclass(frozen=True)
class Row:
    """A late statement in the list."""

    reference: str
    title: str
    excerpt: str
    procedure: str
    received_at: datetime
    url: str


@dataclass(frozen=True)
class LateList:
    """What waits for a decision, the oldest first."""

    rows: tuple[Row, ...]
    total: int
    more: str
    done: str


@page("/verwaltung/verspaetet", name="late_list", may=Permission.PLAN)
def waiting(visit: Visit) -> Response:
    """Late statements that nobody has decided about yet."""
    allowed = reach(visit.by, Permission.PLAN, visit.municipality_id)
    found = lateness.waiting(
        visit.session,
        visit.municipality_id,
        procedure_ids=allowed,
        after_id=row_number(visit.request.query_params.get("nach")) or 0,
        limit=PAGE_LENGTH + 1,
    )
    shown = found[:PAGE_LENGTH]
    titles = procedures.titles(visit.session, {row.procedure_id for row in shown})
    return visit.render(
        "lateness/list.html",
        LateList(
            rows=tuple(
                Row(
                    row.reference,
                    row.title,
                    row.text,
                    titles[row.procedure_id],
                    row.received_at,
                    visit.url("late_decide", id=row.id),
                )
                for row in shown
            ),
            total=lateness.waiting_count(visit.session, visit.municipality_id, allowed),
            more=visit.url("late_list", nach=shown[-1].id) if len(found) > PAGE_LENGTH else "",
            done=visit.gettext("Decided. It stays on file with your reason.")
            if visit.request.query_params.get("done")
            else "",
        ),
    )


@dataclass(frozen=True)
class PastDecision:
    """A decision as it was made."""

    outcome: str
    reason: str
    answers: tuple[tuple[str, str], ...]
    by: str
    at: datetime


@dataclass(frozen=True)
class Judgement:
    """What the law says to the answers so far."""

    is_free: bool
    sentences: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class DecidePage:
    """One late statement and everything that is needed to decide."""

    reference: str
    title: str
    text: str
    procedure: str
    received_at: datetime
    ended: date | None
    entry_url: str
    source: str
    #: Names of the conditions to answer, each with what helps.
    conditions: tuple[tuple[str, str], ...]
    judgement: Judgement | None
    past: tuple[PastDecision, ...]


@page(
    "/verwaltung/eingangsbuch/{id:int}/verspaetung",
    name="late_decide",
    may=Permission.PLAN,
    methods=("GET", "POST"),
)
def decide(visit: Visit) -> Response:
    """Answer the conditions, see what the law says (`do=check`), and decide (`do=save`)."""
    row, procedure, phase, regime = _late(visit)
    past = lateness.decisions_of(visit.session, row.id or 0)
    known = past[-1] if past else None
    said = _said(visit, phase, regime)
    form = visit.form(LateForm, **_known(known, len(past), said))
    if not visit.is_post:
        return _show(visit, row, procedure, phase, regime, form, past)
    answers = _answers(form, regime)
    if visit.form_data.get("do") != "save":
        form.validate()
        return _show(visit, row, procedure, phase, regime, form, past, answers=answers)
    if not form.validate() or not _complete(visit, form, regime):
        return _show(visit, row, procedure, phase, regime, form, past, answers=answers, status=422)
    try:
        lateness.decide(
            visit.session,
            row,
            answers=answers,
            outcome=Outcome(form.outcome.data),
            reason=form.reason.data or "",
            by=visit.by,
            now=visit.now,
            expected_number=row_number(form.seen.data) or 0,
        )
    except Refusal as refusal:
        visit.reject(form, refusal)
        row, procedure, phase, regime = _late(visit)
        past = lateness.decisions_of(visit.session, row.id or 0)
        form.seen.data = str(len(past))
        return _show(visit, row, procedure, phase, regime, form, past, answers=answers, status=422)
    return visit.redirect("late_list", done=1)


def _late(visit: Visit) -> tuple[Contribution, Procedure, Phase, Regime]:
    """The late statement in the address. Raises Refusal NOT_FOUND for one in time, or that no law asks about."""
    row = received.by_id(visit.session, visit.municipality_id, visit.request.path_params["id"])
    procedure = procedures.by_id(visit.session, visit.municipality_id, row.procedure_id) if row else None
    if row is None or procedure is None:
        visit.not_found()
    visit.require(Permission.PLAN, procedure)
    phase = next(
        (each for each in phases_of(visit.session, row.procedure_id) if each.id == row.phase_id),
        None,
    )
    regime = lateness.regime_of(procedure, phase)
    if not row.is_late or regime is None or phase is None:
        visit.not_found()
    return row, procedure, phase, regime


def _said(visit: Visit, phase: Phase, regime: Regime) -> tuple[announcements.Announcement, bool] | None:
    """The announcement on record and whether it has the hint, where the law asks for that."""
    if "hint_given" not in regime.conditions:
        return None
    return announcements.said_on_lateness(visit.session, phase.id or 0)


def _known(
    decision: LateDecision | None, number: int, said: tuple[announcements.Announcement, bool] | None
) -> dict[str, Any]:
    """What the form begins with: the answers of the last decision, and what the announcement on record says."""
    known: dict[str, Any] = {"seen": str(number)}
    if said is not None:
        known["hint_given"] = "yes" if said[1] else "no"
    if decision is not None:
        known |= {
            name: "yes" if value else "no" for name, value in decision.answers.items() if name in CONDITIONS
        }
        known |= {"outcome": decision.outcome}
    return known


def _answers(form: LateForm, regime: Regime) -> dict[str, bool]:
    return {name: form[name].data == "yes" for name in regime.conditions if form[name].data in ("yes", "no")}


def _complete(visit: Visit, form: LateForm, regime: Regime) -> bool:
    """Whether everything is answered; what is not gets its message."""
    missing = [name for name in (*regime.conditions, "outcome") if not form[name].data]
    for name in missing:
        form[name].errors = [*form[name].errors, visit.gettext("Please choose an answer.")]
    if not (form.reason.data or "").strip():
        form.reason.errors = [visit.gettext("Please give a reason.")]
        missing.append("reason")
    return not missing


def _show(
    visit: Visit,
    row: Contribution,
    procedure: Procedure,
    phase: Phase,
    regime: Regime,
    form: LateForm,
    past: Sequence[LateDecision],
    *,
    answers: Mapping[str, bool] | None = None,
    status: int = 200,
) -> Response:
    names = people.names(visit.session, {decision.by for decision in past})
    judgement = None
    if answers is not None and len(answers) == len(regime.conditions):
        seat = Seat.from_data(visit.municipality_row.calendar)
        judgement = _judgement(visit, lateness.judge(regime, answers, seat))
    return visit.render(
        "lateness/decide.html",
        DecidePage(
            reference=row.reference,
            title=row.title,
            text=row.text,
            procedure=localised(procedure, visit.language, "title"),
            received_at=row.received_at,
            ended=overview.last_day(phase),
            entry_url=visit.url("register_entry", id=row.id),
            source="BauGB §4a(5)" if regime.question == "late_statement" else "VwVfG §73",
            conditions=tuple((name, _help(visit, phase, regime, name)) for name in regime.conditions),
            judgement=judgement,
            past=tuple(_past(visit, decision, names) for decision in reversed(past)),
        ),
        status=status,
        form=form,
    )


def _help(visit: Visit, phase: Phase, regime: Regime, name: str) -> str:
    """What helps to answer a condition; about the hint, what the announcement on record says."""
    said = _said(visit, phase, regime) if name == "hint_given" else None
    if said is None:
        return visit.gettext(CONDITIONS[name][1])
    version, has_hint = said
    if has_hint:
        return visit.gettext(
            "Version %(number)s, which was made public, says so. That is why “Yes” is chosen here.",
            number=version.number,
        )
    return visit.gettext(
        "Version %(number)s, which was made public, does not say so. Without this hint nothing late may be left out.",
        number=version.number,
    )


def _judgement(visit: Visit, answer: Answer) -> Judgement:
    found = [(each.why.text(visit.language), each.source) for each in answer.findings]
    sentences = found + [(each.why.text(visit.language), each.source) for each in answer.steps]
    return Judgement(bool(answer.results["may_be_disregarded"]), tuple(sentences))


def _past(visit: Visit, decision: LateDecision, names: Mapping[str, str]) -> PastDecision:
    return PastDecision(
        outcome=visit.gettext(OUTCOMES[Outcome(decision.outcome)]),
        reason=decision.reason,
        answers=tuple(
            (visit.gettext(CONDITIONS[name][0]), visit.gettext("Yes") if value else visit.gettext("No"))
            for name, value in decision.answers.items()
            if name in CONDITIONS
        ),
        by=names.get(decision.by, decision.by),
        at=decision.at,
    )
