"""The surveys of the demo's dialogue: one that runs, one that is over, answered online and on paper.

What is asked stands in `demo_data/surveys.toml`, with its days; who answers what is drawn by chance, the same each time.
"""

import random
from datetime import datetime
from typing import Any

from sqlmodel import Session

from consultations import channels, survey_answers, survey_results, surveys
from consultations.permissions import PUBLIC, Role
from consultations.phases import phases_of
from consultations.questions import (
    IN_WORDS,
    POSITION,
    Condition,
    Option,
    Question,
    QuestionKind,
    is_asked,
    name_of,
    read,
)
from consultations.survey_answers import Sheet
from consultations.surveys import Survey, SurveyInput


class Surveys:
    """What happens to the told surveys in one consultation of a story."""

    def __init__(self, story: Any, name: str, told: dict[str, Any]) -> None:
        self.story, self.key, self.told = story, name, told["survey"]
        self.rows: dict[int, Survey] = {}

    def gather(self) -> None:
        """Note all that happens, with its day."""
        for number, each in enumerate(self.told):
            self._at(each["begins"], 9, lambda session, at, n=number, e=each: self._begin(session, n, e, at))
            chance, last = random.Random(each["title"]), each.get("ends", 0)
            days = sorted(chance.randint(each["begins"] + 1, last - 1) for _ in range(each["people"]))
            for person, day in enumerate(days):
                self._at(
                    day,
                    chance.randint(10, 20),
                    lambda session, at, n=number, p=person, e=each: self._answer(session, n, p, e, at),
                )
            self._at(last, 8, lambda session, at, n=number, e=each: self._close(session, n, e, at))

    def _at(self, day: int, hour: int, what: Any) -> None:
        at = self.story.moment(day, hour)
        self.story.happens(at, lambda session: what(session, at))

    def _begin(self, session: Session, number: int, told: dict[str, Any], at: datetime) -> None:
        procedure, by = self.story.rows[self.key], self.story.staff[Role.PLANNER]
        phase = phases_of(session, procedure.id or 0)[0]
        asks: list[Question] = []
        for position, each in enumerate(told["question"], start=1):
            asks.append(_question(str(position), each, asks))
        entered = SurveyInput(
            title=told["title"],
            phase_id=phase.id or 0,
            introduction=told["introduction"],
            translations={"en": {name: told[f"{name}_en"] for name in ("title", "introduction")}},
            questions=tuple(asks),
        )
        row = surveys.save(session, procedure, entered, by=by, now=at)
        surveys.publish(session, row, note=f"Eine Umfrage kommt dazu: {told['title']}", by=by, now=at)
        self.rows[number] = row

    def _answer(self, session: Session, number: int, person: int, told: dict[str, Any], at: datetime) -> None:
        survey, chance = self.rows[number], random.Random(f"{told['title']} {person}")
        # Every sixth comes on paper or by telephone.
        channel = (
            (channels.PAPER_FORM, channels.PHONE_RECORD)[person % 2] if person % 6 == 5 else channels.WEB
        )
        words = told["words"]
        typed: dict[str, list[str]] = {}
        # The words are for the last question that asks for some.
        last = [each.key for each in survey.asks if each.kind in IN_WORDS][-1]
        for question in survey.asks:
            if is_asked(question, read(survey.asks, typed).answers):
                said = words[person] if person < len(words) and question.key == last else ""
                typed |= _typed(question, chance, said)
                if question.kind is QuestionKind.PLACE and chance.random() < 0.6:
                    pin = self.story.land.lonlat(chance.gauss(0, 260), chance.gauss(0, 180))
                    names = (name_of(question, each) for each in POSITION)
                    typed |= {name: [f"{value:.6f}"] for name, value in zip(names, pin, strict=True)}
        sheet = Sheet(f"demo-survey-{number}-{person}", typed, survey.version, channel=channel.key)
        by = PUBLIC if channel is channels.WEB else self.story.staff[Role.CLERK]
        survey_answers.answer(session, survey, sheet, by=by, now=at)

    def _close(self, session: Session, number: int, told: dict[str, Any], at: datetime) -> None:
        """The moderator has read some of the words; what ends early is ended."""
        survey = self.rows[number]
        waiting = survey_results.waiting_words(session, survey.municipality_id, None, limit=100)
        for row in [row for row, of in waiting if of.id == survey.id][: told["read"]]:
            survey_results.decide(session, row, shown=row.words, by=self.story.staff[Role.MODERATOR], now=at)
        if "reason" in told:
            surveys.end(session, survey, reason=told["reason"], by=self.story.staff[Role.PLANNER], now=at)


def _question(key: str, told: dict[str, Any], earlier: list[Question]) -> Question:
    english = told.get("options_en", [])
    options = tuple(
        Option(str(at), label, {"en": english[at - 1]}) for at, label in enumerate(told.get("options", []), 1)
    )
    only = None
    if "only" in told:
        about = next(each for each in earlier if each.key == told["only"][0])
        keys = {option.label: option.key for option in about.options}
        only = Condition(about.key, tuple(keys[label] for label in told["only"][1:]))
    return Question(
        key=key,
        kind=QuestionKind(told["kind"]),
        label=told["label"],
        options=options,
        at_most=told.get("at_most"),
        low=told.get("low", ""),
        high=told.get("high", ""),
        only=only,
        translations={
            "en": {name: told[f"{name}_en"] for name in ("label", "low", "high") if f"{name}_en" in told}
        },
    )


def _typed(question: Question, chance: random.Random, words: str) -> dict[str, list[str]]:
    """What somebody answers: the first options more often than the last."""
    if question.kind in IN_WORDS:
        return {name_of(question): [words]} if words else {}
    weights = range(len(question.choices), 0, -1)
    if question.kind in (QuestionKind.CHOICE, QuestionKind.SCALE):
        return {name_of(question): chance.choices(question.choices, weights)}
    if question.kind is QuestionKind.CHOICES:
        most = question.at_most or len(question.choices)
        return {name_of(question): sorted(set(chance.choices(question.choices, weights, k=most)))}
    if question.kind is QuestionKind.MATRIX:
        return {
            name_of(question, key): chance.choices(question.scale, (1, 2, 3, 4, 3))
            for key in question.choices
        }
    order = chance.sample(question.choices, k=chance.randint(2, len(question.choices)))
    return {name_of(question, key): [str(place)] for place, key in enumerate(order, start=1)}
