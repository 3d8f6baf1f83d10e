"""Following a project, district, proposal or search: ask, confirm, change, end with one click; the account; and feeds."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import feedgenerator
from starlette.datastructures import FormData
from starlette.responses import Response
from wtforms import BooleanField, Form, RadioField, SelectField, StringField
from wtforms.fields import SelectChoice
from wtforms.validators import InputRequired

from consultations import (
    ballots,
    following,
    nesting,
    places,
    proposal_lists,
    proposals,
    received,
    saved_searches,
    surveys,
)
from consultations.ballots import VoteState
from consultations.following import News, Rhythm, State, Subscription, Target
from consultations.permissions import Permission
from consultations.places import PlaceKind
from consultations.procedures import Procedure
from consultations.refusals import Code, Refusal
from consultations.surveys import SurveyState
from participation import news_messages, search_words, security
from participation.messages import STATUS
from participation.pages.contributions_list import open_procedure
from participation.pages.proposals_list import PARAMETERS, Asked, ListForm, asked_of
from participation.pages.seen_through import title_of
from participation.pages.with_parts import whole_of
from participation.security import Action, check_rate
from participation.web import Visit, page, path_for, row_number

#: Marks a message for the catalogues.
N_ = str

RHYTHMS = {
    Rhythm.IMMEDIATE: N_("At once"),
    Rhythm.DAILY: N_("Once a day"),
    Rhythm.WEEKLY: N_("Once a week"),
}
#: What somebody agrees to; kept with their consent as they read it.
CONSENT = N_("I agree that the town writes to me about this by e-mail until I end it.")
#: What somebody who is signed in agrees to by the button.
IN_ACCOUNT = N_("Tell me here, in my account")
PER_PAGE = 30
#: What in an address narrows what is followed, and what is read of it.
NARROWED = ("vorschlag", "umfrage", "abstimmung", "stadtteil", "teile")
#: How much that is unread stands in the account at once.
UNREAD = 100


class FollowForm(Form):
    """How often, and where to."""

    rhythm = RadioField(
        N_("How often?"),
        [InputRequired(N_("Please choose one."))],
        choices=[SelectChoice(each.value, name) for each, name in RHYTHMS.items()],
        default=Rhythm.WEEKLY.value,
    )
    email = StringField(N_("E-mail address"), [InputRequired(N_("Please enter an e-mail address."))])
    agrees = BooleanField(CONSENT, [InputRequired(N_("Without your consent we do not write to you."))])


class FollowSomethingForm(FollowForm):
    """The same, and what."""

    target = SelectField(N_("What do you want to hear of?"), choices=[], validate_choice=False)


class ManageForm(Form):
    """How often, for somebody who came by their link."""

    rhythm = RadioField(
        N_("How often?"),
        [InputRequired(N_("Please choose one."))],
        choices=[SelectChoice(each.value, name) for each, name in RHYTHMS.items()],
    )


@dataclass(frozen=True)
class FollowPage:
    """The form, or that a mail is on its way."""

    hearing_title: str
    slug: str
    is_asked: bool
    feed_url: str
    news_url: str
    #: Whether one survey or one vote is followed, and no more.
    is_single: bool = False
    #: The search in words; empty where something else is followed.
    search: str = ""
    #: What was asked for and is not known: the search goes without it.
    unknown: str = ""
    #: How many proposals fit the search by now, and where they are.
    fitting: int = 0
    list_url: str = ""


@page("/beteiligungen/{slug}/folgen", name="follow", may=Permission.TAKE_PART, methods=("GET", "POST"))
def follow(visit: Visit) -> Response:
    """Ask to be told; a mail asks to confirm it. What the address names is chosen already."""
    procedure = open_procedure(visit)
    asked = visit.request.query_params
    own = _targets(visit, procedure)
    form = (
        visit.form(FollowSomethingForm) if visit.is_post else visit.form(FollowSomethingForm, sent=FormData())
    )
    form.target.choices = [SelectChoice(target.key, name) for target, name in own]
    keys = [target.key for target, _ in own]
    if not visit.is_post:
        parts = following.of_parts(procedure.id or 0).key
        wanted = parts if asked.get("teile") else following.of_district(asked.get("stadtteil", "")).key
        form.target.data = wanted if wanted in keys else keys[0]
        return _show(visit, procedure, form, is_asked=bool(asked.get("gefragt")))
    if form.target.data not in keys:
        form.target.data = keys[0]
    target = Target.read(form.target.data)
    back = visit.redirect("follow", slug=procedure.slug, gefragt=1)
    answer = _take_up(visit, form, lambda: target, back)
    return _show(visit, open_procedure(visit), form, status=answer) if isinstance(answer, int) else answer


def _take_up(visit: Visit, form: FollowForm, target: Callable[[], Target], back: Response) -> Response | int:
    """Note the wish, by mail or in the account: where to go on, or the status with which the form is shown again."""
    me = visit.by.person_id
    facts: dict[str, Any] = {"language": visit.language, "now": visit.now}
    try:
        if me is not None and visit.form_data.get("way") == "account":
            check_rate(visit.house.limiter, Action.FOLLOW, f"account:{me}")
            words = visit.gettext(IN_ACCOUNT)
            following.follow_in_account(
                visit.session, visit.municipality_id, me, target(), words=words, **facts
            )
            return visit.redirect("account_news", ja=1)
        if not form.validate():
            return 422
        check_rate(visit.house.limiter, Action.FOLLOW, security.address_of(visit.request.scope))
        following.ask(
            visit.session,
            visit.municipality_id,
            form.email.data or "",
            target(),
            rhythm=Rhythm(form.rhythm.data),
            words=visit.gettext(CONSENT),
            **facts,
        )
    except Refusal as refusal:
        visit.reject(form, refusal)
        return STATUS.get(refusal.code, 422)
    return back


def _targets(visit: Visit, procedure: Procedure) -> list[tuple[Target, str]]:
    """What can be followed from here: the proposal, survey or vote in the address first, the consultation, the districts of the town."""
    found = []
    reference = visit.request.query_params.get("vorschlag", "")
    target = _proposal(visit, procedure, reference)
    if target is not None:
        found.append((target, visit.gettext("The proposal %(reference)s", reference=reference)))
    found += _asked_about(visit, procedure)
    title, procedure_id = title_of(visit, procedure), procedure.id or 0
    found.append(
        (following.of_procedure(procedure_id), visit.gettext("The project “%(title)s”", title=title))
    )
    if nesting.has_parts(visit.session, procedure_id):
        found.append(
            (
                following.of_parts(procedure_id),
                visit.gettext("The project “%(title)s” and its parts", title=title),
            )
        )
    found += [
        (
            following.of_district(place.name),
            visit.gettext("Everything in the district %(name)s", name=place.name),
        )
        for place in places.names(visit.session, visit.municipality_id, PlaceKind.DISTRICT)
    ]
    return found


def _asked_about(visit: Visit, procedure: Procedure) -> list[tuple[Target, str]]:
    """The survey or the vote in the address, if everybody can see it."""
    asked = visit.request.query_params
    if number := row_number(asked.get("umfrage")):
        survey = surveys.by_number(visit.session, procedure.id or 0, number)
        if survey is not None and survey.state != SurveyState.DRAFT.value:
            name = visit.gettext("The survey “%(title)s”", title=survey.said(visit.language))
            return [(following.of_survey(procedure.id or 0, survey.id or 0), name)]
    if number := row_number(asked.get("abstimmung")):
        vote = ballots.of_phase(visit.session, number)
        if vote is not None and vote.procedure_id == procedure.id and vote.state != VoteState.DRAFT.value:
            name = visit.gettext("The vote “%(question)s”", question=vote.said(visit.language))
            return [(following.of_vote(procedure.id or 0, vote.id or 0), name)]
    return []


def _proposal(visit: Visit, procedure: Procedure, reference: str) -> Target | None:
    row = received.by_reference(visit.session, procedure, reference) if reference else None
    proposal = proposals.by_contribution(visit.session, row.id or 0) if row else None
    return (
        following.of_proposal(proposal.contribution_id)
        if proposal is not None and proposal.is_listed
        else None
    )


def _show(
    visit: Visit, procedure: Procedure, form: FollowForm, *, is_asked: bool = False, status: int = 200
) -> Response:
    narrowed = {
        name: visit.request.query_params[name] for name in NARROWED if visit.request.query_params.get(name)
    }
    return visit.render(
        "follow/follow.html",
        FollowPage(
            title_of(visit, procedure),
            procedure.slug,
            is_asked,
            visit.url("news_feed", slug=procedure.slug, **narrowed),
            visit.url("news", slug=procedure.slug, **narrowed),
            is_single=Target.read(form.target.data or "").kind in ("survey", "vote"),
        ),
        status=status,
        form=form,
    )


@dataclass(frozen=True)
class Line:
    """One thing that happened."""

    title: str
    words: str
    at: datetime
    url: str


def _line(visit: Visit, news: News) -> Line:
    item = news_messages.item_of(news, "", visit.language)
    return Line(item.title, item.words, news.at, item.url)


# --- a search among the proposals ------------------------------------------------------------------


def _search(
    visit: Visit, procedure: Procedure, *, literal: bool = False
) -> tuple[Asked, dict[str, str], dict[str, str]]:
    """What the address asks: understood, as it is kept, and as the list's address says it. `literal`: also what there is
    not (any more)."""
    sent = FormData(list(visit.request.query_params.multi_items()))
    asked = asked_of(visit, whole_of(visit, procedure), visit.form(ListForm, sent=sent), literal=literal)
    # What the list offers because a part has it may be asked for; told of is the consultation itself alone.
    asked = replace(asked, wanted=replace(asked.wanted, parts=()))
    unknown = asked.near if literal else ""
    facts = saved_searches.facts_of(asked.wanted, asked.place.name if asked.place else unknown)
    return asked, facts, {PARAMETERS[name]: value for name, value in facts.items() if name in PARAMETERS}


@page(
    "/beteiligungen/{slug}/folgen/suche",
    name="follow_search",
    may=Permission.TAKE_PART,
    methods=("GET", "POST"),
)
def follow_search(visit: Visit) -> Response:
    """Ask to be told when something new fits the search in the address, which is said in plain words."""
    procedure = open_procedure(visit)
    asked, facts, search = _search(visit, procedure)
    here = {"slug": procedure.slug, **search}

    def show(form: FollowForm, status: int = 200) -> Response:
        title = title_of(visit, open_procedure(visit))
        return visit.render(
            "follow/follow.html",
            FollowPage(
                title,
                procedure_slug,
                bool(visit.request.query_params.get("gefragt")),
                visit.url("proposals_feed", **here),
                visit.url("proposals", **here),
                search=search_words.sentence(facts, title, visit.language),
                unknown=asked_near if not is_place else "",
                fitting=fitting,
                list_url=visit.url("proposals", **here),
            ),
            status=status,
            form=form,
        )

    procedure_slug, asked_near, is_place = procedure.slug, asked.near, asked.place is not None
    fitting = proposal_lists.how_many(visit.session, procedure.id or 0, asked.wanted)
    if not visit.is_post:
        return show(visit.form(FollowForm, sent=FormData()))
    form = visit.form(FollowForm)

    def target() -> Target:
        return following.of_search(saved_searches.keep(visit.session, procedure, facts, now=visit.now))

    answer = _take_up(visit, form, target, visit.redirect("follow_search", **here, gefragt=1))
    return show(form, answer) if isinstance(answer, int) else answer


@page(
    "/beteiligungen/{slug}/vorschlaege.atom", name="proposals_feed", may=Permission.READ_PUBLIC, shared=True
)
def proposals_feed(visit: Visit) -> Response:
    """New proposals that fit a search, as an Atom feed (RFC 4287); nobody has to say who reads it.

    Readers ask for years: when there no longer is what the search names, nothing fits it.
    """
    procedure = open_procedure(visit)
    asked, facts, search = _search(visit, procedure, literal=True)
    is_nowhere = bool(asked.near) and asked.place is None
    found = [] if is_nowhere else following.fitting(visit.session, procedure.id or 0, asked.wanted)
    title = search_words.sentence(facts, title_of(visit, procedure), visit.language)
    return _feed(visit, title, "proposals", "proposals_feed", {"slug": procedure.slug, **search}, found)


# --- in one's account ------------------------------------------------------------------------------


@dataclass(frozen=True)
class Followed:
    """One thing that somebody follows in their account. `missing`: what its search asks and there no longer is."""

    id: int
    what: str
    missing: str


@dataclass(frozen=True)
class AccountNewsPage:
    """What is new since somebody last said that they have read it, and what they follow."""

    is_new: bool
    #: The oldest of what is unread; `is_more`: there is newer that does not stand here yet.
    lines: tuple[Line, ...]
    is_more: bool
    newest: int
    followed: tuple[Followed, ...]
    end_url: str
    hearings_url: str


@page("/konto/neues", name="account_news", may=Permission.SEE_OWN_ACCOUNT, methods=("GET", "POST"))
def account_news(visit: Visit) -> Response:
    """News for somebody who is signed in, each thing once; with the button they have read them."""
    rows = following.of_account(visit.session, visit.municipality_id, _me(visit))
    if visit.is_post:
        newest = row_number(str(visit.form_data.get("newest", ""))) or 0
        following.mark_read(visit.session, visit.municipality_id, rows, newest)
        return visit.redirect("account_news", gespeichert=1)
    unread = following.unread(visit.session, visit.municipality_id, rows, limit=UNREAD + 1)
    found = unread[-UNREAD:]
    names = search_words.names_of(visit.session, rows, visit.language)
    missing = search_words.missing_of(visit.session, visit.municipality_id, rows, visit.language)
    return visit.render(
        "follow/account.html",
        AccountNewsPage(
            bool(visit.request.query_params.get("ja")),
            tuple(_line(visit, each) for each in found),
            len(unread) > len(found),
            found[0].id if found else 0,
            tuple(
                Followed(row.id or 0, names.get(row.target, ""), missing.get(row.target, "")) for row in rows
            ),
            visit.url("account_unfollow"),
            visit.url("hearings"),
        ),
    )


@page("/konto/neues/beenden", name="account_unfollow", may=Permission.SEE_OWN_ACCOUNT, methods=("POST",))
def account_unfollow(visit: Visit) -> Response:
    """No longer hear of it; of what one does not follow (any more) nothing is ended."""
    wanted = row_number(str(visit.form_data.get("id", "")))
    for row in following.of_account(visit.session, visit.municipality_id, _me(visit)):
        if row.id == wanted:
            following.end(visit.session, row, way="account", now=visit.now)
    return visit.redirect("account_news", gespeichert=1)


def _me(visit: Visit) -> int:
    assert visit.by.person_id is not None
    return visit.by.person_id


# --- by the link in a mail -------------------------------------------------------------------------


@dataclass(frozen=True)
class ManagePage:
    """One subscription before its owner."""

    what: str
    is_active: bool
    is_ended: bool
    done: str
    end_url: str
    #: Everything else that the same address follows.
    others: tuple["Other", ...] = ()
    #: What a search asks and there no longer is; empty while it means something.
    missing: str = ""


@dataclass(frozen=True)
class Other:
    """Something else that the same address follows: what, how often, where it is changed and ended."""

    what: str
    rhythm: str
    url: str
    end_url: str
    missing: str


@page("/folgen/{token}", name="follow_manage", may=Permission.TAKE_PART, methods=("GET", "POST"))
def manage(visit: Visit) -> Response:
    """Confirm, or change how often. A programme that opens links of mails changes nothing: it takes a button."""
    row = _by_token(visit)
    said = following.consents_of(visit.session, row.id or 0)
    known = said[-1].rhythm if row.state == State.ASKED.value and said else row.rhythm
    form = (
        visit.form(ManageForm, rhythm=known)
        if visit.is_post
        else visit.form(ManageForm, sent=FormData(), rhythm=known)
    )
    if not visit.is_post:
        done = (
            visit.gettext("From now on you will hear of it.") if visit.request.query_params.get("ja") else ""
        )
        return _show_manage(visit, row, form, done=done)
    if not form.validate():
        return _show_manage(visit, row, form, status=422)
    try:
        following.confirm(visit.session, row, Rhythm(form.rhythm.data), now=visit.now)
    except Refusal as refusal:
        visit.reject(form, refusal)
        return _show_manage(visit, _by_token(visit), form, status=STATUS.get(refusal.code, 422))
    return visit.redirect("follow_manage", token=visit.request.path_params["token"], ja=1)


@page("/folgen/{token}/ende", name="follow_end", may=Permission.TAKE_PART, methods=("GET", "POST"))
def end(visit: Visit) -> Response:
    """End it: one button here, or one click in the mail programme, which sends the POST itself (RFC 8058)."""
    row = _by_token(visit)
    if visit.is_post:
        way = "one_click" if visit.form_data.get("List-Unsubscribe") == "One-Click" else "mail"
        following.end(visit.session, row, way=way, now=visit.now)
    return visit.render(
        "follow/end.html",
        ManagePage(
            search_words.name_of(visit.session, row, visit.language),
            row.state == State.ACTIVE.value,
            row.state == State.ENDED.value,
            "",
            visit.url("follow_end", token=visit.request.path_params["token"]),
        ),
    )


def _by_token(visit: Visit) -> Subscription:
    row = following.by_token(
        visit.session,
        visit.municipality_id,
        str(visit.request.path_params["token"]),
        key=visit.house.link_key,
    )
    if row is None:
        raise Refusal(Code.NOT_FOUND)
    return row


def _others(visit: Visit, row: Subscription) -> tuple[Other, ...]:
    rows = [each for each in following.of_address(visit.session, row) if each.id != row.id]
    names = search_words.names_of(visit.session, rows, visit.language)
    missing = search_words.missing_of(visit.session, visit.municipality_id, rows, visit.language)
    links = {each.id: following.token_of(visit.house.link_key, each) for each in rows}
    return tuple(
        Other(
            names.get(each.target, ""),
            visit.gettext(RHYTHMS[Rhythm(each.rhythm)]),
            visit.url("follow_manage", token=links[each.id]),
            visit.url("follow_end", token=links[each.id]),
            missing.get(each.target, ""),
        )
        for each in rows
    )


def _show_manage(
    visit: Visit, row: Subscription, form: ManageForm, *, done: str = "", status: int = 200
) -> Response:
    missing = search_words.missing_of(visit.session, visit.municipality_id, [row], visit.language)
    return visit.render(
        "follow/manage.html",
        ManagePage(
            search_words.name_of(visit.session, row, visit.language),
            row.state == State.ACTIVE.value,
            row.state == State.ENDED.value,
            done,
            visit.url("follow_end", token=visit.request.path_params["token"]),
            # Only for the owner of the mailbox: before it is confirmed nobody knows whose address it is.
            _others(visit, row) if row.state == State.ACTIVE.value else (),
            missing.get(row.target, ""),
        ),
        status=status,
        form=form,
    )


# --- what happened ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class NewsPage:
    """What happened in a consultation, a district or to a proposal, newest first."""

    hearing_title: str
    slug: str
    lines: tuple[Line, ...]
    older_url: str
    feed_url: str
    follow_url: str


def _target(visit: Visit, procedure: Procedure) -> tuple[Target, dict[str, str]]:
    """What the address narrows the news to. Raises Refusal NOT_FOUND for a proposal that nobody can read."""
    asked = visit.request.query_params
    if asked.get("vorschlag"):
        target = _proposal(visit, procedure, asked["vorschlag"])
        if target is None:
            visit.not_found()
        return target, {"vorschlag": asked["vorschlag"]}
    for name in ("umfrage", "abstimmung"):
        if asked.get(name):
            found = _asked_about(visit, procedure)
            if not found:
                visit.not_found()
            return found[0][0], {name: asked[name]}
    if asked.get("stadtteil"):
        name = asked["stadtteil"][:200]
        return following.of_district(name), {"stadtteil": name}
    if asked.get("teile"):
        return following.of_parts(procedure.id or 0), {"teile": "1"}
    return following.of_procedure(procedure.id or 0), {}


@page("/beteiligungen/{slug}/neues", name="news", may=Permission.READ_PUBLIC)
def news(visit: Visit) -> Response:
    """What happened, newest first, page by page."""
    procedure = open_procedure(visit)
    target, narrowed = _target(visit, procedure)
    before = visit.request.query_params.get("vor", "")
    found = following.about(
        visit.session,
        visit.municipality_id,
        target,
        before=int(before) if before.isascii() and before.isdigit() and len(before) < 10 else None,
        limit=PER_PAGE + 1,
    )
    own = {"slug": procedure.slug, **narrowed}
    return visit.render(
        "follow/news.html",
        NewsPage(
            title_of(visit, procedure),
            procedure.slug,
            tuple(_line(visit, each) for each in found[:PER_PAGE]),
            visit.url("news", **own, vor=found[PER_PAGE - 1].id) if len(found) > PER_PAGE else "",
            visit.url("news_feed", **own),
            visit.url("follow", **own),
        ),
    )


@page("/beteiligungen/{slug}/neues.atom", name="news_feed", may=Permission.READ_PUBLIC, shared=True)
def news_feed(visit: Visit) -> Response:
    """The same as an Atom feed (RFC 4287)."""
    procedure = open_procedure(visit)
    target, narrowed = _target(visit, procedure)
    found = following.about(visit.session, visit.municipality_id, target)
    title = visit.gettext("News: %(title)s", title=title_of(visit, procedure))
    return _feed(visit, title, "news", "news_feed", {"slug": procedure.slug, **narrowed}, found)


def _feed(
    visit: Visit, title: str, page_name: str, feed_name: str, own: Mapping[str, str], found: Sequence[News]
) -> Response:
    """News as an Atom feed, of the page `page_name`."""
    atom = feedgenerator.Atom1Feed(
        title=title,
        link=visit.absolute(page_name, **own),
        description="",
        language=visit.language,
        feed_url=visit.absolute(feed_name, **own),
        feed_guid=visit.absolute(feed_name, **own),
    )
    for each in found:
        item = news_messages.item_of(each, visit.base, visit.language)
        atom.add_item(
            title=f"{item.title}: {item.words}",
            link=item.url,
            description=item.words,
            pubdate=each.at,
            updateddate=each.at,
            unique_id=f"{visit.base}{path_for(page_name, **own)}#{each.id}",
        )
    return Response(atom.writeString("utf-8"), media_type="application/atom+xml; charset=utf-8")
