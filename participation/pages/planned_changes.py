"""Changes of a running consultation: extend a phase, interrupt and resume it, repeat it, end it early.

Each shows what follows before it is done, and says that it has to be announced.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from hashlib import sha256
from typing import Any

from starlette.responses import Response
from wtforms import BooleanField, RadioField, StringField, TextAreaField
from wtforms.fields import SelectChoice
from wtforms.validators import DataRequired, InputRequired, Length

from consultations import changes, procedures, schedule
from consultations.changes import Dates, Repetition
from consultations.deadlines import PhaseState
from consultations.permissions import Permission
from consultations.phases import Announce, Phase, phases_of
from consultations.procedures import Procedure
from consultations.refusals import Refusal
from consultations.schedule import Consequence
from participation import overview
from participation.pages.planning_advice import TRACKS, Change, changes_of, seat_of
from participation.pages.planning_forms import (
    Errors,
    Head,
    SectionForm,
    day_field,
    head_of,
    planned,
    read_version,
    refused,
)
from participation.web import Visit, page

#: Marks a message for the catalogues.
N_ = str

_NEEDED = InputRequired(N_("Please enter a day."))
_REASON = DataRequired(N_("Please give a reason."))


class ReasonForm(SectionForm):
    """A change without new days: interrupt, end early."""

    note = StringField(N_("Why? Everybody can read this."), [_REASON, Length(max=500)])


class ExtendForm(ReasonForm):
    """A later last day."""

    ends_on = day_field(N_("New last day"), _NEEDED)


class ResumeForm(ReasonForm):
    """The period anew."""

    starts_on = day_field(N_("New first day"), _NEEDED)
    ends_on = day_field(N_("New last day"), _NEEDED)


_YES_NO = [SelectChoice("yes", N_("Yes")), SelectChoice("no", N_("No"))]
_ANSWER = InputRequired(N_("Please answer this."))


class RepeatForm(SectionForm):
    """The questions of BauGB §4a(3), and the new period."""

    what_changed = TextAreaField(
        N_("What was changed in the draft?"),
        [DataRequired(N_("Please say what was changed.")), Length(max=2000)],
    )
    touches_interests = RadioField(
        N_("Does the change touch somebody’s interests for the first time, or more strongly?"),
        [_ANSWER], choices=_YES_NO,
    )  # fmt: skip
    is_obvious = RadioField(N_("Is that obvious?"), [_ANSWER], choices=_YES_NO)
    touches_basics = RadioField(N_("Does it change the basics of the plan?"), [_ANSWER], choices=_YES_NO)
    affected_takes_longer = BooleanField(
        N_("To ask only those affected would take longer than to ask everybody")
    )
    starts_on = day_field(N_("First day"))
    ends_on = day_field(N_("Last day"))
    limited_to = TextAreaField(N_("To which parts are statements limited?"), [Length(max=1000)])
    with_agencies = BooleanField(N_("Ask public agencies once more, too"))
    note = StringField(N_("Why? Everybody can read this."), [_REASON, Length(max=500)])

    def entered(self) -> Repetition:
        """The answers as the domain takes them."""
        return Repetition(
            what_changed=(self.what_changed.data or "").strip(),
            reason=(self.note.data or "").strip(),
            touches_interests=self.touches_interests.data == "yes",
            is_obvious=self.is_obvious.data == "yes",
            touches_basics=self.touches_basics.data == "yes",
            affected_takes_longer=bool(self.affected_takes_longer.data),
            starts_on=self.starts_on.data,
            ends_on=self.ends_on.data,
            limited_to=(self.limited_to.data or "").strip(),
            with_agencies=bool(self.with_agencies.data),
        )


@dataclass(frozen=True)
class Verb:
    """A change: its form, what its page is called, what it means, and what its button says."""

    form: type[SectionForm]
    title: str
    text: str
    button: str


VERBS: Mapping[str, Verb] = {
    "verlaengern": Verb(
        ExtendForm, N_("Extend"),
        N_("The period gets longer. The first end stays visible, and the new one has to be announced."),
        N_("Extend the period"),
    ),
    "unterbrechen": Verb(
        ReasonForm, N_("Interrupt"),
        N_("Such as when documents cannot be reached or prove wrong. What was handed in counts, and statements are "
           "taken meanwhile. Afterwards the whole period runs anew."),
        N_("Interrupt now"),
    ),
    "fortsetzen": Verb(
        ResumeForm, N_("Resume"),
        N_("The whole period runs anew, after a new announcement. What was handed in before counts."),
        N_("Resume"),
    ),
    "wiederholen": Verb(
        RepeatForm, N_("Repeat"),
        N_("The draft was changed: these questions find out whether, and whom, you have to ask again (BauGB §4a(3))."),
        N_("Repeat the participation"),
    ),
    "beenden": Verb(
        ReasonForm, N_("End early"),
        N_("It ends today at 24:00. A formal step that ends early proves nothing: it has to be run again before the "
           "council decides."),
        N_("End it today"),
    ),
}  # fmt: skip

ANNOUNCEMENTS: Mapping[Announce, str] = {
    Announce.EXTENSION: N_("The extension has to be announced."),
    Announce.INTERRUPTION: N_("The interruption has to be announced."),
    Announce.RESUMPTION: N_("The new period has to be announced before it begins."),
    Announce.REPETITION: N_("The renewed participation has to be announced before it begins."),
    Announce.END: N_("The early end has to be announced."),
}


@dataclass(frozen=True)
class PhaseLine:
    """A phase with what can be done to it: words and address."""

    name: str
    track: str
    when: str
    notes: tuple[str, ...]
    to_announce: str
    verbs: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class CoursePage:
    """All phases of a consultation that everybody can read."""

    head: Head
    lines: tuple[PhaseLine, ...]
    done: bool


@page("/verwaltung/planung/{id:int}/aendern", name="planning_course", may=Permission.PLAN)
def course(visit: Visit) -> Response:
    """The phases, each with what can be done to it now."""
    procedure = planned(visit)
    rows = phases_of(visit.session, procedure.id or 0)
    return visit.render(
        "planning/course.html",
        CoursePage(
            head_of(visit, procedure),
            tuple(_line(visit, procedure, row) for row in rows),
            done=visit.request.query_params.get("done") == "saved",
        ),
    )


def possible(procedure: Procedure, phase: Phase, visit: Visit) -> tuple[str, ...]:
    """What can be done to a phase now."""
    if procedure.state != procedures.ProcedureState.PUBLISHED.value:
        return ()
    state = phase.state(visit.now)
    found: list[str] = []
    if state is PhaseState.OPEN and phase.course.is_interrupted:
        found += ["fortsetzen", "beenden"]
    elif state is PhaseState.OPEN:
        found += ["verlaengern"] if phase.ends_on else []
        found += ["unterbrechen", "beenden"]
    if phase.is_formal and state is not PhaseState.COMING:
        found.append("wiederholen")
    return tuple(found)


def _line(visit: Visit, procedure: Procedure, phase: Phase) -> PhaseLine:
    spoken = overview.words_of(phase, visit.now, visit.language)
    announce = ANNOUNCEMENTS.get(phase.course.announce)
    return PhaseLine(
        overview.phase_name(phase, visit.language),
        visit.gettext(TRACKS[phase.track]),
        spoken.when,
        spoken.notes,
        visit.gettext(announce) if announce else "",
        tuple(
            (
                visit.gettext(VERBS[verb].title),
                visit.url("planning_change", id=procedure.id, phase=phase.id, verb=verb),
            )
            for verb in possible(procedure, phase, visit)
        ),
    )


@dataclass(frozen=True)
class ChangePage:
    """One change of one phase. `changes`: what follows from it, once asked; `seen` proves that it was shown."""

    head: Head
    verb: str
    title: str
    text: str
    button: str
    phase: str
    when: str
    proposed_end: date | None
    verdict: str
    changes: tuple[Change, ...] | None
    is_blocked: bool
    seen: str
    errors: Errors


@page(
    "/verwaltung/planung/{id:int}/aendern/{phase:int}/{verb}",
    name="planning_change",
    may=Permission.PLAN,
    methods=("GET", "POST"),
)
def change(visit: Visit) -> Response:
    """Change a running phase; what follows is shown first, and what was shown is what is done."""
    procedure = planned(visit)
    verb = str(visit.request.path_params["verb"])
    rows = phases_of(visit.session, procedure.id or 0)
    phase = next((row for row in rows if row.id == visit.request.path_params["phase"]), None)
    if phase is None or verb not in VERBS:
        visit.not_found()
    form = visit.form(VERBS[verb].form, version=procedure.version)
    if not visit.is_post:
        return _show(visit, procedure, phase, verb, form)
    if str(visit.form_data.get("do")) == "take" and (end := _proposal(visit, procedure, phase, form)):
        form.ends_on.data = end
        form.ends_on.raw_data = None
        return _show(visit, procedure, phase, verb, form)
    if not form.validate():
        return _show(visit, procedure, phase, verb, form, status=422)
    found = _consequences(visit, procedure, phase, form)
    if found is not None and (schedule.is_blocked(found) or visit.form_data.get("seen") != _seen(form)):
        return _show(visit, procedure, phase, verb, form, found=found, shows=True)
    try:
        _do(visit, procedure, phase, verb, form)
    except Refusal as refusal:
        visit.session.rollback()
        errors, status = refused(visit, form, refusal)
        return _show(visit, procedure, phase, verb, form, errors=errors, status=status)
    return visit.redirect("planning_course", id=procedure.id, done="saved")


def _consequences(
    visit: Visit, procedure: Procedure, phase: Phase, form: SectionForm
) -> Sequence[Consequence] | None:
    """What new days bring; None where there are none, or where they are no days yet."""
    seat = seat_of(visit)
    if isinstance(form, RepeatForm):
        entered = form.entered()
        if not entered.verdict.is_needed or entered.starts_on is None or entered.ends_on is None:
            return None
        return changes.consequences_of_repetition(visit.session, procedure, phase, entered, seat=seat)
    if isinstance(form, ResumeForm):
        dates = Dates(form.starts_on.data, form.ends_on.data)
    elif isinstance(form, ExtendForm):
        dates = Dates(phase.starts_on, form.ends_on.data)
    else:
        return None
    return changes.consequences_of(visit.session, procedure, phase, dates, seat=seat)


def _do(visit: Visit, procedure: Procedure, phase: Phase, verb: str, form: SectionForm) -> None:
    told: dict[str, Any] = {"by": visit.by, "now": visit.now, "expected_version": read_version(form)}
    note, session, seat = (form.note.data or "").strip(), visit.session, seat_of(visit)
    if isinstance(form, RepeatForm):
        changes.repeat(session, procedure, phase, form.entered(), seat=seat, **told)
    elif isinstance(form, ResumeForm):
        dates = Dates(form.starts_on.data, form.ends_on.data)
        changes.resume(session, procedure, phase, dates, seat=seat, note=note, **told)
    elif isinstance(form, ExtendForm):
        changes.extend(session, procedure, phase, form.ends_on.data, seat=seat, note=note, **told)
    elif verb == "unterbrechen":
        changes.interrupt(session, procedure, phase, note=note, **told)
    else:
        changes.end_early(session, procedure, phase, note=note, **told)


def _proposal(visit: Visit, procedure: Procedure, phase: Phase, form: SectionForm) -> date | None:
    """The last day that the law recommends for the first day in the form."""
    starts = form._fields["starts_on"].data if "starts_on" in form._fields else None
    if starts is None:
        return None
    like = schedule.Planned(
        "new", "repeated" if isinstance(form, RepeatForm) else phase.kind, phase.track, starts, None, True,
        facts={**phase.facts, "days": 14} if isinstance(form, RepeatForm) else phase.facts,
    )  # fmt: skip
    (only,) = schedule.plan(procedures.frame_of(procedure), [like], seat=seat_of(visit))
    return only.proposed_end


def _seen(form: SectionForm) -> str:
    days = [str(form._fields[name].data) for name in ("starts_on", "ends_on") if name in form._fields]
    return sha256(" ".join(days).encode()).hexdigest()[:32]


def _show(
    visit: Visit,
    procedure: Procedure,
    phase: Phase,
    verb: str,
    form: SectionForm,
    *,
    found: Sequence[Consequence] | None = None,
    shows: bool = False,
    errors: Errors = (),
    status: int = 200,
) -> Response:
    asked = VERBS[verb]
    rows = phases_of(visit.session, procedure.id or 0)
    names = {str(row.id): overview.phase_name(row, visit.language) for row in rows}
    is_blocked = shows and schedule.is_blocked(found or ())
    ends = form._fields["ends_on"].data if "ends_on" in form._fields else None
    proposed = _proposal(visit, procedure, phase, form)
    return visit.render(
        "planning/change.html",
        ChangePage(
            head=head_of(visit, procedure),
            verb=verb,
            title=visit.gettext(asked.title),
            text=visit.gettext(asked.text),
            button=visit.gettext(asked.button),
            phase=overview.phase_name(phase, visit.language),
            when=overview.words_of(phase, visit.now, visit.language).when,
            proposed_end=proposed if proposed != ends else None,
            verdict=_verdict(visit, form) if visit.is_post and not form.errors else "",
            changes=changes_of(visit, found or (), names) if shows else None,
            is_blocked=is_blocked,
            seen=_seen(form) if shows and not is_blocked else "",
            errors=errors,
        ),
        status=422 if is_blocked else status,
        form=form,
    )


def _verdict(visit: Visit, form: SectionForm) -> str:
    """What follows from the answers about a changed draft, in words."""
    if not isinstance(form, RepeatForm):
        return ""
    verdict = form.entered().verdict
    if not verdict.is_needed:
        return visit.gettext("By these answers nobody has to be asked again. Your reason is kept.")
    if verdict.scope == "affected":
        return visit.gettext(
            "By these answers it is enough to ask those who are affected, and the agencies concerned."
        )
    return visit.gettext("By these answers everybody has to be asked again.")
