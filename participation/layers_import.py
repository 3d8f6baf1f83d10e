"""How a file of map data becomes a layer: read apart, kept twice, its named places made searchable.

For the planner's pages and for the command line alike. Reading takes seconds and happens before any transaction;
what is refused leaves nothing behind but, at most, a file in the store that nobody refers to.
"""

import json
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime
from pathlib import Path
from typing import Any

from sqlmodel import Session

from consultations import places, procedures
from consultations.files import FileStore
from consultations.people import actor_of
from consultations.permissions import SYSTEM, Actor
from consultations.places import Layer, LayerRole, PlaceInput, PlaceKind
from consultations.refusals import Code, Refusal
from geo.geometry import (
    GERMANY,
    GeometryProblem,
    Located,
    degrees_of,
    read_geojson_geometry,
    wkb_to_geojson,
)
from geo.layers import LAYER_CODES, LayerProblem, LayerReport
from geo.readers.apart import Area, Naming, Plan, Reading, read_apart
from geo.readers.terrain import FORMATS as TERRAINS
from geo.styles import LayerStyle, as_stored, usual
from participation import jobs, layer_files
from participation.database import unit_of_work
from participation.house import House
from participation.i18n import number, translations
from participation.jobs import Job

__all__ = [
    "GERMANY", "Area", "GeometryProblem", "LayerProblem", "LayerReport", "Located", "Plan", "ReadLayer", "Reading",
    "area_as_text", "area_of_text", "bounds_of", "check_layer", "explain", "explain_place", "layer_of", "left_out",
    "notes", "read_layer", "repairs", "take_layer",
]  # fmt: skip

#: Marks a message for the catalogues.
N_ = str

#: Roles whose features are places that people can choose by name, and of which kind.
PLACES: Mapping[LayerRole, tuple[Naming, PlaceKind]] = {
    LayerRole.DISTRICTS: ("district", PlaceKind.DISTRICT),
    LayerRole.STREETS: ("street", PlaceKind.STREET),
    LayerRole.PARCELS: ("parcel", PlaceKind.PARCEL),
}

#: How many of what was left out are named in a sentence.
NAMED = 5

#: Vertices of an area that a planner may paste; larger ones come as files.
PASTED_VERTICES = 20_000


@dataclass(frozen=True)
class ReadLayer:
    """A file that was read and kept: its two hashes in the store, its role, and what is in it."""

    original_sha256: str
    original_name: str
    normalised_sha256: str
    role: LayerRole
    reading: Reading

    @property
    def report(self) -> LayerReport:
        return self.reading.report


# --- reading and taking ----------------------------------------------------------------------------


def check_layer(path: Path, filename: str, crs: int | None = None) -> LayerReport:
    """What is in a file, without keeping anything. `crs`: EPSG code for a file that does not say its own.

    Raises LayerProblem (see `explain`).
    """
    return read_apart(path, filename=filename, crs=crs).report


def read_layer(
    files: FileStore,
    path: Path,
    filename: str,
    *,
    role: LayerRole = LayerRole.OTHER,
    crs: int | None = None,
    read: Callable[..., Reading] = read_apart,
    progress: Callable[[float], None] = lambda share: None,
    **limits: float,
) -> ReadLayer:
    """Read a file in a process of its own and keep it as it came and normalised: FlatGeobuf in EPSG:25832, a city model
    as `geo.city` reads it, a terrain as `geo.terrain` does. `progress` is told the share that is done, 0 to 1; `limits` go
    to `read` (`seconds`).

    `geo.readers.apart.read_here` for `read` saves that process, for files that we made ourselves. Nothing is kept of a
    file that cannot be read. Raises LayerProblem, and the store's refusals.
    """
    naming = PLACES[role][0] if role in PLACES else ""
    with tempfile.TemporaryDirectory(prefix="digilog-") as folder:
        normalised = Path(folder) / "layer.fgb"
        model = Path(folder) / "model" if role in (LayerRole.CITY_MODEL, LayerRole.TERRAIN) else None
        reading = read(
            path,
            filename=filename,
            crs=crs,
            target=normalised,
            model=model,
            naming=naming,
            progress=progress,
            **limits,
        )
        is_terrain = reading.report.format in TERRAINS
        if role is LayerRole.CITY_MODEL and (is_terrain or not model or not model.exists()):
            raise LayerProblem("no_buildings", others=reading.report.format)
        if role is LayerRole.TERRAIN and not is_terrain:
            raise LayerProblem("no_heights", found=reading.report.format)
        with path.open("rb") as original:
            kept = files.put(original)
        with (model or normalised).open("rb") as made:
            made_sha256 = files.put(made).sha256
    return ReadLayer(kept.sha256, filename, made_sha256, role, reading)


def layer_of(
    read: ReadLayer,
    *,
    municipality_id: int,
    procedure_id: int | None,
    title: str,
    source: str,
    licence: str,
    attribution: str,
    is_visible: bool = True,
    is_open: bool = False,
    dated: date | None = None,
    position: int = 0,
    now: datetime,
) -> tuple[Layer, list[PlaceInput]]:
    """A file that was read as a row of the catalogue with its named places, for `places.add_layer`."""
    layer = Layer(
        municipality_id=municipality_id,
        procedure_id=procedure_id,
        role=read.role.value,
        title=title,
        source=source,
        licence=licence,
        attribution=attribution,
        is_visible=is_visible,
        is_open=is_open,
        dated=dated,
        position=position,
        original_sha256=read.original_sha256,
        original_name=read.original_name,
        normalised_sha256=read.normalised_sha256,
        report=read.report.as_dict(),
        imported_at=now,
    )
    named = [
        PlaceInput(PLACES[read.role][1], place.name, place.located, place.district)
        for place in read.reading.places
    ]
    return layer, named


@dataclass(frozen=True)
class LayerWish:
    """What a person says of a file that is to become a layer."""

    title: str
    role: LayerRole = LayerRole.OTHER
    procedure_id: int | None = None
    source: str = ""
    licence: str = ""
    attribution: str = ""
    #: EPSG code, for a file that does not say its own.
    crs: int | None = None
    #: The day that the data speak of, as ISO date.
    dated: str = ""
    is_visible: bool = True
    is_open: bool = False
    #: The id of the layer whose place it takes; None: that of the same title and role, if there is one.
    replaces: int | None = None
    #: What changes, in the planner's words, for a consultation that everybody can read.
    note: str = ""


def take_layer(
    house: House,
    path: Path,
    filename: str,
    wish: LayerWish,
    *,
    municipality_id: int,
    by: Actor,
    now: datetime,
    progress: Callable[[float], None] = lambda share: None,
) -> Layer:
    """Read, keep and add a layer in a unit of work of its own; the one whose place it takes is kept with its file.

    Until that unit of work ends well the old layer stands, whatever becomes of the reading. What contributions hold on
    to goes over to the new one, or waits for a decision (`layer_files.carry_over`).

    The layer comes back detached, with its id. Raises LayerProblem, Refusal NOT_ALLOWED, WRONG_STATE (it was replaced
    meanwhile) and the store's refusals.
    """
    read = read_layer(house.files, path, filename, role=wish.role, crs=wish.crs, progress=progress)
    layer, named = layer_of(
        read,
        municipality_id=municipality_id,
        procedure_id=wish.procedure_id,
        title=wish.title,
        source=wish.source,
        licence=wish.licence,
        attribution=wish.attribution,
        is_visible=wish.is_visible,
        is_open=wish.is_open,
        dated=date.fromisoformat(wish.dated) if wish.dated else None,
        now=now,
    )
    with unit_of_work(house.engine, write=True) as session:
        replaces = places.layer_by_id(session, municipality_id, wish.replaces) if wish.replaces else None
        layer.position = len(places.layers_of(session, municipality_id, wish.procedure_id))
        places.add_layer(session, layer, named, by=by, now=now, replaces=replaces)
        if layer.role == LayerRole.OTHER.value and not layer.style:
            # A look of its own, so that it stays the same when layers change their order.
            layer.style = as_stored(LayerStyle(usual(layer.position)))
        layer_files.carry_over(house, session, layer, by=by, now=now)
        if wish.procedure_id is not None:
            note_change(session, municipality_id, wish.procedure_id, wish.note, by=by, now=now)
        session.flush()
        session.expunge(layer)
    return layer


def note_change(
    session: Session, municipality_id: int, procedure_id: int, note: str, *, by: Actor, now: datetime
) -> None:
    """What everybody can see of a consultation has changed: a version of its own, once it is public."""
    procedure = procedures.by_id(session, municipality_id, procedure_id)
    if procedure is not None and procedure.state != procedures.ProcedureState.DRAFT.value and note:
        procedures.record_change(session, procedure, by=by, now=now, note=note)


# --- as a job --------------------------------------------------------------------------------------

KIND = "import_layer"
#: Refusals that another try cannot change.
_FINAL = frozenset({Code.NOT_ALLOWED, Code.WRONG_STATE})


def leave_job(
    session: Session,
    files: FileStore,
    path: Path,
    filename: str,
    wish: LayerWish,
    *,
    municipality_id: int,
    by: Actor,
    now: datetime,
) -> Job:
    """Keep the file as it came and leave the job that makes a layer of it, in the caller's transaction."""
    with path.open("rb") as stream:
        kept = files.put(stream)
    return leave_kept(session, kept.sha256, filename, wish, municipality_id=municipality_id, by=by, now=now)


def leave_kept(
    session: Session,
    sha256: str,
    filename: str,
    wish: LayerWish,
    *,
    municipality_id: int,
    by: Actor,
    now: datetime,
) -> Job:
    """Leave the job that makes a layer of a file that is in the store already."""
    payload = {**asdict(wish), "sha256": sha256, "filename": filename, "person": by.person_id}
    return jobs.enqueue(session, KIND, payload, now=now, municipality_id=municipality_id)


def with_system(wish: LayerWish, crs: int | None) -> LayerWish:
    """The same wish, with the coordinate system that somebody said."""
    return replace(wish, crs=crs)


def _wish(payload: Mapping[str, Any]) -> LayerWish:
    fields = {name: payload[name] for name in LayerWish.__dataclass_fields__ if name in payload}
    return LayerWish(**{**fields, "role": LayerRole(fields["role"])})


@jobs.job(KIND)
def take_in(house: House, job: Job) -> dict[str, Any]:
    """Make a layer of a file that was kept. A file that cannot be read is a result (`refused`), not a failure: trying it
    again would help nobody."""
    digest, filename, person = (job.payload[name] for name in ("sha256", "filename", "person"))
    wish = _wish(job.payload)
    assert job.id is not None
    assert job.municipality_id is not None
    job_id = job.id
    with unit_of_work(house.engine) as session:
        by = actor_of(session, person) if person else SYSTEM
    if by is None:
        raise Refusal(Code.NOT_ALLOWED)

    def progress(share: float) -> None:
        jobs.report_progress(house, job_id, min(99, int(100 * share)), filename)

    with tempfile.TemporaryDirectory(prefix="digilog-") as folder:
        path = Path(folder) / "upload"
        with path.open("wb") as file:
            file.writelines(house.files.open(digest))
        try:
            layer = take_layer(
                house,
                path,
                filename,
                wish,
                municipality_id=job.municipality_id,
                by=by,
                now=house.clock(),
                progress=progress,
            )
        except LayerProblem as problem:
            facts = json.loads(json.dumps(problem.facts, default=str))
            return {"refused": problem.code, "facts": facts}
        except Refusal as refusal:
            if refusal.code not in _FINAL:
                raise
            return {"refused": refusal.code.value, "facts": {}}
    return {"layer": layer.id, "report": layer.report}


@dataclass(frozen=True)
class LayerJob:
    """An import as its page shows it: waiting | running | done | refused | failed."""

    id: int
    state: str
    filename: str
    progress: int
    #: Why it was refused, as `explain` wants it.
    problem: LayerProblem | None
    refused: str
    layer_id: int | None
    wish: LayerWish
    sha256: str


def imports_of(
    session: Session, municipality_id: int, procedure_id: int | None, *, since: datetime
) -> list[LayerJob]:
    """The imports of a town or of one consultation that were begun since, the newest first."""
    rows = jobs.recent(session, KIND, municipality_id, since=since)
    return [_as_shown(row) for row in rows if row.payload.get("procedure_id") == procedure_id]


def import_by_id(session: Session, municipality_id: int, job_id: int) -> LayerJob | None:
    """One import of the municipality."""
    row = session.get(Job, job_id)
    found = row is not None and row.kind == KIND and row.municipality_id == municipality_id
    return _as_shown(row) if row is not None and found else None


def _as_shown(row: Job) -> LayerJob:
    refused = str(row.result.get("refused", ""))
    is_problem = refused in LAYER_CODES
    return LayerJob(
        id=row.id or 0,
        state="refused" if refused else row.state,
        filename=str(row.payload.get("filename", "")),
        progress=row.progress,
        problem=LayerProblem(refused, **row.result.get("facts", {})) if is_problem else None,
        refused="" if is_problem else refused,
        layer_id=row.result.get("layer"),
        wish=_wish(row.payload),
        sha256=str(row.payload.get("sha256", "")),
    )


def area_of_text(text: str) -> Located:
    """An area as GeoJSON text in degrees: pasted, or drawn on a map. Raises GeometryProblem."""
    return read_geojson_geometry(text, max_vertices=PASTED_VERTICES)


def area_as_text(wkb: bytes) -> str:
    """A stored area (WKB, EPSG:25832) as GeoJSON text in degrees, for a map to draw on."""
    return json.dumps(wkb_to_geojson(wkb), separators=(",", ":"))


#: Objects of a layer that are put together as one area while somebody waits.
AREA_FEATURES = 5_000
#: Roles whose layers are areas of something, not thousands of single things.
AREA_ROLES = (
    LayerRole.BOUNDARY,
    LayerRole.DISTRICTS,
    LayerRole.WATER,
    LayerRole.GREEN,
    LayerRole.PLAN,
    LayerRole.OTHER,
)


def area_of_layer(files: FileStore, layer: Layer) -> bytes | None:
    """All areas of a layer together (WKB, EPSG:25832); None where it has none, too many, or is a service."""
    if not layer.normalised_sha256 or layer.role not in AREA_ROLES:
        return None
    import geopandas
    import shapely

    with tempfile.TemporaryDirectory(prefix="digilog-") as folder:
        path = Path(folder) / "layer.fgb"
        with path.open("wb") as file:
            file.writelines(files.open(layer.normalised_sha256))
        shapes = geopandas.read_file(path, columns=[], rows=AREA_FEATURES + 1).geometry
    areas = [
        shape for shape in shapes if shape is not None and shape.geom_type in ("Polygon", "MultiPolygon")
    ]
    if not areas or len(shapes) > AREA_FEATURES:
        return None
    return bytes(shapely.to_wkb(shapely.union_all(areas)))


def bounds_of(box: tuple[float, float, float, float]) -> tuple[float, float, float, float]:
    """West, south, east, north in degrees of a box in metres (EPSG:25832)."""
    corners = [degrees_of(x, y) for x in (box[0], box[2]) for y in (box[1], box[3])]
    lons, lats = [lon for lon, _ in corners], [lat for _, lat in corners]
    return min(lons), min(lats), max(lons), max(lats)


# --- words -----------------------------------------------------------------------------------------

_LAYER_WORDS: Mapping[str, str] = {
    "empty_file": N_("The file “%(filename)s” is empty."),
    "too_large": N_("The file “%(filename)s” is too large to be read as a map."),
    "too_many_features": N_(
        "The file “%(filename)s” has %(count)s objects; at most %(limit)s are possible. Please choose a part of it."
    ),
    "too_many_vertices": N_(
        "The shapes in “%(filename)s” have %(count)s points; at most %(limit)s are possible. Please simplify them."
    ),
    "unknown_format": N_(
        "“%(filename)s” is no map file we can read. Possible are GeoPackage, GeoJSON, FlatGeobuf, "
        "GeoParquet, a Shapefile as ZIP, GML, an OpenStreetMap extract, XPlanGML, CityGML and CityJSON."
    ),
    "lying_type": N_(
        "“%(filename)s” is called %(named)s, but what is in it is %(found)s. Please check that it is the right file."
    ),
    "encrypted": N_("The archive “%(filename)s” has a password. Please pack it without one."),
    "climbing_path": N_(
        "The archive “%(filename)s” wants to write outside its folder (%(entry)s). Please pack it again."
    ),
    "zip_bomb": N_("The archive “%(filename)s” unpacks to more than we can take. Please pack only what is needed."),
    "truncated": N_("The file “%(filename)s” is incomplete: it ends too early. Please copy or download it again."),
    "broken": N_("The file “%(filename)s” is damaged and cannot be read. Please export it again."),
    "too_slow": N_(
        "“%(filename)s” could not be read within %(seconds)s seconds; perhaps another file is being read just now. Please "
        "try again in a moment, or with a file that holds the plan area only. Large files can be taken in under map layers, "
        "where they are read in the background."
    ),
    "broken_line": N_("The file “%(filename)s” cannot be read: there is an error in line %(line)s (%(detail)s)."),
    "incomplete": N_("“%(missing)s” is missing in “%(filename)s”. Please pack all parts of the Shapefile into one ZIP."),
    "no_layers": N_("There is no map in “%(filename)s”: none of its tables has shapes."),
    "no_features": N_("The file “%(filename)s” has no objects."),
    "missing_crs": N_(
        "“%(filename)s” does not say in which coordinate system it is. Please choose it; the file is still here."
    ),
    "unknown_crs": N_("The coordinate system %(crs)s of “%(filename)s” is not known here. Please choose another one."),
    "crs_conflict": N_(
        "“%(filename)s” says that it is in %(found)s, but you chose %(given)s. Please leave the choice empty, "
        "or check the file."
    ),
    "outside": N_(
        "Everything in “%(filename)s” lies outside Germany. Is it in another coordinate system than it says?"
    ),
    "swapped": N_(
        "In “%(filename)s” longitude and latitude are the wrong way round. Please export it again with the "
        "longitude first."
    ),
    "nothing_usable": N_("None of the %(count)s shapes in “%(filename)s” can be used."),
    "xml_entities": N_("“%(filename)s” has a document type or entities. For safety we do not read such files."),
    "xplan_version": N_(
        "“%(filename)s” is XPlanGML in version %(found)s. We can read these versions: %(supported)s."
    ),
    "no_plan": N_("There is no plan in “%(filename)s”."),
    "missing_part": N_(
        "To read %(format)s, this computer needs the additional package %(part)s. Please ask who runs it, or export "
        "“%(filename)s” as GeoPackage."
    ),
    "no_buildings": N_("There are no buildings in “%(filename)s”, only: %(others)s."),
    "no_heights": N_("“%(filename)s” is no terrain model (%(found)s). Possible are GeoTIFF and lists of points on a grid."),
    "no_grid": N_(
        "The heights in “%(filename)s” do not lie on a grid along the coordinates. Please export them as a regular grid."
    ),
    "needs_place": N_("“%(filename)s” does not know where on earth it stands. Please say it below; the file has to be chosen again."),
    "needs_extension": N_(
        "“%(filename)s” needs extensions of glTF that we do not read (%(names)s). Please export it without compression."
    ),
    "lies_elsewhere": N_(
        "“%(filename)s” keeps its content in another place (%(entry)s), and we fetch nothing. Please export it as one file (.glb)."
    ),
    "far_from_plan": N_("The buildings in “%(filename)s” do not stand where the plan is. Please check place and coordinate system."),
    "no_names": N_(
        "In “%(filename)s” there is no column with names. We know these ones only: %(columns)s."
    ),
}  # fmt: skip

_PLACE_WORDS: Mapping[str, str] = {
    "empty": N_("There is no area yet. Please draw one, paste one or choose a file."),
    "not_geojson": N_("This is no GeoJSON. It begins with {\"type\": \"Polygon\", … or is a feature with one."),
    "unsupported": N_("This is %(type)s, but a plan area is one polygon. Please choose a file for several shapes."),
    "not_finite": N_("One of the coordinates is no number."),
    "swapped": N_("Longitude and latitude are the wrong way round, as at %(lon)s, %(lat)s. The longitude comes first."),
    "metres": N_(
        "These coordinates are metres (%(x)s, %(y)s), but GeoJSON is in degrees. Please choose the file instead, "
        "and its coordinate system."
    ),
    "outside": N_("The place %(lon)s, %(lat)s lies outside Germany."),
    "too_many_vertices": N_("This has %(count)s points; at most %(limit)s are possible. Please choose a file instead."),
    "too_short": N_("This line has no length."),
    "too_small": N_("This area is too small or too narrow to be a plan area."),
    "self_crossing": N_(
        "The outline crosses or touches itself near longitude %(lon)s, latitude %(lat)s. Please move the points there."
    ),
    "invalid_area": N_(
        "The parts of this area overlap, or a hole lies outside it, near longitude %(lon)s, latitude %(lat)s."
    ),
}  # fmt: skip

_REPAIR_WORDS: Mapping[str, str] = {
    "self_crossing": N_("The outline of no. %(feature)s crossed itself; repaired near longitude %(lon)s, latitude %(lat)s."),
    "invalid_area": N_("The area of no. %(feature)s was not clean; repaired near longitude %(lon)s, latitude %(lat)s."),
    "collection": N_("No. %(feature)s mixed kinds of shapes; the largest kind was taken, near %(lon)s, %(lat)s."),
}  # fmt: skip

_CITY_REPAIR_WORDS: Mapping[str, str] = {
    "open_ring": N_(
        "A face of %(identifier)s was not closed; closed near longitude %(lon)s, latitude %(lat)s."
    ),
    "self_crossing_face": N_(
        "A face of %(identifier)s crossed itself; repaired near longitude %(lon)s, latitude %(lat)s."
    ),
    "inside_out": N_(
        "The faces of %(identifier)s looked inwards; turned, near longitude %(lon)s, latitude %(lat)s."
    ),
    "measured_height": N_(
        "The height that %(identifier)s claims cannot be right; it is left away, near longitude %(lon)s, latitude %(lat)s."
    ),
}

_SKIPPED_WORDS: Mapping[str, str] = {
    "no_geometry": N_("%(count)s objects without a shape (%(layer)s)"),
    "not_finite": N_("%(count)s shapes with coordinates that are no numbers (%(layer)s)"),
    "outside": N_("%(count)s shapes outside Germany (%(layer)s)"),
    "swapped": N_("%(count)s shapes with longitude and latitude the wrong way round (%(layer)s)"),
    "collapsed": N_("%(count)s shapes without extent (%(layer)s)"),
    "unread": N_("%(count)s objects that could not be read (%(layer)s)"),
    "too_detailed": N_("%(count)s shapes with more points than can be drawn (%(layer)s)"),
    "zero_area": N_("%(count)s faces without area"),
    "too_high": N_("%(count)s buildings that are higher than anything can be built"),
    "no_footprint": N_("%(count)s buildings that cover no ground"),
    "duplicate": N_("%(count)s buildings that were there already"),
    "unresolved_link": N_("%(count)s references to faces that are not in the file"),
    "remote_link": N_("%(count)s references to other addresses: nothing is fetched"),
    "interior": N_("%(count)s rooms and other things inside buildings"),
    "other_lod": N_("%(count)s faces of other levels of detail than the best"),
    "repeated_face": N_("%(count)s faces that were there twice"),
    "not_three": N_("%(count)s faces without heights or with half a point"),
    "template": N_("%(count)s shapes that only refer to a template"),
    "orphan": N_("%(count)s parts without a building"),
    "unknown_height": N_("%(count)s points of the ground without a height"),
    "no_triangles": N_("%(count)s parts that are points or lines"),
    "other_object": N_("%(count)s objects that are no buildings (%(layer)s)"),
}

_NOTE_WORDS: Mapping[str, str] = {
    "approximate_datum": N_(
        "The way from its coordinate system into ours is exact to about %(value)s m only."
    ),
    "missing_grid": N_("For the last decimetres PROJ's file %(value)s is missing on this computer."),
    "axis_order": N_(
        "Easting and northing stand the other way round than %(value)s says; that was put right."
    ),
    "grid_step": N_("It has a height every %(value)s m."),
    "outside_germany": N_("It lies outside Germany."),
    "encoding": N_("It does not say how its text is written; we took it for %(value)s."),
    "reader": N_("The reader remarks: %(value)s"),
}


def explain(problem: LayerProblem, filename: str, language: str) -> str:
    """Why a file cannot become a layer, as a sentence that names the file."""
    code = "broken_line" if problem.code == "broken" and "line" in problem.facts else problem.code
    return _say(_LAYER_WORDS[code], {**problem.facts, "filename": filename}, language)


def explain_place(problem: GeometryProblem, language: str) -> str:
    """Why an area cannot be taken, as a sentence that says where."""
    facts = {"lon": "?", "lat": "?", **problem.facts}
    return _say(_PLACE_WORDS[problem.code], facts, language)


def repairs(report: Mapping[str, Any], language: str) -> list[str]:
    """What was repaired in a file (a stored `LayerReport`), one sentence each, with the place."""
    words = {**_REPAIR_WORDS, **_CITY_REPAIR_WORDS}
    return [_say(words[each["what"]], each, language) for each in report.get("repairs", ())]


def left_out(report: Mapping[str, Any], language: str) -> list[str]:
    """What of a file was left out, and why; the first few by what they call themselves."""
    return [
        _say(_SKIPPED_WORDS[each["reason"]], each, language) + _named(each.get("identifiers") or ())
        for each in report.get("skipped", ())
    ]


def _named(identifiers: Sequence[str]) -> str:
    more = ", …" if len(identifiers) > NAMED else ""
    return f": {', '.join(identifiers[:NAMED])}{more}" if identifiers else ""


def notes(report: Mapping[str, Any], language: str) -> list[str]:
    """What else there is to know about how a file was read."""
    return [
        _say(_NOTE_WORDS[code], {"value": value or "?"}, language)
        for code, value in report.get("notes", ())
        if code in _NOTE_WORDS
    ]


def _say(words: str, facts: Mapping[str, Any], language: str) -> str:
    spelled = {name: _spelled(name, value, language) for name, value in facts.items()}
    return str(translations(language).gettext(words)) % spelled


def _spelled(name: str, value: object, language: str) -> object:
    if name in ("lon", "lat") and isinstance(value, float):
        return f"{value:.5f}"
    return (
        number(value, language)
        if isinstance(value, int | float) and name not in ("line", "feature")
        else value
    )
