"""How a layer is drawn: a colour and a pattern from an accessible palette, or one of each for every value of an attribute."""

from collections.abc import Mapping
from dataclasses import dataclass

from starlette.responses import Response
from wtforms import Form, HiddenField, SelectField, StringField
from wtforms.fields import SelectChoice
from wtforms.validators import Length

from consultations import places
from consultations.permissions import Permission
from consultations.places import Layer
from consultations.refusals import Refusal
from geo import features
from geo.styles import COLOURS, MAX_CLASSES, PATTERNS, LayerStyle, Look, StyleClass, as_stored, usual
from participation import layer_files
from participation.pages.map_canvas import colours_url
from participation.pages.map_ground import style_of
from participation.pages.map_layers import Sign, signs_of_style
from participation.pages.planned_layers import Owner, layer_asked, note_of, record
from participation.pages.planning_forms import Errors, Row, SectionForm, refused, row_forms, sent_rows
from participation.web import Visit, page

#: Marks a message for the catalogues.
N_ = str

COLOUR_WORDS: Mapping[str, str] = {
    "other0": N_("Violet"),
    "other1": N_("Petrol"),
    "other2": N_("Brown"),
    "other3": N_("Magenta"),
    "other4": N_("Green"),
    "other5": N_("Blue"),
    "other6": N_("Red"),
    "other7": N_("Grey"),
}
PATTERN_WORDS: Mapping[str, str] = {
    "plain": N_("Plain"),
    "hatched": N_("Hatched; lines with long dashes"),
    "dotted": N_("Dotted; lines of dots"),
    "crossed": N_("Squared; lines of dashes and dots"),
}
_COLOURS = [SelectChoice(name, COLOUR_WORDS[name]) for name in COLOURS]
_PATTERNS = [SelectChoice(name, PATTERN_WORDS[name]) for name in PATTERNS]


class LookForm(SectionForm):
    """The look of a whole layer, or of what has none of the values below."""

    colour = SelectField(N_("Colour"), choices=_COLOURS)
    pattern = SelectField(N_("Pattern"), choices=_PATTERNS)
    by = SelectField(N_("Different for each value of"), choices=[], validate_choice=False)


class ClassForm(Form):
    """The look of one value."""

    value = HiddenField()
    label = StringField(N_("In the legend"), [Length(max=100)])
    colour = SelectField(N_("Colour"), choices=_COLOURS)
    pattern = SelectField(N_("Pattern"), choices=_PATTERNS)


@dataclass(frozen=True)
class LookPage:
    """The look of a layer, with the legend that comes of it."""

    owner: Owner
    layer_id: int
    title: str
    legend: tuple[Sign, ...]
    rows: tuple[ClassForm, ...]
    styles: tuple[str, ...]
    errors: Errors


@page(
    "/verwaltung/ebenen/{layer:int}/aussehen", name="layer_look", may=Permission.PLAN, methods=("GET", "POST")
)
def layer_look(visit: Visit) -> Response:
    """Choose how a layer is drawn. The values of the chosen attribute come with the button beside it."""
    row, owner = layer_asked(visit)
    if row.service or row.replaced_at is not None:
        visit.not_found()
    style = style_of(row)
    form = visit.form(
        LookForm, colour=style.look.colour, pattern=style.look.pattern, by=style.by,
        version=owner.head.version if owner.head else 0,
    )  # fmt: skip
    columns = layer_files.attributes_of(row)
    form.by.choices = [
        SelectChoice("", N_("the same for all")),
        *(SelectChoice(name, name) for name in columns),
    ]
    by = str(form.by.data or "") if form.by.data in columns else ""
    sent = sent_rows(visit, "klasse") if visit.is_post else [_as_row(each) for each in style.classes]
    asks = visit.form_data.get("do") == "values"
    if asks:
        sent = _values(visit, row, by)
    elif not by:
        sent = []
    rows = row_forms(visit, ClassForm, "klasse", sent[:MAX_CLASSES])
    chosen = _style(form, by, rows)
    errors: Errors = ()
    status = 200
    if visit.is_post and not asks:
        status = 422
        if form.validate() and all(each.validate() for each in rows):
            try:
                note = note_of(owner, form)
                places.style_layer(visit.session, row, as_stored(chosen), by=visit.by, now=visit.now)
                record(visit, owner, note)
                return visit.redirect("layer", layer=row.id, done="saved")
            except Refusal as refusal:
                visit.session.rollback()
                errors, status = refused(visit, form, refusal)
    shown = LookPage(
        owner,
        row.id or 0,
        row.title,
        signs_of_style(visit, chosen),
        tuple(rows),
        (colours_url(visit), visit.static("css/map.css")),
        errors,
    )
    return visit.render("planning/layer_look.html", shown, status=status, form=form)


def _as_row(each: StyleClass) -> Row:
    return {
        "value": [each.value],
        "label": [each.label],
        "colour": [each.look.colour],
        "pattern": [each.look.pattern],
    }


def _values(visit: Visit, layer: Layer, by: str) -> list[Row]:
    """The most frequent values of an attribute, each with a look of its own."""
    path = layer_files.local_copy(visit.house, layer) if by else None
    if path is None:
        return []
    found = [value for value, _count in features.values_of(path, by, limit=MAX_CLASSES + 1) if value]
    return [
        _as_row(StyleClass(value, value[:100], usual(number)))
        for number, value in enumerate(sorted(found[:MAX_CLASSES]))
    ]


def _style(form: LookForm, by: str, rows: list[ClassForm]) -> LayerStyle:
    def look(each: LookForm | ClassForm) -> Look:
        colour, pattern = str(each.colour.data), str(each.pattern.data)
        return Look(
            colour if colour in COLOURS else COLOURS[0], pattern if pattern in PATTERNS else PATTERNS[0]
        )

    classes = tuple(
        StyleClass(
            str(each.value.data or ""),
            (each.label.data or "").strip() or str(each.value.data or ""),
            look(each),
        )
        for each in rows
    )
    return LayerStyle(look(form), by if classes else "", classes if by else ())
