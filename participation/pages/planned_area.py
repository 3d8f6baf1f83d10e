"""The plan area of a consultation: from a file, pasted, or drawn."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from starlette.responses import Response
from wtforms import RadioField, TextAreaField
from wtforms.fields import SelectChoice
from wtforms.validators import Length

from consultations import drafts, places, procedures
from consultations.permissions import Permission
from consultations.places import LayerRole
from consultations.procedures import Procedure
from consultations.refusals import Code, Refusal
from participation import i18n, layers_import
from participation.layers_import import Area, GeometryProblem, ReadLayer
from participation.pages.map_files import MapFileForm, Report, read_map, report_of
from participation.pages.map_ground import base_map
from participation.pages.planned_documents import guessed_title
from participation.pages.planning_forms import (
    Errors,
    Head,
    SectionForm,
    head_of,
    planned,
    read_version,
    refused,
    require_note,
)
from participation.pages.uploads import Waiting, body_limit, keep, token_of, waiting, waiting_files
from participation.web import Visit, page

#: Marks a message for the catalogues.
N_ = str


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
    token = token_of(visit)
    if visit.form_data.get("do") == "text":
        try:
            error = await visit.in_thread(partial(_take_text, visit), write=True)
        except Refusal as refusal:
            return await visit.in_thread(partial(_show_area, visit, token, refusal=refusal))
        if error:
            return await visit.in_thread(partial(_show_area, visit, token, errors=((error, "geojson"),)))
        return visit.redirect("planning_area", id=visit.request.path_params["id"], gespeichert=1)
    waits = await visit.in_thread(lambda: waiting_files(visit, token, planned(visit)))
    crs = str(visit.form_data.get("crs", ""))
    outcome = await read_map(visit, waits, crs, LayerRole.PLAN)
    if outcome.waits:
        await visit.in_thread(lambda: keep(visit, token, planned(visit), outcome.waits), write=True)
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
    return visit.redirect("planning_area", id=visit.request.path_params["id"], gespeichert=1)


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
    keep(visit, token, procedure, [])


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
        waiting=waiting(visit, token, procedure),
        backdrop=backdrop_of(visit, (procedure.min_x, procedure.min_y, procedure.max_x, procedure.max_y)),
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


def backdrop_of(visit: Visit, box: tuple[float | None, float | None, float | None, float | None]) -> Backdrop:
    """The map to draw on, around a box in metres (EPSG:25832); around the town where there is none yet."""
    ground = base_map(visit)
    bounds: Sequence[float] = visit.municipality_row.bounds or layers_import.GERMANY
    if box[0] is not None and box[1] is not None and box[2] is not None and box[3] is not None:
        bounds = layers_import.bounds_of((box[0], box[1], box[2], box[3]))
    address = f"/kacheln/{ground.digest}/{{look}}/{{z}}/{{x}}/{{y}}.svg"
    return Backdrop(
        tiles=address.replace("{look}", "light"),
        dark_tiles=address.replace("{look}", "dark"),
        attribution=ground.attribution,
        bounds=",".join(f"{value:.6f}" for value in bounds),
    )
