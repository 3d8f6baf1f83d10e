"""What surveys come to: words before a moderator, and what was answered, question by question."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func
from sqlmodel import Session, col, select

from consultations import channels, journal, questions
from consultations.channels import Entry
from consultations.moderation import Reason
from consultations.permissions import Actor, Permission, may
from consultations.questions import IN_WORDS, Result
from consultations.refusals import Code, Refusal
from consultations.surveys import (
    BATCH,
    EntryState,
    Survey,
    SurveyAnswer,
    SurveyEntry,
    SurveyWords,
    WordsState,
    note_in_journal,
)
from consultations.text import normalise


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
    note_in_journal(
        session, survey, "survey_words_shown" if shown else "survey_words_withheld", by=by, now=now,
        words=row.id, reason=row.reason, sha256=journal.digest([row.words, row.shown]),
    )  # fmt: skip


@dataclass(frozen=True, order=True)
class Said:
    """Words that everybody may read; where somebody set a pin (then they may be empty), or where they are the name of a place,
    a point in degrees."""

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


#: Decimals of the degrees that everybody may read of a place: some ten metres. A pin without words is read by nobody before
#: it is shown; it tells a corner of a street, and no front door.
PIN_DECIMALS = 4


def _said(row: SurveyWords) -> Said:
    if row.lon is None or row.lat is None or not (row.is_pin or row.shown == row.words):
        return Said(row.shown)
    return Said(row.shown, round(row.lon, PIN_DECIMALS), round(row.lat, PIN_DECIMALS))


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
            shown = [_said(row) for row in own if row.state == WordsState.SHOWN.value]
            found[question.key] = Words(
                # In the order of the words themselves: the first of one question and the first of the next are not one person's.
                tuple(
                    sorted(shown, key=lambda said: (not said.words, said.words, said.lon or 0, said.lat or 0))
                ),
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
