"""Coming back: the receipt, and looking up a contribution by its access code to add something or to withdraw it.

An access code never stands in an address, where logs, histories and the next person at a library's terminal would
find it: it is typed into a form, and what remembers it is a signed cookie that says which contribution may be seen
until when. The receipt that follows the sending is at the secret of its draft, which only that browser knows.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from starlette.responses import Response, StreamingResponse
from wtforms import Form, StringField
from wtforms.validators import InputRequired

from consultations import (
    amendments,
    channels,
    contributions,
    drafts,
    lateness,
    moderation,
    municipalities,
    proposing,
    received,
    rewording,
    surveys,
)
from consultations.contributions import Contribution, ContributionState, Kind, PublicationState
from consultations.files import serving_headers
from consultations.moderation import Action, Reason
from consultations.permissions import Permission
from consultations.received import Record
from consultations.refusals import Code, Refusal
from consultations.surveys import SurveyEntry
from participation import letters, receipts, security
from participation.letters import ReceiptContext
from participation.pages import opened as opening
from participation.pages import survey_own
from participation.pages.kiosk import is_over
from participation.pages.moderation import REASONS
from participation.pages.opened import OPEN_FOR
from participation.pages.statements import begin_addition
from participation.pages.writing import WORDS
from participation.web import Visit, page, public_address

#: Marks a message for the catalogues.
N_ = str

COOKIE = "digilog_contribution"


# --- the receipt -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class FileRow:
    """A file that was handed in, with its fingerprint and where it can be had again."""

    filename: str
    size: int
    sha256: str
    url: str


@dataclass(frozen=True)
class ReceiptPage:
    """The receipt on the screen."""

    receipt: ReceiptContext
    heading: str
    #: (what, words)
    rows: tuple[tuple[str, str], ...]
    files: tuple[FileRow, ...]
    pdf_url: str
    hearing_url: str
    #: Where the receipt goes by mail; empty if no address was given.
    email: str
    #: Where one types in the access code.
    lookup_url: str


def _receipt(visit: Visit, record: Record) -> ReceiptContext:
    hosts = municipalities.hosts_of(visit.session, visit.municipality_id)
    base = public_address(visit.house.settings, hosts)
    return receipts.receipt_of(
        record,
        visit.municipality_row,
        base=base,
        language=visit.language,
        with_code=True,
        is_amendment=amendments.is_one(visit.session, record.contribution),
    )


def _rows(visit: Visit, receipt: ReceiptContext) -> tuple[tuple[str, str], ...]:
    publication = (
        visit.gettext("may be published, without your name")
        if receipt.wants_publication
        else visit.gettext("is not to be published")
    )
    rows = (
        (visit.gettext("Title"), receipt.title),
        (visit.gettext("Your text"), receipt.text),
        (visit.gettext("Refers to"), receipt.refers_to),
        (visit.gettext("Place"), receipt.place),
        (visit.gettext("From"), "\n".join(receipt.submitter)),
        (visit.gettext("On behalf of"), receipt.on_behalf_of),
        (visit.gettext("Publication"), publication),
    )
    return tuple((label, value) for label, value in rows if value)


def _by_draft(visit: Visit) -> Record:
    token = visit.request.path_params["token"]
    draft = drafts.find(visit.session, token, municipality_id=visit.municipality_id)
    if draft is None or draft.contribution_id is None or is_over(visit, draft):
        visit.not_found()
    return _record(visit, draft.contribution_id)


def _record(visit: Visit, contribution_id: int) -> Record:
    contribution = received.by_id(visit.session, visit.municipality_id, contribution_id)
    if contribution is None:
        visit.not_found()
    return received.record_of(visit.session, contribution)


def _pdf(visit: Visit, record: Record) -> Response:
    receipt = _receipt(visit, record)
    filename = f"{receipt.reference}.pdf"
    return Response(letters.receipt_pdf(receipt), headers=serving_headers(filename, "application/pdf"))


def _file(visit: Visit, record: Record) -> Response:
    """A file as it was handed in; for whoever handed it in."""
    wanted = visit.request.path_params["position"]
    found = next((each for each in record.attachments if each.position == wanted), None)
    if found is None:
        visit.not_found()
    content = visit.house.files.open(found.sha256)
    return StreamingResponse(content, headers=serving_headers(found.filename, found.media_type))


@page("/beleg/{token}", name="receipt", may=Permission.TAKE_PART)
def receipt(visit: Visit) -> Response:
    """What was handed in, when exactly, what happens next, and the access code."""
    token = visit.request.path_params["token"]
    record = _by_draft(visit)
    shown = _receipt(visit, record)
    files = tuple(
        FileRow(
            each.filename,
            each.size,
            each.sha256,
            visit.url("receipt_file", token=token, position=each.position),
        )
        for each in record.attachments
    )
    content = ReceiptPage(
        receipt=shown,
        heading=letters.receipt_heading(shown.kind, visit.language, is_amendment=shown.is_amendment),
        rows=_rows(visit, shown),
        files=files,
        pdf_url=visit.url("receipt_pdf", token=token),
        hearing_url=visit.url("hearing", slug=record.procedure.slug),
        email=record.person.email if record.person else "",
        lookup_url=visit.url("lookup"),
    )
    return visit.render("contributions/receipt.html", content)


@page("/beleg/{token}/beleg.pdf", name="receipt_pdf", may=Permission.TAKE_PART)
def receipt_pdf(visit: Visit) -> Response:
    """The receipt as an accessible PDF."""
    return _pdf(visit, _by_draft(visit))


@page("/beleg/{token}/dateien/{position:int}", name="receipt_file", may=Permission.TAKE_PART)
def receipt_file(visit: Visit) -> Response:
    """A file of the receipt."""
    return _file(visit, _by_draft(visit))


# --- the access code -------------------------------------------------------------------------------


class CodeForm(Form):
    """The access code; the reference number where it is asked for."""

    code = StringField(
        N_("Access code"), [InputRequired(N_("Please type in the access code from your receipt."))]
    )
    reference = StringField(N_("Reference number"))


@dataclass(frozen=True)
class LookupPage:
    """The form; `asks_reference` after too many wrong codes."""

    form: CodeForm
    asks_reference: bool


@page("/beitrag", name="lookup", may=Permission.TAKE_PART, methods=("GET", "POST"))
def lookup(visit: Visit) -> Response:
    """Type in the access code."""
    if not visit.is_post:
        return visit.render("contributions/lookup.html", LookupPage(visit.form(CodeForm), False))
    form = visit.form(CodeForm)
    status = 422
    if form.validate():
        try:
            return _enter(visit, _found(visit, form.code.data or "", form.reference.data or ""))
        except Refusal as refusal:
            visit.reject(form, refusal)
            status = 429 if refusal.code in (Code.TOO_MANY_TRIES, Code.REFERENCE_REQUIRED) else 422
    asks = bool(form.reference.errors or form.reference.data)
    return visit.render("contributions/lookup.html", LookupPage(form, asks), status=status)


def _found(visit: Visit, code: str, reference: str) -> Contribution | SurveyEntry:
    """The contribution, or the answer to a survey, with this code. Raises Refusal CODE_UNKNOWN, REFERENCE_REQUIRED, TOO_MANY_TRIES.

    The limits are per address and let nobody be locked out who has the receipt in hand: with the reference number,
    the right code always opens (participation/security.py).
    """
    limiter, address = visit.house.limiter, security.address_of(visit.request.scope)
    reference = reference.strip().upper()
    security.check_code(limiter, address, reference)
    found: Contribution | SurveyEntry | None = received.by_access_code(
        visit.session, visit.municipality_id, code
    ) or surveys.by_access_code(visit.session, visit.municipality_id, code)
    if found is None or (reference and found.reference.upper() != reference):
        security.code_was_wrong(limiter, address, reference)
        raise Refusal(Code.CODE_UNKNOWN, "code")
    return found


# --- what the cookie says --------------------------------------------------------------------------


def _enter(visit: Visit, found: Contribution | SurveyEntry) -> Response:
    if isinstance(found, SurveyEntry):
        return survey_own.enter(visit, found)
    _keep_open(visit, found)
    return visit.redirect("contribution")


def _keep_open(visit: Visit, contribution: Contribution) -> None:
    opening.keep(visit, COOKIE, contribution.id)


def opened(visit: Visit) -> Contribution | None:
    """The contribution that this browser has opened with its code, for as long as that holds."""
    key = opening.key_in(visit, COOKIE)
    return None if key is None else received.by_id(visit.session, visit.municipality_id, key)


# --- one's own contribution ------------------------------------------------------------------------


@dataclass(frozen=True)
class DecisionRow:
    """A decision on publication as its author reads it: without the name of who decided."""

    at: datetime
    what: str
    reason: str
    explanation: str


@dataclass(frozen=True)
class Addition:
    """Something that was added later."""

    reference: str
    received_at: datetime
    text: str


@dataclass(frozen=True)
class ContributionPage:
    """How a contribution stands, and what its author can do."""

    receipt: ReceiptContext
    rows: tuple[tuple[str, str], ...]
    files: tuple[FileRow, ...]
    channel: str
    is_withdrawn: bool
    publication: str
    #: What the newest decision says, if the contribution is kept from the public.
    decisions: tuple[DecisionRow, ...]
    #: What became of it since it was late; empty for one in time.
    lateness: str
    additions: tuple[Addition, ...]
    can_retract: bool
    can_withdraw: bool
    #: Whether it is a proposal whose words its author may go on changing.
    can_go_on: bool
    #: Where its author writes a comment anew; empty for what is none, or no longer can be.
    reword_url: str
    #: What its author can do with an amendment: withdraw | promote, or nothing.
    amendment: str
    open_until: datetime
    done: str


_DECIDED = {
    Action.PUBLISH: N_("It was published."),
    Action.REDACT: N_("It was published, with some words blacked out."),
    Action.WITHHOLD: N_("It was kept from the public."),
    Action.RETURN: N_("A later version is not shown."),
    Action.UNDO: N_("The last decision was taken back."),
}

_DONE = {
    "veroeffentlichung": N_("It is no longer public. We still examine it."),
    "zurueckgenommen": N_("You have withdrawn it."),
}


@page("/beitrag/stand", name="contribution", may=Permission.TAKE_PART)
def contribution(visit: Visit) -> Response:
    """How one's own contribution stands."""
    mine = opened(visit)
    if mine is None or mine.id is None:
        return visit.redirect("lookup")
    _keep_open(visit, mine)
    record = received.record_of(visit.session, mine)
    shown = _receipt(visit, record)
    files = tuple(
        FileRow(each.filename, each.size, each.sha256, visit.url("contribution_file", position=each.position))
        for each in record.attachments
    )
    withdrawn = mine.state == ContributionState.WITHDRAWN.value
    done = _DONE.get(visit.request.query_params.get("erledigt", ""))
    content = ContributionPage(
        receipt=shown,
        rows=_rows(visit, shown),
        files=files,
        channel=visit.gettext(channels.by_key(mine.channel).label),
        is_withdrawn=withdrawn,
        publication=mine.publication,
        decisions=_decisions(visit, moderation.history(visit.session, mine.id)),
        lateness=_lateness(visit, record),
        additions=tuple(
            Addition(each.reference, each.received_at, each.text)
            for each in contributions.supplements_to(visit.session, mine.id)
        ),
        can_retract=_is_meant_for_the_public(mine),
        can_withdraw=not withdrawn,
        can_go_on=not withdrawn and _can_go_on(visit, mine),
        reword_url=_reword_url(visit, record),
        amendment=_amendment(visit, mine),
        open_until=visit.now + OPEN_FOR,
        done=visit.gettext(done) if done else "",
    )
    return visit.render("contributions/contribution.html", content)


def _lateness(visit: Visit, record: Record) -> str:
    """What its author is told about its lateness: friendly, and true."""
    mine = record.contribution
    if not mine.is_late or lateness.regime_of(record.procedure, record.phase) is None:
        return ""
    decision = lateness.latest(visit.session, [mine.id or 0]).get(mine.id or 0)
    if decision is None:
        return visit.gettext(
            "It reached us after the end of the period. We have kept it, and somebody looks at it: what is important for "
            "the plan has to be considered all the same."
        )
    if decision.outcome == lateness.Outcome.CONSIDERED.value:
        return visit.gettext(
            "It reached us after the end of the period. We have looked at it and consider it like those that came in time."
        )
    return visit.gettext(
        "It reached us after the end of the period. We have looked at it, and it does not enter into the decision on the "
        "plan; the law allows that for late statements. It stays on file. If you see it differently, please call us."
    )


def _amendment(visit: Visit, mine: Contribution) -> str:
    """What the author of an amendment can do with it now."""
    found = amendments.by_contribution(visit.session, mine.id or 0)
    return (
        {"proposed": "withdraw", "outdated": "withdraw", "rejected": "promote"}.get(found.state, "")
        if found
        else ""
    )


def _can_go_on(visit: Visit, mine: Contribution) -> bool:
    """Whether this is a proposal that still belongs to whoever handed it in."""
    return mine.kind == Kind.PROPOSAL.value and proposing.owner_with_code(visit.session, mine) is not None


def _reword_url(visit: Visit, record: Record) -> str:
    """Where its author writes a comment on a proposal anew."""
    mine = record.contribution
    proposal = rewording.proposal_of(visit.session, mine) if rewording.is_possible(mine) else None
    if proposal is None or not proposal.is_listed:
        return ""
    key = proposal.contribution_id
    about = received.references(visit.session, [key])[key]
    return visit.url("comment_reword", slug=record.procedure.slug, reference=about, comment=mine.reference)


def _is_meant_for_the_public(mine: Contribution) -> bool:
    return mine.publication not in (PublicationState.RETRACTED.value, PublicationState.PRIVATE.value)


def _decisions(visit: Visit, past: Sequence[moderation.ModerationDecision]) -> tuple[DecisionRow, ...]:
    return tuple(
        DecisionRow(
            each.at,
            visit.gettext(_DECIDED[Action(each.action)]),
            visit.gettext(REASONS[Reason(each.reason)]) if each.reason else "",
            each.explanation,
        )
        for each in past
    )


@dataclass(frozen=True)
class ConfirmPage:
    """The question before something is taken back."""

    reference: str
    #: retract | withdraw
    what: str
    action: str


@page(
    "/beitrag/nicht-veroeffentlichen",
    name="contribution_retract",
    may=Permission.TAKE_PART,
    methods=("GET", "POST"),
)
def retract(visit: Visit) -> Response:
    """Withdraw from publication: asked first, done with the second step."""
    mine = opened(visit)
    if mine is None:
        return visit.redirect("lookup")
    if not visit.is_post:
        address = visit.url("contribution_retract")
        return visit.render("contributions/confirm.html", ConfirmPage(mine.reference, "retract", address))
    # A second click finds it done, which is what was wanted.
    if _is_meant_for_the_public(mine):
        contributions.retract(visit.session, mine, by=visit.by, now=visit.now)
    return visit.redirect("contribution", erledigt="veroeffentlichung")


@page(
    "/beitrag/zuruecknehmen",
    name="contribution_withdraw",
    may=Permission.TAKE_PART,
    methods=("GET", "POST"),
)
def withdraw(visit: Visit) -> Response:
    """Withdraw altogether: asked first, done with the second step."""
    mine = opened(visit)
    if mine is None:
        return visit.redirect("lookup")
    if not visit.is_post:
        address = visit.url("contribution_withdraw")
        return visit.render("contributions/confirm.html", ConfirmPage(mine.reference, "withdraw", address))
    if mine.state != ContributionState.WITHDRAWN.value:
        contributions.withdraw(visit.session, mine, by=visit.by, now=visit.now)
    return visit.redirect("contribution", erledigt="zurueckgenommen")


@page("/beitrag/ergaenzen", name="contribution_add", may=Permission.TAKE_PART, methods=("POST",))
def add(visit: Visit) -> Response:
    """Add something: the same flow, as an addition to this contribution."""
    mine = opened(visit)
    if mine is None:
        return visit.redirect("lookup")
    token = drafts.new_secret()
    begin_addition(visit, mine, token)
    slug = received.record_of(visit.session, mine).procedure.slug
    return visit.redirect("statement_step", slug=slug, token=token, step=WORDS)


@page("/beitrag/beleg.pdf", name="contribution_pdf", may=Permission.TAKE_PART)
def contribution_pdf(visit: Visit) -> Response:
    """The receipt again."""
    mine = opened(visit)
    return _pdf(visit, received.record_of(visit.session, mine)) if mine else visit.redirect("lookup")


@page("/beitrag/dateien/{position:int}", name="contribution_file", may=Permission.TAKE_PART)
def contribution_file(visit: Visit) -> Response:
    """A file of one's own contribution."""
    mine = opened(visit)
    return _file(visit, received.record_of(visit.session, mine)) if mine else visit.redirect("lookup")


@page("/beitrag/beenden", name="contribution_close", may=Permission.TAKE_PART, methods=("POST",))
def close(visit: Visit) -> Response:
    """Forget what was opened, so that the next person at this computer does not see it."""
    opening.forget(visit, COOKIE)
    return visit.redirect("home")
