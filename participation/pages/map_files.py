"""Map files of planners: taken in, read in a process of their own before any transaction, and what was read in words."""

import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from starlette.datastructures import UploadFile
from wtforms import FileField, HiddenField, SelectField
from wtforms.fields import SelectChoice

from consultations.files import clean_filename
from consultations.places import LayerRole
from consultations.refusals import Refusal
from participation import i18n, layers_import
from participation.layers_import import LayerProblem, ReadLayer
from participation.pages.planning_forms import SectionForm
from participation.web import Visit

#: Marks a message for the catalogues.
N_ = str

#: Coordinate systems that German map files come in, for those that do not say theirs.
SYSTEMS = (
    SelectChoice("", N_("As the file says")),
    SelectChoice("25832", N_("ETRS89 / UTM zone 32, metres (EPSG:25832)")),
    SelectChoice("25833", N_("ETRS89 / UTM zone 33, metres (EPSG:25833)")),
    SelectChoice("31468", N_("Gauß-Krüger zone 4, metres (EPSG:31468)")),
    SelectChoice("31467", N_("Gauß-Krüger zone 3, metres (EPSG:31467)")),
    SelectChoice("4326", N_("Longitude and latitude, degrees (EPSG:4326)")),
    SelectChoice("3857", N_("Web maps, metres (EPSG:3857)")),
)

#: A plan area is read while somebody waits for the page: no longer than so many seconds, and no more octets than this.
#: Larger files become layers, in a job.
PATIENCE, LARGEST = 45, 50_000_000

#: Problems after which the same file can be used once the planner has said something about it.
_ASKS_FOR_SYSTEM = frozenset({"missing_crs", "crs_conflict", "unknown_crs"})


class MapFileForm(SectionForm):
    """A map file, and its coordinate system where it does not say it."""

    token = HiddenField()
    file = FileField(N_("Map file"))
    crs = SelectField(N_("Coordinate system"), choices=list(SYSTEMS))


@contextmanager
def _on_disk(visit: Visit, waiting: Sequence[Mapping[str, Any]]) -> Iterator[tuple[Path, str] | None]:
    """The map file that was sent, or the one that waits, as a file with its name; None without any."""
    uploads: list[UploadFile] = visit.uploads("file")
    with tempfile.TemporaryDirectory(prefix="digilog-") as folder:
        path = Path(folder) / "delivered"
        if uploads:
            with path.open("wb") as file:
                shutil.copyfileobj(uploads[-1].file, file)
            yield path, clean_filename(uploads[-1].filename or "")
        elif waiting:
            with path.open("wb") as file:
                file.writelines(visit.house.files.open(waiting[-1]["sha256"]))
            yield path, str(waiting[-1]["filename"])
        else:
            yield None


@dataclass(frozen=True)
class Outcome:
    """What became of a map file: read, or why not; and what of it is to wait in the draft."""

    read: ReadLayer | None
    error: str
    field: str
    waits: tuple[dict[str, Any], ...]


async def read_map(visit: Visit, waiting: Sequence[Mapping[str, Any]], crs: str, role: LayerRole) -> Outcome:
    """Read the map file of this request. No transaction is open meanwhile."""
    try:
        return await visit.house.inspections.run(partial(_read_map, visit, waiting, crs, role))
    except Refusal as refusal:
        return Outcome(None, visit.explain(refusal), "file", ())


def _read_map(visit: Visit, waiting: Sequence[Mapping[str, Any]], crs: str, role: LayerRole) -> Outcome:
    with _on_disk(visit, waiting) as delivered:
        if delivered is None:
            return Outcome(None, visit.gettext("Please choose a file."), "file", ())
        path, filename = delivered
        size = path.stat().st_size
        try:
            if size > LARGEST:
                raise LayerProblem("too_large", size=size, limit=LARGEST)
            read = layers_import.read_layer(
                visit.house.files,
                path,
                filename,
                role=role,
                crs=int(crs) if crs.isdecimal() else None,
                seconds=PATIENCE,
            )
        except LayerProblem as problem:
            error = layers_import.explain(problem, filename, visit.language)
            if problem.code not in _ASKS_FOR_SYSTEM:
                return Outcome(None, error, "file", ())
            with path.open("rb") as file:
                kept = visit.house.files.put(file)
            return Outcome(None, error, "crs", ({"sha256": kept.sha256, "filename": filename, "size": size},))
    return Outcome(read, "", "", ({"sha256": read.original_sha256, "filename": filename, "size": size},))


@dataclass(frozen=True)
class Report:
    """What was read from a map file, in words."""

    rows: tuple[tuple[str, str], ...]
    repairs: tuple[str, ...]
    more_repairs: int
    left_out: tuple[str, ...]
    notes: tuple[str, ...]


_SHAPES: Mapping[str, str] = {
    "Point": N_("points"),
    "MultiPoint": N_("groups of points"),
    "LineString": N_("lines"),
    "MultiLineString": N_("lines of several parts"),
    "Polygon": N_("areas"),
    "MultiPolygon": N_("areas of several parts"),
    "GeometryCollection": N_("mixed shapes"),
}

#: Repairs that a report shows one by one.
REPAIRS_SHOWN = 20


def report_of(visit: Visit, stored: Mapping[str, Any]) -> Report | None:
    """A stored report of a map file in words; None where none was read."""
    if not stored.get("layers"):
        return None
    kinds: Mapping[str, int] = stored["geometry_types"]
    west, south, east, north = stored["bounds_degrees"]
    shapes = ", ".join(
        f"{i18n.number(count, visit.language)} {visit.gettext(_SHAPES[kind]) if kind in _SHAPES else kind}"
        for kind, count in kinds.items()
    )
    names = [str(layer["name"]) for layer in stored["layers"]]
    rows = [
        (visit.gettext("File"), str(stored.get("filename", ""))),
        (visit.gettext("Format"), f"{stored['format']} {stored['version']}".strip()),
        (visit.gettext("Coordinate system"), str(stored["crs"])),
        (visit.gettext("Objects"), f"{i18n.number(stored['features'], visit.language)} ({shapes})"),
        (visit.gettext("Tables"), ", ".join(names[:8]) + (" …" if len(names) > 8 else "") if names[1:] else ""),
        (
            visit.gettext("Extent"),
            visit.gettext(
                "longitude %(west)s to %(east)s, latitude %(south)s to %(north)s",
                west=f"{west:.5f}", east=f"{east:.5f}", south=f"{south:.5f}", north=f"{north:.5f}",
            ),
        ),
    ]  # fmt: skip
    repairs = layers_import.repairs(stored, visit.language)
    return Report(
        rows=tuple(row for row in rows if row[1]),
        repairs=tuple(repairs[:REPAIRS_SHOWN]),
        more_repairs=max(int(stored.get("repaired", 0)) - min(len(repairs), REPAIRS_SHOWN), 0),
        left_out=tuple(layers_import.left_out(stored, visit.language)),
        notes=tuple(layers_import.notes(stored, visit.language)),
    )
