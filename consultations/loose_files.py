"""Files that a draft has let go: forgotten for good, once nothing on record refers to them.

What was attached and taken away again, or waited with a draft that nobody came back to, is noted in the transaction
that lets it go, and swept later. Only what was noted is ever swept: a store that other data share is safe.
"""

import logging
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from datetime import datetime, timedelta

from sqlalchemy import JSON, ColumnElement, String, cast, exists, or_
from sqlmodel import Field, Session, SQLModel, col, select

from consultations.files import FileStore
from consultations.tables import UtcDateTime

log = logging.getLogger(__name__)

#: How long a file has to be loose, and untouched in the store, before it goes: much longer than any request lasts,
#: so that a file that somebody is just sending again is never taken from under them.
GRACE = timedelta(days=1)


class LooseFile(SQLModel, table=True):
    """A file in the store that a draft referred to and no longer does."""

    __tablename__ = "loose_file"

    sha256: str = Field(primary_key=True)
    since: datetime = Field(sa_type=UtcDateTime, index=True)


def let_go(session: Session, hashes: Iterable[str], *, now: datetime) -> None:
    """Note files that a draft no longer refers to. What else refers to them is looked at when they are swept."""
    for sha256 in sorted(set(hashes)):
        session.merge(LooseFile(sha256=sha256, since=now))
    session.flush()


def waits(session: Session, now: datetime) -> bool:
    """Whether there is a file that can be swept now."""
    return (
        session.exec(select(LooseFile.sha256).where(LooseFile.since < now - GRACE).limit(1)).first()
        is not None
    )


def is_referred_to(session: Session, sha256: str) -> bool:
    """Whether anything on record names this file: a column for hashes, or any of the JSON columns of any table.

    One statement, so that a file on its way from a draft to a contribution is seen in one of the two.
    """
    names: list[ColumnElement[bool]] = []
    for table in SQLModel.metadata.sorted_tables:
        if table.name == LooseFile.__tablename__:
            continue
        for column in table.columns:
            if column.name.endswith("sha256"):
                names.append(exists().where(column == sha256))
            elif isinstance(column.type, JSON):
                names.append(exists().where(cast(column, String).contains(sha256)))
    return bool(session.exec(select(or_(*names))).one())


def sweep(
    unit_of_work: Callable[[], AbstractContextManager[Session]], files: FileStore, *, now: datetime
) -> int:
    """Forget the files that were let go long enough ago; returns how many. One unit of work per file.

    A file that something refers to again is only taken off the list. The file goes before its note does: a sweep
    that is killed in between finds the note again, and nothing to remove.
    """
    before, swept = now - GRACE, 0
    with unit_of_work() as session:
        noted = session.exec(
            select(LooseFile.sha256).where(LooseFile.since < before).order_by(col(LooseFile.since)).limit(500)
        ).all()
    for sha256 in noted:
        with unit_of_work() as session:
            row = session.get(LooseFile, sha256, with_for_update={"skip_locked": True})
            if row is None or row.since >= before:
                continue
            if is_referred_to(session, sha256):
                session.delete(row)
            elif files.discard(sha256, before):
                session.delete(row)
                swept += 1
            else:
                # Somebody has just sent the same content again, and may be about to hand it in.
                row.since = now
                session.add(row)
    if swept:
        log.info("%s files of forgotten drafts are removed", swept)
    return swept
