"""Where something is, in words: the district it lies in and the street or landmark nearest to it."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, Float, Select, and_, bindparam, or_, select
from sqlmodel import Session, col

from consultations.places import Place, PlaceKind
from geo.geometry import LonLat, metres_of

#: How far away a street may be to be named (metres).
REACH = 300.0
_NAMED = (PlaceKind.STREET.value, PlaceKind.LANDMARK.value)


@dataclass(frozen=True)
class Whereabouts:
    """A place in words; `metres` is the distance to `near`. Both names may be empty."""

    district: str = ""
    near: str = ""
    metres: int = 0


def of(session: Session, municipality_id: int, points: Sequence[LonLat]) -> list[Whereabouts]:
    """The whereabouts of points (degrees), in their order; one query for all of them.

    Distances are measured in the grid (EPSG:25832) and rounded: to whole metres below 20, to tens beyond.
    """
    if not points:
        return []
    import shapely

    metres = [metres_of(*point) for point in points]
    asked: dict[str, float] = {"municipality": municipality_id}
    for number, (x, y) in enumerate(metres):
        asked |= {f"x{number}": x, f"y{number}": y}
    found = session.execute(_around(len(metres)), asked).scalars().all()
    spots: Any = shapely.points(metres)
    districts = [place for place in found if place.kind == PlaceKind.DISTRICT.value]
    named = [place for place in found if place.kind != PlaceKind.DISTRICT.value]
    in_district = _first_of(spots, districts, within=0.0)
    beside = _first_of(spots, named, within=REACH)
    return [
        Whereabouts(
            districts[inside[0]].name if inside else "",
            named[near[0]].name if near else "",
            _rounded(near[1]) if near else 0,
        )
        for inside, near in zip(in_district, beside, strict=True)
    ]


@cache
def _around(points: int) -> Select[Any]:
    """The question for the places around so many points; put together once, since that takes longer than the answer."""
    near = (
        _meets(bindparam(f"x{number}", type_=Float), bindparam(f"y{number}", type_=Float))
        for number in range(points)
    )
    return select(Place).where(col(Place.municipality_id) == bindparam("municipality"), or_(*near))


def _meets(x: ColumnElement[float], y: ColumnElement[float]) -> ColumnElement[bool]:
    """Places whose box is near enough to a point: districts hold it, streets and landmarks within REACH."""
    kind = col(Place.kind)

    def box(by: float) -> ColumnElement[bool]:
        return and_(
            col(Place.min_x) <= x + by,
            col(Place.max_x) >= x - by,
            col(Place.min_y) <= y + by,
            col(Place.max_y) >= y - by,
        )

    return or_(and_(kind == PlaceKind.DISTRICT.value, box(0.0)), and_(kind.in_(_NAMED), box(REACH)))


def _first_of(spots: Any, places: Sequence[Place], *, within: float) -> list[tuple[int, float] | None]:
    """For each spot the nearest place and its distance, if that is near enough; the first of equally near ones."""
    if not places:
        return [None] * len(spots)
    import numpy as np
    import shapely

    shapes: Any = shapely.from_wkb([place.geometry for place in places])
    shapely.prepare(shapes)
    distances = np.asarray(shapely.distance(spots[:, None], shapes[None, :]))
    nearest = distances.argmin(axis=1)
    least = distances.min(axis=1)
    return [
        (int(index), float(far)) if far <= within else None
        for index, far in zip(nearest.tolist(), least.tolist(), strict=True)
    ]


def _rounded(metres: float) -> int:
    return round(metres) if metres < 20 else int(round(metres, -1))
