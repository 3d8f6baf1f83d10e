"""The phases of a consultation with their dates, each with what the law says of it."""

from collections.abc import Sequence
from dataclasses import dataclass

from starlette.responses import Response
from wtforms import (
    BooleanField,
    DateField,
    Form,
    HiddenField,
    SelectField,
    SelectMultipleField,
    StringField,
    ValidationError,
)
from wtforms.fields import SelectChoice
from wtforms.validators import Length, Optional
from wtforms.widgets import CheckboxInput, ListWidget

from consultations import procedures
from consultations.permissions import Permission
from consultations.procedures import Opens, Phase, PhaseInput, PhaseKind, Procedure
from participation.overview import PHASE_NAMES, WAYS
from participation.pages.planning_advice import Advice, advise
from participation.pages.planning_forms import (
    Errors,
    Head,
    Row,
    SectionForm,
    arranged,
    entered,
    errors_of,
    head_of,
    planned,
    refused,
    row_forms,
    save,
    sent_rows,
)
from participation.web import Visit, page

#: Marks a message for the catalogues.
N_ = str


def _sane(form: Form, field: DateField) -> None:
    if field.data is not None and not 2000 <= field.data.year <= 2100:
        raise ValidationError(N_("Please check the year."))


class PhaseForm(Form):
    """One phase."""

    id = HiddenField()
    kind = SelectField(
        N_("What happens"), choices=[SelectChoice(kind.value, PHASE_NAMES[kind]) for kind in PhaseKind]
    )
    title = StringField(N_("Own title"), [Length(max=200)])
    starts_on = DateField(N_("First day"), [Optional(), _sane], format=["%Y-%m-%d", "%d.%m.%Y"])
    ends_on = DateField(N_("Last day"), [Optional(), _sane], format=["%Y-%m-%d", "%d.%m.%Y"])
    opens = SelectMultipleField(
        N_("What people can do"),
        choices=[SelectChoice(way.value, WAYS[way]) for way in Opens],
        option_widget=CheckboxInput(),
        widget=ListWidget(prefix_label=False),
    )
    is_formal = BooleanField(N_("A formal step: the law says how long it lasts"))
    note = StringField(N_("Remark for the public"), [Length(max=500)])


@dataclass(frozen=True)
class PhasesPage:
    """The phases, each with what the law says of it."""

    head: Head
    rows: tuple[tuple[PhaseForm, Advice | None], ...]
    errors: Errors


_NEW_PHASE: Row = {"kind": [PhaseKind.DISCUSSION_MEETING.value]}


@page(
    "/verwaltung/planung/{id:int}/phasen",
    name="planning_phases",
    may=Permission.PLAN,
    methods=("GET", "POST"),
)
def phases(visit: Visit) -> Response:
    """The phases with their dates; buttons add, remove and move them without saving."""
    procedure = planned(visit)
    assert procedure.id is not None
    form = visit.form(SectionForm, version=procedure.version)
    if not visit.is_post:
        known = procedures.phases_of(visit.session, procedure.id)
        return _show_phases(
            visit, procedure, form, [_form_of(visit, at, each) for at, each in enumerate(known)]
        )
    asked = str(visit.form_data.get("do", "save"))
    rows = arranged(sent_rows(visit, "phases"), asked, _NEW_PHASE)
    if asked.startswith("take-"):
        rows = _with_recommended_end(visit, rows, asked.removeprefix("take-"))
    forms = row_forms(visit, PhaseForm, "phases", rows)
    if asked != "save":
        return _show_phases(visit, procedure, form, forms)
    checked = [each.validate() for each in forms]
    if not (all(checked) and form.validate()):
        return _show_phases(visit, procedure, form, forms, errors=errors_of(forms), status=422)
    if not forms:
        errors: Errors = ((visit.gettext("A consultation needs at least one phase."), "add"),)
        return _show_phases(visit, procedure, form, forms, errors=errors, status=422)
    changed = entered(procedure, phases=tuple(_entered_phase(visit, each) for each in forms))
    refusal = save(visit, procedure, form, changed)
    if refusal is None:
        return visit.redirect("planning", id=procedure.id, done="saved")
    number, _, name = (refusal.field or "").removeprefix("phases-").partition("-")
    if number.isdecimal() and name in forms[int(number)]._fields:
        target = forms[int(number)]._fields[name]
        target.errors = [*target.errors, visit.explain(refusal)]
        return _show_phases(visit, procedure, form, forms, errors=errors_of(forms), status=422)
    errors, status = refused(visit, form, refusal)
    return _show_phases(visit, procedure, form, forms, errors=errors, status=status)


def _form_of(visit: Visit, number: int, phase: Phase) -> PhaseForm:
    return visit.form(
        PhaseForm,
        prefix=f"phases-{number}",
        id=phase.id,
        kind=phase.kind,
        title=phase.title,
        starts_on=phase.starts_on,
        ends_on=phase.ends_on,
        opens=phase.opens,
        is_formal=phase.is_formal,
        note=phase.note,
    )


def _advice_of(visit: Visit, form: PhaseForm) -> Advice | None:
    kind = PhaseKind(form.kind.data) if form.kind.data in list(PhaseKind) else None
    if kind is None or form.starts_on.errors or form.ends_on.errors:
        return None
    return advise(visit, kind, form.is_formal.data, form.starts_on.data, form.ends_on.data)


def _with_recommended_end(visit: Visit, rows: Sequence[Row], number: str) -> list[Row]:
    """The rows with the recommended last day in one of them."""
    forms = row_forms(visit, PhaseForm, "phases", rows)
    if number.isdecimal() and int(number) < len(forms) and (advice := _advice_of(visit, forms[int(number)])):
        end = advice.recommended or advice.minimum
        if end:
            return [
                {**row, "ends_on": [end.isoformat()]} if at == int(number) else row
                for at, row in enumerate(rows)
            ]
    return list(rows)


def _entered_phase(visit: Visit, form: PhaseForm) -> PhaseInput:
    advice = _advice_of(visit, form)
    typed = str(form.id.data or "")
    return PhaseInput(
        kind=PhaseKind(form.kind.data),
        title=(form.title.data or "").strip(),
        note=(form.note.data or "").strip(),
        starts_on=form.starts_on.data,
        ends_on=form.ends_on.data,
        effective_end=advice.effective if advice else None,
        opens=tuple(Opens(way) for way in form.opens.data or ()),
        is_formal=form.is_formal.data,
        id=int(typed) if typed.isdecimal() and len(typed) < 10 else None,
    )


def _show_phases(
    visit: Visit,
    procedure: Procedure,
    form: SectionForm,
    forms: Sequence[PhaseForm],
    *,
    errors: Errors = (),
    status: int = 200,
) -> Response:
    rows = tuple((each, _advice_of(visit, each)) for each in forms)
    return visit.render(
        "planning/phases.html",
        PhasesPage(head_of(visit, procedure), rows, errors),
        status=status,
        form=form,
    )
