"""Agencies' clerks who sign in: their requests of all consultations with what they answered, and how an account begins.

No account is needed: the personal link is enough. Whoever has one by such a link may open an account, or keep the
requests in the one that they have.
"""

from dataclasses import dataclass
from datetime import date, datetime

from starlette.responses import Response

from consultations import agencies, agency_answers, agency_overview
from consultations.agency_overview import Past
from consultations.invitations import InvitationState
from consultations.permissions import Permission
from consultations.procedures import localised
from participation import identity
from participation.overview import phase_name
from participation.pages.agencies import STATES
from participation.pages.agency_desk import holder_by_link, link_of
from participation.web import Visit, page, row_number

#: Marks a message for the catalogues.
N_ = str

PAGE_LENGTH = 20

DONE = {
    "kept": N_("The requests to you are shown here from now on."),
    "left": N_("Its requests are no longer shown in your account. The links in our e-mails go on working."),
}


@dataclass(frozen=True)
class Answered:
    """One of the agency's answers: its receipt is a file."""

    reference: str
    received_at: datetime
    is_late: bool
    receipt_url: str


@dataclass(frozen=True)
class MyRequest:
    """One request to an agency that somebody works for."""

    title: str
    phase: str
    agency: str
    url: str
    tag: tuple[str, str]
    is_open: bool
    due_on: date | None
    answers: tuple[Answered, ...]


@dataclass(frozen=True)
class MyRequests:
    """Everything that somebody can open who works for agencies; `more`: where older ones are."""

    requests: tuple[MyRequest, ...]
    #: What can be detached from the account again: the clerk's id, the name, the agency.
    kept: tuple[tuple[int, str, str], ...]
    more: str
    done: str


@page("/konto/behoerden", name="agency_account", may=Permission.SEE_OWN_ACCOUNT, methods=("GET", "POST"))
def mine(visit: Visit) -> Response:
    """The requests of all consultations, newest first, with their answers; a button detaches an agency's from the account."""
    assert visit.by.person_id is not None
    kept = agencies.kept_by(visit.session, visit.municipality_id, visit.by.person_id)
    if visit.is_post:
        number = row_number(str(visit.form_data.get("leave", "")))
        if number is None or number not in {clerk.id for clerk, _ in kept}:
            return visit.redirect("agency_account")  # detached already, or never kept here
        agencies.leave_account(visit.session, number, by=visit.by, now=visit.now)
        return visit.redirect("agency_account", done="left")
    found = agency_overview.requests_of(
        visit.session,
        visit.municipality_id,
        visit.by.person_id,
        today=visit.today,
        after=row_number(visit.request.query_params.get("after")),
        limit=PAGE_LENGTH + 1,
    )
    shown = found[:PAGE_LENGTH]
    answers: dict[int, list[Answered]] = {}
    by_request = {each.invitation.id or 0: each for each in shown}
    for reply, contribution in agency_answers.replies_of(visit.session, list(by_request)):
        number = len(answers.setdefault(reply.invitation_id, []))
        answers[reply.invitation_id].append(
            Answered(
                contribution.reference,
                contribution.received_at,
                contribution.is_late,
                f"{link_of(visit, by_request[reply.invitation_id])}/beleg/{number}",
            )
        )
    last = shown[-1].link.id if shown and shown[-1].link else None
    done = DONE.get(visit.request.query_params.get("done", ""))
    return visit.render(
        "agency_desk/account.html",
        MyRequests(
            tuple(_request(visit, each, tuple(answers.get(each.invitation.id or 0, ()))) for each in shown),
            tuple((clerk.id, clerk.name, organisation.name) for clerk, organisation in kept),
            visit.url("agency_account", after=last) if len(found) > PAGE_LENGTH else "",
            visit.gettext(done) if done else "",
        ),
    )


def _request(visit: Visit, asked: Past, answers: tuple[Answered, ...]) -> MyRequest:
    kind, words = STATES[asked.state]
    return MyRequest(
        localised(asked.procedure, visit.language, "title"),
        phase_name(asked.phase, visit.language),
        asked.organisation.name if asked.organisation else "",
        link_of(visit, asked),
        (kind, visit.gettext(words)),
        asked.state in (InvitationState.INVITED, InvitationState.OPENED),
        asked.invitation.due_on,
        answers,
    )


@page("/behoerden/{token}/konto", name="agency_keep", may=Permission.TAKE_PART, methods=("POST",))
def keep(visit: Visit) -> Response:
    """Keep the requests in the account of whoever is signed in; else send the clerk a mail with which to open one.

    The mail goes to the clerk's own address: whoever was only handed the link does not get an account by it.
    """
    holder = holder_by_link(visit)
    token = visit.request.path_params["token"]
    if holder.link.clerk_id is None:  # the agency's own: nobody whose account it could be
        return visit.redirect("agency_request", token=token)
    if visit.by.person_id is not None:
        agencies.keep_in_account(
            visit.session, holder.link.clerk_id, visit.by.person_id, by=visit.by, now=visit.now
        )
        return visit.redirect("agency_account", done="kept")
    clerk = agencies.clerk_by_id(visit.session, holder.link.clerk_id)
    if identity.has_account(visit.session, clerk.email, visit.municipality_id):
        # There is one: signed in, the same button keeps the requests in it. (So it does with one of another town.)
        return visit.redirect("sign_in", next=visit.url("agency_request", token=token))
    agency_answers.offer_account(visit.session, holder, now=visit.now)
    return visit.redirect("agency_request", token=token, done="account")


@dataclass(frozen=True)
class AccountOffer:
    """The question whether an account is to be opened, and for which address."""

    email: str
    agency: str


@page(
    "/behoerden/{token}/konto/{secret}",
    name="agency_open_account",
    may=Permission.TAKE_PART,
    methods=("GET", "POST"),
)
def open_account(visit: Visit) -> Response:
    """The link in that mail: on to choosing a password."""
    holder = holder_by_link(visit)
    secret = visit.request.path_params["secret"]
    if not agency_answers.is_offer(visit.house.link_key, holder.link, secret):
        visit.not_found()
    if holder.link.clerk_id is None:
        return visit.redirect("agency_request", token=visit.request.path_params["token"])
    clerk = agencies.clerk_by_id(visit.session, holder.link.clerk_id)
    if identity.has_account(visit.session, clerk.email, visit.municipality_id):
        return visit.redirect("sign_in", next=visit.url("agency_account"))
    if visit.is_post:
        token = identity.invite_known(visit.session, clerk.person_id, now=visit.now)
        return visit.redirect("invitation", token=token)
    return visit.render("agency_desk/open_account.html", AccountOffer(clerk.email, holder.organisation.name))
