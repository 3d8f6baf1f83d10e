"""One proposal for everybody: its words, whose they are, how they came about, what others wish and say."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from starlette.responses import Response

from consultations import (
    amendments,
    channels,
    discussion,
    proposals,
    proposing,
    published,
    received,
    unions,
    wording,
)
from consultations.cocreation import Authoring, Opening, RelationKind
from consultations.contributions import Contribution
from consultations.permissions import Permission
from consultations.phases import phases_of
from consultations.procedures import Procedure, localised
from consultations.proposals import Proposal, ProposalVersion, VersionReason
from participation.pages.contributions_list import Card, cards_of, open_procedure
from participation.pages.proposal_talk import ArgumentsShown, SaidRow, arguments_of, said_rows, talk_of
from participation.pages.proposals_list import seed_of
from participation.pages.seen_through import Through, through_of
from participation.pages.support import COOKIE
from participation.pages.with_parts import Whole
from participation.search_words import STATES
from participation.web import Visit, page

#: Marks a message for the catalogues.
N_ = str

SECTIONS: Mapping[str, str] = {
    "title": N_("Title"),
    "what": N_("What is proposed?"),
    "why": N_("Why?"),
    "whom": N_("For whom?"),
    "cost": N_("What might it cost?"),
    "text": N_("Text"),
}
REASONS: Mapping[str, str] = {
    VersionReason.HANDED_IN.value: N_("as it was handed in"),
    VersionReason.EDIT.value: N_("changed by its authors"),
    VersionReason.AMENDMENT.value: N_("an amendment was taken in"),
    VersionReason.TRANSLATION.value: N_("translated"),
    VersionReason.MERGE.value: N_("several proposals became one"),
    VersionReason.SPLIT.value: N_("divided"),
    VersionReason.IMPORT.value: N_("taken over from another system"),
}
RELATIONS: Mapping[str, tuple[str, str]] = {
    RelationKind.DUPLICATE_OF.value: (N_("says the same as"), N_("is said as well by")),
    RelationKind.MERGED_INTO.value: (N_("went into"), N_("took in")),
    RelationKind.SPLIT_FROM.value: (N_("came out of"), N_("was divided into")),
    RelationKind.RESPONDS_TO.value: (N_("answers"), N_("is answered by")),
    RelationKind.PROMOTED_FROM.value: (N_("began as an amendment to"), N_("an amendment became")),
    RelationKind.IMPLEMENTS.value: (N_("carries out"), N_("is carried out by")),
}
AMENDED: Mapping[str, str] = {
    "proposed": N_("Waits for a decision"),
    "outdated": N_("Has to be renewed: the text has changed at the same place"),
    "not_renewed": N_("Was not renewed"),
    "accepted": N_("Taken in"),
    "accepted_changed": N_("Taken in, in other words"),
    "rejected": N_("Not taken in"),
    "promoted": N_("Became a proposal of its own"),
    "withdrawn": N_("Taken back by its author"),
    "not_decided": N_("Was not decided on"),
}


@dataclass(frozen=True)
class Passage:
    """A section as it is read. `stale`: it is older than the same section in the language it was written in."""

    heading: str
    text: str
    is_stale: bool = False


@dataclass(frozen=True)
class VersionRow:
    """A version that everybody may read."""

    number: int
    at: datetime
    why: str
    note: str
    receipt: str
    is_current: bool
    #: What changed since the readable version before; empty for the first.
    changes_url: str


@dataclass(frozen=True)
class AmendmentRow:
    """An amendment as it stands in the list of a proposal."""

    number: int
    reference: str
    author: str
    at: datetime
    sections: str
    reason: str
    state: str
    is_waiting: bool
    answer: str
    url: str


@dataclass(frozen=True)
class RelationRow:
    """Another proposal that this one belongs to."""

    words: str
    title: str
    url: str


@dataclass(frozen=True)
class ProposalPage:
    """One proposal."""

    id: int
    hearing_title: str
    slug: str
    card: Card
    language: str
    passages: tuple[Passage, ...]
    languages: tuple[tuple[str, str], ...]
    state: str
    is_open: bool
    #: Why nothing can be changed, in words; empty where it can.
    closed_words: str
    authors: tuple[str, ...]
    received_at: datetime
    channel: str
    versions: tuple[VersionRow, ...]
    amendments: tuple[AmendmentRow, ...]
    #: What was said beside the arguments, and how many comments there are with them.
    talk: tuple[SaidRow, ...]
    said: int
    #: Arguments for and against, as their authors marked them; None without any.
    arguments: ArgumentsShown | None
    comments_url: str
    relations: tuple[RelationRow, ...]
    pictures: tuple[tuple[str, str], ...]
    amend_url: str
    comment_url: str
    through: Through
    #: This visitor supports it.
    is_supported: bool
    list_url: str


CLOSED: Mapping[str, str] = {
    Authoring.LOCKED.value: N_("Its text is fixed while it is examined or voted on."),
    Authoring.WITHDRAWN.value: N_(
        "Its author no longer stands by it. It stays readable for those who supported it."
    ),
    Authoring.MERGED.value: N_("It has become part of another proposal."),
    Authoring.ARCHIVED.value: N_("It is kept for reading and takes nothing more in."),
}


def proposal_of(visit: Visit, procedure: Procedure) -> tuple[Proposal, Contribution]:
    """The proposal that the address names, if everybody may read it."""
    reference = str(visit.request.path_params["reference"])
    row = received.by_reference(visit.session, procedure, reference)
    proposal = proposals.by_contribution(visit.session, row.id or 0) if row is not None else None
    if row is None or proposal is None or not proposal.is_listed:
        visit.not_found()
    return proposal, row


@page(
    "/beteiligungen/{slug}/vorschlaege/{reference}",
    name="proposal",
    may=Permission.READ_PUBLIC,
    shared=True,
    dealt=True,
    own_cookie=COOKIE,
)
def proposal_page(visit: Visit) -> Response:
    """One proposal: its words, whose they are, how they came about, what others wish and say."""
    procedure = open_procedure(visit)
    proposal, row = proposal_of(visit, procedure)
    (entry,) = published.by_ids(visit.session, procedure.id or 0, [proposal.contribution_id])
    (card,) = cards_of(visit, Whole(procedure), [entry], to="proposal")
    shown = proposing.shown(visit.session, row)
    versions = [
        each
        for each in proposals.versions_of(visit.session, proposal.contribution_id)
        if each.number in shown.readable
    ]
    current = next((each for each in versions if each.number == shown.number), None)
    authors = proposals.authors_of(visit.session, proposal.contribution_id)
    phases = phases_of(visit.session, procedure.id or 0)
    here = {"slug": procedure.slug, "reference": row.reference}

    def opens(opening: Opening) -> bool:
        return proposing.phase_that_opens(phases, opening, visit.now) is not None

    is_open = proposal.authoring == Authoring.OPEN.value
    about = talk_of(visit, proposal, phases)
    arguments = arguments_of(visit, procedure, proposal, row.reference, about)
    talk, said = discussion.talk(
        visit.session,
        proposal.contribution_id,
        seed=seed_of(visit),
        # What stands among the arguments is not said twice.
        without=arguments.ids if arguments else (),
    )
    wanted = visit.request.query_params.get("fassung-in", "")
    language = wanted if current is not None and wanted in current.texts else (current or row).language
    files, _ = published.enclosures(visit.session, proposal.contribution_id)
    described = {
        file.position: file.description
        for file in received.attachments_of(visit.session, proposal.contribution_id)
    }
    return visit.render(
        "proposals/proposal.html",
        ProposalPage(
            id=proposal.contribution_id,
            hearing_title=localised(procedure, visit.language, "title"),
            slug=procedure.slug,
            card=card,
            language=language,
            passages=_passages(visit, current, language, entry.text),
            languages=tuple(
                (name, visit.url("proposal", **here, **{"fassung-in": name}))
                for name in (current.texts if current is not None else ())
                if name != language
            ),
            state=visit.gettext(STATES[proposal.authoring]),
            is_open=is_open,
            closed_words=visit.gettext(CLOSED[proposal.authoring]) if not is_open else "",
            # What was blacked out takes the names that were typed with it.
            authors=() if entry.is_redacted else proposing.public_names(visit.session, authors),
            received_at=row.received_at,
            channel=visit.gettext(channels.by_key(row.channel).label),
            versions=_versions(
                visit,
                versions,
                shown.number,
                here,
                amendments.blacked_out(visit.session, row.id or 0),
                unions.public_reasons(visit.session, proposal.contribution_id),
            ),
            amendments=_amendments(visit, proposal, current, here),
            talk=said_rows(visit, procedure, row.reference, talk, about),
            said=said,
            arguments=arguments,
            is_supported=None in about.own,
            comments_url=visit.url("proposal_comments", **here),
            relations=_relations(visit, procedure, proposal),
            pictures=tuple(
                (
                    visit.url("published_file", **here, position=file.position),
                    described.get(file.position, ""),
                )
                for file in files
                if file.media_type.startswith("image/")
            ),
            amend_url=(
                visit.url("proposal_amend", **here)
                if is_open and current is not None and opens(Opening.AMEND)
                else ""
            ),
            comment_url=(visit.url("proposal_comment", **here) if opens(Opening.COMMENT) else ""),
            through=through_of(visit, procedure, proposal, row.reference),
            list_url=visit.url("proposals", slug=procedure.slug),
        ),
    )


def heading_of(visit: Visit, version: ProposalVersion | None, key: str) -> str:
    """What a section is called: as its field was, or as it is called everywhere."""
    named = {each[0]: each[1] for each in version.headings} if version is not None else {}
    return named.get(key) or (visit.gettext(SECTIONS[key]) if key in SECTIONS else key)


def _passages(
    visit: Visit, version: ProposalVersion | None, language: str, as_shown: str
) -> tuple[Passage, ...]:
    """The sections that everybody may read; one without a heading where words are blacked out."""
    if version is None:
        return (Passage("", as_shown),)
    passages = [
        each for each in wording.passages_of(version.texts, language, version.headings) if each.text.strip()
    ]
    alone = len(passages) == 1
    return tuple(
        Passage(
            "" if alone else heading_of(visit, version, each.key),
            each.text,
            f"{language}/{each.key}" in version.stale,
        )
        for each in passages
    )


def _versions(
    visit: Visit,
    versions: Sequence[ProposalVersion],
    current: int | None,
    here: Mapping[str, str],
    blacked_out: Collection[int | None],
    merged: Mapping[int, str],
) -> tuple[VersionRow, ...]:
    """How it came about; the reason of an amendment goes with what was blacked out in it, that of a merge (`merged`) as a
    moderator keeps it back."""
    rows = []
    before: ProposalVersion | None = None
    for each in versions:
        changes = (
            visit.url("proposal_changes", **here, earlier=before.number, later=each.number) if before else ""
        )
        rows.append(
            VersionRow(
                each.number,
                each.made_at,
                visit.gettext(REASONS[each.reason]),
                public_note(each, blacked_out, merged),
                each.receipt,
                each.number == current,
                changes,
            )
        )
        before = each
    return tuple(reversed(rows))


def public_note(
    version: ProposalVersion, blacked_out: Collection[int | None], merged: Mapping[int, str]
) -> str:
    """Why this version came about, as far as everybody may read it today."""
    if version.reason == VersionReason.MERGE.value:
        return merged.get(version.number, "")
    return "" if version.amendment_id in blacked_out else version.note


def _amendments(
    visit: Visit, proposal: Proposal, version: ProposalVersion | None, here: Mapping[str, str]
) -> tuple[AmendmentRow, ...]:
    rows = []
    for amendment, handed_in in amendments.of_proposal(visit.session, proposal.contribution_id):
        state = amendments.standing(amendment, proposal, visit.now)
        hides = handed_in.redaction_id is not None
        rows.append(
            AmendmentRow(
                amendment.id or 0,
                handed_in.reference,
                "" if hides else handed_in.pseudonym,
                handed_in.received_at,
                ", ".join(heading_of(visit, version, each["section"]) for each in amendment.patches),
                "" if hides else amendment.reason,
                visit.gettext(AMENDED[state]),
                state in ("proposed", "outdated"),
                amendments.public_answer(amendment),
                "" if hides else visit.url("proposal_amendment", **here, number=amendment.id),
            )
        )
    return tuple(rows)


def _relations(visit: Visit, procedure: Procedure, proposal: Proposal) -> tuple[RelationRow, ...]:
    rows = proposals.relations_of(visit.session, proposal.contribution_id)
    others = {row.to_id if row.from_id == proposal.contribution_id else row.from_id for row in rows}
    entries = {each.id: each for each in published.by_ids(visit.session, procedure.id or 0, sorted(others))}
    found = []
    for row in rows:
        forwards = row.from_id == proposal.contribution_id
        entry = entries.get(row.to_id if forwards else row.from_id)
        if entry is not None:
            words = RELATIONS[row.kind][0 if forwards else 1]
            address = visit.url("proposal", slug=procedure.slug, reference=entry.reference)
            found.append(RelationRow(visit.gettext(words), entry.heading, address))
    return tuple(found)
