"""What the forms of a consultation share at the planner's desk: the head of a page, saving, rows that can be added.

What is typed is never lost: a refused form comes back as it was sent, also when somebody else has saved meanwhile.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from starlette.datastructures import FormData
from wtforms import DateField, Form, HiddenField, StringField
from wtforms.validators import InputRequired, Length, Optional, Regexp, ValidationError

from consultations import procedures
from consultations.permissions import Permission
from consultations.procedures import Procedure, ProcedureInput, ProcedureState, localised
from consultations.refusals import Code, Refusal
from participation.messages import STATUS
from participation.web import Visit

FormT = TypeVar("FormT", bound=Form)

#: Marks a message for the catalogues.
N_ = str

STATE_TAGS: Mapping[ProcedureState, tuple[str, str]] = {
    ProcedureState.DRAFT: ("draft", N_("Draft")),
    ProcedureState.PUBLISHED: ("open", N_("Public")),
    ProcedureState.CONCLUDED: ("done", N_("Concluded")),
    ProcedureState.WITHDRAWN: ("hidden", N_("Given up")),
}

#: Rows that a list in a form can have.
MOST_ROWS = 40

#: A reference as people can write it down.
KEY = Regexp(
    r"[A-Za-z0-9ÄÖÜäöü][A-Za-z0-9ÄÖÜäöü./-]{0,19}\Z",
    message=N_("Please use letters, digits and hyphens only, at most 20, such as BP-12."),
)


def sane_year(form: Form, field: DateField) -> None:
    """A validator: a day of this century, whatever the browser let through."""
    if field.data is not None and not 2000 <= field.data.year <= 2100:
        raise ValidationError(N_("Please check the year."))


def day_field(label: str, first: Optional | InputRequired | None = None) -> DateField:
    """A day that is typed or chosen; it may be missing unless `first` says otherwise."""
    return DateField(label, [first or Optional(), sane_year], format=["%Y-%m-%d", "%d.%m.%Y"])


class SectionForm(Form):
    """What every section of a consultation sends along: the version that was read, and what changed."""

    version = HiddenField()
    note = StringField(N_("What changed, and why?"), [Length(max=500)])


@dataclass(frozen=True)
class Head:
    """What every page about one consultation begins with. `state`: kind and words of a status tag."""

    id: int
    title: str
    key: str
    slug: str
    state: tuple[str, str]
    #: Everybody can read it, so that a change needs a note.
    is_public: bool
    version: int


def planned(visit: Visit) -> Procedure:
    """The consultation in the address. Raises Refusal NOT_FOUND, and NOT_ALLOWED for who does not plan it."""
    procedure = procedures.by_id(visit.session, visit.municipality_id, visit.request.path_params["id"])
    if procedure is None:
        visit.not_found()
    visit.require(Permission.PLAN, procedure)
    return procedure


def head_of(visit: Visit, procedure: Procedure) -> Head:
    """The beginning of a page about it."""
    assert procedure.id is not None
    kind, words = STATE_TAGS[ProcedureState(procedure.state)]
    return Head(
        procedure.id,
        localised(procedure, visit.language, "title"),
        procedure.key,
        procedure.slug,
        (kind, visit.gettext(words)),
        procedure.state != ProcedureState.DRAFT.value,
        procedure.version,
    )


def entered(procedure: Procedure, **changes: Any) -> ProcedureInput:
    """The consultation as it stands, with these changes, for `procedures.change`; phases stay unless given."""
    return replace(procedures.as_it_stands(procedure), **changes)


def read_version(form: SectionForm) -> int:
    """The version on which a form was based; one that nobody ever had if it was tampered with."""
    typed = str(form.version.data or "")
    return int(typed) if typed.isdecimal() and len(typed) < 10 else -1


def require_note(procedure: Procedure, form: SectionForm) -> str:
    """What changed, in the planner's words. Raises Refusal REASON_REQUIRED without, once everybody can read it."""
    note = (form.note.data or "").strip()
    if procedure.state != ProcedureState.DRAFT.value and not note:
        raise Refusal(Code.REASON_REQUIRED, "note")
    return note


Errors = tuple[tuple[str, str | None], ...]


def save(visit: Visit, procedure: Procedure, form: SectionForm, changed: ProcedureInput) -> Refusal | None:
    """Change the consultation; a refusal takes back everything and is returned, the form then speaks of it."""
    try:
        procedures.change(
            visit.session,
            procedure,
            changed,
            by=visit.by,
            now=visit.now,
            note=(form.note.data or "").strip(),
            expected_version=read_version(form),
        )
    except Refusal as refusal:
        visit.session.rollback()
        return refusal
    return None


def refused(visit: Visit, form: SectionForm, refusal: Refusal) -> tuple[Errors, int]:
    """A refusal as errors of the page, and its status. Whoever was overtaken may send once more, knowing it."""
    if refusal.code is Code.CHANGED_MEANWHILE:
        form.version.data = str(planned(visit).version)
    message, status = visit.explain(refusal), STATUS.get(refusal.code, 422)
    field = form._fields.get(refusal.field or "")
    if field is None:
        return ((message, refusal.field),), status
    field.errors = [*field.errors, message]
    return (), status


# --- rows in forms: phases, places -----------------------------------------------------------------

Row = Mapping[str, Sequence[str]]


def sent_rows(visit: Visit, name: str) -> list[Row]:
    """The rows of a list as they were sent: fields called `name-0-title`, `name-1-title`, …"""
    rows: dict[int, dict[str, Sequence[str]]] = {}
    for key, value in visit.form_data.multi_items():
        match = re.fullmatch(rf"{name}-(\d{{1,3}})-(\w+)", key)
        if match and isinstance(value, str):
            row = rows.setdefault(int(match[1]), {})
            row[match[2]] = [*row.get(match[2], ()), value]
    found: list[Row] = [rows[number] for number in sorted(rows)]
    return found[:MOST_ROWS]


def arranged(rows: Sequence[Row], asked: str, empty: Row) -> list[Row]:
    """The rows after a button: `add`, `remove-2`, `up-2`, `down-2`; as they are for anything else."""
    found = list(rows)
    verb, _, number = asked.partition("-")
    at = int(number) if number.isdecimal() and len(number) < 4 else -1
    if verb == "add" and len(found) < MOST_ROWS:
        found.append(empty)
    elif 0 <= at < len(found):
        if verb == "remove":
            del found[at]
        elif verb in ("up", "down"):
            to = max(at - 1, 0) if verb == "up" else at + 1
            found.insert(to, found.pop(at))
    return found


def row_forms(visit: Visit, kind: type[FormT], name: str, rows: Sequence[Row]) -> list[FormT]:
    """One form for each row, with what was sent for it, even where it makes no sense."""
    return [
        visit.form(
            kind,
            prefix=f"{name}-{number}",
            sent=FormData(
                [(f"{name}-{number}-{key}", value) for key, values in row.items() for value in values]
            ),
        )
        for number, row in enumerate(rows)
    ]


def errors_of(forms: Sequence[Form]) -> Errors:
    """What is wrong in the rows, each with its field."""
    return tuple(
        (str(form.meta.gettext(message)), str(field.id))
        for form in forms
        for field in form
        for message in field.errors
    )
