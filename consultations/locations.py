"""Where published contributions are: counts per cell and zoom level, so that a map never counts rows.

A cell is the Z-order index of a point (geo/geometry.py); dropping its last bits gives the cell of a coarser
zoom. For every second zoom level one row per occupied cell keeps how many published contributions lie in it
and the sums of their coordinates. A cluster is then one row, whether it stands for two contributions or for
twenty thousand. Counted up and down in the transaction that shows or hides a contribution.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from sqlalchemy import Column, ColumnElement, Integer, TextClause, and_, func, literal, or_, text
from sqlalchemy import select as select_columns
from sqlmodel import Field, Session, SQLModel, col

from consultations.tables import BigKey, one_of
from geo.geometry import CELL_ZOOM

#: Zoom levels (web mercator tiles) for which counts are kept.
LEVELS = tuple(range(4, 23, 2))


class MapCell(SQLModel, table=True):
    """How many published contributions of a procedure lie in one cell of one level."""

    __tablename__ = "map_cell"

    procedure_id: int = Field(foreign_key="procedure.id", primary_key=True)
    level: int = Field(primary_key=True)
    cell: int = Field(sa_column=Column(BigKey, primary_key=True, autoincrement=False))
    count: int
    sum_lon: float
    sum_lat: float


@dataclass(frozen=True)
class Cluster:
    """Several contributions near each other: how many, and the mean of their places in degrees."""

    cell: int
    count: int
    lon: float
    lat: float


_COUNT = text(
    "INSERT INTO map_cell (procedure_id, level, cell, count, sum_lon, sum_lat)"
    " VALUES (:procedure_id, :level, :cell, :step, :lon, :lat)"
    " ON CONFLICT (procedure_id, level, cell) DO UPDATE SET count = map_cell.count + excluded.count,"
    " sum_lon = map_cell.sum_lon + excluded.sum_lon, sum_lat = map_cell.sum_lat + excluded.sum_lat"
)


def count(session: Session, *, procedure_id: int, cell: int, lon: float, lat: float, step: int) -> None:
    """Count a contribution in (`step` 1) or out (`step` -1) on every level."""
    session.execute(
        _COUNT,
        [
            {
                "procedure_id": procedure_id,
                "level": level,
                "cell": cell >> 2 * (CELL_ZOOM - level),
                "step": step,
                "lon": lon * step,
                "lat": lat * step,
            }
            for level in LEVELS
        ],
    )


def level_for(zoom: int, finer: int = 2) -> int:
    """The level whose cells are about 256 / 2**finer pixels wide at a zoom; always one that is kept."""
    wanted = max(LEVELS[0], min(LEVELS[-1], zoom + finer))
    return wanted - wanted % 2


def clusters(
    session: Session,
    procedure_ids: Sequence[int],
    level: int,
    ranges: Sequence[tuple[int, int]],
    *,
    limit: int = 2000,
) -> list[Cluster]:
    """The occupied cells of a level within the given half-open ranges of full-depth cells; of several procedures what they
    have in a cell together. One query."""
    shift = 2 * (CELL_ZOOM - level)
    cell = col(MapCell.cell)
    # Each range names the whole key, because only then is every one of them looked up in the index.
    here = (one_of(col(MapCell.procedure_id), procedure_ids), col(MapCell.level) == level)
    within = or_(*(and_(*here, cell >= low >> shift, cell <= high - 1 >> shift) for low, high in ranges))
    kept = (col(MapCell.count), col(MapCell.sum_lon), col(MapCell.sum_lat))
    alone = len(procedure_ids) == 1
    question = select_columns(cell, *(kept if alone else map(func.sum, kept))).where(
        within, col(MapCell.count) > 0
    )
    question = question if alone else question.group_by(cell)
    rows = session.execute(question.order_by(cell).limit(limit)).all()
    return [Cluster(key, int(count), lon / int(count), lat / int(count)) for key, count, lon, lat in rows]


class Located(Protocol):
    """A table of things with a place: a point in degrees and its cell."""

    cell: int | None
    lon: float | None
    lat: float | None


def grouped(
    session: Session,
    table: type[Located],
    conditions: Sequence[ColumnElement[bool] | TextClause],
    level: int,
    ranges: Sequence[tuple[int, int]],
    *,
    limit: int = 2000,
) -> list[Cluster]:
    """The same clusters of what fulfils further conditions: counted now, one query over all of it."""
    cell = col(table.cell)
    # PostgreSQL shifts a 64-bit number by a 32-bit one only.
    key = cell.bitwise_rshift(literal(2 * (CELL_ZOOM - level), Integer))
    within = or_(*(and_(cell >= low, cell < high) for low, high in _whole_cells(level, ranges)))
    rows = session.execute(
        select_columns(key.label("key"), func.count(), func.avg(col(table.lon)), func.avg(col(table.lat)))
        .where(*conditions, within)
        .group_by(key)
        .order_by(key)
        .limit(limit)
    ).all()
    return [Cluster(*row) for row in rows]


def _whole_cells(level: int, ranges: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Ranges of full-depth cells widened to whole cells of a level, as kept counts know them."""
    shift = 2 * (CELL_ZOOM - level)
    return [((low >> shift) << shift, ((high - 1 >> shift) + 1) << shift) for low, high in ranges]
