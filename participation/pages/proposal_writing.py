"""Writing along: an author's desk, and the ways to it; without an account and without JavaScript.

The owner comes by the access code of the receipt, a co-author by a personal link or a printed code. What remembers it
is a signed cookie for half an hour; no secret stands in the addresses of the pages that follow.
"""

import hashlib
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from typing import Any

from itsdangerous import BadSignature, URLSafeSerializer
from starlette.datastructures import FormData
from starlette.responses import Response
from wtforms import Form, HiddenField, StringField, TextAreaField
from wtforms.validators import InputRequired, Length

from consultations import amendments, contributions, proposals, proposing, published, unions
from consultations.cocreation import SECTIONS as USUAL
from consultations.cocreation import TITLE, Authoring, Opening
from consultations.contributions import Contribution
from consultations.moderation import Reason
from consultations.permissions import Permission
from consultations.phases import phases_of
from consultations.procedures import Procedure, localised
from consultations.proposals import AuthorState, Proposal, ProposalAuthor, ProposalVersion
from consultations.refusals import Code, Refusal
from consultations.unions import UnionState
from participation import security
from participation.messages import STATUS
from participation.pages import contributions as own
from participation.pages.moderation import REASONS
from participation.pages.proposals import heading_of
from participation.security import Action, address_of, check_rate
from participation.web import Visit, page, row_number

#: Marks a message for the catalogues.
N_ = str

COOKIE = "digilog_author"
#: How long the desk stays open after the last look at it.
OPEN_FOR = timedelta(minutes=30)
#: Who may read what no moderator has read yet: whoever writes along, and whoever was asked to.
WRITING = frozenset({AuthorState.INVITED.value, AuthorState.ACTIVE.value})

# --- who writes ------------------------------------------------------------------------------------


@cache
def _key_of_this_process() -> str:
    return secrets.token_hex(32)


def _signer(visit: Visit) -> URLSafeSerializer:
    secret = visit.house.settings.secret.get_secret_value() or _key_of_this_process()
    return URLSafeSerializer(secret, salt="author", signer_kwargs={"digest_method": hashlib.sha256})


def enter_desk(visit: Visit, author: ProposalAuthor) -> Response:
    """Open the desk of an author in this browser."""
    _keep_open(visit, author)
    return visit.redirect("author_desk")


def _keep_open(visit: Visit, author: ProposalAuthor) -> None:
    until = int((visit.now + OPEN_FOR).timestamp())
    signed = _signer(visit).dumps([visit.municipality_id, author.id, until])
    visit.set_cookie(COOKIE, str(signed), max_age=int(OPEN_FOR.total_seconds()))


def author_here(visit: Visit) -> ProposalAuthor | None:
    """The author whose desk this browser has open, in this town; nobody once they declined, left or were taken off."""
    try:
        municipality_id, author_id, until = _signer(visit).loads(visit.request.cookies.get(COOKIE, ""))
    except (BadSignature, ValueError, TypeError):
        return None
    author = visit.session.get(ProposalAuthor, author_id)
    if municipality_id != visit.municipality_id or until < visit.now.timestamp() or author is None:
        return None
    if author.state not in WRITING:
        return None
    proposal = proposals.by_contribution(visit.session, author.proposal_id)
    return author if proposal is not None and proposal.municipality_id == visit.municipality_id else None


@page("/mitschreiben/einladung/{token}", name="author_link", may=Permission.TAKE_PART)
def author_link(visit: Visit) -> Response:
    """A co-author's personal link."""
    check_rate(visit.house.limiter, Action.AGENCY_LINK, address_of(visit.request.scope))
    author = proposing.author_by_secret(
        visit.session, visit.municipality_id, visit.request.path_params["token"]
    ) or proposing.author_by_mail(
        visit.session, visit.municipality_id, visit.request.path_params["token"], key=visit.house.link_key
    )
    if author is None or author.state not in WRITING:
        visit.not_found()
    return enter_desk(visit, author)


class CodeForm(Form):
    """A printed code."""

    code = StringField(N_("Code from your invitation"), [InputRequired(N_("Please type in the code."))])


@page("/mitschreiben", name="author_door", may=Permission.TAKE_PART, methods=("GET", "POST"))
def author_door(visit: Visit) -> Response:
    """Type in the code of an invitation on paper."""
    form = visit.form(CodeForm)
    if not visit.is_post:
        return visit.render("proposals/door.html", form=visit.form(CodeForm))
    if form.validate():
        address = address_of(visit.request.scope)
        try:
            security.check_code(visit.house.limiter, address, "")
            author = proposing.author_by_code(visit.session, visit.municipality_id, form.code.data or "")
            if author is not None and author.state in WRITING:
                return enter_desk(visit, author)
            security.code_was_wrong(visit.house.limiter, address, "")
            raise Refusal(Code.LINK_UNKNOWN, "code")
        except Refusal as refusal:
            visit.reject(form, refusal)
            return visit.render("proposals/door.html", form=form, status=STATUS.get(refusal.code, 422))
    return visit.render("proposals/door.html", form=form, status=422)


@page("/beitrag/weiterschreiben", name="author_own", may=Permission.TAKE_PART, methods=("POST",))
def author_own(visit: Visit) -> Response:
    """From one's own contribution, opened with its access code, to the desk of the proposal."""
    mine = own.opened(visit)
    author = proposing.owner_with_code(visit.session, mine) if mine is not None else None
    return visit.redirect("lookup") if author is None else enter_desk(visit, author)


# --- the desk --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class AuthorRow:
    """Somebody who writes along or was asked to."""

    id: int
    name: str
    is_owner: bool
    state: str
    is_me: bool


@dataclass(frozen=True)
class Waiting:
    """An amendment that waits for the owner."""

    sections: str
    author: str
    until: date
    url: str


@dataclass(frozen=True)
class Clash:
    """What stands now where both changed the same words."""

    heading: str
    now: str


@dataclass(frozen=True)
class DeskPage:
    """An author's desk."""

    title: str
    reference: str
    hearing_title: str
    proposal_url: str
    is_invited: bool
    is_owner: bool
    can_revise: bool
    why_not: str
    number: int
    #: Whether the newest version waits for a moderator, and why one was returned.
    waits: bool
    returned: str
    keys: tuple[str, ...]
    authors: tuple[AuthorRow, ...]
    waiting: tuple[Waiting, ...]
    clashes: tuple[Clash, ...]
    #: An invitation that was just made: the link and the code, shown once.
    link: str
    code: str
    #: What was typed and could not be kept, for whoever can no longer send it.
    typed: tuple[tuple[str, str], ...]
    #: Wishes to merge it with another: title of the other, state in words, whether it waits for this owner, address.
    unions: tuple[tuple[str, str, bool, str], ...]
    can_join: bool
    #: Whether this author writes along in the proposal that took this one in.
    goes_on: bool
    done: str


def sections_form(visit: Visit, version: ProposalVersion, language: str) -> tuple[type[Form], dict[str, str]]:
    """A form with a field per section of a version, and the words in them."""
    words = version.texts.get(language, {})
    keys = [each[0] for each in version.headings] or [key for key in words if key != TITLE]
    if not version.headings:
        # It came without sections: it may get those that are usual.
        keys += [each.key for each in USUAL if each.key not in keys]
    fields: dict[str, Any] = {
        "base": HiddenField(),
        TITLE: StringField(visit.gettext("Title"), [Length(max=contributions.TITLE_LIMIT)]),
    }
    for key in keys:
        fields[key] = TextAreaField(heading_of(visit, version, key))
    return type("SectionsForm", (Form,), fields), {key: str(words.get(key, "")) for key in (TITLE, *keys)}


_DONE = {
    "fassung": N_("Your new version is kept. Others read it once somebody of the town hall has read it."),
    "dabei": N_("You are writing along now."),
    "uebergeben": N_("You have handed it over."),
    "entschieden": N_("Your decision is kept, and everybody can read it."),
    "eingeladen": N_("The invitation is on its way by mail."),
    "gefragt": N_("The other author is asked. You read here what becomes of it."),
    "vereint": N_("The two proposals are one now."),
    "nicht": N_("Your answer is kept. Both proposals stay as they are."),
}


def _desk(
    visit: Visit,
    author: ProposalAuthor,
    form: Form | None = None,
    *,
    note: str = "",
    clashes: tuple[Clash, ...] = (),
    asked: proposing.Asked | None = None,
    errors: Sequence[str] = (),
    status: int = 200,
) -> Response:
    _keep_open(visit, author)
    proposal = visit.session.get_one(Proposal, author.proposal_id)
    row = visit.session.get_one(Contribution, author.proposal_id)
    procedure = visit.session.get_one(Procedure, proposal.procedure_id)
    newest = proposals.newest(visit.session, proposal.contribution_id)
    kind, words = sections_form(visit, newest, newest.language)
    sent = form
    form = form or visit.form(kind, sent=FormData(), base=str(newest.number), **words)
    phases = phases_of(visit.session, proposal.procedure_id)
    opened = proposing.phase_that_opens(phases, Opening.REVISE, visit.now) is not None
    is_open = proposal.authoring == Authoring.OPEN.value
    shown = proposing.shown(visit.session, row)
    is_active = author.state == AuthorState.ACTIVE.value
    done = _DONE.get(visit.request.query_params.get("erledigt", ""), "")
    content = DeskPage(
        title=words[TITLE] or row.reference,
        reference=row.reference,
        hearing_title=localised(procedure, visit.language, "title"),
        proposal_url=(
            visit.url("proposal", slug=procedure.slug, reference=row.reference) if proposal.is_listed else ""
        ),
        is_invited=author.state == AuthorState.INVITED.value,
        is_owner=is_active and author.role == "owner",
        can_revise=is_active and is_open and opened,
        why_not=(
            visit.gettext("Its text stands still at the moment.")
            if not is_open
            else visit.gettext("The consultation does not take changes in at the moment.")
            if not opened
            else ""
        ),
        number=newest.number,
        waits=newest.number not in shown.readable and shown.number != newest.number,
        returned=_returned(visit, row, newest),
        keys=tuple(name for name in form._fields if name not in ("base",)),
        authors=tuple(
            AuthorRow(
                each.id or 0,
                _name_for(visit, each, author),
                each.role == "owner",
                visit.gettext(AUTHOR_STATES[each.state]),
                each.id == author.id,
            )
            for each in proposals.authors_of(visit.session, proposal.contribution_id)
            if each.state in WRITING
        ),
        waiting=tuple(
            Waiting(
                ", ".join(heading_of(visit, newest, each["section"]) for each in amendment.patches),
                "" if handed_in.redaction_id else handed_in.pseudonym,
                amendment.owner_until,
                visit.url("author_decide", number=amendment.id),
            )
            for amendment, handed_in in amendments.of_proposal(visit.session, proposal.contribution_id)
            if amendment.state == "proposed"
        ),
        clashes=clashes,
        link=visit.absolute("author_link", token=asked.secret) if asked else "",
        code=f"{asked.code[:4]} {asked.code[4:]}" if asked else "",
        typed=tuple(
            (str(each.label.text), str(each.data))
            for name, each in (sent._fields.items() if sent is not None else ())
            if name != "base" and each.data and each.data != words.get(name)
        ),
        unions=_unions(visit, proposal),
        can_join=is_active and author.role == "owner" and is_open and proposal.is_listed,
        goes_on=proposal.authoring == Authoring.MERGED.value
        and unions.continued_as(visit.session, author) is not None,
        done=visit.gettext(done) if done else "",
    )
    return visit.render(
        "proposals/desk.html", content, form=form, note=note, errors=tuple(errors), status=status
    )


UNIONS: Mapping[str, str] = {
    UnionState.ASKED.value: N_("Waits for an answer"),
    UnionState.JOINED.value: N_("Merged"),
    UnionState.REFUSED.value: N_("Not agreed to"),
    UnionState.WITHDRAWN.value: N_("Taken back"),
}


def _unions(visit: Visit, proposal: Proposal) -> tuple[tuple[str, str, bool, str], ...]:
    own = proposal.contribution_id
    found = unions.of_proposals(visit.session, (own,))
    others = {each.into_id if each.from_id == own else each.from_id for each in found}
    titles = {
        entry.id: entry.heading
        for entry in published.by_ids(visit.session, proposal.procedure_id, sorted(others))
    }
    return tuple(
        (
            titles.get(each.into_id if each.from_id == own else each.from_id, "–"),
            visit.gettext(UNIONS[each.state]),
            each.state == UnionState.ASKED.value and own not in unions.agreed(visit.session, each),
            visit.url("author_union", number=each.id),
        )
        for each in found
    )


def _name_for(visit: Visit, each: ProposalAuthor, reader: ProposalAuthor) -> str:
    """What an author reads of another's name: one's own, and what a moderator has read."""
    if each.name and each.name_state != "shown" and each.id != reader.id:
        return visit.gettext("a name that is still being read")
    return each.name or visit.gettext("without a name")


def _returned(visit: Visit, row: Contribution, version: ProposalVersion) -> str:
    """Why a version was given back, in words; empty if it was not."""
    decision = proposing.returned(visit.session, row, version.number)
    if decision is None:
        return ""
    reason = visit.gettext(REASONS[Reason(decision.reason)]) if decision.reason else ""
    return ". ".join(part for part in (reason, decision.explanation) if part) + "."


AUTHOR_STATES: Mapping[str, str] = {
    AuthorState.INVITED.value: N_("has been asked"),
    AuthorState.ACTIVE.value: N_("writes along"),
    AuthorState.DECLINED.value: N_("declined"),
    AuthorState.LEFT.value: N_("no longer writes along"),
    AuthorState.REMOVED.value: N_("no longer writes along"),
}


@page("/mitschreiben/vorschlag", name="author_desk", may=Permission.TAKE_PART, methods=("GET", "POST"))
def author_desk(visit: Visit) -> Response:
    """The desk of whoever writes a proposal: change it, ask others to write along, decide on amendments."""
    author = author_here(visit)
    if author is None:
        return visit.redirect("author_door")
    if not visit.is_post:
        return _desk(visit, author)
    wanted = str(visit.form_data.get("do", ""))
    try:
        if wanted == "revise":
            return _revise(visit, author)
        if wanted == "continue":
            joined = unions.continued_as(visit.session, author)
            return enter_desk(visit, joined) if joined is not None else visit.redirect("author_desk")
        if wanted == "invite":
            name = str(visit.form_data.get("name", ""))[: proposing.NAME_LIMIT]
            email = str(visit.form_data.get("email", ""))
            if email.strip():
                check_rate(visit.house.limiter, Action.FOLLOW, address_of(visit.request.scope))
            asked = proposing.invite(
                visit.session,
                author.proposal_id,
                name=name,
                email=email,
                by=visit.by,
                author=author,
                now=visit.now,
            )
            if asked.author.way == "mail":
                return visit.redirect("author_desk", erledigt="eingeladen")
            return _desk(visit, author, asked=asked)
        if wanted in ("accept", "decline"):
            name = str(visit.form_data.get("name", ""))[: proposing.NAME_LIMIT]
            proposing.reply(
                visit.session, author, accepts=wanted == "accept", name=name, by=visit.by, now=visit.now
            )
            return (
                visit.redirect("author_desk", erledigt="dabei")
                if wanted == "accept"
                else visit.redirect("home")
            )
        if wanted in ("leave", "leave-nameless"):
            proposing.leave(visit.session, author, keeps_credit=wanted == "leave", by=visit.by, now=visit.now)
            visit.set_cookie(COOKIE, "", max_age=0)
            return visit.redirect("home")
        if wanted.startswith("hand-over-"):
            to = visit.session.get(ProposalAuthor, row_number(wanted.removeprefix("hand-over-")) or 0)
            if to is None or to.proposal_id != author.proposal_id:
                visit.not_found()
            proposing.hand_over(visit.session, author, to, by=visit.by, now=visit.now)
            return visit.redirect("author_desk", erledigt="uebergeben")
    except Refusal as refusal:
        if refusal.code is Code.NOT_FOUND:
            raise
        visit.session.rollback()
        again = author_here(visit)
        if again is None:  # they declined or left meanwhile, in another window
            raise
        status = STATUS.get(refusal.code, 422)
        return _desk(visit, again, errors=[visit.explain(refusal)], status=status)
    return visit.redirect("author_desk", gespeichert=1)


def _revise(visit: Visit, author: ProposalAuthor) -> Response:
    newest = proposals.newest(visit.session, author.proposal_id)
    kind, _words = sections_form(visit, newest, newest.language)
    form = visit.form(kind)
    note = str(visit.form_data.get("note", ""))
    if not form.validate():
        return _desk(visit, author, form, note=note, status=422)
    words = {name: str(each.data or "") for name, each in form._fields.items() if name != "base"}
    base = row_number(str(form._fields["base"].data)) or newest.number
    try:
        proposing.revise(
            visit.session,
            author.proposal_id,
            words,
            base_number=base,
            language=newest.language,
            note=note,
            by=visit.by,
            author=author,
            now=visit.now,
        )
    except Refusal as refusal:
        if refusal.code is not Code.TEXT_MOVED_ON:
            if refusal.code is Code.NOT_FOUND:
                raise
            # Whatever stands against it, what was typed comes back: the words and the note.
            visit.reject(form, refusal)
            again = author_here(visit)
            assert again is not None
            errors = [visit.explain(refusal)] if refusal.field == "note" else []
            status = STATUS.get(refusal.code, 422)
            return _desk(visit, again, form, note=note, errors=errors, status=status)
        visit.reject(form, refusal)
        again = author_here(visit)
        assert again is not None
        latest = proposals.newest(visit.session, author.proposal_id)
        # Both are there now: what stands beside what was typed; sending it once more is a decision.
        form._fields["base"].data = str(latest.number)
        now = latest.texts.get(latest.language, {})
        differing = [key for key in words if now.get(key, "") != words[key]]
        clashes = tuple(Clash(heading_of(visit, latest, key), str(now.get(key, ""))) for key in differing)
        return _desk(visit, again, form, note=note, clashes=clashes, status=409)
    return visit.redirect("author_desk", erledigt="fassung")
