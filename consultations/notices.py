"""What somebody has to be told. The domain leaves a notice; the storey above delivers it, by mail or as a letter."""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Index
from sqlmodel import Field, Session, SQLModel, col, select

from consultations.tables import Json, UtcDateTime


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
) -> Notice:
    """Write a notice down, in the caller's transaction."""
    notice = Notice(
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
    session.add(notice)
    return notice


def waiting_mail(session: Session, now: datetime, *, limit: int = 50) -> Sequence[Notice]:
    """The mails that may be sent now, oldest first."""
    return session.exec(
        select(Notice)
        .where(
            Notice.state == NoticeState.WAITING.value,
            Notice.way == NoticeWay.MAIL.value,
            (col(Notice.not_before).is_(None)) | (col(Notice.not_before) <= now),
        )
        .order_by(col(Notice.id))
        .limit(limit)
    ).all()


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
