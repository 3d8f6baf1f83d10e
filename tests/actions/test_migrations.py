"""Towns bring their data along: every step of the schema on a database in which each table has a row that others refer to."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from alembic.script import ScriptDirectory
from sqlalchemy import Column, Connection, Engine, MetaData, Table, insert, inspect, text, types

from participation import database
from participation.database import make_engine, migrate, versions

#: What a column of a kind may hold, as far as nobody reads it. Of JSON, what the oldest step reads is a mapping.
_HELD: dict[type[object], object] = {
    types.Boolean: False,
    types.DateTime: datetime(2026, 7, 1, 12, tzinfo=UTC).replace(tzinfo=None),
    types.Date: date(2026, 7, 1),
    types.Integer: 1,
    types.Float: 1.0,
    types.Numeric: 1,
    types.LargeBinary: b"x",
    types.JSON: {},
    types.String: "x",
}


@pytest.fixture
def empty(engine: Engine) -> Iterator[Engine]:
    """An engine on a database without a table."""
    if engine.dialect.name == "postgresql":
        with engine.begin() as connection:
            connection.execute(text("DROP SCHEMA public CASCADE"))
            connection.execute(text("CREATE SCHEMA public"))
        yield engine
        return
    other = make_engine(f"{engine.url}.old")
    yield other
    other.dispose()


def _steps() -> list[str]:
    walked = ScriptDirectory.from_config(database._alembic()).walk_revisions()
    return [step.revision for step in walked][::-1]


def _cell(column: Column[object], filled: set[str]) -> object:
    for key in column.foreign_keys:
        if key.column.table.name not in filled:
            return None
    return next(value for kind, value in _HELD.items() if isinstance(column.type, kind))


def _new_tables(connection: Connection, filled: set[str]) -> list[Table]:
    names = {
        name
        for name in inspect(connection).get_table_names()
        if name not in filled and not name.startswith(("alembic_version", "search_index"))
    }
    known = MetaData()
    known.reflect(connection, only=sorted(names))
    return [table for table in known.sorted_tables if table.name in names]


def test_every_step_keeps_what_stands_in_the_tables(empty: Engine) -> None:
    filled: set[str] = set()
    for step in _steps():
        migrate(empty, step)
        with empty.execution_options(writes=True).begin() as connection:
            for table in _new_tables(connection, filled):
                cells = {column.name: _cell(column, filled) for column in table.columns}
                row = {name: cell for name, cell in cells.items() if cell is not None}
                connection.execute(insert(table).values(row))
                filled.add(table.name)
    with empty.connect() as connection:
        counted = {
            name: connection.exec_driver_sql(f'SELECT count(*) FROM "{name}"').scalar() for name in filled
        }
        assert len(filled) > 60
        assert set(counted.values()) == {1}, counted
        if empty.dialect.name == "sqlite":
            assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1
            assert not connection.exec_driver_sql("PRAGMA foreign_key_check").all()


def test_only_what_is_still_open_or_an_owner_said_waits_after_an_upgrade(empty: Engine) -> None:
    migrate(empty, "0023")
    with empty.execution_options(writes=True).begin() as connection:
        filled: set[str] = set()
        for table in _new_tables(connection, filled):
            cells = {column.name: _cell(column, filled) for column in table.columns}
            if table.name not in ("proposal_union", "proposal_union_consent"):
                connection.execute(
                    insert(table).values({name: cell for name, cell in cells.items() if cell is not None})
                )
            filled.add(table.name)
        known = MetaData()
        known.reflect(connection, only=["proposal_union", "proposal_union_consent"])
        wishes, consents = known.tables["proposal_union"], known.tables["proposal_union_consent"]
        wish = {column.name: _cell(column, filled) for column in wishes.columns}
        consent = {column.name: _cell(column, filled) for column in consents.columns}
        # Two asked by an owner; two by the town hall and refused, by an owner and by the facilitator.
        for key, state, said, part in (
            (1, "asked", "", ""),
            (2, "withdrawn", "", ""),
            (3, "refused", "Nein!", "owner"),
            (4, "refused", "Nein.", "facilitator"),
        ):
            connection.execute(
                insert(wishes).values(wish | {"id": key, "state": state, "decision_words": said})
            )
            row = {"id": key, "union_id": key, "proposal_id": 1, "agrees": not part, "part": part or "owner"}
            at = wish["asked_at"] + timedelta(days=1) if part else wish["asked_at"]
            connection.execute(insert(consents).values(consent | row | {"at": at}))
    migrate(empty, "0024")
    with empty.connect() as connection:
        states = connection.execute(
            text("SELECT id, asked_for_id, wish_state, answer_state FROM proposal_union ORDER BY id")
        ).all()
    assert [tuple(each) for each in states] == [
        (1, 1, "waiting", "shown"),
        (2, 1, "shown", "shown"),
        (3, None, "shown", "waiting"),
        (4, None, "shown", "shown"),
    ]


def test_an_upgrade_after_which_a_row_would_refer_to_nothing_leaves_all_as_it_was(tmp_path: Path) -> None:
    before, last = _steps()[-2:]
    engine = make_engine(f"sqlite:///{tmp_path}/town.sqlite")
    migrate(engine, before)
    with engine.connect() as connection:
        raw = connection.connection.driver_connection
        assert raw is not None
        raw.execute("PRAGMA foreign_keys = OFF")
        raw.execute("INSERT INTO municipality_host (host, municipality_id) VALUES ('a.example', 99)")
        raw.execute("PRAGMA foreign_keys = ON")
    with pytest.raises(ValueError, match="municipality_host"):
        migrate(engine)
    assert versions(engine) == (before, last)
    engine.dispose()
