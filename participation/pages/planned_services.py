"""Map services of others (WMS, WMTS, XYZ) as layers of the catalogue: add one, change where it is and what is wanted of it.

Browsers never ask them: `participation.map_services` fetches their pictures.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from starlette.datastructures import FormData
from starlette.responses import Response
from wtforms import Form, IntegerField, SelectField, StringField
from wtforms.fields import SelectChoice
from wtforms.validators import DataRequired, Length, NumberRange

from consultations import places, procedures
from consultations.permissions import Permission
from consultations.places import Layer, LayerRole
from consultations.refusals import Refusal
from participation import map_services
from participation.pages.planned_layers import (
    LayerDetails,
    Owner,
    layer_asked,
    note_of,
    owner_of,
    record,
    to_layers,
)
from participation.pages.planning_forms import Errors, SectionForm, refused
from participation.web import Visit, page

#: Marks a message for the catalogues.
N_ = str

_SERVICE_WORDS: Mapping[str, tuple[str, str]] = {
    "address": (
        N_("Please enter an address that begins with https://, without a name or a password."),
        "url",
    ),
    "places": (N_("The address of tiles needs {z}, {x} and {y} in it."), "url"),
    "layers": (N_("Please say which layers of the service are meant."), "layers"),
    "host": (
        N_("This server may not fetch anything from there. Who runs it can allow it: DIGILOG_MAP_HOSTS."),
        "url",
    ),
}


class ServiceForm(Form):
    """Where a map service is, and what is wanted of it."""

    kind = SelectField(
        N_("Kind of service"),
        choices=[
            SelectChoice("wms", "WMS"),
            SelectChoice("wmts", "WMTS"),
            SelectChoice("xyz", N_("Tiles (XYZ)")),
        ],
    )
    url = StringField(N_("Address"), [DataRequired(N_("Please enter the address.")), Length(max=1000)])
    layers = StringField(N_("Layers"), [Length(max=300)])
    style = StringField(N_("Style"), [Length(max=100)])
    matrix_set = StringField(N_("Set of tile matrices (WMTS)"), [Length(max=100)])
    image_format = SelectField(
        N_("Format"), choices=[SelectChoice("image/png", "PNG"), SelectChoice("image/jpeg", "JPEG")]
    )
    min_zoom = IntegerField(N_("Shown from zoom"), [NumberRange(0, 20)], default=0)
    max_zoom = IntegerField(N_("Pictures up to zoom"), [NumberRange(0, 20)], default=19)


class NewServiceForm(ServiceForm, LayerDetails):
    """A map service that becomes a layer."""


class KnownServiceForm(ServiceForm, SectionForm):
    """A map service that moved, or of which something else is wanted."""


#: What is kept of a service; the names of the fields.
FIELDS = ("kind", "url", "layers", "style", "matrix_set", "image_format", "min_zoom", "max_zoom")


@dataclass(frozen=True)
class ServicePage:
    """A map service as a layer: a new one, or (`title`) one that is known."""

    owner: Owner
    hosts: tuple[str, ...]
    title: str
    back_url: str
    errors: Errors


@page("/verwaltung/ebenen/dienst", name="layer_service", may=Permission.PLAN, methods=("GET", "POST"))
def layer_service(visit: Visit) -> Response:
    """Add a map service (WMS, WMTS, XYZ) to the town's layers, or to those of a consultation (`verfahren`)."""
    number = visit.request.query_params.get("verfahren", "")
    procedure = None
    if number:
        known = int(number) if number.isdecimal() and len(number) < 10 else 0
        procedure = procedures.by_id(visit.session, visit.municipality_id, known)
        if procedure is None:
            visit.not_found()
    owner = owner_of(visit, procedure)
    form = visit.form(NewServiceForm, sent=None if visit.is_post else FormData(), is_visible=True)
    errors: Errors = ()
    if visit.is_post and form.validate() and (service := _asked(visit, form)):
        try:
            note = note_of(owner, form)
            _add_service(visit, owner, form, service)
            record(visit, owner, note)
            return to_layers(visit, owner, "saved")
        except Refusal as refusal:
            visit.session.rollback()
            errors, _status = refused(visit, form, refusal)
    shown = ServicePage(owner, tuple(visit.house.settings.map_hosts), "", owner.layers_url, errors)
    return visit.render("planning/layer_service.html", shown, status=422 if visit.is_post else 200, form=form)


@page(
    "/verwaltung/ebenen/{layer:int}/dienst",
    name="layer_service_change",
    may=Permission.PLAN,
    methods=("GET", "POST"),
)
def layer_service_change(visit: Visit) -> Response:
    """Change where a service is, and what is wanted of it: it moved, its layers have other names."""
    row, owner = layer_asked(visit)
    if not row.service or row.replaced_at is not None:
        visit.not_found()
    known = {name: row.service[name] for name in FIELDS if name in row.service}
    version = owner.head.version if owner.head else 0
    form = visit.form(KnownServiceForm, sent=None if visit.is_post else FormData(), **known, version=version)
    errors: Errors = ()
    status = 200
    if visit.is_post:
        status = 422
        if form.validate() and (service := _asked(visit, form)):
            try:
                note = note_of(owner, form)
                places.change_service(visit.session, row, service, by=visit.by, now=visit.now)
                record(visit, owner, note)
                return visit.redirect("layer", layer=row.id, done="saved")
            except Refusal as refusal:
                visit.session.rollback()
                errors, status = refused(visit, form, refusal)
    back = visit.url("layer", layer=row.id)
    shown = ServicePage(owner, tuple(visit.house.settings.map_hosts), row.title, back, errors)
    return visit.render("planning/layer_service.html", shown, status=status, form=form)


def _asked(visit: Visit, form: ServiceForm) -> dict[str, Any] | None:
    """The service as it is stored; None where it cannot be one: the form then says why."""
    stored = {name: form[name].data for name in FIELDS}
    stored = {name: value.strip() if isinstance(value, str) else value for name, value in stored.items()}
    service = map_services.read_service(stored)
    problem = map_services.problem_of(service, visit.house.settings) if service else "address"
    if not problem:
        return stored
    words, field = _SERVICE_WORDS[problem]
    form[field].errors = [*form[field].errors, words]
    return None


def _add_service(visit: Visit, owner: Owner, form: NewServiceForm, service: dict[str, Any]) -> None:
    layer = Layer(
        municipality_id=visit.municipality_id,
        procedure_id=owner.id,
        role=LayerRole.OTHER.value,
        title=(form.title.data or "").strip(),
        source=(form.source.data or "").strip(),
        licence=(form.licence.data or "").strip(),
        attribution=(form.attribution.data or "").strip(),
        dated=form.dated.data,
        is_visible=bool(form.is_visible.data),
        service=service,
        position=len(places.layers_of(visit.session, visit.municipality_id, owner.id)),
        imported_at=visit.now,
    )
    places.add_layer(visit.session, layer, [], by=visit.by, now=visit.now)
