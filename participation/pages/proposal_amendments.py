"""Other words for a proposal: anybody suggests them, whoever answers for the text takes them in or says why not."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from starlette.datastructures import FormData
from starlette.responses import Response
from wtforms import BooleanField, TextAreaField
from wtforms.validators import Length

from consultations import amendments, drafts, proposals, proposing, published
from consultations.amendments import Amendment, AmendmentInput, Rejection
from consultations.cocreation import TITLE
from consultations.comparison import Part
from consultations.contributions import Contribution, Kind, Submission
from consultations.permissions import Permission
from consultations.procedures import Procedure
from consultations.proposals import Proposal, ProposalAuthor, ProposalVersion
from consultations.refusals import Code, Refusal
from participation.messages import STATUS
from participation.pages import contributions as own
from participation.pages.contributions_list import open_procedure
from participation.pages.kiosk import channel_of
from participation.pages.proposal_changes import ChangedSection, changed_sections
from participation.pages.proposal_comments import WhoForm, say_page, secret_of, submission_of, to_receipt
from participation.pages.proposal_writing import author_here, sections_form
from participation.pages.proposals import AMENDED, proposal_of
from participation.security import Action, address_of, check_rate
from participation.web import Visit, page, row_number

#: Marks a message for the catalogues.
N_ = str

REJECTIONS: Mapping[str, str] = {
    Rejection.OTHER_AIM.value: N_("It would be another proposal"),
    Rejection.ALREADY_IN.value: N_("It is in there already"),
    Rejection.NOT_POSSIBLE.value: N_("It cannot be done"),
    Rejection.NOT_AGREED.value: N_("We see it differently"),
    Rejection.UNCLEAR.value: N_("We do not understand it"),
}


# --- suggested by anybody ----------------------------------------------------------------------------


def amended_version(visit: Visit, row: Contribution) -> ProposalVersion:
    """The version that other words are suggested for: the one the form was made from, or what everybody reads.

    Raises Refusal NOT_FOUND where the public does not read it.
    """
    shown = proposing.shown(visit.session, row)
    sent = (row_number(str(visit.form_data.get("base", ""))) if visit.is_post else None) or shown.number
    found = proposals.version(visit.session, row.id or 0, sent or 0) if sent in shown.readable else None
    if found is None:
        visit.not_found()
    return found


def amendment_typed(form: Any, base: ProposalVersion, keys: Sequence[str]) -> AmendmentInput:
    """What a form of `sections_form` says should read otherwise, and why."""
    return AmendmentInput(
        {key: str(form._fields[key].data or "") for key in keys},
        base.number,
        base.language,
        reason=form.reason.data or "",
        wants_credit=bool(form.wants_credit.data),
        headings={key: str(form._fields[key].label.text) for key in keys},
    )


@page(
    "/beteiligungen/{slug}/vorschlaege/{reference}/anders",
    name="proposal_amend",
    may=Permission.TAKE_PART,
    methods=("GET", "POST"),
)
def amend_page(visit: Visit) -> Response:
    """Suggest other words for a proposal, section by section, and say why."""
    procedure = open_procedure(visit)
    proposal, row = proposal_of(visit, procedure)
    base = amended_version(visit, row)
    sections, words = sections_form(visit, base, base.language)
    kind = type(
        "AmendForm",
        (sections, WhoForm),
        {
            "reason": TextAreaField(visit.gettext("Why is that better?"), [Length(max=proposing.NOTE_LIMIT)]),
            "wants_credit": BooleanField(visit.gettext("Name me as a co-author if it is taken in")),
        },
    )
    keys = (TITLE, *(key for key in words if key != TITLE))
    title = visit.gettext("Suggest other words")
    content = say_page(visit, procedure, row, "proposal_amend", title, words[TITLE] or row.reference, keys)
    if not visit.is_post:
        filled: dict[str, Any] = {
            **words, "base": str(base.number), "key": drafts.new_secret(), "wants_credit": True
        }  # fmt: skip
        form: Any = visit.form(kind, sent=FormData(), **filled)
        return visit.render("proposals/amend.html", content, form=form)
    form = visit.form(kind)
    if not form.validate():
        return visit.render("proposals/amend.html", content, form=form, status=422)
    token = secret_of(form)
    try:
        check_rate(visit.house.limiter, Action.SUBMIT, address_of(visit.request.scope))
        made = amendments.propose(
            visit.session,
            proposal.contribution_id,
            amendment_typed(form, base, keys),
            submission_of(visit, procedure, form, token),
            procedure=procedure,
            by=visit.by,
            now=visit.now,
        )
    except Refusal as refusal:
        visit.reject(form, refusal)
        return visit.render("proposals/amend.html", content, form=form, status=STATUS.get(refusal.code, 422))
    return to_receipt(visit, procedure, token, made.contribution_id)


# --- decided by the owner ----------------------------------------------------------------------------


@dataclass(frozen=True)
class DecidePage:
    """An amendment before the owner."""

    title: str
    author: str
    reason: str
    state: str
    is_open: bool
    #: Whether a moderator blacked something out; what is left of it for the owner where that was its very words; whether
    #: it can be taken in as it is.
    is_blacked_out: bool
    public_text: str
    can_accept: bool
    until: date
    clashes: bool
    sections: tuple[ChangedSection, ...]
    language: str
    earlier: str
    later: str
    rejections: tuple[tuple[str, str], ...]
    side_by_side: bool = False
    parts: type[Part] = Part


@page(
    "/mitschreiben/aenderungen/{number:int}",
    name="author_decide",
    may=Permission.TAKE_PART,
    methods=("GET", "POST"),
)
def author_decide(visit: Visit) -> Response:
    """One amendment: how the text would read with it; take it in, or not, with a reason."""
    author = author_here(visit)
    if author is None:
        return visit.redirect("author_door")
    number = row_number(str(visit.request.path_params["number"])) or 0
    amendment = amendments.by_id(visit.session, author.proposal_id, number)
    if amendment is None or not amendments.is_readable(visit.session, amendment):
        visit.not_found()
    error, words = "", str(visit.form_data.get("words", "")) if visit.is_post else ""
    if visit.is_post:
        try:
            return decide(visit, amendment, author, words)
        except Refusal as refusal:
            if refusal.code is Code.NOT_FOUND:
                raise
            visit.session.rollback()
            error = visit.explain(refusal)
            author = author_here(visit)
            if author is None:
                raise
            amendment = amendments.by_id(visit.session, author.proposal_id, number)
            assert amendment is not None
    content = decide_page(visit, amendment, is_owner=True)
    return visit.render(
        "proposals/decide.html", content, error=error, words=words, status=422 if error else 200,
        action=visit.url("author_decide", number=number), back=visit.url("author_desk"),
    )  # fmt: skip


def decide(visit: Visit, amendment: Amendment, author: ProposalAuthor | None, words: str) -> Response:
    """Do what the form of a decision says. Raises what `amendments.accept` and `amendments.reject` raise."""
    if visit.form_data.get("do") == "accept":
        amendments.accept(visit.session, amendment, words=words, by=visit.by, author=author, now=visit.now)
    else:
        why = str(visit.form_data.get("why", ""))
        if why not in set(Rejection):
            raise Refusal(Code.REASON_REQUIRED, "why")
        amendments.reject(
            visit.session, amendment, Rejection(why), words, by=visit.by, author=author, now=visit.now
        )
    return (
        visit.redirect("author_desk", erledigt="entschieden") if author else visit.redirect("proposal_desk")
    )


def decide_page(visit: Visit, amendment: Amendment, *, is_owner: bool = False) -> DecidePage:
    """How the newest text would read with an amendment; the owner reads of it what everybody may read, and no more."""
    proposal = visit.session.get_one(Proposal, amendment.proposal_id)
    handed_in = visit.session.get_one(Contribution, amendment.contribution_id)
    newest = proposals.newest(visit.session, amendment.proposal_id)
    is_blacked_out = handed_in.redaction_id is not None
    is_kept_back = is_owner and amendments.public_patches(visit.session, amendment) is None
    with_it = amendments.put_together(visit.session, amendment)
    sections = () if is_kept_back else changed_sections(visit, newest, newest.texts, with_it.texts)[0]
    public = published.by_ids(visit.session, proposal.procedure_id, [handed_in.id or 0])
    return DecidePage(
        title=visit.gettext("Amendment %(reference)s", reference=handed_in.reference),
        author="" if is_owner and is_blacked_out else handed_in.pseudonym,
        reason="" if is_owner and is_blacked_out else amendment.reason,
        state=visit.gettext(AMENDED[amendments.standing(amendment, proposal, visit.now)]),
        is_open=amendment.state == "proposed",
        is_blacked_out=is_blacked_out,
        public_text=public[0].text if is_kept_back and public else "",
        can_accept=not is_kept_back,
        until=amendment.owner_until,
        clashes=bool(with_it.clashes),
        sections=sections,
        language=newest.language,
        earlier=visit.gettext("As it stands"),
        later=visit.gettext("With the amendment"),
        rejections=tuple((key, visit.gettext(name)) for key, name in REJECTIONS.items()),
    )


# --- what becomes of one's own amendment -------------------------------------------------------------


@page("/beitrag/aenderung", name="amendment_own", may=Permission.TAKE_PART, methods=("POST",))
def amendment_own(visit: Visit) -> Response:
    """Take one's own amendment back (`do=withdraw`), or make a rejected one a proposal of its own (`do=promote`)."""
    mine = own.opened(visit)
    amendment = amendments.by_contribution(visit.session, mine.id or 0) if mine is not None else None
    if mine is None or amendment is None:
        return visit.redirect("lookup")
    procedure = visit.session.get_one(Procedure, mine.procedure_id)
    if visit.form_data.get("do") == "promote":
        token = drafts.new_secret()
        made = amendments.promote(
            visit.session,
            amendment,
            Submission(
                kind=Kind.PROPOSAL,
                channel=channel_of(visit, procedure).key,
                key=drafts.key_of(token),
                pseudonym=mine.pseudonym,
                language=mine.language,
                wants_publication=True,
            ),
            procedure=procedure,
            by=visit.by,
            now=visit.now,
        )
        return to_receipt(visit, procedure, token, made.contribution_id)
    amendments.withdraw(visit.session, amendment, by=visit.by, now=visit.now)
    return visit.redirect("contribution", erledigt="zurueckgenommen")
