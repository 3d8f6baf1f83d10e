"""CityGML 1.0, 2.0 and 3.0, LoD1 to LoD3, read as a stream: memory of one building, whatever the file weighs.

lxml gives one building after the other; its coordinates are joined and parsed at once by numpy. A face belongs to the
thematic surface it stands in, or that refers to it by ``xlink:href``; solids that only refer to faces add none. Of
several levels of detail the highest one of LoD1 to LoD3 is taken for each building. Appearances, rooms, terrain lines
and objects that are no buildings are counted and left out. Document types, entities and addresses elsewhere are
refused or left alone: nothing is ever fetched.
"""

import math
import re
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from geo.layers import LayerProblem
from geo.readers.archive import Delivered
from geo.readers.citymodel import Building, Findings, Kind, Surface

if TYPE_CHECKING:
    import numpy as np
    from lxml.etree import _Element

_NAMESPACE: Final = re.compile(r"http://www\.opengis\.net/citygml/(?:(?:building|profiles/base)/)?([123]\.0)")
_ANYWHERE: Final = re.compile(r"http://www\.opengis\.net/citygml/building/([123]\.0)")
_HREF: Final = "{http://www.w3.org/1999/xlink}href"
_KIND_OF: Final[dict[str, Kind]] = {
    "RoofSurface": "roof",
    "WallSurface": "wall",
    "GroundSurface": "ground",
    "ClosureSurface": "closure",
}
_POLYGONS: Final = tuple(
    f"{{http://www.opengis.net/{space}}}{name}"
    for space in ("gml", "gml/3.2")
    for name in ("Polygon", "Triangle", "Rectangle", "PolygonPatch")
)
_IDS: Final = ("{http://www.opengis.net/gml}id", "{http://www.opengis.net/gml/3.2}id")
_BATCH: Final = 40_000
"""Rings that are parsed together."""

_MEMBERS: Final = ("cityObjectMember", "featureMember", "member", "appearanceMember")
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
_GEOMETRY: Final = (
    "Polygon", "PolygonPatch", "Triangle", "Rectangle", "posList", "pos", "coordinates", "OrientableSurface",
)  # fmt: skip
_AREAS: Final = frozenset({"Polygon", "PolygonPatch", "Triangle", "Rectangle"})


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


@dataclass(frozen=True, slots=True)
class _Tags:
    """The whole names of what is looked for in one version: libxml2 compares those by address."""

    events: tuple[str, ...]
    wanted: tuple[str, ...]
    facts: tuple[str, ...]

    @classmethod
    def of(cls, version: str) -> "_Tags":
        base = "http://www.opengis.net/citygml"
        building, core, gml = f"{base}/building/{version}", f"{base}/{version}", _gml_of(version)
        spaces = (building,) if version != "3.0" else (building, core, f"{base}/construction/{version}")
        members = (
            f"{{{core}}}cityObjectMember",
            f"{{{core}}}featureMember",
            f"{{{base}/appearance/{version}}}appearanceMember",
            f"{{{core}}}appearanceMember",
            f"{{{gml}}}featureMember",
            *(f"{{http://www.opengis.net/wfs{wfs}}}member" for wfs in ("", "/2.0")),
        )
        return cls(
            (f"{{{building}}}Building", *members),
            (
                *(f"{{{space}}}{name}" for space in spaces for name in _PROPERTIES),
                *(f"{{{gml}}}{name}" for name in _GEOMETRY),
                f"{{{building}}}BuildingPart",
                *(f"{{{space}}}{name}" for space in spaces for name in sorted(_THEMATIC)),
            ),
            (
                *(f"{{{space}}}{name}" for space in spaces for name in _FACTS),
                f"{{{gml}}}name",
                f"{{{gml}}}boundedBy",
            ),
        )


def _gml_of(version: str) -> str:
    return "http://www.opengis.net/gml/3.2" if version == "3.0" else "http://www.opengis.net/gml"


class CityGmlFile:
    """A CityGML file: `sources` yields its buildings; `version` and `others` are known when it has been read."""

    def __init__(self, path: Path, findings: Findings, progress: Callable[[float], None]) -> None:
        self.path = path
        self.version = ""
        self.others: dict[str, int] = {}
        self._findings = findings
        self._progress = progress
        self._last = ""
        self._system = self._own_system = ""
        self._names: dict[Any, str] = {}
        self._tags = _Tags.of("2.0")
        self._hrefs = _href_finder()

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
        from lxml import etree

        size = max(1, self.path.stat().st_size)
        root = None
        with self.path.open("rb") as file:
            head = file.read(65_536).decode("latin-1")
            found = _ANYWHERE.search(head)
            self._tags = tags = _Tags.of(found[1] if found else "2.0")
            file.seek(0)
            # Only what has to be known is reported to Python; all else stays with libxml2.
            events = etree.iterparse(
                file, events=("end",), tag=tags.events, resolve_entities=False, no_network=True, load_dtd=False,
                remove_comments=True, remove_pis=True, remove_blank_text=True, collect_ids=False,
            )  # fmt: skip
            try:
                for _, element in events:
                    if root is None:
                        root = element.getroottree().getroot()
                        self._begin(root)
                    name = self._name(element.tag)
                    parent = element.getparent()
                    if name == "Building":
                        draft = self._building(element)
                        yield draft, self._own_system or self._system or _system_within(element)
                        if parent is not None and self._name(parent.tag) not in _MEMBERS:
                            _forget(
                                element
                            )  # many in one featureMembers; otherwise its member goes as a whole
                    else:
                        self._note_other(element)
                        _forget(element)
                        self._progress(file.tell() / size)
            except etree.XMLSyntaxError as problem:
                raise self._broken(problem, events.error_log) from problem
            if root is None:
                self._begin(events.root)

    def _begin(self, root: "_Element") -> None:
        self.version = self._version_of(root)
        envelope = root.find("{*}boundedBy/{*}Envelope")
        if envelope is not None:
            self._system = envelope.get("srsName") or ""

    def _broken(self, problem: Any, log: Any) -> LayerProblem:
        first = next(iter(log), None)
        line = first.line if first is not None else problem.lineno or 1
        words = str(first.message if first is not None else problem.msg)[:200]
        if "ntity" in words:
            return LayerProblem("xml_entities")
        after = f"; after building {self._last}" if self._last else ""
        return LayerProblem("broken", line=line, detail=f"{words}{after}")

    def _version_of(self, root: "_Element") -> str:
        from lxml import etree

        info = root.getroottree().docinfo
        if info.internalDTD is not None or info.externalDTD is not None:
            raise LayerProblem("xml_entities")
        spaces = (str(etree.QName(root).namespace), *(str(each) for each in root.nsmap.values()))
        found = [match[1] for space in spaces if (match := _NAMESPACE.fullmatch(space))]
        if not found:
            raise LayerProblem("unknown_format", looks_like=f"XML ({_local(root.tag)})")
        return found[0]

    def _name(self, tag: Any) -> str:
        """The local name of a tag; each tag is looked at once."""
        name = self._names.get(tag)
        if name is None:
            name = self._names[tag] = _local(tag)
        return name

    def _note_other(self, member: "_Element") -> None:
        for child in member:
            name = self._name(child.tag)
            if name not in ("Building", "Appearance", ""):
                self.others[name] = self.others.get(name, 0) + 1

    def _building(self, element: "_Element") -> _Draft:
        """All faces of a building and its parts, in one walk over the elements that matter."""
        whole = self._draft(element, "")
        self._last = whole.building.id
        self._own_system = ""
        drafts = {element: whole}
        known: dict[str, _Face] = {}
        turned: set[_Element] = set()
        into: list[_Face] | None = None
        face: _Face | None = None
        ring: _Element | None = None
        lod, kind, names = 0, "", self._names
        self._facts(element, whole.building)
        for node in element.iter(*self._tags.wanted):
            name = names.get(node.tag) or self._name(node.tag)
            if name == "posList":
                if face is not None:
                    face.rings.append((node.text or "") if node.get("srsDimension", "3") == "3" else "")
            elif name in _AREAS:
                face = None
                if into is not None:
                    face = _Face(lod, kind, [], node in turned)  # type: ignore[arg-type]
                    into.append(face)
                    if identifier := node.get(_IDS[0]) or node.get(_IDS[1]):
                        known[identifier] = face
            elif name in _PROPERTIES:
                face = into = None
                lod, what = _PROPERTIES[name]
                parent = node.getparent()
                found = self._kind_in(parent)
                if found is None or parent is None or lod == 4:
                    self._findings.leave_out("interior", whole.building.id)
                    continue
                kind = found
                if what in _NO_SHAPES:
                    if what == "ImplicitRepresentation":
                        self._findings.leave_out("template", whole.building.id)
                    continue
                draft = whole if len(drafts) == 1 else _owner(parent, drafts)
                if lod or (what != "RoofEdge" and not draft.outline):
                    into = draft.faces if lod else draft.outline
            elif name in _THEMATIC:
                self._findings.thematic[name] += 1
            elif name == "BuildingPart":
                part = drafts[node] = self._draft(node, whole.building.id)
                whole.parts.append(part)
                self._facts(node, part.building)
            elif name == "OrientableSurface":
                if node.get("orientation") == "-":
                    turned.update(node.iter(*_POLYGONS))
            elif face is not None:  # GML 2's coordinates, or a ring of single points
                words = node.text or ""
                if name == "coordinates":
                    face.rings.append(words.replace(",", " "))
                elif (its_ring := node.getparent()) is ring and face.rings:
                    face.rings[-1] += " " + words
                else:
                    ring = its_ring
                    face.rings.append(words)
        self._link(element, whole, known)
        return whole

    def _draft(self, element: "_Element", parent: str) -> _Draft:
        identifier = element.get(_IDS[0]) or element.get(_IDS[1]) or f"line {element.sourceline}"
        return _Draft(Building(identifier, parent=parent))

    def _kind_in(self, parent: "_Element | None") -> Kind | None:
        """What faces are that stand in `parent`; None for what lies inside a building."""
        if parent is None:
            return None
        name = self._name(parent.tag)
        if name in _THEMATIC:
            above = parent.getparent()
            above = above.getparent() if above is not None else None
            if above is not None and (found := self._name(above.tag)) not in _PARTS:
                # A dormer's roof is the dormer's; a window is its wall's; a room's wall is nobody's business.
                return "other" if found in _INSTALLATIONS or found in _THEMATIC else None
            return _KIND_OF.get(name, "other")
        if name in _PARTS:
            return ""
        return "other" if name in _INSTALLATIONS else None

    def _facts(self, element: "_Element", building: Building) -> None:
        for child in element.iterchildren(*self._tags.facts):
            name = self._name(child.tag)
            if name in _FACTS:
                self._fact(name, child, building)
            elif len(child) and self._name(child[0].tag) == "Envelope":
                self._own_system = child[0].get("srsName") or self._own_system

    def _link(self, element: "_Element", whole: _Draft, known: dict[str, _Face]) -> None:
        """Give faces the kind of the surface that refers to them; note what refers to nothing here."""
        targets = {str(target) for target in self._hrefs(element)}
        if not targets:
            return
        told = {f"#{name}" for name, face in known.items() if face.kind}
        if targets <= told:
            return
        groups: dict[str, _Element] | None = None
        for node in element.iter("{*}*"):
            target = node.get(_HREF)
            if not target:
                continue
            prop = next(
                (up for up in (node, *node.iterancestors()) if self._name(up.tag) in _PROPERTIES), None
            )
            if prop is None:
                continue  # an address, a group, whatever else may refer to something
            kind = self._kind_in(prop.getparent())
            if not target.startswith("#"):
                self._findings.leave_out("remote_link", whole.building.id)
                continue
            faces = [known[target[1:]]] if target[1:] in known else []
            if not faces:
                if groups is None:
                    every = ((each.get(_IDS[0]) or each.get(_IDS[1]), each) for each in element.iter("{*}*"))
                    groups = {name: each for name, each in every if name}
                if target[1:] not in groups:
                    self._findings.leave_out("unresolved_link", whole.building.id)
                    continue
                inner = (
                    each.get(_IDS[0]) or each.get(_IDS[1]) for each in groups[target[1:]].iter(*_POLYGONS)
                )
                faces = [known[name] for name in inner if name in known]
            for face in faces:
                face.kind = face.kind or kind or ""

    # ------------------------------------------------------------------------------------------- attributes

    def _fact(self, name: str, element: "_Element", building: Building) -> None:
        if name in ("function", "roofType"):
            value = _words(element)
            if name == "function":
                building.function = building.function or value
            else:
                building.roof_type = value
        elif name == "name":
            building.name = building.name or _words(element)
        elif name == "storeysAboveGround":
            building.storeys = int(_number(element.text, 0.0))
        elif name == "measuredHeight":
            building.measured = _number(element.text, math.nan)
        elif name == "height":  # CityGML 3
            value_element = element.find(".//{*}value")
            if value_element is not None and math.isnan(building.measured):
                building.measured = _number(value_element.text, math.nan)
        elif name == "address" and not building.address:
            building.address = _address(element)

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
        told = {tuple(face.rings) for face in kept if face.kind}
        if told:
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


_FACTS: Final = frozenset(
    {"function", "roofType", "name", "storeysAboveGround", "measuredHeight", "height", "address"}
)


def _href_finder() -> Any:
    """All references of a building, found without an element object for each."""
    from lxml import etree

    return etree.XPath(
        "descendant::*/@x:href", namespaces={"x": _HREF[1:].partition("}")[0]}, smart_strings=False
    )


def _owner(element: "_Element", drafts: "dict[_Element, _Draft]") -> _Draft:
    """The building or part in which an element stands."""
    return next(drafts[each] for each in (element, *element.iterancestors()) if each in drafts)


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


def _local(tag: Any) -> str:
    return tag.rpartition("}")[2] if isinstance(tag, str) else ""


def _system_within(element: "_Element") -> str:
    """The name of a coordinate system at any geometry of a building, for files that do not say it at their head."""
    return next((name for each in element.iter("{*}*") if (name := each.get("srsName"))), "")


def _forget(element: "_Element") -> None:
    """Free an element and what stands before it."""
    element.clear()
    parent = element.getparent()
    while parent is not None and element.getprevious() is not None:
        del parent[0]


def _words(element: "_Element") -> str:
    return " ".join((element.text or "").split())[:200]


def _number(text: str | None, otherwise: float) -> float:
    try:
        value = float(text or "")
    except ValueError:
        return otherwise
    return value if math.isfinite(value) and abs(value) < 1e9 else otherwise


def _address(element: "_Element") -> str:
    """Street and number, postcode and town, as xAL 2 and 3 write them."""

    def first(*names: str) -> str:
        for name in names:
            for found in element.iter(f"{{*}}{name}"):
                if text := _words(found):
                    return text
        return ""

    street = first("ThoroughfareName", "NameElement")
    number = first("ThoroughfareNumber", "Number")
    place = " ".join(part for part in (first("PostalCodeNumber"), first("LocalityName")) if part)
    return ", ".join(part for part in (f"{street} {number}".strip(), place) if part)[:200]
