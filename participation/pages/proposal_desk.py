"""Proposals at the moderator's desk: later versions before others read them, and amendments whose owner was silent."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from starlette.responses import Response
from wtforms import Form, HiddenField, RadioField, SelectField, TextAreaField
from wtforms.fields import SelectChoice
from wtforms.validators import InputRequired, Length, Optional

from consultations import (
    amendments,
    permissions,
    procedures,
    proposals,
    proposing,
    received,
    rewording,
    side_words,
    unions,
    wording,
)
from consultations.amendments import Amendment
from consultations.comparison import Part
from consultations.contributions import Contribution
from consultations.moderation import Action, Decision, Reason
from consultations.permissions import Permission
from consultations.proposals import Proposal, ProposalVersion, WordsState
from consultations.refusals import Code, Refusal
from consultations.side_words import Beside
from consultations.text import excerpt
from participation.messages import STATUS
from participation.pages.moderation import REASONS
from participation.pages.proposal_amendments import decide, decide_page
from participation.pages.proposal_changes import ChangedSection, Held, changed_sections, numbered
from participation.pages.proposals import REASONS as WHY
from participation.web import Visit, page, row_number

#: Marks a message for the catalogues.
N_ = str


@dataclass(frozen=True)
class VersionItem:
    """A later version that waits."""

    title: str
    reference: str
    number: int
    at: datetime
    url: str


@dataclass(frozen=True)
class AmendmentItem:
    """An amendment whose owner was silent."""

    reference: str
    until: date
    url: str


@dataclass(frozen=True)
class DeskPage:
    """What waits."""

    versions: tuple[VersionItem, ...]
    older: str
    #: Comments that their authors have written anew, and the address of further ones.
    comments: tuple[VersionItem, ...]
    more_comments: str
    amendments: tuple[AmendmentItem, ...]
    #: Wishes to merge whose owners were silent, and those of the town hall that the owners have time for.
    unions: tuple[AmendmentItem, ...]
    asked: tuple[AmendmentItem, ...]
    #: Whether somebody came here by a reference number that no proposal has.
    is_unknown: bool
    #: Proposals beside which names, answers or wishes wait: reference and address; and the address of further ones.
    words: tuple[tuple[str, str], ...]
    more_words: str


@page("/verwaltung/vorschlaege", name="proposal_desk", may=Permission.MODERATE)
def desk(visit: Visit) -> Response:
    """Later versions that nobody has read yet, oldest first, and amendments that the facilitator decides on."""
    places = permissions.reach(visit.by, Permission.MODERATE, visit.municipality_id)
    after = row_number(visit.request.query_params.get("nach")) or 0
    found = proposing.waiting_versions(
        visit.session, visit.municipality_id, procedure_ids=places, after_id=after, limit=26
    )
    reworded = rewording.waiting(
        visit.session,
        visit.municipality_id,
        procedure_ids=places,
        after_id=row_number(visit.request.query_params.get("kommentar")) or 0,
        limit=26,
    )
    waiting = amendments.waiting_for_facilitator(
        visit.session, visit.municipality_id, by=visit.by, now=visit.now
    )
    joining = unions.waiting_for_facilitator(visit.session, visit.municipality_id, by=visit.by, now=visit.now)
    asked = unions.asked_by_facilitator(visit.session, visit.municipality_id, by=visit.by, now=visit.now)
    beside = side_words.waiting(
        visit.session,
        visit.municipality_id,
        places,
        after_id=row_number(visit.request.query_params.get("worte")) or 0,
        limit=26,
    )
    references = received.references(
        visit.session,
        [
            *beside,
            *(each.contribution_id for each, _ in waiting),
            *(key for each in (*joining, *asked) for key in (each.from_id, each.into_id)),
        ],
    )
    return visit.render(
        "proposals/moderation.html",
        DeskPage(
            tuple(
                VersionItem(
                    proposing.composed(version)[0] or row.reference,
                    row.reference,
                    version.number,
                    version.made_at,
                    visit.url("proposal_version", id=row.id),
                )
                for row, version in found[:25]
            ),
            visit.url("proposal_desk", nach=found[24][1].id) if len(found) > 25 else "",
            tuple(
                VersionItem(
                    excerpt(made.text, 90),
                    row.reference,
                    made.number,
                    made.made_at,
                    visit.url("comment_version", id=row.id),
                )
                for row, made in reworded[:25]
            ),
            visit.url("proposal_desk", kommentar=reworded[24][1].id) if len(reworded) > 25 else "",
            tuple(
                AmendmentItem(
                    references[each.contribution_id],
                    each.owner_until,
                    visit.url("proposal_facilitate", id=each.contribution_id),
                )
                for each, _ in waiting
            ),
            tuple(
                AmendmentItem(
                    f"{references[each.from_id]} → {references[each.into_id]}",
                    each.owners_until,
                    visit.url("proposal_union", number=each.id),
                )
                for each in joining
            ),
            tuple(
                AmendmentItem(
                    f"{references[each.from_id]} → {references[each.into_id]}",
                    each.owners_until,
                    visit.url("proposal_union", number=each.id),
                )
                for each in asked
            ),
            "unbekannt" in visit.request.query_params,
            tuple((references[each], visit.url("proposal_words", id=each)) for each in beside[:25]),
            visit.url("proposal_desk", worte=beside[24]) if len(beside) > 25 else "",
        ),
    )


@dataclass(frozen=True)
class WordsRow:
    """Words beside a proposal. `about`: what the form sends to say which they are."""

    about: str
    kind: str
    words: str
    state: str
    tag: str
    can_show: bool
    can_withhold: bool


@dataclass(frozen=True)
class WordsPage:
    """Names and answers beside one proposal."""

    reference: str
    title: str
    rows: tuple[WordsRow, ...]
    reasons: tuple[tuple[str, str], ...]


BESIDE = {
    Beside.NAME: N_("Name of a co-author"),
    Beside.ANSWER: N_("Answer to an amendment"),
    Beside.WISH: N_("Wish to merge it with another, and the joint words"),
    Beside.REFUSAL: N_("Why a merge is refused"),
}
WORDS_STATES = {
    WordsState.WAITING: (N_("Waits to be read"), "waiting"),
    WordsState.SHOWN: (N_("Others read it"), "done"),
    WordsState.WITHHELD: (N_("Kept from the public"), "closed"),
}


@page(
    "/verwaltung/vorschlaege/{id:int}/worte",
    name="proposal_words",
    may=Permission.MODERATE,
    methods=("GET", "POST"),
)
def words_page(visit: Visit) -> Response:
    """Names of co-authors and answers to amendments beside a proposal: show them or not; each can be turned round."""
    row, proposal = _load(visit)
    error, status = "", 200
    if visit.is_post:
        kind, _, key = str(visit.form_data.get("about", "")).partition(":")
        why = str(visit.form_data.get("reason", ""))
        if kind not in set(Beside):
            return visit.redirect("proposal_words", id=row.id)
        try:
            side_words.decide(
                visit.session,
                proposal,
                Beside(kind),
                row_number(key) or 0,
                shows=visit.form_data.get("do") == "show",
                seen=str(visit.form_data.get("seen", "")).replace("\r\n", "\n"),
                reason=Reason(why) if why in set(Reason) else None,
                by=visit.by,
                now=visit.now,
            )
        except Refusal as refusal:
            if refusal.code is Code.NOT_FOUND:
                raise
            visit.session.rollback()
            error, status = visit.explain(refusal), STATUS.get(refusal.code, 422)
            row, proposal = _load(visit)
        else:
            return visit.redirect("proposal_words", id=row.id, gespeichert=1)
    found = side_words.beside(visit.session, proposal.contribution_id)
    content = WordsPage(
        row.reference,
        proposing.composed(proposals.newest(visit.session, proposal.contribution_id))[0] or row.reference,
        tuple(
            WordsRow(
                f"{each.kind.value}:{each.key}",
                visit.gettext(BESIDE[each.kind]),
                each.words,
                visit.gettext(WORDS_STATES[each.state][0]),
                WORDS_STATES[each.state][1],
                each.state is not WordsState.SHOWN,
                each.state is not WordsState.WITHHELD,
            )
            for each in found
        ),
        tuple((each.value, visit.gettext(name)) for each, name in REASONS.items()),
    )
    return visit.render("proposals/words.html", content, error=error, status=status)


class VersionForm(Form):
    """What a moderator decides on a later version."""

    seen = HiddenField()
    number = HiddenField()
    action = RadioField(
        N_("May others read this version?"),
        [InputRequired(N_("Please choose one."))],
        choices=[
            SelectChoice(Action.PUBLISH.value, N_("Yes, show it")),
            SelectChoice(Action.RETURN.value, N_("No, give it back to its authors")),
        ],
    )
    reason = SelectField(
        N_("Reason"),
        [Optional()],
        choices=[
            SelectChoice("", N_("Please choose")),
            *(SelectChoice(each.value, name) for each, name in REASONS.items()),
        ],
    )
    explanation = TextAreaField(N_("A word to the person who wrote it"), [Length(max=proposing.NOTE_LIMIT)])


@dataclass(frozen=True)
class VersionPage:
    """A later version before a moderator."""

    title: str
    reference: str
    number: int
    #: What it is held against, in a sentence.
    lead: str
    why: str
    note: str
    at: datetime
    sections: tuple[ChangedSection, ...]
    language: str
    earlier: str
    later: str
    side_by_side: bool
    other_view_url: str
    is_decided: bool
    action: str
    parts: type[Part] = Part


@page(
    "/verwaltung/vorschlaege/{id:int}",
    name="proposal_version",
    may=Permission.MODERATE,
    methods=("GET", "POST"),
)
def version_page(visit: Visit) -> Response:
    """The newest version of a proposal, held against what everybody reads; show it or give it back."""
    row, proposal = _load(visit)
    newest = proposals.newest(visit.session, proposal.contribution_id)
    form = visit.form(VersionForm, seen=str(row.decisions), number=str(newest.number))
    if not visit.is_post:
        return _show(visit, row, proposal, newest, form)
    if not form.validate():
        return _show(visit, row, proposal, newest, form, status=422)
    wanted = proposals.version(visit.session, proposal.contribution_id, row_number(form.number.data) or 0)
    if wanted is None:
        visit.not_found()
    try:
        decided(visit, form, row, wanted, show=proposing.show, give_back=proposing.return_version)
    except Refusal as refusal:
        visit.reject(form, refusal)
        row, proposal = _load(visit)
        newest = proposals.newest(visit.session, proposal.contribution_id)
        return _show(visit, row, proposal, newest, form, status=STATUS.get(refusal.code, 422))
    return visit.redirect("proposal_desk", gespeichert=1)


def decided(
    visit: Visit,
    form: VersionForm,
    row: Contribution,
    wanted: object,
    *,
    show: Callable[..., object],
    give_back: Callable[..., object],
) -> None:
    """Do what a moderator chose for a version of a proposal or a comment. Raises what `show` and `give_back` raise."""
    told: dict[str, Any] = {
        "by": visit.by,
        "now": visit.now,
        "expected_decisions": row_number(form.seen.data or ""),
    }
    words = form.explanation.data or ""
    if form.action.data == Action.PUBLISH.value:
        show(visit.session, row, wanted, explanation=words, **told)
        return
    reason = Reason(form.reason.data) if form.reason.data else None
    give_back(visit.session, row, wanted, Decision(Action.RETURN, reason, words), **told)


def before_moderator(
    visit: Visit,
    row: Contribution,
    held: Held,
    form: VersionForm,
    *,
    number: int,
    lead: str,
    title: str,
    why: str,
    note: str,
    at: datetime,
    is_decided: bool,
    status: int,
) -> Response:
    """The page on which a moderator decides on version `number` of a proposal or a comment."""
    sections, _, _ = changed_sections(visit, held.version, held.before, held.after)
    side_by_side, other_view_url = visit.two_columns
    content = VersionPage(
        title=title,
        reference=row.reference,
        number=number,
        lead=lead,
        why=why,
        note=note,
        at=at,
        sections=sections,
        language=held.language,
        earlier=held.earlier,
        later=held.later,
        side_by_side=side_by_side,
        other_view_url=other_view_url,
        is_decided=is_decided,
        action=visit.url(visit.request.scope["route_name"], id=row.id),
    )
    return visit.render("proposals/version.html", content, form=form, status=status)


def _load(visit: Visit) -> tuple[Contribution, Proposal]:
    row = received.by_id(visit.session, visit.municipality_id, int(visit.request.path_params["id"]))
    if row is None:
        visit.not_found()
    visit.require(
        Permission.MODERATE, procedures.by_id(visit.session, visit.municipality_id, row.procedure_id)
    )
    proposal = proposals.by_contribution(visit.session, row.id or 0)
    if proposal is None:
        visit.not_found()
    return row, proposal


@dataclass(frozen=True)
class ReadNow:
    """What everybody reads now, for a moderator to hold a new version against. `number`: of the version that is read in
    full; None: `title` and `text` stand instead, with words blacked out, or empty where nothing is read."""

    number: int | None
    title: str
    text: str
    lead: str
    name: str


def read_now(visit: Visit, row: Contribution, later: int) -> ReadNow:
    """What everybody reads of a proposal or a comment whose version `later` a moderator has before them. What was blacked
    out or kept back must look new there: nobody reads it, and showing the new version would show it."""
    number = proposing.shown(visit.session, row).number
    if number is not None:
        lead = visit.gettext(
            "Version %(later)s, held against version %(earlier)s that others read.",
            later=later,
            earlier=number,
        )
        return ReadNow(number, "", "", lead, visit.gettext("Version %(number)s", number=number))
    title, text = proposing.public_words(visit.session, row)
    if title or text:
        lead = visit.gettext(
            "Version %(later)s, held against what others read: words are blacked out there. What you show now can be read "
            "in full.",
            later=later,
        )
    else:
        lead = visit.gettext("Version %(later)s, all of it: others read nothing of this so far.", later=later)
    return ReadNow(None, title, text, lead, visit.gettext("What others read"))


def _show(
    visit: Visit,
    row: Contribution,
    proposal: Proposal,
    newest: ProposalVersion,
    form: VersionForm,
    *,
    status: int = 200,
) -> Response:
    shown = proposing.shown(visit.session, row)
    now = read_now(visit, row, newest.number)
    if now.number is None:
        # What is left of a blacked-out text has no sections; every other language is read as new.
        before = wording.whole_text(now.title, now.text, newest.language)
        after = {**newest.texts, **wording.whole_text(*proposing.composed(newest), newest.language)}
    else:
        earlier = proposals.version(visit.session, proposal.contribution_id, now.number) or newest
        before, after = earlier.texts, newest.texts
    held = Held(now.name, numbered(visit, newest.number), before, after, newest.language, newest)
    return before_moderator(
        visit,
        row,
        held,
        form,
        number=newest.number,
        lead=now.lead,
        title=proposing.composed(newest)[0] or row.reference,
        why=visit.gettext(WHY[newest.reason]),
        note=newest.note,
        at=newest.made_at,
        is_decided=newest.number == 1 or newest.number == shown.number,
        status=status,
    )


@page(
    "/verwaltung/vorschlaege/aenderungen/{id:int}",
    name="proposal_facilitate",
    may=Permission.MODERATE,
    methods=("GET", "POST"),
)
def facilitate(visit: Visit) -> Response:
    """An amendment whose owner was silent, before the facilitator."""
    row = received.by_id(visit.session, visit.municipality_id, int(visit.request.path_params["id"]))
    if row is None:
        visit.not_found()
    visit.require(
        Permission.MODERATE, procedures.by_id(visit.session, visit.municipality_id, row.procedure_id)
    )
    amendment: Amendment | None = amendments.by_contribution(visit.session, row.id or 0)
    if amendment is None:
        visit.not_found()
    error, words = "", str(visit.form_data.get("words", "")) if visit.is_post else ""
    if visit.is_post:
        try:
            return decide(visit, amendment, None, words)
        except Refusal as refusal:
            visit.session.rollback()
            error = visit.explain(refusal)
            amendment = amendments.by_contribution(visit.session, int(visit.request.path_params["id"]))
            assert amendment is not None
    return visit.render(
        "proposals/decide.html", decide_page(visit, amendment), error=error, words=words,
        status=422 if error else 200, action=visit.url("proposal_facilitate", id=visit.request.path_params["id"]),
        back=visit.url("proposal_desk"),
    )  # fmt: skip
