"""The database: engine, one session per unit of work, migrations.

The same code runs on SQLite and PostgreSQL. On SQLite a unit of work that writes begins with BEGIN IMMEDIATE
and waits its turn in this process's own line first, so that writers never starve each other.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlmodel import Session

from consultations import (  # noqa: F401  (every module that owns tables, for Alembic)
    agencies,
    agency_answers,
    amendments,
    announcements,
    attached,
    availability,
    certificates,
    contributions,
    corrections,
    discussion,
    documents,
    drafts,
    evaluation,
    following,
    frozen,
    happenings,
    implementation,
    invitations,
    journal,
    lateness,
    locations,
    loose_files,
    moderation,
    municipalities,
    notices,
    other_access,
    people,
    places,
    procedures,
    proposals,
    releases,
    search,
    support,
    support_lists,
    town_templates,
)
from consultations.prepared import as_usual
from consultations.refusals import Code, Refusal
from consultations.tables import metadata
from participation import identity  # noqa: F401
from participation.settings import ROOT
from participation.writers import Line

#: How long a writer waits for its turn before the visitor is told that the server is busy.
PATIENCE_SECONDS = 30.0


def make_engine(url: str) -> Engine:
    """An engine with the settings that Digilog relies on (durable commits, foreign keys, UTC)."""
    if not url.startswith("sqlite"):
        # Who meets somebody else's lock (an import's, say) is told to try again, as on SQLite, and does not hang.
        patience = f"-c lock_timeout={round(PATIENCE_SECONDS * 1000)}"
        return create_engine(
            url, pool_size=20, max_overflow=20, pool_pre_ping=True, connect_args={"options": patience}
        )
    engine = create_engine(
        url,
        connect_args={"check_same_thread": False, "timeout": PATIENCE_SECONDS},
        pool_size=20,
        max_overflow=20,
    )
    path = engine.url.database
    if path:
        Path(path).parent.mkdir(parents=True, exist_ok=True)

    @event.listens_for(engine, "connect")
    def _prepare(connection: sqlite3.Connection, record: Any) -> None:
        connection.isolation_level = None  # we say BEGIN ourselves
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA mmap_size = 268435456")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get("writes", False)
        begin = "BEGIN IMMEDIATE" if writes else "BEGIN"
        try:
            connection.connection.cursor().execute(begin)
        except sqlite3.Error as problem:
            raise as_usual(problem, connection.dialect, begin) from problem

    return engine


@contextmanager
def unit_of_work(engine: Engine, *, write: bool = False, brief: bool = False) -> Iterator[Session]:
    """A session that commits when the block ends and rolls back when it raises.

    `brief` work of many writers at once may share a commit; it waits for theirs as they wait for it.
    Raises Refusal DATABASE_BUSY or DISK_FULL where the database says so; nothing is half-written then.
    """
    if not write:
        with Session(engine) as session:
            yield session
        return
    try:
        if engine.dialect.name == "sqlite":
            with _line_of(engine).turn(engine, brief=brief, patience=PATIENCE_SECONDS) as session:
                yield session
        else:
            with Session(engine.execution_options(writes=True), expire_on_commit=False) as session:
                yield session
                session.commit()
    except OperationalError as problem:
        raise _refusal_for(problem) from problem


def _line_of(engine: Engine) -> Line:
    if engine not in _lines:
        _lines[engine] = _lines_by_address.setdefault(str(engine.url), Line())
    return _lines[engine]


#: One line for each database, whatever the number of engines; putting together its address takes a while.
_lines_by_address: dict[str, Line] = {}
_lines: WeakKeyDictionary[Engine, Line] = WeakKeyDictionary()


def _refusal_for(problem: DBAPIError) -> Exception:
    said = str(problem.orig).lower()
    if "locked" in said or "busy" in said or "deadlock" in said or "timeout" in said:
        return Refusal(Code.DATABASE_BUSY)
    if "full" in said or "no space" in said:
        return Refusal(Code.DISK_FULL)
    return problem


def migrate(engine: Engine, revision: str = "head") -> None:
    """Bring the schema to a revision (Alembic). Safe to run again."""
    from alembic import command
    from alembic.config import Config

    config = Config(str(ROOT / "alembic.ini"))
    config.set_main_option("script_location", str(ROOT / "participation" / "migrations").replace("%", "%%"))
    with engine.execution_options(writes=True).connect() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)


__all__ = ["make_engine", "metadata", "migrate", "unit_of_work"]
