"""Questions of a survey: whatever is sent, what is read are answers to what was asked, and the counts add up."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from consultations import questions
from consultations.questions import Condition, Option, Question, QuestionKind, name_of
from consultations.refusals import Code

YES_NO = (Option("1", "Ja"), Option("2", "Nein"))
TREES = tuple(Option(str(at), name) for at, name in enumerate(("Linde", "Ahorn", "Eiche", "Ulme"), start=1))


def _questions() -> tuple[Question, ...]:
    """One of each kind; from the second on each may be asked only of some."""
    return (
        Question("1", QuestionKind.CHOICE, "Wohnen Sie hier?", options=YES_NO, is_required=True),
        Question("2", QuestionKind.SCALE, "Wie laut ist es?", only=Condition("1", ("1",))),
        Question(
            "3", QuestionKind.CHOICES, "Welche Bäume?", options=TREES, at_least=2, at_most=3, only=Condition("2", ("4", "5"))
        ),
        Question("4", QuestionKind.RANKING, "In welcher Reihenfolge?", options=TREES, only=Condition("3", ("1",))),
        Question("5", QuestionKind.LINE, "Wie heißt der Platz?"),
        Question("6", QuestionKind.TEXT, "Was noch?"),
        Question("7", QuestionKind.PLACE, "Wo?", only=Condition("1", ("2",))),
        Question("8", QuestionKind.MATRIX, "Wie finden Sie …?", options=YES_NO, steps=4, only=Condition("2", ("1", "2"))),
    )  # fmt: skip


NAMES = [
    *(name_of(question) for question in _questions()),
    *(name_of(_questions()[3], option.key) for option in TREES),
    "q7-lon", "q7-lat", "q8-1", "q8-2",
    "q9", "", "q1-1",
]  # fmt: skip
VALUES = st.one_of(
    st.sampled_from(["", " ", "1", "2", "3", "4", "5", "0", "-1", "9" * 30, "²"]),
    st.text("aü 1😀\u202e\n", max_size=6),
)


@given(st.dictionaries(st.sampled_from(NAMES), st.lists(VALUES, max_size=4)))
def test_whatever_is_sent_only_answers_to_what_was_asked_are_read(typed: dict[str, list[str]]) -> None:
    asks = _questions()
    reading = questions.read(asks, typed)
    assert reading.answers.keys().isdisjoint(reading.ignored)
    for question in asks:
        answer = reading.answers.get(question.key)
        if answer is None:
            continue
        assert questions.is_asked(question, reading.answers)
        if isinstance(answer, dict):
            keys = question.choices if question.kind is QuestionKind.MATRIX else ("words", "lon", "lat")
            assert set(answer) <= set(keys)
            continue
        chosen = answer if isinstance(answer, list) else [str(answer)]
        if question.kind not in questions.IN_WORDS:
            assert set(chosen) <= set(question.choices)
            assert len(set(chosen)) == len(chosen)
        if question.at_least and question.at_most:
            assert question.at_least <= len(chosen) <= question.at_most
    # What was read can be sent again and is read the same: nothing is lost when somebody changes their answers.
    if not reading.wrong:
        again = questions.read(asks, questions.typed_again(asks, reading.answers))
        assert (again.answers, again.ignored, again.wrong) == (reading.answers, (), ())
    assert questions.from_facts(questions.as_facts(asks)) == asks


@given(st.lists(st.dictionaries(st.sampled_from(NAMES), st.lists(VALUES, max_size=2)), max_size=12))
def test_the_counts_of_a_question_add_up(sent: list[dict[str, list[str]]]) -> None:
    asks = _questions()
    sheets = [questions.read(asks, typed).answers for typed in sent]
    for result in questions.tally(asks, sheets):
        assert result.answered <= result.asked <= len(sheets)
        total = sum(count.number for count in result.counts)
        if result.question.kind in (QuestionKind.CHOICE, QuestionKind.SCALE, QuestionKind.RANKING):
            assert total == result.answered
        assert all(0 <= count.share <= 1 and count.number <= result.answered for count in result.counts)
        for statement in result.statements:
            assert sum(count.number for count in statement.counts) == statement.answered <= result.answered
        assert (result.mean is not None) == (
            result.question.kind is QuestionKind.SCALE and result.answered > 0
        )


def test_a_hidden_answer_is_left_out_and_named_and_a_wrong_one_says_where() -> None:
    asks = _questions()
    # Question 3 hangs on question 2, which is not asked of who lives elsewhere: neither counts, whatever was sent.
    reading = questions.read(asks, {"q1": ["2"], "q2": ["5"], "q3": ["1", "2"], "q7": ["Marktplatz"]})
    assert (reading.answers, reading.ignored) == ({"1": "2", "7": "Marktplatz"}, ("2", "3"))
    wrong: dict[str, Any] = {
        "q2": ["6"], "q5": ["x" * 301], "q6": ["😀" * 200_000], "q1": ["1"],
    }  # fmt: skip
    found = {each.field: each.code for each in questions.read(asks, wrong).wrong}
    assert found == {
        "q2": Code.ANSWER_UNKNOWN, "q5": Code.ANSWER_TOO_LONG, "q6": Code.ANSWER_TOO_LONG,
    }  # fmt: skip
    one, many = {"q1": ["1"], "q2": ["4"]}, [str(at) for at in range(1, 5)]
    assert [each.code for each in questions.read(asks, one | {"q3": ["1"]}).wrong] == [Code.CHOSEN_TOO_FEW]
    assert [each.code for each in questions.read(asks, one | {"q3": many}).wrong] == [Code.CHOSEN_TOO_MANY]
    ranked = one | {"q3": ["1", "2"], "q4-1": ["1"], "q4-2": ["1"]}
    assert [each.code for each in questions.read(asks, ranked).wrong] == [Code.RANK_TWICE]
    # A gap between the places is closed: second and fourth are first and second.
    assert questions.read(asks, ranked | {"q4-1": ["4"], "q4-2": ["2"]}).answers["4"] == ["2", "1"]
    assert [each.code for each in questions.read(asks, {}).wrong] == [Code.ANSWER_REQUIRED]
    right_to_left = questions.read(asks, {"q1": ["2"], "q6": ["مزيد من الأشجار 🌳"]})
    assert right_to_left.answers["6"] == "مزيد من الأشجار 🌳"


def test_places_of_a_ranking_become_points() -> None:
    asks = (Question("4", QuestionKind.RANKING, "Reihenfolge", options=TREES),)
    (result,) = questions.tally(asks, [{"4": ["1", "2", "3", "4"]}, {"4": ["2", "1"]}, {"4": ["2"]}, {}])
    assert {each.key: (each.number, each.points) for each in result.counts} == {
        "1": (1, 7), "2": (2, 11), "3": (0, 2), "4": (0, 1),
    }  # fmt: skip
    assert (result.asked, result.answered) == (4, 3)


def test_statements_on_a_scale_and_a_pin_are_read_whole() -> None:
    scale = Question("1", QuestionKind.MATRIX, "Wie?", options=TREES[:2], steps=3, is_required=True)
    where = Question("2", QuestionKind.PLACE, "Wo?")

    def read(**sent: str) -> questions.Reading:
        return questions.read(
            (scale, where), {name.replace("_", "-"): [value] for name, value in sent.items()}
        )

    half = read(q1_1="3")
    assert [(each.code, each.field) for each in half.wrong] == [(Code.ANSWER_REQUIRED, "q1")], "each of them"
    whole = read(q1_1="3", q1_2="1", q2="Am Bach", q2_lon="10,7", q2_lat="48.3000004")
    assert whole.answers == {
        "1": {"1": "3", "2": "1"},
        "2": {"words": "Am Bach", "lon": "10.700000", "lat": "48.300000"},
    }
    for lon, lat in (("x", "1"), ("nan", "1"), ("181", "1"), ("10", "")):
        (wrong,) = read(q1_1="3", q1_2="1", q2_lon=lon, q2_lat=lat).wrong
        assert (wrong.code, wrong.field) == (Code.LOCATION_INVALID, "q2")
    (result, _) = questions.tally((scale, where), [whole.answers, read(q1_1="2", q1_2="1").answers])
    assert [(each.answered, each.mean) for each in result.statements] == [(2, 2.5), (2, 1.0)]
    assert (result.counts, result.answered) == ((), 2)


def test_what_cannot_be_asked_is_named_at_its_field() -> None:
    def wrong(*asks: Question) -> dict[str | None, Code]:
        return {each.field: each.code for each in questions.wrong_in(asks)}

    assert wrong() == {"questions": Code.SURVEY_EMPTY}
    assert wrong(*_questions()) == {}
    choice, scale = _questions()[:2]
    assert wrong(Question("1", QuestionKind.CHOICE, " ", options=YES_NO[:1])) == {
        "questions-0-label": Code.QUESTION_NAMELESS,
        "questions-0-options": Code.OPTIONS_TOO_FEW,
    }
    twice = Question(
        "1", QuestionKind.CHOICES, "?", options=(Option("1", "Ja"), Option("2", "ja")), at_most=-(10**9)
    )
    assert wrong(twice) == {"questions-0-options": Code.NAME_TAKEN, "questions-0-at_most": Code.BOUNDS_TURNED}
    turned = Question("1", QuestionKind.CHOICES, "?", options=TREES, at_least=3, at_most=2)
    assert wrong(turned) == {"questions-0-at_most": Code.BOUNDS_TURNED}
    assert wrong(Question("1", QuestionKind.SCALE, "?", steps=10**9)) == {
        "questions-0-steps": Code.BOUNDS_TURNED
    }
    # Nothing hangs on what comes later, on oneself, on free words, or on an answer that there is not.
    assert wrong(scale, choice) == {"questions-0-only": Code.CONDITION_UNKNOWN}
    for condition in (Condition("2", ("1",)), Condition("1", ("9",)), Condition("1", ())):
        asks = (choice, Question("2", QuestionKind.LINE, "?", only=condition))
        assert wrong(*asks) == {"questions-1-only": Code.CONDITION_UNKNOWN}
    assert Code.QUESTIONS_TOO_MANY in wrong(*[choice] * 41).values()


@given(st.text(alphabet="ab █", max_size=12), st.text(alphabet="ab █", max_size=12))
def test_nothing_is_shown_but_the_words_and_black(original: str, shown: str) -> None:
    assert questions.is_blackened(original, original)
    if questions.is_blackened(original, shown):
        # Whatever can be read of it stands in the original in this order.
        at = 0
        for part in shown.split("█"):
            at = original.index(part, at) + len(part)
    assert questions.is_blackened("Frau Kern wohnt hier", "████ wohnt hier")
    assert not questions.is_blackened("Frau Kern wohnt hier", "████ wohnt dort")
    assert not questions.is_blackened("Frau Kern wohnt hier", "Frau Kern wohnt")
