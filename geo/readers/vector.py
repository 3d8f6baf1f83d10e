"""GeoPackage, GeoJSON, FlatGeobuf, GeoParquet, GML, OpenStreetMap extracts and zipped Shapefiles, through GeoPandas."""

import json
import struct
import tempfile
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from geo.layers import LayerProblem, Limits, Raw, Skipped
from geo.readers.archive import Delivered, scratch_copy, unpack
from geo.readers.systems import named_system

if TYPE_CHECKING:
    import geopandas


def is_geopackage(file: Delivered) -> bool:
    return file.head.startswith(b"SQLite format 3\0")


def read_geopackage(file: Delivered, limits: Limits) -> Raw:
    """All feature tables of a GeoPackage. Raises LayerProblem."""
    if len(file.head) < 100:
        raise LayerProblem("truncated")
    page_size = struct.unpack_from(">H", file.head, 16)[0]
    pages = struct.unpack_from(">I", file.head, 28)[0]
    if file.size < pages * (65_536 if page_size == 1 else page_size):
        raise LayerProblem("truncated")
    application = file.head[68:72]
    if application[:2] != b"GP":
        raise LayerProblem("unknown_format", looks_like="SQLite")
    number = struct.unpack_from(">I", file.head, 60)[0] if application == b"GPKG" else 0
    version = {b"GP10": "1.0", b"GP11": "1.1"}.get(application, f"{number // 10_000}.{number // 100 % 100}")
    raw = Raw("GeoPackage", version)
    with tempfile.TemporaryDirectory() as folder:
        add_layers(raw, scratch_copy(file, Path(folder), "layer.gpkg"), limits)
    return raw


def is_flatgeobuf(file: Delivered) -> bool:
    return file.head.startswith(b"fgb") and file.head[4:7] == b"fgb"


def read_flatgeobuf(file: Delivered, limits: Limits) -> Raw:
    """A FlatGeobuf file. Raises LayerProblem."""
    raw = Raw("FlatGeobuf", str(file.head[3]))
    with tempfile.TemporaryDirectory() as folder:
        add_layers(raw, scratch_copy(file, Path(folder), "layer.fgb"), limits)
    if not raw.frames and not raw.skipped:
        raise LayerProblem("truncated")  # a FlatGeobuf always has its one layer: the beginning alone is there
    return raw


def is_geojson(file: Delivered) -> bool:
    return file.text.startswith(b"{")


GEOMETRIES = (
    "Point",
    "LineString",
    "Polygon",
    "MultiPoint",
    "MultiLineString",
    "MultiPolygon",
    "GeometryCollection",
)


def read_geojson(file: Delivered, limits: Limits) -> Raw:
    """GeoJSON (RFC 7946: degrees, longitude first; the older `crs` member is believed). Raises LayerProblem.

    Coordinates that cannot be degrees, without a `crs` member, are in a system that has to be asked for.
    """
    if file.size > limits.text_bytes:
        raise LayerProblem("too_large", size=file.size, limit=limits.text_bytes)
    # GDAL reads as far as it gets: a file cut short would lose features without a word.
    try:
        document = json.loads(file.path.read_bytes().removeprefix(b"\xef\xbb\xbf"))
    except json.JSONDecodeError as problem:
        raise LayerProblem("broken", line=problem.lineno, detail=problem.msg) from problem
    except (UnicodeDecodeError, RecursionError, ValueError) as problem:
        raise LayerProblem("broken", detail=str(problem)[:200]) from problem
    kind = document.get("type") if isinstance(document, dict) else None
    if kind not in ("FeatureCollection", "Feature", *GEOMETRIES):
        raise LayerProblem("unknown_format", looks_like="JSON")
    if kind == "FeatureCollection":
        features = document.get("features")
        if not isinstance(features, list):
            raise LayerProblem("broken", detail="features")
        if not features:
            raise LayerProblem("no_features")
        if len(features) > limits.features:
            raise LayerProblem("too_many_features", count=len(features), limit=limits.features)
        for number, feature in enumerate(features, start=1):
            if not isinstance(feature, dict) or feature.get("type") != "Feature":
                raise LayerProblem("broken", detail=f"features[{number}]")
    says_crs = document.get("crs") is not None
    del document
    raw = Raw("GeoJSON", "RFC 7946")
    with tempfile.TemporaryDirectory() as folder:
        add_layers(raw, scratch_copy(file, Path(folder), "layer.geojson"), limits)
    if not says_crs:
        raw.frames = [(name, _without_false_degrees(frame)) for name, frame in raw.frames]
    return raw


def _without_false_degrees(frame: "geopandas.GeoDataFrame") -> "geopandas.GeoDataFrame":
    """GDAL assumes degrees for every GeoJSON; where they are impossible, the system is not known."""
    west, south, east, north = (abs(float(value)) for value in frame.total_bounds)
    if max(west, east) > 180 and max(south, north) > 90:
        return frame.set_crs(None, allow_override=True)
    return frame


def is_geoparquet(file: Delivered) -> bool:
    return file.head.startswith(b"PAR1")


def read_geoparquet(file: Delivered, limits: Limits) -> Raw:
    """A GeoParquet file. Raises LayerProblem: missing_part where pyarrow, an optional part, is not installed."""
    import importlib.util

    with file.path.open("rb") as stream:
        stream.seek(-4, 2)
        if stream.read(4) != b"PAR1":
            raise LayerProblem("truncated")
    if importlib.util.find_spec("pyarrow") is None:
        raise LayerProblem("missing_part", part="pyarrow", format="GeoParquet")
    import geopandas
    import pyarrow.parquet

    metadata = pyarrow.parquet.read_metadata(file.path)
    facts = metadata.metadata or {}
    if b"geo" not in facts:
        raise LayerProblem("unknown_format", looks_like="Parquet")
    if metadata.num_rows > limits.features:
        raise LayerProblem("too_many_features", count=metadata.num_rows, limit=limits.features)
    if metadata.num_rows == 0:
        raise LayerProblem("no_features")
    raw = Raw("GeoParquet", str(json.loads(facts[b"geo"]).get("version", "")))
    raw.frames.append((Path(file.name).stem, geopandas.read_parquet(file.path)))
    return raw


def is_gml(file: Delivered) -> bool:
    return file.text.startswith(b"<") and b"opengis.net/gml" in file.head


def read_gml(file: Delivered, limits: Limits) -> Raw:
    """GML of any application schema, as GDAL understands it without the schema. Raises LayerProblem."""
    if file.size > limits.text_bytes:
        raise LayerProblem("too_large", size=file.size, limit=limits.text_bytes)
    found = scan_xml(file.path)
    raw = Raw("GML", "3.2" if b"opengis.net/gml/3.2" in file.head else "", identifier="gml_id")
    with tempfile.TemporaryDirectory() as folder:
        add_layers(raw, scratch_copy(file, Path(folder), "layer.gml"), limits)
    adv = [named_system(name) for name in found.systems if name.startswith("urn:adv:")]
    if len(found.systems) == 1 and adv:  # PROJ does not know these names
        raw.frames = [(title, frame.set_crs(adv[0].code, allow_override=True)) for title, frame in raw.frames]
    return raw


def is_osm(file: Delivered) -> bool:
    return b"OSMHeader" in file.head[:64] or (file.text.startswith(b"<") and b"<osm" in file.head[:2000])


def read_osm(file: Delivered, limits: Limits) -> Raw:
    """An OpenStreetMap extract (.osm, .osm.pbf): points, lines and areas as GDAL sorts them. Raises LayerProblem."""
    binary = b"OSMHeader" in file.head[:64]
    if not binary:
        scan_xml(file.path)
    raw = Raw("OpenStreetMap", "PBF" if binary else "XML", identifier="osm_id")
    with tempfile.TemporaryDirectory() as folder:
        name = "layer.osm.pbf" if binary else "layer.osm"
        add_layers(raw, scratch_copy(file, Path(folder), name), limits)
    raw.frames = [(name, frame) for name, frame in raw.frames if len(frame)]
    return raw


@dataclass(frozen=True, slots=True)
class Scanned:
    """What a first look through an XML document found: the names of its coordinate systems."""

    systems: frozenset[str]


def scan_xml(path: Path) -> Scanned:
    """Stream once through an XML document: refuse a document type, entities and what is not well formed.

    Memory of one element. Raises LayerProblem: xml_entities, broken (with line).
    """
    from lxml import etree

    systems: set[str] = set()
    begun = False
    with path.open("rb") as file:
        events = etree.iterparse(
            file, events=("start", "end"), resolve_entities=False, no_network=True, load_dtd=False
        )
        try:
            for event, element in events:
                if event == "start":
                    if not begun:
                        begun = True
                        info = element.getroottree().docinfo
                        if info.internalDTD is not None or info.externalDTD is not None:
                            raise LayerProblem("xml_entities")
                    if name := element.get("srsName"):
                        systems.add(str(name))
                    continue
                element.clear()
                while element.getprevious() is not None:
                    del element.getparent()[0]
        except etree.XMLSyntaxError as problem:
            first = next(iter(events.error_log), None)
            words = str(first.message if first is not None else problem.msg)[:200]
            if "ntity" in words:
                raise LayerProblem("xml_entities") from problem
            line = first.line if first is not None else problem.lineno or 1
            raise LayerProblem("broken", line=line, detail=words) from problem
    return Scanned(frozenset(systems))


def is_shapefile(file: Delivered) -> bool:
    return file.with_suffix(".shp") is not None or file.head.startswith(b"\x00\x00\x27\x0a")


def read_shapefile(file: Delivered, limits: Limits) -> Raw:
    """All shapefiles of a zip archive. Raises LayerProblem (incomplete when parts are missing).

    Attribute text: as the .cpg file says; without one UTF-8 where it is, otherwise Windows-1252 (noted).
    """
    if not file.is_archive:
        raise LayerProblem("incomplete", missing=".shx, .dbf, .prj")
    raw = Raw("Shapefile")
    by_path = {entry.name.lower(): entry for entry in file.entries}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for index, shape in enumerate(entry for entry in file.entries if entry.suffix == ".shp"):
            stem = shape.name[:-4]
            parts = {
                end: by_path.get(f"{stem}{end}".lower()) for end in (".shp", ".shx", ".dbf", ".prj", ".cpg")
            }
            for end in (".shx", ".dbf"):
                if parts[end] is None:
                    raise LayerProblem("incomplete", missing=f"{stem}{end}")
            for end, entry in parts.items():
                if entry is not None:
                    unpack(file, entry, folder / f"layer{index}{end}")
            source = folder / f"layer{index}.shp"
            _check_shapefile(source)
            options: dict[str, Any] = {}
            if parts[".cpg"] is None:
                options["encoding"] = _dbf_encoding(source.with_suffix(".dbf"))
                raw.notes.append(("encoding", str(options["encoding"])))
            add_layers(raw, source, limits, title=stem.rsplit("/", 1)[-1], **options)
    return raw


def _check_shapefile(path: Path) -> None:
    """Shapefiles say how long they are; GDAL would read what is left of one cut short."""
    for part in (path, path.with_suffix(".shx")):
        head = part.read_bytes()[:100]
        if len(head) < 100 or part.stat().st_size < 2 * struct.unpack_from(">i", head, 24)[0]:
            raise LayerProblem("truncated")
        if head[:4] != b"\x00\x00\x27\x0a":
            raise LayerProblem("broken", detail=part.suffix)
    table = path.with_suffix(".dbf")
    head = table.read_bytes()[:32]
    if len(head) < 32:
        raise LayerProblem("truncated")
    rows, header, width = struct.unpack_from("<IHH", head, 4)
    if table.stat().st_size < header + rows * width:
        raise LayerProblem("truncated")
    shapes = (path.with_suffix(".shx").stat().st_size - 100) // 8
    if rows != shapes:
        raise LayerProblem("broken", detail=f"{shapes} shapes, {rows} rows")


def _dbf_encoding(path: Path) -> str:
    data = path.read_bytes()
    header = struct.unpack_from("<H", data, 8)[0]
    try:
        data[header:].decode("utf-8")
    except UnicodeDecodeError:
        return "cp1252"
    return "utf-8"


def add_layers(raw: Raw, path: Path, limits: Limits, *, title: str = "", **options: Any) -> None:
    """Read every layer with geometry of a file into `raw`; layers without are written down as skipped.

    What the library warns about becomes a note of the report. Raises LayerProblem: too_many_features.
    """
    import pyogrio

    # A file may name schemas and geometry at other addresses: GDAL would go and fetch them.
    pyogrio.set_gdal_config_options(
        {"GML_SKIP_RESOLVE_ELEMS": "ALL", "GML_DOWNLOAD_SCHEMA": "NO", "GDAL_HTTP_MAX_RETRY": "0"}
    )
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        for name, geometry_type in pyogrio.list_layers(path):
            info = pyogrio.read_info(path, layer=name, force_feature_count=True, **options)
            count = int(info["features"])
            if count > limits.features:
                raise LayerProblem("too_many_features", count=count, limit=limits.features)
            if geometry_type is None:
                raw.skipped.append(Skipped(title or str(name), "no_geometry", count))
                continue
            # A single geometry that cannot be made (a ring of two points, say) is left out and noted.
            frame = pyogrio.read_dataframe(path, layer=name, on_invalid="warn", **options)
            if len(frame) < count:
                raise LayerProblem("truncated")
            raw.frames.append((title or str(name), frame))
    raw.notes.extend(
        ("reader", str(warning.message).replace(str(path), path.name)[:200]) for warning in said[:20]
    )
