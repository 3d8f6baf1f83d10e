"""The agencies of one consultation at the planner's desk: whom to ask, until when, and who has answered how."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from starlette.responses import Response
from wtforms import (
    DateField,
    Form,
    HiddenField,
    IntegerField,
    SelectField,
    SelectMultipleField,
    StringField,
    TextAreaField,
    widgets,
)
from wtforms.fields import SelectChoice
from wtforms.validators import Length, NumberRange, Optional

from consultations import (
    agencies,
    agency_overview,
    agency_periods,
    channels,
    invitations,
)
from consultations.agencies import Entry, Proposal
from consultations.agency_answers import Decision
from consultations.agency_overview import Counts, Line, Order, Wanted
from consultations.agency_periods import Period
from consultations.invitations import InvitationState
from consultations.law import Severity
from consultations.permissions import Permission, may
from consultations.phases import Phase
from consultations.procedures import Procedure, ProcedureState
from consultations.refusals import Code, Refusal
from consultations.seats import Seat
from participation.agency_messages import steps_of
from participation.i18n import date_short
from participation.messages import STATUS
from participation.overview import phase_name
from participation.pages.agencies import STATES, subject_names
from participation.pages.agency_tables import table_response
from participation.pages.planning_forms import Head, head_of, planned
from participation.web import Visit, page, row_number

#: Lines of the overview, and of those who wait on the list, that are shown at once.
PAGE_LENGTH = 50

#: Marks a message for the catalogues.
N_ = str

DONE = {
    "round": N_("Saved."),
    "list": N_("They are on the list. Nobody has been asked yet."),
    "reminded": N_("Everybody who has not answered is reminded."),
    "reminded_one": N_("The agency is reminded."),
    "sent": N_("The requests are on their way."),
    "removed": N_("The agency is taken off the list."),
    "due": N_("The last day is set."),
    "receipt": N_("The day of receipt is noted."),
    "links": N_("New links are on their way; the earlier ones no longer work."),
    "revoked": N_("The links no longer work."),
    "extension": N_("The agency is told."),
    "assigned": N_("The contribution is this agency's answer now."),
}


class _Boxes(SelectMultipleField):
    widget = widgets.ListWidget(prefix_label=False)
    option_widget = widgets.CheckboxInput()


class RoundForm(Form):
    """What all agencies are asked."""

    subjects = _Boxes(N_("What the plan is about"), choices=[], validate_choice=False)
    words = TextAreaField(N_("What we ask them to look at"), [Length(max=5000)])
    remind_before = IntegerField(
        N_("Remind so many days before the end"),
        [Optional(), NumberRange(0, 60, N_("Please enter a number from 0 to 60."))],
    )


class ListForm(Form):
    """Whom to put on the list."""

    chosen = _Boxes(N_("Proposed"), choices=[], validate_choice=False)


class AddForm(Form):
    """Somebody whom the register does not propose."""

    other = SelectField(N_("Another agency"), choices=[], validate_choice=False)
    reason = StringField(N_("Reason"), [Length(max=500)])


class CopyForm(Form):
    """The same agencies as in another phase."""

    earlier = SelectField(N_("The same as in"), choices=[], validate_choice=False)


class RemindForm(Form):
    """Nothing to fill in: everybody who has not answered is reminded."""


class SendForm(Form):
    """The last day for all on the list who have none of their own."""

    due_on = DateField(N_("Last day for all"), [Optional()])


class FilterForm(Form):
    """Which lines of the overview, and in which order."""

    state = SelectField(N_("Which"), choices=[], validate_choice=False)
    words = StringField(N_("Name"), id="filter-words")  # the request on the same page has words too
    order = SelectField(
        N_("Order"),
        choices=[
            SelectChoice(Order.NAME.value, N_("by name")),
            SelectChoice(Order.DUE.value, N_("by last day")),
            SelectChoice(Order.ANSWERED.value, N_("by answer, newest first")),
        ],
        validate_choice=False,
    )
    phase = HiddenField()


# --- the page --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Advice:
    """What the law says of one agency's period."""

    minimum: date | None
    maximum: date | None
    proposed: date
    #: The phase ends too soon for a request of today, which therefore has a period of its own.
    is_later: bool
    why: str
    source: str
    steps: tuple[tuple[str, str], ...]
    warnings: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Waiting:
    """An agency on the list that was not asked yet."""

    id: int
    name: str
    by_mail: str
    by_letter: bool
    due_on: date | None
    advice: Advice


@dataclass(frozen=True)
class Told:
    """One line of the overview, in words."""

    id: int
    name: str
    merged_into: str
    state: InvitationState
    tag: tuple[str, str]
    way: str
    sent_on: date | None
    opened_at: datetime | None
    due_on: date | None
    reminded_at: datetime | None
    answered_at: datetime | None
    how: str
    references: tuple[tuple[str, int], ...]
    is_late: bool | None
    extension: str
    waits_for_us: bool


@dataclass(frozen=True)
class AgenciesPage:
    """The agencies of one phase of a consultation."""

    head: Head
    phases: tuple[tuple[str, str, bool], ...]
    phase_id: int
    phase_title: str
    proposed: int
    has_area: bool
    waiting: tuple[Waiting, ...]
    #: How many more wait than are shown, and where all of them are.
    more_waiting: int
    all_waiting: str
    by_letter: int
    lines: tuple[Told, ...]
    #: Where the next lines are; empty on the last page.
    more: str
    is_filtered: bool
    counts: tuple[tuple[str, int], ...]
    requests: int
    done: str
    has_register: bool
    may_keep_register: bool
    #: Phases whose agencies can be put on the list at once: id and name.
    earlier: tuple[tuple[int, str], ...]
    may_remind: int
    may_send: bool
    exports: tuple[tuple[str, str], ...]
    errors: tuple[tuple[str, str | None], ...]


def seat_of(visit: Visit) -> Seat:
    """The town's calendar."""
    return Seat.from_data(visit.municipality_row.calendar)


def _phase(visit: Visit, procedure: Procedure) -> tuple[list[Phase], Phase | None]:
    """The phases that ask agencies, and the one that is looked at: asked for, or the last."""
    found = invitations.asking_phases(visit.session, procedure)
    sent = visit.form_data.get("phase") if visit.is_post else visit.request.query_params.get("phase")
    wanted = row_number(str(sent or ""))
    chosen = next((phase for phase in found if phase.id == wanted), None)
    return found, chosen or (found[-1] if found else None)


@page(
    "/verwaltung/planung/{id:int}/behoerden",
    name="planning_agencies",
    may=Permission.PLAN,
    methods=("GET", "POST"),
)
def asked(visit: Visit) -> Response:
    """Whom to ask, asking them, and what has come of it."""
    procedure = planned(visit)
    found, phase = _phase(visit, procedure)
    if phase is None:
        return visit.render("invitations/none.html", head_of(visit, procedure))
    if not visit.is_post:
        return _show(visit, procedure, found, phase)
    wanted = str(visit.form_data.get("do", ""))
    forms: dict[str, Form] = {
        "round": visit.form(RoundForm),
        "list": visit.form(ListForm),
        "add": visit.form(AddForm),
        "send": visit.form(SendForm),
        "copy": visit.form(CopyForm),
        "remind": visit.form(RemindForm),
    }
    form = forms.get(wanted)
    if form is None or not form.validate():
        return _show(visit, procedure, found, phase, sent=form, status=422)
    phase_id = phase.id
    try:
        done = _act(visit, procedure, phase, form)
    except Refusal as refusal:
        visit.reject(form, refusal)
        procedure = planned(visit)
        found, phase = _phase(visit, procedure)
        assert phase is not None
        return _show(visit, procedure, found, phase, sent=form, status=STATUS.get(refusal.code, 422))
    return visit.redirect("planning_agencies", id=procedure.id, phase=phase_id, done=done)


def _act(visit: Visit, procedure: Procedure, phase: Phase, form: Form) -> str:
    session = visit.session
    facts: dict[str, Any] = {"by": visit.by, "now": visit.now}
    if isinstance(form, RoundForm):
        invitations.set_round(
            session,
            phase,
            procedure,
            subjects=form.subjects.data or (),
            words=form.words.data or "",
            remind_before=form.remind_before.data or 0,
            **facts,
        )
        return "round"
    if isinstance(form, SendForm):
        invitations.send(
            session,
            phase,
            procedure,
            due_on=form.due_on.data,
            seat=seat_of(visit),
            key=visit.house.link_key,
            **facts,
        )
        return "sent"
    if isinstance(form, RemindForm):
        invitations.remind(session, phase, procedure, **facts)
        return "reminded"
    if isinstance(form, CopyForm):
        wanted = row_number(form.earlier.data)
        earlier = next(
            (each for each in invitations.asking_phases(session, procedure) if each.id == wanted), None
        )
        if earlier is None or earlier.id == phase.id:
            raise Refusal(Code.FORM_INCOMPLETE, "earlier")
        invitations.copy_list(
            session, earlier, phase, procedure, why=phase_name(earlier, visit.language), **facts
        )
        return "list"
    proposals = {each.entry.id: each for each in _proposals(visit, procedure, phase)}
    if isinstance(form, AddForm):
        proposal = proposals.get(row_number(form.other.data) or 0)
        if proposal is None:
            raise Refusal(Code.FORM_INCOMPLETE, "other")
        invitations.put_on_list(
            session, phase, procedure, proposal.entry, why=form.reason.data or "", is_proposed=False, **facts
        )
        return "list"
    assert isinstance(form, ListForm)
    words = subject_names(visit)
    for chosen in form.chosen.data or ():
        proposal = proposals.get(row_number(chosen) or 0)
        if proposal is not None and proposal.is_proposed:
            invitations.put_on_list(
                session,
                phase,
                procedure,
                proposal.entry,
                why=_why(visit, proposal, words),
                is_proposed=True,
                **facts,
            )
    return "list"


def _proposals(visit: Visit, procedure: Procedure, phase: Phase) -> list[Proposal]:
    entries = agencies.every(visit.session, visit.municipality_id)
    wanted = invitations.round_of(visit.session, phase).subjects
    return agencies.propose(entries, procedure.plan_area, wanted)


def _why(visit: Visit, proposal: Proposal, words: Mapping[str, str]) -> str:
    """Why an agency is proposed, in words."""
    agency = proposal.entry.agency
    if agency.is_townwide:
        where = visit.gettext("whole town")
    elif proposal.in_area:
        where = visit.gettext("the plan lies in its area")
    else:
        where = visit.gettext("the plan has no area yet")
    about = ", ".join(words.get(key, key) for key in proposal.subjects)
    return f"{where}; {about}" if about else where


def _show(
    visit: Visit,
    procedure: Procedure,
    found: Sequence[Phase],
    phase: Phase,
    *,
    sent: Form | None = None,
    status: int = 200,
) -> Response:
    session = visit.session
    counts = agency_overview.counts(session, phase, today=visit.today)
    wanted = _wanted(visit)
    after = row_number(visit.request.query_params.get("after"))
    lines = agency_overview.overview(
        session, phase, today=visit.today, wanted=wanted, after=after, limit=PAGE_LENGTH + 1
    )
    proposals = _proposals(visit, procedure, phase)
    names = subject_names(visit)
    ever = agency_overview.on_list(session, phase)
    listed = {key for key, state in ever.items() if state is not InvitationState.REMOVED}
    waiting = _waiting(visit, procedure, phase, proposals)

    meta = {"locales": [visit.language], "gettext": visit.gettext}
    current = invitations.round_of(session, phase)
    round_form = (
        sent
        if isinstance(sent, RoundForm)
        else RoundForm(
            data={
                "subjects": current.subjects,
                "words": current.words,
                "remind_before": current.remind_before,
            },
            meta=meta,
        )
    )
    round_form.subjects.choices = [SelectChoice(key, label) for key, label in names.items()]
    free = [each for each in proposals if each.entry.id not in listed and each.entry.agency.is_active]
    proposed = [each for each in free if each.is_proposed]
    list_form = (
        sent
        if isinstance(sent, ListForm)
        else ListForm(
            # Whoever was taken off is not ticked again.
            data={"chosen": [str(each.entry.id) for each in proposed if each.entry.id not in ever]},
            meta=meta,
        )
    )
    list_form.chosen.choices = [
        SelectChoice(str(each.entry.id), f"{each.entry.name} ({_why(visit, each, names)})")
        for each in proposed
    ]
    add_form = sent if isinstance(sent, AddForm) else AddForm(meta=meta)
    add_form.other.choices = [
        SelectChoice("", N_("Please choose")),
        *(SelectChoice(str(each.entry.id), each.entry.name) for each in free if not each.is_proposed),
    ]
    copy_form = sent if isinstance(sent, CopyForm) else CopyForm(meta=meta)
    copy_form.earlier.choices = [
        SelectChoice(str(each.id), phase_name(each, visit.language)) for each in found if each.id != phase.id
    ]
    send_form = sent
    if not isinstance(sent, SendForm):
        latest = max((each.advice.proposed for each in waiting), default=None)
        send_form = SendForm(data={"due_on": latest}, meta=meta)
    filter_form = FilterForm(_Asked(visit), meta=meta)
    filter_form.state.choices = [
        SelectChoice("", N_("All")),
        *(SelectChoice(state.value, words) for state, (_kind, words) in STATES.items()),
        SelectChoice(agency_overview.UNOPENED, N_("not opened yet")),
        SelectChoice(agency_overview.IN_TIME, N_("answered in time")),
        SelectChoice(agency_overview.LATE, N_("answered late")),
        SelectChoice(agency_overview.EXTENSION, N_("ask for more time")),
        SelectChoice(agency_overview.BY_LETTER, N_("asked by letter")),
    ]
    filter_form.phase.data = str(phase.id)
    found_earlier = [each for each in found if each.id != phase.id]
    filters = {
        name: value for name, value in visit.request.query_params.items() if name in _FILTERS and value
    }
    address: dict[str, Any] = {"id": procedure.id, "phase": phase.id}
    shown = AgenciesPage(
        head=head_of(visit, procedure),
        phases=tuple(
            (
                phase_name(each, visit.language),
                visit.url("planning_agencies", id=procedure.id, phase=each.id),
                each.id == phase.id,
            )
            for each in found
        ),
        phase_id=phase.id or 0,
        phase_title=phase_name(phase, visit.language),
        proposed=len(proposed),
        has_area=procedure.plan_area is not None,
        waiting=waiting,
        more_waiting=counts.listed - len(waiting),
        all_waiting=visit.url("planning_agencies", **address, state=InvitationState.LISTED.value),
        by_letter=sum(each.by_letter for each in waiting),
        lines=tuple(in_words(visit, line) for line in lines[:PAGE_LENGTH]),
        more=visit.url("planning_agencies", **address, **filters, after=lines[PAGE_LENGTH - 1].invitation.id)
        if len(lines) > PAGE_LENGTH
        else "",
        is_filtered=bool(filters),
        counts=_counts(visit, counts),
        requests=counts.requests,
        done=said_done(visit),
        has_register=bool(proposals),
        may_keep_register=bool(may(visit.by, Permission.PLAN, municipality_id=visit.municipality_id)),
        earlier=tuple((each.id or 0, phase_name(each, visit.language)) for each in found_earlier),
        may_remind=counts.asked - counts.answered - counts.no_reply,
        may_send=procedure.state == ProcedureState.PUBLISHED.value,
        exports=tuple(
            (
                kind.upper(),
                visit.url("planning_agencies_export", **address, **filters, format=kind),
            )
            for kind in ("xlsx", "csv")
        ),
        errors=(),
    )
    return visit.render(
        "invitations/phase.html",
        shown,
        status=status,
        form=sent,
        round_form=round_form,
        list_form=list_form,
        add_form=add_form,
        send_form=send_form,
        copy_form=copy_form,
        filter_form=filter_form,
    )


class _Asked(dict[str, Any]):
    """The question of the address as WTForms reads it."""

    def __init__(self, visit: Visit) -> None:
        super().__init__(visit.request.query_params)

    def getlist(self, name: str) -> list[str]:
        return [str(self[name])] if name in self else []


def said_done(visit: Visit) -> str:
    done = DONE.get(visit.request.query_params.get("done", ""))
    return visit.gettext(done) if done and not visit.is_post else ""


def _advice(visit: Visit, period: Period) -> Advice:
    return Advice(
        period.minimum,
        period.maximum,
        period.proposed,
        period.is_later,
        period.why.get(visit.language, ""),
        period.source,
        steps_of(visit.language, period.proof),
        tuple(
            (str(each[visit.language]), str(each["source"]))
            for each in period.proof.get("findings", ())
            if each["severity"] != Severity.INFO.value
        ),
    )


_FILTERS = ("state", "words", "order")


def _wanted(visit: Visit) -> Wanted:
    asked = visit.request.query_params
    order = asked.get("order", "")
    return Wanted(
        asked.get("state", "")[:40],
        asked.get("words", "")[:200],
        Order(order) if order in {each.value for each in Order} else Order.NAME,
    )


def _waiting(
    visit: Visit, procedure: Procedure, phase: Phase, proposals: Sequence[Proposal]
) -> tuple[Waiting, ...]:
    """Who is on the list, with the way and what the law says if they were asked today; the first by name."""
    lines = agency_overview.overview(
        visit.session,
        phase,
        today=visit.today,
        wanted=Wanted(InvitationState.LISTED.value),
        limit=PAGE_LENGTH,
    )
    entries: dict[int, Entry] = {each.entry.id: each.entry for each in proposals}
    mine = [line.organisation.merged_into_id or line.invitation.organisation_id for line in lines]
    clerks = agencies.clerks_of(visit.session, mine, active=True)
    seat = seat_of(visit)
    periods: dict[bool, Advice] = {}
    found = []
    for line, organisation_id in zip(lines, mine, strict=True):
        entry = entries.get(organisation_id)
        if entry is None:
            continue
        recipients = invitations.recipients_of(entry, clerks)
        by_letter = not recipients
        if by_letter not in periods:
            received = visit.today + (agency_periods.LETTER_TRAVELS if by_letter else timedelta())
            periods[by_letter] = _advice(
                visit, agency_periods.period_of(phase, procedure, received, seat=seat)
            )
        found.append(
            Waiting(
                line.invitation.id or 0,
                line.organisation.name,
                ", ".join(each.email for each in recipients),
                by_letter,
                line.invitation.due_on,
                periods[by_letter],
            )
        )
    return tuple(found)


def in_words(visit: Visit, line: Line) -> Told:
    row = line.invitation
    kind, words = STATES[line.state]
    first = line.answers[0] if line.answers else None
    extension, open_request = "", False
    for request in line.extensions:
        open_request = request.decision == Decision.OPEN.value
        if open_request:
            extension = visit.gettext("asked for")
        elif request.granted_until:
            until = date_short(request.granted_until, visit.language)
            extension = visit.gettext("granted until %(day)s", day=until)
        else:
            extension = visit.gettext("refused")
    return Told(
        row.id or 0,
        line.organisation.name,
        line.merged_into,
        line.state,
        (kind, visit.gettext(words)),
        {"mail": visit.gettext("by mail"), "letter": visit.gettext("by letter")}.get(row.way, ""),
        row.sent_on,
        row.opened_at,
        row.due_on,
        row.reminded_at,
        row.answered_at,
        visit.gettext(channels.by_key(first.channel).label) if first else "",
        tuple((each.reference, each.id or 0) for each in line.answers),
        line.is_late,
        extension,
        open_request,
    )


def _counts(visit: Visit, counts: Counts) -> tuple[tuple[str, int], ...]:
    return (
        (visit.gettext("asked"), counts.asked),
        (visit.gettext("opened"), counts.opened),
        (visit.gettext("answered"), counts.answered),
        (visit.gettext("no concerns"), counts.no_concerns),
        (visit.gettext("answered late"), counts.late),
        (visit.gettext("no reply"), counts.no_reply),
    )


@page(
    "/verwaltung/planung/{id:int}/behoerden/uebersicht.{format}",
    name="planning_agencies_export",
    may=Permission.PLAN,
)
def export(visit: Visit) -> Response:
    """The overview as a table, narrowed as on the page; nothing in it is run by a spreadsheet."""
    procedure = planned(visit)
    phase = _phase(visit, procedure)[1]
    if phase is None:
        visit.not_found()
    lines = agency_overview.overview(visit.session, phase, today=visit.today, wanted=_wanted(visit))
    heading = [
        visit.gettext(words)
        for words in (
            N_("Agency"), N_("State"), N_("Way"), N_("Asked on"), N_("First opened"), N_("Last day"), N_("Reminded"),
            N_("Answered"), N_("How"), N_("References"), N_("In time?"), N_("More time"),
        )
    ]  # fmt: skip
    rows = [_cells(visit, in_words(visit, line)) for line in lines]
    name = f"{procedure.key} {visit.gettext('Agencies')}"
    return table_response(visit, name, heading, rows, visit.request.path_params["format"])


def _cells(visit: Visit, line: Told) -> list[str]:
    def day(value: date | None) -> str:
        return value.isoformat() if value else ""

    def moment(value: datetime | None) -> str:
        return value.isoformat(sep=" ", timespec="minutes") if value else ""

    in_time = {True: visit.gettext("late"), False: visit.gettext("in time"), None: ""}
    return [
        line.name, line.tag[1], line.way, day(line.sent_on), moment(line.opened_at), day(line.due_on),
        moment(line.reminded_at), moment(line.answered_at), line.how,
        ", ".join(reference for reference, _id in line.references), in_time[line.is_late], line.extension,
    ]  # fmt: skip
