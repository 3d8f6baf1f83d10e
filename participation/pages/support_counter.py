"""Supports on paper at the counter: type a sheet in, compare one that somebody else typed in, link who supports twice."""

from dataclasses import dataclass
from datetime import date, datetime

from starlette.datastructures import FormData
from starlette.responses import Response
from wtforms import Form, StringField
from wtforms.validators import Length

from consultations import (
    channels,
    people,
    procedures,
    proposals,
    published,
    received,
    support,
    support_lists,
    unions,
)
from consultations.contributions import Contribution
from consultations.permissions import Permission, reach
from consultations.procedures import Procedure, localised
from consultations.proposals import Proposal
from consultations.refusals import Refusal
from consultations.support_lists import LineInput, ListState, Outcome, SupportList
from participation.messages import STATUS
from participation.pages.fields import day_of_receipt
from participation.pages.seen_through import proposal_at_work
from participation.web import Visit, page

#: Marks a message for the catalogues.
N_ = str

#: Lines of the form; a longer sheet is entered in parts.
LINES = 15
OUTCOMES = {
    Outcome.WAITING: N_("waits for the second person"),
    Outcome.COUNTED: N_("counts"),
    Outcome.DOUBLE: N_("supports it already, linked"),
    Outcome.LIMITED: N_("does not count: a limit stands against it"),
    Outcome.STRUCK: N_("struck"),
}
STATES = {
    ListState.ENTERED: N_("Waits for the second person"),
    ListState.CHECKED: N_("Counted"),
    ListState.CANCELLED: N_("Cancelled"),
}
WHY = {
    "email": N_("the same e-mail address"),
    "address": N_("the same name and postcode"),
    "name": N_("the same name"),
}


class SheetForm(Form):
    """What stands at the head of a sheet; its lines are read beside it."""

    received_on = day_of_receipt()
    filed = StringField(N_("Where the paper lies"), [Length(max=200)])


class FindForm(Form):
    """Which proposal?"""

    q = StringField(N_("Reference number of the proposal"), [Length(max=100)])


@dataclass(frozen=True)
class SheetLine:
    """A sheet in a list."""

    url: str
    title: str
    received_on: date
    entered_by: str
    state: str
    is_mine: bool


@dataclass(frozen=True)
class DeskPage:
    """The sheets that wait, and the way to a proposal."""

    sheets: tuple[SheetLine, ...]
    is_unknown: bool


@dataclass(frozen=True)
class EntryPage:
    """A form for a sheet, and the sheets of the proposal."""

    procedure: str
    reference: str
    title: str
    lines: tuple[LineInput, ...]
    asks_age: bool
    asks_residence: bool
    by_channel: tuple[tuple[str, int], ...]
    amend_url: str
    sheets: tuple[SheetLine, ...]


@dataclass(frozen=True)
class LineShown:
    """A line of a sheet."""

    number: int
    name: str
    address: str
    email: str
    wants_news: bool
    outcome: str
    note: str
    struck: str


@dataclass(frozen=True)
class CandidateShown:
    """Somebody who may support twice."""

    number: int
    name: str
    person: str
    why: str
    value: str


@dataclass(frozen=True)
class SheetPage:
    """One sheet before the second person."""

    procedure: str
    title: str
    reference: str
    entry_url: str
    received_on: date
    filed: str
    entered_by: str
    entered_at: datetime
    checked_by: str
    checked_at: datetime | None
    state: str
    is_waiting: bool
    is_mine: bool
    lines: tuple[LineShown, ...]
    candidates: tuple[CandidateShown, ...]
    #: The proposal that took this one in, and the lines whose support can be taken along.
    joined: str
    movable: tuple[tuple[int, str], ...]
    errors: tuple[tuple[str, str | None], ...]
    done: str


@page("/verwaltung/unterstuetzung", name="support_desk", may=Permission.RECORD_INTAKE)
def desk(visit: Visit) -> Response:
    """What waits for the second person; or go to a proposal by its reference number."""
    form = visit.form(FindForm)
    typed = (form.q.data or "").strip()
    if typed:
        row = received.by_number(visit.session, visit.municipality_id, typed)
        if row is not None and proposals.by_contribution(visit.session, row.id or 0) is not None:
            return visit.redirect("support_entry", id=row.id)
    allowed = reach(visit.by, Permission.RECORD_INTAKE, visit.municipality_id)
    found = support_lists.waiting(visit.session, visit.municipality_id, allowed)
    return visit.render(
        "support/desk.html", DeskPage(_sheets(visit, found), is_unknown=bool(typed)), form=form
    )


def _sheets(visit: Visit, rows: list[SupportList]) -> tuple[SheetLine, ...]:
    names = people.names(visit.session, {row.entered_by for row in rows})
    references = received.references(visit.session, [row.proposal_id for row in rows])
    return tuple(
        SheetLine(
            visit.url("support_sheet", id=row.id),
            visit.gettext(
                "Sheet for %(reference)s of %(day)s",
                reference=references[row.proposal_id],
                day=f"{row.received_on:%d.%m.%Y}",
            ),
            row.received_on,
            names.get(row.entered_by, row.entered_by),
            visit.gettext(STATES[ListState(row.state)]),
            row.entered_by == visit.by.label,
        )
        for row in rows
    )


@page(
    "/verwaltung/unterstuetzung/{id:int}",
    name="support_entry",
    may=Permission.RECORD_INTAKE,
    methods=("GET", "POST"),
)
def entry(visit: Visit) -> Response:
    """Type a sheet in for a proposal."""
    procedure, proposal, row = proposal_at_work(visit, Permission.RECORD_INTAKE)
    form = (
        visit.form(SheetForm)
        if visit.is_post
        else visit.form(SheetForm, sent=FormData(), received_on=visit.today)
    )
    typed = _typed(visit)
    if not visit.is_post:
        return _entry(visit, procedure, proposal, row, form, typed)
    if not form.validate():
        return _entry(visit, procedure, proposal, row, form, typed, status=422)
    try:
        made = support_lists.enter(
            visit.session,
            proposal,
            [line for line in typed if line.name.strip()],
            received_on=form.received_on.data,
            filed=form.filed.data or "",
            by=visit.by,
            now=visit.now,
        )
    except Refusal as refusal:
        visit.reject(form, refusal)
        again = proposal_at_work(visit, Permission.RECORD_INTAKE)
        return _entry(visit, *again, form, typed, status=STATUS.get(refusal.code, 422))
    return visit.redirect("support_sheet", id=made.id)


def _typed(visit: Visit) -> list[LineInput]:
    """The lines as they were typed, empty ones too, so that errors come back with everything at its place."""
    sent = visit.form_data

    def text(name: str) -> str:
        value = sent.get(name, "")
        return value if isinstance(value, str) else ""

    return [
        LineInput(
            name=text(f"name-{number}"),
            street=text(f"street-{number}"),
            postcode=text(f"postcode-{number}"),
            city=text(f"city-{number}"),
            email=text(f"email-{number}"),
            is_of_age=bool(text(f"age-{number}")),
            is_resident=bool(text(f"resident-{number}")),
            wants_news=bool(text(f"news-{number}")),
        )
        for number in range(1, LINES + 1)
    ]


def _entry(
    visit: Visit,
    procedure: Procedure,
    proposal: Proposal,
    row: Contribution,
    form: SheetForm,
    typed: list[LineInput],
    *,
    status: int = 200,
) -> Response:
    asked = support.asked_for(visit.session, proposal, now=visit.now)
    (shown,) = published.by_ids(visit.session, procedure.id or 0, [proposal.contribution_id])
    counts = support.by_channel(visit.session, proposal.contribution_id)
    return visit.render(
        "support/entry.html",
        EntryPage(
            procedure=localised(procedure, visit.language, "title"),
            reference=row.reference,
            title=shown.heading,
            lines=tuple(typed),
            asks_age="age" in asked,
            asks_residence="resident" in asked,
            by_channel=tuple(
                (visit.gettext(channels.by_key(name).label), number)
                for name, number in sorted(counts.items())
            ),
            amend_url=visit.url("amendment_intake", id=proposal.contribution_id),
            sheets=_sheets(visit, support_lists.lists_of(visit.session, proposal.contribution_id)),
        ),
        status=status,
        form=form,
    )


@page(
    "/verwaltung/unterstuetzung/blaetter/{id:int}",
    name="support_sheet",
    may=Permission.RECORD_INTAKE,
    methods=("GET", "POST"),
)
def sheet(visit: Visit) -> Response:
    """Compare a sheet with the paper (`do=check`), cancel it (`do=cancel`), link a line with an account (`do=link-…`).

    `do=move-…` takes a support along to the proposal that took this one in.
    """
    row = support_lists.by_id(visit.session, visit.municipality_id, int(visit.request.path_params["id"]))
    if row is None:
        visit.not_found()
    procedure, _proposal, _contribution = proposal_at_work(visit, Permission.RECORD_INTAKE, row.proposal_id)
    if not visit.is_post:
        return _sheet(visit, procedure, row)
    do = str(visit.form_data.get("do", ""))
    struck = {
        line.number: str(visit.form_data.get(f"why-{line.number}", ""))
        for line in support_lists.lines_of(visit.session, row.id or 0)
        if visit.form_data.get(f"struck-{line.number}")
    }
    try:
        if do == "cancel":
            why = str(visit.form_data.get("why", ""))
            support_lists.cancel(visit.session, row, why=why, by=visit.by, now=visit.now)
        elif do.startswith("move-"):
            _move(visit, row, do.removeprefix("move-"))
        elif do.startswith("link-"):
            _link(visit, row, do.removeprefix("link-"))
        else:
            support_lists.check(
                visit.session, row, struck, key=visit.house.link_key, by=visit.by, now=visit.now
            )
    except Refusal as refusal:
        visit.session.rollback()
        visit.session.refresh(row)
        message = visit.explain(refusal)
        return _sheet(
            visit,
            procedures.by_id(visit.session, visit.municipality_id, row.procedure_id) or procedure,
            row,
            errors=((message, None),),
            struck=struck,
            status=STATUS.get(refusal.code, 422),
        )
    return visit.redirect("support_sheet", id=row.id, getan=1)


def _move(visit: Visit, row: SupportList, number: str) -> None:
    """Somebody who signed comes along to the proposal that took this one in. Raises Refusal NOT_FOUND."""
    into = unions.gone_into(visit.session, row.proposal_id)
    lines = {str(each.number): each for each in support_lists.lines_of(visit.session, row.id or 0)}
    if into is None or number not in lines:
        visit.not_found()
    support_lists.move(visit.session, row, lines[number], into, by=visit.by, now=visit.now)


def _link(visit: Visit, row: SupportList, value: str) -> None:
    """The line and the party that the page offered, and no others. Raises Refusal NOT_FOUND."""
    offered = {
        f"{each.number}-{at}": each for at, each in enumerate(support_lists.candidates(visit.session, row))
    }
    found = offered.get(value)
    if found is None:
        visit.not_found()
    line = next(
        each for each in support_lists.lines_of(visit.session, row.id or 0) if each.id == found.line_id
    )
    support_lists.link(visit.session, row, line, found.party, by=visit.by, now=visit.now)


def _sheet(
    visit: Visit,
    procedure: Procedure,
    row: SupportList,
    *,
    errors: tuple[tuple[str, str | None], ...] = (),
    struck: dict[int, str] | None = None,
    status: int = 200,
) -> Response:
    names = people.names(visit.session, {row.entered_by, row.checked_by} - {""})
    (shown,) = published.by_ids(visit.session, procedure.id or 0, [row.proposal_id])
    is_checked = row.state == ListState.CHECKED.value
    into = unions.gone_into(visit.session, row.proposal_id)
    other = next(iter(published.by_ids(visit.session, procedure.id or 0, [into] if into else [])), None)
    return visit.render(
        "support/sheet.html",
        SheetPage(
            procedure=localised(procedure, visit.language, "title"),
            title=shown.heading,
            reference=shown.reference,
            entry_url=visit.url("support_entry", id=row.proposal_id),
            received_on=row.received_on,
            filed=row.filed,
            entered_by=names.get(row.entered_by, row.entered_by),
            entered_at=row.entered_at,
            checked_by=names.get(row.checked_by, row.checked_by),
            checked_at=row.checked_at,
            state=visit.gettext(STATES[ListState(row.state)]),
            is_waiting=row.state == ListState.ENTERED.value,
            is_mine=row.entered_by == visit.by.label,
            lines=tuple(
                LineShown(
                    line.number,
                    line.name,
                    ", ".join(part for part in (line.street, f"{line.postcode} {line.city}".strip()) if part),
                    line.email,
                    line.wants_news,
                    visit.gettext(OUTCOMES[Outcome(line.outcome)]),
                    line.note if line.outcome == Outcome.STRUCK.value else "",
                    (struck or {}).get(line.number, ""),
                )
                for line in support_lists.lines_of(visit.session, row.id or 0)
            ),
            candidates=tuple(
                CandidateShown(
                    each.number,
                    each.name,
                    each.person_name,
                    visit.gettext(WHY[each.why]),
                    f"{each.number}-{at}",
                )
                for at, each in enumerate(support_lists.candidates(visit.session, row))
            )
            if is_checked
            else (),
            joined=other.heading if other else "",
            movable=tuple(
                (line.number, line.name)
                for line in support_lists.lines_of(visit.session, row.id or 0)
                if other is not None
                and line.outcome == Outcome.COUNTED.value
                and support.supports(visit.session, row.proposal_id, line.party)
            ),
            errors=errors,
            done=visit.gettext("Done. It is on file with your name.")
            if visit.request.query_params.get("getan")
            else "",
        ),
        status=status,
    )
