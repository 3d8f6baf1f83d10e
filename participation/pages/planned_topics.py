"""The topics that a consultation offers: whoever proposes or comments chooses one, and lists can be narrowed to it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from starlette.responses import Response
from wtforms import Form, HiddenField, StringField
from wtforms.validators import Length

from consultations import topics
from consultations.permissions import Permission
from consultations.procedures import Procedure
from consultations.refusals import Refusal
from consultations.topics import NAME_LIMIT, TopicInput
from participation.pages.planning_forms import (
    Errors,
    Head,
    SectionForm,
    arranged,
    errors_of,
    head_of,
    planned,
    read_version,
    refused,
    row_forms,
    sent_rows,
)
from participation.settings import LANGUAGES
from participation.web import Visit, page

#: Marks a message for the catalogues.
N_ = str


class TopicRow(Form):
    """One topic; what it is called in further languages is added by `_row_form`."""

    name = StringField(N_("Name"), [Length(max=NAME_LIMIT)])
    #: What it was called when the page was opened.
    former = HiddenField()


@cache
def _row_form(languages: tuple[str, ...]) -> type[TopicRow]:
    fields = {f"name_{each}": StringField(N_("Name"), [Length(max=NAME_LIMIT)]) for each in languages[1:]}
    return type("TopicRowOfTown", (TopicRow,), fields)


@dataclass(frozen=True)
class TopicsPage:
    """The topics in their order; `languages`: key and name, the first one first."""

    head: Head
    rows: tuple[TopicRow, ...]
    languages: tuple[tuple[str, str], ...]
    errors: Errors


@page(
    "/verwaltung/planung/{id:int}/themen",
    name="planning_topics",
    may=Permission.PLAN,
    methods=("GET", "POST"),
)
def offered(visit: Visit) -> Response:
    """Name the topics, in every language of the town; a new name takes along what stands under the old one."""
    procedure = planned(visit)
    kind = _row_form(visit.languages)
    form = visit.form(SectionForm, version=procedure.version)
    if not visit.is_post:
        known = procedure.subjects or [{"name": ""}]
        rows = [
            visit.form(kind, prefix=f"topics-{at}", sent=None, **_known(each))
            for at, each in enumerate(known)
        ]
        return _show(visit, procedure, form, rows)
    asked = str(visit.form_data.get("do", "save"))
    rows = row_forms(
        visit, kind, "topics", arranged(sent_rows(visit, "topics"), asked, {"name": [""], "former": [""]})
    )
    if asked != "save":
        return _show(visit, procedure, form, rows)
    checked = [each.validate() for each in rows]
    if not (form.validate() and all(checked)):
        return _show(visit, procedure, form, rows, errors=errors_of(rows), status=422)
    entered = [_entered(row, visit.languages) for row in rows]
    # A row without a word is none; the others are numbered anew, here and where they are shown again with their errors.
    kept = [
        row for row, each in zip(rows, entered, strict=True) if each.name or any(each.translations.values())
    ]
    try:
        topics.offer(
            visit.session,
            procedure,
            [_entered(row, visit.languages) for row in kept],
            by=visit.by,
            now=visit.now,
            note=(form.note.data or "").strip(),
            expected_version=read_version(form),
        )
    except Refusal as refusal:
        visit.session.rollback()
        errors, status = refused(visit, form, refusal)
        again = row_forms(visit, kind, "topics", [_sent(row) for row in kept])
        return _show(visit, planned(visit), form, again, errors=errors, status=status)
    return visit.redirect("planning", id=procedure.id, done="saved")


def _known(subject: Mapping[str, object]) -> dict[str, str]:
    translated = subject.get("translations")
    others = translated if isinstance(translated, Mapping) else {}
    name = str(subject["name"])
    return {"name": name, "former": name, **{f"name_{key}": str(word) for key, word in others.items()}}


def _entered(row: TopicRow, languages: Sequence[str]) -> TopicInput:
    def typed(name: str) -> str:
        return " ".join(str(row[name].data or "").split())

    return TopicInput(typed("name"), {each: typed(f"name_{each}") for each in languages[1:]}, typed("former"))


def _sent(row: TopicRow) -> dict[str, list[str]]:
    return {field.short_name: [str(field.data or "")] for field in row}


def _show(
    visit: Visit,
    procedure: Procedure,
    form: SectionForm,
    rows: Sequence[TopicRow],
    *,
    errors: Errors = (),
    status: int = 200,
) -> Response:
    languages = tuple((each, LANGUAGES[each]) for each in visit.languages)
    shown = TopicsPage(head_of(visit, procedure), tuple(rows), languages, errors)
    return visit.render("planning/topics.html", shown, status=status, form=form)
