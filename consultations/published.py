"""What the public reads: contributions that were published, through their redactions and without private names.

List, map, feeds and open data all read here, so that one place decides what leaves the house: the redaction instead
of the original, the name of a body but never of a private person (law R-3.6), attachments by their public copies only.
Every question takes a constant number of queries, and a page is found by its key: the last costs what the first does.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from functools import cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Row,
    Select,
    TextClause,
    and_,
    bindparam,
    func,
    or_,
    select,
    tuple_,
    union_all,
)
from sqlalchemy.orm import aliased
from sqlmodel import Session, col

from consultations import locations, moderation, proposal_lists, search
from consultations.amendments import Amendment
from consultations.contributions import Attachment, Contribution, Kind, PublicationState
from consultations.documents import Document
from consultations.files import EXTENSIONS
from consultations.locations import Cluster
from consultations.moderation import Redaction
from consultations.people import Organisation, OrganisationKind, Person
from consultations.search import Scope
from consultations.tables import one_of
from geo.geometry import (
    CELL_ZOOM,
    cell,
    covering_ranges,
    degrees_of,
    prefix,
    tile_of,
    to_degrees,
    to_metres,
)

#: Bodies that are named. An association that somebody merely typed in may be a person's own name in disguise.
NAMED = (
    OrganisationKind.PUBLIC_AGENCY.value,
    OrganisationKind.AUTHORITY.value,
    OrganisationKind.NEIGHBOURING_MUNICIPALITY.value,
    OrganisationKind.ENVIRONMENTAL_ASSOCIATION.value,
)

HEADING_LENGTH = 90
#: From so many contributions on, a view of the map shows clusters.
SINGLE = 200
#: From this zoom on only what stands almost at the same spot is put together.
DEEP = 18
#: Cells that a view is divided into, at most, from one side to the other.
CELLS_ACROSS = 40


class Order(StrEnum):
    """How a list is sorted."""

    NEWEST = "newest"
    OLDEST = "oldest"
    NEAREST = "nearest"


@dataclass(frozen=True)
class Around:
    """Within so many metres of a place (WKB, EPSG:25832); 0 metres: in it."""

    wkb: bytes
    metres: float


@dataclass(frozen=True)
class Wanted:
    """What a list or a map is narrowed to; what is empty narrows nothing."""

    kind: str = ""
    topic: str = ""
    words: str = ""
    language: str = "de"
    #: Only those with a place on the map, or only those without.
    has_place: bool | None = None
    around: Around | None = None
    #: Only proposals, and of these what their own list is narrowed to.
    proposals: proposal_lists.Wanted | None = None
    #: Of these consultations, too: parts of the one that is asked for, by their keys.
    parts: tuple[int, ...] = ()


@dataclass(frozen=True)
class Entry:
    """A contribution as everybody may read it. `lon`, `lat` in degrees; `geometry` is WKB in EPSG:25832 (metres)."""

    id: int
    reference: str
    kind: str
    received_at: datetime
    title: str
    text: str
    #: As far as is known: that of the page on which it was written.
    language: str
    is_redacted: bool
    topic: str
    #: A body's name, or the name that somebody chose to appear under.
    author: str
    #: Document and section that it refers to.
    refers_to: str
    place_words: str
    lon: float | None
    lat: float | None
    geometry: bytes | None
    geometry_kind: str
    #: Reference of what this comments on or adds to, if that is public.
    answers_to: str
    #: Metres after DHHN2016, and the building that it is about (`contributions.Thing`), if there is one.
    elevation: float | None = None
    thing: dict[str, Any] = field(default_factory=dict)
    #: The later version that is shown, if it is not what was handed in.
    version: int | None = None
    #: The consultation that it was handed in to.
    procedure_id: int = 0

    @property
    def heading(self) -> str:
        """Its title, or its first words, or its reference."""
        return self.title or shortened(self.text, HEADING_LENGTH) or self.reference


@dataclass(frozen=True)
class Enclosure:
    """The public copy of an attachment, under a name that gives nobody away: reference number and position."""

    position: int
    filename: str
    media_type: str
    sha256: str


@dataclass(frozen=True)
class Withheld:
    """That something is kept from the public, and why (a value of `moderation.Reason`), without its words."""

    reference: str
    kind: str
    received_at: datetime
    reason: str


def shortened(text: str, length: int) -> str:
    """The beginning of a text as one line of at most so many characters, cut between words."""
    line = " ".join(text[: 4 * length].split())
    if len(line) <= length:
        return line
    return line[: length - 1].rpartition(" ")[0].rstrip(" ,;:.–-") + "…"


# --- reading entries -------------------------------------------------------------------------------

_Parent = aliased(Contribution)
_Spot = aliased(Contribution)
_COLUMNS: tuple[Any, ...] = (
    Contribution.id,
    Contribution.procedure_id,
    Contribution.reference,
    Contribution.kind,
    Contribution.received_at,
    Contribution.title,
    Contribution.text,
    Contribution.language,
    Contribution.redaction_id,
    Contribution.topic,
    Contribution.pseudonym,
    Contribution.section,
    Contribution.place_words,
    Contribution.lon,
    Contribution.lat,
    Contribution.geometry,
    Contribution.geometry_kind,
    Contribution.elevation,
    Contribution.thing,
    Contribution.place_hidden,
    col(Redaction.title).label("public_title"),
    col(Redaction.text).label("public_text"),
    col(Redaction.place_words).label("public_place"),
    col(Redaction.shows_version).label("shows_version"),
    col(Redaction.is_carried).label("is_carried"),
    col(Organisation.name).label("body"),
    col(Document.title).label("document"),
    col(_Parent.reference).label("answers_to"),
)


def _entries(*conditions: ColumnElement[bool] | TextClause) -> Select[Any]:
    question: Select[Any] = (
        select(*_COLUMNS)
        .select_from(Contribution)
        .outerjoin(Redaction, col(Redaction.id) == Contribution.redaction_id)
        .outerjoin(Person, col(Person.id) == Contribution.submitter_id)
        .outerjoin(
            Organisation,
            and_(col(Organisation.id) == Person.organisation_id, col(Organisation.kind).in_(NAMED)),
        )
        .outerjoin(Document, col(Document.id) == Contribution.document_id)
        .outerjoin(
            _Parent,
            and_(
                col(_Parent.id) == func.coalesce(Contribution.parent_id, Contribution.supplements_id),
                col(_Parent.publication) == PublicationState.PUBLISHED.value,
            ),
        )
        .where(*conditions)
    )
    return question


def _entry(row: Row[Any]) -> Entry:
    replaced = row.redaction_id is not None
    # A later version of a proposal is shown in full; only what was blacked out before it stays so.
    redacted = replaced and (row.shows_version is None or row.is_carried)
    informal = row.kind != Kind.STATEMENT.value
    return Entry(
        id=row.id,
        reference=row.reference,
        kind=row.kind,
        received_at=row.received_at,
        title=row.public_title if replaced else row.title,
        text=row.public_text if replaced else row.text,
        language=row.language,
        is_redacted=redacted,
        topic=row.topic,
        author=row.body or (row.pseudonym if informal and not redacted else ""),
        refers_to=", ".join(
            part for part in (row.document or "", "" if redacted else row.section) if part.strip()
        ),
        place_words=row.public_place if replaced else row.place_words,
        lon=None if row.place_hidden else row.lon,
        lat=None if row.place_hidden else row.lat,
        geometry=None if row.place_hidden else row.geometry,
        geometry_kind="" if row.place_hidden else row.geometry_kind,
        answers_to=row.answers_to or "",
        elevation=None if row.place_hidden else row.elevation,
        thing={} if row.place_hidden else row.thing,
        version=row.shows_version,
        procedure_id=row.procedure_id,
    )


def _public(*procedure_ids: int) -> list[ColumnElement[bool]]:
    return [
        one_of(col(Contribution.procedure_id), procedure_ids),
        col(Contribution.publication) == PublicationState.PUBLISHED.value,
    ]


def _on_the_map() -> ColumnElement[bool]:
    """Has a place that everybody may see."""
    return and_(col(Contribution.cell).is_not(None), ~col(Contribution.place_hidden))


def _conditions(
    session: Session, procedure_id: int, wanted: Wanted
) -> list[ColumnElement[bool] | TextClause]:
    return [*_public(procedure_id, *wanted.parts), *_narrowing(session, procedure_id, wanted)]


def _narrowing(session: Session, procedure_id: int, wanted: Wanted) -> list[ColumnElement[bool] | TextClause]:
    found: list[ColumnElement[bool] | TextClause] = []
    if wanted.kind:
        found.append(col(Contribution.kind) == wanted.kind)
    if wanted.topic:
        found.append(col(Contribution.topic) == wanted.topic)
    if wanted.has_place is not None:
        has_none = or_(col(Contribution.cell).is_(None), col(Contribution.place_hidden))
        found.append(_on_the_map() if wanted.has_place else has_none)
    if wanted.proposals is not None:
        keys = proposal_lists.keys(session, procedure_id, wanted.proposals)
        found.append(col(Contribution.id).in_(keys))
    if wanted.words.strip():
        exact = col(Contribution.reference) == wanted.words.strip().upper()
        matching = search.matching(
            session,
            wanted.words,
            Scope.PUBLIC,
            among=search.Among(procedure_id, wanted.kind, wanted.parts),
            language=wanted.language,
        )
        found.append(exact if matching is None else or_(exact, matching))
    return found


# --- the list --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Key:
    """Where a page begins or ends: what the list is sorted by (a moment, or metres) and the contribution's id."""

    value: datetime | float
    id: int

    def __str__(self) -> str:
        if isinstance(self.value, datetime):
            return f"{self.value.astimezone(UTC):%Y%m%dT%H%M%S.%f}-{self.id}"
        return f"{self.value:.3f}-{self.id}"

    @classmethod
    def read(cls, text: str, order: Order) -> "Key | None":
        """A key as an address carries it; None for anything else."""
        value, _, number = text.rpartition("-")
        if not number.isdecimal() or len(number) > 9:
            return None
        try:
            if order is Order.NEAREST:
                metres = float(value)
                return cls(metres, int(number)) if 0 <= metres < 1e7 else None
            return cls(datetime.strptime(value, "%Y%m%dT%H%M%S.%f").replace(tzinfo=UTC), int(number))
        except ValueError:
            return None


@dataclass(frozen=True)
class ListPage:
    """Some entries of a list; `before` and `after` lead to the neighbouring pages, None where there is none."""

    entries: tuple[Entry, ...]
    total: int
    before: Key | None
    after: Key | None


def how_many(session: Session, procedure_id: int, wanted: Wanted) -> int:
    """How many published contributions fulfil what is wanted, wherever they are (`around` is left aside)."""
    question = select(func.count()).select_from(Contribution)
    return int(session.execute(question.where(*_conditions(session, procedure_id, wanted))).scalar_one())


def listed(
    session: Session,
    procedure_id: int,
    wanted: Wanted,
    *,
    order: Order = Order.NEWEST,
    after: Key | None = None,
    before: Key | None = None,
    limit: int = 24,
) -> ListPage:
    """The published contributions of a procedure (and of `wanted.parts`), `limit` of them, after or before a key.

    With `wanted.around` distances are measured from the contribution's point to the place. Two queries.
    Raises ValueError for the order NEAREST without a place.
    """
    if wanted.around is not None:
        return _listed_around(session, procedure_id, wanted, wanted.around, order, after, before, limit)
    if order is Order.NEAREST:
        raise ValueError("nearest to what?")
    count = how_many(session, procedure_id, wanted)
    if not count:
        return ListPage((), 0, None, None)
    conditions = _conditions(session, procedure_id, wanted)
    sorting = tuple_(col(Contribution.received_at), col(Contribution.id))
    backwards = before is not None and after is None
    key = before if backwards else after
    descends = (order is Order.NEWEST) is not backwards
    if key is not None:
        bound = (key.value, key.id)
        conditions.append(sorting < bound if descends else sorting > bound)
    columns = (col(Contribution.received_at), col(Contribution.id))
    question = _entries(*conditions).order_by(*(each.desc() if descends else each for each in columns))
    rows = [_entry(row) for row in session.execute(question.limit(limit + 1)).all()]
    more = len(rows) > limit
    rows = rows[:limit][::-1] if backwards else rows[:limit]
    keys = [Key(entry.received_at, entry.id) for entry in rows]
    return _page(
        rows, keys, count, has_before=more if backwards else key is not None, has_after=backwards or more
    )


def _page(
    entries: Sequence[Entry], keys: Sequence[Key], total: int, *, has_before: bool, has_after: bool
) -> ListPage:
    return ListPage(
        tuple(entries),
        total,
        keys[0] if keys and has_before else None,
        keys[-1] if keys and has_after else None,
    )


def _listed_around(
    session: Session,
    procedure_id: int,
    wanted: Wanted,
    around: Around,
    order: Order,
    after: Key | None,
    before: Key | None,
    limit: int,
) -> ListPage:
    """The database finds what lies in the box around the place, shapely what lies in it or near enough."""
    keys = _keys_around(session, procedure_id, wanted, around, order)
    start, stop = 0, limit
    if after is not None:
        start = sum(1 for key in keys if not _follows(key, after, order))
        stop = start + limit
    elif before is not None:
        stop = sum(1 for key in keys if _follows(before, key, order))
        start = max(stop - limit, 0)
    chosen = keys[start:stop]
    ids = [key.id for key in chosen]
    rows = session.execute(
        _entries(*_public(procedure_id, *wanted.parts), col(Contribution.id).in_(ids))
    ).all()
    by_id = {row.id: _entry(row) for row in rows}
    entries = [by_id[number] for number in ids]
    return _page(entries, chosen, len(keys), has_before=start > 0, has_after=stop < len(keys))


def _sorting(key: Key, order: Order) -> tuple[float, int]:
    value = key.value.timestamp() if isinstance(key.value, datetime) else key.value
    return (-value, -key.id) if order is Order.NEWEST else (value, key.id)


def _follows(key: Key, other: Key, order: Order) -> bool:
    return _sorting(key, order) > _sorting(other, order)


def _keys_around(
    session: Session, procedure_id: int, wanted: Wanted, around: Around, order: Order
) -> list[Key]:
    import shapely

    place = shapely.from_wkb(around.wkb)
    west, south, east, north = _degrees_around(place.bounds, around.metres)
    rows = session.execute(
        select(Contribution.id, Contribution.received_at, Contribution.lon, Contribution.lat).where(  # type: ignore[call-overload]
            *_narrowing(session, procedure_id, wanted),
            *_within((procedure_id, *wanted.parts), west, south, east, north),
        )
    ).all()
    if not rows:
        return []
    points: Any = shapely.points([row.lon for row in rows], [row.lat for row in rows])
    metres = shapely.distance(place, to_metres(points)).tolist()
    keys = [
        Key(round(far, 3) if order is Order.NEAREST else row.received_at, row.id)
        for row, far in zip(rows, metres, strict=True)
        if far <= around.metres
    ]
    return sorted(keys, key=lambda key: _sorting(key, order))


def _degrees_around(bounds: Iterable[float], metres: float) -> tuple[float, float, float, float]:
    """The box in degrees that holds a box in metres and so many metres around it."""
    west, south, east, north = bounds
    corners = [
        degrees_of(x, y) for x in (west - metres, east + metres) for y in (south - metres, north + metres)
    ]
    lons, lats = [lon for lon, _ in corners], [lat for _, lat in corners]
    return min(lons), min(lats), max(lons), max(lats)


def _within(
    procedure_ids: Sequence[int], west: float, south: float, east: float, north: float
) -> list[ColumnElement[bool]]:
    """Conditions for published points within a box in degrees.

    Each range of cells is a question of its own, which the index answers: of several ranges in one condition SQLite made
    a way through the whole table where the answer was to be sorted (54 ms instead of 1 among 100,000).
    """
    ranges = (
        select(_Spot.id).where(  # type: ignore[call-overload]
            one_of(col(_Spot.procedure_id), procedure_ids),
            col(_Spot.publication) == PublicationState.PUBLISHED.value,
            col(_Spot.cell) >= low,
            col(_Spot.cell) < high,
            col(_Spot.lon).between(west, east),
            col(_Spot.lat).between(south, north),
            ~col(_Spot.place_hidden),
        )
        for low, high in covering_ranges(west, south, east, north)
    )
    return [col(Contribution.id).in_(union_all(*ranges))]


# --- the map ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class InView:
    """What a view of the map shows: single contributions where they stand alone, clusters of all others.

    `is_exact`: whether all of it lies within the view; clusters of many are counted whole.
    """

    total: int
    entries: tuple[Entry, ...]
    clusters: tuple[Cluster, ...]
    is_exact: bool


def in_view(
    session: Session,
    procedure_id: int,
    wanted: Wanted,
    bounds: tuple[float, float, float, float],
    zoom: int,
    *,
    single: int = SINGLE,
) -> InView:
    """What lies within west, south, east, north (degrees) at a zoom of the map, of a procedure and of `wanted.parts`; at most
    two queries.

    At most `single` contributions are told apart, and of these only those that do not cover each other.
    """
    west, south, east, north = bounds
    level = _level(bounds, zoom)
    ranges = covering_ranges(west, south, east, north)
    if wanted.kind or wanted.topic or wanted.words.strip():
        conditions = [*_conditions(session, procedure_id, wanted), _on_the_map()]
        found = locations.grouped(session, Contribution, conditions, level, ranges)
    else:
        found = locations.clusters(session, (procedure_id, *wanted.parts), level, ranges)
    found = [cluster for cluster in found if west <= cluster.lon <= east and south <= cluster.lat <= north]
    total = sum(cluster.count for cluster in found)
    if not total or total > single:
        return InView(total, (), tuple(found), is_exact=not total)
    question = _entries(
        *_narrowing(session, procedure_id, wanted),
        *_within((procedure_id, *wanted.parts), west, south, east, north),
    )
    rows = session.execute(question.order_by(col(Contribution.id)).limit(single + 1)).all()
    if len(rows) > single:
        return InView(total, (), tuple(found), is_exact=not total)
    # Cells of 64 pixels; where one cannot go much closer, of 16: pins may then touch each other.
    apart = zoom + 2 if zoom < DEEP else zoom + 4
    return _apart([_entry(row) for row in rows], min(apart, CELL_ZOOM))


def _apart(entries: Sequence[Entry], level: int) -> InView:
    """Entries that stand alone at a level one by one, those that would cover each other as clusters."""
    groups: dict[int, list[Entry]] = {}
    for entry in entries:
        groups.setdefault(prefix(cell(entry.lon or 0.0, entry.lat or 0.0), level), []).append(entry)
    clusters = tuple(
        Cluster(
            key,
            len(group),
            sum(entry.lon or 0.0 for entry in group) / len(group),
            sum(entry.lat or 0.0 for entry in group) / len(group),
        )
        for key, group in sorted(groups.items())
        if len(group) > 1
    )
    alone = {group[0].id for group in groups.values() if len(group) == 1}
    return InView(
        len(entries), tuple(entry for entry in entries if entry.id in alone), clusters, is_exact=True
    )


def _level(bounds: tuple[float, float, float, float], zoom: int) -> int:
    """The finest kept level that suits the zoom and divides the view into no more than CELLS_ACROSS cells."""
    west, south, east, north = bounds
    level = locations.level_for(zoom)
    while level > locations.LEVELS[0]:
        left, top = tile_of(west, north, level)
        right, bottom = tile_of(east, south, level)
        if right - left < CELLS_ACROSS and bottom - top < CELLS_ACROSS:
            break
        level -= 2
    return level


# --- one contribution ------------------------------------------------------------------------------


def one(
    session: Session, procedure_id: int, reference: str, *, parts: Sequence[int] = ()
) -> Entry | Withheld | None:
    """The contribution with this reference number: as the public reads it, that it is withheld, or None. `parts`: what is
    published of these procedures, too."""
    public = _public(procedure_id, *parts)
    row = session.execute(_entries(*public, col(Contribution.reference) == reference)).first()
    if row is not None:
        return _entry(row)
    hidden = session.execute(
        select(Contribution).where(
            col(Contribution.procedure_id) == procedure_id,
            col(Contribution.publication) == PublicationState.WITHHELD.value,
            col(Contribution.reference) == reference,
        )
    ).scalar_one_or_none()
    if hidden is None or hidden.id is None:
        return None
    decision = moderation.last_to_undo(moderation.history(session, hidden.id))
    return Withheld(hidden.reference, hidden.kind, hidden.received_at, decision.reason if decision else "")


_NO_AMENDMENT = ~select(Amendment.id).where(col(Amendment.contribution_id) == col(Contribution.id)).exists()  # type: ignore[call-overload]


def answers_to(session: Session, procedure_id: int, contribution_id: int, *, limit: int = 200) -> list[Entry]:
    """The published comments on a contribution and additions to it, oldest first; no amendments, which stand elsewhere."""
    rows = session.execute(
        _entries(
            *_public(procedure_id),
            _NO_AMENDMENT,
            or_(
                col(Contribution.parent_id) == contribution_id,
                col(Contribution.supplements_id) == contribution_id,
            ),
        )
        .order_by(col(Contribution.received_at), col(Contribution.id))
        .limit(limit)
    ).all()
    return [_entry(row) for row in rows]


def answer_counts(session: Session, contribution_ids: Sequence[int]) -> dict[int, int]:
    """How many published comments each of these contributions has, as everybody reads them: on the thing itself, without
    the answers to them, and without amendments, which stand elsewhere; one query."""
    if not contribution_ids:
        return {}
    rows = session.execute(_ANSWER_COUNTS, {"ids": contribution_ids}).all()
    return {row[0]: row[1] for row in rows}


_ANSWER_COUNTS = (
    select(Contribution.parent_id, func.count())  # type: ignore[call-overload]
    .where(
        col(Contribution.parent_id).in_(bindparam("ids", expanding=True)),
        col(Contribution.publication) == PublicationState.PUBLISHED.value,
        _NO_AMENDMENT,
    )
    .group_by(col(Contribution.parent_id))
)


def enclosures(session: Session, contribution_id: int) -> tuple[list[Enclosure], int]:
    """The public copies of a contribution's attachments, and how many others only the town hall has.

    What a redaction hides and the scan of a letter are never public; nor is a file without a public copy.
    """
    row = session.execute(
        select(Contribution.reference, Redaction.hidden_attachments)  # type: ignore[call-overload]
        .outerjoin(Redaction, col(Contribution.redaction_id) == Redaction.id)
        .where(col(Contribution.id) == contribution_id)
    ).first()
    reference, hides = row or ("", "")
    hidden = {int(position) for position in (hides or "").split(",") if position}
    files = (
        session.execute(
            select(Attachment)
            .where(col(Attachment.contribution_id) == contribution_id)
            .order_by(col(Attachment.position))
        )
        .scalars()
        .all()
    )
    shown = [
        Enclosure(
            file.position,
            f"{reference}-{file.position + 1}{EXTENSIONS.get(file.public_media_type, '')}",
            file.public_media_type,
            file.public_sha256,
        )
        for file in files
        if file.public_sha256 and not file.is_original and file.position not in hidden
    ]
    return shown, len(files) - len(shown)


def by_ids(session: Session, procedure_id: int, ids: Sequence[int]) -> list[Entry]:
    """Published contributions of a procedure in the order of these ids; those that are not public are left out."""
    if not ids:
        return []
    rows = session.execute(_by_ids(), {"procedure": procedure_id, "ids": ids}).all()
    found = {row.id: _entry(row) for row in rows}
    return [found[number] for number in ids if number in found]


def by_ids_of_several(session: Session, procedure_ids: Sequence[int], ids: Sequence[int]) -> list[Entry]:
    """`by_ids` for contributions of several procedures; one query."""
    if not ids:
        return []
    question = _entries(
        col(Contribution.procedure_id).in_(procedure_ids),
        col(Contribution.publication) == PublicationState.PUBLISHED.value,
        col(Contribution.id).in_(ids),
    )
    found = {row.id: _entry(row) for row in session.execute(question).all()}
    return [found[number] for number in ids if number in found]


@cache
def _by_ids() -> Select[Any]:
    """The question behind `by_ids`; put together once, since that takes longer than the answer."""
    return _entries(
        col(Contribution.procedure_id) == bindparam("procedure"),
        col(Contribution.publication) == PublicationState.PUBLISHED.value,
        col(Contribution.id).in_(bindparam("ids", expanding=True)),
    )


# --- everything ------------------------------------------------------------------------------------


def everything(
    session: Session, procedure_id: int, *, parts: Sequence[int] = (), after_id: int = 0, limit: int = 500
) -> list[Entry]:
    """All published contributions of a procedure and of parts of it in the order of their ids, in batches; for open data."""
    question = _entries(*_public(procedure_id, *parts), col(Contribution.id) > after_id)
    rows = session.execute(question.order_by(col(Contribution.id)).limit(limit)).all()
    return [_entry(row) for row in rows]


def geojson(wkb: bytes, *, tolerance: float = 0.0) -> str:
    """A shape (WKB, EPSG:25832) as a GeoJSON geometry (text, degrees, 6 decimals), simplified within metres."""
    import shapely

    return str(_geojson(shapely.from_wkb(wkb), tolerance))


def _geojson(shapes: Any, tolerance: float) -> Any:
    import shapely

    simple = shapely.simplify(shapes, tolerance) if tolerance else shapes
    return shapely.to_geojson(shapely.set_precision(to_degrees(simple), 1e-6, mode="pointwise"))


def outlines(entries: Sequence[Entry], *, tolerance: float = 0.0, vertices: int = 0) -> dict[int, str]:
    """Lines and areas of entries as GeoJSON geometries (text, degrees, 6 decimals) by id.

    Simplified within `tolerance` (metres); with `vertices` as many shapes as have no more of them in all.
    """
    drawn = [entry for entry in entries if entry.geometry and entry.geometry_kind in ("line", "area")]
    if not drawn:
        return {}
    import shapely

    shapes: Any = shapely.simplify(shapely.from_wkb([entry.geometry for entry in drawn]), tolerance)
    counts = shapely.get_num_coordinates(shapes).cumsum().tolist()
    texts = _geojson(shapes, 0.0).tolist()
    return {
        entry.id: text
        for entry, text, count in zip(drawn, texts, counts, strict=True)
        if not vertices or count <= vertices
    }
