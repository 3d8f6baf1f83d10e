"""Lists of proposals: filtered, in an order that favours nobody, page by key; and which proposals resemble what is typed.

By chance means: proposals are dealt into buckets once; a visitor's seed shuffles the buckets and the cards in each. So
a page costs what its own proposals cost, however many there are, and stays the same for a visitor.
"""

import hashlib
import math
import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from functools import cached_property
from typing import Any

from sqlalchemy import ColumnElement, Select, String, TextClause, case, cast, false, func, or_, tuple_
from sqlalchemy import select as select_columns
from sqlmodel import Session, col, select

from consultations import search
from consultations.contributions import Contribution, Kind
from consultations.phases import phases_of_all
from consultations.proposals import BUCKETS, Proposal
from consultations.search import Among, Scope, SearchEntry
from consultations.tables import one_of
from consultations.text import stems
from geo.geometry import cell as cell_of
from geo.geometry import covering_ranges

PER_PAGE = 20
#: How near a proposal has to be to count as near (degrees of latitude, some 500 m), for lists and for likeness.
NEAR_DEGREES = 0.0045


class Order(StrEnum):
    """How a list is sorted. Most supported is none of them: it rewards who was early and loud."""

    CHANCE = "chance"
    NEWEST = "newest"
    LITTLE_SEEN = "little_seen"
    ENDS_SOON = "ends_soon"
    NEAREST = "nearest"


@dataclass(frozen=True)
class Wanted:
    """What a list is narrowed to; what is empty narrows nothing. `near`: lon and lat in degrees."""

    words: str = ""
    district: str = ""
    authoring: str = ""
    channel: str = ""
    language: str = ""
    topic: str = ""
    near: tuple[float, float] | None = None
    #: Of these consultations, too: parts of the one that is asked for, by their keys.
    parts: tuple[int, ...] = ()


@dataclass(frozen=True)
class Listed:
    """One page: ids in order, how many there are in all, the key of the next page (None: none)."""

    ids: tuple[int, ...]
    total: int
    next: str | None


#: What a condition of `search` is on, where contributions themselves are not asked for.
_KEY = "proposal.contribution_id"


def _conditions(session: Session, procedure_id: int, wanted: Wanted) -> list[Any]:
    conditions: list[Any] = [
        one_of(col(Proposal.procedure_id), (procedure_id, *wanted.parts)),
        col(Proposal.is_listed).is_(True),
    ]
    for name in ("district", "authoring", "channel", "language", "topic"):
        value = getattr(wanted, name)
        if value:
            conditions.append(getattr(Proposal, name) == value)
    if wanted.near is not None:
        conditions += _near(*wanted.near)
    if wanted.words.strip():
        among = Among(procedure_id, Kind.PROPOSAL.value, wanted.parts)
        found = search.matching(session, wanted.words, Scope.PUBLIC, among=among, of=_KEY)
        conditions.append(_either(found, _named((procedure_id, *wanted.parts), wanted.words)))
    return conditions


def _named(procedure_ids: Sequence[int], typed: str) -> ColumnElement[bool] | None:
    """That it has the reference that was typed; None where that is none."""
    _, _, number = typed.strip().rpartition("-")
    if not (number.isascii() and number.isdigit() and len(number) < 10):
        return None
    return col(Proposal.contribution_id).in_(
        select(Contribution.id).where(
            one_of(col(Contribution.procedure_id), procedure_ids),
            Contribution.entry_number == int(number),
            Contribution.reference == typed.strip().upper(),
        )
    )


def _either(*conditions: ColumnElement[bool] | TextClause | None) -> ColumnElement[bool]:
    """One of those that there are; nothing fulfils none."""
    return or_(false(), *(each for each in conditions if each is not None))


def _near(lon: float, lat: float) -> list[ColumnElement[bool]]:
    ranges = covering_ranges(
        lon - 1.5 * NEAR_DEGREES, lat - NEAR_DEGREES, lon + 1.5 * NEAR_DEGREES, lat + NEAR_DEGREES
    )
    inside = [(col(Proposal.cell) >= low) & (col(Proposal.cell) < high) for low, high in ranges]
    condition = inside[0]
    for each in inside[1:]:
        condition |= each
    return [col(Proposal.is_on_map).is_(True), condition]


def how_many(session: Session, procedure_id: int, wanted: Wanted) -> int:
    """How many proposals of a consultation fulfil what is wanted."""
    conditions = _conditions(session, procedure_id, wanted)
    return session.exec(select(func.count()).select_from(Proposal).where(*conditions)).one()


def how_many_on_map(session: Session, procedure_id: int, wanted: Wanted) -> int:
    """How many of them have a place on the map that everybody may see."""
    conditions = [*_conditions(session, procedure_id, wanted), col(Proposal.is_on_map).is_(True)]
    return session.exec(select(func.count()).select_from(Proposal).where(*conditions)).one()


def keys(session: Session, procedure_id: int, wanted: Wanted) -> Select[Any]:
    """The keys of the proposals of a consultation that fulfil what is wanted, to be asked within another question."""
    # Whatever that one asks of contributions, this one looks at contributions of its own.
    question = select_columns(col(Proposal.contribution_id))
    return question.where(*_conditions(session, procedure_id, wanted)).correlate(None)


def listed(
    session: Session,
    procedure_id: int,
    wanted: Wanted,
    *,
    order: Order = Order.CHANCE,
    seed: str = "",
    after: str = "",
    limit: int = PER_PAGE,
    known: "int | Hits | None" = None,
    origin: tuple[float, float] | None = None,
) -> Listed:
    """The proposals of a consultation that everybody may read, `limit` of them after the key of a page before.

    `known`: what somebody knows already, how many there are in all (`how_many`) or which (`hits`, better where words are
    searched for). `origin`: lon and lat in degrees that `Order.NEAREST` begins at (ValueError without); proposals without
    a place on the map come last. At most four queries, however many proposals there are.
    """
    conditions = _conditions(session, procedure_id, wanted)
    if known is None:
        known = (hits if wanted.words.strip() else how_many)(session, procedure_id, wanted)
    found = known if isinstance(known, Hits) else None
    total = known if isinstance(known, int) else known.total
    if not total:
        return Listed((), 0, None)
    if order is Order.CHANCE:
        return _by_chance(session, conditions, found, total, seed, after, limit)
    keys = (procedure_id, *wanted.parts)
    return _sorted(session, keys, conditions, total, order, after, limit, origin)


@dataclass(frozen=True)
class Hits:
    """All proposals that a search finds, as they were dealt.

    Small enough to be kept (some twenty octets for each), so that a search is looked up once and not for every page and
    every visitor's order.
    """

    total: int
    #: By bucket, its keys and their numbers as the database spells them ("7:813 9:26"): a page reads a few of them.
    buckets: Mapping[int, str]

    @cached_property
    def octets(self) -> int:
        """How much room it takes, roughly."""
        return sum(map(len, self.buckets.values()))

    def within(self, buckets: Sequence[int]) -> list[tuple[int, int, int]]:
        """Key, bucket and number drawn of all in these buckets."""
        return [
            (int(key), bucket, int(drawn))
            for bucket in buckets
            for key, _, drawn in (each.partition(":") for each in self.buckets.get(bucket, "").split())
        ]


def hits(session: Session, procedure_id: int, wanted: Wanted) -> Hits:
    """All proposals of a consultation that fulfil what is wanted, for `listed`; one query, which looks at each of them."""
    each = cast(col(Proposal.contribution_id), String) + ":" + cast(col(Proposal.shuffle), String)
    rows = session.execute(
        select_columns(col(Proposal.bucket), func.count(), func.aggregate_strings(each, " "))
        .where(*_conditions(session, procedure_id, wanted))
        .group_by(col(Proposal.bucket))
    ).all()
    return Hits(sum(number for _, number, _ in rows), {bucket: spelled for bucket, _, spelled in rows})


def _by_chance(
    session: Session,
    conditions: Sequence[Any],
    found: Hits | None,
    total: int,
    seed: str,
    after: str,
    limit: int,
) -> Listed:
    shuffled = list(range(BUCKETS))
    random.Random(seed).shuffle(shuffled)
    position, _, drawn = after.partition(".")
    start = int(position) if position.isdecimal() and int(position) < BUCKETS else 0
    last = int(drawn) if drawn.isdecimal() else -1
    # As many buckets as most likely hold a page; the rest only if they did not.
    share = min(BUCKETS, max(4, round(2.5 * BUCKETS * (limit + 1) / total) + 2))
    places = {bucket: at for at, bucket in enumerate(shuffled)}
    kept: list[tuple[int, int, int]] = []
    for first, end in ((start, start + share), (start + share, BUCKETS)):
        chosen = shuffled[first:end]
        if not chosen or len(kept) > limit:
            continue
        rows = found.within(chosen) if found is not None else _in_buckets(session, conditions, chosen)
        kept += sorted((places[bucket], _drawn(seed, shuffle), number) for number, bucket, shuffle in rows)
        kept = [each for each in kept if (each[0], each[1]) > (start, last)]
    page = kept[:limit]
    more = len(kept) > limit
    return Listed(
        tuple(number for _, _, number in page),
        total,
        f"{page[-1][0]}.{page[-1][1]}" if more and page else None,
    )


def _in_buckets(
    session: Session, conditions: Sequence[Any], buckets: Sequence[int]
) -> Sequence[tuple[int, int, int]]:
    return session.exec(
        select(Proposal.contribution_id, Proposal.bucket, Proposal.shuffle).where(
            *conditions, col(Proposal.bucket).in_(buckets)
        )
    ).all()


def _drawn(seed: str, shuffle: int) -> int:
    return int.from_bytes(hashlib.blake2b(f"{seed}:{shuffle}".encode(), digest_size=6).digest())


def _sorted(
    session: Session,
    procedure_ids: Sequence[int],
    conditions: list[Any],
    total: int,
    order: Order,
    after: str,
    limit: int,
    origin: tuple[float, float] | None,
) -> Listed:
    value: Any
    if order is Order.NEWEST:
        value, descends = col(Proposal.received_at), True
    elif order is Order.LITTLE_SEEN:
        value, descends = col(Proposal.attention), False
    elif order is Order.NEAREST:
        if origin is None:
            raise ValueError("nearest to what?")
        value, descends = _distance(*origin), False
        conditions = [*conditions, col(Contribution.id) == Proposal.contribution_id]
    else:
        ends = {
            phase.id: phase.ends_on.toordinal()
            for phases in phases_of_all(session, procedure_ids).values()
            for phase in phases
            if phase.ends_on is not None
        }
        value, descends = (
            case(ends, value=col(Proposal.phase_id), else_=4_000_000) if ends else col(Proposal.attention),
            False,
        )
    key = tuple_(value, col(Proposal.contribution_id))
    said, _, number = after.rpartition("-")
    if number.isdecimal() and len(number) < 10 and said:
        bound = (_read(said, order), int(number))
        if bound[0] is not None:
            conditions = [*conditions, key < bound if descends else key > bound]
    columns = (value, col(Proposal.contribution_id))
    rows = session.exec(
        select(Proposal.contribution_id, value)
        .where(*conditions)
        .order_by(*(each.desc() if descends else each for each in columns))
        .limit(limit + 1)
    ).all()
    page = rows[:limit]
    more = len(rows) > limit
    return Listed(
        tuple(row[0] for row in page), total, f"{_spelled(page[-1][1])}-{page[-1][0]}" if more else None
    )


def _distance(lon: float, lat: float) -> ColumnElement[float]:
    """How far a proposal is from a place, squared, in degrees of latitude; more than the world is wide without a place."""
    narrower = math.cos(math.radians(lat))
    across = (col(Contribution.lon) - lon) * narrower
    up = col(Contribution.lat) - lat
    return case((col(Proposal.is_on_map), across * across + up * up), else_=1e6)


def _spelled(value: Any) -> str:
    return f"{value.astimezone(UTC):%Y%m%dT%H%M%S.%f}" if isinstance(value, datetime) else str(value)


def _read(said: str, order: Order) -> Any:
    try:
        if order is Order.NEWEST:
            return datetime.strptime(said, "%Y%m%dT%H%M%S.%f").replace(tzinfo=UTC)
        if order is Order.NEAREST:
            return number if math.isfinite(number := float(said)) else None
        # No database takes a larger one than it keeps.
        return int(said) if len(said) < 10 else None
    except ValueError:
        return None


@dataclass(frozen=True)
class Facets:
    """What the filters offer: only what there is."""

    districts: tuple[str, ...]
    channels: tuple[str, ...]
    languages: tuple[str, ...]
    states: tuple[str, ...]
    topics: tuple[str, ...]


def facets(session: Session, procedure_id: int, parts: Sequence[int] = ()) -> Facets:
    """The districts, channels, languages, states and topics among the proposals of a consultation and of parts of it; one
    query."""
    rows = session.exec(
        select(
            *(getattr(Proposal, name) for name in ("district", "channel", "language", "authoring", "topic"))
        )
        .where(one_of(col(Proposal.procedure_id), (procedure_id, *parts)), col(Proposal.is_listed).is_(True))
        .distinct()
    ).all()
    columns = [tuple(sorted({str(row[at]) for row in rows} - {""})) for at in range(5)]
    return Facets(*columns)


# --- likeness --------------------------------------------------------------------------------------

#: Words that are looked up, and proposals that are read for each; a word in more of them says little.
WORDS_LOOKED_UP, READ_EACH = 8, 60
_WORD = re.compile(r"\w{4,40}")


@dataclass(frozen=True)
class Similar:
    """A proposal that resembles what is typed, and how much: 1 is the same words."""

    proposal_id: int
    likeness: float


def similar(
    session: Session,
    procedure_id: int,
    words: str,
    *,
    place: tuple[float, float] | None = None,
    language: str = "de",
    limit: int = 4,
) -> list[Similar]:
    """The proposals of a consultation that share rare words with what is typed, those near it rather than others.

    Stems and place, no foreign service; the same on both databases. `place`: lon, lat in degrees. Nine questions to the
    index at most, however many proposals there are.
    """
    typed = set(stems(words[:4_000], language))
    longest = sorted(dict.fromkeys(_WORD.findall(words[:4_000])), key=len, reverse=True)[:WORDS_LOOKED_UP]
    rows: dict[int, tuple[int | None, set[str]]] = {}
    often: dict[str, int] = {}
    among = Among(procedure_id, Kind.PROPOSAL.value)
    for word in longest:
        condition = search.matching(
            session, word, Scope.PUBLIC, among=among, newest=READ_EACH, of=_KEY, language=language
        )
        if condition is not None:
            found = _read_with(session, procedure_id, [condition])
            rows |= found
            often.update(dict.fromkeys(stems(word, language), len(found)))
    if place is not None:
        rows |= _read_with(session, procedure_id, _near(*place))
    here = cell_of(*place) if place is not None else None

    def weight(shared: set[str]) -> float:
        return sum(float((1.0 + often.get(stem, READ_EACH)) ** -0.5) for stem in shared)

    whole = weight({stem for stem in typed if len(stem) > 3}) or 1.0
    like = []
    for number, (where, theirs) in rows.items():
        both = {stem for stem in typed & theirs if len(stem) > 3}
        is_near = here is not None and where is not None and here >> 16 == where >> 16
        likeness = weight(both) / whole + (0.15 if is_near else 0.0)
        if len(both) >= 2 and likeness >= 0.2:
            like.append(Similar(number, round(min(likeness, 1.0), 3)))
    return sorted(like, key=lambda each: (-each.likeness, each.proposal_id))[:limit]


def _read_with(
    session: Session, procedure_id: int, conditions: Sequence[Any]
) -> dict[int, tuple[int | None, set[str]]]:
    """Proposals under a condition with their cell and their stems."""
    rows = session.exec(
        select(Proposal.contribution_id, Proposal.cell, SearchEntry.stems)
        .join(SearchEntry, col(SearchEntry.contribution_id) == Proposal.contribution_id)
        .where(
            Proposal.procedure_id == procedure_id,
            col(Proposal.is_listed).is_(True),
            SearchEntry.scope == Scope.PUBLIC.value,
            *conditions,
        )
        .limit(READ_EACH)
    ).all()
    return {number: (where, set(kept[:20_000].split())) for number, where, kept in rows}
