"""The planner's part of the picture in three dimensions: variants of the plan, and the points to look from."""

import re
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData
from starlette.responses import Response
from wtforms import (
    DecimalField,
    FileField,
    Form,
    IntegerField,
    SelectField,
    SelectMultipleField,
    StringField,
    TextAreaField,
)
from wtforms.fields import SelectChoice
from wtforms.validators import DataRequired, Length, NumberRange, Optional

from consultations import procedures, variants
from consultations.files import clean_filename
from consultations.permissions import Permission
from consultations.procedures import Procedure, ProcedureState
from consultations.refusals import Refusal
from consultations.variants import FIGURES, Variant, VariantInput, ViewInput, Viewpoint
from geo.readers.gltf import Placement
from participation import cityscape, layers_import
from participation.cityscape import Bodies, Cityscape
from participation.layers_import import LayerProblem
from participation.pages.city import FIGURE_WORDS, VIEW_WORDS
from participation.pages.map_files import SYSTEMS
from participation.pages.planned_documents import done_words
from participation.pages.planning_forms import (
    Errors,
    Head,
    Row,
    SectionForm,
    arranged,
    errors_of,
    head_of,
    planned,
    refused,
    require_note,
    row_forms,
    sent_rows,
)
from participation.pages.uploads import body_limit
from participation.web import Visit, page

#: Marks a message for the catalogues.
N_ = str

_NUMBER = [Optional(), NumberRange(min=0, max=10_000_000)]


class VariantForm(SectionForm):
    """A variant: what is said of it, and its buildings as a file."""

    title = StringField(N_("Title"), [DataRequired(N_("Please enter a title.")), Length(max=200)])
    description = TextAreaField(N_("What sets it apart, in a few words"), [Length(max=2000)])
    source = StringField(N_("Who drew it, and when"), [Length(max=200)])
    file = FileField(N_("Buildings"))
    crs = SelectField(N_("Coordinate system"), choices=list(SYSTEMS))
    body_height = DecimalField(
        N_("Height where the file does not say it, in metres"), [Optional(), NumberRange(min=1, max=400)], default=10
    )  # fmt: skip
    body_storeys = IntegerField(
        N_("Storeys where the file does not say it"), [Optional(), NumberRange(min=1, max=100)], default=3
    )
    roof = SelectField(
        N_("Roof of outlines"),
        choices=[
            SelectChoice("flat", N_("Flat roof")),
            SelectChoice("gable", N_("Gable roof")),
            SelectChoice("hip", N_("Hip roof")),
        ],
    )
    place = StringField(N_("Where the origin of a glTF model stands (easting, northing)"))
    place_height = DecimalField(
        N_("Height of its origin above sea level, in metres"), [Optional(), NumberRange(min=-100, max=3000)]
    )
    turn = DecimalField(N_("Turned clockwise by, in degrees"), [Optional(), NumberRange(min=-360, max=360)])
    unit = DecimalField(
        N_("Metres for one unit of the model"), [Optional(), NumberRange(min=0.0001, max=1000)], default=1
    )
    replaces = SelectMultipleField(N_("Buildings that it replaces"), choices=[], validate_choice=False)
    storeys = DecimalField(FIGURE_WORDS["storeys"], _NUMBER)
    height = DecimalField(N_("Height, at most, in metres"), _NUMBER)
    floor_area = DecimalField(N_("Floor area in square metres"), _NUMBER)
    homes = DecimalField(FIGURE_WORDS["homes"], _NUMBER)
    parking = DecimalField(FIGURE_WORDS["parking"], _NUMBER)
    green = DecimalField(N_("Green area in square metres"), _NUMBER)


class ViewForm(Form):
    """A viewpoint: where the eye is and what it looks at, each as easting and northing and metres above the ground."""

    kind = SelectField(N_("Kind"), choices=[SelectChoice(key, words) for key, words in VIEW_WORDS.items()])
    title = StringField(N_("Title"), [DataRequired(N_("Please enter a title.")), Length(max=200)])
    description = TextAreaField(N_("What is to be seen, in words"), [Length(max=2000)])
    eye = StringField(N_("Where one stands (easting, northing)"))
    eye_above = DecimalField(
        N_("Eye above the ground, in metres"), [Optional(), NumberRange(min=0, max=2000)]
    )
    look = StringField(N_("What one looks at (easting, northing)"))
    look_above = DecimalField(N_("Height above the ground there, in metres"), [Optional(), NumberRange(min=-50, max=400)])  # fmt: skip


@dataclass(frozen=True)
class VariantLine:
    """A variant in the list."""

    title: str
    url: str
    facts: tuple[str, ...]


@dataclass(frozen=True)
class VariantsPage:
    """The variants, the way to add one, and the viewpoints."""

    head: Head
    variants: tuple[VariantLine, ...]
    views: tuple[ViewForm, ...]
    #: Why there is no picture yet: empty, "area" (no plan area) or "model" (no city model).
    lacks: str
    #: Whose model the picture stands on.
    model: str
    layers_url: str
    area_url: str
    city_url: str
    done: str
    errors: Errors


@dataclass(frozen=True)
class VariantPage:
    """One variant."""

    head: Head
    title: str
    facts: tuple[str, ...]
    errors: Errors


@page(
    "/verwaltung/planung/{id:int}/varianten",
    name="planning_variants",
    may=Permission.PLAN,
    methods=("GET", "POST"),
    body_limit=body_limit,
)
async def planned_variants(visit: Visit) -> Response:
    """The variants and viewpoints of a consultation; `do` says what was pressed (add, or a button of the viewpoints)."""
    if not visit.is_post:
        return await visit.in_thread(partial(_show, visit))
    if str(visit.form_data.get("do", "")) != "add":
        return await visit.in_thread(partial(_views_sent, visit), write=True)
    return await _take(visit, None)


@page(
    "/verwaltung/planung/{id:int}/varianten/{variant:int}",
    name="planning_variant",
    may=Permission.PLAN,
    methods=("GET", "POST"),
    body_limit=body_limit,
)
async def planned_variant(visit: Visit) -> Response:
    """One variant: change it, or take it off."""
    number = int(visit.request.path_params["variant"])
    if not visit.is_post:
        return await visit.in_thread(lambda: _show_one(visit, number))
    if str(visit.form_data.get("do", "")) == "remove":
        return await visit.in_thread(lambda: _remove(visit, number), write=True)
    return await _take(visit, number)


# --- variants --------------------------------------------------------------------------------------


def _row(visit: Visit, number: int) -> tuple[Procedure, Variant]:
    procedure = planned(visit)
    row = variants.variant_by_id(visit.session, procedure.id or 0, number)
    if row is None:
        visit.not_found()
    return procedure, row


async def _take(visit: Visit, number: int | None) -> Response:
    """Read the file before any transaction, then write the variant."""
    again = partial(_show, visit) if number is None else partial(_show_one, visit, number)
    await visit.in_thread(lambda: planned(visit) if number is None else _row(visit, number))
    form = visit.form(VariantForm)
    if not form.validate():
        return await visit.in_thread(partial(again, check=True))
    scape = await visit.in_thread(lambda: cityscape.of(visit.house, visit.session, planned(visit)))
    bodies, problem = None, ""
    try:
        sent = visit.uploads("file")
    except Refusal as refusal:
        return await visit.in_thread(partial(again, refusal=refusal))
    if sent:
        if scape is None:
            problem = visit.gettext("First the consultation needs a plan area and a city model.")
        else:
            bodies, problem = await run_in_threadpool(_read, visit, form, scape)
    elif number is None:
        problem = visit.gettext("Please choose a file.")
    if problem:
        return await visit.in_thread(partial(again, errors=((problem, "file"),), check=True))
    try:
        await visit.in_thread(partial(_write, visit, number, bodies), write=True)
    except Refusal as refusal:
        return await visit.in_thread(partial(again, refusal=refusal))
    return visit.redirect("planning_variants", id=visit.request.path_params["id"], done="saved")


def _read(visit: Visit, form: VariantForm, scape: Cityscape) -> tuple[Bodies | None, str]:
    upload = visit.uploads("file")[-1]
    filename, crs = clean_filename(upload.filename or ""), str(form.crs.data or "")
    with tempfile.TemporaryDirectory(prefix="digilog-") as folder:
        path = Path(folder) / "delivered"
        with path.open("wb") as file:
            shutil.copyfileobj(upload.file, file)
        try:
            placement = _placement(form, scape)
        except ValueError as problem:
            return None, visit.gettext(str(problem))
        try:
            bodies = cityscape.read_bodies(
                visit.house.files,
                path,
                filename,
                scape,
                crs=int(crs) if crs.isdecimal() else None,
                height=float(form.body_height.data or 10),
                storeys=int(form.body_storeys.data or 3),
                roof=str(form.roof.data or "flat"),
                placement=placement,
            )
        except LayerProblem as problem:
            return None, layers_import.explain(problem, filename, visit.language)
    return bodies, ""


_EXAMPLE = N_("Please give easting and northing in metres, such as 626300, 5385400.")


def _placement(form: VariantForm, scape: Cityscape) -> Placement | None:
    """Where a glTF model stands, if somebody said it; on the ground there, unless they said how high.

    Raises ValueError with the message for a place that cannot be read.
    """
    given = str(form.place.data or "").strip()
    if not given:
        return None
    match = _PLACE.fullmatch(given)
    if match is None:
        raise ValueError(_EXAMPLE)
    east, north = float(match[1]), float(match[2])
    height = form.place_height.data
    return Placement(
        east,
        north,
        float(height) if height is not None else round(scape.ground.at(east, north), 2),
        float(form.turn.data or 0),
        float(form.unit.data or 1),
        int(form.body_storeys.data or 0),
    )


def _write(visit: Visit, number: int | None, bodies: Bodies | None) -> None:
    procedure = planned(visit)
    form = visit.form(VariantForm)
    note = require_note(procedure, form)
    figures = {name: float(form[name].data) for name in FIGURES if form[name].data is not None}
    if bodies is not None:
        # What the planner leaves open is read off the buildings.
        read_off = {"storeys": bodies.storeys, "height": bodies.height, "floor_area": bodies.floor_area}
        figures = {name: value for name, value in read_off.items() if value} | figures
    new = VariantInput(
        title=str(form.title.data or ""),
        description=str(form.description.data or ""),
        source=str(form.source.data or ""),
        figures=figures,
        model_sha256=bodies.sha256 if bodies else "",
        buildings=bodies.buildings if bodies else 0,
        replaces=tuple(form.replaces.data or ()),
    )
    if number is None:
        variants.add_variant(visit.session, procedure, new, by=visit.by, now=visit.now)
    else:
        row = _row(visit, number)[1]
        variants.change_variant(visit.session, procedure, row, new, by=visit.by, now=visit.now)
    _record(visit, procedure, note)


def _remove(visit: Visit, number: int) -> Response:
    procedure, row = _row(visit, number)
    try:
        note = require_note(procedure, visit.form(VariantForm))
        variants.remove_variant(visit.session, procedure, row, by=visit.by, now=visit.now)
        _record(visit, procedure, note)
    except Refusal as refusal:
        visit.session.rollback()
        return _show_one(visit, number, refusal=refusal)
    return visit.redirect("planning_variants", id=procedure.id, done="saved")


def _record(visit: Visit, procedure: Procedure, note: str) -> None:
    """What everybody can see has changed: a version of its own."""
    if procedure.state != ProcedureState.DRAFT.value:
        procedures.record_change(visit.session, procedure, by=visit.by, now=visit.now, note=note)


def _offer_replaced(form: VariantForm, scape: Cityscape | None) -> None:
    """Buildings within the plan area, which a variant may replace."""
    if scape is None:
        return
    import shapely

    near = scape.near
    inside = shapely.intersects(near.footprints, shapely.from_wkb(scape.area))
    form.replaces.choices = [
        SelectChoice(str(near.ids[row]), label or str(near.ids[row]))
        for row, label in enumerate(near.labels)
        if inside[row] and not near.parents[row]
    ]


def _facts(visit: Visit, row: Variant) -> tuple[str, ...]:
    return tuple(
        each
        for each in (
            visit.ngettext("%(num)s building", "%(num)s buildings", row.buildings),
            visit.ngettext("replaces %(num)s building", "replaces %(num)s buildings", len(row.replaces))
            if row.replaces
            else "",
            row.source,
        )
        if each
    )


def _show(
    visit: Visit,
    *,
    errors: Errors = (),
    refusal: Refusal | None = None,
    check: bool = False,
    views: Sequence[ViewForm] | None = None,
    status: int = 200,
) -> Response:
    procedure = planned(visit)
    scape = cityscape.of(visit.house, visit.session, procedure)
    adding = str(visit.form_data.get("do", "")) == "add"
    form = visit.form(VariantForm, sent=None if adding else _nothing())
    form.version.data = str(procedure.version)
    _offer_replaced(form, scape)
    if check:
        form.validate()
        status = 422
    if refusal is not None:
        more, status = refused(visit, form, refusal)
        errors = (*errors, *more)
    if views is None:
        views = row_forms(visit, ViewForm, "view", _stored_views(visit, procedure, scape))
    return visit.render(
        "planning/variants.html",
        VariantsPage(
            head=head_of(visit, procedure),
            variants=tuple(
                VariantLine(
                    row.title,
                    visit.url("planning_variant", id=procedure.id, variant=row.id),
                    _facts(visit, row),
                )
                for row in variants.variants_of(visit.session, procedure.id or 0)
            ),
            views=tuple(views),
            lacks="" if scape else "area" if procedure.plan_area is None else "model",
            model=scape.attribution if scape else "",
            layers_url=visit.url("planning_layers", id=procedure.id),
            area_url=visit.url("planning_area", id=procedure.id),
            city_url=visit.url("city", slug=procedure.slug),
            done=done_words(visit),
            errors=errors,
        ),
        form=form,
        status=status,
    )


def _nothing() -> FormData:
    return FormData()


def _show_one(
    visit: Visit, number: int, *, errors: Errors = (), refusal: Refusal | None = None, check: bool = False
) -> Response:
    procedure, row = _row(visit, number)
    form = visit.form(
        VariantForm,
        title=row.title,
        description=row.description,
        source=row.source,
        replaces=row.replaces,
        **row.figures,
    )
    form.version.data = str(procedure.version)
    _offer_replaced(form, cityscape.of(visit.house, visit.session, procedure))
    status = 200
    if check:
        form.validate()
        status = 422
    if refusal is not None:
        more, status = refused(visit, form, refusal)
        errors = (*errors, *more)
    content = VariantPage(head_of(visit, procedure), row.title, _facts(visit, row), errors)
    return visit.render("planning/variant.html", content, form=form, status=status)


# --- viewpoints ------------------------------------------------------------------------------------


def _stored_views(visit: Visit, procedure: Procedure, scape: Cityscape | None) -> list[Row]:
    def above(x: float, y: float, z: float) -> str:
        return f"{z - scape.ground.at(x, y):.1f}" if scape else "0"

    return [
        {
            "kind": (row.kind,),
            "title": (row.title,),
            "description": (row.description,),
            "eye": (f"{row.eye_x:.1f}, {row.eye_y:.1f}",),
            "eye_above": (above(row.eye_x, row.eye_y, row.eye_z),),
            "look": (f"{row.look_x:.1f}, {row.look_y:.1f}",),
            "look_above": (above(row.look_x, row.look_y, row.look_z),),
        }
        for row in variants.views_of(visit.session, procedure.id or 0)
    ]


_PLACE = re.compile(r"\s*(\d{6}(?:\.\d+)?)\s*[,;]\s*(\d{7}(?:\.\d+)?)\s*")


def _views_sent(visit: Visit) -> Response:
    """The viewpoints as they were sent: rows added, moved, removed, or all of them kept."""
    procedure = planned(visit)
    asked = str(visit.form_data.get("do", ""))
    rows = sent_rows(visit, "view")
    if asked != "views":
        empty: Mapping[str, Sequence[str]] = {"kind": (Viewpoint.STREET.value,), "eye_above": ("1.6",)}
        changed = arranged(rows, "add" if asked == "add-view" else asked, empty)
        return _show(visit, views=row_forms(visit, ViewForm, "view", changed))
    forms = row_forms(visit, ViewForm, "view", rows)
    scape = cityscape.of(visit.house, visit.session, procedure)
    found = []
    for form in forms:
        form.validate()
        eye, look = (_place(visit, form, name, scape) for name in ("eye", "look"))
        if eye and look:
            found.append(
                ViewInput(Viewpoint(form.kind.data), form.title.data, eye, look, form.description.data or "")
            )
    if errors := errors_of(forms):
        return _show(visit, views=forms, errors=errors, status=422)
    section = visit.form(SectionForm)
    try:
        note = require_note(procedure, section)
        variants.set_views(visit.session, procedure, found, by=visit.by, now=visit.now)
        _record(visit, procedure, note)
    except Refusal as refusal:
        visit.session.rollback()
        return _show(visit, views=forms, refusal=refusal)
    return visit.redirect("planning_variants", id=procedure.id, done="saved")


def _place(
    visit: Visit, form: ViewForm, name: str, scape: Cityscape | None
) -> tuple[float, float, float] | None:
    match = _PLACE.fullmatch(str(form[name].data or ""))
    if match is None:
        message = visit.gettext(_EXAMPLE)
        form[name].errors = [*form[name].errors, message]
        return None
    x, y = float(match[1]), float(match[2])
    ground = scape.ground.at(x, y) if scape else 0.0
    return x, y, round(ground + float(form[f"{name}_above"].data or 0), 2)
