"""Answers to surveys: taken in by whatever channel, changed and taken back by a code, each row sealed and chained."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import and_, func, or_, update
from sqlmodel import Session, col, select

from consultations import channels, contributions, journal, places, proposing, questions, surveys
from consultations.channels import Entry
from consultations.cocreation import Audience
from consultations.deadlines import local_date
from consultations.permissions import PUBLIC, Actor, Permission, may
from consultations.phases import Phase
from consultations.procedures import Procedure, ProcedureState
from consultations.questions import IN_WORDS, Answers, QuestionKind, Typed
from consultations.refusals import Code, Refusal
from consultations.surveys import (
    BATCH,
    NOTE_LIMIT,
    EntryState,
    Standing,
    Survey,
    SurveyAnswer,
    SurveyEntry,
    SurveyWords,
    WordsState,
    entry_by_key,
    note_in_journal,
    place_of,
    standing,
    subject_of,
)
from consultations.text import normalise

#: What stands in the journal where a clerk sent the same form again with other answers.
SENT_AGAIN = "the same form, sent again"
#: So long after a survey is over it is still known which account has answered, in case its phase is prolonged after all.
PARTIES_KEPT = timedelta(days=30)


@dataclass(frozen=True)
class Sheet:
    """What is handed in. `key`: any unguessable string made once per form, so that the same sending is one answer."""

    key: str
    typed: Typed
    #: The version of the survey that was read.
    version: int
    channel: str = "web"
    language: str = "de"
    #: When it reached the town; None: now.
    received_at: datetime | None = None
    #: A keyed digest of the account, where only people with one are asked.
    party: str = ""
    #: What they say of themselves, where the phase asks: "resident".
    declares: frozenset[str] = frozenset()


def answer(session: Session, survey: Survey, sheet: Sheet, *, by: Actor, now: datetime) -> SurveyEntry:
    """Take in what somebody answered: the answers, their receipt, what a moderator has to read, in one transaction.

    The same key again is the same answer; with other answers it is a change of it. What reaches the counter after the end is
    kept and marked late; online nothing is taken in then. Raises Refusal NOT_ALLOWED, WRONG_STATE, PHASE_NOT_STARTED,
    PHASE_CLOSED, RECEIVED_IN_FUTURE ("received_at"), CHANGED_MEANWHILE, ANSWER_DECLARE ("resident"), ANSWERED_BEFORE,
    NOTHING_ANSWERED and those of `questions.read`.
    """
    procedure, phase = place_of(session, survey)
    who = _who(sheet.channel, survey, by)
    received_at = sheet.received_at or now
    if received_at > now:
        raise Refusal(Code.RECEIVED_IN_FUTURE, "received_at")
    journal.hold(session, survey.municipality_id)
    session.refresh(survey)
    assert survey.id is not None
    earlier = entry_by_key(session, survey.id, sheet.key)
    stands = standing(survey, procedure, phase, now)
    if earlier is not None:
        if stands is Standing.OPEN and earlier.state == EntryState.RECEIVED.value:
            change(
                session, earlier, sheet.typed, version=sheet.version, channel=sheet.channel, by=by, now=now,
                note="" if who is PUBLIC else SENT_AGAIN,
            )  # fmt: skip
        return earlier
    _require_open(survey, phase, stands, is_public=who is PUBLIC)
    if sheet.version != survey.version:
        raise Refusal(Code.CHANGED_MEANWHILE)
    _require_audience(session, survey, phase, sheet, is_public=who is PUBLIC)
    reading = _read(session, survey, sheet.typed)
    survey.entries += 1
    session.add(survey)
    entry = SurveyEntry(
        municipality_id=survey.municipality_id,
        survey_id=survey.id,
        reference=f"{procedure.key}-U{survey.number}-{survey.entries:04d}",
        entry_number=survey.entries,
        access_code=contributions.new_access_code(),
        submission_key=sheet.key,
        party=sheet.party,
        channel=sheet.channel,
        language=sheet.language,
        received_at=received_at,
        recorded_at=now,
        recorded_by=who.label,
        is_late=_is_late(survey, phase, received_at),
        version=0,
    )
    session.add(entry)
    session.flush()
    _add_version(session, survey, entry, reading, channel=sheet.channel, by=who, now=now)
    return entry


def change(
    session: Session,
    entry: SurveyEntry,
    typed: Typed,
    *,
    version: int,
    channel: str = "web",
    note: str = "",
    received_at: datetime | None = None,
    by: Actor,
    now: datetime,
) -> SurveyEntry:
    """Answer anew: a further version, the earlier ones stay. The same answers change nothing.

    Whoever calls has made sure that it is theirs (by the code). At the counter a `note` says who asked for it, and what
    reached the town (`received_at`) before the end counts after it too. Raises Refusal NOT_ALLOWED, ALREADY_WITHDRAWN,
    REASON_REQUIRED ("note"), RECEIVED_IN_FUTURE ("received_at"), PHASE_CLOSED, CHANGED_MEANWHILE, NOTHING_ANSWERED and those of
    `questions.read`.
    """
    survey = session.get_one(Survey, entry.survey_id)
    procedure, phase = place_of(session, survey)
    who = _who(channel, survey, by)
    note = _noted(note, who)
    received_at = received_at or now
    if received_at > now:
        raise Refusal(Code.RECEIVED_IN_FUTURE, "received_at")
    journal.hold(session, survey.municipality_id)
    session.refresh(survey)
    session.refresh(entry)
    if entry.state != EntryState.RECEIVED.value:
        raise Refusal(Code.ALREADY_WITHDRAWN)
    is_early = who is not PUBLIC and not _is_late(survey, phase, received_at)
    _require_open(survey, phase, standing(survey, procedure, phase, now), is_public=not is_early)
    if version != survey.version:
        raise Refusal(Code.CHANGED_MEANWHILE)
    reading = _read(session, survey, typed)
    if reading.answers != newest(session, entry).answers:
        _add_version(session, survey, entry, reading, channel=channel, note=note, by=who, now=now)
    return entry


def _noted(note: str, who: Actor) -> str:
    """What the clerk wrote down of who asked for it. Raises Refusal REASON_REQUIRED ("note")."""
    words = normalise(note, field="note", limit=NOTE_LIMIT).strip()
    if who is not PUBLIC and not words:
        raise Refusal(Code.REASON_REQUIRED, "note")
    return words


def _is_late(survey: Survey, phase: Phase, received_at: datetime) -> bool:
    return not phase.is_in_time(received_at) or bool(survey.ended_at and received_at > survey.ended_at)


def withdraw(
    session: Session,
    entry: SurveyEntry,
    *,
    channel: str = "web",
    note: str = "",
    by: Actor,
    now: datetime,
) -> None:
    """Take an answer back, at any time: it counts nowhere from now on, and nobody reads its words. Twice is once.

    At the counter a `note` says who asked for it. Raises Refusal NOT_ALLOWED, REASON_REQUIRED ("note").
    """
    survey = session.get_one(Survey, entry.survey_id)
    who = _who(channel, survey, by)
    note = _noted(note, who)
    journal.hold(session, survey.municipality_id)
    session.refresh(entry)
    if entry.state != EntryState.RECEIVED.value:
        return
    entry.state = EntryState.WITHDRAWN.value
    session.add(entry)
    _let_go(session, entry)
    note_in_journal(
        session, survey, "survey_answer_withdrawn", by=who, now=now, entry=entry,
        reference=entry.reference, channel=channel, **({"note": note} if note else {}),
    )  # fmt: skip


def newest(session: Session, entry: SurveyEntry) -> SurveyAnswer:
    """The answers that count."""
    return session.exec(
        select(SurveyAnswer).where(SurveyAnswer.entry_id == entry.id, SurveyAnswer.number == entry.version)
    ).one()


def answers_of(session: Session, entry: SurveyEntry) -> list[SurveyAnswer]:
    """What somebody answered, the first version first."""
    return list(
        session.exec(
            select(SurveyAnswer).where(SurveyAnswer.entry_id == entry.id).order_by(col(SurveyAnswer.number))
        ).all()
    )


def _who(channel: str, survey: Survey, by: Actor) -> Actor:
    """Who is written down: the clerk who hands in for somebody; nobody in particular where people do it themselves.
    Raises Refusal NOT_ALLOWED."""
    entry = channels.by_key(channel).entry
    if entry is Entry.PUBLIC:
        return PUBLIC
    if entry is Entry.CLERK and may(
        by,
        Permission.RECORD_INTAKE,
        municipality_id=survey.municipality_id,
        procedure_id=survey.procedure_id,
    ):
        return by
    raise Refusal(Code.NOT_ALLOWED)


def _require_open(survey: Survey, phase: Phase, stands: Standing, *, is_public: bool) -> None:
    """What lies on the counter is kept, whenever it came; nothing else is taken in before the start or after the end."""
    if stands is Standing.DRAFT:
        raise Refusal(Code.WRONG_STATE, state=survey.state)
    if not is_public or stands is Standing.OPEN:
        return
    if stands is Standing.COMING:
        raise Refusal(Code.PHASE_NOT_STARTED, starts=phase.starts_on)
    ended = local_date(survey.ended_at) if survey.ended_at else phase.effective_end or phase.ends_on
    raise Refusal(Code.PHASE_CLOSED, ended=ended) if ended else Refusal(Code.NOT_OPENED, opening="survey")


def audience_of(phase: Phase) -> Audience:
    """Whom the surveys of a phase ask."""
    return proposing.arrangement_of(phase).audience


def _require_audience(
    session: Session, survey: Survey, phase: Phase, sheet: Sheet, *, is_public: bool
) -> None:
    audience = audience_of(phase)
    if audience is Audience.RESIDENTS and "resident" not in sheet.declares:
        raise Refusal(Code.ANSWER_DECLARE, "resident")
    if audience is Audience.SIGNED_IN and is_public and not sheet.party:
        raise Refusal(Code.NOT_ALLOWED)
    if (
        sheet.party
        and session.exec(
            select(SurveyEntry.id).where(
                SurveyEntry.survey_id == survey.id,
                SurveyEntry.party == sheet.party,
                SurveyEntry.state == EntryState.RECEIVED.value,
            )
        ).first()
    ):
        raise Refusal(Code.ANSWERED_BEFORE)


def _read(session: Session, survey: Survey, typed: Typed) -> questions.Reading:
    reading = questions.read(survey.asks, typed)
    for refusal in reading.wrong:
        raise refusal
    for question in survey.asks:
        pin = questions.pin_of(reading.answers.get(question.key))
        if pin is not None:
            try:
                places.chosen(session, survey.municipality_id, lon=str(pin[0]), lat=str(pin[1]))
            except Refusal as refusal:
                raise Refusal(refusal.code, questions.name_of(question), **refusal.facts) from refusal
    if not reading.answers:
        raise Refusal(Code.NOTHING_ANSWERED)
    return reading


def _add_version(
    session: Session,
    survey: Survey,
    entry: SurveyEntry,
    reading: questions.Reading,
    *,
    channel: str,
    note: str = "",
    by: Actor,
    now: datetime,
) -> None:
    before = newest(session, entry).sha256 if entry.version else ""
    entry.version += 1
    made = SurveyAnswer(
        entry_id=entry.id or 0,
        number=entry.version,
        at=now,
        by=by.label,
        channel=channel,
        answers=reading.answers,
        ignored=list(reading.ignored),
        sha256="",
    )
    made.sha256 = _seal(entry, made, before)
    session.add(entry)
    session.add(made)
    _keep_words(session, survey, entry, reading.answers)
    session.flush()
    note_in_journal(
        session, survey, "survey_answered" if entry.version == 1 else "survey_answer_changed", by=by, now=now, entry=entry,
        reference=entry.reference, version=entry.version, channel=channel,
        received_at=entry.received_at.isoformat(), late=entry.is_late, sha256=made.sha256, **({"note": note} if note else {}),
    )  # fmt: skip


def _seal(entry: SurveyEntry, made: SurveyAnswer, before: str) -> str:
    """SHA-256 over everything that was answered, and over the seal of the version before."""
    return journal.digest(
        {
            "reference": entry.reference,
            "number": made.number,
            "channel": made.channel,
            "answers": made.answers,
            "before": before,
        }
    )


def _keep_words(session: Session, survey: Survey, entry: SurveyEntry, answers: Answers) -> None:
    """Put what was said in own words before a moderator; what was decided about the same words stands."""
    known = {
        (row.question, row.words, (row.lon, row.lat) if row.is_pin else None): row
        for row in session.exec(
            select(SurveyWords).where(
                SurveyWords.entry_id == entry.id, SurveyWords.state != WordsState.GONE.value
            )
        ).all()
    }
    for question in survey.asks:
        answer = answers.get(question.key)
        if question.kind not in IN_WORDS or answer is None:
            continue
        said, pin = questions.own_words(answer), questions.pin_of(answer)
        if known.pop((question.key, said, pin), None) is not None:
            continue
        found = _where(session, survey, said) if question.kind is QuestionKind.PLACE else (None, None)
        lon, lat = pin or found
        state = WordsState.WAITING if said else WordsState.SHOWN  # a pin alone has nothing to be read
        session.add(
            SurveyWords(
                municipality_id=survey.municipality_id,
                procedure_id=survey.procedure_id,
                survey_id=survey.id or 0,
                entry_id=entry.id or 0,
                question=question.key,
                words=said,
                lon=lon,
                lat=lat,
                is_pin=pin is not None,
                # Of a late answer, or where it was said that only the planners read it, nobody else is to read it.
                state=(state if survey.shows_words and not entry.is_late else WordsState.WITHHELD).value,
            )
        )
    for row in known.values():
        row.state, row.shown = WordsState.GONE.value, ""
        session.add(row)


def _where(session: Session, survey: Survey, words: str) -> tuple[float | None, float | None]:
    """A point on the place of that name, if there is one and only one."""
    found = places.named(session, survey.municipality_id, [places.fold(words)])
    if len(found) != 1:
        return None, None
    located = places.located(found[0])
    return located.lon, located.lat


def _let_go(session: Session, entry: SurveyEntry) -> None:
    session.execute(
        update(SurveyWords)
        .where(col(SurveyWords.entry_id) == entry.id)
        .values(state=WordsState.GONE.value, shown="")
    )


def _with_old_parties(now: datetime) -> Any:
    """Answers that are still marked with a digest of an account, of surveys that take none any more."""
    before = now - PARTIES_KEPT
    return (
        select(SurveyEntry)
        .join(Survey, col(Survey.id) == col(SurveyEntry.survey_id))
        .join(Phase, col(Phase.id) == col(Survey.phase_id))
        .join(Procedure, col(Procedure.id) == col(Survey.procedure_id))
        .where(
            SurveyEntry.party != "",
            or_(
                and_(col(Survey.ended_at).is_not(None), col(Survey.ended_at) < before),
                func.coalesce(Phase.effective_end, Phase.ends_on) < local_date(before),
                col(Procedure.state).in_((ProcedureState.CONCLUDED.value, ProcedureState.WITHDRAWN.value)),
            ),
        )
    )


def are_parties_due(session: Session, now: datetime) -> bool:
    """A cheap look that takes no writer's turn: is a digest kept that is of no more use?"""
    return session.exec(_with_old_parties(now).limit(1)).first() is not None


def forget_parties(session: Session, *, by: Actor, now: datetime, limit: int = 500) -> int:
    """Erase which accounts have answered, once nobody can answer any more; the answers stay. Returns how many."""
    rows = session.exec(_with_old_parties(now).order_by(col(SurveyEntry.survey_id)).limit(limit)).all()
    for entry in rows:
        entry.party = ""
        session.add(entry)
    counts = Counter(entry.survey_id for entry in rows)
    for survey in sorted(surveys.by_ids(session, list(counts)), key=lambda each: each.id or 0):
        count = counts[survey.id or 0]
        note_in_journal(session, survey, "survey_accounts_erased", by=by, now=now, answers=count)
    session.flush()
    return len(rows)


def examine(session: Session) -> Iterator[tuple[str, str]]:
    """Answers whose seals no longer hold, as (subject, problem): `answer_altered`, `answer_missing`, `answer_unlinked`
    (not the seal that the journal knows)."""
    last = 0
    while True:
        entries = session.exec(
            select(SurveyEntry).where(col(SurveyEntry.id) > last).order_by(col(SurveyEntry.id)).limit(BATCH)
        ).all()
        if not entries:
            return
        last = entries[-1].id or 0
        versions: dict[int, list[SurveyAnswer]] = {}
        for made in session.exec(
            select(SurveyAnswer)
            .where(col(SurveyAnswer.entry_id).in_([entry.id for entry in entries]))
            .order_by(col(SurveyAnswer.number))
        ).all():
            versions.setdefault(made.entry_id, []).append(made)
        sealed = _sealed(session, entries)
        for entry in entries:
            before, subject = "", subject_of(entry)
            found = versions.get(entry.id or 0, [])
            if [made.number for made in found] != list(range(1, entry.version + 1)):
                yield subject, "answer_missing"
            for made in found:
                if made.sha256 != _seal(entry, made, before):
                    yield f"{subject}/{made.number}", "answer_altered"
                if sealed.get((subject, made.number)) != made.sha256:
                    yield f"{subject}/{made.number}", "answer_unlinked"
                before = made.sha256
        session.expunge_all()


def _sealed(session: Session, entries: Sequence[SurveyEntry]) -> dict[tuple[str, int], str]:
    """The seals that the journal knows, by subject and version."""
    rows = session.exec(
        select(journal.JournalEntry.subject, journal.JournalEntry.facts).where(
            col(journal.JournalEntry.subject).in_([subject_of(entry) for entry in entries]),
            col(journal.JournalEntry.verb).in_(("survey_answered", "survey_answer_changed")),
        )
    ).all()
    return {(subject, facts["version"]): facts["sha256"] for subject, facts in rows}
