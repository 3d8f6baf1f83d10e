"""Where tries are counted: in memory, or in a table that all processes of a server share.

Loaded when something is first counted: the library `limits` brings all its other stores with it.
"""

import hashlib
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from limits import parse
from limits.storage import MemoryStorage, Storage
from limits.strategies import FixedWindowRateLimiter
from sqlalchemy import (
    Column,
    Connection,
    Engine,
    Float,
    Integer,
    MetaData,
    String,
    Table,
    create_engine,
    event,
    text,
)

from participation.security import RATES, Action, Limiter
from participation.settings import Settings


def limiter(settings: Settings, engine: Engine, clock: Callable[[], datetime]) -> Limiter:
    """Counts in memory, or (`DIGILOG_SHARED_LIMITS`) in a table that all server processes share.

    The clock is the application's; what is counted in memory is forgotten by the machine's.
    """

    def seconds() -> float:
        return clock().timestamp()

    storage: Storage = MemoryStorage()
    if settings.shared_limits:
        storage = TableStorage(_counting_engine(settings, engine), seconds)
    rates = RATES | {
        Action.SUBMIT: f"{settings.submissions_per_minute} per minute",
        Action.UPLOAD_OCTETS: f"{settings.upload_mb_per_hour * 1000} per hour",
    }
    return Limiter(
        {action: parse(rate) for action, rate in rates.items()},
        FixedWindowRateLimiter(storage),
        seconds,
        hashlib.sha256(b"limits" + settings.secret.get_secret_value().encode()).digest(),
    )


_metadata = MetaData()

#: Counts are worth nothing after their minutes: the table is no part of the schema that migrations carry on, is made
#: where it is missing, and need not survive a crash.
_TRIES = Table(
    "tries",
    _metadata,
    Column("key", String, primary_key=True),
    Column("count", Integer, nullable=False),
    Column("expires_at", Float, nullable=False, index=True),
    prefixes=["/*! tries */"],
)

_COUNT = text(
    "INSERT INTO tries (key, count, expires_at) VALUES (:key, :amount, :now + :expiry)"
    " ON CONFLICT (key) DO UPDATE SET"
    " count = CASE WHEN tries.expires_at <= :now THEN :amount ELSE tries.count + :amount END,"
    " expires_at = CASE WHEN tries.expires_at <= :now THEN :now + :expiry ELSE tries.expires_at END"
    " RETURNING count"
)


def _counting_engine(settings: Settings, engine: Engine) -> Engine:
    """Where counts are kept: PostgreSQL itself, beside SQLite a file of its own.

    A count must be kept even if the visitor's own unit of work is rolled back, so it is never part of that; and
    SQLite lets one connection write at a time, which would be waiting for itself.
    """
    if engine.dialect.name != "sqlite":
        return engine
    folder = Path(engine.url.database or "").parent if engine.url.database else settings.data_dir
    counting = create_engine(f"sqlite:///{folder / 'tries.sqlite'}", connect_args={"timeout": 10.0})

    @event.listens_for(counting, "connect")
    def _prepare(connection: Any, record: Any) -> None:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = OFF")

    return counting


class TableStorage(Storage):
    """Counts of the library `limits` in an SQL table, shared by all processes of a server."""

    STORAGE_SCHEME = None

    def __init__(self, engine: Engine, clock: Callable[[], float]) -> None:
        super().__init__()
        self._engine = engine
        self._clock = clock
        with engine.begin() as connection:
            if engine.dialect.name == "postgresql":
                # Two processes that start together must not both find it missing.
                connection.execute(text("SELECT pg_advisory_xact_lock(72, 1)"))
            _metadata.create_all(connection)

    @property
    def base_exceptions(self) -> tuple[type[Exception], ...]:
        return ()

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        """Count; the number so far in the present window of `expiry` seconds."""
        now = self._clock()
        with self._engine.begin() as connection:
            so_far = int(
                connection.execute(
                    _COUNT, {"key": key, "amount": amount, "now": now, "expiry": expiry}
                ).scalar_one()
            )
            if so_far == amount:
                connection.execute(_TRIES.delete().where(_TRIES.c.expires_at <= now))
            return so_far

    def _read(self, connection: Connection, key: str) -> tuple[int, float]:
        row = connection.execute(_TRIES.select().where(_TRIES.c.key == key)).mappings().first()
        now = self._clock()
        if row is None or row["expires_at"] <= now:
            return 0, now
        return int(row["count"]), float(row["expires_at"])

    def get(self, key: str) -> int:
        """The number so far."""
        with self._engine.connect() as connection:
            return self._read(connection, key)[0]

    def get_expiry(self, key: str) -> float:
        """When the present window ends, in seconds since 1970."""
        with self._engine.connect() as connection:
            return self._read(connection, key)[1]

    def check(self) -> bool:
        """Whether the table can be read."""
        self.get("")
        return True

    def reset(self) -> int:
        """Forget everything; how many counts there were."""
        with self._engine.begin() as connection:
            return connection.execute(_TRIES.delete()).rowcount

    def clear(self, key: str) -> None:
        """Forget one count."""
        with self._engine.begin() as connection:
            connection.execute(_TRIES.delete().where(_TRIES.c.key == key))
