"""What is due out: mails with news for everybody who follows something and whose time has come.

What is followed is looked up once for all who follow the same thing and whose time has come: a turn costs some questions
for each different thing, whatever the number of followers and of proposals. One thing that happened is told to one address
once, however many of the things that it follows it belongs to.
"""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Column, ForeignKey, delete, exists, func, insert, or_
from sqlmodel import Field, Session, SQLModel, col, select

from consultations import happenings, journal, notices
from consultations.following import (
    Asked,
    Rhythm,
    State,
    Subscription,
    Target,
    belongs_to,
    next_time,
    searches_among,
)
from consultations.happenings import Happening
from consultations.notices import NoticeWay
from consultations.saved_searches import SavedSearch
from consultations.tables import BigKey

#: Items that one mail lists: the newest.
IN_MAIL = 30


class Told(SQLModel, table=True):
    """That an address which follows several things was told of a happening; kept until no other of them can tell it."""

    __tablename__ = "told"

    municipality_id: int = Field(foreign_key="municipality.id", primary_key=True)
    address: str = Field(primary_key=True)
    happening_id: int = Field(sa_column=Column(BigKey, ForeignKey("happening.id"), primary_key=True))


def is_anything_due(session: Session, now: datetime) -> bool:
    """A cheap look that takes no writer's turn: is somebody to be told now?

    Those who want to hear at once are looked at only when something happened since.
    """
    newest = (
        select(func.max(Happening.id))
        .where(Happening.municipality_id == Subscription.municipality_id)
        .correlate(Subscription)
        .scalar_subquery()
    )
    return (
        session.exec(
            select(Subscription.id)
            .where(
                Subscription.state == State.ACTIVE.value,
                col(Subscription.next_at) <= now,
                or_(
                    col(Subscription.rhythm) != Rhythm.IMMEDIATE.value,
                    col(Subscription.told_id) < func.coalesce(newest, 0),
                ),
            )
            .limit(1)
        ).first()
        is not None
    )


def tell_due(session: Session, now: datetime, *, limit: int = 200) -> int:
    """Leave a mail for everybody whose time has come and for whom there is news. Returns how many were looked at."""
    rows = session.exec(
        select(Subscription)
        .where(Subscription.state == State.ACTIVE.value, col(Subscription.next_at) <= now)
        .order_by(col(Subscription.next_at), col(Subscription.id))
        .limit(limit)
        .with_for_update(skip_locked=True)
    ).all()
    for municipality_id in sorted({row.municipality_id for row in rows}):
        _tell_town(session, municipality_id, [r for r in rows if r.municipality_id == municipality_id], now)
    session.flush()
    return len(rows)


def _tell_town(session: Session, municipality_id: int, rows: Sequence[Subscription], now: datetime) -> None:
    head = happenings.newest(session, municipality_id)
    due = [row for row in rows if row.told_id < head]
    targets = [Target.read(key) for key in sorted({row.target for row in due})]
    asked = searches_among(session, municipality_id, targets)
    _mark_lost(session, municipality_id, asked, now)
    news = {
        target.key: _since(
            session,
            belongs_to(session, target, municipality_id, asked),
            min(row.told_id for row in due if row.target == target.key),
            head,
        )
        for target in targets
    }
    told = _told_already(session, municipality_id, {row.address for row in due if news[row.target]})
    for row in due:
        known = told.get(row.address)
        fresh = [key for key in news[row.target] if key > row.told_id and key not in (known or ())]
        if not fresh:
            continue
        notices.leave(
            session,
            municipality_id=municipality_id,
            kind="follow_news",
            way=NoticeWay.MAIL,
            address=row.address,
            language=row.language,
            facts={"subscription": row.id, "happenings": fresh},
            now=now,
        )
        if known is not None:
            known.update(fresh)
            same = {"municipality_id": municipality_id, "address": row.address}
            session.execute(insert(Told), [{**same, "happening_id": key} for key in fresh])
    for row in rows:
        row.told_id, row.next_at = max(head, row.told_id), next_time(Rhythm(row.rhythm), now)
        session.add(row)


def _since(session: Session, about: Sequence[Any], after: int, head: int) -> list[int]:
    """The newest happenings with keys above `after` and up to `head` that belong to what is followed."""
    keys = session.exec(
        select(Happening.id)
        .where(
            *about, col(Happening.id) > after, col(Happening.id) <= head, col(Happening.is_void).is_(False)
        )
        .order_by(col(Happening.id).desc())
        .limit(IN_MAIL)
    ).all()
    return [key or 0 for key in keys]


def _told_already(session: Session, municipality_id: int, addresses: Collection[str]) -> dict[str, set[int]]:
    """For the addresses that follow several things: what they were told of and something else might tell again."""
    several = session.exec(
        select(Subscription.address)
        .where(
            Subscription.municipality_id == municipality_id,
            col(Subscription.address).in_(addresses),
            Subscription.state == State.ACTIVE.value,
        )
        .group_by(col(Subscription.address))
        .having(func.count() > 1)
    ).all()
    if not several:
        return {}
    # Another worker may be telling the same address of something else that it follows: one after the other.
    journal.hold(session, municipality_id)
    found: dict[str, set[int]] = {address: set() for address in several}
    rows = session.exec(
        select(Told.address, Told.happening_id).where(
            Told.municipality_id == municipality_id, col(Told.address).in_(several)
        )
    ).all()
    for address, key in rows:
        found[address].add(key)
    return found


def _mark_lost(session: Session, municipality_id: int, asked: Asked, now: datetime) -> None:
    """Tell those who follow a search that means nothing any more, once; it may come to mean something again."""
    changed = [
        key
        for key, (row, understood) in asked.items()
        if bool(understood.missing) != (row.lost_at is not None)
    ]
    if not changed:
        return
    # Another worker may be judging the same searches: one after the other, by what stands there then. (The chain first,
    # as whoever keeps a search does.)
    journal.hold(session, municipality_id)
    rows = session.exec(
        select(SavedSearch)
        .where(col(SavedSearch.id).in_(changed))
        .order_by(col(SavedSearch.id))
        .with_for_update()
        .execution_options(populate_existing=True)
    ).all()
    missing = {row.id or 0: asked[row.id or 0][1].missing for row in rows}
    lost = {row.id: missing[row.id or 0] for row in rows if missing[row.id or 0] and row.lost_at is None}
    for row in rows:
        row.lost_at = (row.lost_at or now) if missing[row.id or 0] else None
        session.add(row)
    if not lost:
        return
    followers = session.exec(
        select(Subscription).where(
            col(Subscription.target).in_([Target("search", str(key)).key for key in lost]),
            Subscription.state == State.ACTIVE.value,
            col(Subscription.next_at).is_not(None),
        )
    ).all()
    for follower in followers:
        notices.leave(
            session,
            municipality_id=follower.municipality_id,
            kind="follow_lost",
            way=NoticeWay.MAIL,
            address=follower.address,
            language=follower.language,
            facts={
                "subscription": follower.id,
                "missing": list(lost[int(Target.read(follower.target).name)]),
            },
            now=now,
        )


def forget_told(session: Session) -> int:
    """Delete what keeps nobody any more from telling the same again: all that the address follows is past it."""
    behind = exists().where(
        col(Subscription.municipality_id) == Told.municipality_id,
        col(Subscription.address) == Told.address,
        col(Subscription.state) == State.ACTIVE.value,
        col(Subscription.told_id) < Told.happening_id,
    )
    return int(session.execute(delete(Told).where(~behind)).rowcount)  # type: ignore[attr-defined]
