"""The templates of the town: what each is for, which steps it has, and how the town changes them to its own custom."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from starlette.responses import Response
from wtforms import (
    BooleanField,
    Form,
    HiddenField,
    IntegerField,
    SelectField,
    SelectMultipleField,
    StringField,
)
from wtforms.fields import SelectChoice
from wtforms.validators import Length, NumberRange, Optional
from wtforms.widgets import CheckboxInput, ListWidget

from consultations import people, town_templates
from consultations.permissions import Permission, may
from consultations.phases import Opens, PhaseKind, Track
from consultations.refusals import Code, Refusal
from consultations.templates import BUILT_IN_VERSION, Step, Template, built_in
from participation.messages import STATUS
from participation.overview import PHASE_NAMES, WAYS
from participation.pages.planning_advice import TRACKS
from participation.pages.planning_forms import Errors, arranged, errors_of, row_forms, sent_rows
from participation.web import Visit, page

#: Marks a message for the catalogues.
N_ = str

#: What each template is called and when to take it.
TEMPLATE_WORDS: Mapping[str, tuple[str, str]] = {
    "development_plan_regular": (
        N_("Development plan, regular procedure"),
        N_(
            "Early and formal participation of the public and of public agencies, side by side (BauGB §3, §4)."
        ),
    ),
    "development_plan_simplified": (
        N_("Development plan, simplified (§13)"),
        N_("Without environmental assessment: one formal step for public and agencies (BauGB §13)."),
    ),
    "development_plan_accelerated": (
        N_("Development plan of inner development, accelerated (§13a)"),
        N_(
            "For inner development up to 70,000 m² of plot area, without environmental assessment (BauGB §13a)."
        ),
    ),
    "development_plan_project": (
        N_("Project-based development plan"),
        N_(
            "A developer’s project: the regular steps, with the developer’s plan among the documents (BauGB §12)."
        ),
    ),
    "land_use_plan": (
        N_("Land-use plan"),
        N_("Early and formal steps on both tracks; the plan then needs an approval (BauGB §5, §6)."),
    ),
    "renewed_participation": (
        N_("Renewed participation"),
        N_(
            "After a change of the draft: statements only on what was changed, for a shorter time (BauGB §4a(3))."
        ),
    ),
    "plan_approval": (
        N_("Plan approval, new law"),
        N_(
            "The plan is shown on the internet for a month, objections take six weeks (VwVfG §73 since 29 July 2026)."
        ),
    ),
    "plan_approval_old": (
        N_("Plan approval, old law"),
        N_(
            "Display for a month, objections until two weeks after it (VwVfG §73 before 29 July 2026, BayVwVfG)."
        ),
    ),
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
    "framework_plan": (
        N_("Framework plan"),
        N_("Ideas first, then statements on the draft; without a legal period."),
    ),
    "informal_dialogue": (
        N_("Informal dialogue"),
        N_(
            "Collect ideas before there is a plan, without a legal period: people make proposals and comment on "
            "those of others."
        ),
    ),
}


@dataclass(frozen=True)
class Choice:
    """A template: what it is for, and the steps on each track that has any. `is_own`: as the town has changed it."""

    key: str
    name: str
    text: str
    tracks: tuple[tuple[str, tuple[str, ...]], ...]
    is_own: bool


def choice_of(visit: Visit, template: Template) -> Choice:
    """A template in the reader's language."""
    words, text = TEMPLATE_WORDS[template.key]
    tracks = tuple(
        (visit.gettext(name), steps)
        for track, name in TRACKS.items()
        if (steps := tuple(_step_name(visit, step) for step in template.steps if step.track == track))
    )
    own = template.version != BUILT_IN_VERSION
    return Choice(template.key, template.name or visit.gettext(words), visit.gettext(text), tracks, own)


def _step_name(visit: Visit, step: Step) -> str:
    return step.title or visit.gettext(PHASE_NAMES[step.kind])


def _require_planner(visit: Visit) -> None:
    """Templates are the whole town's: a planner of certain consultations only may not change them."""
    if not may(visit.by, Permission.PLAN, municipality_id=visit.municipality_id):
        raise Refusal(Code.NOT_ALLOWED)


@page("/verwaltung/vorlagen", name="planning_templates", may=Permission.PLAN)
def templates(visit: Visit) -> Response:
    """All templates, as the town has them."""
    _require_planner(visit)
    found = town_templates.every(visit.session, visit.municipality_id)
    return visit.render("planning/templates.html", tuple(choice_of(visit, each) for each in found))


class TemplateForm(Form):
    """What the town calls a template."""

    version = HiddenField()
    name = StringField(N_("Name"), [Length(max=100)])


class StepForm(Form):
    """One step."""

    kind = SelectField(
        N_("What happens"), choices=[SelectChoice(kind.value, PHASE_NAMES[kind]) for kind in PhaseKind]
    )
    track = SelectField(
        N_("Who is asked"), choices=[SelectChoice(track.value, TRACKS[track]) for track in Track]
    )
    title = StringField(N_("Own title"), [Length(max=200)])
    days = IntegerField(N_("Usual length in days"), [Optional(), NumberRange(1, 400)])
    opens = SelectMultipleField(
        N_("What people can do"),
        choices=[SelectChoice(way.value, WAYS[way]) for way in Opens],
        option_widget=CheckboxInput(),
        widget=ListWidget(prefix_label=False),
    )
    is_formal = BooleanField(N_("A formal step: the law says how long it lasts"))


@dataclass(frozen=True)
class KeptVersion:
    """A version of the town's own template. `is_reset`: back to the built-in one."""

    number: int
    at: datetime
    by: str
    is_reset: bool


@dataclass(frozen=True)
class TemplatePage:
    """One template and its versions."""

    key: str
    usual_name: str
    text: str
    rows: tuple[StepForm, ...]
    errors: Errors
    versions: tuple[KeptVersion, ...]
    is_own: bool
    done: bool


@page("/verwaltung/vorlagen/{key}", name="planning_template", may=Permission.PLAN, methods=("GET", "POST"))
def template(visit: Visit) -> Response:
    """Change the steps of a template; buttons add, remove and move them without saving."""
    _require_planner(visit)
    key = str(visit.request.path_params["key"])
    if built_in(key) is None:
        visit.not_found()
    kept = town_templates.in_force(visit.session, visit.municipality_id, key)
    form = visit.form(TemplateForm, version=kept.version, name=kept.name)
    if not visit.is_post:
        rows = [_form_of(visit, number, step) for number, step in enumerate(kept.steps)]
        return _show(visit, kept, form, rows)
    asked = str(visit.form_data.get("do", "save"))
    sent = arranged(sent_rows(visit, "steps"), asked, {"kind": [PhaseKind.WEIGHING.value]})
    rows = row_forms(visit, StepForm, "steps", sent)
    if asked not in ("save", "reset"):
        return _show(visit, kept, form, rows)
    version = str(form.version.data or "")
    try:
        if asked == "reset":
            town_templates.reset(
                visit.session, key, municipality_id=visit.municipality_id, expected_version=version,
                by=visit.by, now=visit.now,
            )  # fmt: skip
            return visit.redirect("planning_template", key=key, done="saved")
        checked = [each.validate() for each in rows]
        if not (form.validate() and all(checked)):
            return _show(visit, kept, form, rows, errors=errors_of(rows), status=422)
        body = {
            "name": (form.name.data or "").strip(),
            "steps": [
                {
                    "kind": each.kind.data, "track": each.track.data, "opens": list(each.opens.data or ()),
                    "is_formal": bool(each.is_formal.data), "days": each.days.data,
                    "title": (each.title.data or "").strip(),
                }
                for each in rows
            ],
        }  # fmt: skip
        like = built_in(key) or kept
        town_templates.save(
            visit.session, like.with_body(body, kept.version), municipality_id=visit.municipality_id,
            expected_version=version, by=visit.by, now=visit.now,
        )  # fmt: skip
        return visit.redirect("planning_template", key=key, done="saved")
    except Refusal as refusal:
        visit.session.rollback()
        if refusal.code is Code.CHANGED_MEANWHILE:
            kept = town_templates.in_force(visit.session, visit.municipality_id, key)
            form.version.data = kept.version
        errors: Errors = ((visit.explain(refusal), "add" if refusal.field else None),)
        return _show(visit, kept, form, rows, errors=errors, status=STATUS.get(refusal.code, 422))


def _form_of(visit: Visit, number: int, step: Step) -> StepForm:
    return visit.form(
        StepForm,
        prefix=f"steps-{number}",
        kind=step.kind,
        track=step.track,
        title=step.title,
        days=step.days,
        opens=list(step.opens),
        is_formal=step.is_formal,
    )


def _show(
    visit: Visit,
    kept: Template,
    form: TemplateForm,
    rows: Sequence[StepForm],
    *,
    errors: Errors = (),
    status: int = 200,
) -> Response:
    words, text = TEMPLATE_WORDS[kept.key]
    found = town_templates.versions(visit.session, visit.municipality_id, kept.key)
    names = people.names(visit.session, {row.by for row in found})
    return visit.render(
        "planning/template.html",
        TemplatePage(
            key=kept.key,
            usual_name=visit.gettext(words),
            text=visit.gettext(text),
            rows=tuple(rows),
            errors=errors,
            versions=tuple(
                KeptVersion(row.number, row.at, names.get(row.by, row.by), not row.body) for row in found
            ),
            is_own=kept.version != BUILT_IN_VERSION,
            done=visit.request.query_params.get("done") == "saved" and not visit.is_post,
        ),
        status=status,
        form=form,
    )
