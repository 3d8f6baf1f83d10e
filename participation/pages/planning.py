"""The planner's desk: begin a consultation, see what it has and lacks, publish it, bring it to its end.

Each section of it has a room of its own, `planned_…`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from starlette.responses import Response
from wtforms import Form, RadioField, StringField, TextAreaField
from wtforms.fields import SelectChoice
from wtforms.validators import DataRequired, InputRequired, Length

from consultations import (
    agency_periods,
    ballots,
    people,
    places,
    procedures,
    proposing,
    publishing,
    surveys,
    town_templates,
    variants,
)
from consultations.cocreation import Opening
from consultations.documents import documents_of
from consultations.permissions import Permission, may
from consultations.phases import Opens, Phase, PhaseKind, phases_of
from consultations.procedures import Procedure, ProcedureInput, ProcedureState, localised
from consultations.publishing import TRANSITIONS
from consultations.refusals import Code, Refusal
from consultations.templates import TEMPLATES
from participation import overview
from participation.i18n import date_short
from participation.messages import STATUS
from participation.overview import Difference
from participation.pages.announcing import Formal, formal_phases
from participation.pages.planned_texts import TEXTS, untranslated
from participation.pages.planning_advice import Advice, advice_of, scheduled
from participation.pages.planning_forms import KEY, Head, head_of, planned
from participation.pages.planning_templates import TEMPLATE_WORDS, choice_of
from participation.settings import LANGUAGES
from participation.web import Visit, page

#: Marks a message for the catalogues.
N_ = str


class NewForm(Form):
    """The three things a consultation begins with; everything else can follow."""

    template = RadioField(
        N_("What kind of consultation is it?"),
        [InputRequired(N_("Please choose what kind of consultation it is."))],
        choices=[SelectChoice(each.key, TEMPLATE_WORDS[each.key][0]) for each in TEMPLATES],
    )
    title = StringField(N_("Title"), [DataRequired(N_("Please enter a title.")), Length(max=200)])
    key = StringField(N_("Reference"), [DataRequired(N_("Please enter a reference, such as BP-12.")), KEY])


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
        choice_of(visit, each) for each in town_templates.every(visit.session, visit.municipality_id)
    )
    return visit.render("planning/new.html", choices, status=status, form=form)


# --- the checklist ---------------------------------------------------------------------------------

#: What `publishing.missing_for_publication` names: the words for it, the section, and the field.
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
    formal: tuple[Formal, ...]
    done: str
    preview_url: str
    #: The comments that were made while a formal period ran; empty where none can have been made.
    beside_url: str
    history_url: str
    may_publish: bool
    may_finish: bool
    was_public: bool
    published_at: datetime | None


@page("/verwaltung/planung/{id:int}", name="planning", may=Permission.PLAN)
def checklist(visit: Visit) -> Response:
    """What a consultation has and lacks, and what can be done with it."""
    return _checklist(visit, planned(visit))


def _cocreation(visit: Visit, procedure: Procedure, phases: Sequence[Phase]) -> tuple[Section, ...]:
    """What each phase opens that takes proposals in."""
    return tuple(
        replace(
            _section(
                visit,
                procedure,
                "planning_contact",
                N_("What becomes of proposals"),
                (overview.phase_name(phase, visit.language),),
                (),
                optional=True,
            ),
            url=visit.url("planning_cocreation", id=procedure.id, phase=phase.id),
        )
        for phase in phases
        if Opens.PROPOSAL.value in phase.opens or phase.kind == PhaseKind.CO_CREATION.value
    )


def _votes(visit: Visit, procedure: Procedure, phases: Sequence[Phase]) -> tuple[Section, ...]:
    """The vote of each phase that opens one, with its question once it has one; one query."""
    opened = [phase for phase in phases if Opening.VOTE in proposing.arrangement_of(phase).opens]
    known = ballots.of_phases(visit.session, [phase.id or 0 for phase in opened]) if opened else {}
    return tuple(
        replace(
            _section(
                visit,
                procedure,
                "planning_contact",
                N_("Vote on proposals"),
                (overview.phase_name(phase, visit.language),)
                + ((known[phase.id or 0].question,) if phase.id in known else ()),
                (),
                optional=True,
            ),
            url=visit.url("planning_vote", id=procedure.id, phase=phase.id),
        )
        for phase in opened
    )


def _checklist(visit: Visit, procedure: Procedure, *, status: int = 200) -> Response:
    assert procedure.id is not None
    phases = phases_of(visit.session, procedure.id)
    documents = [
        document for document, _ in documents_of(visit.session, procedure.id) if not document.is_withdrawn
    ]
    layers = places.layers_of(visit.session, visit.municipality_id, procedure.id)
    lacking = publishing.missing_for_publication(visit.session, procedure)
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
            visit, procedure, "planning_agencies", N_("Agencies"),
            tuple(
                overview.phase_name(each, visit.language) for each in phases if agency_periods.asks_agencies(each)
            ),
            lacking, optional=True,
        ),
        _section(
            visit, procedure, "planning_variants", N_("Variants in three dimensions"),
            tuple(row.title for row in variants.variants_of(visit.session, procedure.id)), lacking, optional=True,
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
        _section(
            visit, procedure, "planning_topics", N_("Topics to choose from"),
            tuple(procedures.subject_in(procedure, name, visit.language) for name in procedures.subject_names(procedure)),
            lacking, optional=True,
        ),
        *_cocreation(visit, procedure, phases),
        *_votes(visit, procedure, phases),
        _section(
            visit, procedure, "planning_surveys", N_("Surveys"),
            tuple(each.title for each in surveys.of_procedure(visit.session, procedure.id, drafts=True)), lacking,
            optional=True,
        ),
    )  # fmt: skip
    advice = tuple(
        found
        for each in scheduled(visit, procedure, phases)
        if (found := advice_of(visit, each)) and found.is_grave
    )
    done = DONE.get(visit.request.query_params.get("done", ""))
    return visit.render(
        "planning/checklist.html",
        Checklist(
            head=head_of(visit, procedure),
            sections=sections,
            missing=tuple(_gap(visit, procedure, name) for name in lacking),
            advice=advice,
            formal=formal_phases(visit, procedure, phases),
            done=visit.gettext(done) if done and not visit.is_post else "",
            preview_url=visit.url("hearing", slug=procedure.slug),
            beside_url=_beside(visit, procedure, phases),
            history_url=visit.url("planning_history", id=procedure.id),
            may_publish=ProcedureState.PUBLISHED in TRANSITIONS[state],
            may_finish=ProcedureState.CONCLUDED in TRANSITIONS[state],
            was_public=procedure.published_at is not None,
            published_at=procedure.published_at,
        ),
        status=status,
    )


def _beside(visit: Visit, procedure: Procedure, phases: Sequence[Phase]) -> str:
    opens = {way for phase in phases if not phase.is_formal for way in phase.opens}
    if Opens.COMMENT.value not in opens or not any(phase.is_formal for phase in phases):
        return ""
    return visit.url("register", procedure=procedure.id, late="beside")


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
        gaps = untranslated(procedure, language)
        if gaps:
            labels = ", ".join(visit.gettext(TEXTS[name].label) for name in gaps)
            facts.append(
                visit.gettext(
                    "Not in %(language)s yet: %(fields)s", language=LANGUAGES[language], fields=labels
                )
            )
    return tuple(facts)


def _phase_facts(visit: Visit, phases: Sequence[Phase]) -> tuple[str, ...]:
    return tuple(
        f"{overview.phase_name(phase, visit.language)}: {_days(visit, phase)}"
        for phase in phases
        if phase.starts_on or phase.ends_on
    )


def _days(visit: Visit, phase: Phase) -> str:
    first, last = (date_short(day, visit.language) if day else "" for day in (phase.starts_on, phase.ends_on))
    if first and last:
        return first if first == last else f"{first} – {last}"
    return visit.gettext("from %(date)s", date=first) if first else visit.gettext("until %(date)s", date=last)


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
        publishing.publish(visit.session, procedure, by=visit.by, now=visit.now)
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
                publishing.conclude
                if form.state.data == ProcedureState.CONCLUDED.value
                else publishing.withdraw
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
    rows = publishing.versions_of(visit.session, procedure.id or 0)
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
