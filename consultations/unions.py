"""Merging and dividing proposals, with consent: who asks, who agrees, and what becomes of words, authors and supports.

One proposal goes into another once the owners of both have agreed; where an owner is silent for the days of the phase or
gone, the facilitator may agree in their place, and every consent stays on file as a row. The one that went in stays
readable, with its versions and its supports: a support moves only when the supporter says so (`support.move`), so that
the sum over all proposals never changes. Dividing hands a part in as a proposal of its own, through the one door.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from enum import StrEnum

from sqlalchemy import Column, ColumnElement, Index, UniqueConstraint
from sqlmodel import Field, Session, SQLModel, col, select

from consultations import (
    contributions,
    happenings,
    proposals,
    proposing,
    received,
    support_lists,
    wording,
)
from consultations.cocreation import Act, Authoring, Part, RelationKind
from consultations.contributions import Contribution, Kind, Submission
from consultations.deadlines import local_date
from consultations.people import Person, PersonInput
from consultations.permissions import Actor
from consultations.phases import phase_of
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


class UnionState(StrEnum):
    """What became of the wish to merge."""

    ASKED = "asked"
    JOINED = "joined"
    REFUSED = "refused"  # with words
    WITHDRAWN = "withdrawn"


class Union(SQLModel, table=True):
    """The wish that one proposal goes into another. Only what stands below `# state` changes."""

    __tablename__ = "proposal_union"
    __table_args__ = (Index("ix_proposal_union_municipality_id_state", "municipality_id", "state"),)

    id: int | None = Field(default=None, sa_column=Column(BigKey, primary_key=True))
    municipality_id: int = Field(foreign_key="municipality.id")
    procedure_id: int = Field(foreign_key="procedure.id")
    #: The proposal that goes into the other, and the one that takes it in.
    from_id: int = Field(foreign_key="proposal.contribution_id", index=True)
    into_id: int = Field(foreign_key="proposal.contribution_id", index=True)
    #: How the joint proposal is to read: words by section, against a version of `into_id`; nothing: as it reads now.
    words: dict[str, str] = Field(default_factory=dict, sa_type=Json)
    base_number: int
    language: str
    #: Why, in the words of whoever asks.
    reason: str
    asked_at: datetime = Field(sa_type=UtcDateTime)
    asked_by: str
    #: For which of the two its owner asks; None: the facilitator asks.
    asked_for_id: int | None = Field(default=None, foreign_key="proposal.contribution_id")
    #: Until when the owners decide alone.
    owners_until: date
    # state
    state: str = UnionState.ASKED.value
    #: Whether the other owner may read what was typed (`WordsState`): reason and joint words, and those of a refusal.
    wish_state: str = WordsState.SHOWN.value
    answer_state: str = WordsState.SHOWN.value
    decided_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    #: What was said with a refusal.
    decision_words: str = ""
    resulting_number: int | None = None


class UnionConsent(SQLModel, table=True):
    """That a proposal's owner, or the facilitator in their place, agrees to a merge or does not. Rows are only added."""

    __tablename__ = "proposal_union_consent"
    __table_args__ = (UniqueConstraint("union_id", "proposal_id"),)

    id: int | None = Field(default=None, sa_column=Column(BigKey, primary_key=True))
    union_id: int = Field(foreign_key="proposal_union.id")
    #: For which of the two.
    proposal_id: int = Field(foreign_key="proposal.contribution_id")
    agrees: bool
    #: owner | facilitator
    part: str
    author_id: int | None = Field(default=None, foreign_key="proposal_author.id")
    at: datetime = Field(sa_type=UtcDateTime)
    by: str


@dataclass(frozen=True)
class UnionInput:
    """A wish to merge as typed."""

    from_id: int
    into_id: int
    reason: str
    words: Mapping[str, str]
    base_number: int


# --- asking ----------------------------------------------------------------------------------------


def ask(
    session: Session,
    entered: UnionInput,
    *,
    by: Actor,
    author: ProposalAuthor | None = None,
    now: datetime,
) -> Union:
    """Ask that one proposal goes into another. Whoever owns one of the two agrees for it by asking.

    Raises what `proposing.require` raises for both, UNION_SAME (the same proposal, or of another consultation),
    UNION_ASKED (such a wish waits already), REASON_REQUIRED ("reason"), and what `proposing.patches_of` raises.
    """
    if entered.from_id == entered.into_id:
        raise Refusal(Code.UNION_SAME, "reference")
    # Always in the same order, so that two who ask for the opposite do not wait for each other.
    both = {key: proposals.lock(session, key) for key in sorted((entered.from_id, entered.into_id))}
    going, taking = both[entered.from_id], both[entered.into_id]
    if going.procedure_id != taking.procedure_id:
        raise Refusal(Code.UNION_SAME, "reference")
    own = author.proposal_id if author is not None else None
    may_ask = proposing.facilitates(by, taking) if own is None else own in both
    if not may_ask:
        raise Refusal(Code.NOT_ALLOWED)
    for key, proposal in both.items():
        _require_possible(
            session, proposal, by=by, author=author if key == own else None, is_own=key == own, now=now
        )
    if any(each.state == UnionState.ASKED.value for each in of_proposals(session, tuple(both))):
        raise Refusal(Code.UNION_ASKED)
    reason = normalise(entered.reason, field="reason", limit=proposing.NOTE_LIMIT).strip()
    if not reason:
        raise Refusal(Code.REASON_REQUIRED, "reason")
    base = proposals.version(session, taking.contribution_id, entered.base_number)
    if base is None:
        raise Refusal(Code.NOT_FOUND)
    patches = proposing.patches_of(entered.words, base, base.language)
    phase = phase_of(session, taking.phase_id) if taking.phase_id else None
    days = proposing.arrangement_of(phase).owner_days
    made = Union(
        municipality_id=taking.municipality_id,
        procedure_id=taking.procedure_id,
        from_id=entered.from_id,
        into_id=entered.into_id,
        words={patch.section: patch.text for patch in patches},
        base_number=entered.base_number,
        language=base.language,
        reason=reason,
        asked_at=now,
        asked_by=by.label,
        asked_for_id=own,
        owners_until=local_date(now) + timedelta(days=days),
        wish_state=(WordsState.SHOWN if own is None else WordsState.WAITING).value,
    )
    session.add(made)
    session.flush()
    for proposal in (going, taking):
        proposals.note(
            session, proposal, "merge_asked", by=by, now=now, union=made.id, into=made.into_id,
            sections=sorted(made.words),
        )  # fmt: skip
    if own is not None and author is not None:
        _consent(session, made, both[own], agrees=True, part=Part.OWNER, author=author, by=by, now=now)
        _join_if_agreed(session, made, by=by, now=now)
    return made


def _require_possible(
    session: Session,
    proposal: Proposal,
    *,
    by: Actor,
    author: ProposalAuthor | None,
    is_own: bool,
    now: datetime,
) -> None:
    """That this proposal can be merged at all; and, for one's own or by the facilitator, that one may ask."""
    if is_own or author is not None or proposing.facilitates(by, proposal):
        proposing.require(session, proposal, Act.MERGE, by=by, author=author, now=now)
    elif not proposal.is_listed:
        raise Refusal(Code.NOT_FOUND, "reference")
    elif proposal.authoring != Authoring.OPEN.value:
        raise Refusal(Code.PROPOSAL_CLOSED, "reference", state=proposal.authoring)


# --- agreeing --------------------------------------------------------------------------------------


def decide(
    session: Session,
    union: Union,
    proposal_id: int,
    *,
    agrees: bool,
    words: str = "",
    by: Actor,
    author: ProposalAuthor | None = None,
    now: datetime,
) -> Union:
    """Agree for one of the two proposals, or refuse with words. With the second consent they are one.

    Nobody agrees to joint words that no moderator has read yet (`side_words`): Refusal WISH_UNREAD. Raises NOT_ALLOWED, OWNER_DECIDES ("until") for a facilitator who is too early, UNION_CLOSED,
    REASON_REQUIRED ("words") for a refusal, TEXT_MOVED_ON (the joint words no longer fit: nothing is overwritten), and
    what `proposing.require` raises.
    """
    both = {key: proposals.lock(session, key) for key in sorted((union.from_id, union.into_id))}
    session.refresh(union)
    if proposal_id not in both:
        raise Refusal(Code.NOT_FOUND)
    proposal = both[proposal_id]
    if union.state != UnionState.ASKED.value or proposal_id in agreed(session, union):
        raise Refusal(Code.UNION_CLOSED)
    proposing.require(session, proposal, Act.MERGE, by=by, author=author, now=now)
    part = proposing.part_of(proposal, by=by, author=author)
    has_owner = proposals.owner_of(proposals.authors_of(session, proposal_id)) is not None
    if part is Part.FACILITATOR and has_owner and local_date(now) <= union.owners_until:
        raise Refusal(Code.OWNER_DECIDES, until=union.owners_until)
    said = normalise(words, field="words", limit=proposing.NOTE_LIMIT).strip()
    if not agrees and not said:
        raise Refusal(Code.REASON_REQUIRED, "words")
    if agrees and union.words and union.wish_state != WordsState.SHOWN.value:
        raise Refusal(Code.WISH_UNREAD)
    _consent(session, union, proposal, agrees=agrees, part=part, author=author, by=by, now=now)
    if not agrees:
        union.state, union.decided_at, union.decision_words = UnionState.REFUSED.value, now, said
        union.answer_state = (WordsState.WAITING if part is Part.OWNER else WordsState.SHOWN).value
        session.add(union)
        return union
    _join_if_agreed(session, union, by=by, now=now)
    return union


def withdraw(
    session: Session, union: Union, *, by: Actor, author: ProposalAuthor | None = None, now: datetime
) -> Union:
    """Whoever asked no longer wishes it: an owner who agreed, or the facilitator. Raises UNION_CLOSED, NOT_ALLOWED."""
    both = {key: proposals.lock(session, key) for key in sorted((union.from_id, union.into_id))}
    session.refresh(union)
    if union.state != UnionState.ASKED.value:
        raise Refusal(Code.UNION_CLOSED)
    own = author.proposal_id if author is not None else union.into_id
    part = proposing.part_of(both[own], by=by, author=author) if own in both else Part.ANYBODY
    if part not in (Part.OWNER, Part.FACILITATOR) or (
        part is Part.OWNER and own not in agreed(session, union)
    ):
        raise Refusal(Code.NOT_ALLOWED)
    union.state, union.decided_at = UnionState.WITHDRAWN.value, now
    session.add(union)
    session.flush()
    for proposal in both.values():
        proposals.note(session, proposal, "merge_withdrawn", by=by, now=now, union=union.id)
    return union


def _consent(
    session: Session,
    union: Union,
    proposal: Proposal,
    *,
    agrees: bool,
    part: Part,
    author: ProposalAuthor | None,
    by: Actor,
    now: datetime,
) -> None:
    assert union.id is not None
    session.add(
        UnionConsent(
            union_id=union.id,
            proposal_id=proposal.contribution_id,
            agrees=agrees,
            part=part.value,
            author_id=author.id if author else None,
            at=now,
            by=by.label,
        )
    )
    session.flush()
    verb = "merge_agreed" if agrees else "merge_refused"
    proposals.note(session, proposal, verb, by=by, now=now, union=union.id, part=part.value)


def _join_if_agreed(session: Session, union: Union, *, by: Actor, now: datetime) -> None:
    """Once both have agreed: the words, the authors and the states; supports stay where they are."""
    if agreed(session, union) != {union.from_id, union.into_id}:
        return
    going, taking = (session.get_one(Proposal, key) for key in (union.from_id, union.into_id))
    if union.words:
        union.resulting_number = _write(session, union, taking, by=by, now=now)
    going.authoring = Authoring.MERGED.value
    session.add(going)
    proposals.relate(
        session,
        union.from_id,
        union.into_id,
        RelationKind.MERGED_INTO,
        by=by.label,
        now=now,
        note=_public_reason(union),
    )
    known = proposals.authors_of(session, union.into_id)
    is_blacked_out = session.get_one(Contribution, union.from_id).redaction_id is not None
    for author in proposals.authors_of(session, union.from_id):
        if author.state == AuthorState.ACTIVE.value:
            _take_along(session, author, known, union, is_blacked_out=is_blacked_out, now=now)
    union.state, union.decided_at = UnionState.JOINED.value, now
    session.add(union)
    session.flush()
    references = received.references(session, [union.from_id, union.into_id])
    for proposal, facts in (
        (going, {"into": references[union.into_id]}),
        (taking, {"took_in": references[union.from_id]}),
    ):
        proposals.note(
            session, proposal, "proposals_merged", by=by, now=now,
            union=union.id, gone=union.from_id, joined=union.into_id, state=proposal.authoring,
        )  # fmt: skip
        happening = happenings.note(session, proposal, happenings.Kind.MERGED, now=now, facts=facts)
        # Supporters are asked whether they come along, on paper too: nothing of theirs moves by itself.
        support_lists.tell(session, proposal, happening, by=by, now=now)


def _public_reason(union: Union) -> str:
    """Why, for everybody to read with the joint version; nothing that no moderator let through."""
    return union.reason if union.wish_state == WordsState.SHOWN.value else ""


def _write(session: Session, union: Union, taking: Proposal, *, by: Actor, now: datetime) -> int:
    """The joint words as a version of the one that stays. Raises Refusal TEXT_MOVED_ON where they no longer fit."""
    base = proposals.version(session, union.into_id, union.base_number)
    assert base is not None
    current = proposals.newest(session, union.into_id)
    applied = wording.apply(
        proposing.patches_of(union.words, base, union.language),
        base=base.texts,
        current=current.texts,
        stale=current.stale,
    )
    if applied.clashes:
        section = next(iter(applied.clashes)).partition("/")[2]
        raise Refusal(Code.TEXT_MOVED_ON, section, number=current.number)
    touched = wording.changed(current.texts, applied.texts)
    if not touched:
        return current.number
    version = proposals.add_version(
        session,
        taking,
        NewVersion(
            reason=VersionReason.MERGE,
            texts=applied.texts,
            base_number=current.number,
            channel="web",
            language=union.language,
            note=_public_reason(union),
            stale=applied.stale,
        ),
        by=by.label,
        now=now,
    )
    proposing.note_version(session, taking, version, touched, by=by, now=now)
    return version.number


def _take_along(
    session: Session,
    author: ProposalAuthor,
    known: list[ProposalAuthor],
    union: Union,
    *,
    is_blacked_out: bool,
    now: datetime,
) -> None:
    """Who wrote the one writes along in the other, with the same name; nobody twice.

    Names that were blacked out with the one (or may have been) are read by a moderator before they stand at the other.
    """
    if author.person_id is not None and any(
        each.person_id == author.person_id and each.state == AuthorState.ACTIVE.value for each in known
    ):
        return
    session.add(
        ProposalAuthor(
            proposal_id=union.into_id,
            person_id=author.person_id,
            role=AuthorRole.COAUTHOR.value,
            state=AuthorState.ACTIVE.value,
            name=author.name,
            name_state=WordsState.WAITING.value if author.name and is_blacked_out else author.name_state,
            keeps_credit=author.keeps_credit,
            contribution_id=author.contribution_id,
            invited_by=_came_as(author),
            way="merge",
            language=author.language,
            since=now,
        )
    )
    session.flush()


def _came_as(author: ProposalAuthor) -> str:
    return f"author:{author.id}"


def continued_as(session: Session, author: ProposalAuthor) -> ProposalAuthor | None:
    """The author that somebody has become in the proposal that took theirs in, or None."""
    return session.exec(
        select(ProposalAuthor).where(
            ProposalAuthor.way == "merge",
            ProposalAuthor.invited_by == _came_as(author),
            ProposalAuthor.state == AuthorState.ACTIVE.value,
        )
    ).first()


# --- dividing --------------------------------------------------------------------------------------


def divide(
    session: Session,
    proposal_id: int,
    submission: Submission,
    *,
    procedure: Procedure,
    by: Actor,
    author: ProposalAuthor | None = None,
    now: datetime,
) -> Proposal:
    """Make a part of a proposal a proposal of its own (`submission` has its title and passages), by its owner's wish.

    It comes through the one door, with a receipt, and is moderated; the original keeps its words, versions and supports.
    The same key again gives the one that is there. Raises what `proposing.require` and `contributions.submit` raise.
    """
    assert procedure.id is not None
    earlier = contributions.by_key(session, procedure.id, submission.key)
    if earlier is not None and earlier.id is not None:
        return session.get_one(Proposal, earlier.id)
    proposal = proposals.lock(session, proposal_id)
    proposing.require(session, proposal, Act.SPLIT, by=by, author=author, now=now)
    handed_in = contributions.submit(
        session,
        replace(
            submission,
            kind=Kind.PROPOSAL,
            parent=None,
            category=submission.category or offered_subject(procedure, proposal.topic),
            is_continued=True,
        ),
        procedure=procedure,
        by=by,
        now=now,
    )
    assert handed_in.id is not None
    proposals.relate(session, handed_in.id, proposal_id, RelationKind.SPLIT_FROM, by=by.label, now=now)
    proposals.note(session, proposal, "proposal_divided", by=by, now=now, part=handed_in.id)
    return session.get_one(Proposal, handed_in.id)


def contact_of_owner(session: Session, proposal_id: int) -> PersonInput:
    """How whoever owns a proposal can be reached, as far as they said, to send them the receipt of a part that the
    facilitator divides off."""
    author = proposals.owner_of(proposals.authors_of(session, proposal_id))
    person = session.get(Person, author.person_id) if author and author.person_id else None
    if person is None:
        return PersonInput()
    return PersonInput(
        name=person.name,
        street=person.street,
        postcode=person.postcode,
        city=person.city,
        email=person.email,
        phone=person.phone,
        language=person.language,
    )


# --- questions -------------------------------------------------------------------------------------


def by_id(session: Session, proposal_id: int, union_id: int) -> Union | None:
    """The wish with this number, if the proposal is one of the two."""
    found = session.get(Union, union_id)
    return found if found is not None and proposal_id in (found.from_id, found.into_id) else None


def in_town(session: Session, municipality_id: int, union_id: int) -> Union | None:
    """The wish with this number, if it belongs to the municipality."""
    found = session.get(Union, union_id)
    return found if found is not None and found.municipality_id == municipality_id else None


def of_proposals(session: Session, proposal_ids: tuple[int, ...]) -> list[Union]:
    """All wishes to merge one of these proposals, newest first."""
    return list(
        session.exec(
            select(Union)
            .where(col(Union.from_id).in_(proposal_ids) | col(Union.into_id).in_(proposal_ids))
            .order_by(col(Union.id).desc())
        ).all()
    )


def agreed(session: Session, union: Union) -> set[int]:
    """For which of the two proposals somebody has agreed."""
    return set(
        session.exec(
            select(UnionConsent.proposal_id).where(
                UnionConsent.union_id == union.id, col(UnionConsent.agrees).is_(True)
            )
        ).all()
    )


def gone_into(session: Session, proposal_id: int) -> int | None:
    """The proposal that took this one in, or None."""
    return session.exec(
        select(Union.into_id).where(Union.from_id == proposal_id, Union.state == UnionState.JOINED.value)
    ).first()


def public_reasons(session: Session, proposal_id: int) -> dict[int, str]:
    """Why others went into this proposal, by the number of the version that came of it, as far as everybody may read it
    now: a moderator may keep it back long after. One query."""
    reasons: dict[int, str] = {}
    rows = session.exec(
        select(Union)
        .where(Union.into_id == proposal_id, col(Union.resulting_number).is_not(None))
        .order_by(col(Union.id))
    ).all()
    for row in rows:
        # A later wish that changed no word names the same version, but it is not the one that it came of.
        reasons.setdefault(row.resulting_number or 0, _public_reason(row))
    return reasons


def waiting_for_facilitator(
    session: Session, municipality_id: int, *, by: Actor, now: datetime, limit: int = 50
) -> list[Union]:
    """Wishes whose owners were silent for too long, oldest first, in the consultations that somebody facilitates."""
    silent = col(Union.owners_until) < local_date(now)
    return _waiting(session, municipality_id, silent, by=by, limit=limit)


def asked_by_facilitator(
    session: Session, municipality_id: int, *, by: Actor, now: datetime, limit: int = 50
) -> list[Union]:
    """Wishes of the town hall that the owners still have time to answer, oldest first, where somebody facilitates."""
    open_ones = col(Union.asked_for_id).is_(None) & (col(Union.owners_until) >= local_date(now))
    return _waiting(session, municipality_id, open_ones, by=by, limit=limit)


def _waiting(
    session: Session, municipality_id: int, which: ColumnElement[bool], *, by: Actor, limit: int
) -> list[Union]:
    rows = session.exec(
        select(Union, Proposal)
        .join(Proposal, col(Proposal.contribution_id) == Union.into_id)
        .where(
            Union.municipality_id == municipality_id,
            Union.state == UnionState.ASKED.value,
            which,
        )
        .order_by(col(Union.id))
        .limit(limit)
    ).all()
    return [union for union, proposal in rows if proposing.facilitates(by, proposal)]
