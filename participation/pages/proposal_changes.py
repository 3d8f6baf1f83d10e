"""What changed, word by word: between two versions of a proposal, or as an amendment wishes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from starlette.responses import Response

from consultations import (
    amendments,
    proposals,
    proposing,
    unions,
    wording,
)
from consultations.cocreation import TITLE
from consultations.comparison import Part, Place, TooLong, compare
from consultations.permissions import Permission
from consultations.procedures import Procedure, localised
from consultations.proposals import ProposalVersion, VersionReason
from participation.pages.contributions_list import open_procedure
from participation.pages.proposals import AMENDED, heading_of, proposal_of, public_note
from participation.web import Visit, page, row_number


@dataclass(frozen=True)
class ChangedSection:
    """A section that reads differently, with its changed places."""

    heading: str
    places: tuple[Place, ...]
    skipped: int
    #: Too long to be compared word by word: that it changed is said all the same.
    is_too_long: bool = False


@dataclass(frozen=True)
class ChangesPage:
    """What changed between two versions, or what an amendment wishes."""

    title: str
    hearing_title: str
    hearing_url: str
    proposal_title: str
    proposal_url: str
    lead: str
    earlier: str
    later: str
    language: str
    sections: tuple[ChangedSection, ...]
    added: int
    removed: int
    side_by_side: bool
    other_view_url: str
    facts: tuple[tuple[str, str], ...] = ()
    parts: type[Part] = Part


def changed_sections(
    visit: Visit,
    version: ProposalVersion | None,
    before: Mapping[str, Mapping[str, str]],
    after: Mapping[str, Mapping[str, str]],
) -> tuple[tuple[ChangedSection, ...], int, int]:
    """The sections that differ, each word by word, and how many words were put in and taken out."""
    sections, added, removed = [], 0, 0
    several = len({*before, *after}) > 1
    for place in wording.changed(before, after):
        language, _, key = place.partition("/")
        heading = heading_of(visit, version, key)
        try:
            found = compare(before.get(language, {}).get(key, ""), after.get(language, {}).get(key, ""))
        except TooLong:
            sections.append(ChangedSection(f"{heading} ({language})" if several else heading, (), 0, True))
            continue
        sections.append(
            ChangedSection(f"{heading} ({language})" if several else heading, found.places, found.skipped)
        )
        added, removed = added + found.words_added, removed + found.words_removed
    return tuple(sections), added, removed


@dataclass(frozen=True)
class Held:
    """Two wordings held against each other: what they are called, and their texts by language and section."""

    earlier: str
    later: str
    before: Mapping[str, Mapping[str, str]]
    after: Mapping[str, Mapping[str, str]]
    language: str
    #: Whose fields name the sections; None where there is one text alone.
    version: ProposalVersion | None = None


def numbered(visit: Visit, number: int) -> str:
    """What a version is called."""
    return visit.gettext("Version %(number)s", number=number)


def show_changes(
    visit: Visit,
    procedure: Procedure,
    reference: str,
    held: Held,
    *,
    title: str,
    proposal_title: str,
    lead: str,
    facts: Sequence[tuple[str, str]],
) -> Response:
    """The page of what changed in the proposal `reference` or in a comment on it; facts without a value are left out."""
    sections, added, removed = changed_sections(visit, held.version, held.before, held.after)
    side_by_side, other_view_url = visit.two_columns
    return visit.render(
        "proposals/changes.html",
        ChangesPage(
            title=title,
            hearing_title=localised(procedure, visit.language, "title"),
            hearing_url=visit.url("hearing", slug=procedure.slug),
            proposal_title=proposal_title,
            proposal_url=visit.url("proposal", slug=procedure.slug, reference=reference),
            lead=lead,
            earlier=held.earlier,
            later=held.later,
            language=held.language,
            sections=sections,
            added=added,
            removed=removed,
            side_by_side=side_by_side,
            other_view_url=other_view_url,
            facts=tuple((label, value) for label, value in facts if value),
        ),
    )


def compared(visit: Visit, earlier: int, later: int) -> str:
    """Which versions a page holds against each other, in a sentence."""
    return visit.gettext("Version %(earlier)s compared with version %(later)s.", earlier=earlier, later=later)


@page(
    "/beteiligungen/{slug}/vorschlaege/{reference}/fassungen/{earlier:int}/{later:int}",
    name="proposal_changes",
    may=Permission.READ_PUBLIC,
    shared=True,
)
def changes_page(visit: Visit) -> Response:
    """What changed from one version to another: as one text, or side by side (`ansicht=nebeneinander`)."""
    procedure = open_procedure(visit)
    proposal, row = proposal_of(visit, procedure)
    numbers = visit.request.path_params
    readable = proposing.shown(visit.session, row).readable
    sides = [
        proposals.version(visit.session, proposal.contribution_id, numbers[name])
        for name in ("earlier", "later")
        if numbers[name] in readable
    ]
    earlier, later = sides if len(sides) == 2 else (None, None)
    if earlier is None or later is None:
        visit.not_found()
    title = proposing.composed(later)[0] or row.reference
    hidden = amendments.blacked_out(visit.session, row.id or 0) if later.amendment_id is not None else ()
    is_merged = later.reason == VersionReason.MERGE.value
    merged = unions.public_reasons(visit.session, row.id or 0) if is_merged else {}
    return show_changes(
        visit,
        procedure,
        row.reference,
        Held(
            numbered(visit, earlier.number),
            numbered(visit, later.number),
            earlier.texts,
            later.texts,
            later.language,
            later,
        ),
        title=visit.gettext("What changed: %(title)s", title=title),
        proposal_title=title,
        lead=compared(visit, earlier.number, later.number),
        facts=((visit.gettext("Why"), public_note(later, hidden, merged)),),
    )


@page(
    "/beteiligungen/{slug}/vorschlaege/{reference}/aenderungen/{number:int}",
    name="proposal_amendment",
    may=Permission.READ_PUBLIC,
)
def amendment_page(visit: Visit) -> Response:
    """What an amendment wishes, held against the version that it was written for, and what became of it."""
    procedure = open_procedure(visit)
    proposal, row = proposal_of(visit, procedure)
    wanted = row_number(str(visit.request.path_params["number"])) or 0
    pairs = {
        each.id: (each, handed_in)
        for each, handed_in in amendments.of_proposal(visit.session, proposal.contribution_id)
    }
    if wanted not in pairs or pairs[wanted][1].redaction_id is not None:
        visit.not_found()
    amendment, handed_in = pairs[wanted]
    if amendment.base_number not in proposing.shown(visit.session, row).readable:
        visit.not_found()
    base = proposals.version(visit.session, proposal.contribution_id, amendment.base_number)
    assert base is not None
    wished = {language: dict(words) for language, words in base.texts.items()}
    for patch in amendments.patches_in(amendment):
        wished.setdefault(patch.language, {})[patch.section] = patch.text
    state = amendments.standing(amendment, proposal, visit.now)
    return show_changes(
        visit,
        procedure,
        row.reference,
        Held(
            numbered(visit, base.number),
            visit.gettext("As the amendment wishes it"),
            base.texts,
            wished,
            base.language,
            base,
        ),
        title=visit.gettext("Amendment %(reference)s", reference=handed_in.reference),
        proposal_title=base.texts.get(base.language, {}).get(TITLE, "") or row.reference,
        lead=visit.gettext("What it wishes, held against version %(number)s.", number=base.number),
        facts=(
            (visit.gettext("From"), handed_in.pseudonym),
            (visit.gettext("Why"), amendment.reason),
            (visit.gettext("State"), visit.gettext(AMENDED[state])),
            (visit.gettext("Answer"), amendments.public_answer(amendment)),
        ),
    )
