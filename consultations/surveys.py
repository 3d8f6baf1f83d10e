"""Surveys: questions that a phase puts to people, their answers by whatever channel, and what they come to.

Nobody is asked for a name, and nothing that is kept leads from an answer to a person: who answers online is `PUBLIC`, signed in
or not. Each answer has a receipt with an access code, by which it can be read, changed (each change is a further row, sealed
and chained) and withdrawn. Once somebody has answered, the questions stand still; other questions are another survey.
What people say in their own words is read by a moderator before everybody can.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Column, Index, UniqueConstraint, func, text, update
from sqlmodel import Field, Session, SQLModel, col, select

from consultations import channels, contributions, journal, places, procedures, proposing, questions
from consultations.channels import Entry
from consultations.cocreation import Audience, Counts, Opening
from consultations.deadlines import PhaseState, local_date
from consultations.moderation import Reason
from consultations.permissions import PUBLIC, Actor, Permission, may
from consultations.phases import Phase, Track, phases_of
from consultations.procedures import Procedure, ProcedureState
from consultations.questions import IN_WORDS, Answers, Question, QuestionKind, Result, Typed
from consultations.refusals import Code, Refusal
from consultations.tables import BigKey, Json, UtcDateTime
from consultations.text import normalise

TITLE_LIMIT = 200
INTRODUCTION_LIMIT = 10_000
REASON_LIMIT = 500
#: Rows read at once where all answers are looked at.
BATCH = 500


class SurveyState(StrEnum):
    """What the planners have made of it; when it takes answers its phase says."""

    DRAFT = "draft"
    PUBLISHED = "published"
    ENDED = "ended"  # before the end of its phase, with a reason that everybody can read


class Standing(StrEnum):
    """Where a survey stands at a moment."""

    DRAFT = "draft"
    COMING = "coming"
    OPEN = "open"
    OVER = "over"


class EntryState(StrEnum):
    """Whether whoever answered stands by it; a withdrawn answer counts nowhere."""

    RECEIVED = "received"
    WITHDRAWN = "withdrawn"


class WordsState(StrEnum):
    """Whether everybody may read what somebody said in their own words."""

    WAITING = "waiting"
    SHOWN = "shown"
    WITHHELD = "withheld"
    GONE = "gone"  # changed or withdrawn by whoever said it


class Survey(SQLModel, table=True):
    """A survey of a phase: its words in the town's first language, others in `translations`."""

    __tablename__ = "survey"
    __table_args__ = (UniqueConstraint("procedure_id", "number"),)

    id: int | None = Field(default=None, primary_key=True)
    municipality_id: int = Field(foreign_key="municipality.id")
    procedure_id: int = Field(foreign_key="procedure.id")
    phase_id: int = Field(foreign_key="phase.id", index=True)
    number: int
    state: str = SurveyState.DRAFT.value
    title: str
    #: Markdown.
    introduction: str = ""
    #: {"en": {"title", "introduction"}}
    translations: dict[str, Any] = Field(default_factory=dict, sa_type=Json)
    #: `questions.as_facts`.
    questions: list[dict[str, Any]] = Field(default_factory=list, sa_type=Json)
    #: When everybody may see what it comes to: `cocreation.Counts`.
    counts: str = Counts.CLOSED.value
    #: Whether what people say in their own words is shown to everybody, once a moderator has read it.
    shows_words: bool = True
    #: Counts changes, so that nobody answers questions that were changed meanwhile.
    version: int = 1
    #: How many have answered, whatever became of it.
    entries: int = 0
    created_at: datetime = Field(sa_type=UtcDateTime)
    published_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    ended_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    end_reason: str = ""

    @property
    def asks(self) -> tuple[Question, ...]:
        """Its questions in their order."""
        return questions.from_facts(self.questions)

    def said(self, language: str, name: str = "title") -> str:
        """A text of it in a language; in the first one where it is not translated."""
        return str(self.translations.get(language, {}).get(name) or getattr(self, name))


class SurveyEntry(SQLModel, table=True):
    """That somebody answered. What they said are the rows of `survey_answer`; only `version` and `state` ever change."""

    __tablename__ = "survey_entry"
    __table_args__ = (
        UniqueConstraint("survey_id", "submission_key"),
        UniqueConstraint("survey_id", "entry_number"),
    )

    id: int | None = Field(default=None, sa_column=Column(BigKey, primary_key=True))
    municipality_id: int = Field(foreign_key="municipality.id")
    survey_id: int = Field(foreign_key="survey.id")
    #: "ID-U1-0007": procedure key, number of the survey, entry number.
    reference: str
    entry_number: int
    access_code: str = Field(unique=True)
    submission_key: str
    #: Where only people with an account are asked: a keyed digest of survey and account, so that each answers once.
    party: str = ""
    channel: str
    language: str = "de"
    received_at: datetime = Field(sa_type=UtcDateTime)
    recorded_at: datetime = Field(sa_type=UtcDateTime)
    recorded_by: str
    is_late: bool = False
    #: Number of the answers that count.
    version: int = 1
    state: str = EntryState.RECEIVED.value


class SurveyAnswer(SQLModel, table=True):
    """What somebody answered, from a moment on. Never changed; the seal is chained to the one before."""

    __tablename__ = "survey_answer"
    __table_args__ = (UniqueConstraint("entry_id", "number"),)

    id: int | None = Field(default=None, sa_column=Column(BigKey, primary_key=True))
    entry_id: int = Field(foreign_key="survey_entry.id")
    number: int
    at: datetime = Field(sa_type=UtcDateTime)
    by: str
    channel: str
    answers: dict[str, Any] = Field(default_factory=dict, sa_type=Json)
    #: Questions that were answered but not asked of whoever gave these answers.
    ignored: list[str] = Field(default_factory=list, sa_type=Json)
    sha256: str


class SurveyWords(SQLModel, table=True):
    """What somebody said in their own words to one question, and whether everybody may read it."""

    __tablename__ = "survey_words"
    __table_args__ = (
        Index("ix_survey_words_survey_id_state", "survey_id", "state", "question"),
        Index(
            "ix_survey_words_waiting",
            *("municipality_id", "id"),
            sqlite_where=text("state = 'waiting'"),
            postgresql_where=text("state = 'waiting'"),
        ),
        Index("ix_survey_words_entry_id", "entry_id"),
    )

    id: int | None = Field(default=None, sa_column=Column(BigKey, primary_key=True))
    municipality_id: int = Field(foreign_key="municipality.id")
    procedure_id: int = Field(foreign_key="procedure.id")
    survey_id: int = Field(foreign_key="survey.id")
    entry_id: int = Field(foreign_key="survey_entry.id")
    question: str
    words: str
    #: Where it is, in degrees, if the words are the name of a place in the register; a point on it.
    lon: float | None = None
    lat: float | None = None
    state: str = WordsState.WAITING.value
    #: What everybody reads: the words, or the words with passages blacked out.
    shown: str = ""
    reason: str = ""
    decided_by: str = ""
    decided_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


# --- looked up -------------------------------------------------------------------------------------


def by_id(session: Session, municipality_id: int, survey_id: int) -> Survey | None:
    """The survey with this id, if it belongs to the municipality."""
    survey = session.get(Survey, survey_id)
    return survey if survey and survey.municipality_id == municipality_id else None


def by_number(session: Session, procedure_id: int, number: int) -> Survey | None:
    """A survey of a consultation by its number."""
    return session.exec(
        select(Survey).where(Survey.procedure_id == procedure_id, Survey.number == number)
    ).first()


def of_procedure(session: Session, procedure_id: int, *, drafts: bool = False) -> list[Survey]:
    """The surveys of a consultation, oldest first; one query."""
    question = select(Survey).where(Survey.procedure_id == procedure_id).order_by(col(Survey.number))
    if not drafts:
        question = question.where(Survey.state != SurveyState.DRAFT.value)
    return list(session.exec(question).all())


def by_access_code(session: Session, municipality_id: int, typed: str) -> SurveyEntry | None:
    """The answer that a code opens, as somebody typed it."""
    code = contributions.read_access_code(typed)
    if code is None:
        return None
    return session.exec(
        select(SurveyEntry).where(
            SurveyEntry.access_code == code, SurveyEntry.municipality_id == municipality_id
        )
    ).first()


def entry_by_id(session: Session, municipality_id: int, entry_id: int) -> SurveyEntry | None:
    """An answer by its key, if it belongs to the municipality."""
    entry = session.get(SurveyEntry, entry_id)
    return entry if entry and entry.municipality_id == municipality_id else None


def entry_by_key(session: Session, survey_id: int, key: str) -> SurveyEntry | None:
    """An answer by the key of its sending."""
    return session.exec(
        select(SurveyEntry).where(SurveyEntry.survey_id == survey_id, SurveyEntry.submission_key == key)
    ).first()


def answers_of(session: Session, entry: SurveyEntry) -> list[SurveyAnswer]:
    """What somebody answered, the first version first."""
    return list(
        session.exec(
            select(SurveyAnswer).where(SurveyAnswer.entry_id == entry.id).order_by(col(SurveyAnswer.number))
        ).all()
    )


def standing(survey: Survey, procedure: Procedure, phase: Phase, now: datetime) -> Standing:
    """Where a survey stands: its phase says when, as long as it opens surveys and the consultation is public."""
    if survey.state == SurveyState.DRAFT.value or procedure.state == ProcedureState.DRAFT.value:
        return Standing.DRAFT
    if survey.state == SurveyState.ENDED.value or procedure.state != ProcedureState.PUBLISHED.value:
        return Standing.OVER
    state = phase.state(now)
    if state is PhaseState.OPEN and Opening.SURVEY not in proposing.arrangement_of(phase).opens:
        return Standing.OVER
    return {
        PhaseState.COMING: Standing.COMING,
        PhaseState.OPEN: Standing.OPEN,
        PhaseState.OVER: Standing.OVER,
    }[state]


def shows_results(survey: Survey, stands: Standing) -> bool:
    """Whether everybody may see what it comes to: once it is over, or while it runs where the planner wants it so."""
    return stands is Standing.OVER or (stands is Standing.OPEN and survey.counts == Counts.OPENED.value)


# --- put together by planners ----------------------------------------------------------------------


@dataclass(frozen=True)
class SurveyInput:
    """A survey as entered."""

    title: str
    phase_id: int
    introduction: str = ""
    translations: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    questions: tuple[Question, ...] = ()
    counts: Counts = Counts.CLOSED
    shows_words: bool = True


def phases_for(phases: Sequence[Phase], now: datetime) -> list[Phase]:
    """The phases that a survey can belong to: informal ones that ask everybody and are not over. A formal period asks for
    statements; numbers beside them would look like a vote on them."""
    return [
        phase
        for phase in phases
        if phase.track != Track.AGENCIES.value
        and not phase.is_formal
        and phase.state(now) is not PhaseState.OVER
    ]


def save(
    session: Session,
    procedure: Procedure,
    entered: SurveyInput,
    survey: Survey | None = None,
    *,
    expected_version: int | None = None,
    by: Actor,
    now: datetime,
) -> Survey:
    """Begin a survey or change it. Nobody sees a draft but staff.

    Once somebody has answered, only title and introduction change. Raises Refusal NOT_ALLOWED, CHANGED_MEANWHILE,
    SURVEY_NAMELESS ("title"), SURVEY_ANSWERED, UNKNOWN_REFERENCE ("phase"), TEXT_TOO_LONG, and those of
    `questions.wrong_in`; a draft may still be empty.
    """
    procedures.require_planner(by, procedure)
    assert procedure.id is not None
    # Two who answer and change at the same moment: one comes after the other.
    journal.hold(session, procedure.municipality_id)
    if survey is not None:
        session.refresh(survey)
        if expected_version is not None and expected_version != survey.version:
            raise Refusal(Code.CHANGED_MEANWHILE)
        if survey.state == SurveyState.ENDED.value:
            raise Refusal(Code.WRONG_STATE, state=survey.state)
    title = normalise(entered.title, field="title", limit=TITLE_LIMIT).strip()
    if not title:
        raise Refusal(Code.SURVEY_NAMELESS, "title")
    possible = phases_for(phases_of(session, procedure.id), now)
    stays = survey is not None and survey.phase_id == entered.phase_id
    if not stays and entered.phase_id not in {phase.id for phase in possible}:
        raise Refusal(Code.UNKNOWN_REFERENCE, "phase")
    is_draft = survey is None or survey.state == SurveyState.DRAFT.value
    for refusal in questions.wrong_in(entered.questions):
        if not (is_draft and refusal.code is Code.SURVEY_EMPTY):
            raise refusal
    facts = questions.as_facts(entered.questions)
    if survey is None:
        numbers = select(func.max(Survey.number)).where(Survey.procedure_id == procedure.id)
        survey = Survey(
            municipality_id=procedure.municipality_id,
            procedure_id=procedure.id,
            phase_id=entered.phase_id,
            number=(session.exec(numbers).one() or 0) + 1,
            title=title,
            version=0,
            created_at=now,
        )
    elif survey.entries and (
        journal.digest(facts) != journal.digest(survey.questions)
        or (survey.phase_id, survey.counts, survey.shows_words)
        != (entered.phase_id, entered.counts.value, entered.shows_words)
    ):
        raise Refusal(Code.SURVEY_ANSWERED)
    survey.phase_id, survey.title = entered.phase_id, title
    survey.introduction = normalise(
        entered.introduction, field="introduction", limit=INTRODUCTION_LIMIT
    ).strip()
    survey.translations = {
        language: {name: words for name, words in said.items() if words}
        for language, said in entered.translations.items()
    }
    survey.questions, survey.counts, survey.shows_words = facts, entered.counts.value, entered.shows_words
    survey.version += 1
    session.add(survey)
    session.flush()
    _note(
        session, survey, "survey_saved", by=by, now=now,
        version=survey.version, title=survey.title, questions=len(facts), questions_sha256=journal.digest(facts),
    )  # fmt: skip
    return survey


def publish(session: Session, survey: Survey, *, note: str = "", by: Actor, now: datetime) -> None:
    """Let everybody answer, as soon as its phase has begun; the phase declares from now on that it opens a survey.

    `note`: what everybody reads beside the change of a public consultation. Raises Refusal NOT_ALLOWED, WRONG_STATE,
    REASON_REQUIRED ("note"), PHASE_CLOSED, and those of `questions.wrong_in`.
    """
    procedure, phase = _place_of(session, survey)
    procedures.require_planner(by, procedure)
    journal.hold(session, survey.municipality_id)
    session.refresh(survey)
    if survey.state != SurveyState.DRAFT.value:
        raise Refusal(Code.WRONG_STATE, state=survey.state)
    for refusal in questions.wrong_in(survey.asks):
        raise refusal
    if phase.state(now) is PhaseState.OVER:
        raise Refusal(Code.PHASE_CLOSED, ended=phase.ends_on)
    survey.state, survey.published_at = SurveyState.PUBLISHED.value, now
    session.add(survey)
    _declare(session, procedure, phase, note=note, by=by, now=now)
    _note(
        session, survey, "survey_published", by=by, now=now, questions_sha256=journal.digest(survey.questions)
    )


def end(session: Session, survey: Survey, *, reason: str, by: Actor, now: datetime) -> None:
    """Take no more answers before the end of its phase; `reason` is read by everybody. What was answered is kept.

    Raises Refusal NOT_ALLOWED, WRONG_STATE, REASON_REQUIRED ("reason").
    """
    procedure, phase = _place_of(session, survey)
    procedures.require_planner(by, procedure)
    reason = normalise(reason, field="reason", limit=REASON_LIMIT).strip()
    if not reason:
        raise Refusal(Code.REASON_REQUIRED, "reason")
    journal.hold(session, survey.municipality_id)
    session.refresh(survey)
    if survey.state != SurveyState.PUBLISHED.value:
        raise Refusal(Code.WRONG_STATE, state=survey.state)
    survey.state, survey.ended_at, survey.end_reason = SurveyState.ENDED.value, now, reason
    session.add(survey)
    _declare(session, procedure, phase, note=reason, by=by, now=now)
    _note(session, survey, "survey_ended", by=by, now=now, reason=reason)


def _declare(
    session: Session, procedure: Procedure, phase: Phase, *, note: str, by: Actor, now: datetime
) -> None:
    """Let the phase say truly whether it opens a survey: it does while one of its surveys is published. Either way it is a
    change that everybody reads of."""
    session.flush()
    runs = select(Survey.id).where(Survey.phase_id == phase.id, Survey.state == SurveyState.PUBLISHED.value)
    arranged = proposing.arrangement_of(phase)
    others = arranged.opens - {Opening.SURVEY}
    opens = others | {Opening.SURVEY} if session.exec(runs.limit(1)).first() is not None else others
    proposing.arrange(session, procedure, phase, replace(arranged, opens=opens), by=by, now=now, note=note)


def copy(session: Session, survey: Survey, *, by: Actor, now: datetime) -> Survey:
    """A new draft with the same questions, for whoever has to ask differently. Raises what `save` raises."""
    procedure, phase = _place_of(session, survey)
    possible = phases_for(phases_of(session, survey.procedure_id), now)
    kept = phase if phase in possible else next(iter(possible), None)
    if kept is None:
        raise Refusal(Code.PHASE_CLOSED, ended=phase.ends_on)
    entered = replace(as_it_stands(survey), phase_id=kept.id or 0)
    return save(session, procedure, entered, by=by, now=now)


def as_it_stands(survey: Survey) -> SurveyInput:
    """A survey as it could be entered again."""
    return SurveyInput(
        title=survey.title,
        phase_id=survey.phase_id,
        introduction=survey.introduction,
        translations=survey.translations,
        questions=survey.asks,
        counts=Counts(survey.counts),
        shows_words=survey.shows_words,
    )


def discard(session: Session, survey: Survey, *, by: Actor, now: datetime) -> None:
    """Throw a draft away. Raises Refusal NOT_ALLOWED, WRONG_STATE once it was published."""
    procedure, _ = _place_of(session, survey)
    procedures.require_planner(by, procedure)
    if survey.state != SurveyState.DRAFT.value:
        raise Refusal(Code.WRONG_STATE, state=survey.state)
    _note(session, survey, "survey_discarded", by=by, now=now)
    session.delete(survey)
    session.flush()


def _place_of(session: Session, survey: Survey) -> tuple[Procedure, Phase]:
    return session.get_one(Procedure, survey.procedure_id), session.get_one(Phase, survey.phase_id)


# --- answered --------------------------------------------------------------------------------------


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
    procedure, phase = _place_of(session, survey)
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
                session, earlier, sheet.typed, version=sheet.version, channel=sheet.channel, by=by, now=now
            )
        return earlier
    _require_open(survey, phase, stands, is_public=who is PUBLIC)
    if sheet.version != survey.version:
        raise Refusal(Code.CHANGED_MEANWHILE)
    _require_audience(session, survey, phase, sheet, is_public=who is PUBLIC)
    reading = _read(survey, sheet.typed)
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
        is_late=not phase.is_in_time(received_at) or bool(survey.ended_at and received_at > survey.ended_at),
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
    by: Actor,
    now: datetime,
) -> SurveyEntry:
    """Answer anew: a further version, the earlier ones stay. The same answers change nothing.

    Whoever calls has made sure that it is theirs (by the code). Raises Refusal NOT_ALLOWED, ALREADY_WITHDRAWN,
    PHASE_CLOSED, CHANGED_MEANWHILE, NOTHING_ANSWERED and those of `questions.read`.
    """
    survey = session.get_one(Survey, entry.survey_id)
    procedure, phase = _place_of(session, survey)
    who = _who(channel, survey, by)
    journal.hold(session, survey.municipality_id)
    session.refresh(survey)
    session.refresh(entry)
    if entry.state != EntryState.RECEIVED.value:
        raise Refusal(Code.ALREADY_WITHDRAWN)
    _require_open(survey, phase, standing(survey, procedure, phase, now), is_public=True)
    if version != survey.version:
        raise Refusal(Code.CHANGED_MEANWHILE)
    reading = _read(survey, typed)
    if reading.answers != newest(session, entry).answers:
        _add_version(session, survey, entry, reading, channel=channel, by=who, now=now)
    return entry


def withdraw(session: Session, entry: SurveyEntry, *, channel: str = "web", by: Actor, now: datetime) -> None:
    """Take an answer back, at any time: it counts nowhere from now on, and nobody reads its words. Twice is once."""
    survey = session.get_one(Survey, entry.survey_id)
    who = _who(channel, survey, by)
    journal.hold(session, survey.municipality_id)
    session.refresh(entry)
    if entry.state != EntryState.RECEIVED.value:
        return
    entry.state = EntryState.WITHDRAWN.value
    session.add(entry)
    _let_go(session, entry)
    _note(
        session, survey, "survey_answer_withdrawn", by=who, now=now, entry=entry,
        reference=entry.reference, channel=channel,
    )  # fmt: skip


def newest(session: Session, entry: SurveyEntry) -> SurveyAnswer:
    """The answers that count."""
    return session.exec(
        select(SurveyAnswer).where(SurveyAnswer.entry_id == entry.id, SurveyAnswer.number == entry.version)
    ).one()


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


def _read(survey: Survey, typed: Typed) -> questions.Reading:
    reading = questions.read(survey.asks, typed)
    for refusal in reading.wrong:
        raise refusal
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
    _note(
        session, survey, "survey_answered" if entry.version == 1 else "survey_answer_changed", by=by, now=now, entry=entry,
        reference=entry.reference, version=entry.version, channel=channel,
        received_at=entry.received_at.isoformat(), late=entry.is_late, sha256=made.sha256,
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
        (row.question, row.words): row
        for row in session.exec(
            select(SurveyWords).where(
                SurveyWords.entry_id == entry.id, SurveyWords.state != WordsState.GONE.value
            )
        ).all()
    }
    for question in survey.asks:
        said = answers.get(question.key)
        if question.kind not in IN_WORDS or not isinstance(said, str):
            continue
        if known.pop((question.key, said), None) is None:
            lon, lat = _where(session, survey, said) if question.kind is QuestionKind.PLACE else (None, None)
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
                    # Of a late answer, or where it was said that only the planners read it, nobody else is to read it.
                    state=(
                        WordsState.WAITING
                        if survey.shows_words and not entry.is_late
                        else WordsState.WITHHELD
                    ).value,
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


# --- words before a moderator ----------------------------------------------------------------------


def decided_words(
    session: Session, municipality_id: int, procedure_ids: Sequence[int] | None, *, limit: int = 20
) -> list[tuple[SurveyWords, Survey]]:
    """Words that were decided on last, the newest decision first, for whoever wants to turn one round. One query."""
    question = (
        select(SurveyWords, Survey)
        .join(Survey, col(Survey.id) == col(SurveyWords.survey_id))
        .where(
            SurveyWords.municipality_id == municipality_id,
            col(SurveyWords.decided_at).is_not(None),
            SurveyWords.state != WordsState.GONE.value,
        )
        .order_by(col(SurveyWords.decided_at).desc(), col(SurveyWords.id).desc())
        .limit(limit)
    )
    if procedure_ids is not None:
        question = question.where(col(SurveyWords.procedure_id).in_(procedure_ids))
    return list(session.exec(question).all())


def waiting_words(
    session: Session, municipality_id: int, procedure_ids: Sequence[int] | None, *, limit: int = 20
) -> list[tuple[SurveyWords, Survey]]:
    """Words that nobody has read yet, oldest first; `procedure_ids`: of these consultations, None: of all. One query."""
    question = (
        select(SurveyWords, Survey)
        .join(Survey, col(Survey.id) == col(SurveyWords.survey_id))
        .where(SurveyWords.municipality_id == municipality_id, SurveyWords.state == WordsState.WAITING.value)
        .order_by(col(SurveyWords.id))
        .limit(limit)
    )
    if procedure_ids is not None:
        question = question.where(col(SurveyWords.procedure_id).in_(procedure_ids))
    return list(session.exec(question).all())


def waiting_count(session: Session, municipality_id: int, procedure_ids: Sequence[int] | None) -> int:
    """How many words wait."""
    question = select(func.count(col(SurveyWords.id))).where(
        SurveyWords.municipality_id == municipality_id, SurveyWords.state == WordsState.WAITING.value
    )
    if procedure_ids is not None:
        question = question.where(col(SurveyWords.procedure_id).in_(procedure_ids))
    return session.exec(question).one()


def words_by_id(session: Session, municipality_id: int, words_id: int) -> SurveyWords | None:
    """Words by their key, if they belong to the municipality."""
    row = session.get(SurveyWords, words_id)
    return row if row and row.municipality_id == municipality_id else None


def decide(
    session: Session,
    row: SurveyWords,
    *,
    shown: str | None,
    reason: Reason | None = None,
    by: Actor,
    now: datetime,
) -> None:
    """Let everybody read the words, as they are or with passages blacked out (`shown`), or nobody (None), with a reason.

    A decision can be turned round. Raises Refusal NOT_ALLOWED, REASON_REQUIRED ("reason"), NOT_BLACKENED ("shown": words
    were changed), DECIDED_MEANWHILE where whoever said them has changed or withdrawn them, WRONG_STATE where it was said that
    only the planners read them.
    """
    if not may(by, Permission.MODERATE, municipality_id=row.municipality_id, procedure_id=row.procedure_id):
        raise Refusal(Code.NOT_ALLOWED)
    survey = session.get_one(Survey, row.survey_id)
    if not survey.shows_words:
        raise Refusal(Code.WRONG_STATE)
    if shown is None and reason is None:
        raise Refusal(Code.REASON_REQUIRED, "reason")
    if shown is not None:
        shown = normalise(shown, field="shown", limit=2 * questions.TEXT_LIMIT).strip()
        if not shown or not questions.is_blackened(row.words, shown):
            raise Refusal(Code.NOT_BLACKENED, "shown")
    journal.hold(session, row.municipality_id)
    session.refresh(row)
    if row.state == WordsState.GONE.value:
        raise Refusal(Code.DECIDED_MEANWHILE)
    row.state = (WordsState.WITHHELD if shown is None else WordsState.SHOWN).value
    row.shown, row.reason = shown or "", reason.value if reason and shown is None else ""
    row.decided_by, row.decided_at = by.label, now
    session.add(row)
    session.flush()
    _note(
        session, survey, "survey_words_shown" if shown else "survey_words_withheld", by=by, now=now,
        words=row.id, reason=row.reason, sha256=journal.digest([row.words, row.shown]),
    )  # fmt: skip


# --- what it comes to ------------------------------------------------------------------------------


@dataclass(frozen=True, order=True)
class Said:
    """Words that everybody may read; where they are the name of a place, a point on it in degrees."""

    words: str
    lon: float | None = None
    lat: float | None = None


@dataclass(frozen=True)
class Words:
    """What was said to a question in own words: those that everybody may read, in no order that ties them to others."""

    shown: tuple[Said, ...] = ()
    waiting: int = 0
    withheld: int = 0


@dataclass(frozen=True)
class Results:
    """What a survey comes to: of `answered` that count, so many came online; late ones are kept and counted apart."""

    answered: int
    online: int
    late: int
    withdrawn: int
    questions: tuple[Result, ...]
    words: Mapping[str, Words]

    @property
    def otherwise(self) -> int:
        """How many came on paper, by telephone, at the counter."""
        return self.answered - self.online


def results(session: Session, survey: Survey) -> Results:
    """Count a survey's answers, question by question; three queries, whatever their number."""
    state, late = col(SurveyEntry.state), col(SurveyEntry.is_late)
    counts: dict[tuple[str, bool, str], int] = {
        (each[0], bool(each[1]), each[2]): each[3]
        for each in session.exec(
            select(SurveyEntry.state, SurveyEntry.is_late, SurveyEntry.channel, func.count())
            .where(SurveyEntry.survey_id == survey.id)
            .group_by(state, late, col(SurveyEntry.channel))
        ).all()
    }
    counted = {
        channel: number
        for (stands, is_late, channel), number in counts.items()
        if stands == EntryState.RECEIVED.value and not is_late
    }
    given = session.exec(
        select(SurveyAnswer.answers)
        .join(SurveyEntry, col(SurveyEntry.id) == col(SurveyAnswer.entry_id))
        .where(
            SurveyEntry.survey_id == survey.id,
            SurveyAnswer.number == SurveyEntry.version,
            SurveyEntry.state == EntryState.RECEIVED.value,
            col(SurveyEntry.is_late).is_(False),
        )
    )
    return Results(
        answered=sum(counted.values()),
        online=sum(
            number for channel, number in counted.items() if channels.by_key(channel).entry is Entry.PUBLIC
        ),
        late=sum(
            number
            for (stands, is_late, _), number in counts.items()
            if stands == EntryState.RECEIVED.value and is_late
        ),
        withdrawn=sum(
            number for (stands, *_), number in counts.items() if stands == EntryState.WITHDRAWN.value
        ),
        questions=questions.tally(survey.asks, given),
        words=_words_of(session, survey),
    )


def _words_of(session: Session, survey: Survey) -> dict[str, Words]:
    rows = session.exec(
        select(SurveyWords).where(
            SurveyWords.survey_id == survey.id, SurveyWords.state != WordsState.GONE.value
        )
    ).all()
    found: dict[str, Words] = {}
    for question in survey.asks:
        if question.kind in IN_WORDS:
            own = [row for row in rows if row.question == question.key]
            shown = [
                Said(row.shown, *((row.lon, row.lat) if row.shown == row.words else (None, None)))
                for row in own
                if row.state == WordsState.SHOWN.value
            ]
            found[question.key] = Words(
                # In the order of the words themselves: the first of one question and the first of the next are not one person's.
                tuple(sorted(shown, key=lambda said: said.words)),
                sum(row.state == WordsState.WAITING.value for row in own),
                sum(row.state == WordsState.WITHHELD.value for row in own),
            )
    return found


def sheets(session: Session, survey: Survey) -> Iterator[tuple[SurveyEntry, SurveyAnswer]]:
    """All that was answered, late and withdrawn ones too, in the order in which it was entered; for the planners alone."""
    last = 0
    while True:
        rows = session.exec(
            select(SurveyEntry, SurveyAnswer)
            .join(SurveyAnswer, col(SurveyAnswer.entry_id) == col(SurveyEntry.id))
            .where(
                SurveyEntry.survey_id == survey.id,
                SurveyAnswer.number == SurveyEntry.version,
                SurveyEntry.entry_number > last,
            )
            .order_by(col(SurveyEntry.entry_number))
            .limit(BATCH)
        ).all()
        yield from rows
        if len(rows) < BATCH:
            return
        last = rows[-1][0].entry_number


# --- does it still stand? --------------------------------------------------------------------------


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
            before, subject = "", _subject(entry)
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
            col(journal.JournalEntry.subject).in_([_subject(entry) for entry in entries]),
            col(journal.JournalEntry.verb).in_(("survey_answered", "survey_answer_changed")),
        )
    ).all()
    return {(subject, facts["version"]): facts["sha256"] for subject, facts in rows}


def _subject(entry: SurveyEntry) -> str:
    return f"survey_entry:{entry.id}"


def _note(
    session: Session,
    survey: Survey,
    verb: str,
    *,
    by: Actor,
    now: datetime,
    entry: SurveyEntry | None = None,
    **facts: Any,
) -> None:
    session.flush()
    journal.append(
        session,
        municipality_id=survey.municipality_id,
        verb=verb,
        by=by,
        at=now,
        procedure_id=survey.procedure_id,
        subject=f"survey:{survey.id}" if entry is None else _subject(entry),
        facts=facts,
    )
