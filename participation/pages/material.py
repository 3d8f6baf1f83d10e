"""Files and maps of a consultation: its documents, its plan area, its map layers.

A file is uploaded once: what was taken in stays with a draft until it can be used, whatever else is wrong in the
form. Map files are read in a process of their own and before any transaction, see `participation.layers_import`.
"""

import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import date
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData, UploadFile
from starlette.responses import Response
from wtforms import BooleanField, FileField, HiddenField, RadioField, SelectField, StringField, TextAreaField
from wtforms.fields import SelectChoice
from wtforms.validators import DataRequired, Length

from consultations import drafts, places, procedures
from consultations.deadlines import local_date
from consultations.files import MB, Limits, accept_upload, clean_filename
from consultations.inspection import PUBLIC_TYPES
from consultations.permissions import Permission
from consultations.places import Layer, LayerRole
from consultations.procedures import (
    Document,
    DocumentKind,
    DocumentVersion,
    FileFacts,
    Procedure,
    ProcedureState,
)
from consultations.refusals import Code, Refusal
from participation import i18n, layers_import
from participation.layers_import import Area, GeometryProblem, LayerProblem, ReadLayer
from participation.overview import DOCUMENT_NAMES
from participation.pages.maps import base_map
from participation.pages.planning import (
    Errors,
    Head,
    SectionForm,
    head_of,
    planned,
    read_version,
    refused,
    require_note,
)
from participation.settings import Settings
from participation.web import Visit, page

#: Marks a message for the catalogues.
N_ = str

#: Characters of a document's words that are kept for those who cannot use the file.
TEXT_LENGTH = 400_000


def body_limit(settings: Settings) -> int:
    """Several files in one request."""
    return settings.import_limit_mb * MB


# --- files that wait in a draft --------------------------------------------------------------------


def _token(visit: Visit) -> str:
    """The secret of the draft that this form writes into; a new one for a new form."""
    sent = str(visit.form_data.get("token", ""))
    return sent if drafts.is_secret(sent) else drafts.new_secret()


def _waiting(visit: Visit, token: str, procedure: Procedure) -> list[dict[str, Any]]:
    """What was taken in with this form and not used yet."""
    draft = drafts.find(visit.session, token, municipality_id=visit.municipality_id)
    return list(draft.files) if draft and draft.procedure_id == procedure.id else []


def _keep(visit: Visit, token: str, procedure: Procedure, files: Sequence[Mapping[str, Any]]) -> None:
    """Let files wait: these, and no others."""
    assert procedure.id is not None
    draft = drafts.find(visit.session, token, municipality_id=visit.municipality_id, lock=True)
    if draft is None:
        draft = drafts.begin(
            visit.session,
            token,
            municipality_id=visit.municipality_id,
            procedure_id=procedure.id,
            kind="material",
            data={},
            now=visit.now,
        )
    if draft.procedure_id == procedure.id:
        drafts.write(visit.session, draft, {}, now=visit.now, files=[dict(each) for each in files])


def _accept(visit: Visit, name: str) -> tuple[list[dict[str, Any]], Errors]:
    """Take in the documents sent under a name: those that can be, and why not the others."""
    limits = Limits(
        max_bytes=visit.house.settings.import_limit_mb * MB, types=PUBLIC_TYPES, text_length=TEXT_LENGTH
    )
    taken: list[dict[str, Any]] = []
    errors: list[tuple[str, str | None]] = []
    for upload in visit.uploads(name):
        try:
            taken.append(
                asdict(accept_upload(visit.house.files, upload.file, upload.filename or "", limits=limits))
            )
        except Refusal as refusal:
            errors.append((visit.explain(refusal), name))
    return taken, tuple(errors)


def _facts(taken: Mapping[str, Any]) -> FileFacts:
    return FileFacts(**{name: taken[name] for name in FileFacts.__dataclass_fields__})


# --- documents -------------------------------------------------------------------------------------

_GUESSES: Mapping[str, DocumentKind] = {
    "umweltbericht": DocumentKind.ENVIRONMENTAL_REPORT,
    "begr": DocumentKind.EXPLANATORY_REPORT,
    "bekanntm": DocumentKind.ANNOUNCEMENT,
    "gutachten": DocumentKind.EXPERT_REPORT,
    "untersuchung": DocumentKind.EXPERT_REPORT,
    "zeichnung": DocumentKind.PLAN_DRAWING,
    "planteil": DocumentKind.PLAN_DRAWING,
    "umwelt": DocumentKind.ENVIRONMENTAL_STATEMENT,
    "ergebnis": DocumentKind.RESULT,
}
"""What the name of a file says about the kind of document, the most telling first; the planner can correct it."""


def guessed_kind(filename: str) -> DocumentKind:
    """What kind of document a file probably is."""
    lowered = filename.casefold()
    return next((kind for part, kind in _GUESSES.items() if part in lowered), DocumentKind.OTHER)


def guessed_title(filename: str) -> str:
    """A title from a file name: "Umweltbericht_2027-01.pdf" → "Umweltbericht 2027-01"."""
    return re.sub(r"[\s_]+", " ", PurePosixPath(filename).stem).strip() or filename


class UploadForm(SectionForm):
    """New documents."""

    token = HiddenField()
    files = FileField(N_("Choose one or several files"), render_kw={"multiple": True})


@dataclass(frozen=True)
class DocumentLine:
    """A document in the list."""

    id: int
    title: str
    kind: str
    url: str
    format: str
    size: int
    pages: int | None
    number: int
    dated: date
    has_text: bool


@dataclass(frozen=True)
class Waiting:
    """A file that has been taken in and not used yet."""

    filename: str
    size: int


@dataclass(frozen=True)
class DocumentsPage:
    """All documents, and the way to add more."""

    head: Head
    documents: tuple[DocumentLine, ...]
    withdrawn: tuple[DocumentLine, ...]
    waiting: tuple[Waiting, ...]
    limit_mb: int
    done: str
    errors: Errors


DONE: Mapping[str, str] = {
    "added": N_("Added. Please check title and kind of each document."),
    "saved": N_("Saved."),
    "withdrawn": N_("The document is taken off the list. It stays readable and says so."),
    "removed": N_("The layer is taken off the map."),
}


def _done(visit: Visit) -> str:
    words = DONE.get(visit.request.query_params.get("done", ""))
    return visit.gettext(words) if words and not visit.is_post else ""


@page(
    "/verwaltung/planung/{id:int}/unterlagen",
    name="planning_documents",
    may=Permission.PLAN,
    methods=("GET", "POST"),
    body_limit=body_limit,
)
async def documents(visit: Visit) -> Response:
    """The documents of a consultation: add several at once, and put them into their order."""
    if not visit.is_post:
        return await visit.in_thread(partial(_show_documents, visit, drafts.new_secret()))
    await visit.in_thread(lambda: planned(visit))
    moved = re.fullmatch(r"(up|down)-(\d{1,9})", str(visit.form_data.get("do", "")))
    if moved:
        await visit.in_thread(partial(_move_document, visit, int(moved[2]), moved[1]), write=True)
        return visit.redirect("planning_documents", id=visit.request.path_params["id"])
    token = _token(visit)
    fresh, errors = await run_in_threadpool(_accept, visit, "files")
    await visit.in_thread(partial(_keep_more, visit, token, fresh), write=True)
    try:
        added = await visit.in_thread(partial(_add_documents, visit, token), write=True)
    except Refusal as refusal:
        return await visit.in_thread(partial(_show_documents, visit, token, errors=errors, refusal=refusal))
    if errors or not added:
        errors = errors or ((visit.gettext("Please choose at least one file."), "files"),)
        return await visit.in_thread(partial(_show_documents, visit, token, errors=errors))
    return visit.redirect("planning_documents", id=visit.request.path_params["id"], done="added")


def _keep_more(visit: Visit, token: str, fresh: Sequence[Mapping[str, Any]]) -> None:
    procedure = planned(visit)
    if fresh:
        _keep(visit, token, procedure, [*_waiting(visit, token, procedure), *fresh])


def _add_documents(visit: Visit, token: str) -> int:
    """Make documents of all files that wait; returns how many. Raises Refusal REASON_REQUIRED."""
    procedure = planned(visit)
    waiting = _waiting(visit, token, procedure)
    if not waiting:
        return 0
    note = require_note(procedure, visit.form(UploadForm))
    for each in waiting:
        procedures.add_document(
            visit.session,
            procedure,
            _facts(each),
            title=guessed_title(each["filename"]),
            kind=guessed_kind(each["filename"]),
            by=visit.by,
            now=visit.now,
            note=note,
        )
    _keep(visit, token, procedure, [])
    return len(waiting)


def _move_document(visit: Visit, document_id: int, where: str) -> None:
    procedure = planned(visit)
    document = procedures.document_of(visit.session, procedure, document_id)
    if document is None or document.is_withdrawn:
        visit.not_found()
    step = -1 if where == "up" else 1
    procedures.move_document(visit.session, procedure, document, step, by=visit.by, now=visit.now)


def _line(visit: Visit, document: Document, newest: DocumentVersion) -> DocumentLine:
    return DocumentLine(
        id=newest.document_id,
        title=document.title,
        kind=visit.gettext(DOCUMENT_NAMES[document.kind]),
        url=visit.url("planning_document", id=document.procedure_id, document=document.id),
        format=PurePosixPath(newest.filename).suffix.lstrip(".").upper(),
        size=newest.size,
        pages=newest.pages,
        number=newest.number,
        dated=local_date(newest.uploaded_at),
        has_text=bool(newest.text.strip()),
    )


def _show_documents(
    visit: Visit, token: str, *, errors: Errors = (), refusal: Refusal | None = None
) -> Response:
    procedure = planned(visit)
    form = visit.form(UploadForm, sent=None if visit.is_post else FormData())
    form.token.data, form.version.data = token, str(procedure.version)
    status = 422 if errors else 200
    if refusal is not None:
        more, status = refused(visit, form, refusal)
        errors = (*errors, *more)
    rows = [
        (document, _line(visit, document, versions[0]))
        for document, versions in procedures.documents_of(visit.session, procedure.id or 0)
        if versions
    ]
    shown = DocumentsPage(
        head=head_of(visit, procedure),
        documents=tuple(line for document, line in rows if not document.is_withdrawn),
        withdrawn=tuple(line for document, line in rows if document.is_withdrawn),
        waiting=tuple(Waiting(each["filename"], each["size"]) for each in _waiting(visit, token, procedure)),
        limit_mb=visit.house.settings.import_limit_mb,
        done=_done(visit),
        errors=errors,
    )
    return visit.render("planning/documents.html", shown, status=status, form=form)


# --- one document ----------------------------------------------------------------------------------


class DocumentForm(SectionForm):
    """What a document is, and its words for those who cannot use the file."""

    title = StringField(N_("Title"), [DataRequired(N_("Please enter a title.")), Length(max=300)])
    kind = SelectField(
        N_("Kind"), choices=[SelectChoice(str(kind), words) for kind, words in DOCUMENT_NAMES.items()]
    )
    text = TextAreaField(N_("The document as text"), [Length(max=1_000_000)])


class VersionForm(SectionForm):
    """A new file for a document."""

    token = HiddenField()
    file = FileField(N_("New file"))


class WithdrawForm(SectionForm):
    """Why a document is taken off the list."""


@dataclass(frozen=True)
class OneDocument:
    """A document: its versions with addresses, and three things that can be done."""

    head: Head
    line: DocumentLine
    is_withdrawn: bool
    versions: tuple[tuple[int, date, str, str], ...]
    waiting: tuple[Waiting, ...]
    errors: Errors


@dataclass(frozen=True)
class _Forms:
    details: DocumentForm
    version: VersionForm
    withdraw: WithdrawForm


@page(
    "/verwaltung/planung/{id:int}/unterlagen/{document:int}",
    name="planning_document",
    may=Permission.PLAN,
    methods=("GET", "POST"),
    body_limit=body_limit,
)
async def document(visit: Visit) -> Response:
    """Title, kind and text of a document; a new version of it; or take it off the list."""
    if not visit.is_post:
        return await visit.in_thread(partial(_show_document, visit, drafts.new_secret()))
    await visit.in_thread(lambda: _document(visit))
    asked = str(visit.form_data.get("do", "save"))
    token = str(visit.form_data.get("new-token", ""))
    token = token if drafts.is_secret(token) else drafts.new_secret()
    errors: Errors = ()
    if asked == "version":
        fresh, errors = await run_in_threadpool(_accept, visit, "new-file")
        await visit.in_thread(partial(_keep_one, visit, token, fresh), write=True)
    if errors:
        return await visit.in_thread(partial(_show_document, visit, token, asked=asked, errors=errors))
    try:
        done = await visit.in_thread(partial(_change_document, visit, token, asked), write=True)
    except Refusal as refusal:
        return await visit.in_thread(partial(_show_document, visit, token, asked=asked, refusal=refusal))
    if not done:
        return await visit.in_thread(partial(_show_document, visit, token, asked=asked, check=True))
    return visit.redirect("planning_documents", id=visit.request.path_params["id"], done=done)


def _document(visit: Visit) -> tuple[Procedure, Document]:
    procedure = planned(visit)
    found = procedures.document_of(visit.session, procedure, visit.request.path_params["document"])
    if found is None:
        visit.not_found()
    return procedure, found


def _keep_one(visit: Visit, token: str, fresh: Sequence[Mapping[str, Any]]) -> None:
    procedure, _ = _document(visit)
    if fresh:
        _keep(visit, token, procedure, fresh[-1:])


def _forms(visit: Visit, asked: str, document: Document, newest: DocumentVersion) -> _Forms:
    """The three forms; only the one that was sent holds what was typed."""
    nothing = FormData()

    def sent(name: str) -> FormData | None:
        return None if visit.is_post and asked == name else nothing

    return _Forms(
        visit.form(
            DocumentForm, sent=sent("save"), title=document.title, kind=document.kind, text=newest.text
        ),
        visit.form(VersionForm, prefix="new", sent=sent("version")),
        visit.form(WithdrawForm, prefix="gone", sent=sent("withdraw")),
    )


def _change_document(visit: Visit, token: str, asked: str) -> str:
    """Do what was asked; empty where the form has to be corrected. Raises Refusal REASON_REQUIRED."""
    procedure, found = _document(visit)
    newest = procedures.newest_version(visit.session, found)
    forms = _forms(visit, asked, found, newest)
    by, now = visit.by, visit.now
    if asked == "withdraw":
        note = (forms.withdraw.note.data or "").strip()
        procedures.withdraw_document(visit.session, procedure, found, by=by, now=now, note=note)
        return "withdrawn"
    if asked == "version":
        waiting = _waiting(visit, token, procedure)
        if not waiting:
            return ""
        procedures.add_document(
            visit.session,
            procedure,
            _facts(waiting[-1]),
            title=found.title,
            kind=DocumentKind(found.kind),
            by=by,
            now=now,
            document=found,
            note=require_note(procedure, forms.version),
        )
        _keep(visit, token, procedure, [])
        return "saved"
    if not forms.details.validate():
        return ""
    procedures.change_document(
        visit.session,
        procedure,
        found,
        title=forms.details.title.data.strip(),
        kind=DocumentKind(forms.details.kind.data),
        text=forms.details.text.data or "",
        by=by,
        now=now,
        note=(forms.details.note.data or "").strip(),
    )
    return "saved"


def _show_document(
    visit: Visit,
    token: str,
    *,
    asked: str = "",
    errors: Errors = (),
    refusal: Refusal | None = None,
    check: bool = False,
) -> Response:
    procedure, found = _document(visit)
    versions = next(
        versions
        for each, versions in procedures.documents_of(visit.session, procedure.id or 0)
        if each.id == found.id
    )
    forms = _forms(visit, asked, found, versions[0])
    forms.version.token.data = token
    status = 422 if errors or check else 200
    if check and asked == "version":
        errors = ((visit.gettext("Please choose a file."), "new-file"),)
    elif check:
        forms.details.validate()
    if refusal is not None:
        target = {"version": forms.version, "withdraw": forms.withdraw}.get(asked, forms.details)
        more, status = refused(visit, target, refusal)
        errors = (*errors, *more)
        if target is not forms.details:
            errors = (*errors, *((message, target.note.id) for message in target.note.errors))
    shown = OneDocument(
        head=head_of(visit, procedure),
        line=_line(visit, found, versions[0]),
        is_withdrawn=found.is_withdrawn,
        versions=tuple(
            (
                each.number,
                local_date(each.uploaded_at),
                each.note,
                visit.url("document", id=found.id, number=each.number, filename=each.filename),
            )
            for each in versions
        ),
        waiting=tuple(Waiting(each["filename"], each["size"]) for each in _waiting(visit, token, procedure)),
        errors=errors,
    )
    return visit.render("planning/document.html", shown, status=status, form=forms.details, forms=forms)


# --- map files -------------------------------------------------------------------------------------

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
class _Outcome:
    """What became of a map file: read, or why not; and what of it is to wait in the draft."""

    read: ReadLayer | None
    error: str
    field: str
    waits: tuple[dict[str, Any], ...]


def _read_map(visit: Visit, waiting: Sequence[Mapping[str, Any]], crs: str, role: LayerRole) -> _Outcome:
    """Read the map file of this request. No transaction is open meanwhile."""
    with _on_disk(visit, waiting) as delivered:
        if delivered is None:
            return _Outcome(None, visit.gettext("Please choose a file."), "file", ())
        path, filename = delivered
        size = path.stat().st_size
        try:
            read = layers_import.read_layer(
                visit.house.files, path, filename, role=role, crs=int(crs) if crs.isdecimal() else None
            )
        except LayerProblem as problem:
            error = layers_import.explain(problem, filename, visit.language)
            if problem.code not in _ASKS_FOR_SYSTEM:
                return _Outcome(None, error, "file", ())
            with path.open("rb") as file:
                kept = visit.house.files.put(file)
            return _Outcome(
                None, error, "crs", ({"sha256": kept.sha256, "filename": filename, "size": size},)
            )
    return _Outcome(read, "", "", ({"sha256": read.original_sha256, "filename": filename, "size": size},))


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


# --- plan area -------------------------------------------------------------------------------------


class AreaForm(MapFileForm):
    """The plan area: from a file, pasted, or drawn."""

    choice = RadioField(N_("Which of these areas is it?"), choices=[], validate_choice=False)
    geojson = TextAreaField(N_("The area as GeoJSON"), [Length(max=500_000)])


@dataclass(frozen=True)
class Backdrop:
    """What the map to draw on shows: tile addresses with {z}, {x}, {y}, and west, south, east, north in degrees."""

    tiles: str
    dark_tiles: str
    attribution: str
    bounds: str


@dataclass(frozen=True)
class AreaPage:
    """The plan area as it is, and the ways to set it."""

    head: Head
    picture: str
    report: Report | None
    waiting: tuple[Waiting, ...]
    backdrop: Backdrop
    current: str
    errors: Errors


@page(
    "/verwaltung/planung/{id:int}/gebiet",
    name="planning_area",
    may=Permission.PLAN,
    methods=("GET", "POST"),
    body_limit=body_limit,
)
async def area(visit: Visit) -> Response:
    """Set where the plan applies."""
    if not visit.is_post:
        return await visit.in_thread(partial(_show_area, visit, drafts.new_secret()))
    token = _token(visit)
    if visit.form_data.get("do") == "text":
        try:
            error = await visit.in_thread(partial(_take_text, visit), write=True)
        except Refusal as refusal:
            return await visit.in_thread(partial(_show_area, visit, token, refusal=refusal))
        if error:
            return await visit.in_thread(partial(_show_area, visit, token, errors=((error, "geojson"),)))
        return visit.redirect("planning_area", id=visit.request.path_params["id"])
    waiting = await visit.in_thread(lambda: _waiting(visit, token, planned(visit)))
    crs = str(visit.form_data.get("crs", ""))
    outcome = await run_in_threadpool(_read_map, visit, waiting, crs, LayerRole.PLAN)
    if outcome.waits:
        await visit.in_thread(lambda: _keep(visit, token, planned(visit), outcome.waits), write=True)
    if outcome.read is None:
        errors: Errors = ((outcome.error, outcome.field),)
        return await visit.in_thread(partial(_show_area, visit, token, errors=errors))
    found = _candidates(outcome.read)
    chosen = _chosen(visit, found)
    if chosen is None:
        return await visit.in_thread(partial(_show_area, visit, token, candidates=found, read=outcome.read))
    try:
        await visit.in_thread(partial(_take_area, visit, token, outcome.read, chosen), write=True)
    except Refusal as refusal:
        again = partial(_show_area, visit, token, candidates=found, read=outcome.read, refusal=refusal)
        return await visit.in_thread(again)
    return visit.redirect("planning_area", id=visit.request.path_params["id"])


def _candidates(read: ReadLayer) -> dict[str, Area]:
    """The areas that could be the plan area: those of the plans, else every area and all of them together."""
    plans = [plan.area for plan in read.reading.plans if plan.area]
    if plans:
        return {str(number): area for number, area in enumerate(plans, start=1)}
    found = {str(area.feature): area for area in read.reading.areas}
    if len(found) > 1 and read.reading.whole:
        return {"all": read.reading.whole, **found}
    return found


def _chosen(visit: Visit, found: Mapping[str, Area]) -> Area | None:
    """The only area, or the one that was chosen; a file sent anew has to be chosen from anew."""
    if len(found) == 1:
        return next(iter(found.values()))
    return None if visit.uploads("file") else found.get(str(visit.form_data.get("choice", "")))


def _check_version(procedure: Procedure, form: SectionForm) -> None:
    """Raises Refusal CHANGED_MEANWHILE."""
    if read_version(form) != procedure.version:
        raise Refusal(Code.CHANGED_MEANWHILE)


def _take_area(visit: Visit, token: str, read: ReadLayer, chosen: Area) -> None:
    """Make it the plan area; what else a plan's file holds becomes a layer of the consultation."""
    procedure = planned(visit)
    form = visit.form(AreaForm)
    _check_version(procedure, form)
    note = require_note(procedure, form)
    plan = next((plan for plan in read.reading.plans if plan.area == chosen), None)
    if plan is not None:
        layer, named = layers_import.layer_of(
            read,
            municipality_id=visit.municipality_id,
            procedure_id=procedure.id,
            title=plan.name or guessed_title(read.original_name),
            source=read.original_name,
            licence="",
            attribution=visit.municipality_row.authority or visit.municipality_row.name,
            position=len(places.layers_of(visit.session, visit.municipality_id, procedure.id)),
            now=visit.now,
        )
        places.add_layer(visit.session, layer, named, by=visit.by, now=visit.now)
    procedures.set_plan_area(
        visit.session,
        procedure,
        chosen.located,
        by=visit.by,
        now=visit.now,
        report={**read.report.as_dict(), "filename": read.original_name},
        note=note,
    )
    _keep(visit, token, procedure, [])


def _take_text(visit: Visit) -> str:
    """Make what was pasted or drawn the plan area; returns why not. Raises Refusal."""
    procedure = planned(visit)
    form = visit.form(AreaForm)
    try:
        located = layers_import.area_of_text(form.geojson.data or "")
    except GeometryProblem as problem:
        return layers_import.explain_place(problem, visit.language)
    if located.kind != "area":
        return visit.explain(Refusal(Code.PLAN_AREA_INVALID))
    _check_version(procedure, form)
    note = require_note(procedure, form)
    procedures.set_plan_area(visit.session, procedure, located, by=visit.by, now=visit.now, note=note)
    return ""


def _show_area(
    visit: Visit,
    token: str,
    *,
    errors: Errors = (),
    refusal: Refusal | None = None,
    candidates: Mapping[str, Area] | None = None,
    read: ReadLayer | None = None,
) -> Response:
    procedure = planned(visit)
    form = visit.form(AreaForm, version=procedure.version)
    form.token.data = token
    status = 422 if errors else 200
    if refusal is not None:
        more, status = refused(visit, form, refusal)
        errors = (*errors, *more)
    elif candidates is not None and not candidates:
        errors, status = (
            ((visit.gettext("There is no area in this file, only points or lines."), "file"),),
            422,
        )
    if candidates and len(candidates) > 1:
        form.choice.choices = [
            SelectChoice(value, _area_words(visit, value, each)) for value, each in candidates.items()
        ]
    version = procedure.version
    has_area = procedure.plan_area is not None
    stored = {**read.report.as_dict(), "filename": read.original_name} if read else procedure.plan_report
    shown = AreaPage(
        head=head_of(visit, procedure),
        picture=visit.url("plan_picture", slug=procedure.slug, v=version) if has_area else "",
        report=report_of(visit, stored),
        waiting=tuple(Waiting(each["filename"], each["size"]) for each in _waiting(visit, token, procedure)),
        backdrop=_backdrop(visit, procedure),
        current=layers_import.area_as_text(procedure.plan_area) if procedure.plan_area else "",
        errors=errors,
    )
    return visit.render("planning/area.html", shown, status=status, form=form)


def _area_words(visit: Visit, value: str, area: Area) -> str:
    """An area to choose, in words that need no gettext any more: its name and size."""
    hectares = i18n.number(round(area.square_metres / 10_000, 2), visit.language)
    if value == "all":
        return visit.gettext("All of them together (%(size)s ha)", size=hectares)
    name = area.name or visit.gettext("No. %(number)s", number=area.feature)
    return visit.gettext("%(name)s (%(size)s ha)", name=name, size=hectares)


def _backdrop(visit: Visit, procedure: Procedure) -> Backdrop:
    ground = base_map(visit)
    bounds: Sequence[float] = visit.municipality_row.bounds or layers_import.GERMANY
    box = (procedure.min_x, procedure.min_y, procedure.max_x, procedure.max_y)
    if box[0] is not None and box[1] is not None and box[2] is not None and box[3] is not None:
        bounds = layers_import.bounds_of((box[0], box[1], box[2], box[3]))
    address = f"/kacheln/{ground.digest}/{{look}}/{{z}}/{{x}}/{{y}}.svg"
    return Backdrop(
        tiles=address.replace("{look}", "light"),
        dark_tiles=address.replace("{look}", "dark"),
        attribution=ground.attribution,
        bounds=",".join(f"{value:.6f}" for value in bounds),
    )


# --- layers ----------------------------------------------------------------------------------------

#: What a layer of a consultation can be.
ROLES: Mapping[LayerRole, str] = {
    LayerRole.OTHER: N_("Something to look at on the map"),
    LayerRole.PLAN: N_("What the plan lays down"),
    LayerRole.PARCELS: N_("Parcels that people can choose by number"),
}


class LayerDetails(SectionForm):
    """What is said of a layer."""

    title = StringField(N_("Title"), [DataRequired(N_("Please enter a title.")), Length(max=200)])
    source = StringField(N_("Where it comes from"), [Length(max=300)])
    licence = StringField(N_("Licence"), [Length(max=200)])
    attribution = StringField(
        N_("Attribution"),
        [DataRequired(N_("Please say who made the data: it stands on the map.")), Length(max=200)],
    )
    is_visible = BooleanField(N_("Shown when the map opens"))


class LayerForm(LayerDetails, MapFileForm):
    """A new layer."""

    role = SelectField(
        N_("What it is"), choices=[SelectChoice(role.value, words) for role, words in ROLES.items()]
    )


@dataclass(frozen=True)
class LayerLine:
    """A layer in the list."""

    id: int
    title: str
    url: str
    facts: tuple[str, ...]
    is_visible: bool


@dataclass(frozen=True)
class LayersPage:
    """The layers in their order, the lowest first, and the way to add one."""

    head: Head
    layers: tuple[LayerLine, ...]
    waiting: tuple[Waiting, ...]
    done: str
    errors: Errors


@page(
    "/verwaltung/planung/{id:int}/ebenen",
    name="planning_layers",
    may=Permission.PLAN,
    methods=("GET", "POST"),
    body_limit=body_limit,
)
async def layers(visit: Visit) -> Response:
    """The map layers of a consultation."""
    if not visit.is_post:
        return await visit.in_thread(partial(_show_layers, visit, drafts.new_secret()))
    await visit.in_thread(lambda: planned(visit))
    moved = re.fullmatch(r"(up|down)-(\d{1,9})", str(visit.form_data.get("do", "")))
    if moved:
        await visit.in_thread(partial(_move_layer, visit, int(moved[2]), moved[1]), write=True)
        return visit.redirect("planning_layers", id=visit.request.path_params["id"])
    token = _token(visit)
    waiting = await visit.in_thread(lambda: _waiting(visit, token, planned(visit)))
    form = visit.form(LayerForm)
    role = LayerRole(form.role.data) if form.role.data in {role.value for role in ROLES} else LayerRole.OTHER
    outcome = await run_in_threadpool(_read_map, visit, waiting, str(form.crs.data or ""), role)
    if outcome.waits:
        await visit.in_thread(lambda: _keep(visit, token, planned(visit), outcome.waits), write=True)
    if outcome.read is None or not form.validate():
        errors: Errors = ((outcome.error, outcome.field),) if outcome.error else ()
        return await visit.in_thread(partial(_show_layers, visit, token, errors=errors, check=True))
    try:
        await visit.in_thread(partial(_take_layer, visit, token, outcome.read), write=True)
    except Refusal as refusal:
        return await visit.in_thread(partial(_show_layers, visit, token, refusal=refusal))
    return visit.redirect("planning_layers", id=visit.request.path_params["id"], done="saved")


def _take_layer(visit: Visit, token: str, read: ReadLayer) -> None:
    procedure = planned(visit)
    form = visit.form(LayerForm)
    note = require_note(procedure, form)
    layer, named = layers_import.layer_of(
        read,
        municipality_id=visit.municipality_id,
        procedure_id=procedure.id,
        **_details(form),
        position=len(places.layers_of(visit.session, visit.municipality_id, procedure.id)),
        now=visit.now,
    )
    places.add_layer(visit.session, layer, named, by=visit.by, now=visit.now)
    _record(visit, procedure, note)
    _keep(visit, token, procedure, [])


def _details(form: LayerDetails) -> dict[str, Any]:
    words = {name: (form[name].data or "").strip() for name in ("title", "source", "licence", "attribution")}
    return {**words, "is_visible": bool(form.is_visible.data)}


def _record(visit: Visit, procedure: Procedure, note: str) -> None:
    """What everybody can see has changed: a version of its own."""
    if procedure.state != ProcedureState.DRAFT.value:
        procedures.record_change(visit.session, procedure, by=visit.by, now=visit.now, note=note)


def _move_layer(visit: Visit, layer_id: int, where: str) -> None:
    step = -1 if where == "up" else 1
    places.move_layer(visit.session, _layer(visit, layer_id)[1], step, by=visit.by, now=visit.now)


def _layer(visit: Visit, layer_id: int) -> tuple[Procedure, Layer]:
    """A layer of this consultation. Raises Refusal NOT_FOUND."""
    procedure = planned(visit)
    rows = places.layers_of(visit.session, visit.municipality_id, procedure.id)
    found = next((row for row in rows if row.id == layer_id), None)
    if found is None:
        visit.not_found()
    return procedure, found


def _show_layers(
    visit: Visit, token: str, *, errors: Errors = (), refusal: Refusal | None = None, check: bool = False
) -> Response:
    procedure = planned(visit)
    town = visit.municipality_row
    form = visit.form(
        LayerForm,
        sent=None if visit.is_post else FormData(),
        attribution=town.authority or town.name,
        is_visible=True,
    )
    form.token.data, form.version.data = token, str(procedure.version)
    status = 200
    if check:
        form.validate()
        status = 422
    if refusal is not None:
        more, status = refused(visit, form, refusal)
        errors = (*errors, *more)
    rows = places.layers_of(visit.session, visit.municipality_id, procedure.id)
    shown = LayersPage(
        head=head_of(visit, procedure),
        layers=tuple(
            LayerLine(
                row.id or 0,
                row.title,
                visit.url("planning_layer", id=procedure.id, layer=row.id),
                tuple(
                    each
                    for each in (
                        visit.gettext(ROLES[LayerRole(row.role)]) if LayerRole(row.role) in ROLES else "",
                        str(row.report.get("format", "")),
                        row.attribution,
                    )
                    if each
                ),
                row.is_visible,
            )
            for row in rows
        ),
        waiting=tuple(Waiting(each["filename"], each["size"]) for each in _waiting(visit, token, procedure)),
        done=_done(visit),
        errors=errors,
    )
    return visit.render("planning/layers.html", shown, status=status, form=form)


@dataclass(frozen=True)
class LayerPage:
    """One layer, and what was read from its file."""

    head: Head
    title: str
    report: Report | None
    errors: Errors


@page(
    "/verwaltung/planung/{id:int}/ebenen/{layer:int}",
    name="planning_layer",
    may=Permission.PLAN,
    methods=("GET", "POST"),
)
def layer(visit: Visit) -> Response:
    """Change what is said of a layer, or take it off the map."""
    procedure, row = _layer(visit, visit.request.path_params["layer"])
    known = {name: getattr(row, name) for name in ("title", "source", "licence", "attribution", "is_visible")}
    form = visit.form(LayerDetails, version=procedure.version, **known)
    errors: Errors = ()
    status = 200
    if visit.is_post:
        status = 422
        removes = visit.form_data.get("do") == "remove"
        if removes or form.validate():
            try:
                note = require_note(procedure, form)
                if removes:
                    places.remove_layer(visit.session, row, by=visit.by, now=visit.now)
                else:
                    places.change_layer(visit.session, row, **_details(form), by=visit.by, now=visit.now)
                _record(visit, procedure, note)
                done = "removed" if removes else "saved"
                return visit.redirect("planning_layers", id=procedure.id, done=done)
            except Refusal as refusal:
                visit.session.rollback()
                errors, status = refused(visit, form, refusal)
    report = report_of(visit, {**row.report, "filename": row.original_name})
    shown = LayerPage(head_of(visit, procedure), row.title, report, errors)
    return visit.render("planning/layer.html", shown, status=status, form=form)
