"""The database: engine, one session per unit of work, migrations.

The same code runs on SQLite and PostgreSQL. On SQLite a unit of work that writes begins with BEGIN IMMEDIATE
and waits its turn in this process's own line first, so that writers never starve each other. On PostgreSQL only those
stand in a line who write into a town's file and are many (`unit_of_work` with `town`).
"""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from sqlalchemy import Connection, Engine, create_engine, event, inspect, text
from sqlalchemy.exc import DBAPIError, InvalidatePoolError, OperationalError
from sqlmodel import Session

from consultations import (  # noqa: F401  (every module that owns tables, for Alembic)
    agencies,
    agency_answers,
    amendments,
    announcements,
    attached,
    availability,
    ballots,
    certificates,
    contributions,
    corrections,
    digests,
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
    rewording,
    search,
    support,
    support_lists,
    surveys,
    terminals,
    town_templates,
    unions,
)
from consultations.prepared import as_usual
from consultations.refusals import Code, Refusal
from consultations.tables import metadata
from participation import identity  # noqa: F401
from participation.settings import ROOT
from participation.writers import Line

if TYPE_CHECKING:
    from alembic.config import Config

#: How long a writer waits for its turn before the visitor is told that the server is busy.
PATIENCE_SECONDS = 30.0
#: How long a connection that was just used counts as standing.
FRESH_SECONDS = 1.0

_MIGRATIONS = ROOT / "participation" / "migrations"


def make_engine(url: str) -> Engine:
    """An engine with the settings that Digilog relies on (durable commits, foreign keys, UTC)."""
    if not url.startswith("sqlite"):
        # Who meets somebody else's lock (an import's, say) is told to try again, as on SQLite, and does not hang.
        patience = f"-c lock_timeout={round(PATIENCE_SECONDS * 1000)}"
        engine = create_engine(url, pool_size=20, max_overflow=20, connect_args={"options": patience})
        _ask_those_at_rest(engine)
        return engine
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
def opened(url: str) -> Iterator[Engine]:
    """An engine for the length of a block, as commands need it; no connection is left open."""
    engine = make_engine(url)
    try:
        yield engine
    finally:
        engine.dispose()


def _ask_those_at_rest(engine: Engine) -> None:
    """Ask a connection whether it still stands before it is used, unless it was used a moment ago.

    As `pool_pre_ping`, but for the exchange with the server that every single unit of work would have to wait for.
    """

    @event.listens_for(engine, "checkin")
    def _rest(connection: Any, record: Any) -> None:
        record.info["rests_since"] = time.monotonic()

    @event.listens_for(engine, "checkout")
    def _ask(connection: Any, record: Any, proxy: Any) -> None:
        since = record.info.get("rests_since")
        if since is None or time.monotonic() - since < FRESH_SECONDS:
            return
        try:
            engine.dialect.do_ping(connection)
        except engine.dialect.loaded_dbapi.Error as problem:
            raise InvalidatePoolError from problem


@contextmanager
def unit_of_work(
    engine: Engine, *, write: bool = False, brief: bool = False, town: int | None = None
) -> Iterator[Session]:
    """A session that commits when the block ends and rolls back when it raises; `session.info["writes"]` if it may write.

    `brief` work of many writers at once may share a commit; it waits for theirs as they wait for it. `town`: whose file
    such work will write into, with others who do so at the same moment (handing in); for one town at a time.
    Raises Refusal DATABASE_BUSY or DISK_FULL where the database says so; nothing is half-written then.
    """
    if not write:
        with Session(engine) as session:
            yield session
        return
    is_sqlite = engine.dialect.name == "sqlite"
    try:
        if is_sqlite or town is not None:
            line = _line_of(engine, None if is_sqlite else town)
            with line.turn(engine, brief=brief, patience=PATIENCE_SECONDS) as session:
                session.info["writes"] = True
                yield session
        else:
            with Session(engine, expire_on_commit=False, info={"writes": True}) as session:
                yield session
                session.commit()
    except OperationalError as problem:
        raise _refusal_for(problem) from problem


def _line_of(engine: Engine, town: int | None = None) -> Line:
    lines = _lines.get(engine)
    if lines is None:
        lines = _lines[engine] = _lines_by_address.setdefault(str(engine.url), {})
    return lines.get(town) or lines.setdefault(town, Line())


#: The lines of each database, whatever the number of engines; putting together its address takes a while.
_lines_by_address: dict[str, dict[int | None, Line]] = {}
_lines: WeakKeyDictionary[Engine, dict[int | None, Line]] = WeakKeyDictionary()

#: What PostgreSQL says (SQLSTATE) when waiting and trying again helps: deadlock, serialization, lock or statement
#: timeout, too many connections; the server was restarted, is starting, or the connection is gone.
_PASSING = ("40P01", "40001", "55P03", "57014", "53300", "57P01", "57P02", "57P03")
_CONNECTION_LOST = "08"
#: disk_full; out_of_memory and the like are no matter of the disk.
_DISK_FULL = "53100"


def _refusal_for(problem: DBAPIError) -> Exception:
    state = getattr(problem.orig, "sqlstate", None)
    said = str(problem.orig).lower()
    if state is not None:
        busy, full = state in _PASSING or state.startswith(_CONNECTION_LOST), state == _DISK_FULL
    else:
        # SQLite, or PostgreSQL's client library without a word from the server.
        busy = any(word in said for word in ("locked", "busy", "timeout", "connection"))
        full = "full" in said or "no space" in said
    if full:
        return Refusal(Code.DISK_FULL)
    return Refusal(Code.DATABASE_BUSY) if busy else problem


def versions(engine: Engine) -> tuple[str, str]:
    """The version of the database (empty: there is none yet) and the one that this program needs.

    Every server asks this first. Alembic itself would be 12 MB that stay in it, so the table and the files' names are read.
    """
    needed = max(step.name.partition("_")[0] for step in (_MIGRATIONS / "versions").glob("[0-9]*_*.py"))
    if engine.dialect.name == "sqlite" and not Path(engine.url.database or "").exists():
        return "", needed  # only to ask must not make the file
    with engine.connect() as connection:
        if not inspect(connection).has_table("alembic_version"):
            return "", needed
        return connection.execute(text("SELECT version_num FROM alembic_version")).scalar() or "", needed


def unready(engine: Engine) -> str:
    """Why this program cannot work with the database, as a sentence for who runs it; empty if it can."""
    found, needed = versions(engine)
    if found == needed:
        return ""
    return (
        f"the database {engine.url} is at version {found or 'none'}, this program needs {needed}: run"
        " `digilog migrate` first, or say where the right one is (DIGILOG_DATA_DIR, DIGILOG_DATABASE_URL)"
    )


def migrate(engine: Engine, revision: str = "head") -> None:
    """Bring the schema to a revision (Alembic): all of the way, or where a step fails, not at all. Safe to run again."""
    from alembic import command

    config = _alembic()
    with engine.execution_options(writes=True).connect() as connection, tables_made_anew(connection):
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
        connection.commit()


@contextmanager
def tables_made_anew(connection: Connection) -> Iterator[None]:
    """Let migrations replace tables that others refer to; `check_references` says in the end whether all still hold.

    SQLite changes a column by copying its table and dropping the first one, which foreign keys forbid as soon as a row refers
    to it; they can be switched off outside a transaction only (https://sqlite.org/lang_altertable.html, section 7).
    """
    file = connection.connection.driver_connection
    if not isinstance(file, sqlite3.Connection):
        yield
        return
    file.execute("PRAGMA foreign_keys = OFF")
    try:
        yield
    finally:
        connection.rollback()
        file.execute("PRAGMA foreign_keys = ON")


def check_references(connection: Connection) -> None:
    """Raise ValueError, naming the tables, if a row refers to nothing, within the transaction that would have done it."""
    if connection.dialect.name == "sqlite":
        broken = {str(row[0]) for row in connection.exec_driver_sql("PRAGMA foreign_key_check")}
        if broken:
            raise ValueError(f"rows refer to nothing in {', '.join(sorted(broken))}")


def _alembic() -> "Config":
    from alembic.config import Config

    config = Config(str(ROOT / "alembic.ini"))
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    return config


__all__ = [
    "check_references",
    "make_engine",
    "metadata",
    "migrate",
    "opened",
    "tables_made_anew",
    "unit_of_work",
    "unready",
    "versions",
]
