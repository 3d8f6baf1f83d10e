"""What was said about a proposal, as everybody reads it: comments with their answers, arguments side by side."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from consultations import (
    discussion,
    proposing,
    published,
    rewording,
    support,
)
from consultations.cocreation import Authoring, Opening
from consultations.contributions import Contribution
from consultations.phases import Phase
from consultations.procedures import Procedure
from consultations.proposals import Proposal
from participation.pages.proposals_list import seed_of
from participation.pages.support import own_of
from participation.web import Visit

#: Marks a message for the catalogues.
N_ = str


STANCES: Mapping[str, str] = {
    "for": N_("For it"),
    "against": N_("Against it"),
    "question": N_("Question"),
    "remark": N_("Remark"),
}


@dataclass(frozen=True)
class Changed:
    """That an author wrote a comment anew: since when it reads so, what changed in words (empty where words of the earlier
    wording were blacked out), and how many answers are older."""

    at: datetime
    url: str
    older_answers: int = 0


@dataclass(frozen=True)
class AnswerRow:
    """An answer to a comment."""

    author: str
    text: str
    #: The language it was written in.
    language: str
    changed: Changed | None


@dataclass(frozen=True)
class SaidRow:
    """A comment with the answers to it."""

    reference: str
    stance: str
    is_for: bool
    text: str
    #: The language it was written in.
    language: str
    author: str
    url: str
    answer_url: str
    answers: tuple[AnswerRow, ...]
    changed: Changed | None
    #: How many find it a good argument (None: hidden, or no argument), and where to say so.
    marks: int | None = None
    mark_url: str = ""
    #: This visitor finds it a good argument.
    is_own_mark: bool = False


@dataclass(frozen=True)
class SideShown:
    """Arguments for or against: how many there are, and where all of them stand."""

    key: str
    name: str
    total: int
    url: str


@dataclass(frozen=True)
class ArgumentsShown:
    """For and against beside each other, one of each in turn, so that on a narrow screen neither stands before the other.

    `rows`: the key of the side, and the argument. `by_marks`: whether those stand first that most find good.
    """

    sides: tuple[SideShown, SideShown]
    rows: tuple[tuple[str, SaidRow], ...]
    by_marks: bool
    #: The comments that these are.
    ids: frozenset[int]


#: Arguments of each side on the proposal's own page.
ARGUMENTS = 3


@dataclass(frozen=True)
class Talk:
    """What is so of the whole talk about a proposal: whether it goes on, and how many find which argument good (by the
    comment's id; None while the phase hides numbers)."""

    is_open: bool
    marks: Mapping[int, int] | None
    #: What of it this visitor stands by, see `support.own_of`.
    own: frozenset[int | None] = frozenset()


def talk_of(visit: Visit, proposal: Proposal, phases: Sequence[Phase]) -> Talk:
    """How the talk about a proposal stands. At most two queries."""
    is_open = proposing.phase_that_opens(phases, Opening.COMMENT, visit.now) is not None
    running = next(
        (
            found
            for opening in (Opening.SUPPORT, Opening.COMMENT)
            if (found := proposing.phase_that_opens(phases, opening, visit.now)) is not None
        ),
        None,
    )
    handed_in = next((phase for phase in phases if phase.id == proposal.phase_id), None)
    shows = support.shows_counts(running or handed_in, now=visit.now, is_opened=True)
    is_open = is_open and proposal.authoring in (Authoring.OPEN.value, Authoring.LOCKED.value)
    key = proposal.contribution_id
    return Talk(is_open, support.marked(visit.session, key) if shows else None, own_of(visit, key))


def said_rows(
    visit: Visit, procedure: Procedure, reference: str, talk: Sequence[discussion.Said], about: Talk
) -> tuple[SaidRow, ...]:
    """Comments on the proposal `reference` with their answers as everybody may read them; a constant number of queries."""
    ids = [row.id or 0 for each in talk for row in (each.contribution, *each.answers)]
    entries = {entry.id: entry for entry in published.by_ids(visit.session, procedure.id or 0, ids)}
    changes = rewording.changes(
        visit.session, {entry.id: entry.version for entry in entries.values() if entry.version is not None}
    )

    def changed(row: Contribution, answers: Sequence[Contribution] = ()) -> Changed | None:
        change = changes.get(row.id or 0)
        if change is None:
            return None
        here = {"slug": procedure.slug, "reference": reference, "comment": row.reference}
        url = ""
        if change.earlier is not None:
            url = visit.url("comment_changes", **here, earlier=change.earlier, later=change.number)
        return Changed(change.at, url, sum(answer.received_at <= change.shown_at for answer in answers))

    def marks(each: discussion.Said) -> dict[str, Any]:
        if each.stance not in (discussion.Stance.FOR, discussion.Stance.AGAINST):
            return {}
        here = {"slug": procedure.slug, "reference": reference, "comment": each.contribution.reference}
        return {
            "marks": None if about.marks is None else about.marks.get(each.contribution.id or 0, 0),
            "mark_url": visit.url("argument", **here) if about.is_open else "",
            "is_own_mark": each.contribution.id in about.own,
        }

    return tuple(
        SaidRow(
            entries[each.contribution.id or 0].reference,
            visit.gettext(STANCES[each.stance.value]),
            each.stance is discussion.Stance.FOR,
            entries[each.contribution.id or 0].text,
            entries[each.contribution.id or 0].language,
            entries[each.contribution.id or 0].author,
            visit.url("published_contribution", slug=procedure.slug, reference=each.contribution.reference),
            visit.url(
                "proposal_comment", slug=procedure.slug, reference=reference, antwort=each.contribution.id
            )
            if about.is_open
            else "",
            tuple(
                AnswerRow(
                    entries[row.id or 0].author,
                    entries[row.id or 0].text,
                    entries[row.id or 0].language,
                    changed(row),
                )
                for row in each.answers
            ),
            changed(each.contribution, each.answers),
            **marks(each),
        )
        for each in talk
    )


def arguments_of(
    visit: Visit, procedure: Procedure, proposal: Proposal, reference: str, about: Talk
) -> ArgumentsShown | None:
    """For and against side by side, as many of each, so that no side looks louder."""
    sides = discussion.both_sides(
        visit.session, proposal.contribution_id, seed=seed_of(visit), marks=about.marks, limit=ARGUMENTS
    )
    if not any(side.total for side in sides):
        return None
    shown = [said_rows(visit, procedure, reference, side.said, about) for side in sides]
    here = {"slug": procedure.slug, "reference": reference}
    first, second = (
        SideShown(
            side.stance.value,
            visit.gettext(STANCES[side.stance.value]),
            side.total,
            visit.url("proposal_comments", **here, art=side.stance.value),
        )
        for side in sides
    )
    return ArgumentsShown(
        (first, second),
        tuple(
            (side.stance.value, rows[at])
            for at in range(ARGUMENTS)
            for side, rows in zip(sides, shown, strict=True)
            if at < len(rows)
        ),
        bool(about.marks),
        frozenset(each.contribution.id or 0 for side in sides for each in side.said),
    )
