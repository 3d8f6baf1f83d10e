"""`digilog deadline`: legal periods on the console, for a person or, line by line, for another program."""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated, Any, BinaryIO, Literal, TextIO, get_args, get_origin

import typer

from consultations.computation import Answer, Impossible
from consultations.law import Length
from consultations.legal_periods import (
    QUESTIONS,
    Question,
    ask,
    find_question,
    read_facts,
)
from consultations.reasons import spoken
from consultations.seats import known_seats
from participation.i18n import translations
from participation.settings import LANGUAGES

#: Nobody asks about a period with a line longer than this; a longer one is refused unread.
LONGEST_LINE = 1 << 16

#: The fields of a question are options of their own (`--announced-end 2027-03-05`), read by `_options`.
CONTEXT = {"allow_extra_args": True, "ignore_unknown_options": True}


def attach(app: typer.Typer) -> None:
    """Add the command `deadline` to the program's commands."""
    app.command("deadline", context_settings=CONTEXT)(deadline)


def deadline(
    context: typer.Context,
    procedure: Annotated[
        str | None, typer.Argument(help="What is asked, such as publication; without it all are listed.")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help='Answer lines of {"id", "procedure", "input"} from standard input.')
    ] = False,
    explain: Annotated[
        bool, typer.Option("--explain", help="With --json: add ends, findings and steps with their reasons.")
    ] = False,
    lang: Annotated[str, typer.Option(help="Language of the answer: de or en.")] = "de",
) -> None:
    """Compute a legal period and say why, step by step.

    The facts are options named as the fields of the procedure, for example:
    digilog deadline publication --start 2027-02-01 --city NAME
    """
    if lang not in LANGUAGES:
        raise typer.BadParameter(f"{lang!r} is not one of {', '.join(LANGUAGES)}", param_hint="--lang")
    if as_json:
        if procedure or context.args:
            raise typer.BadParameter("--json reads everything from standard input", param_hint="--json")
        code = answer_lines(sys.stdin.buffer, sys.stdout, sys.stderr, explain=explain)
        raise typer.Exit(code)
    if procedure is None:
        typer.echo(overview(lang))
        return
    question: Question[Any] | None = None
    try:
        question = find_question(procedure)
        answer = ask(
            procedure,
            read_facts(question, _options(question, context.args), spoken=True),
            seats=known_seats(),
        )
        if answer.unused:
            raise Impossible("unknown field", answer.unused[0])
    except Impossible as error:
        typer.echo(str(error), err=True)
        if question is not None:
            typer.echo(_fields(question), err=True)
        raise typer.Exit(2) from error
    typer.echo(readable(question, answer, lang))


# --- lines for programs ---------------------------------------------------------------------------------------


def answer_lines(source: BinaryIO, answers: TextIO, problems: TextIO, *, explain: bool = False) -> int:
    """Answer each line of JSON; returns the exit code: 0, or 2 when any line had no answer.

    Every line stands alone: one that cannot be answered is named on `problems` with its number, and the others are
    answered all the same, in their order. Empty lines are passed over.
    """
    code = 0
    for number, line in _lines(source):
        where = f"line {number}"
        try:
            asked = _asked(line)
            where += f" ({asked.id})"
            answer = ask(asked.procedure, asked.input, seats=known_seats())
        except Impossible as error:
            print(_one_line(f"{where}: {error}"), file=problems)
            code = 2
            continue
        for name in answer.unused:
            print(_one_line(f"{where}: note: {answer.question} does not use the field {name}"), file=problems)
        said: dict[str, Any] = {"id": asked.id, "result": answer.as_data()}
        if explain:
            said["explanation"] = answer.explanation()
        print(json.dumps(said), file=answers, flush=True)
    return code


@dataclass(frozen=True)
class _Asked:
    id: str | int
    procedure: str
    input: Mapping[str, object]


def _lines(source: BinaryIO) -> Iterator[tuple[int, bytes | None]]:
    """Numbered lines that are not empty; None in place of one that is too long."""
    number = 0
    while line := source.readline(LONGEST_LINE + 1):
        number += 1
        too_long = len(line) > LONGEST_LINE
        while not line.endswith(b"\n") and (rest := source.readline(LONGEST_LINE)):
            line = rest
        if too_long:
            yield number, None
        elif line.strip():
            yield number, line


def _asked(line: bytes | None) -> _Asked:
    """What one line asks. Raises Impossible for what is not such an object."""
    if line is None:
        raise Impossible(f"longer than {LONGEST_LINE} bytes")
    try:
        asked = json.loads(line.decode("utf-8-sig"), parse_constant=_refuse_constant)
    except UnicodeDecodeError as error:
        raise Impossible(f"not UTF-8: {error.reason}") from error
    except (ValueError, RecursionError) as error:
        raise Impossible(f"not JSON: {error}") from error
    if not isinstance(asked, dict):
        raise Impossible('expected an object {"id", "procedure", "input"}')
    identity, procedure, values = asked.get("id"), asked.get("procedure"), asked.get("input")
    if not isinstance(identity, str | int) or isinstance(identity, bool):
        raise Impossible("expected a text or a number", "id")
    if not isinstance(procedure, str):
        raise Impossible("expected a text", "procedure")
    if not isinstance(values, dict):
        raise Impossible("expected an object", "input")
    return _Asked(identity, procedure, values)


def _refuse_constant(name: str) -> object:
    raise ValueError(f"{name} is no JSON value")


def _one_line(text: str) -> str:
    """A text that came from outside, safe to print: control characters and half characters escaped."""
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in text)


# --- words for people -----------------------------------------------------------------------------------------


def overview(language: str) -> str:
    """All questions with their short names and options."""
    return "\n\n".join(f"{question.title.text(language)}\n  {_fields(question)}" for question in QUESTIONS)


def readable(question: Question[Any], answer: Answer, language: str) -> str:
    """An answer as a page of text: ends, findings by gravity, the computation, sources."""
    _ = translations(language).gettext
    title = question.title.text(language)
    lines = [title, "=" * len(title), ""]
    ends = {
        _("Earliest lawful end"): answer.minimum_end,
        _("Recommended end"): answer.recommended_end,
        _("In time until"): answer.effective_end,
    }
    days = {end.day for end in ends.values() if end}
    if len(days) == 1 and None not in ends.values():
        ends = {_("End of the period"): answer.effective_end}
    lines += [f"{name}: {spoken(end.day, language)}" for name, end in ends.items() if end]
    severities = {"BLOCK": _("Blocks"), "WARN": _("Warning"), "INFO": _("Note")}
    if answer.findings:
        lines += ["", _("Findings")]
        lines += [
            f"- {severities[finding.severity]}: {finding.why.text(language)} [{finding.source}]"
            for finding in answer.findings
        ]
    lines += ["", _("Computation")]
    lines += [
        f"{number}. {step.why.text(language)} [{step.source}]"
        for number, step in enumerate(answer.steps, start=1)
    ]
    text_of_the_law = _("Text of the law")
    lines += ["", f"{text_of_the_law}: {', '.join(answer.law_versions)}"]
    return "\n".join(lines)


def _fields(question: Question[Any]) -> str:
    """The short name of a question and its options, those that may be left out in brackets."""
    options = []
    for name, field in question.facts.model_fields.items():
        option = f"--{name.replace('_', '-')}"
        if field.annotation is not bool:
            option += f" {_example(name, field.annotation)}"
        elif field.is_required():
            option += "=true|false"
        elif field.default:
            option += "=false"
        options.append(option if field.is_required() else f"[{option}]")
    options.sort(key=lambda option: option.startswith("["))
    return " ".join([question.short, *options])


def _example(name: str, annotation: object) -> str:
    """What a value of this field looks like."""
    if name == "city":
        return "NAME"
    kinds = list(_kinds(annotation))
    if any(get_origin(kind) is tuple for kind in kinds):
        return "FROM/TO"
    if any(get_origin(kind) is Literal for kind in kinds):
        return "|".join(kind for kind in kinds if isinstance(kind, str))
    examples = {datetime: "YYYY-MM-DDTHH:MM:SS", date: "YYYY-MM-DD", Length: "'2 weeks'", int: "NUMBER"}
    return next((example for kind, example in examples.items() if kind in kinds), "TEXT")


def _kinds(annotation: object) -> Iterator[object]:
    """A type and every type within it."""
    yield annotation
    for inner in get_args(annotation):
        yield from _kinds(inner)


def _options(question: Question[Any], words: Sequence[str]) -> dict[str, object]:
    """Options as fields: `--announced-end 2027-03-05` or `--announced-end=2027-03-05`; a flag alone is true.

    Raises Impossible for a word that is no option, an option without its value and one given twice.
    """
    values: dict[str, object] = {}
    rest = iter(words)
    for word in rest:
        if not word.startswith("--"):
            raise Impossible(f"unexpected {word!r}")
        name, equals, value = word.removeprefix("--").partition("=")
        field = name.replace("-", "_")
        if field in values:
            raise Impossible("given twice", field)
        if not equals:
            value = "true" if _is_flag(question, field) else _next(rest, field)
        values[field] = value
    return values


def _is_flag(question: Question[Any], field: str) -> bool:
    known = question.facts.model_fields.get(field)
    return known is not None and known.annotation is bool


def _next(words: Iterator[str], field: str) -> str:
    value = next(words, "")
    if not value or value.startswith("--"):
        raise Impossible("has no value", field)
    return value
