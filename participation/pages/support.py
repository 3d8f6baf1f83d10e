"""Support for everybody: once per person, taken back whenever somebody wishes, with every limit's ground beside it."""

import hashlib
import secrets
from dataclasses import dataclass

from starlette.responses import Response
from wtforms import HiddenField

from consultations import proposing, published, support, unions
from consultations.cocreation import Audience, Limits, Opening
from consultations.permissions import Permission
from consultations.phases import phases_of
from consultations.procedures import Procedure
from consultations.proposals import Proposal
from consultations.refusals import Code, Refusal
from consultations.support import Supporter
from participation import security
from participation.messages import STATUS
from participation.pages.seen_through import shown_proposal, title_of
from participation.pages.who_may import DeclareFields, declared
from participation.security import Action
from participation.web import Visit, page

#: Marks a message for the catalogues.
N_ = str

COOKIE = "digilog_support"
#: So long a browser is known again, to take a support back.
COOKIE_SECONDS = 400 * 24 * 3600


class SupportForm(DeclareFields):
    """What somebody says of themselves, where a limit asks."""

    once = HiddenField()


@dataclass(frozen=True)
class SupportPage:
    """Support for one proposal. `asked`: what the form asks; `ground`, `contact`: why, and who answers for it."""

    hearing_title: str
    slug: str
    reference: str
    title: str
    supports: bool
    #: Somebody who was signed in here supports it: a click without an account counts with theirs.
    is_linked: bool
    is_open: bool
    #: The proposal that took this one in: its title and its page of support; empty if none did.
    joined: str
    joined_url: str
    needs_account: bool
    count: int | None
    asked: tuple[str, ...]
    minimum_age: int | None
    per_person: int | None
    used: int
    ground: str
    contact: str
    done: str
    proposal_url: str
    follow_url: str
    account_url: str


@page(
    "/beteiligungen/{slug}/vorschlaege/{reference}/unterstuetzen",
    name="support",
    may=Permission.TAKE_PART,
    methods=("GET", "POST"),
)
def support_page(visit: Visit) -> Response:
    """Support a proposal (`do=give`), take it back (`do=withdraw`) or along to the one that took it in (`do=move`)."""
    procedure, proposal, row = shown_proposal(visit)
    browser = browser_of(visit)
    form = visit.form(SupportForm, once=browser)
    form.once.data = browser
    if not visit.is_post:
        return _show(visit, procedure, proposal, row.reference, browser, form)
    visit.set_cookie(COOKIE, browser, max_age=COOKIE_SECONDS)
    try:
        if visit.form_data.get("do") == "withdraw":
            for supporter in supporters_of(visit, browser):
                support.withdraw(
                    visit.session, proposal.contribution_id, supporter, by=visit.by, now=visit.now
                )
        elif visit.form_data.get("do") == "move":
            into = unions.gone_into(visit.session, proposal.contribution_id)
            if into is None:
                visit.not_found()
            for supporter in supporters_of(visit, browser):
                support.move(
                    visit.session, proposal.contribution_id, into, supporter, by=visit.by, now=visit.now
                )
        else:
            _give(visit, proposal, browser, form)
    except Refusal as refusal:
        visit.reject(form, refusal)
        procedure, proposal, row = shown_proposal(visit)
        status = STATUS.get(refusal.code, 422)
        response = _show(visit, procedure, proposal, row.reference, browser, form, status=status)
        if "retry_after" in refusal.facts:
            response.headers["Retry-After"] = str(refusal.facts["retry_after"])
        return response
    return visit.redirect("support", slug=procedure.slug, reference=row.reference, getan=1)


def browser_of(visit: Visit) -> str:
    """The secret by which this browser is known again; the form carries it where cookies are refused."""
    for sent in (visit.request.cookies.get(COOKIE, ""), str(visit.form_data.get("once", ""))):
        if len(sent) == 32 and sent.isascii() and all(each.isalnum() or each in "-_" for each in sent):
            return sent
    return secrets.token_urlsafe(24)


def supporters_of(visit: Visit, browser: str) -> list[Supporter]:
    """Who this visitor may be: the account first, then the browser."""
    hashed = hashlib.sha256(browser.encode()).hexdigest()
    known = [Supporter(f"browser:{hashed}")]
    if visit.by.person_id is not None:
        known.insert(0, Supporter(f"account:{visit.by.person_id}", "web", visit.by.person_id))
    return known


def own_of(visit: Visit, proposal_id: int) -> frozenset[int | None]:
    """What of a proposal this visitor stands by: arguments by their ids, None for the proposal itself. No query for
    whoever is not known; for pages that name `COOKIE` as their `own_cookie`."""
    if COOKIE not in visit.request.cookies and visit.by.person_id is None:
        return frozenset()
    parties = [each.party for each in supporters_of(visit, browser_of(visit))]
    return frozenset(support.standing_of(visit.session, proposal_id, parties))


def _give(visit: Visit, proposal: Proposal, browser: str, form: SupportForm) -> None:
    """Give the support; what this browser gave before it was signed in, or gives once it is signed out again, is linked to
    the account's, not dropped."""
    key = proposal.contribution_id
    declares = declared(form.data)
    known = supporters_of(visit, browser)
    if visit.by.person_id is None:
        address = security.address_of(visit.request.scope)
        if any(support.supports(visit.session, key, each.party) for each in known):
            return
        if not visit.house.limiter.count(Action.SUPPORT, address):
            wait = visit.house.limiter.refusal(Action.SUPPORT, address).facts["retry_after"]
            raise Refusal(Code.SUPPORT_RUSH, retry_after=wait)
    who = known[0]
    support.give(
        visit.session,
        key,
        Supporter(who.party, who.channel, who.person_id, declares),
        also=[each.party for each in known[1:]],
        by=visit.by,
        now=visit.now,
    )


def _show(
    visit: Visit,
    procedure: Procedure,
    proposal: Proposal,
    reference: str,
    browser: str,
    form: SupportForm,
    *,
    status: int = 200,
) -> Response:
    phases = phases_of(visit.session, procedure.id or 0)
    phase = proposing.phase_that_opens(phases, Opening.SUPPORT, visit.now)
    arrangement = proposing.arrangement_of(phase)
    limits = arrangement.limits if not arrangement.limits.missing else Limits()
    entry = published.one(visit.session, procedure.id or 0, reference)
    known = supporters_of(visit, browser)
    into = unions.gone_into(visit.session, proposal.contribution_id)
    other = next(iter(published.by_ids(visit.session, procedure.id or 0, [into] if into else [])), None)
    here = {"slug": procedure.slug, "reference": reference}
    return visit.render(
        "support/support.html",
        SupportPage(
            hearing_title=title_of(visit, procedure),
            slug=procedure.slug,
            reference=reference,
            title=entry.heading if isinstance(entry, published.Entry) else reference,
            supports=any(
                support.supports(visit.session, proposal.contribution_id, each.party) for each in known
            ),
            is_linked=len(known) == 1
            and support.is_linked(visit.session, proposal.contribution_id, known[0].party),
            is_open=phase is not None and proposal.authoring in ("open", "locked"),
            joined=other.heading if other else "",
            joined_url=visit.url("support", slug=procedure.slug, reference=other.reference) if other else "",
            needs_account=arrangement.audience is Audience.SIGNED_IN and visit.by.person_id is None,
            count=support.shown_count(
                proposal,
                phase or next((each for each in phases if each.id == proposal.phase_id), None),
                now=visit.now,
                is_opened=True,
            ),
            asked=limits.asked,
            minimum_age=limits.minimum_age,
            per_person=limits.per_person,
            used=len(support.used(visit.session, phase.id or 0, [each.party for each in known]))
            if phase
            else 0,
            ground=limits.ground,
            contact=limits.contact,
            done=visit.gettext("Done. You can change your mind here at any time.")
            if visit.request.query_params.get("getan")
            else "",
            proposal_url=visit.url("proposal", **here),
            follow_url=visit.url("follow", slug=procedure.slug, vorschlag=reference),
            account_url=visit.url("sign_in", next=visit.url("support", **here)),
        ),
        status=status,
        form=form,
    )
