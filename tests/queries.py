"""Counts what a page asks the database, and how much the database has to look at to answer."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from sqlalchemy import Engine, event


@contextmanager
def counted(engine: Engine) -> Iterator[list[str]]:
    """The statements that are sent to the database while the block runs."""
    statements: list[str] = []

    def note(connection: Any, cursor: Any, statement: str, *rest: Any) -> None:
        statements.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    try:
        yield statements
    finally:
        event.remove(engine, "before_cursor_execute", note)


#: SQLite tells its progress after so many steps of its virtual machine; a row that is looked at takes about ten.
STEPS = 10


@contextmanager
def rows_read(engine: Engine) -> Iterator[list[int]]:
    """About how many rows the database looks at while the block runs: a number for each statement on PostgreSQL (which
    is asked once more, after the block), and one for each that is looked at on SQLite. Never the time: a machine that
    is busy answers the same.
    """
    read: list[int] = []
    asked: list[tuple[str, Any]] = []
    watched: list[Any] = []

    def note(connection: Any, cursor: Any, statement: str, parameters: Any, *rest: Any) -> None:
        if engine.dialect.name == "sqlite":
            cursor.connection.set_progress_handler(lambda: read.append(1), STEPS)
            watched.append(cursor.connection)
        elif statement.lstrip().upper().startswith(("SELECT", "WITH")):
            asked.append((statement, parameters))

    event.listen(engine, "before_cursor_execute", note)
    try:
        yield read
    finally:
        event.remove(engine, "before_cursor_execute", note)
        for connection in watched:
            connection.set_progress_handler(None, 0)
    with engine.connect() as again:
        driver: Any = again.connection.driver_connection
        for statement, parameters in asked:
            # With places by number where `consultations.prepared` sent it.
            cursor = psycopg.RawCursor(driver) if isinstance(parameters, list) else driver.cursor()
            cursor.execute(f"EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) {statement}", parameters)
            [([plan],)] = cursor.fetchall()
            read.append(_rows(plan["Plan"]))


def _rows(node: dict[str, Any]) -> int:
    parts = node.get("Plans", [])
    if parts:
        return sum(_rows(part) for part in parts)
    removed = sum(node.get(key, 0) for key in ("Rows Removed by Filter", "Rows Removed by Index Recheck"))
    return int((node["Actual Rows"] + removed) * node["Actual Loops"])
