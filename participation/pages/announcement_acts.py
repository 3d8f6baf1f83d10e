"""Where an announcement was made public, as the planner records it: day by day with its proof; and the papers to print."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from starlette.responses import Response
from wtforms import DateField, FileField, Form, SelectField, StringField
from wtforms.fields import SelectChoice
from wtforms.validators import InputRequired, Length

from consultations import announcements, checks
from consultations.announcements import Announcement, Proof, PublicationAct
from consultations.checks import Medium
from consultations.files import MB, Limits, MissingFile, serving_headers
from consultations.inspection import IMAGES, PDF
from consultations.permissions import Permission
from consultations.phases import Phase, phases_of
from consultations.procedures import Procedure, ProcedureState
from consultations.refusals import Code, Refusal
from participation import overview
from participation.messages import STATUS
from participation.overview import MEDIUM_NAMES
from participation.pages.announcement_pages import paper_response, view_of
from participation.pages.announcing import DONE, Version, phase_in, steps_of
from participation.pages.planning_forms import Errors, Head, head_of, planned
from participation.pages.uploads import body_limit, take_in
from participation.web import Visit, page

#: Marks a message for the catalogues.
N_ = str


class ActForm(Form):
    """An act of publication."""

    medium = SelectField(
        N_("Where?"),
        [InputRequired(N_("Please choose where it was made public."))],
        choices=[
            SelectChoice(medium.value, MEDIUM_NAMES[medium])
            for medium in Medium
            if medium is not Medium.INTERNET
        ],
    )
    day = DateField(N_("On which day?"), [InputRequired(N_("Please enter the day."))])
    issue = StringField(N_("Issue, page or place"), [Length(max=300)])
    file = FileField(N_("Proof"))


class CancelForm(Form):
    """Why an act is taken back."""

    reason = StringField(N_("Why is it wrong?"), [Length(max=500)])


@dataclass(frozen=True)
class ActView:
    """An act as the page shows it."""

    id: int
    medium: str
    day: date
    issue: str
    version: int
    proof: str
    proof_url: str
    #: It lies ahead.
    is_planned: bool
    #: It belongs to the newest version.
    is_current: bool


@dataclass(frozen=True)
class ActsPage:
    """Where an announcement was made public, and what to print."""

    head: Head
    phase_id: int
    phase: str
    version: Version | None
    acts: tuple[ActView, ...]
    #: The newest version stands on the internet here.
    is_online: bool
    public_url: str
    counts: date | None
    starts_on: date | None
    errors: Errors
    done: str
    is_draft: bool
    steps: tuple[tuple[str, str, tuple[str, str]], ...]


@page(
    "/verwaltung/planung/{id:int}/phasen/{phase:int}/bekanntmachungsakte",
    name="planning_acts",
    may=Permission.PLAN,
    methods=("GET", "POST"),
    body_limit=body_limit,
)
async def acts(visit: Visit) -> Response:
    """Make the announcement public: here on the internet by one button, elsewhere recorded with day and proof."""
    await visit.in_thread(lambda: phase_in(visit, planned(visit)))
    asked = str(visit.form_data.get("do", ""))
    field = asked if asked.startswith("proof-") else "file"
    proofs, errors = await _proofs(visit, field) if visit.is_post else ([], ())
    return await visit.in_thread(lambda: _acts(visit, proofs, errors), write=visit.is_post)


def _acts(visit: Visit, proofs: Sequence[Proof], errors: Errors) -> Response:
    procedure = planned(visit)
    phase = phase_in(visit, procedure)
    assert phase.id is not None
    newest = announcements.newest(visit.session, phase.id)
    form = visit.form(ActForm)
    if not visit.is_post:
        return _show_acts(visit, procedure, phase, visit.form(ActForm, sent=None))
    asked = str(visit.form_data.get("do", ""))
    try:
        if newest is None:
            raise Refusal(Code.WRONG_STATE, state="no announcement")
        if asked == "online":
            announcements.put_online(visit.session, procedure, newest, by=visit.by, now=visit.now)
            return visit.redirect("planning_acts", id=procedure.id, phase=phase.id, done="online")
        if asked.startswith("cancel-"):
            announcements.cancel_act(
                visit.session,
                procedure,
                _act(visit, phase, asked.removeprefix("cancel-")),
                note=str(visit.form_data.get("reason", "")),
                by=visit.by,
                now=visit.now,
            )
            return visit.redirect("planning_acts", id=procedure.id, phase=phase.id, done="cancelled")
        if asked.startswith("proof-"):
            act = _act(visit, phase, asked.removeprefix("proof-"))
            if errors or not proofs:
                missing = ((visit.gettext("Please choose a file."), f"proof-{act.id}"),)
                return _show_acts(visit, procedure, phase, visit.form(ActForm, sent=None), errors=errors or missing, status=422)  # fmt: skip
            announcements.add_proof(visit.session, procedure, act, proofs[0], by=visit.by, now=visit.now)
            return visit.redirect("planning_acts", id=procedure.id, phase=phase.id, done="act")
        if not form.validate() or errors:
            return _show_acts(visit, procedure, phase, form, errors=errors, status=422)
        announcements.record_act(
            visit.session,
            procedure,
            newest,
            medium=Medium(form.medium.data),
            day=form.day.data,
            issue=form.issue.data or "",
            proof=proofs[0] if proofs else None,
            by=visit.by,
            now=visit.now,
        )
    except Refusal as refusal:
        visit.reject(form, refusal)
        errors = ()
        if asked.startswith("cancel-"):
            form.form_errors.clear()
            errors = ((visit.explain(refusal), f"reason-{asked.removeprefix('cancel-')}"),)
        return _show_acts(visit, planned(visit), phase, form, errors=errors, status=STATUS.get(refusal.code, 422))  # fmt: skip
    return visit.redirect("planning_acts", id=procedure.id, phase=phase.id, done="act")


async def _proofs(visit: Visit, name: str) -> tuple[list[Proof], Errors]:
    limits = Limits(max_bytes=visit.house.settings.import_limit_mb * MB, types=(PDF, *IMAGES))
    taken, errors = await take_in(visit, name, limits)
    return [
        Proof(each["sha256"], each["filename"], each["media_type"], each["size"]) for each in taken
    ], errors


def _act(visit: Visit, phase: Phase, number: str) -> PublicationAct:
    assert phase.id is not None
    for act in announcements.acts_of(visit.session, phase.id):
        if str(act.id) == number:
            return act
    raise Refusal(Code.NOT_FOUND)


def _show_acts(
    visit: Visit,
    procedure: Procedure,
    phase: Phase,
    form: ActForm,
    *,
    errors: Errors = (),
    status: int = 200,
) -> Response:
    assert phase.id is not None
    versions = announcements.versions_of(visit.session, phase.id)
    newest = versions[0] if versions else None
    numbers = {each.id or 0: each.number for each in versions}
    rows = announcements.acts_of(visit.session, phase.id)
    current = [row for row in rows if newest and row.announcement_id == newest.id]
    online = any(row.medium == Medium.INTERNET.value and row.day <= visit.today for row in current)
    entered = announcements.entered_of(newest)
    case = announcements.case_of(procedure, phase, phases_of(visit.session, phase.procedure_id), entered)
    shown = ActsPage(
        head=head_of(visit, procedure),
        phase_id=phase.id,
        phase=overview.phase_name(phase, visit.language),
        version=Version(newest.id or 0, newest.number, newest.made_at) if newest else None,
        acts=tuple(
            ActView(
                id=row.id or 0,
                medium=visit.gettext(MEDIUM_NAMES[Medium(row.medium)]),
                day=row.day,
                issue=row.issue,
                version=numbers.get(row.announcement_id, 0),
                proof=row.filename,
                proof_url=visit.url("planning_proof", id=procedure.id, phase=phase.id, act=row.id)
                if row.sha256
                else "",
                is_planned=row.day > visit.today,
                is_current=row in current,
            )
            for row in rows
        ),
        is_online=online,
        public_url=visit.url("announcement", slug=procedure.slug, announcement=newest.id)
        if newest and online and procedure.state != ProcedureState.DRAFT.value
        else "",
        counts=checks.decisive_day(announcements.as_checked(current, numbers), case),
        starts_on=phase.starts_on,
        errors=errors,
        done=visit.gettext(DONE[done])
        if (done := visit.request.query_params.get("done", "")) in DONE
        else "",
        is_draft=procedure.state == ProcedureState.DRAFT.value,
        steps=steps_of(visit, procedure, phase),
    )
    return visit.render("announcing/acts.html", shown, status=status, form=form)


@page(
    "/verwaltung/planung/{id:int}/phasen/{phase:int}/nachweis/{act:int}",
    name="planning_proof",
    may=Permission.PLAN,
)
def proof(visit: Visit) -> Response:
    """The file that proves an act of publication."""
    procedure = planned(visit)
    act = _act(visit, phase_in(visit, procedure), str(visit.request.path_params["act"]))
    if not act.sha256:
        visit.not_found()
    try:
        content = b"".join(visit.house.files.open(act.sha256))
    except MissingFile:
        visit.not_found()
    return Response(content, headers=serving_headers(act.filename, act.media_type))


@page(
    "/verwaltung/planung/{id:int}/phasen/{phase:int}/bekanntmachung/{announcement:int}/{paper}",
    name="planning_paper",
    may=Permission.PLAN,
)
def paper(visit: Visit) -> Response:
    """What is printed of a saved version, before anybody else can see it."""
    procedure = planned(visit)
    phase = phase_in(visit, procedure)
    version = _version(visit, phase)
    view = view_of(visit, procedure, phase, version)
    return paper_response(visit, view, visit.request.path_params["paper"])


def _version(visit: Visit, phase: Phase) -> Announcement:
    assert phase.id is not None
    for version in announcements.versions_of(visit.session, phase.id):
        if version.id == visit.request.path_params["announcement"]:
            return version
    raise Refusal(Code.NOT_FOUND)
