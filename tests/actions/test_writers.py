"""Writers of one SQLite database: one line, shared commits, and nobody told "done" before it is on the disk."""

import sqlite3
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import Engine, event, text
from sqlalchemy.exc import OperationalError
from sqlmodel import Session

from consultations.refusals import Code, Refusal
from participation import database
from participation.database import make_engine, unit_of_work
from participation.writers import SHARERS

Rows = Callable[[], list[str]]


@pytest.fixture
def rows(tmp_path: Path) -> Rows:
    """What somebody from outside finds in the table."""

    def read() -> list[str]:
        with closing(sqlite3.connect(tmp_path / "lines.sqlite")) as outside:
            return [word for (word,) in outside.execute("SELECT word FROM note ORDER BY word")]

    return read


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = make_engine(f"sqlite:///{tmp_path / 'lines.sqlite'}")
    with unit_of_work(engine, write=True) as session:
        session.execute(text("CREATE TABLE note (word TEXT UNIQUE)"))
    yield engine
    engine.dispose()


def note(session: Session, word: str) -> None:
    session.execute(text("INSERT INTO note VALUES (:word)"), {"word": word})


def crowd(engine: Engine, words: list[str], *, brief: bool = True) -> tuple[list[Future[None]], list[str]]:
    """As many writers as words, all in line before the first one is done; and which commits were made meanwhile."""
    commits: list[str] = []
    event.listen(engine, "commit", lambda connection: commits.append("commit"))
    in_line = threading.Event()

    def write(word: str) -> None:
        with unit_of_work(engine, write=True, brief=brief) as session:
            note(session, word)
            if word == words[0]:
                assert in_line.wait(10)
            if word.startswith("bad"):
                raise ValueError(word)

    line = database._line_of(engine)
    with ThreadPoolExecutor(len(words)) as pool:
        futures = []
        for place, word in enumerate(words):
            futures.append(pool.submit(write, word))
            while place and len(line._waiting) < place:
                threading.Event().wait(0.001)
            while not line._is_taken:
                threading.Event().wait(0.001)
        in_line.set()
    return futures, commits


def test_those_who_wait_share_a_commit(engine: Engine, rows: Rows) -> None:
    words = [f"{number:02}" for number in range(16)]
    futures, commits = crowd(engine, words)
    assert [future.exception() for future in futures] == [None] * 16
    assert rows() == words
    assert 1 <= len(commits) < 8


def test_a_shared_commit_is_not_put_off_for_ever(engine: Engine, rows: Rows) -> None:
    words = [f"{number:02}" for number in range(SHARERS + 5)]
    _futures, commits = crowd(engine, words)
    assert rows() == words
    assert len(commits) > 1


def test_who_fails_takes_nobody_along(engine: Engine, rows: Rows) -> None:
    futures, _commits = crowd(engine, ["a", "b", "bad one", "c", "bad last"])
    assert [type(future.exception()).__name__ for future in futures] == [
        "NoneType",
        "NoneType",
        "ValueError",
        "NoneType",
        "ValueError",
    ]
    assert rows() == ["a", "b", "c"]


def test_the_first_one_fails_alone(engine: Engine, rows: Rows) -> None:
    futures, _commits = crowd(engine, ["bad first", "a", "b"])
    assert [future.exception() is None for future in futures] == [False, True, True]
    assert rows() == ["a", "b"]


def test_who_takes_everything_back_and_goes_on_has_not_failed(engine: Engine, rows: Rows) -> None:
    with unit_of_work(engine, write=True, brief=True) as session:
        note(session, "a slip")
        session.rollback()
    assert rows() == []


def test_what_takes_long_shares_with_nobody(engine: Engine, rows: Rows) -> None:
    words = ["a", "b", "c"]
    _futures, commits = crowd(engine, words, brief=False)
    assert (rows(), len(commits)) == (words, 3)


def test_a_commit_that_fails_is_told_to_all_of_them(engine: Engine, rows: Rows) -> None:
    is_full = True

    def full(connection: object) -> None:
        if is_full:
            raise OperationalError("COMMIT", None, sqlite3.OperationalError("database or disk is full"))

    event.listen(engine, "commit", full)
    futures, _commits = crowd(engine, ["a", "b", "c"])
    is_full = False
    refusals = [future.exception() for future in futures]
    assert [each.code if isinstance(each, Refusal) else each for each in refusals] == [Code.DISK_FULL] * 3
    assert rows() == []
    futures, _commits = crowd(engine, ["d"])
    assert futures[0].exception() is None
    assert rows() == ["d"]


def test_done_means_on_the_disk(engine: Engine, rows: Rows) -> None:
    """Each of many looks from outside, the moment it is told that it is done."""
    missed: list[str] = []

    def write(number: int) -> None:
        for count in range(20):
            word = f"{number}-{count}"
            with unit_of_work(engine, write=True, brief=True) as session:
                note(session, word)
            if word not in rows():
                missed.append(word)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(8)))
    assert missed == []
    assert len(rows()) == 160


def test_patience_ends(engine: Engine, rows: Rows, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "PATIENCE_SECONDS", 0.05)
    with unit_of_work(engine, write=True, brief=True) as session:
        note(session, "first")
        with ThreadPoolExecutor(1) as pool:
            impatient = pool.submit(lambda: unit_of_work(engine, write=True, brief=True).__enter__())
            problem = impatient.exception()
        assert isinstance(problem, Refusal)
        assert problem.code is Code.DATABASE_BUSY
    with unit_of_work(engine, write=True) as session:
        note(session, "second")
    assert rows() == ["first", "second"]
