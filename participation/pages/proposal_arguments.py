"""What is said of a proposal: all comments or those of one kind, and saying that an argument is a good one."""

from dataclasses import dataclass

from starlette.responses import Response
from wtforms import Form, HiddenField

from consultations import discussion, proposing, published, received, support
from consultations.cocreation import Audience, Opening
from consultations.discussion import Stance
from consultations.permissions import Permission
from consultations.phases import phases_of
from consultations.procedures import localised
from consultations.refusals import Code, Refusal
from participation.messages import STATUS
from participation.pages.contributions_list import open_procedure
from participation.pages.proposal_talk import STANCES, SaidRow, said_rows, talk_of
from participation.pages.proposals import proposal_of
from participation.pages.proposals_list import seed_of
from participation.pages.support import COOKIE, COOKIE_SECONDS, browser_of, supporters_of
from participation.security import Action, address_of
from participation.web import Visit, page, row_number

#: Marks a message for the catalogues.
N_ = str

PAGE_LENGTH = 20


@dataclass(frozen=True)
class TalkPage:
    """Comments on a proposal, page by page. `kinds`: name, address and whether it is the one that is shown."""

    hearing_title: str
    slug: str
    proposal_title: str
    proposal_url: str
    kinds: tuple[tuple[str, str, bool], ...]
    heading: str
    rows: tuple[SaidRow, ...]
    total: int
    by_marks: bool
    next_url: str
    first_url: str
    comment_url: str


@page(
    "/beteiligungen/{slug}/vorschlaege/{reference}/kommentare",
    name="proposal_comments",
    may=Permission.READ_PUBLIC,
    shared=True,
    dealt=True,
    own_cookie=COOKIE,
)
def comments_page(visit: Visit) -> Response:
    """What is said of a proposal: everything, or one kind of it (`art`), in an order by chance; `nach`: where a page goes
    on. Arguments begin with those that most find good, where the phase lets that be seen."""
    procedure = open_procedure(visit)
    proposal, row = proposal_of(visit, procedure)
    asked = visit.request.query_params
    stance = Stance(asked["art"]) if asked.get("art") in set(Stance) else None
    phases = phases_of(visit.session, procedure.id or 0)
    about = talk_of(visit, proposal, phases)
    # Who goes on reading stays in the order that they began in, also after midnight.
    began, _, after = asked.get("nach", "")[:80].rpartition("~")
    deal = began if visit.is_deal(began) else visit.deal
    marks = about.marks if stance in (Stance.FOR, Stance.AGAINST) else None
    talk, total = discussion.talk(
        visit.session,
        proposal.contribution_id,
        seed=seed_of(visit, deal),
        stance=stance,
        marks=marks,
        after=row_number(after) or 0,
        limit=PAGE_LENGTH + 1,
    )
    shown = talk[:PAGE_LENGTH]
    here = {"slug": procedure.slug, "reference": row.reference}
    kind = {"art": stance.value} if stance else {}
    (entry,) = published.by_ids(visit.session, procedure.id or 0, [proposal.contribution_id])
    following = f"{deal}~{shown[-1].contribution.id}" if len(talk) > PAGE_LENGTH else ""
    return visit.render(
        "proposals/comments.html",
        TalkPage(
            hearing_title=localised(procedure, visit.language, "title"),
            slug=procedure.slug,
            proposal_title=entry.heading,
            proposal_url=visit.url("proposal", **here),
            kinds=(
                (visit.gettext("All"), visit.url("proposal_comments", **here), stance is None),
                *(
                    (
                        visit.gettext(name),
                        visit.url("proposal_comments", **here, art=key),
                        stance is not None and key == stance.value,
                    )
                    for key, name in STANCES.items()
                ),
            ),
            heading=visit.gettext(STANCES[stance.value]) if stance else visit.gettext("What others say"),
            rows=said_rows(visit, procedure, row.reference, shown, about),
            total=total,
            by_marks=bool(marks),
            next_url=visit.url("proposal_comments", **here, **kind, nach=following) if following else "",
            first_url=visit.url("proposal_comments", **here, **kind) if asked.get("nach") else "",
            comment_url=visit.url("proposal_comment", **here) if about.is_open else "",
        ),
    )


# --- a good argument ---------------------------------------------------------------------------------


class MarkForm(Form):
    """The secret of a browser that takes no cookies."""

    once = HiddenField()


@dataclass(frozen=True)
class ArgumentPage:
    """One argument before somebody who may find it good."""

    hearing_title: str
    slug: str
    proposal_title: str
    proposal_url: str
    row: SaidRow
    is_marked: bool
    #: Somebody who was signed in here finds it good: a click without an account counts with theirs.
    is_linked: bool
    is_open: bool
    needs_account: bool
    done: str
    account_url: str


@page(
    "/beteiligungen/{slug}/vorschlaege/{reference}/kommentare/{comment}/gutes-argument",
    name="argument",
    may=Permission.TAKE_PART,
    methods=("GET", "POST"),
)
def argument_page(visit: Visit) -> Response:
    """Say that this is a good argument (`do=give`), whatever one thinks of the proposal, or take that back."""
    procedure = open_procedure(visit)
    proposal, row = proposal_of(visit, procedure)
    comment = received.by_reference(visit.session, procedure, str(visit.request.path_params["comment"]))
    stance = discussion.argument(visit.session, proposal.contribution_id, comment)
    if comment is None or comment.id is None or stance is None:
        visit.not_found()
    key, argument, reference = proposal.contribution_id, comment.id, comment.reference
    here = {"slug": procedure.slug, "reference": row.reference}
    browser = browser_of(visit)
    form = visit.form(MarkForm, once=browser)
    form.once.data = browser
    known = supporters_of(visit, browser)
    status = 200
    if visit.is_post:
        visit.set_cookie(COOKIE, browser, max_age=COOKIE_SECONDS)
        try:
            if visit.form_data.get("do") == "withdraw":
                for supporter in known:
                    support.unmark(visit.session, key, argument, supporter, by=visit.by, now=visit.now)
            else:
                _mark(visit, key, argument, browser)
        except Refusal as refusal:
            visit.reject(form, refusal)
            status = STATUS.get(refusal.code, 422)
            proposal, row = proposal_of(visit, procedure)
            comment = received.by_reference(visit.session, procedure, reference)
            assert comment is not None
        else:
            return visit.redirect("argument", **here, comment=reference, getan=1)
    phases = phases_of(visit.session, procedure.id or 0)
    arrangement = proposing.arrangement_of(proposing.phase_that_opens(phases, Opening.COMMENT, visit.now))
    about = talk_of(visit, proposal, phases)
    said = discussion.Said(comment, stance)
    (entry,) = published.by_ids(visit.session, procedure.id or 0, [key])
    return visit.render(
        "proposals/argument.html",
        ArgumentPage(
            hearing_title=localised(procedure, visit.language, "title"),
            slug=procedure.slug,
            proposal_title=entry.heading,
            proposal_url=visit.url("proposal", **here),
            row=said_rows(visit, procedure, row.reference, [said], about)[0],
            is_marked=any(support.supports(visit.session, key, each.party, argument) for each in known),
            is_linked=len(known) == 1 and support.is_linked(visit.session, key, known[0].party, argument),
            is_open=about.is_open,
            needs_account=arrangement.audience is Audience.SIGNED_IN and visit.by.person_id is None,
            done=visit.gettext("Done. You can change your mind here at any time.")
            if visit.request.query_params.get("getan")
            else "",
            account_url=visit.url("sign_in", next=visit.url("argument", **here, comment=reference)),
        ),
        form=form,
        status=status,
    )


def _mark(visit: Visit, proposal_id: int, argument_id: int, browser: str) -> None:
    """Note it; what this browser said before it was signed in is linked to the account's, not dropped."""
    known = supporters_of(visit, browser)
    if visit.by.person_id is None:
        if any(support.supports(visit.session, proposal_id, each.party, argument_id) for each in known):
            return
        address = address_of(visit.request.scope)
        if not visit.house.limiter.count(Action.SUPPORT, address):
            wait = visit.house.limiter.refusal(Action.SUPPORT, address).facts["retry_after"]
            raise Refusal(Code.SUPPORT_RUSH, retry_after=wait)
    support.mark(
        visit.session,
        proposal_id,
        argument_id,
        known[0],
        also=[each.party for each in known[1:]],
        by=visit.by,
        now=visit.now,
    )
