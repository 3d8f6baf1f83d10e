"""The texts of a consultation, side by side in all languages of the town, and what it is a part of."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from markupsafe import Markup
from starlette.responses import Response
from wtforms import SelectField, StringField, TextAreaField
from wtforms.fields import SelectChoice
from wtforms.validators import DataRequired, Length

from consultations import nesting, places
from consultations.permissions import Permission
from consultations.places import PlaceKind
from consultations.procedures import Procedure, ProcedureInput, ProcedureState, localised
from consultations.refusals import Code
from consultations.text import render_markdown
from participation.pages.planning_forms import (
    KEY,
    Errors,
    Head,
    SectionForm,
    entered,
    head_of,
    planned,
    refused,
    save,
)
from participation.settings import LANGUAGES
from participation.web import Visit, page, row_number

#: Marks a message for the catalogues.
N_ = str


@dataclass(frozen=True)
class TextField:
    """A text of a consultation that exists in every language of the town."""

    label: str
    hint: str
    limit: int
    rows: int


TEXTS: Mapping[str, TextField] = {
    "title": TextField(N_("Title"), N_("Short and plain, as people would say it."), 200, 1),
    "summary": TextField(N_("Summary"), N_("What it is about, in one or two plain sentences."), 600, 3),
    "location_words": TextField(
        N_("Place in words"),
        N_("So that people see that they are meant: between which streets, at what known place."),
        600,
        2,
    ),
    "description": TextField(
        N_("Description"),
        N_("As long as it needs. A line beginning with ## is a heading, with - a list; **bold**, [text](address)."),
        40_000,
        14,
    ),
}  # fmt: skip


class TextsForm(SectionForm):
    """Reference, address, district, what it belongs to; the texts themselves are added by `texts_form`."""

    key = StringField(N_("Reference"), [DataRequired(N_("Please enter a reference, such as BP-12.")), KEY])
    slug = StringField(N_("Address of the page"), [Length(max=80)])
    district = StringField(N_("District"), [Length(max=100)], render_kw={"list": "districts"})
    part_of = SelectField(N_("Part of"), choices=[], validate_choice=False)


@cache
def texts_form(languages: tuple[str, ...]) -> type[TextsForm]:
    """The form of the texts in the languages of a town: `title` in the first, `title_en` in another."""
    fields: dict[str, object] = {}
    for name, text in TEXTS.items():
        for at, language in enumerate(languages):
            validators: list[object] = [Length(max=text.limit)]
            if name == "title" and at == 0:
                validators.insert(0, DataRequired(N_("Please enter a title.")))
            kind = StringField if text.rows == 1 else TextAreaField
            fields[_text_name(name, language, languages)] = kind(text.label, validators)
    return type("TextsFormOfTown", (TextsForm,), fields)


def _text_name(name: str, language: str, languages: Sequence[str]) -> str:
    return name if language == languages[0] else f"{name}_{language}"


@dataclass(frozen=True)
class LanguageText:
    """A text in one language: its field, and whether it waits to be translated."""

    field: str
    language: str
    language_name: str
    is_missing: bool


@dataclass(frozen=True)
class SavedText:
    """What somebody else has saved meanwhile in a field that now says something different here."""

    label: str
    language: str
    text: str


@dataclass(frozen=True)
class TextsPage:
    """The texts, side by side in all languages."""

    head: Head
    texts: tuple[tuple[TextField, tuple[LanguageText, ...]], ...]
    previews: tuple[tuple[str, str, Markup], ...]
    saved_meanwhile: tuple[SavedText, ...]
    districts: tuple[str, ...]
    errors: Errors


@page(
    "/verwaltung/planung/{id:int}/texte", name="planning_texts", may=Permission.PLAN, methods=("GET", "POST")
)
def texts(visit: Visit) -> Response:
    """The texts of a consultation; `do=preview` shows the description without saving."""
    procedure = planned(visit)
    languages = visit.languages
    form = visit.form(texts_form(languages), **_known_texts(procedure, languages))
    form.part_of.choices = _parents(visit, procedure)
    errors: Errors = ()
    status = 200
    overtaken = False
    if visit.is_post and visit.form_data.get("do") != "preview":
        status = 422
        if form.validate():
            refusal = save(visit, procedure, form, _entered_texts(procedure, form, languages))
            if refusal is None:
                return visit.redirect("planning", id=procedure.id, done="saved")
            overtaken = refusal.code is Code.CHANGED_MEANWHILE
            errors, status = refused(visit, form, refusal)
            form.part_of.choices = _parents(visit, planned(visit))
    return visit.render(
        "planning/texts.html",
        TextsPage(
            head=head_of(visit, procedure),
            texts=tuple(
                (text, tuple(_language_text(form, name, language, languages) for language in languages))
                for name, text in TEXTS.items()
            ),
            previews=tuple(_previews(visit, form, languages))
            if visit.form_data.get("do") == "preview"
            else (),
            saved_meanwhile=_saved_meanwhile(visit, procedure, form, languages) if overtaken else (),
            districts=tuple(
                place.name for place in places.names(visit.session, visit.municipality_id, PlaceKind.DISTRICT)
            ),
            errors=errors,
        ),
        status=status,
        form=form,
    )


def _parents(visit: Visit, procedure: Procedure) -> list[SelectChoice]:
    """What it could become a part of, and that it stands by itself."""
    return [
        SelectChoice("", N_("Nothing: it stands by itself")),
        *(
            SelectChoice(str(row.id), f"{localised(row, visit.language, 'title')} ({row.key})")
            for row in nesting.possible_parents(visit.session, procedure, visit.by)
        ),
    ]


def _known_texts(procedure: Procedure, languages: Sequence[str]) -> dict[str, Any]:
    known: dict[str, Any] = {
        name: getattr(procedure, name) for name in ("key", "slug", "district", "version")
    }
    known["part_of"] = str(procedure.part_of_id or "")
    for language in languages:
        texts = procedure.translations.get(language, {})
        for name in TEXTS:
            first = language == languages[0]
            known[_text_name(name, language, languages)] = (
                getattr(procedure, name) if first else texts.get(name, "")
            )
    return known


def _entered_texts(procedure: Procedure, form: TextsForm, languages: Sequence[str]) -> ProcedureInput:
    def typed(name: str, language: str) -> str:
        return str(form[_text_name(name, language, languages)].data or "").strip()

    others = dict(procedure.translations)
    for language in languages[1:]:
        others[language] = {name: typed(name, language) for name in TEXTS if typed(name, language)}
    changes: dict[str, Any] = {name: typed(name, languages[0]) for name in TEXTS}
    if procedure.state == ProcedureState.DRAFT.value:
        # Once people have written them down, reference and address stay.
        changes |= {"key": form.key.data.strip(), "slug": (form.slug.data or "").strip()}
    return entered(
        procedure,
        **changes,
        district=(form.district.data or "").strip(),
        part_of_id=row_number(form.part_of.data),
        translations={language: found for language, found in others.items() if found},
    )


def _language_text(form: TextsForm, name: str, language: str, languages: Sequence[str]) -> LanguageText:
    field = _text_name(name, language, languages)
    is_missing = language != languages[0] and bool(form[name].data) and not form[field].data
    return LanguageText(field, language, LANGUAGES[language], is_missing)


def _previews(visit: Visit, form: TextsForm, languages: Sequence[str]) -> list[tuple[str, str, Markup]]:
    """The description as the public will see it: language, its name, and the text."""
    written = [
        (language, str(form[_text_name("description", language, languages)].data or ""))
        for language in languages
    ]
    return [
        (language, LANGUAGES[language], render_markdown(text, headings_from=3))
        for language, text in written
        if text
    ]


def _saved_meanwhile(
    visit: Visit, procedure: Procedure, form: TextsForm, languages: Sequence[str]
) -> tuple[SavedText, ...]:
    known = _known_texts(procedure, languages)
    labels = {"district": N_("District"), **{name: text.label for name, text in TEXTS.items()}}
    return tuple(
        SavedText(visit.gettext(label), language, str(known[field]))
        for name, label in labels.items()
        for language in (languages if name in TEXTS else languages[:1])
        if str(known[field := _text_name(name, language, languages)]) != str(form[field].data or "").strip()
    )


def untranslated(procedure: Procedure, language: str) -> tuple[str, ...]:
    """The texts that exist, but not in this language yet."""
    translated: Mapping[str, str] = procedure.translations.get(language, {})
    return tuple(name for name in TEXTS if getattr(procedure, name) and not translated.get(name))
