"""CityGML 1.0, 2.0 and 3.0, LoD1 to LoD3, read as a stream: memory of one building, whatever the file weighs.

expat tells of one element after the other, and no tree is ever built; the coordinates of many buildings are joined and
parsed at once by numpy. A face belongs to the thematic surface it stands in, or that refers to it by ``xlink:href``;
solids that only refer to faces add none. Of several levels of detail the highest one of LoD1 to LoD3 is taken for each
building. Appearances, rooms, terrain lines and objects that are no buildings are counted and left out. Document types,
entities and addresses elsewhere are refused or left alone: nothing is ever fetched.
"""

import math
import mmap
import re
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar
from xml.parsers import expat

from geo.layers import LayerProblem
from geo.readers.archive import Delivered
from geo.readers.citymodel import Building, Findings, Kind, Surface

if TYPE_CHECKING:
    import numpy as np

_NAMESPACE: Final = re.compile(r"http://www\.opengis\.net/citygml/(?:(?:building|profiles/base)/)?([123]\.0)")
_ANYWHERE: Final = re.compile(r"http://www\.opengis\.net/citygml/building/([123]\.0)")
_XLINK: Final = "http://www.w3.org/1999/xlink"
_KIND_OF: Final[dict[str, Kind]] = {
    "RoofSurface": "roof",
    "WallSurface": "wall",
    "GroundSurface": "ground",
    "ClosureSurface": "closure",
}
_BATCH: Final = 40_000
"""Rings that are parsed together."""
_CHUNK: Final = 1 << 18
_LONGEST: Final = 10_000_000
"""Characters of one ring: more than any wall of a town has, and what one ring may cost of memory."""

_SHAPES: Final = ("Solid", "MultiSurface", "Geometry", "FootPrint", "RoofEdge")
_NO_SHAPES: Final = (
    "TerrainIntersection",
    "TerrainIntersectionCurve",
    "MultiCurve",
    "ImplicitRepresentation",
)
_PROPERTIES: Final = {f"lod{lod}{what}": (lod, what) for lod in range(5) for what in (*_SHAPES, *_NO_SHAPES)}
"""What holds geometry in a building, a part, a thematic surface, an opening or an installation."""

_THEMATIC: Final = frozenset(
    {*_KIND_OF, "OuterCeilingSurface", "OuterFloorSurface", "Window", "Door", "WindowSurface", "DoorSurface",
     "GenericThematicSurface"}
)  # fmt: skip
_INSTALLATIONS: Final = frozenset({"BuildingInstallation", "BuildingConstructiveElement"})
_PARTS: Final = frozenset({"Building", "BuildingPart"})
_GROUPS: Final = (
    "Solid", "CompositeSolid", "MultiSolid", "Shell", "MultiSurface", "CompositeSurface", "Surface", "PolyhedralSurface",
    "TriangulatedSurface",
)  # fmt: skip
_ADDRESS: Final = (
    "ThoroughfareName", "NameElement", "ThoroughfareNumber", "Number", "PostalCodeNumber", "LocalityName",
)  # fmt: skip
_AREAS: Final = frozenset({"Polygon", "PolygonPatch", "Triangle", "Rectangle"})
_FACTS: Final = frozenset(
    {"function", "roofType", "name", "storeysAboveGround", "measuredHeight", "height", "address"}
)


@dataclass(slots=True)
class Source:
    """One building with its parts as it stands in a file, and the name of the system its coordinates are in."""

    building: Building
    parts: list[Building]
    system: str


@dataclass(slots=True)
class _Face:
    lod: int
    kind: Kind
    rings: list[str]
    turned: bool = False


@dataclass(slots=True)
class _Draft:
    """A building while its elements are gone through."""

    building: Building
    faces: list[_Face] = field(default_factory=list)
    outline: list[_Face] = field(default_factory=list)
    parts: "list[_Draft]" = field(default_factory=list)


def begins_citygml(file: Delivered) -> bool:
    return file.text.startswith(b"<") and b"opengis.net/citygml" in file.head


_Handler = Callable[[dict[str, str]], None]
_Ending = Callable[[], None]


_Found = TypeVar("_Found")


class _Names(dict[str, _Found]):
    """What belongs to a name of the file, looked up once for each name that occurs."""

    def __init__(self, find: Callable[[str], _Found]) -> None:
        super().__init__()
        self._find = find

    def __missing__(self, name: str) -> _Found:
        found = self[name] = self._find(name)
        return found


class _Walk:
    """Goes through a file element by element; buildings that are whole wait in `ready`, with the name of their system.

    Names stay as they are in the file ("bldg:Building") where all prefixes are declared at the root, which expat is
    much faster with; otherwise it takes them apart ("http://… Building").
    """

    def __init__(self, findings: Findings, *, takes_apart: bool) -> None:
        self.ready: list[tuple[_Draft, str]] = []
        self.version = ""
        self.others: dict[str, int] = {}
        self.last = ""
        self._findings = findings
        self._takes_apart = takes_apart
        self.parser = parser = expat.ParserCreate(namespace_separator=" " if takes_apart else None)
        parser.buffer_text = True
        parser.StartDoctypeDeclHandler = self._refuse
        parser.StartNamespaceDeclHandler = self._declare
        self._spaces: dict[str, str] = {}
        self._stack: list[str] = []
        self._local = _Names[str](lambda name: self._apart(name)[1])
        self._words: list[str] = []
        self._hear = self._words.append
        # Of the file
        self._building_space = self._gml = self._href = ""
        self._ids: tuple[str, ...] = ()
        self._places: frozenset[str] = frozenset()
        self._system = ""
        # Of the building that is gone through
        self._whole: _Draft | None = None
        self._owners: list[tuple[int, _Draft]] = []
        self._own_system = self._first_system = ""
        self._order: list[_Face] = []
        #: With the attributes that name them; names are only looked up where something refers to one.
        self._named: list[tuple[dict[str, str], _Face]] = []
        self._groups: list[tuple[dict[str, str], int, int]] = []
        self._open_groups: list[tuple[dict[str, str], int]] = []
        self._links: list[tuple[str, Kind]] = []
        # Of the property and the face
        self._is_property = False
        self._into: list[_Face] | None = None
        self._face: _Face | None = None
        self._lod = 0
        self._kind: Kind = ""
        self._turned = 0
        self._is_3d = True
        self._is_heard = False
        self._ring = self._ring_of_points = 0
        self._address: dict[str, str] | None = None
        self._wants_height = False

    # ------------------------------------------------------------------------------------------ names

    def _apart(self, name: str) -> tuple[str, str]:
        """Namespace and local name."""
        if self._takes_apart:
            space, _, local = name.rpartition(" ")
            return space, local
        prefix, _, local = name.rpartition(":")
        return self._spaces.get(prefix, ""), local

    def _attribute(self, space: str, local: str) -> str:
        """How an attribute is called in this file; "" where its namespace is not declared."""
        if self._takes_apart:
            return f"{space} {local}"
        return next(
            (f"{prefix}:{local}" for prefix, each in self._spaces.items() if each == space and prefix), ""
        )

    def _declare(self, prefix: str | None, space: str | None) -> None:
        if not self._stack:  # those of the root
            self._spaces[prefix or ""] = space or ""

    def _refuse(self, *_: object) -> None:
        raise LayerProblem("xml_entities")

    def _root(self, name: str, attributes: dict[str, str]) -> None:
        if not self._takes_apart:
            for key, space in attributes.items():
                if key == "xmlns" or key.startswith("xmlns:"):
                    self._spaces[key[6:]] = space
        space, local = self._apart(name)
        found = [
            match[1] for each in (space, *self._spaces.values()) if (match := _NAMESPACE.fullmatch(each))
        ]
        if not found:
            raise LayerProblem("unknown_format", looks_like=f"XML ({local})")
        self.version = found[0]
        self._stack.append(name)
        self._href = self._attribute(_XLINK, "href")
        spaces = ("http://www.opengis.net/gml", "http://www.opengis.net/gml/3.2")
        self._ids = tuple(key for each in spaces if (key := self._attribute(each, "id")))

    def begin(self, version: str) -> None:
        """Take names for those of this version of the module of buildings; to be called before the first chunk."""
        base = "http://www.opengis.net/citygml"
        self._building_space, core = f"{base}/building/{version}", f"{base}/{version}"
        self._gml = "http://www.opengis.net/gml" + ("/3.2" if version == "3.0" else "")
        self._places = frozenset(
            {self._building_space, *((core, f"{base}/construction/{version}") if version == "3.0" else ())}
        )
        members = {
            (core, "cityObjectMember"), (core, "featureMember"), (core, "appearanceMember"),
            (f"{base}/appearance/{version}", "appearanceMember"), (self._gml, "featureMember"),
            ("http://www.opengis.net/wfs", "member"), ("http://www.opengis.net/wfs/2.0", "member"),
        }  # fmt: skip
        stack, push, pop, parser = self._stack, self._stack.append, self._stack.pop, self.parser

        def outside(name: str) -> _Handler | None:
            space, local = self._apart(name)
            if local == "Building" and space == self._building_space:
                return enter
            if local == "Envelope":
                return self._envelope
            return member if (space, local) in members else None

        def at_end(name: str) -> _Ending | None:
            is_building = self._apart(name) == (self._building_space, "Building")
            return leave if is_building else self._at_end(name)

        outer, inner = _Names[_Handler | None](outside), _Names[_Handler | None](self._at_start)
        ends = _Names[_Ending | None](at_end)

        def enter(attributes: dict[str, str]) -> None:
            self._begin_building(attributes)
            parser.StartElementHandler = start_inside
            parser.EndElementHandler = end_inside

        def member(attributes: dict[str, str]) -> None:
            parser.StartElementHandler = start_in_member

        def start_outside(name: str, attributes: dict[str, str]) -> None:
            push(name)
            action = outer[name]
            if action is not None:
                action(attributes)

        def start_in_member(name: str, attributes: dict[str, str]) -> None:
            local = self._local[name]
            if local not in ("Building", "Appearance"):
                self.others[local] = self.others.get(local, 0) + 1
            parser.StartElementHandler = start_outside
            start_outside(name, attributes)

        def end_outside(name: str) -> None:
            pop()
            if parser.StartElementHandler is start_in_member:
                parser.StartElementHandler = start_outside  # a member with nothing in it

        def start_inside(name: str, attributes: dict[str, str]) -> None:
            push(name)
            action = inner[name]
            if action is not None:
                action(attributes)
            if attributes and self._href in attributes and self._is_property:
                self._links.append((attributes[self._href], self._kind))

        def end_inside(name: str) -> None:
            pop()
            action = ends[name]
            if action is not None:
                action()

        def leave() -> None:
            if len(stack) < self._owners[0][0]:
                self._end_building()
                parser.StartElementHandler = start_outside
                parser.EndElementHandler = end_outside

        def root(name: str, attributes: dict[str, str]) -> None:
            self._root(name, attributes)
            parser.StartElementHandler = start_outside

        parser.StartElementHandler = root
        parser.EndElementHandler = end_outside

    def _at_start(self, name: str) -> _Handler | None:
        space, local = self._apart(name)
        found: _Handler | None = None
        if space in self._places:
            if local in _PROPERTIES:
                lod, what = _PROPERTIES[local]
                found = lambda attributes: self._begin_property(lod, what)  # noqa: E731
            elif local in _THEMATIC:
                found = lambda attributes: self._begin_thematic(local, attributes)  # noqa: E731
            elif local in _FACTS:
                found = lambda attributes: self._begin_fact(local)  # noqa: E731
        if found is None and space == self._building_space and local == "BuildingPart":
            found = self._begin_part
        if found is None and space == self._gml:
            found = {
                **dict.fromkeys(_AREAS, self._begin_area),
                **dict.fromkeys(_GROUPS, self._begin_group),
                "posList": self._begin_numbers,
                "pos": self._begin_numbers,
                "coordinates": self._begin_numbers,
                "LinearRing": self._begin_ring,
                "OrientableSurface": self._begin_orientable,
                "name": lambda attributes: self._begin_fact("name"),
            }.get(local)
        if found is None and local == "Envelope":
            found = self._own_envelope
        if found is None and local in _ADDRESS:
            found = self._begin_address_word
        if found is None and local == "value" and self._gml.endswith("3.2"):
            found = self._begin_height
        return found

    def _at_end(self, name: str) -> _Ending | None:
        space, local = self._apart(name)
        found: _Ending | None = None
        if space in self._places:
            if local in _PROPERTIES:
                found = self._end_property
            elif local in _THEMATIC:
                found = self._end_group
            elif local in _FACTS:
                found = lambda: self._end_fact(local)  # noqa: E731
        if found is None and space == self._building_space and local == "BuildingPart":
            found = self._end_part
        if found is None and space == self._gml:
            found = {
                **dict.fromkeys(_GROUPS, self._end_group),
                "posList": self._end_list,
                "pos": self._end_point,
                "coordinates": self._end_coordinates,
                "OrientableSurface": self._end_orientable,
                "name": lambda: self._end_fact("name"),
            }.get(local)
        if found is None and local in _ADDRESS:
            found = lambda: self._end_address_word(local)  # noqa: E731
        if found is None and local == "value" and self._gml.endswith("3.2"):
            found = self._end_height
        return found

    # ------------------------------------------------------------------------------------------ buildings

    def _begin_building(self, attributes: dict[str, str]) -> None:
        self._whole = self._draft(attributes, "")
        self._owners = [(len(self._stack), self._whole)]
        self._own_system = self._first_system = ""
        self._order, self._named, self._groups = [], [], []
        self._open_groups, self._links = [], []
        self._into = self._face = self._address = None
        self._is_property = self._wants_height = False
        self._turned = 0

    def _end_building(self) -> None:
        assert self._whole is not None
        self._link(self._whole)
        self.last = self._whole.building.id
        self.ready.append((self._whole, self._own_system or self._system or self._first_system))
        self._whole = None

    def _draft(self, attributes: dict[str, str], parent: str) -> _Draft:
        identifier = self._id(attributes) or f"line {self.parser.CurrentLineNumber}"
        return _Draft(Building(identifier, parent=parent))

    def _id(self, attributes: dict[str, str]) -> str:
        for key in self._ids:
            if found := attributes.get(key):
                return found
        return ""

    def _begin_part(self, attributes: dict[str, str]) -> None:
        assert self._whole is not None
        part = self._draft(attributes, self._whole.building.id)
        self._whole.parts.append(part)
        self._owners.append((len(self._stack), part))

    def _end_part(self) -> None:
        self._owners.pop()

    def _envelope(self, attributes: dict[str, str]) -> None:
        if len(self._stack) == 3 and self._local[self._stack[1]] == "boundedBy":
            self._system = self._system or attributes.get("srsName", "")

    def _own_envelope(self, attributes: dict[str, str]) -> None:
        """The envelope of a building or part itself."""
        if len(self._stack) == self._owners[-1][0] + 2 and self._apart(self._stack[-2]) == (
            self._gml,
            "boundedBy",
        ):
            self._own_system = attributes.get("srsName") or self._own_system

    # ------------------------------------------------------------------------------------------ faces

    def _begin_thematic(self, local: str, attributes: dict[str, str]) -> None:
        self._findings.thematic[local] += 1
        self._begin_group(attributes)

    def _begin_property(self, lod: int, what: str) -> None:
        self._face = self._into = None
        self._is_property = True
        kind = self._kind_here()
        draft = self._owners[-1][1]
        self._kind, self._lod = kind or "", lod
        whole = self._owners[0][1].building.id
        if kind is None or lod == 4:
            self._findings.leave_out("interior", whole)
        elif what in _NO_SHAPES:
            if what == "ImplicitRepresentation":
                self._findings.leave_out("template", whole)
        elif lod or (what != "RoofEdge" and not draft.outline):
            self._into = draft.faces if lod else draft.outline

    def _end_property(self) -> None:
        self._is_property = False
        self._face = self._into = None

    def _kind_here(self) -> Kind | None:
        """What faces are whose property begins; None for what lies inside a building."""
        stack, local = self._stack, self._local
        name = local[stack[-2]]
        if name in _THEMATIC:
            found = local[stack[-4]]
            if found not in _PARTS:
                # A dormer's roof is the dormer's; a window is its wall's; a room's wall is nobody's business.
                return "other" if found in _INSTALLATIONS or found in _THEMATIC else None
            return _KIND_OF.get(name, "other")
        if name in _PARTS:
            return ""
        return "other" if name in _INSTALLATIONS else None

    def _begin_group(self, attributes: dict[str, str]) -> None:
        if not (self._system or self._first_system):
            self._first_system = attributes.get("srsName", "")
        self._open_groups.append((attributes, len(self._order)))

    def _end_group(self) -> None:
        attributes, first = self._open_groups.pop()
        if attributes:
            self._groups.append((attributes, first, len(self._order)))

    def _begin_orientable(self, attributes: dict[str, str]) -> None:
        # An orientation counts for all that is within it, as deep as it lies.
        turns = attributes.get("orientation") == "-"
        self._open_groups.append(({}, -1 if turns else 0))
        self._turned += turns

    def _end_orientable(self) -> None:
        self._turned -= self._open_groups.pop()[1] == -1

    def _begin_area(self, attributes: dict[str, str]) -> None:
        if not (self._system or self._first_system):
            self._first_system = attributes.get("srsName", "")
        into = self._into
        if into is None:
            self._face = None
            return
        face = self._face = _Face(self._lod, self._kind, [], self._turned > 0)
        into.append(face)
        self._order.append(face)
        if attributes:
            self._named.append((attributes, face))

    def _begin_ring(self, attributes: dict[str, str]) -> None:
        self._ring += 1

    def _begin_numbers(self, attributes: dict[str, str]) -> None:
        if self._face is not None:
            self._is_3d = not attributes or attributes.get("srsDimension", "3") == "3"
            self._is_heard = True
            self._words.clear()
            self.parser.CharacterDataHandler = self._hear

    def _heard(self) -> str:
        """What stands in the element that ends."""
        self.parser.CharacterDataHandler = None
        self._is_heard = False
        words = self._words
        return words[0] if len(words) == 1 else "".join(words)

    def _end_list(self) -> None:
        if self._is_heard and self._face is not None:
            text = self._heard()
            if len(text) > _LONGEST:
                self._findings.leave_out("too_detailed", self._owners[-1][1].building.id)
                text = ""
            self._face.rings.append(text if self._is_3d else "")

    def _end_coordinates(self) -> None:
        if self._is_heard and self._face is not None:
            self._face.rings.append(self._heard().replace(",", " "))

    def _end_point(self) -> None:
        if self._is_heard and self._face is not None:
            text = self._heard()
            if self._face.rings and self._ring == self._ring_of_points:
                self._face.rings[-1] += " " + text
            else:
                self._ring_of_points = self._ring
                self._face.rings.append(text)

    def _link(self, whole: _Draft) -> None:
        """Give faces the kind of the surface that refers to them; note what refers to nothing here."""
        if not self._links:
            return
        known = {self._id(attributes): face for attributes, face in self._named}
        groups = {self._id(attributes): span for attributes, *span in self._groups}
        for target, kind in self._links:
            name = target[1:]
            if not target.startswith("#"):
                self._findings.leave_out("remote_link", whole.building.id)
            elif name and name in known:
                known[name].kind = known[name].kind or kind
            elif name and name in groups:
                for face in self._order[slice(*groups[name])]:
                    face.kind = face.kind or kind
            else:
                self._findings.leave_out("unresolved_link", whole.building.id)

    # ------------------------------------------------------------------------------------------ attributes

    def _begin_fact(self, local: str) -> None:
        if len(self._stack) != self._owners[-1][0] + 1:
            return
        if local == "address":
            self._address = {}
        elif local == "height":
            self._wants_height = True
        else:
            self._listen()

    def _listen(self) -> None:
        self._is_heard = True
        self._words.clear()
        self.parser.CharacterDataHandler = self._hear

    def _end_fact(self, local: str) -> None:
        depth, draft = self._owners[-1]
        if len(self._stack) != depth:
            return
        building = draft.building
        if local == "address":
            if self._address is not None and not building.address:
                building.address = _address(self._address)
            self._address = None
        elif local == "height":
            self._wants_height = False
        elif self._is_heard:
            text = self._heard()
            words = " ".join(text.split())[:200]
            if local == "function":
                building.function = building.function or words
            elif local == "roofType":
                building.roof_type = words
            elif local == "name":
                building.name = building.name or words
            elif local == "storeysAboveGround":
                building.storeys = int(_number(text, 0.0))
            else:
                building.measured = _number(text, math.nan)

    def _begin_height(self, attributes: dict[str, str]) -> None:
        if self._wants_height:
            self._listen()

    def _end_height(self) -> None:
        if self._wants_height and self._is_heard:
            building = self._owners[-1][1].building
            text = self._heard()
            if math.isnan(building.measured):
                building.measured = _number(text, math.nan)
            self._wants_height = False

    def _begin_address_word(self, attributes: dict[str, str]) -> None:
        if self._address is not None:
            self._listen()

    def _end_address_word(self, local: str) -> None:
        if self._address is not None and self._is_heard:
            words = " ".join(self._heard().split())[:200]
            if words:
                self._address.setdefault(local, words)


class CityGmlFile:
    """A CityGML file: `sources` yields its buildings; `version` and `others` are known when it has been read."""

    def __init__(self, path: Path, findings: Findings, progress: Callable[[float], None]) -> None:
        self.path = path
        self.version = ""
        self.others: dict[str, int] = {}
        self._findings = findings
        self._progress = progress

    def sources(self) -> Iterator[Source]:
        """Buildings in the order of the file.

        Raises LayerProblem: xml_entities, unknown_format, broken (with line and the last building that was whole).
        """
        waiting: list[tuple[_Draft, str]] = []
        rings = 0
        for draft, system in self._drafts():
            waiting.append((draft, system))
            rings += sum(len(face.rings) for each in (draft, *draft.parts) for face in each.faces)
            if rings >= _BATCH:
                yield from self._finished(waiting)
                waiting, rings = [], 0
        yield from self._finished(waiting)

    # -------------------------------------------------------------------------------------------- elements

    def _drafts(self) -> Iterator[tuple[_Draft, str]]:
        size = max(1, self.path.stat().st_size)
        with self.path.open("rb") as file:
            head = file.read(65_536)
            file.seek(0)
            found = _ANYWHERE.search(head.decode("latin-1"))
            walk = _Walk(self._findings, takes_apart=not _declares_at_root(file.fileno(), head))
            walk.begin(found[1] if found else "2.0")
            self.others = walk.others
            parse, ready = walk.parser.Parse, walk.ready
            chunk = b" "
            while chunk:
                chunk = file.read(_CHUNK)
                try:
                    parse(chunk, not chunk)
                except expat.ExpatError as problem:
                    yield from ready
                    raise self._broken(problem, walk) from problem
                except (LookupError, UnicodeError) as problem:  # an encoding that nobody knows
                    raise LayerProblem("broken", line=1, detail=str(problem)[:200]) from problem
                self.version = walk.version
                yield from ready
                ready.clear()
                self._progress(file.tell() / size)

    def _broken(self, problem: expat.ExpatError, walk: _Walk) -> LayerProblem:
        words = expat.errors.messages[problem.code]
        if "entity" in words:
            return LayerProblem("xml_entities")
        after = f"; after building {walk.last}" if walk.last else ""
        return LayerProblem("broken", line=problem.lineno, detail=f"{words}{after}")

    # ------------------------------------------------------------------------------------------ coordinates

    def _finished(self, waiting: list[tuple[_Draft, str]]) -> Iterator[Source]:
        """Buildings with numbers instead of text, all texts parsed at once."""

        drafts = [(draft, each) for draft, _ in waiting for each in (draft, *draft.parts)]
        for _, each in drafts:
            self._choose(each)
        texts = [text for _, each in drafts for face in (*each.faces, *each.outline) for text in face.rings]
        numbers = parsed(" ".join(texts))
        counts = [text.count(" ") + 1 for text in texts]
        if numbers is not None and len(numbers) != sum(counts):
            counts = [len(text.split()) for text in texts]  # more blanks than needed, or lines
        if numbers is None or len(numbers) != sum(counts):
            raise self._unreadable(drafts)
        whole = all(count % 3 == 0 for count in counts)
        points = numbers.reshape(-1, 3) if whole else numbers
        end = position = 0
        for _, each in drafts:
            for faces, into in ((each.faces, each.building.surfaces), (each.outline, each.building.outline)):
                for face in faces:
                    rings = []
                    for _ring in face.rings:
                        count = counts[position]
                        start, end = end, end + count
                        position += 1
                        if whole:
                            rings.append(points[start // 3 : end // 3])
                        elif count % 3 == 0:
                            rings.append(points[start:end].reshape(-1, 3))
                    if face.turned:
                        rings = [ring[::-1] for ring in rings]
                    if rings and len(rings) == len(face.rings):
                        into.append(Surface(face.kind, rings))
                    else:
                        self._findings.leave_out("not_three", each.building.id)
        for draft, system in waiting:
            yield Source(draft.building, [part.building for part in draft.parts], system)

    def _choose(self, draft: _Draft) -> None:
        """Keep the highest level of detail; faces of a solid that repeat thematic ones word for word go."""
        best = max((face.lod for face in draft.faces), default=0)
        kept = [face for face in draft.faces if face.lod == best]
        if len(kept) < len(draft.faces):
            self._findings.leave_out("other_lod", draft.building.id, len(draft.faces) - len(kept))
        if any(not face.kind for face in kept) and (
            told := {tuple(face.rings) for face in kept if face.kind}
        ):
            once = [face for face in kept if face.kind or tuple(face.rings) not in told]
            if len(once) < len(kept):
                self._findings.leave_out("repeated_face", draft.building.id, len(kept) - len(once))
            kept = once
        draft.faces = kept
        draft.building.lod = float(best)

    def _unreadable(self, drafts: list[tuple[_Draft, _Draft]]) -> LayerProblem:
        """The building whose coordinates are no numbers."""
        for whole, each in drafts:
            for text in (ring for face in (*each.faces, *each.outline) for ring in face.rings):
                for word in text.split():
                    try:
                        float(word)
                    except ValueError:
                        name = whole.building.id
                        return LayerProblem(
                            "broken", feature=name, detail=f"{name}: “{word[:40]}” is no number"
                        )
        return LayerProblem("broken", detail="coordinates")


def parsed(text: str) -> "np.ndarray[Any, Any] | None":
    """The numbers of a text, blanks between them; as far as they are numbers, or None, when something else is there."""
    import numpy as np

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # older numpy: told by the count
        try:
            numbers: np.ndarray[Any, Any] = np.fromstring(text, sep=" ")
        except ValueError:
            return None
    return numbers


def _number(text: str | None, otherwise: float) -> float:
    try:
        value = float(text or "")
    except ValueError:
        return otherwise
    return value if math.isfinite(value) and abs(value) < 1e9 else otherwise


def _address(words: dict[str, str]) -> str:
    """Street and number, postcode and town, as xAL 2 and 3 write them."""

    def first(*names: str) -> str:
        return next((words[name] for name in names if name in words), "")

    street = first("ThoroughfareName", "NameElement")
    number = first("ThoroughfareNumber", "Number")
    place = " ".join(part for part in (first("PostalCodeNumber"), first("LocalityName")) if part)
    return ", ".join(part for part in (f"{street} {number}".strip(), place) if part)[:200]


def _declares_at_root(file: int, head: bytes) -> bool:
    """Whether all namespaces of a file are declared at its root, whose tag `head` holds, each with one prefix."""
    root = re.search(rb"<[A-Za-z_][^<>]*>", head)
    if root is None or b"\0" in head:
        return False
    declared = re.findall(rb"xmlns(?::[^=\s]+)?\s*=\s*[\"']([^\"']*)[\"']", root[0])
    shared = {_XLINK.encode(), b"http://www.opengis.net/gml", b"http://www.opengis.net/gml/3.2"}
    if any(declared.count(space) > 1 for space in shared):
        return False
    with mmap.mmap(file, 0, access=mmap.ACCESS_READ) as whole:
        return whole.find(b"xmlns", root.end()) == -1
