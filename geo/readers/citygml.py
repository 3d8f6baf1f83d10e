"""CityGML 1.0, 2.0 and 3.0, LoD1 to LoD3, read as a stream: memory of one building, whatever the file weighs.

expat builds a tree without a line of Python; buildings are taken off it as soon as they are whole, and leave it at once.
The coordinates of many buildings are joined and parsed together by numpy. A face belongs to the thematic surface it stands in, or that refers to it by ``xlink:href``;
solids that only refer to faces add none. Of several levels of detail the highest one of LoD1 to LoD3 is taken for each
building. Appearances, rooms, terrain lines and objects that are no buildings are counted and left out. Document types,
entities and addresses elsewhere are refused or left alone: nothing is ever fetched. A large file may be read by several
processes (`geo.readers.pieces`), with the same result.
"""

import contextlib
import marshal
import math
import re
import struct
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, fields
from itertools import accumulate, chain, pairwise
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Final, Protocol, TypeVar
from xml.etree.ElementTree import Element, ParseError, TreeBuilder, XMLParser
from xml.parsers import expat

from pydantic_core import from_json

from geo.layers import LayerProblem
from geo.readers.archive import Delivered
from geo.readers.citymodel import Building, Findings, Kind, Surface
from geo.readers.pieces import LEAST, PIECE, OutOfTheOrdinary, Pieces, SideBySide, cut

if TYPE_CHECKING:
    import numpy as np

_NAMESPACE: Final = re.compile(r"http://www\.opengis\.net/citygml/(?:(?:building|profiles/base)/)?([123]\.0)")
_ANYWHERE: Final = re.compile(r"http://www\.opengis\.net/citygml/building/([123]\.0)")
_HREF: Final = "{http://www.w3.org/1999/xlink}href"
_CONSTRUCTION_3: Final = "http://www.opengis.net/citygml/construction/3.0"
_KIND_OF: Final[dict[str, Kind]] = {
    "RoofSurface": "roof",
    "WallSurface": "wall",
    "GroundSurface": "ground",
    "ClosureSurface": "closure",
}
_BATCH: Final = 300
"""Faces whose rings are parsed together: few enough that what waits is still at hand for the processor."""
_FORMS: Final = 1_000
_LONGEST_FORM: Final = 60
"""Forms of boundaries that are remembered, and names of each: what comes after, or is longer, is looked at every time."""
_CHUNK: Final = 1 << 16
"""Octets that the tree grows by at once: what stands of it is little."""
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
class _Draft:
    """A building while its elements are gone through. The rings of its faces are texts until many are parsed at once."""

    building: Building
    faces: dict[int, list[Surface]] = field(default_factory=dict)
    """By level of detail."""
    turned: list[Surface] = field(default_factory=list)
    """Faces that are to be seen from the other side."""
    parts: "list[_Draft]" = field(default_factory=list)
    count: int = 0
    """How many faces were found of the building and its parts."""
    has_untold: bool = False
    """Whether a face was found of which only a reference may say what it is."""


def begins_citygml(file: Delivered) -> bool:
    return file.text.startswith(b"<") and b"opengis.net/citygml" in file.head


_Found = TypeVar("_Found")

_Form = tuple[str, int, bool, str, int, Kind]
"""Of a thematic surface: the name of its property with geometry; how many elements the numbers of its ring stand in, and whether
that is a list; its own local name, level of detail, and the kind of its face."""


class _Names(dict[str, _Found]):
    """What belongs to a name of the file, looked up once for each name that occurs."""

    def __init__(self, find: Callable[[str], _Found]) -> None:
        super().__init__()
        self._find = find

    def __missing__(self, name: str) -> _Found:
        found = self[name] = self._find(name)
        return found


_NOTHING: Final = "nothing"
_PART: Final = "part"
_BOUNDARY: Final = "boundary"
_INNER: Final = "building"
_tag, _text = attrgetter("tag"), attrgetter("text")


class _Walk:
    """Takes buildings off a tree while it grows. Names are as the tree has them: "{http://…}Building"."""

    def __init__(
        self,
        findings: Findings,
        others: dict[str, int],
        version: str,
        *,
        number: int | None = 0,
        last: str = "",
    ) -> None:
        """Of a part of a file: how many buildings came before, None if that is not known, and the last of them."""
        self.last = last
        self._others = others
        self._findings = findings
        self._number = number
        base, gml = "http://www.opengis.net/citygml", "http://www.opengis.net/gml"
        core, self._space = f"{base}/{version}", f"{base}/building/{version}"
        self._gml = gml + ("/3.2" if version == "3.0" else "")
        self._building = f"{{{self._space}}}Building"
        self._places = frozenset(
            {self._space, *((core, f"{base}/construction/{version}") if version == "3.0" else ())}
        )
        self._ids = tuple(f"{{{space}}}id" for space in (gml, f"{gml}/3.2"))
        self._members = frozenset(
            f"{{{space}}}{local}"
            for space, local in (
                (core, "cityObjectMember"), (core, "featureMember"), (core, "appearanceMember"),
                (f"{base}/appearance/{version}", "appearanceMember"), (self._gml, "featureMember"),
                ("http://www.opengis.net/wfs", "member"), ("http://www.opengis.net/wfs/2.0", "member"),
            )
        )  # fmt: skip
        self._local = _Names[str](lambda name: name.rpartition("}")[2])
        self._meanings = _Names[tuple[int, str] | str](self._meaning)
        self._facts = _Names[str](self._fact_in)
        self._shapes = _Names[str](self._shape_in)
        self._kinds: dict[tuple[str, str], Kind | None] = {}
        self._forms: dict[tuple[str, ...], _Form | None] = {}
        # Of the file
        self._system = ""
        # Of the building that is gone through
        self._whole = self._draft = _Draft(Building(""))
        self._own_system = self._first_system = ""
        self._areas: list[tuple[Element, Surface]] = []
        self._links: list[tuple[str, Kind]] = []
        self._inner: list[Element] = []

    # ------------------------------------------------------------------------------------------ the tree

    def take(self, root: Element, *, is_open: bool) -> Iterator[tuple[_Draft, str]]:
        """The buildings that are whole, with the name of their system; they leave the tree, and all else that is done.

        With `is_open` the last element of each level may still grow.
        """
        element = root
        while len(element):
            done = element[:-1] if is_open else element[:]
            for child in done:
                if element is root:
                    self._look_for_system(child)
                if child.tag in self._members and len(child):
                    first = child[0]
                    if first.tag == self._building and len(child) == 1:
                        yield self._taken(first)
                        for building in self._inner:
                            yield self._taken(building)
                        continue
                    self._count_other(self._local[first.tag])
                for building in child.iter(self._building):
                    yield self._taken(building)
            del element[: len(done)]
            if not is_open or element[0].tag == self._building:
                break
            element = element[0]

    def _look_for_system(self, child: Element) -> None:
        if not self._system and self._local[child.tag] == "boundedBy":
            for each in child:
                if self._local[each.tag] == "Envelope":
                    self._system = self._system or each.get("srsName", "")

    def _count_other(self, local: str) -> None:
        if local not in ("Building", "Appearance"):
            self._others[local] = self._others.get(local, 0) + 1

    def _taken(self, element: Element) -> tuple[_Draft, str]:
        identifier = self._id(element)
        if self._number is not None:
            self._number += 1
            identifier = identifier or f"Nr. {self._number}"
        elif not identifier:
            raise OutOfTheOrdinary
        self._whole = self._draft = _Draft(Building(identifier))
        self._own_system = self._first_system = ""
        self._areas, self._links, self._inner = [], [], []
        try:
            self._owner(element, "Building", "", "")
        except RecursionError:
            raise LayerProblem("broken", feature=identifier, detail="nested too deeply") from None
        if self._links:
            self._link(element)
        self._whole.count = len(self._areas)
        self.last = identifier
        return self._whole, self._own_system or self._system or self._first_system

    def _id(self, element: Element) -> str:
        for key in self._ids:
            if found := element.get(key):
                return found
        return ""

    # ------------------------------------------------------------------------------------------ buildings

    def _meaning(self, name: str) -> tuple[int, str] | str:
        """What an element of this name is within a building: a property with geometry (level of detail and local name), a
        thematic surface (its local name), a part, what holds a thematic surface, another building, nothing that is of use, or,
        "", something to look into."""
        space, _, local = name[1:].rpartition("}")
        if space in self._places:
            if local in _PROPERTIES:
                return _PROPERTIES[local]
            if local in _THEMATIC:
                return local
            if local in ("boundedBy", "boundary"):
                return _BOUNDARY
        if space == self._space and local == "BuildingPart":
            return _PART
        if name == self._building:
            return _INNER
        if space.startswith("http://www.opengis.net/citygml/generics/") or local == "externalReference":
            return _NOTHING
        return ""

    def _owner(self, element: Element, local: str, parent: str, above: str) -> None:
        """A building or a part: what it says of itself, and all that is in it."""
        self._within(element, local, parent, above, self._draft.building)

    def _within(
        self, element: Element, local: str, parent: str, above: str, building: Building | None = None
    ) -> None:
        """Go through an element, given the local names of it, its parent and its grandparent; `building` where it is one."""
        meanings = self._meanings
        for child in element:
            tag = child.tag
            meaning = meanings[tag]
            if meaning is _BOUNDARY:
                self._boundary(child, local, parent)
            elif not meaning:
                if building is not None and (fact := self._facts[tag]):
                    self._fact(child, fact, building)
                if len(child):
                    self._within(child, self._local[tag], local, parent)
            elif meaning is _NOTHING:
                pass
            elif meaning.__class__ is tuple:
                self._property(child, *meaning, local, above)
            elif meaning is _PART:
                self._part(child, local, parent)
            elif meaning is _INNER:
                self._inner.append(child)
                self._within(child, "Building", local, parent)
            else:
                assert isinstance(meaning, str)
                self._findings.thematic[meaning] += 1
                self._within(child, meaning, local, parent)

    def _part(self, element: Element, parent: str, above: str) -> None:
        whole, before = self._whole, self._draft
        identifier = self._id(element) or f"{whole.building.id} ({len(whole.parts) + 1})"
        self._draft = _Draft(Building(identifier, parent=whole.building.id))
        whole.parts.append(self._draft)
        self._owner(element, "BuildingPart", parent, above)
        self._draft = before

    # ------------------------------------------------------------------------------------------ faces

    def _boundary(self, element: Element, parent: str, above: str) -> None:
        """What holds a thematic surface of a building or a part. Most have one polygon of one ring and are of few forms: what
        such a form comes to is found out once."""
        form = None
        try:
            geometry = element[0][-1]
            group = geometry[0]
            area = group[0][0]
            ring = area[0][0]
        except IndexError:
            pass
        else:
            if len(group) == 1 and parent in _PARTS and (self._system or self._first_system):
                tags = (*map(_tag, element.iter()),)
                try:
                    form = self._forms[tags]
                except KeyError:
                    form = self._form(tags)
                    if len(tags) <= _LONGEST_FORM and len(self._forms) < _FORMS:
                        self._forms[tags] = form
        if form is None or geometry.tag is not form[0] or len(ring) != form[1]:
            self._within(element, self._local[element.tag], parent, above)
            return
        _, _, is_list, thematic, lod, kind = form
        self._findings.thematic[thematic] += 1
        if is_list:
            numbers = ring[0]
            text: Any = numbers.text or ""
            if len(text) > _LONGEST or numbers.get("srsDimension", "3") != "3":
                text = self._ring(numbers)
        else:
            text = " ".join([each.text or "" for each in ring])
        face = Surface(kind, [text])
        faces = self._draft.faces
        if lod in faces:
            faces[lod].append(face)
        else:
            faces[lod] = [face]
        self._areas.append((area, face))

    def _form(self, tags: tuple[str, ...]) -> "_Form | None":
        """What an element comes to that has these names, its own and those of all within, in this order, if its first child
        has a geometry as its last child, and of that the first child, its first child and so on are the five that come
        next, with the numbers in the last: a polygon of one ring. None for what is to be gone through. As no other has the
        name of the geometry, and nothing else is of use, it does not matter how what comes before is nested."""
        name = next((each for each in tags if self._meanings[each].__class__ is tuple), "")
        place = tags.index(name) if name else 0
        others, chain = tags[2:place], [self._shapes[each] for each in tags[place:]]
        numbers = chain[6:]
        if place < 2 or tags.count(name) > 1 or chain[:6] != ["", "group", "", "area", "", "LinearRing"]:
            return None
        if numbers != ["posList"] and (not numbers or {*numbers} != {"pos"}):
            return None
        if any(self._meanings[each] not in ("", _NOTHING) for each in others):
            return None
        thematic, meaning = self._meanings[tags[1]], self._meanings[name]
        if not isinstance(thematic, str) or thematic not in _THEMATIC or not isinstance(meaning, tuple):
            return None
        (lod, what), kind = meaning, _kind_of(thematic, "Building")
        if kind is None or not 0 < lod < 4 or what not in _SHAPES:
            return None
        return name, len(numbers), numbers == ["posList"], thematic, lod, kind

    def _ring(self, element: Element) -> str:
        """The numbers of a ring as they stand there; "" where they are not three for each point, or too many."""
        text = element.text or ""
        if len(text) > _LONGEST:
            self._findings.leave_out("too_detailed", self._draft.building.id)
            return ""
        return text if element.get("srsDimension", "3") == "3" else ""

    def _property(self, element: Element, lod: int, what: str, parent: str, above: str) -> None:
        """The areas and links of a property, as deep as they lie."""
        names = parent, above
        if names not in self._kinds:
            self._kinds[names] = _kind_of(parent, above)
        kind = self._kinds[names]
        draft, whole = self._draft, self._whole
        into: list[Surface] | None = None
        if kind is None or lod == 4:
            self._findings.leave_out("interior", whole.building.id)
        elif what in _NO_SHAPES:
            if what == "ImplicitRepresentation":
                self._findings.leave_out("template", whole.building.id)
        elif lod:
            into = draft.faces.get(lod)
            if into is None:
                into = draft.faces[lod] = []
        elif what != "RoofEdge" and not draft.building.outline:
            into = draft.building.outline
        kind = kind or ""
        draft.has_untold = draft.has_untold or not kind
        shapes, has_system = self._shapes, bool(self._system or self._first_system)
        turned: set[Element] = set()
        rings: list[Any] = []
        start = 0
        for each in element.iter():
            shape = shapes[each.tag]
            if not shape:
                if not len(each) and (target := each.get(_HREF)):
                    self._links.append((target, kind))
            elif shape == "posList":
                rings.append(self._ring(each))
            elif shape == "LinearRing":
                start = len(rings)
            elif shape == "area":
                if not has_system:
                    self._first_system = each.get("srsName", "")
                    has_system = bool(self._first_system)
                rings, start = [], 0
                if into is not None:
                    face = Surface(kind, rings)
                    into.append(face)
                    self._areas.append((each, face))
                    if each in turned:
                        draft.turned.append(face)
            elif shape == "group":
                if not has_system:
                    self._first_system = each.get("srsName", "")
                    has_system = bool(self._first_system)
            elif shape == "pos":
                if len(rings) > start:
                    rings[-1] += " " + (each.text or "")
                else:
                    rings.append(each.text or "")
            elif shape == "coordinates":
                rings.append((each.text or "").replace(",", " "))
            elif each.get("orientation") == "-":  # counts for all that is within
                turned.update(each.iter())

    def _shape_in(self, name: str) -> str:
        """What an element is among those that geometry is made of; "" for one that only holds others."""
        space, _, local = name[1:].rpartition("}")
        if space != self._gml:
            return ""
        if local in _AREAS:
            return "area"
        if local in _GROUPS:
            return "group"
        return local if local in ("posList", "pos", "coordinates", "LinearRing", "OrientableSurface") else ""

    def _link(self, building: Element) -> None:
        """Give faces the kind of the surface that refers to them; note what refers to nothing here."""
        whole = self._whole.building.id
        faces = dict(self._areas)
        # Most refer to areas alone.
        named = {name: each for each in faces if (name := self._id(each))}
        if any(target[1:] not in named for target, _ in self._links):
            named = {name: each for each in building.iter() if (name := self._id(each))}
        for target, kind in self._links:
            there = named.get(target[1:]) if target.startswith("#") else None
            if there is not None and kind:
                for each in there.iter():
                    if face := faces.get(each):
                        face.kind = face.kind or kind
            if not target.startswith("#"):
                self._findings.leave_out("remote_link", whole)
            elif there is None:
                self._findings.leave_out("unresolved_link", whole)

    # ------------------------------------------------------------------------------------------ attributes

    def _fact_in(self, name: str) -> str:
        """What an element right within a building or a part says of it; "" for nothing."""
        space, _, local = name[1:].rpartition("}")
        if space == self._gml and local in ("name", "boundedBy"):
            return local
        return local if space in self._places and local in _FACTS else ""

    def _fact(self, element: Element, fact: str, building: Building) -> None:
        text = element.text or ""
        if fact == "measuredHeight":
            building.measured = _number(text, math.nan)
            return
        words = " ".join(text.split())[:200]
        if fact == "function":
            building.function = building.function or words
        elif fact == "roofType":
            building.roof_type = words
        elif fact == "name":
            building.name = building.name or words
        elif fact == "storeysAboveGround":
            building.storeys = int(_number(text, 0.0))
        elif fact == "height":  # CityGML 3
            value = next(element.iter(f"{{{_CONSTRUCTION_3}}}value"), None)
            if value is not None and math.isnan(building.measured):
                building.measured = _number(value.text, math.nan)
        elif fact == "address":
            building.address = building.address or self._address(element)
        else:
            for each in element:
                if self._local[each.tag] == "Envelope":
                    self._own_system = each.get("srsName") or self._own_system

    def _address(self, element: Element) -> str:
        words: dict[str, str] = {}
        for each in element.iter():
            local = self._local[each.tag]
            if local in _ADDRESS and (found := " ".join((each.text or "").split())[:200]):
                words.setdefault(local, found)
        return _address(words)


def _kind_of(parent: str, above: str) -> Kind | None:
    """What faces are whose property lies in `parent`, which lies two below `above`; None for what is inside a building."""
    if parent in _THEMATIC:
        if above not in _PARTS:
            # A dormer's roof is the dormer's; a window is its wall's; a room's wall is nobody's business.
            return "other" if above in _INSTALLATIONS or above in _THEMATIC else None
        return _KIND_OF.get(parent, "other")
    if parent in _PARTS:
        return ""
    return "other" if parent in _INSTALLATIONS else None


class _Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...

    def tell(self) -> int: ...


class CityGmlFile:
    """A CityGML file: `sources` yields its buildings; `version` and `others` are known when it has been read.

    More than one of `processes` may be used where there is only one thread.
    """

    def __init__(
        self,
        path: Path,
        findings: Findings,
        progress: Callable[[float], None],
        *,
        processes: int = 1,
        piece: int = PIECE,
    ) -> None:
        self.path = path
        self.version = ""
        self.others: dict[str, int] = {}
        self._findings = findings
        self._progress = progress
        self._size = max(1, path.stat().st_size)
        self._processes = processes if self._size >= LEAST * piece // PIECE else 1
        self._piece = piece
        self._found = ""

    def sources(self) -> Iterator[Source]:
        """Buildings in the order of the file.

        Raises LayerProblem: xml_entities, unknown_format, broken (with line and the last building that was whole).
        """
        with self.path.open("rb") as file:
            self.version = _version(file)
            file.seek(0)
            found = _ANYWHERE.search(file.read(65_536).decode("latin-1"))
            self._found = found[1] if found else "2.0"
            pieces = cut(self.path, self._piece) if self._processes > 1 else None
            if pieces is None:
                file.seek(0)
                yield from self._whole(self._drafts(file, self._walk()))
                return
        count, number, last = 0, 0, ""
        with SideBySide(
            lambda each: self._piece_of(pieces, each), len(pieces), processes=self._processes
        ) as forks:
            while number < len(pieces) and (answer := forks.answer(number)) is not None:
                for source in self._of_piece(answer):
                    count, last = count + 1, source.building.id
                    yield source
                number += 1
                self._progress(pieces.bounds[number] / self._size)
        if number < len(pieces):
            walk = self._walk(number=count, last=last)
            try:
                with pieces.rest(number) as rest:
                    yield from self._whole(self._drafts(rest, walk))
            except LayerProblem as problem:
                if isinstance(line := problem.facts.get("line"), int):
                    problem.facts["line"] = line + pieces.lines_before(number)
                raise

    def _walk(self, *, number: int | None = 0, last: str = "") -> _Walk:
        return _Walk(self._findings, self.others, self._found, number=number, last=last)

    # ---------------------------------------------------------------------------------------------- pieces

    def _piece_of(self, pieces: Pieces, number: int) -> bytes | None:
        """In a process of its own: what a piece says, for `_of_piece`; None for one that is out of the ordinary."""
        import numpy as np

        self._findings, self.others, self._progress = Findings(), {}, lambda share: None
        try:
            with pieces.piece(number) as document:
                sources = list(self._whole(self._drafts(document, self._walk(number=None))))
        except (OutOfTheOrdinary, LayerProblem):
            return None
        rings: list[Any] = []
        told = []
        for source in sources:
            buildings = []
            for each in (source.building, *source.parts):
                faces = [*each.surfaces, *each.outline]
                for face in faces:
                    rings += face.rings
                shapes = [(face.kind, len(face.rings)) for face in faces]
                buildings.append((_words(each), len(each.surfaces), shapes))
            told.append((source.system, buildings))
        points = np.concatenate(rings).tobytes() if rings else b""
        found = self._findings
        return marshal.dumps(
            (told, list(map(len, rings)), points, dict(found.thematic), found.left, self.others)
        )

    def _of_piece(self, answer: bytes) -> Iterator[Source]:
        """The buildings of a piece; what it found is added to what was found before."""
        import numpy as np

        told, lengths, octets, thematic, left, others = marshal.loads(answer)
        self._findings.add(thematic, left)
        for name, count in others.items():
            self.others[name] = self.others.get(name, 0) + count
        points = np.frombuffer(bytearray(octets)).reshape(-1, 3)
        rings = [points[a:b] for a, b in pairwise(accumulate(lengths, initial=0))]
        end = 0
        for system, buildings in told:
            found = []
            for words, count, shapes in buildings:
                faces = []
                for kind, number in shapes:
                    start, end = end, end + number
                    faces.append(Surface(kind, rings[start:end]))
                building = Building(words[0], faces[:count], *words[1:])
                building.outline = faces[count:]
                found.append(building)
            yield Source(found[0], found[1:], system)

    # -------------------------------------------------------------------------------------------- elements

    def _whole(self, drafts: Iterator[tuple[_Draft, str]]) -> Iterator[Source]:
        """Buildings with their coordinates, many parsed at once."""
        waiting: list[tuple[_Draft, str]] = []
        count = 0
        for draft, system in drafts:
            waiting.append((draft, system))
            count += draft.count
            if count >= _BATCH:
                yield from self._finished(waiting)
                waiting, count = [], 0
        yield from self._finished(waiting)

    def _drafts(self, file: _Readable, walk: _Walk) -> Iterator[tuple[_Draft, str]]:
        # The builder gives its root away while there is more to come: what is done can be taken and removed.
        builder = TreeBuilder()
        parser = XMLParser(target=builder)
        root: Element | None = None
        chunk = b" "
        while chunk:
            chunk = file.read(_CHUNK)
            try:
                if chunk:
                    parser.feed(chunk)
                else:
                    parser.close()
            except ParseError as problem:
                if root is not None:
                    yield from walk.take(root, is_open=True)
                raise _broken(problem, walk.last) from problem
            except (LookupError, ValueError) as problem:  # an encoding that nobody knows
                raise LayerProblem("broken", line=1, detail=str(problem)[:200]) from problem
            if root is None:
                root = builder.close()
            if root is not None:
                yield from walk.take(root, is_open=bool(chunk))
            self._progress(file.tell() / self._size)

    # ------------------------------------------------------------------------------------------ coordinates

    def _finished(self, waiting: list[tuple[_Draft, str]]) -> Iterator[Source]:
        """Buildings with numbers instead of text, all texts parsed at once."""
        drafts = [(draft, each) for draft, _ in waiting for each in (draft, *draft.parts)]
        faces: list[Surface] = []
        for _, each in drafts:
            self._choose(each)
            faces += each.building.surfaces
            faces += each.building.outline
        texts: list[Any] = [ring for face in faces for ring in face.rings]
        numbers, counts = numbers_of(texts)
        if numbers is None or len(numbers) != sum(counts):
            raise self._unreadable(drafts)
        is_whole = all(face.rings for face in faces)
        bad = not is_whole or any(count % 3 for count in {*counts})
        ends = [*accumulate(counts, initial=0)]
        if bad:
            arrays = [
                numbers[a:b].reshape(-1, 3) if (b - a) % 3 == 0 else numbers[:0] for a, b in pairwise(ends)
            ]
        else:
            ends = [end // 3 for end in ends]
            arrays = [*map(numbers.reshape(-1, 3).__getitem__, map(slice, ends, ends[1:]))]
        if is_whole and len(faces) == len(arrays):
            for face, array in zip(faces, arrays, strict=True):
                face.rings = [array]
        else:
            end = 0
            for face in faces:
                start, end = end, end + len(face.rings)
                face.rings = arrays[start:end]
        for _, each in drafts:
            if bad:
                self._leave_out_bad(each.building)
            for face in each.turned:
                face.rings = [ring[::-1] for ring in face.rings]
        for draft, system in waiting:
            yield Source(draft.building, [part.building for part in draft.parts], system)

    def _leave_out_bad(self, building: Building) -> None:
        """Faces of which a ring is no row of points in space."""
        for faces in (building.surfaces, building.outline):
            good = [face for face in faces if face.rings and all(ring.ndim == 2 for ring in face.rings)]
            if len(good) < len(faces):
                self._findings.leave_out("not_three", building.id, len(faces) - len(good))
                faces[:] = good

    def _choose(self, draft: _Draft) -> None:
        """Keep the highest level of detail; faces of a solid that repeat thematic ones word for word go."""
        building, others = draft.building, draft.faces
        best = max([lod for lod, faces in others.items() if faces], default=0)
        building.lod = float(best)
        if not best:
            return
        kept = others.pop(best)
        if others and (left := sum(map(len, others.values()))):
            self._findings.leave_out("other_lod", building.id, left)
        if draft.has_untold and (told := {tuple(face.rings) for face in kept if face.kind}):
            once = [face for face in kept if face.kind or tuple(face.rings) not in told]
            if len(once) < len(kept):
                self._findings.leave_out("repeated_face", building.id, len(kept) - len(once))
            kept = once
        building.surfaces = kept

    def _unreadable(self, drafts: list[tuple[_Draft, _Draft]]) -> LayerProblem:
        """The building whose coordinates are no numbers."""
        for whole, each in drafts:
            faces = (*each.building.surfaces, *each.building.outline)
            for text in (str(ring) for face in faces for ring in face.rings):
                for word in text.split():
                    try:
                        float(word)
                    except ValueError:
                        name = whole.building.id
                        return LayerProblem(
                            "broken", feature=name, detail=f"{name}: “{word[:40]}” is no number"
                        )
        return LayerProblem("broken", detail="coordinates")


def numbers_of(texts: list[str]) -> "tuple[np.ndarray[Any, Any] | None, list[int]]":
    """The numbers of texts, one after the other, and how many each has; None, or fewer, where something is no number.

    With one blank between them, as nearly all are written, they are read as JSON: the same numbers in half of the time.
    """
    import numpy as np

    joined = " ".join(texts)
    if not any(sign in joined for sign in _JSON_TOO) and not ("-" in joined and "-0" in joined):
        with contextlib.suppress(ValueError, OverflowError, struct.error):
            found = from_json(f"[[{'],['.join(texts).replace(' ', ',')}]]")
            counts = [*map(len, found)]
            numbers: Any = np.empty(sum(counts))
            struct.pack_into(f"{len(numbers)}d", numbers, 0, *chain.from_iterable(found))
            return numbers, counts
    return parsed(joined), [len(text.split()) for text in texts]


_JSON_TOO: Final = ("e", "n", '"', ",", "[", "{")
"""What stands for more than numbers in JSON: true, false, null, texts, lists. And a whole -0 loses its sign there."""


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


_words: Final = attrgetter(
    *(each.name for each in fields(Building) if each.name not in ("surfaces", "outline"))
)
"""What a building says of itself, in the order in which it is made, its faces left out."""


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


def _version(file: BinaryIO) -> str:
    """The version that the root of the file declares. Raises LayerProblem: xml_entities, unknown_format.

    Document types can only stand before the root; what is wrong there otherwise is told by whoever reads the file.
    """
    spaces: list[str] = []
    root: list[str] = []

    def refuse(*_: object) -> None:
        raise LayerProblem("xml_entities")

    def begin(name: str, attributes: dict[str, str]) -> None:
        root.append(name)
        parser.StartElementHandler = parser.StartNamespaceDeclHandler = None

    parser = expat.ParserCreate(namespace_separator=" ")
    parser.StartDoctypeDeclHandler = refuse
    parser.StartNamespaceDeclHandler = lambda prefix, space: spaces.append(space or "")
    parser.StartElementHandler = begin
    try:
        while not root and (chunk := file.read(65_536)):
            parser.Parse(chunk, False)
    except (expat.ExpatError, LookupError, ValueError):
        pass
    if not root:
        return ""
    space, _, local = root[0].rpartition(" ")
    for each in (space, *spaces):
        if match := _NAMESPACE.fullmatch(each):
            return match[1]
    raise LayerProblem("unknown_format", looks_like=f"XML ({local})")


def _broken(problem: ParseError, last: str) -> LayerProblem:
    words = expat.errors.messages[problem.code]
    if "entity" in words:
        return LayerProblem("xml_entities")
    after = f"; after building {last}" if last else ""
    return LayerProblem("broken", line=problem.position[0], detail=f"{words}{after}")
