"""Handing in: beside the least that a durable row can cost, and sixteen people at once at a real server."""

import itertools
import sqlite3
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime
from typing import Any

import httpx2
import psycopg
from psycopg.types.json import Jsonb

from benchmarks.measuring import Better, Result, Work, in_turns, milliseconds
from benchmarks.town import HOST, TEXT, Place, served
from consultations import contributions, drafts
from consultations.contributions import Kind, Submission
from consultations.people import PersonInput
from consultations.permissions import PUBLIC
from participation.database import unit_of_work

WRITERS = 16
#: Nobody waits longer on SQLite (seconds).
PATIENCE = 2.0
_RAW = "CREATE TABLE {} (id INTEGER PRIMARY KEY{}, text TEXT NOT NULL, at TEXT NOT NULL)"


def submitting(place: Place, who: str = "benchmark") -> Work:
    """Hands in one statement with name and address after the other, each in a unit of work of its own."""
    keys = itertools.count()

    def work() -> None:
        with unit_of_work(place.engine, write=True, brief=True, town=place.municipality_id) as session:
            submission = Submission(
                kind=Kind.STATEMENT,
                channel="web",
                key=f"{who}-{next(keys)}",
                text=TEXT,
                person=PersonInput(name="Rosa Beispiel", email="rosa@beispiel.example"),
                wants_publication=True,
            )
            contributions.submit(
                session, submission, procedure=place.procedure(session), by=PUBLIC, now=datetime.now(UTC)
            )

    return work


def sqlite_rows(place: Place, table: str = "raw") -> Iterator[Work]:
    """One raw row after the other in the same file, each durable."""
    with closing(
        sqlite3.connect(place.engine.url.database or "", isolation_level=None, check_same_thread=False)
    ) as connection:
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute(_RAW.format(table, ""))

        def work() -> None:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute(f"INSERT INTO {table} (text, at) VALUES (?, ?)", (TEXT, "2026-11-21T10:00:00"))
            connection.execute("COMMIT")

        yield work


def postgresql_rows(place: Place, table: str = "raw") -> Iterator[Work]:
    """One raw row after the other in the same database, each durable."""
    with psycopg.connect(_dsn(place)) as connection:
        connection.execute(_RAW.format(table, " GENERATED ALWAYS AS IDENTITY"))
        connection.commit()

        def work() -> None:
            connection.execute(
                f"INSERT INTO {table} (text, at) VALUES (%s, %s)", (TEXT, "2026-11-21T10:00:00")
            )
            connection.commit()

        yield work


def _dsn(place: Place) -> str:
    return place.settings.database_url.replace("postgresql+psycopg:", "postgresql:")


#: The rows of a statement with a name and an address, in the order in which they name each other.
PARTS = ("person", "contribution", "receipt", "search_entry", "notice", "journal_entry")
_COUNTED = ("id", "contribution_id", "submitter_id", "entry_number", "sequence")
_DRAWN = ("access_code", "submission_key")


def bare_rows(place: Place) -> Iterator[Work]:
    """What `submit` writes, by the driver alone: the same rows into the same tables with all their indexes, one commit.

    Nothing is asked before, checked, put together or sealed, so this is what is left if our code took no time at all. In a
    database of its own, because it counts by itself.
    """
    submitting(place)()
    with place.engine.connect() as connection:
        patterns = [
            dict(connection.exec_driver_sql(f"SELECT * FROM {part}").mappings().all()[-1]) for part in PARTS
        ]
    numbers = itertools.count(1)

    def rows() -> list[list[Any]]:
        more = next(numbers)
        return [[_another(name, value, more) for name, value in row.items()] for row in patterns]

    yield from (_by_sqlite3 if place.engine.dialect.name == "sqlite" else _by_psycopg)(place, patterns, rows)


def _another(name: str, value: Any, more: int) -> Any:
    """A value of the pattern as the so-manyth statement after it has it."""
    if name in _DRAWN:
        return f"{more:08}"
    if name in _COUNTED and value is not None:
        return value + more
    return Jsonb(value) if isinstance(value, dict) else value


def _by_sqlite3(
    place: Place, patterns: list[dict[str, Any]], rows: Callable[[], list[list[Any]]]
) -> Iterator[Work]:
    statements = [
        f"INSERT INTO {part} ({', '.join(row)}) VALUES ({', '.join('?' * len(row))})"
        for part, row in zip(PARTS, patterns, strict=True)
    ]
    with closing(sqlite3.connect(place.engine.url.database or "", isolation_level=None)) as connection:
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")

        def work() -> None:
            connection.execute("BEGIN IMMEDIATE")
            for statement, row in zip(statements, rows(), strict=True):
                connection.execute(statement, row)
            connection.execute("COMMIT")

        yield work


def _by_psycopg(
    place: Place, patterns: list[dict[str, Any]], rows: Callable[[], list[list[Any]]]
) -> Iterator[Work]:
    places = itertools.count(1)
    *before, last = (
        f"INSERT INTO {part} ({', '.join(row)}) VALUES ({', '.join(f'${next(places)}' for _ in row)})"
        for part, row in zip(PARTS, patterns, strict=True)
    )
    statement = f"WITH {', '.join(f'{PARTS[at]}_ AS ({each})' for at, each in enumerate(before))} {last}"
    with psycopg.connect(_dsn(place), cursor_factory=psycopg.RawCursor) as connection:

        def work() -> None:
            connection.execute(statement, [value for row in rows() for value in row])
            connection.commit()

        yield work


def durable(place: Place, other: Place, kind: str, *, rounds: int, times: int) -> Iterator[Result]:
    """`submit` with its commit as a ratio to a raw durable row of the same database, and to its own rows without our code
    (in the database of the `other` place)."""
    for raw, bare in zip(
        (sqlite_rows if kind == "SQLite" else postgresql_rows)(place), bare_rows(other), strict=True
    ):
        floor, subject, rows = in_turns([raw, submitting(place), bare], rounds=rounds, times=times)
        told = f"{milliseconds(subject)} beside {milliseconds(floor)}"
        yield Result(f"handing in, {kind}: raw durable rows", floor / subject, 0.3, detail=told)
        told = f"{milliseconds(rows)} beside {milliseconds(floor)}; with ours {milliseconds(subject)}"
        yield Result(f"its {len(PARTS)} rows without our code, {kind}", floor / rows, detail=told)


def at_once(place: Place, kind: str, *, rounds: int, seconds: float) -> Iterator[Result]:
    """Sixteen writers who hand in at once beside one writer of raw rows, who has the disk to himself."""
    for raw in (sqlite_rows if kind == "SQLite" else postgresql_rows)(place, table="raw_at_once"):
        submit = submitting(place, "crowd")
        rates = [(_rate([raw], seconds), _rate([submit] * WRITERS, seconds)) for _ in range(rounds)]
        ratio = statistics.median(ours / floor for floor, ours in rates)
        floor, ours = (statistics.median(each) for each in zip(*rates, strict=True))
        told = f"{ours:.0f}/s of {WRITERS} at once beside {floor:.0f}/s of one"
        yield Result(f"handing in at once, {kind}: raw durable rows", ratio, 0.3, detail=told)


def _rate(works: Sequence[Work], seconds: float) -> float:
    """How often in a second they do their work together, each in a thread of its own."""
    end = time.perf_counter() + seconds

    def repeat(work: Work) -> int:
        count = 0
        while time.perf_counter() < end:
            work()
            count += 1
        return count

    began = time.perf_counter()
    with ThreadPoolExecutor(len(works)) as pool:
        done = sum(pool.map(repeat, works))
    return done / (time.perf_counter() - began)


def by_web(place: Place, kind: str, *, each: int) -> Iterator[Result]:
    """Sixteen people hand in at once by the form, all the way: nobody is refused, nobody waits long."""
    path = f"/beteiligungen/{place.slug}/stellungnahme/{{}}/alles"
    with served(place) as (_server, port):

        def person(number: int) -> tuple[list[float], list[int]]:
            waits, statuses = [], []
            with httpx2.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
                for count in range(each):
                    began = time.perf_counter()
                    answer = client.post(
                        path.format(drafts.new_secret()),
                        data={"text": f"{TEXT} ({number}/{count})", "publish": "yes", "do": "send"},
                        headers={"Host": HOST, "Sec-Fetch-Site": "same-origin"},
                    )
                    waits.append(time.perf_counter() - began)
                    statuses.append(answer.status_code)
            return waits, statuses

        person(0)
        began = time.perf_counter()
        with ThreadPoolExecutor(WRITERS) as pool:
            done = list(pool.map(person, range(WRITERS)))
        took = time.perf_counter() - began
    waits = [wait for some, _ in done for wait in some]
    failed = sum(status != 303 for _, some in done for status in some)
    told = f"{len(waits)} requests of {WRITERS} at once, {len(waits) / took:.0f}/s"
    yield Result(f"handing in by web, {kind}: failed", failed, 0, Better.LESS, detail=told)
    # SQLite has one line for all who write; the promise is about that line.
    target = PATIENCE if kind == "SQLite" else None
    yield Result(f"handing in by web, {kind}: longest wait", max(waits), target, Better.LESS, "s")
