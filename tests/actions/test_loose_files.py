"""Files of drafts that nobody handed in are forgotten; what anything on record refers to never is."""

import hashlib
import io
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine
from sqlmodel import Session, select

from consultations import contributions, drafts, loose_files
from consultations.contributions import AttachedFile
from consultations.files import FileStore, FolderStore, S3Store
from consultations.loose_files import GRACE, LooseFile
from participation.database import unit_of_work
from tests import cast
from tests.cast import NOW, Town
from tests.conftest import Bucket

LATER = NOW + drafts.KEPT + timedelta(hours=1)
SWEPT_AT = LATER + GRACE + timedelta(hours=1)


@dataclass
class Desk:
    """A town with its file store, and drafts in it."""

    engine: Engine
    town: Town
    files: FolderStore
    path: Path

    def put(self, content: bytes, at: datetime = NOW) -> dict[str, Any]:
        """Keep a file, and say of it what `accept_upload` says."""
        kept = self.files.put(io.BytesIO(content))
        os.utime(self.path / kept.sha256[:2] / kept.sha256, (at.timestamp(), at.timestamp()))
        return {"sha256": kept.sha256, "public_sha256": None, "filename": "a.txt", "size": kept.size}

    def draft(self, *files: dict[str, Any], at: datetime = NOW) -> str:
        secret = drafts.new_secret()
        with unit_of_work(self.engine, write=True) as session:
            draft = drafts.begin(
                session,
                secret,
                municipality_id=self.town.id,
                procedure_id=self.town.procedure.id or 0,
                kind="statement",
                data={},
                now=at,
            )
            drafts.write(session, draft, {}, now=at, files=list(files))
        return secret

    def forget(self, at: datetime = LATER) -> int:
        with unit_of_work(self.engine, write=True) as session:
            return drafts.forget_old(session, at)

    def sweep(self, files: FileStore | None = None, at: datetime = SWEPT_AT) -> int:
        units = partial(unit_of_work, self.engine, write=True)
        return loose_files.sweep(units, files or self.files, now=at)

    def noted(self) -> list[str]:
        with Session(self.engine) as session:
            return list(session.exec(select(LooseFile.sha256)).all())


@pytest.fixture
def desk(engine: Engine, tmp_path: Path) -> Desk:
    with unit_of_work(engine, write=True) as session:
        town = cast.found(session)
    return Desk(engine, town, FolderStore(tmp_path / "store"), tmp_path / "store")


def attach(desk: Desk, each: dict[str, Any]) -> None:
    file = AttachedFile(each["sha256"], each["filename"], "text/plain", each["size"])
    with unit_of_work(desk.engine, write=True) as session:
        desk.town.hand_in(session, attachments=(file,))


def test_files_of_a_forgotten_draft_go_and_those_of_others_stay(desk: Desk) -> None:
    public = desk.files.put(io.BytesIO(b"the picture without its place")).sha256
    forgotten = {**desk.put(b"nobody came back"), "public_sha256": public}
    handed_in, shared, young = (desk.put(each) for each in (b"handed in", b"in two drafts", b"still writing"))
    attach(desk, handed_in)
    desk.draft(forgotten, handed_in, shared)
    desk.draft(young, shared, at=LATER)
    assert desk.forget() == 1
    assert desk.sweep(at=LATER + GRACE / 2) == 0, "nothing goes at once"
    assert desk.sweep() == 2
    kept = {each["sha256"] for each in (handed_in, shared, young)}
    assert set(desk.files.hashes()) == kept
    assert desk.noted() == []


def test_a_file_taken_away_again_goes(desk: Desk) -> None:
    wrong, right = desk.put(b"the wrong one"), desk.put(b"the right one")
    secret = desk.draft(wrong, right)
    with unit_of_work(desk.engine, write=True) as session:
        draft = drafts.find(session, secret, municipality_id=desk.town.id, lock=True)
        assert draft is not None
        drafts.write(session, draft, {}, now=NOW, files=[right])
    assert desk.sweep(at=NOW + GRACE + timedelta(minutes=1)) == 1
    assert list(desk.files.hashes()) == [right["sha256"]]


def test_what_is_attached_meanwhile_stays(desk: Desk) -> None:
    """The same photograph, sent again by somebody else just before, or just while, the first one would go."""
    each = desk.put(b"a photograph")
    desk.draft(each)
    desk.forget()
    # Sent again, and not in any table yet: the request is still running.
    desk.put(b"a photograph", at=SWEPT_AT - timedelta(seconds=1))
    assert desk.sweep() == 0
    attach(desk, each)
    assert desk.sweep(at=SWEPT_AT + 2 * GRACE) == 0
    assert desk.files.verify(each["sha256"])
    assert desk.noted() == [], "it is nobody's leftover any more"


class Killed(BaseException):
    """The process ends here."""


class KilledAfter(FolderStore):
    """A store whose process is killed when a file has just gone."""

    def discard(self, sha256: str, before: datetime) -> bool:
        super().discard(sha256, before)
        raise Killed


def test_a_sweep_that_is_killed_goes_on_the_next_time(desk: Desk) -> None:
    desk.draft(*(desk.put(content) for content in (b"one", b"two", b"three")))
    desk.forget()
    with pytest.raises(Killed):
        desk.sweep(KilledAfter(desk.path))
    assert len(list(desk.files.hashes())) == 2
    assert len(desk.noted()) == 3, "the note of the file that went is still there"
    assert desk.sweep() == 3
    assert list(desk.files.hashes()) == []
    assert desk.noted() == []


def test_a_file_that_a_killed_sweep_had_moved_aside_is_found(desk: Desk) -> None:
    each = desk.put(b"moved aside")
    place = desk.path / each["sha256"][:2] / each["sha256"]
    os.replace(place, desk.path / "incoming" / f"leaving-{each['sha256']}")
    desk.files.tidy(datetime.fromtimestamp(2**33, tz=NOW.tzinfo))
    assert b"".join(desk.files.open(each["sha256"])) == b"moved aside"
    assert place.exists()


@pytest.fixture(params=["folder", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[FileStore]:
    if request.param == "folder":
        yield FolderStore(tmp_path / "store")
    else:
        bucket: Bucket = request.getfixturevalue("bucket")
        yield S3Store(bucket.name, access_key="k", secret_key="s", endpoint=bucket.endpoint)


def test_only_what_was_put_long_ago_is_discarded(store: FileStore) -> None:
    sha256 = store.put(io.BytesIO(b"x")).sha256
    put_at = datetime.now(NOW.tzinfo)
    assert not store.discard(sha256, put_at - timedelta(hours=1))
    assert store.exists(sha256)
    assert store.discard(sha256, put_at + timedelta(hours=1))
    assert not store.exists(sha256)
    assert store.discard(sha256, put_at), "gone is gone"


def test_every_place_that_can_name_a_file_is_asked(session: Session) -> None:
    """A column for hashes in any table, and JSON anywhere: the journal's facts are one of them."""
    town = cast.found(session)
    sha256 = hashlib.sha256(b"only the journal knows it").hexdigest()
    assert not loose_files.is_referred_to(session, sha256)
    row = town.hand_in(session)
    receipt = session.exec(
        select(contributions.Receipt).where(contributions.Receipt.contribution_id == row.id)
    ).one()
    assert loose_files.is_referred_to(session, receipt.payload_sha256)
    draft = drafts.begin(
        session,
        drafts.new_secret(),
        municipality_id=town.id,
        procedure_id=town.procedure.id or 0,
        kind="statement",
        data={},
        now=NOW,
    )
    drafts.write(session, draft, {}, now=NOW, files=[{"sha256": sha256}])
    assert loose_files.is_referred_to(session, sha256)
