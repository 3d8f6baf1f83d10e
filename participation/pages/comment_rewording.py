"""Comments written anew: by whoever wrote them, at the counter for them; read by a moderator; what changed, for everybody."""

from dataclasses import dataclass

from starlette.datastructures import FormData
from starlette.responses import Response
from wtforms import Form, HiddenField, TextAreaField
from wtforms.validators import InputRequired

from consultations import procedures, proposals, proposing, published, received, rewording
from consultations.contributions import Contribution
from consultations.permissions import Permission
from consultations.procedures import Procedure
from consultations.proposals import Proposal
from consultations.refusals import Code, Refusal
from consultations.rewording import Wording
from participation.messages import STATUS
from participation.pages import contributions as own
from participation.pages.contributions_list import open_procedure
from participation.pages.fields import ByWhatWay
from participation.pages.kiosk import channel_of
from participation.pages.proposal_changes import Held, compared, numbered, show_changes
from participation.pages.proposal_desk import VersionForm, before_moderator, decided, read_now
from participation.pages.proposals import proposal_of
from participation.security import Action as Limited
from participation.security import address_of, check_rate
from participation.web import Visit, page, row_number

#: Marks a message for the catalogues.
N_ = str


class RewordForm(Form):
    """The new wording; `base` is the number of the one that was before its author."""

    base = HiddenField()
    text = TextAreaField(N_("Your comment"), [InputRequired(N_("Please write something."))])


class CounterForm(ByWhatWay, RewordForm):
    """The same for whoever writes or calls."""

    text = TextAreaField(N_("New wording"), [InputRequired(N_("Please write something."))])


@dataclass(frozen=True)
class RewordPage:
    """A comment before somebody who writes it anew."""

    reference: str
    about: str
    action: str
    back: str
    #: What stands by now, where another wording came between.
    now: str
    #: Whether the newest wording still waits for a moderator.
    waits: bool
    #: Answers that others have given already.
    answers: int
    done: str


def _page(
    visit: Visit, comment: Contribution, proposal: Proposal, *, action: str, back: str, clashes: bool
) -> RewordPage:
    newest = rewording.wordings(visit.session, comment)[-1]
    shown = proposing.shown(visit.session, comment)
    about = proposing.composed(proposals.newest(visit.session, proposal.contribution_id))[0]
    return RewordPage(
        comment.reference,
        about,
        action,
        back,
        newest.text if clashes else "",
        rewording.is_waiting(visit.session, comment, newest) and shown.number != newest.number,
        rewording.answers_to(visit.session, comment),
        visit.gettext("Your new wording is kept. Others read it once somebody of the town hall has read it.")
        if visit.request.query_params.get("erledigt")
        else "",
    )


# --- whoever wrote it --------------------------------------------------------------------------------


def _comment_of(visit: Visit, procedure: Procedure, proposal: Proposal) -> Contribution:
    """The comment in the address, if it is one on this proposal. Raises Refusal NOT_FOUND."""
    row = received.by_reference(visit.session, procedure, str(visit.request.path_params["comment"]))
    about = rewording.proposal_of(visit.session, row)
    if row is None or about is None or about.contribution_id != proposal.contribution_id:
        visit.not_found()
    return row


@page(
    "/beteiligungen/{slug}/vorschlaege/{reference}/kommentare/{comment}/neu",
    name="comment_reword",
    may=Permission.TAKE_PART,
    methods=("GET", "POST"),
)
def reword_page(visit: Visit) -> Response:
    """Write one's own comment anew: for whoever has opened it with its access code, or wrote it signed in."""
    procedure = open_procedure(visit)
    proposal, row = proposal_of(visit, procedure)
    comment = _comment_of(visit, procedure, proposal)
    opened = own.opened(visit)
    by_code = opened is not None and opened.id == comment.id
    if not by_code and not rewording.wrote(comment, visit.by):
        return visit.redirect("lookup")
    here = {"slug": procedure.slug, "reference": row.reference}
    address = visit.url("comment_reword", **here, comment=comment.reference)
    back = visit.url("contribution") if by_code else visit.url("proposal", **here)
    if not rewording.is_possible(comment):
        visit.not_found()
    if not visit.is_post:
        newest = rewording.wordings(visit.session, comment)[-1]
        form = visit.form(RewordForm, sent=FormData(), base=str(newest.number), text=newest.text)
        content = _page(visit, comment, proposal, action=address, back=back, clashes=False)
        return visit.render("proposals/reword.html", content, form=form)
    form = visit.form(RewordForm)
    status, clashes = 422, False
    if form.validate():
        try:
            check_rate(visit.house.limiter, Limited.SUBMIT, address_of(visit.request.scope))
            rewording.reword(
                visit.session,
                comment.id or 0,
                form.text.data or "",
                base_number=row_number(form.base.data or "") or 0,
                channel=channel_of(visit, procedure).key,
                by=visit.by,
                now=visit.now,
            )
        except Refusal as refusal:
            status, clashes = _refused(visit, form, refusal)
            proposal, row = proposal_of(visit, procedure)
            comment = _comment_of(visit, procedure, proposal)
        else:
            return visit.redirect("comment_reword", **here, comment=comment.reference, erledigt=1)
    content = _page(visit, comment, proposal, action=address, back=back, clashes=clashes)
    return visit.render("proposals/reword.html", content, form=form, status=status)


def _refused(visit: Visit, form: RewordForm, refusal: Refusal) -> tuple[int, bool]:
    """Say why at the form; the status, and whether another wording came between: then that one is shown beside, and what
    is sent next is held against it."""
    visit.reject(form, refusal)
    if refusal.code is not Code.TEXT_MOVED_ON:
        return STATUS.get(refusal.code, 422), False
    form.base.data = str(refusal.facts["number"])
    return 409, True


# --- at the counter ----------------------------------------------------------------------------------


@page(
    "/verwaltung/eingang/kommentar/{id:int}",
    name="comment_intake",
    may=Permission.RECORD_INTAKE,
    methods=("GET", "POST"),
)
def counter_page(visit: Visit) -> Response:
    """The same for an author who writes, calls or comes by: they have named the reference number of their receipt."""
    comment, proposal = _at_work(visit, Permission.RECORD_INTAKE)
    address = visit.url("comment_intake", id=comment.id)
    back = visit.url("register_entry", id=comment.id)
    if not rewording.is_possible(comment):
        visit.not_found()
    if not visit.is_post:
        newest = rewording.wordings(visit.session, comment)[-1]
        form = visit.form(CounterForm, sent=FormData(), base=str(newest.number), text=newest.text)
        content = _page(visit, comment, proposal, action=address, back=back, clashes=False)
        return visit.render("intake/comment.html", content, form=form)
    form = visit.form(CounterForm)
    status, clashes = 422, False
    if form.validate():
        try:
            rewording.reword(
                visit.session,
                comment.id or 0,
                form.text.data or "",
                base_number=row_number(form.base.data or "") or 0,
                channel=form.channel.data or "",
                by=visit.by,
                now=visit.now,
            )
        except Refusal as refusal:
            status, clashes = _refused(visit, form, refusal)
            comment, proposal = _at_work(visit, Permission.RECORD_INTAKE)
        else:
            return visit.redirect("register_entry", id=comment.id)
    content = _page(visit, comment, proposal, action=address, back=back, clashes=clashes)
    return visit.render("intake/comment.html", content, form=form, status=status)


def _at_work(visit: Visit, permission: Permission) -> tuple[Contribution, Proposal]:
    """The comment in the address before somebody who may do this with it. Raises Refusal NOT_FOUND, NOT_ALLOWED."""
    row = received.by_id(visit.session, visit.municipality_id, int(visit.request.path_params["id"]))
    if row is None:
        visit.not_found()
    visit.require(permission, procedures.by_id(visit.session, visit.municipality_id, row.procedure_id))
    proposal = rewording.proposal_of(visit.session, row)
    if proposal is None:
        visit.not_found()
    return row, proposal


# --- before a moderator ------------------------------------------------------------------------------


@page(
    "/verwaltung/vorschlaege/kommentare/{id:int}",
    name="comment_version",
    may=Permission.MODERATE,
    methods=("GET", "POST"),
)
def version_page(visit: Visit) -> Response:
    """The newest wording of a comment, held against what everybody reads; show it or give it back."""
    comment, _proposal = _at_work(visit, Permission.MODERATE)
    wordings = rewording.wordings(visit.session, comment)
    form = visit.form(VersionForm, seen=str(comment.decisions), number=str(wordings[-1].number))
    if not visit.is_post:
        return _before_moderator(visit, comment, wordings, form)
    if not form.validate():
        return _before_moderator(visit, comment, wordings, form, status=422)
    number = row_number(form.number.data or "") or 0
    wanted = next((each for each in wordings if each.number == number and number > 1), None)
    if wanted is None:
        visit.not_found()
    try:
        decided(visit, form, comment, wanted, show=rewording.show, give_back=rewording.give_back)
    except Refusal as refusal:
        visit.reject(form, refusal)
        comment, _proposal = _at_work(visit, Permission.MODERATE)
        wordings = rewording.wordings(visit.session, comment)
        return _before_moderator(visit, comment, wordings, form, status=STATUS.get(refusal.code, 422))
    return visit.redirect("proposal_desk")


def _before_moderator(
    visit: Visit, comment: Contribution, wordings: list[Wording], form: VersionForm, *, status: int = 200
) -> Response:
    newest = wordings[-1]
    now = read_now(visit, comment, newest.number)
    before = now.text if now.number is None else wordings[now.number - 1].text
    held = Held(
        now.name, numbered(visit, newest.number), _texts(before), _texts(newest.text), comment.language
    )
    return before_moderator(
        visit,
        comment,
        held,
        form,
        number=newest.number,
        lead=now.lead,
        title=visit.gettext("Comment %(reference)s", reference=comment.reference),
        why=visit.gettext("written anew by its author"),
        note="",
        at=newest.made_at,
        is_decided=not rewording.is_waiting(visit.session, comment, newest),
        status=status,
    )


def _texts(words: str) -> dict[str, dict[str, str]]:
    return {"": {"text": words}}


# --- for everybody -----------------------------------------------------------------------------------


@page(
    "/beteiligungen/{slug}/vorschlaege/{reference}/kommentare/{comment}/fassungen/{earlier:int}/{later:int}",
    name="comment_changes",
    may=Permission.READ_PUBLIC,
    shared=True,
)
def changes_page(visit: Visit) -> Response:
    """What changed in a comment from one readable wording to another."""
    procedure = open_procedure(visit)
    proposal, row = proposal_of(visit, procedure)
    comment = _comment_of(visit, procedure, proposal)
    numbers = visit.request.path_params
    readable = proposing.shown(visit.session, comment).readable
    wordings = {each.number: each for each in rewording.wordings(visit.session, comment)}
    if not {numbers["earlier"], numbers["later"]} <= set(readable) & set(wordings):
        visit.not_found()
    earlier, later = wordings[numbers["earlier"]], wordings[numbers["later"]]
    (entry,) = published.by_ids(visit.session, procedure.id or 0, [proposal.contribution_id])
    return show_changes(
        visit,
        procedure,
        row.reference,
        Held(
            numbered(visit, earlier.number),
            numbered(visit, later.number),
            _texts(earlier.text),
            _texts(later.text),
            comment.language,
        ),
        title=visit.gettext("What changed in comment %(reference)s", reference=comment.reference),
        proposal_title=entry.heading,
        lead=compared(visit, earlier.number, later.number),
        facts=(
            (visit.gettext("Seal before"), earlier.receipt),
            (visit.gettext("Seal after"), later.receipt),
        ),
    )
