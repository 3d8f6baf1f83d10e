"""Waiting work as rows: written in the transaction that causes it, done by whoever has time.

A job is leased, so that a worker that dies gives it back; it is tried again with growing pauses and after
`MAX_TRIES` set aside (`failed`) for a person to look at. Each kind of job is one function, registered by `job`.
"""

import asyncio
import logging
import secrets
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import Index, text
from sqlmodel import Field, Session, SQLModel, col, or_, select
from starlette.concurrency import run_in_threadpool

from consultations.tables import Json, UtcDateTime
from participation.database import unit_of_work
from participation.house import House

log = logging.getLogger(__name__)

LEASE = timedelta(minutes=10)
#: Of work that comes round again: soon due anew, should its worker die.
RECURRING_LEASE = timedelta(minutes=2)
MAX_TRIES = 8
PAUSE_SECONDS = 2.0


class JobState(StrEnum):
    """Where a job stands."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


class Job(SQLModel, table=True):
    """A piece of work to be done later, or regularly."""

    __tablename__ = "job"
    __table_args__ = (Index("ix_job_state_run_at", "state", "run_at"),)

    id: int | None = Field(default=None, primary_key=True)
    kind: str
    payload: dict[str, Any] = Field(default_factory=dict, sa_type=Json)
    municipality_id: int | None = Field(default=None, foreign_key="municipality.id", index=True)
    state: str = JobState.WAITING.value
    run_at: datetime = Field(sa_type=UtcDateTime)
    tries: int = 0
    leased_by: str = ""
    leased_until: datetime | None = Field(default=None, sa_type=UtcDateTime)
    #: 0–100, and what is being done.
    progress: int = 0
    note: str = ""
    #: What came out, for the page that shows it.
    result: dict[str, Any] = Field(default_factory=dict, sa_type=Json)
    created_at: datetime = Field(sa_type=UtcDateTime)
    done_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


Work = Callable[[House, Job], dict[str, Any]]

#: What each kind of job does.
KINDS: dict[str, Work] = {}


def job(kind: str) -> Callable[[Work], Work]:
    """Register the function that does a kind of job. It opens its own units of work and returns a result."""

    def register(work: Work) -> Work:
        KINDS[kind] = work
        return work

    return register


@dataclass(frozen=True)
class Recurring:
    """Work that comes round again: how long after a run, given what came out of it, the next one is due."""

    kind: str
    pause: Callable[[House, dict[str, Any]], timedelta]


#: Every kind of work that comes round again. Each has one row for good.
RECURRING: dict[str, Recurring] = {}


def recurring(kind: str, pause: Callable[[House, dict[str, Any]], timedelta]) -> Callable[[Work], Work]:
    """Register work that comes round again. Its next run is written in the transaction that ends the last one."""

    def register(work: Work) -> Work:
        RECURRING[kind] = Recurring(kind, pause)
        return job(kind)(work)

    return register


def begin_recurring(house: House) -> None:
    """See to it that each kind of recurring work has its row, due now if it is new. Safe to run again, by several."""
    with unit_of_work(house.engine) as session:
        known = session.exec(select(Job.kind).where(col(Job.kind).in_(RECURRING))).all()
    if set(known) >= set(RECURRING):
        return
    with unit_of_work(house.engine, write=True) as session:
        if house.engine.dialect.name == "postgresql":
            session.connection().execute(text("SELECT pg_advisory_xact_lock(72, 1)"))
        known = session.exec(select(Job.kind).where(col(Job.kind).in_(RECURRING))).all()
        for kind in sorted(set(RECURRING) - set(known)):
            enqueue(session, kind, {}, now=house.clock())


def enqueue(
    session: Session,
    kind: str,
    payload: dict[str, Any],
    *,
    now: datetime,
    municipality_id: int | None = None,
    run_at: datetime | None = None,
) -> Job:
    """Leave a job in the caller's transaction. Raises KeyError for a kind nobody does."""
    if kind not in KINDS:
        raise KeyError(kind)
    waiting = Job(
        kind=kind, payload=payload, municipality_id=municipality_id, run_at=run_at or now, created_at=now
    )
    session.add(waiting)
    session.flush()
    return waiting


def recent(
    session: Session, kind: str, municipality_id: int, *, since: datetime, limit: int = 100
) -> list[Job]:
    """The jobs of a kind that were left for a municipality since, the newest first."""
    return list(
        session.exec(
            select(Job)
            .where(Job.kind == kind, Job.municipality_id == municipality_id, col(Job.created_at) >= since)
            .order_by(col(Job.id).desc())
            .limit(limit)
        ).all()
    )


def report_progress(house: House, job_id: int, percent: int, note: str) -> None:
    """Say how far a job is, in a unit of work of its own, and renew its lease."""
    with unit_of_work(house.engine, write=True) as session:
        row = session.get(Job, job_id)
        if row:
            row.progress, row.note = percent, note
            row.leased_until = house.clock() + LEASE
            session.add(row)


def _lease(house: House, name: str) -> Job | None:
    now = house.clock()
    with unit_of_work(house.engine, write=True) as session:
        row = session.exec(
            select(Job)
            .where(
                col(Job.run_at) <= now,
                or_(
                    Job.state == JobState.WAITING.value,
                    (col(Job.state) == JobState.RUNNING.value) & (col(Job.leased_until) < now),
                ),
            )
            .order_by(col(Job.run_at), col(Job.id))
            .limit(1)
            .with_for_update(skip_locked=True)
        ).first()
        if row is None:
            return None
        lease = RECURRING_LEASE if row.kind in RECURRING else LEASE
        row.state, row.leased_by, row.leased_until = JobState.RUNNING.value, name, now + lease
        row.tries += 1
        session.add(row)
        return row


def _is_anything_waiting(house: House) -> bool:
    """A cheap look before a writing one, so that an idle worker never takes the writers' line."""
    now = house.clock()
    with unit_of_work(house.engine) as session:
        return (
            session.exec(
                select(Job.id)
                .where(
                    col(Job.state).in_((JobState.WAITING.value, JobState.RUNNING.value)),
                    col(Job.run_at) <= now,
                )
                .limit(1)
            ).first()
            is not None
        )


def run_one(house: House, name: str = "worker") -> bool:
    """Do one waiting job, if there is one. A job that raises is tried again later, at most `MAX_TRIES` times."""
    if not _is_anything_waiting(house):
        return False
    row = _lease(house, name)
    if row is None:
        return False
    try:
        result = KINDS[row.kind](house, row)
    except Exception as problem:
        log.exception("job %s (%s) failed", row.id, row.kind)
        _put_back(house, row, f"{type(problem).__name__}: {problem}")
        return True
    with unit_of_work(house.engine, write=True) as session:
        done = session.get(Job, row.id)
        if done and done.leased_by == name:
            done.state, done.result, done.progress = JobState.DONE.value, result, 100
            done.done_at = house.clock()
            if done.kind in RECURRING:
                done.state, done.tries, done.note = JobState.WAITING.value, 0, ""
                done.run_at = done.done_at + RECURRING[done.kind].pause(house, result)
            session.add(done)
    return True


def _put_back(house: House, row: Job, problem: str) -> None:
    with unit_of_work(house.engine, write=True) as session:
        again = session.get(Job, row.id)
        if again is None:
            return
        again.note = problem[:2000]
        again.leased_until = None
        # What comes round again is never set aside: it would simply stop.
        is_over = again.tries >= MAX_TRIES and again.kind not in RECURRING
        again.state = JobState.FAILED.value if is_over else JobState.WAITING.value
        again.run_at = house.clock() + timedelta(
            seconds=5 * 2 ** min(again.tries, 6 if again.kind in RECURRING else 10)
        )
        session.add(again)


def pause() -> None:
    """Wait a moment for somebody else's job."""
    threading.Event().wait(PAUSE_SECONDS)


#: What a worker does between jobs, such as delivering waiting notices; each returns whether it did anything.
ROUNDS: list[Callable[[House], bool]] = []


def _begin(house: House) -> None:
    try:
        begin_recurring(house)
    except Exception:
        log.exception("recurring work could not be begun")


def work(house: House, stop: threading.Event, *, name: str | None = None) -> None:
    """Do waiting jobs and rounds until asked to stop."""
    name = name or f"worker-{secrets.token_hex(4)}"
    _begin(house)
    while not stop.is_set():
        busy = False
        try:
            busy = run_one(house, name)
            for turn in ROUNDS:
                busy = turn(house) or busy
        except Exception:
            log.exception("the worker stumbled and goes on")
        if not busy:
            stop.wait(PAUSE_SECONDS)


@asynccontextmanager
async def worker(house: House, *, enabled: bool) -> AsyncIterator[None]:
    """A worker beside the server, in a thread of its own, for as long as the block lasts."""
    if not enabled:
        yield
        return
    stop = threading.Event()
    task = asyncio.create_task(run_in_threadpool(work, house, stop))
    try:
        yield
    finally:
        stop.set()
        await task
