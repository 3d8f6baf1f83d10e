"""The map layers of a consultation: add one, say what it is, order them, take one off the map."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from starlette.datastructures import FormData
from starlette.responses import Response
from wtforms import BooleanField, SelectField, StringField
from wtforms.fields import SelectChoice
from wtforms.validators import DataRequired, Length

from consultations import drafts, places, procedures
from consultations.permissions import Permission
from consultations.places import Layer, LayerRole
from consultations.procedures import Procedure, ProcedureState
from consultations.refusals import Refusal
from participation import layers_import
from participation.layers_import import ReadLayer
from participation.pages.map_files import MapFileForm, Report, read_map, report_of
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
from participation.pages.uploads import Waiting, body_limit, keep, token_of, waiting, waiting_files
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
    token = token_of(visit)
    waits = await visit.in_thread(lambda: waiting_files(visit, token, planned(visit)))
    form = visit.form(LayerForm)
    role = LayerRole(form.role.data) if form.role.data in {role.value for role in ROLES} else LayerRole.OTHER
    outcome = await read_map(visit, waits, str(form.crs.data or ""), role)
    if outcome.waits:
        await visit.in_thread(lambda: keep(visit, token, planned(visit), outcome.waits), write=True)
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
    keep(visit, token, procedure, [])


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
        waiting=waiting(visit, token, procedure),
        done=done_words(visit),
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
