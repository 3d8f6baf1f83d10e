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
_RINGS: Final = tuple(f"{{http://www.opengis.net/{space}}}LinearRing" for space in ("gml", "gml/3.2"))
_IDS: Final = ("{http://www.opengis.net/gml}id", "{http://www.opengis.net/gml/3.2}id")
_LOD: Final = re.compile(r"lod([0-4])(Solid|MultiSurface|Geometry|FootPrint|RoofEdge)")
_BATCH: Final = 40_000
"""Rings that are parsed together."""

_EVENTS: Final = (
    *("{*}CityModel", "{*}FeatureCollection", "{*}Building", "{*}Envelope"),
    *("{*}cityObjectMember", "{*}featureMember", "{*}featureMembers", "{*}member", "{*}appearanceMember"),
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
    links: list[tuple[Kind, str]] = field(default_factory=list)
    outline: list[_Face] = field(default_factory=list)
    parts: "list[_Draft]" = field(default_factory=list)


def begins_citygml(file: Delivered) -> bool:
    return file.text.startswith(b"<") and b"opengis.net/citygml" in file.head


class CityGmlFile:
    """A CityGML file: `sources` yields its buildings; `version` and `others` are known when it has been read."""

    def __init__(self, path: Path, findings: Findings, progress: Callable[[float], None]) -> None:
        self.path = path
        self.version = ""
        self.others: dict[str, int] = {}
        self._findings = findings
        self._progress = progress
        self._last = ""
        self._known: dict[str, _Face] = {}

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
        system, building_line = "", 0
        with self.path.open("rb") as file:
            # Only what has to be known is reported to Python; all else stays with libxml2.
            events = etree.iterparse(
                file, events=("start", "end"), tag=_EVENTS, resolve_entities=False, no_network=True,
                load_dtd=False, remove_comments=True, remove_pis=True,
            )  # fmt: skip
            try:
                for event, element in events:
                    name = _local(element.tag)
                    if event == "start":
                        if not self.version:
                            self.version = self._version_of(element)
                        if name == "Building":
                            building_line = int(element.sourceline or 0)
                        continue
                    if name == "Envelope":
                        system = element.get("srsName") or system
                    elif name == "Building":
                        building_line = 0
                        draft = self._building(element)
                        own = system or _system_within(element)
                        yield draft, own
                        _forget(element)
                    elif name not in ("CityModel", "FeatureCollection"):
                        self._note_other(element)
                        _forget(element)
                        self._progress(file.tell() / size)
            except etree.XMLSyntaxError as problem:
                raise self._broken(problem, events.error_log, building_line) from problem
        if not self.version:
            raise LayerProblem("broken", detail="no element")

    def _broken(self, problem: Any, log: Any, building_line: int) -> LayerProblem:
        first = next(iter(log), None)
        line = first.line if first is not None else problem.lineno or 1
        words = str(first.message if first is not None else problem.msg)[:200]
        if "ntity" in words:
            return LayerProblem("xml_entities")
        after = f"; after building {self._last}" if self._last else ""
        begun = f", in the building that begins in line {building_line}" if building_line else ""
        return LayerProblem("broken", line=line, detail=f"{words}{begun}{after}")

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

    def _note_other(self, member: "_Element") -> None:
        for child in member:
            name = _local(child.tag)
            if name not in ("Building", "Appearance", ""):
                self.others[name] = self.others.get(name, 0) + 1

    def _building(self, element: "_Element") -> _Draft:
        self._known = {}
        draft = self._draft(element, parent="")
        self._last = draft.building.id
        self._link(element, draft)
        return draft

    def _draft(self, element: "_Element", *, parent: str) -> _Draft:
        identifier = element.get(_IDS[0]) or element.get(_IDS[1]) or f"line {element.sourceline}"
        draft = _Draft(Building(identifier, parent=parent))
        for child in element:
            name = _local(child.tag)
            if name in ("boundedBy", "boundary"):
                for surface in child:
                    self._thematic(surface, draft)
            elif name in ("consistsOfBuildingPart", "buildingPart"):
                for part in child:
                    draft.parts.append(self._draft(part, parent=identifier))
            elif found := _LOD.fullmatch(name):
                self._geometry(child, draft, int(found[1]), found[2], "")
            elif name in ("outerBuildingInstallation", "buildingInstallation"):
                self._installation(child, draft)
            elif name in ("interiorRoom", "buildingRoom", "interiorBuildingInstallation", "buildingUnit"):
                self._findings.leave_out("interior", identifier)
            else:
                self._fact(name, child, draft.building)
        return draft

    def _thematic(self, surface: "_Element", draft: _Draft) -> None:
        name = _local(surface.tag)
        if not name.endswith(("Surface", "Window", "Door")):
            return
        if name.startswith(("Interior", "Ceiling", "Floor")):
            self._findings.leave_out("interior", draft.building.id)
            return
        self._findings.thematic[name] += 1
        kind = _KIND_OF.get(name, "other")
        for child in surface:
            inner = _local(child.tag)
            if found := _LOD.fullmatch(inner):
                self._geometry(child, draft, int(found[1]), found[2], kind)
            elif inner in ("opening", "fillingSurface"):
                for opening in child:
                    self._thematic(opening, draft)

    def _installation(self, prop: "_Element", draft: _Draft) -> None:
        """Balconies, chimneys, dormers: their faces count, whatever they are called within the installation."""
        for child in prop.iter():
            if found := _LOD.fullmatch(_local(child.tag)):
                self._geometry(child, draft, int(found[1]), found[2], "other")

    def _geometry(self, prop: "_Element", draft: _Draft, lod: int, what: str, kind: Kind) -> None:
        if lod == 4:
            self._findings.leave_out("interior", draft.building.id)
            return
        into = draft.outline if lod == 0 else draft.faces
        if what == "RoofEdge" or (lod == 0 and into):
            return
        turned = _turned(prop)
        for polygon in prop.iter(*_POLYGONS):
            rings = [_text_of(ring) for ring in polygon.iter(*_RINGS)]
            face = _Face(lod, kind, rings, turned=polygon in turned)
            into.append(face)
            identifier = polygon.get(_IDS[0]) or polygon.get(_IDS[1])
            if identifier:
                self._known[identifier] = face
        for member in prop.iter(prop.tag, *_REFERRING):
            if target := member.get(_HREF):
                draft.links.append((kind, target))

    def _link(self, element: "_Element", whole: _Draft) -> None:
        """Give faces the kind of the surface that refers to them; note what refers to nothing here."""
        groups: dict[str, _Element] | None = None
        for draft in (whole, *whole.parts):
            for kind, target in draft.links:
                if not target.startswith("#"):
                    self._findings.leave_out("remote_link", draft.building.id)
                    continue
                faces = [self._known[target[1:]]] if target[1:] in self._known else []
                if not faces:
                    if groups is None:
                        found = (
                            (each.get(_IDS[0]) or each.get(_IDS[1]), each) for each in element.iter("{*}*")
                        )
                        groups = {name: each for name, each in found if name}
                    if target[1:] not in groups:
                        self._findings.leave_out("unresolved_link", draft.building.id)
                        continue
                    inner = (
                        each.get(_IDS[0]) or each.get(_IDS[1]) for each in groups[target[1:]].iter(*_POLYGONS)
                    )
                    faces = [self._known[name] for name in inner if name]
                for face in faces:
                    face.kind = face.kind or kind

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
        import numpy as np

        drafts = [(draft, each) for draft, _ in waiting for each in (draft, *draft.parts)]
        for _, each in drafts:
            self._choose(each)
        texts = [ring for _, each in drafts for face in (*each.faces, *each.outline) for ring in face.rings]
        counts = [len(text.split()) for text in texts]
        numbers = parsed(" ".join(texts))
        if numbers is None or len(numbers) != sum(counts):
            raise self._unreadable(drafts)
        ends = np.cumsum(counts)
        position = 0
        for _, each in drafts:
            for faces, into in ((each.faces, each.building.surfaces), (each.outline, each.building.outline)):
                for face in faces:
                    rings = []
                    for _ring in face.rings:
                        start = int(ends[position]) - counts[position]
                        if counts[position] % 3 == 0:
                            ring = numbers[start : ends[position]].reshape(-1, 3)
                            rings.append(ring[::-1] if face.turned else ring)
                        position += 1
                    if len(rings) == len(face.rings) and rings:
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


_REFERRING: Final = tuple(
    f"{{http://www.opengis.net/{space}}}{name}"
    for space in ("gml", "gml/3.2")
    for name in ("surfaceMember", "baseSurface", "exterior", "solidMember")
)
_ORIENTABLE: Final = tuple(
    f"{{http://www.opengis.net/{space}}}OrientableSurface" for space in ("gml", "gml/3.2")
)


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


def _turned(prop: "_Element") -> "set[_Element]":
    """Polygons that an OrientableSurface turns inside out."""
    return {
        polygon
        for surface in prop.iter(*_ORIENTABLE)
        if surface.get("orientation") == "-"
        for polygon in surface.iter(*_POLYGONS)
    }


def _text_of(ring: "_Element") -> str:
    """The coordinates of a ring: one posList, or as many pos, or GML 2's coordinates."""
    if len(ring) == 1:
        child = ring[0]
        text = child.text or ""
        if child.get("srsDimension", "3") != "3":
            return ""
        return text.replace(",", " ") if _local(child.tag) == "coordinates" else text
    return " ".join(child.text or "" for child in ring if _local(child.tag) == "pos")


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
