"""What somebody has to be told. The domain leaves a notice; the storey above delivers it, by mail or as a letter."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Index, and_, or_, update
from sqlmodel import Field, Session, SQLModel, col, select

from consultations import journal
from consultations.permissions import Actor
from consultations.tables import Json, UtcDateTime, claim_keys, insert_row

#: Characters that are kept of what the mail server said.
PROBLEM_LIMIT = 1000


class NoticeState(StrEnum):
    """Where a notice is on its way."""

    WAITING = "waiting"
    SENT = "sent"
    PRINTED = "printed"
    FAILED = "failed"


class NoticeWay(StrEnum):
    """How it reaches the person."""

    MAIL = "mail"
    LETTER = "letter"


class Notice(SQLModel, table=True):
    """One message to one person, written in the transaction of what it tells."""

    __tablename__ = "notice"
    __table_args__ = (Index("ix_notice_state_id", "state", "id"),)

    id: int | None = Field(default=None, primary_key=True)
    municipality_id: int = Field(foreign_key="municipality.id", index=True)
    contribution_id: int | None = Field(default=None, foreign_key="contribution.id", index=True)
    kind: str
    way: str
    language: str = "de"
    to_name: str = ""
    #: Mail address, or the postal address in lines.
    address: str
    facts: dict[str, Any] = Field(default_factory=dict, sa_type=Json)
    state: str = NoticeState.WAITING.value
    tries: int = 0
    #: Not before this moment (after a failed try).
    not_before: datetime | None = Field(default=None, sa_type=UtcDateTime)
    last_problem: str = ""
    created_at: datetime = Field(sa_type=UtcDateTime)
    done_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


def leave(
    session: Session,
    *,
    municipality_id: int,
    kind: str,
    way: NoticeWay,
    address: str,
    now: datetime,
    to_name: str = "",
    language: str = "de",
    contribution_id: int | None = None,
    facts: dict[str, Any] | None = None,
    key: int | None = None,
) -> int:
    """Write a notice down, in the caller's transaction; returns its key, which the caller may have claimed."""
    if key is None:
        (key,) = claim_keys(session, Notice).fetchone()
    insert_row(
        session,
        Notice,
        id=key,
        municipality_id=municipality_id,
        contribution_id=contribution_id,
        kind=kind,
        way=way.value,
        language=language,
        to_name=to_name,
        address=address,
        facts=facts or {},
        created_at=now,
    )
    return key


def _may_be_sent(now: datetime) -> ColumnElement[bool]:
    return and_(
        col(Notice.state) == NoticeState.WAITING.value,
        col(Notice.way) == NoticeWay.MAIL.value,
        or_(col(Notice.not_before).is_(None), col(Notice.not_before) <= now),
    )


def is_mail_waiting(session: Session, now: datetime) -> bool:
    """Whether there is a mail that may be sent now: a cheap look that takes no writer's turn."""
    return session.exec(select(Notice.id).where(_may_be_sent(now)).limit(1)).first() is not None


def take_mail(session: Session, now: datetime, *, lease: timedelta) -> Notice | None:
    """The next mail that may be sent now, counted as tried and not to be taken again before the lease is over.

    So that two workers never send the same one, and a worker that dies gives it back. None if nothing waits.
    """
    notice = session.exec(
        select(Notice)
        .where(_may_be_sent(now))
        .order_by(col(Notice.id))
        .limit(1)
        .with_for_update(skip_locked=True)
    ).first()
    if notice:
        notice.tries += 1
        notice.not_before = now + lease
        session.add(notice)
        session.flush()
    return notice


def sent(session: Session, notice_id: int, *, now: datetime) -> None:
    """The mail server has taken it."""
    notice = session.get_one(Notice, notice_id)
    notice.state, notice.done_at, notice.last_problem = NoticeState.SENT.value, now, ""
    session.add(notice)


def failed(
    session: Session, notice_id: int, problem: str, *, again_at: datetime | None, now: datetime
) -> None:
    """It was not taken: try again then, or (None) leave it to a person, who finds it among the failed ones."""
    notice = session.get_one(Notice, notice_id)
    notice.last_problem = problem[:PROBLEM_LIMIT]
    notice.not_before = again_at
    if again_at is None:
        notice.state, notice.done_at = NoticeState.FAILED.value, now
    session.add(notice)


def hold_mail(session: Session, until: datetime) -> None:
    """No mail is tried before this moment: the mail server does not answer, and one try has found that out."""
    session.execute(
        update(Notice)
        .where(
            col(Notice.state) == NoticeState.WAITING.value,
            col(Notice.way) == NoticeWay.MAIL.value,
            or_(col(Notice.not_before).is_(None), col(Notice.not_before) < until),
        )
        .values(not_before=until)
    )


def of_municipality(
    session: Session, municipality_id: int, state: NoticeState, *, limit: int = 200
) -> Sequence[Notice]:
    """The notices of a municipality in one state, oldest first."""
    return session.exec(
        select(Notice)
        .where(Notice.municipality_id == municipality_id, Notice.state == state.value)
        .order_by(col(Notice.id))
        .limit(limit)
    ).all()


def waiting_of_kinds(session: Session, municipality_id: int, kinds: Sequence[str]) -> Sequence[Notice]:
    """The waiting notices of a municipality of these kinds, oldest first."""
    return session.exec(
        select(Notice)
        .where(
            Notice.municipality_id == municipality_id,
            Notice.state == NoticeState.WAITING.value,
            col(Notice.kind).in_(kinds),
        )
        .order_by(col(Notice.id))
    ).all()


def by_id(session: Session, municipality_id: int, notice_id: int) -> Notice | None:
    """The notice with this id, if it belongs to the municipality."""
    notice = session.get(Notice, notice_id)
    return notice if notice and notice.municipality_id == municipality_id else None


def settle(session: Session, notice: Notice, state: NoticeState, *, by: Actor, now: datetime) -> None:
    """A notice has reached its person: sent, or printed and posted. The journal keeps by whom and when."""
    notice.state, notice.done_at = state.value, now
    session.add(notice)
    journal.append(
        session,
        municipality_id=notice.municipality_id,
        verb=f"notice_{state.value}",
        by=by,
        at=now,
        subject=f"notice:{notice.id}",
        facts={"kind": notice.kind, "way": notice.way, "contribution": notice.contribution_id},
    )
