"""Supports on paper: lists of signatures, typed in by one person and compared with the paper by another.

Nothing counts before the second person has looked at it (four eyes). Each line then goes through the same door as a
click (`support.give`); who stands on two lists, or on paper and online, is linked and counted once, and no line goes
away. The names stay at the counter: `support` itself knows a party only by a keyed hash.
"""

import hmac
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import Column, Index, UniqueConstraint
from sqlmodel import Field, Session, SQLModel, col, select

from consultations import channels, following, journal, proposals, support
from consultations.deadlines import local_date
from consultations.happenings import Happening
from consultations.people import Person
from consultations.permissions import Actor, Permission, may
from consultations.phases import Phase
from consultations.places import fold
from consultations.proposals import Proposal
from consultations.refusals import Code, Refusal
from consultations.support import Support, Supporter
from consultations.tables import BigKey, UtcDateTime
from consultations.text import normalise

#: Lines of one list as it is typed in, and characters of each of their fields.
LINES_LIMIT = 200
#: The names of a sheet are kept for so long after its phase, for whoever wants to check it; the numbers stay.
NAMES_KEPT = timedelta(days=365)
FIELD_LIMIT = 200


class ListState(StrEnum):
    """Where a list stands."""

    ENTERED = "entered"
    CHECKED = "checked"
    CANCELLED = "cancelled"


class Outcome(StrEnum):
    """What became of a line."""

    WAITING = "waiting"
    COUNTED = "counted"
    DOUBLE = "double"  # the same person supports it already: linked to that support
    LIMITED = "limited"  # a limit of the phase stands against it
    STRUCK = "struck"  # not legible, not on the paper: with a reason


class SupportList(SQLModel, table=True):
    """A sheet with signatures for one proposal."""

    __tablename__ = "support_list"
    __table_args__ = (Index("ix_support_list_municipality_id_state", "municipality_id", "state"),)

    id: int | None = Field(default=None, sa_column=Column(BigKey, primary_key=True))
    municipality_id: int = Field(foreign_key="municipality.id")
    procedure_id: int = Field(foreign_key="procedure.id")
    proposal_id: int = Field(foreign_key="proposal.contribution_id", index=True)
    channel: str
    received_on: date
    #: Where the paper lies: "Ordner 3, Blatt 7".
    filed: str = ""
    state: str = ListState.ENTERED.value
    entered_by: str
    entered_at: datetime = Field(sa_type=UtcDateTime)
    checked_by: str = ""
    checked_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class SupportLine(SQLModel, table=True):
    """One signature. Only what became of it changes, and whether its name has been erased."""

    __tablename__ = "support_line"
    __table_args__ = (UniqueConstraint("list_id", "number"),)

    id: int | None = Field(default=None, sa_column=Column(BigKey, primary_key=True))
    list_id: int = Field(foreign_key="support_list.id")
    number: int
    name: str
    street: str = ""
    postcode: str = ""
    city: str = ""
    email: str = ""
    is_of_age: bool = False
    is_resident: bool = False
    wants_news: bool = False
    outcome: str = Outcome.WAITING.value
    note: str = ""
    party: str = ""
    support_id: int | None = Field(default=None, foreign_key="support.id", index=True)


@dataclass(frozen=True)
class LineInput:
    """A line as typed."""

    name: str
    street: str = ""
    postcode: str = ""
    city: str = ""
    email: str = ""
    is_of_age: bool = False
    is_resident: bool = False
    wants_news: bool = False


def _require(by: Actor, municipality_id: int, procedure_id: int) -> None:
    if not may(by, Permission.RECORD_INTAKE, municipality_id=municipality_id, procedure_id=procedure_id):
        raise Refusal(Code.NOT_ALLOWED)


def _note(
    session: Session, row: SupportList, verb: str, *, by: Actor, now: datetime, **facts: object
) -> None:
    journal.append(
        session,
        municipality_id=row.municipality_id,
        verb=verb,
        by=by,
        at=now,
        procedure_id=row.procedure_id,
        subject=f"support_list:{row.id}",
        facts={"proposal": row.proposal_id, **facts},
    )


def enter(
    session: Session,
    proposal: Proposal,
    lines: Sequence[LineInput],
    *,
    received_on: date,
    channel: str = "signature_list",
    filed: str = "",
    by: Actor,
    now: datetime,
) -> SupportList:
    """Type a list in. Nothing counts yet: somebody else compares it with the paper (`check`).

    Raises Refusal NOT_ALLOWED, DATE_IMPOSSIBLE ("received_on": in the future), LIST_EMPTY, LIST_TOO_LONG (limit),
    TEXT_TOO_LONG.
    """
    _require(by, proposal.municipality_id, proposal.procedure_id)
    if channels.by_key(channel).entry is not channels.Entry.CLERK:
        raise Refusal(Code.NOT_ALLOWED)
    if received_on > local_date(now):
        raise Refusal(Code.DATE_IMPOSSIBLE, "received_on", date=received_on.strftime("%d.%m.%Y"))
    if not lines:
        raise Refusal(Code.LIST_EMPTY)
    if len(lines) > LINES_LIMIT:
        raise Refusal(Code.LIST_TOO_LONG, limit=LINES_LIMIT)
    row = SupportList(
        municipality_id=proposal.municipality_id,
        procedure_id=proposal.procedure_id,
        proposal_id=proposal.contribution_id,
        channel=channel,
        received_on=received_on,
        filed=_line(filed, "filed"),
        entered_by=by.label,
        entered_at=now,
    )
    session.add(row)
    session.flush()
    assert row.id is not None
    for number, each in enumerate(lines, start=1):
        session.add(
            SupportLine(
                list_id=row.id,
                number=number,
                name=_line(each.name, "name"),
                street=_line(each.street, "street"),
                postcode=_line(each.postcode, "postcode"),
                city=_line(each.city, "city"),
                email=_line(each.email, "email"),
                is_of_age=each.is_of_age,
                is_resident=each.is_resident,
                wants_news=each.wants_news,
            )
        )
    session.flush()
    _note(session, row, "support_list_entered", by=by, now=now, lines=len(lines), channel=channel)
    return row


def _line(typed: str, field: str) -> str:
    return " ".join(normalise(typed, field=field, limit=FIELD_LIMIT).split())


def party_of(key: bytes, procedure_id: int, line: SupportLine) -> str:
    """By whom a line is, so that the same person on two lists is one: a keyed hash of name, street and postcode.

    A line without an address is a person of its own: equal names alone are no identity.
    """
    if not (line.street and line.postcode):
        return f"paper:{hmac.digest(key, f'line {line.list_id}/{line.number}'.encode(), 'sha256').hex()}"
    spelled = "\0".join(
        [str(procedure_id), fold(line.name), fold(line.street).replace(" ", ""), line.postcode.strip()]
    )
    return f"paper:{hmac.digest(key, b'paper support' + spelled.encode(), 'sha256').hex()}"


def check(
    session: Session,
    row: SupportList,
    struck: Mapping[int, str],
    *,
    key: bytes,
    by: Actor,
    now: datetime,
) -> SupportList:
    """The second person has compared the list with the paper: every line counts, but those that are struck.

    `struck`: line number → why. `key`: the installation's, for the parties' hashes. Raises Refusal NOT_ALLOWED,
    FOUR_EYES (whoever typed it in), WRONG_STATE, REASON_REQUIRED, and what `support.give` raises for the proposal as
    a whole (PROPOSAL_CLOSED, NOT_FOUND).
    """
    session.refresh(row, with_for_update=True)
    _require(by, row.municipality_id, row.procedure_id)
    if row.state != ListState.ENTERED.value:
        raise Refusal(Code.WRONG_STATE, state=row.state)
    if by.label == row.entered_by:
        raise Refusal(Code.FOUR_EYES)
    if any(not why.strip() for why in struck.values()):
        raise Refusal(Code.REASON_REQUIRED)
    counts = dict.fromkeys(Outcome, 0)
    for line in lines_of(session, row.id or 0):
        if line.number in struck:
            line.outcome, line.note = Outcome.STRUCK.value, _line(struck[line.number], "note")
        else:
            _count(session, row, line, key=key, by=by, now=now)
        counts[Outcome(line.outcome)] += 1
        session.add(line)
    row.state, row.checked_by, row.checked_at = ListState.CHECKED.value, by.label, now
    session.add(row)
    session.flush()
    _note(
        session, row, "support_list_checked", by=by, now=now,
        **{outcome.value: count for outcome, count in counts.items() if count},
    )  # fmt: skip
    return row


def _count(
    session: Session, row: SupportList, line: SupportLine, *, key: bytes, by: Actor, now: datetime
) -> None:
    line.party = party_of(key, row.procedure_id, line)
    declares = frozenset(
        name for name, is_said in (("age", line.is_of_age), ("resident", line.is_resident)) if is_said
    )
    known = support.standing_row(session, row.proposal_id, line.party)
    if known is not None:
        line.outcome, line.support_id = Outcome.DOUBLE.value, known.id
        return
    try:
        given = support.give(
            session,
            row.proposal_id,
            Supporter(line.party, row.channel, declares=declares),
            by=by,
            now=now,
        )
    except Refusal as refusal:
        if refusal.code not in (Code.SUPPORT_LIMIT, Code.SUPPORT_DECLARE):
            raise
        line.outcome, line.note = Outcome.LIMITED.value, refusal.code.value
        return
    line.outcome, line.support_id = Outcome.COUNTED.value, given.id


def cancel(session: Session, row: SupportList, *, why: str, by: Actor, now: datetime) -> SupportList:
    """It was typed in by mistake. Raises Refusal NOT_ALLOWED, WRONG_STATE once it was checked, REASON_REQUIRED."""
    session.refresh(row, with_for_update=True)
    _require(by, row.municipality_id, row.procedure_id)
    if row.state != ListState.ENTERED.value:
        raise Refusal(Code.WRONG_STATE, state=row.state)
    if not why.strip():
        raise Refusal(Code.REASON_REQUIRED, "why")
    row.state = ListState.CANCELLED.value
    session.add(row)
    _note(session, row, "support_list_cancelled", by=by, now=now, why=_line(why, "why"))
    return row


# --- the same person on paper and online ------------------------------------------------------------


@dataclass(frozen=True)
class Candidate:
    """A line that may be by somebody who supports the proposal online too. `why`: email | address | name."""

    line_id: int
    number: int
    name: str
    party: str
    person_name: str
    why: str


def candidates(session: Session, row: SupportList) -> list[Candidate]:
    """Lines of a checked list whose name or e-mail address is that of an account that supports the proposal too.

    Equal names are a reason to look, not an identity (law-and-standards R-6.2): a person decides (`link`). Two queries;
    the accounts that support the proposal are gone through once, however many lines there are.
    """
    lines = session.exec(
        select(SupportLine).where(
            SupportLine.list_id == row.id,
            SupportLine.outcome == Outcome.COUNTED.value,
            col(SupportLine.party).in_(select(Support.party).where(*support.stand(row.proposal_id))),
        )
    ).all()
    if not lines:
        return []
    by_email: dict[str, list[SupportLine]] = {}
    by_name: dict[str, list[SupportLine]] = {}
    for line in lines:
        if line.email:
            by_email.setdefault(line.email.casefold(), []).append(line)
        by_name.setdefault(fold(line.name), []).append(line)
    accounts = session.exec(
        select(Support.party, Person.name, Person.email, Person.postcode)
        .join(Person, col(Person.id) == Support.person_id)
        .where(*support.stand(row.proposal_id))
        .order_by(col(Support.id))
    )
    found = []
    for party, name, email, postcode in accounts:
        same = {line.number: (line, "email") for line in by_email.get(email.casefold(), ())} if email else {}
        for line in by_name.get(fold(name), ()) if name else ():
            if line.postcode and postcode and line.postcode != postcode:
                continue
            why = "address" if line.postcode and postcode else "name"
            same.setdefault(line.number, (line, why))
        found += [
            Candidate(line.id or 0, line.number, line.name, party, name, why)
            for line, why in (same[number] for number in sorted(same))
        ]
    return found


def link(
    session: Session, row: SupportList, line: SupportLine, party: str, *, by: Actor, now: datetime
) -> None:
    """The line is by the same person as the online support of `party`: both stay on file, one counts.

    Raises Refusal NOT_ALLOWED, NOT_FOUND unless both stand.
    """
    _require(by, row.municipality_id, row.procedure_id)
    known = support.standing_row(session, row.proposal_id, party)
    given = session.get(Support, line.support_id) if line.support_id else None
    if known is None or given is None or line.list_id != row.id or line.outcome != Outcome.COUNTED.value:
        raise Refusal(Code.NOT_FOUND)
    if known.phase_id != given.phase_id:
        raise Refusal(Code.NOT_FOUND)
    support.link(session, row.proposal_id, known.phase_id, party, line.party, by=by, now=now)
    line.outcome, line.support_id = Outcome.DOUBLE.value, known.id
    session.add(line)
    session.flush()


def move(
    session: Session, row: SupportList, line: SupportLine, into_id: int, *, by: Actor, now: datetime
) -> None:
    """Whoever signed comes along to the proposal that took this one in, because they said so at the counter.

    Raises Refusal NOT_ALLOWED, NOT_FOUND for a line of another list or one that does not count.
    """
    _require(by, row.municipality_id, row.procedure_id)
    if line.list_id != row.id or line.outcome != Outcome.COUNTED.value:
        raise Refusal(Code.NOT_FOUND)
    support.move(session, row.proposal_id, into_id, Supporter(line.party, row.channel), by=by, now=now)


# --- questions --------------------------------------------------------------------------------------


def by_id(session: Session, municipality_id: int, list_id: int) -> SupportList | None:
    """The list with this id, if it belongs to the municipality."""
    row = session.get(SupportList, list_id)
    return row if row and row.municipality_id == municipality_id else None


def lines_of(session: Session, list_id: int) -> list[SupportLine]:
    """The lines of a list in their order."""
    return list(
        session.exec(
            select(SupportLine).where(SupportLine.list_id == list_id).order_by(col(SupportLine.number))
        ).all()
    )


def lists_of(session: Session, proposal_id: int) -> list[SupportList]:
    """The lists for a proposal, newest first."""
    return list(
        session.exec(
            select(SupportList)
            .where(SupportList.proposal_id == proposal_id)
            .order_by(col(SupportList.id).desc())
        ).all()
    )


def waiting(
    session: Session, municipality_id: int, procedure_ids: Sequence[int] | None, *, limit: int = 100
) -> list[SupportList]:
    """The lists that wait for the second person, oldest first."""
    question = select(SupportList).where(
        SupportList.municipality_id == municipality_id, SupportList.state == ListState.ENTERED.value
    )
    if procedure_ids is not None:
        question = question.where(col(SupportList.procedure_id).in_(procedure_ids))
    return list(session.exec(question.order_by(col(SupportList.id)).limit(limit)).all())


def to_be_told(session: Session, proposal_id: int, *, batch: int = 500) -> Iterator[SupportLine]:
    """The lines of those who still support a proposal on paper, wish to hear of it and gave an address, each once.

    Read `batch` by batch, so that no sheet is too long for the memory.
    """
    told: set[str] = set()
    last = 0
    while True:
        rows = session.exec(
            select(SupportLine)
            .join(SupportList, col(SupportList.id) == SupportLine.list_id)
            .where(
                SupportList.proposal_id == proposal_id,
                col(SupportLine.id) > last,
                col(SupportLine.wants_news).is_(True),
                SupportLine.street != "",
                SupportLine.outcome == Outcome.COUNTED.value,
                col(SupportLine.party).in_(select(Support.party).where(*support.stand(proposal_id))),
            )
            .order_by(col(SupportLine.id))
            .limit(batch)
        ).all()
        for row in rows:
            if row.party not in told:
                told.add(row.party)
                yield row
        if len(rows) < batch:
            return
        last = rows[-1].id or 0


def tell(session: Session, proposal: Proposal, happening: Happening, *, by: Actor, now: datetime) -> None:
    """Tell who handed a proposal in, and by letter those who supported it on paper. Followers hear by mail anyway."""
    following.tell_author(session, proposal, happening, now=now)
    for line in to_be_told(session, proposal.contribution_id):
        lines = (line.name, line.street, f"{line.postcode} {line.city}".strip())
        following.tell_by_letter(session, proposal, happening, lines, now=now)
    following.note_telling(session, proposal, happening, by=by, now=now)


def are_names_due(session: Session, now: datetime) -> bool:
    """A cheap look that takes no writer's turn: is there a name on a sheet that is kept for too long?"""
    return session.exec(_with_old_names(now).limit(1)).first() is not None


def _with_old_names(now: datetime) -> Any:
    return (
        select(SupportLine)
        .join(SupportList, col(SupportList.id) == SupportLine.list_id)
        .join(Proposal, col(Proposal.contribution_id) == SupportList.proposal_id)
        .join(Phase, col(Phase.id) == Proposal.phase_id)
        .where(
            SupportLine.name != "",
            SupportList.state != ListState.ENTERED.value,
            col(Phase.ends_on) < local_date(now - NAMES_KEPT),
        )
    )


def forget_names(session: Session, *, by: Actor, now: datetime, limit: int = 500) -> int:
    """Erase who signed, a year after the phase: what counts stays, as a support knows a party only by its hash.

    Who still wishes to hear of it is told no more. Returns how many lines.
    """
    rows = session.exec(_with_old_names(now).limit(limit)).all()
    for line in rows:
        line.name = line.street = line.postcode = line.city = line.email = ""
        line.wants_news = False
        session.add(line)
    session.flush()
    for list_id in sorted({line.list_id for line in rows}):
        row = session.get_one(SupportList, list_id)
        count = sum(line.list_id == list_id for line in rows)
        _note(session, row, "support_names_erased", by=by, now=now, lines=count)
    return len(rows)


def proposal_of(session: Session, row: SupportList) -> Proposal:
    """The proposal that a list supports."""
    found = proposals.by_contribution(session, row.proposal_id)
    assert found is not None
    return found
