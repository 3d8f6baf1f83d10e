"""XPlanGML 5.1 to 6.1: German spatial plans (development, land-use, landscape, regional plans), plain or zipped.

Two passes: lxml streams through the document once, refuses what is dangerous or unknown, and collects what is not
geometry (plan, texts, documents); GDAL then reads every feature class with its geometry, arcs as line segments.
"""

import re
import tempfile
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Final

from geo.layers import (
    Attached,
    LayerProblem,
    LayerRead,
    Limits,
    PlanFacts,
    PlanText,
    Raw,
    Skipped,
    normalise,
)
from geo.readers.archive import Delivered, scratch_copy, unpack
from geo.readers.vector import add_layers

if TYPE_CHECKING:
    import geopandas
    from lxml.etree import _Element

NAMESPACE: Final = re.compile(r"http://www\.xplanung\.de/xplangml/(\d+)/(\d+)")
VERSIONS: Final = ("5.1", "5.2", "5.3", "5.4", "6.0", "6.1")

PLAN_KINDS: Final = {
    "BP_Plan": {
        "1000": "Bebauungsplan",
        "10000": "einfacher Bebauungsplan",
        "10001": "qualifizierter Bebauungsplan",
        "10002": "Bebauungsplan zur Wohnraumversorgung",
        "3000": "vorhabenbezogener Bebauungsplan",
        "3100": "Vorhaben- und Erschließungsplan",
        "4000": "Innenbereichssatzung",
        "40000": "Klarstellungssatzung",
        "40001": "Entwicklungssatzung",
        "40002": "Ergänzungssatzung",
        "5000": "Außenbereichssatzung",
        "7000": "örtliche Bauvorschrift",
        "9999": "sonstiger Plan",
    },
    "FP_Plan": {
        "1000": "Flächennutzungsplan",
        "2000": "gemeinsamer Flächennutzungsplan",
        "3000": "regionaler Flächennutzungsplan",
        "4000": "Flächennutzungsplan mit regionalplanerischem Charakter",
        "5000": "sachlicher Teilplan",
        "9999": "sonstiger Plan",
    },
}
"""XPlanung's own words for planArt (BP_PlanArt, FP_PlanArt)."""

PLAN_STATES: Final = {
    "1000": "Aufstellungsbeschluss",
    "2000": "Entwurf",
    "2100": "frühzeitige Behördenbeteiligung",
    "2200": "frühzeitige Öffentlichkeitsbeteiligung",
    "2250": "Entwurfsbeschluss",
    "2260": "interne Abstimmung",
    "2300": "Behördenbeteiligung",
    "2400": "öffentliche Auslegung",
    "2500": "erneute öffentliche Auslegung",
    "2600": "Abwägungsbeschluss",
    "3000": "Satzung",
    "4000": "in Kraft getreten",
    "4500": "teilweise untergegangen",
    "5000": "untergegangen",
    "50000": "aufgehoben",
    "50001": "außer Kraft",
}
"""XPlanung's own words for rechtsstand (BP_Rechtsstand)."""

SIGNS: Final = {
    "BP_Plan": "plan_limit",
    "FP_Plan": "plan_limit",
    "LP_Plan": "plan_limit",
    "RP_Plan": "plan_limit",
    "SO_Plan": "plan_limit",
    "BP_Bereich": "part_limit",
    "FP_Bereich": "part_limit",
    "LP_Bereich": "part_limit",
    "RP_Bereich": "part_limit",
    "SO_Bereich": "part_limit",
    "BP_BauGrenze": "building_limit",
    "BP_BauLinie": "building_line",
    "BP_UeberbaubareGrundstuecksFlaeche": "buildable",
    "BP_StrassenbegrenzungsLinie": "street_limit",
    "BP_NutzungsartenGrenze": "use_limit",
    "FP_Nutzungsbeschraenkung": "restriction",
    "BP_FirstRichtungsLinie": "ridge",
    "BP_StrassenVerkehrsFlaeche": "traffic",
    "BP_VerkehrsflaecheBesondererZweckbestimmung": "traffic_special",
    "FP_Strassenverkehr": "traffic",
    "SO_Strassenverkehr": "traffic",
    "SO_Schienenverkehr": "railway",
    "FP_Schienenverkehr": "railway",
    "BP_GemeinbedarfsFlaeche": "public_use",
    "FP_Gemeinbedarf": "public_use",
    "BP_SpielSportanlagenFlaeche": "sport",
    "FP_SpielSportanlage": "sport",
    "BP_GruenFlaeche": "green",
    "FP_Gruen": "green",
    "BP_KleintierhaltungFlaeche": "green",
    "BP_GewaesserFlaeche": "water",
    "FP_Gewaesser": "water",
    "SO_Gewaesser": "water",
    "BP_WasserwirtschaftsFlaeche": "water",
    "BP_WaldFlaeche": "forest",
    "FP_WaldFlaeche": "forest",
    "FP_Wald": "forest",
    "BP_LandwirtschaftsFlaeche": "agriculture",
    "BP_Landwirtschaft": "agriculture",
    "FP_LandwirtschaftsFlaeche": "agriculture",
    "FP_Landwirtschaft": "agriculture",
    "BP_VerEntsorgung": "utilities",
    "FP_VerEntsorgung": "utilities",
    "BP_AnpflanzungBindungErhaltung": "planting",
    "BP_SchutzPflegeEntwicklungsFlaeche": "nature",
    "BP_SchutzPflegeEntwicklungsMassnahme": "nature",
    "FP_SchutzPflegeEntwicklung": "nature",
    "SO_SchutzgebietNaturschutzrecht": "nature",
    "LP_SchutzBestimmterTeileVonNaturUndLandschaft": "nature",
    "SO_Denkmalschutzrecht": "monument",
    "SO_Wasserrecht": "water_protection",
    "SO_SchutzgebietWasserrecht": "water_protection",
    "BP_Wegerecht": "right_of_way",
    "BP_Immissionsschutz": "noise",
    "BP_BesondererNutzungszweckFlaeche": "special",
    "BP_NebenanlagenFlaeche": "ancillary",
    "BP_NebenanlagenAusschlussFlaeche": "ancillary",
    "BP_GemeinschaftsanlagenFlaeche": "ancillary",
    "BP_AufschuettungsFlaeche": "terrain",
    "BP_AbgrabungsFlaeche": "terrain",
    "FP_BebauungsFlaeche": "building_land",
    "BP_BaugebietsTeilFlaeche": "building_land",
}
"""Feature class → key of the plan sign (after the Planzeichenverordnung) that draws it; others are "other"."""

_BUILDING_USES: Final = {
    "1000": "residential",  # Kleinsiedlungsgebiet
    "1100": "residential",  # reines Wohngebiet
    "1200": "residential",  # allgemeines Wohngebiet
    "1300": "residential",  # besonderes Wohngebiet
    "1400": "mixed",  # Dorfgebiet
    "1450": "mixed",  # dörfliches Wohngebiet
    "1500": "mixed",  # Mischgebiet
    "1550": "mixed",  # urbanes Gebiet
    "1600": "mixed",  # Kerngebiet
    "1700": "commercial",
    "1800": "commercial",  # Industriegebiet
    "2000": "special",  # Sondergebiet, Erholung
    "2100": "special",
    "3000": "special",
    "4000": "special",
}
"""besondereArtDerBaulNutzung → sign of the building area."""

_GENERAL_USES: Final = {
    "1000": "residential",
    "2000": "mixed",
    "3000": "commercial",
    "4000": "special",
}
"""allgArtDerBaulNutzung → sign of the building area, where nothing closer is said."""

USES: Final = frozenset({*_BUILDING_USES.values(), *_GENERAL_USES.values()})
"""The signs of building areas by their use."""

_ADV_NAMES: Final = {
    "urn:adv:crs:ETRS89_UTM32": 25832,
    "urn:adv:crs:ETRS89_UTM33": 25833,
    "urn:adv:crs:DE_DHDN_3GK2": 31466,
    "urn:adv:crs:DE_DHDN_3GK3": 31467,
    "urn:adv:crs:DE_DHDN_3GK4": 31468,
    "urn:adv:crs:DE_DHDN_3GK5": 31469,
}
"""The German surveying authorities' names of coordinate systems, which PROJ does not know (easting first)."""

_FEATURE: Final = re.compile(r"(?:BP|FP|LP|RP|SO|XP)_\w+")
_DRAWING: Final = re.compile(r"XP_(?:PPO|PTO|LPO|LTO|FPO|Nutzungsschablone|AbstraktesPraesentationsobjekt)")


def is_xplan(file: Delivered) -> bool:
    """GML whose beginning names XPlanung, or an archive with a GML file."""
    if file.is_archive:
        return file.with_suffix(".gml") is not None
    return file.text.startswith(b"<") and b"xplanung.de/xplangml/" in file.head


def read_xplan(file: Delivered, limits: Limits, crs: int | None) -> LayerRead:
    """All feature classes of an XPlanGML file as one layer, with plan, texts and attached documents.

    Raises LayerProblem: xml_entities, xplan_version, no_plan, broken (with line), and those of `normalise`.
    """
    with tempfile.TemporaryDirectory() as name:
        # Only the document itself: a schema or .gfs file delivered beside it would tell GDAL how to read it.
        source = Path(name) / "plan.gml"
        if file.is_archive:
            entry = file.with_suffix(".gml")
            if entry is None:
                raise LayerProblem("no_plan")
            if entry.size > limits.text_bytes:
                raise LayerProblem("too_large", size=entry.size, limit=limits.text_bytes)
            unpack(file, entry, source)
        else:
            if file.size > limits.text_bytes:
                raise LayerProblem("too_large", size=file.size, limit=limits.text_bytes)
            scratch_copy(file, source.parent, source.name)
        document = _scan(source)
        raw = Raw("XPlanGML", document.version, identifier="gml_id", classified=True)
        add_layers(raw, source, limits)
    _compare(document, raw)
    if len(document.systems) == 1 and (code := _ADV_NAMES.get(min(document.systems))):
        raw.frames = [(title, frame.set_crs(code)) for title, frame in raw.frames]
    raw.frames = [(title, _described(title, frame)) for title, frame in raw.frames]
    read = normalise(raw, crs=crs, limits=limits)
    areas = _plan_areas(read)
    plans = tuple(replace(plan, area=areas.get(plan.identifier)) for plan in document.plans)
    return replace(read, plans=plans, texts=tuple(document.texts), attached=_attached(file, document))


@dataclass(slots=True)
class _Document:
    """What the first pass found."""

    version: str
    classes: Counter[str] = field(default_factory=Counter)
    plans: list[PlanFacts] = field(default_factory=list)
    texts: list[PlanText] = field(default_factory=list)
    references: list[tuple[str, str, str]] = field(default_factory=list)
    """(address, title, type code)"""
    systems: set[str] = field(default_factory=set)
    """Names of coordinate systems as they stand at the geometries."""


def _scan(path: Path) -> _Document:
    """Stream through the document: no entities, no document type, no network; memory of one feature."""
    from lxml import etree

    document: _Document | None = None
    depth = 0
    with path.open("rb") as file:
        events = etree.iterparse(
            file, events=("start", "end"), resolve_entities=False, no_network=True, load_dtd=False
        )
        try:
            for event, element in events:
                if event == "start":
                    depth += 1
                    if document is None:
                        document = _Document(_version(element))
                    if system := element.get("srsName"):
                        document.systems.add(str(system))
                    continue
                depth -= 1
                if depth == 2 and document is not None and isinstance(element.tag, str):
                    klass = etree.QName(element).localname
                    if _FEATURE.fullmatch(klass):
                        _collect(document, klass, element)
                if depth in (1, 2):
                    element.clear()
                    while element.getprevious() is not None:
                        del element.getparent()[0]
        except etree.XMLSyntaxError as problem:
            first = next(iter(events.error_log), None)
            if first is None:
                raise LayerProblem(
                    "broken", line=problem.lineno or 1, detail=str(problem.msg)[:200]
                ) from problem
            if "ntity" in first.message:
                raise LayerProblem("xml_entities") from problem
            raise LayerProblem("broken", line=first.line, detail=first.message[:200]) from problem
    if document is None or not document.plans:
        raise LayerProblem("no_plan")
    return document


def _version(root: "_Element") -> str:
    """The version by the namespace of the root; refuses a document type before anything of it is used."""
    from lxml import etree

    info = root.getroottree().docinfo
    if info.internalDTD is not None or info.externalDTD is not None:
        raise LayerProblem("xml_entities")
    for address in (etree.QName(root).namespace, *root.nsmap.values()):
        found = NAMESPACE.fullmatch(address or "")
        if found:
            version = f"{found[1]}.{found[2]}"
            if version not in VERSIONS:
                raise LayerProblem("xplan_version", found=version, supported=", ".join(VERSIONS))
            return version
    raise LayerProblem("unknown_format", looks_like=f"XML ({etree.QName(root).localname})")


def _collect(document: _Document, klass: str, element: "_Element") -> None:
    document.classes[klass] += 1
    if klass.endswith("_Plan"):
        document.plans.append(_plan(klass, element))
    elif klass.endswith("_TextAbschnitt"):
        document.texts.append(
            PlanText(
                identifier=_identifier(element),
                key=_value(element, "schluessel"),
                text=_value(element, "text"),
                binding=_value(element, "rechtscharakter") in ("", "1000"),
            )
        )
    for found in element.iter("{*}XP_ExterneReferenz", "{*}XP_SpezExterneReferenz"):
        address = _value(found, "referenzURL")
        if address:
            document.references.append((address, _value(found, "referenzName"), _value(found, "typ")))


def _plan(klass: str, element: "_Element") -> PlanFacts:
    from lxml import etree

    dates = {
        etree.QName(child).localname: (child.text or "").strip()
        for child in element
        if isinstance(child.tag, str) and etree.QName(child).localname.endswith("Datum")
    }
    kind, state, scale = (_value(element, name) for name in ("planArt", "rechtsstand", "erstellungsMassstab"))
    return PlanFacts(
        identifier=_identifier(element),
        klass=klass,
        name=_value(element, "name").strip('"„“'),
        number=_value(element, "nummer"),
        description=_value(element, "beschreibung"),
        municipality=_value(element, "gemeindeName", deep=True),
        municipality_key=_value(element, "ags", deep=True),
        quarter=_value(element, "ortsteilName", deep=True),
        kind_code=kind,
        kind=PLAN_KINDS.get(klass, {}).get(kind, ""),
        state_code=state,
        state=PLAN_STATES.get(state, ""),
        dates={name: date for name, date in dates.items() if re.fullmatch(r"\d{4}-\d\d-\d\d", date)},
        scale=int(scale) if re.fullmatch(r"\d{1,8}", scale) else None,
        area=None,
    )


def _identifier(element: "_Element") -> str:
    return str(
        element.get("{http://www.opengis.net/gml/3.2}id")
        or element.get("{http://www.opengis.net/gml}id")
        or ""
    )


def _value(element: "_Element", name: str, *, deep: bool = False) -> str:
    """Text of a property: lines kept, blanks within a line folded."""
    found = element.find(f".//{{*}}{name}" if deep else f"{{*}}{name}")
    if found is None or not isinstance(found.text, str):
        return ""
    text = found.text if name in ("text", "beschreibung") else found.text.replace("\n", " ")
    return "\n".join(" ".join(line.split()) for line in text.strip().splitlines())


def _compare(document: _Document, raw: Raw) -> None:
    """What lxml counted and GDAL did not deliver is written down, never lost without a word."""
    delivered = {name: len(frame) for name, frame in raw.frames}
    delivered |= {entry.layer: entry.count for entry in raw.skipped}
    for klass, count in document.classes.items():
        missing = count - delivered.get(klass, 0)
        if missing > 0:
            raw.skipped.append(Skipped(klass, "unread", missing))


def _described(klass: str, frame: "geopandas.GeoDataFrame") -> "geopandas.GeoDataFrame":
    """The frame with feature class and plan sign, without the boxes GDAL makes columns of."""
    frame = frame.drop(columns=[name for name in ("lowerCorner", "upperCorner") if name in frame.columns])
    sign = "drawing" if _DRAWING.fullmatch(klass) else SIGNS.get(klass, "other")
    signs = [sign] * len(frame)
    if sign == "building_land":
        special = _codes(frame, "besondereArtDerBaulNutzung")
        general = _codes(frame, "allgArtDerBaulNutzung")
        signs = [
            _BUILDING_USES.get(s) or _GENERAL_USES.get(g) or sign
            for s, g in zip(special, general, strict=True)
        ]
    frame.insert(0, "klass", klass)
    frame.insert(1, "sign", signs)
    return frame


def _codes(frame: "geopandas.GeoDataFrame", column: str) -> list[str]:
    if column not in frame.columns:
        return [""] * len(frame)
    return [_code(value) for value in frame[column]]


def _code(value: Any) -> str:
    """A code as text, whether GDAL read it as text, number or list."""
    if isinstance(value, str):
        return value
    if hasattr(value, "__len__"):
        return _code(value[0]) if len(value) else ""
    return str(int(value)) if value == value and value is not None else ""


def _plan_areas(read: LayerRead) -> dict[str, bytes]:
    """gml:id of each plan → its area as WKB."""
    import shapely

    frame = read.frame
    if "gml_id" not in frame.columns:
        return {}
    plans = frame[(frame["sign"] == "plan_limit") & frame.geom_type.isin(("Polygon", "MultiPolygon"))]
    return {
        str(identifier): shapely.to_wkb(geometry, byte_order=1)
        for identifier, geometry in zip(plans["gml_id"], plans.geometry, strict=True)
    }


_KINDS: Final = {
    ".pdf": "document",
    ".docx": "document",
    ".odt": "document",
    ".txt": "document",
    ".png": "raster",
    ".tif": "raster",
    ".tiff": "raster",
    ".jpg": "raster",
    ".jpeg": "raster",
    ".pgw": "georeference",
    ".tfw": "georeference",
    ".jgw": "georeference",
    ".wld": "georeference",
}


def _attached(file: Delivered, document: _Document) -> tuple[Attached, ...]:
    """What lies in the archive, with the titles the plan gives; then what the plan names and is not there."""
    named = {_base(address): (title, code) for address, title, code in document.references}
    here = [entry for entry in file.entries if entry.suffix != ".gml"]
    result = []
    for entry in here:
        title, code = named.get(entry.base, ("", ""))
        result.append(Attached(entry.name, title, _kind(entry.name), code, entry.size))
    present = {entry.base for entry in here}
    for address, title, code in dict.fromkeys(document.references):
        base = _base(address)
        if base not in present:
            present.add(base)
            result.append(Attached(address, title, _kind(address), code, None))
    return tuple(result)


def _base(address: str) -> str:
    return PurePosixPath(address.replace("\\", "/")).name


def _kind(name: str) -> str:
    return _KINDS.get(PurePosixPath(name).suffix.lower(), "other")
