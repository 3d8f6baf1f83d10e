"""What lives as long as the process: settings, database, files, the files of the browser, finished pages, the clock."""

import asyncio
import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import TypeVar

from anyio import CapacityLimiter
from sqlalchemy import Engine

from consultations.files import FileStore
from consultations.refusals import Code
from participation.inspections import Inspections
from participation.security import Limiter
from participation.settings import Settings
from participation.static import StaticFiles

FactT = TypeVar("FactT")

PAGES_KEPT = 2000
OCTETS_KEPT = 64_000_000
FACTS_KEPT = 500
#: Octets of facts that say how large they are (`octets`): whoever searches for ever other words fills no more.
FACT_OCTETS_KEPT = 32_000_000


@dataclass(frozen=True)
class KeptPage:
    """A finished page: its octets plain and compressed (b"" for what would not get smaller), its ETag, and whether its address holds the hash of its content, so
    that browsers keep it for ever."""

    body: bytes
    compressed: bytes
    etag: str
    content_type: str
    is_for_ever: bool = False
    #: What the page says of itself besides: who may frame it, and what it may load.
    headers: tuple[tuple[str, str], ...] = ()
    #: From when on it is not kept any more; None for what stays until something changes.
    until: datetime | None = None


def read_clock() -> datetime:
    """The moment, in UTC: the only place in the server where the clock is read."""
    return datetime.now(UTC)


def link_key(settings: Settings) -> bytes:
    """From which the secrets of agencies' links are made."""
    return hashlib.sha256(b"agency links" + settings.secret.get_secret_value().encode()).digest()


@dataclass
class House:
    """What pages and jobs need of the process they run in."""

    settings: Settings
    engine: Engine
    files: FileStore
    static: StaticFiles
    clock: Callable[[], datetime] = read_clock
    kept: OrderedDict[tuple[object, ...], KeptPage] = field(default_factory=OrderedDict)
    octets_kept: int = 0
    #: Pages that are being made just now; whoever else asks for one of them waits for it.
    making: dict[tuple[object, ...], asyncio.Future[None]] = field(default_factory=dict)
    #: Who makes such pages: few at once. All of them need the interpreter, and take turns at it; the next to begin would
    #: only make the others later. Pages that draw do not stand in this line: what is drawn lets go of the interpreter.
    makers: CapacityLimiter = field(default_factory=lambda: CapacityLimiter(4))
    #: Who makes those that may take seconds (`page(…, long=True)`), so that nobody with a short one stands behind them.
    long_makers: CapacityLimiter = field(default_factory=lambda: CapacityLimiter(2))
    facts: OrderedDict[tuple[object, ...], object] = field(default_factory=OrderedDict)
    fact_octets_kept: int = 0
    _facts_guard: threading.Lock = field(default_factory=threading.Lock)
    _limiter: Limiter | None = None
    _limiter_guard: threading.Lock = field(default_factory=threading.Lock)
    inspections: Inspections = field(default_factory=Inspections)
    #: Who looks at passwords: each costs 64 MB and a core for a moment, and anybody may send any number of them at once.
    passwords: Inspections = field(
        default_factory=lambda: Inspections(at_once=2, places=24, full=Code.DATABASE_BUSY)
    )
    #: How far long jobs of this process are, in per cent by job id.
    progress: dict[int, int] = field(default_factory=dict)

    @property
    def limiter(self) -> Limiter:
        """Counts tries, see participation/security.py; one for all threads, of which two may be the first."""
        with self._limiter_guard:
            if self._limiter is None:
                from participation import tries

                self._limiter = tries.limiter(self.settings, self.engine, self.clock)
            return self._limiter

    @cached_property
    def link_key(self) -> bytes:
        """From which the secrets of agencies' links are made, see consultations/invitations.py."""
        return link_key(self.settings)

    def close(self) -> None:
        """Let go of everything that is open; what is asked for afterwards opens it again."""
        self.inspections.close()
        self.passwords.close()
        site = self.__dict__.pop("_site_connection", None)  # see `shared_pages.house_site`
        if site is not None:
            site.close()
        self.engine.dispose()

    def keep(self, key: tuple[object, ...], kept: KeptPage) -> None:
        """Remember a finished page; the oldest go when there are too many, or when they are too large together."""
        self.forget(key)
        self.kept[key] = kept
        self.octets_kept += len(kept.body) + len(kept.compressed)
        while len(self.kept) > PAGES_KEPT or self.octets_kept > OCTETS_KEPT:
            self.forget(next(iter(self.kept)))

    def find(self, key: tuple[object, ...]) -> KeptPage | None:
        """A finished page, if it is kept; those that are asked for stay longest."""
        kept = self.kept.get(key)
        if kept is not None and kept.until and kept.until <= self.clock():
            self.forget(key)
            return None
        if kept is not None:
            self.kept.move_to_end(key)
        return kept

    def forget(self, key: tuple[object, ...]) -> None:
        """Forget a finished page, if it is kept."""
        kept = self.kept.pop(key, None)
        if kept is not None:
            self.octets_kept -= len(kept.body) + len(kept.compressed)

    def fact(self, key: tuple[object, ...], make: Callable[[], FactT]) -> FactT:
        """What `make` finds out, remembered under a key that is another one as soon as it may be something else."""
        with self._facts_guard:
            if key in self.facts:
                self.facts.move_to_end(key)
                return self.facts[key]  # type: ignore[return-value]  # the key says what it is
        made = make()
        octets: int = getattr(made, "octets", 0)
        if octets > FACT_OCTETS_KEPT:
            return made
        with self._facts_guard:
            self.fact_octets_kept += octets - getattr(self.facts.pop(key, None), "octets", 0)
            self.facts[key] = made
            while len(self.facts) > FACTS_KEPT or self.fact_octets_kept > FACT_OCTETS_KEPT:
                _, gone = self.facts.popitem(last=False)
                self.fact_octets_kept -= getattr(gone, "octets", 0)
        return made
