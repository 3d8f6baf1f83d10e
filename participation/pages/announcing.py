"""The planner's way to a formal phase: what stands in the way of it, the announcement, where it was made public, the release.

The heart is the list of `release_checks`: every finding in plain words with the place where it is mended, a reason where
one is needed, and a button only when nothing stands in the way.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from starlette.responses import Response
from wtforms import (
    BooleanField,
    DateField,
    FileField,
    Form,
    IntegerField,
    SelectField,
    SelectMultipleField,
    StringField,
    TextAreaField,
)
from wtforms.fields import SelectChoice
from wtforms.validators import InputRequired, Length, NumberRange, Optional, Regexp
from wtforms.widgets import CheckboxInput, ListWidget

from consultations import (
    announcement_text,
    announcements,
    checks,
    documents,
    other_access,
    procedures,
    releases,
)
from consultations.announcement_text import Regime, Theme
from consultations.announcements import Announcement, Entered, Proof, PublicationAct
from consultations.checks import Finding, Medium, Where
from consultations.deadlines import PhaseState
from consultations.files import MB, Limits, MissingFile, serving_headers
from consultations.inspection import IMAGES, PDF
from consultations.law import Severity
from consultations.permissions import Permission
from consultations.procedures import Phase, Procedure, ProcedureState
from consultations.refusals import Code, Refusal
from participation import overview
from participation.messages import STATUS
from participation.overview import MEDIUM_NAMES
from participation.pages.announcement_pages import paper_response, view_of
from participation.pages.planning_forms import (
    Errors,
    Head,
    Row,
    arranged,
    errors_of,
    head_of,
    planned,
    row_forms,
    sent_rows,
)
from participation.pages.uploads import body_limit, take_in
from participation.web import Visit, page, path_for

#: Marks a message for the catalogues.
N_ = str


def phase_in(visit: Visit, procedure: Procedure) -> Phase:
    """The formal phase in the address. Raises Refusal NOT_FOUND."""
    wanted = visit.request.path_params["phase"]
    for phase in procedures.phases_of(visit.session, procedure.id or 0):
        if phase.id == wanted and phase.needs_release:
            return phase
    raise Refusal(Code.NOT_FOUND)


def address_of(visit: Visit, procedure: Procedure) -> str:
    """Where the documents are on the internet, in the law's language: as announcements say it."""
    return visit.base + path_for("hearing", slug=procedure.slug)


# --- the list ------------------------------------------------------------------------------------------------------

GROUPS: Mapping[Where, str] = {
    Where.DOCUMENTS: N_("Documents"),
    Where.DOCUMENT: N_("Personal data and readability"),
    Where.ACCESS: N_("Ways without the internet"),
    Where.PHASES: N_("Period"),
    Where.ANNOUNCEMENT: N_("Announcement"),
    Where.ACTS: N_("Made public"),
    Where.PROOF: N_("Corrections"),
    Where.TEXTS: N_("Texts"),
    Where.AREA: N_("Plan area"),
}
"""What each group of the list is called, in the order in which a planner works."""

MENDED: Mapping[Where, tuple[str, str]] = {
    Where.DOCUMENTS: ("planning_documents", N_("To the documents")),
    Where.DOCUMENT: ("planning_document", N_("To the document")),
    Where.ACCESS: ("planning_contact", N_("To contact and places")),
    Where.PHASES: ("planning_phases", N_("To the dates")),
    Where.ANNOUNCEMENT: ("planning_announcement", N_("To the announcement")),
    Where.ACTS: ("planning_acts", N_("To the places where it is made public")),
    Where.PROOF: ("proof", N_("To the proof of publication")),
    Where.TEXTS: ("planning_texts", N_("To the texts")),
    Where.AREA: ("planning_area", N_("To the plan area")),
}

SEVERITIES: Mapping[Severity, tuple[str, str]] = {
    Severity.BLOCK: ("danger", N_("Must be mended")),
    Severity.WARN: ("waiting", N_("Needs a reason")),
    Severity.INFO: ("info", N_("Good to know")),
}


@dataclass(frozen=True)
class Given:
    """A reason that somebody recorded."""

    reason: str
    name: str
    at: datetime


@dataclass(frozen=True)
class Point:
    """A finding on the list. `anchor` names it on the page; `wants_reason`: a form for one stands there."""

    key: str
    anchor: str
    severity: str
    tag: tuple[str, str]
    title: str
    help: str
    source: str
    url: str
    link: str
    wants_reason: bool
    given: Given | None


@dataclass(frozen=True)
class Group:
    """The findings of one part of the work; empty: all is well there."""

    name: str
    points: tuple[Point, ...]


@dataclass(frozen=True)
class Released:
    """The newest release of the phase."""

    at: datetime
    by: str
    starts_on: date
    ends_on: date
    effective_end: date
    number: int


@dataclass(frozen=True)
class ReleasePage:
    """Ready to be published? The whole list for one phase."""

    head: Head
    phase_id: int
    phase: str
    starts_on: date | None
    ends_on: date | None
    groups: tuple[Group, ...]
    blocks: int
    warnings: int
    may_release: bool
    #: The procedure itself is still a draft.
    is_draft: bool
    released: Released | None
    is_outdated: bool
    errors: Errors
    #: What was typed as a reason and refused, by the anchor of its point.
    typed: Mapping[str, str]
    done: str
    steps: tuple[tuple[str, str, tuple[str, str]], ...]


DONE: Mapping[str, str] = {
    "released": N_("Released. The phase opens for everybody on its first day."),
    "reason": N_("The reason is recorded with your name."),
    "saved": N_("A new version of the announcement is saved."),
    "online": N_("The announcement is on the internet now."),
    "act": N_("Recorded."),
    "cancelled": N_("Taken back. It stays on file."),
}


@page(
    "/verwaltung/planung/{id:int}/phasen/{phase:int}/freigabe",
    name="planning_release",
    may=Permission.PLAN,
    methods=("GET", "POST"),
)
def release_checks(visit: Visit) -> Response:
    """Ready to be published? Each finding with its law, its remedy and, where the law leaves room, its reason."""
    procedure = planned(visit)
    phase = phase_in(visit, procedure)
    if not visit.is_post:
        return _show_checks(visit, procedure, phase)
    asked = str(visit.form_data.get("do", ""))
    try:
        if asked == "release":
            releases.release(
                visit.session,
                visit.municipality_row,
                procedure,
                phase,
                address=address_of(visit, procedure),
                by=visit.by,
                now=visit.now,
            )
            return visit.redirect("planning_release", id=procedure.id, phase=phase.id, done="released")
        finding = _finding(visit, procedure, phase, str(visit.form_data.get("finding", "")))
        releases.waive(
            visit.session,
            procedure,
            phase,
            finding,
            reason=str(visit.form_data.get("reason", "")),
            by=visit.by,
            now=visit.now,
        )
        return visit.redirect("planning_release", id=procedure.id, phase=phase.id, done="reason")
    except Refusal as refusal:
        visit.session.rollback()
        return _show_checks(visit, planned(visit), phase, refusal=refusal)


def _found(visit: Visit, procedure: Procedure, phase: Phase) -> tuple[Finding, ...]:
    looked_at = releases.situation(
        visit.session,
        visit.municipality_row,
        procedure,
        phase,
        address=address_of(visit, procedure),
        now=visit.now,
    )
    return checks.check(looked_at)


def _finding(visit: Visit, procedure: Procedure, phase: Phase, key: str) -> Finding:
    """The finding that a reason is given for. Raises Refusal CHANGED_MEANWHILE if it does not stand any more."""
    for finding in _found(visit, procedure, phase):
        if finding.key == key:
            return finding
    raise Refusal(Code.CHANGED_MEANWHILE)


def _show_checks(
    visit: Visit, procedure: Procedure, phase: Phase, *, refusal: Refusal | None = None
) -> Response:
    assert procedure.id is not None
    assert phase.id is not None
    found = _found(visit, procedure, phase)
    waivers = releases.waivers_of(visit.session, phase.id)
    reasons = {key: row.reason for key, row in waivers.items()}
    points = [_point(visit, procedure, phase, number, each, waivers) for number, each in enumerate(found, 1)]
    groups = tuple(
        Group(
            visit.gettext(name),
            tuple(point for point, each in zip(points, found, strict=True) if each.where is where),
        )
        for where, name in GROUPS.items()
        if where in _ALWAYS_SHOWN or any(each.where is where for each in found)
    )
    earlier = releases.releases_of(visit.session, phase.id)
    newest = earlier[0] if earlier else None
    outdated = newest is not None and (newest.starts_on, newest.ends_on) != (phase.starts_on, phase.ends_on)
    errors: list[tuple[str, str | None]] = []
    typed: dict[str, str] = {}
    if refusal is not None:
        sent = str(visit.form_data.get("finding", ""))
        target = next((point.anchor for point in points if point.key == sent), None)
        errors.append((visit.explain(refusal), f"{target}-reason" if target else "list"))
        if target:
            typed[target] = str(visit.form_data.get("reason", ""))
    open_ones = checks.open_findings(found, reasons)
    shown = ReleasePage(
        head=head_of(visit, procedure),
        phase_id=phase.id,
        phase=overview.phase_name(phase, visit.language),
        starts_on=phase.starts_on,
        ends_on=phase.ends_on,
        groups=groups,
        blocks=sum(each.severity is Severity.BLOCK for each in open_ones),
        warnings=sum(each.severity is Severity.WARN for each in open_ones),
        may_release=not open_ones and procedure.state == ProcedureState.PUBLISHED.value
        and (phase.released_at is None or outdated),
        is_draft=procedure.state == ProcedureState.DRAFT.value,
        released=Released(
            newest.released_at, newest.released_by_name, newest.starts_on, newest.ends_on, newest.effective_end,
            newest.number,
        ) if newest else None,
        is_outdated=outdated,
        errors=tuple(errors),
        typed=typed,
        done=visit.gettext(DONE[done]) if (done := visit.request.query_params.get("done", "")) in DONE else "",
        steps=_steps(visit, procedure, phase),
    )  # fmt: skip
    status = STATUS.get(refusal.code, 422) if refusal else 200
    return visit.render("announcing/release.html", shown, status=status)


_ALWAYS_SHOWN = (Where.DOCUMENTS, Where.ACCESS, Where.PHASES, Where.ANNOUNCEMENT, Where.ACTS)


def _point(
    visit: Visit,
    procedure: Procedure,
    phase: Phase,
    number: int,
    finding: Finding,
    waivers: Mapping[str, releases.CheckWaiver],
) -> Point:
    name, link = MENDED[finding.where]
    params: dict[str, object] = {"id": procedure.id}
    if finding.where is Where.DOCUMENT:
        params["document"] = finding.subject
    if finding.where in (Where.ANNOUNCEMENT, Where.ACTS):
        params["phase"] = phase.id
    row = waivers.get(finding.key) if finding.severity is Severity.WARN else None
    kind, words = SEVERITIES[finding.severity]
    if row:
        kind, words = "done", N_("Reason recorded")
    return Point(
        key=finding.key,
        anchor=f"finding-{number}",
        severity=finding.severity.value,
        tag=(kind, visit.gettext(words)),
        title=finding.title.text(visit.language),
        help=finding.help.text(visit.language),
        source=finding.source,
        url=visit.url(name, **params),
        link=visit.gettext(link),
        wants_reason=finding.severity is Severity.WARN and row is None,
        given=Given(row.reason, row.by_name, row.at) if row else None,
    )


def _steps(visit: Visit, procedure: Procedure, phase: Phase) -> tuple[tuple[str, str, tuple[str, str]], ...]:
    """The three rooms of the way, each with its address and where it stands."""
    assert phase.id is not None
    newest = announcements.newest(visit.session, phase.id)
    acts = [
        act
        for act in announcements.acts_of(visit.session, phase.id)
        if newest and act.announcement_id == newest.id
    ]
    saved = (
        ("done", visit.gettext("Version %(number)s", number=newest.number))
        if newest
        else ("waiting", visit.gettext("Not written yet"))
    )
    public = (
        ("done", visit.ngettext("%(num)s place", "%(num)s places", len(acts)))
        if acts
        else ("waiting", visit.gettext("Nowhere yet"))
    )
    released = (
        ("done", visit.gettext("Released"))
        if phase.released_at
        else ("waiting", visit.gettext("Not released yet"))
    )
    places = {"id": procedure.id, "phase": phase.id}
    return (
        (visit.gettext("Write the announcement"), visit.url("planning_announcement", **places), saved),
        (visit.gettext("Make it public"), visit.url("planning_acts", **places), public),
        (visit.gettext("Check and release"), visit.url("planning_release", **places), released),
    )


# --- the announcement ----------------------------------------------------------------------------------------------


class AnnouncementForm(Form):
    """What only people know of an announcement."""

    intro = TextAreaField(N_("Opening words"), [Length(max=3000)])
    more = TextAreaField(N_("Further words"), [Length(max=3000)])
    portal = StringField(
        N_("Address in the state portal"),
        [Optional(), Length(max=500), Regexp(r"https?://\S+\Z", message=N_("Please enter a whole address, such as https://…"))],
    )  # fmt: skip
    crosses_border = BooleanField(N_("The plan may have considerable effects on a neighbouring state"))
    plot_area = IntegerField(
        N_("Permitted plot area in square metres"),
        [Optional(), NumberRange(0, 10_000_000, message=N_("Please enter a whole number of square metres."))],
    )
    is_examined = BooleanField(N_("The preliminary examination speaks for the accelerated procedure"))
    reasons = TextAreaField(N_("Essential reasons of the examination"), [Length(max=3000)])


class ThemeForm(Form):
    """A type of environmental information."""

    theme = StringField(N_("Theme"), [Length(max=200)])
    keywords = TextAreaField(N_("Key words"), [Length(max=1000)])
    documents = SelectMultipleField(
        N_("Found in"),
        coerce=int,
        widget=ListWidget(prefix_label=False),
        option_widget=CheckboxInput(),
        validate_choice=False,
    )


@dataclass(frozen=True)
class PartView:
    """A paragraph as the preview shows it."""

    heading: str
    lines: tuple[str, ...]
    law: str
    is_statutory: bool
    missing: str


@dataclass(frozen=True)
class Version:
    """A saved version."""

    id: int
    number: int
    at: datetime


@dataclass(frozen=True)
class AnnouncementPage:
    """The editor with its preview."""

    head: Head
    phase_id: int
    phase: str
    rows: tuple[ThemeForm, ...]
    themes: tuple[str, ...]
    parts: tuple[PartView, ...]
    rewordings: tuple[tuple[str, str], ...]
    versions: tuple[Version, ...]
    needs_environment: bool
    is_accelerated: bool
    is_urban: bool
    errors: Errors
    steps: tuple[tuple[str, str, tuple[str, str]], ...]


_NEW_THEME: Row = {"theme": [""], "keywords": [""]}


@page(
    "/verwaltung/planung/{id:int}/phasen/{phase:int}/bekanntmachung",
    name="planning_announcement",
    may=Permission.PLAN,
    methods=("GET", "POST"),
)
def announcement(visit: Visit) -> Response:
    """Write the announcement: what the law says stands, what only people know is entered, what is missing is marked."""
    procedure = planned(visit)
    phase = phase_in(visit, procedure)
    assert phase.id is not None
    newest = announcements.newest(visit.session, phase.id)
    known = announcements.entered_of(newest)
    form = visit.form(
        AnnouncementForm,
        portal=known.portal,
        crosses_border=known.crosses_border,
        plot_area=known.plot_area,
        is_examined=known.is_examined,
        intro=known.free.get("intro", ""),
        more=known.free.get("more", ""),
        reasons=known.free.get("reasons", ""),
    )
    if not visit.is_post:
        rows = [
            visit.form(
                ThemeForm,
                prefix=f"themes-{number}",
                theme=each.theme,
                keywords=each.keywords,
                documents=sorted(each.documents),
            )
            for number, each in enumerate(known.themes or (Theme("", ""),))
        ]
        return _show_announcement(visit, procedure, phase, form, rows)
    asked = str(visit.form_data.get("do", "preview"))
    rows = row_forms(visit, ThemeForm, "themes", arranged(sent_rows(visit, "themes"), asked, _NEW_THEME))
    checked = [row.validate() for row in rows]
    if not (form.validate() and all(checked)):
        return _show_announcement(visit, procedure, phase, form, rows, errors=errors_of(rows), status=422)
    if asked != "save":
        return _show_announcement(visit, procedure, phase, form, rows)
    try:
        announcements.save(
            visit.session,
            visit.municipality_row,
            procedure,
            phase,
            _entered(form, rows),
            address=address_of(visit, procedure),
            by=visit.by,
            now=visit.now,
        )
    except Refusal as refusal:
        visit.reject(form, refusal)
        return _show_announcement(visit, planned(visit), phase, form, rows, status=422)
    return visit.redirect("planning_acts", id=procedure.id, phase=phase.id, done="saved")


def _entered(form: AnnouncementForm, rows: Sequence[ThemeForm]) -> Entered:
    return Entered(
        themes=tuple(
            Theme(row.theme.data or "", row.keywords.data or "", frozenset(row.documents.data or ()))
            for row in rows
        ),
        portal=form.portal.data or "",
        plot_area=form.plot_area.data,
        is_examined=form.is_examined.data,
        crosses_border=form.crosses_border.data,
        free={key: form[key].data or "" for key in announcements.FREE_PARTS},
    )


def _show_announcement(
    visit: Visit,
    procedure: Procedure,
    phase: Phase,
    form: AnnouncementForm,
    rows: Sequence[ThemeForm],
    *,
    errors: Errors = (),
    status: int = 200,
) -> Response:
    assert procedure.id is not None
    assert phase.id is not None
    choices = [
        (document.id, document.title)
        for document, _ in documents.documents_of(visit.session, procedure.id)
        if not document.is_withdrawn
    ]
    for row in rows:
        row.documents.choices = choices
    entered = _entered(form, rows) if not form.errors else Entered()
    known = announcements.particulars(
        visit.session,
        visit.municipality_row,
        procedure,
        phase,
        entered,
        address=address_of(visit, procedure),
    )
    parts = announcements.draft(known)
    text = announcement_text.plain(parts)
    shown = AnnouncementPage(
        head=head_of(visit, procedure),
        phase_id=phase.id,
        phase=overview.phase_name(phase, visit.language),
        rows=tuple(rows),
        themes=announcements.THEMES,
        parts=tuple(
            PartView(part.heading, tuple(part.text.split("\n")), part.law, part.is_statutory, part.missing)
            for part in parts
            if part.text
        ),
        rewordings=tuple(
            (each.words, each.rule.why.text(visit.language))
            for each in announcement_text.rewordings(text, known.case)
        ),
        versions=tuple(
            Version(each.id or 0, each.number, each.made_at)
            for each in announcements.versions_of(visit.session, phase.id)
        ),
        needs_environment=known.case.needs_environment,
        is_accelerated=known.case.variant == announcement_text.ACCELERATED,
        is_urban=known.case.regime is Regime.URBAN_PLAN,
        errors=errors,
        steps=_steps(visit, procedure, phase),
    )
    return visit.render("announcing/announcement.html", shown, status=status, form=form)


# --- where it was made public --------------------------------------------------------------------------------------


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
    case = announcements.case_of(
        procedure, phase, procedures.phases_of(visit.session, phase.procedure_id), entered
    )
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
        steps=_steps(visit, procedure, phase),
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


# --- for the planner's desk ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Formal:
    """A formal phase on the checklist of a consultation: where it stands on its way to the public."""

    name: str
    url: str
    state: tuple[str, str]
    #: Requests for other access to a displayed plan, and how many wait; empty where the law knows none.
    access_url: str
    access_open: int


def formal_phases(visit: Visit, procedure: Procedure, phases: Sequence[Phase]) -> tuple[Formal, ...]:
    """The formal phases of a consultation with the way to their release."""

    def state(phase: Phase) -> tuple[str, str]:
        if phase.released_at is None:
            return "waiting", visit.gettext("Not released yet")
        return {
            PhaseState.COMING: ("soon", visit.gettext("Released")),
            PhaseState.OPEN: ("open", visit.gettext("Open")),
            PhaseState.OVER: ("done", visit.gettext("Over")),
        }[phase.state(visit.now)]

    waiting = other_access.open_counts(
        visit.session, [phase for phase in phases if other_access.may_be_asked(procedure, phase)]
    )
    return tuple(
        Formal(
            overview.phase_name(phase, visit.language),
            visit.url("planning_release", id=procedure.id, phase=phase.id),
            state(phase),
            visit.url("planning_access", id=procedure.id, phase=phase.id)
            if other_access.may_be_asked(procedure, phase)
            else "",
            waiting.get(phase.id or 0, 0),
        )
        for phase in phases
        if phase.needs_release
    )
