"""What happens to consultations themselves, for everybody to read: looked up from what is on record, noted once.

A phase begins, ends soon, is extended, interrupted or ended early; a survey or a vote in it begins, ends soon, has a result;
a document is new or corrected; an announcement is out; all is concluded. Time
brings some of it, and others come about in many rooms: so nobody has to think of telling it, and nothing is told twice
(`Happening.key`). What is older than some days is no news, also when this looks for the first time; only an extension is told
as long as its phase runs, because the phase does not say on which day it was extended.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import and_, func, or_
from sqlmodel import Session, col, select

from consultations import announcements, happenings, journal, surveys, voting
from consultations.ballots import Vote, VoteState
from consultations.deadlines import PhaseState, local_date
from consultations.documents import Document, DocumentVersion
from consultations.happenings import Happening, Kind
from consultations.permissions import Actor
from consultations.phases import Phase, Track
from consultations.procedures import PUBLIC_STATES, Procedure, ProcedureState, ProcedureVersion
from consultations.surveys import Standing, Survey, SurveyState

#: So many days before its last day it is said that a phase ends soon; of phases that are longer than that.
SOON = timedelta(days=7)
#: What happened longer ago is no news.
FRESH = timedelta(days=2)


@dataclass(frozen=True)
class Found:
    """Something to tell of a consultation; `key` is another one for each thing that happens to it."""

    procedure: Procedure
    kind: Kind
    key: str
    facts: dict[str, Any] = field(default_factory=dict)


def waiting(session: Session, now: datetime, *, municipality_id: int | None = None) -> list[Found]:
    """What happened and is not noted yet, everywhere or in one municipality; seven queries."""
    concluded = list(_concluded(session, now))
    found = [
        *_of_phases(session, now),
        *_of_surveys(session, now, {each.procedure.id for each in concluded}),
        *_of_votes(session, now),
        *_of_documents(session, now),
        *_of_announcements(session, now),
        *concluded,
    ]
    if municipality_id is not None:
        found = [each for each in found if each.procedure.municipality_id == municipality_id]
    known = set(
        session.exec(
            select(Happening.procedure_id, Happening.key).where(
                col(Happening.procedure_id).in_({each.procedure.id for each in found}),
                col(Happening.key).in_({each.key for each in found}),
            )
        ).all()
    )
    return [each for each in found if (each.procedure.id, each.key) not in known]


def note_waiting(session: Session, *, by: Actor, now: datetime, municipality_id: int | None = None) -> int:
    """Note all of it, each with its entry in the journal. Returns how much it was."""
    found = waiting(session, now, municipality_id=municipality_id)
    for town in sorted({each.procedure.municipality_id for each in found}):
        journal.hold(session, town)
    if found:
        # Another worker may have noted it meanwhile.
        found = waiting(session, now, municipality_id=municipality_id)
    for each in found:
        procedure = each.procedure
        row = happenings.note_of_procedure(
            session,
            municipality_id=procedure.municipality_id,
            procedure_id=procedure.id or 0,
            district=procedure.district,
            kind=each.kind,
            key=each.key,
            now=now,
            facts=each.facts,
        )
        journal.append(
            session,
            municipality_id=procedure.municipality_id,
            verb="procedure_news",
            by=by,
            at=now,
            procedure_id=procedure.id,
            facts={"happening": row.id, "kind": each.kind.value},
        )
    return len(found)


def _of_phases(session: Session, now: datetime) -> Iterator[Found]:
    today = local_date(now)
    rows = session.exec(
        select(Phase, Procedure)
        .join(Procedure, col(Procedure.id) == Phase.procedure_id)
        .where(
            Procedure.state == ProcedureState.PUBLISHED.value,
            Phase.track != Track.AGENCIES.value,
            col(Phase.starts_on).is_not(None),
            or_(col(Phase.ends_on).is_(None), col(Phase.ends_on) >= today - FRESH),
        )
        .order_by(col(Phase.id))
    ).all()
    for phase, procedure in rows:
        course, last = phase.course, _last_day(phase)
        told = {"phase": phase.id, "title": phase.title, "phase_kind": phase.kind}
        told["until"] = last.isoformat() if last and phase.opens else ""
        # What was changed goes before what the days alone would say.
        if course.ended_early_on is not None:
            if today - course.ended_early_on <= FRESH:
                told["until"] = course.ended_early_on.isoformat()
                yield Found(procedure, Kind.ENDED, f"ended:{phase.id}:{course.ended_early_on}", told)
            continue
        if phase.state(now) is not PhaseState.OPEN or phase.starts_on is None:
            continue
        if course.interrupted_on is not None and course.is_interrupted:
            if today - course.interrupted_on <= FRESH:
                key = f"interrupted:{phase.id}:{course.interrupted_on}"
                yield Found(procedure, Kind.INTERRUPTED, key, told)
            continue
        if course.resumed_on is not None and today - course.resumed_on <= FRESH:
            resumed = told | {
                "from": course.resumed_on.isoformat(),
                "until": last.isoformat() if last else "",
            }
            yield Found(procedure, Kind.RESUMED, f"resumed:{phase.id}:{course.resumed_on}", resumed)
        elif timedelta() <= today - phase.starts_on <= FRESH:
            yield Found(procedure, Kind.BEGINS, f"begins:{phase.id}:{phase.starts_on}", told)
        if last is None or not phase.opens:
            continue
        # The days with which it goes on were told with that, however late they are.
        if (
            course.extended_from is not None
            and course.extended_from < last
            and phase.ends_on != course.resumed_until
        ):
            yield Found(procedure, Kind.EXTENDED, f"extended:{phase.id}:{last}", told)
        if _is_soon(phase.starts_on, last, today):
            yield Found(procedure, Kind.ENDS_SOON, f"ends:{phase.id}:{last}", told)


def _last_day(phase: Phase) -> date | None:
    return max((day for day in (phase.ends_on, phase.effective_end) if day), default=None)


def _is_soon(first: date, last: date, today: date) -> bool:
    """Whether it is to be said that something ends soon: within the week, of what is longer than that."""
    return last - today <= SOON < last - first


def _recent(today: date) -> Any:
    """Phases that are not over for longer than what is still news."""
    return or_(
        col(Phase.ends_on).is_(None), func.coalesce(Phase.effective_end, Phase.ends_on) >= today - FRESH
    )


def _of_surveys(session: Session, now: datetime, concluded: Collection[int | None]) -> Iterator[Found]:
    """`concluded`: consultations that were closed just now, and their surveys with them."""
    today = local_date(now)
    rows = session.exec(
        select(Survey, Phase, Procedure)
        .join(Phase, col(Phase.id) == col(Survey.phase_id))
        .join(Procedure, col(Procedure.id) == col(Survey.procedure_id))
        .where(
            Survey.state != SurveyState.DRAFT.value,
            col(Procedure.state).in_(PUBLIC_STATES),
            or_(_recent(today), col(Survey.ended_at) >= now - FRESH),
        )
        .order_by(col(Survey.id))
    ).all()
    for survey, phase, procedure in rows:
        last = _last_day(phase)
        titles = {each: str(said["title"]) for each, said in survey.translations.items() if said.get("title")}
        told = {"survey": survey.number, "title": survey.title, "titles": titles}
        told["until"] = last.isoformat() if last else ""
        stands = surveys.standing(survey, procedure, phase, now)
        if stands is Standing.OPEN and phase.starts_on is not None and survey.published_at is not None:
            first = max(phase.starts_on, local_date(survey.published_at))
            if today - first <= FRESH:
                yield Found(procedure, Kind.SURVEY_BEGINS, f"survey_begins:{survey.id}", told)
            if last is not None and _is_soon(first, last, today):
                yield Found(procedure, Kind.SURVEY_ENDS_SOON, f"survey_ends:{survey.id}:{last}", told)
        if stands is not Standing.OVER or not survey.entries:
            continue
        if survey.ended_at is not None:
            is_news = now - survey.ended_at <= FRESH
        elif phase.state(now) is PhaseState.OVER and last is not None:
            is_news = today - last <= FRESH
        else:
            is_news = procedure.id in concluded
        if is_news:
            yield Found(procedure, Kind.SURVEY_RESULT, f"survey_result:{survey.id}", told)


def _of_votes(session: Session, now: datetime) -> Iterator[Found]:
    today = local_date(now)
    rows = session.exec(
        select(Vote, Phase, Procedure)
        .join(Phase, col(Phase.id) == col(Vote.phase_id))
        .join(Procedure, col(Procedure.id) == col(Vote.procedure_id))
        .where(
            col(Procedure.state).in_(PUBLIC_STATES),
            or_(
                and_(col(Vote.state) == VoteState.READY.value, _recent(today)),
                and_(col(Vote.state) == VoteState.CLOSED.value, col(Vote.closed_at) >= now - FRESH),
            ),
        )
        .order_by(col(Vote.id))
    ).all()
    for vote, phase, procedure in rows:
        last = _last_day(phase)
        told = vote.told() | {"until": last.isoformat() if last else ""}
        if vote.state == VoteState.CLOSED.value:
            yield Found(procedure, Kind.VOTE_RESULT, f"vote_result:{vote.id}", told)
            continue
        if (
            voting.standing(vote, procedure, phase, now) is not voting.Standing.RUNNING
            or phase.starts_on is None
            or vote.ready_at is None
        ):
            continue
        first = max(phase.starts_on, local_date(vote.ready_at))
        if today - first <= FRESH:
            yield Found(procedure, Kind.VOTE_BEGINS, f"vote_begins:{vote.id}", told)
        if last is not None and _is_soon(first, last, today):
            yield Found(procedure, Kind.VOTE_ENDS_SOON, f"vote_ends:{vote.id}:{last}", told)


def _of_documents(session: Session, now: datetime) -> Iterator[Found]:
    rows = session.exec(
        select(DocumentVersion, Document, Procedure)
        .join(Document, col(Document.id) == DocumentVersion.document_id)
        .join(Procedure, col(Procedure.id) == Document.procedure_id)
        .where(
            col(DocumentVersion.uploaded_at) >= now - FRESH,
            # What was there when it was published belongs to its beginning.
            col(DocumentVersion.uploaded_at) > col(Procedure.published_at),
            col(Document.is_withdrawn).is_(False),
            col(Procedure.state).in_(PUBLIC_STATES),
        )
        .order_by(col(DocumentVersion.id))
    ).all()
    for version, document, procedure in rows:
        told = {"title": document.title, "number": version.number, "document_kind": document.kind}
        yield Found(procedure, Kind.DOCUMENT, f"document:{document.id}:{version.number}", told)


def _of_announcements(session: Session, now: datetime) -> Iterator[Found]:
    for version, procedure in announcements.newly_public(session, local_date(now) - FRESH, now):
        yield Found(procedure, Kind.ANNOUNCED, f"announcement:{version.id}", {"announcement": version.id})


def _concluded(session: Session, now: datetime) -> Iterator[Found]:
    finished = (ProcedureState.CONCLUDED.value, ProcedureState.WITHDRAWN.value)
    rows = session.exec(
        select(Procedure).where(
            col(Procedure.state).in_(finished),
            select(ProcedureVersion.id)
            .where(ProcedureVersion.procedure_id == Procedure.id, col(ProcedureVersion.at) >= now - FRESH)
            .exists(),
        )
    ).all()
    for procedure in rows:
        yield Found(procedure, Kind.FINISHED, f"finished:{procedure.state}", {"state": procedure.state})
