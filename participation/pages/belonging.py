"""Whom something belongs to that is chosen in the picture or on the map of an area (a thing, a point, a drawing), and who takes
what is said about it: the part that plans it or whose layer it is from, else the part in whose plan area it lies, else the area."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from consultations import nesting, phases, variants
from consultations.procedures import Procedure, localised
from participation import things
from participation.pages.map_plan import Way, takes_something, ways_of
from participation.things import Choice, Found
from participation.web import Visit


@dataclass(frozen=True)
class Taken:
    """The part that something belongs to and where that is (empty: the consultation of this page), where what is said of it
    goes, in words, and what can be handed in about it; and the same for the consultation of this page, where it takes
    something too and is not who takes this: `whole` says so."""

    part: str = ""
    part_url: str = ""
    goes: str = ""
    ways: tuple[Way, ...] = ()
    whole: str = ""
    ways_of_whole: tuple[Way, ...] = ()


def takes_anything(visit: Visit, procedure: Procedure) -> bool:
    """Whether something can be handed in about what is on this map or in this picture, here or to one of the parts; at most
    three queries."""
    if ways_of(visit, procedure):
        return True
    parts = [part.procedure for part in nesting.parts(visit.session, procedure.id or 0)]
    of_parts = phases.phases_of_all(visit.session, [each.id or 0 for each in parts]) if parts else {}
    return any(takes_something(visit, each, of_parts[each.id or 0]) for each in parts)


def taken_by(visit: Visit, procedure: Procedure, choice: Choice, found: Found) -> Taken:
    """Who takes what is said about a thing that was chosen here."""
    place = {"lon": f"{found.located.lon:.7f}", "lat": f"{found.located.lat:.7f}", "thing": choice.text}
    return _taken(visit, procedure, found.located.wkb, place, choice)


def taken_at(visit: Visit, procedure: Procedure, wkb: bytes, place: Mapping[str, object]) -> Taken:
    """Who takes what is said about a place that was chosen here: a point, a drawing, a street (WKB, EPSG:25832). `place`: the
    same as the form's address carries it."""
    return _taken(visit, procedure, wkb, place, None)


def _taken(
    visit: Visit, procedure: Procedure, wkb: bytes, place: Mapping[str, object], choice: Choice | None
) -> Taken:
    line = _belongs_to(visit, procedure, wkb, choice)
    taking, ways = _taking(visit, line, choice)
    part = line[0] if line[0] is not procedure else None
    whole = ways_of(visit, procedure) if taking is not procedure else ()
    title = localised(procedure, visit.language, "title")
    return Taken(
        localised(part, visit.language, "title") if part else "",
        visit.url("hearing", slug=part.slug) if part else "",
        _goes(visit, taking, is_part=taking is line[0]) if part and ways else "",
        _at(ways, place),
        visit.gettext("Is it about more than this part? Then say it to “%(title)s”:", title=title)
        if whole
        else "",
        # Two links that say the same would not lead to the same.
        _at([Way(visit.gettext("%(what)s (for the whole)", what=way.text), way.url) for way in whole], place),
    )


def _goes(visit: Visit, taking: Procedure, *, is_part: bool) -> str:
    if is_part:
        return visit.gettext("What you say goes there.")
    return visit.gettext(
        "Nothing can be handed in there at the moment; what you say here goes to “%(title)s”.",
        title=localised(taking, visit.language, "title"),
    )


def _belongs_to(visit: Visit, procedure: Procedure, wkb: bytes, choice: Choice | None) -> list[Procedure]:
    """What something belongs to and what that is a part of, up to this consultation: a planned building to the one that plans
    it, an object to the one whose layer has it, anything else to the lowest part, and of those the smallest, in whose plan
    area it lies."""
    parts = {part.procedure.id: part for part in nesting.parts(visit.session, procedure.id or 0)}
    owner = _owner(visit, procedure, choice) if parts and choice is not None else None
    at = parts.get(owner) if owner is not None else things.lowest_part_around(list(parts.values()), wkb)
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


def _taking(
    visit: Visit, line: Sequence[Procedure], choice: Choice | None
) -> tuple[Procedure, tuple[Way, ...]]:
    """The first of a line that takes something now and knows the thing, and what that is; the last one otherwise."""
    for each in line:
        ways = ways_of(visit, each)
        # A part without a plan area, or without the model that its area has for itself, has no picture to measure on.
        knows = (
            choice is None
            or each is line[-1]
            or things.find(visit.house, visit.session, each, choice) is not None
        )
        if ways and knows:
            return each, ways
    return line[-1], ()


def _at(ways: Sequence[Way], place: Mapping[str, object]) -> tuple[Way, ...]:
    """What can be handed in, with the place that it is about."""
    return tuple(Way(way.text, f"{way.url}&{urlencode(place)}") for way in ways)
