"""Named places and map layers of a municipality: what an address search finds and what a map can show."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Column, Index, delete, func
from sqlmodel import Field, Session, SQLModel, col, select

from consultations import journal
from consultations.permissions import Actor, Permission, may
from consultations.refusals import Code, Refusal
from consultations.tables import BigKey, Json, UtcDateTime
from consultations.text import stems
from geo.geometry import GeometryProblem, Located, from_lonlat, kind_of, read_geojson_geometry


class PlaceKind(StrEnum):
    """What a named place is."""

    DISTRICT = "district"
    STREET = "street"
    PARCEL = "parcel"
    ADDRESS = "address"
    LANDMARK = "landmark"


class Place(SQLModel, table=True):
    """A place people can choose by name; geometry as WKB in EPSG:25832 (metres)."""

    __tablename__ = "place"
    __table_args__ = (Index("ix_place_municipality_id_kind_sort", "municipality_id", "kind", "sort"),)

    id: int | None = Field(default=None, primary_key=True)
    municipality_id: int = Field(foreign_key="municipality.id")
    kind: str
    name: str
    #: Folded name, for searching and sorting.
    sort: str
    district: str = ""
    geometry: bytes
    min_x: float
    min_y: float
    max_x: float
    max_y: float
    lon: float
    lat: float
    cell: int = Field(sa_column=Column(BigKey, nullable=False))
    #: Which import it came from, so that the next one replaces it.
    layer_id: int | None = Field(default=None, foreign_key="layer.id", index=True)


class LayerRole(StrEnum):
    """What a layer is used for."""

    BOUNDARY = "boundary"
    DISTRICTS = "districts"
    STREETS = "streets"
    BUILDINGS = "buildings"
    WATER = "water"
    GREEN = "green"
    PARCELS = "parcels"
    PLAN = "plan"
    #: Buildings with their surfaces, as `geo.city` reads them.
    CITY_MODEL = "city_model"
    #: Heights of the ground, as `geo.terrain` reads them.
    TERRAIN = "terrain"
    #: Single trees as points.
    TREES = "trees"
    OTHER = "other"


class Layer(SQLModel, table=True):
    """A map layer of the municipality or of one procedure.

    Files are kept twice by content hash: as delivered, and normalised (FlatGeobuf, EPSG:25832). Services
    (WMS, WMTS, XYZ) have a `service` address instead and always an attribution.
    """

    __tablename__ = "layer"
    __table_args__ = (Index("ix_layer_municipality_id_procedure_id", "municipality_id", "procedure_id"),)

    id: int | None = Field(default=None, primary_key=True)
    municipality_id: int = Field(foreign_key="municipality.id")
    procedure_id: int | None = Field(default=None, foreign_key="procedure.id")
    #: The id of its first delivery: what stays the same when a newer one takes its place.
    series: int | None = Field(default=None, index=True)
    role: str = LayerRole.OTHER.value
    title: str
    source: str = ""
    licence: str = ""
    attribution: str = ""
    #: The day that the data speak of, where somebody said it.
    dated: date | None = None
    #: Whether everybody may download it.
    is_open: bool = False
    #: The attribute by which an object is the same object in the next delivery; empty: by its shape.
    id_column: str = ""
    #: `name_column`, the attribute that objects are called by, and the look (`geo.styles`).
    style: dict[str, Any] = Field(default_factory=dict, sa_type=Json)
    is_visible: bool = True
    position: int = 0
    original_sha256: str = ""
    original_name: str = ""
    normalised_sha256: str = ""
    service: dict[str, Any] = Field(default_factory=dict, sa_type=Json)
    #: What was read: format, CRS, counts, bounds, repairs.
    report: dict[str, Any] = Field(default_factory=dict, sa_type=Json)
    imported_at: datetime = Field(sa_type=UtcDateTime)
    #: Set when a newer import took its place.
    replaced_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


def fold(name: str) -> str:
    """A name as it is searched and sorted: lower case, without accents, "ß" as "ss", St./Str. spelled out."""
    lowered = name.casefold().replace("str.", "strasse").replace("-", " ")
    table = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue"})
    return " ".join(lowered.translate(table).split())


def in_order(name: str) -> tuple[tuple[str, int], ...]:
    """Where an address stands in a list: by its folded name, and numbers by their size (3 before 11)."""
    return tuple(
        (words, int(number or 0))
        for words, number in re.findall(r"([^0-9]*)([0-9]*)", fold(name))
        if words or number
    )


@dataclass(frozen=True)
class PlaceInput:
    """A place as read from a layer."""

    kind: PlaceKind
    name: str
    located: Located
    district: str = ""


def _require(by: Actor, layer: Layer) -> None:
    """Raises Refusal NOT_ALLOWED: a town's layers are imported, those of a procedure belong to its planner."""
    wanted = Permission.IMPORT if layer.procedure_id is None else Permission.PLAN
    if not may(by, wanted, municipality_id=layer.municipality_id, procedure_id=layer.procedure_id):
        raise Refusal(Code.NOT_ALLOWED)


def _write_down(session: Session, layer: Layer, verb: str, *, by: Actor, now: datetime, **facts: Any) -> None:
    journal.append(
        session,
        municipality_id=layer.municipality_id,
        verb=verb,
        by=by,
        at=now,
        procedure_id=layer.procedure_id,
        subject=f"layer:{layer.id}",
        facts={"title": layer.title, **facts},
    )


def add_layer(
    session: Session,
    layer: Layer,
    places: list[PlaceInput],
    *,
    by: Actor,
    now: datetime,
    replaces: Layer | None = None,
) -> Layer:
    """Put a layer into the catalogue. It takes the place of `replaces`, or of one of the same title, role and owner:
    that one is marked replaced and kept, its places go, and the new one has its series, its place in the order and,
    without one of its own, its look.

    Raises Refusal NOT_ALLOWED, and WRONG_STATE if `replaces` is in force no longer.
    """
    _require(by, layer)
    if replaces is not None and replaces.replaced_at is not None:
        raise Refusal(Code.WRONG_STATE, state="replaced")
    question = select(Layer).where(
        Layer.municipality_id == layer.municipality_id,
        Layer.procedure_id == layer.procedure_id,
        Layer.role == layer.role,
        Layer.title == layer.title,
        col(Layer.replaced_at).is_(None),
    )
    gone = [replaces] if replaces is not None else list(session.exec(question.order_by(col(Layer.id))).all())
    for old in gone:
        old.replaced_at = now
        session.add(old)
        session.execute(delete(Place).where(col(Place.layer_id) == old.id))
    if gone:
        layer.series, layer.position = gone[-1].series or gone[-1].id, gone[-1].position
        layer.style = layer.style or gone[-1].style
        layer.id_column = layer.id_column or gone[-1].id_column
    session.add(layer)
    session.flush()
    layer.series = layer.series or layer.id
    for each in places:
        session.add(
            Place(
                municipality_id=layer.municipality_id,
                kind=each.kind.value,
                name=each.name,
                sort=fold(each.name),
                district=each.district,
                geometry=each.located.wkb,
                min_x=each.located.min_x,
                min_y=each.located.min_y,
                max_x=each.located.max_x,
                max_y=each.located.max_y,
                lon=each.located.lon,
                lat=each.located.lat,
                cell=each.located.cell,
                layer_id=layer.id,
            )
        )
    _write_down(
        session,
        layer,
        "layer_added",
        by=by,
        now=now,
        role=layer.role,
        sha256=layer.original_sha256,
        places=len(places),
        **({"replaces": gone[-1].id} if gone else {}),
        **({"service": layer.service.get("url", "")} if layer.service else {}),
    )
    return layer


@dataclass(frozen=True)
class LayerWords:
    """What is said of a layer, and how its objects are told apart."""

    title: str
    source: str = ""
    licence: str = ""
    attribution: str = ""
    dated: date | None = None
    is_visible: bool = True
    is_open: bool = False
    id_column: str = ""
    name_column: str = ""


def change_layer(session: Session, layer: Layer, words: LayerWords, *, by: Actor, now: datetime) -> None:
    """Change what is said of a layer, and whether a map shows it at first.

    Raises Refusal NOT_ALLOWED, and REASON_REQUIRED ("attribution") without who made the data.
    """
    _require(by, layer)
    if not words.attribution.strip():
        raise Refusal(Code.REASON_REQUIRED, "attribution")
    for name in ("title", "source", "licence", "attribution", "dated", "is_visible", "is_open", "id_column"):
        setattr(layer, name, getattr(words, name))
    layer.style = {**layer.style, "name_column": words.name_column}
    session.add(layer)
    _write_down(
        session,
        layer,
        "layer_changed",
        by=by,
        now=now,
        attribution=words.attribution,
        licence=words.licence,
        visible=words.is_visible,
        open=words.is_open,
    )


def style_layer(session: Session, layer: Layer, style: dict[str, Any], *, by: Actor, now: datetime) -> None:
    """Change how a layer is drawn (`geo.styles.as_stored`). Raises Refusal NOT_ALLOWED."""
    _require(by, layer)
    layer.style = {**style, "name_column": layer.style.get("name_column", "")}
    session.add(layer)
    _write_down(session, layer, "layer_styled", by=by, now=now, by_attribute=style.get("by", ""))


def change_service(
    session: Session, layer: Layer, service: dict[str, Any], *, by: Actor, now: datetime
) -> None:
    """Change where the service of a layer is, and what is wanted of it. Raises Refusal NOT_ALLOWED."""
    _require(by, layer)
    layer.service = service
    session.add(layer)
    _write_down(session, layer, "layer_changed", by=by, now=now, url=service.get("url", ""))


def move_layer(session: Session, layer: Layer, steps: int, *, by: Actor, now: datetime) -> None:
    """Draw a layer so many places later (on top of others) or, with a negative number, earlier.

    Raises Refusal NOT_ALLOWED.
    """
    _require(by, layer)
    rows = layers_of(session, layer.municipality_id, layer.procedure_id)
    at = rows.index(layer)
    rows.insert(min(max(at + steps, 0), len(rows) - 1), rows.pop(at))
    for position, each in enumerate(rows):
        each.position = position
        session.add(each)
    _write_down(session, layer, "layer_moved", by=by, now=now, position=layer.position)


def remove_layer(session: Session, layer: Layer, *, by: Actor, now: datetime) -> None:
    """Take a layer off the maps, with the places that came from it; its files are kept. Raises Refusal NOT_ALLOWED."""
    _require(by, layer)
    layer.replaced_at = now
    session.add(layer)
    session.execute(delete(Place).where(col(Place.layer_id) == layer.id))
    _write_down(session, layer, "layer_removed", by=by, now=now)


def in_force(session: Session, roles: Sequence[LayerRole]) -> list[Layer]:
    """The layers in force with these roles, of all municipalities and procedures, in drawing order."""
    return list(
        session.exec(
            select(Layer)
            .where(col(Layer.role).in_([role.value for role in roles]), col(Layer.replaced_at).is_(None))
            .order_by(col(Layer.position), col(Layer.id))
        ).all()
    )


def layers_of(session: Session, municipality_id: int, procedure_id: int | None = None) -> list[Layer]:
    """The layers in force of the municipality itself, or of one procedure, in drawing order."""
    return list(
        session.exec(
            select(Layer)
            .where(
                Layer.municipality_id == municipality_id,
                Layer.procedure_id == procedure_id,
                col(Layer.replaced_at).is_(None),
            )
            .order_by(col(Layer.position), col(Layer.id))
        ).all()
    )


def layers_of_several(session: Session, municipality_id: int, procedure_ids: Sequence[int]) -> list[Layer]:
    """The layers in force of several procedures, those of each in drawing order; one query."""
    rows = session.exec(
        select(Layer)
        .where(
            Layer.municipality_id == municipality_id,
            col(Layer.procedure_id).in_(procedure_ids),
            col(Layer.replaced_at).is_(None),
        )
        .order_by(col(Layer.position), col(Layer.id))
    ).all()
    return sorted(rows, key=lambda row: procedure_ids.index(row.procedure_id or 0))


def layer_by_id(session: Session, municipality_id: int, layer_id: int) -> Layer | None:
    """A layer of the municipality, also one that was replaced or removed."""
    layer = session.get(Layer, layer_id)
    return layer if layer and layer.municipality_id == municipality_id else None


def newest_of(session: Session, municipality_id: int, series: int) -> Layer | None:
    """The newest delivery of a layer, unless it was removed."""
    return session.exec(
        select(Layer)
        .where(
            Layer.municipality_id == municipality_id,
            col(Layer.series) == series,
            col(Layer.replaced_at).is_(None),
        )
        .order_by(col(Layer.id).desc())
        .limit(1)
    ).first()


def deliveries(session: Session, layer: Layer, *, limit: int = 100) -> list[Layer]:
    """All deliveries of a layer, the newest first."""
    return list(
        session.exec(
            select(Layer)
            .where(
                Layer.municipality_id == layer.municipality_id,
                col(Layer.series) == (layer.series or layer.id),
            )
            .order_by(col(Layer.id).desc())
            .limit(limit)
        ).all()
    )


def find(
    session: Session, municipality_id: int, words: str, *, kinds: tuple[PlaceKind, ...] = (), limit: int = 20
) -> list[Place]:
    """Places whose folded name begins with the words, then those that contain them; by name."""
    wanted = fold(words).replace("%", "").replace("_", "")
    if not wanted or not stems(words):
        return []
    question = select(Place).where(Place.municipality_id == municipality_id)
    if kinds:
        question = question.where(col(Place.kind).in_([kind.value for kind in kinds]))
    starts = session.exec(
        question.where(col(Place.sort).startswith(wanted))
        .order_by(col(Place.sort), col(Place.id))
        .limit(limit)
    ).all()
    if len(starts) >= limit:
        return list(starts)
    inside = session.exec(
        question.where(col(Place.sort).contains(wanted), ~col(Place.sort).startswith(wanted))
        .order_by(col(Place.sort), col(Place.id))
        .limit(limit - len(starts))
    ).all()
    return [*starts, *inside]


def names(session: Session, municipality_id: int, kind: PlaceKind) -> list[Place]:
    """All places of a kind by name and district, without those of the same name and district listed twice."""
    rows = session.exec(
        select(Place)
        .where(Place.municipality_id == municipality_id, Place.kind == kind.value)
        .order_by(col(Place.sort), col(Place.district), col(Place.id))
    ).all()
    first: dict[tuple[str, str], Place] = {}
    for row in rows:
        first.setdefault((row.sort, row.district), row)
    return list(first.values())


def named(session: Session, municipality_id: int, folded: Sequence[str]) -> list[Place]:
    """The places that bear one of these folded names (`fold`), in one query."""
    return list(
        session.exec(
            select(Place)
            .where(Place.municipality_id == municipality_id, col(Place.sort).in_(folded))
            .order_by(col(Place.id))
        ).all()
    )


def in_box(
    session: Session, municipality_id: int, kind: PlaceKind, box: tuple[float, float, float, float]
) -> list[Place]:
    """The places of a kind whose own box meets `box` (west, south, east, north; EPSG:25832, metres)."""
    west, south, east, north = box
    return list(
        session.exec(
            select(Place)
            .where(
                Place.municipality_id == municipality_id,
                Place.kind == kind.value,
                Place.max_x >= west,
                Place.min_x <= east,
                Place.max_y >= south,
                Place.min_y <= north,
            )
            .order_by(col(Place.sort), col(Place.id))
        ).all()
    )


def extent(
    session: Session, municipality_id: int, kind: PlaceKind
) -> tuple[float, float, float, float] | None:
    """The box around all places of a kind (west, south, east, north; EPSG:25832, metres), or None without any."""
    west, south, east, north = session.exec(
        select(
            func.min(Place.min_x), func.min(Place.min_y), func.max(Place.max_x), func.max(Place.max_y)
        ).where(Place.municipality_id == municipality_id, Place.kind == kind.value)
    ).one()
    return None if west is None else (west, south, east, north)


def by_id(session: Session, municipality_id: int, place_id: int) -> Place | None:
    """The place with this id, if it belongs to the municipality."""
    place = session.get(Place, place_id)
    return place if place and place.municipality_id == municipality_id else None


def located(place: Place) -> Located:
    """A place as what a contribution carries: its whole geometry, with the point on it that stands for it."""
    return Located(
        kind_of(place.geometry),
        place.geometry,
        place.min_x,
        place.min_y,
        place.max_x,
        place.max_y,
        place.lon,
        place.lat,
        place.cell,
    )


def chosen(
    session: Session,
    municipality_id: int,
    *,
    geometry: str = "",
    lon: str = "",
    lat: str = "",
    place_id: int | None = None,
) -> Located | None:
    """Where somebody means, as a form sends it: GeoJSON in degrees, or `lon` and `lat`, or a place from the list.

    None if nothing was chosen. Raises Refusal LOCATION_INVALID with `problem`, one of `geo.geometry.GEOMETRY_CODES`,
    and UNKNOWN_REFERENCE ("place_id") for a place that is not the municipality's, or no longer.
    """
    try:
        if geometry:
            return read_geojson_geometry(geometry)
        if lon or lat:
            return from_lonlat(_degrees(lon), _degrees(lat))
    except GeometryProblem as problem:
        raise Refusal(Code.LOCATION_INVALID, "place_words", problem=problem.code) from problem
    if place_id is None:
        return None
    place = by_id(session, municipality_id, place_id)
    if place is None:
        raise Refusal(Code.UNKNOWN_REFERENCE, "place_id")
    return located(place)


def _degrees(typed: str) -> float:
    try:
        return float(typed.replace(",", "."))
    except ValueError:
        raise GeometryProblem("not_finite") from None
