"""What somebody has begun to write and not yet handed in: kept on the server, found again by a secret address.

Errors, time-outs and going back lose nothing, without an account and without JavaScript. The secret doubles as the
submission key, so that sending a draft twice makes one contribution.
"""

import hashlib
import re
import secrets
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete
from sqlalchemy.exc import IntegrityError
from sqlmodel import Field, Session, SQLModel, col, select

from consultations import loose_files
from consultations.refusals import Code, Refusal
from consultations.tables import Json, UtcDateTime
from consultations.text import TEXT_LIMIT, normalise

#: How long an untouched draft is kept.
KEPT = timedelta(days=60)

#: Characters that a draft holds of each field but the text; a drawing on the map is the longest of them.
FIELD_LIMIT = 200_000

_SECRET = re.compile(r"[A-Za-z0-9_-]{32}")


class Draft(SQLModel, table=True):
    """An unfinished contribution. `data` are the form's values, `files` what `files.accept_upload` said of each."""

    __tablename__ = "draft"

    #: SHA-256 of the secret in the address, which itself is never stored.
    key: str = Field(primary_key=True)
    municipality_id: int = Field(foreign_key="municipality.id", index=True)
    procedure_id: int = Field(foreign_key="procedure.id")
    kind: str
    data: dict[str, Any] = Field(default_factory=dict, sa_type=Json)
    files: list[dict[str, Any]] = Field(default_factory=list, sa_type=Json)
    created_at: datetime = Field(sa_type=UtcDateTime)
    updated_at: datetime = Field(sa_type=UtcDateTime, index=True)
    contribution_id: int | None = Field(default=None, foreign_key="contribution.id")


def rename_topics(session: Session, procedure_id: int, renamed: Mapping[str, str]) -> None:
    """Let what was begun under a topic stand under its new name. What somebody writes at this very moment is left to them:
    waiting for it could hold up both."""
    begun = select(Draft).where(Draft.procedure_id == procedure_id, col(Draft.contribution_id).is_(None))
    for draft in session.exec(begun.with_for_update(skip_locked=True)).all():
        name = str(draft.data.get("category", ""))
        if name in renamed:
            draft.data = {**draft.data, "category": renamed[name]}
            session.add(draft)


def key_of(secret: str) -> str:
    """The stored key of a secret, which is the submission key too."""
    return hashlib.sha256(secret.encode()).hexdigest()


def new_secret() -> str:
    """An unguessable secret for an address: 192 random bits in 32 letters that need no escaping."""
    return secrets.token_urlsafe(24)


def is_secret(value: str) -> bool:
    """Whether this could be one of our secrets, so that nobody names a draft by a word that others guess."""
    return _SECRET.fullmatch(value) is not None


def _limit(name: str) -> int:
    return TEXT_LIMIT if name == "text" else FIELD_LIMIT


def holds(name: str, value: str) -> bool:
    """Whether a draft has room for what was typed into a field."""
    return len(value) <= _limit(name)


def _storable(data: dict[str, Any]) -> dict[str, Any]:
    """What was typed without what no database keeps (NUL, lone surrogates); never shortened.

    Raises Refusal TEXT_TOO_LONG for a value that is longer than a draft holds.
    """
    for name, value in data.items():
        if isinstance(value, str) and not holds(name, value):
            raise Refusal(Code.TEXT_TOO_LONG, name, limit=_limit(name))
    return {
        name: normalise(value, limit=2 * len(value) + 100) if isinstance(value, str) else value
        for name, value in data.items()
    }


def begin(
    session: Session,
    secret: str,
    *,
    municipality_id: int,
    procedure_id: int,
    kind: str,
    data: dict[str, Any],
    now: datetime,
) -> Draft:
    """Keep the first words of a draft. Sent twice at the same moment, it is one draft with the words of either."""
    draft = Draft(
        key=key_of(secret),
        municipality_id=municipality_id,
        procedure_id=procedure_id,
        kind=kind,
        data=_storable(data),
        created_at=now,
        updated_at=now,
    )
    try:
        with session.begin_nested():
            session.add(draft)
            session.flush()
    except IntegrityError:
        draft = session.get_one(Draft, draft.key, with_for_update=True)
    return draft


def find(session: Session, secret: str, *, municipality_id: int, lock: bool = False) -> Draft | None:
    """The draft behind a secret, if it belongs to the municipality. `lock` it before changing it: of two requests
    at the same moment the second then sees what the first did."""
    draft = session.get(Draft, key_of(secret), with_for_update=lock or None)
    return draft if draft and draft.municipality_id == municipality_id else None


def write(
    session: Session,
    draft: Draft,
    data: dict[str, Any],
    *,
    now: datetime,
    files: list[dict[str, Any]] | None = None,
) -> None:
    """Add to a draft: values given replace those of the same name, all others stay."""
    draft.data = {**draft.data, **_storable(data)}
    if files is not None:
        loose_files.let_go(session, _hashes(draft.files) - _hashes(files), now=now)
        draft.files = files
    draft.updated_at = now
    session.add(draft)
    session.flush()


def hand_over(session: Session, draft: Draft, contribution_id: int, *, now: datetime) -> None:
    """The draft became this contribution: its address leads there from now on, its own copy of the words is gone."""
    draft.contribution_id = contribution_id
    draft.data, draft.files = {}, []
    draft.updated_at = now
    session.add(draft)
    session.flush()


def are_old(session: Session, now: datetime, *, kept: timedelta = KEPT) -> bool:
    """Whether there is a draft that nobody touched for a long time."""
    return session.exec(select(Draft.key).where(Draft.updated_at < now - kept).limit(1)).first() is not None


def forget_old(session: Session, now: datetime, *, kept: timedelta = KEPT) -> int:
    """Delete drafts that nobody touched for a long time; returns how many. Their files are let go, see `loose_files`."""
    gone = session.execute(
        delete(Draft).where(col(Draft.updated_at) < now - kept).returning(col(Draft.files))
    )
    files = [each for (each,) in gone.all()]
    loose_files.let_go(session, {sha256 for each in files for sha256 in _hashes(each)}, now=now)
    return len(files)


def _hashes(files: Iterable[Mapping[str, Any]]) -> set[str]:
    """The SHA-256 of all that the store keeps of these files."""
    found = {each.get(name) for each in files for name in ("sha256", "public_sha256")}
    return {sha256 for sha256 in found if sha256}
