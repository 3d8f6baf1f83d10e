"""`digilog deadline`: for a person, and line by line for another program."""

import io
import json

import pytest
import typer
from typer.testing import CliRunner, Result

from consultations.legal_periods import QUESTIONS
from participation.deadline_command import LONGEST_LINE, answer_lines, attach

app = typer.Typer()
attach(app)


@app.command()
def other() -> None:
    """A second command, so that `deadline` is one of several as in the real program."""


def run(*words: str, lines: str | bytes = "") -> Result:
    return CliRunner().invoke(app, ["deadline", *words], input=lines)


def test_a_person_reads_the_end_and_why() -> None:
    result = run("publication", "--start", "2027-02-01", "--city", "Augsburg")
    assert result.exit_code == 0, result.output
    assert result.stdout == (
        "Veröffentlichung eines Bauleitplans\n"
        "===================================\n"
        "\n"
        "Frühestes zulässiges Ende: Dienstag, 2. März 2027\n"
        "Empfohlenes Ende: Dienstag, 2. März 2027\n"
        "\n"
        "Rechenweg\n"
        "1. Der erste Tag ist Montag, 1. Februar 2027. Er zählt mit. Dauer: 1 Monat, bis zum Ablauf von Sonntag, "
        "28. Februar 2027. [BGB §187(2), §188(2) alt.2, §188(3); GmS-OGB 6.7.1972 – GmS-OGB 2/71]\n"
        "2. Es müssen aber mindestens 30 Tage sein. Sie enden mit dem Ablauf von Dienstag, 2. März 2027. "
        "[BauGB §3(2) S.1]\n"
        "3. Das spätere Ende zählt: Dienstag, 2. März 2027. Früher darf die Frist nicht enden. [BauGB §3(2) S.1]\n"
        "4. Dienstag, 2. März 2027 ist ein Werktag. Es bleibt dabei. [BGB §193; VwVfG §31(4)]\n"
        "\n"
        "Rechtsstand: BauGB 2023-07-07\n"
    )


def test_in_english_with_findings() -> None:
    result = run(
        "publication", "--start=2025-07-09", "--city=Augsburg", "--announced-end=2025-08-08", "--lang", "en"
    )
    assert result.exit_code == 0, result.output
    assert "In time until: Monday, 11 August 2025\n" in result.stdout
    assert (
        "- Warning: The announced end Friday, 8 August 2025 is a public holiday (Augsburg Peace Festival)."
        in result.stdout
    )


def test_one_end_is_said_once() -> None:
    result = run("defects", "--announced-on", "2024-02-29", "--city", "Augsburg")
    assert "\nEnde der Frist: Freitag, 28. Februar 2025\n" in result.stdout
    assert "Empfohlenes Ende" not in result.stdout


@pytest.mark.parametrize(
    "words",
    [
        ["immission", "--display-start", "2026-06-08", "--ied"],
        ["late", "--content-known=false", "--relevant-for-lawfulness=true"],
        ["consent", "--request-received", "2026-03-16", "--public-participation", "2 weeks"],
        ["outage", "--period-end", "2026-06-30", "--outage", "2026-06-12T02:00:00+02:00/2026-06-12T04:30:00+02:00"],
        ["assembly", "--event", "2026-07-10", "--recess", "2026-08-01/2026-08-31"],
        ["data-request", "--received", "2026-01-31", "--months", "3"],
        ["receipt", "--effective-end", "2026-07-01", "--received", "2026-07-01T23:59:59"],
        ["receipt", "--effective-end", "2026-07-01", "--received", "2026-07-01"],
        ["data-breach", "--aware-at", "2026-05-22T16:30:00+02:00"],
    ],
)  # fmt: skip
def test_every_kind_of_field_can_be_typed(words: list[str]) -> None:
    result = run(*words)
    assert result.exit_code == 0, result.output
    assert "Rechenweg" in result.stdout


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["pub"], "unknown procedure 'pub'"),
        (["publication"], "start: is missing"),
        (["publication", "--start", "2027-02-30"], "start: expected an existing day like 2027-02-01, got '2027-02-30'"),
        (["publication", "--start"], "start: has no value"),
        (["publication", "--start", "2027-02-01", "--start", "2027-02-02"], "start: given twice"),
        (["publication", "--start", "2027-02-01", "--anounced-end", "2027-03-05"], "did you mean announced_end"),
        (["publication", "--start", "2027-02-01", "--colour", "red"], "colour: unknown field"),
        (["publication", "--start", "2027-02-01", "tomorrow"], "unexpected 'tomorrow'"),
        (["publication", "--start", "2027-02-01", "--city", "Ulm"], "city: unknown city 'Ulm'"),
        (["publication", "--start", "2027-02-01", "--lang", "xx"], "xx"),
        (["publication", "--json"], "standard input"),
    ],
)  # fmt: skip
def test_mistakes_are_named(words: list[str], complaint: str) -> None:
    result = run(*words)
    assert result.exit_code == 2
    assert complaint in result.stderr
    assert result.stdout == ""


def test_a_mistake_shows_what_the_procedure_takes() -> None:
    assert (
        "publication --start YYYY-MM-DD [--city NAME] [--announced-end YYYY-MM-DD]"
        in run("publication").stderr
    )
    assert "[--public-participation '2 weeks']" in run("consent").stderr
    assert "[--track public|agency] [--hint-given=false]" in run("late").stderr
    assert "--content-known=true|false" in run("late").stderr


def test_without_a_procedure_all_are_listed() -> None:
    listed = run()
    assert listed.exit_code == 0
    for question in QUESTIONS:
        assert f"{question.title.de}\n  {question.short} " in listed.stdout


LINES = (
    '{"id": "a", "procedure": "bauleitplan_publication", "input": {"start": "2027-02-01", "city": "Nürnberg"}}',
    "this is not json",
    "",
    '{"id": 4, "procedure": "nothing", "input": {}}',
    '{"id": 5, "procedure": "age", "input": {"born": "2010-02-30", "on": "2026-01-01"}}',
    '{"id": 6, "procedure": "age", "input": {"born": "2010-11-21", "on": "2026-11-21"}, "expected": {"age": 16}}',
    "[1]",
    '{"procedure": "age", "input": {}}',
    '{"id": 9, "procedure": 7, "input": {}}',
    '{"id": 10, "procedure": "age", "input": []}',
    '{"id": 11, "procedure": "age", "input": {"born": "2010-11-21", "on": "2026-11-20", "name": "x"}}',
)


def test_lines_are_answered_each_for_itself() -> None:
    result = run("--json", lines="\n".join(LINES))
    assert result.exit_code == 2
    answers = [json.loads(line) for line in result.stdout.splitlines()]
    assert [answer["id"] for answer in answers] == ["a", 6, 11]
    assert answers[0]["result"]["minimum_end"] == "2027-03-02"
    assert answers[1:] == [{"id": 6, "result": {"age": 16}}, {"id": 11, "result": {"age": 15}}]
    problems = result.stderr.splitlines()
    assert [problem.split(":")[0] for problem in problems] == [
        "line 2", "line 4 (4)", "line 5 (5)", "line 7", "line 8", "line 9", "line 10", "line 11 (11)",
    ]  # fmt: skip
    assert problems[2] == "line 5 (5): born: expected an existing day like 2027-02-01, got '2010-02-30'"
    assert problems[-1] == "line 11 (11): note: age does not use the field name"


def test_all_lines_answered_is_success() -> None:
    result = run("--json", lines=LINES[0] + "\n")
    assert result.exit_code == 0
    assert result.stderr == ""
    assert run("--json").exit_code == 0


def test_an_explanation_on_request() -> None:
    result = run("--json", "--explain", lines=LINES[0])
    explanation = json.loads(result.stdout)["explanation"]
    assert explanation["minimum_end"]["day"] == "2027-03-02"
    assert explanation["steps"][0]["en"].startswith("The first day is Monday, 1 February 2027.")


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        (b'{"id": "\xff"}', "not UTF-8"),
        (b"[" * 50_000, "not JSON"),
        (b'{"id": 1, "procedure": "age", "input": ' + b"9" * 5000 + b"}", "not JSON"),
        (b'{"id": 1, "procedure": "age", "input": {"born": NaN, "on": "2026-01-01"}}', "not JSON: NaN"),
        (b'{"id": "\xed\xa0\x80"}', "not UTF-8"),
        (b'{"id": true, "procedure": "age", "input": {}}', "id: expected"),
        (b"x" * (3 * LONGEST_LINE), f"longer than {LONGEST_LINE} bytes"),
        (b'{"id": 1, "procedure": "age", "input": {"born": "\\ud800", "on": "2026-01-01"}}', "invalid JSON"),
        (b'{"id": "\\u001b[2J\\n", "procedure": "x", "input": {}}', "(\\x1b[2J\\n): unknown procedure 'x'"),
    ],
)
def test_hostile_lines_are_refused_and_the_next_one_answered(line: bytes, complaint: str) -> None:
    answers, problems = io.StringIO(), io.StringIO()
    code = answer_lines(io.BytesIO(line + b"\r\n" + LINES[5].encode()), answers, problems)
    assert code == 2
    assert problems.getvalue().startswith("line 1")
    assert complaint in problems.getvalue()
    assert problems.getvalue().count("\n") == 1
    assert json.loads(answers.getvalue()) == {"id": 6, "result": {"age": 16}}


def test_a_line_of_exactly_the_longest_length_is_read() -> None:
    line = LINES[5].encode()
    answers, problems = io.StringIO(), io.StringIO()
    padded = line + b" " * (LONGEST_LINE - len(line) - 1) + b"\n"
    assert answer_lines(io.BytesIO(padded + line), answers, problems) == 0
    assert len(answers.getvalue().splitlines()) == 2
