"""Proposals that people write, improve and see through: versions that lose nothing, authors, and what belongs together.

A proposal is one contribution's second half: what was handed in stays evidence (`contributions`), what becomes of the
words is a chain of versions. Every version carries the hash of the one before it, so that nobody can alter one later.
Rows are written here; who may do what, and what follows from it, is said in `cocreation` and done in `proposing`.
"""

import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Column, Index, UniqueConstraint, func, update
from sqlmodel import Field, Session, SQLModel, col, select

from consultations import cocreation, journal, places, whereabouts, wording
from consultations.cocreation import Authoring, Evaluation, RelationKind
from consultations.permissions import Actor
from consultations.refusals import Code, Refusal
from consultations.tables import BigKey, Json, UtcDateTime, insert_object, insert_row, one_of
from consultations.wording import Passage

#: Buckets that proposals are dealt into by chance, so that a list can be shuffled for each visitor through an index.
BUCKETS = 256


class VersionReason(StrEnum):
    """Why there is a new version."""

    HANDED_IN = "handed_in"
    EDIT = "edit"
    AMENDMENT = "amendment"
    TRANSLATION = "translation"
    MERGE = "merge"
    SPLIT = "split"
    IMPORT = "import"


class AuthorRole(StrEnum):
    """What an author is to the proposal."""

    OWNER = "owner"
    COAUTHOR = "coauthor"


class AuthorState(StrEnum):
    """Where somebody stands with writing along."""

    INVITED = "invited"
    ACTIVE = "active"
    DECLINED = "declined"
    LEFT = "left"
    REMOVED = "removed"


class WordsState(StrEnum):
    """Whether everybody may read words that stand beside a proposal."""

    WAITING = "waiting"
    SHOWN = "shown"
    WITHHELD = "withheld"


#: Ways of becoming an author by which no moderator has read the name yet.
UNREAD_WAYS = ("link", "mail", "paper", "merge")


class Proposal(SQLModel, table=True):
    """A proposal; its key is that of the contribution that handed it in. What lists filter and sort by stands here."""

    __tablename__ = "proposal"
    __table_args__ = (
        Index(
            "ix_proposal_shuffled",
            *("procedure_id", "is_listed", "bucket", "shuffle", "contribution_id", "channel", "language"),
            *("district", "authoring", "is_on_map"),
        ),
        Index("ix_proposal_newest", "procedure_id", "is_listed", "received_at", "contribution_id"),
        Index("ix_proposal_least_seen", "procedure_id", "is_listed", "attention", "contribution_id"),
        Index("ix_proposal_near", "procedure_id", "is_listed", "is_on_map", "cell", "contribution_id"),
    )

    contribution_id: int = Field(foreign_key="contribution.id", primary_key=True)
    municipality_id: int = Field(foreign_key="municipality.id", index=True)
    procedure_id: int = Field(foreign_key="procedure.id")
    phase_id: int | None = Field(default=None, foreign_key="phase.id", index=True)
    #: The axes of its own; the third, what the public sees, is `Contribution.publication`.
    authoring: str = Authoring.OPEN.value
    evaluation: str = Evaluation.NONE.value
    newest_number: int = 1
    #: Whether the public can read it at all, and whether its place is on the map; kept in step by `set_listed`.
    is_listed: bool = False
    is_on_map: bool = False
    bucket: int
    shuffle: int
    received_at: datetime = Field(sa_type=UtcDateTime)
    channel: str
    language: str
    district: str = ""
    #: `Contribution.topic`, kept in step.
    topic: str = ""
    cell: int | None = Field(default=None, sa_column=Column(BigKey, nullable=True))
    #: Supports that stand, and everything that people did with it (comments, amendments, supports): for lists only.
    supports: int = 0
    attention: int = 0


class ProposalVersion(SQLModel, table=True):
    """How a proposal read from a moment on. Never changed, never deleted."""

    __tablename__ = "proposal_version"
    __table_args__ = (UniqueConstraint("proposal_id", "number"),)

    id: int | None = Field(default=None, sa_column=Column(BigKey, primary_key=True))
    proposal_id: int = Field(foreign_key="proposal.contribution_id")
    number: int
    #: The version that it was written against; None for the first.
    base_number: int | None = None
    reason: str
    #: What was changed and why, in the author's words; everybody reads it with the version.
    note: str = ""
    made_at: datetime = Field(sa_type=UtcDateTime)
    made_by: str
    author_id: int | None = Field(default=None, foreign_key="proposal_author.id")
    channel: str
    language: str
    #: Words by language and section; which of them are stale ("en/why"); where words come from ("en/why": "machine").
    texts: dict[str, Any] = Field(sa_type=Json)
    #: The sections in their order with what their fields were called: [["why", "Warum?"]].
    headings: list[list[str]] = Field(default_factory=list, sa_type=Json)
    stale: list[str] = Field(default_factory=list, sa_type=Json)
    origins: dict[str, Any] = Field(default_factory=dict, sa_type=Json)
    #: Where, as it was handed in, and what was enclosed: [[sha256, description]].
    place: dict[str, Any] = Field(default_factory=dict, sa_type=Json)
    files: list[list[str]] = Field(default_factory=list, sa_type=Json)
    amendment_id: int | None = None
    previous_receipt: str
    receipt: str


class ProposalAuthor(SQLModel, table=True):
    """Somebody who writes, wrote or was asked to write along. Who leaves keeps the credit unless they say otherwise."""

    __tablename__ = "proposal_author"
    __table_args__ = (Index("ix_proposal_author_proposal_id_state", "proposal_id", "state"),)

    id: int | None = Field(default=None, sa_column=Column(BigKey, primary_key=True))
    proposal_id: int = Field(foreign_key="proposal.contribution_id")
    person_id: int | None = Field(default=None, foreign_key="person.id", index=True)
    role: str
    state: str
    #: The name that everybody may read, once a moderator has read it (`WordsState`); empty: without a name.
    name: str = ""
    name_state: str = WordsState.SHOWN.value
    keeps_credit: bool = True
    #: The contribution that the name was typed with: what is blacked out there takes it along.
    contribution_id: int | None = Field(default=None, foreign_key="contribution.id", index=True)
    invited_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    invited_by: str = ""
    #: link | mail | paper
    way: str = ""
    #: SHA-256 of the secret in the personal link, and of the code that was printed.
    key_sha256: str = Field(default="", index=True)
    code_sha256: str = Field(default="", index=True)
    language: str = "de"
    since: datetime | None = Field(default=None, sa_type=UtcDateTime)
    until: datetime | None = Field(default=None, sa_type=UtcDateTime)


class ProposalRelation(SQLModel, table=True):
    """That one proposal belongs to another, and how. Rows are only added."""

    __tablename__ = "proposal_relation"
    __table_args__ = (UniqueConstraint("from_id", "to_id", "kind"),)

    id: int | None = Field(default=None, sa_column=Column(BigKey, primary_key=True))
    from_id: int = Field(foreign_key="proposal.contribution_id")
    to_id: int = Field(foreign_key="proposal.contribution_id", index=True)
    kind: str
    note: str = ""
    made_at: datetime = Field(sa_type=UtcDateTime)
    made_by: str


# --- taking in -------------------------------------------------------------------------------------


def take_up(
    session: Session,
    contribution: Any,
    passages: Sequence[Passage],
    files: Sequence[tuple[str, str]],
    *,
    by: str,
) -> Proposal:
    """Give a contribution that was just handed in its second half: the proposal, its first version, its owner.

    `contribution` is the row as `contributions.submit` wrote it; `files` are hashes with descriptions.
    """
    proposal = insert_row(
        session,
        Proposal,
        contribution_id=contribution.id,
        municipality_id=contribution.municipality_id,
        procedure_id=contribution.procedure_id,
        phase_id=contribution.phase_id,
        bucket=secrets.randbelow(BUCKETS),
        shuffle=secrets.randbelow(2**31),
        received_at=contribution.received_at,
        channel=contribution.channel,
        language=contribution.language,
        district=_district(session, contribution),
        topic=contribution.topic,
        cell=contribution.cell,
    )
    author = insert_object(
        session,
        ProposalAuthor,
        proposal_id=contribution.id,
        person_id=contribution.submitter_id,
        role=AuthorRole.OWNER.value,
        state=AuthorState.ACTIVE.value,
        name=contribution.pseudonym,
        contribution_id=contribution.id,
        language=contribution.language,
        since=contribution.received_at,
    )
    language = contribution.language
    if passages:
        texts = {
            language: {cocreation.TITLE: contribution.title, **{each.key: each.text for each in passages}}
        }
    else:
        texts = wording.whole_text(contribution.title, contribution.text, language)
    _write(
        session,
        proposal_id=contribution.id,
        number=1,
        base_number=None,
        reason=(VersionReason.IMPORT if contribution.source_id else VersionReason.HANDED_IN).value,
        note="",
        made_at=contribution.recorded_at,
        made_by=by,
        author_id=author.id,
        channel=contribution.channel,
        language=language,
        texts=texts,
        headings=[[each.key, each.heading] for each in passages],
        stale=[],
        origins={},
        place={
            "words": contribution.place_words,
            "geometry": contribution.geometry.hex() if contribution.geometry else "",
        },
        files=[list(file) for file in files],
        amendment_id=None,
        previous_receipt=journal.FIRST_HASH,
    )
    return Proposal(**proposal)


def _district(session: Session, contribution: Any) -> str:
    """The district it lies in, or that of the place of the list that was chosen; empty where nobody knows."""
    if contribution.lon is not None:
        point = (contribution.lon, contribution.lat)
        return whereabouts.of(session, contribution.municipality_id, [point])[0].district
    chosen = contribution.place_id
    place = places.by_id(session, contribution.municipality_id, chosen) if chosen else None
    return (
        place.district or (place.name if place.kind == places.PlaceKind.DISTRICT.value else "")
        if place
        else ""
    )


def _write(session: Session, **values: Any) -> ProposalVersion:
    values["receipt"] = receipt_of(values)
    return insert_object(session, ProposalVersion, **values)


_SEALED = (
    "proposal_id", "number", "base_number", "reason", "note", "made_by", "author_id", "channel", "language", "texts",
    "headings", "stale", "origins", "place", "files", "amendment_id", "previous_receipt",
)  # fmt: skip


def receipt_of(values: Mapping[str, Any]) -> str:
    """The seal of a version: SHA-256 over all of it and the receipt of the version before, in one canonical spelling."""
    return journal.digest(
        [values["made_at"].astimezone(UTC).isoformat(), *(values[name] for name in _SEALED)]
    )


@dataclass(frozen=True)
class NewVersion:
    """A version about to be written; what is None stays as in the version before."""

    reason: VersionReason
    texts: Mapping[str, Mapping[str, str]]
    base_number: int
    channel: str
    language: str
    note: str = ""
    author_id: int | None = None
    headings: Sequence[Sequence[str]] | None = None
    stale: Sequence[str] = ()
    origins: Mapping[str, str] | None = None
    amendment_id: int | None = None


def lock(session: Session, proposal_id: int) -> Proposal:
    """The proposal, locked until the transaction ends: of two who write at once the second sees the first's version.

    Raises Refusal NOT_FOUND.
    """
    proposal = session.get(Proposal, proposal_id, with_for_update=True, populate_existing=True)
    if proposal is None:
        raise Refusal(Code.NOT_FOUND)
    return proposal


def add_version(
    session: Session, proposal: Proposal, new: NewVersion, *, by: str, now: datetime
) -> ProposalVersion:
    """Write the next version of a locked proposal, chained to the one before it."""
    before = newest(session, proposal.contribution_id)
    version = _write(
        session,
        proposal_id=proposal.contribution_id,
        number=before.number + 1,
        base_number=new.base_number,
        reason=new.reason.value,
        note=new.note,
        made_at=now,
        made_by=by,
        author_id=new.author_id,
        channel=new.channel,
        language=new.language,
        texts={language: dict(words) for language, words in new.texts.items()},
        headings=[list(each) for each in (before.headings if new.headings is None else new.headings)],
        stale=sorted(new.stale),
        origins=dict(before.origins if new.origins is None else new.origins),
        place=before.place,
        files=before.files,
        amendment_id=new.amendment_id,
        previous_receipt=before.receipt,
    )
    proposal.newest_number = version.number
    session.add(proposal)
    session.flush()
    return version


# --- what lists need -------------------------------------------------------------------------------


def set_listed(
    session: Session, contribution_id: int, is_listed: bool, *, is_on_map: bool, topic: str
) -> None:
    """Keep what lists and maps show in step with what the public may see; nothing happens without a proposal."""
    session.execute(
        update(Proposal)
        .where(col(Proposal.contribution_id) == contribution_id)
        .values(is_listed=is_listed, is_on_map=is_listed and is_on_map, topic=topic)
    )


def notice_taken(session: Session, proposal_id: int, *, supports: int = 0, attention: int = 1) -> None:
    """Count that somebody did something with a proposal (or took it back, -1): added up in the database, so that nobody's
    is lost."""
    session.execute(
        update(Proposal)
        .where(col(Proposal.contribution_id) == proposal_id)
        .values(supports=Proposal.supports + supports, attention=Proposal.attention + attention)
    )


# --- questions -------------------------------------------------------------------------------------


def by_contribution(session: Session, contribution_id: int) -> Proposal | None:
    """The proposal that this contribution handed in, or None."""
    return session.get(Proposal, contribution_id)


def newest(session: Session, proposal_id: int) -> ProposalVersion:
    """The newest version, whoever may read it. Raises Refusal NOT_FOUND without any."""
    found = session.exec(
        select(ProposalVersion)
        .where(ProposalVersion.proposal_id == proposal_id)
        .order_by(col(ProposalVersion.number).desc())
        .limit(1)
    ).first()
    if found is None:
        raise Refusal(Code.NOT_FOUND)
    return found


def version(session: Session, proposal_id: int, number: int) -> ProposalVersion | None:
    """One version by its number."""
    return session.exec(
        select(ProposalVersion).where(
            ProposalVersion.proposal_id == proposal_id, ProposalVersion.number == number
        )
    ).first()


def versions_of(session: Session, proposal_id: int) -> list[ProposalVersion]:
    """All versions, oldest first."""
    return list(
        session.exec(
            select(ProposalVersion)
            .where(ProposalVersion.proposal_id == proposal_id)
            .order_by(col(ProposalVersion.number))
        ).all()
    )


def authors_of(session: Session, proposal_id: int) -> list[ProposalAuthor]:
    """Everybody who writes, wrote or was asked, in the order in which they came."""
    return list(
        session.exec(
            select(ProposalAuthor)
            .where(ProposalAuthor.proposal_id == proposal_id)
            .order_by(col(ProposalAuthor.id))
        ).all()
    )


def credited(authors: Sequence[ProposalAuthor]) -> list[ProposalAuthor]:
    """Whose work it is: who writes and who wrote, unless they asked for their name to be taken off."""
    return [
        author
        for author in authors
        if author.state == AuthorState.ACTIVE.value
        or (author.state == AuthorState.LEFT.value and author.keeps_credit)
    ]


def owner_of(authors: Sequence[ProposalAuthor]) -> ProposalAuthor | None:
    """The one who decides; None if the owner has gone and nobody has taken over."""
    return next(
        (
            author
            for author in authors
            if author.role == AuthorRole.OWNER.value and author.state == AuthorState.ACTIVE.value
        ),
        None,
    )


def relate(
    session: Session, from_id: int, to_id: int, kind: RelationKind, *, by: str, now: datetime, note: str = ""
) -> None:
    """Say that two proposals belong together; said twice it is one relation. The caller writes the journal."""
    known = session.exec(
        select(ProposalRelation.id).where(
            ProposalRelation.from_id == from_id,
            ProposalRelation.to_id == to_id,
            ProposalRelation.kind == kind.value,
        )
    ).first()
    if known is None:
        session.add(
            ProposalRelation(
                from_id=from_id, to_id=to_id, kind=kind.value, note=note, made_at=now, made_by=by
            )
        )
        session.flush()


def relations_of(session: Session, proposal_id: int) -> list[ProposalRelation]:
    """What it belongs to and what belongs to it."""
    return list(
        session.exec(
            select(ProposalRelation)
            .where((ProposalRelation.from_id == proposal_id) | (ProposalRelation.to_id == proposal_id))
            .order_by(col(ProposalRelation.id))
        ).all()
    )


# --- evidence --------------------------------------------------------------------------------------


def note(
    session: Session,
    proposal: Proposal,
    verb: str,
    *,
    by: Actor,
    now: datetime,
    subject: str = "",
    **facts: Any,
) -> None:
    """Write into the journal what was done with a proposal, or with something that belongs to it (`subject`)."""
    about = {"proposal": proposal.contribution_id} if subject else {}
    journal.append(
        session,
        municipality_id=proposal.municipality_id,
        verb=verb,
        by=by,
        at=now,
        procedure_id=proposal.procedure_id,
        subject=subject or f"proposal:{proposal.contribution_id}",
        facts={**about, **facts},
    )


def broken(versions: Sequence[ProposalVersion]) -> list[tuple[int, str]]:
    """What is wrong with a chain of versions, oldest first: the number and `missing`, `unlinked` or `altered`."""
    found: list[tuple[int, str]] = []
    previous = journal.FIRST_HASH
    for expected, each in enumerate(versions, start=1):
        if each.number != expected:
            return [*found, (expected, "missing")]
        if each.previous_receipt != previous:
            found.append((each.number, "unlinked"))
        if receipt_of(each.model_dump()) != each.receipt:
            found.append((each.number, "altered"))
        previous = each.receipt
    return found


def examine(session: Session, *, batch: int = 200) -> Iterator[tuple[str, str]]:
    """Walk through all proposals and name each version that is not what was sealed; memory is bounded by `batch`."""
    last = 0
    while True:
        rows = session.exec(
            select(Proposal.contribution_id, Proposal.newest_number)
            .where(col(Proposal.contribution_id) > last)
            .order_by(col(Proposal.contribution_id))
            .limit(batch)
        ).all()
        if not rows:
            return
        last = rows[-1][0]
        chains: dict[int, list[ProposalVersion]] = {row[0]: [] for row in rows}
        for each in session.exec(
            select(ProposalVersion)
            .where(col(ProposalVersion.proposal_id).in_(list(chains)))
            .order_by(col(ProposalVersion.proposal_id), col(ProposalVersion.number))
        ).all():
            chains[each.proposal_id].append(each)
        for proposal_id, number in rows:
            problems = broken(chains[proposal_id])
            if not problems and len(chains[proposal_id]) != number:
                problems = [(number, "missing")]
            for at, problem in problems:
                yield f"proposal:{proposal_id}/{at}", f"version_{problem}"
        session.expunge_all()


def how_many(session: Session, *procedure_ids: int) -> int:
    """How many proposals of consultations the public can read."""
    here = one_of(col(Proposal.procedure_id), procedure_ids)
    return session.exec(select(func.count()).where(here, col(Proposal.is_listed).is_(True))).one()
