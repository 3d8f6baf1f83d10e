"""Where people at work begin: what waits, what runs, what is stuck."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from starlette.responses import Response

from consultations import (
    evaluation,
    lateness,
    moderation,
    notices,
    procedures,
    support_lists,
    survey_results,
)
from consultations.deadlines import local_date
from consultations.notices import NoticeState, NoticeWay
from consultations.permissions import Permission, may, reach
from consultations.phases import Phase, current_phase, phases_of_all
from consultations.procedures import Procedure, ProcedureState
from participation.overview import PHASE_NAMES
from participation.web import Visit, page

LETTERS_SHOWN = 20


@dataclass(frozen=True)
class Line:
    """A procedure in the list: what it is called, where it stands, and until when something is open."""

    id: int
    key: str
    title: str
    state: ProcedureState
    phase: str
    ends_on: date | None
    days_left: int | None
    url: str


@dataclass(frozen=True)
class Letter:
    """A letter that waits to be printed and posted."""

    id: int
    to_name: str
    reference: str
    written_on: date


@dataclass(frozen=True)
class Desk:
    """The start page of people at work."""

    waiting: int
    late: int
    mails_waiting: int
    mails_failed: int
    has_mail_server: bool
    letters: tuple[Letter, ...]
    procedures: tuple[Line, ...]
    #: Answers to proposals that were promised by a day that has passed; sheets that wait for a second person.
    overdue: int
    sheets: int
    #: What people said in surveys and no moderator has read yet.
    survey_words: int
    may_evaluate: bool
    may_moderate: bool
    may_record: bool
    may_plan: bool
    #: The register of agencies belongs to those who plan for the whole town.
    may_keep_agencies: bool
    #: For the whole town.
    may_import: bool
    may_administer: bool


def line(procedure: Procedure, phases: Sequence[Phase], visit: Visit) -> Line:
    """A procedure as one line, spoken of by its current phase."""
    phase = current_phase(phases, visit.now)
    assert procedure.id is not None
    return Line(
        procedure.id,
        procedure.key,
        procedures.localised(procedure, visit.language, "title"),
        ProcedureState(procedure.state),
        visit.gettext(PHASE_NAMES[phase.kind]) if phase else "",
        phase.ends_on if phase else None,
        phase.days_left(visit.now) if phase else None,
        visit.url("planning", id=procedure.id)
        if visit.may(Permission.PLAN, procedure)
        else visit.url("hearing", slug=procedure.slug),
    )


@page("/verwaltung", name="desk", may=Permission.ENTER_STAFF)
def show(visit: Visit) -> Response:
    """The desk."""
    rows = procedures.for_staff(visit.session, visit.municipality_id)
    phases = phases_of_all(visit.session, [row.id for row in rows if row.id is not None])
    waiting = notices.of_municipality(visit.session, visit.municipality_id, NoticeState.WAITING, limit=1000)
    failed = notices.of_municipality(visit.session, visit.municipality_id, NoticeState.FAILED, limit=1000)
    letters = [notice for notice in waiting if notice.way == NoticeWay.LETTER.value]
    return visit.render(
        "desk/show.html",
        Desk(
            waiting=moderation.waiting_count(
                visit.session,
                visit.municipality_id,
                procedure_ids=reach(visit.by, Permission.MODERATE, visit.municipality_id),
            ),
            late=lateness.waiting_count(
                visit.session,
                visit.municipality_id,
                reach(visit.by, Permission.PLAN, visit.municipality_id),
            )
            if visit.may(Permission.PLAN)
            else 0,
            mails_waiting=len(waiting) - len(letters),
            mails_failed=len(failed),
            has_mail_server=bool(visit.house.settings.smtp_host),
            letters=tuple(
                Letter(
                    notice.id or 0,
                    notice.to_name,
                    str(notice.facts.get("reference", "")),
                    local_date(notice.created_at),
                )
                for notice in letters[:LETTERS_SHOWN]
            )
            if visit.may(Permission.RECORD_INTAKE)
            else (),
            procedures=tuple(line(row, phases[row.id or 0], visit) for row in rows),
            overdue=evaluation.overdue_count(
                visit.session,
                visit.municipality_id,
                visit.today,
                reach(visit.by, Permission.EVALUATE, visit.municipality_id),
            )
            if visit.may(Permission.EVALUATE)
            else 0,
            sheets=len(
                support_lists.waiting(
                    visit.session,
                    visit.municipality_id,
                    reach(visit.by, Permission.RECORD_INTAKE, visit.municipality_id),
                )
            )
            if visit.may(Permission.RECORD_INTAKE)
            else 0,
            survey_words=survey_results.waiting_count(
                visit.session,
                visit.municipality_id,
                reach(visit.by, Permission.MODERATE, visit.municipality_id),
            )
            if visit.may(Permission.MODERATE)
            else 0,
            may_evaluate=visit.may(Permission.EVALUATE),
            may_moderate=visit.may(Permission.MODERATE),
            may_record=visit.may(Permission.RECORD_INTAKE),
            may_plan=visit.may(Permission.PLAN),
            may_keep_agencies=bool(may(visit.by, Permission.PLAN, municipality_id=visit.municipality_id)),
            may_import=reach(visit.by, Permission.IMPORT, visit.municipality_id) is None,
            may_administer=visit.may(Permission.ADMINISTER),
        ),
    )
