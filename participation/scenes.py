"""Scenes in three dimensions are made before anybody asks: work that comes round again looks which ones are missing.

A new city model, terrain, plan area or variant asks for a new scene; nobody who changes one of them has to think of it.
What no plan needs any more is thrown away after some days.
"""

import shutil
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlmodel import Session

from consultations import nesting, places, procedures, variants
from consultations.deadlines import LEGAL_TIME
from consultations.places import Layer, LayerRole
from consultations.procedures import Procedure
from consultations.variants import Group
from participation import cityscape, jobs, sun_hours
from participation.database import unit_of_work
from participation.house import House
from participation.jobs import Job

KIND = "scenes"

#: Scenes that are made in one run, so that other work gets its turn between them.
AT_ONCE = 3
IDLE = timedelta(minutes=1)
#: A scene that no plan needs may still be open in somebody's browser.
KEPT = timedelta(days=3)


def _pause(house: House, result: dict[str, Any]) -> timedelta:
    return timedelta() if result.get("waiting") else IDLE


@jobs.recurring(KIND, _pause)
def make_scenes(house: House, job: Job) -> dict[str, Any]:
    """One round: make some of the scenes that are missing, with the bodies of their variants, and clear up."""
    with unit_of_work(house.engine) as session:
        wanted = _wanted(session)
        groups = _groups(session, wanted)
        grounds = places.in_force(session, sun_hours.OPEN_GROUND)
        parts = nesting.all_parts(session)
        session.expunge_all()
    folder = cityscape.scenes(house)
    scenes = {
        key: (procedure, layers)
        for procedure, layers in wanted
        if (key := cityscape.key_of(procedure, layers)) is not None
    }
    missing = [of for key, of in scenes.items() if not _has_all(folder / key, groups[of[0].id or 0])]
    made = 0
    for procedure, layers in missing[:AT_ONCE]:
        scape = cityscape.scape_of(house, procedure, layers)
        if scape is not None:
            made += 1
            for group in groups[procedure.id or 0]:
                for variant in group.rows:
                    cityscape.variant_glb(house, scape, variant)
    if not missing:
        counted = _count_sun(house, scenes.values(), groups, grounds, parts)
        if counted:
            _clear(folder, set(scenes), house.clock())
            return {"made": made, "counted": counted, "waiting": 1}
    _clear(folder, set(scenes), house.clock())
    # Without success, what waits behind is not asked for again at once: the file store has lost something.
    return {"made": made, "waiting": len(missing[AT_ONCE:]) if made else 0}


def _count_sun(
    house: House,
    scenes: Iterable[tuple[Procedure, Mapping[LayerRole, Layer]]],
    groups: Mapping[int, Sequence[Group]],
    grounds: Sequence[Layer],
    parts: Sequence[Procedure],
) -> int:
    """Count the hours of sun of the ready-made days for one plan that lacks some: how many days that were."""
    year = house.clock().astimezone(LEGAL_TIME).year
    for procedure, layers in scenes:
        built = sun_hours.plans_of(house, groups[procedure.id or 0])
        scape = cityscape.scape_of(house, procedure, layers) if built else None
        if scape is None:
            continue
        shown = nesting.shown(nesting.below(parts, procedure.id or 0))
        here = sun_hours.grounds(procedure, [part.procedure.id or 0 for part in shown], grounds)
        spaces = sun_hours.open_spaces(house, procedure, here, scape)
        counted = sun_hours.count_ahead(scape, built, spaces, year)
        if counted:
            return counted
    return 0


def _has_all(folder: Path, of: Sequence[Group]) -> bool:
    names = [cityscape.variant_name(each) for group in of for each in group.rows]
    return folder.is_dir() and all((folder / name).is_file() for name in names)


def _wanted(session: Session) -> list[tuple[Procedure, Mapping[LayerRole, Layer]]]:
    """The consultations that have, or are about to have, a scene, and what it is made of."""
    rows = places.in_force(session, cityscape.SOURCES)
    if not any(row.role == LayerRole.CITY_MODEL.value for row in rows):
        return []
    found = procedures.with_plan_area(session, {row.municipality_id for row in rows})
    return [(each, cityscape.chosen_of(_layers_for(each, rows))) for each in found]


def _layers_for(procedure: Procedure, rows: Sequence[Layer]) -> list[Layer]:
    """Its own before those of its town."""
    towns = [row for row in rows if row.procedure_id is None]
    own = [row for row in rows if row.procedure_id == procedure.id]
    return own + [row for row in towns if row.municipality_id == procedure.municipality_id]


def _groups(
    session: Session, wanted: Iterable[tuple[Procedure, Mapping[LayerRole, Layer]]]
) -> Mapping[int, Sequence[Group]]:
    """What is planned in the picture of each consultation: its own, and that of its parts."""
    of = [procedure for procedure, layers in wanted if cityscape.key_of(procedure, layers) is not None]
    found = variants.groups_of_all(session, of)
    return {each.id or 0: cityscape.in_picture(each, found[each.id or 0]) for each in of}


def _clear(folder: Path, needed: set[str], now: datetime) -> None:
    """Throw away scenes that are neither needed nor new, and what a crash left unfinished."""
    if not folder.is_dir():
        return
    oldest = (now - KEPT).timestamp()
    for each in folder.iterdir():
        if each.name not in needed and each.stat().st_mtime < oldest:
            shutil.rmtree(each, ignore_errors=True)
