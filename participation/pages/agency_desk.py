"""An agency answers: behind a personal link, without an account, with or without JavaScript.

The link is the key: it opens one request of one agency, and its role says whether its holder drafts or releases. Who
has a letter types its code in; clerks with an account find their requests there too.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from functools import partial
from typing import Any

from starlette.responses import Response, StreamingResponse
from wtforms import (
    BooleanField,
    DateField,
    FileField,
    Form,
    HiddenField,
    SelectField,
    StringField,
    TextAreaField,
)
from wtforms.fields import SelectChoice
from wtforms.validators import Length, Optional

from consultations import agency_answers, agency_overview, contributions, invitations, received
from consultations.agency_answers import AgencyReply, Decision, ExtensionRequest, Holder, Part, ReplyState
from consultations.agency_overview import Past
from consultations.contributions import ATTACHMENTS_LIMIT
from consultations.documents import documents_of
from consultations.files import MB, Limits, serving_headers
from consultations.invitations import InvitationState, shown_state
from consultations.permissions import Permission
from consultations.procedures import Procedure, localised
from consultations.refusals import Code, Refusal
from participation import letters, receipts, security
from participation.agency_messages import steps_of
from participation.messages import STATUS
from participation.overview import DOCUMENT_NAMES, phase_name
from participation.pages import uploads
from participation.pages.agencies import ROLE_WORDS, subject_names
from participation.settings import Settings
from participation.web import Visit, page

#: Marks a message for the catalogues.
N_ = str

#: Paragraphs of one statement.
MOST_PARTS = 30

DONE = {
    "saved": N_("Your draft is saved."),
    "waiting": N_("Your draft waits for release. We have written to those who release."),
    "returned": N_("The draft is given back. We have written to those who draft."),
    "sent": N_("We have received your statement."),
    "no_concerns": N_("We have received your answer: no concerns."),
    "account": N_("We have written to your own address how to open an account."),
    "extension": N_("We have your request for more time and will write to you."),
}


class PartForm(Form):
    """A paragraph of the statement."""

    subject = SelectField(N_("About"), choices=[], validate_choice=False)
    text = TextAreaField(N_("What you have to say"))


class ReplyForm(Form):
    """The statement around its paragraphs."""

    version = HiddenField()
    files = FileField(N_("Files"), render_kw={"multiple": True})
    wants_publication = BooleanField(N_("May be published with the name of the agency"))
    note = StringField(N_("What is to be changed"), [Length(max=2000)])


class ExtensionForm(Form):
    """A request for more time."""

    reason = TextAreaField(N_("Why do you need more time?"), [Length(max=5000)])
    wished_until = DateField(N_("Until when?"), [Optional()])


class CodeForm(Form):
    """The code of a letter."""

    code = StringField(N_("Code in your letter"))


# --- the door --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class OpenRequest:
    """A request that a signed-in clerk may open."""

    title: str
    agency: str
    due_on: date | None
    url: str


@dataclass(frozen=True)
class Door:
    """Where a code is typed in; `requests` are those of a signed-in clerk."""

    requests: tuple[OpenRequest, ...]
    is_signed_in: bool


@page("/behoerden", name="agency_door", may=Permission.TAKE_PART, methods=("GET", "POST"))
def door(visit: Visit) -> Response:
    """Type in the code of a letter; clerks who are signed in see their requests."""
    form = visit.form(CodeForm)
    status = 200
    if visit.is_post:
        address = security.address_of(visit.request.scope)
        try:
            security.check_agency_code(visit.house.limiter, address)
            holder = agency_answers.holder_of_code(visit.session, visit.municipality_id, form.code.data or "")
            if holder is None:
                security.agency_code_was_wrong(visit.house.limiter, address)
                raise Refusal(Code.LINK_UNKNOWN, "code")
        except Refusal as refusal:
            visit.reject(form, refusal)
            status = STATUS.get(refusal.code, 422)
        else:
            return visit.redirect(
                "agency_request", token=invitations.token_of(visit.house.link_key, holder.link)
            )
    mine: list[Past] = []
    if visit.by.person_id is not None:
        mine = agency_overview.requests_of(
            visit.session, visit.municipality_id, visit.by.person_id, today=visit.today
        )
    shown = Door(
        tuple(
            OpenRequest(
                localised(each.procedure, visit.language, "title"),
                each.organisation.name if each.organisation else "",
                each.invitation.due_on,
                link_of(visit, each),
            )
            for each in mine
        ),
        visit.by.is_signed_in,
    )
    return visit.render("agency_desk/door.html", shown, status=status, form=form)


def link_of(visit: Visit, asked: Past) -> str:
    """The address of somebody's own page of a request; empty without a link."""
    if asked.link is None:
        return ""
    return visit.url("agency_request", token=invitations.token_of(visit.house.link_key, asked.link))


# --- the request -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Paper:
    """A document of the plan."""

    title: str
    kind: str
    url: str
    text_url: str
    size: int
    pages: int | None
    dated: date


@dataclass(frozen=True)
class KeptFile:
    """A file that is kept with the draft."""

    position: int
    filename: str
    size: int
    url: str


@dataclass(frozen=True)
class Answer:
    """What the agency has sent: reference, moment, words, and its receipt."""

    reference: str
    received_at: datetime
    text: str
    is_late: bool
    access_code: str
    sha256: str
    pdf_url: str
    is_no_concerns: bool


@dataclass(frozen=True)
class MoreTime:
    """A request for more time and what became of it."""

    asked_at: datetime
    reason: str
    wished_until: date | None
    is_open: bool
    granted_until: date | None
    answer: str


@dataclass(frozen=True)
class Colleague:
    """Somebody else who has a link to this request."""

    name: str
    role: str
    used_at: datetime | None
    is_me: bool


@dataclass(frozen=True)
class RequestPage:
    """The agency's page behind its link."""

    action: str
    agency: str
    name: str
    releases: bool
    title: str
    reference: str
    summary: str
    place: str
    phase: str
    words: str
    hearing_url: str
    plan_url: str
    papers: tuple[Paper, ...]
    due_on: date | None
    days_left: int | None
    is_over: bool
    why: str
    source: str
    #: The stored computation, step by step, with its sources.
    steps: tuple[tuple[str, str], ...]
    colleagues: tuple[Colleague, ...]
    answers: tuple[Answer, ...]
    requests: tuple[MoreTime, ...]
    #: Where the requests are kept in an account; empty for an agency's own link and where they are kept already.
    keep_url: str
    is_signed_in: bool
    may_ask_time: bool
    may_say_no_concerns: bool
    state: str
    note: str
    #: What stands in the draft, for who may only read it.
    shown_parts: tuple[tuple[str, str], ...]
    is_no_concerns: bool
    may_write: bool
    parts: tuple[PartForm, ...]
    files: tuple[KeptFile, ...]
    file_limit_mb: int
    done: str
    errors: tuple[tuple[str, str | None], ...]


def body_limit(settings: Settings) -> int:
    """Octets that one sending may have: some files at once and a long text."""
    return (4 * settings.upload_limit_mb + 25) * MB


def holder_by_link(visit: Visit) -> Holder:
    """Who comes with the link in the address. Raises Refusal NOT_FOUND, and TOO_MANY_TRIES for a guesser."""
    token = str(visit.request.path_params["token"])
    holder = agency_answers.holder_of(visit.session, visit.municipality_id, token)
    if holder is None:
        security.agency_link_was_wrong(visit.house.limiter, security.address_of(visit.request.scope))
        visit.not_found()
    return holder


@page(
    "/behoerden/{token}",
    name="agency_request",
    may=Permission.TAKE_PART,
    methods=("GET", "POST"),
    body_limit=body_limit,
)
async def request(visit: Visit) -> Response:
    """What is asked, until when, and the agency's answer: drafted, released, or “no concerns” in one step."""
    if visit.is_post:
        return await _take(visit)
    # A browser says so when somebody opens a page in it; programs that look into links in mails do not.
    by_browser = visit.request.headers.get("sec-fetch-dest") == "document"
    return await visit.in_thread(partial(_open, visit, by_browser), write=by_browser)


def _open(visit: Visit, by_browser: bool) -> Response:
    holder = holder_by_link(visit)
    if by_browser:
        agency_answers.opened(visit.session, holder, now=visit.now)
    return _draw(visit, holder)


async def _take(visit: Visit) -> Response:
    await visit.in_thread(lambda: holder_by_link(visit))
    limits = Limits(max_bytes=visit.house.settings.upload_limit_mb * MB)
    # Looking at files takes a while: nobody waits for it in the writers' line.
    fresh, errors = await uploads.take_in(visit, "files", limits)
    wanted = str(visit.form_data.get("do", "save"))
    sent = _Sent(visit)
    try:
        done = await visit.in_thread(partial(_act, visit, wanted, sent, fresh, bool(errors)), write=True)
    except Refusal as refusal:
        if refusal.code in (Code.NOT_FOUND, Code.TOO_MANY_TRIES):
            raise
        problems = (*errors, (visit.explain(refusal), sent.target(refusal.field)))
        status = STATUS.get(refusal.code, 422)
        return await visit.in_thread(partial(_draw_again, visit, sent, problems, status))
    if errors:
        return await visit.in_thread(partial(_draw_again, visit, sent, errors, 422))
    if done in DONE:
        return visit.redirect("agency_request", token=visit.request.path_params["token"], done=done)
    return visit.redirect("agency_request", token=visit.request.path_params["token"])


class _Sent:
    """What came with one request: the paragraphs in their order, and the fields around them."""

    def __init__(self, visit: Visit) -> None:
        self.form = visit.form(ReplyForm)
        self.extension = visit.form(ExtensionForm, prefix="more")
        count = 0
        while count < MOST_PARTS and f"parts-{count}-text" in visit.form_data:
            count += 1
        self.parts = [visit.form(PartForm, prefix=f"parts-{number}") for number in range(count)]
        self.wanted = str(visit.form_data.get("do", "save"))

    def written(self, names: dict[str, str]) -> list[Part]:
        """The paragraphs with the names of their subject areas; one that was to go is gone."""
        gone = self.wanted.removeprefix("drop-") if self.wanted.startswith("drop-") else ""
        found = []
        for number, part in enumerate(self.parts):
            subject = part.subject.data or ""
            if str(number) != gone:
                found.append(
                    Part(subject if subject in names else "", names.get(subject, ""), part.text.data or "")
                )
        return found

    def target(self, field: str | None) -> str | None:
        """The id of the field that a refusal names."""
        if field in ("reason", "wished_until"):
            return f"more-{field}"
        return field


def _act(visit: Visit, wanted: str, sent: _Sent, fresh: Sequence[dict[str, Any]], broken: bool) -> str:
    """Keep what was sent, then do what was asked for; returns what to say."""
    session, holder = visit.session, holder_by_link(visit)
    agency_answers.opened(session, holder, now=visit.now)
    if wanted == "extension":
        agency_answers.ask_extension(
            session,
            holder,
            reason=sent.extension.reason.data or "",
            wished_until=sent.extension.wished_until.data,
            now=visit.now,
        )
        return "extension"
    if wanted == "no_concerns":
        made = agency_answers.no_concerns(
            session,
            holder,
            title=visit.gettext("No concerns"),
            text=visit.gettext("There are no concerns about this plan. No suggestions are made."),
            language=visit.language,
            now=visit.now,
        )
        return "no_concerns" if made else "waiting"
    reply = agency_answers.open_reply(session, holder.invitation.id or 0, lock=True)
    if wanted == "return":
        if reply is None:
            raise Refusal(Code.WRONG_STATE, state="")
        agency_answers.give_back(session, holder, reply, note=sent.form.note.data or "", now=visit.now)
        return "returned"
    if sent.parts or fresh:
        reply = _write(visit, holder, reply, sent, fresh)
    if broken or reply is None:
        return "saved" if reply else ""
    if wanted == "hand_on":
        agency_answers.hand_on(session, holder, reply, now=visit.now)
        return "waiting"
    if wanted == "release":
        contribution = agency_answers.release(
            session,
            holder,
            reply,
            title=visit.gettext("No concerns") if reply.is_no_concerns else _title(visit, holder),
            language=visit.language,
            now=visit.now,
        )
        assert contribution.id is not None
        return "sent"
    return "saved" if wanted == "save" else "kept"


def _title(visit: Visit, holder: Holder) -> str:
    return visit.gettext("Statement of %(agency)s", agency=holder.organisation.name)[:300]


def _write(
    visit: Visit, holder: Holder, reply: AgencyReply | None, sent: _Sent, fresh: Sequence[dict[str, Any]]
) -> AgencyReply:
    files = [
        each for number, each in enumerate(reply.files if reply else ()) if sent.wanted != f"remove-{number}"
    ]
    # A reply keeps what `AttachedFile` is made of.
    files += [_attached(each) for each in fresh]
    if len(files) > ATTACHMENTS_LIMIT:
        raise Refusal(Code.ATTACHMENTS_TOO_MANY, "files", limit=ATTACHMENTS_LIMIT)
    parts = sent.written(subject_names(visit))
    if sent.wanted == "add" and len(parts) < MOST_PARTS:
        parts.append(Part("", "", ""))
    typed = str(sent.form.version.data or "0")
    return agency_answers.write(
        visit.session,
        holder,
        parts,
        version=int(typed) if typed.isascii() and typed.isdigit() and len(typed) < 10 else -1,
        files=files,
        wants_publication=sent.form.wants_publication.data,
        now=visit.now,
    )


def _attached(taken: dict[str, Any]) -> dict[str, Any]:
    """A file that was taken in as a contribution carries it."""
    file = contributions.AttachedFile(
        sha256=taken["sha256"],
        filename=taken["filename"],
        media_type=taken["media_type"],
        size=taken["size"],
        pages=taken["pages"],
        public_sha256=taken["public_sha256"] or "",
        public_media_type=taken["public_media_type"] or "",
    )
    return asdict(file)


def _draw_again(visit: Visit, sent: _Sent, errors: Sequence[tuple[str, str | None]], status: int) -> Response:
    return _draw(visit, holder_by_link(visit), sent=sent, errors=tuple(errors), status=status)


def _draw(
    visit: Visit,
    holder: Holder,
    *,
    sent: _Sent | None = None,
    errors: tuple[tuple[str, str | None], ...] = (),
    status: int = 200,
) -> Response:
    session, row = visit.session, holder.invitation
    token = str(visit.request.path_params["token"])
    phase = holder.phase
    procedure = holder.procedure
    names = subject_names(visit)
    reply = agency_answers.open_reply(session, row.id or 0)
    answers = agency_answers.replies_of(session, [row.id or 0])
    extensions = agency_answers.extensions_of(session, [row.id or 0])
    state = reply.state if reply else ""
    may_write = state != ReplyState.WAITING.value or holder.releases
    form, parts = _forms(visit, reply, sent, holder, names)
    minimum = row.proof.get("minimum_end") or {}
    done = DONE.get(visit.request.query_params.get("done", ""))
    pending = shown_state(row, visit.today) in (
        InvitationState.INVITED,
        InvitationState.OPENED,
        InvitationState.NO_REPLY,
    )
    left = (row.due_on - visit.today).days if row.due_on else None
    has_words = (
        reply is not None
        and not reply.is_no_concerns
        and (bool(reply.files) or any(part["text"] for part in reply.parts))
    )
    shown = RequestPage(
        action=visit.url("agency_request", token=token),
        agency=holder.organisation.name,
        name=holder.name if holder.link.clerk_id else "",
        releases=holder.releases,
        title=localised(procedure, visit.language, "title"),
        reference=procedure.key,
        summary=localised(procedure, visit.language, "summary"),
        place=localised(procedure, visit.language, "location_words"),
        phase=phase_name(phase, visit.language),
        words=invitations.round_of(session, phase).words,
        hearing_url=visit.url("hearing", slug=procedure.slug),
        plan_url=visit.url("plan_picture", slug=procedure.slug) if procedure.plan_area else "",
        papers=_papers(visit, procedure),
        due_on=row.due_on,
        days_left=left if left is not None and left >= 0 else None,
        is_over=left is not None and left < 0,
        why=str(minimum.get(visit.language, "")),
        source=str(minimum.get("source", "")),
        steps=steps_of(visit.language, row.proof),
        colleagues=tuple(
            Colleague(
                each.name or holder.organisation.name,
                visit.gettext(ROLE_WORDS[each.role]),
                each.used_at,
                each.id == holder.link.id,
            )
            for each in agency_overview.links_of(session, row)
        ),
        answers=tuple(
            Answer(
                contribution.reference,
                contribution.received_at,
                contribution.text,
                contribution.is_late,
                contribution.access_code if holder.releases else "",
                "",
                visit.url("agency_receipt", token=token, number=number),
                written.is_no_concerns,
            )
            for number, (written, contribution) in enumerate(answers)
        ),
        requests=tuple(_more_time(each) for each in extensions),
        keep_url=_keep_url(visit, holder),
        is_signed_in=visit.by.is_signed_in,
        may_ask_time=pending and not any(each.decision == Decision.OPEN.value for each in extensions),
        may_say_no_concerns=pending and not has_words and state != ReplyState.WAITING.value,
        state=state,
        note=reply.note if reply and state == ReplyState.RETURNED.value else "",
        shown_parts=tuple((part["label"], part["text"]) for part in reply.parts) if reply else (),
        is_no_concerns=bool(reply and reply.is_no_concerns),
        may_write=may_write,
        parts=tuple(parts),
        files=tuple(
            KeptFile(
                number,
                each["filename"],
                each["size"],
                visit.url("agency_file", token=token, position=number),
            )
            for number, each in enumerate(reply.files if reply else ())
        ),
        file_limit_mb=visit.house.settings.upload_limit_mb,
        done=visit.gettext(done) if done and not visit.is_post else "",
        errors=errors,
    )
    extension = (
        sent.extension
        if sent is not None and sent.wanted == "extension"
        else ExtensionForm(meta={"locales": [visit.language], "gettext": visit.gettext}, prefix="more")
    )
    response = visit.render("agency_desk/request.html", shown, status=status, form=form, extension=extension)
    # Not "no-store": with it, browsers forget what was typed when somebody goes back to the page.
    response.headers["Cache-Control"] = "private, no-cache"
    return response


def _keep_url(visit: Visit, holder: Holder) -> str:
    if holder.link.clerk_id is None or visit.by.person_id in holder.account_ids:
        return ""
    return visit.url("agency_keep", token=visit.request.path_params["token"])


def _forms(
    visit: Visit, reply: AgencyReply | None, sent: _Sent | None, holder: Holder, names: dict[str, str]
) -> tuple[ReplyForm, list[PartForm]]:
    """The statement's forms: as sent, or as kept; a new one has one empty paragraph."""
    meta = {"locales": [visit.language], "gettext": visit.gettext}
    form = sent.form if sent else ReplyForm(data={"wants_publication": True}, meta=meta)
    if sent is None and reply is not None:
        form.wants_publication.data = reply.wants_publication
    if sent is None or sent.wanted in ("extension", "no_concerns"):
        form.version.data = str(reply.version if reply else 0)
    parts = sent.parts if sent and sent.parts else []
    if not parts:
        kept = list(reply.parts) if reply and not reply.is_no_concerns else []
        parts = [
            PartForm(data=dict(part), meta=meta, prefix=f"parts-{number}")
            for number, part in enumerate(kept or [{"subject": "", "text": ""}])
        ]
    mine = holder.subjects
    ordered = [*(key for key in names if key in mine), *(key for key in names if key not in mine)]
    for part in parts:
        part.subject.choices = [
            SelectChoice("", N_("All of it, or several things")),
            *(SelectChoice(key, names[key]) for key in ordered),
        ]
    return form, parts


def _more_time(row: ExtensionRequest) -> MoreTime:
    return MoreTime(
        row.asked_at,
        row.reason,
        row.wished_until,
        row.decision == Decision.OPEN.value,
        row.granted_until,
        row.answer,
    )


def _papers(visit: Visit, procedure: Procedure) -> tuple[Paper, ...]:
    assert procedure.id is not None
    found = []
    for document, versions in documents_of(visit.session, procedure.id):
        if document.is_withdrawn or not versions:
            continue
        newest = versions[0]
        where = {"id": document.id, "number": newest.number}
        found.append(
            Paper(
                document.title,
                visit.gettext(DOCUMENT_NAMES[document.kind]),
                visit.url("document", **where, filename=newest.filename),
                visit.url("document_text", **where) if newest.text else "",
                newest.size,
                newest.pages,
                newest.uploaded_at.date(),
            )
        )
    return tuple(found)


@page("/behoerden/{token}/beleg/{number:int}", name="agency_receipt", may=Permission.TAKE_PART)
def receipt(visit: Visit) -> Response:
    """The receipt of one of the agency's answers as an accessible PDF."""
    holder = holder_by_link(visit)
    answers = agency_answers.replies_of(visit.session, [holder.invitation.id or 0])
    number = int(visit.request.path_params["number"])
    if not 0 <= number < len(answers):
        visit.not_found()
    record = received.record_of(visit.session, answers[number][1])
    shown = receipts.receipt_of(
        record, visit.municipality_row, base=visit.base, language=visit.language, with_code=True
    )
    return Response(
        letters.receipt_pdf(shown), headers=serving_headers(f"{shown.reference}.pdf", "application/pdf")
    )


@page("/behoerden/{token}/datei/{position:int}", name="agency_file", may=Permission.TAKE_PART)
def file(visit: Visit) -> Response:
    """A file of the draft, for colleagues."""
    holder = holder_by_link(visit)
    reply = agency_answers.open_reply(visit.session, holder.invitation.id or 0)
    position = int(visit.request.path_params["position"])
    if reply is None or not 0 <= position < len(reply.files):
        visit.not_found()
    each = reply.files[position]
    content = visit.house.files.open(each["sha256"])
    return StreamingResponse(content, headers=serving_headers(each["filename"], each["media_type"]))
