"""Surveys through the pages, without JavaScript: answer, come back, see what it came to."""

import csv
import io
import re
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from lxml import html
from sqlalchemy import Engine
from sqlmodel import Session, col, select
from starlette.testclient import TestClient

from consultations import proposing, survey_answers, survey_results, surveys
from consultations.cocreation import Audience, Limits
from consultations.journal import JournalEntry
from consultations.moderation import Reason
from consultations.permissions import PUBLIC, Actor
from consultations.phases import phases_of
from consultations.procedures import Procedure
from consultations.questions import Condition, Option, Question, QuestionKind
from consultations.surveys import Survey, SurveyEntry, SurveyInput, SurveyWords
from participation import identity
from participation.database import unit_of_work
from participation.identity import COOKIE
from tests import cast
from tests.cast import NOW, Town
from tests.conftest import Clock, NewClient
from tests.databases import once

HERE = "/beteiligungen/ideen/umfragen/1"
TREES = (Option("1", "Linde"), Option("2", "Ahorn"), Option("3", "Eiche"))
QUESTIONS = (
    Question(
        "1", QuestionKind.CHOICE, "Wohnen Sie am Mühlbach?", options=(Option("1", "Ja"), Option("2", "Nein")),
        is_required=True, translations={"en": {"label": "Do you live by the Mühlbach?"}},
    ),
    Question("2", QuestionKind.SCALE, "Wie laut ist es?", low="leise", high="sehr laut", only=Condition("1", ("1",))),
    Question("3", QuestionKind.CHOICES, "Was fehlt?", options=TREES, at_most=2),
    Question("4", QuestionKind.RANKING, "Was ist wichtiger?", options=TREES),
    Question("5", QuestionKind.LINE, "Ein Name für den Platz?"),
    Question("6", QuestionKind.TEXT, "Was noch?"),
    Question("7", QuestionKind.PLACE, "Wo fehlt eine Bank?"),
    Question("8", QuestionKind.MATRIX, "Wie finden Sie …?", options=TREES[:2], steps=3, low="schlecht"),
)  # fmt: skip


def survey_town(session: Session) -> Town:
    """The cast's town with a running survey that asks everything that can be asked."""
    town = cast.with_ideas(session, "Ideen")
    (phase,) = phases_of(session, town.procedure.id or 0)
    entered = SurveyInput(
        "Der Mühlbach",
        phase.id or 0,
        "Was ist Ihnen **wichtig**?",
        {"en": {"title": "The Mühlbach"}},
        QUESTIONS,
    )
    survey = surveys.save(session, town.procedure, entered, by=town.planner, now=NOW)
    surveys.publish(session, survey, note="Eine Umfrage kommt dazu.", by=town.planner, now=NOW)
    return town


@pytest.fixture
def town(engine: Engine) -> Town:
    with unit_of_work(engine, write=True) as session:
        return survey_town(session)


def tree_of(answer: Any) -> Any:
    return html.fromstring(answer.content)


def form_of(answer: Any) -> dict[str, Any]:
    """What a browser without JavaScript would send of the survey's form as it stands."""
    form = tree_of(answer).xpath('//form[contains(@class, "s-survey")]')[0]
    found: dict[str, Any] = {}
    for name, value in form.form_values():
        # lxml says "on" for a radio button without a value, and keeps the line end that begins a textarea.
        found.setdefault(name, []).append("" if value == "on" else value.removeprefix("\n"))
    return found


def signed_in(engine: Engine, actor: Actor, client: TestClient, now: datetime = NOW) -> TestClient:
    with unit_of_work(engine, write=True) as session:
        client.cookies.set(
            COOKIE, identity.sign_in(session, actor.person_id or 0, now=now), domain="auenfurt.localhost"
        )
    return client


def test_a_survey_is_answered_changed_and_withdrawn_without_an_account(
    town: Town, client: TestClient, new_client: NewClient, engine: Engine, clock: Clock
) -> None:
    hearing = client.get("/beteiligungen/ideen").text
    assert "Umfrage: Der Mühlbach" in hearing
    assert "Umfrage beantworten" in client.get("/beteiligungen").text
    asked = client.get(HERE)
    assert "informell" in asked.text
    assert "dann fehlt in der Zählung eine Nummer" in asked.text, (
        "question 2 waits for an answer to question 1"
    )
    assert "Do you live by the Mühlbach?" in client.get(f"/en{HERE}").text
    assert client.get(f"{HERE}/ergebnis").status_code == 404, "nobody is steered by numbers"

    # What is wrong is said at its field, and everything that was typed is still there.
    sent = form_of(asked) | {
        "q2": ["4"], "q3": ["1", "2", "3"], "q4-1": ["1"], "q4-2": ["1"], "q5": ["مقعد 🌳"], "q6": ["x" * 200_000],
    }  # fmt: skip
    back = client.post(HERE, data=sent)
    assert back.status_code == 422
    errors = tree_of(back).xpath('//ul[@class="d-error-list"]/li/a/@href')
    assert errors == ["#q1-0", "#q3-0", "#q4-1", "#q6"]
    typed = form_of(back)
    assert {name: typed[name] for name in ("q3", "q4-2", "q5")} == {
        name: sent[name] for name in ("q3", "q4-2", "q5")
    }
    assert len(typed["q6"][0]) == 200_000
    assert typed["once"] == sent["once"]
    assert client.post(HERE, data=typed | {"q1": ["77"]}).status_code == 422
    (wish,) = tree_of(asked).xpath("//a[contains(@href, '/folgen?umfrage=1')]/@href")
    (chosen,) = tree_of(client.get(wish)).xpath("//select[@name='target']/option[@selected]")
    assert chosen.text.startswith("Die Umfrage „"), "it can be followed alone"

    right = typed | {
        "q1": ["1"],
        "q3": ["1", "3"],
        "q4-2": ["2"],
        "q6": ["Bitte mehr Licht."],
        "q7": ["Marktplatz"],
    }
    arrived = [client.post(HERE, data=right) for _ in range(2)]
    assert {answer.status_code for answer in arrived} == {303}
    assert arrived[0].headers["location"] == arrived[1].headers["location"]
    receipt = client.get(arrived[0].headers["location"])
    with Session(engine) as session:
        (entry,) = session.exec(select(SurveyEntry)).all()
    assert entry.reference in receipt.text
    assert "1. Linde\n2. Ahorn" in tree_of(receipt).text_content()
    assert client.get(f"{HERE}/beleg/{'x' * 32}").status_code == 404

    # Another browser, with the code: look, change, withdraw.
    other = new_client()
    assert other.get("/umfrage/antwort").headers["location"] == "/beitrag"
    opened = other.post("/beitrag", data={"code": entry.access_code.lower()})
    assert opened.headers["location"] == "/umfrage/antwort"
    mine = other.get("/umfrage/antwort")
    again = form_of(mine)
    assert {name: again[name] for name in right if name in again and name != "once"} == {
        name: right[name] for name in again
    }
    assert other.post("/umfrage/antwort", data=again | {"q1": [""]}).status_code == 422
    changed = other.post("/umfrage/antwort", data=again | {"q1": ["2"]})
    assert changed.headers["location"] == "/umfrage/antwort?erledigt=geaendert"
    shown = other.get(changed.headers["location"])
    assert "Nicht mitgezählt" in shown.text, "who does not live there is not asked how loud it is"
    clock.advance(days=60)
    # Once it is over, nothing is taken in online, and what was typed is still there.
    late = client.post(HERE, data=right | {"once": "y" * 32})
    assert late.status_code == 422
    assert form_of(late)["q6"] == right["q6"]
    other.post("/beitrag", data={"code": entry.access_code})
    assert other.get("/umfrage/antwort/zuruecknehmen").status_code == 200
    assert other.post("/umfrage/antwort/zuruecknehmen").status_code == 303
    assert "Zurückgenommen" in other.get("/umfrage/antwort").text
    assert "1 Antwort wurde zurückgenommen" in client.get(f"{HERE}/ergebnis").text
    assert other.post("/umfrage/antwort/beenden").status_code == 303
    assert other.get("/umfrage/antwort").headers["location"] == "/beitrag"


@once
def test_what_nobody_translated_is_read_out_in_its_language_and_nothing_else_is(
    town: Town, client: TestClient
) -> None:
    for here in (f"/en{HERE}", f"/en{HERE}/formular"):
        shown = tree_of(client.get(here))
        german = {each.text_content().strip() for each in shown.xpath("//main//*[@lang='de']")}
        assert {"Wie laut ist es?", "leise", "Linde", "Wie finden Sie …?", "schlecht"} <= german, here
        assert not [
            words for words in german if "optional" in words or "Do you live" in words or "choose" in words
        ], here
        assert "&lt;span" not in client.get(here).text


def test_what_it_came_to_is_public_once_it_is_over(
    town: Town, client: TestClient, engine: Engine, clock: Clock
) -> None:
    with unit_of_work(engine, write=True) as session:
        survey = session.exec(select(Survey)).one()
        for number in range(3):
            typed = {"q1": ["1"], "q2": [str(number + 1)], "q4-3": ["1"], "q6": [f"Wort {number} =1+1"]}
            sheet = survey_answers.Sheet(f"k{number}", typed, survey.version)
            survey_answers.answer(session, survey, sheet, by=town.planner, now=NOW)
        slip = survey_answers.Sheet("p", {"q1": ["2"]}, survey.version, channel="paper_form")
        survey_answers.answer(session, survey, slip, by=town.clerk, now=NOW)
        row = session.exec(select(SurveyWords).where(SurveyWords.words == "Wort 1 =1+1")).one()
        survey_results.decide(session, row, shown="████ 1 =1+1", by=town.moderator, now=NOW)
    paper = client.get(f"{HERE}/formular")
    assert len(tree_of(paper).xpath('//li[@class="s-paper__question"]')) == len(QUESTIONS)
    assert client.get(f"{HERE}/ergebnis.csv").status_code == 404
    clock.advance(days=60)
    shown = client.get(f"{HERE}/ergebnis")
    text = " ".join(" ".join(tree_of(shown).itertext()).split())
    assert "4 Personen haben geantwortet: 3 online, 1 auf Papier" in text
    assert "Ja 3 75 %" in text
    assert "Im Durchschnitt: 2,0 von 5." in text
    assert "████ 1 =1+1" in text
    assert "Wort 0" not in text
    assert "2 Texte muss die Moderation noch lesen" in text
    spoken = tree_of(client.get(f"/en{HERE}/ergebnis"))
    german = {each.text for each in spoken.xpath("//main//table//*[@lang='de']")}
    assert "Linde" in german
    assert spoken.xpath("//h2[starts-with(., '1.')]/span") == []
    assert "beendet, mit Ergebnis" in client.get("/beteiligungen/ideen").text
    lines = list(csv.DictReader(io.StringIO(client.get(f"{HERE}/ergebnis.csv").text.lstrip("\ufeff"))))
    first = next(line for line in lines if line["answer"] == "Ja")
    assert (first["number"], first["share"], first["answered"]) == ("3", "0.75", "4")
    assert [line["answer"] for line in lines if line["question_number"] == "6"] == ["████ 1 =1+1"]
    data = client.get(f"{HERE}/ergebnis.json").json()
    assert (data["answered"], data["online"], data["otherwise"]) == (4, 3, 1)
    assert not re.search(r"U1-\d{4}", str(data)), "no answer of one person can be told from another's"


def test_a_survey_for_accounts_and_for_residents_asks_for_that(
    town: Town, client: TestClient, new_client: NewClient, engine: Engine
) -> None:
    def ask(audience: Audience) -> None:
        with unit_of_work(engine, write=True) as session:
            procedure = session.get_one(Procedure, town.procedure.id)
            (phase,) = phases_of(session, procedure.id or 0)
            why = Limits(ground="§ 3 der Satzung", contact="Amt 61")
            arranged = replace(proposing.arrangement_of(phase), audience=audience, limits=why)
            proposing.arrange(session, procedure, phase, arranged, by=town.planner, now=NOW, note="x")

    ask(Audience.RESIDENTS)
    sent = form_of(client.get(HERE)) | {"q1": ["1"]}
    refused = client.post(HERE, data=sent)
    assert refused.status_code == 422
    assert "#resident" in tree_of(refused).xpath('//ul[@class="d-error-list"]/li/a/@href')
    assert "Amt 61" in refused.text, "a limit says why, and who answers for it"
    assert client.post(HERE, data=sent | {"resident": "1"}).status_code == 303
    ask(Audience.SIGNED_IN)
    assert client.post(HERE, data=sent | {"once": "z" * 32}).status_code == 403
    account = signed_in(engine, town.clerk, new_client())
    for number, status in ((1, 303), (2, 422)):
        answer = account.post(HERE, data=form_of(account.get(HERE)) | {"q1": [str(number)]})
        assert answer.status_code == status
    with Session(engine) as session:
        entry = session.exec(select(SurveyEntry).where(SurveyEntry.party != "")).one()
        assert entry.recorded_by == "public"


def test_a_draft_is_seen_by_staff_only(
    town: Town, client: TestClient, new_client: NewClient, engine: Engine
) -> None:
    with unit_of_work(engine, write=True) as session:
        survey = session.exec(select(Survey)).one()
        surveys.copy(session, survey, by=town.planner, now=NOW + timedelta(hours=1))
    draft = "/beteiligungen/ideen/umfragen/2"
    assert client.get(draft).status_code == 404
    assert client.get("/beteiligungen/ideen/umfragen/99999999999").status_code == 404
    seen = signed_in(engine, town.planner, new_client()).get(draft)
    assert "sieht nur die Verwaltung" in seen.text
    assert "Antworten absenden" not in seen.text


def test_a_place_is_a_pin_and_statements_stand_on_one_scale(
    town: Town, client: TestClient, engine: Engine, clock: Clock
) -> None:
    # Without JavaScript: the plan, moved, and a click on it; all that was typed stays.
    sent = form_of(client.get(HERE)) | {"q1": ["1"], "q6": ["Mehr Licht"], "q8-1": ["3"], "q8-2": ["1"]}
    nothing = client.post(HERE, data=sent | {"q7": ["Nirgendwo"], "do": ["q7:search"]})
    assert "keinen Ort mit diesem Namen gefunden" in nothing.text
    plan = client.post(HERE, data=sent | {"do": ["q7:plan"]})
    assert plan.status_code == 200
    (picture,) = tree_of(plan).xpath('//input[@type="image"]/@src')
    assert client.get(picture).headers["content-type"] == "image/svg+xml"
    moved = client.post(HERE, data=form_of(plan) | {"do": ["q7:east"]})
    assert form_of(moved)["q7-middle"] != form_of(plan)["q7-middle"]
    clicked = client.post(HERE, data=form_of(moved) | {"q7-picture.x": ["480"], "q7-picture.y": ["300"]})
    chosen = form_of(clicked)
    assert chosen["q6"] == ["Mehr Licht"]
    assert chosen["q8-1"] == ["3"]
    middle = [round(float(each), 4) for each in form_of(moved)["q7-middle"][0].split(",")]
    assert [round(float(chosen[f"q7-{each}"][0]), 4) for each in ("lon", "lat")] == middle
    forgotten = form_of(client.post(HERE, data=chosen | {"do": ["q7:forget"]}))
    assert forgotten["q7-lon"] == [""]
    receipt = client.get(client.post(HERE, data=chosen).headers["location"])
    assert "ein Punkt auf der Karte" in receipt.text
    assert "Linde: 3" in tree_of(receipt).text_content()

    other = form_of(client.get(HERE)) | {"q1": ["2"], "q7": ["=hier"], "q7-lon": ["10.7"], "q7-lat": ["48.3"]}
    assert client.post(HERE, data=other | {"q7-lon": ["200"]}).status_code == 422
    assert client.post(HERE, data=other | {"q7-lat": ["1"]}).status_code == 422, "far away"
    assert client.post(HERE, data=other).status_code == 303
    clock.advance(days=60)
    shown = client.get(f"{HERE}/ergebnis")
    tree = tree_of(shown)
    assert (
        tree.xpath('//section[.//*[contains(text(), "Wo fehlt")]]//*[local-name()="a"]/@href')[0]
        == "#said-7-1"
    )
    assert tree.xpath('//li[@id="said-7-1"]'), (
        "the pin's line; what was said with the other waits for a moderator"
    )
    row = tree.xpath('//table[contains(@class, "s-bars--matrix")]//tr[th[text()="Linde"]]')[0].text_content()
    assert "1 (100 %)" in " ".join(row.split())
    points = client.get(f"{HERE}/ergebnis.geojson").json()["features"]
    assert [each["geometry"]["coordinates"] for each in points] == [
        [round(float(chosen[f"q7-{each}"][0]), 4) for each in ("lon", "lat")]
    ]
    table = list(csv.DictReader(io.StringIO(client.get(f"{HERE}/ergebnis.csv").text.lstrip("\ufeff"))))
    steps = [
        (each["statement"], each["answer"], each["number"]) for each in table if each["kind"] == "matrix"
    ]
    assert steps[:3] == [("Linde", "1 (schlecht)", "0"), ("Linde", "2", "0"), ("Linde", "3", "1")]


def desk_form(answer: Any) -> dict[str, Any]:
    """What a browser would send of the form at the planner's desk."""
    form = tree_of(answer).xpath("//form[@data-keep]")[0]
    return {name: value.removeprefix("\n") for name, value in form.form_values()}


def test_a_planner_puts_a_survey_together_without_javascript(
    town: Town, new_client: NewClient, engine: Engine
) -> None:
    planner = signed_in(engine, town.planner, new_client())
    there = f"/verwaltung/planung/{town.procedure.id}/umfragen"
    assert "Der Mühlbach" in planner.get(there).text
    phase = tree_of(planner.get(there)).xpath('//select[@name="phase"]/option/@value')[0]
    assert planner.post(there, data={"title": " ", "phase": phase}).status_code == 422
    assert planner.post(there, data={"title": "Wege", "phase": "0"}).status_code == 422
    begun = planner.post(there, data={"title": "Wege", "phase": phase})
    here = begun.headers["location"]
    sent = desk_form(planner.get(here))
    first = {
        "questions-0-label": "Gehen Sie zu Fuß?",
        "questions-0-kind": "choice",
        "questions-0-options": "Ja\nNein",
    }
    added = planner.post(here, data=sent | first | {"title_en": "Paths", "do": "add"})
    second = {
        "questions-1-label": "Wo fehlt ein Weg?", "questions-1-kind": "place", "questions-1-only_number": "1",
        "questions-1-only": "ja", "questions-1-label_en": "Where is a path missing?",
    }  # fmt: skip
    two = desk_form(added) | second | {"do": "add"}
    three = desk_form(planner.post(here, data=two)) | {
        "questions-2-kind": "text",
        "questions-2-label": "Noch etwas?",
    }
    # The first goes down: what hangs on it says its new number, comes before it now, and is refused with everything kept.
    moved = desk_form(planner.post(here, data=three | {"do": "down-0"}))
    assert (moved["questions-0-label"], moved["questions-0-only_number"]) == ("Wo fehlt ein Weg?", "2")
    refused = planner.post(here, data=moved | {"do": "save"})
    assert refused.status_code == 422
    assert tree_of(refused).xpath('//ul[@class="d-error-list"]/li/a/@href') == ["#questions-0-only"]
    back = desk_form(planner.post(here, data=desk_form(refused) | {"do": "up-1"}))
    hostile = back | {
        "questions-2-kind": "choices",
        "questions-2-options": "a\nb",
        "questions-2-at_most": "9" * 12,
    }
    assert planner.post(here, data=hostile | {"do": "save"}).status_code == 422
    assert planner.post(here, data=back | {"questions-2-kind": "dance", "do": "save"}).status_code == 422
    assert (
        planner.post(here, data=back | {"questions-0-label": "x" * 200_000, "do": "save"}).status_code == 422
    )
    saved = planner.post(here, data=back | {"do": "save"})
    assert saved.headers["location"] == f"{here}?done=saved"
    assert desk_form(planner.get(saved.headers["location"]))["questions-1-only"] == "Ja"
    assert planner.post(here, data=back | {"do": "save"}).status_code == 409, "somebody has saved meanwhile"
    removed = desk_form(planner.post(here, data=desk_form(planner.get(here)) | {"do": "remove-2"}))
    assert "questions-2-label" not in removed
    planner.post(here, data=removed | {"do": "save"})
    with Session(engine) as session:
        survey = session.exec(select(Survey).where(Survey.title == "Wege")).one()
        assert [each.kind.value for each in survey.asks] == ["choice", "place"]
        assert survey.asks[1].only == Condition("1", ("1",))
        assert survey.asks[1].translations == {"en": {"label": "Where is a path missing?"}}

    # Published with a word for everybody, answered, ended with a reason, copied.
    stand = f"{here}/stand"
    assert planner.post(stand, data={"do": "publish"}).status_code == 422
    assert planner.post(stand, data={"do": "publish", "note": "Eine Umfrage zu Wegen"}).status_code == 303
    assert "Where is a path missing?" in planner.get("/en/beteiligungen/ideen/umfragen/2").text
    with unit_of_work(engine, write=True) as session:
        survey = session.get_one(Survey, survey.id)
        sheet = survey_answers.Sheet("k", {"q1": ["1"], "q2": ["=Brücke"]}, survey.version)
        survey_answers.answer(session, survey, sheet, by=town.planner, now=NOW)
    stands = planner.get(here)
    assert "1 Person hat geantwortet" in stands.text
    assert "questions-0-label" not in stands.text
    assert (
        planner.post(here, data=desk_form(stands) | {"title": "Wege am Bach", "do": "save"}).status_code
        == 303
    )
    assert "1 Person hat geantwortet" in planner.get(f"{here}/antworten").text
    table = list(csv.reader(io.StringIO(planner.get(f"{here}/antworten.csv").text.lstrip("\ufeff"))))
    assert table[1][0] == "ID-U2-0001"
    assert table[1][-4:] == ["Ja", "'=Brücke", "", ""], "a pin's position stands beside its words"
    with unit_of_work(engine, write=True) as session:
        survey_answers.withdraw(session, session.exec(select(SurveyEntry)).one(), by=PUBLIC, now=NOW)
    table = list(csv.reader(io.StringIO(planner.get(f"{here}/antworten.csv").text.lstrip("\ufeff"))))
    assert (table[1][4], table[1][-4:]) == ("1", [""] * 4), "what was taken back nobody reads any more"
    assert planner.post(stand, data={"do": "end", "note": ""}).status_code == 422
    assert planner.post(stand, data={"do": "end", "note": "Frage 1 war unklar."}).status_code == 303
    ended = planner.get("/beteiligungen/ideen/umfragen/2").text
    assert "Frage 1 war unklar." in ended
    assert "Gehen Sie zu Fuß? (Ja · Nein)" in ended, "what was asked can still be read"
    assert "können Sie noch ändern" not in planner.get(here).text
    spoken = tree_of(planner.get("/en/beteiligungen/ideen/umfragen/1"))
    said_in = [spoken.xpath("string(//h1/@lang)"), spoken.xpath("string(//div[@class='d-prose'][1]/@lang)")]
    assert said_in == ["en", "de"], "the introduction was not translated"
    copy = planner.post(stand, data={"do": "copy"}).headers["location"]
    assert planner.post(f"{copy}/stand", data={"do": "discard"}).headers["location"] == there
    assert planner.get(copy).status_code == 404


@once
def test_an_empty_row_between_questions_leaves_their_conditions_where_they_are(
    town: Town, new_client: NewClient, engine: Engine
) -> None:
    planner = signed_in(engine, town.planner, new_client())
    there = f"/verwaltung/planung/{town.procedure.id}/umfragen"
    phase = tree_of(planner.get(there)).xpath('//select[@name="phase"]/option/@value')[0]
    here = planner.post(there, data={"title": "Wege", "phase": phase}).headers["location"]
    asks: dict[int, dict[str, str]] = {
        0: {"label": "Gehen Sie zu Fuß?", "kind": "choice", "options": "Ja\nNein"},
        1: {"label": "", "kind": "text"},
        2: {"label": "Auch nachts?", "kind": "choice", "options": "Ja\nNein"},
        3: {"label": "Auch bei Regen?", "kind": "choice", "options": "Ja\nNein"},
        4: {"label": "Wo fehlt Licht?", "kind": "place", "only_number": "3", "only": "Ja"},
    }
    rows = {f"questions-{at}-{name}": said for at, row in asks.items() for name, said in row.items()}
    assert planner.post(here, data=desk_form(planner.get(here)) | rows | {"do": "save"}).status_code == 303
    with Session(engine) as session:
        found = session.exec(select(Survey).where(Survey.title == "Wege")).one().asks
    assert len(found) == 4
    assert found[3].only == Condition(found[1].key, ("1",)), "of the answer to “Auch nachts?”"


def test_a_sheet_is_typed_in_at_the_counter_and_words_are_read_by_a_moderator(
    town: Town, new_client: NewClient, engine: Engine, clock: Clock
) -> None:
    clerk, moderator = (signed_in(engine, each, new_client()) for each in (town.clerk, town.moderator))
    with Session(engine) as session:
        survey = session.exec(select(Survey)).one()
    here = f"/verwaltung/eingang/umfrage/{survey.id}"
    assert here in clerk.get(f"/verwaltung/eingang/{town.procedure.id}").text
    blank = form_of(clerk.get(here))
    slip = blank | {"channel": ["paper_form"], "q1": ["2"], "q6": ["Frau Kern (08999 1234-10) hilft"]}
    wrong = clerk.post(here, data=slip | {"received_on": ["2099-01-01"]})
    assert tree_of(wrong).xpath('//ul[@class="d-error-list"]/li/a/@href') == ["#received_on"]
    assert form_of(wrong)["q6"] == slip["q6"]
    assert clerk.post(here, data=slip | {"channel": [""]}).status_code == 422
    taken = clerk.post(here, data=slip)
    assert taken.headers["location"].startswith(f"{here}?aufgenommen=")
    assert "ID-U1-0001" in clerk.get(taken.headers["location"]).text
    assert clerk.post(here, data=slip).headers["location"] == taken.headers["location"]
    with Session(engine) as session:
        (entry,) = session.exec(select(SurveyEntry)).all()
        assert (entry.channel, entry.recorded_by) == ("paper_form", town.clerk.label)
    # A key in the address shows nobody the code of a sheet that somebody else took in.
    spelled = ", ".join(entry.access_code)
    assert spelled in clerk.get(taken.headers["location"]).text
    colleague = signed_in(engine, town.planner, new_client())
    assert spelled not in colleague.get(taken.headers["location"]).text
    # Who calls with the code, or comes with the number of the sheet, changes what was said before; a clerk notes who asked.
    there = f"{here}/antwort"
    assert there in clerk.get(here).text
    assert clerk.post(there, data={"do": "find", "code": "AAAA-AAAA"}).status_code == 422
    found = clerk.post(there, data={"do": "find", "code": entry.reference.lower()})
    call = form_of(found) | {"channel": ["phone_record"], "q1": ["1"]}
    assert call["q6"] == slip["q6"], "as it stands"
    unnoted = clerk.post(there, data=call | {"do": "withdraw"})
    assert tree_of(unnoted).xpath('//ul[@class="d-error-list"]/li/a/@href') == ["#note"]
    ahead = clerk.post(there, data=call | {"note": "Rief an.", "received_on": ["2099-01-01"]})
    assert tree_of(ahead).xpath('//ul[@class="d-error-list"]/li/a/@href') == ["#received_on"]
    changed = clerk.post(there, data=call | {"note": "Rief an: Frage 1 war verwechselt."})
    assert "geändert" in clerk.get(changed.headers["location"]).text
    with unit_of_work(engine, write=True) as session:
        survey = session.get_one(Survey, survey.id)
        online = survey_answers.answer(
            session, survey, survey_answers.Sheet("online", {"q1": ["2"]}, survey.version), by=PUBLIC, now=NOW
        )
        number, code = online.reference, online.access_code
    assert clerk.post(there, data={"do": "find", "code": number}).status_code == 422, (
        "nobody opens that by a number"
    )
    gone = form_of(clerk.post(there, data={"do": "find", "code": code}))
    gone |= {"channel": ["phone_record"], "note": ["Rief mit dem Code an."], "do": ["withdraw"]}
    assert clerk.post(there, data=gone).headers["location"].endswith("zurueckgenommen")
    assert "zurückgenommen" in clerk.post(there, data={"do": "find", "code": code}).text
    with Session(engine) as session:
        noted = select(JournalEntry.facts).where(
            col(JournalEntry.verb).in_(("survey_answer_changed", "survey_answer_withdrawn"))
        )
        notes = session.exec(noted.order_by(col(JournalEntry.id))).all()
    assert [facts["note"] for facts in notes] == [
        "Rief an: Frage 1 war verwechselt.",
        "Rief mit dem Code an.",
    ]

    assert "1 Text aus einer Umfrage" in moderator.get("/verwaltung").text
    shown = moderator.get("/verwaltung/umfragen/worte")
    (form,) = tree_of(shown).xpath("//form[.//textarea]")
    read = dict(form.form_values())
    suggested = read["shown"].removeprefix("\n")
    assert "Kern" not in suggested
    assert "hilft" in suggested
    assert moderator.post("/verwaltung/umfragen/worte", data=read | {"do": "withhold"}).status_code == 422
    forged = moderator.post(
        "/verwaltung/umfragen/worte", data=read | {"shown": "Alle sind dafür", "do": "show"}
    )
    assert forged.status_code == 422
    assert "Alle sind dafür" in forged.text
    assert moderator.post("/verwaltung/umfragen/worte", data=read | {"do": "show"}).status_code == 303
    assert "Alle Texte aus Umfragen sind gelesen" in moderator.get("/verwaltung/umfragen/worte").text
    # A decision can be turned round, and back again.
    past = "/verwaltung/umfragen/worte?entschieden=1"
    turned = moderator.post(past, data=read | {"do": "withhold", "reason": next(iter(Reason)).value})
    assert "Nicht gezeigt" in moderator.get(turned.headers["location"]).text
    told = colleague.get(f"/verwaltung/planung/{town.procedure.id}/umfragen/1/antworten").text
    assert "1 Text wird nicht gezeigt. In der Tabelle aller Antworten" in told
    assert moderator.post(past, data=read | {"do": "show"}).status_code == 303
    clock.advance(days=60)
    public = new_client().get(f"{HERE}/ergebnis").text
    assert suggested in public
    assert "1234-10" not in public
    clerk = signed_in(engine, town.clerk, new_client(), clock.now)
    late = clerk.post(
        here,
        data=blank | {"once": ["w" * 32], "channel": ["letter"], "q1": ["1"], "received_on": ["2027-04-10"]},
    )
    assert "als verspätet" in clerk.get(late.headers["location"]).text
