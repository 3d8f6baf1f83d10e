"""City models, whatever they came as: read as a stream, written as one GeoPackage, told of in one report.

`read_city` also gives the footprints of the buildings as a layer like any other, so that a model is at once the
buildings of the plan.
"""

import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from geo.geometry import GERMANY, METRES
from geo.layers import LayerInfo, LayerProblem, LayerRead, LayerReport, Limits, Skipped, degrees_box
from geo.readers.archive import Delivered, Entry, unpack
from geo.readers.citygml import CityGmlFile, begins_citygml
from geo.readers.cityjson import CityJsonFile, begins_cityjson
from geo.readers.citymodel import CityModelWriter, Findings
from geo.readers.systems import System, Way, named_system, numbered_system

if TYPE_CHECKING:
    import geopandas

_ENDINGS: Final = (".gml", ".xml", ".json", ".jsonl", ".citygml")
MODEL_COLUMNS: Final = (
    "id",
    "name",
    "address",
    "function",
    "roof_type",
    "storeys",
    "ground",
    "eaves",
    "height",
)


def is_citygml(file: Delivered) -> bool:
    """CityGML, or an archive of its tiles."""
    return begins_citygml(_first(file))


def is_cityjson(file: Delivered) -> bool:
    """CityJSON, or an archive of its tiles."""
    return begins_cityjson(_first(file))


def _first(file: Delivered) -> Delivered:
    """The file itself, or the first one of an archive that could be a city model."""
    entry = next((entry for entry in file.entries if entry.suffix in _ENDINGS), None)
    return file if entry is None else _head_of(file, entry) or file


def _head_of(file: Delivered, entry: Entry) -> Delivered | None:
    import zipfile

    try:
        with zipfile.ZipFile(file.path) as archive, archive.open(entry.name) as inner:
            return Delivered(file.path, entry.name, entry.size, inner.read(65_536))
    except (OSError, RuntimeError, zipfile.BadZipFile, NotImplementedError, EOFError):
        return None


def read_city(
    file: Delivered,
    limits: Limits,
    crs: int | None,
    model: Path | None = None,
    progress: Callable[[float], None] = lambda share: None,
) -> LayerRead:
    """A city model, or an archive of its tiles, as the footprints of its buildings and a report.

    The model itself is written to `model` where that is given. `progress` is told the share that is done, 0 to 1.
    Raises LayerProblem.
    """
    with tempfile.TemporaryDirectory(prefix="digilog-") as name:
        folder = Path(name)
        paths = _files(file, folder, limits)
        target = model or folder / "model.gpkg"
        report = write_model(paths, target, crs=crs, progress=progress, processes=limits.processes)
        try:
            frame = footprints_of(target)
        except BaseException:
            target.unlink(missing_ok=True)
            raise
    return LayerRead(
        frame, replace(report, geometry_types={"MultiPolygon": len(frame)}, columns=MODEL_COLUMNS)
    )


def _files(file: Delivered, folder: Path, limits: Limits) -> list[Path]:
    if not file.is_archive:
        return [file.path]
    tiles = folder / "tiles"
    tiles.mkdir()
    chosen = [entry for entry in file.entries if entry.suffix in _ENDINGS]
    return [unpack(file, entry, tiles / f"{number}{entry.suffix}") for number, entry in enumerate(chosen)]


def footprints_of(path: Path) -> "geopandas.GeoDataFrame":
    """The buildings of a written city model, without their parts."""
    import pyogrio

    return pyogrio.read_dataframe(path, layer="building", columns=list(MODEL_COLUMNS), where="parent = ''")


def write_model(
    paths: Sequence[Path],
    target: Path,
    *,
    crs: int | None = None,
    progress: Callable[[float], None] = lambda share: None,
    processes: int = 1,
) -> LayerReport:
    """Read files of city models as one layer into a GeoPackage (see `geo.readers.citymodel`), whole or not at all.

    `crs` is an EPSG code, for files that do not say theirs; one that says another is refused. Large files of CityGML are
    read by so many `processes` beside this one (see `Limits`). Raises LayerProblem.
    """
    findings = Findings()
    formats: dict[str, None] = {}
    versions: dict[str, None] = {}
    others: dict[str, int] = {}
    ways: dict[str, Way] = {}
    infos: list[LayerInfo] = []
    with CityModelWriter(target, findings) as writer:
        for number, path in enumerate(paths):
            kind = "CityGML" if _is_xml(path) else "CityJSON"

            def told(share: float, done: int = number) -> None:
                progress((done + share) / len(paths))

            opened = (
                CityGmlFile(path, findings, told, processes=processes)
                if kind == "CityGML"
                else CityJsonFile(path, findings, told)
            )
            count = 0
            for source in opened.sources():
                way = ways.get(source.system)
                if way is None:
                    way = ways[source.system] = Way(_system(source.system, crs, source.building.id))
                everything = (source.building, *source.parts)
                _move(
                    [
                        ring
                        for each in everything
                        for face in (*each.surfaces, *each.outline)
                        for ring in face.rings
                    ],
                    way,
                )
                writer.add(source.building, source.parts)
                count += 1
            formats[kind], versions[opened.version] = None, None
            for name, found in opened.others.items():
                others[name] = others.get(name, 0) + found
            infos.append(LayerInfo(path.name, count, ("Building",)))
        if not findings.buildings and not writer.waiting:
            raise LayerProblem("no_buildings", others=", ".join(sorted(others)) or "–")
    return _report(findings, formats, versions, others, ways, infos)


def read_sources(path: Path, *, processes: int = 1) -> Iterator[int]:
    """The buildings of one file as they are read, without writing them: how many faces each has (for measuring)."""
    for source in CityGmlFile(path, Findings(), lambda share: None, processes=processes).sources():
        yield sum(len(each.surfaces) for each in (source.building, *source.parts))


def _is_xml(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(64).removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"<")


def _system(name: str, given: int | None, building: str) -> System:
    if not name:
        if given is None:
            raise LayerProblem("missing_crs", looks_like="metres", feature=building)
        return numbered_system(given)
    system = named_system(name)
    if given is not None and numbered_system(given).code != system.code:
        raise LayerProblem("crs_conflict", found=system.label, given=f"EPSG:{given}")
    return system


def _move(rings: "list[Any]", way: Way) -> None:
    """All rings of a building into EPSG:25832 at once, in place."""
    import numpy as np

    if not rings:
        return
    points = np.concatenate(rings)
    way.metres(points)
    position = 0
    for ring in rings:
        ring[:] = points[position : position + len(ring)]
        position += len(ring)


def _report(
    findings: Findings,
    formats: dict[str, None],
    versions: dict[str, None],
    others: dict[str, int],
    ways: dict[str, Way],
    infos: list[LayerInfo],
) -> LayerReport:
    if findings.bounds is None:
        raise LayerProblem("nothing_usable", count=sum(each.features for each in infos))
    notes = [note for way in ways.values() for note in way.notes]
    box = degrees_box(*findings.bounds)
    west, south, east, north = GERMANY
    if not (west <= box[0] and south <= box[1] and box[2] <= east and box[3] <= north):
        notes.append(("outside_germany", ""))
    skipped = [
        *findings.skipped,
        *(Skipped(name, "other_object", count) for name, count in sorted(others.items())),
    ]
    return LayerReport(
        format=" + ".join(formats),
        version=", ".join(version for version in versions if version),
        layers=tuple(infos),
        features=findings.buildings,
        geometry_types={},
        crs=", ".join(dict.fromkeys(way.system.label for way in ways.values())) or f"EPSG:{METRES}",
        vertical=", ".join(
            dict.fromkeys(way.system.vertical for way in ways.values() if way.system.vertical)
        ),
        bounds=findings.bounds,
        bounds_degrees=box,
        columns=(),
        repairs=tuple(findings.repairs),
        repaired=findings.repaired,
        skipped=tuple(skipped),
        notes=tuple(dict.fromkeys(notes)),
        parts=findings.parts,
        lods=dict(sorted(findings.lods.items())),
        surfaces=dict(findings.faces),
        thematic=dict(findings.thematic),
        heights=findings.heights,
    )
