"""CityJSON 1.0 to 2.0, whole files and sequences (CityJSONSeq): one city object at a time.

The text of a whole file is gone through twice: once for its vertices and transformation, once for its objects, each of
which is decoded by itself and dropped again. A sequence is read line by line. Of several levels of detail the highest
of each object is taken. Textures, templates and objects that are no buildings are counted and left out.
"""

import json
import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from geo.layers import LayerProblem
from geo.readers.archive import Delivered
from geo.readers.citygml import Source, parsed
from geo.readers.citymodel import Building, Findings, Kind, Surface

if TYPE_CHECKING:
    import numpy as np

VERSIONS: Final = ("1.0", "1.1", "2.0")
_KIND_OF: Final[dict[str, Kind]] = {
    "RoofSurface": "roof",
    "WallSurface": "wall",
    "GroundSurface": "ground",
    "ClosureSurface": "closure",
}
_ROOMS: Final = ("BuildingRoom", "BuildingStorey", "BuildingUnit", "BuildingFurniture")
_TYPE: Final = re.compile(rb'"type"\s*:\s*"CityJSON(Feature)?"')
_DEPTH: Final = {"MultiSurface": 1, "CompositeSurface": 1, "Solid": 2, "MultiSolid": 3, "CompositeSolid": 3}
"""How many lists stand around a face."""


def begins_cityjson(file: Delivered) -> bool:
    return file.text.startswith(b"{") and (
        _TYPE.search(file.head) is not None or b'"CityObjects"' in file.head
    )


class CityJsonFile:
    """A CityJSON file or sequence: `sources` yields its buildings; `version` and `others` are known afterwards."""

    def __init__(self, path: Path, findings: Findings, progress: Callable[[float], None]) -> None:
        self.path = path
        self.version = ""
        self.others: dict[str, int] = {}
        self._findings = findings
        self._progress = progress
        self._system = ""
        self._scale: tuple[float, ...] = (1.0, 1.0, 1.0)
        self._shift: tuple[float, ...] = (0.0, 0.0, 0.0)

    def sources(self) -> Iterator[Source]:
        """Buildings with their parts.

        Raises LayerProblem: unknown_format, broken (with line and object).
        """
        with self.path.open(encoding="utf-8-sig") as file:
            try:
                first = file.readline()
                beginning = json.loads(first) if first.strip().endswith("}") else None
                if beginning is not None and (second := file.readline()).strip():
                    yield from self._sequence(beginning, second, file)
                    return
            except json.JSONDecodeError:
                pass  # not one object a line: a whole file
            except UnicodeDecodeError as problem:
                raise LayerProblem("broken", detail=str(problem)[:200]) from problem
        try:
            yield from self._whole(self.path.read_text(encoding="utf-8-sig"))
        except UnicodeDecodeError as problem:
            raise LayerProblem("broken", detail=str(problem)[:200]) from problem

    def _begin(self, document: dict[str, Any]) -> None:
        version = str(document.get("version", ""))[:3]
        if document.get("type") != "CityJSON" or version not in VERSIONS:
            raise LayerProblem("unknown_format", looks_like=f"CityJSON {version}".strip())
        self.version = str(document["version"])
        metadata = document.get("metadata")
        if isinstance(metadata, dict):
            self._system = str(metadata.get("referenceSystem") or "")
        transform = document.get("transform")
        if isinstance(transform, dict):
            self._scale, self._shift = _three(transform.get("scale")), _three(transform.get("translate"))

    # ------------------------------------------------------------------------------------------- sequences

    def _sequence(self, beginning: Any, second: str, rest: Any) -> Iterator[Source]:
        self._begin(beginning if isinstance(beginning, dict) else {})
        size, read = max(1, self.path.stat().st_size), 0
        for number, line in enumerate(_chain(second, rest), start=2):
            read += len(line)
            if not line.strip():
                continue
            try:
                feature = json.loads(line)
            except json.JSONDecodeError as problem:
                raise LayerProblem("broken", line=number, detail=problem.msg) from problem
            if not isinstance(feature, dict) or feature.get("type") != "CityJSONFeature":
                raise LayerProblem("broken", line=number, detail="no CityJSONFeature")
            objects, vertices = feature.get("CityObjects"), self._numbers(feature.get("vertices"))
            if not isinstance(objects, dict):
                raise LayerProblem("broken", line=number, detail="CityObjects")
            yield from self._objects(objects, vertices, f"{feature.get('id', '')} (line {number})")
            self._progress(read / size)

    # ----------------------------------------------------------------------------------------- whole files

    def _whole(self, text: str) -> Iterator[Source]:
        """Two passes over the members of the document, so that nothing but text and vertices stays in memory."""
        head: dict[str, Any] = {}
        vertices = None
        places: dict[str, _Place] = {}
        for name, start in _members(text, 0):
            if name == "CityObjects":
                for identifier, at in _members(text, start):
                    each = _decode(text, at)
                    places[identifier] = _Place(str(each.get("type", "")), _names(each.get("children")), at)
            elif name == "vertices":
                vertices = _vertices(text, start)
            elif name in ("type", "version", "metadata", "transform"):
                head[name] = _value(text, start)
        self._begin(head)
        if vertices is None:
            raise LayerProblem("broken", detail="vertices")
        points = vertices * self._scale + self._shift
        if not places:
            return
        have_parents = {child for place in places.values() for child in place.children}
        for done, (name, place) in enumerate(places.items(), start=1):
            if place.kind == "Building":
                family = [name, *_descendants(name, places)]
                objects = {each: _decode(text, places[each].at) for each in family}
                yield from self._objects(objects, points, name)
            elif not place.kind.startswith("Building"):
                self.others[place.kind] = self.others.get(place.kind, 0) + 1
            elif name not in have_parents:
                self._findings.leave_out("orphan", name)
            if done % 500 == 0:
                self._progress(done / len(places))

    def _numbers(self, vertices: Any) -> "np.ndarray[Any, Any]":
        import numpy as np

        try:
            points = np.array(vertices, dtype=float).reshape(-1, 3)
        except (TypeError, ValueError) as problem:
            raise LayerProblem("broken", detail="vertices") from problem
        return points * self._scale + self._shift

    # -------------------------------------------------------------------------------------------- objects

    def _objects(
        self, objects: dict[str, Any], points: "np.ndarray[Any, Any]", where: str
    ) -> Iterator[Source]:
        """The buildings among objects that share vertices, each with all that hangs on it."""
        for name, each in objects.items():
            if not isinstance(each, dict):
                raise LayerProblem("broken", feature=name, detail=f"{name} is no object")
            kind = each.get("type")
            if kind != "Building":
                if not str(kind).startswith("Building"):
                    self.others[str(kind)] = self.others.get(str(kind), 0) + 1
                continue
            try:
                building = self._building(name, each, "", points)
                parts: list[Building] = []
                self._children_of(each, objects, building, parts, points, {name})
            except (TypeError, ValueError, IndexError, KeyError, AttributeError) as problem:
                said = f"{name}: {type(problem).__name__} {problem} ({where})"
                raise LayerProblem("broken", feature=name, detail=said[:200]) from problem
            yield Source(building, parts, self._system)

    def _children_of(
        self,
        each: dict[str, Any],
        objects: dict[str, Any],
        building: Building,
        parts: list[Building],
        points: "np.ndarray[Any, Any]",
        seen: set[str],
    ) -> None:
        for child in each.get("children", ()):
            found = objects.get(child)
            if found is None or child in seen:
                self._findings.leave_out("unresolved_link", building.id)
                continue
            seen.add(child)
            kind = str(found.get("type"))
            if kind == "BuildingPart":
                parts.append(self._building(str(child), found, building.id, points))
            elif kind in _ROOMS:
                self._findings.leave_out("interior", building.id)
            else:  # installations belong to what they hang on
                extra = self._building(str(child), found, "", points)
                building.surfaces += [Surface("other", surface.rings) for surface in extra.surfaces]
            self._children_of(found, objects, building, parts, points, seen)

    def _building(
        self, name: str, each: dict[str, Any], parent: str, points: "np.ndarray[Any, Any]"
    ) -> Building:
        facts = each.get("attributes") or {}
        building = Building(
            name,
            parent=parent,
            name=_text(facts.get("name")),
            address=_address(each.get("address") or facts.get("address")),
            function=_text(facts.get("function") or facts.get("usage") or facts.get("class")),
            roof_type=_text(facts.get("roofType")),
            storeys=int(_number(facts.get("storeysAboveGround"), 0.0)),
            measured=_number(facts.get("measuredHeight"), math.nan),
        )
        shapes = [shape for shape in each.get("geometry", ()) if shape.get("type") in _DEPTH]
        for shape in each.get("geometry", ()):
            if shape.get("type") == "GeometryInstance":
                self._findings.leave_out("template", name)
        levels = [_number(shape.get("lod"), 0.0) for shape in shapes]
        best = max((level for level in levels if 1 <= level < 4), default=0.0)
        for shape, level in zip(shapes, levels, strict=True):
            if level == best and best:
                building.surfaces += self._faces(shape, points)
            elif level < 1:
                building.outline += self._faces(shape, points)
            else:
                self._findings.leave_out(
                    "other_lod", name, len(_flat(shape["boundaries"], _DEPTH[shape["type"]]))
                )
        building.lod = best
        return building

    def _faces(self, shape: dict[str, Any], points: "np.ndarray[Any, Any]") -> list[Surface]:
        import numpy as np

        depth = _DEPTH[shape["type"]]
        faces = _flat(shape["boundaries"], depth)
        semantics = shape.get("semantics") or {}
        names = [str(surface.get("type", "")) for surface in semantics.get("surfaces", ())]
        values = _flat(semantics.get("values") or (), depth) if names else []
        values += [None] * (len(faces) - len(values))
        self._findings.thematic.update(names)
        found = []
        for rings, value in zip(faces, values, strict=False):
            kind: Kind = "" if value is None else _KIND_OF.get(names[value], "other")
            corners = [np.asarray(ring, dtype=np.int64) for ring in rings]
            if any(len(ring) and (ring.min() < 0 or ring.max() >= len(points)) for ring in corners):
                raise IndexError("vertex")
            found.append(Surface(kind, [points[np.append(ring, ring[:1])] for ring in corners]))
        return found


@dataclass(frozen=True, slots=True)
class _Place:
    """Where in the text an object begins, what it is, and what belongs to it."""

    kind: str
    children: tuple[str, ...]
    at: int


def _names(value: Any) -> tuple[str, ...]:
    return tuple(str(each) for each in value) if isinstance(value, list) else ()


def _descendants(name: str, places: dict[str, _Place]) -> list[str]:
    found: dict[str, None] = {}
    todo = list(places[name].children)
    while todo:
        child = todo.pop()
        if child in places and child not in found and child != name:
            found[child] = None
            todo.extend(places[child].children)
    return list(found)


def _chain(first: str, rest: Any) -> Iterator[str]:
    yield first
    yield from rest


def _flat(nested: Any, depth: int) -> list[Any]:
    """The faces (or their values) of a nested list, `depth` lists deep."""
    found = list(nested)
    for _ in range(depth - 1):
        found = [item for each in found for item in (each if isinstance(each, list | tuple) else (each,))]
    return found


def _three(values: Any) -> tuple[float, ...]:
    try:
        x, y, z = (float(value) for value in values)
    except (TypeError, ValueError) as problem:
        raise LayerProblem("broken", detail="transform") from problem
    return x, y, z


def _text(value: Any) -> str:
    return " ".join(str(value).split())[:200] if isinstance(value, str | int | float) else ""


def _number(value: Any, otherwise: float) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return otherwise
    return number if math.isfinite(number) and abs(number) < 1e9 else otherwise


def _address(value: Any) -> str:
    """The first address as words; CityJSON leaves open how it is written."""
    first = value[0] if isinstance(value, list) and value else value
    if isinstance(first, str):
        return _text(first)
    if not isinstance(first, dict):
        return ""
    known = {str(key).casefold(): part for key, part in first.items() if isinstance(part, str | int)}

    def one(*names: str) -> str:
        return next((str(known[name]) for name in names if known.get(name)), "")

    street = (
        f"{one('thoroughfarename', 'street')} {one('thoroughfarenumber', 'housenumber', 'number')}".strip()
    )
    town = f"{one('postcode', 'postalcodenumber')} {one('locality', 'localityname', 'city')}".strip()
    return ", ".join(part for part in (street, town) if part)[:200]


# ------------------------------------------------------------------------------------------ JSON piece by piece

_DECODER: Final = json.JSONDecoder()
_BLANK: Final = re.compile(r"[ \t\r\n]*")


def _line(text: str, at: int) -> int:
    return text.count("\n", 0, at) + 1


def _broken(text: str, at: int, detail: str) -> LayerProblem:
    return LayerProblem("broken", line=_line(text, at), detail=detail)


def _members(text: str, start: int) -> Iterator[tuple[str, int]]:
    """Name and beginning of the value of each member of the object that begins at `start`. Raises LayerProblem."""
    at = _skip(text, start)
    if text[at : at + 1] != "{":
        raise _broken(text, at, "an object should begin here")
    at = _skip(text, at + 1)
    while text[at : at + 1] != "}":
        try:
            name, at = _DECODER.raw_decode(text, at)
            at = _skip(text, at)
            if not isinstance(name, str) or text[at : at + 1] != ":":
                raise _broken(text, at, "a name and a colon should stand here")
            at = _skip(text, at + 1)
            yield name, at
            # Large members of the document are not decoded as a whole just to find their end.
            at = _skip(text, _end(text, at))
        except json.JSONDecodeError as problem:
            raise _broken(text, problem.pos, problem.msg) from problem
        if text[at : at + 1] == ",":
            at = _skip(text, at + 1)
        elif text[at : at + 1] != "}":
            raise _broken(text, at, "cut short" if at >= len(text) else "a comma should stand here")


_TOKEN: Final = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{}]')


def _end(text: str, start: int) -> int:
    """Where the value ends that begins at `start`."""
    if text[start : start + 1] not in ("{", "["):
        return int(_DECODER.raw_decode(text, start)[1])
    depth = 0
    for token in _TOKEN.finditer(text, start):
        sign = text[token.start()]
        if sign in "{[":
            depth += 1
        elif sign in "}]":
            depth -= 1
            if depth == 0:
                return token.end()
    raise _broken(text, len(text), "cut short")


def _skip(text: str, at: int) -> int:
    found = _BLANK.match(text, at)
    return found.end() if found else at


def _value(text: str, start: int) -> Any:
    try:
        return _DECODER.raw_decode(text, start)[0]
    except json.JSONDecodeError as problem:
        raise _broken(text, problem.pos, problem.msg) from problem


def _decode(text: str, start: int) -> dict[str, Any]:
    found = _value(text, start)
    if not isinstance(found, dict):
        raise _broken(text, start, "no object")
    return found


def _vertices(text: str, start: int) -> "np.ndarray[Any, Any]":
    """The vertices as an array (n, 3), without a Python number for each."""
    piece = text[start : _end(text, start)]
    numbers = parsed(piece.translate({ord("["): " ", ord("]"): " ", ord(","): " "}))
    commas = piece.count(",")
    if numbers is None or len(numbers) != (commas + 1 if commas else 0) or len(numbers) % 3:
        raise _broken(text, start, "vertices")
    return numbers.reshape(-1, 3)
