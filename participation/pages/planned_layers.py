"""The catalogue of map layers, of the town and of a consultation: take files in, say what they are, replace them with
newer ones, order them, take them off the map. Services of others are in `planned_services`.

A file becomes a layer in a job (`participation.layers_import`); the pages say how far it is and what came of it.
"""

import hmac
import re
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

from starlette.datastructures import FormData
from starlette.responses import Response, StreamingResponse
from wtforms import BooleanField, DateField, FileField, HiddenField, SelectField, StringField
from wtforms.fields import SelectChoice
from wtforms.validators import DataRequired, Length, Optional

from consultations import attached, places, procedures
from consultations.files import MissingFile, clean_filename
from consultations.permissions import Permission, may
from consultations.places import Layer, LayerRole, LayerWords
from consultations.procedures import Procedure, ProcedureState
from consultations.refusals import Code, Refusal
from participation import i18n, layer_files, layers_import
from participation.layers_import import LayerJob, LayerWish
from participation.pages.map_files import SYSTEMS, Report, report_of
from participation.pages.planned_documents import done_words
from participation.pages.planning_forms import (
    Errors,
    Head,
    SectionForm,
    head_of,
    planned,
    refused,
    require_note,
)
from participation.pages.uploads import body_limit
from participation.web import Visit, page

#: Marks a message for the catalogues.
N_ = str

#: What a layer of a consultation can be.
ROLES: Mapping[LayerRole, str] = {
    LayerRole.OTHER: N_("Something to look at on the map"),
    LayerRole.PLAN: N_("What the plan lays down"),
    LayerRole.PARCELS: N_("Parcels that people can choose by number"),
    LayerRole.CITY_MODEL: N_("City model: buildings in three dimensions (CityGML, CityJSON)"),
    LayerRole.TERRAIN: N_("Terrain model: the ground in three dimensions (GeoTIFF, XYZ)"),
    LayerRole.TREES: N_("Single trees, for the picture in three dimensions"),
}
#: What a layer of the town can be besides.
TOWN_ROLES: Mapping[LayerRole, str] = {
    **ROLES,
    LayerRole.BOUNDARY: N_("The town's boundary"),
    LayerRole.DISTRICTS: N_("Districts that people can choose by name"),
    LayerRole.STREETS: N_("Streets that people can choose by name"),
    LayerRole.BUILDINGS: N_("Buildings of the base map"),
    LayerRole.WATER: N_("Water of the base map"),
    LayerRole.GREEN: N_("Green spaces of the base map"),
}
#: How long the list speaks of an import.
REMEMBERED = timedelta(days=2)
#: Problems after which the same file can be used once somebody has said its coordinate system.
ASKS_FOR_SYSTEM = frozenset({"missing_crs", "crs_conflict", "unknown_crs"})


class LayerDetails(SectionForm):
    """What is said of a layer."""

    title = StringField(N_("Title"), [DataRequired(N_("Please enter a title.")), Length(max=200)])
    source = StringField(N_("Where it comes from"), [Length(max=300)])
    licence = StringField(N_("Licence"), [Length(max=200)])
    attribution = StringField(
        N_("Attribution"),
        [DataRequired(N_("Please say who made the data: it stands on the map.")), Length(max=200)],
    )
    dated = DateField(N_("Date of the data"), [Optional()])
    is_visible = BooleanField(N_("Shown when the map opens"))
    is_open = BooleanField(N_("Everybody may download it as open data"))


class KnownDetails(LayerDetails):
    """What is said of a layer that was read."""

    name_column = SelectField(N_("What its objects are called"), choices=[], validate_choice=False)
    id_column = SelectField(N_("What stays the same for good"), choices=[], validate_choice=False)


class FileForm(LayerDetails):
    """A map file that becomes a layer."""

    #: A file that has been taken in, with a seal over its hash and name: nobody can name a file of somebody else's.
    kept = HiddenField()
    file = FileField(N_("Map file"))
    crs = SelectField(N_("Coordinate system"), choices=list(SYSTEMS))
    role = SelectField(N_("What it is"), choices=[])


# --- whose layers ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Owner:
    """Whose layers they are: the town's, or those of a consultation (`head`)."""

    procedure: Procedure | None
    head: Head | None
    layers_url: str

    @property
    def id(self) -> int | None:
        return self.procedure.id if self.procedure else None

    @property
    def is_public(self) -> bool:
        """Everybody can read the consultation, so that a change needs a note."""
        return bool(self.head and self.head.is_public)


def owner_of(visit: Visit, procedure: Procedure | None) -> Owner:
    """The owner, if the visitor may change its layers. Raises Refusal NOT_ALLOWED."""
    if procedure is None:
        if not may(visit.by, Permission.IMPORT, municipality_id=visit.municipality_id):
            raise Refusal(Code.NOT_ALLOWED)
        return Owner(None, None, visit.url("town_layers"))
    visit.require(Permission.PLAN, procedure)
    return Owner(procedure, head_of(visit, procedure), visit.url("planning_layers", id=procedure.id))


def layer_asked(visit: Visit) -> tuple[Layer, Owner]:
    """The layer in the address, also one that was replaced, and whose it is. Raises Refusal NOT_FOUND, NOT_ALLOWED."""
    layer = places.layer_by_id(visit.session, visit.municipality_id, visit.request.path_params["layer"])
    if layer is None:
        visit.not_found()
    procedure = None
    if layer.procedure_id is not None:
        procedure = procedures.by_id(visit.session, visit.municipality_id, layer.procedure_id)
    return layer, owner_of(visit, procedure)


def note_of(owner: Owner, form: SectionForm) -> str:
    """What changed, in the planner's words; asked for once everybody can read it. Raises Refusal REASON_REQUIRED."""
    return require_note(owner.procedure, form) if owner.procedure else ""


def record(visit: Visit, owner: Owner, note: str) -> None:
    """What everybody can see of a consultation has changed: a version of its own."""
    if owner.procedure and owner.procedure.state != ProcedureState.DRAFT.value:
        procedures.record_change(visit.session, owner.procedure, by=visit.by, now=visit.now, note=note)


def to_layers(visit: Visit, owner: Owner, done: str = "") -> Response:
    if owner.procedure is None:
        return visit.redirect("town_layers", done=done)
    return visit.redirect("planning_layers", id=owner.id, done=done)


# --- the list --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class LayerLine:
    """A layer in the list."""

    id: int
    title: str
    url: str
    facts: tuple[str, ...]
    is_visible: bool
    #: Contributions whose object was not found again, and where they are decided.
    loose: int
    loose_url: str


@dataclass(frozen=True)
class ImportLine:
    """An import in the list: waiting | running | done | refused | failed."""

    id: int
    title: str
    filename: str
    state: str
    progress: int
    words: str
    url: str


@dataclass(frozen=True)
class LayersPage:
    """The layers in their order, the lowest first, the imports of these days, and the way to add one."""

    owner: Owner
    layers: tuple[LayerLine, ...]
    imports: tuple[ImportLine, ...]
    is_busy: bool
    kept: str
    service_url: str
    done: str
    errors: Errors


@page(
    "/verwaltung/planung/{id:int}/ebenen",
    name="planning_layers",
    may=Permission.PLAN,
    methods=("GET", "POST"),
    body_limit=body_limit,
)
async def planning_layers(visit: Visit) -> Response:
    """The map layers of a consultation."""
    return await _layers(visit, lambda: owner_of(visit, planned(visit)))


@page(
    "/verwaltung/ebenen",
    name="town_layers",
    may=Permission.IMPORT,
    methods=("GET", "POST"),
    body_limit=body_limit,
)
async def town_layers(visit: Visit) -> Response:
    """The map layers of the town: its base map, and what lies on every map."""
    return await _layers(visit, lambda: owner_of(visit, None))


async def _layers(visit: Visit, owner: Callable[[], Owner]) -> Response:
    if not visit.is_post:
        return await visit.in_thread(lambda: _show_layers(visit, owner()))
    whose = await visit.in_thread(owner)
    moved = re.fullmatch(r"(up|down)-(\d{1,9})", str(visit.form_data.get("do", "")))
    if moved:
        await visit.in_thread(lambda: _move_layer(visit, owner(), int(moved[2]), moved[1]), write=True)
        return to_layers(visit, whose)
    sent = await _kept_or_not(visit)
    return await visit.in_thread(lambda: _begin_import(visit, owner(), sent, None), write=True)


async def _kept_or_not(visit: Visit) -> "Kept | Refusal | None":
    """The map file of this request, in the store; none; or why it cannot be kept."""
    try:
        return await visit.house.inspections.run(partial(keep_sent, visit))
    except Refusal as refusal:
        return refusal


@dataclass(frozen=True)
class Kept:
    """A map file that was taken in."""

    sha256: str
    filename: str

    def sealed(self, key: bytes) -> str:
        """As a form carries it."""
        return f"{self.sha256}:{_seal(key, self)}:{self.filename}"


def _seal(key: bytes, kept: Kept) -> str:
    return hmac.new(key, f"map file {kept.sha256} {kept.filename}".encode(), sha256).hexdigest()[:32]


def keep_sent(visit: Visit) -> Kept | None:
    """The map file that was sent, in the store; or the one that waits in the form. No transaction is open meanwhile."""
    uploads = visit.uploads("file")
    if uploads:
        with tempfile.TemporaryDirectory(prefix="digilog-") as folder:
            path = Path(folder) / "delivered"
            with path.open("wb") as file:
                shutil.copyfileobj(uploads[-1].file, file)
            with path.open("rb") as stream:
                stored = visit.house.files.put(stream)
        return Kept(stored.sha256, clean_filename(uploads[-1].filename or ""))
    digest, _, rest = str(visit.form_data.get("kept", "")).partition(":")
    seal, _, filename = rest.partition(":")
    kept = Kept(digest, filename)
    return kept if hmac.compare_digest(seal, _seal(visit.house.link_key, kept)) else None


def _file_form(visit: Visit, owner: Owner, sent: FormData | None = None, **known: Any) -> FileForm:
    form = visit.form(FileForm, sent=sent, **known)
    roles = ROLES if owner.procedure else TOWN_ROLES
    form.role.choices = [SelectChoice(role.value, words) for role, words in roles.items()]
    return form


def _begin_import(
    visit: Visit, owner: Owner, found: Kept | Refusal | None, replaces: Layer | None
) -> Response:
    """Leave the job for a file, or show the form again with what is wrong."""
    sent = found if isinstance(found, Kept) else None
    form = _file_form(visit, owner)
    if replaces is not None:
        form.role.data = replaces.role
        form.role.choices = [SelectChoice(replaces.role, "")]
    errors: Errors = ()
    refusal: Refusal | None = None
    is_valid = form.validate()
    if not sent:
        form.file.errors = [
            visit.explain(found) if isinstance(found, Refusal) else N_("Please choose a file.")
        ]
    if is_valid and sent:
        try:
            note = note_of(owner, form)
            crs = str(form.crs.data or "")
            wish = LayerWish(
                title=(form.title.data or "").strip(),
                role=LayerRole(form.role.data),
                procedure_id=owner.id,
                source=(form.source.data or "").strip(),
                licence=(form.licence.data or "").strip(),
                attribution=(form.attribution.data or "").strip(),
                crs=int(crs) if crs.isdecimal() else None,
                dated=form.dated.data.isoformat() if form.dated.data else "",
                is_visible=bool(form.is_visible.data),
                is_open=bool(form.is_open.data),
                replaces=replaces.id if replaces else None,
                note=note,
            )
            job = layers_import.leave_kept(
                visit.session,
                sent.sha256,
                sent.filename,
                wish,
                municipality_id=visit.municipality_id,
                by=visit.by,
                now=visit.now,
            )
            return visit.redirect("layer_import", job=job.id)
        except Refusal as problem:
            refusal = problem
    if refusal is not None:
        more, _status = refused(visit, form, refusal)
        errors = (*errors, *more)
    if replaces is not None:
        return _show_replacing(visit, owner, replaces, form, sent, errors)
    return _show_layers(visit, owner, form, sent, errors)


def _move_layer(visit: Visit, owner: Owner, layer_id: int, way: str) -> None:
    layer = places.layer_by_id(visit.session, visit.municipality_id, layer_id)
    if layer is None or layer.procedure_id != owner.id or layer.replaced_at is not None:
        visit.not_found()
    places.move_layer(visit.session, layer, 1 if way == "down" else -1, by=visit.by, now=visit.now)


def _show_layers(
    visit: Visit, owner: Owner, form: FileForm | None = None, sent: Kept | None = None, errors: Errors = ()
) -> Response:
    town = visit.municipality_row
    status = 422 if form else 200
    form = form or _file_form(
        visit,
        owner,
        FormData() if visit.is_post else None,
        attribution=town.authority or town.name,
        is_visible=True,
    )
    form.kept.data = sent.sealed(visit.house.link_key) if sent else ""
    rows = places.layers_of(visit.session, visit.municipality_id, owner.id)
    loose = attached.loose_counts(visit.session, tuple(row.series or 0 for row in rows))
    jobs = layers_import.imports_of(
        visit.session, visit.municipality_id, owner.id, since=visit.now - REMEMBERED
    )
    roles = TOWN_ROLES
    lines = tuple(
        LayerLine(
            row.id or 0,
            row.title,
            visit.url("layer", layer=row.id),
            tuple(
                each
                for each in (
                    visit.gettext(roles[LayerRole(row.role)]) if LayerRole(row.role) in roles else "",
                    str(row.service.get("kind", "")).upper() or str(row.report.get("format", "")),
                    i18n.date_short(row.dated, visit.language) if row.dated else "",
                    row.attribution,
                )
                if each
            ),
            row.is_visible,
            loose.get(row.series or 0, 0),
            visit.url("layer_links", layer=row.id),
        )
        for row in rows
    )
    shown = LayersPage(
        owner=owner,
        layers=lines,
        imports=tuple(_import_line(visit, job) for job in jobs if job.state != "done"),
        is_busy=any(job.state in ("waiting", "running") for job in jobs),
        kept=sent.filename if sent else "",
        service_url=visit.url("layer_service", verfahren=owner.id),
        done=done_words(visit),
        errors=errors,
    )
    return visit.render("planning/layers.html", shown, status=status, form=form)


# --- an import -------------------------------------------------------------------------------------

_STATES: Mapping[str, str] = {
    "waiting": N_("Waits for its turn"),
    "running": N_("Is being read"),
    "done": N_("Is on the map"),
    "refused": N_("Could not be used"),
    "failed": N_("Something went wrong on our side"),
}


def _import_line(visit: Visit, job: LayerJob) -> ImportLine:
    return ImportLine(
        job.id,
        job.wish.title,
        job.filename,
        job.state,
        job.progress,
        visit.gettext(_STATES[job.state]),
        visit.url("layer_import", job=job.id),
    )


class SystemForm(SectionForm):
    """The coordinate system of a file that does not say it."""

    crs = SelectField(N_("Coordinate system"), choices=list(SYSTEMS))


@dataclass(frozen=True)
class ImportPage:
    """One import: how far it is, or what came of it."""

    owner: Owner
    line: ImportLine
    #: Why the file could not be used.
    problem: str
    asks_for_system: bool
    layer_url: str
    report: Report | None
    errors: Errors = ()


@page(
    "/verwaltung/ebenen/einlesen/{job:int}", name="layer_import", may=Permission.PLAN, methods=("GET", "POST")
)
def layer_import(visit: Visit) -> Response:
    """How far an import is and what came of it; a file without a coordinate system is asked for it here."""
    job = layers_import.import_by_id(visit.session, visit.municipality_id, visit.request.path_params["job"])
    if job is None:
        visit.not_found()
    procedure = None
    if job.wish.procedure_id is not None:
        procedure = procedures.by_id(visit.session, visit.municipality_id, job.wish.procedure_id)
    owner = owner_of(visit, procedure)
    form = visit.form(SystemForm)
    asks = job.problem is not None and job.problem.code in ASKS_FOR_SYSTEM
    if visit.is_post and asks:
        crs = str(form.crs.data or "")
        again = layers_import.leave_kept(
            visit.session,
            job.sha256,
            job.filename,
            layers_import.with_system(job.wish, int(crs) if crs.isdecimal() else None),
            municipality_id=visit.municipality_id,
            by=visit.by,
            now=visit.now,
        )
        return visit.redirect("layer_import", job=again.id)
    problem, report = "", None
    if job.problem is not None:
        problem = layers_import.explain(job.problem, job.filename, visit.language)
    elif job.refused:
        problem = visit.explain(Refusal(Code(job.refused)))
    layer = places.layer_by_id(visit.session, visit.municipality_id, job.layer_id) if job.layer_id else None
    if layer is not None:
        report = report_of(visit, {**layer.report, "filename": layer.original_name})
    shown = ImportPage(
        owner,
        _import_line(visit, job),
        problem,
        asks,
        visit.url("layer", layer=layer.id) if layer else "",
        report,
    )
    return visit.render("planning/layer_import.html", shown, form=form)


# --- one layer -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Delivery:
    """A delivery of a layer: when it came, what it is, and its file."""

    words: str
    facts: tuple[str, ...]
    file_url: str
    is_in_force: bool


@dataclass(frozen=True)
class LayerPage:
    """One layer, what was read from its file, and its deliveries."""

    owner: Owner
    layer_id: int
    title: str
    is_in_force: bool
    is_service: bool
    can_be_styled: bool
    deliveries: tuple[Delivery, ...]
    #: Contributions that wait for a decision.
    loose: int
    report: Report | None
    done: str
    errors: Errors


@page("/verwaltung/ebenen/{layer:int}", name="layer", may=Permission.PLAN, methods=("GET", "POST"))
def layer(visit: Visit) -> Response:
    """What is said of a layer; its deliveries; take it off the map."""
    row, owner = layer_asked(visit)
    names = ("title", "source", "licence", "attribution", "dated", "is_visible", "is_open", "id_column")
    known = {name: getattr(row, name) for name in names}
    known |= {
        "name_column": str(row.style.get("name_column") or ""),
        "version": owner.head.version if owner.head else 0,
    }
    form = visit.form(KnownDetails, sent=None if visit.is_post else FormData(), **known)
    columns = [SelectChoice(each, each) for each in layer_files.attributes_of(row)]
    guessed = layer_files.columns_of(row)
    by_itself = visit.gettext("Chosen by itself: %(column)s")
    form.name_column.choices = [SelectChoice("", by_itself % {"column": guessed.name or "–"}), *columns]
    form.id_column.choices = [
        SelectChoice("", by_itself % {"column": guessed.identifier or visit.gettext("their shape")}),
        *columns,
    ]
    errors: Errors = ()
    status = 200
    if visit.is_post:
        status = 422
        removes = visit.form_data.get("do") == "remove"
        if removes or form.validate():
            try:
                if row.replaced_at is not None:
                    raise Refusal(Code.WRONG_STATE, state="replaced")
                note = note_of(owner, form)
                if removes:
                    places.remove_layer(visit.session, row, by=visit.by, now=visit.now)
                else:
                    places.change_layer(visit.session, row, _words(form, row), by=visit.by, now=visit.now)
                record(visit, owner, note)
                if removes:
                    return to_layers(visit, owner, "removed")
                return visit.redirect("layer", layer=row.id, done="saved")
            except Refusal as refusal:
                visit.session.rollback()
                errors, status = refused(visit, form, refusal)
    return visit.render(
        "planning/layer.html", _layer_page(visit, row, owner, errors), status=status, form=form
    )


def _words(form: KnownDetails, row: Layer) -> LayerWords:
    known = layer_files.attributes_of(row)
    columns = {
        name: value if (value := str(form[name].data or "")) in known else ""
        for name in ("name_column", "id_column")
    }
    words = {name: (form[name].data or "").strip() for name in ("title", "source", "licence", "attribution")}
    return LayerWords(
        **words,
        **columns,
        dated=form.dated.data,
        is_visible=bool(form.is_visible.data),
        is_open=bool(form.is_open.data),
    )


def _layer_page(visit: Visit, row: Layer, owner: Owner, errors: Errors) -> LayerPage:
    deliveries = tuple(
        Delivery(
            visit.gettext("Taken in on %(day)s", day=i18n.datetime_long(each.imported_at, visit.language)),
            tuple(
                fact
                for fact in (
                    each.original_name,
                    i18n.date_long(each.dated, visit.language) if each.dated else "",
                    visit.ngettext("%(num)s object", "%(num)s objects", int(each.report.get("features", 0)))
                    if each.report
                    else "",
                )
                if fact
            ),
            visit.url("layer_file", layer=each.id) if each.original_sha256 else "",
            each.replaced_at is None,
        )
        for each in places.deliveries(visit.session, row)
    )
    drawn = {LayerRole.OTHER.value, LayerRole.TREES.value, LayerRole.PARCELS.value}
    return LayerPage(
        owner=owner,
        layer_id=row.id or 0,
        title=row.title,
        is_in_force=row.replaced_at is None,
        is_service=bool(row.service),
        can_be_styled=row.role in drawn and not row.service,
        deliveries=deliveries,
        loose=attached.loose_counts(visit.session, (row.series or 0,)).get(row.series or 0, 0),
        report=report_of(visit, {**row.report, "filename": row.original_name}),
        done=done_words(visit),
        errors=errors,
    )


@page(
    "/verwaltung/planung/{id:int}/ebenen/{layer:int}",
    name="planning_layer",
    may=Permission.PLAN,
)
def planning_layer(visit: Visit) -> Response:
    """Where a layer of a consultation used to be looked after."""
    procedure = planned(visit)
    row = places.layer_by_id(visit.session, visit.municipality_id, visit.request.path_params["layer"])
    if row is None or row.procedure_id != procedure.id:
        visit.not_found()
    return visit.redirect("layer", layer=row.id)


@page("/verwaltung/ebenen/{layer:int}/datei", name="layer_file", may=Permission.PLAN)
def layer_file(visit: Visit) -> Response:
    """The file of a delivery as it came, also of one that was replaced."""
    row, _owner = layer_asked(visit)
    if not row.original_sha256:
        visit.not_found()
    try:
        content = visit.house.files.open(row.original_sha256)
    except MissingFile:
        visit.not_found()
    name = clean_filename(row.original_name or row.title).replace('"', "")
    ascii_name = name.encode("ascii", "replace").decode().replace("?", "_")
    headers = {
        "Content-Disposition": f'attachment; filename="{ascii_name}"',
        "Cache-Control": "private, no-cache",
        "Content-Security-Policy": "default-src 'none'; sandbox",
    }
    return StreamingResponse(content, media_type="application/octet-stream", headers=headers)


# --- a newer delivery ------------------------------------------------------------------------------


@dataclass(frozen=True)
class ReplacePage:
    """A newer file for a layer."""

    owner: Owner
    layer_id: int
    title: str
    kept: str
    #: Contributions about its objects.
    about: int
    errors: Errors


@page(
    "/verwaltung/ebenen/{layer:int}/ersetzen",
    name="layer_replace",
    may=Permission.PLAN,
    methods=("GET", "POST"),
    body_limit=body_limit,
)
async def layer_replace(visit: Visit) -> Response:
    """Give a layer a newer file. The old one is kept; contributions about its objects go over to the same objects."""
    if not visit.is_post:
        return await visit.in_thread(lambda: _ask_for_newer(visit))
    await visit.in_thread(lambda: layer_asked(visit))
    sent = await _kept_or_not(visit)

    def begin() -> Response:
        row, owner = _in_force(visit)
        return _begin_import(visit, owner, sent, row)

    return await visit.in_thread(begin, write=True)


def _in_force(visit: Visit) -> tuple[Layer, Owner]:
    row, owner = layer_asked(visit)
    if row.replaced_at is not None or row.service:
        visit.not_found()
    return row, owner


def _ask_for_newer(visit: Visit) -> Response:
    row, owner = _in_force(visit)
    names = ("title", "source", "licence", "attribution", "is_visible", "is_open")
    form = _file_form(visit, owner, **{name: getattr(row, name) for name in names})
    return _show_replacing(visit, owner, row, form, None, ())


def _show_replacing(
    visit: Visit, owner: Owner, row: Layer, form: FileForm, sent: Kept | None, errors: Errors
) -> Response:
    form.kept.data = sent.sealed(visit.house.link_key) if sent else ""
    shown = ReplacePage(
        owner,
        row.id or 0,
        row.title,
        sent.filename if sent else "",
        len(attached.about(visit.session, row)),
        errors,
    )
    status = 422 if visit.is_post else 200
    return visit.render("planning/layer_replace.html", shown, status=status, form=form)
