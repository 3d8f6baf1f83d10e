"""Which consultations concern a place: whose plan area holds it, and whose lies near it."""

from collections.abc import Sequence
from dataclasses import dataclass

from consultations.places import Place
from consultations.procedures import Procedure
from geo.geometry import GeometryProblem, Located, from_lonlat

Spot = Place | Located
"""A place by name, or a position."""

#: How far from a plan area somebody may live and still want to know (metres).
WITHIN = 2000.0


@dataclass(frozen=True)
class Near:
    """A consultation and how far its plan area is from the place; 0 metres: the place is (partly) inside."""

    procedure: Procedure
    metres: float


def around(procedures: Sequence[Procedure], place: Spot, *, within: float = WITHIN) -> list[Near]:
    """The procedures whose plan area lies within so many metres of the place, nearest first.

    Boxes are compared first, so that few shapes are read and none when nothing is near. Distances are measured in
    the grid (EPSG:25832), which is up to 0.07 % off the ground. Procedures without a plan area are left out.
    """
    wkb = place.wkb if isinstance(place, Located) else place.geometry
    candidates = [each for each in procedures if _box_distance(each, place) <= within]
    if not candidates:
        return []
    import shapely

    shape = shapely.from_wkb(wkb)
    measured = [
        Near(each, float(shapely.distance(shape, shapely.from_wkb(each.plan_area)))) for each in candidates
    ]
    return sorted(
        (near for near in measured if near.metres <= within),
        key=lambda near: (near.metres, near.procedure.title),
    )


def _box_distance(procedure: Procedure, place: Spot) -> float:
    """Metres between the boxes of both: never more than between the shapes. Infinite without a plan area."""
    if procedure.plan_area is None or procedure.min_x is None or procedure.max_x is None:
        return float("inf")
    assert procedure.min_y is not None
    assert procedure.max_y is not None
    across = max(procedure.min_x - place.max_x, place.min_x - procedure.max_x, 0.0)
    up = max(procedure.min_y - place.max_y, place.min_y - procedure.max_y, 0.0)
    return float((across**2 + up**2) ** 0.5)


def position(lon: float, lat: float) -> Located:
    """A position in degrees as a place. Raises ValueError for what is no position in Germany."""
    try:
        return from_lonlat(lon, lat)
    except GeometryProblem as problem:
        raise ValueError(problem.code) from problem


def typed_position(lon: str, lat: str) -> Located | None:
    """The position that a browser was asked for, in degrees; nonsense counts as none."""
    try:
        return position(float(lon), float(lat))
    except ValueError:
        return None
