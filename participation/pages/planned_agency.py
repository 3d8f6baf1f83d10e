"""One agency of a consultation at the planner's desk: its period and why, its links, more time, what came of it."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from starlette.responses import Response
from wtforms import DateField, Form, StringField, TextAreaField
from wtforms.validators import Length, Optional

from consultations import agency_answers, agency_overview, invitations, received
from consultations.agency_answers import Decision
from consultations.invitations import Invitation, InvitationState
from consultations.permissions import Permission
from consultations.phases import Phase
from consultations.procedures import Procedure
from consultations.refusals import Code, Refusal
from participation.agency_messages import steps_of
from participation.messages import STATUS
from participation.pages.planned_agencies import Told, in_words, said_done, seat_of
from participation.pages.planning_forms import Head, head_of, planned
from participation.web import Visit, page

#: Marks a message for the catalogues.
N_ = str

VERBS: dict[str, str] = {
    "listed": N_("put on the list"),
    "removed": N_("taken off the list"),
    "due_set": N_("last day set"),
    "invited": N_("asked"),
    "links_revoked": N_("links revoked"),
    "links_renewed": N_("new links sent"),
    "posted": N_("letter posted"),
    "receipt_noted": N_("day of receipt noted"),
    "opened": N_("page opened for the first time"),
    "handed_on": N_("draft handed on for release"),
    "given_back": N_("draft given back"),
    "answered": N_("answered"),
    "extension_asked": N_("more time asked for"),
    "extension_granted": N_("more time granted"),
    "extension_refused": N_("more time refused"),
    "reminded": N_("reminded"),
    "account_offered": N_("account offered by mail"),
    "period_over": N_("period over without an answer"),
}


class RemoveForm(Form):
    """Why it is taken off the list, or why its links are revoked."""

    reason = StringField(N_("Reason"), [Length(max=500)])


class DueForm(Form):
    """A last day of its own."""

    due_on = DateField(N_("Last day"), [Optional()])
    reason = StringField(N_("Reason"), [Length(max=500)])


class ReceiptForm(Form):
    """On which day the request really arrived."""

    received_on = DateField(N_("Day on which it arrived there"), [Optional()])


class ExtensionForm(Form):
    """The answer to a request for more time."""

    granted_until = DateField(N_("More time until"), [Optional()])
    answer = TextAreaField(N_("What we tell the agency"), [Length(max=5000)])


class AssignForm(Form):
    """What came in another way."""

    reference = StringField(N_("Reference of the contribution"), [Length(max=40)])


@dataclass(frozen=True)
class Event:
    """One line of what happened. `facts`: the state afterwards and other words."""

    at: datetime
    by: str
    words: str
    note: str


@dataclass(frozen=True)
class Request:
    """A request for more time."""

    asked_at: datetime
    by: str
    reason: str
    wished_until: date | None
    is_open: bool
    granted_until: date | None
    answer: str


@dataclass(frozen=True)
class OneAgency:
    """One agency that is asked."""

    head: Head
    id: int
    phase_id: int
    line: Told
    received_on: date | None
    is_receipt_noted: bool
    why: str
    source: str
    minimum: date | None
    #: The stored computation, step by step, with its sources.
    steps: tuple[tuple[str, str], ...]
    links: tuple[tuple[str, str, datetime | None], ...]
    requests: tuple[Request, ...]
    events: tuple[Event, ...]
    drafting: str
    is_listed: bool
    is_asked: bool
    is_pending: bool
    may_remind: bool
    may_note_receipt: bool
    may_remove: bool
    done: str


def _load(visit: Visit) -> tuple[Procedure, Invitation]:
    procedure = planned(visit)
    row = invitations.by_id(visit.session, procedure, visit.request.path_params["invitation"])
    if row is None:
        visit.not_found()
    return procedure, row


FORMS: dict[str, type[Form]] = {
    "remove": RemoveForm,
    "revoke": RemoveForm,
    "due": DueForm,
    "receipt": ReceiptForm,
    "grant": ExtensionForm,
    "refuse": ExtensionForm,
    "assign": AssignForm,
}


@page(
    "/verwaltung/planung/{id:int}/behoerden/{invitation:int}",
    name="planning_agency",
    may=Permission.PLAN,
    methods=("GET", "POST"),
)
def one(visit: Visit) -> Response:
    """One agency: its period and why, its links, its requests for more time, and everything that happened."""
    procedure, row = _load(visit)
    if not visit.is_post:
        return _show_one(visit, procedure, row)
    wanted = str(visit.form_data.get("do", ""))
    kind = FORMS.get(wanted)
    form = visit.form(kind, prefix=_prefix(wanted)) if kind else None
    if wanted == "remind":
        form = visit.form(RemoveForm, prefix=_prefix(wanted))
    if form is not None and not form.validate():
        return _show_one(visit, procedure, row, wanted, form, status=422)
    try:
        done = _act_on_one(visit, procedure, row, wanted, form)
    except Refusal as refusal:
        if form is None:
            raise
        visit.reject(form, refusal)
        procedure, row = _load(visit)
        return _show_one(visit, procedure, row, wanted, form, status=STATUS.get(refusal.code, 422))
    return visit.redirect("planning_agency", id=procedure.id, invitation=row.id, done=done)


def _prefix(wanted: str) -> str:
    """What stands before the names of a form's fields, so that several forms of a kind share a page."""
    return "grant" if wanted == "refuse" else wanted


def _act_on_one(visit: Visit, procedure: Procedure, row: Invitation, wanted: str, form: Any) -> str:
    session = visit.session
    facts: dict[str, Any] = {"by": visit.by, "now": visit.now}
    if wanted == "remove":
        invitations.remove(session, row, note=form.reason.data or "", **facts)
        return "removed"
    if wanted == "revoke":
        invitations.revoke(session, row, note=form.reason.data or "", **facts)
        return "revoked"
    if wanted in ("links", "letter"):
        key = visit.house.link_key
        invitations.rotate(session, row, by_letter=wanted == "letter", key=key, **facts)
        return "links"
    if wanted == "remind":
        invitations.remind(session, session.get_one(Phase, row.phase_id), procedure, only=row, **facts)
        return "reminded_one"
    if wanted == "due":
        if form.due_on.data is None:
            raise Refusal(Code.FORM_INCOMPLETE, "due_on")
        invitations.set_due(
            session,
            row,
            form.due_on.data,
            note=form.reason.data or "",
            seat=seat_of(visit),
            today=visit.today,
            **facts,
        )
        return "due"
    if wanted == "receipt":
        if form.received_on.data is None:
            raise Refusal(Code.FORM_INCOMPLETE, "received_on")
        agency_answers.note_receipt(session, row, form.received_on.data, seat=seat_of(visit), **facts)
        return "receipt"
    if wanted in ("grant", "refuse"):
        if wanted == "grant" and form.granted_until.data is None:
            raise Refusal(Code.FORM_INCOMPLETE, "granted_until")
        until = form.granted_until.data if wanted == "grant" else None
        agency_answers.decide_extension(
            session, row, granted_until=until, answer=form.answer.data or "", **facts
        )
        return "extension"
    if wanted == "assign":
        contribution = received.by_reference(session, procedure, form.reference.data or "")
        if contribution is None:
            raise Refusal(Code.UNKNOWN_REFERENCE, "reference")
        agency_answers.assign(session, row, contribution, **facts)
        return "assigned"
    raise Refusal(Code.FORM_INCOMPLETE)


def _show_one(
    visit: Visit,
    procedure: Procedure,
    row: Invitation,
    wanted: str = "",
    form: Form | None = None,
    *,
    status: int = 200,
) -> Response:
    session = visit.session
    line = agency_overview.line_of(session, row, today=visit.today)
    events = invitations.events_of(session, row)
    labels = {event.by for event in events} | {request.asked_by for request in line.extensions}
    names = agency_overview.names(session, sorted(labels))
    software = visit.gettext("the software")
    minimum = row.proof.get("minimum_end") or {}
    said = minimum or next(iter(row.proof.get("steps", ())), {})
    reply = agency_answers.open_reply(session, row.id or 0)
    meta = {"locales": [visit.language], "gettext": visit.gettext}
    open_request = next((each for each in line.extensions if each.decision == Decision.OPEN.value), None)
    defaults: dict[str, dict[str, Any]] = {
        "due": {"due_on": row.due_on},
        "grant": {"granted_until": open_request.wished_until if open_request else None},
    }
    forms = {
        name: form
        if form is not None and name == _prefix(wanted)
        else kind(data=defaults.get(name, {}), meta=meta, prefix=name)
        for name, kind in FORMS.items()
        if name != "refuse"
    }
    drafting = {
        "draft": N_("a draft is being written"),
        "waiting": N_("a draft waits for release"),
        "returned": N_("a draft was given back"),
    }
    shown = OneAgency(
        head=head_of(visit, procedure),
        id=row.id or 0,
        phase_id=row.phase_id,
        line=in_words(visit, line),
        received_on=row.received_on,
        is_receipt_noted=row.is_receipt_noted,
        why=str(said.get(visit.language, "")),
        source=str(said.get("source", "")),
        minimum=date.fromisoformat(minimum["day"]) if minimum else None,
        steps=steps_of(visit.language, row.proof),
        links=tuple(
            (
                each.name or line.organisation.name,
                each.sent_to or visit.gettext("by letter"),
                each.used_at,
            )
            for each in agency_overview.links_of(session, row)
        ),
        requests=tuple(
            Request(
                each.asked_at,
                names.get(each.asked_by, each.asked_by),
                each.reason,
                each.wished_until,
                each.decision == Decision.OPEN.value,
                each.granted_until,
                each.answer,
            )
            for each in line.extensions
        ),
        events=tuple(
            Event(
                event.at,
                names.get(event.by) or software,
                visit.gettext(VERBS.get(event.verb, event.verb)),
                event.note,
            )
            for event in reversed(events)
        ),
        drafting=visit.gettext(drafting[reply.state]) if reply else "",
        is_listed=row.state == InvitationState.LISTED.value,
        is_asked=row.state in invitations.ASKED,
        is_pending=row.state in (*invitations.PENDING, InvitationState.NO_REPLY.value),
        may_remind=line.state.value in invitations.PENDING,
        may_note_receipt=row.state in invitations.ASKED
        and (row.state in invitations.PENDING or line.is_late is not False),
        may_remove=InvitationState.REMOVED in invitations.MOVES[InvitationState(row.state)],
        done=said_done(visit),
    )
    return visit.render("invitations/agency.html", shown, status=status, form=form, forms=forms)
