"""The formats a layer can come in, and the one function that reads them all."""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from geo.layers import LayerProblem, LayerRead, Limits, Raw, normalise
from geo.readers import city, terrain, vector, xplan
from geo.readers.archive import Delivered, Entry, gunzip, look, unpack


@dataclass(frozen=True, slots=True)
class Reader:
    """One format: its name for people, the endings its files have, how it is recognised, and how it is read."""

    name: str
    suffixes: tuple[str, ...]
    recognises: Callable[[Delivered], bool]
    """By content, never by name."""
    read: "Read"


Read = Callable[[Delivered, Limits, int | None, Path | None, Callable[[float], None]], LayerRead]
"""File, limits, EPSG code that a person said, where to write a city model or a terrain, whom to tell the share that is done."""


def _plain(read: Callable[[Delivered, Limits], Raw]) -> Read:
    def read_and_normalise(
        file: Delivered,
        limits: Limits,
        crs: int | None,
        model: Path | None,
        progress: Callable[[float], None],
    ) -> LayerRead:
        raw = read(file, limits)
        progress(0.5)
        return normalise(raw, crs=crs, limits=limits)

    return read_and_normalise


def _xplan(
    file: Delivered, limits: Limits, crs: int | None, model: Path | None, progress: Callable[[float], None]
) -> LayerRead:
    return xplan.read_xplan(file, limits, crs)


READERS: Final = (
    Reader("CityGML", (".gml", ".xml", ".citygml", ".zip"), city.is_citygml, city.read_city),
    Reader("CityJSON", (".json", ".jsonl", ".zip"), city.is_cityjson, city.read_city),
    Reader("XPlanGML", (".gml", ".xml", ".zip"), xplan.is_xplan, _xplan),
    Reader("GeoPackage", (".gpkg",), vector.is_geopackage, _plain(vector.read_geopackage)),
    Reader("FlatGeobuf", (".fgb",), vector.is_flatgeobuf, _plain(vector.read_flatgeobuf)),
    Reader("Shapefile", (".zip",), vector.is_shapefile, _plain(vector.read_shapefile)),
    Reader("GeoParquet", (".parquet", ".geoparquet"), vector.is_geoparquet, _plain(vector.read_geoparquet)),
    Reader("OpenStreetMap", (".osm", ".pbf", ".xml"), vector.is_osm, _plain(vector.read_osm)),
    Reader("GML", (".gml", ".xml"), vector.is_gml, _plain(vector.read_gml)),
    Reader("GeoJSON", (".geojson", ".json"), vector.is_geojson, _plain(vector.read_geojson)),
    Reader(terrain.GEOTIFF, (".tif", ".tiff", ".zip"), terrain.is_geotiff, terrain.read_terrain),
    Reader(terrain.XYZ, (".xyz", ".zip"), terrain.is_xyz, terrain.read_terrain),
)

_KNOWN_BEGINNINGS: Final = (
    (b"%PDF", "PDF"),
    (b"\x89PNG", "PNG"),
    (b"\xff\xd8\xff", "JPEG"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"\x1f\x8b", "gzip"),
    (b"7z\xbc\xaf", "7z"),
    (b"Rar!", "RAR"),
    (b"AC10", "DWG"),
    (b"PK", "ZIP"),
    (b"\xff\xfe", "UTF-16"),
    (b"\xfe\xff", "UTF-16"),
    (b"MZ", "EXE"),
    (b"\x7fELF", "ELF"),
)


def read_layer(
    path: Path,
    *,
    filename: str,
    crs: int | None = None,
    limits: Limits | None = None,
    model: Path | None = None,
    progress: Callable[[float], None] = lambda share: None,
) -> LayerRead:
    """Read a delivered file as one layer in EPSG:25832, with a report of what was read.

    `filename` is what the person called it; it never decides the format, but one that names another format than the
    content has is refused. `crs` is an EPSG code, for files that do not say theirs. The file itself is not touched:
    libraries get copies. A city model is also written to `model` (see `geo.readers.citymodel`), and so is a terrain
    (`geo.terrain`); `progress` is told the
    share that is done, from 0 to 1. Raises LayerProblem, and nothing else, whatever the file holds.
    """
    limits = limits or Limits()
    try:
        return _read(look(path, filename, limits), limits, crs, model, progress)
    except LayerProblem:
        raise
    except Exception as problem:
        # Readers of foreign formats fail in more ways than anyone can list; to the person all mean the same.
        raise LayerProblem("broken", detail=f"{type(problem).__name__}: {problem}"[:200]) from problem


def _read(
    file: Delivered, limits: Limits, crs: int | None, model: Path | None, progress: Callable[[float], None]
) -> LayerRead:
    if file.head.startswith(b"\x1f\x8b"):
        with tempfile.TemporaryDirectory() as folder:
            target = gunzip(file, Path(folder) / "inner", limits)
            return _read(look(target, Path(file.name).stem, limits), limits, crs, model, progress)
    reader = next((reader for reader in READERS if reader.recognises(file)), None)
    if reader is None:
        inner = _only_layer_in(file)
        if inner is None:
            raise LayerProblem("unknown_format", looks_like=_looks_like(file))
        with tempfile.TemporaryDirectory() as folder:
            target = unpack(file, inner, Path(folder) / "inner")
            return _read(look(target, inner.name, replace(limits, entries=0)), limits, crs, model, progress)
    named = {ending for other in READERS for ending in other.suffixes}
    if file.suffix in named - set(reader.suffixes):
        raise LayerProblem("lying_type", named=file.suffix, found=reader.name)
    return reader.read(file, limits, crs, model, progress)


def _only_layer_in(file: Delivered) -> Entry | None:
    """The single GeoPackage, GeoJSON, FlatGeobuf of an archive; archives in archives are not opened."""
    endings = {ending for reader in READERS for ending in reader.suffixes} - {".zip"}
    found = [entry for entry in file.entries if entry.suffix in endings]
    return found[0] if len(found) == 1 else None


def _looks_like(file: Delivered) -> str:
    for beginning, name in _KNOWN_BEGINNINGS:
        if file.head.startswith(beginning):
            return name
    if file.text.startswith(b"<"):
        return "HTML" if b"<html" in file.text[:1000].lower() else "XML"
    return "text" if b"\0" not in file.head else ""
