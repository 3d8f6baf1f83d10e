"""A fresh database for each test, made quickly: the schema is migrated once per worker and kind, then copied.

Copying a PostgreSQL database costs far more than most tests do, so one that a test leaves behind is emptied and given
to the next, as long as its schema is what the migrations made.
"""

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from weakref import WeakSet

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import Engine, create_engine, event
from sqlalchemy.engine.default import DefaultDialect
from sqlalchemy.pool import Pool
from sqlalchemy.util import LRUCache

from participation import database
from participation.database import make_engine, migrate
from tests.servers import Server

KINDS = ("sqlite", "postgresql")

once = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
"""For tests of what is done with words, forms and files before a database is asked: the kind of database cannot matter."""


def share_compiled_statements() -> None:
    """Let every engine of this process use what an earlier one compiled: each test makes its own, and would compile
    each of its statements anew, which took a quarter of the whole run.

    Nor does a test's SQLite wait for the disk; `actions/test_durability.py` kills servers of its own, which do.
    """
    compiled: LRUCache[Any, Any] = LRUCache(5000)
    DefaultDialect.__hash__ = lambda dialect: hash(type(dialect))  # type: ignore[method-assign,assignment]
    DefaultDialect.__eq__ = lambda dialect, other: type(dialect) is type(other)  # type: ignore[method-assign]

    def create(url: str, **options: Any) -> Engine:
        engine = create_engine(url, execution_options={"compiled_cache": compiled}, **options)
        if engine.dialect.name == "sqlite":

            def hurry(connection: sqlite3.Connection, record: object) -> None:
                connection.execute("PRAGMA synchronous = OFF")

            # Told last, so that it comes after the settings that the application makes.
            event.listen(engine, "first_connect", lambda *told: event.listen(engine, "connect", hurry))
        return engine

    database.create_engine = create  # type: ignore[attr-defined,assignment]


@dataclass
class Databases:
    """Makes databases for one worker of the test run; ``folder`` is the worker's own."""

    folder: Path
    worker: str
    _template: Path | None = field(default=None)
    _migrated: bool = field(default=False)
    _made: int = field(default=0)
    _shape: tuple[object, ...] = field(default=())
    _idle: list[str] = field(default_factory=list)

    @contextmanager
    def sqlite(self, file: Path) -> Iterator[str]:
        """The address of a migrated, empty SQLite database in ``file``."""
        if self._template is None:
            template = self.folder / "template.sqlite"
            _migrate(f"sqlite:///{template}")
            self._template = template
        shutil.copyfile(self._template, file)
        yield f"sqlite:///{file}"

    @contextmanager
    def postgresql(self, server: Server) -> Iterator[str]:
        """The address of a migrated, empty PostgreSQL database, for one test at a time."""
        name = self._idle.pop() if self._idle else self._copy(server)
        try:
            yield server.url.format(database=name)
        finally:
            _hang_up(name)
            if _emptied(_dsn(server, name), self._shape):
                self._idle.append(name)
            else:
                with psycopg.connect(_dsn(server), autocommit=True) as admin:
                    admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))

    def _copy(self, server: Server) -> str:
        template = f"template_{self.worker}"
        with psycopg.connect(_dsn(server), autocommit=True) as admin:
            if not self._migrated:
                admin.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(template)))
                _migrate(server.url.format(database=template))
                with psycopg.connect(_dsn(server, template), autocommit=True) as migrated:
                    self._shape = _shape(migrated)
                self._migrated = True
            self._made += 1
            name = f"test_{self.worker}_{self._made}"
            admin.execute(
                sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY FILE_COPY").format(
                    sql.Identifier(name), sql.Identifier(template)
                )
            )
        return name


_connected: WeakSet[psycopg.Connection[Any]] = WeakSet()
"""What this process opened for its engines. A thread that is still at work when its engine is let go of keeps its connection,
which nobody closes then: the driver complains when it is collected, in the middle of some later test."""


@event.listens_for(Pool, "connect")
def _remember(connection: object, record: object) -> None:
    if isinstance(connection, psycopg.Connection):
        _connected.add(connection)


def _hang_up(database: str) -> None:
    """Close what a test has left open, as the server does with what it still has (see `_emptied`)."""
    for connection in [each for each in _connected if not each.closed]:
        if connection.info.dbname == database:
            connection.close()


def _emptied(dsn: str, shape: tuple[object, ...]) -> bool:
    """Whether a database that a test has used is as good as new: nobody connected, no rows, numbers from one again."""
    try:
        with psycopg.connect(dsn, autocommit=True) as connection:
            connection.execute("SET lock_timeout = '5s'")
            connection.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
            if _shape(connection) != shape:
                return False
            tables = [sql.Identifier(name) for (name,) in connection.execute(_TABLES).fetchall()]
            ask = sql.SQL(" UNION ALL ").join(
                sql.SQL("SELECT {}, pg_relation_size({}::regclass) WHERE EXISTS (SELECT 1 FROM {})").format(
                    sql.Literal(index), sql.Literal(table.as_string(connection)), table
                )
                for index, table in enumerate(tables)
            )
            used = connection.execute(ask).fetchall()
            # A few rows are deleted in a fifth of the time that it takes to make the files of a table anew; what was
            # large leaves dead rows for the next test to read. No trigger and no foreign key is asked in this role.
            do = ["SET session_replication_role = replica", "BEGIN"]
            for index, size in used:
                name = tables[index].as_string(connection)
                do.append(f"TRUNCATE {name} CASCADE" if size > LARGE else f"DELETE FROM {name}")
            connection.execute("; ".join([*do, "COMMIT"]).encode())
            connection.execute(
                "SELECT setval(format('%I.%I', schemaname, sequencename)::regclass, 1, false) FROM pg_sequences"
                " WHERE last_value IS NOT NULL"
            ).fetchall()
    except psycopg.Error:
        return False
    return True


#: Octets from which on a table's files are made anew.
LARGE = 1_000_000

_TABLES = (
    "SELECT relname::text FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
    " AND relname <> 'alembic_version' ORDER BY relname"
)


def _shape(connection: psycopg.Connection[tuple[Any, ...]]) -> tuple[object, ...]:
    """What would differ had a test changed the schema or migrated."""
    catalogs = ("pg_class", "pg_attribute", "pg_constraint", "pg_trigger", "pg_proc", "pg_db_role_setting")
    counts = ", ".join(f"(SELECT count(*) FROM {catalog})" for catalog in catalogs)
    [shape] = connection.execute(
        f"SELECT {counts}, (SELECT max(version_num) FROM alembic_version)"
    ).fetchall()
    return shape


def _dsn(server: Server, database: str = "postgres") -> str:
    return server.url.format(database=database).replace("postgresql+psycopg://", "postgresql://")


def _migrate(url: str) -> None:
    engine = make_engine(url)
    try:
        migrate(engine)
    finally:
        engine.dispose()
