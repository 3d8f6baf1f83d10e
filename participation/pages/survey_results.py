"""What a survey came to: counts question by question with words beside the bars, and the same as open data.

No two answers of one person stand beside each other, here or in the data: what is public is counted per question, and what was
said in own words stands in the order of the words.
"""

import csv
import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from markupsafe import Markup
from starlette.responses import Response

from consultations import survey_results, surveys
from consultations.files import serving_headers
from consultations.permissions import Permission
from consultations.procedures import Procedure, localised
from consultations.questions import IN_WORDS, QuestionKind, Result
from consultations.survey_results import Results, Said, Words
from consultations.surveys import Standing, Survey
from consultations.text import spreadsheet_safe
from participation.pages import survey_places
from participation.pages.hearings import procedure_of
from participation.pages.survey_forms import choices_of, marked, steps_of
from participation.pages.survey_places import PinsPlan
from participation.pages.surveys import survey_of
from participation.web import Visit, page

#: How many of the words said to one question a page shows; all stand in the data.
WORDS_SHOWN = 200
#: How many pins without words are named by what is near them; to look for that costs by pin, so further ones say their position.
PINS_NAMED = 40


@dataclass(frozen=True)
class Bar:
    """One answer: how often, what share in whole percent, and in a ranking its points."""

    label: str
    number: int
    percent: int
    points: int
    #: From 0 to 100, what the bar shows.
    width: float


@dataclass(frozen=True)
class StatementRow:
    """One statement of a matrix: how often each step was chosen, as number and whole percent, and the mean in the reader's
    digits."""

    label: str
    answered: int
    counts: tuple[tuple[int, int], ...]
    mean: str


@dataclass(frozen=True)
class ResultRow:
    """One question with what it came to. `mean`: of a scale, in the reader's digits."""

    label: str
    kind: str
    asked: int
    answered: int
    bars: tuple[Bar, ...]
    mean: str
    steps: int
    words: tuple[str, ...]
    #: Of a matrix: the steps in words, and what each statement came to.
    scale: tuple[str, ...]
    statements: tuple[StatementRow, ...]
    #: All pins on one plan; the number of the question, by which list and plan find each other.
    plan: PinsPlan | None
    number: int
    #: Words that are not shown: they wait, were kept back, or are more than a page holds.
    waiting: int
    withheld: int
    more: int


@dataclass(frozen=True)
class ResultsPage:
    """What a survey came to, for everybody or (`for_staff`) for people at work."""

    hearing_title: str
    hearing_url: str
    title: str
    is_over: bool
    end_reason: str
    answered: int
    online: int
    otherwise: int
    late: int
    withdrawn: int
    shows_words: bool
    rows: tuple[ResultRow, ...]
    survey_url: str
    csv_url: str
    json_url: str
    #: Where the pins are as open data; empty where nobody could set one.
    geojson_url: str = ""
    #: What plans on the page are coloured by.
    styles: tuple[str, ...] = ()
    for_staff: bool = False


def rows_of(visit: Visit, procedure: Procedure, survey: Survey, found: Results) -> tuple[ResultRow, ...]:
    """What each question came to, in the reader's language."""
    return tuple(
        _row(visit, procedure, number, result, found.words.get(result.question.key, Words()))
        for number, result in enumerate(found.questions, start=1)
    )


def _mean(visit: Visit, mean: float | None) -> str:
    said = "" if mean is None else f"{mean:.1f}"
    return said.replace(".", ",") if visit.language == "de" else said


def _row(visit: Visit, procedure: Procedure, number: int, result: Result, words: Words) -> ResultRow:
    question = result.question
    labels = dict(choices_of(visit, question, marked))
    most = max((count.points for count in result.counts), default=0)
    is_ranking = question.kind is QuestionKind.RANKING
    bars = [
        Bar(
            labels[count.key],
            count.number,
            round(100 * count.share),
            count.points,
            round(
                100 * count.points / most
                if is_ranking and most
                else 0.0
                if is_ranking
                else 100 * count.share,
                1,
            ),
        )
        for count in result.counts
    ]
    if is_ranking:
        bars.sort(key=lambda bar: -bar.points)
    listed = words.shown[:WORDS_SHOWN]
    is_place = question.kind is QuestionKind.PLACE
    return ResultRow(
        label=Markup("{}. {}").format(number, marked(visit, question)),
        kind=question.kind.value,
        asked=result.asked,
        answered=result.answered,
        bars=tuple(bars),
        mean=_mean(visit, result.mean),
        steps=question.steps,
        words=tuple(_said(visit, listed) if is_place else (said.words for said in listed)),
        scale=tuple(label for _, label in steps_of(visit, question, marked)) if result.statements else (),
        statements=tuple(
            StatementRow(
                labels[each.key],
                each.answered,
                tuple((count.number, round(100 * count.share)) for count in each.counts),
                _mean(visit, each.mean),
            )
            for each in result.statements
        ),
        plan=survey_places.plan_of_pins(visit, procedure, number, question.said(visit.language), listed)
        if is_place
        else None,
        number=number,
        waiting=words.waiting,
        withheld=words.withheld,
        more=max(0, len(words.shown) - WORDS_SHOWN),
    )


def _said(visit: Visit, said: Sequence[Said]) -> list[str]:
    """Places as the list has them: the words, and of a pin without any where it is."""
    bare = [
        (each.lon, each.lat)
        for each in said
        if not each.words and each.lon is not None and each.lat is not None
    ]
    where = iter(
        survey_places.point_in_words(visit, bare[:PINS_NAMED], briefly=True)
        + survey_places.positions_in_words(visit, bare[PINS_NAMED:])
    )
    return [each.words or next(where, "") for each in said]


def _public(visit: Visit) -> tuple[Procedure, Survey, Results, Standing]:
    """What everybody may see now. Raises Refusal NOT_FOUND as long as they may not."""
    procedure = procedure_of(visit)
    survey, _, stands = survey_of(visit, procedure)
    if not surveys.shows_results(survey, stands):
        visit.not_found()
    return procedure, survey, survey_results.results(visit.session, survey), stands


@page(
    "/beteiligungen/{slug}/umfragen/{number:int}/ergebnis",
    name="survey_results",
    may=Permission.READ_PUBLIC,
    shared=True,
)
def results(visit: Visit) -> Response:
    """What a survey came to; before its end only where the planners want it so."""
    procedure, survey, found, stands = _public(visit)
    here = {"slug": procedure.slug, "number": survey.number}
    return visit.render(
        "surveys/results.html",
        ResultsPage(
            hearing_title=localised(procedure, visit.language, "title"),
            hearing_url=visit.url("hearing", slug=procedure.slug),
            title=survey.said(visit.language),
            is_over=stands is Standing.OVER,
            end_reason=survey.end_reason,
            answered=found.answered,
            online=found.online,
            otherwise=found.otherwise,
            late=found.late,
            withdrawn=found.withdrawn,
            shows_words=survey.shows_words,
            rows=rows_of(visit, procedure, survey, found),
            survey_url=visit.url("survey", **here),
            csv_url=visit.url("survey_csv", **here),
            json_url=visit.url("survey_json", **here),
            geojson_url=visit.url("survey_geojson", **here) if _asks_place(survey) else "",
            styles=survey_places.plan_styles(visit) if _asks_place(survey) else (),
        ),
    )


# --- open data -------------------------------------------------------------------------------------


def _lines(visit: Visit, found: Results) -> Iterator[dict[str, object]]:
    """One line for each answer to choose from (of a matrix for each step of each statement), and one for each text that
    everybody may read."""
    for number, result in enumerate(found.questions, start=1):
        question = result.question
        about: dict[str, object] = {
            "question_number": number,
            "question": question.said(visit.language),
            "kind": question.kind.value,
            "asked": result.asked,
            "answered": result.answered,
        }
        if question.kind in IN_WORDS:
            for said in found.words[question.key].shown:
                yield about | {"answer": said.words, "number": 1, "lon": said.lon, "lat": said.lat}
            continue
        labels = dict(choices_of(visit, question))
        steps = dict(steps_of(visit, question))
        for statement in result.statements:
            for count in statement.counts:
                yield about | {
                    "answered": statement.answered,
                    "statement": labels[statement.key],
                    "answer": steps[count.key],
                    "number": count.number,
                    "share": round(count.share, 4),
                }
        for count in result.counts:
            points = {"points": count.points} if question.kind is QuestionKind.RANKING else {}
            yield about | {
                "answer": labels[count.key],
                "number": count.number,
                "share": round(count.share, 4),
                **points,
            }


COLUMNS = (
    "question_number", "question", "kind", "asked", "answered", "answer", "number", "share", "points", "lon", "lat", "statement",
)  # fmt: skip


@page(
    "/beteiligungen/{slug}/umfragen/{number:int}/ergebnis.csv",
    name="survey_csv",
    may=Permission.READ_PUBLIC,
    shared=True,
)
def as_csv(visit: Visit) -> Response:
    """The counts as a table (CSV, UTF-8): a line for each answer that could be chosen."""
    procedure, survey, found, _ = _public(visit)
    out = io.StringIO()
    table = csv.writer(out)
    table.writerow(COLUMNS)
    for line in _lines(visit, found):
        table.writerow([spreadsheet_safe(line.get(column, "")) for column in COLUMNS])
    name = f"{procedure.slug}-umfrage-{survey.number}.csv"
    return Response("\ufeff" + out.getvalue(), headers=serving_headers(name, "text/csv; charset=utf-8"))


@page(
    "/beteiligungen/{slug}/umfragen/{number:int}/ergebnis.json",
    name="survey_json",
    may=Permission.READ_PUBLIC,
    shared=True,
)
def as_json(visit: Visit) -> Response:
    """The counts as JSON, with how many answered by which way."""
    procedure, survey, found, stands = _public(visit)
    said = {
        "survey": f"{procedure.key}-U{survey.number}",
        "title": survey.said(visit.language),
        "is_over": stands is Standing.OVER,
        "answered": found.answered,
        "online": found.online,
        "otherwise": found.otherwise,
        "late": found.late,
        "withdrawn": found.withdrawn,
        "results": list(_lines(visit, found)),
    }
    return Response(json.dumps(said, ensure_ascii=False), media_type="application/json")


def _asks_place(survey: Survey) -> bool:
    return any(each.kind is QuestionKind.PLACE for each in survey.asks)


@page(
    "/beteiligungen/{slug}/umfragen/{number:int}/ergebnis.geojson",
    name="survey_geojson",
    may=Permission.READ_PUBLIC,
    shared=True,
)
def as_geojson(visit: Visit) -> Response:
    """The pins, and the words beside them that everybody may read, as GeoJSON (RFC 7946)."""
    procedure, survey, found, _ = _public(visit)
    features = [
        survey_places.as_feature(number, result.question.said(visit.language), said)
        for number, result in enumerate(found.questions, start=1)
        if result.question.kind is QuestionKind.PLACE
        for said in found.words[result.question.key].shown
        if said.lon is not None
    ]
    body = json.dumps({"type": "FeatureCollection", "features": features}, ensure_ascii=False)
    name = f"{procedure.slug}-umfrage-{survey.number}.geojson"
    return Response(body, headers=serving_headers(name, "application/geo+json"))
