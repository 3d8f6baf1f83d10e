"""The questions of a survey as a form, for whoever answers and for the clerk who types a sheet in; without JavaScript.

What is asked only of some is on the page for everybody, with the words for whom; a script hides it as long as it is not asked.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup
from starlette.datastructures import FormData
from wtforms import Field, Form, RadioField, SelectField, SelectMultipleField, StringField, TextAreaField
from wtforms.fields import SelectChoice
from wtforms.widgets import CheckboxInput, ListWidget

from consultations import questions
from consultations.questions import Answers, Option, Question, QuestionKind, Typed, name_of
from consultations.refusals import Refusal
from participation import overview
from participation.pages import survey_places
from participation.pages.survey_places import PlaceShown
from participation.web import Visit

#: Marks a message for the catalogues.
N_ = str

#: Octets of a sending: what is far too long comes back with a word about it, not as a page that has lost it.
BODY_LIMIT = 8_000_000


@dataclass(frozen=True)
class Asked:
    """A question on a page. `fields`: the names of its fields; `only`: the field that it hangs on, and with which values."""

    name: str
    kind: str
    label: str
    hint: str
    fields: tuple[str, ...]
    is_required: bool
    only: str
    values: str
    #: What stands on paper: the options, or the steps; of a matrix the statements, and beside each of them the steps.
    options: tuple[str, ...]
    steps: tuple[str, ...]
    #: Of a place: where its pin is, and what was asked for in between.
    place: PlaceShown


def asked(
    visit: Visit, asks: Sequence[Question], places: Mapping[str, PlaceShown] | None = None
) -> tuple[Asked, ...]:
    """The questions as a page shows them, in the reader's language; `places`: as `survey_places.shown` has them."""
    numbers = {question.key: number for number, question in enumerate(asks, start=1)}
    by_key = {question.key: question for question in asks}
    return tuple(
        Asked(
            name=name_of(question),
            kind=question.kind.value,
            label=Markup("{}. {}").format(numbers[question.key], marked(visit, question)),
            hint=Markup(" ").join(_hints(visit, question, numbers, by_key)),
            fields=questions.names_of(question),
            is_required=question.is_required,
            only=name_of(by_key[question.only.question]) if question.only else "",
            values=" ".join(question.only.answers) if question.only else "",
            options=tuple(label for _, label in choices_of(visit, question, marked)),
            steps=tuple(label for _, label in steps_of(visit, question, marked))
            if question.kind is QuestionKind.MATRIX
            else (),
            place=(places or {}).get(name_of(question), PlaceShown()),
        )
        for question in asks
    )


#: How words of a question or an option come before their reader: `plain`, or `marked` for a page.
Saying = Callable[[Visit, Question | Option, str], str]


def plain(visit: Visit, of: Question | Option, name: str = "label") -> str:
    """A planner's words in the reader's language, or as they were entered."""
    return of.said(visit.language, name)


def marked(visit: Visit, of: Question | Option, name: str = "label") -> str:
    """The same for a page: what nobody translated is marked with its language, so that it is read out in it (WCAG 3.1.2)."""
    words = plain(visit, of, name)
    if not words or visit.language == overview.ENTERED_IN or of.is_translated(visit.language, name):
        return words
    return Markup('<span lang="{}">{}</span>').format(overview.ENTERED_IN, words)


def _hints(
    visit: Visit, question: Question, numbers: dict[str, int], by_key: dict[str, Question]
) -> list[str]:
    found = []
    if question.only is not None:
        said = dict(choices_of(visit, by_key[question.only.question]))
        found.append(
            visit.gettext(
                "Only if you answered question %(number)s with %(answers)s.",
                number=numbers[question.only.question],
                answers=visit.gettext(" or ").join(
                    visit.gettext("“%(words)s”", words=said[each]) for each in question.only.answers
                ),
            )
        )
    if question.hint:
        found.append(marked(visit, question, "hint"))
    least, most = question.at_least, question.at_most
    if question.kind is QuestionKind.RANKING:
        found.append(visit.gettext("Place 1 is what matters most to you. What you leave out gets no place."))
    if question.kind in (QuestionKind.CHOICES, QuestionKind.RANKING):
        if least and most and least == most:
            found.append(visit.gettext("Please choose %(number)s.", number=most))
        elif least and most:
            found.append(visit.gettext("Please choose %(least)s to %(most)s.", least=least, most=most))
        elif least:
            found.append(visit.gettext("Please choose at least %(number)s.", number=least))
        elif most:
            found.append(visit.gettext("Please choose at most %(number)s.", number=most))
        elif question.kind is QuestionKind.CHOICES:
            found.append(visit.gettext("You may choose several."))
    if question.kind is QuestionKind.PLACE:
        found.append(visit.gettext("A street, a square, or the place in your own words."))
    return found


def choices_of(visit: Visit, question: Question, say: Saying = plain) -> list[tuple[str, str]]:
    """What can be chosen, by key, in the reader's language; of a matrix its statements."""
    if question.kind is QuestionKind.SCALE:
        return steps_of(visit, question, say)
    return [(option.key, say(visit, option, "label")) for option in question.options]


def steps_of(visit: Visit, question: Question, say: Saying = plain) -> list[tuple[str, str]]:
    """The steps of a scale, by key, with what its ends mean."""
    ends = {"1": say(visit, question, "low"), str(question.steps): say(visit, question, "high")}
    return [
        # What is marked makes marked words of the whole.
        (step, type(ends[step])("{} ({})").format(step, ends[step]) if ends.get(step) else step)
        for step in question.scale
    ]


def said_to(visit: Visit, question: Question, answers: Answers) -> str:
    """What somebody answered, as words."""
    answer = answers.get(question.key)
    if answer is None:
        return ""
    labels = dict(choices_of(visit, question))
    if question.kind is QuestionKind.RANKING and isinstance(answer, list):
        return "\n".join(f"{place}. {labels[key]}" for place, key in enumerate(answer, start=1))
    if question.kind is QuestionKind.PLACE:
        return survey_places.words_of(visit, answer)
    if isinstance(answer, dict):
        steps = dict(steps_of(visit, question))
        return "\n".join(f"{labels[key]}: {steps[step]}" for key, step in answer.items())
    if question.kind in questions.IN_WORDS:
        return str(answer)
    return "\n".join(labels[key] for key in (answer if isinstance(answer, list) else [str(answer)]))


def columns_of(visit: Visit, number: int, question: Question) -> list[str]:
    """The heads of a question's columns in a table of all answers: one, but one for each statement, and for a pin two more."""
    label = f"{number}. {question.said(visit.language)}"
    if question.kind is QuestionKind.MATRIX:
        return [f"{label}: {statement}" for _, statement in choices_of(visit, question)]
    if question.kind is QuestionKind.PLACE:
        return [label, *(f"{label} ({each})" for each in questions.POSITION)]
    return [label]


def cells_of(visit: Visit, question: Question, answers: Answers) -> list[str]:
    """What stands in these columns for one person."""
    answer = answers.get(question.key)
    if question.kind is QuestionKind.MATRIX:
        said = answer if isinstance(answer, dict) else {}
        return [said.get(key, "") for key in question.choices]
    if question.kind is QuestionKind.PLACE:
        pin = questions.pin_of(answer) or ("", "")
        return [questions.own_words(answer), *(str(each) for each in pin)]
    return [said_to(visit, question, answers)]


# --- the form --------------------------------------------------------------------------------------


def form_of(visit: Visit, asks: Sequence[Question], typed: Typed | None = None) -> Form:
    """A form with these questions, filled with what was typed before."""
    fields: dict[str, Field] = {}
    for question in asks:
        fields |= _fields(visit, question)
    kind = type("SurveyForm", (Form,), fields)
    sent = FormData([(name, value) for name, values in (typed or {}).items() for value in values])
    form: Form = visit.form(kind, sent=sent)
    # What planners wrote is no message of ours: nobody translates it a second time.
    form.meta.gettext = lambda words, **facts: words
    return form


def _fields(visit: Visit, question: Question) -> dict[str, Field]:
    label, name = marked(visit, question), name_of(question)
    choices = [SelectChoice(key, words) for key, words in choices_of(visit, question, marked)]
    if question.kind is QuestionKind.RANKING:
        places = [SelectChoice("", visit.gettext("no place"))] + [
            SelectChoice(str(place), str(place)) for place in range(1, len(question.options) + 1)
        ]
        return {
            name_of(question, option.key): SelectField(
                marked(visit, option), choices=places, default="", validate_choice=False
            )
            for option in question.options
        }
    if question.kind is QuestionKind.MATRIX:
        steps = [SelectChoice(key, words) for key, words in steps_of(visit, question, marked)]
        if not question.is_required:
            steps.append(SelectChoice("", visit.gettext("I leave this out")))
        return {
            name_of(question, option.key): RadioField(
                marked(visit, option), choices=steps, default="", validate_choice=False
            )
            for option in question.options
        }
    if question.kind in (QuestionKind.CHOICE, QuestionKind.SCALE):
        if not question.is_required:
            choices.append(SelectChoice("", visit.gettext("I leave this out")))
        return {name: RadioField(label, choices=choices, default="", validate_choice=False)}
    if question.kind is QuestionKind.CHOICES:
        return {
            name: SelectMultipleField(
                label,
                choices=choices,
                widget=ListWidget(prefix_label=False),
                option_widget=CheckboxInput(),
                validate_choice=False,
            )
        }
    return {name: (TextAreaField if question.kind is QuestionKind.TEXT else StringField)(label)}


def typed_in(visit: Visit, asks: Sequence[Question]) -> dict[str, list[str]]:
    """What was sent for these questions, as it came; a place of the list as a pin."""
    names: list[str] = []
    for each in asks:
        names += questions.names_of(each)
        names += survey_places.place_fields(each) if each.kind is QuestionKind.PLACE else ()
    typed = {
        name: [value for value in visit.form_data.getlist(name) if isinstance(value, str)]
        for name in names
        if name in visit.form_data
    }
    for each in asks:
        if each.kind is QuestionKind.PLACE:
            typed = survey_places.from_list(visit, each, typed)
    return typed


def put_to_field(visit: Visit, form: Form, asks: Sequence[Question], refusal: Refusal) -> str | None:
    """Say a refusal at the field of its question; the sentence, if it belongs to none of them."""
    message = visit.explain(refusal)
    for question in asks:
        if name_of(question) == refusal.field:
            field = form[questions.names_of(question)[0]]
            field.errors = [*field.errors, message]
            return None
    return message
