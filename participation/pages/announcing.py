"""The planner's way to a formal phase: what stands in the way of it, its three steps, the release.

The heart is the list of `release_checks`: every finding in plain words with the place where it is mended, a reason where
one is needed, and a button only when nothing stands in the way.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from starlette.responses import Response

from consultations import announcements, checks, other_access, releases
from consultations.checks import Finding, Where
from consultations.deadlines import PhaseState
from consultations.law import Severity
from consultations.permissions import Permission
from consultations.phases import Phase, phases_of
from consultations.procedures import Procedure, ProcedureState
from consultations.refusals import Code, Refusal
from participation import overview
from participation.messages import STATUS
from participation.pages.planning_forms import Errors, Head, head_of, planned
from participation.web import Visit, page, path_for

#: Marks a message for the catalogues.
N_ = str


def phase_in(visit: Visit, procedure: Procedure) -> Phase:
    """The formal phase in the address. Raises Refusal NOT_FOUND."""
    wanted = visit.request.path_params["phase"]
    for phase in phases_of(visit.session, procedure.id or 0):
        if phase.id == wanted and phase.needs_release:
            return phase
    raise Refusal(Code.NOT_FOUND)


def address_of(visit: Visit, procedure: Procedure) -> str:
    """Where the documents are on the internet, in the law's language: as announcements say it."""
    return visit.base + path_for("hearing", slug=procedure.slug)


@dataclass(frozen=True)
class Version:
    """A saved version of an announcement."""

    id: int
    number: int
    at: datetime


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
        steps=steps_of(visit, procedure, phase),
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


def steps_of(
    visit: Visit, procedure: Procedure, phase: Phase
) -> tuple[tuple[str, str, tuple[str, str]], ...]:
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
