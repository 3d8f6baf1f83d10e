"""Comments written anew by whoever wrote them: what was handed in stays, each later wording is a version of its own.

The first version is the contribution itself with its receipt; the second is chained to that receipt, every further one to
the one before. What the public reads follows by moderation, as for proposals (`moderation.decide_on_version`): until a
moderator has read the new wording everybody reads the one before.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Column, UniqueConstraint, case, func
from sqlalchemy.orm import aliased
from sqlmodel import Field, Session, SQLModel, col, select

from consultations import amendments, channels, journal, moderation, proposals, proposing
from consultations.cocreation import Act
from consultations.contributions import Contribution, ContributionState, Kind, PublicationState, Receipt
from consultations.moderation import Action, Decision, LaterVersion, ModerationDecision
from consultations.permissions import Actor
from consultations.proposals import Proposal
from consultations.refusals import Code, Refusal
from consultations.tables import BigKey, UtcDateTime
from consultations.text import normalise

#: New wordings of one comment in 24 hours: each is read by somebody. The counter is not held to it.
REWORDINGS_A_DAY = 5


class CommentVersion(SQLModel, table=True):
    """How a comment reads since its author wrote it anew, from number 2 on. Never changed, never deleted."""

    __tablename__ = "comment_version"
    __table_args__ = (UniqueConstraint("comment_id", "number"),)

    id: int | None = Field(default=None, sa_column=Column(BigKey, primary_key=True))
    comment_id: int = Field(foreign_key="contribution.id")
    number: int
    #: The version that its author had before them.
    base_number: int
    made_at: datetime = Field(sa_type=UtcDateTime)
    made_by: str
    channel: str
    text: str
    #: The seal of the version before; of the second that of the receipt.
    previous_receipt: str
    receipt: str


@dataclass(frozen=True)
class Wording:
    """How a comment reads in one version; the first is what was handed in."""

    number: int
    text: str
    made_at: datetime
    receipt: str


# --- writing ---------------------------------------------------------------------------------------


def reword(
    session: Session,
    comment_id: int,
    words: str,
    *,
    base_number: int,
    channel: str = "web",
    by: Actor,
    now: datetime,
) -> Wording:
    """Write a comment anew, as its author had version `base_number` before them. Whether `by` is the author is asked by
    the caller; at the counter (`channel`) somebody writes for them. Sent twice it is one version.

    Raises what `proposing.require` raises for a comment, NOT_FOUND for what is no comment on a proposal, WRONG_STATE for
    one that is not meant for the public (any more), EMPTY_CONTRIBUTION, TEXT_TOO_LONG, NOTHING_CHANGED, TEXT_MOVED_ON
    (number: another wording came between), REWORDED_TOO_OFTEN (limit), all with the field "text".
    """
    # Of two who write at once the second waits here, and then sees the first's version.
    comment = session.get(Contribution, comment_id, with_for_update=True, populate_existing=True)
    proposal = proposal_of(session, comment)
    if comment is None or proposal is None:
        raise Refusal(Code.NOT_FOUND)
    if not is_possible(comment):
        raise Refusal(Code.WRONG_STATE, state=comment.publication)
    proposing.require(session, proposal, Act.COMMENT, by=by, channel=channel, now=now)
    text = normalise(words, field="text").strip()
    if not text:
        raise Refusal(Code.EMPTY_CONTRIBUTION, "text")
    before = wordings(session, comment)
    newest = before[-1]
    if text == newest.text.strip():
        if newest.number > base_number:
            return newest
        raise Refusal(Code.NOTHING_CHANGED, "text")
    if base_number != newest.number:
        raise Refusal(Code.TEXT_MOVED_ON, "text", number=newest.number)
    at_counter = channels.by_key(channel).entry is channels.Entry.CLERK
    lately = sum(each.number > 1 and each.made_at > now - timedelta(days=1) for each in before)
    if not at_counter and lately >= REWORDINGS_A_DAY:
        raise Refusal(Code.REWORDED_TOO_OFTEN, "text", limit=REWORDINGS_A_DAY)
    values: dict[str, Any] = {
        "comment_id": comment_id,
        "number": newest.number + 1,
        "base_number": base_number,
        "made_at": now,
        "made_by": by.label,
        "channel": channel,
        "text": text,
        "previous_receipt": newest.receipt,
    }
    made = CommentVersion(**values, receipt=receipt_of(values))
    session.add(made)
    session.flush()
    proposals.note(
        session, proposal, "comment_reworded", by=by, now=now, subject=f"contribution:{comment_id}",
        number=made.number, channel=channel, receipt=made.receipt,
    )  # fmt: skip
    return _wording(made)


def proposal_of(session: Session, comment: Contribution | None) -> Proposal | None:
    """The proposal that a comment, or an answer to one, is about; None for anything else, amendments too."""
    if comment is None or comment.kind != Kind.COMMENT.value or comment.parent_id is None:
        return None
    if amendments.is_one(session, comment):
        return None
    found = proposals.by_contribution(session, comment.parent_id)
    if found is None:
        above = session.get(Contribution, comment.parent_id)
        found = proposals.by_contribution(session, above.parent_id) if above and above.parent_id else None
    return found


def is_possible(comment: Contribution) -> bool:
    """Whether its author still stands by it and it is meant for the public: what nobody reads needs no new wording."""
    return comment.state != ContributionState.WITHDRAWN.value and comment.publication in (
        PublicationState.PENDING.value,
        PublicationState.PUBLISHED.value,
        PublicationState.WITHHELD.value,
    )


def wrote(comment: Contribution, by: Actor) -> bool:
    """Whether somebody who is signed in wrote it, with the account that they use now."""
    by_oneself = channels.by_key(comment.channel).entry is channels.Entry.PUBLIC
    return by.person_id is not None and by_oneself and comment.recorded_by == by.label


def answers_to(session: Session, comment: Contribution) -> int:
    """How many answers to a comment everybody may read."""
    return session.exec(
        select(func.count()).where(
            Contribution.parent_id == comment.id,
            Contribution.publication == PublicationState.PUBLISHED.value,
        )
    ).one()


def is_waiting(session: Session, comment: Contribution, wording: Wording) -> bool:
    """Whether nobody has decided yet on a wording later than the first."""
    assert comment.id is not None
    actions = session.exec(
        select(ModerationDecision.action).where(
            ModerationDecision.contribution_id == comment.id, ModerationDecision.version == wording.number
        )
    ).all()
    undone = sum(action == Action.UNDO.value for action in actions)
    return wording.number > 1 and len(actions) - 2 * undone <= 0


def wordings(session: Session, comment: Contribution) -> list[Wording]:
    """All versions of a comment, oldest first; the first is what was handed in. Two queries."""
    assert comment.id is not None
    first = Wording(1, comment.text, comment.received_at, session.get_one(Receipt, comment.id).payload_sha256)
    rows = session.exec(
        select(CommentVersion)
        .where(CommentVersion.comment_id == comment.id)
        .order_by(col(CommentVersion.number))
    ).all()
    return [first, *(_wording(row) for row in rows)]


def _wording(row: CommentVersion) -> Wording:
    return Wording(row.number, row.text, row.made_at, row.receipt)


# --- what the public reads -------------------------------------------------------------------------


def show(
    session: Session,
    comment: Contribution,
    wording: Wording,
    *,
    by: Actor,
    now: datetime,
    expected_decisions: int | None = None,
    explanation: str = "",
) -> ModerationDecision:
    """Let the public read a later wording. Raises what `moderation.decide_on_version` raises."""
    return moderation.decide_on_version(
        session,
        comment,
        LaterVersion(wording.number, comment.title, wording.text),
        Decision(Action.PUBLISH, explanation=explanation),
        by=by,
        now=now,
        expected_decisions=expected_decisions,
    )


def give_back(
    session: Session,
    comment: Contribution,
    wording: Wording,
    decision: Decision,
    *,
    by: Actor,
    now: datetime,
    expected_decisions: int | None = None,
) -> ModerationDecision:
    """Do not show a later wording, with a reason; what the public reads stays as it is. Raises as `show`."""
    return moderation.decide_on_version(
        session,
        comment,
        LaterVersion(wording.number, comment.title, wording.text),
        decision,
        by=by,
        now=now,
        expected_decisions=expected_decisions,
    )


@dataclass(frozen=True)
class Change:
    """That everybody reads a later wording: when it was written, since when it is read, and what readable one it differs
    from."""

    at: datetime
    #: Whoever answered until then had the earlier wording before them.
    shown_at: datetime
    number: int
    #: The readable version before it; None where words of it were blacked out.
    earlier: int | None


def changes(session: Session, shown: Mapping[int, int]) -> dict[int, Change]:
    """Of comments that show a later wording (its number by the comment's id): what is said of the change.

    Two queries, none where there is no such comment.
    """
    if not shown:
        return {}
    made = {
        (row.comment_id, row.number): row.made_at
        for row in session.exec(
            select(CommentVersion).where(col(CommentVersion.comment_id).in_(list(shown)))
        ).all()
    }
    past: dict[int, list[ModerationDecision]] = {}
    for each in session.exec(
        select(ModerationDecision)
        .where(col(ModerationDecision.contribution_id).in_(list(shown)))
        .order_by(col(ModerationDecision.id).desc())
    ).all():
        past.setdefault(each.contribution_id, []).append(each)
    found = {}
    for comment_id, number in shown.items():
        decisions = past.get(comment_id, [])
        earlier = [each for each in moderation.readable_versions(decisions) if each < number]
        at = made.get((comment_id, number))
        if at is not None:
            shown_at = next(
                (
                    each.at
                    for each in decisions
                    if each.version == number and each.action == Action.PUBLISH.value
                ),
                at,
            )
            found[comment_id] = Change(at, shown_at, number, earlier[-1] if earlier else None)
    return found


def waiting(
    session: Session,
    municipality_id: int,
    *,
    procedure_ids: Sequence[int] | None = None,
    after_id: int = 0,
    limit: int = 25,
) -> list[tuple[Contribution, CommentVersion]]:
    """The newest wordings that nobody has decided on yet, oldest first, `limit` after the version `after_id`.

    A comment that nobody has read at all waits in the queue first (`moderation.queue`).
    """
    later = aliased(CommentVersion)
    decided = (
        select(func.sum(case((col(ModerationDecision.action) == Action.UNDO.value, -1), else_=1)))
        .where(
            ModerationDecision.contribution_id == CommentVersion.comment_id,
            ModerationDecision.version == CommentVersion.number,
        )
        .correlate(CommentVersion)
        .scalar_subquery()
    )
    question = (
        select(Contribution, CommentVersion)
        .join(Contribution, col(Contribution.id) == CommentVersion.comment_id)
        .where(
            Contribution.municipality_id == municipality_id,
            Contribution.state != ContributionState.WITHDRAWN.value,
            col(Contribution.publication).in_(
                (PublicationState.PUBLISHED.value, PublicationState.WITHHELD.value)
            ),
            col(CommentVersion.id) > after_id,
            ~select(later.id)
            .where(later.comment_id == CommentVersion.comment_id, later.number > CommentVersion.number)
            .exists(),
            func.coalesce(decided, 0) <= 0,
        )
        .order_by(col(CommentVersion.id))
        .limit(limit)
    )
    if procedure_ids is not None:
        question = question.where(col(Contribution.procedure_id).in_(procedure_ids))
    return [(comment, version) for comment, version in session.exec(question).all()]


# --- evidence --------------------------------------------------------------------------------------

_SEALED = ("comment_id", "number", "base_number", "made_by", "channel", "text", "previous_receipt")


def receipt_of(values: Mapping[str, Any]) -> str:
    """The seal of a version: SHA-256 over all of it and the seal of the one before, in one canonical spelling."""
    return journal.digest(
        [values["made_at"].astimezone(UTC).isoformat(), *(values[name] for name in _SEALED)]
    )


def examine(session: Session, *, batch: int = 200) -> Iterator[tuple[str, str]]:
    """Walk through all comments that were written anew and name each version that is not what was sealed."""
    last = 0
    while True:
        keys = session.exec(
            select(CommentVersion.comment_id)
            .where(col(CommentVersion.comment_id) > last)
            .distinct()
            .order_by(col(CommentVersion.comment_id))
            .limit(batch)
        ).all()
        if not keys:
            return
        last = keys[-1]
        rows = session.exec(
            select(CommentVersion, Receipt)
            .outerjoin(Receipt, col(Receipt.contribution_id) == CommentVersion.comment_id)
            .where(col(CommentVersion.comment_id).in_(keys))
            .order_by(col(CommentVersion.comment_id), col(CommentVersion.number))
        ).all()
        before, expected, previous = 0, 2, ""
        for row, receipt in rows:
            if row.comment_id != before:
                before, expected = row.comment_id, 2
                previous = receipt.payload_sha256 if receipt else ""
            subject = f"comment:{row.comment_id}/{row.number}"
            if row.number != expected:
                yield subject, "version_missing"
            elif row.previous_receipt != previous:
                yield subject, "version_unlinked"
            if receipt_of(row.model_dump()) != row.receipt:
                yield subject, "version_altered"
            expected, previous = row.number + 1, row.receipt
        session.expunge_all()
