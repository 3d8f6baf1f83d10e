"""Words beside a proposal that others would read: names of co-authors, answers to amendments, wishes to merge; a moderator
first.

They are no contribution and have no receipt, but they stand on the same public page, or reach somebody who has not asked for
them. So they wait like one: until a moderator has read them nobody else does. A decision can always be turned round; each one
stands in the journal.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import union
from sqlmodel import Session, col, select

from consultations import proposals
from consultations.amendments import Amendment
from consultations.moderation import Reason
from consultations.permissions import Actor, Permission, may
from consultations.proposals import AuthorState, Proposal, ProposalAuthor, WordsState
from consultations.refusals import Code, Refusal
from consultations.unions import Union, UnionState

#: Who is no author (yet) stands on no public page.
_ON_PAGE = (AuthorState.ACTIVE.value, AuthorState.LEFT.value)


class Beside(StrEnum):
    """What the words are."""

    NAME = "name"
    ANSWER = "answer"
    #: Why two proposals should be one, with the joint words; and what was said when it was refused. Beside the one that stays.
    WISH = "wish"
    REFUSAL = "refusal"


@dataclass(frozen=True)
class SideWords:
    """Words beside a proposal; `key` is that of the author, the amendment or the wish to merge."""

    kind: Beside
    key: int
    words: str
    state: WordsState


def waiting(
    session: Session,
    municipality_id: int,
    procedure_ids: Sequence[int] | None,
    *,
    after_id: int = 0,
    limit: int = 50,
) -> list[int]:
    """The proposals beside which words wait for a moderator, oldest first, `limit` after the proposal `after_id`. One query."""
    waits = WordsState.WAITING.value
    keys = union(
        select(col(ProposalAuthor.proposal_id)).where(
            ProposalAuthor.name_state == waits, col(ProposalAuthor.state).in_(_ON_PAGE)
        ),
        select(col(Amendment.proposal_id)).where(Amendment.answer_state == waits),
        # Once it is answered or taken back nobody is asked any more, and nobody else comes to read it.
        select(col(Union.into_id)).where(
            ((Union.wish_state == waits) & (Union.state == UnionState.ASKED.value))
            | (Union.answer_state == waits)
        ),
    )
    question = (
        select(Proposal.contribution_id)
        .where(
            Proposal.municipality_id == municipality_id,
            col(Proposal.is_listed).is_(True),
            Proposal.contribution_id > after_id,
            col(Proposal.contribution_id).in_(keys),
        )
        .order_by(col(Proposal.contribution_id))
        .limit(limit)
    )
    if procedure_ids is not None:
        question = question.where(col(Proposal.procedure_id).in_(procedure_ids))
    return list(session.exec(question).all())


def beside(session: Session, proposal_id: int) -> list[SideWords]:
    """All such words beside a proposal that somebody wrote who is not of the town hall. Three queries."""
    authors = [
        SideWords(Beside.NAME, row.id or 0, row.name, WordsState(row.name_state))
        for row in proposals.authors_of(session, proposal_id)
        if row.name and row.state in _ON_PAGE and row.way in proposals.UNREAD_WAYS
    ]
    rows = session.exec(
        select(Amendment)
        .where(Amendment.proposal_id == proposal_id, Amendment.decided_part == "owner")
        .order_by(col(Amendment.id))
    ).all()
    answers = [
        SideWords(Beside.ANSWER, row.id or 0, row.decision_words, WordsState(row.answer_state))
        for row in rows
        if row.decision_words
    ]
    unions = session.exec(select(Union).where(Union.into_id == proposal_id).order_by(col(Union.id))).all()
    wishes = [
        SideWords(Beside.WISH, row.id or 0, wish(row), WordsState(row.wish_state))
        for row in unions
        if row.asked_for_id is not None
    ]
    refusals = [
        SideWords(Beside.REFUSAL, row.id or 0, row.decision_words, WordsState(row.answer_state))
        for row in unions
        if row.decision_words
    ]
    return authors + answers + wishes + refusals


def wish(row: Union) -> str:
    """All that somebody typed who asks for a merge: why, and how the joint proposal is to read."""
    return "\n\n".join([row.reason, *row.words.values()])


def decide(
    session: Session,
    proposal: Proposal,
    kind: Beside,
    key: int,
    *,
    shows: bool,
    seen: str,
    reason: Reason | None = None,
    by: Actor,
    now: datetime,
) -> None:
    """Let everybody read the words, or nobody, with a reason; `seen`: the words that the moderator read.

    Raises Refusal NOT_ALLOWED, REASON_REQUIRED, NOT_FOUND, DECIDED_MEANWHILE where other words stand there by now.
    """
    if not may(
        by,
        Permission.MODERATE,
        municipality_id=proposal.municipality_id,
        procedure_id=proposal.procedure_id,
    ):
        raise Refusal(Code.NOT_ALLOWED)
    if not shows and reason is None:
        raise Refusal(Code.REASON_REQUIRED, "reason")
    proposals.lock(session, proposal.contribution_id)
    after = (WordsState.SHOWN if shows else WordsState.WITHHELD).value
    row: ProposalAuthor | Amendment | Union | None
    if kind is Beside.NAME:
        row = session.get(ProposalAuthor, key, populate_existing=True)
    elif kind is Beside.ANSWER:
        row = session.get(Amendment, key, populate_existing=True)
    else:
        row = session.get(Union, key, populate_existing=True)
    if row is None or _place_of(row) != proposal.contribution_id:
        raise Refusal(Code.NOT_FOUND)
    # Nothing is written before it is certain: whoever shows the refusal on a page commits what stands in the session.
    if _words(kind, row) != seen:
        raise Refusal(Code.DECIDED_MEANWHILE)
    if isinstance(row, ProposalAuthor):
        row.name_state = after
    elif isinstance(row, Amendment) or kind is Beside.REFUSAL:
        row.answer_state = after
    else:
        row.wish_state = after
    session.add(row)
    session.flush()
    proposals.note(
        session, proposal, "side_words_shown" if shows else "side_words_withheld", by=by, now=now,
        what=f"{kind.value}:{key}", reason=reason.value if reason else "",
    )  # fmt: skip


def _place_of(row: ProposalAuthor | Amendment | Union) -> int:
    return row.into_id if isinstance(row, Union) else row.proposal_id


def _words(kind: Beside, row: ProposalAuthor | Amendment | Union) -> str:
    if isinstance(row, ProposalAuthor):
        return row.name
    return wish(row) if isinstance(row, Union) and kind is Beside.WISH else row.decision_words
