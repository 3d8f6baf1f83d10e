"""Amendments: other words for named sections of a proposal, put beside it by anybody and taken in by its owner.

An amendment comes through the one door like everything else (a comment on the proposal, with a receipt, moderated), and
a patch says which words of which version it means. Taken in, it is merged into the words that stand by then: what it does
not name never moves; where both changed the same words nothing is overwritten and its author is asked to renew it. If
the owner is silent, the decision passes to the facilitator.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from enum import StrEnum

from sqlalchemy import Column, Index
from sqlmodel import Field, Session, SQLModel, col, select

from consultations import contributions, proposals, proposing, wording
from consultations.cocreation import (
    Act,
    AmendmentAct,
    AmendmentPart,
    AmendmentState,
    Authoring,
    Part,
    RelationKind,
    amendment_answer,
)
from consultations.contributions import Contribution, Kind, PublicationState, Submission
from consultations.deadlines import local_date
from consultations.moderation import Redaction
from consultations.permissions import SYSTEM, Actor
from consultations.phases import Phase, phase_of
from consultations.procedures import Procedure, offered_subject
from consultations.proposals import (
    AuthorRole,
    AuthorState,
    NewVersion,
    Proposal,
    ProposalAuthor,
    VersionReason,
    WordsState,
)
from consultations.refusals import Code, Refusal
from consultations.tables import BigKey, Json, UtcDateTime
from consultations.text import normalise
from consultations.wording import Applied, Passage, Patch

#: How long an amendment that clashes waits for its author to renew it.
RENEWAL = timedelta(days=14)


class Rejection(StrEnum):
    """Why an amendment is not taken in."""

    OTHER_AIM = "other_aim"  # it would be another proposal
    ALREADY_IN = "already_in"
    NOT_POSSIBLE = "not_possible"
    NOT_AGREED = "not_agreed"
    UNCLEAR = "unclear"


class Amendment(SQLModel, table=True):
    """Other words for sections of a proposal, as they were handed in; only what stands below `# state` changes."""

    __tablename__ = "amendment"
    __table_args__ = (Index("ix_amendment_proposal_id_state", "proposal_id", "state"),)

    id: int | None = Field(default=None, sa_column=Column(BigKey, primary_key=True))
    proposal_id: int = Field(foreign_key="proposal.contribution_id")
    #: What was handed in through the one door: receipt, author, moderation.
    contribution_id: int = Field(foreign_key="contribution.id", unique=True)
    base_number: int
    #: [{"language", "section", "text", "from_sha256"}]
    patches: list[dict[str, str]] = Field(sa_type=Json)
    #: Why, in the amender's words.
    reason: str = ""
    #: The amendment that this one renews.
    renews_id: int | None = Field(default=None, foreign_key="amendment.id")
    wants_credit: bool = True
    #: Until when the owner decides alone.
    owner_until: date
    proposed_at: datetime = Field(sa_type=UtcDateTime)
    # state
    state: str = AmendmentState.PROPOSED.value
    decided_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    decided_by: str = ""
    decided_part: str = ""
    #: A value of `Rejection`, and the decision in words.
    decision: str = ""
    decision_words: str = ""
    #: Whether everybody may read the words: the owner's are read by a moderator first.
    answer_state: str = WordsState.SHOWN.value
    resulting_number: int | None = None
    promoted_to_id: int | None = Field(default=None, foreign_key="proposal.contribution_id")


@dataclass(frozen=True)
class AmendmentInput:
    """An amendment as typed: wished words by section, in one language, against a version; and why."""

    words: Mapping[str, str]
    base_number: int
    language: str
    reason: str = ""
    wants_credit: bool = True
    renews: Amendment | None = None
    #: What the fields were called that the version itself gives no heading: the title, sections of a text that came whole.
    headings: Mapping[str, str] = field(default_factory=dict)


def propose(
    session: Session,
    proposal_id: int,
    entered: AmendmentInput,
    submission: Submission,
    *,
    procedure: Procedure,
    by: Actor,
    now: datetime,
) -> Amendment:
    """Hand in an amendment; `submission` says who, by which channel and under which key, its text is written here.

    The same key again gives the amendment that is there. Raises what `proposing.require`, `proposing.patches_of` and
    `contributions.submit` raise, PROPOSAL_CLOSED (merged, withdrawn: the state says which), NOTHING_CHANGED, NOT_FOUND
    where the version is not one that everybody may read.
    """
    assert procedure.id is not None
    earlier = contributions.by_key(session, procedure.id, submission.key)
    if earlier is not None:
        return session.exec(select(Amendment).where(Amendment.contribution_id == earlier.id)).one()
    proposal = proposals.lock(session, proposal_id)
    _, phase = proposing.require(session, proposal, Act.AMEND, by=by, channel=submission.channel, now=now)
    parent = session.get_one(Contribution, proposal_id)
    if entered.base_number not in proposing.shown(session, parent).readable:
        raise Refusal(Code.NOT_FOUND)
    base = proposals.version(session, proposal_id, entered.base_number)
    assert base is not None
    patches = proposing.patches_of(entered.words, base, entered.language)
    if not patches:
        raise Refusal(Code.NOTHING_CHANGED)
    reason = normalise(entered.reason, field="reason", limit=proposing.NOTE_LIMIT).strip()
    handed_in = contributions.submit(
        session,
        replace(
            submission,
            kind=Kind.COMMENT,
            parent=parent,
            language=entered.language,
            text=_in_words(patches, {**entered.headings, **dict(base.headings)}, reason),
        ),
        procedure=procedure,
        by=by,
        now=now,
    )
    assert handed_in.id is not None
    days = proposing.arrangement_of(phase or _phase_of(session, proposal)).owner_days
    made = Amendment(
        proposal_id=proposal_id,
        contribution_id=handed_in.id,
        base_number=entered.base_number,
        patches=[vars(patch) for patch in patches],
        reason=reason,
        renews_id=entered.renews.id if entered.renews else None,
        wants_credit=entered.wants_credit,
        owner_until=local_date(now) + timedelta(days=days),
        proposed_at=now,
    )
    session.add(made)
    session.flush()
    if entered.renews is not None:
        _renewed(session, entered.renews, made, now=now)
    proposals.notice_taken(session, proposal_id)
    proposals.note(
        session, proposal, "amendment_proposed", by=by, now=now, subject=_subject(made),
        base=made.base_number, sections=sorted({patch.section for patch in patches}),
    )  # fmt: skip
    return made


def _in_words(patches: Sequence[Patch], headings: Mapping[str, str], reason: str) -> str:
    """An amendment as somebody reads it who has only the receipt."""
    sections = [
        Passage(each.section, headings.get(each.section) or each.section, each.text or "–")
        for each in patches
    ]
    return wording.compose([*sections, Passage("", "", reason)])


def _subject(amendment: Amendment) -> str:
    return f"amendment:{amendment.id}"


def _phase_of(session: Session, proposal: Proposal) -> Phase | None:
    return phase_of(session, proposal.phase_id) if proposal.phase_id else None


def _renewed(session: Session, old: Amendment, new: Amendment, *, now: datetime) -> None:
    after = amendment_answer(AmendmentState(old.state), AmendmentAct.RENEW, AmendmentPart.AMENDER)
    if after is None or old.proposal_id != new.proposal_id:
        raise Refusal(Code.AMENDMENT_CLOSED)
    # The renewed one takes its place; its own words stay on file.
    old.state, old.decided_at = AmendmentState.WITHDRAWN.value, now
    session.add(old)


# --- deciding --------------------------------------------------------------------------------------


def blacked_out(session: Session, proposal_id: int) -> set[int | None]:
    """The amendments to a proposal in which words were blacked out, or which nobody may read any more. One query."""
    return set[int | None](
        session.exec(
            select(col(Amendment.id))
            .join(Contribution, col(Contribution.id) == Amendment.contribution_id)
            .where(
                Amendment.proposal_id == proposal_id,
                col(Contribution.redaction_id).is_not(None)
                | (Contribution.publication != PublicationState.PUBLISHED.value),
            )
        ).all()
    )


def patches_in(amendment: Amendment) -> list[Patch]:
    """What it wishes, section by section."""
    return [Patch(**each) for each in amendment.patches]


def put_together(session: Session, amendment: Amendment) -> Applied:
    """How the newest words would read with it; clashes name the places where both changed the same words."""
    base = proposals.version(session, amendment.proposal_id, amendment.base_number)
    current = proposals.newest(session, amendment.proposal_id)
    assert base is not None
    return wording.apply(patches_in(amendment), base=base.texts, current=current.texts, stale=current.stale)


def public_patches(session: Session, amendment: Amendment) -> list[Patch] | None:
    """Its words as far as everybody may read them: all, or None where a moderator has blacked some of them out.

    What a moderator kept from the public (a threat, somebody's telephone number) is kept from the owner too.
    """
    handed_in = session.get_one(Contribution, amendment.contribution_id)
    if handed_in.redaction_id is None:
        return patches_in(amendment)
    public = session.get_one(Redaction, handed_in.redaction_id).text
    patches = patches_in(amendment)
    return patches if all(each.text in public for each in patches) else None


def public_answer(amendment: Amendment) -> str:
    """What the decision says in words, as far as everybody may read it."""
    return amendment.decision_words if amendment.answer_state == WordsState.SHOWN.value else ""


def part_in(
    proposal: Proposal, amendment: Amendment, *, by: Actor, author: ProposalAuthor | None, now: datetime
) -> AmendmentPart | None:
    """Whether somebody may decide now: the owner, or the facilitator once the owner was silent for long enough (or is gone).

    Raises Refusal OWNER_DECIDES ("until") for a facilitator who is too early.
    """
    part = proposing.part_of(proposal, by=by, author=author)
    if part is Part.OWNER:
        return AmendmentPart.OWNER
    if part is Part.FACILITATOR:
        if local_date(now) <= amendment.owner_until:
            raise Refusal(Code.OWNER_DECIDES, until=amendment.owner_until)
        return AmendmentPart.FACILITATOR
    return None


def accept(
    session: Session,
    amendment: Amendment,
    *,
    changed: Mapping[str, str] | None = None,
    words: str = "",
    by: Actor,
    author: ProposalAuthor | None = None,
    now: datetime,
) -> Amendment:
    """Take an amendment in: merged into the newest words, a version of its own; `changed` words take the place of its own.

    What both changed at the same place is not overwritten: the amendment becomes outdated, its author is asked to renew it,
    and the returned row says so. Where both versions were public and nothing was typed anew, the public reads the result at
    once; never what a moderator has blacked out in the amendment: the owner does not read that, and takes in nothing
    unread. Raises Refusal NOT_ALLOWED, OWNER_DECIDES, AMENDMENT_CLOSED, PROPOSAL_CLOSED, AMENDMENT_BLACKED_OUT,
    WRONG_STATE while moderation has not published it.
    """
    proposal, part = _to_decide(session, amendment, by=by, author=author, now=now)
    if part is AmendmentPart.OWNER and changed is None and public_patches(session, amendment) is None:
        raise Refusal(Code.AMENDMENT_BLACKED_OUT)
    act = AmendmentAct.ACCEPT if changed is None else AmendmentAct.ACCEPT_CHANGED
    after = amendment_answer(AmendmentState(amendment.state), act, part)
    if after is None:
        raise Refusal(Code.AMENDMENT_CLOSED)
    current = proposals.newest(session, proposal.contribution_id)
    language = amendment.patches[0]["language"]
    if changed is None:
        applied = put_together(session, amendment)
        if applied.clashes:
            amendment.state = AmendmentState.OUTDATED.value
            session.add(amendment)
            proposals.note(
                session, proposal, "amendment_outdated", by=by, now=now, subject=_subject(amendment),
                sections=sorted(applied.clashes), number=current.number,
            )  # fmt: skip
            return amendment
    else:
        patches = proposing.patches_of(changed, current, language)
        applied = wording.apply(patches, base=current.texts, current=current.texts, stale=current.stale)
    amender = _credit(session, proposal, amendment, now=now)
    is_blacked_out = session.get_one(Contribution, amendment.contribution_id).redaction_id is not None
    version = proposals.add_version(
        session,
        proposal,
        NewVersion(
            reason=VersionReason.AMENDMENT,
            texts=applied.texts,
            base_number=current.number,
            channel="web",
            language=language,
            note="" if is_blacked_out else amendment.reason,
            author_id=amender.id if amender else None,
            stale=applied.stale,
            amendment_id=amendment.id,
        ),
        by=by.label,
        now=now,
    )
    touched = wording.changed(current.texts, applied.texts)
    proposing.note_version(session, proposal, version, touched, by=by, now=now)
    _decide(session, proposal, amendment, after, part, words=words, decision="", by=by, now=now)
    amendment.resulting_number = version.number
    parent = session.get_one(Contribution, proposal.contribution_id)
    is_public = proposing.shown(session, parent).number == current.number
    if changed is None and is_public and not is_blacked_out:
        # Nothing stands there that a moderator has not read already.
        proposing.show(session, parent, version, by=SYSTEM, now=now, explanation=f"amendment:{amendment.id}")
    session.flush()
    return amendment


def reject(
    session: Session,
    amendment: Amendment,
    why: Rejection,
    words: str,
    *,
    by: Actor,
    author: ProposalAuthor | None = None,
    now: datetime,
) -> Amendment:
    """Do not take an amendment in, with a reason and some words for it. Raises REASON_REQUIRED ("words") and like `accept`."""
    if not words.strip():
        raise Refusal(Code.REASON_REQUIRED, "words")
    proposal, part = _to_decide(session, amendment, by=by, author=author, now=now)
    after = amendment_answer(AmendmentState(amendment.state), AmendmentAct.REJECT, part)
    if after is None:
        raise Refusal(Code.AMENDMENT_CLOSED)
    _decide(session, proposal, amendment, after, part, words=words, decision=why.value, by=by, now=now)
    return amendment


def _to_decide(
    session: Session, amendment: Amendment, *, by: Actor, author: ProposalAuthor | None, now: datetime
) -> tuple[Proposal, AmendmentPart]:
    proposal = proposals.lock(session, amendment.proposal_id)
    session.refresh(amendment)
    proposing.require(session, proposal, Act.DECIDE_AMENDMENT, by=by, author=author, now=now)
    if not is_readable(session, amendment):
        raise Refusal(Code.WRONG_STATE)
    part = part_in(proposal, amendment, by=by, author=author, now=now)
    if part is None:
        raise Refusal(Code.NOT_ALLOWED)
    return proposal, part


def _decide(
    session: Session,
    proposal: Proposal,
    amendment: Amendment,
    after: AmendmentState,
    part: AmendmentPart,
    *,
    words: str,
    decision: str,
    by: Actor,
    now: datetime,
) -> None:
    amendment.state = after.value
    amendment.decided_at, amendment.decided_by, amendment.decided_part = now, by.label, part.value
    amendment.decision = decision
    amendment.decision_words = normalise(words, field="words", limit=proposing.NOTE_LIMIT).strip()
    is_read = part is AmendmentPart.FACILITATOR or not amendment.decision_words
    amendment.answer_state = (WordsState.SHOWN if is_read else WordsState.WAITING).value
    session.add(amendment)
    session.flush()
    proposals.note(
        session, proposal, "amendment_decided", by=by, now=now, subject=_subject(amendment),
        state=after.value, part=part.value, decision=decision,
    )  # fmt: skip


def _credit(
    session: Session, proposal: Proposal, amendment: Amendment, *, now: datetime
) -> ProposalAuthor | None:
    """Whose words came in becomes a co-author, if they wish; who writes along already is not counted twice."""
    handed_in = session.get_one(Contribution, amendment.contribution_id)
    if not amendment.wants_credit or not (handed_in.pseudonym or handed_in.submitter_id):
        return None
    for author in proposals.authors_of(session, proposal.contribution_id):
        if author.person_id is not None and author.person_id == handed_in.submitter_id:
            return author
    joined = ProposalAuthor(
        proposal_id=proposal.contribution_id,
        person_id=handed_in.submitter_id,
        role=AuthorRole.COAUTHOR.value,
        state=AuthorState.ACTIVE.value,
        # What was blacked out takes the name that was typed with it.
        name="" if handed_in.redaction_id else handed_in.pseudonym,
        name_state=WordsState.SHOWN.value,
        contribution_id=handed_in.id,
        way="amendment",
        language=handed_in.language,
        since=now,
    )
    session.add(joined)
    session.flush()
    return joined


# --- the amender -----------------------------------------------------------------------------------


def withdraw(session: Session, amendment: Amendment, *, by: Actor, now: datetime) -> Amendment:
    """Its author takes it back (the caller has seen their access code). Raises AMENDMENT_CLOSED."""
    proposal = proposals.lock(session, amendment.proposal_id)
    session.refresh(amendment)
    after = amendment_answer(AmendmentState(amendment.state), AmendmentAct.WITHDRAW, AmendmentPart.AMENDER)
    if after is None:
        raise Refusal(Code.AMENDMENT_CLOSED)
    amendment.state, amendment.decided_at = after.value, now
    session.add(amendment)
    proposals.note(session, proposal, "amendment_withdrawn", by=by, now=now, subject=_subject(amendment))
    return amendment


def promote(
    session: Session,
    amendment: Amendment,
    submission: Submission,
    *,
    procedure: Procedure,
    by: Actor,
    now: datetime,
) -> Proposal:
    """Make a rejected amendment a proposal of its own: the text with its words in it, handed in through the one door.

    Raises AMENDMENT_CLOSED unless it was rejected, NOT_OPENED where the phase does not let it, and what
    `contributions.submit` raises.
    """
    proposal = proposals.lock(session, amendment.proposal_id)
    session.refresh(amendment)
    if amendment.promoted_to_id is not None:
        return session.get_one(Proposal, amendment.promoted_to_id)
    after = amendment_answer(AmendmentState(amendment.state), AmendmentAct.PROMOTE, AmendmentPart.AMENDER)
    if after is None:
        raise Refusal(Code.AMENDMENT_CLOSED)
    if not proposing.arrangement_of(_phase_of(session, proposal)).may_promote:
        raise Refusal(Code.NOT_OPENED, opening="promote")
    base = proposals.version(session, amendment.proposal_id, amendment.base_number)
    assert base is not None
    language = amendment.patches[0]["language"]
    words = dict(base.texts.get(language, {})) | {each.section: each.text for each in patches_in(amendment)}
    passages = tuple(wording.passages_of({language: words}, language, base.headings))
    handed_in = contributions.submit(
        session,
        replace(
            submission,
            kind=Kind.PROPOSAL,
            parent=None,
            language=language,
            title=submission.title or words.get("title", ""),
            category=submission.category or offered_subject(procedure, proposal.topic),
            passages=passages,
            is_continued=True,
        ),
        procedure=procedure,
        by=by,
        now=now,
    )
    assert handed_in.id is not None
    amendment.state, amendment.promoted_to_id = after.value, handed_in.id
    session.add(amendment)
    proposals.relate(
        session, handed_in.id, proposal.contribution_id, RelationKind.PROMOTED_FROM, by=by.label, now=now
    )
    proposals.note(
        session, proposal, "amendment_promoted", by=by, now=now, subject=_subject(amendment), to=handed_in.id
    )
    return session.get_one(Proposal, handed_in.id)


# --- questions -------------------------------------------------------------------------------------


def by_id(session: Session, proposal_id: int, amendment_id: int) -> Amendment | None:
    """The amendment with this number, if it belongs to the proposal."""
    found = session.get(Amendment, amendment_id)
    return found if found is not None and found.proposal_id == proposal_id else None


def is_readable(session: Session, amendment: Amendment) -> bool:
    """Whether a moderator has let it through: before, and once it was withheld, not even the owner reads it."""
    handed_in = session.get_one(Contribution, amendment.contribution_id)
    return handed_in.publication == PublicationState.PUBLISHED.value


def by_contribution(session: Session, contribution_id: int) -> Amendment | None:
    """The amendment that this contribution handed in, or None."""
    return session.exec(select(Amendment).where(Amendment.contribution_id == contribution_id)).first()


def is_one(session: Session, contribution: Contribution) -> bool:
    """Whether a contribution is an amendment and not just a comment."""
    if contribution.kind != Kind.COMMENT.value:
        return False
    return by_contribution(session, contribution.id or 0) is not None


def of_proposal(session: Session, proposal_id: int) -> list[tuple[Amendment, Contribution]]:
    """The amendments to a proposal that everybody may read, oldest first, each with what handed it in."""
    rows = session.exec(
        select(Amendment, Contribution)
        .join(Contribution, col(Contribution.id) == Amendment.contribution_id)
        .where(
            Amendment.proposal_id == proposal_id,
            Contribution.publication == PublicationState.PUBLISHED.value,
        )
        .order_by(col(Amendment.id))
    ).all()
    return [(amendment, contribution) for amendment, contribution in rows]


def standing(amendment: Amendment, proposal: Proposal, now: datetime) -> str:
    """Its state as everybody reads it: an undecided one of a proposal that takes nothing more in was not decided, which is
    not the same as rejected."""
    waits = amendment.state in (AmendmentState.PROPOSED.value, AmendmentState.OUTDATED.value)
    if waits and proposal.authoring != Authoring.OPEN.value:
        return "not_decided"
    if amendment.state == AmendmentState.OUTDATED.value and now > amendment.proposed_at + 2 * RENEWAL:
        return "not_renewed"
    return amendment.state


def waiting_for_facilitator(
    session: Session, municipality_id: int, *, by: Actor, now: datetime, limit: int = 50
) -> list[tuple[Amendment, Proposal]]:
    """Amendments whose owner was silent for too long, oldest first, in the consultations that somebody facilitates."""
    rows = session.exec(
        select(Amendment, Proposal)
        .join(Proposal, col(Proposal.contribution_id) == Amendment.proposal_id)
        .join(Contribution, col(Contribution.id) == Amendment.contribution_id)
        .where(
            Proposal.municipality_id == municipality_id,
            Proposal.authoring == Authoring.OPEN.value,
            Amendment.state == AmendmentState.PROPOSED.value,
            col(Amendment.owner_until) < local_date(now),
            Contribution.publication == PublicationState.PUBLISHED.value,
        )
        .order_by(col(Amendment.id))
        .limit(limit)
    ).all()
    return [(amendment, proposal) for amendment, proposal in rows if proposing.facilitates(by, proposal)]
