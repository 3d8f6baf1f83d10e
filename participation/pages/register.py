"""The register of everything received: find it, read it as it came, see what became of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from starlette.responses import Response, StreamingResponse
from wtforms import Form, SelectField, StringField
from wtforms.fields import SelectChoice

from consultations import (
    agency_answers,
    agency_overview,
    amendments,
    attached,
    channels,
    contributions,
    discussion,
    journal,
    lateness,
    notices,
    places,
    procedures,
    received,
    rewording,
)
from consultations.agency_overview import Told
from consultations.attached import LinkState
from consultations.contributions import Contribution, ContributionState, Kind, PublicationState
from consultations.files import serving_headers
from consultations.lateness import Outcome
from consultations.notices import Notice, NoticeState, NoticeWay
from consultations.permissions import Permission, reach
from consultations.received import Record
from consultations.seats import Seat
from participation import agency_messages, letters, news_messages, receipts
from participation.pages.on_file import FileOnRecord, Line, files, line
from participation.web import Visit, page, row_number

#: Marks a message for the catalogues.
N_ = str

PAGE_LENGTH = 25

PUBLICATION_NAMES: dict[PublicationState, str] = {
    PublicationState.PENDING: N_("Awaits a decision"),
    PublicationState.PUBLISHED: N_("Public"),
    PublicationState.WITHHELD: N_("Kept from the public"),
    PublicationState.PRIVATE: N_("Not meant for the public"),
    PublicationState.RETRACTED: N_("Taken back by its author"),
}

KIND_NAMES: dict[Kind, str] = {
    Kind.STATEMENT: N_("Statement"),
    Kind.PROPOSAL: N_("Proposal"),
    Kind.COMMENT: N_("Comment"),
}

#: What the journal's verbs are called on a contribution's page.
VERBS: dict[str, str] = {
    "contribution_received": N_("Received"),
    "comment_reworded": N_("Written anew by its author"),
    "receipt_printed_with_code": N_("Receipt printed again with its access code"),
    "contribution_retracted": N_("Taken back from the public by its author"),
    "contribution_withdrawn": N_("Withdrawn by its author"),
    "moderation_publish": N_("Published"),
    "moderation_redact": N_("Published with words blacked out"),
    "moderation_withhold": N_("Kept from the public"),
    "moderation_undo": N_("Decision taken back"),
    "lateness_decided": N_("Decided about its lateness"),
    "comment_in_formal_period": N_("Made while a formal period ran; its author left it a comment"),
}


#: What the filter asks for beyond in time or late; the last one is of comments that might have been statements.
STANDINGS = {
    "open": lambda: lateness.standing(None),
    "considered": lambda: lateness.standing(Outcome.CONSIDERED),
    "disregarded": lambda: lateness.standing(Outcome.DISREGARDED),
    "beside": discussion.beside_formal,
}


class RegisterFilter(Form):
    """What to look for."""

    q = StringField(N_("Reference, access code or words"))
    procedure = SelectField(N_("Consultation"), choices=[], validate_choice=False)
    channel = SelectField(
        N_("Way in"),
        choices=[
            SelectChoice("", N_("Every way")),
            *(SelectChoice(channel.key, channel.label) for channel in channels.CHANNELS),
        ],
        validate_choice=False,
    )
    late = SelectField(
        N_("In time?"),
        choices=[
            SelectChoice("", N_("In time and late")),
            SelectChoice("no", N_("In time")),
            SelectChoice("yes", N_("Late")),
            SelectChoice("open", N_("Late, not decided yet")),
            SelectChoice("considered", N_("Late, considered")),
            SelectChoice("disregarded", N_("Late, left out")),
            SelectChoice("beside", N_("Comments made while a formal period ran")),
        ],
        validate_choice=False,
    )


@dataclass(frozen=True)
class Row(Line):
    """One line of the register."""

    publication: str
    state: PublicationState
    is_withdrawn: bool


@dataclass(frozen=True)
class Register:
    """The register, page by page, newest first."""

    rows: tuple[Row, ...]
    older: str
    is_filtered: bool


@dataclass(frozen=True)
class Event:
    """One line of the contribution's file."""

    at: datetime
    actor: str
    verb: str
    #: Why, where somebody had to say so.
    why: str = ""


@dataclass(frozen=True)
class Entry:
    """A contribution with everything on file."""

    id: int
    reference: str
    title: str
    text: str
    kind: str
    channel: str
    received_at: datetime
    recorded_at: datetime
    procedure: str
    procedure_id: int
    is_late: bool
    is_withdrawn: bool
    state: PublicationState
    facts: tuple[tuple[str, str, str, str], ...]
    files: tuple[FileOnRecord, ...]
    events: tuple[Event, ...]
    additions: tuple[tuple[str, str], ...]
    sha256: str
    may_moderate: bool
    #: Whether they work at the counter, where receipts are printed.
    may_print: bool
    #: What became of the object of a layer that it is about, and where that is; empty where it is about none.
    thing_words: str
    thing_url: str
    #: What was decided about its lateness, and where to decide; empty where nothing is to be decided.
    lateness: str
    late_url: str
    #: Where the counter writes a comment anew for its author; empty for anything else.
    reword_url: str


def _choices(visit: Visit) -> list[Any]:
    allowed = reach(visit.by, Permission.READ_CONTRIBUTIONS, visit.municipality_id)
    rows = [
        row
        for row in procedures.for_staff(visit.session, visit.municipality_id)
        if allowed is None or row.id in allowed
    ]
    return [
        SelectChoice("", N_("Every consultation")),
        *(SelectChoice(str(row.id), f"{row.key}: {row.title}") for row in rows),
    ]


@page("/verwaltung/eingangsbuch", name="register", may=Permission.READ_CONTRIBUTIONS)
def find(visit: Visit) -> Response:
    """Everything received, newest first, by words, consultation, channel and whether it was late."""
    form = visit.form(RegisterFilter)
    form.procedure.choices = _choices(visit)
    asked = visit.request.query_params
    found = received.register(
        visit.session,
        visit.municipality_id,
        words=form.q.data or "",
        procedure_id=row_number(form.procedure.data),
        procedure_ids=reach(visit.by, Permission.READ_CONTRIBUTIONS, visit.municipality_id),
        channel=form.channel.data or "",
        is_late={"yes": True, "no": False}.get(form.late.data or ""),
        condition=STANDINGS[form.late.data]() if form.late.data in STANDINGS else None,
        before_id=row_number(asked.get("before")),
        limit=PAGE_LENGTH + 1,
    )
    shown = found[:PAGE_LENGTH]
    titles = procedures.titles(visit.session, {row.procedure_id for row in shown})
    rows = tuple(_row(visit, row, titles) for row in shown)
    older = {**{name: asked[name] for name in ("q", "procedure", "channel", "late") if asked.get(name)}}
    return visit.render(
        "register/list.html",
        Register(
            rows,
            visit.url("register", **older, before=rows[-1].id) if len(found) > PAGE_LENGTH else "",
            is_filtered=bool(older),
        ),
        form=form,
    )


def _row(visit: Visit, row: Contribution, titles: dict[int, str]) -> Row:
    return Row(
        **line(visit, row, titles[row.procedure_id]),
        publication=visit.gettext(PUBLICATION_NAMES[PublicationState(row.publication)]),
        state=PublicationState(row.publication),
        is_withdrawn=row.state == ContributionState.WITHDRAWN.value,
    )


def _load(visit: Visit) -> Contribution:
    row = received.by_id(visit.session, visit.municipality_id, visit.request.path_params["id"])
    if row is None:
        visit.not_found()
    visit.require(
        Permission.READ_CONTRIBUTIONS,
        procedures.by_id(visit.session, visit.municipality_id, row.procedure_id),
    )
    return row


@page("/verwaltung/eingangsbuch/{id:int}", name="register_entry", may=Permission.READ_CONTRIBUTIONS)
def show(visit: Visit) -> Response:
    """One contribution as it came, with its receipt, its files and everything that happened to it."""
    record = received.record_of(visit.session, _load(visit))
    row = record.contribution
    assert row.id is not None
    context = receipts.receipt_of(
        record, visit.municipality_row, base=visit.base, language=visit.language, with_code=False
    )
    past = journal.about(visit.session, f"contribution:{row.id}")
    additions = contributions.supplements_to(visit.session, row.id)
    thing_words, thing_url = _thing(visit, record)
    return visit.render(
        "register/entry.html",
        Entry(
            id=row.id,
            reference=row.reference,
            title=row.title,
            text=row.text,
            kind=visit.gettext(KIND_NAMES[Kind(row.kind)]),
            channel=visit.gettext(channels.by_key(row.channel).label),
            received_at=row.received_at,
            recorded_at=row.recorded_at,
            procedure=procedures.localised(record.procedure, visit.language, "title"),
            procedure_id=row.procedure_id,
            is_late=row.is_late,
            is_withdrawn=row.state == ContributionState.WITHDRAWN.value,
            state=PublicationState(row.publication),
            facts=tuple(
                (label, value, "", "")
                for label, value in (
                    (visit.gettext("From"), ", ".join(context.submitter)),
                    (visit.gettext("On behalf of"), row.on_behalf_of),
                    (visit.gettext("Refers to"), context.refers_to),
                    (visit.gettext("Place"), context.place),
                    (visit.gettext("Topic"), row.category),
                )
                if value
            ),
            thing_words=thing_words,
            thing_url=thing_url,
            files=files(visit, record.attachments),
            events=_events(visit, past),
            additions=tuple((each.reference, visit.url("register_entry", id=each.id)) for each in additions),
            sha256=record.receipt.payload_sha256,
            may_moderate=visit.may(Permission.MODERATE, record.procedure),
            may_print=visit.may(Permission.RECORD_INTAKE, record.procedure),
            lateness=_lateness(visit, record),
            reword_url=visit.url("comment_intake", id=row.id) if _can_be_reworded(visit, record) else "",
            late_url=visit.url("late_decide", id=row.id)
            if _is_to_decide(record) and visit.may(Permission.PLAN, record.procedure)
            else "",
        ),
    )


def _thing(visit: Visit, record: Record) -> tuple[str, str]:
    """Whether the object of a layer that it is about is still on the map, in words, and where it is to be seen."""
    row = record.contribution
    if not row.thing.get("layer") or row.thing.get("feature") is None:
        return "", ""
    link = attached.link_of(visit.session, row.id or 0)
    if link is not None and link.state == LinkState.GONE.value:
        return visit.gettext("The object that it is about is not on the map any more."), ""
    if link is not None and link.state == LinkState.LOOSE.value:
        words = visit.gettext(
            "The object that it is about was not found again in the newer data: please decide which it is."
        )
        newest = places.newest_of(visit.session, visit.municipality_id, link.series)
        decides = newest is not None and visit.may(Permission.PLAN, record.procedure)
        return words, visit.url("layer_links", layer=newest.id) if newest and decides else ""
    layer, feature = (
        (link.layer_id, link.feature) if link is not None else (row.thing["delivery"], row.thing["feature"])
    )
    url = visit.url("map_object", slug=record.procedure.slug, layer=layer, number=feature)
    return visit.gettext("The object that it is about, on the map"), url


def _can_be_reworded(visit: Visit, record: Record) -> bool:
    """Whether the counter can write it anew for its author: a comment on a proposal that is meant for the public."""
    row = record.contribution
    return (
        visit.may(Permission.RECORD_INTAKE, record.procedure)
        and rewording.is_possible(row)
        and rewording.proposal_of(visit.session, row) is not None
    )


def _is_to_decide(record: Record) -> bool:
    return record.contribution.is_late and lateness.regime_of(record.procedure, record.phase) is not None


def _lateness(visit: Visit, record: Record) -> str:
    """What was decided about a late statement, in words."""
    if not _is_to_decide(record):
        return ""
    row_id = record.contribution.id or 0
    decision = lateness.latest(visit.session, [row_id]).get(row_id)
    if decision is None:
        return visit.gettext("Nobody has decided yet whether it may be left out.")
    if decision.outcome == Outcome.CONSIDERED.value:
        return visit.gettext("It is considered like those in time")
    return visit.gettext("It is left out")


def _events(visit: Visit, past: Sequence[journal.JournalEntry]) -> tuple[Event, ...]:
    names = agency_overview.names(visit.session, sorted({entry.actor for entry in past}))
    public, system = visit.gettext("the person who wrote it"), visit.gettext("the software")
    return tuple(
        Event(
            entry.at,
            names.get(entry.actor) or {"public": public, "system": system}.get(entry.actor, entry.actor),
            visit.gettext(VERBS[entry.verb]) if entry.verb in VERBS else entry.verb,
            str(entry.facts.get("why", "")) if entry.verb == "receipt_printed_with_code" else "",
        )
        for entry in past
    )


@page(
    "/verwaltung/eingangsbuch/{id:int}/datei/{position:int}",
    name="staff_attachment",
    may=Permission.READ_CONTRIBUTIONS,
)
def attachment(visit: Visit) -> Response:
    """A file exactly as it came in."""
    row = _load(visit)
    assert row.id is not None
    wanted = visit.request.path_params["position"]
    files = received.attachments_of(visit.session, row.id)
    each = next((each for each in files if each.position == wanted), None)
    if each is None:
        visit.not_found()
    content = visit.house.files.open(each.sha256)
    return StreamingResponse(content, headers=serving_headers(each.filename, each.media_type, inline=True))


def _notice(visit: Visit) -> Notice:
    notice = notices.by_id(visit.session, visit.municipality_id, visit.request.path_params["id"])
    if notice is None or notice.way != NoticeWay.LETTER.value:
        visit.not_found()
    return notice


def _told(visit: Visit, notice: Notice) -> Told:
    """What a letter to an agency says. Raises Refusal NOT_FOUND once its link was revoked."""
    told = agency_overview.told(visit.session, notice)
    if told is None:
        visit.not_found()
    visit.require(Permission.RECORD_INTAKE, told.procedure)
    return told


def _letter(visit: Visit) -> tuple[Notice, Contribution]:
    notice = _notice(visit)
    if notice.contribution_id is None:
        visit.not_found()
    row = received.by_id(visit.session, visit.municipality_id, notice.contribution_id)
    if row is None:
        visit.not_found()
    visit.require(
        Permission.RECORD_INTAKE, procedures.by_id(visit.session, visit.municipality_id, row.procedure_id)
    )
    return notice, row


@page("/verwaltung/briefe/{id:int}/brief.pdf", name="letter", may=Permission.RECORD_INTAKE)
def letter(visit: Visit) -> Response:
    """A letter that waits to be printed and posted."""
    notice = _notice(visit)
    if notice.kind.startswith("agency_"):
        told = _told(visit, notice)
        message = agency_messages.message_of(
            told,
            visit.municipality_row,
            key=visit.house.link_key,
            base=visit.base,
            language=notice.language,
        )
        filename = f"{told.procedure.key} {told.agency}.pdf"
        return Response(
            agency_messages.letter_of(message, told), headers=serving_headers(filename, "application/pdf")
        )
    notice, row = _letter(visit)
    if notice.kind == "proposal_news":
        paper = news_messages.letter_of(visit.session, notice, visit.municipality_row, base=visit.base)
        if paper is None:
            visit.not_found()
        return Response(paper, headers=serving_headers(f"{row.reference}.pdf", "application/pdf"))
    record = received.record_of(visit.session, row)
    context = receipts.receipt_of(
        record,
        visit.municipality_row,
        base=visit.base,
        language=notice.language,
        as_letter=True,
        is_amendment=amendments.is_one(visit.session, row),
        # Once it was posted the code is the person's alone.
        with_code=notice.state == NoticeState.WAITING.value,
    )
    return Response(
        letters.receipt_pdf(context), headers=serving_headers(f"{row.reference}.pdf", "application/pdf")
    )


@page(
    "/verwaltung/briefe/{id:int}/erledigt",
    name="letter_done",
    may=Permission.RECORD_INTAKE,
    methods=("POST",),
)
def letter_done(visit: Visit) -> Response:
    """A letter was printed and posted."""
    notice = _notice(visit)
    if notice.kind.startswith("agency_"):
        told = _told(visit, notice)
        if notice.kind == "agency_invitation":
            seat = Seat.from_data(visit.municipality_row.calendar)
            agency_answers.posted(visit.session, told.invitation, seat=seat, by=visit.by, now=visit.now)
    else:
        _letter(visit)
    notices.settle(visit.session, notice, NoticeState.PRINTED, by=visit.by, now=visit.now)
    return visit.redirect("desk")
