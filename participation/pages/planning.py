"""The planner's desk: begin a consultation, prepare it point by point, publish it, change it, bring it to its end.

What is typed is never lost: a refused form comes back as it was sent, also when somebody else has saved meanwhile.
Documents, plan area and layers have rooms of their own, `planned_…`.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from functools import cache
from typing import Any, TypeVar

from markupsafe import Markup
from starlette.datastructures import FormData
from starlette.responses import Response
from wtforms import (
    BooleanField,
    DateField,
    Form,
    HiddenField,
    RadioField,
    SelectField,
    SelectMultipleField,
    StringField,
    TextAreaField,
    ValidationError,
)
from wtforms.fields import SelectChoice
from wtforms.validators import DataRequired, InputRequired, Length, Optional, Regexp
from wtforms.widgets import CheckboxInput, ListWidget

from consultations import people, places, procedures
from consultations.computation import Impossible
from consultations.law import Severity
from consultations.legal_periods import ask
from consultations.permissions import Permission, may
from consultations.places import PlaceKind
from consultations.procedures import (
    TRANSITIONS,
    Opens,
    Phase,
    PhaseInput,
    PhaseKind,
    Procedure,
    ProcedureInput,
    ProcedureState,
    localised,
)
from consultations.refusals import Code, Refusal
from consultations.seats import Seat
from consultations.text import render_markdown
from participation import overview
from participation.i18n import date_short
from participation.messages import STATUS
from participation.overview import PHASE_NAMES, WAYS, Difference
from participation.settings import LANGUAGES
from participation.web import Visit, page

FormT = TypeVar("FormT", bound=Form)

#: Marks a message for the catalogues.
N_ = str

#: What each template is called and when to take it.
TEMPLATE_WORDS: Mapping[str, tuple[str, str]] = {
    "development_plan": (
        N_("Publication of a development plan"),
        N_(
            "The formal step with the period that the law prescribes: the draft is published on the internet and "
            "shown on paper, everybody can hand in a statement (BauGB §3(2))."
        ),
    ),
    "early_participation": (
        N_("Early participation"),
        N_(
            "Aims and alternatives are still open. People hand in statements and comment on the map; the formal "
            "publication follows later (BauGB §3(1))."
        ),
    ),
    "informal_dialogue": (
        N_("Informal dialogue"),
        N_(
            "Collect ideas before there is a plan, without a legal period: people make proposals and comment on "
            "those of others."
        ),
    ),
}

STATE_TAGS: Mapping[ProcedureState, tuple[str, str]] = {
    ProcedureState.DRAFT: ("draft", N_("Draft")),
    ProcedureState.PUBLISHED: ("open", N_("Public")),
    ProcedureState.CONCLUDED: ("done", N_("Concluded")),
    ProcedureState.WITHDRAWN: ("hidden", N_("Given up")),
}

#: Rows that a list in a form can have.
MOST_ROWS = 40


# --- what all sections share -----------------------------------------------------------------------


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
    as_it_is = ProcedureInput(
        key=procedure.key,
        title=procedure.title,
        summary=procedure.summary,
        description=procedure.description,
        slug=procedure.slug,
        location_words=procedure.location_words,
        district=procedure.district,
        translations=procedure.translations,
        contact=procedure.contact,
        access_options=tuple(procedure.access_options),
    )
    return replace(as_it_is, **changes)


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


def _save(visit: Visit, procedure: Procedure, form: SectionForm, changed: ProcedureInput) -> Refusal | None:
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


# --- begin -----------------------------------------------------------------------------------------

_KEY = Regexp(
    r"[A-Za-z0-9ÄÖÜäöü][A-Za-z0-9ÄÖÜäöü./-]{0,19}\Z",
    message=N_("Please use letters, digits and hyphens only, at most 20, such as BP-12."),
)


class NewForm(Form):
    """The three things a consultation begins with; everything else can follow."""

    template = RadioField(
        N_("What kind of consultation is it?"),
        [InputRequired(N_("Please choose what kind of consultation it is."))],
        choices=[SelectChoice(each.key, TEMPLATE_WORDS[each.key][0]) for each in procedures.TEMPLATES],
    )
    title = StringField(N_("Title"), [DataRequired(N_("Please enter a title.")), Length(max=200)])
    key = StringField(N_("Reference"), [DataRequired(N_("Please enter a reference, such as BP-12.")), _KEY])


@dataclass(frozen=True)
class Choice:
    """A template to begin with: what it is for, and the phases it brings."""

    key: str
    name: str
    text: str
    phases: tuple[str, ...]


@page("/verwaltung/planung/neu", name="planning_new", may=Permission.PLAN, methods=("GET", "POST"))
def begin(visit: Visit) -> Response:
    """Begin a consultation from a template."""
    if not may(visit.by, Permission.PLAN, municipality_id=visit.municipality_id):
        raise Refusal(Code.NOT_ALLOWED)  # a planner of certain consultations only
    form = visit.form(NewForm)
    status = 200
    if visit.is_post:
        status = 422
        if form.validate():
            try:
                new = ProcedureInput(key=form.key.data.strip(), title=form.title.data.strip())
                procedure = procedures.create(
                    visit.session,
                    new,
                    municipality_id=visit.municipality_id,
                    template_key=form.template.data,
                    by=visit.by,
                    now=visit.now,
                )
                return visit.redirect("planning", id=procedure.id, done="created")
            except Refusal as refusal:
                visit.reject(form, refusal)
    choices = tuple(
        Choice(
            each.key,
            visit.gettext(TEMPLATE_WORDS[each.key][0]),
            visit.gettext(TEMPLATE_WORDS[each.key][1]),
            tuple(visit.gettext(PHASE_NAMES[phase.kind]) for phase in each.phases),
        )
        for each in procedures.TEMPLATES
    )
    return visit.render("planning/new.html", choices, status=status, form=form)


# --- the checklist ---------------------------------------------------------------------------------

#: What `procedures.missing_for_publication` names: the words for it, the section, and the field.
MISSING: Mapping[str, tuple[str, str, str]] = {
    "summary": (N_("A summary in one or two sentences"), "planning_texts", "summary"),
    "location_words": (N_("The place in words"), "planning_texts", "location_words"),
    "phases": (N_("Start and end of a phase in which people can take part"), "planning_phases", "phases-0-starts_on"),
    "contact": (N_("Name and telephone number of who answers questions"), "planning_contact", "name"),
    "access_options": (
        N_("A place where the documents can be seen without the internet"),
        "planning_contact",
        "access-0-place",
    ),
}  # fmt: skip

#: What has just been done, as the address says it.
DONE: Mapping[str, str] = {
    "created": N_("The consultation is begun. Nobody but staff can see it."),
    "saved": N_("Saved."),
    "published": N_("The consultation is public now."),
    "concluded": N_("The consultation is concluded. Everybody can go on reading it."),
    "withdrawn": N_("The consultation is given up. Everybody can go on reading it."),
}


@dataclass(frozen=True)
class Section:
    """A point of the checklist. `state`: kind and words of a status tag; `lacks`: words and address of each gap."""

    title: str
    url: str
    facts: tuple[str, ...]
    state: tuple[str, str]
    lacks: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Checklist:
    """One consultation at the planner's desk."""

    head: Head
    sections: tuple[Section, ...]
    missing: tuple[tuple[str, str], ...]
    advice: tuple["Advice", ...]
    done: str
    preview_url: str
    history_url: str
    may_publish: bool
    may_finish: bool
    was_public: bool
    published_at: datetime | None


@page("/verwaltung/planung/{id:int}", name="planning", may=Permission.PLAN)
def checklist(visit: Visit) -> Response:
    """What a consultation has and lacks, and what can be done with it."""
    return _checklist(visit, planned(visit))


def _checklist(visit: Visit, procedure: Procedure, *, status: int = 200) -> Response:
    assert procedure.id is not None
    phases = procedures.phases_of(visit.session, procedure.id)
    documents = [
        document
        for document, _ in procedures.documents_of(visit.session, procedure.id)
        if not document.is_withdrawn
    ]
    layers = places.layers_of(visit.session, visit.municipality_id, procedure.id)
    lacking = procedures.missing_for_publication(visit.session, procedure)
    state = ProcedureState(procedure.state)
    sections = (
        _section(visit, procedure, "planning_texts", N_("Texts"), _text_facts(visit, procedure), lacking),
        _section(visit, procedure, "planning_phases", N_("Phases and dates"), _phase_facts(visit, phases), lacking),
        _section(
            visit, procedure, "planning_documents", N_("Documents"),
            (visit.ngettext("%(num)s document", "%(num)s documents", len(documents)),) if documents else (),
            lacking, optional=True,
        ),
        _section(
            visit, procedure, "planning_area", N_("Plan area"),
            (visit.gettext("The area is set."),) if procedure.plan_area else (), lacking, optional=True,
        ),
        _section(
            visit, procedure, "planning_layers", N_("Map layers"), tuple(layer.title for layer in layers), lacking,
            optional=True,
        ),
        _section(
            visit, procedure, "planning_contact", N_("Contact and ways without the internet"),
            tuple(
                str(each)
                for each in (
                    procedure.contact.get("name"), *(option.get("place") for option in procedure.access_options)
                )
                if each
            ),
            lacking,
        ),
    )  # fmt: skip
    advice = tuple(
        found
        for phase in phases
        if (found := advise(visit, PhaseKind(phase.kind), phase.is_formal, phase.starts_on, phase.ends_on))
        and any(finding.kind == "warning" for finding in found.findings)
    )
    done = DONE.get(visit.request.query_params.get("done", ""))
    return visit.render(
        "planning/checklist.html",
        Checklist(
            head=head_of(visit, procedure),
            sections=sections,
            missing=tuple(_gap(visit, procedure, name) for name in lacking),
            advice=advice,
            done=visit.gettext(done) if done and not visit.is_post else "",
            preview_url=visit.url("hearing", slug=procedure.slug),
            history_url=visit.url("planning_history", id=procedure.id),
            may_publish=ProcedureState.PUBLISHED in TRANSITIONS[state],
            may_finish=ProcedureState.CONCLUDED in TRANSITIONS[state],
            was_public=procedure.published_at is not None,
            published_at=procedure.published_at,
        ),
        status=status,
    )


def _gap(visit: Visit, procedure: Procedure, name: str) -> tuple[str, str]:
    words, section, field = MISSING[name]
    return visit.gettext(words), f"{visit.url(section, id=procedure.id)}#{field}"


def _section(
    visit: Visit,
    procedure: Procedure,
    name: str,
    title: str,
    facts: tuple[str, ...],
    lacking: Sequence[str],
    *,
    optional: bool = False,
) -> Section:
    lacks = tuple(_gap(visit, procedure, each) for each in lacking if MISSING[each][1] == name)
    if lacks:
        state = ("waiting", visit.gettext("Something is missing"))
    elif facts or not optional:
        state = ("done", visit.gettext("Ready"))
    else:
        state = ("draft", visit.gettext("Nothing yet"))
    return Section(visit.gettext(title), visit.url(name, id=procedure.id), facts, state, lacks)


def _text_facts(visit: Visit, procedure: Procedure) -> tuple[str, ...]:
    facts = [localised(procedure, visit.language, "summary")] if procedure.summary else []
    for language in visit.languages[1:]:
        gaps = _untranslated(procedure, language)
        if gaps:
            labels = ", ".join(visit.gettext(TEXTS[name].label) for name in gaps)
            facts.append(
                visit.gettext(
                    "Not in %(language)s yet: %(fields)s", language=LANGUAGES[language], fields=labels
                )
            )
    return tuple(facts)


def _untranslated(procedure: Procedure, language: str) -> tuple[str, ...]:
    translated: Mapping[str, str] = procedure.translations.get(language, {})
    return tuple(name for name in TEXTS if getattr(procedure, name) and not translated.get(name))


def _phase_facts(visit: Visit, phases: Sequence[Phase]) -> tuple[str, ...]:
    return tuple(
        f"{overview.phase_name(phase, visit.language)}: "
        f"{_day(visit, phase.starts_on)} – {_day(visit, phase.ends_on)}"
        for phase in phases
        if phase.starts_on or phase.ends_on
    )


def _day(visit: Visit, day: date | None) -> str:
    return date_short(day, visit.language) if day else "…"


# --- texts -----------------------------------------------------------------------------------------


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
    """Reference, address, district; the texts themselves are added by `texts_form`."""

    key = StringField(N_("Reference"), [DataRequired(N_("Please enter a reference, such as BP-12.")), _KEY])
    slug = StringField(N_("Address of the page"), [Length(max=80)])
    district = StringField(N_("District"), [Length(max=100)], render_kw={"list": "districts"})


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
    errors: Errors = ()
    status = 200
    overtaken = False
    if visit.is_post and visit.form_data.get("do") != "preview":
        status = 422
        if form.validate():
            refusal = _save(visit, procedure, form, _entered_texts(procedure, form, languages))
            if refusal is None:
                return visit.redirect("planning", id=procedure.id, done="saved")
            overtaken = refusal.code is Code.CHANGED_MEANWHILE
            errors, status = refused(visit, form, refusal)
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


def _known_texts(procedure: Procedure, languages: Sequence[str]) -> dict[str, Any]:
    known: dict[str, Any] = {
        name: getattr(procedure, name) for name in ("key", "slug", "district", "version")
    }
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


# --- phases ----------------------------------------------------------------------------------------


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
class Finding:
    """Something to know about a date: kind of a notice, sentence, source."""

    kind: str
    text: str
    source: str


@dataclass(frozen=True)
class Advice:
    """What the law says of a phase: earliest and recommended last day, and findings. Nothing here prevents anything."""

    phase: str
    minimum: date | None
    minimum_why: str
    recommended: date | None
    recommended_why: str
    source: str
    #: The last day on which something is in time, where that is later than the announced one.
    effective: date | None
    findings: tuple[Finding, ...]


#: The question of the law for a kind of phase, and what it calls the last day.
QUESTIONS: Mapping[PhaseKind, tuple[str, str]] = {
    PhaseKind.PUBLICATION: ("bauleitplan_publication", "announced_end"),
    PhaseKind.EARLY: ("bauleitplan_early", "end"),
    PhaseKind.REPEATED: ("bauleitplan_renewed", "end"),
}


def advise(
    visit: Visit, kind: PhaseKind, is_formal: bool, starts_on: date | None, ends_on: date | None
) -> Advice | None:
    """What the law says of a formal phase with these dates; None where it says nothing, or without a start."""
    if not is_formal or starts_on is None or kind not in QUESTIONS or (ends_on and ends_on < starts_on):
        return None
    question, end = QUESTIONS[kind]
    facts = {"start": starts_on} | ({end: ends_on} if ends_on else {})
    try:
        answer = ask(question, facts, seat=Seat.from_data(visit.municipality_row.calendar))
    except Impossible:
        return None  # a year for which no calendar is known
    kinds = {Severity.BLOCK: "warning", Severity.WARN: "warning", Severity.INFO: "info"}
    minimum, recommended, effective = answer.minimum_end, answer.recommended_end, answer.effective_end
    return Advice(
        phase=visit.gettext(PHASE_NAMES[kind]),
        minimum=minimum.day if minimum else None,
        minimum_why=minimum.why.text(visit.language) if minimum else "",
        recommended=recommended.day if recommended else None,
        recommended_why=recommended.why.text(visit.language) if recommended else "",
        source=minimum.source if minimum else "",
        effective=effective.day if effective and ends_on and effective.day > ends_on else None,
        findings=tuple(
            Finding(kinds[each.severity], each.why.text(visit.language), each.source)
            for each in answer.findings
        ),
    )


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
    refusal = _save(visit, procedure, form, changed)
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


# --- contact ---------------------------------------------------------------------------------------


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
    options = [{name: (field.data or "").strip() for name, field in _named_fields(row)} for row in rows]
    changed = entered(
        procedure,
        contact={**procedure.contact, **{name: (form[name].data or "").strip() for name in known}},
        access_options=tuple(option for option in options if any(option.values())),
    )
    refusal = _save(visit, procedure, form, changed)
    if refusal is None:
        return visit.redirect("planning", id=procedure.id, done="saved")
    errors, status = refused(visit, form, refusal)
    return _show_contact(visit, procedure, form, rows, errors=errors, status=status)


def _named_fields(form: Form) -> list[tuple[str, Any]]:
    return [(field.short_name, field) for field in form]


def _spoken(visit: Visit, option: Mapping[str, Any]) -> dict[str, Any]:
    """A place as its form shows it; access may have come in as yes or no."""
    step_free = option.get("step_free", "")
    if isinstance(step_free, bool):
        step_free = visit.gettext("Step-free access") if step_free else visit.gettext("Not step-free")
    return {**{name: str(value or "") for name, value in option.items()}, "step_free": str(step_free or "")}


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


# --- publish, finish -------------------------------------------------------------------------------


@page(
    "/verwaltung/planung/{id:int}/veroeffentlichen",
    name="planning_publish",
    may=Permission.PLAN,
    methods=("POST",),
)
def publish(visit: Visit) -> Response:
    """Show the consultation to everybody; what is missing comes back as a list with links."""
    procedure = planned(visit)
    try:
        procedures.publish(visit.session, procedure, by=visit.by, now=visit.now)
    except Refusal as refusal:
        if refusal.code is not Code.NOT_READY:
            raise
        visit.session.rollback()
        return _checklist(visit, procedure, status=422)
    return visit.redirect("planning", id=procedure.id, done="published")


class FinishForm(Form):
    """How a consultation comes to its end."""

    state = RadioField(
        N_("How does it end?"),
        [InputRequired(N_("Please choose how it ends."))],
        choices=[
            SelectChoice(
                ProcedureState.CONCLUDED.value, N_("It is concluded: the procedure has come to its end")
            ),
            SelectChoice(ProcedureState.WITHDRAWN.value, N_("It is given up: the plan will not be pursued")),
        ],
    )
    note = TextAreaField(
        N_("What became of it"),
        [DataRequired(N_("Please say in a few words what became of it.")), Length(max=2000)],
    )


@page(
    "/verwaltung/planung/{id:int}/abschliessen",
    name="planning_finish",
    may=Permission.PLAN,
    methods=("GET", "POST"),
)
def finish(visit: Visit) -> Response:
    """Conclude a consultation, or give it up; everything stays readable."""
    procedure = planned(visit)
    form = visit.form(FinishForm)
    status = 200
    if visit.is_post:
        status = 422
        if form.validate():
            verb = (
                procedures.conclude
                if form.state.data == ProcedureState.CONCLUDED.value
                else procedures.withdraw
            )
            try:
                verb(visit.session, procedure, by=visit.by, now=visit.now, note=form.note.data.strip())
                return visit.redirect("planning", id=procedure.id, done=form.state.data)
            except Refusal as refusal:
                visit.reject(form, refusal)
                status = STATUS.get(refusal.code, 422)
    return visit.render("planning/finish.html", head_of(visit, procedure), status=status, form=form)


# --- history ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Version:
    """A published version: when, by whom, why, and what it changed."""

    number: int
    at: datetime
    by: str
    note: str
    differences: tuple[Difference, ...]
    is_first: bool


@dataclass(frozen=True)
class History:
    """Everything that changed since the first publication, newest first."""

    head: Head
    versions: tuple[Version, ...]


@page("/verwaltung/planung/{id:int}/verlauf", name="planning_history", may=Permission.PLAN)
def history(visit: Visit) -> Response:
    """What was changed since publication, by whom and why."""
    procedure = planned(visit)
    rows = procedures.versions_of(visit.session, procedure.id or 0)
    names = people.names(visit.session, {row.by for row in rows})
    found = tuple(
        Version(
            row.number,
            row.at,
            names.get(row.by, ""),
            row.note,
            overview.differences(rows[at + 1].snapshot, row.snapshot, visit.language)
            if at + 1 < len(rows)
            else (),
            at + 1 == len(rows),
        )
        for at, row in enumerate(rows)
    )
    return visit.render("planning/history.html", History(head_of(visit, procedure), found))
