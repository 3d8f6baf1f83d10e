"""Who writes where one at a time can write stands in one line; whoever is brief shares a commit with those behind.

SQLite has one writer at a time, and so has the file of a town (`journal`) on any database; a durable commit costs more
than what most of them write. So a writer who is done and sees others wait leaves the transaction open for the next
one, and all of them wait for the one commit at the end. Nobody's work counts as done before that commit: it is there
for all of them or for none. Each of them can still be rolled back alone, to where it began (a savepoint).

The line is one of this process, so that writers never starve each other; other processes wait for the database's lock.
"""

import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from sqlalchemy import Connection, Engine, RootTransaction
from sqlmodel import Session

from consultations.refusals import Code, Refusal

#: How many may share a commit, and how long the first of them waits for it at most (seconds, when the next one begins).
SHARERS = 32
SHARING_SECONDS = 0.1


@dataclass
class _Commit:
    """A transaction that several writers fill one after the other."""

    connection: Connection
    transaction: RootTransaction
    began: float
    sharers: int = 0
    done: threading.Event = field(default_factory=threading.Event)
    problem: BaseException | None = None

    def finish(self) -> None:
        """Commit for everybody, or tell everybody why not. Raises nothing.

        One of them may have cost them all the transaction (the connection is lost, or SQLite has rolled everything
        back by itself): then all of them have to try again.
        """
        try:
            if self.is_open():
                self.transaction.commit()
            elif self.sharers > 1 or self.transaction.is_active:
                self.problem = Refusal(Code.DATABASE_BUSY)
            # Otherwise the only one has taken back everything, as whoever shows a form again does.
        except BaseException as problem:
            self.problem = problem
            self.connection.invalidate()  # it would go back to the pool with the transaction open
        finally:
            self.connection.close()

    def is_open(self) -> bool:
        """Whether there is still something to commit: SQLite's driver commits nothing without a word."""
        if not self.transaction.is_active or self.connection.invalidated:
            return False
        return bool(getattr(self.connection.connection.driver_connection, "in_transaction", True))


@dataclass
class _Turn:
    """A place in the line."""

    brief: bool
    has_come: threading.Lock = field(default_factory=threading.Lock)


class Line:
    """The line of writers of one database, or of one town's file in it."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._waiting: deque[_Turn] = deque()
        self._is_taken = False
        self._left_open: _Commit | None = None

    @contextmanager
    def turn(self, engine: Engine, *, brief: bool, patience: float) -> Iterator[Session]:
        """A session for the writer whose turn it is; committed when the block ends, rolled back when it raises.

        Raises Refusal DATABASE_BUSY after `patience` seconds in the line, and what the commit raises.
        """
        self._take(brief, patience)
        commit, self._left_open = self._left_open, None
        try:
            commit = commit or self._begin(engine)
        except BaseException:
            self._pass_on()
            raise
        # Only who joins needs a savepoint: nobody else's work is lost if the first one rolls everything back.
        mode = "create_savepoint" if commit.sharers else "rollback_only"
        commit.sharers += 1
        try:
            with Session(commit.connection, expire_on_commit=False, join_transaction_mode=mode) as session:  # type: ignore[arg-type]
                try:
                    yield session
                    session.commit()
                except BaseException:
                    session.rollback()
                    raise
        except BaseException:
            if not self._leave_open(commit, brief):
                self._finish(commit)
            raise
        if self._leave_open(commit, brief):
            commit.done.wait()
        else:
            self._finish(commit)
        if commit.problem is not None:
            raise commit.problem

    def _begin(self, engine: Engine) -> _Commit:
        connection = engine.connect().execution_options(writes=True)
        try:
            return _Commit(connection, connection.begin(), time.monotonic())
        except BaseException:
            connection.close()
            raise

    def _take(self, brief: bool, patience: float) -> None:
        turn = _Turn(brief)
        with self._guard:
            if not self._is_taken:
                self._is_taken = True
                return
            turn.has_come.acquire()
            self._waiting.append(turn)
        if turn.has_come.acquire(timeout=patience):
            return
        with self._guard:
            if turn in self._waiting:
                self._waiting.remove(turn)
                raise Refusal(Code.DATABASE_BUSY)
        # It came at the very last moment: then somebody relies on it.

    def _pass_on(self) -> None:
        with self._guard:
            if self._waiting:
                self._waiting.popleft().has_come.release()
            else:
                self._is_taken = False

    def _leave_open(self, commit: _Commit, brief: bool) -> bool:
        """Hand the open transaction to the next in line, if that is to everybody's good."""
        full = commit.sharers >= SHARERS or time.monotonic() - commit.began > SHARING_SECONDS
        if full or not brief or not commit.is_open():
            return False
        with self._guard:
            if not self._waiting or not self._waiting[0].brief:
                return False
            self._left_open = commit
            self._waiting.popleft().has_come.release()
            return True

    def _finish(self, commit: _Commit) -> None:
        commit.finish()
        self._pass_on()
        commit.done.set()
