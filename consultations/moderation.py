"""What the public sees: a queue, a claim so that two never decide the same, decisions with reasons, all undoable."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import Column, Index, delete, func, or_
from sqlmodel import Field, Session, SQLModel, col, select

from consultations import contributions, happenings, journal, proposals
from consultations.contributions import Attachment, Contribution, PublicationState
from consultations.permissions import Actor, Permission, may
from consultations.refusals import Code, Refusal
from consultations.tables import BigKey, UtcDateTime
from consultations.text import normalise

#: How long a moderator has an item to themselves after opening it.
CLAIM = timedelta(minutes=15)
#: Characters of the place in words that a redaction may show.
PLACE_LIMIT = 300


class Action(StrEnum):
    """What a moderator may decide."""

    PUBLISH = "publish"
    REDACT = "redact"
    WITHHOLD = "withhold"
    #: A later version of a proposal is not shown; what the public reads stays as it is.
    RETURN = "return"
    UNDO = "undo"


class Reason(StrEnum):
    """Why something is kept from the public, or words of it: each tied to a published rule."""

    PERSONAL_DATA = "personal_data"
    THIRD_PARTY = "third_party"
    INSULT = "insult"
    UNLAWFUL = "unlawful"
    ADVERTISING = "advertising"
    OFF_TOPIC = "off_topic"
    DUPLICATE = "duplicate"
    COPYRIGHT = "copyright"


class Redaction(SQLModel, table=True):
    """What the public reads instead of the original, with the name of who made it. Never changed."""

    __tablename__ = "redaction"

    id: int | None = Field(default=None, sa_column=Column(BigKey, primary_key=True))
    contribution_id: int = Field(foreign_key="contribution.id", index=True)
    title: str
    text: str
    made_by: str
    made_at: datetime = Field(sa_type=UtcDateTime)
    #: Attachments (positions) that the public must not see, comma separated.
    hidden_attachments: str = ""
    #: Whether the exact place stays with the town hall, and where it is in words that everybody may read.
    hides_place: bool = False
    place_words: str = ""
    #: The version of a proposal that it shows in full; None where it blacks something out. `is_carried`: files, place
    #: and names that were blacked out before stay so.
    shows_version: int | None = None
    is_carried: bool = False

    @property
    def blacks_out(self) -> bool:
        """Whether something of what was handed in is kept from the public."""
        return self.shows_version is None or self.is_carried


class ModerationDecision(SQLModel, table=True):
    """One decision on publication. Never changed; an undo is a decision of its own."""

    __tablename__ = "moderation_decision"
    __table_args__ = (Index("ix_moderation_decision_contribution_id_id", "contribution_id", "id"),)

    id: int | None = Field(default=None, sa_column=Column(BigKey, primary_key=True))
    contribution_id: int = Field(foreign_key="contribution.id")
    at: datetime = Field(sa_type=UtcDateTime)
    by: str
    by_name: str = ""
    action: str
    reason: str = ""
    explanation: str = ""
    redaction_id: int | None = Field(default=None, foreign_key="redaction.id")
    #: State and redaction before, so that an undo leads back exactly there.
    before: str
    before_redaction_id: int | None = None
    #: The version of a proposal that was decided on, if not what was handed in first.
    version: int | None = None


class Claim(SQLModel, table=True):
    """Who has an item open, until when."""

    __tablename__ = "moderation_claim"

    contribution_id: int = Field(foreign_key="contribution.id", primary_key=True)
    person_id: int = Field(foreign_key="person.id", index=True)
    name: str
    until: datetime = Field(sa_type=UtcDateTime)


def _require(by: Actor, contribution: Contribution) -> None:
    if not may(
        by,
        Permission.MODERATE,
        municipality_id=contribution.municipality_id,
        procedure_id=contribution.procedure_id,
    ):
        raise Refusal(Code.NOT_ALLOWED)


def _require_free(session: Session, contribution_id: int, by: Actor, now: datetime) -> None:
    held = session.get(Claim, contribution_id)
    if held and held.person_id != by.person_id and held.until > now:
        raise Refusal(Code.CLAIMED_BY_OTHER, name=held.name, until=held.until)


def claim(session: Session, contribution: Contribution, *, by: Actor, now: datetime) -> Claim:
    """Have an item to oneself for a while; claiming again renews. Raises NOT_ALLOWED, CLAIMED_BY_OTHER (name, until)."""
    _require(by, contribution)
    assert contribution.id is not None
    assert by.person_id is not None
    session.refresh(contribution, with_for_update=True)
    held = session.get(Claim, contribution.id)
    if held and held.person_id != by.person_id and held.until > now:
        raise Refusal(Code.CLAIMED_BY_OTHER, name=held.name, until=held.until)
    if held is None:
        held = Claim(contribution_id=contribution.id, person_id=by.person_id, name=by.name, until=now + CLAIM)
    held.person_id, held.name, held.until = by.person_id, by.name, now + CLAIM
    session.add(held)
    session.flush()
    return held


def release(session: Session, contribution: Contribution, *, by: Actor) -> None:
    """Give an item back to the queue."""
    session.execute(
        delete(Claim).where(
            col(Claim.contribution_id) == contribution.id, col(Claim.person_id) == by.person_id
        )
    )


@dataclass(frozen=True)
class Decision:
    """What a moderator decides. `title` and `text` are the public version when words are blacked out."""

    action: Action
    reason: Reason | None = None
    explanation: str = ""
    title: str = ""
    text: str = ""
    hidden_attachments: tuple[int, ...] = ()
    #: Keep the exact place from the public; `place_words` may say where it is more roughly, such as the district.
    hides_place: bool = False
    place_words: str = ""


def decide(
    session: Session,
    contribution: Contribution,
    decision: Decision,
    *,
    by: Actor,
    now: datetime,
    expected_decisions: int | None = None,
) -> ModerationDecision:
    """Publish, publish with a redaction, or keep from the public with a reason. The original stays untouched.

    Raises Refusal NOT_ALLOWED, CLAIMED_BY_OTHER, DECIDED_MEANWHILE (`expected_decisions` is what the
    moderator saw), REASON_REQUIRED ("reason"), NOTHING_REDACTED ("text"), WRONG_STATE (the submitter does not want it public).
    """
    _require(by, contribution)
    session.refresh(contribution, with_for_update=True)
    if expected_decisions is not None and expected_decisions != contribution.decisions:
        raise Refusal(Code.DECIDED_MEANWHILE)
    assert contribution.id is not None
    _require_free(session, contribution.id, by, now)
    if decision.action is not Action.PUBLISH and decision.reason is None:
        raise Refusal(Code.REASON_REQUIRED, "reason")
    hides_place = decision.hides_place and contribution.cell is not None
    if decision.action is Action.REDACT and not decision.hidden_attachments and not hides_place:
        later = shown_version(session, contribution)
        unchanged = (later or contribution).title, (later or contribution).text
        if (normalise(decision.title, field="title"), normalise(decision.text, field="text")) == unchanged:
            raise Refusal(Code.NOTHING_REDACTED, "text")
    before, before_redaction = contribution.publication, contribution.redaction_id
    redaction_id = None
    if decision.action is Action.REDACT:
        redaction = Redaction(
            contribution_id=contribution.id,
            title=normalise(decision.title, field="title"),
            text=normalise(decision.text, field="text"),
            made_by=by.label,
            made_at=now,
            hidden_attachments=",".join(str(position) for position in sorted(decision.hidden_attachments)),
            hides_place=hides_place,
            place_words=normalise(decision.place_words, field="place_words", limit=PLACE_LIMIT).strip(),
        )
        _show(session, contribution, PublicationState.PUBLISHED, redaction)
        redaction_id = redaction.id
    elif decision.action is Action.PUBLISH:
        _show(session, contribution, PublicationState.PUBLISHED)
    else:
        _show(session, contribution, PublicationState.WITHHELD)
    return _record(
        session,
        contribution,
        decision,
        by=by,
        now=now,
        redaction_id=redaction_id,
        before=before,
        before_redaction_id=before_redaction,
    )


def _show(
    session: Session,
    contribution: Contribution,
    state: PublicationState,
    redaction: Redaction | None = None,
) -> None:
    """Bring it to a state; the public reads the words and finds the place that the redaction leaves, which is kept."""
    if redaction is not None:
        session.add(redaction)
        session.flush()
    contributions.set_publication(
        session,
        contribution,
        state,
        redaction_id=redaction.id if redaction else None,
        public_title=redaction.title if redaction else None,
        public_text=redaction.text if redaction else None,
        place_hidden=redaction.hides_place if redaction else False,
        # A redaction covers title, text and place; what else was typed freely is left out with it.
        hides_typed=redaction is not None and (redaction.shows_version is None or redaction.is_carried),
    )


def publish_imported(
    session: Session, contribution: Contribution, *, source: str, by: Actor, now: datetime
) -> ModerationDecision:
    """Show to the public what was public already in the system it was taken over from.

    The decision names that source, so that nobody looks for the moderator who read it. Raises WRONG_STATE.
    """
    if not may(
        by,
        Permission.IMPORT,
        municipality_id=contribution.municipality_id,
        procedure_id=contribution.procedure_id,
    ):
        raise Refusal(Code.NOT_ALLOWED)
    before = contribution.publication
    _show(session, contribution, PublicationState.PUBLISHED)
    return _record(
        session,
        contribution,
        Decision(Action.PUBLISH, explanation=source),
        by=by,
        now=now,
        redaction_id=None,
        before=before,
        before_redaction_id=None,
    )


@dataclass(frozen=True)
class LaterVersion:
    """A later version of a proposal, as it would be shown."""

    number: int
    title: str
    text: str


def decide_on_version(
    session: Session,
    contribution: Contribution,
    version: LaterVersion,
    decision: Decision,
    *,
    by: Actor,
    now: datetime,
    expected_decisions: int | None = None,
) -> ModerationDecision:
    """Show a later version of a proposal, or return it to its authors with a reason (PUBLISH or RETURN).

    Files, place and names that were blacked out before stay so. Raises Refusal NOT_ALLOWED, DECIDED_MEANWHILE,
    REASON_REQUIRED, and WRONG_STATE before what was handed in was itself decided on, or once it was taken back.
    """
    _require(by, contribution)
    session.refresh(contribution, with_for_update=True)
    assert contribution.id is not None
    if expected_decisions is not None and expected_decisions != contribution.decisions:
        raise Refusal(Code.DECIDED_MEANWHILE)
    if contribution.publication not in (PublicationState.PUBLISHED.value, PublicationState.WITHHELD.value):
        raise Refusal(Code.WRONG_STATE, state=contribution.publication)
    if decision.action is Action.RETURN and decision.reason is None:
        raise Refusal(Code.REASON_REQUIRED, "reason")
    before, before_redaction = contribution.publication, contribution.redaction_id
    redaction_id = before_redaction
    if decision.action is Action.PUBLISH:
        earlier = session.get(Redaction, before_redaction) if before_redaction else None
        kept = earlier if earlier is not None and earlier.blacks_out else None
        redaction = Redaction(
            contribution_id=contribution.id,
            title=version.title,
            text=version.text,
            made_by=by.label,
            made_at=now,
            hidden_attachments=kept.hidden_attachments if kept else "",
            hides_place=kept.hides_place if kept else False,
            place_words=kept.place_words if kept else contribution.place_words,
            shows_version=version.number,
            is_carried=kept is not None,
        )
        _show(session, contribution, PublicationState.PUBLISHED, redaction)
        redaction_id = redaction.id
    else:
        contribution.decisions += 1
        session.add(contribution)
    return _record(
        session,
        contribution,
        decision,
        by=by,
        now=now,
        redaction_id=redaction_id,
        before=before,
        before_redaction_id=before_redaction,
        version=version.number,
    )


def readable_versions(past: Sequence[ModerationDecision]) -> list[int]:
    """Of all decisions on a proposal, newest first: the versions that everybody may read, oldest first.

    What was blacked out or withheld once takes everything with it that was shown before: the same words stand there.
    """
    standing: list[ModerationDecision] = []
    for each in reversed(past):
        if each.action == Action.UNDO.value:
            if standing:
                standing.pop()
        else:
            standing.append(each)
    readable: set[int] = set()
    for each in standing:
        if each.action == Action.PUBLISH.value:
            readable.add(each.version or 1)
        elif each.action != Action.RETURN.value:
            readable.clear()
    return sorted(readable)


def undo(
    session: Session,
    contribution: Contribution,
    *,
    by: Actor,
    now: datetime,
    expected_decisions: int | None = None,
) -> ModerationDecision:
    """Take the last decision back: state and public version are as before it.

    Raises Refusal NOT_ALLOWED, NOTHING_TO_UNDO, CLAIMED_BY_OTHER, and DECIDED_MEANWHILE, so that a double click
    takes back one decision and not two.
    """
    _require(by, contribution)
    session.refresh(contribution, with_for_update=True)
    assert contribution.id is not None
    if expected_decisions is not None and expected_decisions != contribution.decisions:
        raise Refusal(Code.DECIDED_MEANWHILE)
    _require_free(session, contribution.id, by, now)
    last = last_to_undo(history(session, contribution.id))
    if last is None:
        raise Refusal(Code.NOTHING_TO_UNDO)
    before, before_redaction = contribution.publication, contribution.redaction_id
    redaction = session.get(Redaction, last.before_redaction_id) if last.before_redaction_id else None
    _show(session, contribution, PublicationState(last.before), redaction)
    return _record(
        session,
        contribution,
        Decision(Action.UNDO),
        by=by,
        now=now,
        redaction_id=last.before_redaction_id,
        before=before,
        before_redaction_id=before_redaction,
        version=last.version,
    )


def last_to_undo(past: Sequence[ModerationDecision]) -> ModerationDecision | None:
    """Of all decisions on a contribution, newest first: the latest that was not taken back yet."""
    undone = 0
    for each in past:
        if each.action == Action.UNDO.value:
            undone += 1
        elif undone:
            undone -= 1
        else:
            return each
    return None


def _record(
    session: Session,
    contribution: Contribution,
    decision: Decision,
    *,
    by: Actor,
    now: datetime,
    redaction_id: int | None,
    before: str,
    before_redaction_id: int | None,
    version: int | None = None,
) -> ModerationDecision:
    assert contribution.id is not None
    row = ModerationDecision(
        contribution_id=contribution.id,
        at=now,
        by=by.label,
        by_name=by.name,
        action=decision.action.value,
        reason=decision.reason.value if decision.reason else "",
        explanation=decision.explanation,
        redaction_id=redaction_id,
        before=before,
        before_redaction_id=before_redaction_id,
        version=version,
    )
    session.add(row)
    session.execute(delete(Claim).where(col(Claim.contribution_id) == contribution.id))
    if contribution.publication == PublicationState.PUBLISHED.value:
        proposal = proposals.by_contribution(session, contribution.id)
        if proposal is not None:
            happenings.note_first(session, proposal, happenings.Kind.PROPOSED, now=now)
    is_public = contribution.publication == PublicationState.PUBLISHED.value
    files = (
        session.exec(
            select(Attachment)
            .where(col(Attachment.contribution_id) == contribution.id)
            .order_by(col(Attachment.position))
        ).all()
        if is_public
        else ()
    )
    copies = public_copies(files)
    journal.append(
        session,
        municipality_id=contribution.municipality_id,
        verb=f"moderation_{decision.action.value}",
        by=by,
        at=now,
        procedure_id=contribution.procedure_id,
        subject=f"contribution:{contribution.id}",
        facts={
            "reference": contribution.reference,
            "reason": row.reason,
            "state": contribution.publication,
            "sha256": decision_sha256(row, session.get(Redaction, redaction_id) if redaction_id else None),
            # What the public is shown of files is another file than what was handed in, and sealed nowhere else.
            **({"copies": copies} if copies else {}),
        },
    )
    return row


def public_copies(files: Sequence[Attachment]) -> list[list[object]]:
    """The public copies of a contribution's files, as the journal keeps them: position, hash, type."""
    return [
        [each.position, each.public_sha256, each.public_media_type] for each in files if each.public_sha256
    ]


def decision_sha256(row: ModerationDecision, redaction: Redaction | None) -> str:
    """The seal of a decision and of the public version that it made, as the journal keeps it."""
    version: list[object] | None = None
    if redaction:
        version = [redaction.title, redaction.text, redaction.made_by, redaction.hidden_attachments]
        if redaction.hides_place or redaction.place_words:
            version += [redaction.hides_place, redaction.place_words]
        if redaction.shows_version is not None:
            version += [redaction.shows_version, redaction.is_carried]
    sealed: list[object] = [
        row.by, row.by_name, row.action, row.reason, row.explanation, row.before, version,
    ]  # fmt: skip
    return journal.digest(sealed if row.version is None else [*sealed, row.version])


def shown_version(session: Session, contribution: Contribution) -> Redaction | None:
    """The later version that everybody reads instead of what was handed in, or None."""
    redaction = session.get(Redaction, contribution.redaction_id) if contribution.redaction_id else None
    return redaction if redaction is not None and redaction.shows_version is not None else None


def history(session: Session, contribution_id: int) -> list[ModerationDecision]:
    """All decisions on a contribution, newest first."""
    return list(
        session.exec(
            select(ModerationDecision)
            .where(ModerationDecision.contribution_id == contribution_id)
            .order_by(col(ModerationDecision.id).desc())
        ).all()
    )


@dataclass(frozen=True)
class QueueItem:
    """A contribution in the queue, with who has it open (if somebody else may still decide on it)."""

    contribution: Contribution
    claimed_by: str
    claimed_person_id: int | None


def queue(
    session: Session,
    municipality_id: int,
    *,
    now: datetime,
    procedure_ids: Sequence[int] | None = None,
    after_id: int = 0,
    limit: int = 25,
) -> list[QueueItem]:
    """What awaits a decision, oldest entry first, `limit` items after `after_id`.

    `procedure_ids` restricts it to the procedures somebody may moderate; None means all.
    """
    question = (
        select(Contribution, Claim)
        .outerjoin(Claim, (col(Claim.contribution_id) == Contribution.id) & (col(Claim.until) > now))
        .where(
            Contribution.municipality_id == municipality_id,
            Contribution.publication == PublicationState.PENDING.value,
            col(Contribution.id) > after_id,
        )
        .order_by(col(Contribution.id))
        .limit(limit)
    )
    if procedure_ids is not None:
        question = question.where(col(Contribution.procedure_id).in_(procedure_ids))
    return [
        QueueItem(contribution, held.name if held else "", held.person_id if held else None)
        for contribution, held in session.exec(question).all()
    ]


def next_free(
    session: Session,
    municipality_id: int,
    *,
    by: Actor,
    now: datetime,
    procedure_ids: Sequence[int] | None = None,
) -> Contribution | None:
    """The oldest item that nobody else has open, for a moderator who wants the next one."""
    question = (
        select(Contribution)
        .outerjoin(Claim, (col(Claim.contribution_id) == Contribution.id) & (col(Claim.until) > now))
        .where(
            Contribution.municipality_id == municipality_id,
            Contribution.publication == PublicationState.PENDING.value,
            or_(col(Claim.person_id).is_(None), col(Claim.person_id) == by.person_id),
        )
        .order_by(col(Contribution.id))
        .limit(1)
    )
    if procedure_ids is not None:
        question = question.where(col(Contribution.procedure_id).in_(procedure_ids))
    return session.exec(question).first()


def claim_on(session: Session, contribution_id: int, *, now: datetime) -> Claim | None:
    """Who has the item open at this moment, if anybody."""
    held = session.get(Claim, contribution_id)
    return held if held and held.until > now else None


def waiting_count(
    session: Session, municipality_id: int, *, procedure_ids: Sequence[int] | None = None
) -> int:
    """How many contributions await a decision; `procedure_ids` as for `queue`."""
    question = select(func.count()).where(
        Contribution.municipality_id == municipality_id,
        Contribution.publication == PublicationState.PENDING.value,
    )
    if procedure_ids is not None:
        question = question.where(col(Contribution.procedure_id).in_(procedure_ids))
    return session.exec(question).one()


@dataclass(frozen=True)
class Decided:
    """A decision and what it was about."""

    decision: ModerationDecision
    contribution: Contribution


def decisions(
    session: Session,
    municipality_id: int,
    *,
    procedure_ids: Sequence[int] | None = None,
    before_id: int | None = None,
    limit: int = 25,
) -> list[Decided]:
    """Decisions on a municipality's contributions, newest first, `limit` of them before `before_id`."""
    question = (
        select(ModerationDecision, Contribution)
        .join(Contribution, col(Contribution.id) == ModerationDecision.contribution_id)
        .where(Contribution.municipality_id == municipality_id)
        .order_by(col(ModerationDecision.id).desc())
        .limit(limit)
    )
    if before_id is not None:
        question = question.where(col(ModerationDecision.id) < before_id)
    if procedure_ids is not None:
        question = question.where(col(Contribution.procedure_id).in_(procedure_ids))
    return [Decided(decision, contribution) for decision, contribution in session.exec(question).all()]
