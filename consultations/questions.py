"""Questions of a survey as data: what can be asked, what an answer to it is, and what all the answers come to. Pure.

A question that is asked only of some (`Condition`) looks back at an earlier one, so that reading from the first to the last
is enough. Whoever was not asked a question has no answer to it, whatever was sent.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

from consultations.refusals import Code, Refusal
from consultations.text import normalise

MOST_QUESTIONS = 40
MOST_OPTIONS = 30
#: Characters of a question, an option, a line of explanation.
LABEL_LIMIT = 300
HINT_LIMIT = 1_000
#: Characters of an answer in a line, and in a text of one's own.
LINE_LIMIT = 300
TEXT_LIMIT = 10_000
#: How many steps a scale may have.
FEWEST_STEPS, MOST_STEPS = 2, 10


class QuestionKind(StrEnum):
    """What an answer looks like."""

    CHOICE = "choice"  # one of the options
    CHOICES = "choices"  # several of them
    RANKING = "ranking"  # options in an order, the most important first
    SCALE = "scale"  # a step from 1 on
    MATRIX = "matrix"  # statements, each with a step of one scale
    LINE = "line"  # a few words
    TEXT = "text"  # as much as somebody wants to say
    PLACE = "place"  # somewhere: a pin on the map, or in words, found in the register of places where it stands there


#: Kinds with options to choose from, and those whose answers are somebody's own words.
WITH_OPTIONS = frozenset(
    {QuestionKind.CHOICE, QuestionKind.CHOICES, QuestionKind.RANKING, QuestionKind.MATRIX}
)
#: Kinds that are answered with a step of a scale.
SCALED = frozenset({QuestionKind.SCALE, QuestionKind.MATRIX})
IN_WORDS = frozenset({QuestionKind.LINE, QuestionKind.TEXT, QuestionKind.PLACE})
#: Kinds whose answers can decide whether a later question is asked.
DECIDING = frozenset({QuestionKind.CHOICE, QuestionKind.CHOICES, QuestionKind.SCALE})

#: Answers by the key of their question: an option, a list of options, a step, words; steps by statement; a place with its pin
#: ("words", "lon", "lat").
Answer = str | int | list[str] | dict[str, str]
Answers = Mapping[str, Answer]
#: The parts of a pin, as fields and answers call them.
POSITION = ("lon", "lat")
#: What was sent, by the names of `name_of`.
Typed = Mapping[str, Sequence[str]]


@dataclass(frozen=True)
class Option:
    """Something to choose; words in the first language of the town, others in `translations`."""

    key: str
    label: str
    translations: Mapping[str, str] = field(default_factory=dict)

    def said(self, language: str, name: str = "label") -> str:
        """Its words in a language; in the first one where they are not translated. It has a `label` only."""
        return self.translations.get(language) or str(getattr(self, name))

    def is_translated(self, language: str, name: str = "label") -> bool:
        """Whether `said` gives words in that language, and not in the first one."""
        return bool(self.translations.get(language))


@dataclass(frozen=True)
class Condition:
    """Asked only of those who answered an earlier question with one of these (options, or steps as "3")."""

    question: str
    answers: tuple[str, ...]


@dataclass(frozen=True)
class Question:
    """One question. `at_least`, `at_most`: how many options one may choose or put in order; None: as many as one likes.

    `steps`, `low`, `high`: of a scale, and what its ends mean; of a matrix `options` are the statements. `translations`: {"en": {"label", "hint", "low", "high"}}.
    """

    key: str
    kind: QuestionKind
    label: str
    hint: str = ""
    options: tuple[Option, ...] = ()
    is_required: bool = False
    at_least: int | None = None
    at_most: int | None = None
    steps: int = 5
    low: str = ""
    high: str = ""
    only: Condition | None = None
    translations: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def said(self, language: str, name: str = "label") -> str:
        """Its words in a language; in the first one where they are not translated."""
        return self.translations.get(language, {}).get(name) or str(getattr(self, name))

    def is_translated(self, language: str, name: str = "label") -> bool:
        """Whether `said` gives words in that language, and not in the first one."""
        return bool(self.translations.get(language, {}).get(name))

    @property
    def choices(self) -> tuple[str, ...]:
        """The keys of what can be chosen: options, or the steps of a scale; of a matrix its statements."""
        if self.kind is QuestionKind.SCALE:
            return self.scale
        return tuple(option.key for option in self.options)

    @property
    def scale(self) -> tuple[str, ...]:
        """The steps of its scale."""
        return tuple(str(step) for step in range(1, self.steps + 1))


def as_facts(questions: Iterable[Question]) -> list[dict[str, Any]]:
    """As they are kept."""
    return [asdict(question) for question in questions]


def from_facts(kept: Iterable[Mapping[str, Any]]) -> tuple[Question, ...]:
    """What `as_facts` kept."""
    return tuple(
        Question(
            **{
                **facts,
                "kind": QuestionKind(facts["kind"]),
                "options": tuple(Option(**option) for option in facts["options"]),
                "only": Condition(facts["only"]["question"], tuple(facts["only"]["answers"]))
                if facts["only"]
                else None,
            }
        )
        for facts in kept
    )


# --- may this be asked? ----------------------------------------------------------------------------


def wrong_in(questions: Sequence[Question]) -> Iterator[Refusal]:
    """Everything that is wrong with questions as somebody put them together; fields are "questions-N-name", N from 0.

    SURVEY_EMPTY, QUESTIONS_TOO_MANY, QUESTION_NAMELESS, OPTIONS_TOO_FEW, OPTIONS_TOO_MANY, NAME_TAKEN (an option twice),
    BOUNDS_TURNED, CONDITION_UNKNOWN, ANSWER_TOO_LONG.
    """
    if not questions:
        yield Refusal(Code.SURVEY_EMPTY, "questions")
    if len(questions) > MOST_QUESTIONS:
        yield Refusal(Code.QUESTIONS_TOO_MANY, "questions", limit=MOST_QUESTIONS)
    earlier: dict[str, Question] = {}
    for at, question in enumerate(questions):
        for refusal in _wrong_in_one(question, earlier):
            yield Refusal(refusal.code, f"questions-{at}-{refusal.field}", **refusal.facts)
        earlier[question.key] = question


def _wrong_in_one(question: Question, earlier: Mapping[str, Question]) -> Iterator[Refusal]:
    if not question.label.strip():
        yield Refusal(Code.QUESTION_NAMELESS, "label")
    for name, limit in (
        ("label", LABEL_LIMIT),
        ("hint", HINT_LIMIT),
        ("low", LABEL_LIMIT),
        ("high", LABEL_LIMIT),
    ):
        spelled = [
            getattr(question, name),
            *(words.get(name, "") for words in question.translations.values()),
        ]
        if any(len(words) > limit for words in spelled):
            yield Refusal(Code.ANSWER_TOO_LONG, name, limit=limit)
    if question.kind in WITH_OPTIONS:
        yield from _wrong_in_options(question)
    if question.kind in SCALED and not FEWEST_STEPS <= question.steps <= MOST_STEPS:
        yield Refusal(Code.BOUNDS_TURNED, "steps")
    if question.only is not None:
        asked = earlier.get(question.only.question)
        known = asked.choices if asked and asked.kind in DECIDING else ()
        if not question.only.answers or not set(question.only.answers) <= set(known):
            yield Refusal(Code.CONDITION_UNKNOWN, "only")


def _wrong_in_options(question: Question) -> Iterator[Refusal]:
    labels = [" ".join(option.label.split()).casefold() for option in question.options]
    if len(labels) < 2:
        yield Refusal(Code.OPTIONS_TOO_FEW, "options")
    if len(labels) > MOST_OPTIONS:
        yield Refusal(Code.OPTIONS_TOO_MANY, "options", limit=MOST_OPTIONS)
    twice = next(
        (option.label for option in question.options if labels.count(option.label.casefold()) > 1), ""
    )
    if twice:
        yield Refusal(Code.NAME_TAKEN, "options", name=twice)
    if any(len(option.label) > LABEL_LIMIT for option in question.options):
        yield Refusal(Code.ANSWER_TOO_LONG, "options", limit=LABEL_LIMIT)
    if question.kind in (QuestionKind.CHOICE, QuestionKind.MATRIX):
        return
    least, most = question.at_least, question.at_most
    if any(each is not None and not 1 <= each <= len(labels) for each in (least, most)) or (
        least is not None and most is not None and least > most
    ):
        yield Refusal(Code.BOUNDS_TURNED, "at_most")


# --- what somebody answers -------------------------------------------------------------------------


@dataclass(frozen=True)
class Reading:
    """What was sent, read: `ignored` are answers to questions that were not asked of this person."""

    answers: dict[str, Answer]
    ignored: tuple[str, ...]
    wrong: tuple[Refusal, ...]


def name_of(question: Question, option: str = "") -> str:
    """What the field of a question is called; in a ranking and a matrix there is one for each option, beside a place's words
    one for "lon" and one for "lat"."""
    return f"q{question.key}-{option}" if option else f"q{question.key}"


def is_asked(question: Question, answers: Answers) -> bool:
    """Whether somebody who answered the earlier questions so is asked this one."""
    if question.only is None:
        return True
    given = answers.get(question.only.question)
    chosen = given if isinstance(given, list) else [] if given is None else [str(given)]
    return any(each in question.only.answers for each in chosen)


def read(questions: Sequence[Question], typed: Typed) -> Reading:
    """Read what was sent. Nothing is cut and nothing guessed: what is not among the options is refused.

    `wrong` holds ANSWER_REQUIRED, ANSWER_UNKNOWN, CHOSEN_TOO_FEW (least), CHOSEN_TOO_MANY (most), RANK_TWICE,
    ANSWER_TOO_LONG (limit), LOCATION_INVALID (problem), each with its field and the question's number.
    """
    answers: dict[str, Answer] = {}
    ignored: list[str] = []
    wrong: list[Refusal] = []
    for number, question in enumerate(questions, start=1):
        said = any(value.strip() for value in _values(question, typed))
        if not is_asked(question, answers):
            ignored += [question.key] if said else []
            continue
        try:
            answer = _READERS[question.kind](question, typed)
            if answer is None and question.is_required:
                raise Refusal(Code.ANSWER_REQUIRED)
        except Refusal as refusal:
            wrong.append(Refusal(refusal.code, name_of(question), **{"number": number, **refusal.facts}))
            continue
        if answer is not None:
            answers[question.key] = answer
    return Reading(answers, tuple(ignored), tuple(wrong))


def _values(question: Question, typed: Typed) -> Iterator[str]:
    for name in names_of(question):
        yield from typed.get(name, ())


def names_of(question: Question) -> tuple[str, ...]:
    """All fields of a question, by the names under which they are sent."""
    if question.kind in (QuestionKind.RANKING, QuestionKind.MATRIX):
        return tuple(name_of(question, option.key) for option in question.options)
    if question.kind is QuestionKind.PLACE:
        return (name_of(question), *(name_of(question, each) for each in POSITION))
    return (name_of(question),)


def _sent(question: Question, typed: Typed) -> list[str]:
    return [value for value in typed.get(name_of(question), ()) if value.strip()]


def _one(question: Question, typed: Typed) -> str | None:
    sent = set(_sent(question, typed))
    if not sent <= set(question.choices) or len(sent) > 1:
        raise Refusal(Code.ANSWER_UNKNOWN)
    return next(iter(sent), None)


def _several(question: Question, typed: Typed) -> list[str] | None:
    sent = set(_sent(question, typed))
    if not sent <= set(question.choices):
        raise Refusal(Code.ANSWER_UNKNOWN)
    return _within(question, [key for key in question.choices if key in sent])


def _ranked(question: Question, typed: Typed) -> list[str] | None:
    places = {str(place): place for place in range(1, len(question.options) + 1)}
    found: dict[int, str] = {}
    for key in question.choices:
        sent = {value.strip() for value in typed.get(name_of(question, key), ()) if value.strip()}
        if not sent:
            continue
        if len(sent) > 1 or not sent <= places.keys():
            raise Refusal(Code.ANSWER_UNKNOWN)
        place = places[sent.pop()]
        if place in found:
            raise Refusal(Code.RANK_TWICE, place=place)
        found[place] = key
    return _within(question, [found[place] for place in sorted(found)])


def _within(question: Question, chosen: list[str]) -> list[str] | None:
    """As many as may be chosen; nothing chosen is no answer, which only a required question minds."""
    if not chosen:
        return None
    if question.at_least is not None and len(chosen) < question.at_least:
        raise Refusal(Code.CHOSEN_TOO_FEW, least=question.at_least)
    if question.at_most is not None and len(chosen) > question.at_most:
        raise Refusal(Code.CHOSEN_TOO_MANY, most=question.at_most)
    return chosen


def _step(question: Question, typed: Typed) -> int | None:
    chosen = _one(question, typed)
    return None if chosen is None else int(chosen)


def _words(limit: int) -> Callable[[Question, Typed], str | None]:
    def read_words(question: Question, typed: Typed) -> str | None:
        words = next(iter(_sent(question, typed)), "")
        if len(words) > limit:
            raise Refusal(Code.ANSWER_TOO_LONG, limit=limit)
        return normalise(words, limit=2 * limit).strip() or None

    return read_words


def _matrix(question: Question, typed: Typed) -> dict[str, str] | None:
    found: dict[str, str] = {}
    for key in question.choices:
        sent = {value.strip() for value in typed.get(name_of(question, key), ()) if value.strip()}
        if len(sent) > 1 or not sent <= set(question.scale):
            raise Refusal(Code.ANSWER_UNKNOWN)
        if sent:
            found[key] = sent.pop()
    if question.is_required and len(found) < len(question.options):
        raise Refusal(Code.ANSWER_REQUIRED)
    return found or None


def _place(question: Question, typed: Typed) -> Answer | None:
    """Words, or a pin with or without them; whether it lies where a pin can lie is for whoever knows the map."""
    words = _words(LINE_LIMIT)(question, typed)
    sent = [next(iter(typed.get(name_of(question, each), ())), "").strip() for each in POSITION]
    if not any(sent):
        return words
    try:
        lon, lat = (float(each.replace(",", ".")) for each in sent)
    except ValueError:
        raise Refusal(Code.LOCATION_INVALID, problem="not_finite") from None
    if not (-180 <= lon <= 180 and -90 <= lat <= 90):  # also for what is no number at all
        raise Refusal(Code.LOCATION_INVALID, problem="not_finite")
    return {"words": words or "", "lon": f"{lon:.6f}", "lat": f"{lat:.6f}"}


def own_words(answer: Answer | None) -> str:
    """What somebody said in their own words; empty where they only set a pin."""
    if isinstance(answer, dict):
        return answer.get("words", "")
    return answer if isinstance(answer, str) else ""


def pin_of(answer: Answer | None) -> tuple[float, float] | None:
    """Where somebody set a pin (longitude, latitude in degrees), or None."""
    return (
        (float(answer["lon"]), float(answer["lat"])) if isinstance(answer, dict) and "lon" in answer else None
    )


_READERS: Mapping[QuestionKind, Callable[[Question, Typed], Answer | None]] = {
    QuestionKind.CHOICE: _one,
    QuestionKind.CHOICES: _several,
    QuestionKind.RANKING: _ranked,
    QuestionKind.SCALE: _step,
    QuestionKind.LINE: _words(LINE_LIMIT),
    QuestionKind.TEXT: _words(TEXT_LIMIT),
    QuestionKind.MATRIX: _matrix,
    QuestionKind.PLACE: _place,
}


def typed_again(questions: Sequence[Question], answers: Answers) -> dict[str, list[str]]:
    """Answers as a form would send them, so that they can be changed."""
    found: dict[str, list[str]] = {}
    for question in questions:
        answer = answers.get(question.key)
        if answer is None:
            continue
        if question.kind is QuestionKind.RANKING and isinstance(answer, list):
            found |= {name_of(question, key): [str(place)] for place, key in enumerate(answer, start=1)}
        elif question.kind is QuestionKind.PLACE and isinstance(answer, dict):
            found |= {name_of(question): [answer["words"]]} if answer["words"] else {}
            found |= {name_of(question, each): [answer[each]] for each in POSITION}
        elif isinstance(answer, dict):
            found |= {name_of(question, key): [step] for key, step in answer.items()}
        else:
            found[name_of(question)] = answer if isinstance(answer, list) else [str(answer)]
    return found


# --- what it comes to ------------------------------------------------------------------------------


@dataclass(frozen=True)
class Count:
    """How often one thing was chosen; `share` of those who answered the question, from 0 to 1.

    In a ranking `number` is how often it was put first, and `points` what all places come to: of four options the first
    place counts four points, the second three; what somebody left out gets none.
    """

    key: str
    number: int
    share: float
    points: int = 0


@dataclass(frozen=True)
class Statement:
    """What all answers to one statement of a matrix come to; shares are of those who answered this one."""

    key: str
    answered: int
    counts: tuple[Count, ...]
    mean: float | None


@dataclass(frozen=True)
class Result:
    """What all answers to a question come to. `asked`: of how many it was asked; `mean`: of a scale; `statements`: of a
    matrix, which has no counts of its own."""

    question: Question
    asked: int
    answered: int
    counts: tuple[Count, ...] = ()
    mean: float | None = None
    statements: tuple[Statement, ...] = ()


def tally(questions: Sequence[Question], sheets: Iterable[Answers]) -> tuple[Result, ...]:
    """Count answers question by question; each sheet is looked at once and no two of its answers are put together."""
    asked: Counter[str] = Counter()
    answered: Counter[str] = Counter()
    chosen: Counter[tuple[str, str]] = Counter()
    points: Counter[tuple[str, str]] = Counter()
    for answers in sheets:
        for question in questions:
            asked[question.key] += is_asked(question, answers)
            answer = answers.get(question.key)
            if answer is None:
                continue
            answered[question.key] += 1
            if question.kind is QuestionKind.RANKING and isinstance(answer, list):
                chosen[question.key, answer[0]] += 1
                for place, key in enumerate(answer):
                    points[question.key, key] += len(question.options) - place
            elif question.kind is QuestionKind.MATRIX and isinstance(answer, dict):
                chosen.update((question.key, f"{key}:{step}") for key, step in answer.items())
            elif question.kind not in IN_WORDS and not isinstance(answer, dict):
                chosen.update(
                    (question.key, key) for key in (answer if isinstance(answer, list) else [str(answer)])
                )
    return tuple(_result(each, asked[each.key], answered[each.key], chosen, points) for each in questions)


def _result(
    question: Question,
    asked: int,
    answered: int,
    chosen: Mapping[tuple[str, str], int],
    points: Mapping[tuple[str, str], int],
) -> Result:
    if question.kind is QuestionKind.MATRIX:
        statements = tuple(_statement(question, key, chosen) for key in question.choices)
        return Result(question, asked, answered, statements=statements)
    counts = tuple(
        Count(
            key,
            chosen.get((question.key, key), 0),
            chosen.get((question.key, key), 0) / answered if answered else 0.0,
            points.get((question.key, key), 0),
        )
        for key in question.choices
    )
    mean = _mean(counts, answered) if question.kind is QuestionKind.SCALE else None
    return Result(question, asked, answered, counts, mean)


def _statement(question: Question, key: str, chosen: Mapping[tuple[str, str], int]) -> Statement:
    numbers = {step: chosen.get((question.key, f"{key}:{step}"), 0) for step in question.scale}
    answered = sum(numbers.values())
    counts = tuple(
        Count(step, number, number / answered if answered else 0.0) for step, number in numbers.items()
    )
    return Statement(key, answered, counts, _mean(counts, answered))


def _mean(counts: Iterable[Count], answered: int) -> float | None:
    return sum(int(each.key) * each.number for each in counts) / answered if answered else None


# --- words that others may read --------------------------------------------------------------------

#: What takes the place of words that nobody is to read.
BLACK = "█"


def is_blackened(original: str, shown: str) -> bool:
    """Whether `shown` is the original with nothing but passages blacked out: no word was added, changed or moved."""
    at = 0
    parts = shown.split(BLACK)
    for number, part in enumerate(parts):
        found = original.find(part, at) if number else (0 if original.startswith(part) else -1)
        if found < 0:
            return False
        at = found + len(part)
    return at == len(original) or (len(parts) > 1 and original.endswith(parts[-1]))
