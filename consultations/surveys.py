"""Surveys: questions that a phase puts to people; how planners put them together, publish and end them.

Nobody is asked for a name, and nothing that is kept leads from an answer to a person: who answers online is `PUBLIC`, signed in
or not. Each answer has a receipt with an access code, by which it can be read, changed (each change is a further row, sealed
and chained) and withdrawn. Once somebody has answered, the questions stand still; other questions are another survey.
What people say in their own words is read by a moderator before everybody can.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Column, Index, UniqueConstraint, func
from sqlmodel import Field, Session, SQLModel, col, select

from consultations import channels, contributions, journal, procedures, proposing, questions
from consultations.channels import Entry
from consultations.cocreation import Counts, Opening
from consultations.deadlines import PhaseState
from consultations.permissions import Actor
from consultations.phases import Phase, Track, phases_of
from consultations.procedures import Procedure, ProcedureState
from consultations.questions import Question
from consultations.refusals import Code, Refusal
from consultations.tables import BigKey, Json, UtcDateTime, only
from consultations.text import normalise

TITLE_LIMIT = 200
INTRODUCTION_LIMIT = 10_000
REASON_LIMIT = 500
NOTE_LIMIT = 500
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

    def is_translated(self, language: str, name: str = "title") -> bool:
        """Whether `said` gives a text in that language, and not in the first one."""
        return bool(self.translations.get(language, {}).get(name))


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
            **only("state = 'waiting'"),
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
    #: Where it is, in degrees: the pin that was set, or a point on the place of that name in the register.
    lon: float | None = None
    lat: float | None = None
    #: Whether somebody set it, so that it stays when words beside it are blacked out.
    is_pin: bool = False
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


def by_ids(session: Session, keys: Collection[int]) -> list[Survey]:
    """The surveys with these ids; one query, none for none."""
    return list(session.exec(select(Survey).where(col(Survey.id).in_(keys))).all()) if keys else []


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


def entry_at_counter(session: Session, survey: Survey, typed: str) -> SurveyEntry | None:
    """The answers that somebody names at the counter: by their access code; by the number on the sheet only what was taken in
    there and not changed elsewhere since, so that nobody opens by a number what others answered at home."""
    entry = by_access_code(session, survey.municipality_id, typed)
    if entry is None:
        entry = session.exec(
            select(SurveyEntry).where(
                SurveyEntry.survey_id == survey.id, SurveyEntry.reference == "".join(typed.split()).upper()
            )
        ).first()
        if entry is not None and any(
            channels.by_key(each).entry is not Entry.CLERK for each in _channels_of(session, entry)
        ):
            return None
    return entry if entry is not None and entry.survey_id == survey.id else None


def _channels_of(session: Session, entry: SurveyEntry) -> set[str]:
    """By which ways its versions came."""
    of = select(SurveyAnswer.channel).where(SurveyAnswer.entry_id == entry.id)
    return {entry.channel, *session.exec(of).all()}


def entry_by_id(session: Session, municipality_id: int, entry_id: int) -> SurveyEntry | None:
    """An answer by its key, if it belongs to the municipality."""
    entry = session.get(SurveyEntry, entry_id)
    return entry if entry and entry.municipality_id == municipality_id else None


def entry_by_key(session: Session, survey_id: int, key: str) -> SurveyEntry | None:
    """An answer by the key of its sending."""
    return session.exec(
        select(SurveyEntry).where(SurveyEntry.survey_id == survey_id, SurveyEntry.submission_key == key)
    ).first()


def standing(survey: Survey, procedure: Procedure, phase: Phase, now: datetime) -> Standing:
    """Where a survey stands: its phase says when, as long as the consultation is public. Only `end`, with words that everybody
    reads, closes it sooner: a planner who takes surveys out of what the phase opens would otherwise see the result early."""
    if survey.state == SurveyState.DRAFT.value or procedure.state == ProcedureState.DRAFT.value:
        return Standing.DRAFT
    if survey.state == SurveyState.ENDED.value or procedure.state != ProcedureState.PUBLISHED.value:
        return Standing.OVER
    return {
        PhaseState.COMING: Standing.COMING,
        PhaseState.OPEN: Standing.OPEN,
        PhaseState.OVER: Standing.OVER,
    }[phase.state(now)]


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
    note_in_journal(
        session, survey, "survey_saved", by=by, now=now,
        version=survey.version, title=survey.title, questions=len(facts), questions_sha256=journal.digest(facts),
    )  # fmt: skip
    return survey


def publish(session: Session, survey: Survey, *, note: str = "", by: Actor, now: datetime) -> None:
    """Let everybody answer, as soon as its phase has begun; the phase declares from now on that it opens a survey.

    `note`: what everybody reads beside the change of a public consultation. Raises Refusal NOT_ALLOWED, WRONG_STATE,
    REASON_REQUIRED ("note"), PHASE_CLOSED, UNKNOWN_REFERENCE ("phase": it is formal now), and those of `questions.wrong_in`.
    """
    procedure, phase = place_of(session, survey)
    procedures.require_planner(by, procedure)
    journal.hold(session, survey.municipality_id)
    session.refresh(survey)
    if survey.state != SurveyState.DRAFT.value:
        raise Refusal(Code.WRONG_STATE, state=survey.state)
    for refusal in questions.wrong_in(survey.asks):
        raise refusal
    if phase.state(now) is PhaseState.OVER:
        raise Refusal(Code.PHASE_CLOSED, ended=phase.ends_on)
    if not phases_for([phase], now):  # it became formal since the draft was made
        raise Refusal(Code.UNKNOWN_REFERENCE, "phase")
    survey.state, survey.published_at = SurveyState.PUBLISHED.value, now
    session.add(survey)
    _declare(session, procedure, phase, note=note, by=by, now=now)
    note_in_journal(
        session, survey, "survey_published", by=by, now=now, questions_sha256=journal.digest(survey.questions)
    )


def end(session: Session, survey: Survey, *, reason: str, by: Actor, now: datetime) -> None:
    """Take no more answers before the end of its phase; `reason` is read by everybody. What was answered is kept.

    Raises Refusal NOT_ALLOWED, WRONG_STATE, REASON_REQUIRED ("reason").
    """
    procedure, phase = place_of(session, survey)
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
    note_in_journal(session, survey, "survey_ended", by=by, now=now, reason=reason)


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
    procedure, phase = place_of(session, survey)
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
    procedure, _ = place_of(session, survey)
    procedures.require_planner(by, procedure)
    if survey.state != SurveyState.DRAFT.value:
        raise Refusal(Code.WRONG_STATE, state=survey.state)
    note_in_journal(session, survey, "survey_discarded", by=by, now=now)
    session.delete(survey)
    session.flush()


def place_of(session: Session, survey: Survey) -> tuple[Procedure, Phase]:
    """The consultation and the phase that a survey belongs to."""
    return session.get_one(Procedure, survey.procedure_id), session.get_one(Phase, survey.phase_id)


def subject_of(entry: SurveyEntry) -> str:
    """How an answer is named in the journal."""
    return f"survey_entry:{entry.id}"


def note_in_journal(
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
        subject=f"survey:{survey.id}" if entry is None else subject_of(entry),
        facts=facts,
    )
