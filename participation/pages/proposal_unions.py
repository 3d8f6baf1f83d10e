"""Merging and dividing proposals: an owner asks, the other owner answers; the facilitator where an owner is silent."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from starlette.datastructures import FormData
from starlette.responses import Response
from wtforms import Form, HiddenField, RadioField, StringField, TextAreaField
from wtforms.fields import SelectChoice
from wtforms.validators import InputRequired, Length

from consultations import (
    contributions,
    drafts,
    procedures,
    proposal_lists,
    proposals,
    proposing,
    published,
    received,
    unions,
)
from consultations.cocreation import TITLE, WHOLE, Authoring
from consultations.comparison import Part
from consultations.contributions import Contribution, Kind, Submission
from consultations.permissions import Permission
from consultations.procedures import Procedure, localised
from consultations.proposals import Proposal, ProposalAuthor, ProposalVersion, WordsState
from consultations.refusals import Code, Refusal
from consultations.unions import Union, UnionInput, UnionState
from consultations.wording import Passage
from participation import security
from participation.messages import STATUS
from participation.pages.kiosk import channel_of
from participation.pages.proposal_changes import ChangedSection, changed_sections
from participation.pages.proposal_comments import to_receipt
from participation.pages.proposal_writing import UNIONS, author_here, sections_form
from participation.pages.proposals import heading_of
from participation.pages.seen_through import proposal_at_work
from participation.security import Action, check_rate
from participation.web import Visit, page, row_number

#: Marks a message for the catalogues.
N_ = str


class WhichForm(Form):
    """Which two, and which goes into which."""

    vorschlag = StringField(
        N_("Reference number of the other proposal"),
        [InputRequired(N_("Please enter the reference number."))],
    )
    richtung = RadioField(
        N_("Which one stays?"),
        choices=[
            SelectChoice("hinein", N_("The other one: mine goes into it")),
            SelectChoice("auf", N_("Mine: it takes the other one in")),
        ],
        default="hinein",
    )


@dataclass(frozen=True)
class TextShown:
    """One of the two as everybody reads it."""

    title: str
    reference: str
    text: str
    url: str


@dataclass(frozen=True)
class MergePage:
    """Ask for a merge. `stays` and `goes`: None until both are chosen; `keys`: the fields of the joint words."""

    title: str
    reference: str
    stays: TextShown | None
    goes: TextShown | None
    keys: tuple[str, ...]
    #: What the one that goes says, by section.
    theirs: Mapping[str, str]


def _own(visit: Visit) -> tuple[ProposalAuthor, Proposal, Contribution, Procedure] | None:
    author = author_here(visit)
    if author is None:
        return None
    proposal = visit.session.get_one(Proposal, author.proposal_id)
    row = visit.session.get_one(Contribution, author.proposal_id)
    return author, proposal, row, visit.session.get_one(Procedure, proposal.procedure_id)


def _shown(visit: Visit, procedure: Procedure, proposal_id: int) -> TextShown | None:
    """One of the two, if everybody can read it."""
    entry = next(iter(published.by_ids(visit.session, procedure.id or 0, [proposal_id])), None)
    if entry is None:
        return None
    url = visit.url("proposal", slug=procedure.slug, reference=entry.reference)
    return TextShown(entry.heading, entry.reference, entry.text, url)


@page("/mitschreiben/zusammenlegen", name="author_merge", may=Permission.TAKE_PART, methods=("GET", "POST"))
def merge_page(visit: Visit) -> Response:
    """First which two and which stays (as addresses say it), then how the joint words read, and why."""
    own = _own(visit)
    if own is None:
        return visit.redirect("author_door")
    author, proposal, _row, procedure = own
    asked = visit.request.query_params
    which = visit.form(WhichForm, sent=FormData(dict(asked)) if asked else FormData(), richtung="hinein")
    other = None
    if asked.get("vorschlag"):
        reference = asked["vorschlag"].strip().upper()[: contributions.SHORT_LIMIT]
        found = received.by_reference(visit.session, procedure, reference)
        other = proposals.by_contribution(visit.session, found.id or 0) if found else None
        if other is None or not other.is_listed or other.contribution_id == proposal.contribution_id:
            visit.reject(which, Refusal(Code.UNION_SAME, "vorschlag"))
            return _merge(visit, which, None, status=422)
    if other is None:
        return _merge(visit, which, None)
    goes_in = which.richtung.data != "auf"
    pair = (proposal, other) if goes_in else (other, proposal)
    taking = proposals.newest(visit.session, pair[1].contribution_id)
    shown = proposing.shown(visit.session, visit.session.get_one(Contribution, pair[1].contribution_id))
    number = taking.number if not goes_in else (shown.number or 0)
    base = proposals.version(visit.session, pair[1].contribution_id, number)
    if base is None:
        visit.reject(which, Refusal(Code.UNION_BLACKED_OUT, "vorschlag"))
        return _merge(visit, which, None, status=422)
    kind, words, keys = _joint(visit, base)
    if not visit.is_post:
        form: Any = visit.form(kind, sent=FormData(), **words, base=str(base.number))
        return _merge(visit, which, form, pair=pair, keys=keys)
    form = visit.form(kind)
    if not form.validate():
        return _merge(visit, which, form, pair=pair, keys=keys, status=422)
    # The words of somebody else's proposal are held against a version that everybody may read, and no other.
    sent = row_number(str(form._fields["base"].data)) or base.number
    number = sent if not goes_in or sent in shown.readable else base.number
    try:
        unions.ask(
            visit.session,
            UnionInput(
                pair[0].contribution_id,
                pair[1].contribution_id,
                form.reason.data or "",
                {key: str(form._fields[key].data or "") for key in keys},
                number,
            ),
            by=visit.by,
            author=author,
            now=visit.now,
        )
    except Refusal as refusal:
        visit.reject(form, refusal)
        return _merge(visit, which, form, pair=pair, keys=keys, status=STATUS.get(refusal.code, 422))
    return visit.redirect("author_desk", erledigt="gefragt")


def _sections_of(visit: Visit, proposal_id: int, shown: TextShown | None) -> dict[str, str]:
    """What everybody reads of a proposal, by section; as one where words of it were blacked out."""
    row = visit.session.get_one(Contribution, proposal_id)
    version = proposals.version(visit.session, proposal_id, proposing.shown(visit.session, row).number or 0)
    if version is None:
        return {WHOLE: shown.text} if shown is not None else {}
    words: dict[str, str] = version.texts.get(version.language) or next(iter(version.texts.values()), {})
    return {key: str(text) for key, text in words.items()}


def _joint(visit: Visit, base: ProposalVersion) -> tuple[type[Form], dict[str, str], tuple[str, ...]]:
    """The form of the joint words, begun with those of the proposal that stays, and of the reason."""
    sections, words = sections_form(visit, base, base.language)
    reason = TextAreaField(visit.gettext("Why should they be one?"), [Length(max=proposing.NOTE_LIMIT)])
    return (
        type("MergeForm", (sections,), {"reason": reason}),
        words,
        (TITLE, *(key for key in words if key != TITLE)),
    )


def _merge(
    visit: Visit,
    which: WhichForm,
    form: Form | None,
    *,
    pair: tuple[Proposal, Proposal] | None = None,
    keys: tuple[str, ...] = (),
    status: int = 200,
) -> Response:
    own = _own(visit)
    if own is None:
        return visit.redirect("author_door")
    _author, proposal, row, procedure = own
    title = proposing.composed(proposals.newest(visit.session, proposal.contribution_id))[0]
    goes, stays = (
        (_shown(visit, procedure, each.contribution_id) for each in pair)
        if pair is not None
        else (None, None)
    )
    theirs = _sections_of(visit, pair[0].contribution_id, goes) if pair is not None else {}
    content = MergePage(title or row.reference, row.reference, stays, goes, keys, theirs)
    return visit.render("proposals/merge.html", content, which=which, form=form, status=status)


# --- one wish --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class UnionPage:
    """A wish to merge before somebody who answers. `sections`: how the joint words differ from what stands."""

    stays: TextShown | None
    goes: TextShown | None
    reason: str
    state: str
    kind: str
    words: str
    until: date
    #: What is said instead of joint words that a moderator has not let through yet; empty where they are shown.
    hidden_words: str
    #: For which of the two somebody asks, to be told to whoever answers: title and reference; None: the town hall asks.
    asked_by: TextShown | None
    #: For which of the two proposals an answer is owed here: id and title.
    owed: tuple[tuple[int, str], ...]
    can_withdraw: bool
    sections: tuple[ChangedSection, ...]
    language: str
    earlier: str
    later: str
    side_by_side: bool = False
    parts: type[Part] = Part


KINDS: Mapping[str, str] = {"asked": "waiting", "joined": "done", "refused": "closed", "withdrawn": "closed"}


UNREAD = {
    WordsState.WAITING: N_(
        "Somebody of the town hall reads these words first. You find them here afterwards."
    ),
    WordsState.WITHHELD: N_("The town hall has kept these words back."),
}


def _union_page(
    visit: Visit, union: Union, owed: tuple[int, ...], *, can_withdraw: bool, reader: int | None
) -> UnionPage:
    """`reader`: the proposal whose author reads it; None: somebody of the town hall, who reads everything."""
    taking = visit.session.get_one(Proposal, union.into_id)
    procedure = visit.session.get_one(Procedure, taking.procedure_id)
    base = proposals.version(visit.session, union.into_id, union.base_number)
    assert base is not None
    wished = {language: dict(words) for language, words in base.texts.items()}
    wished.setdefault(union.language, {}).update(union.words)
    sections, _, _ = changed_sections(visit, base, base.texts, wished)
    # Free words of the other author reach nobody before a moderator has read them; that they ask does at once.
    reads_wish = reader in (None, union.asked_for_id) or union.wish_state == WordsState.SHOWN.value
    refused_by = {union.from_id, union.into_id} - {union.asked_for_id}
    reads_answer = (
        reader is None
        or union.answer_state == WordsState.SHOWN.value
        or (union.asked_for_id is not None and reader in refused_by)
    )
    not_yet = visit.gettext(UNREAD[WordsState(union.wish_state)]) if not reads_wish else ""
    answer = union.decision_words
    if answer and not reads_answer:
        answer = visit.gettext(UNREAD[WordsState(union.answer_state)])
    goes, stays = _shown(visit, procedure, union.from_id), _shown(visit, procedure, union.into_id)
    titles = {union.from_id: goes, union.into_id: stays}
    return UnionPage(
        stays=stays,
        goes=goes,
        reason=not_yet or union.reason,
        state=visit.gettext(UNIONS[union.state]),
        kind=KINDS[union.state],
        words=answer,
        until=union.owners_until,
        hidden_words=not_yet if union.words else "",
        asked_by=titles.get(union.asked_for_id or 0),
        owed=tuple((each, shown.title if (shown := titles[each]) else "–") for each in owed),
        can_withdraw=can_withdraw,
        sections=() if not_yet else sections,
        language=union.language,
        earlier=visit.gettext("As it stands"),
        later=visit.gettext("As the joint proposal is to read"),
    )


@page(
    "/mitschreiben/zusammenlegen/{number:int}",
    name="author_union",
    may=Permission.TAKE_PART,
    methods=("GET", "POST"),
)
def union_page(visit: Visit) -> Response:
    """One wish: both texts, the joint words, why; agree, refuse with words, or take it back."""
    own = _own(visit)
    if own is None:
        return visit.redirect("author_door")
    author, proposal, _row, _procedure = own
    union = unions.by_id(
        visit.session, proposal.contribution_id, row_number(str(visit.request.path_params["number"])) or 0
    )
    if union is None:
        visit.not_found()
    words, error, status = str(visit.form_data.get("words", "")) if visit.is_post else "", "", 200
    if visit.is_post:
        try:
            return _answer(visit, union, proposal.contribution_id, author, words)
        except Refusal as refusal:
            visit.session.rollback()
            error, status = visit.explain(refusal), STATUS.get(refusal.code, 422)
            again = _own(visit)
            assert again is not None
            author, proposal, _row, _procedure = again
            visit.session.refresh(union)
    is_owner = author.role == "owner" and author.state == "active"
    has_agreed = proposal.contribution_id in unions.agreed(visit.session, union)
    waits = union.state == UnionState.ASKED.value and is_owner and proposal.authoring == Authoring.OPEN.value
    content = _union_page(
        visit,
        union,
        (proposal.contribution_id,) if waits and not has_agreed else (),
        can_withdraw=waits and has_agreed,
        reader=proposal.contribution_id,
    )
    return visit.render(
        "proposals/union.html",
        content,
        error=error,
        words=words,
        status=status,
        back=visit.url("author_desk"),
        trail=(
            (visit.gettext("Start page"), visit.url("home")),
            (visit.gettext("Your proposal"), visit.url("author_desk")),
        ),
    )


def _answer(
    visit: Visit, union: Union, proposal_id: int, author: ProposalAuthor | None, words: str
) -> Response:
    """Do what the form says. Raises what `unions.decide` and `unions.withdraw` raise."""
    do = str(visit.form_data.get("do", ""))
    there = "author_desk" if author is not None else "proposal_desk"
    if do == "withdraw":
        unions.withdraw(visit.session, union, by=visit.by, author=author, now=visit.now)
        return visit.redirect(there, erledigt="nicht")
    decided = unions.decide(
        visit.session,
        union,
        proposal_id,
        agrees=do == "agree",
        words=words,
        by=visit.by,
        author=author,
        now=visit.now,
    )
    done = "vereint" if decided.state == UnionState.JOINED.value else "nicht" if do != "agree" else "gefragt"
    return visit.redirect(there, erledigt=done)


@page(
    "/verwaltung/vorschlaege/zusammenlegen/{number:int}",
    name="proposal_union",
    may=Permission.MODERATE,
    methods=("GET", "POST"),
)
def facilitate(visit: Visit) -> Response:
    """The same before the facilitator: while the owners answer, and once one was silent for too long."""
    number = row_number(str(visit.request.path_params["number"])) or 0
    union = unions.in_town(visit.session, visit.municipality_id, number)
    if union is None:
        visit.not_found()
    proposal_at_work(visit, Permission.MODERATE, union.into_id)
    words, error, status = str(visit.form_data.get("words", "")) if visit.is_post else "", "", 200
    if visit.is_post:
        try:
            about = row_number(str(visit.form_data.get("about", ""))) or union.into_id
            return _answer(visit, union, about, None, words)
        except Refusal as refusal:
            visit.session.rollback()
            error, status = visit.explain(refusal), STATUS.get(refusal.code, 422)
            visit.session.refresh(union)
    waits, late = union.state == UnionState.ASKED.value, union.owners_until < visit.today
    given = unions.agreed(visit.session, union)
    owed = tuple(
        each
        for each in (union.from_id, union.into_id)
        if waits
        and each not in given
        and (late or proposals.owner_of(proposals.authors_of(visit.session, each)) is None)
    )
    # What the town hall asked for it may take back; what an owner asked for, the owner.
    can_withdraw = waits and union.asked_for_id is None
    return visit.render(
        "proposals/union.html",
        _union_page(visit, union, owed, can_withdraw=can_withdraw, reader=None),
        error=error, words=words, status=status, back=visit.url("proposal_desk"),
        trail=(
            (visit.gettext("Administration"), visit.url("desk")),
            (visit.gettext("Moderation"), visit.url("moderation")),
            (visit.gettext("New versions of proposals"), visit.url("proposal_desk")),
        ),
    )  # fmt: skip


# --- begun by the facilitator ------------------------------------------------------------------------


class PairForm(Form):
    """Which one goes into which, by their reference numbers."""

    vorschlag = StringField(
        N_("Reference number of the proposal that goes into the other"),
        [InputRequired(N_("Please enter the reference number."))],
    )
    bleibt = StringField(
        N_("Reference number of the one that stays"),
        [InputRequired(N_("Please enter the reference number."))],
    )


@dataclass(frozen=True)
class BeginMergePage:
    """A merge that the facilitator begins. `alike`: proposals that resemble the one that was named: heading, reference and
    the address that chooses it as the one that stays; `ownerless`: the titles of those for which nobody can
    answer any more."""

    stays: TextShown | None
    goes: TextShown | None
    alike: tuple[tuple[str, str, str], ...]
    ownerless: tuple[str, ...]
    keys: tuple[str, ...]
    theirs: Mapping[str, str]


def _named(visit: Visit, typed: str) -> tuple[Procedure, Proposal, Contribution] | None:
    """The proposal with this reference that everybody can read and that this moderator facilitates; None for any other."""
    row = received.by_number(visit.session, visit.municipality_id, typed[: contributions.SHORT_LIMIT])
    proposal = proposals.by_contribution(visit.session, row.id or 0) if row is not None else None
    procedure = (
        procedures.by_id(visit.session, visit.municipality_id, row.procedure_id) if row is not None else None
    )
    if row is None or proposal is None or procedure is None or not proposal.is_listed:
        return None
    return (procedure, proposal, row) if visit.may(Permission.MODERATE, procedure) else None


@page(
    "/verwaltung/vorschlaege/zusammenlegen",
    name="proposal_merge",
    may=Permission.MODERATE,
    methods=("GET", "POST"),
)
def begin_merge(visit: Visit) -> Response:
    """The facilitator asks whether two proposals shall become one: which two, how the joint words read, and why. Both owners
    are asked; where one is silent for the days of the phase, the facilitator may answer for them."""
    asked = visit.request.query_params
    which = visit.form(PairForm, sent=FormData(dict(asked)) if asked else FormData())
    going = _named(visit, asked.get("vorschlag", "").strip())
    taking = _named(visit, asked.get("bleibt", "").strip())
    if asked.get("vorschlag") and going is None:
        visit.reject(which, Refusal(Code.UNION_SAME, "vorschlag"))
    if asked.get("bleibt") and (taking is None or (going is not None and _is_same(going, taking))):
        visit.reject(which, Refusal(Code.UNION_SAME, "bleibt"))
    if going is None or taking is None or which.errors:
        return _begun(visit, which, None, going=going, status=422 if which.errors else 200)
    stays = visit.session.get_one(Contribution, taking[1].contribution_id)
    shown = proposing.shown(visit.session, stays)
    base = proposals.version(visit.session, taking[1].contribution_id, shown.number or 0)
    if base is None:
        # The joint words would show the other owner what was blacked out.
        visit.reject(which, Refusal(Code.UNION_BLACKED_OUT, "bleibt"))
        return _begun(visit, which, None, going=going, status=422)
    kind, words, keys = _joint(visit, base)
    if not visit.is_post:
        form: Any = visit.form(kind, sent=FormData(), **words, base=str(base.number))
        return _begun(visit, which, form, going=going, taking=taking, keys=keys)
    form = visit.form(kind)
    if not form.validate():
        return _begun(visit, which, form, going=going, taking=taking, keys=keys, status=422)
    sent = row_number(str(form._fields["base"].data)) or base.number
    try:
        made = unions.ask(
            visit.session,
            UnionInput(
                going[1].contribution_id,
                taking[1].contribution_id,
                form.reason.data or "",
                {key: str(form._fields[key].data or "") for key in keys},
                sent if sent in shown.readable else base.number,
            ),
            by=visit.by,
            now=visit.now,
        )
    except Refusal as refusal:
        visit.reject(form, refusal)
        going, taking = _named(visit, asked["vorschlag"].strip()), _named(visit, asked["bleibt"].strip())
        status = STATUS.get(refusal.code, 422)
        return _begun(visit, which, form, going=going, taking=taking, keys=keys, status=status)
    return visit.redirect("proposal_union", number=made.id)


_Named = tuple[Procedure, Proposal, Contribution]


def _is_same(one: _Named, other: _Named) -> bool:
    return one[1].contribution_id == other[1].contribution_id or one[0].id != other[0].id


def _begun(
    visit: Visit,
    which: PairForm,
    form: Form | None,
    *,
    going: _Named | None = None,
    taking: _Named | None = None,
    keys: tuple[str, ...] = (),
    status: int = 200,
) -> Response:
    goes, stays = (
        _shown(visit, each[0], each[1].contribution_id) if each is not None else None
        for each in (going, taking)
    )
    alike: tuple[tuple[str, str, str], ...] = ()
    if going is not None and taking is None and goes is not None:
        key = going[0].id or 0
        found = proposal_lists.similar(visit.session, key, f"{goes.title}\n{goes.text}", limit=6)
        others = [each.proposal_id for each in found if each.proposal_id != going[1].contribution_id]
        alike = tuple(
            (
                entry.heading,
                entry.reference,
                visit.url("proposal_merge", vorschlag=goes.reference, bleibt=entry.reference),
            )
            for entry in published.by_ids(visit.session, key, others)
        )
    ownerless = tuple(
        shown.title
        for named, shown in ((going, goes), (taking, stays))
        if named is not None
        and shown is not None
        and form is not None
        and proposals.owner_of(proposals.authors_of(visit.session, named[1].contribution_id)) is None
    )
    theirs = _sections_of(visit, going[1].contribution_id, goes) if form and going else {}
    content = BeginMergePage(stays, goes, alike, ownerless, keys, theirs)
    return visit.render("proposals/begin_merge.html", content, which=which, form=form, status=status)


@dataclass(frozen=True)
class BeginDividePage:
    """The form of a part that the facilitator divides off. `reaches`: whether its author gets the receipt by mail or letter."""

    whole: TextShown
    keys: tuple[str, ...]
    action: str
    reaches: bool


@page(
    "/verwaltung/vorschlaege/teilen",
    name="proposal_divide",
    may=Permission.MODERATE,
    methods=("GET", "POST"),
)
def begin_divide(visit: Visit) -> Response:
    """The facilitator makes a part of a proposal (`vorschlag`: its reference) a proposal of its own: it belongs to the same
    author, who gets its receipt, and waits for a moderator like every other."""
    found = _named(visit, visit.request.query_params.get("vorschlag", "").strip())
    if found is None:
        return visit.redirect("proposal_desk", unbekannt=1)
    procedure, proposal, row = found
    key = proposal.contribution_id
    shown = proposing.shown(visit.session, row)
    base = proposals.version(visit.session, key, shown.number or 0) or proposals.newest(visit.session, key)
    sections, words = sections_form(visit, base, base.language)
    kind = type("DivideForm", (sections,), {"key": HiddenField()})
    keys = (TITLE, *(each for each in words if each != TITLE))
    owner = proposals.owner_of(proposals.authors_of(visit.session, key))
    contact = unions.contact_of_owner(visit.session, key)
    whole = _shown(visit, procedure, key)
    assert whole is not None
    content = BeginDividePage(
        whole,
        keys,
        visit.url("proposal_divide", vorschlag=row.reference),
        bool(contact.email or contact.street),
    )
    if not visit.is_post:
        form: Any = visit.form(kind, sent=FormData(), **{**words, TITLE: ""}, key=drafts.new_secret())
        return visit.render("proposals/begin_divide.html", content, form=form)
    form = visit.form(kind)
    if not form.validate():
        return visit.render("proposals/begin_divide.html", content, form=form, status=422)
    token = form.key.data if form.key.data and drafts.is_secret(form.key.data) else drafts.new_secret()
    typed = {each: str(form._fields[each].data or "") for each in keys}
    try:
        if not typed[TITLE].strip():
            raise Refusal(Code.SECTION_REQUIRED, TITLE)
        made = unions.divide(
            visit.session,
            key,
            Submission(
                kind=Kind.PROPOSAL,
                channel="web",
                key=drafts.key_of(token),
                title=typed[TITLE],
                passages=tuple(
                    Passage(each, heading_of(visit, base, each), text)
                    for each, text in typed.items()
                    if each != TITLE
                ),
                person=contact,
                pseudonym=owner.name if owner else "",
                language=base.language,
                wants_publication=True,
            ),
            procedure=procedure,
            by=visit.by,
            now=visit.now,
        )
    except Refusal as refusal:
        visit.reject(form, refusal)
        return visit.render(
            "proposals/begin_divide.html", content, form=form, status=STATUS.get(refusal.code, 422)
        )
    return visit.redirect("moderation_item", id=made.contribution_id)


# --- dividing --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class DividePage:
    """The form of the part that becomes a proposal of its own."""

    title: str
    reference: str
    hearing_title: str
    keys: tuple[str, ...]


@page("/mitschreiben/teilen", name="author_divide", may=Permission.TAKE_PART, methods=("GET", "POST"))
def divide_page(visit: Visit) -> Response:
    """Make a part of one's own proposal a proposal of its own: its title and its words, begun with those that stand."""
    own = _own(visit)
    if own is None:
        return visit.redirect("author_door")
    author, proposal, row, procedure = own
    newest = proposals.newest(visit.session, proposal.contribution_id)
    sections, words = sections_form(visit, newest, newest.language)
    kind = type("DivideForm", (sections,), {"key": HiddenField()})
    keys = (TITLE, *(key for key in words if key != TITLE))
    content = DividePage(
        words[TITLE] or row.reference, row.reference, localised(procedure, visit.language, "title"), keys
    )
    if not visit.is_post:
        # Its title is to be its own; the words begin as they stand, so that one only takes away.
        started = {**words, TITLE: ""}
        form: Any = visit.form(kind, sent=FormData(), **started, key=drafts.new_secret())
        return visit.render("proposals/divide.html", content, form=form)
    form = visit.form(kind)
    if not form.validate():
        return visit.render("proposals/divide.html", content, form=form, status=422)
    token = form.key.data if form.key.data and drafts.is_secret(form.key.data) else drafts.new_secret()
    typed = {key: str(form._fields[key].data or "") for key in keys}
    try:
        if not typed[TITLE].strip():
            raise Refusal(Code.SECTION_REQUIRED, TITLE)
        check_rate(visit.house.limiter, Action.SUBMIT, security.address_of(visit.request.scope))
        made = unions.divide(
            visit.session,
            proposal.contribution_id,
            Submission(
                kind=Kind.PROPOSAL,
                channel=channel_of(visit, procedure).key,
                key=drafts.key_of(token),
                title=typed[TITLE],
                passages=tuple(
                    Passage(key, heading_of(visit, newest, key), text)
                    for key, text in typed.items()
                    if key != TITLE
                ),
                pseudonym=author.name,
                language=newest.language,
                wants_publication=True,
            ),
            procedure=procedure,
            by=visit.by,
            author=author,
            now=visit.now,
        )
    except Refusal as refusal:
        visit.reject(form, refusal)
        return visit.render("proposals/divide.html", content, form=form, status=STATUS.get(refusal.code, 422))
    return to_receipt(visit, procedure, token, made.contribution_id)
