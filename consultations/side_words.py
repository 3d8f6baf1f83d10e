"""Words beside a proposal that everybody would read: names of co-authors and answers to amendments; a moderator first.

They are no contribution and have no receipt, but they stand on the same public page. So they wait like one: until a
moderator has read them nobody else does. A decision can always be turned round; each one stands in the journal.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlmodel import Session, col, select

from consultations import proposals
from consultations.amendments import Amendment
from consultations.moderation import Reason
from consultations.permissions import Actor, Permission, may
from consultations.proposals import AuthorState, Proposal, ProposalAuthor, WordsState
from consultations.refusals import Code, Refusal

#: Who is no author (yet) stands on no public page.
_ON_PAGE = (AuthorState.ACTIVE.value, AuthorState.LEFT.value)


class Beside(StrEnum):
    """What the words are."""

    NAME = "name"
    ANSWER = "answer"


@dataclass(frozen=True)
class SideWords:
    """Words beside a proposal; `key` is that of the author or the amendment."""

    kind: Beside
    key: int
    words: str
    state: WordsState


def waiting(
    session: Session, municipality_id: int, procedure_ids: Sequence[int] | None, *, limit: int = 50
) -> list[int]:
    """The proposals beside which words wait for a moderator, oldest first. Two queries."""
    found: dict[int, None] = {}
    for table, state in (
        (ProposalAuthor, ProposalAuthor.name_state),
        (Amendment, Amendment.answer_state),
    ):
        question = (
            select(table.proposal_id)
            .join(Proposal, col(Proposal.contribution_id) == table.proposal_id)
            .where(
                Proposal.municipality_id == municipality_id,
                state == WordsState.WAITING.value,
                col(Proposal.is_listed).is_(True),
            )
            .order_by(col(table.id))
            .limit(limit)
        )
        if table is ProposalAuthor:
            question = question.where(col(ProposalAuthor.state).in_(_ON_PAGE))
        if procedure_ids is not None:
            question = question.where(col(Proposal.procedure_id).in_(procedure_ids))
        found |= dict.fromkeys(session.exec(question).all())
    return list(found)[:limit]


def beside(session: Session, proposal_id: int) -> list[SideWords]:
    """All such words beside a proposal that somebody wrote who is not of the town hall. Two queries."""
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
    return authors + answers


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
    row: ProposalAuthor | Amendment | None
    if kind is Beside.NAME:
        row = session.get(ProposalAuthor, key, populate_existing=True)
    else:
        row = session.get(Amendment, key, populate_existing=True)
    if row is None or row.proposal_id != proposal.contribution_id:
        raise Refusal(Code.NOT_FOUND)
    # Nothing is written before it is certain: whoever shows the refusal on a page commits what stands in the session.
    if (row.name if isinstance(row, ProposalAuthor) else row.decision_words) != seen:
        raise Refusal(Code.DECIDED_MEANWHILE)
    if isinstance(row, ProposalAuthor):
        row.name_state = after
    else:
        row.answer_state = after
    session.add(row)
    session.flush()
    proposals.note(
        session, proposal, "side_words_shown" if shows else "side_words_withheld", by=by, now=now,
        what=f"{kind.value}:{key}", reason=reason.value if reason else "",
    )  # fmt: skip
