"""What a phase opens for co-creation, to whom and how: set by the planner, in plain words."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache

from starlette.responses import Response
from wtforms import (
    BooleanField,
    Form,
    HiddenField,
    IntegerField,
    RadioField,
    SelectField,
    SelectMultipleField,
    StringField,
    TextAreaField,
)
from wtforms.fields import SelectChoice
from wtforms.validators import Length, NumberRange, Optional
from wtforms.widgets import CheckboxInput, ListWidget

from consultations import proposing
from consultations.cocreation import (
    OWN_SECTIONS,
    SECTIONS,
    Arrangement,
    Audience,
    Counts,
    Naming,
    Opening,
    Section,
    new_section_key,
)
from consultations.permissions import Permission
from consultations.phases import Phase, phase_of
from consultations.procedures import Procedure
from consultations.refusals import Refusal
from participation import overview
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
from participation.pages.proposals import SECTIONS as NAMES
from participation.settings import LANGUAGES
from participation.web import Visit, page

#: Marks a message for the catalogues.
N_ = str

#: What can be opened besides what the phase takes in.
OPENINGS: Mapping[Opening, str] = {
    Opening.REVISE: N_("Authors may change their proposals"),
    Opening.AMEND: N_("Others may suggest other words"),
    Opening.SUPPORT: N_("People may support proposals"),
    Opening.VOTE: N_("People may vote on proposals"),
}


class ArrangementForm(SectionForm):
    """What a phase opens."""

    opens = SelectMultipleField(
        N_("What may people do besides proposing and commenting?"),
        choices=[SelectChoice(each.value, name) for each, name in OPENINGS.items()],
        widget=ListWidget(prefix_label=False),
        option_widget=CheckboxInput(),
        validate_choice=False,
    )
    sections = SelectMultipleField(
        N_("What is a proposal asked for?"),
        choices=[SelectChoice(each.key, NAMES[each.key]) for each in SECTIONS if not each.is_required],
        widget=ListWidget(prefix_label=False),
        option_widget=CheckboxInput(),
        validate_choice=False,
    )
    naming = RadioField(
        N_("Under which name may people propose and comment?"),
        choices=[
            SelectChoice(
                Naming.FREE.value, N_("As they like: without a name, under a made-up one or their own")
            ),
            SelectChoice(Naming.CHOSEN.value, N_("With a name at least, be it made up")),
            SelectChoice(Naming.OWN.value, N_("With their own name, which the town hall alone reads")),
        ],
    )
    audience = SelectField(
        N_("Who may support, vote and answer surveys?"),
        choices=[
            SelectChoice(Audience.EVERYBODY.value, N_("Everybody")),
            SelectChoice(Audience.SIGNED_IN.value, N_("Who has an account")),
            SelectChoice(Audience.RESIDENTS.value, N_("Who lives here, as they say themselves")),
        ],
    )
    counts = SelectField(
        N_("When is the number of supports shown?"),
        choices=[
            SelectChoice(Counts.OPENED.value, N_("On the proposal's own page")),
            SelectChoice(Counts.CLOSED.value, N_("Once the phase is over")),
        ],
    )
    owner_days = IntegerField(
        N_("Days after which the town hall may decide on an amendment"), [NumberRange(min=1, max=365)]
    )
    may_promote = BooleanField(N_("A rejected amendment may become a proposal of its own"))
    per_person = IntegerField(
        N_("Supports for each person, at most"), [Optional(), NumberRange(min=1, max=1000)]
    )
    minimum_age = IntegerField(
        N_("Age from which people may take part, in years"),
        [Optional(), NumberRange(min=1, max=120)],
    )
    for_writing = BooleanField(N_("The same holds for whoever proposes, suggests other words or comments"))
    ground = TextAreaField(N_("Where does the law say so?"), [Length(max=1000)])
    contact = StringField(N_("Who answers questions about it?"), [Length(max=300)])


class OwnSection(Form):
    """A section of one's own; what it is called in further languages is added by `_row_form`."""

    key = HiddenField()
    label = StringField(N_("Name"), [Length(max=120)])
    hint = StringField(N_("Hint beside the field"), [Length(max=300)])


@cache
def _row_form(languages: tuple[str, ...]) -> type[OwnSection]:
    fields: dict[str, StringField] = {}
    for each in languages[1:]:
        fields[f"label_{each}"] = StringField(N_("Name"), [Length(max=120)])
        fields[f"hint_{each}"] = StringField(N_("Hint beside the field"), [Length(max=300)])
    return type("OwnSectionOfTown", (OwnSection,), fields)


@dataclass(frozen=True)
class ArrangementPage:
    """One phase. `rows`: its own sections in their order; `languages`: key and name, the first one first; `is_written`: a
    proposal was handed in in them, so that only what they are called may change."""

    head: Head
    phase: str
    rows: tuple[OwnSection, ...]
    languages: tuple[tuple[str, str], ...]
    is_written: bool
    may_add: bool
    errors: Errors


@page(
    "/verwaltung/planung/{id:int}/mitgestaltung/{phase:int}",
    name="planning_cocreation",
    may=Permission.PLAN,
    methods=("GET", "POST"),
)
def arrange(visit: Visit) -> Response:
    """What a phase opens, to whom and how. A limit needs its ground in law and somebody who answers for it."""
    procedure = planned(visit)
    phase = phase_of(visit.session, visit.request.path_params["phase"])
    if phase is None or phase.procedure_id != procedure.id:
        visit.not_found()
    stands = proposing.arrangement_of(phase)
    form = visit.form(
        ArrangementForm,
        version=procedure.version,
        opens=[each.value for each in OPENINGS if each in stands.opens],
        sections=[each.key for each in stands.sections],
        naming=stands.naming.value,
        audience=stands.audience.value,
        counts=stands.counts.value,
        owner_days=stands.owner_days,
        may_promote=stands.may_promote,
        per_person=stands.limits.per_person,
        minimum_age=stands.limits.minimum_age,
        for_writing=stands.for_writing,
        ground=stands.limits.ground,
        contact=stands.limits.contact,
    )
    kind = _row_form(visit.languages)
    if not visit.is_post:
        known = [each for each in stands.sections if each.is_own]
        rows = [
            visit.form(kind, prefix=f"own-{at}", sent=None, **_known(each, visit.languages))
            for at, each in enumerate(known)
        ]
        return _show(visit, procedure, phase, form, rows)
    asked = str(visit.form_data.get("do", "save"))
    sent = sent_rows(visit, "own")
    if asked != "save" and not proposing.is_written_in(visit.session, phase):
        sent = arranged(sent, asked, {"key": [""], "label": [""]})
    rows = row_forms(visit, kind, "own", sent)
    if asked != "save":
        return _show(visit, procedure, phase, form, rows)
    checked = [each.validate() for each in rows]
    if not (form.validate() and all(checked)):
        return _show(visit, procedure, phase, form, rows, errors=errors_of(rows), status=422)
    # A row without a word is none; the others are numbered anew, here and where they are shown again with their errors.
    rows = row_forms(
        visit,
        kind,
        "own",
        [
            {each.short_name: [str(each.data or "")] for each in row}
            for row in rows
            if any(str(each.data or "").strip() for each in row if each.short_name != "key") or row.key.data
        ],
    )
    try:
        proposing.arrange(
            visit.session,
            procedure,
            phase,
            _arrangement(form, stands, [_own(row, stands, visit.languages) for row in rows]),
            by=visit.by,
            now=visit.now,
            note=(form.note.data or "").strip(),
            expected_version=read_version(form),
        )
    except Refusal as refusal:
        visit.session.rollback()
        errors, status = refused(visit, form, refusal)
        again = planned(visit)
        phase = phase_of(visit.session, visit.request.path_params["phase"])
        assert phase is not None
        return _show(visit, again, phase, form, rows, errors=errors, status=status)
    return visit.redirect("planning", id=procedure.id, done="saved")


def _known(section: Section, languages: Sequence[str]) -> dict[str, str]:
    first = languages[0]
    return {
        "key": section.key,
        "label": section.labels.get(first, ""),
        "hint": section.hints.get(first, ""),
        **{f"label_{each}": section.labels.get(each, "") for each in languages[1:]},
        **{f"hint_{each}": section.hints.get(each, "") for each in languages[1:]},
    }


def _own(row: OwnSection, stands: Arrangement, languages: Sequence[str]) -> Section:
    """A section as typed, with the name in the first language first; a new one gets its key here."""

    def typed(name: str) -> dict[str, str]:
        words = {each: row[name if each == languages[0] else f"{name}_{each}"].data for each in languages}
        return {each: " ".join(str(word or "").split()) for each, word in words.items()}

    known = {each.key for each in stands.sections if each.is_own}
    key = str(row.key.data or "")
    return Section(key if key in known else new_section_key(), typed("label"), typed("hint"))


def _arrangement(form: ArrangementForm, stands: Arrangement, own: Sequence[Section]) -> Arrangement:
    """What was typed; what this form does not ask for stays."""
    wanted = {each.value for each in OPENINGS} & set(form.opens.data or ())
    kept = {each for each in stands.opens if each not in OPENINGS}
    asked = set(form.sections.data or ())
    audience = Audience(form.audience.data)
    return replace(
        stands,
        opens=frozenset({*kept, *(Opening(each) for each in wanted)}),
        sections=(*(each for each in SECTIONS if each.is_required or each.key in asked), *own),
        audience=audience,
        naming=Naming(form.naming.data),
        counts=Counts(form.counts.data),
        for_writing=bool(form.for_writing.data),
        owner_days=form.owner_days.data or stands.owner_days,
        may_promote=bool(form.may_promote.data),
        limits=replace(
            stands.limits,
            per_person=form.per_person.data,
            minimum_age=form.minimum_age.data,
            # Supports and votes ask for it by their limits, surveys by the audience.
            residents_only=audience is Audience.RESIDENTS,
            ground=(form.ground.data or "").strip(),
            contact=(form.contact.data or "").strip(),
        ),
    )


def _show(
    visit: Visit,
    procedure: Procedure,
    phase: Phase,
    form: ArrangementForm,
    rows: Sequence[OwnSection],
    *,
    errors: Errors = (),
    status: int = 200,
) -> Response:
    is_written = proposing.is_written_in(visit.session, phase)
    shown = ArrangementPage(
        head_of(visit, procedure),
        overview.phase_name(phase, visit.language),
        tuple(rows),
        tuple((each, LANGUAGES[each]) for each in visit.languages),
        is_written,
        not is_written and len(rows) < OWN_SECTIONS,
        errors,
    )
    return visit.render("planning/cocreation.html", shown, status=status, form=form)
