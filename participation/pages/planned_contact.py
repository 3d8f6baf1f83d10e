"""Who answers questions about a consultation, and where one can take part without the internet."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from starlette.responses import Response
from wtforms import DateField, Form, StringField, TextAreaField
from wtforms.validators import Length, Optional, Regexp, ValidationError

from consultations.permissions import Permission
from consultations.procedures import Procedure
from participation.pages.planning_forms import (
    Errors,
    Head,
    SectionForm,
    arranged,
    day_field,
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


class ContactForm(SectionForm):
    """Who answers questions."""

    name = StringField(N_("Name"), [Length(max=200)])
    office = StringField(N_("Office"), [Length(max=200)])
    phone = StringField(N_("Telephone"), [Length(max=100)])
    email = StringField(
        N_("E-mail address"),
        [
            Optional(),
            Regexp(
                r"[^@\s]+@[^@\s]+\.[^@\s]+\Z",
                message=N_("Please check the e-mail address: something like name@example.org."),
            ),
            Length(max=254),
        ],
    )
    hours = StringField(N_("When to reach them"), [Length(max=300)])


class AccessForm(Form):
    """A place where the plan can be seen and a statement handed in without the internet."""

    place = StringField(N_("Place"), [Length(max=200)])
    address = TextAreaField(N_("Address"), [Length(max=400)])
    hours = StringField(N_("Opening hours"), [Length(max=300)])
    step_free = StringField(N_("Step-free access"), [Length(max=300)])
    note = StringField(N_("Remark for the public"), [Length(max=500)])
    closed_from = day_field(N_("Closed from"))
    closed_until = day_field(N_("Closed until, last day"))

    def validate_closed_until(self, field: DateField) -> None:
        """Both days or none, in their order."""
        first, last = self.closed_from.data, field.data
        if last and not first:
            raise ValidationError(N_("Please enter the first day as well."))
        if last and first and last < first:
            raise ValidationError(N_("The last day is before the first day."))


@dataclass(frozen=True)
class ContactPage:
    """Contact and places."""

    head: Head
    rows: tuple[AccessForm, ...]
    errors: Errors


@page(
    "/verwaltung/planung/{id:int}/kontakt",
    name="planning_contact",
    may=Permission.PLAN,
    methods=("GET", "POST"),
)
def contact(visit: Visit) -> Response:
    """Who answers questions, and where one can take part without the internet."""
    procedure = planned(visit)
    known = {name: procedure.contact.get(name, "") for name in ("name", "office", "phone", "email", "hours")}
    form = visit.form(ContactForm, version=procedure.version, **known)
    if not visit.is_post:
        options = procedure.access_options or [{}]
        rows = [
            visit.form(AccessForm, prefix=f"access-{at}", **_spoken(visit, each))
            for at, each in enumerate(options)
        ]
        return _show_contact(visit, procedure, form, rows)
    asked = str(visit.form_data.get("do", "save"))
    rows = row_forms(
        visit, AccessForm, "access", arranged(sent_rows(visit, "access"), asked, {"place": [""]})
    )
    if asked != "save":
        return _show_contact(visit, procedure, form, rows)
    checked = [each.validate() for each in rows]
    if not (form.validate() and all(checked)):
        return _show_contact(visit, procedure, form, rows, errors=errors_of(rows), status=422)
    options = [{name: _kept(field.data) for name, field in _named_fields(row)} for row in rows]
    changed = entered(
        procedure,
        contact={**procedure.contact, **{name: (form[name].data or "").strip() for name in known}},
        access_options=tuple(option for option in options if any(option.values())),
    )
    refusal = save(visit, procedure, form, changed)
    if refusal is None:
        return visit.redirect("planning", id=procedure.id, done="saved")
    errors, status = refused(visit, form, refusal)
    return _show_contact(visit, procedure, form, rows, errors=errors, status=status)


def _kept(value: str | date | None) -> str:
    return value.isoformat() if isinstance(value, date) else (value or "").strip()


def _named_fields(form: Form) -> list[tuple[str, Any]]:
    return [(field.short_name, field) for field in form]


def _spoken(visit: Visit, option: Mapping[str, Any]) -> dict[str, Any]:
    """A place as its form shows it; access may have come in as yes or no."""
    step_free = option.get("step_free", "")
    if isinstance(step_free, bool):
        step_free = visit.gettext("Step-free access") if step_free else visit.gettext("Not step-free")
    days = {name: _day(option.get(name)) for name in ("closed_from", "closed_until")}
    return {
        **{name: str(value or "") for name, value in option.items()},
        "step_free": str(step_free or ""),
        **days,
    }


def _day(text: object) -> date | None:
    try:
        return date.fromisoformat(str(text))
    except ValueError:
        return None


def _show_contact(
    visit: Visit,
    procedure: Procedure,
    form: ContactForm,
    rows: Sequence[AccessForm],
    *,
    errors: Errors = (),
    status: int = 200,
) -> Response:
    shown = ContactPage(head_of(visit, procedure), tuple(rows), errors)
    return visit.render("planning/contact.html", shown, status=status, form=form)
