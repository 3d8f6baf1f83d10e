"""Hours of sun on façades and open ground, and what is newly shaded hour by hour: counted once and kept with the scene.

The work that makes scenes (`participation.scenes`) counts the ready-made days of this year before anybody asks; any other
day is counted by whoever asks for it first.
"""

import gzip
import hashlib
import json
import math
from collections.abc import Iterable, Sequence
from datetime import date, datetime, time
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from consultations.deadlines import LEGAL_TIME
from consultations.places import Layer, LayerRole
from consultations.procedures import Procedure
from consultations.variants import Group, Variant
from participation import cityscape, layer_files
from participation.cityscape import Built, Cityscape
from participation.house import House

if TYPE_CHECKING:
    from geo.city import City

#: The ready-made days: month and day of the equinoxes and solstices.
DAYS = ((3, 21), (6, 21), (9, 23), (12, 21))
#: Counts of one kind that are kept of a scene: there are as many as days and ways to choose among variants.
COUNTED = 2_000
#: Hours between the moments that hours of sun are counted from.
STEP = 0.25
#: What a layer must be for its named areas to be open ground.
OPEN_GROUND = (LayerRole.GREEN, LayerRole.PLAN)

Plans = tuple[Built, ...]
Space = tuple[str, int, bytes]
"""What open ground is called, the key of the part whose layer has it (0: the consultation itself, or the town), and WKB."""


def plans_of(house: House, groups: Sequence[Group], chosen: Sequence[Variant] | None = None) -> Plans:
    """What is counted: each variant for itself; where several consultations have some, what was chosen of them together
    (None: what is shown first)."""
    if len(groups) > 1:
        together = cityscape.built(house, shown_first(groups) if chosen is None else chosen)
        return (together,) if together else ()
    alone = [cityscape.built(house, [row]) for group in groups for row in group.rows]
    return tuple(each for each in alone if each is not None)


def shown_first(groups: Sequence[Group]) -> tuple[Variant, ...]:
    """What a picture shows before anybody chooses: of every consultation the variant that its planners put first, so that
    none is hidden behind another one's."""
    return tuple(group.rows[0] for group in groups)


def moments_of(year: int, month: int, day: int, *, step: int) -> list[datetime]:
    """All moments of a day, `step` minutes apart, in legal time."""
    start = datetime(year, month, day, 0, 0, tzinfo=LEGAL_TIME)
    return [
        datetime.combine(start.date(), time(minute // 60, minute % 60), LEGAL_TIME)
        for minute in range(0, 24 * 60, step)
    ]


def daylight(scape: Cityscape, day: date) -> tuple[int, int]:
    """The first and the last quarter of an hour, in minutes after midnight, at which a shadow is offered."""
    from geo import sun

    moments = moments_of(day.year, day.month, day.day, step=15)
    high = sun.position(moments, scape.lon, scape.lat).elevation >= sun.LOWEST
    shown = [
        moment.hour * 60 + moment.minute for moment, is_high in zip(moments, high, strict=True) if is_high
    ]
    return (shown[0], shown[-1]) if shown else (720, 720)


def full_hours(scape: Cityscape, day: date) -> range:
    """The full hours of a day at which a shadow is offered."""
    earliest, latest = daylight(scape, day)
    return range(math.ceil(earliest / 60), latest // 60 + 1)


def count_ahead(scape: Cityscape, built: Plans, spaces: tuple[Space, ...], year: int) -> int:
    """Count the ready-made days of a year, and say how many had not been counted before."""
    if not built:
        return 0
    counted = 0
    for month, number in DAYS:
        day = date(year, month, number)
        hours = tuple(full_hours(scape, day))
        names = (_hours_name(built, spaces, day), _course_name(built, day, hours))
        if not all((scape.folder / name).is_file() for name in names):
            hours_of(scape, built, spaces, day)
            areas_of(scape, built, day, hours)
            counted += 1
    return counted


@lru_cache(maxsize=32)
def areas_of(
    scape: Cityscape,
    built: Plans,
    day: date,
    hours: tuple[int, ...],
) -> tuple[tuple[float, ...], ...]:
    """Square metres newly shaded, by hour and variant, kept with the scene."""

    def count() -> bytes:
        from geo import shadows, sun

        moments = [datetime.combine(day, time(hour), LEGAL_TIME) for hour in hours]
        suns = sun.towards(sun.position(moments, scape.lon, scape.lat), scape.lon, scape.lat)
        plans = [(each.replaces, each.bodies) for each in built]
        return json.dumps(shadows.newly(scape.near, plans, suns, scape.slope)).encode()

    rows = json.loads(gzip.decompress(scape.keep(_course_name(built, day, hours), count, most=COUNTED)))
    return tuple(tuple(float(area) for area in row) for row in rows)


def _course_name(built: Plans, day: date, hours: tuple[int, ...]) -> str:
    asked = repr(([each.name for each in built], day.isoformat(), hours)).encode()
    return f"course-{hashlib.sha256(asked).hexdigest()[:24]}.json.gz"


def grounds(procedure: Procedure, parts: Iterable[int], layers: Iterable[Layer]) -> list[Layer]:
    """Those of some layers that may have open ground in the picture of a consultation, always in the same order: its own, those
    of its parts (by their keys, in the order in which they are shown), the town's."""
    order = {key: number for number, key in enumerate((procedure.id, *parts, None))}
    found = [
        each
        for each in layers
        if each.role in OPEN_GROUND
        and each.municipality_id == procedure.municipality_id
        and each.procedure_id in order
    ]
    return sorted(found, key=lambda each: (order[each.procedure_id], each.position, each.id or 0))


def open_spaces(
    house: House, procedure: Procedure, layers: Sequence[Layer], scape: Cityscape
) -> tuple[Space, ...]:
    """Named green and open areas near the plan, and those that it or a part of it lays down, of some `grounds`."""
    found: dict[tuple[str, int], bytes] = {}
    for layer in layers:
        path = layer_files.local_copy(house, layer) if layer.is_visible else None
        if path is not None:
            part = 0 if layer.procedure_id in (None, procedure.id) else layer.procedure_id or 0
            for name, wkb in _spaces_in(path, layer.normalised_sha256, scape.box, scape.area):
                found[name, part] = wkb
    return tuple((*named, wkb) for named, wkb in found.items())


@lru_cache(maxsize=32)
def _spaces_in(path: Path, digest: str, box: tuple[float, ...], area: bytes) -> tuple[tuple[str, bytes], ...]:
    import shapely
    from pyogrio import raw

    meta, _, shapes, data = raw.read(path, bbox=box)
    table = dict(zip(meta["fields"], data, strict=True))
    names = table.get("name")
    if names is None:
        return ()
    signs = table.get("sign")
    near = shapely.from_wkb(area).buffer(60)
    found = []
    for number, name in enumerate(names):
        shape = shapely.from_wkb(shapes[number])
        if not name or shapely.get_dimensions(shape) != 2:
            continue
        if signs is not None and signs[number] not in (
            "green",
            "traffic_special",
            "public_use",
            "playground",
        ):
            continue
        part = shapely.intersection(shape, near)
        if shapely.area(part) > 40:
            found.append((str(name), shapely.to_wkb(part)))
    return tuple(found)


Hours = tuple[tuple[str, int, float | None, float, tuple[float, ...]], ...]


@lru_cache(maxsize=32)
def hours_of(
    scape: Cityscape,
    built: Plans,
    spaces: tuple[Space, ...],
    day: date,
) -> Hours:
    """`_count_hours`, kept with the scene: it takes a second or two, and every visitor of a day asks for the same."""
    name = _hours_name(built, spaces, day)
    rows = json.loads(
        gzip.decompress(
            scape.keep(
                name, lambda: json.dumps(_count_hours(scape, built, spaces, day)).encode(), most=COUNTED
            )
        )
    )
    return tuple((what, part, facing, now, tuple(then)) for what, part, facing, now, then in rows)


def _hours_name(built: Plans, spaces: tuple[Space, ...], day: date) -> str:
    # What its rows hold is part of the name: files of before tell nothing of parts, and are counted anew.
    asked = repr((Hours, [each.name for each in built], spaces, day.isoformat())).encode()
    return f"hours-{hashlib.sha256(asked).hexdigest()[:24]}.json.gz"


def _count_hours(
    scape: Cityscape,
    built: Plans,
    spaces: tuple[Space, ...],
    day: date,
) -> Hours:
    """What, of which part (`Space`), the bearing it faces (None: open ground), its hours of sun on the day now, and with each
    variant.

    Windows of the ground floor, and a grid of points on open ground, looked at every quarter of an hour.
    """
    import numpy as np
    import shapely

    from geo import shadows, sun

    moments = moments_of(day.year, day.month, day.day, step=round(STEP * 60))
    seen = sun.position(moments, scape.lon, scape.lat)
    suns = sun.towards(seen, scape.lon, scape.lat)[seen.elevation >= sun.LOWEST]
    now = scape.near
    plans = [(each.replaces, each.bodies) for each in built]
    around = shapely.union_all([shapely.union_all(bodies.footprints) for _, bodies in plans])
    windows = [
        each for each in shadows.windows(now) if shapely.dwithin(around, shapely.Point(each.at[:2]), 90)
    ]
    groups: list[tuple[str, int, float | None, Any]] = [
        (label, 0, each.facing, slice(number, number + 1))
        for number, (each, label) in enumerate(zip(windows, _labels(now, windows), strict=True))
    ]
    points = list(windows)
    for name, part, wkb in spaces:
        grid = shadows.grid_on(shapely.from_wkb(wkb), scape.ground.at)
        groups.append((name, part, None, slice(len(points), len(points) + len(grid))))
        points += grid
    was = shadows.hours_of_sun(now, points, suns, STEP, scape.slope)
    becomes = [
        shadows.hours_of_sun(now.without(replaces).joined(bodies), points, suns, STEP, scape.slope)
        for replaces, bodies in plans
    ]
    gone = [set(replaces) for replaces, _ in plans]
    found = []
    for number, (name, part, facing, where) in enumerate(groups):
        if where.stop == where.start:
            continue
        before = float(np.mean(was[where]))
        after = tuple(
            before
            if facing is not None and windows[number].building in replaced
            else float(np.mean(hours[where]))
            for hours, replaced in zip(becomes, gone, strict=True)
        )
        found.append((name, part, facing, before, after))
    return tuple(found)


def _labels(city: "City", windows: Sequence[Any]) -> list[str]:
    label_of = dict(zip(city.ids, city.labels, strict=True))
    return [str(label_of.get(each.building, "")) for each in windows]
