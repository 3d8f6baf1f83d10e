"""Whom a thing belongs to that is chosen in the picture or on the map of an area, and who takes what is said about it: the part
that plans it or whose layer it is from, else the part in whose plan area it lies, else the area."""

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from consultations import nesting, variants
from consultations.procedures import Procedure, localised
from participation import things
from participation.pages.map_plan import Way, ways_of
from participation.things import Choice, Found
from participation.web import Visit


@dataclass(frozen=True)
class Taken:
    """The part that a thing belongs to and where that is (empty: the consultation of this page), what takes it instead
    where that part takes nothing now, and what can be handed in about it."""

    part: str = ""
    part_url: str = ""
    instead: str = ""
    ways: tuple[Way, ...] = ()


def taken_by(visit: Visit, procedure: Procedure, choice: Choice, found: Found) -> Taken:
    """Who takes what is said about something that was chosen here."""
    line = _belongs_to(visit, procedure, choice, found)
    taking, ways = _taking(visit, line, choice)
    part = line[0] if line[0] is not procedure else None
    return Taken(
        localised(part, visit.language, "title") if part else "",
        visit.url("hearing", slug=part.slug) if part else "",
        localised(taking, visit.language, "title") if ways and taking is not line[0] else "",
        _with_thing(ways, found, choice),
    )


def _belongs_to(visit: Visit, procedure: Procedure, choice: Choice, found: Found) -> list[Procedure]:
    """What a thing belongs to and what that is a part of, up to this consultation: a planned building to the one that plans
    it, an object to the one whose layer has it, anything else to the lowest part, and of those the smallest, in whose plan
    area it lies."""
    parts = {part.procedure.id: part for part in nesting.parts(visit.session, procedure.id or 0)}
    owner = _owner(visit, procedure, choice) if parts else None
    at = parts.get(owner) if owner is not None else things.lowest_part_around(list(parts.values()), found)
    line = []
    while at is not None:
        line.append(at.procedure)
        at = parts.get(at.procedure.part_of_id)
    return [*line, procedure]


def _owner(visit: Visit, procedure: Procedure, choice: Choice) -> int | None:
    """The consultation whose plan or layer has what was chosen; None where that is the town's."""
    if choice.variant is not None:
        row = variants.seen_by_id(visit.session, procedure, choice.variant)
        return row.procedure_id if row else None
    layer = things.layer_for(visit.session, procedure, choice.layer) if choice.layer is not None else None
    return layer.procedure_id if layer else None


def _taking(visit: Visit, line: Sequence[Procedure], choice: Choice) -> tuple[Procedure, tuple[Way, ...]]:
    """The first of a line that takes something now and knows the thing, and what that is; the last one otherwise."""
    for each in line:
        ways = ways_of(visit, each)
        # A part without a plan area, or without the model that its area has for itself, has no picture to measure on.
        if ways and (each is line[-1] or things.find(visit.house, visit.session, each, choice) is not None):
            return each, ways
    return line[-1], ()


def _with_thing(ways: Sequence[Way], found: Found, choice: Choice) -> tuple[Way, ...]:
    """What can be handed in, with the place and the thing that it is about."""
    place = urlencode(
        {"lon": f"{found.located.lon:.7f}", "lat": f"{found.located.lat:.7f}", "thing": choice.text}
    )
    return tuple(Way(way.text, f"{way.url}&{place}") for way in ways)
