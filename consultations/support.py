"""Support: once per person and phase, in whatever channel, and taken back whenever somebody wishes.

Rows are only ever added: given, withdrawn, moved, linked. What stands is the last row of a party. A party is whoever
supports, as far as the channel knows: an account, a browser, a line on a paper list; two parties that turn out to be one
person are linked and counted once, and no row goes away. In the same way somebody says that an argument for or against a
proposal is a good one (`mark`): that is no support of the proposal and counts nowhere as one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import Column, ColumnElement, Index, UniqueConstraint, func
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import aliased
from sqlmodel import Field, Session, SQLModel, col, select

from consultations import journal, proposals, proposing
from consultations.cocreation import Act, Audience, Counts, Opening
from consultations.deadlines import PhaseState
from consultations.permissions import Actor
from consultations.phases import Phase, phase_of, phases_of
from consultations.proposals import Proposal
from consultations.refusals import Code, Refusal
from consultations.tables import BigKey, UtcDateTime, only


class SupportAct(StrEnum):
    """What a row says."""

    GIVEN = "given"
    WITHDRAWN = "withdrawn"
    MOVED_AWAY = "moved_away"  # with consent, to the proposal that took this one in
    MOVED_HERE = "moved_here"
    LINKED = "linked"  # the same person supports it by another way already


#: Rows after which a support counts.
STANDING = (SupportAct.GIVEN.value, SupportAct.MOVED_HERE.value)
#: What an act adds to the attention of a proposal. Given and taken back a hundred times is none: nobody pushes a proposal
#: down the list of those that are little noticed that way.
ATTENTION = {SupportAct.GIVEN: 1, SupportAct.WITHDRAWN: -1}


class Support(SQLModel, table=True):
    """One thing that somebody did with their support of a proposal, or of an argument in the talk about it. Never changed,
    never deleted; `turn` counts a party's rows."""

    __tablename__ = "support"
    __table_args__ = (
        UniqueConstraint("proposal_id", "phase_id", "party", "turn"),
        Index("ix_support_phase_id_party", "phase_id", "party", "proposal_id"),
        # Counting who finds which argument good reads the index alone, and none of the supports.
        Index(
            "ix_support_arguments",
            *("proposal_id", "argument_id", "phase_id", "party", "turn", "act"),
            **only("argument_id IS NOT NULL"),
        ),
    )

    id: int | None = Field(default=None, sa_column=Column(BigKey, primary_key=True))
    proposal_id: int = Field(foreign_key="proposal.contribution_id")
    phase_id: int = Field(foreign_key="phase.id")
    #: Who, as far as the channel knows: "account:12", "browser:<sha256>", "paper:<sha256>"; never a name.
    party: str
    person_id: int | None = Field(default=None, foreign_key="person.id", index=True)
    turn: int
    act: str
    channel: str
    at: datetime = Field(sa_type=UtcDateTime)
    recorded_by: str
    #: The row at the other proposal (moved), or of the other party (linked).
    refers_to_id: int | None = Field(default=None, foreign_key="support.id")
    #: The comment that is found a good argument; None: the proposal itself is supported.
    argument_id: int | None = Field(default=None, foreign_key="contribution.id")


@dataclass(frozen=True)
class Supporter:
    """Who supports: `party` as in `Support`, the person if known, the channel that it came by."""

    party: str
    channel: str = "web"
    person_id: int | None = None
    #: What they say of themselves, where a limit asks: "age", "resident".
    declares: frozenset[str] = frozenset()


def give(
    session: Session,
    proposal_id: int,
    supporter: Supporter,
    *,
    also: Sequence[str] = (),
    by: Actor,
    now: datetime,
) -> Support:
    """Support a proposal in the phase that opens it. Done twice it is one support.

    `also`: parties that are known to be the same person (the browser in which somebody is signed in). What they gave is
    linked, and whatever they give later counts once as well, as long as this support stands. Raises what `proposing.require` raises, NOT_ALLOWED where the phase wants people signed in, SUPPORT_DECLARE (field:
    what they have to say of themselves), SUPPORT_LIMIT (limit).
    """
    proposal = proposals.lock(session, proposal_id)
    _, phase = proposing.require(session, proposal, Act.SUPPORT, by=by, channel=supporter.channel, now=now)
    phase = phase or _phase_of(session, proposal)
    arrangement = proposing.arrangement_of(phase)
    if arrangement.audience is Audience.SIGNED_IN and supporter.person_id is None:
        raise Refusal(Code.NOT_ALLOWED)
    assert phase.id is not None
    last = _last(session, proposal_id, phase.id, supporter.party)
    if last is not None and (last.act in STANDING or _counts_elsewhere(session, last)):
        _recognise(session, proposal, last, also, by=by, now=now)
        return last
    limits = arrangement.limits
    for name in limits.asked:
        if name not in supporter.declares:
            raise Refusal(Code.SUPPORT_DECLARE, name)
    limit = limits.per_person
    # A limit without its ground and somebody who answers for it binds nobody.
    binds = limit is not None and not limits.missing
    if binds:
        # Two clicks on two proposals at the same moment: the second is to count the first.
        journal.hold(session, proposal.municipality_id)
    known = used(session, phase.id, (supporter.party, *also)) if binds else set[int]()
    if binds and proposal_id not in known and len(known) >= (limit or 0):
        raise Refusal(Code.SUPPORT_LIMIT, limit=limit)
    given = _add(session, proposal, phase.id, supporter, SupportAct.GIVEN, last, by=by, now=now)
    _recognise(session, proposal, given, also, by=by, now=now)
    return given


def _recognise(
    session: Session, proposal: Proposal, kept: Support, also: Sequence[str], *, by: Actor, now: datetime
) -> None:
    """Note that other parties are whoever gave `kept`, before or after they support the proposal themselves."""
    for party in also:
        last = _last(session, proposal.contribution_id, kept.phase_id, party, kept.argument_id)
        if kept.act not in STANDING or party == kept.party:
            continue
        if last is not None and last.act == SupportAct.LINKED.value and _counts_elsewhere(session, last):
            continue
        other = Supporter(party, kept.channel)
        _add(
            session, proposal, kept.phase_id, other, SupportAct.LINKED, last, by=by, now=now, refers_to=kept,
            argument_id=kept.argument_id,
        )  # fmt: skip


def _counts_elsewhere(session: Session, row: Support) -> bool:
    """Whether a party was linked to another whose support still stands: theirs counts with it then."""
    if row.act != SupportAct.LINKED.value or row.refers_to_id is None:
        return False
    kept = session.get_one(Support, row.refers_to_id)
    last = _last(session, row.proposal_id, row.phase_id, kept.party, row.argument_id)
    return last is not None and last.act in STANDING


def asked_for(session: Session, proposal: Proposal, *, now: datetime) -> tuple[str, ...]:
    """What supporters of a proposal have to say of themselves now."""
    phases = phases_of(session, proposal.procedure_id)
    phase = proposing.phase_that_opens(phases, Opening.SUPPORT, now)
    return proposing.arrangement_of(phase).limits.asked


def withdraw(
    session: Session, proposal_id: int, supporter: Supporter, *, by: Actor, now: datetime
) -> Support | None:
    """Take a support back, in whatever phase it was given; None if there is none. Raises what `proposing.require` raises."""
    proposal = proposals.lock(session, proposal_id)
    proposing.require(session, proposal, Act.WITHDRAW_SUPPORT, by=by, channel=supporter.channel, now=now)
    row = None
    for last in _lasts(session, proposal_id, supporter.party):
        if last.act in STANDING:
            row = _add(
                session, proposal, last.phase_id, supporter, SupportAct.WITHDRAWN, last, by=by, now=now
            )
    return row


def move(
    session: Session, from_id: int, to_id: int, supporter: Supporter, *, by: Actor, now: datetime
) -> None:
    """Take supports along to the proposal that this one went into, because the supporter says so.

    Who supports both already keeps both: the sum over all proposals never changes by a merge.
    """
    old, new = proposals.lock(session, from_id), proposals.lock(session, to_id)
    for last in _lasts(session, from_id, supporter.party):
        there = _last(session, to_id, last.phase_id, supporter.party)
        if last.act not in STANDING or (there is not None and there.act in STANDING):
            continue
        away = _add(session, old, last.phase_id, supporter, SupportAct.MOVED_AWAY, last, by=by, now=now)
        _add(
            session,
            new,
            last.phase_id,
            supporter,
            SupportAct.MOVED_HERE,
            there,
            by=by,
            now=now,
            refers_to=away,
        )


def link(
    session: Session, proposal_id: int, phase_id: int, kept: str, other: str, *, by: Actor, now: datetime
) -> None:
    """Say that two parties are one person: the support of `other` no longer counts beside that of `kept`.

    Raises Refusal NOT_FOUND unless both support the proposal in this phase.
    """
    proposal = proposals.lock(session, proposal_id)
    first, second = (_last(session, proposal_id, phase_id, party) for party in (kept, other))
    if first is None or second is None or first.act not in STANDING or second.act not in STANDING:
        raise Refusal(Code.NOT_FOUND)
    supporter = Supporter(other, second.channel, second.person_id)
    _add(session, proposal, phase_id, supporter, SupportAct.LINKED, second, by=by, now=now, refers_to=first)


# --- arguments -------------------------------------------------------------------------------------


def mark(
    session: Session,
    proposal_id: int,
    argument_id: int,
    supporter: Supporter,
    *,
    also: Sequence[str] = (),
    by: Actor,
    now: datetime,
) -> Support:
    """Say that an argument in the talk about a proposal is a good one, once per person; `also` as for `give`.

    That it is an argument of this proposal is asked by `discussion.argument`. Raises what `proposing.require` raises, and
    NOT_ALLOWED where the phase wants people signed in.
    """
    proposal = proposals.lock(session, proposal_id)
    _, phase = proposing.require(
        session, proposal, Act.MARK_ARGUMENT, by=by, channel=supporter.channel, now=now
    )
    phase = phase or _phase_of(session, proposal)
    if proposing.arrangement_of(phase).audience is Audience.SIGNED_IN and supporter.person_id is None:
        raise Refusal(Code.NOT_ALLOWED)
    assert phase.id is not None
    last = _last(session, proposal_id, phase.id, supporter.party, argument_id)
    if last is None or not (last.act in STANDING or _counts_elsewhere(session, last)):
        last = _add(
            session, proposal, phase.id, supporter, SupportAct.GIVEN, last, by=by, now=now,
            argument_id=argument_id,
        )  # fmt: skip
    _recognise(session, proposal, last, also, by=by, now=now)
    return last


def unmark(
    session: Session, proposal_id: int, argument_id: int, supporter: Supporter, *, by: Actor, now: datetime
) -> None:
    """Say so no longer; nothing happens without a mark. Raises what `proposing.require` raises."""
    proposal = proposals.lock(session, proposal_id)
    proposing.require(session, proposal, Act.UNMARK_ARGUMENT, by=by, channel=supporter.channel, now=now)
    for last in _lasts(session, proposal_id, supporter.party, argument_id):
        if last.act in STANDING:
            _add(
                session, proposal, last.phase_id, supporter, SupportAct.WITHDRAWN, last, by=by, now=now,
                argument_id=argument_id,
            )  # fmt: skip


def standing_of(session: Session, proposal_id: int, parties: Sequence[str]) -> set[int | None]:
    """What one person stands by, known by any of these parties: the ids of arguments about a proposal, and None for the
    proposal itself. One query; what counts with another party's (`is_linked`) is not said, for that may be somebody else."""
    rows = session.exec(
        select(Support.phase_id, Support.party, Support.argument_id, Support.act)
        .where(Support.proposal_id == proposal_id, col(Support.party).in_(parties))
        .order_by(col(Support.turn))
    ).all()
    lasts = {(phase, party, argument): act for phase, party, argument, act in rows}
    return {argument for (_, _, argument), act in lasts.items() if act in STANDING}


def marked(session: Session, proposal_id: int) -> dict[int, int]:
    """How many find which argument about a proposal good: by the comment's id, those without a mark left out. One query."""
    rows = session.exec(
        select(Support.argument_id, func.count())
        .where(*_standing(proposal_id, col(Support.argument_id).is_not(None)))
        .group_by(col(Support.argument_id))
    ).all()
    return {argument_id: number for argument_id, number in rows if argument_id is not None}


# --- rows ------------------------------------------------------------------------------------------


def _phase_of(session: Session, proposal: Proposal) -> Phase:
    """At the counter, where the phase may be over: the one in which the proposal was handed in."""
    phase = phase_of(session, proposal.phase_id) if proposal.phase_id else None
    if phase is None:
        raise Refusal(Code.NOT_OPENED, opening="support")
    return phase


def _add(
    session: Session,
    proposal: Proposal,
    phase_id: int,
    supporter: Supporter,
    act: SupportAct,
    last: Support | None,
    *,
    by: Actor,
    now: datetime,
    refers_to: Support | None = None,
    argument_id: int | None = None,
) -> Support:
    """Add a row after `last`, the party's last about the same thing."""
    turns = select(func.max(Support.turn)).where(
        Support.proposal_id == proposal.contribution_id,
        Support.phase_id == phase_id,
        Support.party == supporter.party,
    )
    row = Support(
        proposal_id=proposal.contribution_id,
        phase_id=phase_id,
        party=supporter.party,
        person_id=supporter.person_id,
        turn=(session.exec(turns).one() or 0) + 1,
        act=act.value,
        channel=supporter.channel,
        at=now,
        recorded_by=by.label,
        refers_to_id=refers_to.id if refers_to else None,
        argument_id=argument_id,
    )
    try:
        with session.begin_nested():
            session.add(row)
            session.flush()
    except IntegrityError:  # the same click twice at the same moment
        again = _last(session, proposal.contribution_id, phase_id, supporter.party, argument_id)
        assert again is not None
        return again
    if argument_id is not None:
        proposals.note(
            session, proposal, f"argument_{act.value}", by=by, now=now, subject=f"contribution:{argument_id}",
            support=row.id, channel=supporter.channel, phase=phase_id,
        )  # fmt: skip
        return row
    was, stands = last is not None and last.act in STANDING, act.value in STANDING
    proposals.notice_taken(
        session,
        proposal.contribution_id,
        supports=int(stands) - int(was),
        attention=ATTENTION.get(act, 0),
    )
    proposals.note(
        session, proposal, f"support_{act.value}", by=by, now=now,
        support=row.id, channel=supporter.channel, phase=phase_id,
    )  # fmt: skip
    return row


def _last(
    session: Session, proposal_id: int, phase_id: int, party: str, argument_id: int | None = None
) -> Support | None:
    return session.exec(
        select(Support)
        .where(
            Support.proposal_id == proposal_id,
            Support.phase_id == phase_id,
            Support.party == party,
            col(Support.argument_id).is_not_distinct_from(argument_id),
        )
        .order_by(col(Support.turn).desc())
        .limit(1)
    ).first()


def _lasts(session: Session, proposal_id: int, party: str, argument_id: int | None = None) -> list[Support]:
    """The last row of a party in each phase, about the proposal or one argument."""
    rows = session.exec(
        select(Support)
        .where(
            Support.proposal_id == proposal_id,
            Support.party == party,
            col(Support.argument_id).is_not_distinct_from(argument_id),
        )
        .order_by(col(Support.phase_id), col(Support.turn))
    ).all()
    return list({row.phase_id: row for row in rows}.values())


def supports(session: Session, proposal_id: int, party: str, argument_id: int | None = None) -> bool:
    """Whether a party's support of a proposal, or its mark of an argument, stands."""
    return any(row.act in STANDING for row in _lasts(session, proposal_id, party, argument_id))


def is_linked(session: Session, proposal_id: int, party: str, argument_id: int | None = None) -> bool:
    """Whether a party does not support it itself but is known to be somebody whose support (or mark) stands."""
    return any(_counts_elsewhere(session, row) for row in _lasts(session, proposal_id, party, argument_id))


def used(session: Session, phase_id: int, parties: Sequence[str]) -> set[int]:
    """The proposals that one person supports in a phase, by whichever of their parties; two queries and one per link."""
    rows = session.exec(
        select(Support)
        .where(
            Support.phase_id == phase_id,
            col(Support.party).in_(parties),
            col(Support.argument_id).is_(None),
        )
        .order_by(col(Support.proposal_id), col(Support.turn))
    ).all()
    lasts = {(row.proposal_id, row.party): row for row in rows}.values()
    return {row.proposal_id for row in lasts if row.act in STANDING or _counts_elsewhere(session, row)}


def stand(proposal_id: int) -> tuple[ColumnElement[bool], ...]:
    """The conditions under which a row of `support` is a support of the proposal that stands, for questions of others."""
    return _standing(proposal_id, col(Support.argument_id).is_(None))


def _standing(proposal_id: int, about: ColumnElement[bool]) -> tuple[ColumnElement[bool], ...]:
    later = aliased(Support)
    return (
        col(Support.proposal_id) == proposal_id,
        about,
        col(Support.act).in_(STANDING),
        ~select(later.id)
        .where(
            later.proposal_id == Support.proposal_id,
            later.phase_id == Support.phase_id,
            later.party == Support.party,
            col(later.argument_id).is_not_distinct_from(Support.argument_id),
            later.turn > Support.turn,
        )
        .exists(),
    )


def counted(session: Session, proposal_id: int) -> int:
    """How many supports stand, counted from the rows; `Proposal.supports` is the same number, kept."""
    return session.exec(select(func.count()).select_from(Support).where(*stand(proposal_id))).one()


def standing_row(session: Session, proposal_id: int, party: str) -> Support | None:
    """The row by which a party supports a proposal now, in whatever phase; None if it does not."""
    return next((row for row in _lasts(session, proposal_id, party) if row.act in STANDING), None)


def by_channel(session: Session, proposal_id: int) -> dict[str, int]:
    """How many supports stand by the channel that they came by, for people at work."""
    rows = session.exec(
        select(Support.channel, func.count()).where(*stand(proposal_id)).group_by(col(Support.channel))
    ).all()
    return dict(rows)


def shown_count(proposal: Proposal, phase: Phase | None, *, now: datetime, is_opened: bool) -> int | None:
    """How many supports everybody may see, or None while the phase hides it.

    `is_opened`: on the proposal's own page; in a list the number stays hidden while the phase runs.
    """
    return proposal.supports if shows_counts(phase, now=now, is_opened=is_opened) else None


def shows_counts(phase: Phase | None, *, now: datetime, is_opened: bool) -> bool:
    """Whether everybody may see numbers that could steer, of supports and of who finds an argument good."""
    if phase is None or phase.state(now) is not PhaseState.OPEN:
        return True
    return is_opened and proposing.arrangement_of(phase).counts is Counts.OPENED
